"""Sessions and single attempts over real sockets: faults on the wire, and whose session it is."""

import asyncio
import gzip
import json
import shutil
import socket
import ssl
import struct
import subprocess
import sys
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, Self

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from helpcrunch_async import (
    NO_RETRY,
    UNLIMITED,
    APIError,
    ClientClosedError,
    ConnectionFailedError,
    DecodeError,
    HelpCrunchClient,
    HelpCrunchError,
    RequestTimeoutError,
    ResponseTooLargeError,
    RetryPolicy,
    TransportError,
    borrow_session,
    open_session,
)
from helpcrunch_async import session as session_module
from helpcrunch_async.protocol import Request, check_api_key
from helpcrunch_async.requester import CallOptions, Requester
from helpcrunch_async.session import Transport
from helpcrunch_async.testing import FakeHelpCrunch, Fault

Answer = bytes | Callable[[asyncio.StreamWriter], Awaitable[None]]

CUSTOMER = b'{"id": 7, "name": "Mara Quill"}'


def http(
    body: bytes,
    *headers: str,
    status: str = "200 OK",
    length: int | None = None,
    connection: str = "close",
) -> bytes:
    """A whole HTTP/1.1 reply; `length` may lie about the body."""
    length = len(body) if length is None else length
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {length}", f"Connection: {connection}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


class RawServer:
    """Answers with prepared bytes, one answer per request, the last one for ever; counts what arrives.

    A connection is closed after each answer, unless `keep_alive`.
    """

    def __init__(self, *answers: Answer, keep_alive: bool = False, tls: ssl.SSLContext | None = None) -> None:
        self.answers = answers
        self.requests: list[bytes] = []
        self.connections = 0
        self.arrived = asyncio.Event()
        self._keep_alive = keep_alive
        self._tls = tls
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=self._tls)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}/v1"

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                while True:
                    await self._answer(await reader.readuntil(b"\r\n\r\n"), writer)
                    if not self._keep_alive:
                        break
        finally:
            writer.close()
            with suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()

    async def _answer(self, head: bytes, writer: asyncio.StreamWriter) -> None:
        answer = self.answers[min(len(self.requests), len(self.answers) - 1)]
        self.requests.append(head)
        self.arrived.set()
        if isinstance(answer, bytes):
            writer.write(answer)
            await writer.drain()
        else:
            await answer(writer)


async def close(writer: asyncio.StreamWriter) -> None:
    """Close without a byte."""
    writer.close()


async def reset(writer: asyncio.StreamWriter) -> None:
    """Reset the connection."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def hang(_: asyncio.StreamWriter) -> None:
    """Say nothing."""
    await asyncio.Event().wait()


async def stall(writer: asyncio.StreamWriter) -> None:
    """Begin a body, then say nothing more."""
    writer.write(http(CUSTOMER[:9], length=len(CUSTOMER)))
    await hang(writer)


async def drip(writer: asyncio.StreamWriter) -> None:
    """Send a body that never ends, byte by byte, so that no read is ever long."""
    writer.write(http(b"", length=10_000))
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.02)


@asynccontextmanager
async def client_of(url: str, **options: Any) -> AsyncIterator[HelpCrunchClient]:
    """A client without pacing and without retries, unless told otherwise."""
    settings: dict[str, Any] = {"rate_limiter": UNLIMITED, "retry": NO_RETRY, "timeout": 5.0, **options}
    async with HelpCrunchClient("key", base_url=url, **settings) as client:
        yield client


def acquired(client: HelpCrunchClient) -> int:
    """How many connections of the client's session are in use."""
    opened = client._shared.open
    assert opened is not None
    transport: Any = opened.requester._transport
    return len(transport._session.connector._acquired)


KEPT = http(CUSTOMER, connection="keep-alive")
TRUNCATED = http(CUSTOMER[:9], length=len(CUSTOMER))
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
ZIPPED = gzip.compress(json.dumps({"id": 7, "name": "Mara Quill", "notes": "x" * 200}).encode())

