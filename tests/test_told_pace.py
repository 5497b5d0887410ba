"""The pace of a client that knows its limit: its figures, lumps, the hard window, and what it learns."""

import pytest

from helpcrunch_async.rate_limit.line import Grant, Line, Place, Priority
from helpcrunch_async.rate_limit.pace import RoundTrip
from helpcrunch_async.rate_limit.told import ToldPace

START = 1000.0
WINDOW = 10.03  # of a period of ten seconds: a quarter of a percent more, and five milliseconds
EARLY = 0.005


class Player:
    """Callers and a wire around a pace: whoever waits goes when it is due."""

    def __init__(self, limit: int = 10, period: float = 10.0, burst: float | None = None) -> None:
        self.pace = ToldPace(limit, period, float(limit) if burst is None else burst)
        self.now = START
        self.line = Line()
        self.flying: list[Grant] = []

    def come(self, callers: int, priority: Priority = "interactive") -> None:
        """Join the line."""
        for number in range(callers):
            self.pace.joined(self.now, self.line)
            self.line.join(Place(number, priority))

    def go(self) -> int:
        """Take the turns that are due; give their number."""
        before = len(self.flying)
        while self.line:
            priority, due = self.pace.due(self.now, self.line, len(self.flying))
            if due > self.now:
                break
            self.line.take(priority)
            self.flying.append(self.pace.grant(self.now, self.line, probe=False))
        return len(self.flying) - before

    def accept(self, calls: int = 1) -> None:
        """Answer the calls that have been on the wire for longest."""
        for grant in self.flying[:calls]:
            grant.accepted = True
            self.pace.accepted(self.line)
        del self.flying[:calls]

    def alone(self) -> int:
        """Send one call after another while each may go at once and nobody waits; give their number."""
        calls = 0
        while True:
            self.pace.joined(self.now, self.line)
            if not self.pace.admits(self.now, "interactive", 1, 0):
                return calls
            self.pace.grant(self.now, self.line, probe=False).accepted = True
            calls += 1

    def contact(self, pause: float, *, retry_after: float | None = None, further: int = 0) -> None:
        """Have the last call that left rejected, with as many before it, and a probe accepted later."""
        first = self.flying.pop()
        first.accepted = False
        self.pace.contact(first, now=self.now, retry_after=retry_after)
        for _ in range(further):
            grant = self.flying.pop()
            grant.accepted = False
            self.pace.rejected(grant, probe=False)
        self.accept(len(self.flying))
        self.now += pause
        probe = self.pace.grant(self.now, self.line, probe=True)
        probe.accepted = True
        self.pace.accepted(self.line)
        self.pace.reopened(probe)


def test_the_round_trip_is_smoothed_over_sixteen_answers() -> None:
    """The first answer counts whole, and its deviation is taken for an eighth of it."""
    trip = RoundTrip()
    assert (trip.mean, trip.deviation) == (0.0, 0.0)
    trip.measure(0.8)
    assert (trip.mean, trip.deviation) == (0.8, 0.1)
    trip.measure(1.6)
    assert (trip.mean, trip.deviation) == pytest.approx((0.85, 0.1 + 0.7 / 16))
    trip.measure(0.05)
    assert (trip.mean, trip.deviation) == pytest.approx((0.8, 0.14375 + (0.8 - 0.14375) / 16))


def test_the_figures_before_the_first_answer() -> None:
    """Evenly, for one call less than told; pauses are some turns' worth, and four windows at most."""
    pace = ToldPace(120, 60.0, 120.0)
    assert pace.rate == 2.0
    assert pace.window == pytest.approx(60.155)
    assert pace.gap == pytest.approx(60.155 / 119)
    assert pace.first_pause == pytest.approx(4 * 60.155 / 119)
    assert pace.longest_pause == pytest.approx(4 * 60.155)
    small = ToldPace(10, 10.0, 10.0)
    assert small.window == pytest.approx(WINDOW)
    assert small.gap == pytest.approx(WINDOW / 9.8), "a fiftieth of a small limit, not a whole call"


def test_jitter_widens_the_window_and_a_slow_server_the_first_pause() -> None:
    """The server sees arrivals, not departures; and no probe goes sooner than an answer can come."""
    pace = ToldPace(10, 10.0, 10.0)
    pace.answered(8.0)
    assert pace.window == pytest.approx(WINDOW + 2 * 1.0)
    assert pace.gap == pytest.approx((WINDOW + 2) / 9.8)
    assert pace.first_pause == 8.0


