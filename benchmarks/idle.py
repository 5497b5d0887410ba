"""Bulk jobs that find the budget unused: how long they take, beside what nobody can beat."""

import asyncio
import random
from copy import deepcopy
from statistics import mean
from typing import Final

from in_memory import BASE_URL, in_memory, some_account
from interactive import Watched
from tables import Table, at_most, quantile
from wire import LIMIT, PERIOD, RULES, Server, in_parallel, simulate

from helpcrunch_async import Customer, HelpCrunchClient, RateLimiter
from helpcrunch_async.testing import RateRule

LIBRARIES: Final = ("aiohttp",)
_SIZES: Final = (10, 30, 60, 100, 120, 150, 240)
_SHOWN: Final = ("rolling log", "interpolated", "bucket", "bucket / 10", "bucket / 40")
_STEP: Final = 0.02  # seconds; the omniscient sender looks at least this often


def optimum(rule: RateRule, requests: int, round_trip: float) -> float:
    """Return the seconds that a sender needs who sees when the rule accepts a call."""
    now, accepted = 0.0, 0
    while accepted < requests:
        trial = deepcopy(rule)
        wait = trial.hit(now)
        if wait is None:
            rule = trial
            accepted += 1
        else:
            now += min(max(wait, 1e-6), _STEP)
    return now + round_trip


def job(rule: str, requests: int, round_trip: float, seed: int) -> tuple[float, float, int]:
    """Fetch so many customers one by one; gives the seconds, the optimum, and the calls rejected."""
    account, ids = some_account(requests)
    dice = random.Random(f"{rule} {requests} {round_trip} {seed}")
    server = Server(RULES[rule](LIMIT, PERIOD, False), retry_after=True, round_trip=round_trip, random=dice)
    best = optimum(RULES[rule](LIMIT, PERIOD, False), requests, round_trip)

    async def main() -> float:
        async with HelpCrunchClient(
            "key",
            base_url=BASE_URL,
            session=in_memory(server, account),
            rate_limiter=RateLimiter(LIMIT, PERIOD, random=dice.random),
        ) as client:
            started = asyncio.get_running_loop().time()
            await client.get_customers(ids, batch=False)
            return asyncio.get_running_loop().time() - started

    return simulate(main()), best, len(server.rejected_at)


def beside(requests: int, before: float, seed: int) -> tuple[float, list[float]]:
    """Fetch customers while up to three single calls come each 4 s, and did so `before` seconds before.

    Gives the seconds of the job, and the waits in line of the single calls until two minutes after it began.
    """
    account, ids = some_account(requests)
    dice = random.Random(f"{requests} {before} {seed}")
    server = Server(RULES["rolling log"](LIMIT, PERIOD, False), retry_after=True, random=dice)
    watched = Watched(RateLimiter(LIMIT, PERIOD, random=dice.random))

    async def main() -> float:
        clock = asyncio.get_running_loop().time
        async with HelpCrunchClient(
            "key", base_url=BASE_URL, session=in_memory(server, account), rate_limiter=watched
        ) as client:

            async def singles() -> None:
                calls: list[asyncio.Future[Customer]] = []
                while clock() < before + 120:
                    calls += [
                        asyncio.ensure_future(client.get_customer(dice.choice(ids)))
                        for _ in range(dice.randint(1, 3))
                    ]
                    await asyncio.sleep(dice.expovariate(1 / 4))
                await asyncio.gather(*calls)

            beside = asyncio.ensure_future(singles())
            if before:
                await asyncio.sleep(before)
                watched.seconds.clear()
            started = clock()
            await client.get_customers(ids, batch=False)
            seconds = clock() - started
            await beside
            return seconds

    return simulate(main()), watched.seconds


def _job_table(rules: tuple[str, ...], sizes: tuple[int, ...], seeds: int) -> Table:
    jobs = [(rule, size, trip) for rule in rules for size in sizes for trip in (0.1, 0.3)]
    runs = in_parallel(job, [(*each, seed) for each in jobs for seed in range(seeds)])
    rows = []
    for index, (rule, size, trip) in enumerate(jobs):
        some = runs[index * seeds : (index + 1) * seeds]
        taken, best = mean(run[0] for run in some), some[0][1]
        rejected = sum(run[2] for run in some) / seeds
        verdict = ""
        if rule in ("bucket / 10", "bucket / 40") and 30 <= size <= LIMIT:
            share = 100 * rejected / (size + rejected)
            verdict = f"{at_most(taken / best, 1.25)}; {at_most(share, 3.5, 1)}"
        elif size == 100:
            verdict = at_most(taken, 3.0 if trip == 0.1 else 9.0, 1)
        elif size > LIMIT:
            verdict = at_most(taken, 1.02 * size * PERIOD / (LIMIT - 1), 0)
        rows.append(
            [
                rule,
                str(size),
                f"{1000 * trip:.0f} ms",
                f"{taken:.1f}",
                f"{best:.1f}",
                f"{rejected:.1f}",
                verdict,
            ]
        )
    return Table(
        "A bulk job that finds the budget unused",
        f"Seconds to the last result of `get_customers(batch=False)`, one request an id, the mean of {seeds} "
        "runs with Retry-After; a search takes a hundred ids a request. The optimum is that of a sender who "
        "sees when the rule accepts a call, and has all requests on the wire at once.",
        ["rule", "requests", "round trip", "seconds", "optimum", "rejected", "target"],
        rows,
    )


def _reserve_table(seeds: int) -> Table:
    jobs = [(size, before) for size in (100, 300) for before in (0.0, 300.0)]
    runs = in_parallel(beside, [(*each, seed) for each in jobs for seed in range(seeds)])
    rows = []
    for index, (size, before) in enumerate(jobs):
        some = runs[index * seeds : (index + 1) * seeds]
        waits = [wait for _, each in some for wait in each]
        median, late, worst = (quantile(waits, share) for share in (0.5, 0.99, 1.0))
        rows.append(
            [
                str(size),
                "for five minutes" if before else "none",
                f"{mean(seconds for seconds, _ in some):.1f}",
                f"{median:.2f} / {late:.2f} / {worst:.2f}",
                f"{at_most(late, 2.5)}; {at_most(worst, 5.0)}" if before else "",
            ]
        )
    return Table(
        "What a bulk job leaves to single calls",
        f"Up to three single calls come each 4 s, beginning with the job or before it; {seeds} runs, rolling "
        "log. Waits in line are median / 99 % / worst, until two minutes after the job began.",
        ["requests", "single calls before", "seconds of the job", "waits of single calls, s", "target"],
        rows,
    )


def run(*, quick: bool) -> list[Table]:
    """Simulate."""
    if quick:
        return [_job_table(("rolling log",), (10, 30), 1)]
    return [_job_table(_SHOWN, _SIZES, 3), _reserve_table(6)]
