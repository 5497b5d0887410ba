"""The machine that decides. Pure: no I/O, no clock, no chance of its own; time and dice are passed in.

It joins the lanes (who waits), a pace (when a turn is due), the gate (the pause after a 429) and the record
of turns. Its whole state is one small value, which `value` writes and reads, so a shell asks it the same
questions whether the state lives in the process or elsewhere: a caller joins, a turn is due, it is taken, and
its answer comes.
"""

from collections.abc import Iterable
from math import inf

from attrs import define, field

from helpcrunch_async.rate_limit.cells import TICKS, Cells, Grant
from helpcrunch_async.rate_limit.gate import PATIENCE, Gate, Rejection, State
from helpcrunch_async.rate_limit.known_limit import CELLS_PER_PERIOD, KnownLimit
from helpcrunch_async.rate_limit.line import Lanes, Priority
from helpcrunch_async.rate_limit.pace import Pace, RoundTrip
from helpcrunch_async.rate_limit.unknown_limit import GRID, UnknownLimit


@define(eq=False)
class Machine:
    """All that is known of an account's budget.

    Invariants: of the turns taken while the gate is closed at most one (the probe) is under way, and none is
    taken before the gate's deadline; no window of a known limit holds more turns than the limit.
    """

    period: float  # seconds; with an unknown limit only the measure of patience
    pace: Pace
    cells: Cells
    round_trip: RoundTrip
    gate: Gate = field(factory=Gate)
    lanes: Lanes = field(factory=Lanes)
    granted: int = 0  # turns so far

    @classmethod
    def with_limit(
        cls, limit: int, period: float, burst: int | None = None, *, sent: Iterable[float] = ()
    ) -> "Machine":
        """Make the machine of a known limit.

        Args:
            limit: calls per period.
            period: seconds.
            burst: the largest burst of a quiet client; `limit` when None.
            sent: when turns were taken that it has to count, in this order; seconds.
        """
        cells, round_trip = Cells(period / CELLS_PER_PERIOD), RoundTrip()
        pace = KnownLimit.begin(limit, period, limit if burst is None else burst, cells, round_trip)
        for at in sent:
            pace.recall(at)
        return cls(period, pace, cells, round_trip)

    @classmethod
    def without_limit(cls, period: float) -> "Machine":
        """Make the machine that finds the limit out."""
        cells, round_trip = Cells(GRID), RoundTrip()
        return cls(period, UnknownLimit.begin(cells, round_trip), cells, round_trip)

    def join(self, now: float, lane: Priority, expected: int = 1) -> None:
        """Count a caller that waits from now on, whose job still has `expected` calls, this one included."""
        gate, lanes = self.gate, self.lanes
        if not lanes.interactive and not lanes.bulk:
            self.pace.earn_credit(now)
            if gate.state is State.PAUSED and now > gate.until + self.period:
                gate.restart_patience(now)
        lanes.join(lane, expected)

    def leave(self, lane: Priority) -> None:
        """Count a caller less: it gave up."""
        self.lanes.leave(lane)

    def due(self, now: float, room: int) -> tuple[Priority, float]:
        """Return which lane has the next turn, and when: `now` or earlier is at once, inf takes an answer.

        `room` is how many more calls the process may have on the wire for what is not due yet.
        """
        gate = self.gate
        if gate.state is State.OPEN:
            return self.pace.due(now, self.lanes, room)
        if gate.state is State.PROBING:
            return self.lanes.next(), inf
        return self.lanes.next(), max(gate.until, self.pace.window_frees(now))

    def take(self, now: float, lane: Priority) -> Grant:
        """Take a turn that is due for a caller of a lane; with the gate closed it is the probe."""
        gate = self.gate
        is_probe = gate.state is not State.OPEN
        self.lanes.take(lane)
        at = int(now * TICKS) / TICKS
        depth = self.pace.take(at, lane, self.lanes, probe=is_probe)
        self.granted += 1
        if is_probe:
            gate.begin_probe(self.granted)
        return Grant(self.granted, at, depth, self.cells.note(at, depth), gate.epoch)

    def accepted(self, now: float, grant: Grant) -> None:
        """Take in an answer that is not a 429: of the probe, it opens the gate."""
        gate = self.gate
        self.round_trip.measure(now - grant.at)
        self.cells.accept(grant.cell)
        self.pace.answered(self.lanes, accepted=gate.state is State.OPEN)
        if gate.is_probe(grant.number):
            self.pace.reopened(grant.at, gate.open())

    def rejected(self, now: float, grant: Grant, retry_after: float | None, dice: float) -> None:
        """Take in a 429: the gate closes, or stays closed for longer.

        `retry_after` is in seconds, `dice` in [0, 1), for the jitter of pauses.
        """
        gate, at, depth = self.gate, grant.at, grant.depth
        self.round_trip.measure(now - at)
        self.pace.answered(self.lanes, accepted=False)
        if gate.rejection is None:
            if grant.epoch != gate.epoch:
                return  # it speaks of a time before the gate was last opened
            # Turns that are taken together may pass one another on the wire, and the last to arrive is
            # rejected: the deepest of them is to blame.
            deepest = max(depth, self.cells.deepest(at))
            rejection = Rejection(at, at, retry_after is not None, deepest)
            gate.close(now, rejection, self.pace.backoff(now, at))
        else:
            is_probe = gate.is_probe(grant.number)
            gate.rejection.add(at, depth, probe=is_probe)
            if not is_probe:
                if retry_after is not None and gate.state is State.PAUSED:
                    gate.postpone(now + retry_after)
                return
        gate.pause(now, retry_after, dice)

    def pause(self, now: float, until: float) -> None:
        """Close an open gate until then, as a 429 that another machine has met says."""
        self.gate.close(now, Rejection(now, now, False, 0.0), self.pace.backoff(now, now))
        self.gate.postpone(until)

    def lost(self, grant: Grant) -> None:
        """Take in that no answer came, or none that tells: the next caller takes the part of a lost probe."""
        if self.gate.is_probe(grant.number):
            self.gate.lose_probe()

    def forget_callers(self) -> None:
        """Drop the callers that waited or were on the wire; what they have sent still counts."""
        self.lanes = Lanes()
        if self.gate.state is State.PROBING:
            self.gate.lose_probe()

    def paused_for(self, now: float) -> float:
        """Return the seconds until a probe may go; 0 when the gate is open."""
        return 0.0 if self.gate.state is State.OPEN else max(0.0, self.gate.until - now)

    def patience_ends(self) -> float:
        """Return when callers are to be refused: the gate is closed for too long; inf while one probes."""
        if self.gate.state is State.PROBING:
            return inf
        return self.gate.patience_since + PATIENCE * self.period

    def expected_wait(self, now: float, lane: Priority, ahead: int, width: float) -> float:
        """Estimate how long a caller waits behind `ahead` others; seconds.

        `width` is how many calls of a burst are on the wire at a time.
        """
        if self.gate.state is State.OPEN:
            return self.pace.expected_wait(now, self.lanes, lane, ahead, width)
        return max(0.0, self.gate.until - now) + self.round_trip.mean + ahead * self.pace.gap
