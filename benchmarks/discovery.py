"""The limiter that is told nothing, against limits that it was not tuned on."""

import asyncio
import math
import random
from collections.abc import Callable
from copy import deepcopy
from itertools import product
from statistics import mean
from typing import Final

from attrs import frozen
from strategies import with_limiter
from tables import Table
from told import Result, figures
from wire import Call, RejectedError, Server, in_parallel, press, simulate

from helpcrunch_async import RateLimiter
from helpcrunch_async.testing import (
    FixedWindow,
    InterpolatedWindow,
    Penalty,
    RateRule,
    RollingLog,
    TokenBucket,
)

LIBRARIES: Final = ()
_ROUND_TRIPS: Final = (0.03, 0.2)
_SPANS: Final = {30.0: (90.0, 1.0), 150.0: (95.0, 0.5)}
"""Seconds at the limit, and the target: percent used at least, rejected at most."""
_WARM_UP: Final = 60.0  # seconds in which the first rejection must come
_DRAWN_WARM_UP: Final = 120.0  # the same for rules that may be faster, with a larger store
_STEP: Final = 0.02  # seconds; the omniscient sender looks at least this often
_ALL: Final = "mean of those above"
_REAL: Final = "rolling log, 120 per 60 s"
_DRAWS: Final = 112  # seven kinds of rule and four settings, four times each

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


def drawn(draw: int) -> RateRule:
    """Make a random rule of 4 to 60 calls a second; which of seven kinds goes by the draw's number."""
    dice = random.Random(f"draw {draw}")

    def between(lowest: float, highest: float) -> float:
        return lowest * math.pow(highest / lowest, dice.random())

    rate, period, phase = between(4, 60), between(1, 20), dice.random()
    limit = round(rate * period)
    small, large = (max(2, round(rate * between(*store))) for store in ((0.2, 1), (1, 10)))
    makers: list[Callable[[], RateRule]] = [
        lambda: FixedWindow(limit, period),
        lambda: FixedWindow(limit, period, phase),
        lambda: RollingLog(limit, period),
        lambda: InterpolatedWindow(limit, period, phase),
        lambda: TokenBucket(round(100 * rate), 100.0, large),
        lambda: TokenBucket(round(100 * rate), 100.0, small),
        lambda: Penalty(TokenBucket(round(100 * rate), 100.0, small), between(0.5, 3)),
    ]
    return makers[draw % len(makers)]()


@frozen
class Bounds:
    """What nobody could have done better, from the first rejection on."""

    possible: float  # share of the budget that somebody who knows the rule could still use
    on_the_wire: float  # share of the requests that were under way already, and rejected
    told: float  # share of the budget that the limiter uses when it is told the limit


@frozen
class Run:
    """How one run went over one span."""

    at_limit: Result
    from_start: Result
    bounds: Bounds | None = None


def possible(rule: RateRule, now: float, seconds: float) -> float:
    """Give the share of the budget that is left for somebody who sees when the rule accepts a call."""
    budget = rule.rate * seconds
    until, accepted = now + seconds, 0
    while now < until and accepted < budget:
        trial = deepcopy(rule)
        wait = trial.hit(now)
        if wait is None:
            rule = trial
            accepted += 1
        else:
            now += min(max(wait, 1e-6), _STEP)
    return min(1.0, accepted / budget)


def _share(server: Server, since: float, seconds: float, lost: int) -> Result:
    accepted = sum(1 for at in server.accepted_at if since <= at < since + seconds)
    rejected = sum(1 for at in server.rejected_at if since <= at < since + seconds)
    used = accepted / (server.rule.rate * seconds)
    return Result(used, rejected / max(1, accepted + rejected), lost)


def _told(rule: str, retry_after: bool, round_trip: float) -> list[float]:  # noqa: FBT001
    """Give the shares that the limiter uses when it is told the limit."""
    server = Server(HELD_OUT[rule](), retry_after, round_trip, random.Random(f"{rule} told"))
    inside = server.rule.rule if isinstance(server.rule, Penalty) else server.rule
    limit, period = inside.limit, inside.period  # type: ignore[attr-defined]  # all of ours have them

    async def work() -> int:
        limiter = RateLimiter(limit, period, random=server.random.random)
        calls = int(server.rule.rate * max(_SPANS) * 1.5 + 500)
        return await press([with_limiter(limiter, server.get)], calls, max(_SPANS))

    simulate(work())
    return [min(1.0, _share(server, 0.0, span, 0).used) for span in _SPANS]


def one_draw(draw: int, retry_after: bool, round_trip: float) -> list[Run]:  # noqa: FBT001 - a job
    """Press a random limit that nobody was told, without the bounds, which take most of the time."""
    server = Server(drawn(draw), retry_after, round_trip, random.Random(f"{draw} {retry_after} {round_trip}"))
    seconds = max(_SPANS) + _DRAWN_WARM_UP

    async def work() -> int:
        limiter = RateLimiter.discover(random=server.random.random)
        calls = int(server.rule.rate * seconds * 1.5 + 500)
        return await press([with_limiter(limiter, server.get)], calls, seconds)

    lost = simulate(work())
    began = server.rejected_at[0]
    return [Run(_share(server, began, span, lost), _share(server, 0.0, span, lost)) for span in _SPANS]


