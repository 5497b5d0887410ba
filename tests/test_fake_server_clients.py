"""What other clients send, and what they look for in the answers: the fake server is there for them, too."""

import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from helpcrunch_async.testing import FakeHelpCrunch, Spelling


@pytest.fixture(params=["old", "new"])
async def server(request: pytest.FixtureRequest) -> AsyncIterator[FakeHelpCrunch]:
    spelling: Spelling = request.param
    async with FakeHelpCrunch(150, chats=130, spelling=spelling) as running:
        yield running


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(headers={"Authorization": "Bearer key"}) as session:
        yield session


async def test_a_bridge_that_opens_a_chat_for_every_stranger(
    server: FakeHelpCrunch, http: aiohttp.ClientSession
) -> None:
    """Create, fall back on a search when the `userId` is taken, open a chat, speak as the customer."""
    ids = []
    for _ in range(2):
        stranger = {"name": "Zoë", "email": None, "userId": "500"}
        async with http.post(f"{server.url}/customers", json=stranger) as reply:
            customer = await reply.json()
        if reply.status == 400:
            assert customer["errors"][0]["code"] == "invalid_userId_value"
            condition = {"field": "customers.userId", "operator": "=", "value": "500"}
            body = {"filter": [condition], "limit": 1}
            async with http.post(f"{server.url}/customers/search", json=body) as reply:
                customer = (await reply.json())["data"][0]
        ids.append(customer["id"])
    assert ids[0] == ids[1]
    # A filter in the query is made up; it is ignored as any unknown argument is.
    async with http.get(f"{server.url}/chats?filter%5B0%5D%5Bfield%5D=customer&limit=1") as reply:
        assert reply.status == 200
    async with http.post(f"{server.url}/chats", json={"customer": ids[0], "application": 2}) as reply:
        chat = await reply.json()
    said = {"chat": chat["id"], "text": "Hi", "type": "message"}
    async with http.post(f"{server.url}/messages", json=said) as reply:
        assert reply.ok
    async with http.get(f"{server.url}/chats/{chat['id']}") as reply:
        assert (await reply.json())["status"] != "closed"


async def test_a_client_that_sends_json_without_saying_so(
    server: FakeHelpCrunch, http: aiohttp.ClientSession
) -> None:
    """And nulls for whatever it was not given, and the markdown twice."""
    chat_id = server.chats[0]["id"]
    body = {"chat": chat_id, "agent": None, "type": "message", "text": "*Hi*", "markdownText": "*Hi*"}
    async with http.post(
        f"{server.url}/messages", data=json.dumps(body).encode(), headers={"Content-Type": "text/plain"}
    ) as reply:
        assert (reply.status, (await reply.json())["from"]) == (200, "customer")
    async with http.post(
        f"{server.url}/customers", json={"name": "A", "email": "a@example.com", "userId": ""}
    ) as reply:
        assert reply.status == 201
    async with http.post(
        f"{server.url}/customers", json={"name": "B", "email": "b@example.com", "userId": ""}
    ) as reply:
        assert reply.status == 201


async def test_a_poller_that_stops_on_a_short_page(
    server: FakeHelpCrunch, http: aiohttp.ClientSession
) -> None:
    """A hundred rows at a time from a search without a filter."""
    for noun, total in (("customers", 150), ("chats", 130)):
        seen: set[int] = set()
        for offset in range(0, 1000, 100):
            body = {"limit": 100, "offset": offset}
            async with http.post(f"{server.url}/{noun}/search", json=body) as reply:
                rows = (await reply.json())["data"]
            seen |= {row["id"] for row in rows}
            if len(rows) < 100:
                break
        assert len(seen) == total


async def test_a_report_by_tags(server: FakeHelpCrunch, http: aiohttp.ClientSession) -> None:
    """Dates as numeric strings, one search for a tag, pages by the total."""
    found: list[dict[str, Any]] = []
    total = 1
    while len(found) < total:
        body = {
            "comparison": "AND",
            "filter": [
                {"field": "chats.createdAt", "operator": ">", "value": "1546300800"},
                {"field": "chats.customer.tagsData", "operator": "=", "value": [{"name": "vip"}]},
            ],
            "limit": 5,
            "offset": len(found),
            "sort": "chats.createdAt",
            "order": "DESC",
        }
        async with http.post(f"{server.url}/chats/search", json=body) as reply:
            page = await reply.json()
        found, total = found + page["data"], page["total"]
    moments = [int(row["createdAt"]) for row in found]
    assert moments == sorted(moments, reverse=True)
    vips = {row["id"] for row in server.customers if "vip" in {tag["name"] for tag in row["tags"]}}
    assert {row["customer"]["id"] for row in found} == {
        row["customer"]["id"] for row in server.chats if row["customer"]["id"] in vips
    }


