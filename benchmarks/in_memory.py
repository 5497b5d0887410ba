"""A session without sockets: the real client in virtual time, on the fake server's own endpoints.

It is an aiohttp session like any other, only that its connections end in this process. So nothing here knows
what the client does with a session.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import web
from aiohttp.client_proto import ResponseHandler
from aiohttp.tracing import Trace
from wire import RejectedError, Server
from yarl import URL

from helpcrunch_async.session import SessionFactory
from helpcrunch_async.testing import SearchBehaviour, generate_customers
from helpcrunch_async.testing.account import Account
from helpcrunch_async.testing.answers import too_many_requests
from helpcrunch_async.testing.customers import CustomerBook
from helpcrunch_async.testing.resources import ROUTER
from helpcrunch_async.testing.routing import Call

BASE_URL = "https://api.example/v1"


def some_account(customers: int) -> tuple[Account, list[int]]:
    """Make an account with so many customers; gives their ids, too."""
    rows = generate_customers(customers)
    return Account("new", CustomerBook(rows, "new"), SearchBehaviour()), [row["id"] for row in rows]


class _Pipe(asyncio.Transport):
    """Hands what is written to the protocol at the other end, in the loop's next turn."""

    def __init__(self, here: asyncio.Protocol, there: asyncio.Protocol) -> None:
        super().__init__()
        self._loop = asyncio.get_running_loop()
        self._here, self._there = here, there
        self._closed = False
        self.other: _Pipe

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._loop.call_soon(self._there.data_received, bytes(data))

    def is_closing(self) -> bool:
        return self._closed

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._loop.call_soon(self._here.connection_lost, None)
            self._loop.call_soon(self.other.close)

    def abort(self) -> None:
        self.close()


class _Connector(aiohttp.BaseConnector):
    """Connects every request to one server in this process, whatever its URL says."""

    def __init__(self, web_server: web.Server) -> None:
        super().__init__(limit=0)
        self._web_server = web_server

    async def _create_connection(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - aiohttp's own argument
    ) -> ResponseHandler:
        here, there = self._factory(), self._web_server()
        near, far = _Pipe(here, there), _Pipe(there, here)
        near.other, far.other = far, near
        there.connection_made(far)
        here.connection_made(near)
        return here


def in_memory(server: Server, account: Account) -> SessionFactory:
    """Give a session factory for `HelpCrunchClient(session=...)`; requests go through the server's rule."""

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read()
        try:
            await server.get()
        except RejectedError as rejected:
            told = rejected.retry_after
            reply = too_many_requests("new", {} if told is None else {"Retry-After": f"{told:.0f}"})
        else:
            path = request.path.removeprefix(URL(BASE_URL).path)
            reply = ROUTER.answer(account, Call(request.method, path, dict(request.query), body))
        return web.Response(
            status=reply.status, body=reply.body, content_type=reply.content_type, headers=reply.headers
        )

    @asynccontextmanager
    async def open_session() -> AsyncIterator[aiohttp.ClientSession]:
        web_server = web.Server(answer, access_log=None)
        async with aiohttp.ClientSession(connector=_Connector(web_server)) as session:
            yield session
        await web_server.shutdown()

    return open_session