FAULTS = [
    pytest.param(close, ConnectionFailedError, id="closed before answering"),
    pytest.param(reset, ConnectionFailedError, id="reset before answering"),
    pytest.param(b"HTTP/1.1 200", ConnectionFailedError, id="closed in the head"),
    pytest.param(TRUNCATED, ConnectionFailedError, id="body cut off"),
    pytest.param(CHUNKED + b"9\r\n" + CUSTOMER[:9], ConnectionFailedError, id="chunked body cut off"),
    pytest.param(http(b"no gzip", "Content-Encoding: gzip"), ConnectionFailedError, id="broken gzip"),
    pytest.param(hang, RequestTimeoutError, id="silent"),
    pytest.param(stall, RequestTimeoutError, id="silent in the body"),
    pytest.param(drip, RequestTimeoutError, id="dripping"),
    pytest.param(b"HELLO\r\n\r\n", TransportError, id="broken status line"),
    pytest.param(b"\x16\x03\x01\x02\x00", TransportError, id="TLS bytes"),
    pytest.param(http(CUSTOMER, "Content-Length: 3"), TransportError, id="two lengths"),
    pytest.param(CHUNKED + b"zz\r\n", TransportError, id="broken chunk"),
    pytest.param(http(CUSTOMER, "X-Long: " + "x" * 20_000), TransportError, id="20 kB header"),
    pytest.param(http(b"abc", "Content-Encoding: unheard-of"), DecodeError, id="unknown encoding"),
    pytest.param(
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + CUSTOMER[:20],
        DecodeError,
        id="cut without a length",
    ),
    pytest.param(http(ZIPPED[:40], "Content-Encoding: gzip"), DecodeError, id="gzip cut to its length"),
    pytest.param(http(b""), DecodeError, id="empty 200"),
    pytest.param(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n", DecodeError, id="204"),
]


@pytest.mark.parametrize(("answer", "kind"), FAULTS)
async def test_each_fault_on_the_wire_has_its_error(answer: Answer, kind: type[HelpCrunchError]) -> None:
    """One request, one clear error, no connection left in use, and the next call is served."""
    timeout = 0.2 if kind is RequestTimeoutError else 5.0
    async with RawServer(answer, http(CUSTOMER)) as server, client_of(server.url, timeout=timeout) as client:
        async with asyncio.timeout(5):
            with pytest.raises(HelpCrunchError) as caught:
                await client.get_customer(7)
        assert kind is type(caught.value)
        assert len(server.requests) == 1
        assert acquired(client) == 0
        assert not caught.value.outcome_unknown
        if isinstance(caught.value, TransportError):
            assert caught.value.sent
        assert (await client.with_options(timeout=5.0).get_customer(7)).name == "Mara Quill"


@pytest.mark.parametrize(("answer", "kind"), FAULTS)
async def test_a_write_that_met_a_fault_is_sent_once(answer: Answer, kind: type[HelpCrunchError]) -> None:
    """However often the policy would retry: no duplicate, and the error says that it may have been done."""
    async with RawServer(answer) as server, open_session() as session:
        requester = Requester(
            Transport(session), server.url, check_api_key("key"), UNLIMITED, max_in_flight=10
        )
        timeout = 0.2 if kind is RequestTimeoutError else 5.0
        options = CallOptions(RetryPolicy(), timeout, None, None, "interactive")
        request = Request("POST", "events", "events", repeatable=False)
        with pytest.raises(kind) as caught:
            await requester.send(request, options)
        assert len(server.requests) == 1
        assert caught.value.outcome_unknown


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("disconnect", ConnectionFailedError),
        ("reset", ConnectionFailedError),
        ("truncate", ConnectionFailedError),
        ("hang", RequestTimeoutError),
        ("stall_body", RequestTimeoutError),
        ("slow_drip", RequestTimeoutError),
        ("html", DecodeError),
        ("bad_json", DecodeError),
        ("empty", DecodeError),
    ],
)
async def test_a_read_survives_one_fault(fault: Fault, kind: type[HelpCrunchError]) -> None:
    """A fault costs one more request and nothing else; without retries it is the error."""
    async with FakeHelpCrunch(3) as server, client_of(server.url, timeout=0.3) as client:
        server.fail_next(2, fault)
        with pytest.raises(kind):
            await client.get_customer(8737843)
        again = client.with_options(retry=RetryPolicy(max_backoff=0.0))
        assert (await again.get_customer(8737843)).name == "Cindy Mindy"
        assert [request.fault for request in server.requests] == [fault, fault, None]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "POST", "PATCH"])
