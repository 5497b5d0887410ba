"""Whatever is sent to the fake server, it answers as documented: never a 500, and nothing in the log."""

import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpcrunch_async.testing import FakeHelpCrunch, Spelling
from helpcrunch_async.testing.account import Account
from helpcrunch_async.testing.customers import CustomerBook
from helpcrunch_async.testing.resources import ROUTER
from helpcrunch_async.testing.routing import Call as RoutedCall

Call = Callable[..., Awaitable[tuple[int, Any]]]

WRITES = [
    "POST /customers/search",
    "POST /customers",
    "PUT /customers/8737843",
    "PATCH /customers/8737843",
    "PUT /customers/batch",
    "PUT /customers/8737843/tags",
    "DELETE /customers/8737843/tags",
    "POST /events",
    "POST /chats/search",
    "POST /chats",
    "PUT /chats/status",
    "PUT /chats/assignee",
    "PUT /chats/department",
    "PUT /chats/snooze",
    "PUT /chats/rate",
    "PUT /chats/readByAgent",
    "PUT /chats/readByCustomer",
    "POST /messages",
]
READS = [
    "GET /customers",
    "GET /customers/8737843",
    "GET /chats",
    "GET /chats/5001",
    "GET /chats/5001/messages",
    "GET /agents",
    "GET /agents/302/unsubscribe",
    "GET /departments",
    "GET /applications",
    "GET /organization",
    "DELETE /customers/8737843",
]


@pytest.fixture
async def server(caplog: pytest.LogCaptureFixture) -> AsyncIterator[FakeHelpCrunch]:
    with caplog.at_level(logging.DEBUG, "aiohttp"):
        async with FakeHelpCrunch(3) as running:
            yield running
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_there_are_29() -> None:
    """The whole API, each pair of method and path once."""
    assert len({*WRITES, *READS}) == 29


@pytest.mark.parametrize("what", [*WRITES, *READS])
async def test_every_endpoint_wants_the_key(server: FakeHelpCrunch, what: str) -> None:
    """A 401 without it, and with another; nothing happens."""
    method, _, path = what.partition(" ")
    before = server.customers, server.chats
    for headers in ({}, {"Authorization": "Bearer other"}):
        async with (
            aiohttp.ClientSession(headers=headers) as http,
            http.request(method, server.url + path, data=b"{}") as reply,
        ):
            assert reply.status == 401
    assert (server.customers, server.chats, server.unsubscribed_agents) == (*before, [])


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"7",
        b"null",
        b'"x"',
        b"\xff\xfe\xfd",
        b"[" * 100_000,
        b'{"name":' * 100_000,
        b'{"name": NaN}',
        b'{"firstSeen": 1e999}',
        b'{"name": "\\ud800"}',
        b'{"id": 1' + b"0" * 5000 + b"}",
    ],
    ids=range(12),
)
@pytest.mark.parametrize("what", WRITES)
async def test_a_body_that_is_no_object(server: FakeHelpCrunch, call: Call, what: str, body: bytes) -> None:
    """A 400 with the documented body."""
    status, answer = await call(server, what, body)
    assert (status, answer["errors"][0]["code"]) == (400, "invalid_request")


async def test_a_body_that_only_claims_to_be_compressed(server: FakeHelpCrunch) -> None:
    """Not JSON either."""
    headers = {"Authorization": "Bearer key", "Content-Encoding": "gzip"}
    async with (
        aiohttp.ClientSession(headers=headers) as http,
        http.post(f"{server.url}/customers", data=b"\x1f\x8bxxxx") as reply,
    ):
        assert reply.status == 400


@pytest.mark.parametrize("path", ["x", "0", "-1", "1.0", "99999999999999999999", "%F0%9F%A6%94", "%00"])
async def test_ids_that_are_none(server: FakeHelpCrunch, call: Call, path: str) -> None:
    """A 404 wherever an id stands in the path."""
    for what in (
        f"GET /customers/{path}",
        f"PATCH /customers/{path}",
        f"PUT /customers/{path}/tags",
        f"GET /chats/{path}",
        f"GET /chats/{path}/messages",
        f"GET /agents/{path}/unsubscribe",
    ):
        assert (await call(server, what, {}))[0] == 404, what


@pytest.mark.parametrize(
    "what",
    ["GET /events", "POST /chats/5001/messages", "PUT /chats/5001/status", "DELETE /chats/5001", "GET /tags"],
)
async def test_what_is_not_there_is_404(server: FakeHelpCrunch, call: Call, what: str) -> None:
    """Also what some clients made up."""
    assert (await call(server, what, {}))[0] == 404


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)
names = st.sampled_from(
    [
        *(
            "id",
            "customer",
            "application",
            "assignee",
            "department",
            "status",
            "snoozedUntil",
            "rating",
            "read",
        ),
        *("chat", "text", "type", "agent", "markdownText", "name", "data", "tags", "customData", "location"),
        *(
            "userId",
            "firstSeen",
            "blocked",
            "city",
            "filter",
            "comparison",
            "sort",
            "order",
            "limit",
            "offset",
        ),
    ]
)
likely = st.sampled_from(
    [1, 301, 5001, "5001", "closed", "message", [{"name": "vip"}], [{"property": "a", "value": 1}]]
)


@pytest.mark.parametrize("spelling", ["old", "new"])
@settings(max_examples=300)
@given(
    what=st.sampled_from(WRITES),
    document=st.dictionaries(names, likely | anything, max_size=6)
    | st.lists(anything, max_size=2)
    | anything,
)
def test_wrong_types_are_refused(spelling: Spelling, what: str, document: Any) -> None:
    """Any JSON at all gets a 2xx, a 400 or a 404, and what was taken can be answered."""
    account = Account(spelling, CustomerBook([{"id": 8737843}], spelling))
    method, _, path = what.partition(" ")
    answer = ROUTER.answer(account, RoutedCall(method, path, {}, json.dumps(document).encode()))
    assert answer.status in (200, 201, 400, 404)
    json.loads(answer.body)
    assert ROUTER.answer(account, RoutedCall("GET", "/customers", {}, b"")).status == 200
