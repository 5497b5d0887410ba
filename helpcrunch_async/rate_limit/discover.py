"""The pace of a client that was told nothing: even from its first call, and a little faster all the time.

Which kind of window the server has, and how long, cannot be told from outside, and pacing does not need it:
every kind takes even spacing just below its sustained rate, and that rate is one number. A lump to begin with
would meet the limit sooner, but with many calls on the wire, and in a window that then stays full for the
rest of its period. So the rate is raised until a call is rejected, set to what was accepted around the pause,
and raised again: the more slowly, the better it is known, and after a rough count by a share of what was
given up, since the truth lies in between. The first climb adds a share of the rate each second, so that a low
limit is not overshot by more than a high one; a smaller share where round trips are long, since whatever is
on the wire at the first rejection may be rejected too.
"""

from collections import deque
from math import inf
from typing import Final

from attrs import define, frozen

from helpcrunch_async.rate_limit.line import Grant, Line, Priority
from helpcrunch_async.rate_limit.pace import INSTANT, RoundTrip

_FIRST_RATE: Final = 5.0  # calls per second
_LOWEST_RATE: Final = 1 / 600
_WIDEST: Final = 100  # calls in flight
_EARLY: Final = 0.005  # seconds a paced turn may go before it is due: timers are not exact
_REMEMBERED: Final = 1_000  # turns; what was accepted before them is not counted
_FORGOTTEN: Final = 600.0  # seconds without a turn, after which nothing is known any more
_ENOUGH: Final = 8  # accepted calls that make a count
_BELOW: Final = 0.995  # of the count: to stay under it
_STEP_BACK: Final = 0.85  # of the rate: where there is little to count, and when little is wrong
_LARGE_STEP_BACK: Final = 0.5
_UNNEEDED: Final = 0.7  # of the time between the last rejection and the reopening: a slot was free by then
_ROUNDED_UP: Final = 1.0  # seconds by which a Retry-After may exceed the wait
_SHORTEST: Final = 1e-3  # seconds
_ROUND_TRIPS: Final = 30  # that a climb takes longer
_PAUSES: Final = 4  # of which a climb takes as long at least: a window may be as long as its pause
_BRIEF: Final = 1 / 3  # of the work before it: a pause that does not blur the count


@frozen
class _Certainty:
    """How well the rate is known, and what follows: when to ask again, and how quickly to try more."""

    first_pause: float  # seconds, at least
    seconds: float  # of work at full pace, and some round trips, after which the rate is at its goal,
    calls: int  # if by then so many were accepted for each one that was rejected


_UNKNOWN: Final = _Certainty(0.5, seconds=6.0, calls=30)
_GUESSED: Final = _Certainty(0.8, seconds=40.0, calls=30)
_COUNTED: Final = _Certainty(0.1, seconds=400.0, calls=1_000)


@define(eq=False)
class _Contact:
    """One contact with the limit, from the rejection that closes the gate to the accepted probe."""

    cut: float  # when the first rejected turn was taken
    told: bool  # the server sent a Retry-After
    last: float  # when the last rejected turn was taken
    rejected: int = 1


