"""The examples run: each for real, over HTTP on the loopback, against a fake server."""

import asyncio
import gzip
import hmac
import importlib.util
import json
import logging
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
import uvicorn
from aiohttp import web
from fastapi import FastAPI

from helpcrunch_async import NO_RETRY, UNLIMITED, HelpCrunchClient, RateLimiter, RetryPolicy, ServerError
from helpcrunch_async.testing import (
    SIGNATURE_HEADER,
    FakeHelpCrunch,
    RollingLog,
    SearchBehaviour,
    documented_customer,
    generate_customers,
    signed_webhook,
)

EXAMPLES = Path(__file__).parents[1] / "examples"
QUICK = RetryPolicy(max_backoff=0.0)


def example(name: str) -> ModuleType:
    """Import one of the examples, which are files and no package."""
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # pydantic looks annotations up there
    try:
        spec.loader.exec_module(module)
    finally:
        del sys.modules[name]
    return module


# --- the web services

NewClient = Callable[[], HelpCrunchClient]


@asynccontextmanager
async def by_uvicorn(app: FastAPI) -> AsyncGenerator[str]:
    """Serve an application of FastAPI's; gives its URL."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="on"))
    serving = asyncio.create_task(server.serve([listener]))
    try:
        while not server.started:
            assert not serving.done()
            await asyncio.sleep(0.01)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving
        listener.close()


@asynccontextmanager
async def by_aiohttp(app: web.Application) -> AsyncGenerator[str]:
    """Serve an application of aiohttp's; gives its URL."""
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def fastapi_service(new_client: NewClient) -> AbstractAsyncContextManager[str]:
    """Serve the FastAPI example; gives its URL."""
    return by_uvicorn(example("fastapi_service").make_app(new_client))


def aiohttp_service(new_client: NewClient) -> AbstractAsyncContextManager[str]:
    """Serve the aiohttp example; gives its URL."""
    return by_aiohttp(example("aiohttp_service").make_app(new_client))


SERVICES = pytest.mark.parametrize("service", [fastapi_service, aiohttp_service])
Service = Callable[[NewClient], Any]


@pytest.fixture
async def server() -> AsyncGenerator[FakeHelpCrunch]:
    """A fake HelpCrunch."""
    async with FakeHelpCrunch() as opened:
        yield opened


def clients_of(server: FakeHelpCrunch, **options: Any) -> NewClient:
    """Make clients of a server, whose retries do not pause; they share no limiter unless given one."""
    made = {"retry": QUICK, "rate_limiter": RateLimiter(), **options}
    return lambda: HelpCrunchClient("key", base_url=server.url, **made)


@SERVICES
async def test_a_service_gives_a_customer(service: Service, server: FakeHelpCrunch) -> None:
    """As JSON, with the vendor's spelling."""
    async with (
        service(clients_of(server)) as url,
        aiohttp.ClientSession() as session,
        session.get(f"{url}/customers/8737843") as reply,
    ):
        assert reply.status == 200
        assert (await reply.json())["name"] == "Cindy Mindy"


@SERVICES
async def test_a_service_shares_one_client(service: Service, server: FakeHelpCrunch) -> None:
    """It is opened once, whatever many callers ask, and closed in the end."""
    made: list[HelpCrunchClient] = []

    def new_client() -> HelpCrunchClient:
        made.append(clients_of(server)())
        return made[-1]

    async with service(new_client) as url, aiohttp.ClientSession() as session:

        async def ask() -> int:
            async with session.get(f"{url}/customers/8737843") as reply:
                return reply.status

        assert await asyncio.gather(*(ask() for _ in range(20))) == [200] * 20
    assert len(made) == 1
    assert made[0]._shared.open is None


@SERVICES
@pytest.mark.parametrize(
    ("fault", "status"), [(None, 404), ("503", 502), ("html", 502), ("disconnect", 502)], ids=str
)
async def test_a_service_tells_errors(
    service: Service, server: FakeHelpCrunch, fault: Any, status: int
) -> None:
    """By the status, in words of its own."""
    if fault is not None:
        server.fail_next(10, fault)
    async with (
        service(clients_of(server)) as url,
        aiohttp.ClientSession() as session,
        session.get(f"{url}/customers/7") as reply,
    ):
        assert reply.status == status
        assert (await reply.json())["detail"] in ("no such customer", "HelpCrunch cannot be asked")


