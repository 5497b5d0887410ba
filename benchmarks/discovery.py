"""The limiter that is told nothing, against limits that it was not tuned on."""

import random
from collections.abc import Callable
from itertools import product
from typing import Final

from strategies import with_limiter
from tables import Table
from told import Result, figures
from wire import Server, in_parallel, press, simulate

from helpcrunch_async import RateLimiter
from helpcrunch_async.testing import (
    FixedWindow,
    InterpolatedWindow,
    Penalty,
    RateRule,
    RollingLog,
    TokenBucket,
)

NAME: Final = "discovery"
LIBRARIES: Final = ()
_ROUND_TRIPS: Final = (0.03, 0.2)
_SPANS: Final = {30.0: (90.0, 1.0), 150.0: (95.0, 0.5)}
"""Seconds at the limit, and the target: percent used at least, rejected at most."""
_WARM_UP: Final = 60.0  # seconds in which the first rejection must come
_ALL: Final = "mean of those above"
_REAL: Final = "rolling log, 120 per 60 s"

HELD_OUT: Final[dict[str, Callable[[], RateRule]]] = {
    "fixed, 35 per 4 s": lambda: FixedWindow(35, 4.0),
    "fixed on the clock, 300 per 15 s": lambda: FixedWindow(300, 15.0, 0.2),
    "rolling log, 70 per 9 s": lambda: RollingLog(70, 9.0),
    "interpolated, 110 per 12 s": lambda: InterpolatedWindow(110, 12.0, 0.4),
    "bucket, 13 per s, burst 65": lambda: TokenBucket(13, 1.0, 65),
    "bucket, 45 per s, burst 9": lambda: TokenBucket(45, 1.0, 9),
    "penalty of 1.5 s on 8 per s": lambda: Penalty(TokenBucket(8, 1.0, 4), 1.5),
    _REAL: lambda: RollingLog(120, 60.0),
}


def one_run(rule: str, retry_after: bool, round_trip: float) -> list[Result]:  # noqa: FBT001 - a job
    """Press a limit that nobody was told, and look at the spans that begin with the first rejection."""
    dice = random.Random(f"{rule} {retry_after} {round_trip}")
    server = Server(HELD_OUT[rule](), retry_after, round_trip, dice)
    rate = server.rule.rate
    seconds = max(_SPANS) + _WARM_UP

    async def work() -> int:
        limiter = RateLimiter.discover(random=dice.random)
        return await press([with_limiter(limiter, server.get)], int(rate * seconds * 1.5 + 500), seconds)

    lost = simulate(work())
    began = min(server.rejected_at, default=0.0)
    results = []
    for span in _SPANS:
        accepted = sum(1 for at in server.accepted_at if began <= at < began + span)
        rejected = sum(1 for at in server.rejected_at if began <= at < began + span)
        results.append(Result(accepted / (rate * span), rejected / max(1, accepted + rejected), lost))
    return results


def run(*, quick: bool) -> list[Table]:
    """Simulate."""
    rules = list(HELD_OUT)[:2] if quick else list(HELD_OUT)
    jobs = list(product(rules, (False, True), _ROUND_TRIPS))
    found = dict(zip(jobs, in_parallel(one_run, jobs), strict=True))
    tables = []
    for which, (span, target) in enumerate(_SPANS.items()):
        rows = {rule: [results[which] for job, results in found.items() if job[0] == rule] for rule in rules}
        pooled = [result for rule, each in rows.items() if rule != _REAL for result in each]
        lines = [[rule, *figures(each, None)[:-1], ""] for rule, each in rows.items() if rule != _REAL]
        lines.append([_ALL, *figures(pooled, target)])
        if _REAL in rows:
            lines.append([f"the documented one: {_REAL}", *figures(rows[_REAL], None)])
        tables.append(
            Table(
                f"`RateLimiter.discover()`, {span:g} s at the limit",
                "Mean / worst with and without Retry-After and at both round trips, from the first rejection "
                "on. Nothing is counted before it, where a server that lets lumps through is a gift.",
                ["rule", "used %", "rejected %", "lost", "target (of the means)"],
                lines,
            )
        )
    return tables
