"""Listings: lazy walks over offset pages, by a function that fetches one page. Knows no endpoint."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from typing import Any, Final, Generic, Self, TypeAlias, TypeVar

from helpcrunch_async.checks import check_count
from helpcrunch_async.models import Page

T = TypeVar("T")

FetchPage: TypeAlias = Callable[[int, int], Coroutine[Any, Any, Page[T]]]
"""Fetches one page, given its offset and the most rows it may have."""

PAGE_LIMIT: Final = 100  # the documented most; above it nothing is documented
_REMEMBERED: Final = 1_000  # ids: rows that move while we page move by about a page, not by ten


class Listing(Generic[T]):
    """Rows of the account, fetched page by page while they are iterated; nothing is sent before.

    Offset pages shift when rows come and go meanwhile: a row that moves back is met again, which is
    noticed and skipped, and one that moves forward over the page border is missed. Sorting by something
    that does not change, such as the first visit in ascending order, is the steadiest.
    """

    def __init__(
        self,
        fetch_page: FetchPage[T],
        row_id: Callable[[T], int],
        *,
        offset: int = 0,
        limit: int | None = None,
        prefetches: bool = False,
    ) -> None:
        self._fetch_page = fetch_page
        self._row_id = row_id
        self._offset = check_count("offset", offset, least=0)
        self._limit = None if limit is None else check_count("limit", limit, least=0)
        self._prefetches = prefetches

    def __repr__(self) -> str:
        return f"Listing(offset={self._offset}, limit={self._limit})"

    async def page(self, offset: int = 0, limit: int = PAGE_LIMIT) -> Page[T]:
        """Fetch one page.

        Args:
            offset: rows to skip, whatever the listing itself skips.
            limit: rows to fetch, 1 to 100.

        Raises:
            TypeError: not a whole number.
            ValueError: out of range; HelpCrunch documents 100 as the most.
        """
        offset, limit = check_count("offset", offset, least=0), check_count("limit", limit)
        if limit > PAGE_LIMIT:
            raise ValueError(f"limit is at most {PAGE_LIMIT}, not {limit}")
        return await self._fetch_page(offset, limit)

    async def to_list(self, limit: int | None = None) -> list[T]:
        """Fetch rows into a list: all of them, or the first `limit`."""
        if limit is not None:
            limit = check_count("limit", limit, least=0)
        return [row async for row in self._walk(limit)]

    def prefetch(self) -> Self:
        """Give the same listing with one page ahead: fetched while the rows before it are consumed.

        Leaving the loop gives up the page that is under way.
        """
        return type(self)(
            self._fetch_page, self._row_id, offset=self._offset, limit=self._limit, prefetches=True
        )

    def __aiter__(self) -> AsyncGenerator[T, None]:  # noqa: PYI058 - for contextlib.aclosing
        return self._walk(None)

    async def _walk(self, limit: int | None) -> AsyncGenerator[T, None]:
        """Walk the pages.

        It ends: the offset rises with every round, and a finite table has an empty page behind its last row.
        A server that ignores the offset is left when it has given the very same page three times; twice can
        be rows that came in front.
        """
        left = min((most for most in (self._limit, limit) if most is not None), default=None)
        offset = self._offset
        recent: OrderedDict[int, None] = OrderedDict()
        before: list[int] = []
        repeats = 0
        ahead: asyncio.Task[Page[T]] | None = None
        goes_on = left != 0
        try:
            while goes_on:
                asked = _most_of(left)
                page = await (self._fetch_page(offset, asked) if ahead is None else ahead)
                ahead = None
                ids = [self._row_id(row) for row in page.items]
                fresh = self._remember(page.items, recent)[:left]
                offset += len(page.items)
                if left is not None:
                    left -= len(fresh)
                # A short page ends the walk unless the total says that there is more; a total alone never
                # does, since it is known to be wrong at times.
                is_last = len(page.items) < asked and (page.total is None or page.total <= offset)
                repeats = repeats + 1 if ids == before else 0
                before = ids
                goes_on = bool(ids) and repeats < 2 and not is_last and left != 0
                if goes_on and self._prefetches:
                    ahead = asyncio.create_task(self._fetch_page(offset, _most_of(left)))
                for row in fresh:
                    yield row
        finally:
            if ahead is not None:
                ahead.cancel()
                await asyncio.gather(ahead, return_exceptions=True)  # so that its error is nobody's

    def _remember(self, rows: Sequence[T], recent: OrderedDict[int, None]) -> list[T]:
        """Give the rows that are not among the recent ones, and remember them there."""
        fresh: list[T] = []
        for row in rows:
            row_id = self._row_id(row)
            if row_id not in recent:
                fresh.append(row)
                recent[row_id] = None
        while len(recent) > _REMEMBERED:
            recent.popitem(last=False)
        return fresh


def _most_of(left: int | None) -> int:
    """Give the rows to ask for in one page."""
    return PAGE_LIMIT if left is None else min(left, PAGE_LIMIT)
