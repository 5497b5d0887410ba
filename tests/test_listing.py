"""Listings: lazy, terminating, and true to the rows whatever the totals say."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import aclosing
from typing import Any, TypeVar

import pytest
from attrs import define, field
from hypothesis import given
from hypothesis import strategies as st

from helpcrunch_async import DecodeError, Listing, OnUnreadable, Page

T = TypeVar("T")
TotalOf = Callable[[int], int | None]


def true_total(rows: int) -> int | None:
    return rows


@define
class Table:
    """Rows behind offset pages; remembers what was asked. `most` is the largest page it gives."""

    rows: list[int]
    total: TotalOf = true_total
    most: int = 100
    asked: list[tuple[int, int]] = field(factory=list)

    async def fetch(self, offset: int, limit: int) -> Page[int]:
        assert len(self.asked) < 1000, "the walk does not end"
        self.asked.append((offset, limit))
        return Page(
            tuple(self.rows[offset : offset + min(limit, self.most)]), self.total(len(self.rows)), offset
        )

    def listing(self, *, offset: int = 0, limit: int | None = None) -> Listing[int]:
        return Listing(self.fetch, lambda row: row, offset=offset, limit=limit)


def table_of(rows: int, *, most: int = 100) -> Table:
    return Table(list(range(rows)), most=most)


async def test_nothing_is_sent_before_it_is_used() -> None:
    """Making a listing, showing it and asking for its iterator costs nothing."""
    table = table_of(5)
    listing = table.listing()
    repr(listing)
    aiter(listing)
    assert table.asked == []
    assert await anext(aiter(listing)) == 0
    assert len(table.asked) == 1


async def test_pages_are_fetched_as_rows_are_taken() -> None:
    """The second page is asked for when the first is used up, not before."""
    table = table_of(250)
    seen = 0
    async for _ in table.listing():
        seen += 1
        assert len(table.asked) == (seen - 1) // 100 + 1
    assert seen == 250
    assert table.asked == [(0, 100), (100, 100), (200, 100)]


@pytest.mark.parametrize("rows", [0, 1, 99, 100, 101, 200, 250])
@pytest.mark.parametrize(
    "total",
    [
        pytest.param(true_total, id="right total"),
        pytest.param(lambda _: None, id="no total"),
        pytest.param(lambda _: 0, id="zero total"),
        pytest.param(lambda _: 1, id="total too small"),
        pytest.param(lambda rows: rows + 1000, id="total too large"),
        pytest.param(lambda _: -1, id="negative total"),
    ],
)
async def test_every_row_comes_whatever_the_total_says(rows: int, total: TotalOf) -> None:
    """A total is a hint: it may be missing or wrong, and neither loses rows nor goes on for ever."""
    table = Table(list(range(rows)), total)
    assert list(range(rows)) == [row async for row in table.listing()]
    assert len(table.asked) <= rows // 100 + 2


@pytest.mark.parametrize(("rows", "requests"), [(0, 1), (1, 1), (99, 1), (100, 2), (150, 2), (200, 3)])
async def test_a_short_page_is_the_last(rows: int, requests: int) -> None:
    """No request is spent on an empty page when a short one said it all."""
    table = table_of(rows)
    await table.listing().to_list()
    assert requests == len(table.asked)


async def test_short_pages_go_on_while_the_total_says_so() -> None:
    """A server that gives fewer rows than asked is not taken for done before its total."""
    table = table_of(130, most=50)
    assert list(range(130)) == await table.listing().to_list()
    assert table.asked == [(0, 100), (50, 100), (100, 100)]


async def test_short_pages_without_a_total_end_the_walk() -> None:
    """With no total there is nothing but the page's size to go by."""
    table = Table(list(range(130)), lambda _: None, most=50)
    assert list(range(50)) == await table.listing().to_list()


@pytest.mark.parametrize(
    ("offset", "limit", "most", "expected"),
    [
        (0, None, None, range(250)),
        (30, None, None, range(30, 250)),
        (0, 20, None, range(20)),
        (30, 120, None, range(30, 150)),
        (0, 120, 50, range(50)),
        (0, 50, 120, range(50)),
        (240, 100, None, range(240, 250)),
        (250, None, None, range(0)),
        (1000, None, None, range(0)),
        (0, None, 100, range(100)),
        (0, 200, None, range(200)),
        (0, None, 1000, range(250)),
    ],
)
async def test_offset_and_limit(offset: int, limit: int | None, most: int | None, expected: range) -> None:
    """The listing's own and `to_list`'s limit, whichever is less; no more rows are asked for than wanted."""
    table = table_of(250)
    assert list(expected) == await table.listing(offset=offset, limit=limit).to_list(most)
    bounds = [each for each in (limit, most) if each is not None]
    if bounds:
        assert sum(asked for _, asked in table.asked) <= min(bounds)