class DiscoveredPace:
    """Sends evenly, at a rate that is found by raising it and by counting what is accepted."""

    pause_growth: float = 2.5
    longest_pause: float = 20.0

    def __init__(self) -> None:
        self.round_trip: RoundTrip = RoundTrip()
        self._next = -inf  # when the next turn is due
        self._contact: _Contact | None = None
        self._start()

    def _start(self) -> None:
        self._certainty = _UNKNOWN
        self._set_rate(_FIRST_RATE, goal=2 * _FIRST_RATE)
        self._since = -inf  # when the gate was last opened
        self._turns: deque[Grant] = deque(maxlen=_REMEMBERED)

    def _set_rate(self, rate: float, *, goal: float, rejected: int = 1, paused: float = 0.0) -> None:
        self._base = rate
        self.rate: float = rate
        self._goal = goal
        self._climbed = 0.0  # 1 is where the rate is at its goal: after so many seconds of work and calls
        self._seconds = max(self._certainty.seconds, _PAUSES * paused)
        self._calls = self._certainty.calls * rejected

    @property
    def gap(self) -> float:
        """Seconds between two turns."""
        return 1 / self.rate

    @property
    def first_pause(self) -> float:
        """Seconds of the first pause without Retry-After: short once the rate is about right."""
        return max(self._certainty.first_pause, 2 * self.gap, self.round_trip.mean)

    def due(self, now: float, line: Line, in_flight: int) -> tuple[Priority, float]:
        """Give one turn a gap."""
        priority = line.next_priority()
        if self.admits(now, priority, 1, in_flight):
            return priority, now
        return priority, inf if in_flight >= _WIDEST else self._next

    def admits(self, now: float, priority: Priority, lump: int, in_flight: int) -> bool:
        """Let one go that is due, if not too many are on the wire."""
        return in_flight < _WIDEST and now >= self._next - _EARLY - INSTANT

    def probe_due(self, now: float) -> float:
        """A probe may go at any time."""
        return now

    def expected_wait(self, now: float, line: Line, priority: Priority, ahead: int) -> float:
        """Estimate the wait: one gap a turn."""
        return max(0.0, self._next - now) + ahead * self.gap

    def joined(self, now: float, line: Line) -> None:
        """Nothing is earned while nobody waits; after a long time without a turn all is forgotten."""
        if now - self._next > _FORGOTTEN and self._contact is None:
            self._start()

    def grant(self, now: float, line: Line, *, probe: bool) -> Grant:
        """Take a turn."""
        self._next = max(self._next, now - _EARLY) + self.gap
        grant = Grant(now, depth=0.0)
        self._turns.append(grant)
        return grant

    def answered(self, seconds: float) -> None:
        """Measure a round trip."""
        self.round_trip.measure(seconds)

    def accepted(self, line: Line) -> None:
        """Raise the rate while somebody waits, who needs it.

        By the same share each second where nothing is known; from a rate that was set by a contact slowly at
        first, and faster the longer nothing is rejected.
        """
        if not line or self._contact is not None:
            return
        seconds = self._seconds + _ROUND_TRIPS * self.round_trip.mean
        self._climbed += min(self.gap / seconds, 1 / self._calls)
        if self._certainty is _UNKNOWN:
            self.rate = self._base * 2**self._climbed
        else:
            self.rate = self._base + (self._goal - self._base) * self._climbed**2

    def is_stale(self, grant: Grant) -> bool:
        """Tell whether a rejection speaks of a time before the gate was last opened."""
        return grant.at < self._since

    def contact(self, grant: Grant, *, now: float, retry_after: float | None) -> float:
        """Begin a contact; nothing says when a slot will be free."""
        self._contact = _Contact(grant.at, retry_after is not None, grant.at)
        return inf

    def rejected(self, grant: Grant, *, probe: bool) -> None:
        """Count a further rejection of this contact."""
        contact = self._contact
        assert contact is not None
        contact.rejected += 1
        contact.last = max(contact.last, grant.at)

    def reopened(self, probe: Grant) -> None:
        """Set the rate to what was accepted around the pause, and clearly lower unless the count is exact."""
        contact, old = self._contact, self.rate
        assert contact is not None
        self._contact = None
        paused, worked = probe.at - contact.cut, contact.cut - self._since
        count, accepted = self._count(contact, probe)
        is_first, is_enough = self._certainty is _UNKNOWN, count >= _ENOUGH
        is_exact = is_enough and not is_first and paused < _BRIEF * worked
        self._certainty = _COUNTED if is_exact else _GUESSED
        if is_exact:
            lowest, highest = _STEP_BACK, _BELOW
        elif is_enough:
            lowest, highest = 0.0 if is_first else _LARGE_STEP_BACK, _STEP_BACK
        else:
            lowest, highest = _STEP_BACK, _STEP_BACK
        rate = max(lowest * old, min(_BELOW * accepted, highest * old), _LOWEST_RATE)
        goal = 2 * rate if is_exact else min(max(old, rate / _STEP_BACK), 2 * rate)
        self._set_rate(rate, goal=goal, rejected=contact.rejected, paused=paused)
        self._since = probe.at
        self._turns = deque([probe], maxlen=_REMEMBERED)
        self._next = probe.at + self.gap

    def _count(self, contact: _Contact, probe: Grant) -> tuple[int, float]:
        """Count the accepted turns, and give the most of them per second in any stretch up to the probe.

        A window's rate is that of a stretch as long as the window. Shorter ones hold less, as more of them
        is the pause, and so do those that go back to where the rate was low.
        """
        waited = probe.at - contact.last
        if contact.told:
            waited = min(waited, _ROUNDED_UP)
        until = probe.at - _UNNEEDED * waited
        count, most = 0, 0.0
        for turn in reversed(self._turns):
            if turn.accepted and turn is not probe:
                count += 1
                if count >= _ENOUGH:
                    most = max(most, count / max(until - turn.at, _SHORTEST))
        return count, most
