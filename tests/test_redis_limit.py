"""The shared budget: what several processes get of it, in virtual time, decided by a real Redis.

What does not take a Redis to show is in `test_scenarios`.

Each limiter stands for a process. The script runs in Redis, but is told the time of the virtual loop.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from random import Random
from typing import Any

import pytest
import redis

from helpcrunch_async import Limiter, Priority, RateLimiter, Turn
from helpcrunch_async.redis_limit import RedisRateLimiter
from helpcrunch_async.redis_limit.budget import SCRIPT, redis_key
from helpcrunch_async.redis_limit.messages import Answer, Question
from helpcrunch_async.testing import RateRule, RollingLog, run_in_virtual_time

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


@pytest.mark.parametrize("seed", range(2))
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
