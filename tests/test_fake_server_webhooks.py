"""The webhooks of the fake server: what is told, how it is signed, and what becomes of what nobody takes."""

import asyncio
import hashlib
import hmac
import json
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import UUID

import aiohttp
import pytest
from aiohttp import web

from helpcrunch_async.testing import (
    SIGNATURE_HEADER,
    WEBHOOK_EVENTS,
    FakeHelpCrunch,
    signed_webhook,
)

Call = Callable[..., Awaitable[tuple[int, Any]]]

KEY = "a signing key"
NOW = 1638900586.915
ADA: dict[str, Any] = {
    "id": 1,
    "name": "Ada",
    "email": "ada@example.com",
    "userId": "u1",
    "customData": [{"property": "Plan", "value": "team"}],
}
ADA_IN_CHAT = {"id": 1, "name": "Ada", "email": "ada@example.com", "userId": "u1"}
ADA_HERSELF = ADA_IN_CHAT | {"unsubscribed": False, "customData": {"Plan": "team"}}
CHAT = {"id": 8, "customer": 1, "status": "opened", "createdAt": NOW, "applicationId": 2, "department": 41}


class Receiver:
    """A bot's endpoint: keeps what it gets, and answers as it is told."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        self.statuses: list[int] = []
        """For the next ones; 200 after them."""
        self.url = ""

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        self.bodies.append(await request.read())
        self.headers.append(dict(request.headers))
        return web.Response(status=self.statuses.pop(0) if self.statuses else 200)

    @property
    def envelopes(self) -> list[dict[str, Any]]:
        return [json.loads(body) for body in self.bodies]

    @property
    def events(self) -> list[str]:
        return [envelope["event"] for envelope in self.envelopes]


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    running = Receiver()
    runner = web.ServerRunner(web.Server(running.answer))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    running.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    yield running
    await runner.cleanup()


@pytest.fixture
async def server(receiver: Receiver) -> AsyncIterator[FakeHelpCrunch]:
    async with FakeHelpCrunch([ADA], chats=[CHAT], wall_clock=lambda: NOW) as running:
        running.send_webhooks_to(receiver.url, KEY, retry_delay=0.0)
        yield running


async def test_a_webhook_as_it_comes(server: FakeHelpCrunch, receiver: Receiver) -> None:
    """The documented envelope, signed over the raw body in lower-case hex."""
    server.add_message({"chat": 8, "text": "Дякую"})
    await server.webhooks_settled()
    [body], [headers] = receiver.bodies, receiver.headers
    assert headers[SIGNATURE_HEADER] == hmac.new(KEY.encode(), body, hashlib.sha1).hexdigest()
    assert (headers["Accept"], headers["Content-Type"]) == ("application/json", "application/json")
    [envelope] = receiver.envelopes
    assert envelope == {
        "event": "message.chat.customer",
        "eventData": {
            "chat_id": 8,
            "agent": None,
            "customer": ADA_IN_CHAT,
            "message": {
                "id": server.messages(8)[0]["id"],
                "applicationId": 2,
                "broadcastType": None,
                "createdAt": "1638900586.915",
                "updatedAt": "1638900586.915",
                "edited": False,
                "read": False,
                "text": "Дякую",
            },
        },
        "attempts": 0,
        "lastAttemptAt": 1638900586,
        "createdAt": 1638900586,
        "id": envelope["id"],
    }
    assert str(UUID(envelope["id"])) == envelope["id"]


def test_a_webhook_without_a_server() -> None:
    """The same, for the test of a receiver alone; times, id and attempts may be chosen."""
    body, headers = signed_webhook(
        "chat.closed",
        {"chat_id": 8},
        KEY,
        webhook_id="an id",
        attempts=2,
        created_at=5.9,
        last_attempt_at=8.1,
    )
    assert json.loads(body) == {
        "event": "chat.closed",
        "eventData": {"chat_id": 8},
        "attempts": 2,
        "lastAttemptAt": 8,
        "createdAt": 5,
        "id": "an id",
    }
    assert headers[SIGNATURE_HEADER] == hmac.new(KEY.encode(), body, hashlib.sha1).hexdigest()
    body, _ = signed_webhook("chat.closed", {"chat_id": 8}, KEY, data_as_string=True)
    envelope = json.loads(body)
    assert json.loads(envelope["eventData"]) == {"chat_id": 8}
    assert abs(envelope["createdAt"] - time.time()) < 60
    assert envelope["lastAttemptAt"] == envelope["createdAt"]


@pytest.mark.parametrize(
    ("what", "given", "events"),
    [
        ("POST /customers", {}, ["customer.new"]),
        ("PATCH /customers/1", {"name": "Ada L."}, []),
        ("PATCH /customers/1", {"email": "new@example.com"}, ["customer.email_updated"]),
        ("PUT /customers/1", {"name": "Ada"}, ["customer.email_updated"]),
        ("PUT /customers/1/tags", {"tags": [{"name": "vip"}]}, ["customer.tags_changed"]),
        ("DELETE /customers/1/tags", {"tags": [{"name": "vip"}]}, []),
        ("PATCH /customers/1", {"unsubscribed": True}, ["customer.unsubscribed"]),
        ("PATCH /customers/1", {"unsubscribed": False}, []),
        ("PUT /customers/batch", [{"customer": 1, "blocked": True}], ["customer.blocked"]),
        ("PATCH /customers/1", {"blocked": 7}, []),
        ("DELETE /customers/1", None, ["customer.deleted"]),
        ("POST /events", {"customer": 1, "name": "x"}, []),
        ("POST /chats", {"customer": 1, "application": 1}, ["chat.new"]),
        ("PUT /chats/status", {"id": 8, "status": "on hold"}, ["chat.status_updated"]),
        ("PUT /chats/status", {"id": 8, "status": "open"}, []),
        ("PUT /chats/status", {"id": 8, "status": "closed"}, ["chat.status_updated", "chat.closed"]),
        ("PUT /chats/assignee", {"id": 8, "assignee": 301}, ["chat.assigned"]),
        ("PUT /chats/assignee", {"id": 8, "assignee": None}, []),
        ("PUT /chats/department", {"id": 8, "department": 42}, []),
        ("PUT /chats/snooze", {"id": 8, "snoozedUntil": 1800000000}, ["chat.snoozed"]),
        ("PUT /chats/snooze", {"id": 8, "snoozedUntil": None}, []),
        ("PUT /chats/readByAgent", {"id": 8, "read": True}, []),
        ("POST /messages", {"chat": 8, "text": "Hi", "type": "message"}, ["message.chat.customer"]),
        (
            "POST /messages",
            {"chat": 8, "text": "Hi", "type": "message", "agent": 301},
            ["message.chat.agent"],
        ),
        ("POST /messages", {"chat": 8, "text": "Hi", "type": "private", "agent": 301}, ["message.private"]),
        ("GET /chats", None, []),
    ],
    ids=str,
)
async def test_what_is_told(
    *, server: FakeHelpCrunch, receiver: Receiver, call: Call, what: str, given: Any, events: list[str]
) -> None:
    """Each change by its name; what changes nothing, or was refused, is not told."""
    await call(server, what, given)
    await server.webhooks_settled()
    assert receiver.events == events


async def test_what_only_a_test_can_bring_about(
    server: FakeHelpCrunch, receiver: Receiver, call: Call
) -> None:
    """The rest of the twenty: after another, or by the methods of the server."""
    server.add_customer({**ADA, "unsubscribed": True, "blocked": True})
    server.add_customer(ADA)
    server.add_message({"chat": 8, "text": "Hi", "type": "email"})
    server.add_message({"chat": 8, "text": "Hi", "type": "email", "agent": 301})
    server.add_message({"chat": 8, "type": "tech", "agent": 2})
    await call(server, "PUT /chats/snooze", {"id": 8, "snoozedUntil": 1800000000})
    await call(server, "PUT /chats/snooze", {"id": 8, "snoozedUntil": None})
    await call(server, "PUT /chats/status", {"id": 8, "status": "closed"})
    await call(server, "PUT /chats/rate", {"id": 8, "rating": "great"})
    server.remove_customer(1)
    await server.webhooks_settled()
    assert receiver.events == [
        "customer.unsubscribed",
        "customer.blocked",
        "customer.subscribed",
        "customer.unblocked",
        "message.email.customer",
        "message.email.agent",
        "chat.snoozed",
        "chat.unsnoozed",
        "chat.status_updated",
        "chat.closed",
        "chat.rated",
        "customer.deleted",
    ]
    assert len(set(WEBHOOK_EVENTS)) == 20
    assert set(receiver.events) < set(WEBHOOK_EVENTS)


async def test_the_data_of_a_chat(server: FakeHelpCrunch, receiver: Receiver, call: Call) -> None:
    """`chat_id`, moments as strings with milliseconds, after the change."""
    server.add_message({"chat": 8, "text": "Hi", "agent": 302})
    await call(server, "PUT /chats/assignee", {"id": 8, "assignee": 301})
    await call(server, "PUT /chats/snooze", {"id": 8, "snoozedUntil": 1700000000})
    await server.webhooks_settled()
    assert receiver.envelopes[-1]["eventData"] == {
        "chat_id": 8,
        "communicatedAgents": [302],
        "customer": ADA_IN_CHAT,
        "closedBy": None,
        "status": "opened",
        "closedAt": None,
        "rating": None,
        "createdAt": "1638900586.915",
        "snoozedUntil": "1700000000.000",
        "applicationId": 2,
        "department": {"id": 41, "name": "Support"},
        "assignee": {"id": 301, "name": "Ines Adler", "email": "ines@sandbox.example", "role": "admin"},
    }


async def test_the_data_of_a_customer(server: FakeHelpCrunch, receiver: Receiver, call: Call) -> None:
    """As it was at that moment; custom data as an object, also for a deleted one."""
    await call(server, "PATCH /customers/1", {"email": "new@example.com"})
    await call(server, "DELETE /customers/1")
    server.add_message({"chat": 8, "text": "Hi", "agent": 302})
    await server.webhooks_settled()
    changed, deleted, said = (envelope["eventData"] for envelope in receiver.envelopes)
    assert changed == deleted == ADA_HERSELF | {"email": "new@example.com"}
    assert (said["customer"], said["agent"]["name"]) == (None, "Tomas Berg")


async def test_the_data_has_the_keys_of_the_samples(
    server: FakeHelpCrunch, receiver: Receiver, call: Call, sample: Callable[[str], bytes]
) -> None:
    """Whatever a sample shows is there."""
    await call(server, "PUT /chats/snooze", {"id": 8, "snoozedUntil": 1700000000})
    await call(server, "PATCH /customers/1", {"email": "new@example.com"})
    server.add_message({"chat": 8, "text": "Hi"})
    await server.webhooks_settled()
    names = ("chat-snoozed", "customer-email-updated", "message-chat-customer")
    for envelope, name in zip(receiver.envelopes, names, strict=True):
        shown = json.loads(sample(f"webhook-{name}.json"))
        assert envelope["event"] == shown["event"]
        assert envelope.keys() == shown.keys()
        assert envelope["eventData"].keys() >= shown["eventData"].keys()


async def test_only_what_was_asked_for(server: FakeHelpCrunch, receiver: Receiver) -> None:
    """Events can be chosen, and data come as a string."""
    server.send_webhooks_to(receiver.url, KEY, events=["customer.new"], data_as_string=True)
    server.add_customer({"id": 5})
    server.remove_customer(5)
    await server.webhooks_settled()
    assert receiver.events == ["customer.new"]
    assert json.loads(receiver.envelopes[0]["eventData"])["id"] == 5


async def test_what_happens_as_the_last_one_leaves_is_told(
    server: FakeHelpCrunch, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also while the connections of those before are being closed, when nothing else follows."""
    close = aiohttp.ClientSession.close

    async def close_late(session: aiohttp.ClientSession) -> None:
        if len(server.webhooks) == 1:
            server.remove_customer(5)
        await close(session)

    monkeypatch.setattr(aiohttp.ClientSession, "close", close_late)
    server.add_customer({"id": 5})
    await server.webhooks_settled()
    assert receiver.events == ["customer.new", "customer.deleted"]