@SERVICES
async def test_a_service_says_when_to_come_back(service: Service, server: FakeHelpCrunch) -> None:
    """The second call is a minute away: refused at once, as 503 with Retry-After, and nothing is sent."""
    async with (
        service(clients_of(server, rate_limiter=RateLimiter(limit=1, period=60.0))) as url,
        aiohttp.ClientSession() as session,
    ):
        async with session.get(f"{url}/customers/8737843") as reply:
            assert reply.status == 200
        async with session.get(f"{url}/customers/8737843") as reply:
            assert reply.status == 503
            assert 50 <= int(reply.headers["Retry-After"]) <= 65
    assert len(server.requests) == 1


@SERVICES
async def test_a_service_passes_a_429_on(service: Service, server: FakeHelpCrunch) -> None:
    """Somebody else spent the budget: 503 as well, a second at least."""
    server.rate_rule = RollingLog(1, 60.0)
    server.rate_rule.hit(0.0)
    server.fail_next(1, "429")
    async with (
        service(clients_of(server, retry=NO_RETRY)) as url,
        aiohttp.ClientSession() as session,
        session.get(f"{url}/customers/8737843") as reply,
    ):
        assert reply.status == 503
        assert int(reply.headers["Retry-After"]) >= 1


@SERVICES
async def test_a_service_gives_up_in_time(service: Service, server: FakeHelpCrunch) -> None:
    """504, and the caller need not wait for HelpCrunch."""
    server.fail_next(1, "hang")

    class Hasty(HelpCrunchClient):
        def with_options(self, **options: Any) -> "Hasty":
            return super().with_options(**{**options, "deadline": 0.05})

    async with (
        service(lambda: Hasty("key", base_url=server.url, rate_limiter=RateLimiter())) as url,
        aiohttp.ClientSession() as session,
        session.get(f"{url}/customers/8737843") as reply,
    ):
        assert reply.status == 504


@SERVICES
@pytest.mark.parametrize("customer_id", ["0", "-1", "x", "1.5", "9" * 40])
async def test_a_service_refuses_what_is_no_id(
    service: Service, server: FakeHelpCrunch, customer_id: str
) -> None:
    """Itself: HelpCrunch does not hear of it."""
    async with (
        service(clients_of(server)) as url,
        aiohttp.ClientSession() as session,
        session.get(f"{url}/customers/{customer_id}") as reply,
    ):
        assert reply.status in (404, 422)
    assert server.requests == []


async def test_fastapi_looks_many_up(server: FakeHelpCrunch) -> None:
    """In one request of HelpCrunch's, and a second for whoever is missing."""
    ids = [row["id"] for row in generate_customers(50)]
    async with (
        fastapi_service(clients_of(server)) as url,
        aiohttp.ClientSession() as session,
        session.post(f"{url}/customers/lookup", json={"ids": [*ids, 7]}) as reply,
    ):
        told = await reply.json()
    assert [each["id"] for each in told["customers"]] == ids
    assert told["missing"] == [7]
    assert len(server.requests) == 2


@pytest.mark.parametrize("body", [{}, {"ids": [0]}, {"ids": ["x"]}, {"ids": list(range(1, 1_002))}], ids=repr)
async def test_fastapi_refuses_odd_look_ups(server: FakeHelpCrunch, body: Any) -> None:
    """Itself."""
    async with (
        fastapi_service(clients_of(server)) as url,
        aiohttp.ClientSession() as session,
        session.post(f"{url}/customers/lookup", json=body) as reply,
    ):
        assert reply.status == 422
    assert server.requests == []


async def test_fastapi_looks_nobody_up_in_an_outage(server: FakeHelpCrunch) -> None:
    """A failure is not taken for a customer who is missing."""
    server.fail_next(200, "503")
    async with (
        fastapi_service(clients_of(server)) as url,
        aiohttp.ClientSession() as session,
        session.post(f"{url}/customers/lookup", json={"ids": [8737843]}) as reply,
    ):
        assert reply.status == 502


