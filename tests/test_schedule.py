"""The schedule's promises, under any interleaving of arrivals, answers and cancellations."""

from collections import deque
from itertools import pairwise
from math import inf
from random import Random
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpcrunch_async.rate_limit.gate import State
from helpcrunch_async.rate_limit.known_limit import KnownLimit
from helpcrunch_async.rate_limit.line import Place, Priority
from helpcrunch_async.rate_limit.machine import Machine
from helpcrunch_async.rate_limit.schedule import Schedule
from helpcrunch_async.rate_limit.wire import Wire

Event = tuple[str, float, float]

EVENTS: st.SearchStrategy[list[Event]] = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "arrive",
                "arrive",
                "arrive bulk",
                "accept",
                "accept",
                "reject",
                "lose",
                "cancel",
                "wait",
                "wake",
            ]
        ),
        st.floats(0, 1),  # which of the callers, as a share; or the length of a wait, in periods
        st.sampled_from([0.0, 0.0, 0.0, 0.3, 1.0, 30.0]),  # a Retry-After in seconds, 0 being none
    ),
    max_size=200,
)


class Driver:
    """Plays callers and server around a schedule, and checks after every step what must always hold."""

    def __init__(self, limit: int | None, period: float, *, burst: int | None = None) -> None:
        self.limit, self.period = limit, period
        known = limit is not None
        self.machine = (
            Machine.without_limit(period) if limit is None else Machine.with_limit(limit, period, burst)
        )
        self.schedule = Schedule(self.machine, width=4.0 if known else 100.0, random=Random(1).random)
        self.now = 1000.0
        self.waiting: list[Place] = []
        self.flying: list[Place] = []
        self.grants: deque[float] = deque()  # of the period before the last one
        self.arrived = 0
        self.ended = 0

    @property
    def pace(self) -> KnownLimit:
        """The pace of a known limit."""
        pace = self.machine.pace
        assert isinstance(pace, KnownLimit)
        return pace

    def is_open(self) -> bool:
        return self.machine.gate.state is State.OPEN

    def play(self, events: list[Event]) -> None:
        for name, share, retry_after in events:
            self.step(name, share, retry_after or None)

    def step(self, name: str, share: float, retry_after: float | None) -> None:
        schedule = self.schedule
        if name.startswith("arrive"):
            priority: Priority = "bulk" if name.endswith("bulk") else "interactive"
            self.waiting.append(schedule.arrive(self.now, priority))
            self.arrived += 1
        elif name == "wait":
            self.now += share * self.period
        elif name == "wake" and schedule.wake is not None:
            self.now = max(self.now, schedule.wake)
        elif name == "cancel" and self.waiting:
            place = self.waiting.pop(int(share * (len(self.waiting) - 1)))
            schedule.leave(place)
            self.ended += 1
        elif name in {"accept", "reject", "lose"} and self.flying:
            place = self.flying.pop(int(share * (len(self.flying) - 1)))
            if name == "reject":
                gate = self.machine.gate
                until, was_closed = gate.until, gate.state is not State.OPEN
                schedule.rejected(self.now, place, retry_after)
                if was_closed:
                    assert gate.until >= until, "a deadline is never brought forward"
                schedule.join(self.now, place)  # a rejected call goes on
                self.waiting.append(place)
            else:
                self.ended += 1
                schedule.accepted(self.now, place) if name == "accept" else schedule.lost(place)
        self.grant()

    def grant(self) -> None:
        schedule, gate = self.schedule, self.machine.gate
        for place in schedule.grants(self.now):
            lane = [other.number for other in self.waiting if other.priority == place.priority]
            assert place.number == min(lane), "arrival order within a lane"
            if gate.state is not State.OPEN:
                assert self.now >= gate.until - 1e-6, "no call goes before the deadline"
                assert place.grant is not None
                assert gate.is_probe(place.grant.number)
            self.waiting.remove(place)
            self.flying.append(place)
            self.grants.append(self.now)
            self.check_window()
        self.check()

    def check(self) -> None:
        schedule = self.schedule
        assert schedule.wire.in_flight == len(self.flying)
        assert schedule.line.total == self.machine.lanes.total == len(self.waiting)
        assert self.arrived == self.ended + len(self.waiting) + len(self.flying), "nobody is lost"
        if self.waiting and not self.flying:
            assert schedule.wake is not None, "whoever waits has a timer or an answer to wait for"
        if not self.waiting:
            assert schedule.wake is None, "no waiters, no timer"
        if self.limit is not None:
            assert 1 <= self.pace.calls <= self.limit
            assert 1 <= self.pace.burst <= self.limit

    def check_window(self) -> None:
        window = self.grants
        while window and window[0] <= window[-1] - self.period:
            window.popleft()
        if self.limit is not None:
            assert len(window) <= self.limit, "no window holds more than the limit"

    def finish(self) -> None:
        """Answer and wake until everybody is served."""
        for _ in range(20 * (len(self.waiting) + len(self.flying)) + 50):
            if self.flying:
                self.step("accept", 0.0, None)
            elif self.waiting:
                self.step("wake", 0.0, None)
        assert not self.waiting
        assert not self.flying


