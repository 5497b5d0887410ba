"""What one process knows of the shared budget: its own line, the turns in its hand, what goes on elsewhere.

No I/O, no timers, the time always passed in. While Redis cannot be asked it becomes a plain schedule that
keeps to this process' share of the limit.
"""

import secrets
from collections.abc import Callable, Iterable, Iterator
from math import inf
from typing import Final

from helpcrunch_async.rate_limit import PRIORITIES, Priority
from helpcrunch_async.rate_limit.line import Grant, Place
from helpcrunch_async.rate_limit.pace import Pace, RoundTrip
from helpcrunch_async.rate_limit.schedule import Schedule, places_ahead
from helpcrunch_async.rate_limit.told import ToldPace
from helpcrunch_async.redis_limit.ledger import Lease, Ledger
from helpcrunch_async.redis_limit.messages import Answer, Question, Waiting

_FIRST_WIDTH: Final = 5.0  # lumped calls in flight at first, so that a rejection finds few others
_WIDEST: Final = 100.0
_TOO_DEEP: Final = 0.5  # turns ahead of the even pace: a rejection this deep blames the lump


class _Share(ToldPace):
    """The pace of a process that is on its own: no lump at first, and what it has sent already counts."""

    def __init__(self, now: float, limit: int, period: float, sent: Iterable[float]) -> None:
        super().__init__(limit, period, float(limit))
        self._credit = 0.0
        self._earned_at = now
        self._sent.extend(list(sent)[-limit:])
        self._next = self._sent[-1] + self.gap if self._sent else now


