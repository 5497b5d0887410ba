"""Stages on which a client meets a fault: a place to send to, a session to do it with, a count."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from types import SimpleNamespace
from typing import TypeAlias

import aiohttp
import trustme
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.connector import Connection
from aiohttp.tracing import Trace
from attrs import define, field

from faults.server import Behaviour, FaultServer, Greeting
from helpcrunch_async import open_session


class CountingFactory:
    """A session factory that counts the connections its session sets out to make."""

    def __init__(self, make: Callable[[], aiohttp.ClientSession] = open_session) -> None:
        self.dialled = 0
        self.session: aiohttp.ClientSession | None = None
        self._make = make

    def __call__(self) -> aiohttp.ClientSession:
        self.session = self._make()
        trace = aiohttp.TraceConfig()
        trace.on_connection_create_start.append(self._count)
        trace.freeze()
        self.session.trace_configs.append(trace)
        return self.session

    async def _count(
        self, _: aiohttp.ClientSession, __: SimpleNamespace, ___: aiohttp.TraceConnectionCreateStartParams
    ) -> None:
        self.dialled += 1


@define
class Stage:
    """Where a client meets a fault."""

    url: str
    server: FaultServer = field(factory=lambda: FaultServer(b""))  # one that does not listen sees nothing
    session: CountingFactory = field(factory=CountingFactory)


Staging: TypeAlias = Callable[[], AbstractAsyncContextManager[Stage]]


def answering(*script: Behaviour, keep_alive: bool = False, greeting: Greeting | None = None) -> Staging:
    """A server with a script; `greeting` meets TLS in plain words."""

    @asynccontextmanager
    async def stage() -> AsyncIterator[Stage]:
        async with FaultServer(*script, keep_alive=keep_alive, greeting=greeting) as server:
            url = server.url if greeting is None else server.url.replace("http", "https")
            yield Stage(url, server)

    return stage


@asynccontextmanager
async def nobody_listening() -> AsyncIterator[Stage]:
    """A port on which nobody listens, kept from others meanwhile."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield Stage(f"http://127.0.0.1:{bound.getsockname()[1]}/v1")


@contextmanager
def _full_backlog() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = int(listener.getsockname()[1])
        fillers = [socket.socket() for _ in range(4)]
        try:
            for filler in fillers:
                filler.setblocking(False)
                with suppress(BlockingIOError):
                    filler.connect(("127.0.0.1", port))
            yield port
        finally:
            for filler in fillers:
                filler.close()


class _Hasty(aiohttp.TCPConnector):
    """Gives up a connection long before the attempt ends, so that a slow machine cannot mix them up."""

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - aiohttp's own argument
    ) -> Connection:
        assert timeout.sock_connect is not None
        return await super().connect(req, traces, aiohttp.ClientTimeout(sock_connect=0.1))


def _hasty_session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(connector=_Hasty(limit=0, ssl=False))


@asynccontextmanager
async def nobody_accepting() -> AsyncIterator[Stage]:
    """A port whose queue is full: Linux lets a connection to it hang."""
    with _full_backlog() as port:
        yield Stage(f"http://127.0.0.1:{port}/v1", session=CountingFactory(_hasty_session))


@asynccontextmanager
async def no_handshake() -> AsyncIterator[Stage]:
    """A server that takes a connection and never answers the TLS handshake."""
    async with answering(b"", greeting=_say_nothing)() as stage:
        yield Stage(stage.url, stage.server, CountingFactory(_hasty_session))


class Resolver(AbstractResolver):
    """Fails to resolve any name, the first `failures` times or always."""

    def __init__(self, failures: int | None = None) -> None:
        self.asked = 0
        self._failures = failures

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.asked += 1
        if self._failures is None or self.asked <= self._failures:
            raise OSError(None, "no such host")
        found: ResolveResult = {
            "hostname": host,
            "host": "127.0.0.1",
            "port": port,
            "family": socket.AF_INET,
            "proto": 0,
            "flags": 0,
        }
        return [found]

    async def close(self) -> None:
        """Hold nothing."""


def session_with(resolver: Resolver) -> aiohttp.ClientSession:
    """A session that asks this resolver, every time."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, resolver=resolver, use_dns_cache=False)
    )


@asynccontextmanager
async def no_such_host() -> AsyncIterator[Stage]:
    """A host whose name does not resolve."""
    factory = CountingFactory(partial(session_with, Resolver()))
    yield Stage("https://api.invalid/v1", session=factory)


@asynccontextmanager
async def a_name_found_late() -> AsyncIterator[Stage]:
    """A host whose name resolves at the second try, and who then answers well."""
    async with FaultServer(b'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"id": 7}') as server:
        factory = CountingFactory(partial(session_with, Resolver(failures=1)))
        yield Stage(f"http://host.invalid:{server.port}/v1", server, factory)


@cache
def _authority() -> trustme.CA:
    return trustme.CA()


@cache
def trusting() -> ssl.SSLContext:
    """What a client needs in order to trust certificates of the tests' own authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _authority().configure_trust(context)
    return context


@cache
def certificate_for(name: str, *, expired: bool = False) -> ssl.SSLContext:
    """What a server needs in order to show a certificate of that authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    not_after = datetime.now(UTC) - timedelta(days=1) if expired else None
    _authority().issue_cert(name, not_after=not_after).configure_cert(context)
    return context


def showing(name: str, script: Behaviour, *, trusted: bool, expired: bool = False) -> Staging:
    """A TLS server with a certificate for `name`, which is trusted or not."""

    @asynccontextmanager
    async def stage() -> AsyncIterator[Stage]:
        async with FaultServer(script, tls=certificate_for(name, expired=expired)) as server:
            make = partial(open_session, ssl=trusting()) if trusted else open_session
            yield Stage(server.url, server, CountingFactory(make))

    return stage


async def _say_nothing(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    """Let a TLS handshake hang."""
    await reader.read()
