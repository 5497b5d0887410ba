"""Listings: lazy, terminating, and true to the rows whatever the totals say."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing

import pytest
from attrs import define, field
from hypothesis import given
from hypothesis import strategies as st

from helpcrunch_async import Listing, Page

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
    """A customer that is deleted meanwhile costs one that moved forward, and nothing else."""
    table = table_of(250)
    seen = []
    async for row in table.listing():
        seen.append(row)
        if len(seen) == 100:
            del table.rows[:2]
    assert [row for row in range(250) if row not in {100, 101}] == seen


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


async def _as_coroutine(work: Awaitable[list[int]]) -> list[int]:
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
