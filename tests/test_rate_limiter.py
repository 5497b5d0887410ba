"""The limiter as callers await it: in virtual time, so that minutes pass at once."""

import asyncio
import pickle
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from random import Random
from typing import Any

import pytest

from helpcrunch_async import UNLIMITED, RateLimiter
from helpcrunch_async.rate_limit import Priority, Statistics, TurnRefusedError
from helpcrunch_async.rate_limit.gate import State
from helpcrunch_async.testing import (
    FixedWindow,
    InterpolatedWindow,
    RateRule,
    RollingLog,
    TokenBucket,
    run_in_virtual_time,
)


def now() -> float:
    return asyncio.get_running_loop().time()


class Server:
    """A rate rule behind a network that takes 25 ms each way."""

    def __init__(self, rule: RateRule | None = None) -> None:
        self.rule = rule
        self.accepted = 0
        self.rejected = 0
        self.last_to_ask: asyncio.Task[Any] | None = None

    async def ask(self) -> float | None:
        """Give None for an accepted call, else the seconds until one would be."""
        self.last_to_ask = asyncio.current_task()
        await asyncio.sleep(0.025)
        wait = self.rule.hit(now()) if self.rule is not None else None
        if wait is None:
            self.accepted += 1
        else:
            self.rejected += 1
        await asyncio.sleep(0.025)
        return wait


async def call(limiter: RateLimiter, server: Server, priority: Priority = "interactive") -> float:
    """Call until accepted; give the seconds it took."""
    started = now()
    turn = await limiter.turn(priority)
    try:
        while await server.ask() is not None:
            turn.rejected(None)
            await turn.again()
        turn.accepted()
    finally:
        turn.release()
    return now() - started


@pytest.mark.parametrize(
    "rule",
    [
        pytest.param(lambda: FixedWindow(120, 60.0), id="fixed window, first hit"),
        pytest.param(lambda: FixedWindow(120, 60.0, 0.4), id="fixed window, clock"),
        pytest.param(lambda: RollingLog(120, 60.0), id="rolling log"),
        pytest.param(lambda: InterpolatedWindow(120, 60.0), id="interpolated window"),
        pytest.param(lambda: TokenBucket(120, 60.0), id="token bucket"),
    ],
)
def test_spends_the_whole_budget_without_a_rejection(rule: Callable[[], RateRule]) -> None:
    """Told the limit, 600 calls take five minutes under every kind of window, and none is rejected."""

    async def main() -> None:
        limiter, server = RateLimiter(), Server(rule())
        await asyncio.gather(*(call(limiter, server) for _ in range(600)))
        assert server.rejected == 0
        assert server.accepted == 600
        assert now() < 1.03 * 300

    run_in_virtual_time(main())


def test_lost_nothing_when_told_three_times_too_much() -> None:
    """A limit that is a third of what was told costs a few rejections, and no call."""

    async def main() -> None:
        limiter, server = RateLimiter(), Server(RollingLog(40, 60.0))
        await asyncio.gather(*(call(limiter, server) for _ in range(400)))
        assert server.accepted == 400
        assert server.rejected / 400 < 0.03
        assert now() < 1.1 * 600
        assert limiter.statistics.rejected == server.rejected
        assert limiter.statistics.rate * 60 < 45

    run_in_virtual_time(main())


def test_discovers_an_unknown_limit() -> None:
    """Told nothing, it settles near what the server takes."""

    async def main() -> None:
        limiter, server = RateLimiter.discover(random=Random(1).random), Server(TokenBucket(100, 10.0, 20))
        await asyncio.gather(*(call(limiter, server) for _ in range(1500)))
        assert server.accepted == 1500
        assert server.rejected / 1500 < 0.03
        assert now() < 1.1 * 150
        assert repr(limiter) == "RateLimiter.discover()"

    run_in_virtual_time(main())


