"""Which rows of a listing to ask for next, and when those were all. Pure: it is told what each page held.

Offset pages shift while rows come and go. When d rows are deleted between two requests, the rows behind them
move forward by d, and as many may be missed at the border of two pages. A total that falls tells of it, so
the walk counts the rows in front that are known for certain, takes the fall off that count, and goes on from
there. What it meets again is skipped by its id; what comes too early is read again, so rows keep their order.

A total is only ever a reason to read more. It is known to be wrong at times, so it never ends a walk, and
only a fall below the lowest total so far counts: one that goes up and down cannot keep the walk going back.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from attrs import field, frozen

PAGE_LIMIT: Final = 100  # the documented most; above it nothing is documented
_LONGEST_STEP: Final = 1_000  # rows to go back behind the furthest row that was read
_REMEMBERED: Final = 1_500  # ids: those of the longest step back, and of what was read meanwhile
_LARGEST_OVERLAP: Final = 90  # rows of a page that are read again while rows are being deleted
_IN_VAIN: Final = (
    200  # pages without a new row, and twice those with some: then totals are not believed any more
)
_HOPELESS: Final = 100  # pages in a row without a new row, although nothing moved: then the walk ends


def _ids(ids: Iterable[int]) -> tuple[int, ...]:
    return tuple(ids)


@frozen
class Bookmark:
    """Where a walk can be resumed, later or by another process; all of it has a JSON form."""

    offset: int
    """Rows in front that have been read."""
    total: int | None = None
    """The lowest total so far: if it has fallen when the walk is resumed, rows have moved forward."""
    recent_ids: tuple[int, ...] = field(default=(), converter=_ids)
    """The rows that were given last, to be skipped where they are met again."""


class Walk:
    """One walk over offset pages.

    It ends: every request is for rows further back than the last one unless the total has fallen below the
    lowest, and a finite table has an empty page behind its last row. A server that ignores the offset is left
    when it has given the very same page at three offsets; at two it can be chance.

    Args:
        start: rows to skip.
        limit: rows to give at most; None gives all.
        bookmark: where to resume.
    """

    def __init__(self, start: int, limit: int | None, bookmark: Bookmark | None = None) -> None:
        self.is_over: bool = limit == 0
        self._start = start
        self._left = limit
        self._known = start  # rows in front that certainly were read, by the offsets of now
        self._lowest: int | None = None
        self._recent: OrderedDict[int, None] = OrderedDict()
        if bookmark is not None:
            self._known = max(start, bookmark.offset)
            self._lowest = bookmark.total
            self._recent.update(dict.fromkeys(bookmark.recent_ids))
        self._furthest = self._known
        self._overlap = 0
        self._total: int | None = None  # as the last page had it, right or wrong
        self._is_full = True  # the last page had as many rows as were asked for
        self._previous: tuple[int, Sequence[int]] = (-1, ())
        self._repeats = 0
        self._in_vain = 0  # pages without a new row, less two for each page with some
        self._hopeless = 0

    @property
    def bookmark(self) -> Bookmark:
        """Where to resume."""
        return Bookmark(self._known, self._lowest, tuple(self._recent))

    def request(self) -> tuple[int, int]:
        """Return the offset and the limit of the next request."""
        offset = max(self._start, self._known - self._overlap)
        return offset, self._limit(self._left, again=self._furthest - offset)

    def requests(self, most: int) -> Iterator[tuple[int, int]]:
        """Return up to `most` next requests, as they will be unless rows move; never far beyond the total."""
        left = self._left
        offset, limit = self.request()
        yield offset, limit
        # while rows move, or pages are shorter than asked for, a second request would be in vain
        if offset < self._furthest or not self._is_full or self._total is None:
            return
        for _ in range(1, most):
            offset += limit
            left = None if left is None else left - limit
            limit = self._limit(left, again=0)
            if offset >= self._total or not limit:
                return
            yield offset, limit

    def take(
        self, offset: int, asked: int, *, received: int, total: int | None, ids: Sequence[int]
    ) -> list[int] | None:
        """Note the page that answers a request; return which of its rows are to be given.

        Args:
            offset: of the request.
            asked: the limit of the request.
            received: rows of the page, readable or not.
            total: as the server says.
            ids: of the rows that can be read.

        Returns:
            indexes of `ids`: of rows that were not met lately, no more than are left of the walk's limit;
            None for a page before which rows may have been missed: it is read again, after those.
        """
        end = offset + received
        fallen = self._fall(total, end, received)
        self._known = max(self._known - fallen, self._furthest - _LONGEST_STEP, self._start)
        self._overlap = min(max(fallen, self._overlap // 2), _LARGEST_OVERLAP)
        self._total, self._is_full = total, received >= asked
        # an empty page has no row for which to go back, if as many are known as there are in all
        is_next = offset <= self._known or (not received and total is not None and 0 <= total <= self._known)
        fresh = None
        if is_next:
            fresh, met = self._meet(ids)
            if self._left is not None:
                self._left -= len(fresh)
            read = end if met == len(ids) else offset + met
            self._known = max(self._known, read)
            self._furthest = max(self._furthest, read)
        self._count(offset, ids, is_fruitful=bool(fresh), has_moved=fallen > 0)
        # a short page is the last one unless the total says that there is more
        is_last = not received or (received < asked and (total is None or total <= end))
        self.is_over = (
            self._left == 0 or self._repeats >= 2 or self._hopeless >= _HOPELESS or (is_next and is_last)
        )
        return fresh

    def _limit(self, left: int | None, *, again: int) -> int:
        """Return how many rows to ask for, of which so many are read again."""
        if left is None or self._hopeless:  # else one that is left would go through known rows one by one
            return PAGE_LIMIT
        return min(left + max(0, again), PAGE_LIMIT)

    def _meet(self, ids: Sequence[int]) -> tuple[list[int], int]:
        """Return the indexes of ids that are not among the recent ones, and how many were looked at.

        All are recent then, up to the last one that is to be given.
        """
        fresh = list[int]()
        met = 0
        for index, row_id in enumerate(ids):
            if len(fresh) == self._left:
                break
            met += 1
            if row_id in self._recent:
                self._recent.move_to_end(row_id)
            else:
                self._recent[row_id] = None
                fresh.append(index)
        while len(self._recent) > _REMEMBERED:
            self._recent.popitem(last=False)
        return fresh, met

    def _fall(self, total: int | None, end: int, received: int) -> int:
        """Return how far the total fell below the lowest; one that contradicts its page is not believed."""
        if total is None or total < (end if received else 0) or self._in_vain > _IN_VAIN:
            return 0
        lowest = self._lowest
        if lowest is None or total < lowest:
            self._lowest = total
        return 0 if lowest is None else max(0, lowest - total)

    def _count(self, offset: int, ids: Sequence[int], *, is_fruitful: bool, has_moved: bool) -> None:
        previous_offset, previous_ids = self._previous
        if not ids or ids != previous_ids:
            self._repeats = 0
        elif offset != previous_offset and not has_moved:  # else the rows may have followed the offset
            self._repeats += 1
        self._previous = offset, ids
        self._in_vain += -2 if is_fruitful else 1
        self._hopeless = 0 if is_fruitful or has_moved else self._hopeless + 1
