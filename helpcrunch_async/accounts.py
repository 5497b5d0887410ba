"""What the process remembers of an account beyond the life of a client, by base_url and digest of the key.

Each kind of thing has a `PerAccount` of its own, in the module that knows what it is. Of the key only a
digest is kept, and a forked process remembers nothing of its parent.
"""

import hashlib
import os
from collections.abc import Callable
from threading import Lock
from typing import Any, Final, Generic, Protocol, TypeVar

KEPT_FOR: Final = 3600.0  # seconds after the last use
_FEW: Final = 16  # accounts that are not worth a look for what is over


class Memory(Protocol):
    """What is remembered of one account."""

    def is_over(self) -> bool:
        """Return whether it has been unused for `KEPT_FOR` seconds, and can be forgotten."""
        ...


M = TypeVar("M", bound=Memory)


class PerAccount(Generic[M]):
    """One kind of memory: made when an account is first asked for, forgotten lazily once it is over."""

    def __init__(self, make: Callable[[], M]) -> None:
        self._make = make
        self.forget()
        _kinds.append(self)

    def of(self, base_url: str, key: str) -> M:
        """Return what is remembered of an account; any thread may ask."""
        if self._pid != os.getpid():
            self.forget()
        account = base_url, hashlib.sha256(str.encode(key)).digest()
        with self._lock:
            memory = self._memories.get(account)
            if memory is None or memory.is_over():
                self._drop_what_is_over()
                memory = self._memories[account] = self._make()
            return memory

    def forget(self) -> None:
        """Forget every account."""
        self._memories: dict[tuple[str, bytes], M] = {}
        self._enough = _FEW
        self._lock = Lock()  # a fork may have cloned a locked one
        self._pid = os.getpid()

    def _drop_what_is_over(self) -> None:
        """Look through all accounts whenever their number has doubled, so that a look-up stays cheap."""
        if len(self._memories) >= self._enough:
            self._memories = {
                account: memory for account, memory in self._memories.items() if not memory.is_over()
            }
            self._enough = max(_FEW, 2 * len(self._memories))


_kinds: Final[list[PerAccount[Any]]] = []


def forget_accounts() -> None:
    """Forget all that is remembered of any account; clients that are open keep what they hold."""
    for kind in _kinds:
        kind.forget()