def test_bursts_of_twenty_wait_for_nothing_while_the_budget_allows() -> None:
    """Twenty calls every twelve seconds, 83 % of the budget, take a few round trips each time."""

    async def main() -> None:
        limiter, server = RateLimiter(), Server(RollingLog(120, 60.0))
        for _ in range(20):
            took = await asyncio.gather(*(call(limiter, server) for _ in range(20)))
            assert max(took) < 0.3
            await asyncio.sleep(11.8)

    run_in_virtual_time(main())


def test_an_interactive_call_waits_two_turns_at_most_behind_bulk_work() -> None:
    """While thousands of bulk calls wait, and the window is well used, a single call is served next."""

    async def main() -> None:
        limiter, server = RateLimiter(), Server(RollingLog(120, 60.0))
        bulk = asyncio.gather(*(call(limiter, server, "bulk") for _ in range(1000)))
        await asyncio.sleep(100)
        for _ in range(20):
            assert await call(limiter, server) <= 2 * 60 / 118 + 0.06
            await asyncio.sleep(3.3)
        bulk.cancel()
        with pytest.raises(asyncio.CancelledError):
            await bulk
        assert limiter.statistics.waiting == limiter.statistics.in_flight == 0

    run_in_virtual_time(main())


@pytest.mark.parametrize("lane", ["interactive", "bulk"])
def test_a_lone_call_of_another_flow_waits_for_three_turns_at_most(lane: Priority) -> None:
    """However many calls a flow has queued; and `max_wait` knows."""

    async def main() -> None:
        limiter = RateLimiter(120, 60.0)

        async def queued(flow: str, max_wait: float | None = None) -> None:
            turn = await limiter.turn(lane, max_wait, flow=flow)
            await asyncio.sleep(0.1)
            turn.accepted()

        many = [asyncio.create_task(queued("many")) for _ in range(600)]
        await asyncio.sleep(30)
        granted = limiter.statistics.granted
        await queued("one", max_wait=2.0)
        assert limiter.statistics.granted - granted - 1 <= 3
        with pytest.raises(TurnRefusedError):
            await queued("many", max_wait=2.0)
        for task in many:
            task.cancel()
        await asyncio.gather(*many, return_exceptions=True)

    run_in_virtual_time(main())


def test_max_wait_refuses_at_once_and_says_when_to_come_back() -> None:
    """A caller that cannot wait does not queue: it hears how long the line is."""

    async def main() -> None:
        limiter, server = RateLimiter(), Server()
        line = asyncio.gather(*(call(limiter, server) for _ in range(300)))
        await asyncio.sleep(1)
        started = now()
        with pytest.raises(TurnRefusedError) as refused:
            await limiter.turn(max_wait=20.0)
        assert now() == started
        assert refused.value.retry_after == pytest.approx(150, rel=0.1)
        turn = await limiter.turn(max_wait=200.0)
        turn.accepted()
        await line

    run_in_virtual_time(main())


def test_a_refusal_travels() -> None:
    """With what it knows, also to another process."""
    refused = pickle.loads(pickle.dumps(TurnRefusedError(7.5)))
    assert (refused.retry_after, refused.args) == (7.5, (7.5,))


def test_max_wait_lets_a_lump_pass_that_needs_a_few_round_trips() -> None:
    """A burst that the budget allows is not refused merely because its calls stand in line for a moment."""

    async def main() -> None:
        limiter, server = RateLimiter(), Server()

        async def impatient() -> None:
            turn = await limiter.turn(max_wait=1.0)
            await server.ask()
            turn.accepted()

        await impatient()
        await asyncio.sleep(10)
        await asyncio.gather(*(impatient() for _ in range(50)))

    run_in_virtual_time(main())


def test_max_wait_ends_the_wait_when_the_line_stalls() -> None:
    """An estimate may be wrong; the promise is kept all the same."""

    async def main() -> None:
        limiter = RateLimiter(2, 10.0)
        first = await limiter.turn()
        first.rejected(8.0)
        waiting = asyncio.create_task(limiter.turn(max_wait=9.0))
        await asyncio.sleep(8.5)
        probe = await waiting
        assert limiter.statistics.in_flight == 1
        with pytest.raises(TurnRefusedError):
            await limiter.turn(max_wait=3.0)
        assert now() <= 11.5
        probe.accepted()

    run_in_virtual_time(main())