@given(EVENTS, st.sampled_from([1, 2, 5, 12]), st.sampled_from([1.0, 60.0]))
@settings(max_examples=3 * settings().max_examples)
def test_a_schedule_keeps_every_promise(events: list[Event], limit: int, period: float) -> None:
    """Order, window, gate, probe, timers and accounting hold under any interleaving; then all are served."""
    driver = Driver(limit, period)
    driver.play(events)
    driver.finish()


@given(EVENTS)
@settings(max_examples=2 * settings().max_examples)
def test_a_schedule_without_a_limit_keeps_every_promise(events: list[Event]) -> None:
    """The same holds when the limit is found out, but for the window that is not known."""
    driver = Driver(None, 60.0)
    driver.play(events)
    driver.finish()


def probes(driver: Driver, place: Place) -> bool:
    return place.grant is not None and driver.machine.gate.is_probe(place.grant.number)


def burst(driver: Driver, calls: int, priority: Literal["arrive", "arrive bulk"] = "arrive") -> None:
    for _ in range(calls):
        driver.waiting.append(
            driver.schedule.arrive(driver.now, "bulk" if "bulk" in priority else "interactive")
        )
        driver.arrived += 1
    driver.grant()


def test_a_quiet_client_may_burst_up_to_the_limit() -> None:
    """A hundred calls of a web page go within a few round trips, not in fifty seconds."""
    driver = Driver(120, 60.0)
    burst(driver, 100)
    while driver.waiting:
        assert driver.flying, "an answer, not a timer, lets the next one go"
        driver.now += 0.01
        driver.step("accept", 0.0, None)
    assert driver.now - 1000.0 < 3.0


def test_work_that_exceeds_the_budget_is_paced_from_its_start() -> None:
    """A gather of thousands does not begin with a lump that would use up the window."""
    driver = Driver(120, 60.0)
    burst(driver, 2000)
    assert len(driver.flying) == 1
    driver.step("wake", 0.0, None)
    assert driver.now - 1000.0 == pytest.approx(60 / 119, rel=0.01)


def test_a_burst_of_bulk_work_leaves_a_sixth_of_the_budget() -> None:
    """A hundred of 120 go at once, the others are paced: single calls that come meanwhile find room."""
    driver = Driver(120, 60.0)
    burst(driver, 120, "arrive bulk")
    while driver.flying:
        driver.step("accept", 0.0, None)
    assert driver.schedule.granted == 100
    burst(driver, 1)
    assert driver.schedule.granted == 101


def test_a_job_that_exceeds_the_budget_is_paced_from_its_start_however_little_of_it_waits() -> None:
    """Ten calls wait, of a hundred and twenty-one that were announced, or of a hundred and twenty."""
    for announced, gone in ((121, 1), (120, 4)):
        schedule = Driver(120, 60.0).schedule
        for _ in range(10):
            schedule.arrive(1000.0, "bulk", expected=announced)
        assert len(list(schedule.grants(1000.0))) == gone


def test_an_interactive_call_passes_bulk_work_at_once_while_there_is_room() -> None:
    """Two thousand bulk calls in line do not delay a web handler's call."""
    driver = Driver(120, 60.0)
    burst(driver, 2_000, "arrive bulk")
    before = len(driver.flying)
    burst(driver, 1)
    assert len(driver.flying) == before + 1
    assert driver.flying[-1].priority == "interactive"


def test_bulk_gets_one_turn_in_four_while_both_wait() -> None:
    """Neither lane starves."""
    driver = Driver(120, 60.0)
    burst(driver, 300, "arrive bulk")
    burst(driver, 300)
    order = []
    for _ in range(40):
        driver.step("wake", 0.0, None)
        while driver.flying:
            order.append(driver.flying[0].priority)
            driver.step("accept", 0.0, None)
    bulk = [index for index, priority in enumerate(order[2:]) if priority == "bulk"]
    assert {later - earlier for earlier, later in pairwise(bulk)} == {4}


