"""The pace of a client that knows its limit: even, just under the true rate, with bursts for the quiet.

Pacing evenly a little under the true rate is accepted by every kind of server window, and every window's
sustained rate is one number. So: pace by default; let a burst out only if the job is no larger than the
budget; keep one hard window; and correct that one number by counting what was accepted (`estimate`).
"""

from math import ceil, inf
from typing import Final

from attrs import define, field

from helpcrunch_async.rate_limit.cells import AHEAD, DEPTH, Cells
from helpcrunch_async.rate_limit.climb import Climb
from helpcrunch_async.rate_limit.demand import Demand
from helpcrunch_async.rate_limit.estimate import LimitEstimator
from helpcrunch_async.rate_limit.gate import Backoff, Rejection
from helpcrunch_async.rate_limit.line import Lanes, Priority
from helpcrunch_async.rate_limit.pace import EARLY, INSTANT, RoundTrip

CELLS_PER_PERIOD: Final = 250
"""The grid of the record: paced turns at the documented limit have a cell each. At 60 `told` (120 where 40 is
true) uses .2 % less; at 2,500 nothing changes, but the value grows."""
_MARGIN: Final = 0.0025
"""The share of the period by which the hard window is longer: clocks and schedulers are not exact, and
`real_http` runs in them. It is given up of the budget: at 1 % `told` uses .7 % less."""
_KEPT: Final = 1.25
"""Windows, and two round trips, for which turns are remembered: the period before a rejected turn is counted
when its answer is back. No table objects to 1, only a slow server would."""
_FIRST_PAUSE: Final = 4.0
"""Gaps of the first pause without Retry-After: a probe after one gap is rejected more often than not, so at 1
`told` (120 where 40 is true) rejects .2 % more; at 12 two processes use 1 % less."""
_PAUSE_GROWTH: Final = 4.0
"""How many times longer each pause without Retry-After is: from two seconds to half a minute in two probes.
At 1.5 `told` (120 where 40 is true) rejects .1 % more."""
_LONGEST_PAUSE: Final = 4.0
"""Windows of a pause without Retry-After at most. Only a server that refuses for minutes objects: it is asked
once in four windows then, not ever more rarely."""
_SMALLEST_RESERVE: Final = 1 / 6
"""The share of the budget that a burst of bulk work leaves to single calls where none came within the hour.
A hundred requests from idle take a second; at 1/4 they take fifty."""
_LARGEST_RESERVE: Final = 1 / 2
"""The same where there were many: single calls then wait as they did when bulk work had half in any case."""
_RESERVE_PER_CALL: Final = 2.0
"""What is left for each single call of the fullest period of the last hour. To leave half at the first one
would pace all bulk work behind the single call that opens a job."""
_BURST_CUT: Final = 0.7
"""The share that is kept of the burst that was accepted, after one was too large. At 1 `interactive` (bursts)
rejects half as much again."""