async def test_an_attempt_that_fails_is_repeated(server: FakeHelpCrunch, receiver: Receiver) -> None:
    """With the same id, counting up; the next webhook waits for it."""
    receiver.statuses = [500, 302]
    server.add_customer({"id": 5})
    server.remove_customer(5)
    await server.webhooks_settled()
    assert receiver.events == ["customer.new"] * 3 + ["customer.deleted"]
    assert [envelope["attempts"] for envelope in receiver.envelopes] == [0, 1, 2, 0]
    assert len({envelope["id"] for envelope in receiver.envelopes}) == 2
    first, second = server.webhooks
    assert [attempt.status for attempt in first.attempts] == [500, 302, 200]
    assert [attempt.body for attempt in first.attempts] == receiver.bodies[:3]
    assert (first.delivered, second.delivered) == (True, True)
    assert {headers[SIGNATURE_HEADER] for headers in receiver.headers} == {
        attempt.headers[SIGNATURE_HEADER] for webhook in server.webhooks for attempt in webhook.attempts
    }


async def test_it_is_given_up_in_the_end(server: FakeHelpCrunch, receiver: Receiver) -> None:
    """After as many attempts as were asked for, then only by hand, counting on."""
    receiver.statuses = [500] * 2
    server.send_webhooks_to(receiver.url, KEY, max_attempts=2, retry_delay=0.0)
    server.add_customer({"id": 5})
    await server.webhooks_settled()
    [webhook] = server.webhooks
    assert (webhook.delivered, len(webhook.attempts)) == (False, 2)
    server.redeliver(webhook)
    server.redeliver(webhook)
    await server.webhooks_settled()
    assert [attempt.status for attempt in webhook.attempts] == [500, 500, 200, 200]
    assert [envelope["attempts"] for envelope in receiver.envelopes] == [0, 1, 2, 3]
    assert len({envelope["id"] for envelope in receiver.envelopes}) == 1


