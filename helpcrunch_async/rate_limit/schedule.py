"""The callers of one process, and the machine that decides. No I/O, no timers, the time is passed in."""

from collections.abc import Callable, Hashable, Iterator
from math import inf

from helpcrunch_async.rate_limit.cells import Grant
from helpcrunch_async.rate_limit.line import Line, Place, Priority
from helpcrunch_async.rate_limit.machine import Machine
from helpcrunch_async.rate_limit.pace import INSTANT
from helpcrunch_async.rate_limit.wire import Wire


class Schedule:
    """Says which caller may go and when. `wake` is when to ask again; None when only an event can change it.

    `random` gives floats in [0, 1), for the jitter of pauses.
    """

    def __init__(self, machine: Machine, *, width: float, random: Callable[[], float]) -> None:
        self.machine: Machine = machine
        self.line: Line = Line()
        self.wire: Wire = Wire(width)
        self.wake: float | None = None
        self.granted: int = 0
        self.rejections: int = 0
        self.last_granted: float = -inf
        self._random = random
        self._arrivals = 0
        self._generation = 0

    def admit(self, now: float, priority: Priority, flow: Hashable = None, expected: int = 1) -> Place | None:
        """Give a newcomer its turn at once, without standing in line, if no caller waits and one may go."""
        if self.line.total:
            return None
        machine = self.machine
        machine.join(now, priority, expected)
        if machine.due(now, self.wire.room)[1] > now + INSTANT:
            machine.leave(priority)
            return None
        place = self._new_place(now, priority, flow)
        self._grant(now, place)
        return place

    def arrive(self, now: float, priority: Priority, flow: Hashable = None, expected: int = 1) -> Place:
        """Take a new place at the end of a flow, for a job that still has `expected` calls."""
        place = self._new_place(now, priority, flow)
        self.join(now, place, expected)
        return place

    def _new_place(self, now: float, priority: Priority, flow: Hashable) -> Place:
        self._arrivals += 1
        return Place(self._arrivals, priority, flow, self._generation, now)

    def join(self, now: float, place: Place, expected: int = 1) -> None:
        """Wait for a turn, or for another one, at the place's spot in its lane."""
        self.machine.join(now, place.priority, expected)
        self.line.join(place)

    def leave(self, place: Place) -> None:
        """Stop waiting."""
        self.machine.leave(place.priority)
        self.line.leave(place)

    def grants(self, now: float) -> Iterator[Place]:
        """Grant all the turns that are due."""
        self.wake = None
        line, machine, wire = self.line, self.machine, self.wire
        while line.total:
            priority, due = machine.due(now, wire.room)
            if due > now + INSTANT:
                self.wake = due if due < inf else None
                return
            place = line.take(priority)
            self._grant(now, place)
            yield place

    def _grant(self, now: float, place: Place) -> None:
        place.use(self.machine.take(now, place.priority))
        self.wire.sent()
        self.granted += 1
        self.last_granted = now

    def accepted(self, now: float, place: Place) -> None:
        """Take in an answer that is not a 429."""
        self.machine.accepted(now, self._finish(place))
        if self.line.total:
            self.wire.widen()

    def rejected(self, now: float, place: Place, retry_after: float | None) -> None:
        """Take in a 429."""
        grant = self._finish(place)
        self.rejections += 1
        if grant.is_ahead:
            self.wire.narrow()
        self.machine.rejected(now, grant, retry_after, self._random())

    def lost(self, place: Place) -> None:
        """Take in that no answer came, or none that tells."""
        self.machine.lost(self._finish(place))

    def _finish(self, place: Place) -> Grant:
        if place.generation == self._generation:
            self.wire.answered()
        return place.finish()

    @property
    def rate(self) -> float:
        """Turns per second that are believed to be sustainable."""
        return self.machine.pace.rate

    def paused_for(self, now: float) -> float:
        """Return the seconds until a probe may go; 0 when the gate is open."""
        return self.machine.paused_for(now)

    def is_busy(self) -> bool:
        """Return whether a caller waits or uses a turn."""
        return self.line.total > 0 or self.wire.in_flight > 0

    def forget_callers(self) -> None:
        """Drop the callers that waited or were on the wire: their event loop is gone."""
        self._generation += 1
        self.line = Line()
        self.wire = Wire(self.wire.width)
        self.wake = None
        self.machine.forget_callers()

    def patience_ends(self) -> float:
        """Return when callers are to be refused, because nothing has got through for too long."""
        return self.machine.patience_ends()

    def expected_wait(self, now: float, place: Place) -> float:
        """Estimate the seconds that a place will stand in line; one that came back is at the head."""
        machine, lane, ahead = self.machine, place.priority, 0
        if not place.returning:
            ahead = machine.lanes.ahead_of(lane, self.line.before_last(lane, place.flow))
        return machine.expected_wait(now, lane, ahead, self.wire.width)
