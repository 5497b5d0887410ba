"""Ways to fetch many customers by id: ours, and what people usually write."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from typing import Any, Final, TypeAlias

import aiohttp
from attrs import frozen
from tenacity import (
    RetryCallState,
    retry,
    retry_if_exception_type,
    stop_after_attempt,
    stop_never,
    wait_random_exponential,
)

from helpcrunch_async.cli.demo.tally import Tally
from helpcrunch_async.client import HelpCrunchClient
from helpcrunch_async.errors import HelpCrunchError
from helpcrunch_async.rate_limit import RateLimiter

KEY: Final = "demo"
_USUAL_ATTEMPTS: Final = 6


@frozen
class Job:
    """Which customers to fetch, and where: from a server that takes `limit` requests in `period` seconds."""

    url: str
    ids: Sequence[int]
    limit: int
    period: float


Way: TypeAlias = Callable[[Job, Tally], Awaitable[None]]
"""Does the whole job, and counts the calls that are done or lost."""


async def gathered(job: Job, tally: Tally, *, coalesce: bool = True) -> None:
    """Gather `client.get_customer` for all ids; the client is told the limit, and nothing else."""
    async with HelpCrunchClient(
        KEY, base_url=job.url, rate_limiter=_limiter(job), coalesce=coalesce
    ) as client:
        await _gather(client.get_customer, job.ids, tally)


async def usual(job: Job, tally: Tally) -> None:
    """Gather plain aiohttp calls, each of which tenacity repeats a few times."""
    await _usual(job, tally, stop_after_attempt(_USUAL_ATTEMPTS))


async def usual_without_end(job: Job, tally: Tally) -> None:
    """The same, but no call ever gives up."""
    await _usual(job, tally, stop_never)


WAYS: Final[Sequence[tuple[str, Way]]] = (
    ("our get_customer, gathered", gathered),
    ("the same, coalesce=False", partial(gathered, coalesce=False)),
    (f"gather + tenacity, {_USUAL_ATTEMPTS} tries", usual),
    ("gather + tenacity, no end", usual_without_end),
)


async def _usual(job: Job, tally: Tally, stop: Callable[[RetryCallState], bool]) -> None:
    # the recipe of tenacity's own documentation, in a world where a minute lasts `period` seconds
    second = job.period / 60
    backoff = wait_random_exponential(multiplier=second, min=second, max=job.period)

    def wait(state: RetryCallState) -> float:
        return backoff(state) + _retry_after(state)

    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {KEY}"}) as session:

        @retry(
            stop=stop,
            wait=wait,
            retry=retry_if_exception_type((aiohttp.ClientError, TimeoutError)),
            reraise=True,
        )
        async def get(customer_id: int) -> Any:
            async with session.get(f"{job.url}/customers/{customer_id}") as response:
                response.raise_for_status()
                return await response.json()

        await _gather(get, job.ids, tally)


def _retry_after(state: RetryCallState) -> float:
    """Read the seconds that the server asked for, as careful people do; 0 without any."""
    error = state.outcome.exception() if state.outcome is not None else None
    headers = error.headers if isinstance(error, aiohttp.ClientResponseError) else None
    return float(headers.get("Retry-After", 0)) if headers is not None else 0.0


async def _gather(get: Callable[[int], Awaitable[object]], ids: Iterable[int], tally: Tally) -> None:
    async def counted(customer_id: int) -> None:
        try:
            await get(customer_id)
        except (HelpCrunchError, aiohttp.ClientError, TimeoutError):
            _count(tally, done=False)
        else:
            _count(tally, done=True)

    await asyncio.gather(*map(counted, ids))


def _count(tally: Tally, *, done: bool) -> None:
    tally.done += done
    tally.lost += not done


def _limiter(job: Job) -> RateLimiter:
    return RateLimiter(job.limit, job.period)
