"""Whether searches by id answer as single requests do: proved at run time, for one account.

Nobody documents search for this purpose. So a row of the first search is asked for by `GET` as well and must
agree; from then on searches are used, for an hour. Where it does not, they are not used for an hour.
"""

import asyncio
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from math import inf
from threading import Lock
from typing import Any, Final

from helpcrunch_async.bulk.shown import PROVED_FIELDS, shown
from helpcrunch_async.models import Customer

log: Final = logging.getLogger("helpcrunch_async")

WIDEST: Final = 100  # ids a search: as many as a page may have rows
PROVED_FOR: Final = 3600.0  # seconds
_PROOF_TIME: Final = 5.0  # seconds that others wait for a proof under way; then one of them tries
_MOST_NAMED: Final = 10  # keys in the warning
_CUSTOM_DATA: Final = "customData"
_KEY: Final = re.compile(r"\w{1,40}", re.ASCII)  # what else a key holds may be anybody's words


class SearchTrust:
    """How far searches by id are trusted. All clients of an account share it, in whatever thread."""

    def __init__(self) -> None:
        self._width = WIDEST
        self._is_proved = False
        self._settled_at = -inf  # when searches were proved, or given up
        self._proving_since = -inf
        self._waiting: dict[Callable[[], None], asyncio.AbstractEventLoop] = {}
        self._lock = Lock()

    @property
    def width(self) -> int:
        """How many ids one request may ask for at the moment; 1 is no search."""
        with self._lock:
            now = _now()
            if self._width == 1 and now >= self._settled_at + PROVED_FOR:
                self._width, self._is_proved = WIDEST, False
            return 1 if self._waits(now) else self._width

    @property
    def widest(self) -> int:
        """How many ids one request may ask for, once searches are proved."""
        return self._width

    @property
    def is_proved(self) -> bool:
        """Whether the rows of searches can be taken."""
        return self._is_proved

    def most_searches(self, call_back: Callable[[], None]) -> float:
        """Return how many searches may stand in line: one until there is a proof, none while it is made.

        Calls back when there may be more.
        """
        with self._lock:
            now = _now()
            if self._is_proved or self._width == 1:
                return inf
            loop, is_waiting = asyncio.get_running_loop(), call_back in self._waiting
            self._waiting[call_back] = loop
            if not self._waits(now):
                return 1
            if not is_waiting:
                loop.call_later(self._proving_since + _PROOF_TIME - now, call_back)
            return 0

    def _waits(self, now: float) -> bool:
        return not self._is_proved and self._width > 1 and now < self._proving_since + _PROOF_TIME

    def begin_proof(self) -> bool:
        """Return whether the search that leaves now must prove itself; then `end_proof` must follow."""
        with self._lock:
            now = _now()
            is_due = not self._is_proved or now >= self._settled_at + PROVED_FOR
            if is_due and now >= self._proving_since + _PROOF_TIME:
                self._proving_since = now
                return True
            return False

    def end_proof(self, *, proved: bool) -> None:
        """Say what became of a proof; an attempt that shows nothing leaves all as it was."""
        with self._lock:
            self._proving_since = -inf
            if proved and self._width > 1:
                self._is_proved, self._settled_at = True, _now()
            waiting, self._waiting = self._waiting, {}
        for call_back, loop in waiting.items():
            with suppress(RuntimeError):  # a loop that is closed
                loop.call_soon_threadsafe(call_back)

    def narrow(self, refused: int) -> None:
        """Note that a search for this many ids was refused."""
        width = max(1, refused // 2)
        if width == 1:
            self.withdraw("HelpCrunch refuses them")
        elif width < self._width:
            self._width = width

    def withdraw(self, reason: str) -> None:
        """Stop searching for an hour, and say so once."""
        with self._lock:
            if self._width == 1:
                return
            self._width, self._is_proved, self._settled_at = 1, False, _now()
        log.warning("customers are fetched one by one from now on, not by searches for their ids: %s", reason)


def _now() -> float:
    return asyncio.get_running_loop().time()


def differences(row: Mapping[str, Any], got: Mapping[str, Any], found: Customer, single: Customer) -> str:
    """Say how a row of a search falls short of what `GET` answers; "" if it does not.

    Args:
        row: the row, as it came.
        got: the answer to `GET`, as it came.
        found: the row, read.
        single: the answer, read.
    """
    missing = list(dict.fromkeys(_missing(row, got)))
    differing = [key for key in PROVED_FIELDS if shown(found, key) != shown(single, key)]
    parts = [
        f"{verb} {', '.join(keys[:_MOST_NAMED])}{' and more' if len(keys) > _MOST_NAMED else ''}"
        for verb, keys in (("a row lacks", missing), ("a row differs in", differing))
        if keys
    ]
    return "; ".join(parts)


def _missing(row: Any, got: Any, place: str = "") -> Iterator[str]:
    """Yield the place of every key that `got` has and `row` lacks, in what is nested, too."""
    if isinstance(got, dict):
        for key, value in got.items():
            name = key if _KEY.fullmatch(key) else "(another key)"
            inner = f"{place}.{name}" if place else name
            if not isinstance(row, dict) or key not in row:
                yield inner
            elif key != _CUSTOM_DATA or place:
                yield from _missing(row[key], value, inner)
    elif isinstance(got, list):
        for index, value in enumerate(got):
            there = row[index] if isinstance(row, list) and index < len(row) else None
            yield from _missing(there, value, f"{place}[]")