async def test_no_rows_cost_no_request() -> None:
    """Zero rows are had for nothing."""
    table = table_of(5)
    assert await table.listing().to_list(0) == []
    assert await table.listing(limit=0).to_list() == []
    assert table.asked == []


async def test_a_limit_that_is_reached_asks_no_further() -> None:
    """A hundred rows of a limit of a hundred: one request."""
    table = table_of(500)
    assert len(await table.listing().to_list(100)) == 100
    assert len(table.asked) == 1


async def test_rows_that_moved_back_are_met_once() -> None:
    """New rows at the front push others over the page border; they are not given twice."""
    table = table_of(250)
    seen = []
    async for row in table.listing():
        seen.append(row)
        if len(seen) == 100:
            table.rows[:0] = [1001, 1002, 1003]
    assert list(range(250)) == seen


async def test_skipped_duplicates_do_not_count_against_the_limit() -> None:
    """Who asks for 150 rows gets 150 different ones."""
    table = table_of(250)
    seen = []
    async for row in table.listing(limit=150):
        seen.append(row)
        if len(seen) == 100:
            table.rows[:0] = [1001, 1002, 1003]
    assert list(range(150)) == seen


async def test_rows_that_vanish_do_not_stop_the_walk() -> None:
    """Customers that are deleted meanwhile cost a request more, and no customer."""
    table = table_of(250)
    seen = []
    async for row in table.listing():
        seen.append(row)
        if len(seen) == 100:
            del table.rows[:2]
    assert list(range(250)) == seen
    assert [offset for offset, _ in table.asked] == [0, 100, 96, 195]


async def test_a_server_that_ignores_the_offset_does_not_keep_us_for_ever() -> None:
    """The same page over and over brings nothing new, and ends: twice can be chance, three times is not."""
    asked: list[int] = []

    async def fetch(offset: int, limit: int) -> Page[int]:
        asked.append(offset)
        assert len(asked) < 50, "the walk does not end"
        return Page(tuple(range(limit)), None, offset)

    assert list(range(100)) == await Listing(fetch, lambda row: row).to_list()
    assert asked == [0, 100, 200]


async def test_memory_of_met_rows_is_bounded() -> None:
    """Only the rows of the last pages are remembered: a row far back is not mistaken for a duplicate."""
    table = Table([*range(2000), 0])
    assert [*range(2000), 0] == await table.listing().to_list()


async def test_iterating_twice_starts_anew() -> None:
    """A listing is a recipe, not a cursor."""
    table = table_of(3)
    listing = table.listing()
    assert [row async for row in listing] == [row async for row in listing] == [0, 1, 2]
    assert len(table.asked) == 2


async def test_two_iterations_at_once_do_not_disturb_each_other() -> None:
    """Each has its own offset and its own memory."""
    listing = table_of(250).listing()
    first, second = await asyncio.gather(listing.to_list(), listing.to_list())
    assert first == second == list(range(250))


async def test_one_page() -> None:
    """Exactly what was asked for, with the server's total."""
    table = table_of(250)
    assert await table.listing().page(offset=240, limit=20) == Page(tuple(range(240, 250)), 250, 240)
    assert len((await table.listing().page()).items) == 100
    assert table.asked == [(240, 20), (0, 100)]


@pytest.mark.parametrize(
    ("limit", "kind"), [(-1, ValueError), (1.5, TypeError), (True, TypeError), ("5", TypeError)]
)
async def test_to_list_takes_a_count(limit: int, kind: type[Exception]) -> None:
    """Nonsense is refused before anything is sent."""
    table = table_of(5)
    with pytest.raises(kind, match="limit"):
        await table.listing().to_list(limit)
    assert table.asked == []


async def test_an_error_ends_the_walk_and_passes() -> None:
    """Rows before it were given."""

    async def fetch(offset: int, limit: int) -> Page[int]:
        if offset:
            raise LookupError
        return Page(tuple(range(limit)), None, 0)

    rows = aiter(Listing(fetch, lambda row: row))
    assert [await anext(rows) for _ in range(100)] == list(range(100))
    with pytest.raises(LookupError):
        await anext(rows)


