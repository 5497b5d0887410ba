"""What a client has to survive: answers of the fake server that are not as documented, on demand."""

from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from helpcrunch_async.testing import Behaviour, FakeHelpCrunch

Call = Callable[..., Awaitable[tuple[int, Any]]]

LISTINGS = [
    "GET /customers",
    "POST /customers/search",
    "GET /chats",
    "POST /chats/search",
    "GET /chats/5001/messages",
    "GET /agents",
    "GET /departments",
]


@pytest.mark.parametrize("listing", LISTINGS)
async def test_totals(call: Call, listing: str) -> None:
    """Wrong wherever they stand, or gone."""
    async with FakeHelpCrunch(3) as server:
        body: dict[str, Any] | None = {} if listing.startswith("POST") else None

        async def total() -> Any:
            page = (await call(server, listing, body))[1]
            return page.get("meta", page).get("total", page.keys() - {"data"})

        true = await total()
        server.behaviour = Behaviour(total=lambda true: true + 1)
        assert await total() == true + 1
        server.behaviour = Behaviour(total=lambda _: 0)
        assert await total() == 0
        server.behaviour = Behaviour(total=lambda _: None)
        assert await total() == set()


async def test_ok_on_the_wire() -> None:
    """Plain text; or, on demand, a string of JSON in its quotes."""
    for behaviour, expected in ((Behaviour(), "Ok"), (Behaviour(ok_as_json=True), '"Ok"')):
        async with (
            FakeHelpCrunch(3, behaviour=behaviour) as server,
            aiohttp.ClientSession(headers={"Authorization": "Bearer key"}) as http,
            http.get(f"{server.url}/agents/302/unsubscribe") as reply,
        ):
            assert (reply.status, await reply.text()) == (200, expected)
            assert reply.content_type == ("text/plain" if expected == "Ok" else "application/json")


async def test_messages_under_messages(call: Call) -> None:
    """As the oldest page has them: no total either."""
    async with FakeHelpCrunch(3, behaviour=Behaviour(messages_key="messages")) as server:
        _, page = await call(server, "GET /chats/5001/messages")
        assert page == {"messages": server.messages(5001)}
        assert (await call(server, "GET /agents"))[1].keys() == {"data", "meta"}


@pytest.mark.parametrize(
    ("what", "body", "code"),
    [
        ("POST /chats", {"customer": "8737843", "application": 1}, "customer"),
        ("POST /chats", {"customer": 8737843, "application": "1"}, "application"),
        ("PUT /chats/assignee", {"id": 5001, "assignee": "301"}, "assignee"),
        ("PUT /chats/status", {"id": "5001", "status": "new"}, "id"),
        ("POST /messages", {"chat": "5001", "text": "Hi", "type": "message"}, "chat"),
        ("POST /events", {"customer": "8737843", "name": "paid"}, "customer"),
        ("PUT /customers/batch", [{"customer": "8737843", "name": "Ada"}], "[0].customer"),
        ("PUT /customers/batch", [{"customer": 8737843, "userId": 7}], "[0].userId"),
        ("POST /customers", {"userId": 7}, "userId"),
        ("PATCH /customers/8737843", {"userId": 7}, "userId"),
        ("PUT /customers/8737843", {"userId": 7}, "userId"),
    ],
    ids=str,
)
async def test_other_types_than_the_documented_ones(call: Call, what: str, body: Any, code: str) -> None:
    """Taken from clients in use, as text where an answer holds text; refused by a server that is strict."""
    async with FakeHelpCrunch(3, behaviour=Behaviour(strict_types=True)) as server:
        status, answer = await call(server, what, body)
        assert (status, answer["errors"][1]["code"]) == (400, code)
        server.behaviour = Behaviour()
        status, answer = await call(server, what, body)
        assert status in (200, 201)
        if "userId" in code:
            assert (answer[0] if isinstance(answer, list) else answer)["userId"] == "7"


