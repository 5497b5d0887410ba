"""The key is seen nowhere, and a customer's data in no text that lands in logs."""

import asyncio
import json
import logging
import pickle
import socket
import traceback
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import aiohttp
import pytest

from helpcrunch_async import (
    NO_RETRY,
    UNLIMITED,
    APIError,
    HelpCrunchClient,
    HelpCrunchError,
    RateLimiter,
    RetryPolicy,
    borrow_session,
)
from helpcrunch_async import session as session_module
from helpcrunch_async.rate_limit import accounts
from helpcrunch_async.testing import FakeHelpCrunch, Fault

KEY = "k3y-that-nobody-may-see"
EMAIL = "mara.quill@customer.example"
QUICK = RetryPolicy(attempts=2, max_backoff=0.0)

Failing = Callable[[], Awaitable[HelpCrunchError]]


@asynccontextmanager
async def serving(reply: bytes) -> AsyncIterator[str]:
    """Give the URL of a server that answers every request with the same bytes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(reply)
            await writer.drain()
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"


async def error_of(url: str, **options: Any) -> HelpCrunchError:
    """The error that a client with the key gets from a URL."""
    settings: dict[str, Any] = {"rate_limiter": UNLIMITED, "retry": QUICK, **options}
    async with HelpCrunchClient(KEY, base_url=url, **settings) as client:
        with pytest.raises(HelpCrunchError) as caught:
            await client.get_customer(8737843)
    return caught.value


def answered(status: str, body: Any, *headers: str) -> Failing:
    """A server that says no, or says it in a strange way."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(content)}", "Connection: close", *headers, "", ""]

    async def fail() -> HelpCrunchError:
        async with serving("\r\n".join(lines).encode() + content) as url:
            return await error_of(url)

    return fail


def struck_by(fault: Fault, **options: Any) -> Failing:
    """A server that fails on the wire."""

    async def fail() -> HelpCrunchError:
        async with FakeHelpCrunch(1, api_key=KEY) as server:
            server.fail_next(9, fault)
            return await error_of(server.url, **options)

    return fail


async def refused() -> HelpCrunchError:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return await error_of(f"http://127.0.0.1:{port}/v1")


async def wrong_key() -> HelpCrunchError:
    async with FakeHelpCrunch(1, api_key="another") as server:
        return await error_of(server.url)


async def no_such_customer() -> HelpCrunchError:
    async with FakeHelpCrunch([], api_key=KEY) as server:
        return await error_of(server.url)


async def garbage_on_the_wire() -> HelpCrunchError:
    async with serving(f"HTTP/1.1 {EMAIL}\r\n\r\n".encode()) as url:
        return await error_of(url)


async def too_large() -> HelpCrunchError:
    whole, session_module.MAX_BODY_BYTES = session_module.MAX_BODY_BYTES, 10  # type: ignore[misc]
    try:
        return await answered("200 OK", {"id": 8737843, "email": EMAIL})()
    finally:
        session_module.MAX_BODY_BYTES = whole  # type: ignore[misc]


async def no_turn() -> HelpCrunchError:
    limiter = RateLimiter(1, 60.0)
    (await limiter.turn()).accepted()
    return await error_of("http://127.0.0.1:9/v1", rate_limiter=limiter, max_wait=0.0)


async def closed_session() -> HelpCrunchError:
    mine = aiohttp.ClientSession()
    await mine.close()
    return await error_of("http://127.0.0.1:9/v1", session=borrow_session(mine))


async def never_opened() -> HelpCrunchError:
    with pytest.raises(HelpCrunchError) as caught:
        await HelpCrunchClient(KEY).get_customer(8737843)
    return caught.value


TAKEN = {"errors": [{"code": "email", "message": f"{EMAIL} is taken"}]}
HTML = f"<html><p>Dear {EMAIL}, we are down.</p></html>".encode()

