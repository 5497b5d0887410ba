"""Ways out of a call that the client does not make: the caller's own, and those of hooks in the session."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Final, NoReturn

import aiohttp
from faults.behaviours import GOOD, close, hang, stall
from faults.server import FaultServer
from faults.stages import nobody_accepting

from helpcrunch_async import HelpCrunchClient, open_session
from helpcrunch_async.redis_limit import RedisRateLimiter
from helpcrunch_async.webhooks import parse_webhook
from leaks.planted import EMAIL, KEY, PASSWORD, WRITTEN, Failing, client_at, error_of

_BRIEF: Final = 0.1

Call = Callable[[HelpCrunchClient], Awaitable[object]]


async def _write(client: HelpCrunchClient) -> None:
    await client.create_customer(**WRITTEN)


async def _stream(client: HelpCrunchClient) -> None:
    async for lookup in client.stream_customers([7, 8]):
        assert lookup.error is not None
        raise lookup.error


async def _list(client: HelpCrunchClient) -> None:
    await client.list_customers().to_list()


CALLS: Final[dict[str, Call]] = {
    "a read": lambda client: client.get_customer(7),
    "a write": _write,
    "many": lambda client: client.get_customers([7, 8]),
    "a stream": _stream,
    "a listing": _list,
    "a search": lambda client: client.find_customer(email=EMAIL),
}


async def _timeout(work: Awaitable[object]) -> None:
    async with asyncio.timeout(_BRIEF):
        await work


async def _wait_for(work: Awaitable[object]) -> None:
    await asyncio.wait_for(work, _BRIEF)


async def _group(work: Awaitable[object]) -> None:
    async def fail() -> NoReturn:
        await asyncio.sleep(_BRIEF)
        raise LookupError("a sibling failed")

    async with asyncio.TaskGroup() as group:
        group.create_task(fail())
        await work


async def _cancel(work: Awaitable[object]) -> None:
    task = asyncio.ensure_future(work)
    await asyncio.sleep(_BRIEF)
    task.cancel()
    await task


async def _while_handling(work: Awaitable[object]) -> None:
    try:
        CALLS["the caller's own"]
    except KeyError:
        await _timeout(work)


ENDS: Final[dict[str, Callable[[Awaitable[object]], Awaitable[None]]]] = {
    "asyncio.timeout": _timeout,
    "wait_for": _wait_for,
    "a failing TaskGroup": _group,
    "task.cancel": _cancel,
    "asyncio.timeout in an except": _while_handling,
}


def _ended(end: Callable[[Awaitable[object]], Awaitable[None]], calls: Sequence[Call], where: Any) -> Failing:
    """Calls that hang on the wire, ended by the caller."""

    async def fail() -> Sequence[BaseException]:
        server = FaultServer(where)
        async with server, client_at(server.url) as client:
            return [await error_of(end(call(client)), BaseException) for call in calls]

    return fail


async def _connecting() -> Sequence[BaseException]:
    """A connection that does not come about."""
    async with nobody_accepting() as stage, client_at(stage.url) as client:
        return [await error_of(_group_soon(call(client)), BaseException) for call in CALLS.values()]


async def _group_soon(work: Awaitable[object]) -> None:
    async with asyncio.timeout(0.03):
        await work


async def _closed() -> Sequence[BaseException]:
    """The client is closed while calls are on the wire."""
    async with FaultServer(hang) as server:
        client = client_at(server.url)
        await client.open()
        tasks = [asyncio.ensure_future(call(client)) for call in CALLS.values()]
        await server.arrived.wait()
        await client.close()
        return [await error_of(task) for task in tasks]


# Hooks and middlewares of the session


class TeamError(Exception):
    """What a hook of the user's raises."""


async def _raising(*_: object) -> NoReturn:
    team = "billing"
    raise TeamError(team)


async def _before(_: aiohttp.ClientRequest, __: aiohttp.ClientHandlerType) -> NoReturn:
    team = "billing"
    raise TeamError(team)