async def test_aiohttp_streams_a_look_up(server: FakeHelpCrunch) -> None:
    """A line for each id, whatever becomes of it."""
    server.search = SearchBehaviour(answers_half=True)
    ids = [row["id"] for row in generate_customers(20)]
    async with (
        aiohttp_service(clients_of(server)) as url,
        aiohttp.ClientSession() as session,
        session.post(f"{url}/customers/lookup", json={"ids": [*ids, 7]}) as reply,
    ):
        lines = [json.loads(line) async for line in reply.content]
    assert {each["id"] for each in lines} == {*ids, 7}
    assert [each for each in lines if "error" in each] == [{"id": 7, "error": "NotFoundError"}]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"[]", 400),
        (b"{}", 400),
        (b'{"ids": 7}', 400),
        (b'{"ids": [true]}', 400),
        (json.dumps({"ids": list(range(1, 1_002))}).encode(), 413),
    ],
    ids=lambda value: repr(value)[:20],
)
async def test_aiohttp_refuses_odd_look_ups(server: FakeHelpCrunch, body: bytes, status: int) -> None:
    """Itself."""
    async with (
        aiohttp_service(clients_of(server)) as url,
        aiohttp.ClientSession() as session,
        session.post(f"{url}/customers/lookup", data=body) as reply,
    ):
        assert reply.status == status
    assert server.requests == []


# --- bodies that are not what their headers say, or not for the one who gets them

HOSTILE: dict[str, tuple[dict[str, str], bytes]] = {
    "gzip that is none": ({"Content-Encoding": "gzip"}, b"plain"),
    "deflate that is none": ({"Content-Encoding": "deflate"}, b"plain"),
    "gzip, cut": ({"Content-Encoding": "gzip"}, gzip.compress(b"plain" * 99)[:-9]),
    "gzip, empty": ({"Content-Encoding": "gzip"}, b""),
    "brotli that is none": ({"Content-Encoding": "br"}, b"plain"),
    "an unknown encoding": ({"Content-Encoding": "nonsense"}, b"plain"),
    "an unknown charset": ({"Content-Type": "application/json; charset=nonsense"}, b"plain"),
    "a charset that is none": ({"Content-Type": "application/json; charset=rot13"}, b"plain"),
    "a wrong charset": ({"Content-Type": "application/json; charset=utf-16"}, b"plain"),
    "bytes that are no text": ({}, bytes(range(256))),
    "bytes that are no text, said to be JSON": ({"Content-Type": "application/json"}, bytes(range(256))),
    "deeply nested": ({"Content-Type": "application/json"}, b"[" * 100_000),
    "a multipart form without parts": ({"Content-Type": "multipart/form-data"}, b"plain"),
    "a huge one": ({}, b"x" * (2 * 2**20)),
    "bad chunks": ({"Transfer-Encoding": "chunked"}, b"zz\r\nplain"),
    "a bad end of a chunk": ({"Transfer-Encoding": "chunked"}, b"5\r\nplainXX0\r\n\r\n"),
    "a negative length": ({"Content-Length": "-1"}, b"plain"),
    "a length that is no number": ({"Content-Length": "five"}, b"plain"),
    "a length beyond all bounds": ({"Content-Length": "9" * 30}, b"plain"),
    "a shorter length": ({"Content-Length": "2"}, b"plain"),
}
SIGNED_WITH = "a signing key"


async def answer_to(url: str, headers: dict[str, str], body: bytes, *, then_close: bool = False) -> int:
    """Post over a bare socket; gives the status, or 0 when the connection ends without one."""
    parts = urlsplit(url)
    assert parts.port is not None
    if not {"Content-Length", "Transfer-Encoding"} & headers.keys():
        headers = {**headers, "Content-Length": str(len(body))}
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        writer.write(f"POST {parts.path} HTTP/1.1\r\nHost: x\r\n{head}\r\n".encode() + body)
        if then_close:
            writer.write_eof()
        line = await reader.readline()
    finally:
        writer.close()
    return int(line.split()[1]) if line else 0


async def nothing_to_do(_: object) -> None:
    """Handle an event."""


def receiver_of(name: str, module: ModuleType) -> AbstractAsyncContextManager[str]:
    """Serve one of the examples that take webhooks."""
    app = module.make_app(SIGNED_WITH, nothing_to_do)
    return by_aiohttp(app) if name == "webhook_aiohttp" else by_uvicorn(app)


def signed(body: bytes) -> dict[str, str]:
    return {SIGNATURE_HEADER: hmac.new(SIGNED_WITH.encode(), body, "sha1").hexdigest()}


