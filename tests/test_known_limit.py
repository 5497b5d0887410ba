"""The pace of a client that knows its limit: its figures, bursts, the hard window, and what it learns."""

from math import inf

import pytest

from helpcrunch_async.rate_limit.cells import Cells, Grant
from helpcrunch_async.rate_limit.gate import Rejection
from helpcrunch_async.rate_limit.known_limit import KnownLimit
from helpcrunch_async.rate_limit.line import Lanes, Priority
from helpcrunch_async.rate_limit.machine import Machine
from helpcrunch_async.rate_limit.pace import INSTANT, RoundTrip

START = 1000.0
WINDOW = 10.03  # of a period of ten seconds: a quarter of a percent more, and five milliseconds
EARLY = 0.005
TICK = 1e-4  # to which turns are recorded


class Player:
    """Callers and a wire around a machine: turns are taken when they are due, answers take no time."""

    def __init__(self, limit: int = 10, period: float = 10.0, burst: int | None = None) -> None:
        self.machine = Machine.with_limit(limit, period, burst)
        pace = self.machine.pace
        assert isinstance(pace, KnownLimit)
        self.pace = pace
        self.now = START
        self.flying: list[Grant] = []

    def come(self, callers: int, lane: Priority = "interactive") -> None:
        """Join the line."""
        for _ in range(callers):
            self.machine.join(self.now, lane)

    def leave(self) -> None:
        """Have all callers give up."""
        lanes = self.machine.lanes
        for lane in [*["interactive"] * lanes.interactive, *["bulk"] * lanes.bulk]:
            self.machine.leave(lane)  # type: ignore[arg-type]  # they are lanes

    def due(self, room: int = 100) -> tuple[Priority, float]:
        return self.machine.due(self.now, room)

    def go(self, room: int = 100) -> int:
        """Take the turns that are due while there is room on the wire; return their number."""
        before = len(self.flying)
        while self.machine.lanes.total:
            lane, due = self.due(room - len(self.flying))
            if due > self.now + INSTANT:
                break
            self.flying.append(self.machine.take(self.now, lane))
        return len(self.flying) - before

    def accept(self, calls: int = 1) -> None:
        """Answer the calls that have been on the wire for longest."""
        for grant in self.flying[:calls]:
            self.machine.accepted(grant.at, grant)
        del self.flying[:calls]

    def alone(self, lane: Priority = "interactive") -> int:
        """Send one call after another while each may go at once; return their number."""
        calls = 0
        while True:
            self.come(1, lane)
            if not self.go():
                self.machine.leave(lane)
                return calls
            self.accept()
            calls += 1

    def meet(self, pause: float, *, retry_after: float | None = None, further: int = 0) -> None:
        """Have the last call that left rejected, with as many before it, and a probe accepted later."""
        machine = self.machine
        machine.rejected(self.now, self.flying.pop(), retry_after, 0.5)
        for _ in range(further):
            machine.rejected(self.now, self.flying.pop(), None, 0.5)
        self.accept(len(self.flying))
        self.now += pause
        machine.join(self.now, "interactive")
        probe = machine.take(self.now, "interactive")
        machine.accepted(probe.at, probe)


def figures(limit: int, period: float, *, deviation: float = 0.0, mean: float = 0.0) -> KnownLimit:
    """A pace after answers that took so long."""
    round_trip = RoundTrip(mean, deviation)
    return KnownLimit.begin(limit, period, limit, Cells(period / 250), round_trip)


def test_the_figures_before_the_first_answer() -> None:
    """Evenly, for one call less than configured; pauses are some turns' worth, and four windows at most."""
    pace = figures(120, 60.0)
    assert pace.rate == 2.0
    assert pace.window == pytest.approx(60.155)
    assert pace.gap == pytest.approx(60.155 / 119)
    backoff = pace.backoff(START, START)
    assert backoff.first == pytest.approx(4 * 60.155 / 119)
    assert backoff.growth == 4.0
    assert backoff.shortest == pace.gap
    assert backoff.longest == pytest.approx(4 * 60.155)
    small = figures(10, 10.0)
    assert small.window == pytest.approx(WINDOW)
    assert small.gap == pytest.approx(WINDOW / 9.8), "a fiftieth of a small limit, not a whole call"


