"""The search of the fake server: the documented grammar, and every way to misbehave."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from helpcrunch_async.testing import Behaviour, FakeHelpCrunch, SearchBehaviour

CUSTOMERS: list[dict[str, Any]] = [
    {
        "id": 1,
        "name": "Ada Quill",
        "email": "ada@example.com",
        "userId": "u1",
        "firstSeen": 40,
        "lastSeen": 100,
        "location": {"countryCode": "DE", "city": "Munich", "regionCode": "BY"},
        "tags": [{"name": "vip", "color": "red"}, {"name": "Paid", "color": "red"}],
    },
    {
        "id": 2,
        "name": "Bob",
        "email": "bob@example.com",
        "company": "Quill GmbH",
        "firstSeen": 30,
        "lastSeen": 200,
        "tags": [{"name": "vip", "color": "red"}],
    },
    {
        "id": 3,
        "name": "Zoë",
        "userId": "77",
        "phone": "+4989",
        "lastSeen": 300,
        "createdFrom": "telegram_bot",
        "integrationId": "555",
    },
    {
        "id": 4,
        "name": None,
        "firstSeen": 10,
        "lastSeen": None,
        "location": None,
        "createdFrom": "viber",
        "integrationId": "555",
    },
]

Search = Callable[..., Awaitable[tuple[int, Any]]]


def where(field: str, operator: Any, value: Any) -> dict[str, Any]:
    """One entry of a filter list, the field without its prefix."""
    return {"field": f"customers.{field}", "operator": operator, "value": value}


@pytest.fixture
async def server() -> AsyncIterator[FakeHelpCrunch]:
    async with FakeHelpCrunch(CUSTOMERS) as running:
        yield running


@pytest.fixture
async def search(server: FakeHelpCrunch) -> AsyncIterator[Search]:
    async with aiohttp.ClientSession(headers={"Authorization": "Bearer key"}) as http:

        async def post(*conditions: Any, **more: Any) -> tuple[int, Any]:
            body = {"filter": list(conditions), **more}
            async with http.post(f"{server.url}/customers/search", data=json.dumps(body)) as reply:
                return reply.status, await reply.json()

        yield post


async def found(reply: Awaitable[tuple[int, Any]]) -> list[int]:
    """The ids on an answered page."""
    status, page = await reply
    assert status == 200
    return [row["id"] for row in page["data"]]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (where("id", "=", 2), [2]),
        (where("id", "!=", 2), [1, 3, 4]),
        (where("id", ">", 2), [3, 4]),
        (where("id", "<=", 2), [1, 2]),
        (where("name", "=", "Ada Quill"), [1]),
        (where("name", "=", "Ada"), []),
        (where("name", "~", "Ad"), [1]),
        (where("name", "~", "oë"), [3]),
        (where("name", "~", "zoë"), []),
        (where("name", "!~", "Ad"), [2, 3, 4]),
        (where("name", "!=", "Bob"), [1, 3, 4]),
        (where("email", "~", "@example.com"), [1, 2]),
        (where("userId", "=", "u1"), [1]),
        (where("company", "~", "GmbH"), [2]),
        (where("phone", "=", "+4989"), [3]),
        (where("countryCode", "=", "DE"), [1]),
        (where("city", "=", "Munich"), [1]),
        (where("regionCode", "!=", "BY"), [2, 3, 4]),
        (where("lastSeen", ">=", 200), [2, 3]),
        (where("lastSeen", "<", "200"), [1]),
        (where("lastSeen", "=", 300), [3]),
        (where("tagsData", "=", [{"name": "vip"}]), [1, 2]),
        (where("tagsData", "=", [{"name": "vip"}, {"name": "Paid"}]), [1]),
        (where("tagsData", "=", [{"name": "VIP"}]), []),
        (where("telegramId", "=", "555"), [3]),
        (where("viberId", "=", "555"), [4]),
        (where("instagramId", "=", "555"), []),
    ],
    ids=json.dumps,
)
async def test_one_condition(search: Search, condition: dict[str, Any], expected: list[int]) -> None:
    """Every field with the operators of its type."""
    assert await found(search(condition)) == expected


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (where("id", "=", "2"), [2]),
        (where("id", "=", " 2 "), [2]),
        (where("id", "=", "2.0"), [2]),
        (where("id", "=", 2.0), [2]),
        (where("id", ">", "2.5"), [3, 4]),
        (where("id", "<=", "+.2e1"), [1, 2]),
        (where("id", ">", "-1"), [1, 2, 3, 4]),
        (where("id", "<", "9" * 5_000), [1, 2, 3, 4]),
        (where("id", ">", "1e999"), []),
        (where("lastSeen", ">", 199.5), [2, 3]),
        (where("lastSeen", ">", "199.5"), [2, 3]),
        (where("userId", "=", 77), [3]),
        (where("userId", "~", 7), [3]),
        (where("userId", "!=", 77), [1, 2, 4]),
    ],
    ids=lambda value: json.dumps(value)[:60],
)
async def test_other_types_than_the_documented_ones(
    server: FakeHelpCrunch, search: Search, condition: dict[str, Any], expected: list[int]
) -> None:
    """Numbers may come as numeric text (PHP's word), a `userId` as a number, unless the server is strict."""
    assert await found(search(condition)) == expected
    server.behaviour = Behaviour(strict_types=True)
    status, body = await search(condition)
    assert (status, body["errors"][1]["code"]) == (400, "filter[0].value")


async def test_numbers_of_a_page_as_text(server: FakeHelpCrunch, search: Search) -> None:
    """`limit` and `offset`, too; a strict server wants numbers."""
    assert await found(search(limit="2", offset="1")) == [2, 3]
    server.behaviour = Behaviour(strict_types=True)
    status, body = await search(limit="2", offset="1")
    assert (status, [item["code"] for item in body["errors"][1:]]) == (400, ["limit", "offset"])
    assert await found(search(where("lastSeen", "<", "200"))) == [1]  # both pages' spellings of a moment


@pytest.mark.parametrize(
    ("comparison", "expected"), [({"comparison": "AND"}, [2]), ({}, [2]), ({"comparison": "OR"}, [1, 2, 3])]
)
async def test_comparison(search: Search, comparison: dict[str, str], expected: list[int]) -> None:
    """All conditions, which is also what its absence means here, or any."""
    conditions = (where("tagsData", "=", [{"name": "vip"}]), where("lastSeen", ">", 150))
    assert await found(search(*conditions, **comparison)) == expected


async def test_many_ids_in_one_search(search: Search) -> None:
    """One condition per id and OR: the known ones come back, once each."""
    conditions = [where("id", "=", number) for number in (4, 99, 1, 4)]
    assert await found(search(*conditions, comparison="OR")) == [1, 4]
    assert await found(search(*conditions, comparison="AND")) == []
    assert await found(search(where("id", "=", 1), where("name", "=", "Bob"), comparison="OR")) == [1, 2]
    assert await found(search(where("id", "=", 1), where("name", "=", "Bob"), comparison="AND")) == []


@pytest.mark.parametrize("body", [b"{}", b'{"filter": []}', b'{"limit": 4}'])
async def test_without_a_filter_everyone_is_found(server: FakeHelpCrunch, body: bytes) -> None:
    """As pollers use it."""
    async with (
        aiohttp.ClientSession(headers={"Authorization": "Bearer key"}) as http,
        http.post(f"{server.url}/customers/search", data=body) as reply,
    ):
        assert (await reply.json())["total"] == 4


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"sort": "customers.firstSeen"}, [3, 4, 2, 1]),
        ({"sort": "customers.firstSeen", "order": "DESC"}, [1, 2, 4, 3]),
        ({"sort": "customers.lastSeen", "order": "asc"}, [4, 1, 2, 3]),
        ({"order": "desc"}, [4, 3, 2, 1]),
        ({"limit": 2}, [1, 2]),
        ({"limit": 2, "offset": 3}, [4]),
        ({"offset": 9}, []),
    ],
    ids=json.dumps,
)
async def test_order_and_page(search: Search, arguments: dict[str, Any], expected: list[int]) -> None:
    """Sort and page sit in the body; the total is that of all pages."""
    assert await found(search(**arguments)) == expected
    by_ids = search(*(where("id", "=", number) for number in (1, 2, 3, 4)), comparison="OR", **arguments)
    assert await found(by_ids) == expected
    assert (await search(**arguments))[1]["total"] == 4


