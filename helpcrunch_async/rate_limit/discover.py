"""The pace of a client that was told nothing: it finds the rate by counting what is accepted between pauses.

Which kind of window the server has, and how long, cannot be told from outside, and pacing does not need it:
what carries is one rate and a horizon, the time over which counting is exact enough.
"""

from collections import deque
from math import inf
from typing import Final

from attrs import define

from helpcrunch_async.rate_limit.line import Grant, Line, Priority
from helpcrunch_async.rate_limit.pace import INSTANT, RoundTrip

_EARLY: Final = 0.005  # seconds a paced turn may go before it is due: timers are not exact
_FIRST_WIDTH: Final = 2.0  # calls in flight before anything is known
_QUICK_WIDTH: Final = 5.0  # up to here it grows by one an answer, then by one in forty
_WIDEST: Final = 100.0
_SLOW_GROWTH: Final = 40.0
_LONGEST_PAUSE: Final = 20.0  # seconds
_LOWEST_RATE: Final = 1 / 600  # calls per second


@define(eq=False)
class _Contact:
    """One contact with the limit."""

    cut: float  # when the first rejected turn was taken
    told: bool  # the server sent a Retry-After
    pressed: float  # seconds of work before it
    last_rejected: float
    rejected: int = 1
    slack: float = 0.0  # seconds in which a slot was free, but nobody knew


class DiscoveredPace:
    """Sends as fast as answers come until the first 429, then evenly at the rate that it has counted."""

    def __init__(self) -> None:
        self.rate = inf
        self.round_trip = RoundTrip()
        self._width = _FIRST_WIDTH
        self._next = 0.0  # when the next paced turn is due
        self._waited = 0.0  # when somebody last had to wait for the pace
        self._epoch = -inf  # the first turn, later the last reopening
        self._horizon = 1.0  # seconds
        self._turns: deque[Grant] = deque()
        self._rates: deque[tuple[float, float]] = deque()  # since when which rate holds
        self._contact: _Contact | None = None
        self._past: deque[_Contact] = deque()
        self._climb = _Climb()

    @property
    def gap(self) -> float:
        """Seconds between two paced turns."""
        return 1 / self.rate

    @property
    def first_pause(self) -> float:
        """Seconds of the first pause without Retry-After."""
        return max(0.1, 1.5 * self.gap, self.round_trip.mean / 2)

    @property
    def longest_pause(self) -> float:
        """Seconds that a pause without Retry-After never passes."""
        return _LONGEST_PAUSE

    pause_growth = 3.0

    def due(self, now: float, line: Line, in_flight: int) -> tuple[Priority, float]:
        """Give the next turn at the rate that is known, or after an answer while none is."""
        priority = line.next_priority()
        if self.rate < inf:
            self._raise_rate(now)
            if now - self._waited > max(30.0, 10 * self._horizon):
                self._width = _FIRST_WIDTH  # nobody has needed the pace for long: forget it
                self._set_rate(now, inf)
        if self.admits(now, priority, 1, in_flight):
            return priority, now
        if in_flight >= self._most_in_flight():
            return priority, inf
        self._waited = now
        return priority, self._next

    def admits(self, now: float, priority: Priority, lump: int, in_flight: int) -> bool:
        """Let one go that is due, if not too many are on the wire."""
        return in_flight < self._most_in_flight() and now >= self._next - _EARLY - INSTANT

    def _most_in_flight(self) -> int:
        return int(self._width if self.rate == inf else _WIDEST)

    def probe_due(self, now: float) -> float:
        """A probe may go at any time."""
        return now

    def expected_wait(self, now: float, line: Line, priority: Priority, ahead: int) -> float:
        """Estimate the wait: one gap a turn, or the round trips that others need."""
        if self.rate == inf:
            return (ahead + 1) / self._width * self.round_trip.mean
        return max(0.0, self._next - now) + ahead * self.gap

    def joined(self, now: float, line: Line) -> None:
        """Nothing is earned while nobody waits."""

    def grant(self, now: float, line: Line, *, probe: bool) -> Grant:
        """Take a turn."""
        if self._epoch == -inf:
            self._epoch = now
            self._set_rate(now, inf)
        grant = Grant(now, depth=0.0)
        self._next = max(self._next, now - _EARLY) + self.gap
        turns = self._turns
        keep_since = now - 4 * max(self._horizon, 5.0) - 60.0
        while turns and turns[0].at < keep_since:
            turns.popleft()
        turns.append(grant)
        return grant

    def answered(self, seconds: float) -> None:
        """Measure a round trip."""
        self.round_trip.measure(seconds)

    def accepted(self, line: Line) -> None:
        """Let more calls be in flight while nothing is known."""
        self._climb.accepted += 1
        if self.rate == inf and line and self._width < _WIDEST:
            self._width += 1.0 if self._width < _QUICK_WIDTH else 1 / _SLOW_GROWTH

    def is_stale(self, grant: Grant) -> bool:
        """Tell whether a rejection speaks of a time before the gate was last opened."""
        return grant.at < self._epoch

    def contact(self, grant: Grant, *, now: float, retry_after: float | None) -> float:
        """Begin a contact; nothing says when a slot will be free."""
        self._contact = _Contact(grant.at, retry_after is not None, grant.at - self._epoch, grant.at)
        return inf

    def rejected(self, grant: Grant, *, probe: bool) -> None:
        """Count a further rejection of this contact."""
        contact = self._contact
        assert contact is not None
        contact.rejected += 1
        contact.last_rejected = max(contact.last_rejected, grant.at)

    def reopened(self, probe: Grant) -> None:
        """Count what was accepted, and pace at that from now on."""
        contact, old = self._contact, self.rate
        assert contact is not None
        self._contact = None
        now, paused = probe.at, probe.at - contact.cut
        contact.slack = now - contact.last_rejected
        if contact.told:
            contact.slack = min(contact.slack, 1.0)
        if paused >= 0.1 * contact.pressed and (not contact.told or paused > 2):
            self._horizon = max(self._horizon, paused + min(contact.pressed, 3 * paused))
        since = self._counting_since(now, max(self._horizon, 5 * paused))
        inside = [earlier for earlier in self._past if earlier.cut >= since]
        count = sum(1 for turn in self._turns if turn.accepted and since <= turn.at < now)
        span = max(now - since, 1e-3)
        slack = min(contact.slack + sum(earlier.slack for earlier in inside), 0.9 * span)
        doubt = 0.5  # how much of the slack was time in which a slot was free
        if old < inf:
            doubt = 0.9 * 0.85 ** len(inside) if contact.told else 0.5 * 0.6 ** len(inside)
        estimate = count / (span - doubt * slack)
        strong = count >= 12 and slack < (0.4 if contact.told and old < inf else 0.15) * span
        if old == inf:
            rate = 0.97 * estimate
        elif self._climb.was_long(contact.cut):
            rate = max(estimate, old / (1 + self._climb.step) ** 1.5)
        else:
            rate = max((0.3 if count >= 12 else 0.7) * old, 0.985 * min(estimate, old))
        self._set_rate(now, max(rate, _LOWEST_RATE))
        self._epoch = self._waited = now
        self._past.append(contact)
        while self._past and self._past[0].cut < now - 4 * self._horizon - 60.0:
            self._past.popleft()
        reachable = min(count / (span - slack), old)
        self._climb.plan(
            now,
            self.rate,
            strong=strong,
            contact=contact,
            paused=paused,
            horizon=self._horizon,
            target=reachable,
        )

    def _counting_since(self, now: float, horizon: float) -> float:
        """Give the time since when the pace was about what it was at the contact, not too long ago."""
        since = now
        for start, rate in reversed(self._rates):
            if rate < 0.8 * self.rate:
                break
            since = start
        return max(since, now - 4 * horizon)

    def _set_rate(self, now: float, rate: float) -> None:
        self.rate = rate
        self._rates.append((now, rate))
        while len(self._rates) > 200:
            self._rates.popleft()
        self._next = now + self.gap

    def _raise_rate(self, now: float) -> None:
        factor = self._climb.factor(now)
        if factor > 1:
            due = self._next
            self._set_rate(now, self.rate * factor)
            self._next = min(due, self._next)


