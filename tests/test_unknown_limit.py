"""The pace without a configured limit: where it begins, what a rejection teaches, how it climbs."""

import asyncio
from collections.abc import Callable
from math import inf
from random import Random

import pytest

from helpcrunch_async import RateLimiter
from helpcrunch_async.rate_limit.cells import Grant
from helpcrunch_async.rate_limit.machine import Machine
from helpcrunch_async.rate_limit.unknown_limit import Certainty, UnknownLimit
from helpcrunch_async.testing import (
    FixedWindow,
    InterpolatedWindow,
    Penalty,
    RateRule,
    RollingLog,
    TokenBucket,
    run_in_virtual_time,
)


class Player:
    """Takes every turn when it is due, with no time on the wire, while somebody else waits."""

    def __init__(self) -> None:
        self.machine = Machine.without_limit(60.0)
        pace = self.machine.pace
        assert isinstance(pace, UnknownLimit)
        self.pace = pace
        self.now = 1000.0
        self.others = 1
        self.takes = 0.0  # seconds that an answer takes; others go meanwhile

    def take(self, at: float | None = None) -> Grant:
        """Take a turn, be it due or not, while somebody else waits."""
        for _ in range(1 + self.others):
            self.machine.join(self.now, "interactive")
        return self.machine.take(self.now if at is None else at, "interactive")

    def stop_waiting(self) -> None:
        for _ in range(self.machine.lanes.total):
            self.machine.leave("interactive")

    def turn(self) -> Grant:
        """Wait for the pace, and take a turn."""
        self.machine.join(self.now, "interactive")
        self.now = max(self.now, self.machine.due(self.now, 100)[1])
        self.machine.leave("interactive")
        return self.take()

    def accept(self, grant: Grant) -> None:
        self.machine.accepted(grant.at + self.takes, grant)
        self.stop_waiting()

    def accepted(self, seconds: float) -> int:
        """Have every call accepted for so long; give their number."""
        until, calls = self.now + seconds, 0
        while self.now < until:
            self.accept(self.turn())
            calls += 1
        return calls

    def meet(
        self, pause: float, *, retry_after: float | None = None, failed: float = 0.0, further: int = 0
    ) -> None:
        """Have calls rejected, and a probe accepted after a pause, if need be after one that failed."""
        rejected = [self.turn() for _ in range(1 + further)]
        for grant in rejected:
            self.machine.rejected(grant.at, grant, retry_after, 0.5)
        if failed:
            probe = self.take(self.now + failed)
            self.machine.rejected(probe.at, probe, retry_after, 0.5)
        self.now += pause
        self.accept(self.take())


def test_begins_evenly_with_five_a_second() -> None:
    """No lump meets a server of which nothing is known."""
    player = Player()
    assert player.accepted(1.0) == pytest.approx(5, abs=2)
    player.machine.join(player.now, "interactive")
    assert player.machine.due(player.now, 100)[1] > player.now


def test_doubles_its_rate_every_six_seconds_of_work() -> None:
    """Until the first rejection the rate grows by the same share each second."""
    player = Player()
    player.accepted(6.0)
    assert player.pace.rate == pytest.approx(10, rel=0.1)
    player.accepted(12.0)
    assert player.pace.rate == pytest.approx(40, rel=0.1)


def test_climbs_more_slowly_where_the_way_is_long() -> None:
    """Much is on the wire at the first rejection: a round trip of a fifth of a second makes six twelve."""
    player = Player()
    player.takes = 0.2
    player.accepted(12.0)
    assert player.pace.rate == pytest.approx(10, rel=0.1)


def test_sends_no_faster_when_nobody_waits() -> None:
    """Calls that come one by one say nothing about what the server takes."""
    player = Player()
    player.others = 0
    player.accepted(100.0)
    assert player.pace.rate == 5.0


def test_estimates_a_wait_of_one_gap_for_each_turn_ahead() -> None:
    """Of five a second, whoever comes right after a turn waits a fifth of one, and a fifth more per other."""
    player = Player()
    player.turn()
    player.now += 0.05
    estimate = player.machine.expected_wait
    assert estimate(player.now, "interactive", 0, 100.0) == pytest.approx(0.15, abs=0.006)
    assert estimate(player.now, "bulk", 3, 100.0) == pytest.approx(0.75, abs=0.006)
    assert estimate(player.now + 9.0, "interactive", 0, 100.0) == 0.0


