"""Ways to get many calls through a rate limit: what people write, what libraries offer, and ours."""

import asyncio
import random
from collections.abc import Callable
from math import floor
from typing import Final, TypeAlias

from aiohttp_retry import ExponentialRetry
from aiolimiter import AsyncLimiter
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    stop_after_attempt,
    wait_random_exponential,
)
from wire import LIMIT, PERIOD, Call, RejectedError

from helpcrunch_async import Limiter, RateLimiter

Strategy: TypeAlias = Callable[[Call], Call]
"""Makes a patient call, used by any number of callers, out of one that raises on a 429."""


def tenacity(attempts: int, *, honest: bool = False) -> Strategy:
    """Retry with tenacity's jittered exponential wait of at most a minute; honest: heed Retry-After too."""
    jitter = wait_random_exponential(multiplier=1, max=60)

    def wait(state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        told = error.retry_after if isinstance(error, RejectedError) else None
        return float(jitter(state) + ((told or 0.0) if honest else 0.0))

    def strategy(get: Call) -> Call:
        async def call() -> None:
            async for attempt in AsyncRetrying(
                stop=stop_after_attempt(attempts),
                wait=wait,
                retry=retry_if_exception_type(RejectedError),
                reraise=True,
            ):
                with attempt:
                    await get()

        return call

    return strategy


def aiohttp_retry(attempts: int) -> Strategy:
    """Wait as aiohttp-retry's own ExponentialRetry says; it does not look at Retry-After."""
    options = ExponentialRetry(attempts=attempts, statuses={429})

    def strategy(get: Call) -> Call:
        async def call() -> None:
            for attempt in range(1, attempts):
                try:
                    return await get()
                except RejectedError:
                    await asyncio.sleep(options.get_timeout(attempt))
            return await get()

        return call

    return strategy


def semaphore(at_once: int, inner: Strategy) -> Strategy:
    """Let a few calls at a time begin; one that backs off keeps its place."""

    def strategy(get: Call) -> Call:
        free, inner_call = asyncio.Semaphore(at_once), inner(get)

        async def call() -> None:
            async with free:
                await inner_call()

        return call

    return strategy


def aiolimiter(limit: float, inner: Strategy) -> Strategy:
    """Take aiolimiter's leaky bucket before every attempt."""

    def strategy(get: Call) -> Call:
        bucket = AsyncLimiter(limit, PERIOD)

        async def limited_get() -> None:
            await bucket.acquire()
            await get()

        return inner(limited_get)

    return strategy


class _Adaptive:
    """botocore's adaptive retry mode, restated: a token bucket whose rate follows CUBIC.

    After botocore/retries/adaptive.py, throttling.py and bucket.py: nothing is paced before the first 429;
    then the rate is cut to 0.7 and grows along a cubic, at most to twice of what was measured.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._line = asyncio.Lock()
        self._enabled = False
        self._measured, self._count, self._slot = 0.0, 0, floor(clock() * 2) / 2
        self._w_max, self._k, self._cut_at = 0.5, 0.0, clock()
        self._fill, self._capacity, self._tokens, self._filled_at = 0.5, 1.0, 0.0, clock()

    async def acquire(self) -> None:
        async with self._line:  # in order; the original wakes all who wait at once
            while self._enabled:
                self._refill()
                if self._tokens >= 1:
                    self._tokens -= 1
                    return
                await asyncio.sleep((1 - self._tokens) / self._fill)

    def answered(self, *, rejected: bool) -> None:
        now = self._clock()
        self._measure(now)
        if rejected:
            self._w_max = min(self._measured, self._fill) if self._enabled else self._measured
            self._k = (self._w_max * (1 - 0.7) / 0.4) ** (1 / 3)
            self._cut_at, self._enabled = now, True
            rate = self._w_max * 0.7
        else:
            rate = 0.4 * (now - self._cut_at - self._k) ** 3 + self._w_max
        self._refill()
        self._fill = max(0.5, min(rate, 2 * self._measured))
        self._capacity = max(1.0, self._fill)
        self._tokens = min(self._tokens, self._capacity)

    def _measure(self, now: float) -> None:
        slot = floor(now * 2) / 2
        self._count += 1
        if slot > self._slot:
            self._measured = 0.8 * self._count / (slot - self._slot) + 0.2 * self._measured
            self._count, self._slot = 0, slot

    def _refill(self) -> None:
        now = self._clock()
        self._tokens = min(self._capacity, self._tokens + (now - self._filled_at) * self._fill)
        self._filled_at = now


def adaptive(attempts: int) -> Strategy:
    """Pace as botocore does in its adaptive mode, with its exponential backoff of at most 20 s."""

    def strategy(get: Call) -> Call:
        pace = _Adaptive(asyncio.get_running_loop().time)

        async def call() -> None:
            for attempt in range(attempts):
                await pace.acquire()
                try:
                    await get()
                except RejectedError:
                    pace.answered(rejected=True)
                    if attempt == attempts - 1:
                        raise
                    await asyncio.sleep(min(20.0, random.random() * 2**attempt))
                else:
                    pace.answered(rejected=False)
                    return

        return call

    return strategy


def with_limiter(limiter: Limiter, get: Call) -> Call:
    """Give the call that takes its turns from a limiter of ours, as the client's request layer does."""

    async def call() -> None:
        turn = await limiter.turn()
        while True:
            try:
                await get()
                return turn.accepted()
            except RejectedError as rejected:
                turn.rejected(rejected.retry_after)
            finally:
                turn.release()
            await turn.again()

    return call


def ours(limit: int = LIMIT) -> Strategy:
    """Tell our limiter a limit, right or wrong."""
    return lambda get: with_limiter(RateLimiter(limit, PERIOD), get)


def discovering(get: Call) -> Call:
    """Let our limiter find the limit."""
    return with_limiter(RateLimiter.discover(), get)


STRATEGIES: Final[dict[str, Strategy]] = {
    "gather + tenacity, 5 attempts": tenacity(5),
    "gather + tenacity, 10 attempts, heeds Retry-After": tenacity(10, honest=True),
    "aiohttp-retry, 8 attempts": aiohttp_retry(8),
    "semaphore of 10 + tenacity, 10 attempts": semaphore(10, tenacity(10, honest=True)),
    "aiolimiter told the limit + tenacity, 10 attempts": aiolimiter(LIMIT, tenacity(10, honest=True)),
    "botocore's adaptive mode, 10 attempts": adaptive(10),
    "ours, told the limit": ours(),
    "ours, told 3 x too much": ours(3 * LIMIT),
    "ours, told nothing": discovering,
}
