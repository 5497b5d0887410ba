"""Clients for stages, what they send with, and what they still hold."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from faults.stages import Stage
from helpcrunch_async import HelpCrunchClient, RateLimiter, RetryPolicy
from helpcrunch_async.endpoints import CREATE_CUSTOMER
from helpcrunch_async.protocol import JSON, Request
from helpcrunch_async.requester import Requester

ATTEMPTS: Final = 3
"""How often a call of these tests is sent at most."""

CREATION: Final = CREATE_CUSTOMER.request(body={"name": "Mara"})
"""A request that must not be repeated."""


@asynccontextmanager
async def client_on(stage: Stage, key: str = "key", **options: Any) -> AsyncIterator[HelpCrunchClient]:
    """A client that never sleeps before a retry, and takes its turns from a generous limiter."""
    settings = {
        "rate_limiter": RateLimiter(10_000, 1.0),
        "retry": RetryPolicy(ATTEMPTS, max_backoff=0.0),
        "deadline": 10.0,
        **options,
    }
    async with HelpCrunchClient(key, base_url=stage.url, session=stage.session, **settings) as client:
        yield client
    await stage.server.until_all_have_left()


def requester_of(client: HelpCrunchClient) -> Requester:
    """What an open client sends with."""
    opened = client._shared.open
    assert opened is not None
    return opened.requester


async def send(client: HelpCrunchClient, request: Request) -> JSON:
    """Send any request with a client's options."""
    return await requester_of(client).send(request, client._options)


def held_by(client: HelpCrunchClient) -> dict[str, int]:
    """What an open client has not given back."""
    return held(requester_of(client), client._max_in_flight)


def held(requester: Requester, max_in_flight: int) -> dict[str, int]:
    """What a requester has not given back."""
    counts = {
        "calls": len(requester._calls),
        "places on the wire": max_in_flight - requester._in_flight._value,
    }
    session: Any = getattr(requester._transport, "_session", None)
    if session is not None and not session.closed:
        counts["connections"] = len(session.connector._acquired)
    limiter = requester._limiter
    if isinstance(limiter, RateLimiter):
        counts["places in line"] = limiter.statistics.waiting
        counts["turns"] = limiter.statistics.in_flight
    return {what: count for what, count in counts.items() if count}