async def _after(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> NoReturn:
    response = await handler(request)
    headers, sent = dict(request.headers), response.request_info
    response.close()
    raise TeamError("billing", headers, sent)


async def _instead(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    team = "billing"
    try:
        return await handler(request)
    except aiohttp.ClientError as error:
        raise TeamError(team) from error


async def _meanwhile(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Give up on its own."""
    team = "billing"
    try:
        async with asyncio.timeout(_BRIEF):
            return await handler(request)
    except TimeoutError:
        raise TeamError(team)  # noqa: B904 - its context is looked at


async def _interrupted(_: aiohttp.ClientRequest, __: aiohttp.ClientHandlerType) -> NoReturn:
    team = "billing"
    raise SystemExit(team)


HOOKS: Final = (
    "on_request_start",
    "on_request_headers_sent",
    "on_request_chunk_sent",
    "on_request_end",
    "on_connection_create_start",
    "on_connection_create_end",
)


def _hooked(name: str) -> Failing:
    """A hook that raises."""

    async def fail() -> Sequence[BaseException]:
        trace = aiohttp.TraceConfig()
        getattr(trace, name).append(_raising)
        return await _with_session(partial(open_session, trace_configs=[trace]), GOOD)

    return fail


def _wrapped(middleware: Any, script: Any) -> Failing:
    """A middleware that raises."""
    session = partial(open_session, middlewares=[middleware])
    return partial(_with_session, session, script)


async def _with_session(session: Any, script: Any) -> Sequence[BaseException]:
    async with FaultServer(script) as server, client_at(server.url, session=session) as client:
        return [await error_of(_write(client), BaseException)]


async def _a_bad_header() -> Sequence[BaseException]:
    """One of the session's that aiohttp refuses only when it sends."""
    return await _with_session(_with_header, GOOD)


def _with_header() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(headers={"X-Team": "a\r\nb"})


# What is refused before


async def _a_bad_key() -> Sequence[BaseException]:
    return [_raised_by(HelpCrunchClient, f"{KEY}\n"), _raised_by(HelpCrunchClient, KEY, timeout=-1.0)]


async def _a_webhook() -> Sequence[BaseException]:
    body = f'{{"event": "chat.new", "eventData": "{EMAIL}"}}'.encode()
    return [_raised_by(parse_webhook, body, "0" * 40, KEY), _raised_by(parse_webhook, body, None, KEY)]


async def _a_redis() -> Sequence[BaseException]:
    return [
        _raised_by(RedisRateLimiter, f"http://:{PASSWORD}@h"),
        _raised_by(RedisRateLimiter, f"redis://:{PASSWORD}@h:port"),
        _raised_by(RedisRateLimiter, f"redis://:{PASSWORD}@h", 0),
    ]


def _raised_by(make: Callable[..., object], *arguments: Any, **options: Any) -> BaseException:
    try:
        make(*arguments, **options)
    except Exception as error:  # noqa: BLE001 - it is looked at
        return error
    raise AssertionError("nothing was raised")


ALL: Final = tuple(CALLS.values())
ON_THE_WAY: Final = {
    **{f"{name}, waiting for a reply": _ended(end, ALL, hang) for name, end in ENDS.items()},
    **{f"{name}, reading a body": _ended(end, ALL, stall) for name, end in ENDS.items()},
    "asyncio.timeout, connecting": _connecting,
    "close()": _closed,
}
BY_HOOKS: Final = {
    **{f"a TraceConfig's {name} raises": _hooked(name) for name in HOOKS},
    "a middleware raises before it sends": _wrapped(_before, GOOD),
    "a middleware raises after the reply": _wrapped(_after, GOOD),
    "a middleware raises from aiohttp's error": _wrapped(_instead, close),
    "a middleware gives up by itself": _wrapped(_meanwhile, hang),
    "a middleware ends the program": _wrapped(_interrupted, GOOD),
}
REFUSED: Final = {
    "a header that aiohttp refuses": _a_bad_header,
    "a key with a newline; a wrong option": _a_bad_key,
    "a webhook that is not signed": _a_webhook,
    "a URL of Redis": _a_redis,
}