def test_a_rejected_call_keeps_its_place() -> None:
    """Those who came later do not pass one whose turn the server refused."""
    driver = Driver(10, 10.0)
    burst(driver, 3)
    first = driver.flying[0]
    driver.step("reject", 0.0, 1.0)
    while driver.flying:
        driver.step("accept", 0.0, None)
    burst(driver, 5)
    driver.step("wake", 0.0, None)
    assert driver.flying == [first]


def test_one_probe_goes_at_the_deadline_and_only_its_answer_opens() -> None:
    """A sibling that finishes meanwhile opens nothing."""
    driver = Driver(120, 60.0)
    burst(driver, 4)
    driver.step("reject", 0.0, 7.0)
    burst(driver, 10)
    driver.step("accept", 0.0, None)
    assert not driver.is_open()
    assert len(driver.flying) == 2
    while driver.flying:
        driver.step("accept", 0.0, None)
    driver.now = 1006.9
    driver.grant()
    assert driver.flying == []
    driver.now = 1007.0
    driver.grant()
    assert len(driver.flying) == 1
    driver.now = 1050.0
    driver.grant()
    assert len(driver.flying) == 1, "everybody waits for the probe's answer"
    driver.step("accept", 0.0, None)
    assert driver.is_open()
    assert len(driver.flying) > 0


def test_a_lost_probe_hands_its_part_to_the_next() -> None:
    """A probe that is cancelled or broken does not leave the others waiting for ever."""
    driver = Driver(120, 60.0)
    burst(driver, 1)
    driver.step("reject", 0.0, 1.0)
    burst(driver, 3)
    driver.step("wake", 0.0, None)
    probe = driver.flying[0]
    driver.step("lose", 0.0, None)
    assert len(driver.flying) == 1
    assert driver.flying[0] is not probe
    assert probes(driver, driver.flying[0])


def test_pauses_without_retry_after_end_when_every_window_has_freed_a_slot() -> None:
    """However often the probe fails, the wait never passes the moment at which a slot must be free."""
    driver = Driver(120, 60.0)
    burst(driver, 50)
    while driver.waiting:
        driver.step("accept", 0.0, None)
    while len(driver.flying) > 1:
        driver.step("accept", 0.0, None)
    driver.step("reject", 0.0, None)
    probes = 0
    while driver.now < 1000.0 + 60.1:
        driver.step("wake", 0.0, None)
        probes += 1
        driver.step("reject", 0.0, None)
    assert probes <= 6
    assert driver.now < 1000.0 + 61.0, "one probe goes as soon as the first call is a window old"


def test_learns_a_lower_limit_and_climbs_back_but_never_above_what_was_told() -> None:
    """Forty a minute where 120 were told: the rate falls to about that; when 429s stop, it comes back."""
    driver = Driver(120, 60.0)
    accepted: list[float] = []

    def answer(limit: int) -> None:
        while driver.flying:
            recent = sum(1 for moment in accepted if moment > driver.now - 60.0)
            if recent < limit:
                accepted.append(driver.now)
                driver.step("accept", 0.0, None)
            else:
                driver.step("reject", 0.0, None)

    burst(driver, 400)
    while driver.waiting:
        answer(40)
        driver.step("wake", 0.0, None)
    answer(40)
    assert 36 <= driver.schedule.rate * 60 <= 41
    burst(driver, 6000)
    while driver.waiting:
        answer(10**6)
        driver.step("wake", 0.0, None)
    assert driver.schedule.rate == pytest.approx(2.0)


def test_patience_is_infinite_while_the_gate_is_open() -> None:
    """Only a closed gate can make waiting hopeless."""
    driver = Driver(2, 60.0)
    burst(driver, 1)
    assert driver.schedule.patience_ends() == inf
    driver.step("reject", 0.0, 1.0)
    assert driver.schedule.patience_ends() == driver.now + 5 * 60.0


def test_demand_is_not_taken_for_capacity() -> None:
    """One rejection of a client that sends less than it might says nothing about what the server takes."""
    driver = Driver(120, 60.0)
    for _ in range(8):
        burst(driver, 20)
        while driver.waiting or driver.flying:
            driver.now += 0.01
            driver.step("accept", 0.0, None)
        driver.now += 17.0
    burst(driver, 1)
    driver.step("reject", 0.0, 2.0)
    driver.step("wake", 0.0, None)
    driver.step("accept", 0.0, None)
    assert driver.schedule.rate * 60 >= 84, "not the 65 or so that were asked for"