async def test_nobody_there(server: FakeHelpCrunch) -> None:
    """An attempt without an answer has no status, and bothers nobody."""
    server.send_webhooks_to(f"http://localhost:{_free_port()}/", KEY, retry_delay=0.0)
    server.add_customer({"id": 5})
    await server.webhooks_settled()
    [webhook] = server.webhooks
    assert [attempt.status for attempt in webhook.attempts] == [None] * 3
    server.forget()
    assert server.webhooks == []


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


async def test_closing_ends_the_delivery(receiver: Receiver) -> None:
    """At once, in whatever pause; what was behind goes out when the server opens again."""
    server = FakeHelpCrunch(0)
    server.send_webhooks_to(receiver.url, KEY, retry_delay=60.0)
    server.add_customer({"id": 5})
    assert receiver.bodies == []
    receiver.statuses = [500]
    async with server:
        while not receiver.bodies:  # noqa: ASYNC110 - a plain list, with nothing to wait on
            await asyncio.sleep(0.01)
        server.remove_customer(5)
        started = time.monotonic()
    assert time.monotonic() - started < 1.0
    assert [task for task in asyncio.all_tasks() if "send_all" in repr(task)] == []
    assert [webhook.delivered for webhook in server.webhooks] == [False, False]
    async with server:
        await server.webhooks_settled()
    assert receiver.events == ["customer.new", "customer.deleted"]


