"""The shared budget: what several processes get of it, in virtual time, decided by a real Redis.

Each limiter stands for a process. The script runs in Redis, but is told the time of the virtual loop.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from random import Random
from typing import Any

import pytest
import redis

from helpcrunch_async import Limiter, Priority, RateLimiter, Turn, TurnRefusedError
from helpcrunch_async.redis_limit import BudgetUnavailableError, RedisRateLimiter
from helpcrunch_async.redis_limit.budget import SCRIPT, redis_key
from helpcrunch_async.redis_limit.messages import Answer, Question
from helpcrunch_async.testing import RateRule, RollingLog, TokenBucket, run_in_virtual_time

WAY = 0.0005  # seconds to Redis, and as long back
ROUND_TRIP = 0.05


class Account:
    """A budget, the processes that share it, and a server that keeps to a rule."""

    def __init__(self, client: redis.Redis) -> None:
        self.client = client
        self.script = client.register_script(SCRIPT)
        self.clock = 1e9  # what Redis shows when the loop shows 0
        self.questions = 0
        self.granted: list[tuple[float, str]] = []
        self.rejected = 0
        self.rule: RateRule | None = None
        self.retry_after: float | None = None

    def process(self, limit: int = 120, period: float = 60.0, **options: Any) -> RedisRateLimiter:
        limiter = RedisRateLimiter("redis://virtual", limit, period, **options)
        limiter._waiters._connect = lambda: _Way(self)
        return limiter

    async def call(self, limiter: Limiter, name: str = "", priority: Priority = "interactive") -> None:
        """Call until the server takes it."""
        loop = asyncio.get_running_loop()
        turn = await limiter.turn(priority)
        while True:
            self.granted.append((loop.time(), name))
            try:
                await asyncio.sleep(ROUND_TRIP / 2)
                refused = self.rule is not None and self.rule.hit(loop.time()) is not None
                await asyncio.sleep(ROUND_TRIP / 2)
                if not refused:
                    turn.accepted()
                    return
                self.rejected += 1
                turn.rejected(self.retry_after)
            finally:
                turn.release()
            await turn.again()

    def most_in(self, period: float) -> int:
        times = [at for at, _ in self.granted]
        return max(sum(1 for at in times if start <= at < start + period) for start in times)


class _Way:
    """The way of one process to Redis."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.broken = False

    async def ask(self, question: Question, now: float) -> Answer | None:
        account = self.account
        await asyncio.sleep(WAY)
        account.questions += 1
        clock = account.clock + asyncio.get_running_loop().time()
        reply = account.script(keys=[redis_key("helpcrunch")], args=[question.to_json(now, clock)])
        await asyncio.sleep(WAY)
        return Answer.from_json(reply)

    async def close(self) -> None: ...


@pytest.fixture
def account(redis_server: Any) -> Iterator[Account]:
    with redis_server.client() as client:
        yield Account(client)


def in_virtual_time(main: Callable[[], Awaitable[None]]) -> None:
    async def run() -> None:
        await main()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    run_in_virtual_time(run())


async def cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def test_a_quiet_account_may_burst(account: Account) -> None:
    """What two processes want at once goes at once, if the budget has room for all of it."""

    async def main() -> None:
        one, two = account.process(), account.process()
        await asyncio.gather(*(account.call(limiter) for limiter in (one, two) for _ in range(4)))
        assert asyncio.get_running_loop().time() < 1.5

    in_virtual_time(main)


def test_the_whole_budget_and_not_more(account: Account) -> None:
    """Four processes that want more than there is spend it to the last percent, and no window holds more."""

    async def main() -> None:
        account.rule = RollingLog(120, 60.0)
        processes = [account.process() for _ in range(4)]
        tasks = [asyncio.ensure_future(account.call(each)) for each in processes for _ in range(300)]
        await asyncio.sleep(300)
        await cancel(tasks)

    in_virtual_time(main)
    assert account.most_in(60.0) <= 120
    assert len(account.granted) >= 0.97 * 600
    assert account.rejected == 0


