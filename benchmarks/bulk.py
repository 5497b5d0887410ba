"""Many customers by their ids: requests and minutes, with the real client in virtual time at 120 a minute."""

import asyncio
import random
from typing import Final

from attrs import frozen
from in_memory import BASE_URL, in_memory, some_account
from tables import Table
from wire import LIMIT, PERIOD, RULES, Server, in_parallel, simulate

from helpcrunch_async import Customer, HelpCrunchClient, RateLimiter

LIBRARIES: Final = ("aiohttp",)
_TARGET: Final = 12  # requests for a thousand ids that all exist
_WAYS: Final = {
    "`get_customer`, one after the other": "alone",
    "`gather` of `get_customer`": "gather",
    "the same, `coalesce=False`": "plain",
    "`get_customers`, `batch=False`": "single",
    "`get_customers`": "many",
    "`stream_customers`": "stream",
}


@frozen
class Fetch:
    """What one way of fetching took."""

    requests: int
    rejected: int
    seconds: float
    complete: bool  # every customer, in the order asked


async def _fetch(client: HelpCrunchClient, way: str, ids: list[int]) -> list[Customer]:
    if way == "alone":
        return [await client.get_customer(each) for each in ids]
    if way in ("gather", "plain"):
        return await asyncio.gather(*map(client.get_customer, ids))
    if way == "stream":
        found = {lookup.id: lookup.customer async for lookup in client.stream_customers(ids)}
        return [customer for each in ids if (customer := found[each]) is not None]
    return await client.get_customers(ids, batch=way == "many")


def one_fetch(way: str, rule: str, count: int) -> Fetch:
    """Fetch `count` ids in virtual time."""
    account, ids = some_account(count)
    random.seed(count)
    server = Server(RULES[rule](LIMIT, PERIOD, False), retry_after=True)

    async def fetch() -> tuple[float, bool]:
        loop = asyncio.get_running_loop()
        async with HelpCrunchClient(
            "key",
            base_url=BASE_URL,
            session=in_memory(server, account),
            rate_limiter=RateLimiter(LIMIT, PERIOD),
            coalesce=way != "plain",
        ) as client:
            started = loop.time()
            customers = await _fetch(client, way, ids)
            return loop.time() - started, [customer.id for customer in customers] == ids

    seconds, complete = simulate(fetch())
    return Fetch(server.sent, len(server.rejected_at), seconds, complete)


def _duration(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 100 else f"{seconds / 60:.1f} min"


def run(*, quick: bool) -> list[Table]:
    """Simulate."""
    counts = (130,) if quick else (1_000, 10_000)
    rules = ("rolling log",) if quick else ("rolling log", "bucket / 10")
    jobs = [(way, rule, count) for way in _WAYS.values() for rule in rules for count in counts]
    fetches = dict(zip(jobs, in_parallel(one_fetch, jobs), strict=True))
    rows = []
    for name, way in _WAYS.items():
        row = [name]
        for count in counts:
            for rule in rules:
                fetch = fetches[way, rule, count]
                row.append(
                    f"{fetch.requests:,} / {fetch.rejected} / {_duration(fetch.seconds)}"
                    + ("" if fetch.complete else " **incomplete**")
                )
        thousand = fetches[way, rules[0], counts[0]].requests
        judged = way in ("many", "gather")
        row.append(
            ("reached" if thousand <= _TARGET else f"**missed by {thousand - _TARGET}**") if judged else ""
        )
        rows.append(row)
    head = [f"{count:,} ids, {rule}" for count in counts for rule in rules]
    return [
        Table(
            f"All of them exist; {LIMIT} per {PERIOD:g} s, 100 ms round trips, Retry-After",
            "Requests / of them rejected / time until the last customer. The real client on a session "
            "without sockets. Gathered calls, `get_customers` and `stream_customers` share searches; the "
            "request that proves them is counted.",
            ["", *head, f"<= {_TARGET} requests for {counts[0]:,}"],
            rows,
        )
    ]
