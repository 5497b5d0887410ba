"""Every fault of the fake server, as it looks on the wire."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import cast, get_args

import aiohttp
import pytest

from helpcrunch_async.testing import FakeHelpCrunch, Fault, RollingLog

PATH = "/customers/8737843"
QUICK = aiohttp.ClientTimeout(total=0.3)


@pytest.fixture
async def server() -> AsyncIterator[FakeHelpCrunch]:
    async with FakeHelpCrunch(3) as running:
        yield running


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(headers={"Authorization": "Bearer key"}) as session:
        yield session


async def on_the_wire(server: FakeHelpCrunch, *, seconds: float = 0.3) -> tuple[bytes, str]:
    """What a bare socket receives for one GET, and how it ended: "closed", "reset" or "silent"."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(f"GET /v1{PATH} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer key\r\n\r\n".encode())
    received, ended = b"", "silent"
    try:
        async with asyncio.timeout(seconds):
            while chunk := await reader.read(65536):
                received += chunk
            ended = "closed"
    except TimeoutError:
        pass
    except ConnectionResetError:
        ended = "reset"
    writer.transport.abort()
    return received, ended


def body_of(received: bytes) -> tuple[int, bytes]:
    """The `Content-Length` that was promised, and the body that came."""
    head, _, body = received.partition(b"\r\n\r\n")
    lengths = [line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    return int(lengths[0].split(b":")[1]), body


@pytest.mark.parametrize(
    ("fault", "status", "content_type"),
    [
        ("400", 400, "application/json"),
        ("403", 403, "application/json"),
        ("409", 409, "application/json"),
        ("429", 429, "application/json"),
        ("500", 500, "application/json"),
        ("502", 502, "text/html"),
        ("503", 503, "text/html"),
        ("504", 504, "text/html"),
        ("html", 200, "text/html"),
        ("bad_json", 200, "application/json"),
        ("empty", 200, "application/json"),
        ("redirect", 307, "text/html"),
    ],
)
async def test_whole_answers(
    server: FakeHelpCrunch, http: aiohttp.ClientSession, fault: Fault, status: int, content_type: str
) -> None:
    """The status and the kind of body; the connection stays usable and the next request is served."""
    server.fail_next(1, fault)
    async with http.get(server.url + PATH, allow_redirects=False) as reply:
        assert (reply.status, reply.content_type) == (status, content_type)
        await reply.read()
    async with http.get(server.url + PATH) as reply:
        assert reply.status == 200
    assert [(request.status, request.fault) for request in server.requests] == [(status, fault), (200, None)]


async def test_bad_json_is_not_json(server: FakeHelpCrunch, http: aiohttp.ClientSession) -> None:
    """The length is right, the JSON is not."""
    server.fail_next(1, "bad_json")
    async with http.get(server.url + PATH) as reply:
        with pytest.raises(json.JSONDecodeError):
            await reply.json()


async def test_empty_is_empty(server: FakeHelpCrunch, http: aiohttp.ClientSession) -> None:
    """A 200 and not one byte."""
    server.fail_next(1, "empty")
    async with http.get(server.url + PATH) as reply:
        assert await reply.read() == b""


async def test_an_ordered_429_has_the_documented_body(http: aiohttp.ClientSession) -> None:
    """It looks like a refusal by the rate rule, which is not asked."""
    async with FakeHelpCrunch(rate_rule=RollingLog(1, 60.0), retry_after=True) as server:
        server.fail_next(1, "429")
        async with http.get(server.url + PATH) as reply:
            assert [item["code"] for item in (await reply.json())["errors"]] == [
                "invalid_request",
                "too_many_requests",
            ]
            assert reply.headers["Retry-After"] == "1"
        async with http.get(server.url + PATH) as reply:
            assert reply.status == 200
        assert (server.accepted, server.rejected) == (1, 1)


async def test_who_follows_a_redirect_is_on_record(
    server: FakeHelpCrunch, http: aiohttp.ClientSession
) -> None:
    """The other place is a path of the same server, and not there."""
    server.fail_next(1, "redirect")
    async with http.get(server.url + PATH) as reply:
        assert reply.status == 404
    assert [request.path for request in server.requests] == [PATH, "/redirected"]


@pytest.mark.parametrize(
    ("fault", "ending"), [("disconnect", "closed"), ("reset", "reset"), ("hang", "silent")]
)
async def test_no_answer_at_all(server: FakeHelpCrunch, fault: Fault, ending: str) -> None:
    """Not one byte, and each ends in its own way."""
    server.fail_next(1, fault)
    assert await on_the_wire(server) == (b"", ending)
    assert [(request.status, request.fault) for request in server.requests] == [(None, fault)]
    assert server.accepted == 0


@pytest.mark.parametrize(("fault", "ending"), [("truncate", "closed"), ("stall_body", "silent")])
async def test_half_of_the_body(server: FakeHelpCrunch, fault: Fault, ending: str) -> None:
    """The head promises the whole true answer; half of it comes."""
    server.fail_next(1, fault)
    received, ended = await on_the_wire(server)
    promised, body = body_of(received)
    assert ended == ending
    assert len(body) == promised // 2
    assert body.startswith(b'{"id":8737843')
    assert server.accepted == 1


async def test_a_truncated_body_is_an_error_in_aiohttp(
    server: FakeHelpCrunch, http: aiohttp.ClientSession
) -> None:
    """The status says 200, reading fails."""
    server.fail_next(1, "truncate")
    async with http.get(server.url + PATH) as reply:
        assert reply.status == 200
        with pytest.raises(aiohttp.ClientPayloadError):
            await reply.read()


async def test_a_slow_drip_keeps_dripping(server: FakeHelpCrunch) -> None:
    """Never silent for long, never done: a few bytes in half a second."""
    server.fail_next(1, "slow_drip")
    received, ended = await on_the_wire(server, seconds=0.5)
    promised, body = body_of(received)
    assert ended == "silent"
    assert promised > 1000
    assert 2 <= len(body) <= 6


async def test_a_slow_drip_ends_with_the_whole_body(http: aiohttp.ClientSession) -> None:
    """Patience is rewarded."""
    async with FakeHelpCrunch([]) as server:
        server.fail_next(1, "slow_drip")
        async with http.get(f"{server.url}/customers") as reply:
            assert await reply.json() == {"data": [], "total": 0}


async def test_a_client_that_gives_up_frees_the_hanging_request(
    server: FakeHelpCrunch, http: aiohttp.ClientSession
) -> None:
    """Nothing stays behind on the server until it closes."""
    before = len(asyncio.all_tasks())
    server.fail_next(5, "hang")
    for _ in range(5):
        with pytest.raises(TimeoutError):
            async with http.get(server.url + PATH, timeout=QUICK):
                pass
    await asyncio.sleep(0.05)
    assert len(asyncio.all_tasks()) == before


async def test_faults_strike_in_the_order_given(server: FakeHelpCrunch, http: aiohttp.ClientSession) -> None:
    """Several orders are worked off in turn."""
    server.fail_next(2, "503")
    server.fail_next(1, "500")
    statuses = []
    for _ in range(4):
        async with http.get(server.url + PATH) as reply:
            statuses.append(reply.status)
    assert statuses == [503, 503, 500, 200]


async def test_faults_for_some_requests_only(server: FakeHelpCrunch, http: aiohttp.ClientSession) -> None:
    """Others pass and do not use the order up."""
    server.fail_next(1, "500", path="/customers/1*")
    server.fail_next(1, "503", method="post")
    async with http.get(server.url + PATH) as reply:
        assert reply.status == 200
    async with http.post(f"{server.url}/customers/search", json={}) as reply:
        assert reply.status == 503
    async with http.get(f"{server.url}/customers/17") as reply:
        assert reply.status == 500
    async with http.get(f"{server.url}/customers/17") as reply:
        assert reply.status == 404


async def test_a_wrong_key_uses_no_fault_up(server: FakeHelpCrunch, http: aiohttp.ClientSession) -> None:
    """The key comes first."""
    server.fail_next(1, "500")
    async with http.get(server.url + PATH, headers={"Authorization": "Bearer x"}) as reply:
        assert reply.status == 401
    async with http.get(server.url + PATH) as reply:
        assert reply.status == 500


async def test_forget_drops_what_is_on_order(server: FakeHelpCrunch, http: aiohttp.ClientSession) -> None:
    """A clean slate between two parts of a test."""
    server.fail_next(5, "500")
    server.forget()
    async with http.get(server.url + PATH) as reply:
        assert reply.status == 200


async def test_nonsense_is_refused(server: FakeHelpCrunch) -> None:
    """At once, and the message helps."""
    with pytest.raises(ValueError, match=r"unknown fault '418'; there are 400, 403, 409, 429"):
        server.fail_next(1, cast("Fault", "418"))
    with pytest.raises(ValueError, match="count"):
        server.fail_next(0, "500")
    with pytest.raises(ValueError, match="slash"):
        server.fail_next(1, "500", path="customers")


async def test_every_fault_leaves_the_server_well(server: FakeHelpCrunch) -> None:
    """One after the other, then a plain request: quick and whole."""
    for fault in get_args(Fault):
        server.fail_next(1, fault)
        await on_the_wire(server, seconds=0.05)
    started = time.monotonic()
    received, _ = await on_the_wire(server, seconds=0.1)
    promised, body = body_of(received)
    assert len(body) == promised
    assert time.monotonic() - started < 1.0