@pytest.mark.parametrize("what", HOSTILE)
@pytest.mark.parametrize("name", ["webhook_aiohttp", "webhook_fastapi"])
async def test_a_receiver_refuses_hostile_bodies(name: str, what: str) -> None:
    """As the sender's fault, whether the body is signed or not; the next webhook is taken all the same."""
    headers, body = HOSTILE[what]
    good, good_headers = signed_webhook("chat.new", {"chat_id": 7}, SIGNED_WITH)
    async with receiver_of(name, example(name)) as url:
        for signature in ({}, signed(body)):
            status = await answer_to(f"{url}/helpcrunch", {**headers, **signature}, body)
            assert 400 <= status < 500
        assert await answer_to(f"{url}/helpcrunch", good_headers, good) == 204


@SERVICES
@pytest.mark.parametrize("what", HOSTILE)
async def test_a_service_refuses_hostile_bodies(service: Service, server: FakeHelpCrunch, what: str) -> None:
    """As the caller's fault, and HelpCrunch does not hear of it."""
    headers, body = HOSTILE[what]
    async with service(clients_of(server)) as url:
        assert 400 <= await answer_to(f"{url}/customers/lookup", headers, body) < 500
        good = {"Content-Type": "application/json"}
        assert await answer_to(f"{url}/customers/lookup", good, b'{"ids": [8737843]}') == 200
    assert len(server.requests) == 1