@pytest.mark.parametrize("fault", [close, reset], ids=["closed", "reset"])
async def test_nothing_is_resent_behind_our_back(method: str, fault: Answer) -> None:
    """A pooled connection that breaks costs one hit on the wire: repeating is the policy's business."""
    async with (
        RawServer(KEPT, fault, keep_alive=True) as server,
        open_session() as session,
    ):
        transport = Transport(session)
        url = f"{server.url}/customers/7"
        assert (await transport.send("GET", url, {}, None, 5.0)).status == 200
        with pytest.raises(ConnectionFailedError) as caught:
            await transport.send(method, url, {}, b"{}" if method != "GET" else None, 5.0)
        assert caught.value.sent
        assert len(server.requests) == 2
        assert server.connections == 1


async def test_aiohttp_still_resends_by_itself() -> None:
    """A canary: when plain aiohttp stops to send a GET twice, the middleware that prevents it can go."""
    async with RawServer(close) as server, aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await session.get(server.url)
        assert len(server.requests) == 2


async def test_connections_are_kept_and_used_again() -> None:
    """Calls one after the other share a connection."""
    async with RawServer(KEPT, keep_alive=True) as server, client_of(server.url) as client:
        for _ in range(3):
            await client.get_customer(7)
        assert (len(server.requests), server.connections) == (3, 1)


async def test_what_goes_over_the_wire() -> None:
    """The path is sent as built, and the key, the library's name and what is accepted go along, once each."""
    async with RawServer(http(CUSTOMER)) as server, client_of(server.url) as client:
        await client.get_customer(7)
        request_line, *headers = server.requests[0].decode().strip().split("\r\n")
    names = [header.partition(":")[0].lower() for header in headers]
    assert request_line == "GET /v1/customers/7 HTTP/1.1"
    assert "Authorization: Bearer key" in headers
    assert "Accept: application/json" in headers
    assert any(header.startswith("User-Agent: helpcrunch-async/") for header in headers)
    assert len(names) == len(set(names))
    assert "cookie" not in names


# Never sent


def unused_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def test_a_refused_connection() -> None:
    """It never left, and the error says so."""
    async with client_of(f"http://127.0.0.1:{unused_port()}/v1") as client:
        with pytest.raises(ConnectionFailedError, match="no connection") as caught:
            await client.get_customer(7)
        assert (caught.value.sent, caught.value.permanent) == (False, False)


