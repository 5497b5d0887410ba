"""The record of turns: cells on a grid, the hard window, and what the estimator counts."""

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpcrunch_async.rate_limit.cells import Cells


def record(*turns: float, grid: float = 0.25, accepted: bool = True) -> Cells:
    """A record of turns, each as deep as its number."""
    cells = Cells(grid)
    for depth, at in enumerate(turns):
        number = cells.note(at, float(depth))
        if accepted:
            cells.accept(number)
    return cells


def test_turns_of_one_interval_share_a_cell() -> None:
    """It is as late as the last of them, and as deep as the deepest."""
    cells = Cells(0.25)
    numbers = [cells.note(at, depth) for at, depth in ((1.0, 1.0), (1.2, 3.0), (1.24, 2.0), (1.25, 0.0))]
    assert numbers == [4, 4, 4, 5]
    cells.accept(4)
    cells.accept(4)
    assert [(cell.number, cell.at, cell.turns, cell.accepted, cell.deepest) for cell in cells] == [
        (4, 1.24, 3, 2, 3.0),
        (5, 1.25, 1, 0, 0.0),
    ]
    assert [cell.number for cell in reversed(cells)] == [5, 4]


def test_an_answer_finds_its_cell() -> None:
    """Also behind later ones; one of a cell that was forgotten, or never was, is passed over."""
    cells = record(1.0, 2.0, 3.0, accepted=False)
    cells.accept(8)
    cells.accept(5)
    cells.accept(99)
    cells.accept(0)
    assert [cell.accepted for cell in cells] == [0, 1, 0]


def test_a_window_counts_the_turns_after_its_start() -> None:
    """What was left out once does not count again, though the window grows."""
    cells = record(1.0, 1.1, 2.0, 3.0)
    assert cells.turns_since(0.0) == 4
    assert cells.turns_since(1.0999) == 4, "the cell is as late as its last turn"
    assert cells.turns_since(1.1) == 2
    assert cells.turns_since(0.0) == 2
    assert cells.window_start == 1.1
    cells.note(4.0, 0.0)
    assert cells.turns_since(2.5) == 2
    assert cells.turns_since(9.0) == 0


def test_a_window_frees_a_slot_when_enough_turns_have_left_it() -> None:
    """The turn that must leave is told; none must where there is room."""
    cells = record(1.0, 1.1, 2.0, 3.0)
    assert [cells.frees_slot(most) for most in (5, 4, 3, 2, 1)] == [-inf, 1.1, 1.1, 2.0, 3.0]
    cells.turns_since(1.5)
    assert cells.frees_slot(2) == 2.0


def test_forgotten_turns_are_gone() -> None:
    """From the window, too, if they still counted there."""
    cells = record(1.0, 1.1, 2.0, 3.0)
    cells.forget(1.1)
    assert cells.turns_since(0.0) == 4
    cells.forget(2.0)
    assert cells.turns_since(0.0) == 2
    assert cells.turns_since(2.0) == 1
    cells.forget(2.5)
    assert cells.turns_since(0.0) == 1
    assert [cell.at for cell in cells] == [3.0]
    cells.note(4.0, 0.0)
    assert cells.turns_since(3.0) == 1


def test_keeps_a_number_of_cells() -> None:
    """The latest ones."""
    cells = record(1.0, 2.0, 3.0)
    cells.keep(3)
    assert len(list(cells)) == 3
    cells.keep(2)
    assert [cell.at for cell in cells] == [2.0, 3.0]
    assert cells.turns_since(0.0) == 2
    cells.keep(0)
    assert list(cells) == []


def test_counts_what_was_accepted() -> None:
    """Of an interval without its beginning and with its end."""
    cells = record(1.0, 2.0, 3.0)
    cells.note(2.5, 0.0)
    assert cells.accepted(1.0, 3.0) == 2
    assert cells.accepted(0.9, 2.9) == 2
    assert cells.oldest_accepted(1.0) == 2.0
    assert cells.oldest_accepted(0.0) == 1.0
    assert cells.oldest_accepted(3.0) is None


def test_tells_the_deepest_turn_since() -> None:
    """That moment included; none is 0."""
    cells = Cells(0.25)
    for at, depth in ((1.0, 9.0), (2.0, 1.0), (3.0, 4.0)):
        cells.note(at, depth)
    assert cells.deepest(1.0) == 9.0
    assert cells.deepest(2.0) == 4.0
    assert cells.deepest(3.5) == 0.0


@given(
    st.lists(st.sampled_from([0.0, 0.01, 0.2, 1.0, 3.0]), max_size=60),
    st.floats(0.5, 5),
    st.integers(1, 6),
)
def test_counts_no_fewer_turns_than_a_log_of_all(gaps: list[float], window: float, most: int) -> None:
    """Whatever the grid: a cell never lets a turn leave the window early, and by one cell late at most."""
    cells, log, now, grid = Cells(0.25), list[float](), 100.0, 0.25
    for gap in gaps:
        now += gap
        cells.note(now, 0.0)
        log.append(now)
        inside = [at for at in log if at > now - window]
        late = [at for at in log if at > now - window - grid]
        used = cells.turns_since(now - window)
        assert len(inside) <= used <= len(late)
        if used >= most:
            free_at = cells.frees_slot(most) + window
            assert sum(1 for at in log if at > free_at - window + 1e-9) < most


@pytest.mark.parametrize("grid", [0.24, 1e-3])
def test_a_record_read_again_counts_as_before(grid: float) -> None:
    """The number of each cell follows from its time."""
    cells = record(*(each * 0.31 for each in range(40)), grid=grid)
    cells.turns_since(4.0)
    again = Cells(grid, cells.window_start, cells._cells.copy())
    assert again.turns_since(0.0) == cells.turns_since(0.0)
    assert all(cell.number == int(cell.at / grid) for cell in again)
