"""What one call costs: client CPU and calls per second, against plain aiohttp and others.

Everybody fetches the same customer over keep-alive from a bare server in another process. The contenders take
turns within each round, and a ratio is taken within a round, so that a noisy neighbour hits all alike.
"""

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial
from itertools import product
from statistics import median
from time import perf_counter, process_time
from typing import Any, Final, TypeAlias

import aiohttp
import httpx
import orjson
from attrs import define, frozen
from canned_server import KEY, SOME_ID, canned_server, customer_body, never_limited
from structuring import by_hand
from tables import Table, at_most, spread

from helpcrunch_async import UNLIMITED, Customer, HelpCrunchClient, Limiter, from_dict

LIBRARIES: Final = ("aiohttp", "orjson", "httpx", "attrs", "cattrs", "tenacity")

Get: TypeAlias = Callable[[int], Awaitable[object]]
"""Fetches one customer by id."""

_HEADERS: Final = {"Authorization": f"Bearer {KEY}", "Accept": "application/json"}
_AT_ONCE: Final = (1, 10, 100)
_TARGET: Final = 1.20
_SHARED_TARGET: Final = 0.30
_GATHERED: Final = 1_000
_SLICE: Final = {1: 60, 10: 100, 100: 300}  # calls, by how many are made at once


@asynccontextmanager
async def _aiohttp(url: str) -> AsyncIterator[Get]:
    async with aiohttp.ClientSession(headers=_HEADERS) as session:

        async def get(customer_id: int) -> object:
            async with session.get(f"{url}/customers/{customer_id}") as response:
                response.raise_for_status()
                body: object = await response.json()
                return body

        yield get


@asynccontextmanager
async def _aiohttp_read(url: str, read: Callable[[Any], Customer]) -> AsyncIterator[Get]:
    async with _aiohttp(url) as get_dict:

        async def get(customer_id: int) -> object:
            return read(await get_dict(customer_id))

        yield get


@asynccontextmanager
async def _aiohttp_orjson(url: str) -> AsyncIterator[Get]:
    async with aiohttp.ClientSession(headers=_HEADERS) as session:

        async def get(customer_id: int) -> object:
            async with session.get(f"{url}/customers/{customer_id}") as response:
                response.raise_for_status()
                return orjson.loads(await response.read())

        yield get


@asynccontextmanager
async def _httpx(url: str) -> AsyncIterator[Get]:
    async with httpx.AsyncClient(headers=_HEADERS) as client:

        async def get(customer_id: int) -> object:
            response = await client.get(f"{url}/customers/{customer_id}")
            response.raise_for_status()
            return response.json()

        yield get


@asynccontextmanager
async def _ours(url: str, limiter: Callable[[], Limiter], *, coalesce: bool = True) -> AsyncIterator[Get]:
    async with HelpCrunchClient(KEY, base_url=url, rate_limiter=limiter(), coalesce=coalesce) as client:
        yield client.get_customer


@frozen
class _Contender:
    name: str
    open: Callable[[str], AbstractAsyncContextManager[Get]]
    slowness: int = 1  # only every so many slices are its, so that it does not eat up the time


_CONTENDERS: Final = (
    _Contender("aiohttp, `resp.json()` to a dict", _aiohttp),
    _Contender("aiohttp, a constructor written by hand", partial(_aiohttp_read, read=by_hand)),
    _Contender("aiohttp, our `from_dict`", partial(_aiohttp_read, read=partial(from_dict, Customer))),
    _Contender("aiohttp, orjson to a dict", _aiohttp_orjson),
    _Contender("httpx, `.json()` to a dict", _httpx, slowness=8),
    # everybody fetches one customer here, which calls that share a request would do once
    _Contender("ours, typed, `coalesce=False`", partial(_ours, limiter=never_limited, coalesce=False)),
    _Contender("the same, `UNLIMITED`", partial(_ours, limiter=lambda: UNLIMITED, coalesce=False)),
)


