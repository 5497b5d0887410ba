"""A server behind a wire, in virtual time: a rate rule, round trips with jitter, and Retry-After or not."""

import asyncio
import math
import os
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context
from random import Random
from typing import Any, Final, TypeAlias, TypeVar

from attrs import define, field

from helpcrunch_async import HelpCrunchError
from helpcrunch_async.rate_limit import TurnRefusedError
from helpcrunch_async.testing import (
    FixedWindow,
    InterpolatedWindow,
    Penalty,
    RateRule,
    RollingLog,
    TokenBucket,
    VirtualTimeLoop,
)

LIMIT: Final = 120
PERIOD: Final = 60.0

MakeRule: TypeAlias = Callable[[int, float, bool], RateRule]
"""Makes a rule of a limit and a period (seconds); the last argument tells whether refused calls count."""


def _bucket(burst: float) -> MakeRule:
    return lambda limit, period, counts: TokenBucket(
        limit, period, max(2, round(limit * burst)), count_rejected=counts
    )


RULES: Final[dict[str, MakeRule]] = {
    "fixed, first hit": lambda limit, period, counts: FixedWindow(limit, period, count_rejected=counts),
    "fixed, clock": lambda limit, period, counts: FixedWindow(limit, period, 0.37, count_rejected=counts),
    "rolling log": lambda limit, period, counts: RollingLog(limit, period, count_rejected=counts),
    "interpolated": lambda limit, period, counts: InterpolatedWindow(
        limit, period, 0.61, count_rejected=counts
    ),
    "bucket": _bucket(1.0),
    "bucket / 10": _bucket(0.1),
    "bucket / 40": _bucket(0.025),
    "penalty": lambda limit, period, _: Penalty(
        TokenBucket(limit, period, max(2, limit // 10)), max(1.0, period / 30)
    ),
}
"""What a server may mean by a limit. "bucket / 10" holds a tenth of it; "penalty" is such a bucket that
blocks everybody for a thirtieth of the period (a second at least), anew with every refused call."""


class RejectedError(Exception):
    """A 429, with the seconds of its Retry-After if it had one."""

    def __init__(self, retry_after: float | None) -> None:
        super().__init__(retry_after)
        self.retry_after = retry_after


@define(eq=False)
class Server:
    """Takes calls in virtual time, and keeps count."""

    rule: RateRule
    retry_after: bool = False  # in whole seconds, at least 1
    round_trip: float = 0.1  # seconds, on average
    random: Random = field(factory=lambda: Random(1))
    accepted_at: list[float] = field(factory=list)  # when the answer was back
    rejected_at: list[float] = field(factory=list)
    in_flight: int = 0
    most_in_flight: int = 0

    def leg(self) -> float:
        """Give the seconds of one way: a third of the round trip for sure, the rest by chance."""
        return self.round_trip * (0.35 + self.random.expovariate(1.0) * 0.15)

    @property
    def sent(self) -> int:
        """Count the requests that were answered."""
        return len(self.accepted_at) + len(self.rejected_at)

    async def get(self) -> None:
        """Make one request.

        Raises:
            RejectedError: the rule refused it.
        """
        loop = asyncio.get_running_loop()
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await asyncio.sleep(self.leg())
            wait = self.rule.hit(loop.time())
            await asyncio.sleep(self.leg())
        finally:
            self.in_flight -= 1
        if wait is None:
            self.accepted_at.append(loop.time())
            return
        self.rejected_at.append(loop.time())
        raise RejectedError(float(max(1, math.ceil(wait))) if self.retry_after else None)


Call: TypeAlias = Callable[[], Awaitable[None]]
"""Makes one call until it is served; raises when it gives up."""

T = TypeVar("T")


class _TickingLoop(VirtualTimeLoop):
    """Virtual time in which looking at the clock takes a tenth of a microsecond.

    Some limiters sleep for exactly as long as a slot needs, and again for what rounding left of it; where
    no time passes while code runs they would do so for ever.
    """

    _looks = 0

    def time(self) -> float:
        self._looks += 1
        return super().time() + self._looks * 1e-7


def simulate(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in virtual time."""
    with asyncio.Runner(loop_factory=_TickingLoop) as runner:
        return runner.run(main)


async def press(calls: Sequence[Call], number: int, seconds: float, workers: int | None = None) -> int:
    """Want more than there is, for so many seconds, each way of calling alike; gives the calls lost.

    `number` calls begin at once, or with `workers` so many workers for each way keep on calling.
    """
    loop = asyncio.get_running_loop()
    lost = 0

    async def work(call: Call, times: int, delay: float) -> None:
        nonlocal lost
        await asyncio.sleep(delay)
        for _ in range(times):
            try:
                await call()
            except TurnRefusedError:
                lost += 1

    share = number // len(calls)
    tasks = [
        loop.create_task(work(call, 1 if workers is None else share, 0.3 * which))
        for which, call in enumerate(calls)
        for _ in range(share if workers is None else workers)
    ]
    await asyncio.wait(tasks, timeout=seconds)
    for task in tasks:
        task.cancel()
    raise_mistakes(await asyncio.gather(*tasks, return_exceptions=True))
    return lost


def raise_mistakes(results: Iterable[object]) -> None:
    """Raise what is neither a call that gave up nor one that was broken off: a mistake of the benchmark."""
    for result in results:
        expected = isinstance(
            result, RejectedError | TurnRefusedError | HelpCrunchError | asyncio.CancelledError
        )
        if isinstance(result, BaseException) and not expected:
            raise result


def in_parallel(function: Callable[..., T], jobs: Iterable[tuple[Any, ...]]) -> list[T]:
    """Run simulations on all cores; in virtual time they do not disturb one another."""
    futures = [_pool().submit(function, *job) for job in jobs]
    return [future.result() for future in futures]


@cache
def _pool() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn"))
