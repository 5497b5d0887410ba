"""Where a walk goes next: against simulated tables that change between two requests, and totals that lie."""

import json
from collections.abc import Callable, Sequence
from math import ceil

import attrs
import pytest
from attrs import define, field
from hypothesis import given
from hypothesis import strategies as st

from helpcrunch_async.walk import PAGE_LIMIT, Bookmark, Walk

Change = Callable[[list[int]], None]
Total = Callable[[int, int], int | None]  # of the rows, and of the number of the request


def unchanged(_: list[int]) -> None:
    """Let the table be."""


@define
class Table:
    """Rows behind offset pages; before each request but the first, the next change happens."""

    rows: list[int]
    changes: Sequence[Change] = ()
    total: Total = lambda rows, _: rows
    most: int = PAGE_LIMIT
    asked: list[tuple[int, int]] = field(factory=list)

    def page(self, offset: int, limit: int) -> tuple[list[int], int | None]:
        self.asked.append((offset, limit))
        assert len(self.asked) < 5_000, "the walk does not end"
        if 0 <= len(self.asked) - 2 < len(self.changes):
            self.changes[len(self.asked) - 2](self.rows)
        return self.rows[offset : offset + min(limit, self.most)], self.total(len(self.rows), len(self.asked))

    def walk(self, walk: Walk, *, pages: int | None = None) -> list[int]:
        """Walk to the end, or over so many pages, and give the rows."""
        given_rows: list[int] = []
        until = None if pages is None else len(self.asked) + pages
        while not walk.is_over and len(self.asked) != until:
            offset, limit = walk.request()
            assert offset >= 0
            assert 1 <= limit <= PAGE_LIMIT
            rows, total = self.page(offset, limit)
            fresh = walk.take(offset, limit, received=len(rows), total=total, ids=rows)
            given_rows += [rows[index] for index in fresh or ()]
        return given_rows


def deleting(places: list[float]) -> Change:
    """Delete rows, each at a share of the table that is left."""

    def delete(rows: list[int]) -> None:
        for place in places:
            if rows:
                del rows[min(int(place * len(rows)), len(rows) - 1)]

    return delete


def inserting(place: float, first: int, count: int) -> Change:
    def insert(rows: list[int]) -> None:
        at = int(place * len(rows))
        rows[at:at] = range(first, first + count)

    return insert


PLACES = st.floats(0.0, 1.0) | st.sampled_from([0.0, 0.001, 0.999])
DELETIONS = st.lists(PLACES, max_size=12).flatmap(
    lambda places: st.sampled_from([1, 1, 5, 20]).map(lambda times: deleting(places * times))
)
SCRIPTS = st.lists(DELETIONS | st.just(unchanged), max_size=40)


