"""The messages of the fake server, and what becomes of a chat by them."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from helpcrunch_async.testing import FakeHelpCrunch, Spelling

Call = Callable[..., Awaitable[tuple[int, Any]]]

ADA = {"id": 1, "name": "Ada", "email": "ada@example.com", "userId": "u1"}
TOMAS = {"id": 302, "name": "Tomas Berg", "email": "tomas@sandbox.example", "role": "superviser"}


class Clock:
    """Unix seconds that a test sets."""

    now = 1712054000.25

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def server(clock: Clock) -> AsyncIterator[FakeHelpCrunch]:
    async with FakeHelpCrunch([ADA], chats=[{"id": 8, "customer": 1}], wall_clock=clock) as running:
        yield running


async def test_an_agents_message(server: FakeHelpCrunch, call: Call) -> None:
    """The answer has no `markdownText`: the markdown is the text."""
    status, message = await call(
        server,
        "POST /messages",
        {"chat": 8, "text": "Done", "markdownText": "**Done**", "agent": 302, "type": "message"},
    )
    assert status == 200
    assert message == {
        "id": message["id"],
        "agent": TOMAS,
        "type": "message",
        "text": "**Done**",
        "read": False,
        "createdAt": "1712054000",
        "updatedAt": "1712054000",
        "edited": False,
        "broadcastType": None,
        "chat": 8,
        "from": "agent",
    }
    assert server.messages(8) == [message]


@pytest.mark.parametrize("more", [{}, {"agent": None, "markdownText": None}], ids=["left out", "null"])
async def test_without_an_agent_the_customer_speaks(
    server: FakeHelpCrunch, call: Call, more: dict[str, Any]
) -> None:
    """Left out or null; clients in use send null."""
    _, message = await call(server, "POST /messages", {"chat": 8, "text": "Hi", "type": "message", **more})
    assert (message["agent"], message["from"], message["text"]) == (None, "customer", "Hi")


async def test_a_private_note_of_nobody(server: FakeHelpCrunch, call: Call) -> None:
    """Clients in use send it; it comes from the agents' side all the same."""
    status, note = await call(server, "POST /messages", {"chat": "8", "text": "n", "type": "private"})
    assert (status, note["type"], note["agent"], note["from"]) == (200, "private", None, "agent")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, ["chat", "text", "type"]),
        ({"chat": 8, "text": " ", "type": "message"}, ["text"]),
        ({"chat": 8, "text": 5, "type": "message"}, ["text"]),
        ({"chat": 8, "text": "Hi", "type": "email"}, ["type"]),
        ({"chat": 8, "text": "Hi", "type": ["message"]}, ["type"]),
        ({"chat": 8, "text": "Hi", "type": "message", "agent": 9}, ["agent"]),
        ({"chat": 8, "text": "Hi", "type": "message", "agent": "Tomas"}, ["agent"]),
        ({"chat": 8, "text": "Hi", "type": "message", "markdownText": 5}, ["markdownText"]),
        ({"chat": 8.5, "text": "Hi", "type": "message"}, ["chat"]),
    ],
    ids=str,
)
async def test_what_a_message_needs(
    server: FakeHelpCrunch, call: Call, given: dict[str, Any], expected: list[str]
) -> None:
    """A chat, a text, one of two types; e-mails cannot be sent."""
    status, body = await call(server, "POST /messages", given)
    assert (status, [item["code"] for item in body["errors"]]) == (400, ["invalid_request", *expected])
    assert server.messages(8) == []
    async with FakeHelpCrunch([ADA], chats=[{"id": 8, "customer": 1}], spelling="old") as old:
        _, body = await call(old, "POST /messages", given)
        assert [item["code"] for item in body["errors"]] == [f"invalid_{name}_value" for name in expected]