def test_jitter_widens_the_window_and_a_slow_server_the_first_pause() -> None:
    """The server sees arrivals, not departures; and no probe goes sooner than an answer can come."""
    pace = figures(10, 10.0, mean=8.0, deviation=1.0)
    assert pace.window == pytest.approx(WINDOW + 2 * 1.0)
    assert pace.gap == pytest.approx((WINDOW + 2) / 9.8)
    assert pace.backoff(START, START).first == 8.0


def test_each_answer_is_allowed_for() -> None:
    """A rejected one, too."""
    for rejected in (False, True):
        player = Player()
        player.come(1)
        player.go()
        grant = player.flying.pop()
        if rejected:
            player.machine.rejected(START + 8.0, grant, None, 0.5)
        else:
            player.machine.accepted(START + 8.0, grant)
        assert player.pace.window == pytest.approx(WINDOW + 2 * 1.0)


def test_work_beyond_the_budget_goes_one_by_one() -> None:
    """A gap apart, of which a timer may take five milliseconds."""
    player = Player()
    gap = player.pace.gap
    player.come(11)
    assert player.go() == 1
    for turn in range(1, 5):
        due = START - EARLY + turn * gap
        assert player.due()[1] == pytest.approx(due, abs=turn * TICK)
        player.now = player.due()[1] - EARLY - 1e-6
        assert player.go() == 0
        player.now += 1e-6
        assert player.go() == 1


def test_a_turn_that_was_late_is_not_made_up_for() -> None:
    """The next one is a gap after it, not sooner."""
    player = Player()
    player.come(11)
    player.go()
    player.now += 3.0
    assert player.go() == 1
    assert player.due()[1] == pytest.approx(START + 3 - EARLY + player.pace.gap)


def test_a_job_that_fits_the_budget_goes_ahead_while_there_is_room_on_the_wire() -> None:
    """The first is due; each other takes room."""
    player = Player(120, 60.0)
    player.come(60)
    assert player.go(room=4) == 4
    assert player.due(room=0)[1] > player.now
    player.accept()
    assert player.go(room=4) == 1


@pytest.mark.parametrize(("lane", "room"), [("interactive", 10), ("bulk", 10)])
def test_a_burst_fits_what_is_left_of_the_budget(lane: Priority, room: int) -> None:
    """All of the job must, and what was sent in the last window counts."""
    for sent in range(3):
        for callers in (room - sent, room - sent + 1):
            player = Player()
            for _ in range(sent):
                player.come(1)
                player.go()
            if not sent:
                player.machine.join(START, "interactive")
                player.machine.take(START, "interactive")
                callers -= 1  # noqa: PLW2901 - one was sent in any case
            player.come(callers, lane)
            fits = sent + callers + (not sent) <= room
            assert (player.due()[1] <= player.now) == fits, (sent, callers)


def test_a_quiet_client_may_go_ahead_by_its_burst() -> None:
    """One call that is due, and three ahead of it; then a turn is earned with every gap of quiet."""
    player = Player(burst=3)
    gap = player.pace.gap
    assert player.alone() == 4
    player.now = START + 0.99 * gap
    assert player.alone() == 0
    player.now = START + 1.01 * gap
    assert player.alone() == 1
    player.now += 2.5 * gap
    assert player.alone() == 2
    player.now += 100.0
    assert player.alone() == 4, "never more than the burst"


def test_paced_turns_cost_a_busy_client_its_burst() -> None:
    """A client that has been working at full pace is not a quiet one."""
    player = Player(30, 30.0, burst=5)
    player.come(40)
    player.go()
    for _ in range(3):
        player.now += player.pace.gap
        player.go()
    player.leave()
    assert player.alone() == 1, "one of the five is left"


def test_nothing_is_earned_while_callers_wait() -> None:
    """A stall behind a full window does not end in a second burst."""
    player = Player(10, 10.0, burst=2)
    assert player.alone() == 3
    player.come(20)
    for _ in range(8):
        player.now += 0.5
        player.come(1)
    assert player.go() == 1
    assert player.due()[1] > player.now