def test_a_burst_goes_ahead_as_far_as_it_may() -> None:
    """Where eight at once are allowed, eight of twenty go at once, and the others evenly after them."""
    driver = Driver(120, 60.0, burst=8)
    burst(driver, 20)
    while driver.flying:
        driver.step("accept", 0.0, None)
    assert driver.schedule.granted == 8
    driver.step("wake", 0.0, None)
    assert len(driver.flying) == 1
    gap = 60 / 119
    assert driver.now - 1000.0 == pytest.approx(gap, rel=0.01), "the burst is not made up for"
    driver.step("accept", 0.0, None)
    driver.step("wake", 0.0, None)
    assert driver.now - 1000.0 == pytest.approx(2 * gap, rel=0.01)


def test_the_lump_is_blamed_also_when_its_first_call_arrives_last() -> None:
    """Calls that leave together pass one another on the wire: the rate is not cut for that."""
    driver = Driver(120, 60.0)
    burst(driver, 4)
    driver.step("accept", 1.0, None)
    driver.step("reject", 0.0, None)
    while driver.flying:
        driver.step("accept", 0.0, None)
    driver.step("wake", 0.0, None)
    driver.step("accept", 0.0, None)
    pace = driver.pace
    assert pace.calls == 120
    assert pace.burst < 4


def test_a_timer_that_fires_early_is_no_lump() -> None:
    """At two hundred turns a second milliseconds are most of a turn: the rate is to blame all the same."""
    driver = Driver(200, 1.0)
    burst(driver, 400)
    for _ in range(30):
        wake = driver.schedule.wake
        assert wake is not None
        driver.now = wake - 0.004
        driver.grant()
        while len(driver.flying) > 1:
            driver.step("accept", 0.0, None)
    driver.step("reject", 0.0, None)
    driver.step("wake", 0.0, None)
    driver.step("accept", 0.0, None)
    pace = driver.pace
    assert pace.burst == 200
    assert pace.calls < 200


def test_a_newcomer_goes_at_once_when_nobody_waits_and_it_may() -> None:
    """Without standing in line; else it must take a place there."""
    driver = Driver(3, 60.0)
    schedule = driver.schedule
    first, second = schedule.admit(driver.now, "bulk"), schedule.admit(driver.now, "interactive")
    assert first is not None
    assert second is not None
    assert (first.number, first.priority, first.since) == (1, "bulk", 1000.0)
    assert (second.number, second.priority, second.since) == (2, "interactive", 1000.0)
    assert (schedule.granted, schedule.wire.in_flight, schedule.last_granted) == (2, 2, 1000.0)
    assert schedule.admit(driver.now, "interactive") is not None
    assert schedule.admit(driver.now, "interactive") is None, "the window is full"
    driver.now += 61.0
    waiting = schedule.arrive(driver.now, "interactive")
    assert (waiting.number, waiting.since) == (4, 1061.0)
    assert schedule.admit(driver.now, "interactive") is None, "somebody waits"
    schedule.leave(waiting)
    schedule.rejected(driver.now, first, 1.0)
    assert schedule.admit(driver.now + 0.9, "interactive") is None, "the gate is closed"
    probe = schedule.admit(driver.now + 20.0, "interactive")
    assert probe is not None
    assert probes(driver, probe)
    assert schedule.admit(driver.now + 100.0, "interactive") is None, "one probe is under way"


def test_wakes_when_the_next_turn_is_due_and_not_before() -> None:
    """By the pace, by the gate's deadline, or by nothing but the probe's answer."""
    driver = Driver(120, 60.0)
    schedule = driver.schedule
    burst(driver, 200)
    assert schedule.wake == driver.machine.due(driver.now, 3)[1] > driver.now
    driver.step("reject", 0.0, 7.0)
    assert schedule.wake == 1007.0
    driver.step("wake", 0.0, None)
    assert probes(driver, driver.flying[0])
    assert schedule.wake is None
    driver.step("reject", 0.0, None)
    assert schedule.wake == driver.machine.gate.until > 1007.0


def test_every_answer_tells_how_long_it_took() -> None:
    """A rejection, too; a lost turn tells nothing."""
    for answer in ("accept", "reject", "lose"):
        driver = Driver(120, 60.0)
        burst(driver, 1)
        driver.now += 0.75
        driver.step(answer, 0.0, None)
        assert driver.machine.round_trip.mean == (0.0 if answer == "lose" else 0.75)


