"""One table: what each call sends, and what it makes of each reply. No sockets; replies are mocked."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from aioresponses import aioresponses
from attrs import frozen
from yarl import URL

from helpcrunch_async import (
    NO_RETRY,
    UNLIMITED,
    APIError,
    AuthenticationError,
    BadRequestError,
    ConflictError,
    Customer,
    HelpCrunchClient,
    NotFoundError,
    Page,
    PermissionDeniedError,
    RateLimitError,
    RetryPolicy,
    ServerError,
    __version__,
    from_dict,
)

BASE_URL = "https://api.helpcrunch.com/v1"
Call = Callable[[HelpCrunchClient], Awaitable[Any]]


def make_client(**options: Any) -> HelpCrunchClient:
    return HelpCrunchClient("s3cret", rate_limiter=UNLIMITED, **options)


@frozen
class Row:
    """One call, what it must send, the reply, and what must come of it."""

    call: Call
    path: str
    query: dict[str, str]
    reply: str  # a sample
    result: Callable[[Any], Any]  # of the sample's JSON
    method: str = "GET"


def customer(body: Any) -> Customer:
    return from_dict(Customer, body)


def customers(body: Any) -> list[Customer]:
    return [from_dict(Customer, row) for row in body["data"]]


async def walk(client: HelpCrunchClient) -> list[Customer]:
    return [each async for each in client.list_customers()]


PAGE = "customers-page-total.json"
EMPTY = "customers-page-empty.json"

TABLE = [
    pytest.param(
        Row(
            lambda client: client.get_customer(8737843),
            "/customers/8737843",
            {},
            "customer-documented.json",
            customer,
        ),
        id="get_customer",
    ),
    pytest.param(
        Row(
            lambda client: client.get_customer(70012),
            "/customers/70012",
            {},
            "customer-g3-object-customdata-str-ts.json",
            customer,
        ),
        id="get_customer, new spelling",
    ),
    pytest.param(
        Row(
            lambda client: client.with_options(timeout=3.0, priority="bulk").get_customer(70013),
            "/customers/70013",
            {},
            "customer-sparse-nulls.json",
            customer,
        ),
        id="get_customer of a view",
    ),
    pytest.param(
        Row(walk, "/customers", {"limit": "100", "offset": "0"}, PAGE, customers), id="list_customers"
    ),
    pytest.param(
        Row(
            lambda client: client.list_customers().to_list(),
            "/customers",
            {"limit": "100", "offset": "0"},
            PAGE,
            customers,
        ),
        id="to_list",
    ),
    pytest.param(
        Row(
            lambda client: client.list_customers().to_list(limit=1),
            "/customers",
            {"limit": "1", "offset": "0"},
            PAGE,
            lambda body: customers(body)[:1],
        ),
        id="to_list(limit)",
    ),
    pytest.param(
        Row(
            lambda client: client.list_customers(offset=40, limit=2).to_list(),
            "/customers",
            {"limit": "2", "offset": "40"},
            PAGE,
            customers,
        ),
        id="to_list of a part",
    ),
    pytest.param(
        Row(
            lambda client: client.list_customers(sort="firstSeen", order="desc").page(offset=200, limit=10),
            "/customers",
            {"sort": "customers.firstSeen", "order": "desc", "limit": "10", "offset": "200"},
            PAGE,
            lambda body: Page(tuple(customers(body)), 2, 200),
        ),
        id="page, sorted",
    ),
    pytest.param(
        Row(
            lambda client: client.list_customers(sort="lastSeen").page(),
            "/customers",
            {"sort": "customers.lastSeen", "limit": "100", "offset": "0"},
            EMPTY,
            lambda _: Page((), 2, 0),
        ),
        id="page, empty",
    ),
    pytest.param(
        Row(
            lambda client: client.list_customers(order="asc").page(),
            "/customers",
            {"order": "asc", "limit": "100", "offset": "0"},
            EMPTY,
            lambda _: Page((), 2, 0),
        ),
        id="page, order alone",
    ),
]


@pytest.mark.parametrize("row", TABLE)
async def test_what_is_sent_and_what_comes_of_it(
    mocked: aioresponses, sample: Callable[[str], bytes], row: Row
) -> None:
    """One request: method, path, query and headers; and the reply as models."""
    url = URL(BASE_URL + row.path).with_query(sorted(row.query.items()))  # as aioresponses keeps it
    mocked.add(url, method=row.method, body=sample(row.reply))
    async with make_client() as client:
        result = await row.call(client)
    assert row.result(json.loads(sample(row.reply))) == result
    [((method, sent_to), [sent])] = mocked.requests.items()
    assert (row.method, url) == (method, sent_to)
    assert sent.kwargs["data"] is None
    assert sent.kwargs["allow_redirects"] is False
    assert sent.kwargs["headers"] == {
        "Authorization": "Bearer s3cret",
        "Accept": "application/json",
        "User-Agent": f"helpcrunch-async/{__version__}",
    }


ERRORS = [
    ("error-400-field-paths-g3.json", 400, BadRequestError, "customer", "value must be numeric"),
    ("error-401-g1.json", 401, AuthenticationError, "invalid_token", "Invalid token"),
    ("error-401-g3.json", 401, AuthenticationError, "unauthorized", "Unauthorized"),
    ("error-401-g3.json", 403, PermissionDeniedError, "unauthorized", "Unauthorized"),
    ("error-404-g1.json", 404, NotFoundError, "entity_not_found", "Customer not found"),
    ("error-404-g3-misleading-message.json", 404, NotFoundError, "not_found", "Chat not found"),
    ("error-404-code-typo.json", 404, NotFoundError, "not_fount", "no such chat"),
    ("error-400-duplicate-userid.json", 409, ConflictError, "invalid_userId_value", "userId is taken"),
    ("error-429-g1.json", 429, RateLimitError, "too_many_requests", "limit exceeded"),
    ("error-429-g3.json", 429, RateLimitError, "too_many_requests", "Too many requests"),
    ("error-flat-shape.json", 500, ServerError, "serverError", '{"info": "Server error"}'),
    ("ok-plain.txt", 418, APIError, None, "Ok"),
]
CALLS: list[Any] = [
    pytest.param(lambda client: client.get_customer(7), "/customers/7", id="get_customer"),
    pytest.param(lambda client: client.list_customers().to_list(), "/customers", id="to_list"),
    pytest.param(lambda client: client.list_customers().page(), "/customers", id="page"),
    pytest.param(walk, "/customers", id="list_customers"),
]


@pytest.mark.parametrize("expected", ERRORS, ids=lambda row: f"{row[1]} {row[0]}")
@pytest.mark.parametrize(("call", "path"), CALLS)
async def test_what_errors_come_of_it(
    mocked: aioresponses,
    sample: Callable[[str], bytes],
    call: Call,
    path: str,
    expected: tuple[str, int, type[APIError], str | None, str],
) -> None:
    """The class follows the status; the error says what was asked, what was answered, and how often."""
    name, status, kind, code, message = expected
    query = {} if path == "/customers/7" else {"limit": "100", "offset": "0"}
    headers = {"Retry-After": "17"} if status == 429 else {}
    mocked.add(
        URL(BASE_URL + path).with_query(query), status=status, body=sample(name), headers=headers, repeat=True
    )
    async with make_client(retry=NO_RETRY) as client:
        with pytest.raises(APIError) as caught:
            await call(client)
    error = caught.value
    assert kind is type(error)
    assert (status, code, message) == (error.status, error.code, error.message)
    assert ("GET", path, 1) == (error.method, error.path, error.attempts)
    if isinstance(error, RateLimitError):
        assert error.retry_after == 17.0
    assert sum(map(len, mocked.requests.values())) == 1


async def test_attempts_counts_what_was_sent(mocked: aioresponses) -> None:
    """The figure on the error is the number of requests."""
    mocked.get(f"{BASE_URL}/customers/7", status=503, repeat=True)
    async with make_client(retry=RetryPolicy(attempts=3, max_backoff=0.0)) as client:
        with pytest.raises(ServerError) as caught:
            await client.get_customer(7)
    assert caught.value.attempts == 3
    assert sum(map(len, mocked.requests.values())) == 3


async def test_another_base_url(mocked: aioresponses) -> None:
    """A proxy or a sandbox gets the same paths below its own."""
    mocked.get("https://proxy.example/helpcrunch/customers/7", body=b'{"id": 7}')
    async with make_client(base_url="https://proxy.example/helpcrunch/") as client:
        assert await client.get_customer(7) == Customer(7)


async def test_many_ids_by_single_requests(mocked: aioresponses) -> None:
    """Without batching each different id is one GET; the order and the repetitions are the caller's."""
    for each in (3, 1, 2):
        mocked.get(f"{BASE_URL}/customers/{each}", body=json.dumps({"id": each}))
    async with make_client() as client:
        found = await client.get_customers([3, 1, 2, 3], batch=False)
    assert [each.id for each in found] == [3, 1, 2, 3]
    assert sum(map(len, mocked.requests.values())) == 3


async def test_the_shim_for_aioresponses_is_still_needed() -> None:
    """A canary: once aioresponses works on this aiohttp again, the shim in conftest.py can go."""
    with aioresponses() as replies:
        replies.get(f"{BASE_URL}/customers/7", body=b"{}")
        async with aiohttp.ClientSession() as session:
            with pytest.raises(TypeError, match="stream_writer"):
                await session.get(f"{BASE_URL}/customers/7")
