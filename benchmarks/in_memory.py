"""A session without sockets: the real client in virtual time, on the fake server's own endpoints."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, cast

import aiohttp
from attrs import define, field
from wire import RejectedError, Server
from yarl import URL

from helpcrunch_async.session import SessionFactory
from helpcrunch_async.testing import SearchBehaviour, generate_customers
from helpcrunch_async.testing.account import Account
from helpcrunch_async.testing.answers import Answer, too_many_requests
from helpcrunch_async.testing.customers import CustomerBook
from helpcrunch_async.testing.resources import ROUTER
from helpcrunch_async.testing.routing import Call

BASE_URL = "https://api.example/v1"


def some_account(customers: int) -> tuple[Account, list[int]]:
    """Make an account with so many customers; gives their ids, too."""
    rows = generate_customers(customers)
    return Account("new", CustomerBook(rows, "new"), SearchBehaviour()), [row["id"] for row in rows]


@define
class _Content:
    _body: bytes

    async def readany(self) -> bytes:
        body, self._body = self._body, b""
        return body


@define
class _Response:
    status: int
    headers: Mapping[str, str]
    content: _Content


@define(eq=False)
class InMemorySession:
    """As much of an aiohttp session as the client uses; every request goes through the server's rule."""

    server: Server
    account: Account
    closed: bool = False
    _middlewares: tuple[()] = field(default=(), init=False)

    @asynccontextmanager
    async def request(
        self, method: str, url: URL, *, data: bytes | None, **_: Any
    ) -> AsyncIterator[_Response]:
        """Answer as the fake server would, one round trip later."""
        try:
            await self.server.get()
        except RejectedError as rejected:
            told = rejected.retry_after
            answer = too_many_requests("new", {} if told is None else {"Retry-After": f"{told:.0f}"})
        else:
            answer = self._answer(method, url, data)
        yield _Response(answer.status, answer.headers, _Content(answer.body))

    def _answer(self, method: str, url: URL, data: bytes | None) -> Answer:
        path = url.path.removeprefix(URL(BASE_URL).path)
        return ROUTER.answer(self.account, Call(method, path, dict(url.query), data or b""))


def in_memory(server: Server, account: Account) -> SessionFactory:
    """Give a session factory for `HelpCrunchClient(session=...)`."""

    @asynccontextmanager
    async def open_session() -> AsyncIterator[aiohttp.ClientSession]:
        # it is not one, but all that is asked of one
        yield cast("aiohttp.ClientSession", InMemorySession(server, account))
        await asyncio.sleep(0)

    return open_session
