"""The schedule's promises, under any interleaving of arrivals, answers and cancellations."""

from collections import deque
from itertools import pairwise
from math import inf
from random import Random
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpcrunch_async.rate_limit.discover import DiscoveredPace
from helpcrunch_async.rate_limit.line import Grant, Line, Place, Priority
from helpcrunch_async.rate_limit.schedule import Schedule
from helpcrunch_async.rate_limit.told import ToldPace

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

    def __init__(self, limit: int, period: float, *, told: bool = True) -> None:
        self.limit, self.period, self.told = limit, period, told
        pace = ToldPace(limit, period, float(limit)) if told else DiscoveredPace()
        self.pace = pace
        self.schedule = Schedule(pace, period=period, random=Random(1).random)
        self.now = 1000.0
        self.waiting: list[Place] = []
        self.flying: list[Place] = []
        self.grants: deque[float] = deque()  # of the period before the last one
        self.arrived = 0
        self.ended = 0

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
            schedule.line.leave(place)
            self.ended += 1
        elif name in {"accept", "reject", "lose"} and self.flying:
            place = self.flying.pop(int(share * (len(self.flying) - 1)))
            if name == "reject":
                until = schedule.gate.until
                was_closed = schedule.gate.closed
                schedule.rejected(self.now, place, retry_after)
                if was_closed:
                    assert schedule.gate.until >= until, "a deadline is never brought forward"
                schedule.join(self.now, place)  # a rejected call goes on
                self.waiting.append(place)
            else:
                self.ended += 1
                schedule.accepted(self.now, place) if name == "accept" else schedule.lost(place)
        self.grant()

    def grant(self) -> None:
        schedule, gate = self.schedule, self.schedule.gate
        for place in schedule.grants(self.now):
            lane = [other.number for other in self.waiting if other.priority == place.priority]
            assert place.number == min(lane), "arrival order within a lane"
            if gate.closed:
                assert self.now >= gate.until - 1e-6, "nobody goes before the deadline"
                assert gate.probe is place
            self.waiting.remove(place)
            self.flying.append(place)
            self.grants.append(self.now)
            self.check_window()
        self.check()

    def check(self) -> None:
        schedule = self.schedule
        assert schedule.in_flight == len(self.flying)
        assert len(schedule.line) == len(self.waiting)
        assert self.arrived == self.ended + len(self.waiting) + len(self.flying), "nobody is lost"
        if self.waiting and not self.flying:
            assert schedule.wake is not None, "whoever waits has a timer or an answer to wait for"
        if not self.waiting:
            assert schedule.wake is None, "no waiters, no timer"
        if self.told:
            assert isinstance(self.pace, ToldPace)
            assert 1 <= self.pace.calls <= self.limit
            assert 1 <= self.pace.burst <= self.limit

    def check_window(self) -> None:
        window = self.grants
        while window and window[0] <= window[-1] - self.period:
            window.popleft()
        if self.told:
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
def test_told_schedule_keeps_every_promise(events: list[Event], limit: int, period: float) -> None:
    """Order, window, gate, probe, timers and accounting hold under any interleaving; then all are served."""
    driver = Driver(limit, period)
    driver.play(events)
    driver.finish()


@given(EVENTS)
@settings(max_examples=2 * settings().max_examples)
def test_discovering_schedule_keeps_every_promise(events: list[Event]) -> None:
    """The same holds when the limit is found out, but for the window that nobody told."""
    driver = Driver(10**6, 60.0, told=False)
    driver.play(events)
    driver.finish()


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


def test_bulk_lumps_at_most_half_of_the_room_that_is_left() -> None:
    """Sixty of 120 may go at once; sixty-one are paced, so that interactive calls still find room."""
    for calls, lumped in ((60, True), (61, False)):
        driver = Driver(120, 60.0)
        burst(driver, calls, "arrive bulk")
        assert (len(driver.flying) > 1) == lumped


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
    assert driver.schedule.gate.closed
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
    assert not driver.schedule.gate.closed
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
    assert driver.schedule.gate.probe is driver.flying[0]


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
    assert 36 <= driver.schedule.pace.rate * 60 <= 41
    burst(driver, 6000)
    while driver.waiting:
        answer(10**6)
        driver.step("wake", 0.0, None)
    assert driver.schedule.pace.rate == pytest.approx(2.0)


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
    assert driver.schedule.pace.rate * 60 >= 84, "not the 65 or so that were asked for"