@given(
    st.integers(0, 350),
    st.integers(1, 100),
    st.none() | st.integers(-5, 500),
    st.none() | st.integers(0, 400),
    st.integers(0, 400),
)
def test_a_walk_over_a_finite_table_ends(
    rows: int, most: int, total: int | None, limit: int | None, offset: int
) -> None:
    """Whatever page sizes and totals a server makes up: rows come in order, once, and it ends."""
    table = Table(list(range(rows)), lambda _: total, most=most)
    walked = asyncio.run(_as_coroutine(table.listing(offset=offset, limit=limit).to_list()))
    assert walked == list(range(offset, offset + len(walked)))
    assert limit is None or len(walked) <= limit


async def _as_coroutine(work: Awaitable[T]) -> T:
    return await work


async def test_a_page_ahead_is_fetched_while_rows_are_consumed() -> None:
    """Only when asked for, one page and no more, and none behind the last."""
    table = table_of(250)
    asked_at: list[int] = []
    async for row in table.listing().prefetch():
        await asyncio.sleep(0)
        asked_at.append(len(table.asked))
        assert row == len(asked_at) - 1
    assert [asked_at[0], asked_at[100], asked_at[200]] == [2, 3, 3]
    assert table.asked == [(0, 100), (100, 100), (200, 100)]


@pytest.mark.parametrize("rows", [0, 1, 100, 101, 250])
@pytest.mark.parametrize("limit", [None, 0, 1, 100, 150, 400])
async def test_prefetching_changes_no_row(rows: int, limit: int | None) -> None:
    """The rows, and the pages asked for, are those of the plain walk."""
    plain, ahead = table_of(rows), table_of(rows)
    expected = await plain.listing(limit=limit).to_list()
    assert expected == await ahead.listing(limit=limit).prefetch().to_list()
    assert plain.asked == ahead.asked


async def test_leaving_the_loop_gives_up_the_page_ahead() -> None:
    """No task is left, whether the page ahead was under way or had failed."""
    started, ended = asyncio.Event(), asyncio.Event()

    async def fetch(offset: int, limit: int) -> Page[int]:
        if offset == 0:
            return Page(tuple(range(limit)), None, 0)
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        raise AssertionError

    async with aclosing(aiter(Listing(fetch, lambda row: row).prefetch())) as rows:
        assert await anext(rows) == 0
        await started.wait()
    assert ended.is_set()
    assert {asyncio.current_task()} == asyncio.all_tasks()


async def test_a_failed_page_ahead_is_told_when_its_rows_are_due() -> None:
    """The rows before it are not lost; and nobody who left before hears of it."""

    async def fetch(offset: int, limit: int) -> Page[int]:
        if offset:
            raise ValueError("no second page")
        return Page(tuple(range(limit)), None, 0)

    seen: list[int] = []

    async def walk() -> None:
        async for row in Listing(fetch, lambda row: row).prefetch():
            await asyncio.sleep(0)
            seen.append(row)

    with pytest.raises(ValueError, match="no second page"):
        await walk()
    assert list(range(100)) == seen
    async for _ in Listing(fetch, lambda row: row).prefetch():
        await asyncio.sleep(0)
        break


@pytest.mark.parametrize("arrivals", [1, 100, 250])
@pytest.mark.parametrize("limit", [None, 101])
async def test_rows_that_move_back_do_not_end_the_walk(arrivals: int, limit: int | None) -> None:
    """New rows at the front push whole pages of known ones under the walk: they are skipped, it goes on."""
    table = table_of(350)
    asked_before = table.fetch

    async def fetch(offset: int, limit: int) -> Page[int]:
        page = await asked_before(offset, limit)
        if len(table.asked) == 1:
            table.rows[:0] = range(1_000, 1_000 + arrivals)
        return page

    rows = await Listing(fetch, lambda row: row, limit=limit).to_list()
    if limit is None:
        assert set(range(350)) <= set(rows)
    else:
        assert limit == len(rows)
    assert len(rows) == len(set(rows))


# --- rows that are deleted as they come


