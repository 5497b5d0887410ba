"""What one process knows of the shared budget: its own line, the turns in its hand, what goes on elsewhere.

No I/O, no timers, the time always passed in. While Redis cannot be asked it becomes a plain schedule that
keeps to this process' share of the limit.
"""

import secrets
from collections.abc import Callable, Hashable, Iterator
from math import inf
from typing import Final

from attrs import define

from helpcrunch_async.rate_limit import PRIORITIES, Priority
from helpcrunch_async.rate_limit.cells import Grant
from helpcrunch_async.rate_limit.gate import PATIENCE
from helpcrunch_async.rate_limit.line import Lanes, Place
from helpcrunch_async.rate_limit.machine import Machine
from helpcrunch_async.rate_limit.pace import RoundTrip
from helpcrunch_async.rate_limit.schedule import Schedule
from helpcrunch_async.rate_limit.wire import FIRST_WIDTH
from helpcrunch_async.redis_limit.ledger import Lease, Ledger
from helpcrunch_async.redis_limit.messages import Answer, Question, Waiting


@define(eq=False)
class _SharedGate:
    """What Redis said last of the gate, by the clock of this process."""

    closed: bool = False
    until: float = 0.0
    closed_at: float = inf

    def open(self) -> None:
        self.closed, self.closed_at = False, inf

    def close(self, until: float, closed_at: float) -> None:
        self.closed, self.until, self.closed_at = True, until, closed_at