@pytest.mark.parametrize(
    ("arguments", "codes"),
    [
        ({"filter": "x"}, ["filter"]),
        ({"filter": ["x"]}, ["filter[0]"]),
        ({"filter": [{}]}, ["filter[0].field", "filter[0].operator", "filter[0].value"]),
        ({"filter": [where("id", "=", 1), where("age", "=", 1)]}, ["filter[1].field"]),
        ({"filter": [where("firstSeen", ">", 1)]}, ["filter[0].field"]),
        ({"filter": [{"field": [], "operator": "=", "value": 1}]}, ["filter[0].field"]),
        ({"filter": [where("id", "~", 1)]}, ["filter[0].operator"]),
        ({"filter": [where("id", [], 1)]}, ["filter[0].operator"]),
        ({"filter": [where("name", ">", "a")]}, ["filter[0].operator"]),
        ({"filter": [where("tagsData", "!=", [{"name": "vip"}])]}, ["filter[0].operator"]),
        ({"filter": [where("id", "=", "one")]}, ["filter[0].value"]),
        ({"filter": [where("id", "=", "1 2")]}, ["filter[0].value"]),
        ({"filter": [where("id", "=", "0x1")]}, ["filter[0].value"]),
        ({"filter": [where("id", "=", "inf")]}, ["filter[0].value"]),
        ({"filter": [where("id", "=", "1_0")]}, ["filter[0].value"]),
        ({"filter": [where("id", "=", "\u0661")]}, ["filter[0].value"]),
        ({"filter": [where("id", "=", ".")]}, ["filter[0].value"]),
        ({"filter": [where("id", "=", True)]}, ["filter[0].value"]),
        ({"filter": [where("id", "=", [1])]}, ["filter[0].value"]),
        ({"filter": [where("userId", "=", 1.5)]}, ["filter[0].value"]),
        ({"filter": [where("userId", "=", True)]}, ["filter[0].value"]),
        ({"filter": [where("name", "=", 1)]}, ["filter[0].value"]),
        ({"filter": [where("lastSeen", ">", "2020-01-01")]}, ["filter[0].value"]),
        ({"filter": [where("tagsData", "=", "vip")]}, ["filter[0].value"]),
        ({"filter": [where("tagsData", "=", ["vip"])]}, ["filter[0].value"]),
        ({"filter": [where("tagsData", "=", [])]}, ["filter[0].value"]),
        ({"comparison": "XOR"}, ["comparison"]),
        ({"sort": "customers.id"}, ["sort"]),
        ({"sort": ["customers.firstSeen"]}, ["sort"]),
        ({"order": "up"}, ["order"]),
        ({"limit": 101, "offset": -1}, ["limit", "offset"]),
        ({"limit": "ten", "offset": 1.5}, ["limit", "offset"]),
        ({"limit": True}, ["limit"]),
    ],
    ids=json.dumps,
)
async def test_what_the_grammar_refuses(search: Search, arguments: dict[str, Any], codes: list[str]) -> None:
    """A 400 that names every wrong field by its path."""
    status, body = await search(**arguments)
    assert status == 400
    assert [item["code"] for item in body["errors"]] == ["invalid_request", *codes]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b"[" * 100_000], ids=range(5))