def test_a_burst_goes_ahead_as_far_as_it_may() -> None:
    """Where eight at once are allowed, eight of twenty go at once, and the others evenly after them."""
    driver = Driver(120, 60.0)
    driver.pace = driver.schedule.pace = ToldPace(120, 60.0, burst=8.0)
    burst(driver, 20)
    while driver.flying:
        driver.step("accept", 0.0, None)
    assert driver.schedule.granted == 8
    driver.step("wake", 0.0, None)
    assert len(driver.flying) == 1
    assert driver.now - 1000.0 == pytest.approx(8 * 60 / 119, rel=0.01)


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
    assert isinstance(pace, ToldPace)
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
    assert isinstance(pace, ToldPace)
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
    assert (schedule.granted, schedule.in_flight, schedule.last_granted) == (2, 2, 1000.0)
    assert schedule.admit(driver.now, "interactive") is not None
    assert schedule.admit(driver.now, "interactive") is None, "the window is full"
    driver.now += 61.0
    waiting = schedule.arrive(driver.now, "interactive")
    assert (waiting.number, waiting.since) == (4, 1061.0)
    assert schedule.admit(driver.now, "interactive") is None, "somebody waits"
    schedule.line.leave(waiting)
    schedule.rejected(driver.now, first, 1.0)
    assert schedule.admit(driver.now + 100.0, "interactive") is None, "the gate is closed"


def test_wakes_when_the_next_turn_is_due_and_not_before() -> None:
    """By the pace, by the gate's deadline, or by nothing but the probe's answer."""
    driver = Driver(120, 60.0)
    schedule = driver.schedule
    burst(driver, 200)
    assert schedule.wake == schedule.pace.due(driver.now, schedule.line, 1)[1] > driver.now
    driver.step("reject", 0.0, 7.0)
    assert schedule.wake == 1007.0
    driver.step("wake", 0.0, None)
    assert schedule.gate.probe is driver.flying[0]
    assert schedule.wake is None
    driver.step("reject", 0.0, None)
    assert schedule.wake == schedule.gate.until > 1007.0


def test_every_answer_tells_how_long_it_took() -> None:
    """A rejection, too; a lost turn tells nothing."""
    for answer in ("accept", "reject", "lose"):
        driver = Driver(120, 60.0)
        burst(driver, 1)
        driver.now += 0.75
        driver.step(answer, 0.0, None)
        assert driver.schedule.pace.round_trip.mean == (0.0 if answer == "lose" else 0.75)


def test_counts_turns_and_rejections() -> None:
    """Of whichever call: a rejection from before the reopening, which closes nothing, is still one."""
    schedule = Driver(120, 60.0).schedule
    places = [schedule.arrive(1000.0, "interactive") for _ in range(4)]
    assert list(schedule.grants(1000.0)) == places
    assert (schedule.granted, schedule.rejections, schedule.in_flight) == (4, 0, 4)
    schedule.rejected(1000.0, places[0], 2.0)
    probe = schedule.arrive(1000.0, "interactive")
    assert list(schedule.grants(1002.0)) == [probe]
    for place in (places[1], places[2], probe):
        schedule.accepted(1002.5, place)
    assert not schedule.gate.closed
    schedule.rejected(1002.5, places[3], 9.0)
    assert not schedule.gate.closed
    assert (schedule.granted, schedule.rejections, schedule.in_flight) == (5, 2, 0)


def test_a_turn_is_told_what_came_of_it() -> None:
    """Accepted, rejected, or neither; the pace counts those that were accepted."""
    schedule = Driver(120, 60.0).schedule
    places = [schedule.arrive(1000.0, "interactive") for _ in range(3)]
    assert list(schedule.grants(1000.0)) == places
    grants = [place.grant for place in places]
    schedule.accepted(1000.0, places[0])
    schedule.lost(places[1])
    schedule.rejected(1000.0, places[2], None)
    assert [grant.accepted for grant in grants if grant is not None] == [True, None, False]
    assert [place.grant for place in places] == [None] * 3


class Told(ToldPace):
    """Notes what it is told of callers and answers."""

    def __init__(self) -> None:
        super().__init__(120, 60.0, 120.0)
        self.told: list[object] = []

    def joined(self, now: float, line: Line) -> None:
        self.told.append(("joined", now, len(line)))
        super().joined(now, line)

    def grant(self, now: float, line: Line, *, probe: bool) -> Grant:
        self.told.append(("probing" if probe else "going", len(line)))
        return super().grant(now, line, probe=probe)

    def accepted(self, line: Line) -> None:
        self.told.append(("accepted", len(line)))
        super().accepted(line)

    def contact(self, grant: Grant, *, now: float, retry_after: float | None) -> float:
        self.told.append(("contact", grant, now, retry_after))
        return super().contact(grant, now=now, retry_after=retry_after)

    def rejected(self, grant: Grant, *, probe: bool) -> None:
        self.told.append(("probe" if probe else "sibling", grant))
        super().rejected(grant, probe=probe)


