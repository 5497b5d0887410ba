"""What other libraries offer several processes that share a limit; each is asked before each attempt."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

from aiolimiter import AsyncLimiter
from limits import RateLimitItemPerSecond
from limits.aio.storage import RedisStorage
from limits.aio.strategies import MovingWindowRateLimiter
from pyrate_limiter import Limiter, Rate
from pyrate_limiter.buckets import RedisBucket
from redis.asyncio import Redis
from throttled.asyncio import RedisStore, Throttled, rate_limiter

POLL: Final = 0.01  # seconds; for the one that only answers yes or no

Asker: TypeAlias = Callable[[], Awaitable[object]]
"""Waits until a call may go."""


async def asker_of(name: str, url: str, limit: int, period: float) -> Asker:
    """Set up the limiter of a library, on the Redis at `url` unless it knows none."""
    match name:
        case "aiolimiter, the whole limit each":
            return AsyncLimiter(limit, period).acquire
        case "pyrate-limiter, RedisBucket":
            bucket = RedisBucket.init([Rate(limit, int(1000 * period))], Redis.from_url(url), "pyrate")
            assert isinstance(bucket, Awaitable)
            limiter = Limiter(await bucket)
            return lambda: limiter.try_acquire_async("call")
        case "limits, moving window":
            window = MovingWindowRateLimiter(RedisStorage(f"async+{url}", implementation="redispy"))
            item = RateLimitItemPerSecond(limit, int(period))

            async def poll() -> None:
                while not await window.hit(item, "call"):  # noqa: ASYNC110 - all it offers
                    await asyncio.sleep(POLL)

            return poll
        case "throttled-py, GCRA":
            return Throttled(
                key="call",
                using="gcra",
                quota=rate_limiter.per_sec(limit),
                store=RedisStore(url),
                timeout=60,
            ).limit
    raise ValueError(name)
