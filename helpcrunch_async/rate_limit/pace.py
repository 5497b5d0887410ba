"""What the schedule asks of a pace, whether it was told its limit or has to find it."""

from typing import Final, Protocol

from attrs import define

from helpcrunch_async.rate_limit.line import Grant, Line, Priority

_SMOOTHING: Final = 16.0  # answers over which the round trip and its deviation are averaged
INSTANT: Final = 1e-9  # timers fire this much early; seconds


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

    The time is always passed in: seconds on any clock that does not go back.
    """

    round_trip: RoundTrip  # read it; `answered` writes
    pause_growth: float
    """How many times longer each pause without Retry-After is than the one before."""

    @property
    def rate(self) -> float:
        """Turns per second that are believed to be sustainable."""
        ...

    @property
    def gap(self) -> float:
        """Seconds between two paced turns."""
        ...

    @property
    def first_pause(self) -> float:
        """Seconds of the first pause after a rejection without Retry-After."""
        ...

    @property
    def longest_pause(self) -> float:
        """Seconds that a pause without Retry-After never passes."""
        ...

    def admits(self, now: float, priority: Priority, lump: int, in_flight: int) -> bool:
        """Tell whether the next of `lump` calls that wait in a lane may go now; gate open."""
        ...

    def due(self, now: float, line: Line, in_flight: int) -> tuple[Priority, float]:
        """Tell which lane goes next and when: `now` or earlier means at once, inf after an answer."""
        ...

    def probe_due(self, now: float) -> float:
        """Tell when a probe would be within what may be sent at all."""
        ...

    def expected_wait(self, now: float, line: Line, priority: Priority, ahead: int) -> float:
        """Estimate the wait of a place with `ahead` others before it; gate open, seconds."""
        ...

    def joined(self, now: float, line: Line) -> None:
        """Note that somebody is about to join the line."""
        ...

    def grant(self, now: float, line: Line, *, probe: bool) -> Grant:
        """Note that a turn is taken; `line` is who still waits."""
        ...

    def answered(self, seconds: float) -> None:
        """Note how long a call took to be answered, whatever the answer."""
        ...

    def accepted(self, line: Line) -> None:
        """Note an accepted call; `line` is who waits."""
        ...

    def contact(self, grant: Grant, *, now: float, retry_after: float | None) -> float:
        """Note the rejection that closes the gate; give the moment by which a slot must be free."""
        ...

    def rejected(self, grant: Grant, *, probe: bool) -> None:
        """Note a further rejection while the gate is closed."""
        ...

    def is_stale(self, grant: Grant) -> bool:
        """Tell whether a rejection speaks of a time before the gate was last opened."""
        ...

    def reopened(self, probe: Grant) -> None:
        """Learn from the contact that the acceptance of this probe has ended."""
        ...