async def test_a_body_that_is_no_object(server: FakeHelpCrunch, body: bytes) -> None:
    """A 400, not a crash."""
    async with (
        aiohttp.ClientSession(headers={"Authorization": "Bearer key"}) as http,
        http.post(f"{server.url}/customers/search", data=body) as reply,
    ):
        assert reply.status == 400
        assert [item["code"] for item in (await reply.json())["errors"]] == ["invalid_request"]


async def test_the_old_400() -> None:
    """Older bodies name the field in the code."""
    async with (
        FakeHelpCrunch(CUSTOMERS, spelling="old") as server,
        aiohttp.ClientSession(headers={"Authorization": "Bearer key"}) as http,
        http.post(f"{server.url}/customers/search", json={"filter": [where("id", "=", "x")]}) as reply,
    ):
        assert [item["code"] for item in (await reply.json())["errors"]] == ["invalid_filter_value"]


async def test_a_server_that_takes_short_filters_only(server: FakeHelpCrunch, search: Search) -> None:
    """One too many is a 400 on the filter; as many as allowed is served."""
    server.search = SearchBehaviour(max_filters=2)
    conditions = [where("id", "=", number) for number in (1, 2, 3)]
    assert await found(search(*conditions[:2], comparison="OR")) == [1, 2]
    status, body = await search(*conditions, comparison="OR")
    assert (status, body["errors"][1]["code"]) == (400, "filter")