def test_nobody_waits_for_ever_behind_a_closed_gate() -> None:
    """When nothing has got through for five periods, callers are told instead of kept."""

    async def main() -> None:
        limiter = RateLimiter(10, 10.0)

        async def hopeless() -> None:
            turn = await limiter.turn()
            while True:
                await asyncio.sleep(0.05)
                turn.rejected(None)
                await turn.again()

        outcomes = await asyncio.gather(*(hopeless() for _ in range(30)), return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} == {TurnRefusedError}
        assert 50 <= now() <= 50 + 45
        assert limiter.statistics.waiting == limiter.statistics.in_flight == 0

    run_in_virtual_time(main())


def test_a_retry_after_of_an_hour_is_told_after_five_periods() -> None:
    """A server that wants an hour does not hold callers for an hour unasked."""

    async def main() -> None:
        limiter = RateLimiter(10, 10.0)
        (await limiter.turn()).rejected(3600.0)
        with pytest.raises(TurnRefusedError) as refused:
            await limiter.turn()
        assert now() == pytest.approx(50)
        assert refused.value.retry_after == pytest.approx(3550, abs=1)

    run_in_virtual_time(main())


@pytest.mark.parametrize(
    "when", ["waiting", "just before the grant", "granted and not yet awake", "using the turn", "probing"]
)
def test_a_cancelled_caller_gives_its_part_to_the_next(when: str) -> None:
    """Wherever the cancellation hits, the others are served and nothing stays in flight."""

    async def main() -> None:
        limiter, server = RateLimiter(3, 10.0), Server()
        if when == "probing":
            (await limiter.turn()).rejected(2.0)
        callers = [asyncio.create_task(call(limiter, server)) for _ in range(5)]
        await asyncio.sleep(0.01 if when != "probing" else 2.01)
        if when == "waiting":
            callers[-2].cancel()
        elif when in {"just before the grant", "granted and not yet awake"}:
            # A timer's callback grants the turn; this one runs in the same iteration of the loop.
            await asyncio.sleep(5)
            wake, head = limiter._waiters.schedule.wake, limiter._waiters.schedule.line.places()[0]
            assert wake is not None
            instant = 1e-10 if when == "granted and not yet awake" else -1e-10
            asyncio.get_running_loop().call_at(wake + instant, callers[head.number - 1].cancel)
        else:
            callers[0].cancel()
        outcomes = await asyncio.gather(*callers, return_exceptions=True)
        assert sum(isinstance(outcome, asyncio.CancelledError) for outcome in outcomes) == 1
        assert sum(isinstance(outcome, float) for outcome in outcomes) == 4
        assert limiter.statistics.in_flight == limiter.statistics.waiting == 0

    run_in_virtual_time(main())


@pytest.mark.parametrize("instant", [-1e-10, 0.0, 1e-10], ids=["just before", "at once", "just after"])
def test_a_caller_who_is_cancelled_as_its_patience_ends_leaves_once(
    instant: float, caplog: pytest.LogCaptureFixture
) -> None:
    """Whichever comes first, no other place is given up with it, and the loop has nothing to complain of."""

    async def main() -> None:
        limiter = RateLimiter()
        probe = await limiter.turn()
        probe.rejected(2.0)
        probe = await limiter.turn()
        hurried, other = asyncio.create_task(limiter.turn(max_wait=5.0)), asyncio.create_task(limiter.turn())
        asyncio.get_running_loop().call_at(now() + 5.0 + instant, hurried.cancel)
        await asyncio.sleep(6)
        assert hurried.done()
        assert limiter.statistics.waiting == 1
        probe.accepted()
        (await other).accepted()
        assert limiter.statistics.waiting == 0

    run_in_virtual_time(main())
    assert caplog.records == []


