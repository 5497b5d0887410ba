"""An account in virtual time: a server that keeps to a rule, and processes that call it."""

import asyncio
from bisect import bisect_right
from collections.abc import Awaitable, Callable, Iterable
from random import Random
from typing import Any, Protocol

from helpcrunch_async import Limiter, Priority, RateLimiter
from helpcrunch_async.redis_limit import RedisRateLimiter
from helpcrunch_async.testing import RateRule, run_in_virtual_time

ROUND_TRIP = 0.05


class Shell(Protocol):
    """A limiter whose state lives in the process, or elsewhere, and what may happen to it."""

    shared: bool
    """Whether several processes share one state, which may be lost while they live."""

    def process(self, limit: int, period: float, random: Random) -> "Process":
        """Start a process."""
        ...

    def kill(self, process: "Process") -> None:
        """End a process without a word."""
        ...

    def jump(self, seconds: float) -> None:
        """Set the clock of the state ahead."""
        ...

    def lose_answers(self, share: float) -> None:
        """Have the state decide, and its answer get lost, in so many of all cases."""
        ...

    def keep(self) -> None:
        """Remember the state as it is."""
        ...

    def fall_back(self) -> None:
        """Put the state back that was remembered."""
        ...

    def lose_state(self) -> None:
        """Lose the state."""
        ...

    def spoil_state(self) -> None:
        """Put something else in its place."""
        ...


Process = RateLimiter | RedisRateLimiter


class Account:
    """The calls of all processes, and what the server makes of them."""

    def __init__(self, shell: Shell, limit: int = 20, period: float = 10.0, *, seed: int = 1) -> None:
        self.shell = shell
        self.limit, self.period = limit, period
        self.dice = Random(seed)
        self.rule: RateRule | None = None
        self.retry_after: float | None = None
        self.granted: list[tuple[float, str]] = []
        self.accepted = 0
        self.rejected = 0

    def process(self) -> Process:
        return self.shell.process(self.limit, self.period, self.dice)

    def processes(self, count: int) -> list[Process]:
        """Start several processes; one, where each has a limiter of its own."""
        return [self.process() for _ in range(count if self.shell.shared else 1)]

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
                    self.accepted += 1
                    return
                self.rejected += 1
                turn.rejected(self.retry_after)
            finally:
                turn.release()
            await turn.again()

    def fullest(self) -> int:
        """Return the most turns that any half-open window of a period held."""
        times = sorted(at for at, _ in self.granted)
        return max(index + 1 - bisect_right(times, at - self.period) for index, at in enumerate(times))

    def names(self) -> list[str]:
        return [name for _, name in self.granted]


def play(main: Callable[[], Awaitable[None]]) -> None:
    """Run a scenario in virtual time, and end what is left of it."""

    async def run() -> None:
        await main()
        await cancel(task for task in asyncio.all_tasks() if task is not asyncio.current_task())

    run_in_virtual_time(run())


async def cancel(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """End tasks, and wait for that."""
    running = list(tasks)
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
