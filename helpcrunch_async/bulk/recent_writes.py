"""What was written of which customers a moment ago: searches may not know it yet.

A row of a search is taken only if it shows what the answer to the write showed in the fields that were
written. Kept are digests of these, not the values.
"""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import inf
from threading import Lock
from typing import Any, Final, TypeAlias

from attrs import define, field

from helpcrunch_async.bulk.shown import shown
from helpcrunch_async.errors import HelpCrunchError
from helpcrunch_async.models import Customer

RECENT: Final = 300.0
"""Seconds after a write was answered, or its outcome was lost."""
MOST_IDS: Final = 10_000
"""That are kept. Five minutes of batch updates at 120 requests a minute write 6,000."""

_FEW: Final = 64
_LOOK_EVERY: Final = 1.0  # seconds, when there are too many

Shown: TypeAlias = Mapping[str, int]
"""A digest of what a customer shows, by the key of the field."""
UNKNOWN: Final[Shown] = {"id": -1}
"""What no row shows, since no hash is -1: only a single request can tell."""


@define(eq=False)
class _Written:
    """What is known of one id that was written."""

    running: int = 0  # writes that are not answered yet
    overlapped: bool = False  # two of them were under way at once: their order is not known
    recent_until: float = -inf
    unknown_until: float = -inf
    shown: dict[str, int] = field(factory=dict)


class RecentWrites:
    """The ids that were written through clients of one account, in whatever thread."""

    def __init__(self) -> None:
        self._written: dict[int, _Written] = {}
        self._untracked = 0  # writes under way of which no id is kept
        self._all_until = -inf  # until when every id counts as one of unknown outcome
        self._enough = _FEW  # ids that are worth a look for what is over
        self._looked_at = -inf  # for that; seconds
        self._lock = Lock()

    def expected(self, customer_id: int) -> Shown:
        """Return what a row of this id must show, if it is searched for now: mostly nothing.

        It is `UNKNOWN` while a write is under way, and after one whose outcome was lost.
        """
        if not self._written and self._all_until == -inf:
            return {}
        now = asyncio.get_running_loop().time()
        with self._lock:
            written = self._written.get(customer_id)
            if self._untracked or now < self._all_until:
                return UNKNOWN
            if written is None:
                return {}
            if written.running or now < written.unknown_until:
                return UNKNOWN
            return dict(written.shown) if now < written.recent_until else {}

    def is_recent(self, customer_id: int) -> bool:
        """Return whether a search may not know this id's state yet."""
        return bool(self.expected(customer_id))

    @contextmanager
    def writing(self, changes: Mapping[int, Iterable[str]]) -> Iterator[list[Customer]]:
        """Count ids as written, from now on until five minutes after the end.

        Args:
            changes: the keys of the fields that are written, by id.

        Yields:
            a list that takes the customers of the answer. An id that is not among them at the end has an
            unknown outcome; a write that certainly did not happen, as its error says, counts for nothing.
        """
        answered: list[Customer] = []
        tracked = self._begin(changes)
        happened = True
        try:
            yield answered
        except HelpCrunchError as error:
            happened = error.outcome_unknown
            raise
        finally:
            customers = {customer.id: customer for customer in answered}
            self._end({each: changes[each] for each in tracked}, customers, happened=happened)
            if len(tracked) < len(changes):
                self._end_untracked()

    def _begin(self, ids: Mapping[int, object]) -> list[int]:
        """Return the ids that are kept; there may be too many."""
        now = asyncio.get_running_loop().time()
        with self._lock:
            self._drop_what_is_over(now)
            tracked = []
            for customer_id in ids:
                written = self._written.get(customer_id)
                if written is None:
                    if len(self._written) >= MOST_IDS:
                        continue
                    written = self._written[customer_id] = _Written()
                elif not written.running and now >= written.recent_until:
                    written.shown.clear()
                written.running += 1
                written.overlapped = written.running > 1
                tracked.append(customer_id)
            if len(tracked) < len(ids):
                self._untracked += 1
            return tracked

    def _end(
        self, changes: Mapping[int, Iterable[str]], customers: Mapping[int, Customer], *, happened: bool
    ) -> None:
        until = asyncio.get_running_loop().time() + RECENT
        with self._lock:
            for customer_id, keys in changes.items():
                written = self._written[customer_id]
                written.running -= 1
                if not happened and not written.overlapped:
                    continue
                written.recent_until = until
                customer = customers.get(customer_id)
                if customer is None or written.overlapped:
                    written.unknown_until = until
                else:
                    written.shown |= {key: _digest(customer, key) for key in keys}

    def _end_untracked(self) -> None:
        with self._lock:
            self._untracked -= 1
            self._all_until = asyncio.get_running_loop().time() + RECENT

    def _drop_what_is_over(self, now: float) -> None:
        """Look through all ids whenever their number has doubled, so that a write stays cheap."""
        is_full = len(self._written) >= MOST_IDS and now >= self._looked_at + _LOOK_EVERY
        if len(self._written) >= self._enough or is_full:
            self._looked_at = now
            self._written = {
                each: written
                for each, written in self._written.items()
                if written.running or now < written.recent_until
            }
            self._enough = max(_FEW, 2 * len(self._written))


def shows(customer: Customer, expected: Shown) -> bool:
    """Return whether a row shows what it must."""
    return all(_digest(customer, key) == digest for key, digest in expected.items())


def _digest(customer: Customer, key: str) -> int:
    value = shown(customer, key)
    return hash(repr(sorted(value.items()) if isinstance(value, dict) else value))


def ids_in(path: str, body: Any) -> Sequence[int]:
    """List the ids of the customers that a raw request changes, by its path or, of a batch, by its body."""
    noun, _, rest = path.partition("/")
    if noun != "customers":
        return ()
    if rest == "batch":
        items = body if isinstance(body, list) else ()
        named = [str(item.get("customer")) for item in items if isinstance(item, Mapping)]
    else:
        named = [rest.partition("/")[0]]
    return [int(each) for each in named if each.isdecimal()]