@pytest.mark.parametrize("seed", range(4))
def test_no_window_holds_more_whatever_happens(account: Account, seed: int) -> None:
    """Callers come, are cancelled and refused at random, processes come and go: never more than the limit."""
    dice = Random(seed)
    limit, period = 20, 10.0

    async def impatient(limiter: RedisRateLimiter) -> None:
        try:
            async with asyncio.timeout(dice.choice([0.001, 0.3, 3, 60])):
                await account.call(limiter, priority=dice.choice(["interactive", "bulk"]))
        except TimeoutError:
            pass

    async def main() -> None:
        tasks, processes = [], []
        for _ in range(6):
            limiter = account.process(limit, period, random=dice.random)
            processes.append(limiter)
            for _ in range(40):
                tasks.append(asyncio.ensure_future(impatient(limiter)))
                await asyncio.sleep(dice.choice([0, 0, 0, 0.2, 1]))
            await asyncio.sleep(dice.choice([0, 15]))
        await asyncio.gather(*tasks)
        await asyncio.sleep(1)
        for each in processes:
            assert each.statistics.in_flight == each.statistics.waiting == 0

    in_virtual_time(main)
    assert account.most_in(period) <= limit
    assert len(account.granted) > 40


def test_first_come_first_served_across_processes(account: Account) -> None:
    """Callers of four processes get their turns in the order in which they came, save by a turn or two."""
    order: list[int] = []

    async def one(limiter: RedisRateLimiter, number: int) -> None:
        await limiter.turn()
        order.append(number)

    async def main() -> None:
        processes = [account.process(20, 10.0) for _ in range(4)]
        await asyncio.gather(*(account.call(processes[0]) for _ in range(20)))
        tasks = []
        for number in range(100):
            tasks.append(asyncio.ensure_future(one(processes[number * number % 4], number)))
            await asyncio.sleep(0.1)
        await asyncio.gather(*tasks)

    in_virtual_time(main)
    overtaken = [sum(1 for other in order[:place] if other > number) for place, number in enumerate(order)]
    assert sorted(order) == list(range(100))
    assert max(overtaken) <= 4


def test_commands_do_not_grow_with_the_waiters(account: Account) -> None:
    """A question or two for each turn, be it ten who wait or a thousand."""
    per_turn = []

    async def main() -> None:
        for waiters in (10, 1000):
            account.client.flushall()
            account.granted.clear()
            account.questions = 0
            processes = [account.process() for _ in range(4)]
            tasks = [asyncio.ensure_future(account.call(each)) for each in processes for _ in range(waiters)]
            await asyncio.sleep(150)
            per_turn.append(account.questions / len(account.granted))
            await cancel(tasks)
            await asyncio.sleep(100)

    in_virtual_time(main)
    assert max(per_turn) <= 2


def test_lanes_hold_across_processes(account: Account) -> None:
    """Beside the bulk work of one process, the calls of another go first, and leave it one turn in four."""

    async def main() -> None:
        ours, theirs = account.process(20, 10.0), account.process(20, 10.0)
        bulk = [asyncio.ensure_future(account.call(ours, "bulk", "bulk")) for _ in range(200)]
        await asyncio.sleep(30)
        account.granted.clear()
        await asyncio.gather(*(account.call(theirs, "single") for _ in range(30)))
        await cancel(bulk)

    in_virtual_time(main)
    names = [name for _, name in account.granted]
    assert names.count("single") == 30
    assert 8 <= names.count("bulk") <= 12


