"""The pace of a client without a configured limit: even from its first call, and ever a little faster.

Which kind of window the server has, and how long, cannot be told from outside, and pacing does not need it:
every kind takes even spacing just below its sustained rate, and that rate is one number. A burst to begin
with would meet the limit sooner, but with many calls on the wire, and in a window that then stays full for
the rest of its period. So the rate is raised until a call is rejected, set to what was accepted around the
pause, and raised again: the more slowly, the better it is known, and after a rough count by a share of what
was given up, since the truth lies in between. The first climb adds a share of the rate each second, so that a
low limit is not overshot by more than a high one; a smaller share where round trips are long, since whatever
is on the wire at the first rejection may be rejected too.
"""

from enum import IntEnum
from math import inf
from typing import Final

from attrs import define, frozen

from helpcrunch_async.rate_limit.cells import Cells
from helpcrunch_async.rate_limit.gate import Backoff, Rejection
from helpcrunch_async.rate_limit.line import Lanes, Priority
from helpcrunch_async.rate_limit.pace import EARLY, INSTANT, RoundTrip

GRID: Final = 1e-3
"""Seconds of a cell: each turn has one of its own, since without a period every stretch of turns may be the
window."""
_FIRST_RATE: Final = 5.0
"""Calls per second, between the two that are documented and what most services take. `discovery` objects in
its columns from the first call."""
_LOWEST_RATE: Final = 1 / 600
"""Calls per second: one in ten minutes, after which everything is forgotten anyway."""
_REMEMBERED: Final = 1_000
"""Turns: what was accepted before them is not counted. A window of more is not found out; at 50 a second
these are 20 s. `discovery` objects below 500."""
_FORGOTTEN: Final = 600.0
"""Seconds without a turn, after which nothing is known any more: the server may be another."""
_ENOUGH: Final = 8
"""Accepted calls that make a count: of fewer, one more or less is too large a share. `discovery` objects."""
_BELOW: Final = 0.995
"""The share of a count that is used, to stay under it. `discovery` uses less at .985 and rejects more at
1."""
_STEP_BACK: Final = 0.85
"""The share of the rate that is kept where there is little to count, and when little is wrong. `discovery`
objects."""
_LARGE_STEP_BACK: Final = 0.5
"""The share of the rate that is kept at least when a count says much less. `discovery` objects."""
_UNNEEDED: Final = 0.7
"""The share of the time between the last rejection and the reopening that was not needed: a slot was free by
then. `discovery` objects."""
_ROUNDED_UP: Final = 1.0
"""Seconds by which a Retry-After exceeds the wait at most, as it is given in whole ones."""
_SHORTEST: Final = 1e-3
"""Seconds that are divided by at least."""
_ROUND_TRIPS: Final = 30
"""Round trips that a climb takes longer: what is on the wire when the limit is met is rejected. `discovery`
objects at 0.2 s."""
_PAUSES: Final = 4
"""Pauses that a climb takes at least: a window may be as long as its pause. `discovery` objects (35 per 4
s)."""
_BRIEF: Final = 1 / 3
"""The share of the work before it that a pause may take without blurring the count. `discovery` objects."""
_PAUSE_GROWTH: Final = 2.5
"""From half a second to twenty in four probes. `discovery` objects without Retry-After."""
_LONGEST_PAUSE: Final = 20.0
"""Seconds; a third of the longest usual window. `discovery` (120 per 60 s) objects."""


@frozen
class _Plan:
    """How to go on with a rate, by how well it is known."""

    first_pause: float  # seconds of the first pause without Retry-After, at least
    seconds: float  # seconds of work at full pace, and some round trips, after which the rate is at its goal,
    calls: int  # if by then so many calls were accepted for each one that was rejected


class Certainty(IntEnum):
    """How well the rate is known."""

    UNKNOWN = 0
    GUESSED = 1
    COUNTED = 2


_PLANS: Final = {
    Certainty.UNKNOWN: _Plan(first_pause=0.5, seconds=6.0, calls=30),
    Certainty.GUESSED: _Plan(first_pause=0.8, seconds=40.0, calls=30),
    Certainty.COUNTED: _Plan(first_pause=0.1, seconds=400.0, calls=1_000),
}
"""Chosen together by the tables of `discovery`: faster first climbs reject more in 30 s, slower ones use
less; faster climbs from a count reject more in 150 s."""