async def test_an_assistant_that_lists_chats_by_status(
    server: FakeHelpCrunch, http: aiohttp.ClientSession
) -> None:
    """It always sends a comparison, and its own spelling of a status."""
    for status in ("new", "opened", "pending", "onhold", "closed"):
        body = {
            "filter": [{"field": "chats.status", "operator": "=", "value": status}],
            "comparison": "AND",
            "limit": 20,
            "offset": 0,
            "sort": "chats.lastMessageAt",
            "order": "DESC",
        }
        async with http.post(f"{server.url}/chats/search", json=body) as reply:
            page = await reply.json()
        spelt = {row["status"].replace(" ", "").replace("-", "") for row in page["data"]}
        assert spelt == {status}


async def test_a_viewer_that_takes_ids_from_its_url(
    server: FakeHelpCrunch, http: aiohttp.ClientSession
) -> None:
    """All its numbers are text; it shows who wrote what, HelpBot where an agent has no name."""
    for field, value, column in (("department", "41", "department"), ("assignee", "302", "assignee")):
        body = {
            "filter": [{"field": f"chats.{field}", "operator": "=", "value": value}],
            "comparison": "AND",
            "limit": "100",
            "offset": "0",
        }
        async with http.post(f"{server.url}/chats/search", json=body) as reply:
            rows = (await reply.json())["data"]
        assert {row[column]["id"] for row in rows} == {int(value)}
    authors: set[str] = set()
    for row in rows:
        async with http.get(f"{server.url}/chats/{row['id']}/messages") as reply:
            for message in (await reply.json())["data"]:
                agent = message["agent"]
                authors.add("customer" if agent is None else agent["name"] or "HelpBot")
    assert authors >= {"customer", "HelpBot", "Tomas Berg"}


async def test_a_bot_whose_ids_are_numbers(server: FakeHelpCrunch, http: aiohttp.ClientSession) -> None:
    """It looks for its own id as a number, creates a customer with it, and finds it again."""
    condition = {"field": "customers.userId", "operator": "=", "value": 250812}
    found = []
    for _ in range(2):
        async with http.post(f"{server.url}/customers/search", json={"filter": [condition]}) as reply:
            page = await reply.json()
        found.append([row["userId"] for row in page["data"]])
        if not page["data"]:
            async with http.post(f"{server.url}/customers", json={"userId": 250812}) as reply:
                assert (reply.status, (await reply.json())["userId"]) == (201, "250812")
    assert found == [[], ["250812"]]
    async with http.post(f"{server.url}/customers", json={"userId": "250812"}) as reply:
        assert (reply.status, (await reply.json())["errors"][0]["code"]) == (400, "invalid_userId_value")


async def test_a_bridge_that_writes_notes(server: FakeHelpCrunch, http: aiohttp.ClientSession) -> None:
    """PUT with one field empties the others, as that bridge relies on; and a private note of nobody."""
    async with http.put(f"{server.url}/customers/8737843", json={"notes": "n"}) as reply:
        customer = await reply.json()
    assert (customer["notes"], customer["email"]) == ("n", None)
    note = {"chat": server.chats[0]["id"], "text": "n", "type": "private"}
    async with http.post(f"{server.url}/messages", json=note) as reply:
        assert reply.status == 200


async def test_a_scanner_that_tries_keys(server: FakeHelpCrunch) -> None:
    """The cheap requests by which a key is checked."""
    for path in ("departments", "customers?limit=1", "organization"):
        for key, expected in (("key", 200), ("another", 401)):
            async with (
                aiohttp.ClientSession(headers={"Authorization": f"Bearer {key}"}) as http,
                http.get(f"{server.url}/{path}") as reply,
            ):
                assert reply.status == expected