def test_three_hundred_waiters_survive_a_cancelled_probe() -> None:
    """The probe's part is handed on, however many probes are cancelled."""

    async def main() -> None:
        limiter, server = RateLimiter(120, 6.0), Server(RollingLog(60, 6.0))
        callers = [asyncio.create_task(call(limiter, server)) for _ in range(300)]
        cancelled = 0
        while cancelled < 3 and not all(caller.done() for caller in callers):
            await asyncio.sleep(0.01)
            if limiter._waiters.schedule.machine.gate.state is State.PROBING:
                assert server.last_to_ask is not None
                cancelled += server.last_to_ask.cancel()
        outcomes = await asyncio.gather(*callers, return_exceptions=True)
        assert cancelled > 0
        assert sum(isinstance(outcome, float) for outcome in outcomes) == 300 - cancelled

    run_in_virtual_time(main())


def test_a_sibling_that_finishes_does_not_open_the_gate() -> None:
    """Only the probe's answer lets the others on, and not before the deadline."""

    async def main() -> None:
        limiter = RateLimiter(100, 10.0)
        one, two = await limiter.turn(), await limiter.turn()
        one.rejected(3.0)
        two.accepted()
        (await limiter.turn()).accepted()
        assert now() == pytest.approx(3.0)

    run_in_virtual_time(main())


def test_no_timer_and_no_task_while_nobody_waits() -> None:
    """An idle limiter costs the loop nothing."""

    async def main() -> None:
        limiter = RateLimiter(2, 1.0)
        for _ in range(4):
            (await limiter.turn()).accepted()
        assert limiter._waiters._timer is None
        assert len(asyncio.all_tasks()) == 1
        (await limiter.turn()).rejected(5.0)
        assert limiter._waiters._timer is None
        waiting = asyncio.create_task(limiter.turn())
        await asyncio.sleep(0.1)
        assert limiter._waiters._timer is not None
        waiting.cancel()
        await asyncio.sleep(0)
        assert limiter._waiters._timer is None

    run_in_virtual_time(main())


def test_moves_from_one_event_loop_to_the_next() -> None:
    """A module-level limiter serves two `asyncio.run` one after the other."""
    limiter = RateLimiter(5, 1.0)

    async def main() -> None:
        for _ in range(3):
            (await limiter.turn()).accepted()

    asyncio.run(main())
    asyncio.run(main())
    assert limiter.statistics.granted == 6


def test_says_so_when_used_from_two_event_loops_at_once() -> None:
    """Sharing across loops would break silently; it is refused plainly instead."""
    limiter = RateLimiter(5, 1.0)

    async def hold() -> None:
        await limiter.turn()
        await asyncio.to_thread(asyncio.run, other())

    async def other() -> None:
        with pytest.raises(RuntimeError, match="another event loop"):
            await limiter.turn()

    asyncio.run(hold())


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"limit": 0}, ValueError),
        ({"limit": True}, TypeError),
        ({"limit": 1.5}, TypeError),
        ({"period": 0}, ValueError),
        ({"period": -1.0}, ValueError),
        ({"period": float("nan")}, ValueError),
        ({"period": float("inf")}, ValueError),
        ({"period": "60"}, TypeError),
        ({"burst": 0}, ValueError),
        ({"burst": 121}, ValueError),
        ({"burst": 1.0}, TypeError),
    ],
    ids=str,
)
def test_nonsense_numbers_are_refused(arguments: dict[str, Any], error: type[Exception]) -> None:
    """A clear error at construction, not a limiter that never lets anybody pass."""
    [name] = arguments
    with pytest.raises(error, match=f"^{name} is"):
        RateLimiter(**arguments)