def _settle() -> None:
    """Let nobody pay for looking through what others keep.

    Full collections fell into the slices of one contender or another, and made a tenth of its figure.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()


@define
class _Cost:
    """What the calls of one contender took together, in one round; seconds."""

    calls: int = 0
    cpu: float = 0.0
    wall: float = 0.0

    async def add(self, get: Get, *, at_once: int, times: int) -> None:
        """Let `at_once` workers make so many calls each."""

        async def work() -> None:
            for _ in range(times):
                await get(SOME_ID)

        cpu, wall = process_time(), perf_counter()
        await asyncio.gather(*(work() for _ in range(at_once)))
        self.cpu += process_time() - cpu
        self.wall += perf_counter() - wall
        self.calls += at_once * times


async def _compare(url: str, *, rounds: int, slices: int) -> list[list[str]]:
    """Compare all, in rounds of many short slices: the machine's speed changes from second to second."""
    costs: dict[tuple[str, int], list[_Cost]] = {}
    async with AsyncExitStack() as stack:
        gets = [(each, await stack.enter_async_context(each.open(url))) for each in _CONTENDERS]
        for _, at_once in product(range(rounds), _AT_ONCE):
            costs_now = [_Cost() for _ in gets]
            for _, get in gets:
                await _Cost().add(get, at_once=at_once, times=1)  # fills the pool
            _settle()
            for each in range(slices):
                for (contender, get), cost in zip(gets, costs_now, strict=True):
                    if each % contender.slowness == 0:
                        await cost.add(get, at_once=at_once, times=_SLICE[at_once] // at_once)
            for (contender, _), cost in zip(gets, costs_now, strict=True):
                costs.setdefault((contender.name, at_once), []).append(cost)
    rows = []
    for contender in _CONTENDERS:
        row = [contender.name]
        ratios: list[float] = []
        for at_once in _AT_ONCE:
            mine, base = costs[contender.name, at_once], costs[_CONTENDERS[0].name, at_once]
            ratios = [
                one.cpu / one.calls * other.calls / other.cpu for one, other in zip(mine, base, strict=True)
            ]
            row.append(
                f"{spread(ratios)}; {1e6 * median(one.cpu / one.calls for one in mine):.0f} µs; "
                f"{median(one.calls / one.wall for one in mine):,.0f}/s"
            )
        is_ours = contender.name.startswith(("ours", "the same"))
        rows.append([*row, at_most(median(ratios), _TARGET) if is_ours else ""])
    return rows


async def _compare_shared(url: str, *, rounds: int) -> list[list[str]]:
    """Gather a thousand calls: plain aiohttp, ours one by one, and ours as they are, which share searches."""
    names = ("aiohttp, `resp.json()`, 100 connections", "ours, `coalesce=False`", "ours")
    openers: tuple[Callable[[str], AbstractAsyncContextManager[Get]], ...] = (
        _aiohttp,
        partial(_ours, limiter=never_limited, coalesce=False),
        partial(_ours, limiter=never_limited),
    )
    ids = range(SOME_ID, SOME_ID + _GATHERED)
    costs: dict[str, list[float]] = {name: [] for name in names}
    async with AsyncExitStack() as stack:
        gets = [await stack.enter_async_context(opener(url)) for opener in openers]
        for turn in range(rounds + 1):
            for name, get in zip(names, gets, strict=True):
                _settle()
                started = process_time()
                await asyncio.gather(*map(get, ids))
                if turn:  # the first round fills pools and the server's cache
                    costs[name].append((process_time() - started) / _GATHERED)
    rows = []
    for name, mine in costs.items():
        ratios = [one / other for one, other in zip(mine, costs[names[0]], strict=True)]
        verdict = at_most(median(ratios), _SHARED_TARGET) if name == names[-1] else ""
        rows.append([name, spread(ratios), f"{1e6 * min(mine):.0f} µs", verdict])
    return rows


def run(*, quick: bool) -> list[Table]:
    """Measure."""
    rounds, slices = (1, 1) if quick else (7, 16)
    with canned_server() as url:
        rows = asyncio.run(_compare(url, rounds=rounds, slices=slices))
        folded = asyncio.run(_compare_shared(url, rounds=rounds))
    return [
        Table(
            f"CPU of the client per `get_customer` of {len(customer_body()):,} bytes",
            "CPU against the first row: median of the ratios within a round (least-greatest); then the "
            f"median CPU, and calls per second. {rounds} rounds of {slices} slices in turns. "
            "The constructor gives an unchecked `Customer`, `from_dict` and ours a checked one, the others "
            "a dict.",
            ["", *(f"{at_once} at once" for at_once in _AT_ONCE), f"target at {_AT_ONCE[-1]}"],
            rows,
        ),
        Table(
            f"CPU of the client per customer, {_GATHERED:,} `get_customer` gathered",
            "With all defaults, ten searches bring a hundred customers each. Every task, future and typed "
            "customer is in the figure.",
            ["", "ratio", "best CPU per customer", "target"],
            folded,
        ),
    ]