@given(st.integers(0, 450), st.integers(20, 100), SCRIPTS)
def test_deletions_cost_no_row_that_is_left(rows: int, most: int, changes: list[Change]) -> None:
    """With true totals every row that stays comes, once, and in order, wherever others are deleted."""
    table = Table(list(range(rows)), changes, most=most)
    found = table.walk(Walk(0, None))
    assert set(table.rows) <= set(found)
    assert found == sorted(set(found))
    # a page more for each change, and for the rows that are read again because of it
    assert len(table.asked) <= 4 * (rows // most + len(changes)) + 12


@given(st.integers(1_000, 2_500), st.lists(st.lists(PLACES, max_size=25).map(deleting), max_size=60))
def test_deletions_in_a_long_table(rows: int, changes: list[Change]) -> None:
    """Where not every id can be remembered."""
    table = Table(list(range(rows)), changes)
    found = table.walk(Walk(0, None))
    assert set(table.rows) <= set(found)
    assert found == sorted(set(found))


TOTALS: dict[str, Total] = {
    "true": lambda rows, _: rows,
    "none": lambda *_: None,
    "zero": lambda *_: 0,
    "negative": lambda _, request: -request,
    "too small": lambda rows, _: rows // 2,
    "too large": lambda rows, _: rows + 1_000,
    "now and then": lambda rows, request: rows if request % 2 else None,
    "zero now and then": lambda rows, request: 0 if request % 3 == 0 else rows,
    "oscillating": lambda rows, request: rows + 500 * (request % 2),
    "wildly oscillating": lambda _, request: 10**9 // (1 + request % 7),
    "falling by one": lambda _, request: 10**9 - request,
    "falling": lambda _, request: 10**9 - 100 * request,
    "falling fast": lambda _, request: 10**12 - 10**6 * request,
    "falling now and then": lambda _, request: 10**9 - 100_000 * (request // 2) + 7 * (request % 2),
    "rising": lambda rows, request: rows + 100 * request,
}


@pytest.mark.parametrize("total", TOTALS.values(), ids=TOTALS)
@pytest.mark.parametrize("rows", [0, 1, 99, 100, 250, 1_300])
def test_no_total_ends_a_walk_or_keeps_it(total: Total, rows: int) -> None:
    """Whatever it says, every row comes once, in order, and the walk ends."""
    table = Table(list(range(rows)), total=total)
    assert list(range(rows)) == table.walk(Walk(0, None))
    assert len(table.asked) <= 20 * (rows // PAGE_LIMIT + 1) + 250


ANY_CHANGE = st.one_of(
    DELETIONS,
    st.just(unchanged),
    st.tuples(PLACES, st.integers(10**6, 10**9), st.integers(1, 250)).map(lambda drawn: inserting(*drawn)),
)


@given(
    st.integers(0, 400),
    st.integers(1, 100),
    st.lists(ANY_CHANGE, max_size=30),
    st.sampled_from(list(TOTALS.values()))
    | st.lists(st.none() | st.integers(-5, 600), min_size=1, max_size=9).map(
        lambda totals: lambda _, request: totals[request % len(totals)]
    ),
    st.none() | st.integers(0, 300),
    st.integers(0, 300),
)
def test_every_walk_ends(  # noqa: PLR0917 - each is one thing that a server may do
    rows: int,
    most: int,
    changes: list[Change],
    total: Total,
    limit: int | None,
    offset: int,
) -> None:
    """Rows that come and go, pages shorter than asked, totals of any kind: it ends, within its limit."""
    table = Table(list(range(rows)), changes, total, most)
    found = table.walk(Walk(offset, limit))
    assert limit is None or len(found) <= limit
    assert all(asked >= offset for asked, _ in table.asked)


@pytest.mark.parametrize("rows", [1, 99, 100, 101, 200, 460, 1_500])
@pytest.mark.parametrize("every", [1, 2, 3])
def test_rows_may_be_deleted_as_they_come(rows: int, every: int) -> None:
    """`async for each in listing: await delete(each)` meets each row, all of them or each second."""
    table = Table(list(range(rows)))
    walk = Walk(0, None)
    found: list[int] = []
    while not walk.is_over:
        came = table.walk(walk, pages=1)
        found += came
        for row in came:
            if row % every == 0:
                table.rows.remove(row)
    assert found == list(range(rows))
    assert table.rows == [row for row in range(rows) if row % every]
    assert len(table.asked) <= 3 * ceil(rows / PAGE_LIMIT) + 8


def test_a_short_page_goes_back_before_it_ends_the_walk() -> None:
    """What moved over the border to it is fetched first."""
    table = Table(list(range(130)), [deleting([0.0] * 20)])
    assert list(range(130)) == table.walk(Walk(0, None))


def test_an_empty_page_goes_back_before_it_ends_the_walk() -> None:
    """All that were left have moved in front of it."""
    table = Table(list(range(130)), [deleting([0.0] * 30)])
    assert list(range(130)) == table.walk(Walk(0, None))


def test_an_empty_page_behind_rows_that_are_all_known_ends_the_walk() -> None:
    """A total of zero beside it, which some servers send there, costs no further request."""
    table = Table(list(range(200)), total=lambda _, request: 200 if request < 3 else 0)
    assert list(range(200)) == table.walk(Walk(0, None))
    assert table.asked == [(0, 100), (100, 100), (200, 100)]


def test_a_step_back_is_bounded() -> None:
    """However far a total falls, no more than a thousand rows are read again."""
    table = Table(list(range(5_000)), total=lambda rows, request: 10**6 if request < 30 else rows)
    assert list(range(5_000)) == table.walk(Walk(0, None))
    offsets = [offset for offset, _ in table.asked]
    assert min(offsets[29:]) >= 2_900 - 1_000 - PAGE_LIMIT


def test_the_same_page_at_one_offset_is_no_repeat() -> None:
    """Only a server that ignores the offset gives equal pages at different ones."""
    walk = Walk(0, None)
    ids = list(range(100))
    totals = [1_000, 900, 800, 700, 600]
    assert walk.take(0, 100, received=100, total=totals[0], ids=ids) == ids
    for total in totals[1:]:
        walk.take(0, 100, received=100, total=total, ids=ids)
        assert not walk.is_over
    walk.take(100, 100, received=100, total=600, ids=ids)
    assert not walk.is_over
    walk.take(200, 100, received=100, total=600, ids=ids)
    assert walk.is_over


@given(
    st.integers(0, 600),
    st.integers(0, 5),
    st.lists(PLACES, max_size=300).map(deleting),
    SCRIPTS,
    st.none() | st.integers(0, 300),
)
def test_a_walk_that_is_resumed_misses_nothing(
    rows: int, pages: int, meanwhile: Change, changes: list[Change], limit: int | None
) -> None:
    """Rows deleted between two runs are noticed as in one; only those given since the bookmark come twice."""
    table = Table(list(range(rows)), changes)
    first = Walk(0, limit)
    before = table.walk(first, pages=pages)
    bookmark = Bookmark(**json.loads(json.dumps(attrs.asdict(first.bookmark))))
    assert bookmark == first.bookmark
    meanwhile(table.rows)
    found = before + table.walk(Walk(0, None, bookmark))
    assert set(table.rows) <= set(found)
    assert found == sorted(set(found))


@given(st.integers(0, 1_000), st.none() | st.integers(0, 1_000), st.integers(1, 20), st.integers(0, 300))
def test_requests_ahead_are_those_that_come(rows: int, limit: int | None, most: int, offset: int) -> None:
    """Where nothing moves, each page asked for in advance is due in its turn, and within the rows."""
    table = Table(list(range(rows)))
    walk = Walk(offset, limit)
    promised = [walk.request()]
    while not walk.is_over:
        request = walk.request()
        assert promised[0] == request
        ids, total = table.page(*request)
        walk.take(*request, received=len(ids), total=total, ids=ids)
        promised = list(walk.requests(most))
        assert len(promised) <= most
        assert all(at < rows for at, _ in promised[1:])


def test_no_request_ahead_where_rows_move_or_pages_are_short() -> None:
    """It would be in vain each time."""
    walk = Walk(0, None)
    walk.take(0, 100, received=50, total=1_000, ids=range(50))
    assert list(walk.requests(5)) == [(50, 100)]
    walk.take(50, 100, received=100, total=990, ids=range(50, 150))
    assert list(walk.requests(5)) == [(30, 100)]


def test_a_server_that_shuffles_the_same_rows_is_left() -> None:
    """Whatever the offset, it has nothing new; one that only moves known rows back is read on."""
    walk = Walk(0, None)
    requests = 0
    while not walk.is_over and requests < 500:
        requests += 1
        ids = [(each * 7 + requests) % 100 for each in range(100)]
        walk.take(*walk.request(), received=100, total=None, ids=ids)
    assert 50 < requests < 200
    many = Table(list(range(2_000)), [unchanged, unchanged, inserting(0.0, 10**6, 1_300)])
    found = many.walk(Walk(0, None))
    assert set(range(2_000)) <= set(found)
    assert len(found) == len(set(found))


@pytest.mark.parametrize("each_time", range(5, 100, 5))
@pytest.mark.parametrize("place", [0.0, 0.3, 0.999])
def test_rows_may_be_deleted_all_the_time(each_time: int, place: float) -> None:
    """The walk keeps up with as many as a page has, wherever they are."""
    table = Table(list(range(2_000)), [deleting([place] * each_time)] * 30)
    found = table.walk(Walk(0, None))
    assert set(table.rows) <= set(found)
    assert found == sorted(set(found))


def test_rows_that_follow_the_offset_are_no_repeats() -> None:
    """They move as fast as the walk goes back: three equal pages, of a server that heeds the offset."""
    falls = [deleting([0.0] * count) for count in (25, 50, 75)]
    table = Table(list(range(1_000)), [unchanged] * 5 + falls)
    assert list(range(1_000)) == table.walk(Walk(0, None))


def test_a_server_that_ignores_the_offset_is_left_whatever_its_totals() -> None:
    """Totals that fall explain the same page for some time, not for ever."""
    walk = Walk(0, None)
    requests = 0
    while not walk.is_over and requests < 1_000:
        requests += 1
        walk.take(*walk.request(), received=100, total=10**9 - 10 * requests, ids=range(100))
    assert requests < 400


def test_a_bookmark_is_behind_the_last_row_that_was_given() -> None:
    """Rows that came with it, beyond the limit of that walk, are given when it is resumed."""
    table = Table(list(range(150)), [deleting([0.0])])
    first = Walk(0, 101)
    before = table.walk(first)
    assert before == list(range(101))
    assert before + table.walk(Walk(0, None, first.bookmark)) == list(range(150))
