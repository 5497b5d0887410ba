"""CPU that the limiter adds to a call: a turn that is free, one that is waited for, the machine's value."""

import asyncio
from collections.abc import Callable
from itertools import pairwise
from time import perf_counter
from typing import Final

from tables import Table, at_most

from helpcrunch_async import RateLimiter
from helpcrunch_async.rate_limit.machine import Machine
from helpcrunch_async.rate_limit.value import dump, load
from helpcrunch_async.testing import run_in_virtual_time

NAME: Final = "turns"
LIBRARIES: Final = ()
_CHUNK: Final = (
    100  # turns that are timed together; the best chunk counts, as neighbours only ever slow one down
)
_IDLE: Final = 5.0  # microseconds
_PACED: Final = 60.0


def _best(stamps: list[float], turns: int) -> float:
    return min(1e6 * (later - at) / turns for at, later in pairwise(stamps))


def idle(turns: int) -> float:
    """Take turns one after the other while nobody waits; microseconds for each."""

    async def main() -> float:
        limiter, stamps = RateLimiter(10**6, 60.0), [perf_counter()]
        for turn in range(turns):
            (await limiter.turn()).accepted()
            if turn % _CHUNK == _CHUNK - 1:
                stamps.append(perf_counter())
        return _best(stamps, _CHUNK)

    return asyncio.run(main())


def idle_semaphore(turns: int) -> float:
    """Do the same with a semaphore, which is the least that can be asked for."""

    async def main() -> float:
        semaphore, stamps = asyncio.Semaphore(10), [perf_counter()]
        for turn in range(turns):
            await semaphore.acquire()
            semaphore.release()
            if turn % _CHUNK == _CHUNK - 1:
                stamps.append(perf_counter())
        return _best(stamps, _CHUNK)

    return asyncio.run(main())


def paced(make: Callable[[], RateLimiter], turns: int) -> float:
    """Gather calls in virtual time; microseconds for each, its task, timer and reply included."""

    async def main() -> float:
        limiter, stamps = make(), list[float]()

        async def call() -> None:
            turn = await limiter.turn()
            await asyncio.sleep(0.05)
            turn.accepted()
            stamps.append(perf_counter())

        await asyncio.gather(*(call() for _ in range(turns)))
        return _best(stamps[::_CHUNK], _CHUNK)

    return run_in_virtual_time(main())


def written_and_read() -> tuple[float, int]:
    """Write and read the value of a full period; microseconds, and its characters."""
    machine, now = Machine.with_limit(120, 60.0), 1_000_000.0
    for _ in range(400):
        machine.join(now, "interactive")
        now = max(now, machine.due(now, 0)[1])
        machine.accepted(now + 0.1, machine.take(now, "interactive"))
    stamps = [perf_counter()]
    for _ in range(50):
        load(dump(machine))
        stamps.append(perf_counter())
    return _best(stamps, 1), len(dump(machine))


def run(*, quick: bool) -> list[Table]:
    """Measure, the best of several runs each."""
    turns, runs = (1_000, 1) if quick else (20_000, 5)
    idle_turn = min(idle(turns) for _ in range(runs))
    known = min(paced(RateLimiter, turns // 5) for _ in range(runs))
    unknown = min(paced(RateLimiter.discover, turns // 5) for _ in range(runs))
    micro, characters = written_and_read()
    return [
        Table(
            "CPU of a turn",
            f"Microseconds, the best of {runs} runs. A paced turn is one of a gather that waits, with its "
            "task, its timer and a reply after 50 ms, all of which the loop does by itself, too.",
            ["", "µs", "target"],
            [
                [
                    "for scale: `asyncio.Semaphore`",
                    f"{min(idle_semaphore(turns) for _ in range(runs)):.1f}",
                    "",
                ],
                ["a turn while nobody waits", f"{idle_turn:.1f}", at_most(idle_turn, _IDLE, 1)],
                ["a paced turn, 120 per 60 s", f"{known:.0f}", at_most(known, _PACED, 0)],
                ["a paced turn, an unknown limit", f"{unknown:.0f}", at_most(unknown, _PACED, 0)],
                [f"the machine's value, written and read ({characters:,} characters)", f"{micro:.0f}", ""],
            ],
        )
    ]
