"""The chats of the fake server: made, listed, changed, and what is refused."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from helpcrunch_async.testing import FakeHelpCrunch, Spelling

Call = Callable[..., Awaitable[tuple[int, Any]]]

NOW = 1712060000.25
CUSTOMERS: list[dict[str, Any]] = [
    {"id": 1, "name": "Ada", "email": "ada@example.com", "userId": "u1", "tags": [{"name": "vip"}]},
    {"id": 2, "name": "Bob", "email": "bob@example.com", "tags": [{"name": "vip"}, {"name": "Paid"}]},
]
CHATS: list[dict[str, Any]] = [
    {"id": 11, "customer": 1, "status": "new", "createdAt": 100, "lastMessageAt": 400, "updatedAt": 500},
    {
        "id": 12,
        "customer": 2,
        "status": "on hold",
        "createdAt": 200.5,
        "lastMessageAt": 300,
        "assignee": 301,
        "agents": [301, 302],
        "department": 41,
    },
    {
        "id": 13,
        "customer": 1,
        "status": "closed",
        "createdAt": "300",
        "closedAt": 500,
        "closedBy": "agent",
        "rating": "great",
        "agents": [302],
    },
    {"id": 14, "customer": None, "status": "no communication", "createdAt": 400, "lastCustomerMessageAt": 7},
]
INES = {"id": 301, "name": "Ines Adler", "email": "ines@sandbox.example", "role": "admin"}


@pytest.fixture
async def server() -> AsyncIterator[FakeHelpCrunch]:
    async with FakeHelpCrunch(CUSTOMERS, chats=CHATS, wall_clock=lambda: NOW) as running:
        yield running


def codes(body: Any) -> list[str]:
    """The codes of an error body in the new spelling, without the first, which says nothing."""
    assert body["errors"][0]["code"] == "invalid_request"
    return [item["code"] for item in body["errors"][1:]]


async def test_a_created_chat_is_empty(server: FakeHelpCrunch, call: Call) -> None:
    """201, and as the documentation shows one without messages; it is there from then on."""
    status, chat = await call(server, "POST /chats", {"customer": 1, "application": 2})
    assert status == 201
    assert chat == {
        "id": chat["id"],
        "closedBy": None,
        "lastCustomerMessageAt": None,
        "status": "empty",
        "closedAt": None,
        "rating": None,
        "createdAt": "1712060000",
        "lastMessageAt": None,
        "readByAgent": True,
        "readByCustomer": True,
        "createdWith": "public_api",
        "snoozedUntil": None,
        "lastMessageText": None,
        "lastMessageId": None,
        "applicationId": 2,
        "lastCommunicatedAgentId": None,
        "agents": [],
        "customer": {"id": 1, "name": "Ada", "email": "ada@example.com", "userId": "u1"},
        "assignee": None,
        "department": None,
    }
    assert await call(server, f"GET /chats/{chat['id']}") == (200, chat)
    assert (await call(server, "GET /chats"))[1]["meta"] == {"total": 5}
    assert server.chats[-1] == server.chat(chat["id"]) == chat


async def test_a_chat_can_begin_assigned(server: FakeHelpCrunch, call: Call) -> None:
    """Ids in a body may be numeric strings; null is as good as left out."""
    given = {"customer": "1", "application": 1, "assignee": "301", "department": 42}
    _, chat = await call(server, "POST /chats", given)
    assert (chat["assignee"], chat["department"]) == (INES, {"id": 42, "name": "Billing"})
    _, chat = await call(server, "POST /chats", given | {"assignee": None, "department": None})
    assert (chat["assignee"], chat["department"]) == (None, None)


async def test_the_old_chat_needs_no_application(call: Call) -> None:
    """It is answered 200, with numbers, `notes`, and without the newer fields."""
    async with FakeHelpCrunch(CUSTOMERS, spelling="old", wall_clock=lambda: NOW) as server:
        status, chat = await call(server, "POST /chats", {"customer": 1})
        assert (status, chat["createdAt"], chat["notes"]) == (200, 1712060000, None)
        assert not {"createdWith", "applicationId", "readByAgent", "readByCustomer"} & chat.keys()


@pytest.mark.parametrize(
    ("what", "given", "expected"),
    [
        ("POST /chats", {}, ["customer", "application"]),
        ("POST /chats", {"customer": 9, "application": 9}, ["application", "customer"]),
        ("POST /chats", {"customer": "Ada", "application": True}, ["customer", "application"]),
        (
            "POST /chats",
            {"customer": 1, "application": 1, "assignee": 9, "department": 9},
            ["assignee", "department"],
        ),
        ("PUT /chats/status", {}, ["id", "status"]),
        ("PUT /chats/status", {"id": 11, "status": "done"}, ["status"]),
        ("PUT /chats/status", {"id": 11, "status": ""}, ["status"]),
        ("PUT /chats/status", {"id": 11, "status": 5}, ["status"]),
        ("PUT /chats/status", {"id": 11, "status": "5"}, ["status"]),
        ("PUT /chats/status", {"id": 11, "snoozedUntil": "closed"}, ["status"]),
        ("PUT /chats/status", {"id": [11], "status": "closed"}, ["id"]),
        ("PUT /chats/assignee", {"id": 11}, ["assignee"]),
        ("PUT /chats/assignee", {"id": 11, "assignee": 9}, ["assignee"]),
        ("PUT /chats/assignee", {"id": 11, "assignee": "Ines"}, ["assignee"]),
        ("PUT /chats/department", {"id": 11}, ["department"]),
        ("PUT /chats/department", {"id": 11, "department": None}, ["department"]),
        ("PUT /chats/department", {"id": 11, "department": 9}, ["department"]),
        ("PUT /chats/snooze", {"id": 11}, ["snoozedUntil"]),
        ("PUT /chats/snooze", {"id": 11, "snoozedUntil": "tomorrow"}, ["snoozedUntil"]),
        ("PUT /chats/rate", {"id": 13}, ["rating"]),
        ("PUT /chats/rate", {"id": 13, "rating": "superb"}, ["rating"]),
        ("PUT /chats/rate", {"id": 13, "rating": ["great"]}, ["rating"]),
        ("PUT /chats/readByAgent", {"id": 11}, ["read"]),
        ("PUT /chats/readByAgent", {"id": 11, "read": "yes"}, ["read"]),
        ("PUT /chats/readByCustomer", {"read": True}, ["id"]),
    ],
    ids=str,
)
async def test_what_a_chat_refuses(
    server: FakeHelpCrunch, call: Call, what: str, given: dict[str, Any], expected: list[str]
) -> None:
    """A 400 that names every bad field, in both spellings; nothing changes."""
    before = server.chats
    status, body = await call(server, what, given)
    assert (status, sorted(codes(body))) == (400, sorted(expected))
    assert server.chats == before
    async with FakeHelpCrunch(CUSTOMERS, chats=CHATS, spelling="old") as old:
        _, body = await call(old, what, given)
        # There the application is optional; the rest has one code.
        assert {item["code"] for item in body["errors"]} == {"invalid_chat_value"}


@pytest.mark.parametrize(
    ("what", "body"),
    [
        ("GET /chats/9", None),
        ("GET /chats/9/messages", None),
        ("PUT /chats/status", {"id": 9, "status": "closed"}),
        ("PUT /chats/assignee", {"id": 9, "assignee": 301}),
        ("PUT /chats/department", {"id": 9, "department": 41}),
        ("PUT /chats/snooze", {"id": 9, "snoozedUntil": None}),
        ("PUT /chats/rate", {"id": 9, "rating": "great"}),
        ("POST /messages", {"chat": 9, "text": "Hi", "type": "message"}),
    ],
)
@pytest.mark.parametrize(
    ("spelling", "expected"), [("old", ["chat_not_found"]), ("new", ["invalid_request", "not_found"])]
)
async def test_no_such_chat_is_404(
    call: Call, what: str, body: Any, spelling: Spelling, expected: list[str]
) -> None:
    """In the documented words of each spelling."""
    async with FakeHelpCrunch(CUSTOMERS, chats=CHATS, spelling=spelling) as server:
        status, answer = await call(server, what, body)
        assert (status, [item["code"] for item in answer["errors"]]) == (404, expected)


@pytest.mark.parametrize("who", ["Agent", "Customer"])
async def test_the_404_that_is_misspelt(server: FakeHelpCrunch, call: Call, who: str) -> None:
    """The page of these two spells its code so."""
    status, body = await call(server, f"PUT /chats/readBy{who}", {"id": 9, "read": True})
    assert (status, codes(body)) == (404, ["not_fount"])


@pytest.mark.parametrize(
    ("given", "new", "old"),
    [
        ("opened", "opened", "opened"),
        ("open", "opened", "opened"),
        ("pending", "pending", "pending"),
        ("onhold", "on hold", "on-hold"),
        ("on hold", "on hold", "on-hold"),
        ("on-hold", "on hold", "on-hold"),
        ("On Hold", "on hold", "on-hold"),
        ("no communication", "no communication", "no communication"),
        ("nocommunication", "no communication", "no communication"),
        ("empty", "empty", "empty"),
        ("closed", "closed", "closed"),
    ],
)
async def test_a_status_in_any_spelling(call: Call, given: str, new: str, old: str) -> None:
    """Each is understood; what is answered is what the pages of that generation write."""
    spellings: tuple[tuple[Spelling, str], ...] = (("new", new), ("old", old))
    for spelling, expected in spellings:
        async with FakeHelpCrunch(CUSTOMERS, chats=CHATS, spelling=spelling) as server:
            status, chat = await call(server, "PUT /chats/status", {"id": 11, "status": given})
            assert (status, chat["status"]) == (200, expected)


async def test_closing_and_opening(server: FakeHelpCrunch, call: Call) -> None:
    """Closing says when and by whom; closing once more changes nothing; opening takes it back."""
    _, chat = await call(server, "PUT /chats/status", {"id": 11, "status": "closed"})
    assert (chat["closedAt"], chat["closedBy"]) == ("1712060000", "agent")
    _, chat = await call(server, "PUT /chats/status", {"id": 13, "status": "closed"})
    assert (chat["closedAt"], chat["rating"]) == ("500", "great")
    _, chat = await call(server, "PUT /chats/status", {"id": 13, "status": "opened"})
    assert (chat["closedAt"], chat["closedBy"], chat["rating"]) == (None, None, "great")


async def test_assigning(server: FakeHelpCrunch, call: Call) -> None:
    """To an agent, to another, to nobody; it does not make them one who took part."""
    _, chat = await call(server, "PUT /chats/assignee", {"id": 11, "assignee": 301})
    assert (chat["assignee"], chat["agents"]) == (INES, [])
    _, chat = await call(server, "PUT /chats/assignee", {"id": 11, "assignee": None})
    assert chat["assignee"] is None
    _, chat = await call(server, "PUT /chats/department", {"id": 11, "department": 42})
    assert chat["department"] == {"id": 42, "name": "Billing"}


@pytest.mark.parametrize("given", [1800000000, "1800000000", "1800000000.000"], ids=repr)
async def test_snoozing(call: Call, given: Any) -> None:
    """Until a moment in any spelling, and no longer; an old answer has milliseconds."""
    spellings: tuple[tuple[Spelling, str], ...] = (("new", "1800000000"), ("old", "1800000000.000"))
    for spelling, expected in spellings:
        async with FakeHelpCrunch(CUSTOMERS, chats=CHATS, spelling=spelling) as server:
            _, chat = await call(server, "PUT /chats/snooze", {"id": 12, "snoozedUntil": given})
            assert (chat["snoozedUntil"], chat["status"]) == (expected, "on hold")
            _, chat = await call(server, "PUT /chats/snooze", {"id": 12, "snoozedUntil": None})
            assert chat["snoozedUntil"] is None


@pytest.mark.parametrize("rating", ["perfect", "great", "average", "poor", "very poor"])
async def test_rating(server: FakeHelpCrunch, call: Call, rating: str) -> None:
    """Five values, for a closed chat."""
    status, chat = await call(server, "PUT /chats/rate", {"id": 13, "rating": rating})
    assert (status, chat["rating"]) == (200, rating)


@pytest.mark.parametrize("spelling", ["old", "new"])
async def test_only_a_closed_chat_is_rated(call: Call, spelling: Spelling) -> None:
    """The documented 400: one item, and its message alone tells."""
    async with FakeHelpCrunch(CUSTOMERS, chats=CHATS, spelling=spelling) as server:
        status, body = await call(server, "PUT /chats/rate", {"id": 11, "rating": "great"})
        assert (status, [item["code"] for item in body["errors"]]) == (400, ["invalid_request"])
        assert "closed" in body["errors"][0]["message"]


async def test_reading(server: FakeHelpCrunch, call: Call) -> None:
    """Either side on its own; the messages of the other side go with it."""
    said = server.add_message({"chat": 11, "text": "Hi"})
    answered = server.add_message({"chat": 11, "text": "Hello", "agent": 301})
    assert (server.chat(11)["readByAgent"], server.chat(11)["readByCustomer"]) == (False, False)
    _, chat = await call(server, "PUT /chats/readByAgent", {"id": 11, "read": True})
    assert (chat["readByAgent"], chat["readByCustomer"]) == (True, False)
    assert {row["id"]: row["read"] for row in server.messages(11)} == {said: True, answered: False}
    _, chat = await call(server, "PUT /chats/readByCustomer", {"id": 11, "read": True})
    assert chat["readByCustomer"]
    _, chat = await call(server, "PUT /chats/readByAgent", {"id": 11, "read": False})
    assert not chat["readByAgent"]


def ids(page: Any) -> list[int]:
    """The ids on a page, in its order."""
    return [row["id"] for row in page["data"]]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", [11, 12, 13, 14]),
        ("order=desc", [14, 13, 12, 11]),
        ("sort=chats.lastMessageAt", [13, 14, 12, 11]),
        ("sort=chats.createdAt&order=DESC", [14, 13, 12, 11]),
        ("sort=chats.closedAt&order=desc", [13, 14, 12, 11]),
        ("sort=lastCustomerMessageAt&order=desc&limit=1", [14]),
        ("limit=2&offset=1", [12, 13]),
        ("offset=9", []),
    ],
)
async def test_the_listing(server: FakeHelpCrunch, call: Call, query: str, expected: list[int]) -> None:
    """In any order that is documented, page by page, the total under `meta`."""
    status, page = await call(server, f"GET /chats?{query}")
    assert (status, ids(page), page["meta"], page.keys()) == (200, expected, {"total": 4}, {"data", "meta"})


@pytest.mark.parametrize(
    ("query", "code"), [("sort=-id", "sort"), ("limit=101", "limit"), ("order=up", "order")]
)
async def test_what_the_listing_refuses(server: FakeHelpCrunch, call: Call, query: str, code: str) -> None:
    """As every listing."""
    status, body = await call(server, f"GET /chats?{query}")
    assert (status, codes(body)) == (400, [code])


def where(field: str, operator: str, value: Any) -> dict[str, Any]:
    """One entry of a filter list, the field without its prefix."""
    return {"field": f"chats.{field}", "operator": operator, "value": value}


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (where("assignee", "=", 301), [12]),
        (where("assignee", "!=", 301), [11, 13, 14]),
        (where("assignee", ">", 1), [12]),
        (where("agents", "=", 302), [12, 13]),
        (where("agents", "!=", 301), [11, 13, 14]),
        (where("agents", "<", 302), [12]),
        (where("department", "=", 41), [12]),
        (where("customer", "=", 1), [11, 13]),
        (where("createdAt", ">", 200), [13, 14]),
        (where("createdAt", "=", 200), [12]),
        (where("createdAt", "<", "200"), [11]),
        (where("updatedAt", ">=", 400), [11, 14]),
        (where("closedAt", "<=", 500), [13]),
        (where("status", "=", "new"), [11]),
        (where("status", "=", "1"), [11]),
        (where("status", "=", "4"), [12]),
        (where("status", "=", "onhold"), [12]),
        (where("status", "=", "on-hold"), [12]),
        (where("status", "=", "5"), [13]),
        (where("status", "!=", "closed"), [11, 12, 14]),
        (where("status", "=", "6"), [14]),
        (where("status", "~", "no communication"), [14]),
        (where("status", "=", "7"), []),
        (where("status", "=", "Cindy Mindy"), []),
        (where("rating", "=", "great"), [13]),
        (where("customer.email", "~", "@example.com"), [11, 12, 13]),
        (where("customer.email", "!~", "ada"), [12, 14]),
        (where("customer.userId", "=", "u1"), [11, 13]),
        (where("customer.tagsData", "=", [{"name": "vip"}]), [11, 12, 13]),
        (where("customer.tagsData", "=", [{"name": "vip"}, {"name": "Paid"}]), [12]),
    ],
    ids=str,
)
async def test_the_search(
    server: FakeHelpCrunch, call: Call, condition: dict[str, Any], expected: list[int]
) -> None:
    """Every field with the operators of its type, the total beside `data`."""
    status, page = await call(server, "POST /chats/search", {"filter": [condition]})
    assert (status, ids(page), page["total"]) == (200, expected, len(expected))
    assert page.keys() == {"data", "total"}


async def test_the_search_as_clients_use_it(server: FakeHelpCrunch, call: Call) -> None:
    """Without a filter, with a sort that lacks its prefix, any or all, page by page."""
    assert ids((await call(server, "POST /chats/search", {"limit": 100, "offset": 0}))[1]) == [11, 12, 13, 14]
    body = {"sort": "lastCustomerMessageAt", "order": "DESC", "limit": 2, "filter": []}
    assert ids((await call(server, "POST /chats/search", body))[1]) == [14, 13]
    conditions = [where("status", "=", "3"), where("status", "=", "5"), where("customer", "=", 2)]
    found = await call(server, "POST /chats/search", {"filter": conditions, "comparison": "OR"})
    assert (ids(found[1]), found[1]["total"]) == ([12, 13], 2)
    assert ids((await call(server, "POST /chats/search", {"filter": conditions}))[1]) == []


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"filter": [where("status", "=", 5)]}, ["filter[0].value"]),
        ({"filter": [where("status", ">", "new")]}, ["filter[0].operator"]),
        ({"filter": [where("customer", "=", "Ada")]}, ["filter[0].value"]),
        ({"filter": [where("customer.userId", "=", 1.5)]}, ["filter[0].value"]),
        ({"filter": [where("createdAt", ">", "2020-01-01")]}, ["filter[0].value"]),
        ({"filter": [where("notes", "=", "x")]}, ["filter[0].field"]),
        ({"filter": [{"field": "customers.id", "operator": "=", "value": 1}]}, ["filter[0].field"]),
        ({"sort": "chats.updatedAt"}, ["sort"]),
        ({"limit": 101}, ["limit"]),
    ],
    ids=str,
)
async def test_what_the_search_refuses(
    server: FakeHelpCrunch, call: Call, given: dict[str, Any], expected: list[str]
) -> None:
    """A 400 that names every wrong field by its path."""
    status, body = await call(server, "POST /chats/search", given)
    assert (status, codes(body)) == (400, expected)


@pytest.mark.parametrize(
    "chat",
    [
        {"customer": 9},
        {"assignee": 9},
        {"agents": [9]},
        {"department": 9},
        {"id": 0},
        {"id": "x"},
        {"customer": "x"},
    ],
    ids=str,
)
def test_a_chat_that_cannot_be(chat: dict[str, Any]) -> None:
    """Refused at once where a test fills the account."""
    with pytest.raises(ValueError, match=r"customer|agent|department|id"):
        FakeHelpCrunch(CUSTOMERS).add_chat(chat)


async def test_a_chat_in_either_spelling_can_be_added(server: FakeHelpCrunch) -> None:
    """What an answer held goes in again, unknown fields too; whoever is in it is told by objects."""
    given = server.chat(12) | {"loyaltyTier": "gold"}
    assert server.add_chat(given) == 12
    assert server.chat(12) == given
    assert server.add_chat({"id": 12, "agents": {"id": 301}}) == 12
    assert [agent["id"] for agent in server.chat(12)["agents"]] == [301]
    with pytest.raises(KeyError):
        server.chat(99)


async def test_made_up_chats() -> None:
    """The same seed gives the same; none for customers who were given, unless asked for."""
    assert FakeHelpCrunch(30, seed=4).chats == FakeHelpCrunch(30, seed=4).chats
    assert FakeHelpCrunch(30, seed=4).chats != FakeHelpCrunch(30, seed=5).chats
    assert len(FakeHelpCrunch(3).chats) == 20
    assert FakeHelpCrunch(CUSTOMERS).chats == FakeHelpCrunch(0).chats == []
    many = FakeHelpCrunch(CUSTOMERS, chats=200)
    assert {row["status"] for row in many.chats} >= {"new", "opened", "closed", "empty", "on hold"}
    assert {row["customer"]["id"] for row in many.chats} == {1, 2}
    said = [message for row in many.chats for message in many.messages(row["id"])]
    types = {"message", "private", "tech", "dataCollectionReply"}
    assert {message["type"] for message in said} == types
    by_the_system = [message for message in said if message["type"] == "tech"]
    assert {(message["text"], message["from"]) for message in by_the_system} == {
        (text, "agent") for text in ("request_rating", "resolution_time", "chat_status_changed")
    }
    assert {message["agent"]["name"] for message in by_the_system if message["agent"]} > {None, "Ines Adler"}
    collected = [message for message in said if message["type"] == "dataCollectionReply"]
    assert {(message["text"], message["from"]) for message in collected} == {(None, "customer")}
    assert all(message["parameters"]["value"] for message in collected)