def test_work_beyond_the_budget_goes_one_by_one() -> None:
    """A gap apart, of which a timer may take five milliseconds."""
    player = Player()
    gap = player.pace.gap
    player.come(11)
    assert player.go() == 1
    for turn in range(1, 5):
        due = START - EARLY + turn * gap
        assert player.pace.due(player.now, player.line, 1)[1] == pytest.approx(due)
        player.now = due - EARLY - 1e-6
        assert player.go() == 0
        player.now = due - EARLY
        assert player.go() == 1


def test_a_turn_that_was_late_is_not_made_up_for() -> None:
    """The next one is a gap after it, not sooner."""
    player = Player()
    player.come(11)
    player.go()
    player.now += 3.0
    assert player.go() == 1
    assert player.pace.due(player.now, player.line, 1)[1] == pytest.approx(
        START + 3 - EARLY + player.pace.gap
    )


def test_a_job_that_fits_the_budget_goes_ahead_four_at_a_time() -> None:
    """And one more with every round trip, so that a rejection finds few others on the wire."""
    player = Player(120, 60.0)
    player.come(60)
    assert player.go() == 4
    wide = []
    for _ in range(30):
        player.accept()
        player.go()
        wide.append(len(player.flying))
    assert wide == [4] * 4 + [5] * 5 + [6] * 7 + [7] * 7 + [8] * 7


def test_no_more_than_a_hundred_lumped_calls_are_on_the_wire() -> None:
    """However quickly the server answers."""
    pace, line = ToldPace(1_000, 60.0, 1_000.0), Line()
    pace.grant(START, line, probe=False)
    line.join(Place(1, "bulk"))
    for _ in range(10_000):
        pace.accepted(line)
    assert pace.admits(START, "interactive", 1, 99)
    assert not pace.admits(START, "interactive", 1, 100)


def test_the_width_does_not_grow_while_nobody_waits() -> None:
    """Calls that come one by one do not show what the wire takes."""
    pace, line = ToldPace(100, 60.0, 100.0), Line()
    pace.grant(START, line, probe=False)
    for _ in range(100):
        pace.accepted(line)
    assert pace.admits(START, "interactive", 1, 3)
    assert not pace.admits(START, "interactive", 1, 4)


@pytest.mark.parametrize(("priority", "room"), [("interactive", 10), ("bulk", 5)])
def test_a_lump_fits_what_is_left_of_the_budget(priority: Priority, room: int) -> None:
    """Bulk work leaves half of it; what was sent in the last window counts for both."""
    pace, line = ToldPace(10, 10.0, 10.0), Line()
    for sent in range(3):
        pace.grant(START, line, probe=False)
        assert pace.admits(START, priority, room - sent - 1, 0)
        assert not pace.admits(START, priority, room - sent, 0)


def test_a_quiet_client_may_go_ahead_by_its_burst() -> None:
    """One call that is due, and three ahead of their turns; then a turn is earned with every gap of quiet."""
    player = Player(burst=3.0)
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
    player = Player(30, 30.0, burst=5.0)
    player.come(40)
    player.go()
    for _ in range(3):
        player.now += player.pace.gap
        player.go()
    player.line = Line()
    assert player.alone() == 1, "one of the five is left"


def test_nothing_is_earned_while_somebody_waits() -> None:
    """A stall behind a full window does not end in a second lump."""
    player = Player(10, 10.0, burst=2.0)
    assert player.alone() == 3
    player.come(20)
    for _ in range(8):
        player.now += 0.5
        player.come(1)
    assert player.go() == 1
    assert not player.pace.admits(player.now, "interactive", 1, 0)


def test_the_window_is_never_overdrawn() -> None:
    """The eleventh of ten goes when the first is a window old, though its turn came earlier."""
    player = Player()
    assert player.alone() == 10
    first = START + WINDOW
    assert player.pace.probe_due(player.now) == pytest.approx(first)
    player.come(1)
    assert player.pace.due(player.now, player.line, 0)[1] == pytest.approx(first)
    player.now = first - 1e-6
    assert not player.pace.admits(player.now, "interactive", 1, 0)
    assert player.go() == 0
    player.now = first
    assert player.pace.probe_due(player.now) == first
    assert player.go() == 1


def test_a_probe_may_go_while_the_window_has_room() -> None:
    """At once: the pause was the gate's to set."""
    player = Player()
    player.alone()
    player.now += 11.0
    assert player.pace.probe_due(player.now) == player.now