PATHS: list[Any] = [
    pytest.param(wrong_key, id="401"),
    pytest.param(no_such_customer, id="404"),
    pytest.param(answered("400 Bad Request", TAKEN), id="400 with an e-mail"),
    pytest.param(answered("400 Bad Request", {"errors": [{"code": "x", "message": TAKEN}]}), id="400 nested"),
    pytest.param(answered("409 Conflict", TAKEN), id="409"),
    pytest.param(answered("500 Oops", TAKEN), id="500 with an e-mail"),
    pytest.param(answered("503 Down", HTML), id="503 html with an e-mail"),
    pytest.param(answered("429 Slow", TAKEN, "Retry-After: 0"), id="429"),
    pytest.param(answered("307 There", b"", f"Location: https://elsewhere.example/{EMAIL}"), id="redirect"),
    pytest.param(answered("200 OK", HTML), id="html under 200"),
    pytest.param(answered("200 OK", f'{{"id": 7, "email": "{EMAIL}"'.encode()), id="JSON cut short"),
    pytest.param(answered("200 OK", f"['{EMAIL}']".encode()), id="no JSON"),
    pytest.param(answered("200 OK", {"id": EMAIL}), id="wrong type"),
    pytest.param(answered("200 OK", {"id": 7, "firstSeen": EMAIL}), id="wrong moment"),
    pytest.param(answered("200 OK", {"id": 7, "tags": [{"name": [EMAIL]}]}), id="wrong tag"),
    pytest.param(answered("200 OK", {"id": 7, "customData": [EMAIL]}), id="wrong custom data"),
    pytest.param(answered("200 OK", b"x", "Content-Encoding: gzip"), id="broken gzip"),
    pytest.param(garbage_on_the_wire, id="no HTTP"),
    pytest.param(refused, id="refused"),
    pytest.param(struck_by("disconnect"), id="disconnect"),
    pytest.param(struck_by("reset"), id="reset"),
    pytest.param(struck_by("truncate"), id="truncate"),
    pytest.param(struck_by("hang", timeout=0.1), id="time-out"),
    pytest.param(struck_by("stall_body", timeout=0.1, retry=NO_RETRY), id="time-out in the body"),
    pytest.param(struck_by("hang", deadline=0.1), id="deadline"),
    pytest.param(too_large, id="too large"),
    pytest.param(no_turn, id="no turn"),
    pytest.param(closed_session, id="closed session"),
    pytest.param(never_opened, id="never opened"),
]


def chain_of(error: BaseException | None) -> Iterator[BaseException]:
    """An error and whatever hangs on to it."""
    while error is not None:
        yield error
        if error.__cause__ is not None:
            yield from chain_of(error.__cause__)
        error = error.__context__


def texts_of(error: BaseException) -> Iterator[str]:
    """Everything that anybody might write into a log of an error."""
    for each in chain_of(error):
        yield str(each)
        yield repr(each)
        yield repr(getattr(each, "__notes__", []))
    yield "".join(traceback.format_exception(error))


@pytest.mark.parametrize("fail", PATHS)
async def test_the_key_is_nowhere(fail: Failing, caplog: pytest.LogCaptureFixture) -> None:
    """Not in an error, its traceback with all locals, its pickle, a log record at any level, or a warning."""
    caplog.set_level(logging.DEBUG)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        error = await fail()
    for text in texts_of(error):
        assert KEY not in text
    with_locals = traceback.TracebackException.from_exception(error, capture_locals=True)
    assert KEY not in "".join(with_locals.format())
    assert KEY not in repr(vars(error))
    assert KEY not in repr(error.args)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert KEY.encode() not in pickle.dumps(error, protocol)
    assert KEY not in caplog.text
    assert KEY not in "".join(repr(vars(record)) for record in caplog.records)
    assert KEY not in "".join(str(warning) for warning in warned)


