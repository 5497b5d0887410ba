"""The pace of a client that knows its limit: even, just under the true rate, with lumps for the quiet.

Pacing evenly a little under the true rate is accepted by every kind of server window, and every window's
sustained rate is one number. So: pace by default; let a lump out only if the job is no larger than the
budget; keep one hard window; and correct that one number by counting what was accepted (`lesson.py`).
"""

from collections import deque
from math import ceil
from typing import Final

from helpcrunch_async.rate_limit.lesson import Contact, Lesson
from helpcrunch_async.rate_limit.line import Grant, Line, Priority
from helpcrunch_async.rate_limit.pace import INSTANT, RoundTrip

_MARGIN: Final = 0.0025  # of the period: clocks and schedulers are not exact
_EARLY: Final = 0.005  # seconds a paced turn may go before it is due, for the same reason
_FIRST_WIDTH: Final = 4.0  # lumped calls in flight at first, so that a rejection finds few others
_WIDEST: Final = 100.0
_FIRST_PAUSE: Final = 4.0  # gaps; a first probe after one gap is rejected more often than not
_LONGEST_PAUSE: Final = 4.0  # windows
_LUMP_CUT: Final = 0.7  # of the lump that was accepted, after one was too large
_TOO_DEEP: Final = 0.5  # turns ahead of the even pace: a rejection this deep blames the lump