def test_is_idle_once_nothing_has_happened_for_a_period() -> None:
    """Nobody waits, no turn is used, none was for a period, and no pause has been over for less than one."""

    async def main() -> None:
        limiter = RateLimiter(1, 10.0)
        assert limiter.is_idle()
        turn = await limiter.turn()
        await asyncio.sleep(20)
        assert not limiter.is_idle(), "a turn is being used"
        turn.accepted()
        assert limiter.is_idle()
        turn = await limiter.turn()
        turn.accepted()
        assert not limiter.is_idle()
        await asyncio.sleep(9.9)
        assert not limiter.is_idle()
        await asyncio.sleep(0.2)
        assert limiter.is_idle()
        (await limiter.turn()).rejected(20.0)
        await asyncio.sleep(29.9)
        assert not limiter.is_idle(), "the pause was over ten seconds ago"
        await asyncio.sleep(0.2)
        assert limiter.is_idle()
        waiting = asyncio.create_task(limiter.turn())
        await asyncio.sleep(0)
        assert not limiter.is_idle()
        (await waiting).accepted()
        await asyncio.sleep(10.1)
        assert limiter.is_idle()
        assert not limiter.is_idle(60.0)
        await asyncio.sleep(50.0)
        assert limiter.is_idle(60.0)

    run_in_virtual_time(main())


def test_statistics_tell_the_moment() -> None:
    """Who waits, who is on the wire, how long a pause still lasts and what is believed."""

    async def main() -> None:
        limiter = RateLimiter(120, 60.0)
        assert limiter.statistics == Statistics(0, 0, 0, 0, 0.0, 2.0)
        turns = [await limiter.turn() for _ in range(4)]
        await asyncio.sleep(1)
        turns[0].rejected(9.0)
        turns[1].accepted()
        turns[2].release()
        waiting = asyncio.create_task(limiter.turn())
        await asyncio.sleep(2)
        assert limiter.statistics == Statistics(4, 1, 1, 1, 7.0, 2.0)
        await asyncio.sleep(7.5)
        assert limiter.statistics == Statistics(5, 1, 0, 2, 0.0, 2.0)
        (await waiting).accepted()
        assert limiter.statistics.paused_for == 0

    run_in_virtual_time(main())


def test_only_the_first_word_on_a_turn_counts() -> None:
    """Whatever is said after it changes nothing."""

    async def main() -> None:
        limiter = RateLimiter()
        for first in ("accepted", "release", "rejected"):
            turn = await limiter.turn()
            if first == "rejected":
                turn.rejected(0.5)
            else:
                getattr(turn, first)()
            told = limiter.statistics
            turn.rejected(99.0)
            turn.accepted()
            turn.release()
            assert limiter.statistics == told

    run_in_virtual_time(main())


def test_again_gives_the_turn_back_that_nobody_reported() -> None:
    """It is not in use while its caller waits for another one."""

    async def main() -> None:
        limiter = RateLimiter(1, 10.0)
        turn = await limiter.turn()
        again = asyncio.create_task(turn.again())
        await asyncio.sleep(1)
        assert (limiter.statistics.in_flight, limiter.statistics.waiting) == (0, 1)
        await again
        assert (limiter.statistics.in_flight, limiter.statistics.waiting) == (1, 0)
        turn.accepted()

    run_in_virtual_time(main())


def test_again_has_its_own_patience() -> None:
    """A call that was rejected is refused another turn when that is too far away, and says how far."""

    async def main() -> None:
        limiter = RateLimiter()
        turn = await limiter.turn()
        turn.rejected(30.0)
        others = [asyncio.create_task(limiter.turn()) for _ in range(100)]
        await asyncio.sleep(0)
        with pytest.raises(TurnRefusedError) as refused:
            await turn.again(max_wait=29.0)
        assert refused.value.retry_after == pytest.approx(30.0), "at the head of the line"
        assert now() == 0
        assert limiter.statistics.waiting == 100
        await turn.again(max_wait=31.0)
        assert now() == pytest.approx(30.0)
        turn.accepted()
        for other in others:
            other.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    run_in_virtual_time(main())