def test_interactive_calls_go_ahead_when_the_paced_turn_is_bulks() -> None:
    """Whose paced turn it is says nothing about who may go ahead of it."""
    player = Player(100, 100.0)
    player.come(200, "bulk")
    assert player.go() == 1
    player.come(1)
    assert player.pace.due(player.now, player.line, 1) == ("interactive", player.now)
    player.line.take("interactive")
    priority, due = player.pace.due(player.now, player.line, 1)
    assert (priority, due) == ("bulk", START - EARLY + player.pace.gap)


def test_expects_some_round_trips_for_a_lump() -> None:
    """As many as it takes four at a time."""
    player = Player(100, 100.0)
    player.pace.answered(0.5)
    player.pace.grant(player.now, player.line, probe=False)
    player.come(80)
    assert player.pace.expected_wait(player.now, player.line, "interactive", 10) == 10 / 4 * 0.5


@pytest.mark.parametrize(
    ("priority", "waiting", "burst"),
    [("interactive", 100, 100.0), ("interactive", 20, 10.0), ("bulk", 50, 100.0)],
    ids=["too many", "too far ahead", "more than half"],
)
def test_expects_a_gap_a_turn_for_work_that_is_paced(priority: Priority, waiting: int, burst: float) -> None:
    """From when the next turn is due, which may be now."""
    player = Player(100, 100.0, burst=burst)
    player.pace.grant(player.now, player.line, probe=False)
    player.come(waiting, priority)
    gap = player.pace.gap
    wait = player.pace.expected_wait(player.now, player.line, priority, 10)
    assert wait == pytest.approx(gap - EARLY + 10 * gap)
    player.now += 5.0
    assert player.pace.expected_wait(player.now, player.line, priority, 10) == pytest.approx(10 * gap)


def test_expects_a_full_window_to_free_a_slot() -> None:
    """Where that comes later than the even pace has it, as when answers jitter; then a gap a turn."""
    player = Player()
    player.alone()
    player.come(1)
    player.pace.answered(8.0)
    wait = player.pace.expected_wait(player.now, player.line, "interactive", 3)
    assert wait == pytest.approx(player.pace.window + 3 * player.pace.gap)


def test_a_contact_expects_a_slot_a_window_after_the_oldest_accepted_call() -> None:
    """Or a window from now, where none was accepted."""
    player = Player()
    player.come(5)
    player.go()
    rejected = player.flying.pop()
    assert player.pace.contact(rejected, now=START + 2, retry_after=None) == pytest.approx(START + 2 + WINDOW)
    player.accept()
    assert player.pace.contact(rejected, now=START + 2, retry_after=None) == pytest.approx(START + WINDOW)


def test_a_turn_knows_how_far_ahead_of_the_even_pace_it_went() -> None:
    """A timer that fires early is not ahead."""
    player = Player()
    player.come(4)
    player.go()
    assert [grant.depth for grant in player.flying] == pytest.approx(
        [0.0, *(turn - 2 * EARLY / player.pace.gap for turn in (1, 2, 3))]
    )


def test_a_rejected_lump_is_cut_and_the_rate_kept() -> None:
    """To seven tenths of what was accepted of it; the client is not quiet any more, nor its wire wide."""
    player = Player(100, 100.0)
    player.come(30)
    player.go()
    player.accept(3)
    for _ in range(16):
        player.go()
        player.accept()
    player.go()
    deepest = player.flying[-1].depth
    player.line = Line()
    player.contact(3.0, further=2)
    assert player.pace.calls == 100
    assert player.pace.burst == pytest.approx(0.7 * (deepest - 2))
    assert not player.pace.admits(player.now, "interactive", 1, 0)
    player.now += 60.0
    player.come(1)
    assert player.pace.admits(player.now, "interactive", 1, 3)
    player.go()
    assert not player.pace.admits(player.now, "interactive", 1, 4)


def test_rejected_probes_do_not_make_the_lump_smaller() -> None:
    """They were no part of it."""
    bursts = []
    for probes in (0, 3):
        player = Player(100, 100.0)
        player.come(4)
        player.go()
        player.pace.contact(player.flying[3], now=player.now, retry_after=None)
        for _ in range(probes):
            player.now += 2.0
            player.pace.rejected(player.pace.grant(player.now, player.line, probe=True), probe=True)
        player.pace.reopened(player.pace.grant(player.now + 2.0, player.line, probe=True))
        bursts.append(player.pace.burst)
    assert bursts[0] == bursts[1] > 1.0


def test_a_lump_is_never_cut_below_one_call() -> None:
    """Otherwise no call could ever go ahead again."""
    player = Player()
    player.come(3)
    player.go()
    player.contact(1.0, further=1)
    assert player.pace.burst == 1.0