def test_the_pace_hears_of_each_rejection() -> None:
    """The first with the server's word, the others by whether they were probes."""
    pace = Told()
    schedule = Schedule(pace, period=60.0, random=Random(1).random)
    first, second = (schedule.arrive(1000.0, "interactive") for _ in range(2))
    assert list(schedule.grants(1000.0)) == [first, second]
    pace.told.clear()
    expected: list[object] = [("contact", first.grant, 1000.5, 3.0), ("sibling", second.grant)]
    schedule.rejected(1000.5, first, 3.0)
    schedule.rejected(1000.6, second, None)
    assert expected == pace.told
    probe = schedule.arrive(1001.0, "interactive")
    pace.told.clear()
    assert list(schedule.grants(1003.5)) == [probe]
    expected = [("probing", 0), ("probe", probe.grant)]
    schedule.rejected(1004.0, probe, 3.0)
    assert expected == pace.told


def test_the_pace_hears_who_waits_already() -> None:
    """Of each who comes, and with each answer: quiet is when nobody does."""
    pace = Told()
    schedule = Schedule(pace, period=60.0, random=Random(1).random)
    first = schedule.admit(1000.0, "interactive")
    schedule.arrive(1001.0, "interactive")
    second = schedule.arrive(1002.0, "interactive")
    assert first is not None
    schedule.accepted(1003.0, first)
    assert list(schedule.grants(1003.0))[1] is second
    schedule.accepted(1004.0, second)
    assert pace.told == [
        ("joined", 1000.0, 0),
        ("going", 0),
        ("joined", 1001.0, 0),
        ("joined", 1002.0, 1),
        ("accepted", 2),
        ("going", 1),
        ("going", 0),
        ("accepted", 0),
    ]


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
            assert schedule.gate.probe is not None
        schedule.rejected(1001.0, late, 8.0)
        schedule.rejected(1001.0, later, None)
        assert expected == schedule.gate.until


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


def test_a_call_on_the_wire_is_somebody_who_asked() -> None:
    """While a probe or another call is out, the gate's patience is not begun anew."""
    driver = Driver(120, 60.0)
    burst(driver, 2)
    schedule = driver.schedule
    schedule.rejected(driver.now, driver.flying.pop(), 7.0)
    schedule.arrive(1200.0, "bulk")
    assert schedule.patience_ends() == 1000.0 + 5 * 60.0


def test_expects_the_pause_a_round_trip_and_a_gap_a_turn_behind_a_closed_gate() -> None:
    """Who came back after a rejection is at the head."""
    driver = Driver(120, 60.0)
    burst(driver, 1)
    schedule = driver.schedule
    driver.now += 0.5
    rejected = driver.flying.pop()
    schedule.rejected(driver.now, rejected, 7.0)
    places = [schedule.arrive(driver.now, "interactive") for _ in range(5)]
    gap = schedule.pace.gap
    assert schedule.expected_wait(driver.now, places[-1]) == pytest.approx(7.0 + 0.5 + (4 + 0) * gap)
    rejected.returning = True
    schedule.join(driver.now, rejected)
    assert schedule.expected_wait(driver.now, rejected) == pytest.approx(7.5)
    assert schedule.expected_wait(driver.now + 60.0, places[-1]) == pytest.approx(0.5 + 5 * gap)


def test_expects_what_the_pace_does_while_the_gate_is_open() -> None:
    """For the place's own lane and those who go before it."""
    driver = Driver(120, 60.0)
    burst(driver, 200, "arrive bulk")
    burst(driver, 150)
    schedule = driver.schedule
    place = schedule.line.everybody()[-1]
    ahead = 149 + 149 // 3
    expected = schedule.pace.expected_wait(driver.now, schedule.line, "interactive", ahead)
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
    """Whatever is still said of them frees no turn of those who came after, loop after loop."""
    schedule = Driver(120, 60.0).schedule
    gone = []
    for _ in range(3):
        gone += [place for place in (schedule.admit(1000.0, "bulk") for _ in range(2)) if place is not None]
        schedule.rejected(1000.0, gone.pop(), 5.0)
        schedule.arrive(1000.0, "bulk")
        schedule.arrive(1000.0, "bulk")
        [probe] = schedule.grants(1005.0)
        assert schedule.gate.probe is probe
        schedule.forget_callers()
        assert (len(schedule.line), schedule.in_flight, schedule.wake) == (0, 0, None)
        assert schedule.gate.probe is None
        assert schedule.gate.closed, "the server's word holds in any loop"
        schedule.gate.open()
    new = schedule.admit(1100.0, "bulk")
    assert len(gone) == 3
    for place in gone:
        schedule.lost(place)
    assert schedule.in_flight == 1
    assert new is not None
    schedule.accepted(1100.0, new)
    assert schedule.in_flight == 0