def test_sends_nothing_more_where_there_is_no_room_on_the_wire() -> None:
    """A server that does not answer gets no further calls, whatever the rate, until one of them is back."""
    player = Player()
    player.turn()
    player.now += 60.0
    assert player.machine.due(player.now, 1)[1] <= player.now
    assert player.machine.due(player.now, 0) == ("interactive", inf)


def test_a_rejection_that_cost_more_is_paid_for_longer() -> None:
    """After forty 429s the rate climbs a good deal more slowly than after one."""
    rates = []
    for further in (0, 39):
        player = Player()
        player.accepted(5.0)
        player.meet(0.2, further=further)
        begun = player.pace.rate
        player.accepted(10.0)
        rates.append(player.pace.rate / begun - 1)
    assert rates[0] > 3 * rates[1] > 0


def test_counts_a_window_that_fills_early() -> None:
    """After a window of ten seconds, of which the last three were a pause, the rate is what it held."""
    player = Player()
    held = player.accepted(7.0)
    player.meet(3.0, failed=2.8)
    assert player.pace.rate == pytest.approx(held / 10, rel=0.1)


def test_counts_only_the_stretch_that_held_most() -> None:
    """The slow beginning is left out of the count."""
    player = Player()
    counted = player.accepted(18.0)
    player.meet(0.5)
    assert counted / 18 < 20
    assert 25 < player.pace.rate < 35


def test_steps_back_clearly_until_a_count_is_exact() -> None:
    """A short pause after a climb hides by how much the rate was too high; after even work it does not."""
    player = Player()
    player.accepted(10.0)
    before = player.pace.rate
    player.meet(0.05)
    assert player.pace.rate == pytest.approx(0.85 * before, rel=0.02)
    player.accepted(10.0)
    before = player.pace.rate
    player.meet(0.05)
    assert player.pace.rate > 0.95 * before


def test_does_not_count_most_of_a_pause_that_was_not_needed() -> None:
    """A second that a server asks for at the least is not taken for a window that was full for as long."""
    player = Player()
    player.accepted(5.0)
    before = player.pace.rate
    player.meet(1.0, retry_after=1.0)
    assert player.pace.rate > 0.7 * before


@pytest.mark.parametrize(
    ("retry_after", "counted"), [(None, 0.3 * 4.0), (1.0, 4.0 - 0.7)], ids=["none", "Retry-After"]
)
def test_counts_more_of_a_pause_that_was_told(retry_after: float | None, counted: float) -> None:
    """Whoever is told to wait waits too long by a second at most; whoever is not, by most of the pause."""
    player = Player()
    player.others = 0
    held = player.accepted(6.0)
    begun = player.now - 6.0
    player.meet(4.0, retry_after=retry_after)
    worked = player.now - 4.0 - begun
    assert player.pace.rate == pytest.approx(0.995 * held / (worked + counted), rel=0.03)


def test_steps_back_when_there_is_too_little_to_count() -> None:
    """A server that rejects the very first calls is not taken for one that takes nothing."""
    player = Player()
    player.meet(30.0)
    assert player.pace.rate == pytest.approx(0.85 * 5)
    player.meet(30.0)
    assert player.pace.rate == pytest.approx(0.85 * 0.85 * 5)


def test_climbs_more_slowly_the_better_it_knows() -> None:
    """After the first rejection the rate grows by a sixth within a minute; after a second one in many."""
    player = Player()
    player.accepted(5.0)
    player.meet(0.2)
    guessed = player.pace.rate
    player.accepted(40.0)
    assert 1.15 * guessed < player.pace.rate < 2 * guessed
    player.meet(0.2)
    counted = player.pace.rate
    player.accepted(40.0)
    assert player.pace.rate < 1.02 * counted


def test_climbs_back_to_what_was_rejected() -> None:
    """After a rough count a quarter of what was given up is back after twenty seconds, all after forty."""
    player = Player()
    player.accepted(10.0)
    high = player.pace.rate
    player.meet(3.0, failed=2.0)
    low = player.pace.rate
    assert 0.5 * high < low < 0.8 * high
    player.accepted(20.0)
    assert player.pace.rate == pytest.approx(low + (high - low) / 4, rel=0.02)
    player.accepted(20.0)
    assert player.pace.rate == pytest.approx(high, rel=0.02)


def test_climbs_back_to_twice_the_rate_at_most() -> None:
    """A long window that was full early is not overshot again because its first calls came fast."""
    player = Player()
    player.accepted(15.0)
    high = player.pace.rate
    player.meet(40.0, failed=39.9)
    low = player.pace.rate
    assert low < 0.3 * high
    player.accepted(160.0)
    assert player.pace.rate == pytest.approx(2 * low, rel=0.02)