def test_a_paced_call_that_is_rejected_blames_the_rate() -> None:
    """The lump stays what it is, and the rate becomes what was counted."""
    player = Player(100, 10.0)
    player.come(1_000)
    for _ in range(110):
        player.go()
        player.accept(len(player.flying) - 1)
        player.now += player.pace.gap
        if player.now > START + 5:
            player.flying[0].accepted = None  # as if half of them were somebody else's
            player.flying.clear()
    player.go()
    player.contact(2.0)
    assert player.pace.burst == 100
    assert player.pace.calls < 100


def test_a_pause_that_the_server_asked_for_counts_half_a_second_less() -> None:
    """It rounds up; where it said nothing the whole pause counts."""
    calls = []
    for retry_after in (None, 2.0):
        player = Player(100, 100.0)
        player.come(200)
        for _ in range(20):
            player.go()
            player.accept(len(player.flying) - 1)
            player.now += player.pace.gap
        player.contact(2.0, retry_after=retry_after)
        calls.append(player.pace.calls)
    assert 80 < calls[0] < calls[1] < 100


def test_a_second_contact_soon_after_blames_the_rate_too() -> None:
    """Two lumps within a period that were both too large are not about their size."""
    player = Player(100, 100.0)
    for pause, calls in ((5.0, 100.0), (5.0, 70.0)):
        player.come(8)
        player.go()
        player.now += 3.0 if pause else 0.0
        player.contact(pause)
        player.line = Line()
        player.now += 10.0
        assert player.pace.calls == pytest.approx(calls)


def test_the_rate_never_falls_below_a_call_a_period() -> None:
    """Whatever the server rejects, the client goes on asking."""
    player = Player(1, 10.0)
    for _ in range(20):
        player.now += 40.0
        player.come(1)
        player.go()
        player.contact(30.0)
    assert player.pace.calls == 1.0
    assert player.pace.gap < 11.0


def test_the_window_holds_no_more_than_what_is_believed() -> None:
    """After a lesson, too: of 4.3 calls in ten seconds four may be a lump, and the fifth is paced."""
    player = Player(10, 10.0)
    player.pace._set_calls(4.3)
    assert player.alone() == 4
    player = Player(10, 10.0)
    player.pace._set_calls(4.3)
    player.come(20)
    for _ in range(5):
        assert player.go() == 1
        player.accept()
        player.now += player.pace.gap
    player.now = START + WINDOW - 1e-6
    assert player.go() == 0
    player.now = START + WINDOW
    assert player.pace.probe_due(player.now) == player.now


def test_a_rejection_from_before_the_reopening_is_stale() -> None:
    """It speaks of what is over; one that left in that moment does not."""
    player = Player()
    player.come(3)
    player.go()
    old = player.flying[0]
    assert not player.pace.is_stale(old)
    player.contact(2.0)
    assert player.pace.is_stale(old)
    assert not player.pace.is_stale(Grant(player.now, 0.0))


def test_climbs_back_to_what_was_told_and_no_further() -> None:
    """Rate and lump by the same factor, when it is time."""
    player = Player(100, 10.0)
    player.come(8)
    player.go()
    player.contact(2.0)
    player.line = Line()
    player.pace._set_calls(50.0)
    burst = player.pace.burst
    player.now += 160.0  # idle for so long that the climb need not pay for itself
    player.pace.joined(player.now, player.line)
    assert player.pace.calls == pytest.approx(50 * 1.05)
    assert player.pace.burst == pytest.approx(burst * 1.05)
    for _ in range(60):
        player.now += 10.0
        player.pace.joined(player.now, player.line)
        assert player.pace.calls <= 100
        assert player.pace.burst <= 100
    assert (player.pace.calls, player.pace.burst) == (100, 100)
    player.come(1)
    assert player.go() == 1


@pytest.mark.parametrize(("accepted", "climbs"), [(19, False), (20, True)])
def test_accepted_calls_pay_for_a_climb(accepted: int, climbs: bool) -> None:  # noqa: FBT001 - a row
    """Twenty for a rejection that taught little; those before it do not count."""
    player = Player(100, 10.0)
    player.come(4)
    player.go()
    player.accept(3)
    player.contact(2.0)
    player.pace._set_calls(50.0)
    for _ in range(accepted):
        player.pace.accepted(player.line)
    player.now += 11.0
    player.pace.joined(player.now, player.line)
    assert (player.pace.calls > 50) == climbs
