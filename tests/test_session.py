"""Sessions and single attempts over real sockets: what is sent, what is too large, whose session it is."""

import asyncio
import gzip
import ssl
import tempfile
import tracemalloc
import warnings
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from faults.behaviours import CUSTOMER, GOOD, KEPT, TRUNCATED, close, hang, http, reset
from faults.clients import held_by
from faults.server import Behaviour, Exchange, FaultServer
from faults.stages import certificate_for, trusting

from helpcrunch_async import (
    NO_RETRY,
    UNLIMITED,
    APIError,
    ClientClosedError,
    ConnectionFailedError,
    DeadlineExceededError,
    DecodeError,
    HelpCrunchClient,
    HelpCrunchError,
    RequestTimeoutError,
    ResponseTooLargeError,
    RetryPolicy,
    borrow_session,
    open_session,
)
from helpcrunch_async import session as session_module
from helpcrunch_async.redaction import RedactedBytes, Secret
from helpcrunch_async.session import Transport
from helpcrunch_async.testing import FakeHelpCrunch, Fault

AUTHORIZATION = Secret("Bearer key")


@asynccontextmanager
async def client_of(url: str, **options: Any) -> AsyncIterator[HelpCrunchClient]:
    """A client without pacing and without retries, unless told otherwise."""
    settings: dict[str, Any] = {"rate_limiter": UNLIMITED, "retry": NO_RETRY, "timeout": 5.0, **options}
    async with HelpCrunchClient("key", base_url=url, **settings) as client:
        yield client


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
async def test_nothing_is_resent_behind_our_back(method: str, fault: Behaviour) -> None:
    """A pooled connection that breaks costs one hit on the wire: repeating is the policy's business."""
    async with (
        FaultServer(KEPT, fault, keep_alive=True) as server,
        open_session() as session,
    ):
        transport = Transport(session, AUTHORIZATION)
        url = f"{server.url}/customers/7"
        assert (await transport.send("GET", url, {}, None, 5.0)).status == 200
        with pytest.raises(ConnectionFailedError) as caught:
            await transport.send(method, url, {}, RedactedBytes(b"{}") if method != "GET" else None, 5.0)
        assert caught.value.sent
        assert len(server.requests) == 2
        assert server.connections == 1


async def test_aiohttp_still_resends_by_itself() -> None:
    """A canary: when plain aiohttp stops to send a GET twice, the middleware that prevents it can go."""
    async with FaultServer(close) as server, aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await session.get(server.url)
        assert len(server.requests) == 2


async def test_connections_are_kept_and_used_again() -> None:
    """Calls one after the other share a connection."""
    async with FaultServer(KEPT, keep_alive=True) as server, client_of(server.url) as client:
        for _ in range(3):
            await client.get_customer(7)
        assert (len(server.requests), server.connections) == (3, 1)


async def test_connections_are_not_kept_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that has been idle is given up before a common server would close it under a request."""
    assert session_module._KEEP_ALIVE < 15  # aiohttp's own
    monkeypatch.setattr(session_module, "_KEEP_ALIVE", 0.01)
    async with FaultServer(KEPT, keep_alive=True) as server, client_of(server.url) as client:
        await client.get_customer(7)
        await asyncio.sleep(0.1)
        await client.get_customer(7)
        assert (len(server.requests), server.connections) == (2, 2)


async def test_what_goes_over_the_wire() -> None:
    """The path is sent as built, and the key, the library's name and what is accepted go along, once each."""
    async with FaultServer(GOOD) as server, client_of(server.url) as client:
        await client.get_customer(7)
        request_line, *headers = server.requests[0].decode().strip().split("\r\n")
    names = [header.partition(":")[0].lower() for header in headers]
    assert request_line == "GET /v1/customers/7 HTTP/1.1"
    assert "Authorization: Bearer key" in headers
    assert "Accept: application/json" in headers
    assert any(header.startswith("User-Agent: helpcrunch-async/") for header in headers)
    assert len(names) == len(set(names))
    assert "cookie" not in names