@pytest.mark.parametrize(
    ("authorization", "statuses"),
    [
        ("Bearer key", (200, 200)),
        ("Bearer <key>", (401, 200)),
        ("Bearer <<key>>", (401, 401)),
        ("Bearer <key", (401, 401)),
        ("<key>", (401, 401)),
        ("", (401, 401)),
    ],
)
async def test_a_key_in_angle_brackets(authorization: str, statuses: tuple[int, int]) -> None:
    """Taken beside the bare one, on demand."""
    for behaviour, status in zip((Behaviour(), Behaviour(bracketed_key=True)), statuses, strict=True):
        async with (
            FakeHelpCrunch(3, behaviour=behaviour) as server,
            aiohttp.ClientSession(headers={"Authorization": authorization}) as http,
            http.get(f"{server.url}/organization") as reply,
        ):
            assert reply.status == status


async def test_agents_as_one_object(call: Call) -> None:
    """The first, bare; a chat without any still has a list."""
    chats: list[dict[str, Any]] = [{"id": 1, "agents": [302, 301]}, {"id": 2}]
    async with FakeHelpCrunch(0, chats=chats, behaviour=Behaviour(agents_as_object=True)) as server:
        assert (await call(server, "GET /chats/1"))[1]["agents"]["id"] == 302
        _, page = await call(server, "GET /chats")
        assert [row["agents"] for row in page["data"]][1] == []
        assert server.chat(1)["agents"]["id"] == 302


async def test_objects_wrapped_in_data(call: Call) -> None:
    """Single ones, created ones too; pages and the organization are as ever."""
    async with FakeHelpCrunch(3, behaviour=Behaviour(wraps_objects=True)) as server:
        for what, body in (
            ("GET /customers/8737843", None),
            ("POST /customers", {}),
            ("GET /chats/5001", None),
            ("POST /chats", {"customer": 8737843, "application": 1}),
            ("PUT /chats/status", {"id": 5001, "status": "closed"}),
            ("POST /messages", {"chat": 5001, "text": "Hi", "type": "message"}),
            ("POST /events", {"customer": 8737843, "name": "Hi"}),
        ):
            status, answer = await call(server, what, body)
            assert (status in (200, 201), list(answer), "id" in answer["data"]) == (True, ["data"], True), (
                what
            )
        assert "id" in (await call(server, "GET /organization"))[1]["data"]


async def test_rows_that_move_while_paging(call: Call) -> None:
    """Between two pages rows may come and go: one is skipped, another comes twice."""
    async with FakeHelpCrunch([{"id": number} for number in (1, 2, 3, 4, 5)]) as server:

        async def walk() -> list[int]:
            seen: list[int] = []
            while page := (await call(server, f"GET /customers?limit=2&offset={len(seen)}"))[1]["data"]:
                seen += [row["id"] for row in page]
            return seen

        def once(change: Callable[[], object]) -> Callable[[str], object]:
            changes = iter([change])
            return lambda _: next(changes, lambda: None)()

        server.behaviour = Behaviour(between_pages=once(lambda: server.remove_customer(1)))
        assert await walk() == [1, 2, 4, 5]
        server.behaviour = Behaviour(between_pages=once(lambda: server.add_customer({"id": 1})))
        assert await walk() == [2, 3, 3, 4, 5]


@pytest.mark.parametrize("listing", LISTINGS)
async def test_every_page_is_told_of(call: Call, listing: str) -> None:
    """With its path."""
    paths: list[str] = []
    async with FakeHelpCrunch(3, behaviour=Behaviour(between_pages=paths.append)) as server:
        await call(server, listing, {} if listing.startswith("POST") else None)
        assert paths == [listing.partition(" ")[2]]


async def test_every_request_can_be_watched(call: Call) -> None:
    """As it goes on record, with what it is answered."""
    seen: list[tuple[str, int | None]] = []
    async with FakeHelpCrunch(1, on_request=lambda each: seen.append((each.path, each.status))) as server:
        await call(server, "GET /agents")
        server.on_request = None
        await call(server, "GET /agents")
    assert seen == [("/agents", 200)]
    assert len(server.requests) == 2
