"""The life of the fake server: it opens on a port, and closes at once whatever is in flight."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator

import aiohttp
import pytest

from helpcrunch_async.testing import FakeHelpCrunch

KEY = {"Authorization": "Bearer key"}


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(headers=KEY) as session:
        yield session


async def get(http: aiohttp.ClientSession, url: str) -> int:
    """The status of one GET, read to its end."""
    async with http.get(url) as reply:
        await reply.read()
        return reply.status


async def arrived(server: FakeHelpCrunch, count: int) -> None:
    """Wait until so many requests are on record."""
    while len(server.requests) < count:  # noqa: ASYNC110 - the record is a plain list, with nothing to wait on
        await asyncio.sleep(0.01)


async def test_a_closed_server_has_no_address() -> None:
    """Before and after its `async with`; it can be opened again with its customers."""
    server = FakeHelpCrunch(1)
    with pytest.raises(RuntimeError, match="not open"):
        _ = server.url
    async with server:
        assert server.url == f"http://127.0.0.1:{server.port}/v1"
        with pytest.raises(RuntimeError, match="open already"):
            await server.open()
    with pytest.raises(RuntimeError, match="not open"):
        _ = server.port
    await server.close()
    async with server, aiohttp.ClientSession(headers=KEY) as http:
        assert await get(http, f"{server.url}/customers/8737843") == 200


async def test_the_port_can_be_chosen(http: aiohttp.ClientSession) -> None:
    """A client configured elsewhere finds it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    async with FakeHelpCrunch(port=port) as server:
        assert server.port == port
        assert await get(http, f"http://127.0.0.1:{port}/v1/customers") == 200


async def test_closing_does_not_wait(http: aiohttp.ClientSession) -> None:
    """Idle connections, hanging requests and held-back answers end with the server."""
    async with FakeHelpCrunch() as server:
        url = f"{server.url}/customers/8737843"
        await asyncio.gather(*(get(http, url) for _ in range(20)))
        server.fail_next(3, "hang")
        server.fail_next(2, "stall_body")
        server.fail_next(2, "slow_drip")
        server.latency = lambda: 60.0 if len(server.requests) > 27 else 0.0
        calls = [asyncio.create_task(get(http, url)) for _ in range(10)]
        await arrived(server, 30)
        started = time.monotonic()
    assert time.monotonic() - started < 1.0
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert all(isinstance(outcome, aiohttp.ClientError) for outcome in outcomes)


async def test_closing_leaves_no_socket_behind_when_clients_reconnect() -> None:
    """aiohttp repeats a GET by itself when its connection drops: that one is let in, then dropped too."""
    async with FakeHelpCrunch() as server:
        server.fail_next(20, "hang")
        async with aiohttp.ClientSession(headers=KEY) as http:
            calls = [asyncio.create_task(get(http, f"{server.url}/customers/1")) for _ in range(20)]
            await arrived(server, 20)
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert all(isinstance(outcome, aiohttp.ClientError) for outcome in outcomes)
