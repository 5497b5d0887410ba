"""Errors by what happens on the way: every fault of the specification, and whoever ends a call half way."""

import asyncio
import warnings
from collections.abc import Sequence
from functools import partial
from typing import Any, Final

import aiohttp
import pytest
from faults.behaviours import close, hang
from faults.case import Case, Special, limiter_for
from faults.cases import EACH_CASE, EACH_SPECIAL
from faults.clients import client_on
from faults.server import FaultServer

from helpcrunch_async import HelpCrunchError, RetryPolicy, borrow_session, open_session
from helpcrunch_async.testing import FakeHelpCrunch
from leaks.planted import EMAIL, KEY, PASSWORD, ROW, WRITTEN, Failing, client_at, error_of, reply

_BRIEF: Final = 0.1  # seconds for an attempt that would last


def _in(case: Case) -> Failing:
    async def fail() -> Sequence[BaseException]:
        timeout = _BRIEF if case.lasts else case.timeout
        policy = RetryPolicy(attempts=2, max_backoff=0.0)
        async with (
            case.stage() as stage,
            client_on(stage, KEY, timeout=timeout, retry=policy, rate_limiter=limiter_for(case)) as client,
        ):
            return await asyncio.gather(
                error_of(client.get_customer(7)),
                error_of(client.create_customer(**WRITTEN)),
                error_of(client.update_customer(7, **WRITTEN)),
            )

    return fail


def _of_a_call(case: Special) -> Failing:
    async def fail() -> Sequence[BaseException]:
        assert case.error is not None
        async with case.stage() as stage, client_on(stage, KEY) as client:
            return [await error_of(asyncio.ensure_future(_acted(case, client, stage)), case.error)]

    return fail


async def _acted(case: Special, *where: Any) -> None:
    await case.act(*where)


async def _deadline() -> Sequence[BaseException]:
    """One that passes on the wire, and one in line."""
    async with FaultServer(hang) as server, client_at(server.url, deadline=_BRIEF) as client:
        return await asyncio.gather(
            error_of(client.get_customer(7)),
            error_of(client.create_customer(**WRITTEN)),
            error_of(client.get_customers([7, 8])),
            error_of(client.find_customer(email=EMAIL)),
        )


async def _closed_meanwhile() -> Sequence[BaseException]:
    """The client, under calls of every sort."""
    async with FaultServer(hang) as server:
        client = client_at(server.url, coalesce=True)
        await client.open()
        calls = [
            asyncio.ensure_future(call)
            for call in (
                client.get_customer(7),
                client.create_customer(**WRITTEN),
                client.get_customers([7, 8]),
                client.find_customer(email=EMAIL),
            )
        ]
        await server.arrived.wait()
        await client.close()
        return [await error_of(call) for call in calls]


async def _credentials_of_its_own() -> Sequence[BaseException]:
    """A borrowed session that has a password for every host."""
    with warnings.catch_warnings(action="ignore"):  # on its way out of aiohttp
        auth = aiohttp.BasicAuth("someone", PASSWORD)
        mine = aiohttp.ClientSession(auth=auth)
    async with (
        FaultServer(close) as server,
        mine,
        client_at(server.url, session=borrow_session(mine)) as client,
    ):
        return [
            await error_of(client.get_customer(7)),
            await error_of(client.create_customer(**WRITTEN)),
        ]


async def _a_proxy_with_a_password(*script: bytes) -> Sequence[BaseException]:
    """One that refuses the tunnel, or breaks it."""
    async with FaultServer(*(script or (close,))) as server:
        proxy = f"http://someone:{PASSWORD}@127.0.0.1:{server.port}"
        session = partial(open_session, proxy=proxy)
        async with client_at("https://api.invalid/v1", session=session) as client:
            return [
                await error_of(client.get_customer(7)),
                await error_of(client.create_customer(**WRITTEN)),
            ]


async def _strict_session() -> Sequence[BaseException]:
    """A borrowed session that would raise aiohttp's own errors, with the header in them."""
    mine = aiohttp.ClientSession(raise_for_status=True)
    async with (
        FaultServer(reply("500 Oops", ROW)) as server,
        mine,
        client_at(server.url, session=borrow_session(mine)) as client,
    ):
        return [await error_of(client.get_customer(7)), await error_of(client.create_customer(**WRITTEN))]


async def _closed_session() -> Sequence[BaseException]:
    mine = aiohttp.ClientSession()
    await mine.close()
    async with client_at("http://127.0.0.1:9/v1", session=borrow_session(mine)) as client:
        return [await error_of(client.get_customer(7)), await error_of(client.create_customer(**WRITTEN))]


async def _wrong_key() -> Sequence[BaseException]:
    """The fake server's own refusals."""
    async with FakeHelpCrunch([ROW], api_key="another") as server, client_at(server.url) as client:
        return [
            await error_of(client.get_customer(7)),
            await error_of(client.create_customer(**WRITTEN)),
            await error_of(client.get_customers([7, 8])),
        ]


async def _missing() -> Sequence[BaseException]:
    """Customers who do not exist, by every route."""
    async with (
        FakeHelpCrunch([ROW], api_key=KEY) as server,
        client_at(server.url) as client,
        client_at(server.url, coalesce=True) as folding,
    ):
        found = await client.get_customers([8, 7, 9], return_exceptions=True)
        return [
            await error_of(client.get_customer(8)),
            await error_of(folding.get_customer(8)),
            await error_of(client.update_customer(8, **WRITTEN)),
            *(each for each in found if isinstance(each, HelpCrunchError)),
        ]


PATHS: Final = [
    *(pytest.param(_in(param.values[0]), id=param.id, marks=param.marks) for param in EACH_CASE),
    *(
        pytest.param(_of_a_call(case), id=param.id)
        for param in EACH_SPECIAL
        if isinstance(case := param.values[0], Special) and case.error is not None
    ),
    pytest.param(_deadline, id="deadline"),
    pytest.param(_closed_meanwhile, id="closed meanwhile"),
    pytest.param(_credentials_of_its_own, id="a session with credentials"),
    pytest.param(_a_proxy_with_a_password, id="a proxy that breaks"),
    pytest.param(
        partial(_a_proxy_with_a_password, reply("407 No", ROW)), id="a proxy that refuses the tunnel"
    ),
    pytest.param(_strict_session, id="a session that raises for statuses"),
    pytest.param(_closed_session, id="a closed session"),
    pytest.param(_wrong_key, id="a wrong key"),
    pytest.param(_missing, id="missing"),
]
