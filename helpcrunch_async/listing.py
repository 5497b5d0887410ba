"""Listings: lazy walks over offset pages, by a function that fetches one page. Knows no endpoint."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from contextlib import aclosing
from typing import Any, Final, Generic, Literal, Self, TypeAlias, TypeVar

import attrs

from helpcrunch_async.checks import check_count
from helpcrunch_async.errors import DecodeError
from helpcrunch_async.models import Page
from helpcrunch_async.walk import PAGE_LIMIT, Bookmark, Walk

T = TypeVar("T")

FetchPage: TypeAlias = Callable[[int, int], Coroutine[Any, Any, Page[T]]]
"""Fetches one page, given its offset and the most rows it may have. A `DecodeError` with a `page` is a page
of which some rows cannot be read."""

OnUnreadable: TypeAlias = Literal["raise", "skip"] | Callable[[str, str], object]
"""What becomes of rows that cannot be read: "raise" raises a `DecodeError` once the readable rows of their
page were given; "skip" passes over them, with a warning in the log for each; a function passes over them,
too, and is called with the place, such as `"offset 200: $.data[3].id"`, and what is wrong there."""

_Fetched: TypeAlias = tuple[Page[T], DecodeError | None]

_UNREADABLE_PAGES: Final = 3  # in a row; then it is not a row that is wrong

log: Final = logging.getLogger("helpcrunch_async")


class Listing(Generic[T]):
    """Rows of the account, fetched page by page while they are iterated; nothing is sent before.

    Offset pages shift when rows come and go meanwhile. A row that moves back is met again, which is noticed
    and skipped. Rows that move forward because others were deleted are noticed by a total that falls, and the
    walk goes back for them, up to 1,000 rows; so deleting the rows that a listing gives is safe. A row is
    missed where the total does not tell: when as many rows came as went, or when the order changed. Sorting
    by something that does not change, such as the first visit in ascending order, is the steadiest.
    """

    def __init__(
        self,
        fetch_page: FetchPage[T],
        row_id: Callable[[T], int],
        *,
        offset: int = 0,
        limit: int | None = None,
        on_unreadable: OnUnreadable = "raise",
    ) -> None:
        self._fetch_page = fetch_page
        self._row_id = row_id
        self._offset = check_count("offset", offset, least=0)
        self._limit = None if limit is None else check_count("limit", limit, least=0)
        if on_unreadable not in ("raise", "skip") and not callable(on_unreadable):
            raise TypeError("on_unreadable is raise, skip or a function of the place and the problem")
        self._on_unreadable: OnUnreadable = on_unreadable
        self._ahead = 0
        self._bookmark: Bookmark | None = None

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
            DecodeError: some rows cannot be read, whatever `on_unreadable` is; the others are on its `page`.
        """
        offset, limit = check_count("offset", offset, least=0), check_count("limit", limit)
        if limit > PAGE_LIMIT:
            raise ValueError(f"limit is at most {PAGE_LIMIT}, not {limit}")
        return await self._fetch_page(offset, limit)

    async def to_list(self, limit: int | None = None) -> list[T]:
        """Fetch rows into a list: all of them, or the first `limit`."""
        if limit is not None:
            limit = check_count("limit", limit, least=0)
        rows: list[T] = []
        async with aclosing(self._pages(limit)) as pages:
            try:
                async for page in pages:
                    rows += page.items
                    del page
            except BaseException:
                rows.clear()  # captured locals: see redaction
                raise
        return rows

    def pages(self) -> "Pages[T]":
        """Iterate over pages instead of rows, for a database that commits once a page, say.

        A page holds the rows that were not met before, and there is none without rows.
        """
        return self._pages(None)

    def prefetch(self, pages: int = 1) -> Self:
        """Return the same listing with pages ahead: fetched while the rows before them are consumed.

        The order of the rows stays. More than one page is under way only as far as the total says that there
        are rows; pages ahead are given up when it falls, or a page has fewer rows than were asked for, and
        when the loop is left.

        Args:
            pages: under way at once, at most.

        Raises:
            TypeError: not a whole number.
            ValueError: less than 1.
        """
        return self._with(_ahead=check_count("pages", pages))

    def resume(self, bookmark: Bookmark) -> Self:
        """Return the same listing, from where an earlier walk was: its `Pages.bookmark`.

        `limit` counts the rows from there on. Rows that were deleted since then are noticed as in one walk.
        """
        if not isinstance(bookmark, Bookmark):
            raise TypeError(f"bookmark is a Bookmark, not {type(bookmark).__name__}")
        return self._with(_bookmark=bookmark)

    def __aiter__(self) -> AsyncGenerator[T, None]:  # noqa: PYI058 - for contextlib.aclosing
        return self._rows(None)

    def _with(self, **changed: Any) -> Self:
        twin = type(self)(
            self._fetch_page,
            self._row_id,
            offset=self._offset,
            limit=self._limit,
            on_unreadable=self._on_unreadable,
        )
        vars(twin).update(_ahead=self._ahead, _bookmark=self._bookmark)
        vars(twin).update(changed)
        return twin

    def _pages(self, limit: int | None) -> "Pages[T]":
        least = min((most for most in (self._limit, limit) if most is not None), default=None)
        walk = Walk(self._offset, least, self._bookmark)
        return Pages(walk, self._fetch_page, self._row_id, self._ahead, self._on_unreadable)

    async def _rows(self, limit: int | None) -> AsyncGenerator[T, None]:
        async with aclosing(self._pages(limit)) as pages:
            async for page in pages:
                rows = deque(page.items)  # none is left in a local when the next page fails: see redaction
                del page
                while rows:
                    yield rows.popleft()