def test_climbs_from_the_lowest_rate() -> None:
    """A server that refuses nearly everything for long is found to take more when it does."""
    player = Player()
    for _ in range(60):
        player.meet(30.0)
    lowest = player.pace.rate
    assert lowest == pytest.approx(1 / 600)
    player.accepted(100_000.0)
    assert player.pace.rate > 5 * lowest


def test_asks_sooner_once_the_rate_is_about_right() -> None:
    """A small excess is over in a moment, but nobody knows whether the first one was small."""
    player = Player()
    assert player.pace.backoff(player.now, player.now).first == 0.5
    player.accepted(10.0)
    player.meet(0.5)
    player.accepted(20.0)
    player.meet(0.2)
    assert player.pace.backoff(player.now, player.now).first == pytest.approx(2 * player.pace.gap)


def test_finds_a_limit_that_was_lifted() -> None:
    """Without rejections a counted rate doubles in some minutes, and then grows ever faster."""
    player = Player()
    player.accepted(5.0)
    for _ in range(2):
        player.meet(0.2)
        player.accepted(20.0)
    before = player.pace.rate
    player.accepted(600.0)
    assert player.pace.rate > 3 * before


def test_forgets_a_limit_after_a_long_silence() -> None:
    """Ten minutes later the server may be another."""
    player = Player()
    player.accepted(5.0)
    player.meet(20.0)
    assert player.pace.rate < 5.0
    player.now += 599.0
    player.accept(player.turn())
    assert player.pace.rate < 5.0
    player.now += 610.0
    player.turn()
    assert player.pace.rate == 5.0


def test_remembers_a_limit_for_as_long_as_a_pause_lasts() -> None:
    """Nothing is forgotten while the gate is closed."""
    player = Player()
    player.accepted(5.0)
    player.meet(700.0)
    assert player.pace.rate < 5.0
    assert player.pace.certainty is Certainty.GUESSED


def test_believes_a_count_that_took_a_long_pause() -> None:
    """A rate far too high for a window of a minute is not kept because the last one was higher still."""
    player = Player()
    player.accepted(5.0)
    player.meet(0.2)
    held = player.accepted(10.0)
    high = player.pace.rate
    player.meet(20.0, failed=19.9)
    assert player.pace.rate == pytest.approx(max(held / 30, high / 2), rel=0.1)


def test_climbs_in_no_less_time_than_a_window_may_take() -> None:
    """After a pause of half a minute the rate does not double within the minute that the window may last."""
    player = Player()
    player.accepted(5.0)
    player.meet(30.0, failed=29.0)
    before = player.pace.rate
    player.accepted(60.0)
    assert player.pace.rate < 1.3 * before


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: FixedWindow(48, 6.0), id="fixed window"),
        pytest.param(lambda: RollingLog(48, 6.0), id="rolling log"),
        pytest.param(lambda: InterpolatedWindow(48, 6.0), id="interpolated window"),
        pytest.param(lambda: TokenBucket(8, 1.0, 5), id="small bucket"),
        pytest.param(lambda: TokenBucket(8, 1.0, 60), id="large bucket"),
        pytest.param(lambda: Penalty(TokenBucket(8, 1.0, 6), 1.0), id="penalty"),
    ],
)
@pytest.mark.parametrize("tells", [True, False], ids=["Retry-After", "none"])
def test_settles_near_any_limit(make: Callable[[], RateRule], tells: bool) -> None:  # noqa: FBT001
    """Two minutes at an unknown limit: nine tenths used, one call in fifty rejected, none lost."""

    async def main() -> None:
        rule, random = make(), Random(3)
        limiter = RateLimiter.discover(random=random.random)
        now = asyncio.get_running_loop().time
        served, rejected = 0, 0

        async def call() -> None:
            nonlocal served, rejected
            turn = await limiter.turn()
            while True:
                await asyncio.sleep(0.1 * (0.5 + random.random()))
                wait = rule.hit(now())
                if wait is None:
                    break
                rejected += 1
                turn.rejected(max(1.0, round(wait + 0.5)) if tells else None)
                await turn.again()
            served += 1
            turn.accepted()

        tasks = [asyncio.ensure_future(call()) for _ in range(1_500)]
        await asyncio.wait(tasks, timeout=120)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert served > 0.9 * 8 * 120
        assert rejected < 0.02 * served

    run_in_virtual_time(main())
