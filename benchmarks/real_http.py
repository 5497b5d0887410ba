"""The headline on real sockets: the period scaled down to 3 s, a fake server in another process."""

import asyncio
import json
import random
import subprocess
import sys
from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import Final

import aiohttp
from aiolimiter import AsyncLimiter
from attrs import frozen
from strategies import tenacity
from tables import Table
from wire import RULES, RejectedError, raise_mistakes

from helpcrunch_async import HelpCrunchClient, RateLimiter
from helpcrunch_async.testing import FakeHelpCrunch

LIBRARIES: Final = ("aiohttp", "tenacity", "aiolimiter")
_LIMIT: Final = 120
_PERIOD: Final = 3.0
_ROUND_TRIP: Final = 0.05
_GIVE_UP: Final = 30.0  # seconds for one storm
_HEADERS: Final = {"Authorization": "Bearer key"}


@frozen
class _Outcome:
    served: int
    seconds: float


async def _serve(rule: str) -> None:
    """Run a fake server until the pipe is closed; then print what it counted."""
    dice = random.Random(1)
    async with FakeHelpCrunch(
        1,
        rate_rule=RULES[rule](_LIMIT, _PERIOD, False),
        retry_after=True,
        latency=lambda: _ROUND_TRIP * (0.7 + dice.expovariate(1) * 0.3),
    ) as server:
        print(server.url, flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        print(json.dumps([server.accepted, server.rejected]), flush=True)


async def _gather(call: Callable[[], Awaitable[object]], calls: int) -> _Outcome:
    """Begin all calls at once; what fails, or takes too long, is lost."""
    started = perf_counter()
    last = 0.0

    async def one() -> None:
        nonlocal last
        await call()
        last = perf_counter() - started

    tasks = [asyncio.ensure_future(one()) for _ in range(calls)]
    done, pending = await asyncio.wait(tasks, timeout=_GIVE_UP)
    for task in pending:
        task.cancel()
    results = await asyncio.gather(*done, *pending, return_exceptions=True)
    raise_mistakes(results)
    return _Outcome(sum(1 for result in results if result is None), last)


async def _usual(url: str, calls: int, limiter: AsyncLimiter | None = None) -> _Outcome:
    """Gather over plain aiohttp with tenacity, and perhaps aiolimiter."""
    async with aiohttp.ClientSession(headers=_HEADERS) as session:

        async def get() -> None:
            if limiter is not None:
                await limiter.acquire()
            async with session.get(f"{url}/customers/8737843") as response:
                if response.status == 429:
                    raise RejectedError(float(response.headers["Retry-After"]))
                response.raise_for_status()
                await response.json()

        return await _gather(tenacity(10, honest=True)(get), calls)


async def _ours(url: str, calls: int, limit: int | None) -> _Outcome:
    limiter = RateLimiter.discover() if limit is None else RateLimiter(limit, _PERIOD)
    async with HelpCrunchClient("key", base_url=url, rate_limiter=limiter, coalesce=False) as client:
        return await _gather(lambda: client.get_customer(8737843), calls)


_WAYS: Final[dict[str, Callable[[str, int], Awaitable[_Outcome]]]] = {
    "gather + tenacity, 10 attempts, heeds Retry-After": _usual,
    "aiolimiter told the limit + tenacity": lambda url, calls: _usual(
        url, calls, AsyncLimiter(_LIMIT, _PERIOD)
    ),
    "ours, told the limit": lambda url, calls: _ours(url, calls, _LIMIT),
    "ours, told 3 x too much": lambda url, calls: _ours(url, calls, 3 * _LIMIT),
    "ours, told nothing": lambda url, calls: _ours(url, calls, None),
}


def _storm(way: str, rule: str, calls: int) -> str:
    with subprocess.Popen(
        [sys.executable, __file__, rule], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            assert server.stdin is not None
            assert server.stdout is not None
            url = server.stdout.readline().strip()

            async def go() -> _Outcome:
                return await _WAYS[way](url, calls)

            outcome = asyncio.run(go())
            server.stdin.close()
            accepted, rejected = json.loads(server.stdout.readline())
        finally:
            server.terminate()
    lost = calls - outcome.served
    used = (
        f"{100 * outcome.served / (_LIMIT / _PERIOD * outcome.seconds):.0f}" if lost <= calls / 100 else "-"
    )
    share = 100 * rejected / (accepted + rejected)
    return f"{used} / {share:.1f} / {f'**{lost}**' if lost else 0}"


def run(*, quick: bool) -> list[Table]:
    """Measure."""
    calls = 60 if quick else 380
    rules = ("rolling log",) if quick else ("rolling log", "bucket / 10")
    return [
        Table(
            f"{calls} `get_customer` gathered over HTTP, {_LIMIT} per {_PERIOD:g} s",
            f"Used % / rejected % / lost, as in the simulation; round trips of {1000 * _ROUND_TRIP:g} ms, "
            f"Retry-After, one run each, broken off after {_GIVE_UP:g} s. A period this short is unkind to "
            "everybody who heeds Retry-After: a second is a third of it.",
            ["", *rules],
            [[way, *(_storm(way, rule, calls) for rule in rules)] for way in _WAYS],
        )
    ]


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1]))