async def test_a_server_that_ignores_the_filter(server: FakeHelpCrunch, search: Search) -> None:
    """Everyone comes, paged as asked."""
    server.search = SearchBehaviour(ignores_filter=True)
    assert await found(search(where("id", "=", 3))) == [1, 2, 3, 4]
    assert await found(search(where("id", "=", 3), limit=1)) == [1]


async def test_a_server_that_answers_half(server: FakeHelpCrunch, search: Search) -> None:
    """The total still counts what is missing."""
    server.search = SearchBehaviour(answers_half=True)
    assert await found(search()) == [1, 3]
    assert (await search())[1]["total"] == 4


async def test_a_server_with_its_own_order(server: FakeHelpCrunch, search: Search) -> None:
    """The rows of a page, the other way round."""
    server.search = SearchBehaviour(reverses=True)
    assert await found(search(limit=3)) == [3, 2, 1]


async def test_a_server_whose_search_lags(server: FakeHelpCrunch, search: Search) -> None:
    """GET and the listing know a customer whom the search does not."""
    server.search = SearchBehaviour(stale_ids=[2])
    assert await found(search()) == [1, 3, 4]
    assert await found(search(where("id", "=", 2))) == []
    assert server.search.stale_ids == [2]
    async with aiohttp.ClientSession(headers={"Authorization": "Bearer key"}) as http:
        async with http.get(f"{server.url}/customers/2") as reply:
            assert reply.status == 200
        async with http.get(f"{server.url}/customers") as reply:
            assert (await reply.json())["total"] == 4


async def test_a_server_whose_search_shows_changes_late(server: FakeHelpCrunch, search: Search) -> None:
    """Rows are as they were; a customer who is new is not there yet."""
    now = 1000.0
    late = FakeHelpCrunch(CUSTOMERS, wall_clock=lambda: now, search=SearchBehaviour(lag=5.0))
    book = late._account.customers
    late.add_customer({"id": 1, "name": "Ada Lark"})
    late.add_customer({"id": 5, "name": "Eve"})
    now = 1003.0
    late.add_customer({"id": 1, "name": "Ada Wren"})
    names: list[Any] = []
    for moment in (999.0, 1000.0, 1002.9, 1003.0):
        row, new = book.rendered_at(1, moment), book.rendered_at(5, moment)
        assert row is not None
        names.append((json.loads(row)["name"], new is not None))
    assert names == [("Ada Quill", False), ("Ada Lark", True), ("Ada Lark", True), ("Ada Wren", True)]

    server.add_customer({"id": 1, "name": "Ada Lark"})
    server.add_customer({"id": 6, "name": "Eve"})
    server.search = SearchBehaviour(lag=60.0)
    assert (await search(where("id", "=", 1)))[1]["data"][0]["name"] == "Ada Quill"
    assert await found(search(where("id", "=", 6))) == []
    assert await found(search(where("id", "=", 2))) == [2]
    server.search = SearchBehaviour(lag=60.0, heals_after=1)
    names = [(await search(where("id", "=", 1)))[1]["data"][0]["name"] for _ in range(2)]
    assert names == ["Ada Quill", "Ada Lark"]


async def test_a_server_whose_search_gives_reduced_rows(server: FakeHelpCrunch, search: Search) -> None:
    """Keys are missing, also of what is nested and of the items of lists; the rest is as it was."""
    full = (await search(where("id", "=", 1)))[1]["data"][0]
    server.search = SearchBehaviour(
        missing_keys=("device", "location.city", "tags.color", "name.first", "no")
    )
    row = (await search(where("id", "=", 1)))[1]["data"][0]
    assert row == {
        **{key: value for key, value in full.items() if key != "device"},
        "location": {"countryCode": "DE", "regionCode": "BY"},
        "tags": [{"name": "vip"}, {"name": "Paid"}],
    }
    server.search = SearchBehaviour(missing_keys=("name",), heals_after=2)
    rows = [(await search(where("id", "=", 1)))[1]["data"][0] for _ in range(3)]
    assert ["name" in row for row in rows] == [False, False, True]