@pytest.mark.parametrize("name", ["webhook_aiohttp", "webhook_fastapi"])
@pytest.mark.parametrize(
    ("headers", "body"),
    [({"Content-Length": "10"}, b"plain"), ({"Transfer-Encoding": "chunked"}, b"a\r\nplain")],
    ids=["a longer length", "a chunk that is cut"],
)
async def test_a_receiver_does_not_wait_for_ever(
    name: str,
    headers: dict[str, str],
    body: bytes,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """For the rest of a body: 408 when its time is up; a sender who leaves is not an error of ours."""
    module = example(name)
    async with receiver_of(name, module) as url:
        await answer_to(f"{url}/helpcrunch", headers, body, then_close=True)
        monkeypatch.setattr(module, "BODY_TIMEOUT", 0.05)
        assert await answer_to(f"{url}/helpcrunch", headers, body) == 408
    assert [each for each in caplog.records if each.levelno >= logging.ERROR] == []


# --- the bot


@pytest.fixture
async def desk() -> AsyncGenerator[FakeHelpCrunch]:
    """A fake HelpCrunch with one customer and no chats."""
    async with FakeHelpCrunch(customers=[documented_customer()]) as opened:
        yield opened


def new_chat(desk: FakeHelpCrunch, **fields: Any) -> int:
    return desk.add_chat({"customer": 8737843, "status": "new", **fields})


def texts_sent(desk: FakeHelpCrunch) -> list[tuple[int, str]]:
    """Every request that sends a message, answered or not: the chat, and the text."""
    bodies = [json.loads(each.body) for each in desk.requests if each.path == "/messages"]
    return [(body["chat"], body["text"]) for body in bodies]


HELLO = "Hello, Cindy Mindy! Somebody will be with you shortly."


async def test_the_bot_answers_each_new_chat_once(desk: FakeHelpCrunch) -> None:
    """Also when it goes round again; others' chats are left alone."""
    new = [new_chat(desk) for _ in range(3)]
    other = new_chat(desk, status="opened")
    async with clients_of(desk)() as client:
        bot = example("bot_loop").Bot(client, 301)
        assert await bot.round() == 3
        assert await bot.round() == 0
        for chat_id in new:
            [answer] = await client.list_messages(chat_id).to_list()
            assert answer.agent is not None
            assert (answer.text, answer.agent.id) == (HELLO, 301)
            assert (await client.get_chat(chat_id)).status == "pending"
        assert await client.list_messages(other).to_list() == []


async def test_the_bot_does_not_answer_twice_in_doubt(desk: FakeHelpCrunch) -> None:
    """The connection breaks behind a message: whether it arrived nobody knows, so it is not sent again."""
    chat_id = new_chat(desk)
    async with clients_of(desk)() as client:
        bot = example("bot_loop").Bot(client, 301)
        desk.fail_next(1, "truncate", method="POST", path="/messages")
        assert await bot.round() == 0
        assert await bot.round() == 0
    assert texts_sent(desk) == [(chat_id, HELLO)]


async def test_the_bot_tries_again_what_certainly_did_not_arrive(desk: FakeHelpCrunch) -> None:
    """In the next round."""
    chat_id = new_chat(desk)
    async with clients_of(desk, retry=NO_RETRY, rate_limiter=UNLIMITED)() as client:
        bot = example("bot_loop").Bot(client, 301)
        desk.fail_next(1, "429", method="POST", path="/messages")
        assert await bot.round() == 0
        assert await bot.round() == 1
    assert texts_sent(desk) == [(chat_id, HELLO)] * 2


async def test_the_bot_stops_when_told(desk: FakeHelpCrunch) -> None:
    """And survives rounds that fail, until then."""
    new_chat(desk)
    desk.fail_next(4, "503")
    stop = asyncio.Event()
    async with clients_of(desk)() as client:
        bot = example("bot_loop").Bot(client, 301)
        running = asyncio.create_task(bot.run(stop, pause=0.0))
        async with asyncio.timeout(20):
            while not texts_sent(desk):  # noqa: ASYNC110 - the server has no event for it
                await asyncio.sleep(0.01)
        stop.set()
        await running
    assert texts_sent(desk)[0][1] == HELLO


# --- the export


def lines_of(path: Path) -> list[int]:
    return [json.loads(line)["id"] for line in path.read_text(encoding="utf-8").splitlines()]


async def test_the_export_is_whole(tmp_path: Path) -> None:
    """Everybody once, in a file that appears at once."""
    out = tmp_path / "customers.jsonl"
    async with FakeHelpCrunch(customers=230) as server, clients_of(server)() as client:
        assert await example("nightly_export").export(client, out) == 230
    assert sorted(lines_of(out)) == sorted(row["id"] for row in generate_customers(230))
    assert not (tmp_path / "customers.jsonl.part").exists()


@pytest.mark.parametrize("cut", [0, 1, 40])
async def test_the_export_resumes_where_it_stopped(tmp_path: Path, cut: int) -> None:
    """Also when the last line is not whole, and customers have come and gone; nobody stands there twice."""
    module = example("nightly_export")
    out = tmp_path / "customers.jsonl"
    part = tmp_path / "customers.jsonl.part"
    async with FakeHelpCrunch(customers=1_000) as server, clients_of(server)() as client:
        server.fail_next(4, "503")
        with pytest.raises(ServerError):
            await module.export(client, out)
        assert not out.exists()
        assert part.read_bytes() == b""

        listed = client.list_customers(sort="firstSeen", order="asc")
        async with aclosing(listed.pages()) as pages:
            before = [row.id for _ in range(6) for row in (await anext(pages)).items]
            module.write_bookmark(tmp_path / "customers.jsonl.place", pages.bookmark)
            before += [row.id for row in (await anext(pages)).items]  # in the file, but not in the bookmark
        part.write_bytes(b"".join(json.dumps({"id": row_id}).encode() + b"\n" for row_id in before))
        if cut:
            part.write_bytes(part.read_bytes()[:-cut])
        for row_id in before[:50]:
            server.remove_customer(row_id)
        server.add_customer({"id": 42, "name": "Ada", "firstSeen": 1_900_000_000})
        server.forget()
        assert await module.export(client, out) == 1_001
        offsets = [int(each.query["offset"]) for each in server.requests]
        assert min(offsets) >= 490
    ids = lines_of(out)
    assert len(ids) == len(set(ids)) == 1_001
    assert 42 in ids
    assert not part.exists()
    assert not (tmp_path / "customers.jsonl.place").exists()


async def test_the_export_runs_as_a_program(tmp_path: Path, server: FakeHelpCrunch) -> None:
    """With the key and the URL of the environment; a wrong key is one line on stderr."""
    for key, status in (("key", 0), ("wrong", 1)):
        program = await asyncio.create_subprocess_exec(
            sys.executable,
            str(EXAMPLES / "nightly_export.py"),
            str(tmp_path / key),
            env={"HELPCRUNCH_API_KEY": key, "HELPCRUNCH_BASE_URL": server.url, "PATH": ""},
            stderr=subprocess.PIPE,
        )
        _, told = await program.communicate()
        assert (program.returncode, told.count(b"\n")) == (status, 1), told
    assert len(lines_of(tmp_path / "key")) == 100
