"""The schedule: line, gate and pace together. No I/O, no timers, the time always passed in."""

from collections.abc import Callable, Iterator
from math import inf

from helpcrunch_async.rate_limit.gate import PATIENCE, Gate
from helpcrunch_async.rate_limit.line import (
    INTERACTIVE_TURNS_PER_BULK_TURN,
    Grant,
    Line,
    Place,
    Priority,
)
from helpcrunch_async.rate_limit.pace import INSTANT, Pace


class Schedule:
    """Says who may go and when. `wake` is when to ask again; None when only an event can change it.

    Invariants: whoever waits is granted a turn, leaves, or is refused; of the turns granted while the gate
    is closed at most one (the probe) is out, and none is granted before the gate's deadline.
    """

    def __init__(self, pace: Pace, *, period: float, random: Callable[[], float]) -> None:
        self.pace: Pace = pace
        self.period = period
        self.line: Line = Line()
        self.gate: Gate = Gate(random)
        self.wake: float | None = None
        self.in_flight: int = 0
        self.granted: int = 0
        self.rejections: int = 0
        self.last_granted: float = -inf
        self._arrivals = 0
        self._generation = 0

    def arrive(self, now: float, priority: Priority) -> Place:
        """Take a new place at the end of a lane."""
        gate = self.gate
        if gate.closed and gate.probe is None and now > gate.until + self.period and not self.is_busy():
            gate.closed_at = now  # nobody asked for long: nobody's patience has been tried
        place = self._new_place(now, priority)
        self.join(now, place)
        return place

    def _new_place(self, now: float, priority: Priority) -> Place:
        self._arrivals += 1
        return Place(self._arrivals, priority, self._generation, now)

    def admit(self, now: float, priority: Priority) -> Place | None:
        """Give a newcomer its turn at once, without standing in line, if nobody waits and one may go."""
        if self.line.total or self.gate.closed:
            return None
        self.pace.joined(now, self.line)
        if not self.pace.admits(now, priority, 1, self.in_flight):
            return None
        place = self._new_place(now, priority)
        self._grant(now, place)
        return place

    def join(self, now: float, place: Place) -> None:
        """Wait for a turn, or for another one, at the place's spot in its lane."""
        self.pace.joined(now, self.line)
        self.line.join(place)

    def grants(self, now: float) -> Iterator[Place]:
        """Grant all the turns that are due."""
        self.wake = None
        line, gate, pace = self.line, self.gate, self.pace
        while line:
            if gate.closed:
                priority, due = line.next_priority(), max(gate.probe_due(), pace.probe_due(now))
            else:
                priority, due = pace.due(now, line, self.in_flight)
            if due > now + INSTANT:
                self.wake = due if due < inf else None
                return
            place = line.take(priority)
            self._grant(now, place)
            yield place

    def _grant(self, now: float, place: Place) -> None:
        gate = self.gate
        place.grant = self.pace.grant(now, self.line, probe=gate.closed)
        if gate.closed:
            gate.probe = place
        self.in_flight += 1
        self.granted += 1
        self.last_granted = now

    def accepted(self, now: float, place: Place) -> None:
        """Note an answer that is not a rejection: of a probe, it opens the gate."""
        grant = self._finish(place)
        grant.accepted = True
        self.pace.answered(now - grant.at)
        self.pace.accepted(self.line)
        if place is self.gate.probe:
            self.gate.open()
            self.pace.reopened(grant)

    def rejected(self, now: float, place: Place, retry_after: float | None) -> None:
        """Note a rejection: the gate closes, or stays closed for longer."""
        gate, pace = self.gate, self.pace
        grant = self._finish(place)
        grant.accepted = False
        pace.answered(now - grant.at)
        self.rejections += 1
        if gate.closed:
            pace.rejected(grant, probe=place is gate.probe)
            if place is not gate.probe:
                if retry_after is not None and gate.probe is None:
                    gate.postpone(now + retry_after)
                return
        elif pace.is_stale(grant):
            return
        else:
            edge = pace.contact(grant, now=now, retry_after=retry_after)
            gate.close(now, back=pace.first_pause, growth=pace.pause_growth, edge=edge)
        gate.pause(now, retry_after, gap=pace.gap, longest=pace.longest_pause)

    def lost(self, place: Place) -> None:
        """Note that no answer came, or none that tells: a lost probe hands its part to the next in line."""
        self._finish(place)
        if place is self.gate.probe:
            self.gate.probe = None

    def _finish(self, place: Place) -> Grant:
        grant, place.grant = place.grant, None
        assert grant is not None
        if place.generation == self._generation:
            self.in_flight -= 1
        return grant

    def is_busy(self) -> bool:
        """Tell whether somebody waits or uses a turn."""
        return bool(self.line) or self.in_flight > 0

    def forget_callers(self) -> None:
        """Drop whoever waited or was on the wire: their event loop is gone."""
        self._generation += 1
        self.line = Line()
        self.in_flight = 0
        self.gate.probe = None
        self.wake = None

    def patience_ends(self) -> float:
        """Tell when a closed gate has been so for too long, and callers are told; inf when open."""
        return self.gate.closed_at + PATIENCE * self.period

    def expected_wait(self, now: float, place: Place) -> float:
        """Estimate the seconds that a place will stand in line; one that came back is at the head."""
        line, gate, pace = self.line, self.gate, self.pace
        ahead = places_ahead(place, line.waiting("interactive"), line.waiting("bulk"))
        if gate.closed:
            return max(0.0, gate.until - now) + pace.round_trip.mean + ahead * pace.gap
        return pace.expected_wait(now, line, place.priority, ahead)


def places_ahead(place: Place, interactive: int, bulk: int) -> int:
    """Count who goes before a place that is the last of its lane, or at the head if it came back.

    `interactive` and `bulk` are those who wait, the place included.
    """
    if place.returning:
        return 0
    if place.priority == "interactive":
        ahead = interactive - 1
        return ahead + min(bulk, ahead // INTERACTIVE_TURNS_PER_BULK_TURN)
    ahead = bulk - 1
    return ahead + min(interactive, (ahead + 1) * INTERACTIVE_TURNS_PER_BULK_TURN)