def test_a_wait_that_turns_out_too_long_says_how_long_it_would_have_been() -> None:
    """From the moment of giving up."""

    async def main() -> None:
        limiter = RateLimiter(2, 10.0)
        probe = await limiter.turn()
        probe.rejected(2.0)
        probe = await limiter.turn()
        waiting = asyncio.create_task(limiter.turn(max_wait=12.0))
        await asyncio.sleep(1)
        probe.rejected(50.0)
        with pytest.raises(TurnRefusedError) as refused:
            await waiting
        assert now() == pytest.approx(14.0)
        assert refused.value.retry_after == pytest.approx(53.0 - 14.0, abs=1.0)
        assert limiter._waiters._timer is None

    run_in_virtual_time(main())


def test_discovering_is_told_nothing() -> None:
    """And looks like it."""
    limiter = RateLimiter.discover()
    assert limiter.limit is None
    assert limiter.paces
    assert repr(limiter) == "RateLimiter.discover()"
    assert limiter.statistics.rate == 5.0


def test_the_jitter_of_pauses_is_what_was_given() -> None:
    """For tests, and for programs that draw all their chance from one seed."""

    async def main() -> None:
        for make in (RateLimiter, RateLimiter.discover):
            pauses = []
            for jitter in (0.0, 1.0):
                limiter = make(random=partial(float, jitter))
                (await limiter.turn()).rejected(None)
                pauses.append(limiter.statistics.paused_for)
            assert pauses[1] / pauses[0] == pytest.approx(1.15 / 0.85)

    run_in_virtual_time(main())


def test_shows_what_it_was_told() -> None:
    """Where it was told something."""
    assert repr(RateLimiter()) == "RateLimiter(limit=120, period=60)"
    assert repr(RateLimiter(5, 0.5)) == "RateLimiter(limit=5, period=0.5)"
    assert repr(UNLIMITED) == "UNLIMITED"
    assert (RateLimiter(5).limit, RateLimiter(5).period) == (5, 60.0)


@pytest.mark.parametrize(("burst", "at_once"), [(None, 10), (10, 10), (3, 4), (1, 2)])
def test_a_quiet_client_has_its_burst_at_once(burst: int | None, at_once: int) -> None:
    """After the one call that is due; without a word the whole limit."""

    async def main() -> None:
        limiter = RateLimiter(10, 10.0, burst=burst)
        with suppress(TurnRefusedError):
            while True:
                (await limiter.turn(max_wait=0.0)).accepted()
        assert limiter.statistics.granted == at_once
        assert now() == 0

    run_in_virtual_time(main())


def test_says_what_the_largest_burst_is() -> None:
    """The limit itself is one."""
    RateLimiter(5, burst=5)
    with pytest.raises(ValueError, match="burst is at most the limit, 5, not 6"):
        RateLimiter(5, burst=6)


def test_callers_of_a_loop_that_has_ended_hold_no_turn_in_the_next() -> None:
    """Whether they waited or were on the wire; only in a loop that still runs they are in the way."""
    limiter = RateLimiter(2, 0.2)

    async def leave() -> None:
        for _ in range(2):
            await limiter.turn()
        waiting = asyncio.ensure_future(limiter.turn())
        await asyncio.sleep(0)
        assert limiter.statistics.waiting == 1
        waiting.cancel()

    run_in_virtual_time(leave())
    assert limiter.statistics.in_flight == 2

    async def main() -> None:
        turn = await limiter.turn()
        assert (limiter.statistics.in_flight, limiter.statistics.waiting) == (1, 0)
        turn.accepted()

    run_in_virtual_time(main())


def test_unlimited_lets_everybody_pass() -> None:
    """Pacing can be turned off; then the retry policy deals with 429s."""

    async def main() -> None:
        turns = await asyncio.gather(*(UNLIMITED.turn() for _ in range(1000)))
        for turn in turns:
            turn.rejected(1.0)
            await turn.again()
            turn.accepted()
            turn.release()
        assert now() == 0
        assert not UNLIMITED.paces

    coroutine: Coroutine[Any, Any, None] = main()
    run_in_virtual_time(coroutine)