def test_the_window_is_never_overdrawn() -> None:
    """The eleventh of ten goes when the first is a window old, though its turn came earlier."""
    player = Player()
    assert player.alone() == 10
    first = START + WINDOW
    assert player.pace.window_frees(player.now) == pytest.approx(first)
    player.come(1)
    assert player.due()[1] == pytest.approx(first)
    player.now = first - 1e-6
    assert player.go() == 0
    player.now = first
    assert player.pace.window_frees(player.now) == first
    assert player.go() == 1


def test_a_probe_may_go_while_the_window_has_room() -> None:
    """At once: the pause was the gate's to set."""
    player = Player()
    player.alone()
    player.now += 11.0
    assert player.pace.window_frees(player.now) == player.now


def test_a_full_window_holds_a_probe_back() -> None:
    """Also after the deadline."""
    player = Player()
    for _ in range(10):
        player.come(1)
        player.go()
    player.machine.rejected(player.now, player.flying.pop(), 2.0, 0.5)
    player.come(1)
    assert player.due()[1] == pytest.approx(START + WINDOW)


def test_interactive_calls_go_ahead_when_the_paced_turn_is_bulks() -> None:
    """Whose paced turn it is says nothing about who may go ahead of it."""
    player = Player(100, 100.0)
    player.come(200, "bulk")
    assert player.go() == 1
    player.come(1)
    assert player.due() == ("interactive", player.now)
    assert player.go() == 1
    lane, due = player.due()
    assert lane == "bulk"
    assert due == pytest.approx(START - EARLY + 2 * player.pace.gap)


def test_expects_some_round_trips_for_a_burst() -> None:
    """As many as it takes at its width."""
    pace = figures(100, 100.0, mean=0.5)
    wait = pace.expected_wait(START, Lanes(interactive=80), "interactive", 10, 4.0)
    assert wait == 10 / 4 * 0.5


@pytest.mark.parametrize(
    ("lane", "waiting", "burst"),
    [("interactive", 100, 100), ("bulk", 100, 100)],
    ids=["too many", "too many of bulk"],
)
def test_expects_a_gap_a_turn_for_work_that_is_paced(lane: Priority, waiting: int, burst: int) -> None:
    """From when the next turn is due, which may be now."""
    player = Player(100, 100.0, burst=burst)
    player.come(1)
    player.go()
    player.come(waiting, lane)
    gap = player.pace.gap
    wait = player.machine.expected_wait(player.now, lane, 10, 4.0)
    assert wait == pytest.approx(gap - EARLY + 10 * gap)
    player.now += 5.0
    assert player.machine.expected_wait(player.now, lane, 10, 4.0) == pytest.approx(10 * gap)


def test_expects_a_gap_a_turn_behind_a_burst() -> None:
    """Of ten calls ahead nine have credit; the others are paced from now, not from when it is made up for."""
    player = Player(100, 100.0, burst=10)
    player.come(1)
    player.go()
    player.come(20)
    assert player.machine.expected_wait(player.now, "interactive", 10, 4.0) == pytest.approx(player.pace.gap)


def test_bulk_work_leaves_what_single_calls_have_wanted_within_the_hour() -> None:
    """Twice their number in the fullest period, a sixth of the budget at least and half of it at most."""
    for single, left in ((0, 20), (5, 20), (20, 40), (31, 60), (100, 60)):
        for later, still_left in ((100.0, left), (3_500.0, left), (3_700.0, 20)):
            player = Player(120, 60.0)
            player.come(single)
            player.go(room=200)
            player.accept(single)
            player.now += later
            player.come(120, "bulk")
            assert player.go(room=200) == 120 - still_left, (single, later)


def test_expects_a_full_window_to_free_a_slot() -> None:
    """Where that comes later than the even pace has it, as when answers jitter; then a gap a turn."""
    player = Player()
    assert player.alone() == 10
    player.machine.accepted(START + 8.0, Grant(99, START, 0.0, 0, 0))
    player.come(1)
    wait = player.machine.expected_wait(player.now, "interactive", 3, 4.0)
    assert wait == pytest.approx(WINDOW + 2.0 + 3 * player.pace.gap)