@pytest.mark.parametrize("fail", PATHS)
async def test_a_customers_data_is_in_no_text(fail: Failing, caplog: pytest.LogCaptureFixture) -> None:
    """Text of errors and logs has none of it, at no level; the server's words are on the error alone."""
    caplog.set_level(logging.DEBUG)
    error = await fail()
    for text in texts_of(error):
        assert EMAIL not in text
        assert "mara.quill" not in text
    assert EMAIL not in caplog.text
    assert EMAIL not in "".join(repr(vars(record)) for record in caplog.records)
    for name in ("problems", "snippet"):
        assert EMAIL not in repr(getattr(error, name, ""))


@pytest.mark.parametrize("fail", PATHS)
async def test_nothing_hangs_on_to_an_error(fail: Failing) -> None:
    """What caused it, an aiohttp exception with headers in it or a body, is gone."""
    error = await fail()
    assert error.__cause__ is None
    assert error.__context__ is None
    plain = (str, int, float, bool, type(None), tuple, list)
    assert all(isinstance(value, plain) for value in vars(error).values())


async def test_the_servers_words_are_on_the_error() -> None:
    """Whoever asks for them, gets them."""
    error = await answered("400 Bad Request", TAKEN)()
    assert isinstance(error, APIError)
    assert error.message == f"{EMAIL} is taken"


async def test_good_calls_log_sizes_and_templates_only(caplog: pytest.LogCaptureFixture) -> None:
    """Neither the key nor the customer nor the id is in the log of a call that went well."""
    caplog.set_level(logging.DEBUG)
    async with (
        FakeHelpCrunch(1, api_key=KEY) as server,
        HelpCrunchClient(KEY, base_url=server.url, rate_limiter=UNLIMITED, retry=QUICK) as client,
    ):
        server.fail_next(1, "503")
        customer = await client.get_customer(8737843)
        await client.list_customers().to_list()
    assert customer.email
    ours = [record.getMessage() for record in caplog.records if record.name == "helpcrunch_async"]
    assert any("/customers/{id}: 200" in message for message in ours)
    assert any("/customers/{id}: 503 at attempt 1" in message for message in ours)
    for message in ours:
        for private in (KEY, customer.email, "Cindy", "8737843"):
            assert private not in message


async def test_the_client_does_not_show_the_key() -> None:
    """Not in its repr, nor in that of anything it holds, nor by pickling it."""
    async with HelpCrunchClient(KEY, base_url="http://127.0.0.1:9/v1") as client:
        opened = client._shared.open
        assert opened is not None
        for thing in (client, client.with_options(timeout=1.0), client._shared, opened, opened.requester):
            assert KEY not in repr(thing)
            assert KEY not in str(thing)
            if hasattr(thing, "__dict__"):
                assert KEY not in repr(vars(thing))
        limiters = accounts._by_loop[asyncio.get_running_loop()]
        assert KEY not in repr(limiters)
        assert KEY not in repr((dict(limiters.known), limiters.kept))
        with pytest.raises(TypeError):
            pickle.dumps(client)


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"timeout": -1.0}, id="another argument is wrong"),
        pytest.param({"base_url": "http://api.example"}, id="the URL is wrong"),
        pytest.param({"api_key": f"{KEY}\n"}, id="the key is wrong"),
    ],
)
def test_a_mistake_in_the_arguments_does_not_show_the_key(options: dict[str, Any]) -> None:
    """Error trackers capture locals: our frames hold the key in a redacting value only."""
    arguments = {"api_key": KEY, **options}
    with pytest.raises(ValueError, match=r".") as caught:
        HelpCrunchClient(**arguments)
    error = caught.value
    assert KEY not in str(error)
    assert error.__traceback__ is not None
    ours = error.with_traceback(error.__traceback__.tb_next)  # this test's own frame holds it too
    shown = traceback.TracebackException.from_exception(ours, capture_locals=True)
    assert KEY not in "".join(shown.format())