@pytest.mark.parametrize("ahead", [None, 1, 5], ids=lambda pages: f"{pages} ahead")
async def test_rows_that_a_listing_gives_may_be_deleted(ahead: int | None) -> None:
    """`async for each in listing: delete(each)` leaves none."""
    table = table_of(460)
    listing = table.listing() if ahead is None else table.listing().prefetch(ahead)
    async for row in listing:
        await asyncio.sleep(0)
        table.rows.remove(row)
    assert table.rows == []


# --- rows that cannot be read


@define
class Torn(Table):
    """A table in which some rows cannot be read."""

    unreadable: set[int] = field(factory=set)

    async def fetch(self, offset: int, limit: int) -> Page[int]:
        page = await super().fetch(offset, limit)
        problems = tuple(
            f"$.data[{index}].id: expected a whole number above 0"
            for index, row in enumerate(page.items)
            if row in self.unreadable
        )
        if not problems:
            return page
        readable = tuple(row for row in page.items if row not in self.unreadable)
        error = DecodeError("not a page of int", problems)
        error.page = Page(readable, page.total, offset, page.received)
        raise error


def torn(rows: int, unreadable: Iterable[int], total: TotalOf = true_total) -> Torn:
    return Torn(list(range(rows)), total, unreadable=set(unreadable))


@pytest.mark.parametrize("ahead", [False, True], ids=["plain", "ahead"])
async def test_a_page_is_given_before_its_unreadable_rows_are_told(*, ahead: bool) -> None:
    """Its readable rows come first, then the error names the others; nothing is fetched behind it."""
    table = torn(250, {120, 130})
    listing = table.listing().prefetch() if ahead else table.listing()
    seen: list[int] = []

    with pytest.raises(DecodeError) as caught:
        await walking(listing, seen)
    assert seen == [*range(120), *range(121, 130), *range(131, 200)]
    assert caught.value.problems == (
        "$.data[20].id: expected a whole number above 0",
        "$.data[30].id: expected a whole number above 0",
    )
    assert len(table.asked) == 2
    with pytest.raises(DecodeError):
        await table.listing().to_list()
    assert {asyncio.current_task()} == asyncio.all_tasks()


@pytest.mark.parametrize("ahead", [0, 1, 4])
async def test_unreadable_rows_are_passed_over(caplog: pytest.LogCaptureFixture, ahead: int) -> None:
    """Offsets and endings go by the rows received; each that is skipped is in the log, by its place."""
    table = torn(250, {0, 120, 249}, lambda _: None if ahead == 0 else 250)
    listing = Listing(table.fetch, lambda row: row, on_unreadable="skip")
    listing = listing.prefetch(ahead) if ahead else listing
    assert [row for row in range(250) if row not in table.unreadable] == await listing.to_list()
    assert table.asked == [(0, 100), (100, 100), (200, 100)]
    assert caplog.messages == [
        f"a row cannot be read and is skipped: offset {offset}: $.data[{index}].id: "
        "expected a whole number above 0"
        for offset, index in [(0, 0), (100, 20), (200, 49)]
    ]


async def test_a_function_hears_of_unreadable_rows(caplog: pytest.LogCaptureFixture) -> None:
    """With place and problem, in place of the log; what it raises ends the walk."""
    heard: list[tuple[str, str]] = []

    def hear(place: str, problem: str) -> None:
        heard.append((place, problem))
        if len(heard) > 1:
            raise LookupError

    listing = Listing(torn(250, {7, 120}).fetch, lambda row: row, on_unreadable=hear)
    assert len([row async for row in Listing(torn(150, {120}).fetch, int, on_unreadable=hear)]) == 149
    with pytest.raises(LookupError):
        await listing.to_list()
    assert heard == [
        ("offset 100: $.data[20].id", "expected a whole number above 0"),
        ("offset 0: $.data[7].id", "expected a whole number above 0"),
    ]
    assert caplog.messages == []


async def test_pages_of_unreadable_rows_end_a_walk_with_an_error() -> None:
    """One or two are passed over; three in a row are no accident."""
    two = torn(500, range(100, 300))
    assert len(await Listing(two.fetch, int, on_unreadable="skip").to_list()) == 300
    three = torn(500, range(100, 400))
    with pytest.raises(DecodeError):
        await Listing(three.fetch, int, on_unreadable="skip").to_list()
    assert len(three.asked) == 4


