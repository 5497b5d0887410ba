"""What a rejection teaches a client that knows its limit: how many calls the server really takes in a period.

A rejection begins with the 429 that closes the gate and ends with the accepted probe that opens it. Counting
what was accepted around it gives the number. Three estimates, by what came before:

| before the rejection | counted | over | the estimate is |
|---|---|---|---|
| a period or more at full pace | the period before it | a period | exact, for every window |
| another rejection within a period | since that one | the time since, less what was rounded up | rough |
| a shorter run at full pace | the run | run and pause, a period at most | exact from 15 calls, else rough |
"""

from collections import deque
from math import inf
from typing import Final

from attrs import define, field, frozen

from helpcrunch_async.rate_limit.cells import Cells
from helpcrunch_async.rate_limit.gate import Rejection

_BELOW: Final = 0.985
"""The share of an estimate that is used, to stay under it: a count is off by one or two in a hundred. `told`
(120 where 40 is true) uses .6 % less at .97; at 1 two processes reject .15 % more."""
_LOWEST_EXACT: Final = 0.3
"""The share of the old number to which an exact estimate may cut it: a third of the limit is found at once.
At .6 `told` (120 where 40 is true) rejects .2 % more; lower, nothing changes."""
_LOWEST_ROUGH: Final = 0.7
"""The same for a rough estimate, which may be wrong by as much. At .4 `told` (120 where 40 is true) uses 1.6
% less; at .9 it rejects .9 % more."""
_ENOUGH: Final = 15
"""Accepted calls that make a short count exact: then one more or less is 7 % at most. At 45 `told` (120 where
40 is true) rejects .5 % more; 5 would do as well."""
_ROUNDED_UP: Final = 1.0
"""Seconds by which a Retry-After exceeds the wait at most, as it is given in whole ones; half of that on
average. At 0 `told` (120 where 40 is true) uses .3 % less."""
_SHORTEST: Final = 1e-3
"""Seconds that are divided by at least."""
_TICK: Final = 1e-9
"""Seconds; makes an interval include its beginning, or exclude its end."""


@frozen
class PastRejection:
    """What is remembered of a rejection that has ended; seconds."""

    rejected_at: float
    slack: float  # how much longer the pause was than needed, on average, because Retry-After is rounded up


@frozen
class Estimate:
    """What a rejection says about the number of calls per period."""

    calls: float
    exact: bool
    repeated: bool  # there was another rejection within a period

    def correct(self, calls: float) -> float:
        """Return the number of calls per period to go on with: one estimate cuts it by so much at most."""
        lowest = _LOWEST_EXACT if self.exact else _LOWEST_ROUGH
        return max(1.0, lowest * calls, _BELOW * min(self.calls, calls))


@define(eq=False)
class LimitEstimator:
    """Remembers what the next estimate needs: since when the pace was saturated, and the last rejections."""

    period: float
    saturated_since: float = -inf  # since when turns have been taken as fast as the pace allows
    _last_turn: float = -inf
    past: deque[PastRejection] = field(factory=deque)

    def took(self, at: float, *, probe: bool, saturated: bool) -> None:
        """Take in a turn.

        What was accepted while fewer turns were taken than the pace allows is our demand, and says nothing
        about the limit; nor do rejections from before a period without a turn.
        """
        if not probe:
            if not saturated:
                self.saturated_since = at
            if at - self._last_turn > self.period:
                self.past.clear()
        self._last_turn = at

    def estimate(self, cells: Cells, rejection: Rejection, probe_at: float) -> Estimate:
        """Return what the server takes, now that a probe was accepted."""
        rejected_at, past, period = rejection.rejected_at, self.past, self.period
        worked = rejected_at - self.saturated_since
        paused = probe_at - rejected_at
        slack = min(_ROUNDED_UP, paused) / 2 if rejection.has_retry_after else 0.0
        while past and past[0].rejected_at < rejected_at - period:
            past.popleft()
        repeated = bool(past)
        if worked >= period:
            calls: float = cells.accepted(rejected_at - period, rejected_at)
            exact = True
        elif past:
            since = past[0].rejected_at
            span = rejected_at - since - sum(earlier.slack for earlier in past)
            calls = cells.accepted(since, rejected_at) * period / max(span, _SHORTEST)
            exact = False
        else:
            count = cells.accepted(self.saturated_since - _TICK, probe_at - _TICK)
            span = min(max(worked + paused - slack, _SHORTEST), period)
            calls = count * period / span
            exact = count >= _ENOUGH
        self.saturated_since = probe_at
        past.append(PastRejection(rejected_at, slack))
        return Estimate(calls, exact, repeated)
