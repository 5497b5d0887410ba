"""The climb back: after a rejection, when to try a little more, and how much. Lazy: no timer."""

from math import inf
from typing import Final

from attrs import define

from helpcrunch_async.rate_limit.estimate import Estimate

_HOLD: Final = 3.0
"""Periods without climbing after an exact estimate, which is right until the limit changes. At 9 `told` (two
processes) uses .6 % less; at 1 no table objects, a longer run would."""
_ROUGH_HOLD: Final = 1.0
"""The same after a rough estimate, which is likely to be too low. At 3 `told` (120 where 40 is true) uses .5
% less."""
_LONGEST_HOLD: Final = 16.0
"""Periods up to which the hold doubles while the same estimate comes again: then a 429 each 16 minutes is
spent on asking. No table is long enough to object."""
_SAME: Final = 0.1
"""Two exact estimates are the same if they differ by less than this share: they scatter by some calls in a
hundred. No table is long enough to object."""
_STEP: Final = 0.02
"""The share that a step adds after an exact estimate: at 120 calls about two, one of which is then rejected.
At .5 % `told` (two processes) uses .3 % less; at 8 % it rejects a little more."""
_ROUGH_STEP: Final = 0.05
"""The same after a rough estimate. At 1.5 % `told` (120 where 40 is true) uses .4 % less; at 15 % two
processes reject .2 % more."""
_LARGEST_STEP: Final = 0.25
"""What steps grow to, so that a limit that was lifted is used again within some periods. No table lifts a
limit; the chapter's figure does."""
_STEPS_TO_DOUBLE: Final = 4
"""Steps, from which on each is twice as large as the last: by then the estimate is not what holds. At 1
`told` (two processes) and `interactive` (bursts) reject .1 % more."""
_CALLS_PER_REJECTION: Final = 120
"""Accepted calls that must have paid for each 429 before the next deliberate one: at most one in 120 is
rejected so. At 30 `interactive` (bursts) rejects half as much again; at 480 `told` (two processes) uses .6 %
less."""
_CALLS_PER_ROUGH_REJECTION: Final = 20
"""The same after a rough estimate, which must be found wrong soon. At 80 `told` (120 where 40 is true) uses
.6 % less."""
_DEADLINE: Final = 16.0
"""Periods after which a climb need not pay for itself: a client that sends little would never get back. At 4
`interactive` (bursts) rejects half as much again."""


@define(eq=False)
class Climb:
    """Plans the steps back up to the configured limit."""

    period: float
    at: float = inf  # when to try more, at the earliest; seconds
    _deadline: float = inf  # when a step need not pay for itself any more; seconds
    _accepted: int = 0  # calls accepted since the last rejection ended
    _calls_per_probe: int = 0
    """Accepted calls that must come before a step: each step probes the limit on purpose."""
    _step: float = _STEP
    _steps: int = 0
    _hold_periods: float = _HOLD
    _last_estimate: float = inf  # the number of calls that the last exact estimate led to

    def accepted(self) -> None:
        """Count a call that was accepted."""
        self._accepted += 1

    def plan(self, calls: float, estimate: Estimate, rejections: int, now: float) -> None:
        """Begin anew after a rejection: `calls` per period hold now, and so many answers were 429."""
        self._accepted = 0
        self._steps = 0
        if estimate.exact:
            is_same = (1 - _SAME) * self._last_estimate < calls < (1 + _SAME) * self._last_estimate
            self._hold_periods = min(max(self._hold_periods, 1.0) * 2, _LONGEST_HOLD) if is_same else _HOLD
            self._step = _STEP
            self._last_estimate = calls
            self._calls_per_probe = _CALLS_PER_REJECTION * rejections
        else:
            self._hold_periods = _ROUGH_HOLD
            self._step = _ROUGH_STEP
            self._calls_per_probe = _CALLS_PER_ROUGH_REJECTION * rejections
        self.at = now + self._hold_periods * self.period
        self._deadline = now + _DEADLINE * self.period

    def factor(self, now: float) -> float:
        """Return the factor by which to try more now; 1 when it is not the time."""
        if now < self.at or (self._accepted < self._calls_per_probe and now < self._deadline):
            return 1.0
        factor = 1 + self._step
        self.at = now + self.period
        self._steps += 1
        if self._steps >= _STEPS_TO_DOUBLE:
            self._step = min(_LARGEST_STEP, 2 * self._step)
        return factor

    def end(self) -> None:
        """Stop: the configured limit is reached again."""
        self.at = inf
