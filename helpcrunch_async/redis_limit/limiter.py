"""The rate limiter whose budget is shared by many processes."""

import os
import random as random_module
from collections.abc import Callable, Hashable
from types import TracebackType
from typing import Final, Self

from redis.asyncio import Redis, RedisCluster

from helpcrunch_async.checks import check_count, check_seconds
from helpcrunch_async.rate_limit import Priority, Statistics, Turn
from helpcrunch_async.rate_limit.limiter import DEFAULT_LIMIT, DEFAULT_PERIOD
from helpcrunch_async.redaction import hide_locals, to_secret
from helpcrunch_async.redis_limit.budget import Budget, Client, RedisBudget, connect_by_url
from helpcrunch_async.redis_limit.schedule import SharedSchedule
from helpcrunch_async.redis_limit.waiters import OnError, SharedWaiters

_TIMEOUT: Final = 1.0


class RedisRateLimiter:
    """Spends `limit` calls per `period` seconds together with all processes that name the same budget.

    It takes the place of a `RateLimiter` and keeps its promises across processes, by Redis' clock: no
    `period` holds more than `limit` turns, a quiet account may burst, more work than that is paced, a 429
    pauses every process until one probe, of any of them, has passed, and what is learnt is learnt by all.

    Nothing is connected before the first call. The connection of a URL is given up after some idle
    seconds, and by `aclose` or the end of `async with`; a client that is passed in stays open. One instance
    belongs to one event loop at a time, and may move to another one once nobody uses it. It may be made, and
    used, before a fork; a client that is passed in must not have been used by then, since redis-py shares
    its connections with the child.

    Args:
        redis: the URL of a Redis or Valkey (5.0 or newer), or a `redis.asyncio` client.
        limit: calls per period, of all processes together. Where processes were told different limits, the
            smallest holds.
        period: seconds.
        key: names the budget; processes of one HelpCrunch account share one.
        on_error: what becomes of calls while Redis gives no answer. "raise": they fail with a
            `BudgetUnavailableError`, which the client retries like other failures of transport. "local":
            this process goes on with its share, `limit / expected_processes`, until Redis is back.
        expected_processes: how many processes share the budget; needed for "local" only.
        timeout: seconds that one question to Redis may take, connecting included.
        random: gives floats in [0, 1), for the jitter of pauses.

    Raises:
        TypeError: an argument of the wrong kind.
        ValueError: an argument out of range, or not the URL of a Redis.
    """

    @hide_locals
    def __init__(
        self,
        redis: str | Client,
        limit: int = DEFAULT_LIMIT,
        period: float = DEFAULT_PERIOD,
        *,
        key: str = "helpcrunch",
        on_error: OnError = "raise",
        expected_processes: int | None = None,
        timeout: float = _TIMEOUT,
        random: Callable[[], float] = random_module.random,
    ) -> None:
        self.limit: Final = check_count("limit", limit)
        self.period: Final = check_seconds("period", period, above_zero=True)
        self.key: Final = _check_key(key)
        timeout = check_seconds("timeout", timeout, above_zero=True)
        if on_error not in ("raise", "local"):
            raise ValueError(f"on_error is raise or local, not {on_error!r}")
        if expected_processes is not None:
            check_count("expected_processes", expected_processes)
        elif on_error == "local":
            raise ValueError("on_error='local' needs expected_processes, to know the share of each")
        connect = _connector(redis, self.key, timeout)
        share = max(1, self.limit // (expected_processes or 1))

        def make_waiters() -> SharedWaiters:
            schedule = SharedSchedule(self.limit, self.period, share, random)
            return SharedWaiters(schedule, connect, key=self.key, on_error=on_error)

        self._make_waiters = make_waiters
        self._waiters_of: tuple[int, SharedWaiters] | None = None  # and of which process they are

    def __repr__(self) -> str:
        return f"{type(self).__name__}(limit={self.limit}, period={self.period:g}, key={self.key!r})"

    @property
    def _waiters(self) -> SharedWaiters:
        """What this process knows of the budget, and what it is called there.

        Made at its first use, anew in a forked process: the turns and the reports of the parent are its own.
        """
        pid = os.getpid()
        if self._waiters_of is None or self._waiters_of[0] != pid:
            self._waiters_of = pid, self._make_waiters()
        return self._waiters_of[1]

    @property
    def paces(self) -> bool:
        """True: `again` waits out a 429."""
        return True

    @property
    def statistics(self) -> Statistics:
        """What this process has done and is doing; `paused_for` and `rate` are those of all processes."""
        schedule = self._waiters.schedule
        return Statistics(
            granted=schedule.granted,
            rejected=schedule.rejections,
            waiting=schedule.line.total,
            in_flight=schedule.wire.in_flight,
            paused_for=schedule.paused_for(self._waiters.now()),
            rate=schedule.rate,
        )

    async def turn(
        self,
        priority: Priority = "interactive",
        max_wait: float | None = None,
        *,
        flow: Hashable | None = None,
        expected: int = 1,
    ) -> Turn:
        """Wait for a turn; see `Limiter.turn`. `flow` and `expected` make no difference yet.

        Raises:
            TurnRefusedError: see `Limiter.turn`.
            BudgetUnavailableError: Redis gives no answer, and `on_error` is "raise".
        """
        return await self._waiters.enter(priority, max_wait)

    async def aclose(self) -> None:
        """Give up the connection; callers that wait fail. A later call connects again."""
        await self._waiters.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()


def _check_key(key: object) -> str:
    if not isinstance(key, str):
        raise TypeError(f"key is a str, not {type(key).__name__}")
    if not key or "{" in key or "}" in key:
        raise ValueError("key names a budget: not empty, and without braces")
    return key


def _connector(redis: object, key: str, timeout: float) -> Callable[[], Budget]:
    """Check now what is connected to later."""
    if isinstance(redis, str):
        url = to_secret("redis", redis)
        connect_by_url(url, timeout)
        return lambda: RedisBudget(connect_by_url(url, timeout), key, owned=True, timeout=timeout)
    if isinstance(redis, Redis | RedisCluster):
        client = redis
        return lambda: RedisBudget(client, key, owned=False, timeout=timeout)
    raise TypeError(f"redis is a URL or a client of redis.asyncio, not {type(redis).__name__}")