async def test_newest_first(server: FakeHelpCrunch, clock: Clock, call: Call) -> None:
    """By the moment, then by id, whatever order is asked for; page by page, the total beside `data`."""
    for index in range(5):
        clock.now += index % 2
        server.add_message({"id": 50 + index, "chat": 8, "text": str(index)})
    old = server.add_message({"chat": 8, "text": "old", "createdAt": 100})
    for query, expected in (
        ("", [54, 53, 52, 51, 50, old]),
        ("?limit=2&offset=1", [53, 52]),
        ("?sort=createdAt&order=asc&limit=1", [54]),
        ("?offset=6", []),
    ):
        status, page = await call(server, f"GET /chats/8/messages{query}")
        assert (status, [row["id"] for row in page["data"]], page["total"]) == (200, expected, 6)
    status, body = await call(server, "GET /chats/8/messages?limit=101")
    assert (status, body["errors"][1]["code"]) == (400, "limit")


async def test_the_old_spelling(clock: Clock, call: Call) -> None:
    """Milliseconds, and less of an agent."""
    async with FakeHelpCrunch(
        [ADA], chats=[{"id": 8, "customer": 1}], spelling="old", wall_clock=clock
    ) as server:
        _, message = await call(
            server, "POST /messages", {"chat": 8, "text": "Hi", "type": "message", "agent": 302}
        )
        assert message["createdAt"] == "1712054000.250"
        assert message["agent"] == {"id": 302, "name": "Tomas Berg"}


@pytest.mark.parametrize(
    ("message", "old", "new"),
    [
        ({}, None, "1712054000"),
        ({"createdAt": 100.5}, None, "100"),
        ({"createdAt": 100.5, "updatedAt": 200.25}, None, "200"),
        ({"createdAt": 100.5, "updatedAt": 200.25, "edited": True}, "200.250", "200"),
        ({"createdAt": 100.5, "edited": True}, "100.500", "100"),
    ],
    ids=str,
)
async def test_when_a_message_was_updated(
    clock: Clock, message: dict[str, Any], old: str | None, new: str
) -> None:
    """The old spelling says so of edited ones only, the new one of all: when they came, or were edited."""
    spellings: dict[Spelling, str | None] = {"old": old, "new": new}
    for spelling, expected in spellings.items():
        server = FakeHelpCrunch([ADA], chats=[{"id": 8, "customer": 1}], spelling=spelling, wall_clock=clock)
        server.add_message({"chat": 8, "text": "Hi", **message})
        assert server.messages(8)[0]["updatedAt"] == expected


async def test_messages_that_no_page_describes(server: FakeHelpCrunch) -> None:
    """As clients have met them: what the system says, a HelpBot without a name, what a chatbot collects."""
    server.add_message({"chat": 8, "type": "tech", "text": "request_rating", "agent": 2})
    server.add_message({"chat": 8, "type": "tech", "text": "resolution_time"})
    server.add_message({"chat": 8, "type": "tech", "text": "chat_status_changed", "agent": 302})
    collected = {"type": "dataCollectionReply", "text": None, "parameters": {"value": "ada@example.com"}}
    server.add_message({"chat": 8, **collected})
    server.add_message({"chat": 8, "text": "Hi, I am a bot", "agent": 2})
    bot, reply, changed, resolved, rating = server.messages(8)
    assert bot["agent"]["name"] == "HelpBot"
    assert (reply | collected, reply["agent"], reply["from"]) == (reply, None, "customer")
    assert (changed["agent"], changed["from"]) == (TOMAS, "agent")
    assert (resolved["agent"], resolved["from"]) == (None, "agent")
    assert rating["agent"] == {"id": 2, "name": None, "email": "bot@sandbox.example", "role": "admin"}