async def test_a_receiver_may_call_back(call: Call) -> None:
    """A bot answers from within its hook: the server serves it meanwhile."""
    async with FakeHelpCrunch([ADA], chats=[CHAT]) as server:

        async def bot(request: web.BaseRequest) -> web.StreamResponse:
            chat_id = json.loads(await request.read())["eventData"]["chat_id"]
            answer = {"chat": chat_id, "text": "Hello!", "type": "message", "agent": 2}
            assert (await call(server, "POST /messages", answer))[0] == 200
            return web.Response()

        runner = web.ServerRunner(web.Server(bot))
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
        server.send_webhooks_to(url, KEY, events=["message.chat.customer"])
        server.add_message({"chat": 8, "text": "Hi"})
        await server.webhooks_settled()
        assert [message["text"] for message in server.messages(8)] == ["Hello!", "Hi"]
        await runner.cleanup()


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example.com/",
        "http://192.168.1.1/",
        "http://localhost.example.com/",
        "http://127.0.0.1.example.com/",
        "http://127.0.0.1@example.com/",
        "ftp://127.0.0.1/",
        "127.0.0.1:80",
        "",
    ],
)
def test_webhooks_stay_on_this_machine(url: str) -> None:
    """Any other URL is refused, and nothing is sent."""
    with pytest.raises(ValueError, match="loopback"):
        FakeHelpCrunch(0).send_webhooks_to(url, KEY)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8000/x", "http://localhost", "http://[::1]:80/", "https://127.9.9.9/"]
)
def test_the_loopback_has_many_names(url: str) -> None:
    """Each is taken."""
    FakeHelpCrunch(0).send_webhooks_to(url, KEY)


def test_webhooks_that_cannot_be() -> None:
    """An unknown event, no key, no attempt, a negative pause, and nowhere to redeliver to."""
    server = FakeHelpCrunch(0)
    wrong: list[dict[str, Any]] = [
        {"events": ["chat.opened"]},
        {"signing_key": ""},
        {"max_attempts": 0},
        {"retry_delay": -1.0},
    ]
    for options in wrong:
        with pytest.raises(ValueError, match=r"chat.opened|signing_key|max_attempts|retry_delay"):
            server.send_webhooks_to("http://localhost", **{"signing_key": KEY, **options})
    other = FakeHelpCrunch(0)
    other.send_webhooks_to("http://localhost", KEY)
    other.add_customer({"id": 5})
    with pytest.raises(ValueError, match="where to send"):
        server.redeliver(other.webhooks[0])


def test_the_signing_key_is_in_no_repr() -> None:
    """Nor is it anywhere else that a log might show."""
    server = FakeHelpCrunch(0)
    server.send_webhooks_to("http://localhost", "whsec-7")
    server.add_customer({"id": 5})
    assert "whsec-7" not in repr((server.webhooks, server._webhooks.target))