def one_run(rule: str, retry_after: bool, round_trip: float) -> list[Run]:  # noqa: FBT001 - a job
    """Press a limit that nobody was told, and look at the spans that begin with the first rejection."""
    dice = random.Random(f"{rule} {retry_after} {round_trip}")
    server = Server(HELD_OUT[rule](), retry_after, round_trip, dice)
    rate = server.rule.rate
    seconds = max(_SPANS) + _WARM_UP
    met: list[tuple[float, RateRule]] = []  # when the first rejection was known, and the rule then
    early = 0  # rejected, and sent before that

    def watched(get: Call) -> Call:
        async def call() -> None:
            nonlocal early
            sent = asyncio.get_running_loop().time()
            try:
                await get()
            except RejectedError:
                if not met:
                    met.append((server.rejected_at[0], deepcopy(server.rule)))
                early += sent < met[0][0]
                raise

        return call

    async def work() -> int:
        limiter = RateLimiter.discover(random=dice.random)
        calls = int(rate * seconds * 1.5 + 500)
        return await press([with_limiter(limiter, watched(server.get))], calls, seconds)

    lost = simulate(work())
    began, state = met[0]
    runs = []
    for span, told in zip(_SPANS, _told(rule, retry_after, round_trip), strict=True):
        at_limit = _share(server, began, span, lost)
        sent = at_limit.used * rate * span / max(1e-9, 1 - at_limit.rejected)
        bounds = Bounds(possible(state, began, span), early / max(sent, early), told)
        runs.append(Run(at_limit, _share(server, 0.0, span, lost), bounds))
    return runs


def _bounds(runs: list[Run]) -> list[str]:
    bounds = [run.bounds for run in runs if run.bounds is not None]
    if not bounds:
        return ["", "", ""]
    return [
        f"{100 * mean(bound.possible for bound in bounds):.1f}",
        f"{100 * mean(bound.told for bound in bounds):.1f}",
        f"{100 * mean(bound.on_the_wire for bound in bounds):.2f}",
    ]


def _rows(rows: dict[str, list[Run]], draws: list[Run], target: tuple[float, float]) -> list[list[str]]:
    """Write a row for each rule, the mean, and that of random rules."""

    def row(name: str, runs: list[Run], target: tuple[float, float] | None) -> list[str]:
        *cells, verdict = figures([run.at_limit for run in runs], target)
        start = figures([run.from_start for run in runs], None)[:2]
        return [name, *cells, *_bounds(runs), *start, verdict]

    lines = [row(rule, runs, None) for rule, runs in rows.items() if rule != _REAL]
    lines.append(row(_ALL, [run for rule, runs in rows.items() if rule != _REAL for run in runs], target))
    lines.append(row(f"mean of {len(draws)} random rules of the same kinds", draws, target))
    if _REAL in rows:
        lines.append(row(f"the documented one: {_REAL}", rows[_REAL], None))
    return lines


def run(*, quick: bool) -> list[Table]:
    """Simulate."""
    rules = list(HELD_OUT)[-2:-1] if quick else list(HELD_OUT)
    jobs = list(product(rules, (False, True), _ROUND_TRIPS))[: 1 if quick else None]
    found = dict(zip(jobs, in_parallel(one_run, jobs), strict=True))
    settings = list(product((False, True), _ROUND_TRIPS))
    draws = range(1 if quick else _DRAWS)
    of_draws = in_parallel(one_draw, [(draw, *settings[draw // 7 % len(settings)]) for draw in draws])
    return [
        Table(
            f"`RateLimiter.discover()`, {span:g} s at the limit",
            "Mean / worst with and without Retry-After and at both round trips, from the first rejection on. "
            "Nothing is counted before it, where a server that lets lumps through is a gift; the columns "
            '"from the first call" count that too. Beside them what bounds the figures: what somebody who '
            "knows the rule could have used from the first rejection on, what our limiter uses when it is "
            "told the limit, and the share of requests that were on the wire already when the first "
            "rejection came, and were rejected. The random rules are drawn with a fixed seed, each with "
            "one of the four settings: 4 to 60 calls a second; windows of 1 to 20 s; buckets that hold 0.2 "
            "to 10 s of their rate; penalties of 0.5 to 3 s on buckets that hold a second of it at most.",
            [
                "rule",
                "used %",
                "rejected %",
                "lost",
                "possible: used %",
                "told: used %",
                "on the wire: rejected %",
                "from the first call: used %",
                "from the first call: rejected %",
                "target (of the means)",
            ],
            _rows(
                {rule: [runs[which] for job, runs in found.items() if job[0] == rule] for rule in rules},
                [runs[which] for runs in of_draws],
                target,
            ),
        )
        for which, (span, target) in enumerate(_SPANS.items())
    ]