async def test_open_session_takes_an_ssl_context() -> None:
    """A company's own authority is trusted when it is given."""
    async with (
        FaultServer(GOOD, tls=certificate_for("127.0.0.1")) as server,
        client_of(server.url, session=partial(open_session, ssl=trusting())) as client,
    ):
        assert (await client.get_customer(7)).id == 7


def _certificate(name: str, key: ec.EllipticCurvePrivateKey, issuer: str) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
    )


def _signed_plainly() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's certificate without the extensions that Python checks since 3.13, and who trusts it."""
    authority, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    ca = x509.BasicConstraints(ca=True, path_length=None)
    host = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    root = _certificate("authority", authority, "authority").add_extension(ca, critical=True)
    leaf = _certificate("server", key, "authority").add_extension(host, critical=False)
    root_pem, leaf_pem = (
        each.sign(authority, hashes.SHA256()).public_bytes(Encoding.PEM) for each in (root, leaf)
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile() as file:
        file.write(leaf_pem + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        file.flush()
        server.load_cert_chain(file.name)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.load_verify_locations(cadata=root_pem.decode())
    return server, client


async def test_a_certificate_without_an_extension_is_told_from_others() -> None:
    """What Python refuses since 3.13, and trusts before."""
    server_side, strict = _signed_plainly()
    strict.verify_flags |= ssl.VERIFY_X509_STRICT
    async with (
        FaultServer(GOOD, tls=server_side) as server,
        client_of(server.url, session=partial(open_session, ssl=strict), retry=RetryPolicy()) as client,
    ):
        with pytest.raises(ConnectionFailedError) as caught:
            await client.get_customer(7)
    assert str(caught.value).startswith(
        "the server's certificate is not valid: it is not made as this Python asks for (Missing "
    )
    assert (caught.value.sent, caught.value.permanent) == (False, True)


async def test_a_certificate_with_another_fingerprint() -> None:
    """Where a session of one's own pins it."""
    fingerprint = aiohttp.Fingerprint(bytes(32))
    connector = aiohttp.TCPConnector(ssl=fingerprint)
    async with (
        FaultServer(GOOD, tls=certificate_for("127.0.0.1")) as server,
        aiohttp.ClientSession(connector=connector) as mine,
        client_of(server.url, session=borrow_session(mine)) as client,
    ):
        with pytest.raises(ConnectionFailedError, match="not valid: it has another fingerprint") as caught:
            await client.get_customer(7)
    assert caught.value.permanent


# Too large


async def test_a_reply_above_the_cap_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is given up while it comes, once and for all, and its connection is not used again."""
    monkeypatch.setattr(session_module, "MAX_BODY_BYTES", 100_000)
    async with (
        FaultServer(http(b" " * 100_001), http(b" " * 99_900 + CUSTOMER)) as server,
        client_of(server.url, retry=RetryPolicy(max_backoff=0.0)) as client,
    ):
        with pytest.raises(ResponseTooLargeError, match="100000 bytes") as caught:
            await client.get_customer(7)
        assert caught.value.permanent
        assert len(server.requests) == 1
        assert held_by(client) == {}
        assert (await client.get_customer(7)).id == 7


async def test_a_gzip_bomb_is_not_blown_up_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fifty kilobytes that become fifty megabytes are given up near the cap, not when all is unpacked."""
    monkeypatch.setattr(session_module, "MAX_BODY_BYTES", 2**20)
    bomb = gzip.compress(b" " * 50 * 2**20)
    async with (
        FaultServer(http(bomb, "Content-Encoding: gzip")) as server,
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
        FaultServer(GOOD) as elsewhere,
        FaultServer(http(b"", f"Location: {elsewhere.url}", status=f"{status} Elsewhere")) as server,
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
    async with FaultServer(http(b"", status="404 Not Found"), GOOD) as server, mine:

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

    async def slowly(exchange: Exchange) -> None:
        await asyncio.sleep(0.2)
        exchange.writer.write(GOOD)

    async with (
        FaultServer(slowly) as server,
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=0.05)) as mine,
        client_of(server.url, session=borrow_session(mine)) as client,
    ):
        assert (await client.get_customer(7)).id == 7


@pytest.mark.parametrize(("timeout", "connect"), [(0.4, 0.2), (19.0, 9.5), (300.0, 10.0)])
def test_a_connection_takes_half_of_an_attempt_at_most(timeout: float, connect: float) -> None:
    """So that what was certainly never sent is told from an answer that does not come."""
    assert connect == session_module._client_timeout(timeout).sock_connect


async def test_a_deadline_in_the_very_instant_of_a_time_out_is_kept() -> None:
    """Two timers of equal length fire together, and neither swallows the other: nothing is sent again."""
    async with (
        FaultServer(hang) as server,
        client_of(server.url, timeout=0.2, deadline=0.2, retry=RetryPolicy()) as client,
    ):
        for _ in range(5):
            with pytest.raises(DeadlineExceededError):
                await client.get_customer(7)
        assert len(server.requests) == 5


async def test_no_traceback_holds_a_response_of_aiohttps() -> None:
    """It holds the key, and what the server sent, for as long as somebody keeps the error."""
    async with FaultServer(TRUNCATED) as server, client_of(server.url) as client:
        with pytest.raises(ConnectionFailedError) as failed:
            await client.get_customer(7)
    held = [value for frame in failed.traceback for value in frame.frame.f_locals.values()]
    assert held
    assert not [value for value in held if isinstance(value, aiohttp.ClientResponse)]


async def test_a_borrowed_session_does_not_resend_either() -> None:
    """The hidden resend is off for our requests, and still on for the owner's."""
    async with (
        FaultServer(close) as server,
        aiohttp.ClientSession() as mine,
        client_of(server.url, session=borrow_session(mine)) as client,
    ):
        with pytest.raises(ConnectionFailedError):
            await client.get_customer(7)
        assert len(server.requests) == 1
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await mine.get(server.url)
        assert len(server.requests) == 3


async def test_what_a_borrowed_sessions_middleware_raises_is_not_resent_either() -> None:
    """Ours stands around those of the session, so it also sees what they raise."""
    calls = 0

    async def broken(_: aiohttp.ClientRequest, __: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        nonlocal calls
        calls += 1
        raise aiohttp.ServerDisconnectedError

    async with (
        aiohttp.ClientSession(middlewares=(broken,)) as mine,
        client_of("http://127.0.0.1:9/v1", session=borrow_session(mine)) as client,
    ):
        with pytest.raises(ConnectionFailedError):
            await client.get_customer(7)
    assert calls == 1


async def test_aiohttp_keeps_a_sessions_middlewares_where_we_read_them() -> None:
    """A canary for the one private attribute of aiohttp that is read: without it a borrowed session's
    middlewares would be dropped."""

    async def middleware(
        request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        return await handler(request)

    async with aiohttp.ClientSession(middlewares=[middleware]) as session:
        assert (middleware,) == tuple(session._middlewares)


async def test_aiohttps_own_hooks_see_each_attempt() -> None:
    """A TraceConfig is told of every request, repeated or not, and a middleware may change it: both come in
    through the session factory, and nothing of ours is needed beside them."""
    seen = []

    async def note(_session: object, _context: object, params: aiohttp.TraceRequestEndParams) -> None:
        seen.append((params.method, params.url.path, params.response.status))

    async def name_the_team(
        request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        request.headers["X-Team"] = "billing"
        return await handler(request)

    trace = aiohttp.TraceConfig()
    trace.on_request_end.append(note)
    session = partial(open_session, trace_configs=[trace], middlewares=[name_the_team])
    retry = RetryPolicy(max_backoff=0.0)
    async with FakeHelpCrunch(1) as server, client_of(server.url, session=session, retry=retry) as client:
        server.fail_next(2, "503")
        await client.get_customer(8737843)
    assert seen == [("GET", "/v1/customers/8737843", status) for status in (503, 503, 200)]
    assert [each.headers["x-team"] for each in server.requests] == ["billing"] * 3


# Who sees the key, and who else would log in


def sent_headers(request: bytes, name: str) -> list[str]:
    """The values of a header in a request on the wire."""
    pairs = [line.partition(": ") for line in request.decode().split("\r\n")]
    return [value for each, _, value in pairs if each.lower() == name.lower()]


@pytest.mark.parametrize("entry", ["default", "machine 127.0.0.1"])
async def test_netrc_does_not_log_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, entry: str) -> None:
    """An entry for every host is common, and `trust_env` is about proxies."""
    netrc = tmp_path / "netrc"
    netrc.write_text(f"{entry}\n  login someone\n  password other\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    async with (
        FaultServer(GOOD) as server,
        client_of(server.url, session=partial(open_session, trust_env=True)) as client,
    ):
        assert (await client.get_customer(7)).id == 7
        assert (await client.create_customer(name="Mara")).id == 7
        async with aiohttp.ClientSession(trust_env=True) as theirs:
            await theirs.get(server.url)
        authorizations = [sent_headers(request, "Authorization") for request in server.requests]
    assert authorizations == [["Bearer key"], ["Bearer key"], ["Basic c29tZW9uZTpvdGhlcg=="]]


def session_logged_in(**options: Any) -> aiohttp.ClientSession:
    """A session that has a password for every host."""
    with warnings.catch_warnings(action="ignore"):  # it is on its way out of aiohttp
        return aiohttp.ClientSession(auth=aiohttp.BasicAuth("someone", "other"), **options)


async def test_a_session_that_logs_in_everywhere_sends_our_key() -> None:
    """And its own password to nobody of ours."""
    async with (
        FaultServer(GOOD) as server,
        session_logged_in() as mine,
        client_of(server.url, session=borrow_session(mine)) as client,
    ):
        assert (await client.get_customer(7)).id == 7
        assert sent_headers(server.requests[0], "Authorization") == ["Bearer key"]


async def test_a_session_that_contradicts_itself_is_told_so() -> None:
    """aiohttp sends nothing over it, whoever asks; no repetition helps, and the network is not blamed."""
    async with (
        FaultServer(GOOD) as server,
        session_logged_in(headers={"Authorization": "Bearer mine"}) as mine,
        client_of(server.url, session=borrow_session(mine), retry=RetryPolicy()) as client,
    ):
        with pytest.raises(ConnectionFailedError) as caught:
            await client.create_customer(name="Mara")
        assert server.requests == []
    assert (
        str(caught.value)
        == "the session has an Authorization header beside other credentials, which aiohttp refuses"
    )
    assert (caught.value.sent, caught.value.permanent) == (False, True)


async def test_a_header_that_aiohttp_refuses_is_told() -> None:
    """One of the session's own, with a line break in it."""
    async with (
        FaultServer(GOOD) as server,
        aiohttp.ClientSession(headers={"X-Team": "a\r\nb"}) as mine,
        client_of(server.url, session=borrow_session(mine)) as client,
    ):
        with pytest.raises(
            ConnectionFailedError, match="aiohttp refuses the settings of the session"
        ) as caught:
            await client.get_customer(7)
    assert caught.value.permanent


@pytest.mark.parametrize("lend", [False, True], ids=["our session", "a borrowed session"])
async def test_middlewares_and_hooks_do_not_see_the_key(*, lend: bool) -> None:
    """Neither before an attempt nor after it, in the request or in what the response says of it; one hook
    does, which is told what is sent.
    """
    seen: list[tuple[str, str | None]] = []

    async def look(
        request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        seen.append(("before", request.headers.get("Authorization")))
        response = await handler(request)
        seen.append(("after", request.headers.get("Authorization")))
        seen.append(("response", response.request_info.headers.get("Authorization")))
        return response

    async def note(_: object, __: object, params: Any) -> None:
        seen.append((type(params).__name__, params.headers.get("Authorization")))
        if hasattr(params, "response"):
            seen.append(("end", params.response.request_info.headers.get("Authorization")))

    trace = aiohttp.TraceConfig()
    trace.on_request_start.append(note)
    trace.on_request_headers_sent.append(note)
    trace.on_request_end.append(note)
    async with FaultServer(GOOD) as server, AsyncExitStack() as stack:
        make = partial(open_session, middlewares=[look], trace_configs=[trace])
        session = borrow_session(await stack.enter_async_context(make())) if lend else make
        client = await stack.enter_async_context(client_of(server.url, session=session))
        assert (await client.get_customer(7)).id == 7
        assert sent_headers(server.requests[0], "Authorization") == ["Bearer key"]
    assert [name for name, value in seen if value is not None] == ["TraceRequestHeadersSentParams"]
    assert len(seen) == 7


async def test_a_middlewares_own_authorization_is_replaced() -> None:
    """And one that sends twice sends the key twice."""

    async def log_in_twice(
        request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        request.headers["Authorization"] = "Basic other"
        (await handler(request)).close()
        return await handler(request)

    session = partial(open_session, middlewares=[log_in_twice])
    async with FaultServer(GOOD) as server, client_of(server.url, session=session) as client:
        assert (await client.get_customer(7)).id == 7
        assert [sent_headers(each, "Authorization") for each in server.requests] == [["Bearer key"]] * 2


async def test_an_error_of_a_middleware_is_not_taken_for_one_of_the_session() -> None:
    """A ValueError arrives as it was raised."""

    async def choosy(_: aiohttp.ClientRequest, __: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        raise ValueError("no team")

    session = partial(open_session, middlewares=[choosy])
    async with client_of("http://127.0.0.1:9/v1", session=session) as client:
        with pytest.raises(ValueError, match=r"^no team$") as caught:
            await client.get_customer(7)
    assert not hasattr(caught.value, "__notes__")


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
        FaultServer(GOOD) as proxy,
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
    async with FaultServer(GOOD) as proxy, FaultServer(GOOD) as server:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
        async with client_of(server.url, session=partial(open_session, trust_env=trust_env)) as client:
            await client.get_customer(7)
        assert (1 - through_proxy, through_proxy) == (len(server.requests), len(proxy.requests))


async def test_a_proxy_that_refuses_the_tunnel() -> None:
    """The request never left, so that any request may be repeated, and the text speaks of the proxy."""
    async with (
        FaultServer(http(b"", status="407 Proxy Authentication Required")) as proxy,
        client_of(
            "https://api.example/v1", session=partial(open_session, proxy=f"http://127.0.0.1:{proxy.port}")
        ) as client,
    ):
        with pytest.raises(
            ConnectionFailedError, match="the proxy refused the connection with status 407"
        ) as caught:
            await client.get_customer(7)
        assert not caught.value.sent


@pytest.mark.parametrize(
    ("base_url", "proxy"),
    [("https://api.invalid/v1", "http://[::1"), ("https://127.1/v1", None)],
    ids=["the proxy's", "our own"],
)
async def test_a_url_that_cannot_be_asked(base_url: str, proxy: str | None) -> None:
    """Nothing was sent, and nothing is to be gained by trying again."""
    session = partial(open_session, proxy=proxy)
    async with client_of(base_url, session=session, retry=RetryPolicy(max_backoff=0.0)) as client:
        with pytest.raises(ConnectionFailedError, match="not a URL") as caught:
            await client.create_customer(name="Mara")
    assert (caught.value.sent, caught.value.permanent) == (False, True)
    assert not caught.value.outcome_unknown


async def test_a_session_of_our_own_keeps_no_cookies() -> None:
    """What a load balancer sets is not sent back: calls stay independent."""
    async with FaultServer(http(CUSTOMER, "Set-Cookie: lb=a; Path=/")) as server:
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
        return (await client.get_customer(7)).email


@pytest.mark.parametrize("same_client", [True, False], ids=["the same client", "a client each"])
def test_two_event_loops_one_after_the_other(*, same_client: bool) -> None:
    """Nothing of asyncio outlives its loop: `asyncio.run` works any number of times."""
    clients: list[HelpCrunchClient] = []

    async def run() -> str | None:
        async with FaultServer(GOOD) as server:
            client = HelpCrunchClient("key", base_url=server.url)
            if same_client and clients:
                client, client_base = clients[0], server.url
                client._base_url = client_base
            clients.append(client)
            return await _one_call(client)

    assert [asyncio.run(run()) for _ in range(3)] == ["mara.quill@customer.example"] * 3


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
    async with FaultServer(http(CUSTOMER, "X-A: 1", "X-A: 2")) as server, open_session() as session:
        reply = await Transport(session, AUTHORIZATION).send("GET", f"{server.url}/x", headers, None, 5.0)
    assert headers == {"Accept": "application/json"}
    assert (reply.status, reply.headers["x-a"], reply.body) == (200, "1", CUSTOMER)