@pytest.mark.parametrize(
    ("before", "who", "after"),
    [
        ("empty", {}, "new"),
        ("empty", {"agent": 302}, "opened"),
        ("new", {}, "new"),
        ("new", {"agent": 302}, "opened"),
        ("pending", {}, "pending"),
        ("pending", {"agent": 302}, "pending"),
        ("on-hold", {"agent": 302}, "on-hold"),
        ("closed", {}, "opened"),
        ("closed", {"agent": 302}, "closed"),
        ("empty", {"type": "private"}, "empty"),
        ("closed", {"type": "tech", "agent": 2}, "closed"),
    ],
    ids=str,
)
async def test_the_status_follows(
    server: FakeHelpCrunch, before: str, who: dict[str, Any], after: str
) -> None:
    """From who said something; the documentation does not say how, the module does."""
    closed = {"closedAt": 5, "closedBy": "agent"} if before == "closed" else {}
    server.add_chat({"id": 8, "customer": 1, "status": before, **closed})
    server.add_message({"chat": 8, "text": "Hi", **who})
    chat = server.chat(8)
    assert chat["status"] == after
    assert (chat["closedAt"], chat["closedBy"]) == (("5", "agent") if after == "closed" else (None, None))


async def test_the_last_message_follows(server: FakeHelpCrunch, clock: Clock, call: Call) -> None:
    """When, what, by whom; an older message and a private one do not count as the last."""
    begun = clock.now
    said = server.add_message({"chat": 8, "text": "Hi"})
    chat = server.chat(8)
    assert (chat["lastMessageAt"], chat["lastMessageText"], chat["lastMessageId"]) == (
        "1712054000",
        "Hi",
        said,
    )
    assert (chat["lastCustomerMessageAt"], chat["agents"], chat["lastCommunicatedAgentId"]) == (
        "1712054000",
        [],
        None,
    )
    clock.now += 60
    answered = server.add_message({"chat": 8, "text": "Hello", "agent": 302})
    server.add_message({"chat": 8, "text": "psst", "agent": 303, "type": "private"})
    server.add_message({"chat": 8, "text": "before", "agent": 301, "createdAt": begun - 5})
    server.add_message({"chat": 8, "text": "before", "agent": 302, "createdAt": begun - 5})
    chat = server.chat(8)
    assert (chat["lastMessageAt"], chat["lastMessageText"], chat["lastMessageId"]) == (
        "1712054060",
        "Hello",
        answered,
    )
    assert (chat["lastCustomerMessageAt"], chat["lastCommunicatedAgentId"]) == ("1712054000", 302)
    assert [agent["id"] for agent in chat["agents"]] == [302, 301]
    condition = {"field": "chats.updatedAt", "operator": ">=", "value": 1712054060}
    assert (await call(server, "POST /chats/search", {"filter": [condition]}))[1]["total"] == 1


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"chat": 9},
        {"chat": 8, "agent": 9},
        {"chat": 8, "agent": "Tomas"},
        {"chat": 8, "createdAt": "now"},
    ],
    ids=str,
)
async def test_a_message_that_cannot_be(server: FakeHelpCrunch, message: dict[str, Any]) -> None:
    """Refused at once where a test fills the account."""
    with pytest.raises(ValueError, match=r"chat|agent|id|createdAt"):
        server.add_message(message)
    with pytest.raises(KeyError):
        server.messages(9)


@pytest.mark.parametrize("spelling", ["old", "new"])
async def test_what_was_given_out_can_be_put_in(spelling: Spelling) -> None:
    """A message in either spelling, unknown fields too."""
    server = FakeHelpCrunch([ADA], chats=[{"id": 8, "customer": 1}], spelling=spelling)
    given = {
        "chat": 8,
        "agent": 302,
        "text": "Hi",
        "type": "email",
        "broadcastType": "auto email",
        "mood": "good",
    }
    message_id = server.add_message({**given, "createdAt": "1594139170.913", "updatedAt": None})
    shown = server.messages(8)[0]
    assert shown | {"agent": 302} == shown | given | {"agent": 302}
    assert shown["createdAt"] == ("1594139170" if spelling == "new" else "1594139170.913")
    assert server.add_message(shown) == message_id
    assert server.messages(8) == [shown]
