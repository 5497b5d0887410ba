"""What was sent and what of it was accepted: turns by time, in cells of a few milliseconds.

One record serves the hard window (how many turns does a period hold?) and the estimator (how many of them did
the server accept?). Turns that are closer than the grid share a cell, so that the record of a period stays
small whatever the limit is.
"""

from collections import deque
from collections.abc import Iterator
from math import inf
from typing import Final

from attrs import define, field

TICKS: Final = 10_000
"""A second. Turns are recorded to a tenth of a millisecond: loops and networks are coarser, and a time is a
small integer in the value. No table objects."""
DEPTH: Final = 0.125
"""Turns: how finely it is recorded how far ahead of the even pace a turn was; short in the value."""
AHEAD: Final = 0.5
"""Turns ahead of the even pace from which on a turn counts as part of a burst: a timer that fires 5 ms early
is a fraction of a turn ahead, the first call of a burst nearly a whole one. No table objects between .1 and
1."""


@define(eq=False)
class Grant:
    """One turn that was taken, and what its answer must tell again."""

    number: int  # of all turns, counted from 1
    at: float  # when it was taken; seconds, to a tenth of a millisecond
    depth: float  # how many turns ahead of the even pace
    cell: int  # the cell that counts it
    epoch: int  # how often the gate had been opened by then

    @property
    def is_ahead(self) -> bool:
        """Whether it was part of a burst."""
        return self.depth >= AHEAD


@define(eq=False)
class Cell:
    """Some turns that were taken within one interval of the grid."""

    number: int  # of the interval
    at: float  # when the last of them was taken; seconds
    turns: int
    accepted: int  # how many of them are known to have been accepted
    deepest: float  # the most turns ahead of the even pace that one of them was


@define(eq=False)
class Cells:
    """The turns of the last period or so, oldest first."""

    grid: float  # seconds
    window_start: float = -inf  # turns up to here no longer count in the hard window
    _cells: deque[Cell] = field(factory=deque)
    _in_window: int = field(init=False)  # turns that count
    _first: int = field(init=False, default=0)  # the index of the first cell that counts

    def __attrs_post_init__(self) -> None:
        self._in_window = sum(cell.turns for cell in self._cells)
        self.turns_since(self.window_start)

    def __iter__(self) -> Iterator[Cell]:
        return iter(self._cells)

    def __reversed__(self) -> Iterator[Cell]:
        return reversed(self._cells)

    def note(self, at: float, depth: float) -> int:
        """Record a turn, which is the latest one; return the number of its cell."""
        number = int(at / self.grid)
        self._in_window += 1
        cells = self._cells
        if cells and (last := cells[-1]).number == number:
            last.at = at
            last.turns += 1
            last.deepest = max(last.deepest, depth)
        else:
            cells.append(Cell(number, at, 1, 0, depth))
        return number

    def accept(self, number: int) -> None:
        """Record that a turn of a cell was accepted; a cell that was forgotten is passed over."""
        for cell in reversed(self._cells):
            if cell.number <= number:
                if cell.number == number:
                    cell.accepted += 1
                return

    def forget(self, until: float) -> None:
        """Drop the cells that ended before."""
        cells = self._cells
        while cells and cells[0].at < until:
            self._drop_first()

    def keep(self, most: int) -> None:
        """Drop the oldest cells beyond a number."""
        while len(self._cells) > most:
            self._drop_first()

    def _drop_first(self) -> None:
        cell = self._cells.popleft()
        if self._first:
            self._first -= 1
        else:
            self._in_window -= cell.turns

    def turns_since(self, start: float) -> int:
        """Return how many turns were taken after `start`; what was left out once does not count again."""
        cells, first = self._cells, self._first
        self.window_start = max(self.window_start, start)
        while first < len(cells) and cells[first].at <= start:
            self._in_window -= cells[first].turns
            first += 1
        self._first = first
        return self._in_window

    def frees_slot(self, most: int) -> float:
        """Return the time of the turn that must leave the window for it to hold fewer than `most`."""
        left, at = self._in_window, -inf
        for index in range(self._first, len(self._cells)):
            if left < most:
                break
            left -= self._cells[index].turns
            at = self._cells[index].at
        return at

    def accepted(self, after: float, until: float) -> int:
        """Return how many turns taken in (after, until] were accepted."""
        return sum(cell.accepted for cell in self._cells if after < cell.at <= until)

    def oldest_accepted(self, after: float) -> float | None:
        """Return when the first turn after a moment that was accepted was taken."""
        return next((cell.at for cell in self._cells if cell.accepted and cell.at > after), None)

    def deepest(self, since: float) -> float:
        """Return the most turns ahead of the even pace that one taken since a moment was."""
        return max((cell.deepest for cell in self._cells if cell.at >= since), default=0.0)