def test_a_line_too_long_is_refused_at_once(account: Account) -> None:
    """Whoever waits in other processes counts for `max_wait`."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        ours, theirs = account.process(20, 10.0), account.process(20, 10.0)
        tasks = [asyncio.ensure_future(account.call(ours)) for _ in range(100)]
        await asyncio.sleep(5)
        for _ in range(2):
            started = loop.time()
            with pytest.raises(TurnRefusedError) as refused:
                await theirs.turn(max_wait=10)
            assert loop.time() - started < 0.1
            assert refused.value.retry_after == pytest.approx(45, abs=10)
        await theirs.turn(max_wait=60)
        await cancel(tasks)

    in_virtual_time(main)


@pytest.mark.parametrize("retry_after", [None, 7.0], ids=["silent", "Retry-After"])
def test_a_rejection_pauses_every_process(account: Account, retry_after: float | None) -> None:
    """Then one call of one process probes; the others follow when it was accepted."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        processes = [account.process() for _ in range(3)]
        first = await processes[0].turn()
        first.rejected(retry_after)
        await asyncio.sleep(0.01)
        again = asyncio.ensure_future(first.again())
        others = [asyncio.ensure_future(each.turn()) for each in processes for _ in range(3)]
        await asyncio.sleep(0.1)
        assert processes[1].statistics.paused_for > 0
        while not again.done():  # it came first, so it is the probe
            assert not any(other.done() for other in others)
            await asyncio.sleep(0.1)
        if retry_after is not None:
            assert loop.time() >= retry_after
        await asyncio.sleep(1.0)
        assert not any(other.done() for other in others)
        first.accepted()
        await asyncio.gather(*others)

    in_virtual_time(main)


