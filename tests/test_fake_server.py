"""The fake server as a plain HTTP client sees it: keys, endpoints, the rate rule, the record."""

import io
import json
import time
from collections.abc import AsyncIterator
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
import pytest
from yarl import URL

from helpcrunch_async.testing import FakeHelpCrunch, FixedWindow, RollingLog, Spelling

KEY = {"Authorization": "Bearer key"}
GENERAL = {"code": "invalid_request", "message": "Invalid request"}


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(headers=KEY) as session:
        yield session


async def get(http: aiohttp.ClientSession, url: str) -> tuple[int, Any]:
    """Status and JSON of one GET."""
    async with http.get(url) as reply:
        return reply.status, await reply.json()


def ids(page: dict[str, Any]) -> list[int]:
    """The ids on a page, in its order."""
    return [row["id"] for row in page["data"]]


async def test_a_customer_is_served_bare(http: aiohttp.ClientSession) -> None:
    """GET by id answers the object itself, as JSON."""
    async with FakeHelpCrunch() as server, http.get(f"{server.url}/customers/8737843") as reply:
        assert reply.status == 200
        assert reply.content_type == "application/json"
        assert (await reply.json())["name"] == "Cindy Mindy"


@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": "Bearer other"}, {"Authorization": "key"}, {"Authorization": "Bearer <key>"}],
    ids=["none", "wrong", "no scheme", "in brackets"],
)
async def test_a_wrong_key_is_401(headers: dict[str, str]) -> None:
    """Only `Bearer` and the very key opens; the body is the documented one, and says which key that is."""
    async with FakeHelpCrunch() as server, aiohttp.ClientSession(headers=headers) as http:
        status, body = await get(http, f"{server.url}/customers/8737843")
        assert status == 401
        message = "Unauthorized: this is a fake, which takes the API key key"
        assert body == {"errors": [GENERAL, {"code": "unauthorized", "message": message}]}
        assert [request.status for request in server.requests] == [401]


async def test_the_old_401(http: aiohttp.ClientSession) -> None:
    """The older body has one item."""
    async with FakeHelpCrunch(spelling="old", api_key="another") as server:
        _, body = await get(http, f"{server.url}/customers/8737843")
        message = "Invalid token: this is a fake, which takes the API key another"
        assert body == {"errors": [{"code": "invalid_token", "message": message}]}


@pytest.mark.parametrize(
    ("spelling", "errors"),
    [
        ("old", [{"code": "entity_not_found", "message": "Customer not found"}]),
        ("new", [GENERAL, {"code": "not_found", "message": "Chat not found"}]),
    ],
    ids=["old", "new"],
)
async def test_an_unknown_customer_is_404(
    http: aiohttp.ClientSession, spelling: Spelling, errors: list[dict[str, str]]
) -> None:
    """The newer message speaks of a chat, as the documented one does."""
    async with FakeHelpCrunch(spelling=spelling) as server:
        assert await get(http, f"{server.url}/customers/4") == (404, {"errors": errors})


@pytest.mark.parametrize("path", ["/v1/nothing", "/v1", "/customers", "/v2/customers", "/v1/customers/1/2/3"])
async def test_unknown_paths_are_404(http: aiohttp.ClientSession, path: str) -> None:
    """Everything lives under /v1, and what is not documented is not there."""
    async with FakeHelpCrunch() as server:
        status, _ = await get(http, f"http://127.0.0.1:{server.port}{path}")
        assert status == 404


async def test_unknown_methods_are_404(http: aiohttp.ClientSession) -> None:
    """No 405 is documented."""
    async with FakeHelpCrunch() as server, http.delete(f"{server.url}/customers") as reply:
        assert reply.status == 404


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=ten", "limit"),
        ("limit=%C2%B2", "limit"),
        ("limit=", "limit"),
        ("offset=-1", "offset"),
        ("offset=1.5", "offset"),
        ("sort=firstSeen", "sort"),
        ("order=up", "order"),
    ],
)
async def test_bad_arguments_are_400(http: aiohttp.ClientSession, query: str, code: str) -> None:
    """The second item of the body names the argument."""
    async with FakeHelpCrunch() as server:
        status, body = await get(http, f"{server.url}/customers?{query}")
        assert status == 400
        assert body["errors"][0] == GENERAL
        assert [item["code"] for item in body["errors"][1:]] == [code]


@pytest.mark.parametrize("path", ["abc", "0", "-1", "1.0", "%31", "99999999999999999999"])
@pytest.mark.parametrize(
    ("noun", "code"),
    [("customers", "entity_not_found"), ("chats", "chat_not_found")],
)
async def test_bad_ids_are_404(http: aiohttp.ClientSession, noun: str, code: str, path: str) -> None:
    """What is no positive integer is nobody's id; the documentation knows no 400 for a read of one."""
    async with FakeHelpCrunch(spelling="old") as server:
        url = URL(f"{server.url}/{noun}/{path}", encoded=True)
        async with http.get(url) as reply:
            assert reply.status == 404
            assert [item["code"] for item in (await reply.json())["errors"]] == [code]


