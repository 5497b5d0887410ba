"""Listings: lazy walks over offset pages, by a function that fetches one page. Knows no endpoint."""

from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import Final, Generic, TypeAlias, TypeVar

from helpcrunch_async.checks import check_count
from helpcrunch_async.models import Page

T = TypeVar("T")

FetchPage: TypeAlias = Callable[[int, int], Awaitable[Page[T]]]
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
    ) -> None:
        self._fetch_page = fetch_page
        self._row_id = row_id
        self._offset = check_count("offset", offset, least=0)
        self._limit = None if limit is None else check_count("limit", limit, least=0)

    def __repr__(self) -> str:
        return f"Listing(offset={self._offset}, limit={self._limit})"

    async def page(self, offset: int = 0, limit: int = PAGE_LIMIT) -> Page[T]:
        """Fetch one page.

        Args:
            offset: rows to skip.
            limit: rows to fetch, 1 to 100.

        Raises:
            TypeError: not a whole number.
            ValueError: out of range; HelpCrunch documents 100 as the most.
        """
        check_count("offset", offset, least=0)
        check_count("limit", limit, least=1)
        if limit > PAGE_LIMIT:
            raise ValueError(f"limit is at most {PAGE_LIMIT}, not {limit}")
        return await self._fetch_page(offset, limit)

    async def to_list(self, limit: int | None = None) -> list[T]:
        """Fetch rows into a list: all of them, or the first `limit`."""
        if limit is not None:
            check_count("limit", limit, least=0)
        return [row async for row in self._walk(limit)]

    def __aiter__(self) -> AsyncIterator[T]:
        return self._walk(None)

    async def _walk(self, limit: int | None) -> AsyncGenerator[T, None]:
        """Walk the pages.

        It ends: every round either stops or gives at least one row that was not among the recent ones, and a
        finite table has an empty page behind its last row. A server that ignores the offset is left, too.
        """
        left = min((most for most in (self._limit, limit) if most is not None), default=None)
        offset = self._offset
        recent: OrderedDict[int, None] = OrderedDict()
        while left is None or left > 0:
            asked = PAGE_LIMIT if left is None else min(left, PAGE_LIMIT)
            page = await self._fetch_page(offset, asked)
            fresh = False
            for row in page.items:
                row_id = self._row_id(row)
                if row_id in recent:
                    continue
                fresh = True
                recent[row_id] = None
                if len(recent) > _REMEMBERED:
                    recent.popitem(last=False)
                yield row
                if left is not None:
                    left -= 1
                    if left == 0:
                        return
            received = len(page.items)
            offset += received
            # A short page ends the walk unless the total says that there is more; a total alone never
            # does, since it is known to be wrong at times.
            if not fresh or (received < asked and (page.total is None or page.total <= offset)):
                return
