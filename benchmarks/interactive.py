"""What a call that somebody waits for costs in time, beside bulk work and in bursts."""

import asyncio
import random
from typing import Any, Final

from attrs import define, field, frozen
from in_memory import BASE_URL, in_memory, some_account
from strategies import with_limiter
from tables import Table, at_most, quantile
from wire import LIMIT, PERIOD, RULES, Server, in_parallel, simulate

from helpcrunch_async import HelpCrunchClient, RateLimiter, Turn
from helpcrunch_async.rate_limit import Priority

LIBRARIES: Final = ("aiohttp",)
_TARGET: Final = 2  # turns


@define(eq=False)
class Watched:
    """A limiter that notes how long interactive calls stand in line: in seconds, and in others' turns."""

    limiter: RateLimiter
    paces: bool = True
    seconds: list[float] = field(factory=list)
    turns: list[int] = field(factory=list)

    async def turn(
        self, priority: Priority = "interactive", max_wait: float | None = None, **more: Any
    ) -> Turn:
        """Wait for a turn, and note how long that took."""
        clock = asyncio.get_running_loop().time
        came, granted = clock(), self.limiter.statistics.granted
        turn = await self.limiter.turn(priority, max_wait, **more)
        if priority == "interactive":
            self.seconds.append(clock() - came)
            self.turns.append(self.limiter.statistics.granted - granted - 1)
        return turn


@frozen
class _Load:
    """Ids that are being fetched, and the calls that come beside them."""

    name: str
    count: int
    folded: bool
    every: float  # seconds
    at_once: int  # calls, at most
    judged: bool

    def pause(self, dice: random.Random) -> float:
        """Give the seconds until the next call, or calls: uniform when they come alone, else Poisson."""
        if self.at_once == 1:
            return self.every * dice.uniform(0.5, 1.5)
        return dice.expovariate(1 / self.every)


def beside_bulk(load: _Load, rule: str) -> tuple[list[float], list[int], int, float]:
    """Fetch many ids, and beside them a customer now and then; gives the waits of the latter."""
    account, ids = some_account(load.count)
    dice = random.Random(f"{load.name} {rule}")
    server = Server(RULES[rule](LIMIT, PERIOD, False), retry_after=True, random=dice)
    watched = Watched(RateLimiter(LIMIT, PERIOD, random=dice.random))

    async def fetch() -> float:
        async with HelpCrunchClient(
            "key", base_url=BASE_URL, session=in_memory(server, account), rate_limiter=watched
        ) as client:
            bulk = asyncio.ensure_future(client.get_customers(ids, batch=load.folded))
            calls = []
            while not bulk.done():
                await asyncio.wait([bulk], timeout=load.pause(dice))
                if not bulk.done():
                    calls += [
                        asyncio.ensure_future(client.get_customer(dice.choice(ids)))
                        for _ in range(dice.randint(1, load.at_once))
                    ]
            await asyncio.gather(bulk, *calls)
            return asyncio.get_running_loop().time()

    seconds = simulate(fetch())
    return watched.seconds, watched.turns, len(server.rejected_at), seconds


def bursts(rule: str, round_trip: float, minutes: int) -> tuple[list[float], int]:
    """Send twenty calls at once every 17 s or so, 60 % of the budget; gives their waits in line."""
    dice = random.Random(f"{rule} {round_trip}")
    server = Server(RULES[rule](LIMIT, PERIOD, False), retry_after=True, round_trip=round_trip, random=dice)
    watched = Watched(RateLimiter(LIMIT, PERIOD, random=dice.random))

    async def handle() -> None:
        call = with_limiter(watched, server.get)
        clock = asyncio.get_running_loop().time
        calls: list[asyncio.Future[None]] = []
        while clock() < 60 * minutes:
            calls += [asyncio.ensure_future(call()) for _ in range(20)]
            await asyncio.sleep(17 * dice.uniform(0.7, 1.3))
        await asyncio.gather(*calls)

    simulate(handle())
    return watched.seconds, len(server.rejected_at)


def _bulk_table(count: int, rules: list[str]) -> Table:
    loads = (
        _Load("one by one; calls come alone", count, folded=False, every=5.0, at_once=1, judged=True),
        _Load("one by one; up to three at once", count, folded=False, every=4.0, at_once=3, judged=False),
        _Load("by search; calls come alone", count, folded=True, every=2.0, at_once=1, judged=True),
    )
    jobs = [(load, rule) for load in loads for rule in rules]
    rows = []
    for (load, rule), (seconds, turns, rejected, whole) in zip(
        jobs, in_parallel(beside_bulk, jobs), strict=True
    ):
        rows.append(
            [
                f"{load.name}; {rule}",
                f"{whole / 60:.1f}",
                f"{len(turns)}",
                " / ".join(f"{quantile(seconds, share):.2f}" for share in (0.5, 0.99, 1.0)),
                " / ".join(f"{quantile(turns, share):.0f}" for share in (0.5, 0.99, 1.0)),
                str(rejected),
                at_most(max(turns), _TARGET, 0) if load.judged and turns else "",
            ]
        )
    return Table(
        f"`get_customer` while {count:,} ids are being fetched by `get_customers`",
        "Waits in line are median / 99 % / worst. Turns are those that others got between a call's coming "
        "and its own, other interactive calls included. Calls come every 5 s on average, or up to three "
        f"every 4 s, or one every 2 s beside the search; the even pace is a turn each {PERIOD / LIMIT:g} s.",
        [
            "the ids; rule",
            "minutes",
            "calls beside",
            "seconds in line",
            "turns in line",
            "rejected",
            "target (worst)",
        ],
        rows,
    )


def _burst_table(minutes: int, rules: list[str]) -> Table:
    jobs = [(rule, round_trip, minutes) for rule in rules for round_trip in (0.03, 0.2)]
    rows = [
        [
            rule,
            f"{1000 * round_trip:.0f} ms",
            *(f"{quantile(waits, share):.2f} s" for share in (0.5, 0.99, 1.0)),
            f"{100 * rejected / (len(waits) + rejected):.1f} %",
        ]
        for (rule, round_trip, _), (waits, rejected) in zip(jobs, in_parallel(bursts, jobs), strict=True)
    ]
    return Table(
        "Bursts of twenty calls every 17 s or so: 60 % of the budget",
        f"What the limiter adds to a call that is let through at once, over {minutes} minutes. A call that "
        "was rejected waits longer than its first time in line says; the share of those is given.",
        ["rule", "round trip", "median", "99 %", "worst", "rejected"],
        rows,
    )


def run(*, quick: bool) -> list[Table]:
    """Simulate."""
    rules = list(RULES)[2:3] if quick else [rule for rule in RULES if rule != "bucket / 40"]
    return [
        _bulk_table(130 if quick else 10_000, rules[: 1 if quick else 3]),
        _burst_table(1 if quick else 60, rules),
    ]
