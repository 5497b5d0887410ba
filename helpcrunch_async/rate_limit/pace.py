"""What the machine asks of a pace, be the limit known (`known_limit`) or not (`unknown_limit`)."""

from typing import Final, Protocol

from attrs import define

from helpcrunch_async.rate_limit.gate import Backoff, Rejection
from helpcrunch_async.rate_limit.line import Lanes, Priority

INSTANT: Final = 1e-9
"""Seconds that a timer may fire early by the rounding of floats."""
EARLY: Final = 0.005
"""Seconds that a paced turn may go before it is due, since timers are not exact: one that fires a millisecond
early would else be set again. It must be less than a gap at the highest rates (5 ms at 200 a second). Only
`real_http` has such timers."""
_SMOOTHING: Final = 16.0
"""Answers over which the round trip and its deviation are averaged: some seconds at the documented limit. No
table objects between 2 and 100."""


@define(eq=False)
class RoundTrip:
    """The smoothed time from a turn to its answer, and its mean deviation; seconds."""

    mean: float = 0.0
    deviation: float = 0.0

    def measure(self, seconds: float) -> None:
        """Learn from one answer."""
        if self.mean == 0.0:
            self.mean, self.deviation = seconds, seconds / 8
        else:
            self.deviation += (abs(seconds - self.mean) - self.deviation) / _SMOOTHING
            self.mean += (seconds - self.mean) / _SMOOTHING


class Pace(Protocol):
    """When the next turn is due, and what the server's answers teach about that.

    The time is always passed in: seconds on a clock that does not go back.
    """

    @property
    def rate(self) -> float:
        """Turns per second that are believed to be sustainable."""
        ...

    @property
    def gap(self) -> float:
        """Seconds between two paced turns."""
        ...

    def earn_credit(self, now: float) -> None:
        """Take in that no caller has waited until now."""
        ...

    def due(self, now: float, lanes: Lanes, room: int) -> tuple[Priority, float]:
        """Return which lane has the next turn, and when, with the gate open.

        The moment is `now` or earlier when the turn may go, and inf when that takes an answer. `room` is how
        many more calls the process may have on the wire for what is not due yet.
        """
        ...

    def window_frees(self, now: float) -> float:
        """Return when the hard window has room for a turn: `now` when it has."""
        ...

    def take(self, at: float, lane: Priority, lanes: Lanes, *, probe: bool) -> float:
        """Take in that a lane's turn goes while `lanes` still wait.

        Return how many turns ahead of the even pace it was.
        """
        ...

    def answered(self, lanes: Lanes, *, accepted: bool) -> None:
        """Take in an answer while `lanes` wait: accepted with the gate open, or another one."""
        ...

    def backoff(self, now: float, rejected_at: float) -> Backoff:
        """Return how to pause after a 429 for a turn that was taken at `rejected_at`."""
        ...

    def reopened(self, probe_at: float, rejection: Rejection) -> None:
        """Learn from a rejection that has ended: a probe taken at `probe_at` was accepted."""
        ...

    def expected_wait(self, now: float, lanes: Lanes, lane: Priority, ahead: int, width: float) -> float:
        """Estimate how long a caller waits behind `ahead` others, in seconds, with the gate open.

        `width` is how many calls of a burst are on the wire at a time.
        """
        ...