@define(eq=False)
class _Climb:
    """When to try a higher rate, in which steps: slowly where the rate was counted well, else quickly."""

    accepted: int = 0  # calls since the last contact
    step: float = 0.0
    _at: float = inf
    _every: float = 1.0  # seconds between steps
    _needed: int = 0  # accepted calls that must have paid for the last contact
    _begun: float = inf
    _steps: int = 0
    _before_doubling: int = 3
    _largest: float = 0.2
    _strong: bool = False
    _hold: float = 4.0
    _wall: float = inf  # the last rate that was counted well

    def plan(
        self,
        now: float,
        rate: float,
        *,
        strong: bool,
        contact: _Contact,
        paused: float,
        horizon: float,
        target: float,
    ) -> None:
        """Set when to climb after a contact; `target` is a rate that is probably fine."""
        self.accepted = 0
        self._steps = 0
        self._strong = strong
        if strong:
            self._hold = min(2 * self._hold, 16.0) if abs(rate / self._wall - 1) < 0.06 else 4.0
            self._wall = rate
            self._every = max(horizon, 3 * paused, 20 / rate)
            self._needed = 150 * contact.rejected
            self.step, self._largest, self._before_doubling = 0.015, 0.2, 3
            self._at = now + self._hold * self._every
        else:
            self._every = max(1.6 * paused if contact.told else 0.4 * horizon, 10 / rate)
            self._needed = 0
            self.step = min(0.5, max(0.03, (target / rate) ** 0.2 - 1))
            self._largest, self._before_doubling = 0.4, 5
            self._at = now + self._every
        self._begun = self._at

    def was_long(self, now: float) -> bool:
        """Tell whether a climb after a weak count has gone on for more than two steps."""
        return not self._strong and now - self._begun > 2 * self._every

    def factor(self, now: float) -> float:
        """Give the factor by which to try more now; 1 when it is not the time."""
        if now < self._at or self.accepted < self._needed:
            return 1.0
        self._at = now + self._every
        self._steps += 1
        if self._steps > self._before_doubling:
            self.step = min(self._largest, 2 * self.step)
        return 1 + self.step