def test_counts_turns_and_rejections() -> None:
    """Of any call: a rejection from before the reopening, which closes nothing, is still one."""
    driver = Driver(120, 60.0)
    schedule, gate = driver.schedule, driver.machine.gate
    places = [schedule.arrive(1000.0, "interactive") for _ in range(4)]
    assert list(schedule.grants(1000.0)) == places
    assert (schedule.granted, schedule.rejections, schedule.wire.in_flight) == (4, 0, 4)
    schedule.rejected(1000.0, places[0], 2.0)
    probe = schedule.arrive(1000.0, "interactive")
    assert list(schedule.grants(1002.0)) == [probe]
    for place in (places[1], places[2], probe):
        schedule.accepted(1002.5, place)
    assert gate.state is State.OPEN
    schedule.rejected(1002.5, places[3], 9.0)
    assert gate.state is State.OPEN
    assert (schedule.granted, schedule.rejections, schedule.wire.in_flight) == (5, 2, 0)
    assert [place.grant for place in places] == [None] * 4


def test_a_rejection_from_before_the_reopening_is_old_news() -> None:
    """One of a turn that was taken after it is not."""
    schedule = Driver(120, 60.0).schedule
    old, first = schedule.arrive(1000.0, "bulk"), schedule.arrive(1000.0, "bulk")
    assert list(schedule.grants(1000.0)) == [old, first]
    schedule.rejected(1000.0, first, 2.0)
    probe = schedule.admit(1002.0, "bulk")
    assert probe is not None
    schedule.accepted(1002.0, probe)
    schedule.rejected(1002.0, old, 9.0)
    assert schedule.paused_for(1002.0) == 0.0
    new = schedule.admit(1012.0, "bulk")
    assert new is not None
    schedule.rejected(1012.0, new, 9.0)
    assert schedule.paused_for(1012.0) == 9.0
    assert schedule.paused_for(1032.0) == 0.0


def test_a_few_calls_of_a_burst_are_on_the_wire_at_first() -> None:
    """And one more with every round trip, so that a rejection finds few others there."""
    driver = Driver(120, 60.0)
    burst(driver, 60)
    assert len(driver.flying) == 4
    wide = []
    for _ in range(30):
        driver.step("accept", 0.0, None)
        wide.append(len(driver.flying))
    assert wide == [4] * 4 + [5] * 5 + [6] * 7 + [7] * 7 + [8] * 7


def test_a_burst_begins_with_few_calls_again_after_one_was_rejected() -> None:
    """A paced call that is rejected says nothing about bursts."""
    for ahead in (True, False):
        driver = Driver(120, 60.0)
        schedule = driver.schedule
        schedule.wire.width = 9.0
        if ahead:
            burst(driver, 4)
        else:
            burst(driver, 1)
        schedule.rejected(driver.now, driver.flying.pop(), 1.0)
        assert schedule.wire.width == (4.0 if ahead else 9.0)


def test_the_wire_widens_while_callers_wait_and_to_a_hundred_at_most() -> None:
    """Calls that come one by one do not show what it takes."""
    wire = Wire(4.0)
    for _ in range(10_000):
        wire.widen()
    assert 100.0 <= wire.width < 100.01
    wire.in_flight = 99
    assert wire.room == 1
    driver = Driver(120, 60.0)
    burst(driver, 1)
    driver.step("accept", 0.0, None)
    assert driver.schedule.wire.width == 4.0


def test_a_late_rejection_moves_the_deadline_only_while_no_probe_is_out() -> None:
    """Its Retry-After is the newest word until the probe asks for a newer one."""
    for probing, expected in ((False, 1009.0), (True, 1002.0)):
        driver = Driver(120, 60.0)
        schedule = driver.schedule
        burst(driver, 4)
        late, later = driver.flying[2:]
        driver.step("reject", 0.0, 2.0)
        if probing:
            driver.step("wake", 0.0, None)
            assert driver.machine.gate.state is State.PROBING
        schedule.rejected(1001.0, late, 8.0)
        schedule.rejected(1001.0, later, None)
        assert expected == driver.machine.gate.until