@pytest.mark.skipif(sys.platform != "linux", reason="needs a full accept queue to swallow connections")
async def test_a_connection_that_hangs_was_never_sent() -> None:
    """No connection within half of the time-out is a failed connection, not an answer that was slow."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            with suppress(BlockingIOError):
                filler.connect(("127.0.0.1", port))
        async with client_of(f"http://127.0.0.1:{port}/v1", timeout=0.6) as client:
            with pytest.raises(ConnectionFailedError, match="no connection in time") as caught:
                await client.get_customer(7)
        assert not caught.value.sent
        for filler in fillers:
            filler.close()


class _NoSuchHost(AbstractResolver):
    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        raise OSError(None, "no such host")

    async def close(self) -> None:
        """Hold nothing."""


async def test_a_host_name_that_does_not_resolve() -> None:
    """It never left, and the text says what is wrong."""

    def factory() -> aiohttp.ClientSession:
        return aiohttp.ClientSession(connector=aiohttp.TCPConnector(resolver=_NoSuchHost()))

    async with client_of("https://api.invalid/v1", session=factory) as client:
        with pytest.raises(ConnectionFailedError, match="host name could not be resolved") as caught:
            await client.get_customer(7)
        assert not caught.value.sent


async def test_https_on_a_plain_port() -> None:
    """The handshake fails, so the request, and the key in it, never left."""

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        writer.write(http(b"", status="400 Bad Request"))
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    async with server, client_of(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}") as client:
        with pytest.raises(ConnectionFailedError, match="TLS") as caught:
            await client.get_customer(7)
    assert not caught.value.sent


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 that nobody trusts, with its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs the openssl command")
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    command = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    names = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(path), "-out", f"{path}.crt"]
    subprocess.run([openssl, *command.split(), *names], check=True, capture_output=True)
    path.write_text(path.read_text() + Path(f"{path}.crt").read_text())
    return path


def tls_of(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


async def test_a_certificate_that_nobody_trusts(certificate: Path) -> None:
    """It is not retried: asking again does not make it valid. The request never left."""
    async with (
        RawServer(http(CUSTOMER), tls=tls_of(certificate)) as server,
        client_of(server.url, retry=RetryPolicy(max_backoff=0.0)) as client,
    ):
        with pytest.raises(ConnectionFailedError, match="certificate") as caught:
            await client.get_customer(7)
        assert (caught.value.sent, caught.value.permanent) == (False, True)
        assert not hasattr(caught.value, "__notes__")
        assert server.requests == []


async def test_open_session_takes_an_ssl_context(certificate: Path) -> None:
    """A company's own authority is trusted when it is given."""
    trusting = ssl.create_default_context(cafile=f"{certificate}.crt")
    async with (
        RawServer(http(CUSTOMER), tls=tls_of(certificate)) as server,
        client_of(server.url, session=partial(open_session, ssl=trusting)) as client,
    ):
        assert (await client.get_customer(7)).id == 7


# Too large


async def test_a_reply_above_the_cap_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is given up while it comes, once and for all, and its connection is not used again."""
    monkeypatch.setattr(session_module, "MAX_BODY_BYTES", 100_000)
    async with (
        RawServer(http(b" " * 100_001), http(b" " * 99_900 + CUSTOMER)) as server,
        client_of(server.url, retry=RetryPolicy(max_backoff=0.0)) as client,
    ):
        with pytest.raises(ResponseTooLargeError, match="100000 bytes") as caught:
            await client.get_customer(7)
        assert caught.value.permanent
        assert len(server.requests) == 1
        assert acquired(client) == 0
        assert (await client.get_customer(7)).id == 7


async def test_a_gzip_bomb_is_not_blown_up_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fifty kilobytes that become fifty megabytes are given up near the cap, not when all is unpacked."""
    monkeypatch.setattr(session_module, "MAX_BODY_BYTES", 2**20)
    bomb = gzip.compress(b" " * 50 * 2**20)
    async with (
        RawServer(http(bomb, "Content-Encoding: gzip")) as server,
        client_of(server.url) as client,
    ):
        tracemalloc.start()
        try:
            with pytest.raises(ResponseTooLargeError):
                await client.get_customer(7)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < 12 * 2**20


# Redirects


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_never_followed(status: int) -> None:
    """Another host gets neither the key nor the customer's data: a redirect is an error."""
    async with (
        RawServer(http(CUSTOMER)) as elsewhere,
        RawServer(http(b"", f"Location: {elsewhere.url}", status=f"{status} Elsewhere")) as server,
        client_of(server.url, retry=RetryPolicy(max_backoff=0.0)) as client,
    ):
        with pytest.raises(APIError) as caught:
            await client.get_customer(7)
        assert (APIError, status) == (type(caught.value), caught.value.status)
        assert (len(server.requests), len(elsewhere.requests)) == (1, 0)