def test_expects_a_slot_a_window_after_the_oldest_accepted_call() -> None:
    """Or a window from now, where none of the period was accepted."""
    player = Player()
    player.come(5)
    player.go()
    assert player.pace.backoff(START + 2, START).slot_free_by == pytest.approx(START + 2 + WINDOW)
    player.accept()
    assert player.pace.backoff(START + 2, START).slot_free_by == pytest.approx(START + WINDOW)
    assert player.pace.backoff(START + 12, START + 10).slot_free_by == pytest.approx(START + 12 + WINDOW)


def test_a_turn_knows_how_far_ahead_of_the_even_pace_it_went() -> None:
    """To an eighth of a turn, and a timer that fires early is not ahead."""
    player = Player()
    player.come(4)
    player.go()
    assert [grant.depth for grant in player.flying] == [0.0, 0.875, 1.875, 2.875]
    assert [grant.is_ahead for grant in player.flying] == [False, True, True, True]


def test_a_rejected_burst_is_cut_and_the_rate_kept() -> None:
    """To seven tenths of what was accepted of it; and the client is not quiet any more."""
    player = Player(100, 100.0)
    player.come(30)
    player.go(room=20)
    deepest = player.flying[-1].depth
    player.leave()
    player.meet(3.0, further=2)
    assert player.pace.calls == 100
    assert player.pace.burst == pytest.approx(0.7 * (deepest - 2))
    player.come(1)
    assert player.go() == 0, "no credit is left"


def test_rejected_probes_do_not_make_the_burst_smaller() -> None:
    """They were no part of it."""
    bursts = []
    for probes in (0, 3):
        player = Player(100, 100.0)
        player.come(8)
        player.go(room=4)
        player.machine.rejected(player.now, player.flying.pop(), None, 0.5)
        for _ in range(probes):
            player.now += 2.0
            probe = player.machine.take(player.now, "interactive")
            player.machine.rejected(player.now, probe, None, 0.5)
        player.now += 2.0
        probe = player.machine.take(player.now, "interactive")
        player.machine.accepted(player.now, probe)
        bursts.append(player.pace.burst)
    assert bursts[0] == bursts[1] > 1.0


def test_a_burst_is_never_cut_below_one_call() -> None:
    """Otherwise no call could ever go ahead again."""
    player = Player()
    player.come(3)
    player.go()
    player.meet(1.0, further=1)
    assert player.pace.burst == 1.0


def test_a_paced_call_that_is_rejected_blames_the_rate() -> None:
    """The burst stays what it is, and the rate becomes what was counted."""
    player = Player(100, 10.0)
    player.come(1_000)
    for turn in range(200):
        while not player.go():
            player.now = player.due()[1]
        if turn % 2:
            player.accept(len(player.flying))
        else:  # as if half of them were somebody else's
            player.machine.lost(player.flying.pop())
    while not player.go():
        player.now = player.due()[1]
    player.meet(2.0)
    assert player.pace.burst == 100
    assert player.pace.calls == pytest.approx(0.985 * 49, abs=1)


@pytest.mark.parametrize("start", [0.0, START])
def test_the_first_turn_begins_a_run_whatever_the_clock_shows(start: float) -> None:
    """A loop's clock may begin at 0: forty calls in twenty seconds are not taken for those of a period."""
    player = Player(120, 60.0)
    player.now = start
    player.come(300)
    for _ in range(40):
        while not player.go(room=0):
            player.now = player.due(room=0)[1]
        player.accept()
    while not player.go(room=0):
        player.now = player.due(room=0)[1]
    player.meet(2.0)
    assert player.pace.calls == pytest.approx(0.985 * 40 * 60 / 22.2, abs=1)


def test_a_pause_that_the_server_asked_for_counts_half_a_second_less() -> None:
    """It rounds up; where it said nothing the whole pause counts."""
    calls = []
    for retry_after in (None, 2.0):
        player = Player(100, 100.0)
        player.come(200)
        for _ in range(20):
            player.go()
            player.accept()
            player.now = player.due()[1]
        player.go()
        player.meet(2.0, retry_after=retry_after)
        calls.append(player.pace.calls)
    assert 80 < calls[0] < calls[1] < 100


def test_a_second_rejection_soon_after_blames_the_rate_too() -> None:
    """Two bursts within a period that were both too large are not about their size."""
    player = Player(100, 100.0)
    for calls in (100.0, 70.0):
        player.come(8)
        player.go()
        player.now += 3.0
        player.meet(5.0)
        player.leave()
        player.now += 10.0
        assert player.pace.calls == pytest.approx(calls)


