"""What the process remembers of an account's customers: whether searches are proved, and what was written.

It outlives the clients, so that a client per request neither proves searches each time nor misses what the
last one wrote.
"""

import asyncio
from typing import Any
from weakref import WeakSet

from helpcrunch_async.accounts import KEPT_FOR, PerAccount
from helpcrunch_async.bulk.proof import SearchTrust
from helpcrunch_async.bulk.recent_writes import RecentWrites


class AccountMemory:
    """Shared by all open clients of an account, in whatever thread; kept for an hour after the last one."""

    def __init__(self) -> None:
        self.trust = SearchTrust()
        self.writes = RecentWrites()
        self._holders = WeakSet[Any]()
        self._held_until = asyncio.get_running_loop().time()

    def hold(self, holder: object) -> None:
        """Keep this for as long as the holder lives, or until `let_go`."""
        self._holders.add(holder)

    def let_go(self, holder: object) -> None:
        """Need it no more."""
        self._holders.discard(holder)
        self._held_until = asyncio.get_running_loop().time()

    def is_over(self) -> bool:
        """Return whether nobody holds it, and nobody has for an hour."""
        return not self._holders and asyncio.get_running_loop().time() >= self._held_until + KEPT_FOR


_memories = PerAccount(AccountMemory)


def memory_of_account(base_url: str, key: str) -> AccountMemory:
    """Return what is remembered of an account."""
    return _memories.of(base_url, key)