# Whose session it is


async def test_a_borrowed_session_is_given_back_as_it_was() -> None:
    """It is neither closed nor changed: headers, cookies, middlewares, time-outs."""

    async def middleware(
        request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        request.headers["X-Middleware"] = "ran"
        return await handler(request)

    mine = aiohttp.ClientSession(
        headers={"X-Mine": "1", "Authorization": "Bearer mine"},
        cookies={"mine": "1"},
        cookie_jar=aiohttp.CookieJar(unsafe=True),
        middlewares=(middleware,),
        timeout=aiohttp.ClientTimeout(total=77.0),
        raise_for_status=True,
    )
    async with RawServer(http(b"", status="404 Not Found"), http(CUSTOMER)) as server, mine:

        def state() -> tuple[Any, ...]:
            cookies = {cookie.key: cookie.value for cookie in mine.cookie_jar}
            return dict(mine.headers), cookies, mine._middlewares, mine.timeout, mine.closed

        before = state()
        async with client_of(server.url, session=borrow_session(mine)) as client:
            with pytest.raises(APIError, match="404"):
                await client.get_customer(7)
            assert (await client.get_customer(7)).id == 7
        assert before == state()
        await mine.get(server.url)
        sent = [request.decode().split("\r\n") for request in server.requests]
        for request in sent[:2]:  # ours
            assert "Authorization: Bearer key" in request
            assert "Authorization: Bearer mine" not in request
            assert "X-Mine: 1" in request
            assert "X-Middleware: ran" in request
        assert "Authorization: Bearer mine" in sent[2]


async def test_a_borrowed_sessions_short_time_out_is_not_ours() -> None:
    """The client's own `timeout` bounds its attempts, whatever the session says about its others."""

    async def slowly(writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.2)
        writer.write(http(CUSTOMER))

    async with (
        RawServer(slowly) as server,
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=0.05)) as mine,
        client_of(server.url, session=borrow_session(mine)) as client,
    ):
        assert (await client.get_customer(7)).id == 7


async def test_a_borrowed_session_does_not_resend_either() -> None:
    """The hidden resend is off for our requests, and still on for the owner's."""
    async with (
        RawServer(close) as server,
        aiohttp.ClientSession() as mine,
        client_of(server.url, session=borrow_session(mine)) as client,
    ):
        with pytest.raises(ConnectionFailedError):
            await client.get_customer(7)
        assert len(server.requests) == 1
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await mine.get(server.url)
        assert len(server.requests) == 3


async def test_aiohttp_keeps_a_sessions_middlewares_where_we_read_them() -> None:
    """A canary for the one private attribute of aiohttp that is read: without it a borrowed session's
    middlewares would be dropped."""

    async def middleware(
        request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        return await handler(request)

    async with aiohttp.ClientSession(middlewares=[middleware]) as session:
        assert (middleware,) == tuple(session._middlewares)


def _own_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password other\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))


