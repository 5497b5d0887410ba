"""The limiter against every kind of server limit: told right, told too much, and beside a second process."""

import asyncio
import random
from collections.abc import Sequence
from itertools import product
from statistics import mean
from typing import Final

from attrs import evolve, frozen
from strategies import with_limiter
from tables import Table, at_least, at_most
from wire import LIMIT, PERIOD, RULES, Server, in_parallel, press, simulate

from helpcrunch_async import RateLimiter

LIBRARIES: Final = ()
_ROUND_TRIPS: Final = (0.03, 0.2)
_STRICTER: Final = ("penalty", "bucket / 40")  # not among the rules that a mean target is for

# percent: used at least, rejected at most
_TOLD_RIGHT: Final = (97.0, 0.1)
_SMALL_BURST: Final = (95.0, 1.0)
_TOLD_WRONG: Final = (97.0, 1.5)
_PENALTY: Final = {True: (97.0, 0.5), False: (95.0, 2.5)}


@frozen
class Case:
    """A limiter, or two, against one limit; `workers` None means one huge gather."""

    title: str
    limit: int
    told: int
    periods: int
    workers: int | None = None
    limiters: int = 1

    @property
    def is_right(self) -> bool:
        """Whether one limiter has the limit to itself, and knows it."""
        return self.told == self.limit and self.limiters == 1

    def target(self, rule: str) -> tuple[float, float] | None:
        """Give the target of one rule; told wrong, the mean over the rules has one."""
        if rule == "penalty":
            return _PENALTY[self.is_right] if self.limiters == 1 else None
        if not self.is_right or rule == "bucket / 40":
            return None
        return _SMALL_BURST if rule == "bucket / 10" else _TOLD_RIGHT


CASES: Final = (
    Case("Told right, one huge gather, 5 periods", LIMIT, LIMIT, 5),
    Case("Told right, 50 workers, 10 periods", LIMIT, LIMIT, 10, workers=50),
    Case("Told 120 where 40 is true, one huge gather, 10 periods", 40, 120, 10),
    Case("Two processes, each told the whole limit, 10 periods", LIMIT, LIMIT, 10, limiters=2),
)


@frozen
class Run:
    """One run to make."""

    case: Case
    rule: str
    retry_after: bool
    counts: bool  # refused calls count
    round_trip: float
    seed: int


@frozen
class Result:
    """How one run went."""

    used: float  # served / (sustained rate x seconds)
    rejected: float  # share of all requests
    lost: int


def one_run(run: Run) -> Result:
    """Press one limit for a while, in virtual time."""
    case = run.case
    dice = random.Random(f"{run.rule} {run.retry_after} {run.counts} {run.round_trip} {run.seed}")
    server = Server(RULES[run.rule](case.limit, PERIOD, run.counts), run.retry_after, run.round_trip, dice)
    rate, seconds = server.rule.rate, case.periods * PERIOD

    async def work() -> int:
        await asyncio.sleep(dice.random() * PERIOD)  # windows on the clock are met at any phase
        limiters = [RateLimiter(case.told, PERIOD, random=dice.random) for _ in range(case.limiters)]
        calls = [with_limiter(limiter, server.get) for limiter in limiters]
        # enough for a server that lets lumps through, and then some
        return await press(calls, int(rate * seconds * 1.5 + 2 * LIMIT), seconds, case.workers)

    lost = simulate(work())
    return Result(
        len(server.accepted_at) / (rate * seconds), len(server.rejected_at) / max(1, server.sent), lost
    )


def figures(results: Sequence[Result], target: tuple[float, float] | None) -> list[str]:
    """Write the cells that sum up several runs: used, rejected, lost, and the judgement of the means."""
    used = [100 * min(1.0, result.used) for result in results]
    rejected = [100 * result.rejected for result in results]
    verdict = ""
    if target is not None:
        verdict = f"{at_least(mean(used), target[0])}; {at_most(mean(rejected), target[1])}"
    return [
        f"{mean(used):.1f} / {min(used):.1f}",
        f"{mean(rejected):.2f} / {max(rejected):.2f}",
        str(sum(result.lost for result in results)),
        verdict,
    ]


def _table(case: Case, results: dict[str, list[Result]]) -> Table:
    rows = [[rule, *figures(each, case.target(rule))] for rule, each in results.items()]
    if not case.is_right:
        plain = [result for rule, each in results.items() if rule not in _STRICTER for result in each]
        rows.append(["mean of the first six", *figures(plain, _TOLD_WRONG)])
    runs = len(next(iter(results.values())))
    return Table(
        case.title,
        f"Mean / worst of {runs} runs: with and without Retry-After, refused calls counting or not, round "
        f"trips of {' and '.join(f'{1000 * each:g}' for each in _ROUND_TRIPS)} ms, several seeds. Used is "
        "served / (sustained rate x seconds), at most 100.",
        ["rule", "used %", "rejected %", "lost", "target (of the means)"],
        rows,
    )


def run(*, quick: bool) -> list[Table]:
    """Simulate."""
    rules = list(RULES)[2:3] if quick else list(RULES)
    cases = [evolve(case, periods=1) for case in CASES] if quick else CASES
    ways = [*product((False, True), (False, True), _ROUND_TRIPS, range(2))]
    runs = [
        Run(case, rule, *way) for case in cases for rule in rules for way in (ways[-1:] if quick else ways)
    ]
    results: dict[Case, dict[str, list[Result]]] = {}
    for each, result in zip(runs, in_parallel(one_run, [(each,) for each in runs]), strict=True):
        results.setdefault(each.case, {}).setdefault(each.rule, []).append(result)
    return [_table(case, results[case]) for case in cases]