def test_the_first_to_come_after_a_long_closure_has_all_its_patience() -> None:
    """Nobody asked meanwhile, so nobody's patience has been tried; whoever waits already keeps the count."""
    for quiet, patience in ((66.9, 1000.0), (67.1, 1067.1)):
        driver = Driver(120, 60.0)
        burst(driver, 1)
        schedule = driver.schedule
        schedule.rejected(driver.now, driver.flying.pop(), 7.0)
        schedule.arrive(1000.0 + quiet, "bulk")
        assert schedule.patience_ends() == pytest.approx(patience + 5 * 60.0)
        schedule.arrive(1200.0, "bulk")
        assert schedule.patience_ends() == pytest.approx(patience + 5 * 60.0)


def test_expects_the_pause_a_round_trip_and_a_gap_a_turn_behind_a_closed_gate() -> None:
    """Who came back after a rejection is at the head."""
    driver = Driver(120, 60.0)
    burst(driver, 1)
    schedule = driver.schedule
    driver.now += 0.5
    rejected = driver.flying.pop()
    schedule.rejected(driver.now, rejected, 7.0)
    places = [schedule.arrive(driver.now, "interactive") for _ in range(5)]
    gap = driver.pace.gap
    assert schedule.expected_wait(driver.now, places[-1]) == pytest.approx(7.0 + 0.5 + (4 + 0) * gap)
    schedule.join(driver.now, rejected)
    assert schedule.expected_wait(driver.now, rejected) == pytest.approx(7.5)
    assert schedule.expected_wait(driver.now + 60.0, places[-1]) == pytest.approx(0.5 + 5 * gap)


def test_expects_what_the_pace_does_while_the_gate_is_open() -> None:
    """For the place's own lane and those who go before it."""
    driver = Driver(120, 60.0)
    burst(driver, 200, "arrive bulk")
    burst(driver, 150)
    schedule = driver.schedule
    place = schedule.line.places()[-1]
    ahead = 149 + 149 // 3
    expected = driver.machine.expected_wait(driver.now, "interactive", ahead, 4.0)
    assert schedule.expected_wait(driver.now, place) == expected > 60.0


def test_is_busy_while_somebody_waits_or_is_on_the_wire() -> None:
    """One is enough."""
    driver = Driver(120, 60.0)
    schedule = driver.schedule
    assert not schedule.is_busy()
    place = schedule.arrive(driver.now, "bulk")
    assert schedule.is_busy()
    assert list(schedule.grants(driver.now)) == [place]
    assert schedule.is_busy()
    schedule.lost(place)
    assert not schedule.is_busy()


def test_callers_of_an_event_loop_that_has_ended_are_forgotten() -> None:
    """Reports of them free no turn of those who came after, loop after loop; what they sent counts."""
    driver = Driver(120, 60.0)
    schedule, gate = driver.schedule, driver.machine.gate
    gone = []
    for loop in range(3):
        gone += [place for place in (schedule.admit(1000.0, "bulk") for _ in range(2)) if place is not None]
        schedule.rejected(1000.0, gone.pop(), 5.0)
        schedule.arrive(1000.0, "bulk")
        schedule.arrive(1000.0, "bulk")
        [probe] = schedule.grants(1005.0)
        assert probes(driver, probe)
        schedule.forget_callers()
        assert (schedule.line.total, schedule.wire.in_flight, schedule.wake) == (0, 0, None)
        assert driver.machine.lanes.total == 0
        assert gate.state is State.PAUSED, "the server's word holds in any loop"
        assert driver.machine.cells.turns_since(0.0) == 3 * (loop + 1)
        gate.open()
    new = schedule.admit(1100.0, "bulk")
    assert len(gone) == 3
    for place in gone:
        schedule.lost(place)
    assert schedule.wire.in_flight == 1
    assert new is not None
    schedule.accepted(1100.0, new)
    assert schedule.wire.in_flight == 0


def test_a_late_word_of_a_probe_that_was_forgotten_opens_nothing() -> None:
    """It is not the probe any more."""
    driver = Driver(120, 60.0)
    burst(driver, 1)
    driver.step("reject", 0.0, 1.0)
    driver.step("wake", 0.0, None)
    probe = driver.flying.pop()
    driver.schedule.forget_callers()
    driver.schedule.accepted(driver.now, probe)
    assert driver.machine.gate.state is State.PAUSED


def test_a_pause_may_be_news_from_elsewhere() -> None:
    """It lasts as long as was said; then one call probes."""
    driver = Driver(120, 60.0)
    driver.machine.pause(1000.0, 1012.0)
    burst(driver, 3)
    assert driver.schedule.wake == 1012.0
    driver.step("wake", 0.0, None)
    assert len(driver.flying) == 1
    driver.step("accept", 0.0, None)
    assert driver.is_open()