def test_the_rate_never_falls_below_a_call_a_period() -> None:
    """Whatever the server rejects, the client goes on asking."""
    player = Player(1, 10.0)
    for _ in range(20):
        player.now += 40.0
        player.come(1)
        player.go()
        player.meet(30.0)
    assert player.pace.calls == 1.0
    assert player.pace.gap < 11.0


def learnt(calls: float) -> Player:
    """A client that sends ten calls in ten seconds at most, and has learnt that fewer are accepted."""
    player = Player()
    player.pace._set_calls(calls)
    return player


def test_the_window_holds_no_more_than_what_is_believed() -> None:
    """Of 4.3 calls in ten seconds four may be a burst; the window holds five, the last of which is paced."""
    assert learnt(4.3).alone() == 4
    player = learnt(4.3)
    player.come(20)
    for _ in range(5):
        assert player.go() == 1
        player.accept()
        player.now += player.pace.gap
    player.now = START + WINDOW - 2 * TICK
    assert player.go() == 0
    player.now = START + WINDOW
    assert player.pace.window_frees(player.now) == player.now


def test_climbs_back_to_what_was_configured_and_no_further() -> None:
    """Rate and burst by the same factor, when it is time; never while the gate is closed."""
    player = Player(100, 10.0)
    player.come(8)
    player.go()
    player.meet(2.0)
    player.leave()
    player.pace._set_calls(50.0)
    burst = player.pace.burst
    player.now += 160.0  # idle for so long that the climb need not pay for itself
    player.come(1)
    player.due()
    assert player.pace.calls == pytest.approx(50 * 1.05)
    assert player.pace.burst == pytest.approx(burst * 1.05)
    for _ in range(60):
        player.now += 10.0
        player.due()
        assert player.pace.calls <= 100
        assert player.pace.burst <= 100
    assert (player.pace.calls, player.pace.burst) == (100, 100)
    assert player.pace.climb.at == inf
    assert player.go() == 1


def test_does_not_climb_while_the_gate_is_closed() -> None:
    """A pause is no period without rejections."""
    player = Player(100, 10.0)
    player.come(8)
    player.go()
    player.meet(2.0)
    player.pace._set_calls(50.0)
    player.now += 160.0
    player.machine.rejected(player.now, player.machine.take(player.now, "interactive"), 5.0, 0.5)
    player.come(1)
    player.due()
    assert player.pace.calls == 50


@pytest.mark.parametrize(("accepted", "climbs"), [(19, False), (20, True)])
def test_accepted_calls_pay_for_a_climb(accepted: int, climbs: bool) -> None:  # noqa: FBT001 - a row
    """Twenty for a rejection that taught little; those before it do not count, nor those of the pause."""
    player = Player(100, 10.0)
    player.come(4)
    player.go()
    player.meet(2.0)
    player.pace._set_calls(50.0)
    for _ in range(accepted):
        player.machine.accepted(START, Grant(99, START, 0.0, 0, 1))
    player.now += 11.0
    player.come(1)
    player.due()
    assert (player.pace.calls > 50) == climbs


def test_turns_that_were_taken_elsewhere_count() -> None:
    """In the window, for the pace, and for the credit: no burst follows them."""
    machine = Machine.with_limit(5, 10.0, sent=[START - 1.0, START])
    pace = machine.pace
    machine.join(START, "interactive")
    assert machine.due(START, 100)[1] == pytest.approx(START + pace.gap)
    for _ in range(3):
        machine.take(START, "interactive")
    assert pace.window_frees(START) == pytest.approx(START - 1.0 + WINDOW)


def test_the_rejection_of_a_burst_is_one_from_half_a_turn_ahead_on() -> None:
    """Less is a timer that fired early."""
    for deepest, cut in ((0.49, False), (0.5, True)):
        pace = figures(100, 10.0)
        pace.reopened(START, Rejection(START - 1, START - 1, has_retry_after=False, deepest=deepest))
        assert (pace.burst < 100) == cut
        assert (pace.calls < 100) == (not cut)