@define(eq=False)
class UnknownLimit:
    """Sends evenly, at a rate that is found by raising it and by counting what is accepted."""

    certainty: Certainty
    rate: float  # turns per second that are believed to be sustainable
    _base: float  # the rate from which the climb began
    _goal: float  # the rate at which the climb aims; it goes on beyond
    _climbed: float
    """How far the climb is; 1 is at the goal, after so many seconds of work and accepted calls:"""
    _seconds: float
    _calls: int
    _reopened_at: float  # when the gate was last opened; seconds
    _next_due: float  # when the next turn is due; seconds
    _cells: Cells
    _round_trip: RoundTrip

    @classmethod
    def begin(cls, cells: Cells, round_trip: RoundTrip) -> "UnknownLimit":
        """Make the pace of a client that knows nothing."""
        pace = cls(Certainty.UNKNOWN, 0.0, 0.0, 0.0, 0.0, 0.0, 0, 0.0, -inf, cells, round_trip)
        pace._start_over()
        return pace

    def _start_over(self) -> None:
        self.certainty = Certainty.UNKNOWN
        self._set_rate(_FIRST_RATE, goal=2 * _FIRST_RATE)
        self._reopened_at = -inf
        self._cells.keep(0)

    def _set_rate(self, rate: float, *, goal: float, rejected: int = 1, paused: float = 0.0) -> None:
        plan = _PLANS[self.certainty]
        self.rate = self._base = rate
        self._goal = goal
        self._climbed = 0.0
        self._seconds = max(plan.seconds, _PAUSES * paused)
        self._calls = plan.calls * rejected

    @property
    def gap(self) -> float:
        """Seconds between two turns."""
        return 1 / self.rate

    def earn_credit(self, now: float) -> None:
        """Nothing is earned while no caller waits: there are no bursts."""

    def due(self, now: float, lanes: Lanes, room: int) -> tuple[Priority, float]:
        """Give one turn a gap; after a long time without a turn start over."""
        if now - self._next_due > _FORGOTTEN:
            self._start_over()
        if room <= 0:
            return lanes.next(), inf
        return lanes.next(), now if now >= self._next_due - EARLY - INSTANT else self._next_due

    def window_frees(self, now: float) -> float:
        """There is no hard window."""
        return now

    def take(self, at: float, lane: Priority, lanes: Lanes, *, probe: bool) -> float:
        """Take a turn; none goes ahead of the pace."""
        self._next_due = max(self._next_due, at - EARLY) + self.gap
        self._cells.keep(_REMEMBERED - 1)
        return 0.0

    def answered(self, lanes: Lanes, *, accepted: bool) -> None:
        """Raise the rate with each accepted call while callers wait, who need it.

        By the same share each second where nothing is known; from a rate that a rejection has set slowly at
        first, and faster the longer nothing is rejected.
        """
        if not (accepted and lanes.total):
            return
        seconds = self._seconds + _ROUND_TRIPS * self._round_trip.mean
        self._climbed += min(self.gap / seconds, 1 / self._calls)
        if self.certainty is Certainty.UNKNOWN:
            self.rate = self._base * 2**self._climbed
        else:
            self.rate = self._base + (self._goal - self._base) * self._climbed**2

    def backoff(self, now: float, rejected_at: float) -> Backoff:
        """Pause shortly once the rate is about right; nothing says when a slot will be free."""
        gap = self.gap
        first = max(_PLANS[self.certainty].first_pause, 2 * gap, self._round_trip.mean)
        return Backoff(first, _PAUSE_GROWTH, shortest=gap, longest=_LONGEST_PAUSE, slot_free_by=inf)

    def reopened(self, probe_at: float, rejection: Rejection) -> None:
        """Set the rate to what was accepted around the pause, and clearly lower unless the count is exact."""
        old = self.rate
        paused = probe_at - rejection.rejected_at
        worked = rejection.rejected_at - self._reopened_at
        count, accepted = self._count(rejection, probe_at)
        is_first, is_enough = self.certainty is Certainty.UNKNOWN, count >= _ENOUGH
        is_exact = is_enough and not is_first and paused < _BRIEF * worked
        self.certainty = Certainty.COUNTED if is_exact else Certainty.GUESSED
        if is_exact:
            lowest, highest = _STEP_BACK, _BELOW
        elif is_enough:
            lowest, highest = 0.0 if is_first else _LARGE_STEP_BACK, _STEP_BACK
        else:
            lowest, highest = _STEP_BACK, _STEP_BACK
        rate = max(lowest * old, min(_BELOW * accepted, highest * old), _LOWEST_RATE)
        goal = 2 * rate if is_exact else min(max(old, rate / _STEP_BACK), 2 * rate)
        rejected = rejection.rejected + rejection.probes
        self._set_rate(rate, goal=goal, rejected=rejected, paused=paused)
        self._reopened_at = probe_at
        self._cells.forget(probe_at)
        self._next_due = probe_at + self.gap

    def _count(self, rejection: Rejection, probe_at: float) -> tuple[int, float]:
        """Count the accepted turns; return the most of them per second in any stretch up to the probe, too.

        A window's rate is that of a stretch as long as the window. Shorter ones hold less, as more of them is
        the pause, and so do those that go back to where the rate was low.
        """
        waited = probe_at - rejection.last_at
        if rejection.has_retry_after:
            waited = min(waited, _ROUNDED_UP)
        until = probe_at - _UNNEEDED * waited
        count, most = 0, 0.0
        for cell in reversed(self._cells):
            if cell.accepted and cell.at < probe_at:
                count += cell.accepted
                if count >= _ENOUGH:
                    most = max(most, count / max(until - cell.at, _SHORTEST))
        return count, most

    def expected_wait(self, now: float, lanes: Lanes, lane: Priority, ahead: int, width: float) -> float:
        """Estimate the wait: one gap a turn."""
        return max(0.0, self._next_due - now) + ahead * self.gap