async def test_one_page_with_unreadable_rows() -> None:
    """It raises whatever `on_unreadable` is, and the others are on the error."""
    table = torn(250, {120})
    choices: list[OnUnreadable] = ["raise", "skip"]
    for on_unreadable in choices:
        with pytest.raises(DecodeError) as caught:
            await Listing(table.fetch, int, on_unreadable=on_unreadable).page(offset=100)
        assert caught.value.page == Page((*range(100, 120), *range(121, 200)), 250, 100, 100)


async def test_a_body_that_is_no_page_is_no_matter_of_rows() -> None:
    """It raises, also where rows are passed over."""

    async def fetch(_: int, __: int) -> Page[int]:
        raise DecodeError("not a page of rows", problems=("$.data: expected a list",))

    with pytest.raises(DecodeError, match="not a page of rows"):
        await Listing(fetch, int, on_unreadable="skip").to_list()


@pytest.mark.parametrize("wrong", ["ignore", None, 7])
def test_on_unreadable_is_checked(wrong: Any) -> None:
    """At once, not at the first bad row."""
    with pytest.raises(TypeError, match="on_unreadable"):
        Listing(table_of(1).fetch, int, on_unreadable=wrong)


async def test_rows_that_are_read_again_are_reported_once_if_they_were_not_given() -> None:
    """A page that came too early is read again, and only then its rows count."""
    table = torn(250, {110})
    heard: list[str] = []
    seen = []
    async for row in Listing(table.fetch, int, on_unreadable=lambda place, _: heard.append(place)):
        seen.append(row)
        if len(seen) == 100:
            del table.rows[:5]
    assert seen == [row for row in range(250) if row != 110]
    assert heard == ["offset 90: $.data[15].id"]


# --- pages, and several ahead


async def test_pages_are_what_iteration_goes_by() -> None:
    """A page for each that has rows, with its total; those met before are not among them."""
    table = table_of(250)
    async with aclosing(table.listing().pages()) as pages:
        assert table.asked == []
        assert await anext(pages) == Page(tuple(range(100)), 250, 0)
        table.rows[:0] = [1001, 1002]
        assert await anext(pages) == Page(tuple(range(100, 198)), 252, 100, 100)
        assert [len(page.items) async for page in pages] == [52]
    assert [page async for page in table_of(0).listing().pages()] == []
    assert [page.items async for page in table_of(250).listing(limit=101).pages()] == [
        tuple(range(100)),
        (100,),
    ]


async def test_pages_raise_behind_the_readable_rows() -> None:
    """As iteration does."""
    pages = torn(250, {120}).listing().pages()
    assert [len((await anext(pages)).items) for _ in range(2)] == [100, 99]
    with pytest.raises(DecodeError):
        await anext(pages)
    with pytest.raises(StopAsyncIteration):
        await anext(pages)