@define(eq=False)
class KnownLimit:
    """At most `limit` turns in any window of `period` seconds; bursts of at most `largest_burst`."""

    limit: int
    period: float
    largest_burst: float  # the burst that was allowed by the user
    calls: float  # calls per period that are believed to be sustainable, at most `limit`
    burst: float  # the burst that is believed to be accepted, at most `largest_burst`
    _credit: float  # turns that may still go ahead of the even pace
    next_due: float  # when the next paced turn is due; seconds
    _earned_at: float  # up to when credit has been earned; seconds
    estimator: LimitEstimator
    climb: Climb
    single_calls: Demand
    _cells: Cells
    _round_trip: RoundTrip
    window: float = field(init=False)  # seconds of the hard window
    gap: float = field(init=False)  # seconds between two paced turns
    _most: int = field(init=False)  # turns that the hard window holds
    _paced: float = field(init=False)
    """Turns in a window at the even pace: for one call less than is sustainable, as some windows count the
    call they judge; for a small limit, a fiftieth less."""
    _calm_window: float = field(init=False)  # seconds of the hard window without jitter

    def __attrs_post_init__(self) -> None:
        self._calm_window = self.period * (1 + _MARGIN) + EARLY
        self._set_calls(self.calls)

    @classmethod
    def begin(
        cls, limit: int, period: float, burst: int, cells: Cells, round_trip: RoundTrip
    ) -> "KnownLimit":
        """Make the pace of a client that has sent nothing."""
        parts = LimitEstimator(period), Climb(period), Demand(period), cells, round_trip
        most = float(burst)
        return cls(limit, period, most, float(limit), most, most, -inf, 0.0, *parts)

    @property
    def rate(self) -> float:
        """Turns per second that are believed to be sustainable."""
        return self.calls / self.period

    def _set_calls(self, calls: float) -> None:
        """Set what is believed to be sustainable, and the figures that follow from it."""
        self.calls = calls
        self._most = min(self.limit, ceil(calls))
        self._paced = calls - min(1.0, calls / 50)
        self._allow_for_jitter()

    def _allow_for_jitter(self) -> None:
        """Set the window and the gap: the server sees arrivals, not departures."""
        self.window = self._calm_window + 2 * self._round_trip.deviation
        self.gap = self.window / self._paced

    def earn_credit(self, now: float) -> None:
        """Earn a turn ahead of the pace with each gap in which no caller waits.

        Were it earned while callers wait, the stall behind a full window would refill it, and a second burst
        would leave one period after the first.
        """
        credit = self._credit + (now - self._earned_at) / self.gap
        self._credit = min(self.burst, credit)
        self._earned_at = now

    def due(self, now: float, lanes: Lanes, room: int) -> tuple[Priority, float]:
        """Pace by default; let calls go ahead of it while the whole job is within the budget."""
        if now >= self.climb.at:
            self._climb(now)
        lane = lanes.next()
        used = self._cells.turns_since(now - self.window)
        if used >= self._most and (frees := self._frees()) > now + INSTANT:
            return lane, frees
        if now >= self.next_due - EARLY - INSTANT:
            return lane, now
        ahead: Priority = "interactive" if lanes.interactive else "bulk"
        due = self._ahead_due(now, ahead, lanes, used, room)
        return (ahead, due) if due < self.next_due - EARLY else (lane, self.next_due)

    def _ahead_due(self, now: float, lane: Priority, lanes: Lanes, used: int, room: int) -> float:
        """Return when a lane may go ahead of the even pace.

        As many callers do as there is credit for, the others evenly after the last of them: the burst is not
        made up for while the budget has room. Here turns are not early, or they would drift ahead of the
        pace, and the burst be blamed for each rejection.
        """
        if not self._fits(now, lane, lanes, used, used):
            return inf
        if self._credit >= 1 and room > 0:
            return now
        last = next(reversed(self._cells), None)
        return now if last is None else last.at + self.gap

    def _fits(self, now: float, lane: Priority, lanes: Lanes, used: int, before: int) -> bool:
        """Return whether the budget has room for all that a lane has still to do.

        If it has not, some caller waits a period anyway: a burst would gain no throughput, starve the calls
        that come meanwhile and make the first rejection find many others on the wire. Bulk work leaves a
        reserve to single calls in any case.

        Args:
            now: seconds.
            lane: whose callers want to go ahead.
            lanes: who waits.
            used: turns of the last window.
            before: turns in the window before the one in question.
        """
        if used + lanes.demand(lane) > self.calls:
            return False
        return lane == "interactive" or before + 1 <= self.calls - self._reserve(now)

    def _reserve(self, now: float) -> float:
        """Return how many calls of the budget bulk work leaves: what single calls have wanted lately."""
        wanted = _RESERVE_PER_CALL * self.single_calls.most(now)
        return min(max(_SMALLEST_RESERVE * self.calls, wanted), _LARGEST_RESERVE * self.calls)

    def window_frees(self, now: float) -> float:
        """Return when the hard window has room for a turn."""
        if self._cells.turns_since(now - self.window) < self._most:
            return now
        return max(now, self._frees())

    def _frees(self) -> float:
        return self._cells.frees_slot(self._most) + self.window

    def take(self, at: float, lane: Priority, lanes: Lanes, *, probe: bool) -> float:
        """Take a turn off the even pace and the credit.

        Going ahead costs credit, and so does a paced turn while others wait: a client that has been working
        at full pace is not a quiet one, and its last calls gain nothing by going ahead.
        """
        gap, next_due = self.gap, self.next_due
        ahead = next_due - EARLY - at
        if lanes.interactive or lanes.bulk or not (probe or ahead <= INSTANT):
            self._credit = max(0.0, self._credit - 1)
        self.next_due = max(next_due, at - EARLY) + gap
        self._earned_at = at
        if lane == "interactive":
            self.single_calls.took(at)
        self.estimator.took(at, probe=probe, saturated=at <= next_due + gap)
        if not probe:  # what a rejection is about is counted when it ends
            self._cells.forget(at - _KEPT * self.window - 2 * self._round_trip.mean)
        return int(ahead / gap / DEPTH) * DEPTH if ahead > 0 else 0.0

    def answered(self, lanes: Lanes, *, accepted: bool) -> None:
        """Allow for the jitter of the answers; count those that pay for the climb."""
        self._allow_for_jitter()
        if accepted:
            self.climb.accepted()

    def backoff(self, now: float, rejected_at: float) -> Backoff:
        """Pause for some turns' worth at first, as the rate is in doubt.

        Every kind of window frees a slot one window after its oldest accepted call.
        """
        gap, window = self.gap, self.window
        oldest = self._cells.oldest_accepted(rejected_at - self.period)
        return Backoff(
            first=max(_FIRST_PAUSE * gap, self._round_trip.mean),
            growth=_PAUSE_GROWTH,
            shortest=gap,
            longest=_LONGEST_PAUSE * window,
            slot_free_by=(now if oldest is None else oldest) + window,
        )

    def reopened(self, probe_at: float, rejection: Rejection) -> None:
        """Blame the burst or the rate for the rejection that has ended, and correct it."""
        estimate = self.estimator.estimate(self._cells, rejection, probe_at)
        blames_burst = rejection.deepest >= AHEAD
        if blames_burst:
            self.burst = max(1.0, _BURST_CUT * (rejection.deepest - rejection.rejected + 1))
            self._credit = 0.0
            self.next_due = min(self.next_due, probe_at + self.gap)
        if not blames_burst or estimate.repeated:
            self._set_calls(estimate.correct(self.calls))
        self.climb.plan(self.calls, estimate, rejection.rejected + rejection.probes, probe_at)

    def _climb(self, now: float) -> None:
        """Try a little more after a while without rejections; never more than was configured."""
        factor = self.climb.factor(now)
        if factor > 1:
            self._set_calls(min(float(self.limit), self.calls * factor))
            self.burst = min(self.largest_burst, self.burst * factor)
            if self.calls >= self.limit and self.burst >= self.largest_burst:
                self.climb.end()

    def expected_wait(self, now: float, lanes: Lanes, lane: Priority, ahead: int, width: float) -> float:
        """Estimate the wait: some round trips for a burst, else one gap a turn."""
        used, frees = self._cells.turns_since(now - self.window), self.window_frees(now)
        if frees <= now and self._fits(now, lane, lanes, used, used + ahead):
            after_burst = max(0.0, ahead + 1 - self._credit)
            in_burst = max(0.0, ahead - after_burst)
            return in_burst / width * self._round_trip.mean + after_burst * self.gap
        return max(self.next_due, frees) - now + ahead * self.gap

    def recall(self, at: float) -> None:
        """Take in a turn that was taken elsewhere: it counts, and no burst follows it."""
        self._cells.note(at, 0.0)
        self.next_due = max(self.next_due, at + self.gap)
        self._credit = 0.0
        self._earned_at = max(self._earned_at, at)