@pytest.mark.parametrize("how", ["lost", "killed"])
def test_a_probe_that_does_not_answer_is_replaced(account: Account, how: str) -> None:
    """At once when its process says so, within seconds when its process is gone."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        ours, theirs = account.process(), account.process()
        probe = await ours.turn()
        probe.rejected(1.0)
        await probe.again()
        waiting = asyncio.ensure_future(theirs.turn())
        await asyncio.sleep(3)
        assert not waiting.done()
        gone_at = loop.time()
        if how == "lost":
            probe.release()
        else:
            assert ours._waiters._asker is not None
            ours._waiters._asker.cancel()
        (await waiting).accepted()
        assert loop.time() - gone_at < 7

    in_virtual_time(main)


def test_a_slow_probe_is_waited_for(account: Account) -> None:
    """As long as its process lives."""

    async def main() -> None:
        ours, theirs = account.process(), account.process()
        probe = await ours.turn()
        probe.rejected(1.0)
        await probe.again()
        waiting = asyncio.ensure_future(theirs.turn())
        await asyncio.sleep(30)
        assert not waiting.done()
        probe.accepted()
        await waiting

    in_virtual_time(main)


def test_nobody_waits_for_ever(account: Account) -> None:
    """After five periods in which nothing got through, callers of every process are told."""

    async def main() -> None:
        ours, theirs = account.process(20, 1.0), account.process(20, 1.0)
        turn = await ours.turn()
        turn.rejected(1000.0)
        await asyncio.sleep(0.1)
        for limiter in (ours, theirs):
            with pytest.raises(TurnRefusedError):
                await limiter.turn()
        assert asyncio.get_running_loop().time() < 12

    in_virtual_time(main)


def test_what_is_learnt_is_learnt_by_all(account: Account) -> None:
    """A limit that is lower in truth is found once, and climbed back from when it rises."""
    rates: list[float] = []

    async def main() -> None:
        account.rule = TokenBucket(40, 60.0, 4)
        processes = [account.process() for _ in range(3)]
        tasks = [asyncio.ensure_future(account.call(each)) for each in processes for _ in range(2000)]
        await asyncio.sleep(600)
        rates.extend(60 * each.statistics.rate for each in processes)
        account.rule = None
        await asyncio.sleep(4000)
        rates.append(60 * processes[0].statistics.rate)
        await cancel(tasks)

    in_virtual_time(main)
    assert all(rate == pytest.approx(40, rel=0.15) for rate in rates[:3])
    assert rates[3] == 120


def test_the_smaller_limit_holds(account: Account, caplog: pytest.LogCaptureFixture) -> None:
    """It is said once, by those who were told the larger one; and forgotten with those who were told it."""

    async def main() -> None:
        large, small = account.process(40, 10.0), account.process(20, 10.0)
        await small.turn()
        await asyncio.gather(*(account.call(large) for _ in range(100)))
        assert account.most_in(10.0) <= 20
        await asyncio.sleep(200)
        assert large.statistics.rate == 2.0
        await large.turn()
        assert large.statistics.rate == 4.0

    with caplog.at_level(logging.WARNING):
        in_virtual_time(main)
    (record,) = caplog.records
    assert record.message.endswith("a smaller limit: 20 calls per 10 s hold, not 40 per 10")


def test_a_dead_process_holds_nobody_up(account: Account) -> None:
    """Its place in line is passed over; what it takes along is bounded."""

    async def main() -> None:
        ours, theirs = account.process(20, 10.0), account.process(20, 10.0)
        doomed = [asyncio.ensure_future(account.call(ours, "ours")) for _ in range(500)]
        await asyncio.sleep(20)
        tasks = [asyncio.ensure_future(account.call(theirs, "theirs")) for _ in range(20)]
        await asyncio.sleep(5)
        assert ours._waiters._asker is not None
        ours._waiters._connect = _Silence
        ours._waiters._asker.cancel()
        account.granted.clear()
        started = asyncio.get_running_loop().time()
        await asyncio.gather(*tasks)
        assert asyncio.get_running_loop().time() - started < 15
        await cancel(doomed)

    in_virtual_time(main)


class _Silence(_Way):
    def __init__(self) -> None: ...

    async def ask(self, question: Question, now: float) -> Answer | None:
        await asyncio.sleep(1e6)
        return None


class _Losing(_Way):
    """The question arrives, the answer does not."""

    async def ask(self, question: Question, now: float) -> Answer | None:
        await super().ask(question, now)
        raise BudgetUnavailableError("lost", sent=False)


def test_turns_whose_answer_was_lost_are_taken_back(account: Account) -> None:
    """The question is put again, and counts once."""

    async def main() -> None:
        limiter = account.process(20, 60.0)
        limiter._waiters._connect = lambda: _Losing(account)
        with pytest.raises(BudgetUnavailableError):
            await asyncio.gather(*(limiter.turn() for _ in range(15)))
        limiter._waiters._connect = lambda: _Way(account)
        await asyncio.sleep(1)
        other = account.process(20, 60.0)
        await limiter.turn()
        await asyncio.gather(*(other.turn() for _ in range(10)))
        assert asyncio.get_running_loop().time() < 60

    in_virtual_time(main)


def test_a_cancelled_callers_turn_is_anothers(account: Account) -> None:
    """Of the same process or of another one."""

    async def main() -> None:
        ours, theirs = account.process(2, 60.0), account.process(2, 60.0)
        gone = [asyncio.ensure_future(ours.turn()) for _ in range(2)]
        await asyncio.sleep(1.5 * WAY)  # granted, and on the way
        await cancel(gone)  # type: ignore[arg-type]  # whatever they give
        await asyncio.sleep(1)
        await theirs.turn()
        await theirs.turn()
        assert asyncio.get_running_loop().time() < 60

    in_virtual_time(main)


@pytest.mark.parametrize("jump", [-3600.0, 0.0])
def test_a_clock_that_is_set_back(account: Account, jump: float) -> None:
    """As when a replica with another clock takes over: time goes on from where it was."""

    async def main() -> None:
        limiter = account.process(20, 10.0)
        await asyncio.gather(*(account.call(limiter) for _ in range(15)))
        account.clock += jump
        await asyncio.gather(*(account.call(limiter) for _ in range(45)))
        assert asyncio.get_running_loop().time() < 40

    in_virtual_time(main)
    assert account.most_in(10.0) <= 20


def test_an_older_state_is_told_what_was_sent(account: Account) -> None:
    """As when a replica takes over that has missed something."""

    async def main() -> None:
        limiter = account.process(20, 60.0)
        await account.call(limiter)
        before = account.client.get(redis_key("helpcrunch"))
        assert isinstance(before, bytes)
        for _ in range(18):
            await account.call(limiter)
        account.client.set(redis_key("helpcrunch"), before)
        await asyncio.gather(*(account.call(limiter) for _ in range(10)))

    in_virtual_time(main)
    assert account.most_in(60.0) <= 20


def test_it_is_a_limiter() -> None:
    """What `RateLimiter` has, and the client asks for."""
    limiter: Limiter = RedisRateLimiter("redis://localhost")
    assert limiter.paces
    assert {name for name in dir(Turn) if not name.startswith("_")} <= {
        name for name in dir(_turn_type()) if not name.startswith("_")
    }


def _turn_type() -> type[object]:
    async def main() -> type[object]:
        return type(await RateLimiter().turn())

    return run_in_virtual_time(main())