async def test_large_bodies_are_read_and_recorded(http: aiohttp.ClientSession) -> None:
    """Long notes are no matter; what nobody would send is refused as a proxy would, and is on record, too."""
    async with FakeHelpCrunch(customers=0) as server:
        for size, status in ((3 * 2**20, 201), (17 * 2**20, 413), (10, 201)):
            body = io.BytesIO(json.dumps({"notes": "x" * size}).encode())
            async with http.post(f"{server.url}/customers", data=body) as reply:
                await reply.read()
                assert reply.status == status
        assert [request.status for request in server.requests] == [201, 413, 201]
        assert len(server.customers) == 2


async def test_the_listing_pages_through_everyone(http: aiohttp.ClientSession) -> None:
    """A hundred rows by default, the total beside them, and an empty page after the last."""
    async with FakeHelpCrunch(250) as server:
        pages = [
            (await get(http, f"{server.url}/customers?offset={offset}"))[1] for offset in (0, 100, 200, 300)
        ]
        assert [len(page["data"]) for page in pages] == [100, 100, 50, 0]
        assert {page["total"] for page in pages} == {250}
        assert len({row for page in pages for row in ids(page)}) == 250


@pytest.mark.parametrize("order", ["asc", "desc", "ASC", "DESC"])
@pytest.mark.parametrize("field", ["firstSeen", "lastSeen"])
async def test_the_listing_sorts(http: aiohttp.ClientSession, field: str, order: str) -> None:
    """By either moment, in either direction, in either case; those without one are earliest."""
    async with FakeHelpCrunch(60) as server:
        _, page = await get(http, f"{server.url}/customers?sort=customers.{field}&order={order}")
        moments = [int(row[field] or 0) for row in page["data"]]
        assert moments == sorted(moments, reverse=order.lower() == "desc")


async def test_over_the_limit_is_429(http: aiohttp.ClientSession) -> None:
    """Refused calls get the documented body, and by default no word of when to come back."""
    async with FakeHelpCrunch(rate_rule=RollingLog(2, 60.0)) as server:
        url = f"{server.url}/customers/8737843"
        assert [(await get(http, url))[0] for _ in range(2)] == [200, 200]
        async with http.get(url) as reply:
            assert reply.status == 429
            assert "Retry-After" not in reply.headers
            expected = {"code": "too_many_requests", "message": "Too many requests"}
            assert (await reply.json()) == {"errors": [GENERAL, expected]}
        assert (server.accepted, server.rejected) == (2, 1)


async def test_the_old_429(http: aiohttp.ClientSession) -> None:
    """The body of the page "Get a single customer"."""
    async with FakeHelpCrunch(rate_rule=RollingLog(1, 60.0), spelling="old") as server:
        await get(http, f"{server.url}/customers")
        _, body = await get(http, f"{server.url}/customers")
        expected = {"code": "too_many_requests", "message": "You have exceeded your requests limit"}
        assert body == {"errors": [expected]}


@pytest.mark.parametrize(("passed", "seconds"), [(0.0, "60"), (0.5, "60"), (58.5, "2"), (59.9, "1")])
async def test_retry_after_rounds_up(http: aiohttp.ClientSession, passed: float, seconds: str) -> None:
    """Whole seconds, never too few; the server's clock is the one given."""
    now = 1000.0
    rule = FixedWindow(1, 60.0)
    async with FakeHelpCrunch(rate_rule=rule, retry_after=True, clock=lambda: now) as server:
        await get(http, f"{server.url}/customers/8737843")
        now += passed
        async with http.get(f"{server.url}/customers/8737843") as reply:
            assert reply.headers["Retry-After"] == seconds
        assert [request.time for request in server.requests] == [1000.0, 1000.0 + passed]


async def test_retry_after_as_a_date(http: aiohttp.ClientSession) -> None:
    """The other form that HTTP allows."""
    async with FakeHelpCrunch(rate_rule=FixedWindow(1, 60.0), retry_after="date") as server:
        await get(http, f"{server.url}/customers/8737843")
        async with http.get(f"{server.url}/customers/8737843") as reply:
            back = parsedate_to_datetime(reply.headers["Retry-After"]).timestamp()
            assert 55 <= back - time.time() <= 62


