"""1,200 calls at once against 120 per minute: every way to retry or to pace, under every kind of limit."""

import asyncio
import random
from bisect import bisect
from typing import Final

from attrs import frozen
from strategies import STRATEGIES
from tables import Table, quantile
from wire import LIMIT, PERIOD, RULES, Server, in_parallel, raise_mistakes, simulate

LIBRARIES: Final = ("tenacity", "aiohttp-retry", "aiolimiter")
_PATIENCE: Final = 6  # times the shortest possible time, after which a run is broken off
SHOWN: Final = [rule for rule in RULES if rule != "bucket / 40"]


@frozen
class Outcome:
    """What became of one storm."""

    calls: int
    served: int
    accepted: int
    rejected: int
    seconds: float
    waits: list[float]  # of the calls that were served
    overtaken: int  # the most later calls that any call let pass
    most_in_flight: int

    @property
    def lost(self) -> int:
        """Calls that gave up, or were not served when the run was broken off."""
        return self.calls - self.served


async def storm(strategy: str, server: Server, calls: int, longest: float) -> Outcome:
    """Begin all calls at once, and see."""
    loop = asyncio.get_running_loop()
    call = STRATEGIES[strategy](server.get)
    started = loop.time()
    waits: dict[int, float] = {}

    async def one(number: int) -> None:
        await call()
        waits[number] = loop.time() - started

    tasks = [loop.create_task(one(number)) for number in range(calls)]
    done, pending = await asyncio.wait(tasks, timeout=longest)
    seconds = loop.time() - started
    for task in pending:
        task.cancel()
    raise_mistakes(await asyncio.gather(*done, *pending, return_exceptions=True))
    return Outcome(
        calls,
        len(waits),
        len(server.accepted_at),
        len(server.rejected_at),
        seconds,
        list(waits.values()),
        overtaken(list(waits)),
        server.most_in_flight,
    )


def overtaken(served: list[int]) -> int:
    """Give the most calls that were served before one that had come earlier; `served` is in that order."""
    before: list[int] = []
    worst = 0
    for number in served:
        place = bisect(before, number)
        worst = max(worst, len(before) - place)
        before.insert(place, number)
    return worst


def one_storm(strategy: str, rule: str, retry_after: bool, calls: int) -> Outcome:  # noqa: FBT001 - a job
    """Run one storm in virtual time."""
    random.seed(f"{strategy} {rule}")
    server = Server(RULES[rule](LIMIT, PERIOD, False), retry_after)
    longest = _PATIENCE * calls * PERIOD / LIMIT
    return simulate(storm(strategy, server, calls, longest))


def _cell(outcome: Outcome) -> str:
    rejected = 100 * outcome.rejected / (outcome.accepted + outcome.rejected)
    lost = f"**{outcome.lost:,}**" if outcome.lost else "0"
    if outcome.lost > outcome.calls / 100:
        return f"- / {rejected:.0f} / {lost}"
    used = 100 * outcome.served / (LIMIT / PERIOD * outcome.seconds)
    return f"{used:.0f} / {rejected:.1f} / {lost}"


def _waits(strategy: str, outcome: Outcome) -> list[str]:
    minutes = [f"{quantile(outcome.waits, share) / 60:.1f}" for share in (0.5, 0.99)]
    return [
        strategy,
        *minutes,
        f"{outcome.seconds / 60:.1f}",
        f"{(outcome.accepted + outcome.rejected) / outcome.calls:.2f}",
        f"{outcome.overtaken:,}",
        f"{outcome.most_in_flight:,}",
        f"{outcome.lost:,}",
    ]


def run(*, quick: bool) -> list[Table]:
    """Simulate."""
    calls = 130 if quick else 1_200
    rules = SHOWN[2:3] if quick else SHOWN
    jobs = [(each, rule, told, calls) for told in (False, True) for each in STRATEGIES for rule in rules]
    outcomes = dict(zip(jobs, in_parallel(one_storm, jobs), strict=True))
    shortest = calls * PERIOD / LIMIT
    tables = [
        Table(
            f"{calls:,} calls at once, {LIMIT} per {PERIOD:g} s, {'with' if told else 'without'} Retry-After",
            "Each cell: used % / rejected % of all requests / calls lost. Used is calls served / ("
            f"the server's sustained rate x seconds until the last one); {shortest / 60:g} minutes are 100. "
            "Each call is a request of its own: ours is the limiter alone, as gathered `get_customer` would "
            "share a dozen. Rules that let a lump through at first make a little more possible; a "
            "strategy that loses calls is done early, so its figure would say nothing. After "
            f"{_PATIENCE * shortest / 60:g} minutes a run is broken off, and what is unserved is lost.",
            ["", *rules],
            [[each, *(_cell(outcomes[each, rule, told, calls]) for rule in rules)] for each in STRATEGIES],
        )
        for told in (False, True)
    ]
    tables.append(
        Table(
            "The same in minutes, under the rolling log with Retry-After",
            "Waits are of the calls that were served. Overtaken: the most later calls that were served "
            "before an earlier one.",
            [
                "",
                "wait, median",
                "wait, 99 %",
                "whole job",
                "requests per call",
                "overtaken by",
                "most in flight",
                "lost",
            ],
            [_waits(each, outcomes[each, "rolling log", True, calls]) for each in STRATEGIES],
        )
    )
    return tables
