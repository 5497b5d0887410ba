"""What several test files share: sample bodies, and mocked replies of aiohttp."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import aiohttp
import hypothesis
import pytest
from aioresponses import aioresponses

from helpcrunch_async.testing import FakeHelpCrunch

# Nothing is left in the tree, and no test depends on how fast the machine is.
hypothesis.settings.register_profile(
    "patient",
    deadline=None,
    database=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("patient")

FIXTURES = Path(__file__).parent / "fixtures"


@pytest.fixture(scope="session")
def sample() -> Callable[[str], bytes]:
    """Read a sample body by its file name."""

    def read_sample(name: str) -> bytes:
        return (FIXTURES / name).read_bytes()

    return read_sample


class _ShimmedResponse(aiohttp.ClientResponse):
    """A response that can be made without the argument that aioresponses 0.7.9 does not know.

    pnuckowski/aioresponses#289: on aiohttp 3.14 every mocked reply raises a TypeError without this.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        options.setdefault("stream_writer", Mock(output_size=0))
        super().__init__(*arguments, **options)


@pytest.fixture
def mocked(monkeypatch: pytest.MonkeyPatch) -> Iterator[aioresponses]:
    """Mocked replies of every aiohttp session; nothing reaches a socket."""
    monkeypatch.setattr("aioresponses.core.ClientResponse", _ShimmedResponse)
    with aioresponses() as replies:
        yield replies


@pytest.fixture
async def call() -> AsyncIterator[Callable[..., Awaitable[tuple[int, Any]]]]:
    """Call a FakeHelpCrunch with plain HTTP: `await call(server, "PUT /chats/status", {...})`.

    Gives the status and the body, parsed if it is JSON. A body of bytes is sent as it is.
    """
    async with aiohttp.ClientSession(headers={"Authorization": "Bearer key"}) as http:

        async def call_server(server: FakeHelpCrunch, what: str, body: Any = None) -> tuple[int, Any]:
            method, _, path = what.partition(" ")
            sent = body if isinstance(body, bytes | None) else json.dumps(body).encode()
            async with http.request(method, server.url + path, data=sent) as reply:
                is_json = reply.content_type == "application/json"
                return reply.status, await (reply.json() if is_json else reply.text())

        yield call_server