async def test_the_rule_counts_unknown_paths_but_not_wrong_keys(http: aiohttp.ClientSession) -> None:
    """It is asked after the key and before the path."""
    async with FakeHelpCrunch(rate_rule=RollingLog(1, 60.0)) as server:
        async with http.get(f"{server.url}/customers", headers={"Authorization": "Bearer x"}) as reply:
            assert reply.status == 401
        assert [(await get(http, f"{server.url}/nothing"))[0] for _ in range(2)] == [404, 429]


async def test_the_rule_may_change_under_way(http: aiohttp.ClientSession) -> None:
    """What is assigned holds from the next request on."""
    async with FakeHelpCrunch() as server:
        assert (await get(http, f"{server.url}/customers"))[0] == 200
        server.rate_rule = rule = RollingLog(1, 60.0)
        rule.hit(time.monotonic())
        assert (await get(http, f"{server.url}/customers"))[0] == 429


async def test_requests_are_recorded(http: aiohttp.ClientSession) -> None:
    """Method, path without /v1, query, body, status and headers, but never the key."""
    async with FakeHelpCrunch() as server:
        await get(http, f"{server.url}/customers?limit=3&order=desc")
        async with http.post(f"{server.url}/customers/search", json={"limit": 1}, headers={"X-Mine": "1"}):
            pass
        listing, search = server.requests
        assert (listing.method, listing.path, listing.status) == ("GET", "/customers", 200)
        assert listing.query == {"limit": "3", "order": "desc"}
        assert (search.method, search.path, search.body) == ("POST", "/customers/search", b'{"limit": 1}')
        assert search.headers["x-mine"] == "1"
        assert "authorization" not in search.headers
        assert "Bearer" not in repr(server.requests)
        assert listing.time <= search.time
        server.forget()
        assert (server.requests, server.accepted, server.rejected) == ([], 0, 0)


async def test_latency_holds_the_answer_back(http: aiohttp.ClientSession) -> None:
    """A number or a function; a client that gives up is on record all the same."""
    async with FakeHelpCrunch(latency=0.1) as server:
        url = f"{server.url}/customers/8737843"
        started = time.monotonic()
        await get(http, url)
        assert time.monotonic() - started >= 0.09
        server.latency = lambda: 60.0
        with pytest.raises(TimeoutError):
            async with http.get(url, timeout=aiohttp.ClientTimeout(total=0.1)):
                pass
        assert [request.status for request in server.requests] == [200, 200]


async def test_customers_come_and_go_under_way(http: aiohttp.ClientSession) -> None:
    """Add, change, remove: the next request sees it."""
    async with FakeHelpCrunch(5) as server:
        number = server.add_customer({"name": "Ada", "email": "ada@example.com"})
        url = f"{server.url}/customers/{number}"
        assert (await get(http, url))[1] == server.customer(number)
        server.add_customer({**server.customer(number), "name": "Ada Quill"})
        assert (await get(http, url))[1]["name"] == "Ada Quill"
        assert (await get(http, f"{server.url}/customers"))[1]["total"] == 6
        server.remove_customer(number)
        assert (await get(http, url))[0] == 404
        with pytest.raises(KeyError):
            server.remove_customer(number)


async def test_new_ids_are_above_all_others(http: aiohttp.ClientSession) -> None:
    """They meet neither the small ones that tests fill in, nor large ones, nor one that was deleted."""
    async with FakeHelpCrunch([{"id": 1}]) as server:
        first = server.add_customer({"name": "Ada"})
        assert first > 8_737_843
        server.remove_customer(first)
        assert server.add_customer({"name": "Bob"}) == first + 1
        server.add_customer({"id": 50_000_000})
        assert server.add_customer({"name": "Zoë"}) == 50_000_001
        async with http.post(f"{server.url}/customers", json={"name": "Eve"}) as reply:
            assert (await reply.json())["id"] == 50_000_002
        server.add_chat({"id": 9_000, "customer": 1})
        assert server.add_chat({"customer": 1}) == 9_001


async def test_only_the_given_customers_are_served(http: aiohttp.ClientSession) -> None:
    """Mappings instead of a number: nothing is made up beside them."""
    async with FakeHelpCrunch([{"id": 7}, {"id": 3}]) as server:
        _, page = await get(http, f"{server.url}/customers")
        assert ids(page) == [3, 7]
        assert (await get(http, f"{server.url}/customers/8737843"))[0] == 404


@pytest.mark.parametrize(
    "customers",
    [[{"id": 1}, {"id": 1}], [{"id": 0}], [{"id": "7"}], [{"id": True}], [{"name": {1, 2}}], -1],
    ids=["twice", "zero", "text", "bool", "no JSON", "negative count"],
)
async def test_nonsense_customers_are_refused(customers: Any) -> None:
    """At once, not when they are asked for."""
    with pytest.raises(ValueError, match=r"id|JSON|count"):
        FakeHelpCrunch(customers)
