"""One way after the other, each with the whole budget."""

import asyncio
import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from attrs import frozen

from helpcrunch_async.cli.demo.rules import Rule, make_rule
from helpcrunch_async.cli.demo.tally import Tally
from helpcrunch_async.cli.demo.ways import KEY, WAYS, Job
from helpcrunch_async.testing import FakeHelpCrunch, generate_customers

_GLANCE: Final = 0.05  # seconds between two looks at the server
_LATENCY: Final = 0.03, 0.08  # seconds that an answer takes, from and to


@frozen
class Plan:
    """What `helpcrunch demo` was asked for: calls to make, and a limit of requests per `period` seconds."""

    calls: int
    rule: Rule
    retry_after: bool
    limit: int
    period: float

    @property
    def patience(self) -> float:
        """Seconds after which a way is stopped: far more than any should need."""
        return 3 * self.calls / self.limit * self.period + 10 * self.period


async def run_all(plan: Plan, tallies: Sequence[Tally], look: Callable[[], None]) -> None:
    """Do the job in every way, on a server in this process; `look` is called many times a second."""
    rows = generate_customers(plan.calls)
    ids = [row["id"] for row in rows]
    async with FakeHelpCrunch(
        rows, api_key=KEY, retry_after=plan.retry_after, latency=lambda: random.uniform(*_LATENCY)
    ) as server:
        job = Job(server.url, ids, plan.limit, plan.period)
        for (_, way), tally in zip(WAYS, tallies, strict=True):
            server.forget()
            server.rate_rule = make_rule(plan.rule, plan.limit, plan.period)  # nothing spent of it yet
            watcher = asyncio.create_task(_watch(server, tally, look))
            tally.begin()
            with suppress(TimeoutError):
                async with asyncio.timeout(plan.patience):
                    await way(job, tally)
            tally.end()
            watcher.cancel()
            _read_off(server, tally)
            look()


async def _watch(server: FakeHelpCrunch, tally: Tally, look: Callable[[], None]) -> None:
    while True:
        _read_off(server, tally)
        look()
        await asyncio.sleep(_GLANCE)


def _read_off(server: FakeHelpCrunch, tally: Tally) -> None:
    tally.requests, tally.rejected = len(server.requests), server.rejected


def tallies_of(plan: Plan) -> list[Tally]:
    """Make an empty tally for every way."""
    return [Tally(name, plan.calls) for name, _ in WAYS]