class SharedSchedule(Schedule):
    """Hands out the turns that Redis grants to the callers of this process, first come first served.

    Args:
        limit: calls per period, of all processes.
        period: seconds.
        share: calls per period of this process while it is alone.
        random: gives floats in [0, 1), for the jitter of pauses.
    """

    def __init__(self, limit: int, period: float, share: int, random: Callable[[], float]) -> None:
        super().__init__(ToldPace(share, period, float(share)), period=period, random=random)
        # told again, because type checkers may infer otherwise what a subclass assigns
        self.wake: float | None
        self.pace: Pace
        self.in_flight: int
        self.granted: int
        self.rejections: int
        self.process: Final = secrets.token_hex(4)
        self.limit = limit
        self.share = share
        self.alone: bool = False  # Redis cannot be asked
        self.ledger: Final = Ledger(period)
        self._random = random
        self._round_trip = RoundTrip()
        self._last: Answer | None = None
        self._last_at = 0.0
        self._in_hand: dict[Priority, list[Lease]] = {priority: [] for priority in PRIORITIES}
        self._latest: dict[Priority, float] = dict.fromkeys(PRIORITIES, 0.0)  # when the last caller came
        self._width = _FIRST_WIDTH

    @property
    def rate(self) -> float:
        """Turns per second of all processes that are believed to be sustainable; alone, of this one."""
        if self.alone:
            return self.pace.rate
        return self.limit / self.period if self._last is None else self._last.calls / self._last.period

    @property
    def has_news(self) -> bool:
        """Whether something is to be said soon, even if nobody waits."""
        return self.ledger.has_news

    @property
    def has_questions(self) -> bool:
        """Whether Redis is to be asked: somebody waits, or there is news, or a probe to be held."""
        return bool(self.line) or self.has_news or self.gate.probe is not None

    @property
    def goes_on(self) -> bool:
        """Whether more callers may go, ahead of the pace, as soon as others are through."""
        return bool(self.line) and self._last is not None and self._last.more and self._room() > 0

    def admit(self, now: float, priority: Priority) -> Place | None:
        """Give a turn without standing in line: only a process that is alone can tell."""
        return super().admit(now, priority) if self.alone else None

    def join(self, now: float, place: Place) -> None:
        """Wait for a turn, or for another one."""
        super().join(now, place)
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
                if place.waiter is not None and place.waiter.cancelled():
                    continue  # in this very instant; the turn is the next one's
                lease = leases.pop(0)
                place.grant = lease
                if lease.probe:
                    self.gate.probe = place
                self.in_flight += 1
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
        if self.gate.probe is place:
            self.gate.probe = None

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
        if self.line and self._width < _WIDEST:
            self._width += 1 / self._width
        if lease.state == self._state:
            self.ledger.accepted(lease)
        if place is self.gate.probe:
            self.ledger.probe = "accepted"
            self.gate.open()

    def rejected(self, now: float, place: Place, retry_after: float | None) -> None:
        """Note a rejection, which pauses all processes."""
        if self.alone:
            super().rejected(now, place, retry_after)
            return
        grant = self._finish(place)
        self._round_trip.measure(now - grant.at)
        self.rejections += 1
        if grant.depth >= _TOO_DEEP:
            self._width = _FIRST_WIDTH
        probe = place is self.gate.probe
        self.ledger.rejected(grant, retry_after, state=self._state, probe=probe)
        if probe:
            self.gate.probe = None

    def lost(self, place: Place) -> None:
        """Note that no answer came; a lost probe hands its part to whoever is next, in any process."""
        if place is self.gate.probe and not self.alone:
            self.ledger.probe = "lost"
        super().lost(place)

    @property
    def _state(self) -> str | None:
        return None if self._last is None else self._last.state[0]

    def _room(self) -> int:
        return max(int(self._width) - self.in_flight, int(not self.in_flight))

    def question(self, now: float) -> Question:
        """Put the next question, or the last one again as long as it was not answered."""
        ledger, last, gate = self.ledger, self._last, self.gate
        reports = ledger.report(holds_probe=gate.probe is not None)
        history = None
        if ledger.unsure:
            pause = max(0.0, gate.until - now) if gate.closed else 0.0
            history = ledger.history(now, self.limit if last is None else last.calls, pause)
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
        gate = self.gate
        if self.alone:
            self.alone = False
            gate.open()
        self.ledger.was_heard()
        self._last, self._last_at = answer, now
        if answer.paused is None:
            gate.open()
        else:
            gate.closed = True
            gate.until = now + answer.paused
            gate.closed_at = now - answer.closed_for
        for granted in answer.granted:
            self._in_hand[granted.priority] += [
                Lease(
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
        self.pace = _Share(now, share, self.period, self.ledger.sent)
        if self.gate.closed:
            # what is known of the pause holds; then one call of this process probes
            until, probe = self.gate.until, self.gate.probe
            edge = self.pace.contact(Grant(now, depth=0.0), now=now, retry_after=None)
            self.gate.close(now, back=self.pace.first_pause, growth=self.pace.pause_growth, edge=edge)
            self.gate.postpone(until)
            self.gate.probe = probe

    def forget_callers(self) -> None:
        """Drop whoever waited or was on the wire: their event loop is gone."""
        for leases in self._in_hand.values():
            self.ledger.returned(leases)
            leases.clear()
        if self.gate.probe is not None:
            self.ledger.probe = "lost"
        super().forget_callers()

    def patience_ends(self) -> float:
        """Tell when a closed gate has been so for too long; not while a probe of any process is out."""
        probing = not self.alone and self._last is not None and self._last.probing
        return inf if probing else super().patience_ends()

    def expected_wait(self, now: float, place: Place) -> float:
        """Estimate the seconds that a place will stand in line, by what Redis said last."""
        answer, line = self._last, self.line
        if self.alone:
            return super().expected_wait(now, place)
        if answer is None or (self._last_at < place.since and line.waiting(place.priority) == 1):
            return 0.0  # Redis is being asked
        ahead = places_ahead(
            place,
            line.waiting("interactive") + answer.others["interactive"],
            line.waiting("bulk") + answer.others["bulk"],
        )
        if self.gate.closed:
            return max(0.0, self.gate.until - now) + self._round_trip.mean + ahead * answer.gap
        if answer.more:
            return ahead / self._width * self._round_trip.mean
        return max(0.0, self._last_at + answer.next - now) + ahead * answer.gap