class ToldPace:
    """At most `limit` turns in any window of `period` seconds; lumps of at most `burst`."""

    pause_growth: float = 4.0  # from half a second to a minute in four probes rather than eight

    def __init__(self, limit: int, period: float, burst: float) -> None:
        self.limit = limit
        self.period = period
        self.most = burst  # the largest lump that was allowed
        self.calls: float = limit  # per period: what is believed to be sustainable, at most `limit`
        self.burst: float = burst  # the largest lump believed to be accepted, at most `most`
        self.round_trip: RoundTrip = RoundTrip()
        self._period_with_margin = period * (1 + _MARGIN) + 0.005
        self._credit = burst  # turns that may still go ahead of the even pace
        self._next = 0.0  # when the next paced turn is due
        self._sent: deque[float] = deque()  # turns of the last window
        self._earned_at = 0.0
        self._width = _FIRST_WIDTH
        self._lesson = Lesson(period)
        self._set_calls(self.calls)

    @property
    def rate(self) -> float:
        """Turns per second that are believed to be sustainable."""
        return self.calls / self.period

    @property
    def first_pause(self) -> float:
        """Seconds of the first pause without Retry-After: some turns' worth, as the rate is in doubt."""
        return max(_FIRST_PAUSE * self.gap, self.round_trip.mean)

    @property
    def longest_pause(self) -> float:
        """Seconds that a pause without Retry-After never passes."""
        return _LONGEST_PAUSE * self.window

    def _set_calls(self, calls: float) -> None:
        """Set what is believed to be sustainable, and the figures that follow from it.

        The even pace is for one call less, for windows that count the call they judge.
        """
        self.calls = calls
        self._most_sent = min(self.limit, ceil(calls))
        self._paced = calls - min(1.0, calls / 50)
        self._allow_for_jitter()

    def _allow_for_jitter(self) -> None:
        """Set the window, and the gap between paced turns: the server sees arrivals, not departures."""
        self.window: float = self._period_with_margin + 2 * self.round_trip.deviation
        self.gap: float = self.window / self._paced

    def answered(self, seconds: float) -> None:
        """Measure a round trip."""
        self.round_trip.measure(seconds)
        self._allow_for_jitter()

    def joined(self, now: float, line: Line) -> None:
        """Climb if it is time, and earn credit for the time in which nobody waited.

        Were it earned while someone waits, the stall behind a full window would refill it, and a second
        lump would leave one period after the first.
        """
        if now >= self._lesson.climb_at:
            self._climb(now)
        if not line.total:
            self._credit = min(self.burst, self._credit + (now - self._earned_at) / self.gap)
            self._earned_at = now

    def due(self, now: float, line: Line, in_flight: int) -> tuple[Priority, float]:
        """Pace by default; let some go ahead of it while the whole job is within the budget."""
        if now >= self._lesson.climb_at:
            self._climb(now)
        priority = line.next_priority()
        window_frees = self.probe_due(now)
        if window_frees > now + INSTANT:
            return priority, window_frees
        if self._is_due(now):
            return priority, now
        ahead: Priority = "interactive" if line.waiting("interactive") else "bulk"
        if self._may_lump(ahead, line.waiting(ahead), in_flight):
            return ahead, now
        return priority, self._next

    def admits(self, now: float, priority: Priority, lump: int, in_flight: int) -> bool:
        """Let one go that is due, or that may go ahead of its turn with a lump."""
        if self.probe_due(now) > now + INSTANT:
            return False
        return self._is_due(now) or self._may_lump(priority, lump, in_flight)

    def _is_due(self, now: float) -> bool:
        return now >= self._next - _EARLY - INSTANT

    def _may_lump(self, priority: Priority, lump: int, in_flight: int) -> bool:
        return self._fits(priority, lump) and in_flight < int(self._width)

    def _fits(self, priority: Priority, lump: int) -> bool:
        # As much goes ahead as there is credit for, the rest evenly after it. But if the work exceeds the
        # budget, somebody waits a period anyway: a lump would gain no throughput, starve the calls that come
        # meanwhile and make the first rejection find many others on the wire.
        # Bulk work, of which a stream shows only a little at a time, leaves half of the budget in any case.
        budget = self.calls if priority == "interactive" else self.calls / 2
        return self._credit >= 1 and lump + len(self._sent) <= budget

    def expected_wait(self, now: float, line: Line, priority: Priority, ahead: int) -> float:
        """Estimate the wait: some round trips for a lump, else one gap a turn."""
        fits = ahead < self._credit and self._fits(priority, line.waiting(priority))
        if fits and self.probe_due(now) <= now:
            return ahead / self._width * self.round_trip.mean
        return max(self._next, self.probe_due(now)) - now + ahead * self.gap

    def probe_due(self, now: float) -> float:
        """Give the moment at which the hard window has room; `now` when it has."""
        sent, window = self._sent, self.window
        while sent and sent[0] <= now - window:
            sent.popleft()
        if len(sent) < self._most_sent:
            return now
        return max(now, sent[-self._most_sent] + window)

    def grant(self, now: float, line: Line, *, probe: bool) -> Grant:
        """Take a turn off the hard window, the even pace and the credit.

        Going ahead costs credit, and so does a paced turn while others wait: a client that has been
        working at full pace is not a quiet one, and its last calls gain nothing by going ahead.
        """
        gap = self.gap
        pressed = now <= self._next + gap
        grant = Grant(now, depth=max(0.0, self._next - _EARLY - now) / gap)
        if line.total or not (probe or self._is_due(now)):
            self._credit = max(0.0, self._credit - 1)
        self._next = max(self._next, now - _EARLY) + gap
        self._earned_at = now
        self._sent.append(now)
        self._lesson.granted(grant, probe=probe, pressed=pressed)
        return grant

    def accepted(self, line: Line) -> None:
        """Widen what may be lumped at once, by one a round trip, while somebody waits."""
        self._lesson.accepted += 1
        if self._width < _WIDEST and line.total:
            self._width += 1 / self._width

    def is_stale(self, grant: Grant) -> bool:
        """Tell whether a rejection speaks of a time before the gate was last opened."""
        return grant.at < self._lesson.reopened

    def contact(self, grant: Grant, *, now: float, retry_after: float | None) -> float:
        """Begin a contact; every kind of window lets a slot go one window after its oldest accepted call."""
        oldest = self._lesson.contact_begins(grant, told=retry_after is not None)
        return (now if oldest is None else oldest) + self.window

    def rejected(self, grant: Grant, *, probe: bool) -> None:
        """Count a further rejection of this contact."""
        self._lesson.contact_continues(grant, probe=probe)

    def reopened(self, probe: Grant) -> None:
        """Blame the lump or the rate for the contact that has ended, and correct it."""
        lesson = self._lesson
        contact: Contact = lesson.contact_ends(probe)
        lumped = contact.deepest >= _TOO_DEEP
        if lumped:
            self.burst = max(1.0, _LUMP_CUT * (contact.deepest - contact.rejected + 1))
            self._credit = 0.0
            self._width = _FIRST_WIDTH
        if not lumped or contact.again:
            self._set_calls(max(1.0, lesson.corrected(self.calls, contact)))
        lesson.plan_climb(self.calls, contact, probe)

    def _climb(self, now: float) -> None:
        """Try a little more, lazily, after a while without rejections; never more than was told."""
        factor = self._lesson.climb(now)
        if factor > 1:
            self._set_calls(min(float(self.limit), self.calls * factor))
            self.burst = min(self.most, self.burst * factor)
            if self.calls >= self.limit and self.burst >= self.most:
                self._lesson.end_climb()