class Pages(AsyncIterator[Page[T]]):
    """The pages of one walk over a listing; made by `Listing.pages`."""

    def __init__(
        self,
        walk: Walk,
        fetch_page: FetchPage[T],
        row_id: Callable[[T], int],
        ahead: int,
        on_unreadable: OnUnreadable,
    ) -> None:
        self._walk = walk
        self._fetch_page = fetch_page
        self._row_id = row_id
        self._most_ahead = ahead
        self._on_unreadable = on_unreadable
        self._ahead: deque[tuple[tuple[int, int], asyncio.Task[_Fetched[T]]]] = deque()
        self._unreadable_pages = 0
        self._generator = self._generate()

    @property
    def bookmark(self) -> Bookmark:
        """Where `Listing.resume` goes on behind the page that was given last."""
        return self._walk.bookmark

    async def __anext__(self) -> Page[T]:
        return await anext(self._generator)

    async def aclose(self) -> None:
        """Give up what is under way; `contextlib.aclosing` calls it."""
        await self._generator.aclose()

    async def _generate(self) -> AsyncGenerator[Page[T], None]:
        # rows are in no local while something is awaited or raised: tracebacks may show locals
        try:
            while not self._walk.is_over:
                page, error = await self._next()
                gives_up = self._on_unreadable == "raise" or self._unreadable_pages >= _UNREADABLE_PAGES
                if error is None or not gives_up:
                    await self._fetch_ahead()
                if page.items:
                    yield page
                del page
                if error is None:
                    continue
                if gives_up:
                    raise error
                self._report(error)
        finally:
            await self._give_up_what_is_ahead()

    async def _next(self) -> _Fetched[T]:
        """Fetch the page that the walk wants, which may be under way, and leave what is new in it."""
        request = self._walk.request()
        fetched = await (self._ahead.popleft()[1] if self._ahead else self._fetch(*request))
        page, error = fetched
        fresh = self._walk.take(
            *request,
            received=page.received,
            total=page.total,
            ids=[self._row_id(row) for row in page.items],
        )
        if fresh is None:  # it is read again, and then reported
            return attrs.evolve(page, items=()), None
        self._unreadable_pages = 0 if page.items or not page.received else self._unreadable_pages + 1
        return attrs.evolve(page, items=tuple(page.items[index] for index in fresh)), error

    async def _fetch(self, offset: int, limit: int) -> _Fetched[T]:
        try:
            return await self._fetch_page(offset, limit), None
        except DecodeError as error:
            if error.page is None:
                raise
            return error.page, error

    async def _fetch_ahead(self) -> None:
        """Have the next pages fetched, and no others."""
        if not self._most_ahead:
            return
        wanted = [] if self._walk.is_over else list(self._walk.requests(self._most_ahead))
        under_way = [request for request, _ in self._ahead]
        if under_way != wanted[: len(under_way)]:
            await self._give_up_what_is_ahead()
            under_way = []
        for request in wanted[len(under_way) :]:
            self._ahead.append((request, asyncio.create_task(self._fetch(*request))))

    async def _give_up_what_is_ahead(self) -> None:
        tasks = [task for _, task in self._ahead]
        self._ahead.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)  # so that their errors are nobody's

    def _report(self, error: DecodeError) -> None:
        """Say which rows are passed over."""
        for problem in error.problems:
            path, _, what = problem.partition(": ")
            place = f"offset {error.page.offset}: {path}"
            if callable(self._on_unreadable):
                self._on_unreadable(place, what)
            else:
                log.warning("a row cannot be read and is skipped: %s: %s", place, what)