class Wire:
    """Answers pages of a table when it is told to, in any order."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.waiting: dict[int, asyncio.Future[None]] = {}
        self.cancelled: list[int] = []

    async def fetch(self, offset: int, limit: int) -> Page[int]:
        self.waiting[offset] = asyncio.get_running_loop().create_future()
        try:
            await self.waiting[offset]
        except asyncio.CancelledError:
            self.cancelled.append(offset)
            raise
        finally:
            del self.waiting[offset]
        return await self.table.fetch(offset, limit)

    async def answer(self, *offsets: int) -> None:
        for offset in offsets:
            self.waiting[offset].set_result(None)
            await settle()


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def walking(listing: Listing[int], seen: list[int]) -> None:
    async for row in listing:
        seen.append(row)  # noqa: PERF401 - each as it comes


async def test_several_pages_are_under_way_at_once() -> None:
    """As many as were asked for once the total is known; rows keep their order whichever answers first."""
    wire = Wire(table_of(850))
    seen: list[int] = []
    walk = asyncio.create_task(walking(Listing(wire.fetch, int).prefetch(pages=3), seen))
    await settle()
    assert list(wire.waiting) == [0]
    await wire.answer(0)
    assert list(wire.waiting) == [100, 200, 300]
    await wire.answer(300, 200)
    assert len(seen) == 100
    await wire.answer(100)
    assert seen == list(range(400))
    assert list(wire.waiting) == [400, 500, 600]
    await wire.answer(400, 500, 600)
    assert list(wire.waiting) == [700, 800]
    await wire.answer(700, 800)
    await walk
    assert seen == list(range(850))
    assert wire.cancelled == []


async def test_a_total_that_falls_discards_what_is_ahead() -> None:
    """The pages ahead lie at offsets that are no longer right."""
    wire = Wire(table_of(850))
    seen: list[int] = []
    walk = asyncio.create_task(walking(Listing(wire.fetch, int).prefetch(pages=3), seen))
    await settle()
    await wire.answer(0)
    del wire.table.rows[:10]
    await wire.answer(100)
    assert wire.cancelled == [200, 300]
    assert list(wire.waiting) == [80]
    while not walk.done():
        await wire.answer(*list(wire.waiting)[:1])
    assert seen == list(range(850))


async def test_a_short_page_gives_up_those_ahead() -> None:
    """It ends the walk, or the next page begins elsewhere."""
    wire = Wire(table_of(230))
    wire.table.total = lambda _: 900 if len(wire.table.asked) < 3 else None
    seen: list[int] = []
    walk = asyncio.create_task(walking(Listing(wire.fetch, int).prefetch(pages=5), seen))
    await settle()
    await wire.answer(0)
    assert list(wire.waiting) == [100, 200, 300, 400, 500]
    await wire.answer(100)
    assert list(wire.waiting) == [200, 300, 400, 500, 600]
    await wire.answer(200)
    await walk
    assert wire.cancelled == [300, 400, 500, 600]
    assert seen == list(range(230))


async def test_a_server_with_short_pages_is_asked_for_one_at_a_time() -> None:
    """Every page ahead would begin at the wrong row."""
    table = table_of(730, most=50)
    assert list(range(730)) == await table.listing().prefetch(pages=5).to_list()
    assert len(table.asked) <= 15 + 5


@pytest.mark.parametrize("rows", [0, 1, 100, 101, 950])
@pytest.mark.parametrize("limit", [None, 0, 1, 100, 350, 2_000])
@pytest.mark.parametrize("pages", [2, 7])
async def test_prefetching_several_pages_changes_no_row(rows: int, limit: int | None, pages: int) -> None:
    """Nor costs a request more than the plain walk where the totals are right."""
    plain, ahead = table_of(rows), table_of(rows)
    expected = await plain.listing(limit=limit).to_list()
    assert expected == await ahead.listing(limit=limit).prefetch(pages).to_list()
    assert plain.asked == ahead.asked


@given(
    st.integers(0, 600),
    st.lists(st.integers(0, 30), max_size=12),
    st.integers(1, 6),
    st.sampled_from(
        [true_total, lambda _: None, lambda _: 0, lambda rows: rows * 2, lambda rows: rows - 150]
    ),
)
def test_prefetching_a_table_that_shrinks_loses_no_row(
    rows: int, deletions: list[int], pages: int, total: TotalOf
) -> None:
    """With true totals; with others it still ends, and gives rows once and in order."""

    async def walk() -> tuple[list[int], Table]:
        table = Table(list(range(rows)), total)
        seen: list[int] = []
        async for page in table.listing().prefetch(pages).pages():
            await asyncio.sleep(0)
            seen += page.items
            if deletions:
                del table.rows[: deletions.pop()]
        return seen, table

    seen, table = asyncio.run(_as_coroutine(walk()))
    assert seen == sorted(set(seen))
    if total is true_total:
        assert set(table.rows) <= set(seen)


@pytest.mark.parametrize(("pages", "kind"), [(0, ValueError), (-1, ValueError), (True, TypeError)])
def test_prefetch_takes_a_count(pages: int, kind: type[Exception]) -> None:
    """Nonsense is refused before anything is sent."""
    with pytest.raises(kind, match="pages"):
        table_of(1).listing().prefetch(pages)


async def test_a_walk_is_resumed_at_its_bookmark() -> None:
    """The next run goes on there, skips what it meets again, and notices what was deleted meanwhile."""
    table = table_of(450)
    listing = Listing(table.fetch, int, on_unreadable="skip").prefetch()
    async with aclosing(listing.pages()) as pages:
        seen = [*(await anext(pages)).items, *(await anext(pages)).items]
        bookmark = pages.bookmark
    assert (bookmark.offset, bookmark.total, len(bookmark.recent_ids)) == (200, 450, 200)
    del table.rows[:30]
    table.asked.clear()
    seen += [row async for row in listing.resume(bookmark)]
    assert seen == list(range(450))
    assert table.asked[0] == (200, 100)
    with pytest.raises(TypeError, match="bookmark"):
        listing.resume(200)  # type: ignore[arg-type] # on purpose