class SharedSchedule(Schedule):
    """Hands out the turns that Redis grants to the callers of this process, first come first served.

    Args:
        limit: calls per period, of all processes.
        period: seconds.
        share: calls per period of this process while it is alone.
        random: gives floats in [0, 1), for the jitter of pauses.
    """

    def __init__(self, limit: int, period: float, share: int, random: Callable[[], float]) -> None:
        super().__init__(Machine.with_limit(share, period), width=FIRST_WIDTH, random=random)
        # told again, because type checkers may infer otherwise what a subclass assigns
        self.machine: Machine
        self.wake: float | None
        self.granted: int
        self.rejections: int
        self.process: Final = secrets.token_hex(4)
        self.limit = limit
        self.period = period
        self.share = share
        self.alone: bool = False  # Redis cannot be asked
        self.probe: Place | None = None  # the caller of this process that probes for all, if one does
        self.ledger: Final = Ledger(period)
        self._gate = _SharedGate()
        self._round_trip = RoundTrip()
        self._last: Answer | None = None
        self._last_at = 0.0
        self._in_hand: dict[Priority, list[Lease]] = {priority: [] for priority in PRIORITIES}
        self._latest: dict[Priority, float] = dict.fromkeys(PRIORITIES, 0.0)  # when the last caller came

    @property
    def rate(self) -> float:
        """Turns per second of all processes that are believed to be sustainable; alone, of this one."""
        if self.alone:
            return self.machine.pace.rate
        return self.limit / self.period if self._last is None else self._last.calls / self._last.period

    @property
    def has_news(self) -> bool:
        """Whether something is to be said soon, even if nobody waits."""
        return self.ledger.has_news

    @property
    def has_questions(self) -> bool:
        """Whether Redis is to be asked: somebody waits, or there is news, or a probe to be held."""
        return self.line.total > 0 or self.has_news or self.probe is not None

    @property
    def goes_on(self) -> bool:
        """Whether more callers may go, ahead of the pace, as soon as others are through."""
        return self.line.total > 0 and self._last is not None and self._last.more and self._room() > 0

    def paused_for(self, now: float) -> float:
        """Return the seconds until a probe may go; 0 when the gate is open."""
        if self.alone:
            return super().paused_for(now)
        return max(0.0, self._gate.until - now) if self._gate.closed else 0.0

    def admit(self, now: float, priority: Priority, flow: Hashable = None, expected: int = 1) -> Place | None:
        """Give a turn without standing in line: only a process that is alone can tell."""
        return super().admit(now, priority, flow, expected) if self.alone else None

    def join(self, now: float, place: Place, expected: int = 1) -> None:
        """Wait for a turn, or for another one."""
        gate = self._gate
        if gate.closed and not self.line.total and now > gate.until + self.period:
            gate.close(gate.until, now)  # nobody asked for long: nobody's patience has been tried
        super().join(now, place, expected)
        self._latest[place.priority] = max(self._latest[place.priority], place.since)

    def grants(self, now: float) -> Iterator[Place]:
        """Hand out the turns in hand; what nobody wants any more is given back."""
        if self.alone:
            yield from super().grants(now)
            return
        self.wake = None
        for priority, leases in self._in_hand.items():
            while leases and self.line.waiting(priority):
                place = self.line.take(priority)
                self.machine.leave(priority)
                if place.waiter is not None and place.waiter.cancelled():
                    continue  # in this very instant; the turn is the next one's
                lease = leases.pop(0)
                place.use(lease)
                if lease.probe:
                    self.probe = place
                self.wire.sent()
                self.granted += 1
                self.last_granted = now
                self.ledger.took_turn(now)
                yield place
            self.ledger.returned(leases)
            leases.clear()

    def put_back(self, place: Place) -> None:
        """Take a turn back that was granted, but cannot have been used."""
        lease = place.grant
        if self.alone or not isinstance(lease, Lease):
            self.lost(place)
            return
        self._finish(place)
        self.granted -= 1
        self.ledger.sent.pop()
        self._in_hand[place.priority].insert(0, lease)
        if self.probe is place:
            self.probe = None

    def _grant(self, now: float, place: Place) -> None:
        super()._grant(now, place)
        self.ledger.took_turn(now)

    def accepted(self, now: float, place: Place) -> None:
        """Note an answer that is not a rejection; of a probe it opens the gate for all processes."""
        lease = place.grant
        assert lease is not None
        self._round_trip.measure(now - lease.at)
        if not isinstance(lease, Lease):
            super().accepted(now, place)
            return
        self._finish(place)
        if self.line.total:
            self.wire.widen()
        if lease.state == self._state:
            self.ledger.accepted(lease)
        if place is self.probe:
            self.ledger.probe, self.probe = "accepted", None
            self._gate.open()

    def rejected(self, now: float, place: Place, retry_after: float | None) -> None:
        """Note a rejection, which pauses all processes."""
        grant = self._finish(place)
        self._round_trip.measure(now - grant.at)
        self.rejections += 1
        if grant.is_ahead:
            self.wire.narrow()
        if self.alone:
            if isinstance(grant, Lease):  # Redis counted it; here it is the news of a pause
                grant = Grant(0, grant.at, grant.depth, 0, self.machine.gate.epoch)
            self.machine.rejected(now, grant, retry_after, self._random())
            return
        probe = place is self.probe
        self.ledger.rejected(grant, retry_after, state=self._state, probe=probe)
        if probe:
            self.probe = None

    def lost(self, place: Place) -> None:
        """Note that no answer came; a lost probe hands its part to whoever is next, in any process."""
        if place is self.probe:
            self.ledger.probe, self.probe = "lost", None
        super().lost(place)

    @property
    def _state(self) -> str | None:
        return None if self._last is None else self._last.state[0]

    def _room(self) -> int:
        return max(self.wire.room, int(not self.wire.in_flight))

    def question(self, now: float) -> Question:
        """Put the next question, or the last one again as long as it was not answered."""
        ledger, last = self.ledger, self._last
        reports = ledger.report(holds_probe=self.probe is not None)
        history = None
        if ledger.unsure:
            calls = self.limit if last is None else last.calls
            history = ledger.history(now, calls, self.paused_for(now))
        return Question(
            process=self.process,
            number=ledger.number,
            state=None if last is None else last.state,
            limit=self.limit,
            period=self.period,
            waiting=self._waiting(now),
            room=self._room(),
            jitter=2 * self._round_trip.deviation,
            round_trip=self._round_trip.mean,
            dice=self._random(),
            reports=reports,
            history=history,
        )

    def _waiting(self, now: float) -> dict[Priority, Waiting]:
        waiting = {}
        for priority in PRIORITIES:
            first = self.line.first(priority)
            if first is not None:
                last = max(first.since, self._latest[priority])
                waiting[priority] = Waiting(self.line.waiting(priority), now - first.since, now - last)
        return waiting

    def learn(self, now: float, answer: Answer) -> None:
        """Take in an answer: the turns it brings, and what is going on elsewhere."""
        self.alone = False
        self.ledger.was_heard()
        self._last, self._last_at = answer, now
        if answer.paused is None:
            self._gate.open()
        else:
            self._gate.close(now + answer.paused, now - answer.closed_for)
        for granted in answer.granted:
            self._in_hand[granted.priority] += [
                Lease(
                    0,
                    now,
                    granted.depth + turn,
                    cell=granted.cell,
                    epoch=answer.epoch,
                    state=answer.state[0],
                    probe=granted.probe,
                )
                for turn in range(granted.turns)
            ]

    def go_alone(self, now: float) -> None:
        """Keep to the share of this process from now on, until Redis answers again."""
        self.ledger.unsure = True
        if self.alone:
            return
        self.alone = True
        learnt = 1.0 if self._last is None else self._last.calls / self._last.limit
        share = max(1, round(self.share * min(1.0, learnt)))
        self.machine = Machine.with_limit(share, self.period, sent=list(self.ledger.sent)[-share:])
        for priority in PRIORITIES:
            for _ in range(self.line.waiting(priority)):
                self.machine.join(now, priority)
        if self._gate.closed:  # what is known of the pause holds; then one call of this process probes
            self.machine.pause(now, self._gate.until)

    def forget_callers(self) -> None:
        """Drop whoever waited or was on the wire: their event loop is gone."""
        for leases in self._in_hand.values():
            self.ledger.returned(leases)
            leases.clear()
        if self.probe is not None:
            self.ledger.probe, self.probe = "lost", None
        super().forget_callers()

    def patience_ends(self) -> float:
        """Tell when a closed gate has been so for too long; not while a probe of any process is out."""
        if self.alone:
            return super().patience_ends()
        probing = self.probe is not None or (self._last is not None and self._last.probing)
        return inf if probing else self._gate.closed_at + PATIENCE * self.period

    def expected_wait(self, now: float, place: Place) -> float:
        """Estimate the seconds that a place will stand in line, by what Redis said last."""
        answer, line = self._last, self.line
        if self.alone:
            return super().expected_wait(now, place)
        if answer is None or (self._last_at < place.since and line.waiting(place.priority) == 1):
            return 0.0  # Redis is being asked
        lanes = Lanes(*(line.waiting(priority) + answer.others[priority] for priority in PRIORITIES))
        ahead = 0 if place.returning else lanes.ahead_of_last(place.priority)
        if self._gate.closed:
            return self.paused_for(now) + self._round_trip.mean + ahead * answer.gap
        if answer.more:
            return ahead / self.wire.width * self._round_trip.mean
        return max(0.0, self._last_at + answer.next - now) + ahead * answer.gap