async def test_credentials_of_the_environment_do_not_get_in_the_way(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A `trust_env` session with a netrc entry for the host sends our key, or fails with an error of ours."""
    _own_credentials(monkeypatch, tmp_path)
    async with (
        RawServer(http(CUSTOMER)) as server,
        client_of(server.url, session=partial(open_session, trust_env=True)) as client,
    ):
        try:
            assert (await client.get_customer(7)).id == 7
        except HelpCrunchError:
            assert server.requests == []


@pytest.mark.parametrize("when", ["before", "under way"])
async def test_a_session_that_was_closed_under_us(when: str) -> None:
    """Whoever closed it hears of it plainly, at once: no retry hammers a closed session."""
    mine = aiohttp.ClientSession()
    async with (
        RawServer(hang) as server,
        client_of(server.url, session=borrow_session(mine), retry=RetryPolicy()) as client,
    ):
        if when == "before":
            await mine.close()
        call = asyncio.create_task(client.get_customer(7))
        if when == "under way":
            await server.arrived.wait()
            await mine.close()
        async with asyncio.timeout(2):
            with pytest.raises(ClientClosedError, match="session"):
                await call
        assert (0 if when == "before" else 1) == len(server.requests)


async def test_close_ends_what_is_under_way() -> None:
    """Calls of a client that is closed get a ClientClosedError, and do not hang."""
    async with RawServer(hang) as server:
        async with client_of(server.url, retry=RetryPolicy()) as client:
            call = asyncio.create_task(client.get_customer(7))
            await server.arrived.wait()
        async with asyncio.timeout(2):
            with pytest.raises(ClientClosedError):
                await call
        assert len(server.requests) == 1


async def test_a_write_whose_session_was_closed_is_in_doubt() -> None:
    """The request was on the wire, so it may have been applied."""
    async with RawServer(hang) as server, open_session() as session:
        requester = Requester(
            Transport(session), server.url, check_api_key("key"), UNLIMITED, max_in_flight=10
        )
        options = CallOptions(RetryPolicy(), 5.0, None, None, "interactive")
        call = asyncio.create_task(
            requester.send(Request("POST", "events", "events", repeatable=False), options)
        )
        await server.arrived.wait()
        await session.close()
        with pytest.raises(ClientClosedError) as caught:
            await call
        assert caught.value.outcome_unknown


async def test_a_factory_is_left_exactly_once() -> None:
    """What a factory makes is entered when the client opens and left when it closes, closed twice or not."""
    events = []

    @asynccontextmanager
    async def factory() -> AsyncIterator[aiohttp.ClientSession]:
        events.append("made")
        async with aiohttp.ClientSession() as session:
            yield session
        events.append("ended")

    client = HelpCrunchClient("key", session=factory)
    assert events == []
    await client.open()
    assert events == ["made"]
    await client.close()
    await client.close()
    assert events == ["made", "ended"]


async def test_a_factory_that_fails_leaves_the_client_unopened() -> None:
    """Its error passes, and the client can be opened later."""
    attempts = []

    def factory() -> aiohttp.ClientSession:
        attempts.append(1)
        if len(attempts) == 1:
            raise LookupError("no proxy today")
        return open_session()

    client = HelpCrunchClient("key", session=factory)
    with pytest.raises(LookupError):
        await client.open()
    with pytest.raises(ClientClosedError):
        await client.get_customer(7)
    async with client:
        pass
    assert len(attempts) == 2


async def test_opening_twice_at_once_opens_once() -> None:
    """Of two tasks that open one client, one is told; no session is lost."""
    alive = []

    @asynccontextmanager
    async def factory() -> AsyncIterator[aiohttp.ClientSession]:
        alive.append(1)
        await asyncio.sleep(0)
        async with aiohttp.ClientSession() as session:
            yield session
        alive.pop()

    client = HelpCrunchClient("key", session=factory)
    outcomes = await asyncio.gather(client.open(), client.open(), return_exceptions=True)
    await client.close()
    assert [type(outcome) for outcome in outcomes] == [type(None), RuntimeError]
    assert alive == []


# Options of open_session


async def test_a_proxy_is_used_when_given() -> None:
    """The request goes to the proxy, with the whole URL."""
    async with (
        RawServer(http(CUSTOMER)) as proxy,
        client_of(
            "http://sandbox.example/v1",
            allow_http=True,
            session=partial(open_session, proxy=f"http://127.0.0.1:{proxy.port}"),
        ) as client,
    ):
        assert (await client.get_customer(7)).id == 7
        assert proxy.requests[0].startswith(b"GET http://sandbox.example/v1/customers/7 HTTP/1.1")


@pytest.mark.parametrize(
    ("trust_env", "through_proxy"), [(False, 0), (True, 1)], ids=["default", "trust_env"]
)
async def test_the_environments_proxy_is_used_only_when_asked_for(
    monkeypatch: pytest.MonkeyPatch, *, trust_env: bool, through_proxy: int
) -> None:
    """A stray HTTP_PROXY does not get to see the key."""
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    async with RawServer(http(CUSTOMER)) as proxy, RawServer(http(CUSTOMER)) as server:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
        async with client_of(server.url, session=partial(open_session, trust_env=trust_env)) as client:
            await client.get_customer(7)
        assert (1 - through_proxy, through_proxy) == (len(server.requests), len(proxy.requests))


async def test_a_proxy_that_refuses_the_tunnel() -> None:
    """The request never left, so that any request may be repeated, and the text speaks of the proxy."""
    async with (
        RawServer(http(b"", status="407 Proxy Authentication Required")) as proxy,
        client_of(
            "https://api.example/v1", session=partial(open_session, proxy=f"http://127.0.0.1:{proxy.port}")
        ) as client,
    ):
        with pytest.raises(ConnectionFailedError, match="proxy") as caught:
            await client.get_customer(7)
        assert not caught.value.sent


async def test_a_session_of_our_own_keeps_no_cookies() -> None:
    """What a load balancer sets is not sent back: calls stay independent."""
    async with RawServer(http(CUSTOMER, "Set-Cookie: lb=a; Path=/")) as server:
        named = server.url.replace("127.0.0.1", "localhost")  # no jar keeps cookies of bare addresses
        async with client_of(named) as client:
            await client.get_customer(7)
            await client.get_customer(7)
        assert not any(b"cookie" in request.lower() for request in server.requests)


def test_borrow_session_takes_a_session() -> None:
    """Anything else is refused at once."""
    nonsense: Any = "session"
    with pytest.raises(TypeError, match="ClientSession"):
        borrow_session(nonsense)


# Event loops


async def _one_call(client: HelpCrunchClient) -> str | None:
    async with client:
        return (await client.get_customer(7)).name


@pytest.mark.parametrize("same_client", [True, False], ids=["the same client", "a client each"])
def test_two_event_loops_one_after_the_other(*, same_client: bool) -> None:
    """Nothing of asyncio outlives its loop: `asyncio.run` works any number of times."""
    clients: list[HelpCrunchClient] = []

    async def run() -> str | None:
        async with RawServer(http(CUSTOMER)) as server:
            client = HelpCrunchClient("key", base_url=server.url)
            if same_client and clients:
                client, client_base = clients[0], server.url
                client._base_url = client_base
            clients.append(client)
            return await _one_call(client)

    assert [asyncio.run(run()) for _ in range(3)] == ["Mara Quill"] * 3


def test_a_client_opened_in_another_loop_says_so() -> None:
    """Used from a second loop, an open client is told apart from a closed one."""
    client = HelpCrunchClient("key", base_url="http://127.0.0.1:9/v1")
    with asyncio.Runner() as first, asyncio.Runner() as second:
        first.run(client.open())
        with pytest.raises(RuntimeError, match="another event loop"):
            second.run(client.get_customer(7))
        first.run(client.close())


async def test_headers_given_to_the_transport_are_not_changed() -> None:
    """One mapping serves many requests."""
    headers: Mapping[str, str] = {"Accept": "application/json"}
    async with RawServer(http(CUSTOMER, "X-A: 1", "X-A: 2")) as server, open_session() as session:
        reply = await Transport(session).send("GET", f"{server.url}/x", headers, None, 5.0)
    assert headers == {"Accept": "application/json"}
    assert (reply.status, reply.headers["x-a"], reply.body) == (200, "1", CUSTOMER)
