"""One table: what each call sends, and what it makes of each reply. No sockets; replies are mocked."""

import json
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from aioresponses import CallbackResult, aioresponses
from api_calls.call import BASE_URL, FIXTURES, Call
from api_calls.table import BY_METHOD, EACH_CALL, EACH_METHOD, TABLE
from yarl import URL

from helpcrunch_async import (
    NO_RETRY,
    UNLIMITED,
    APIError,
    AuthenticationError,
    BadRequestError,
    ClientClosedError,
    ConflictError,
    Customer,
    DecodeError,
    HelpCrunchClient,
    NotFoundError,
    Page,
    PermissionDeniedError,
    RateLimitError,
    RetryPolicy,
    ServerError,
    __version__,
)
from helpcrunch_async.search import CHAT_ASSIGNEE

Sample = Callable[[str], bytes]
SEARCHES = {("POST", "/customers/search"), ("POST", "/chats/search")}
UNSUBSCRIBE = ("GET", "/agents/{id}/unsubscribe")
ACKNOWLEDGED = {("DELETE", "/customers/{id}"), UNSUBSCRIBE}


def make_client(**options: Any) -> HelpCrunchClient:
    return HelpCrunchClient("s3cret", rate_limiter=UNLIMITED, **options)


def url_of(call: Call) -> URL:
    return URL(BASE_URL + call.path).with_query(sorted(call.query.items()))  # as aioresponses keeps it


def changes(call: Call) -> bool:
    return call.pair == UNSUBSCRIBE or (call.verb != "GET" and call.pair not in SEARCHES)


def sent_through(mocked: aioresponses) -> int:
    return sum(map(len, mocked.requests.values()))


async def error_of(call: Call, client: HelpCrunchClient) -> Any:
    """The error of a call, whether it is raised or told of one customer of many."""
    try:
        [outcome] = await call.use(client)
    except (APIError, DecodeError) as error:
        return error
    return outcome.error


@pytest.mark.parametrize("call", EACH_CALL)
async def test_what_is_sent_and_what_comes_of_it(mocked: aioresponses, sample: Sample, call: Call) -> None:
    """One request: method, path, query, body and headers (the key is added on the way); and the models."""
    mocked.add(url_of(call), method=call.verb, body=sample(call.reply))
    async with make_client() as client:
        result = await call.use(client)
    assert call.result(json.loads(sample(call.reply)) if call.reply != "ok-plain.txt" else None) == result
    [((verb, sent_to), [sent])] = mocked.requests.items()
    assert (call.verb, url_of(call)) == (verb, sent_to)
    written = sent.kwargs["data"]
    assert call.body == (None if written is None else json.loads(written))
    assert sent.kwargs["allow_redirects"] is False
    assert sent.kwargs["headers"] == {
        "Accept": "application/json",
        "User-Agent": f"helpcrunch-async/{__version__}",
        **({} if call.body is None else {"Content-Type": "application/json"}),
    }


def test_no_two_lines_of_the_table_have_one_name() -> None:
    """A name says which line failed."""
    names = [call.name for call in TABLE]
    assert sorted(set(names)) == sorted(names)


def test_the_table_has_a_line_for_each_method() -> None:
    """Every public method of the client that sends something; the others open, close and configure."""
    public = {name for name in vars(HelpCrunchClient) if not name.startswith("_")}
    assert public - {"open", "close", "with_options", "request"} == set(BY_METHOD)


def test_each_request_sample_is_what_some_call_sends() -> None:
    """The documented shapes are not only read about."""
    samples = {path.name: json.loads(path.read_bytes()) for path in FIXTURES.glob("*request*.json")}
    bodies = [call.body for call in TABLE]
    assert len(samples) == 5
    assert [name for name, body in samples.items() if body not in bodies] == []


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
    ("error-flat-shape.json", 500, ServerError, "serverError", '{"info":"Server error"}'),
    ("ok-plain.txt", 418, APIError, None, "Ok"),
]


EACH_ERROR = [
    pytest.param(call, expected, id=f"{call.method}-{expected[1]} {expected[0]}")
    for call in BY_METHOD.values()
    for expected in ERRORS
    if not (call.pair in SEARCHES and expected[1] == 404)  # finds nothing: see below
]


@pytest.mark.parametrize(("call", "expected"), EACH_ERROR)
async def test_what_errors_come_of_it(
    mocked: aioresponses,
    sample: Sample,
    call: Call,
    expected: tuple[str, int, type[APIError], str | None, str],
) -> None:
    """The class follows the status; the error says what was asked, what was answered, and how often."""
    name, status, kind, code, message = expected
    headers = {"Retry-After": "17"} if status == 429 else {}
    mocked.add(url_of(call), call.verb, status=status, body=sample(name), headers=headers, repeat=True)
    async with make_client(retry=NO_RETRY) as client:
        error = await error_of(call, client)
    assert kind is type(error)
    assert (status, code, message) == (error.status, error.code, error.message)
    assert (call.verb, call.path, 1) == (error.method, error.path, error.attempts)
    if isinstance(error, RateLimitError):
        assert error.retry_after == 17.0
    assert sent_through(mocked) == 1


SEARCHING = [param for param in EACH_METHOD if param.values[0].pair in SEARCHES]


@pytest.mark.parametrize("call", SEARCHING)
async def test_a_search_that_is_answered_with_404_found_nothing(
    mocked: aioresponses, sample: Sample, call: Call
) -> None:
    """So one client tells; an address without searches would answer all of its calls so."""
    body = sample("error-404-g1.json")
    mocked.add(url_of(call), call.verb, status=404, body=body)
    async with make_client() as client:
        assert await call.use(client) in ([], None)
    assert len(SEARCHING) == 3


async def test_a_page_of_a_search_that_is_answered_with_404_is_empty(mocked: aioresponses) -> None:
    """Its offset is the one asked for, and no total is known."""
    mocked.post(f"{BASE_URL}/chats/search", status=404)
    async with make_client() as client:
        listing = client.search_chats(CHAT_ASSIGNEE.equals(312))
        assert Page((), None, 300) == await listing.page(offset=300)


MISSHAPEN = [b"[7]", b"{}", b'{"id": "x"}', b'{"data": {}}', b'"Ok"', b"null", b'{"data": [{"id": null}]}']
ANSWERED = [
    param
    for param in EACH_METHOD
    if param.values[0].pair not in ACKNOWLEDGED | {("PUT", "/customers/batch")}
    and param.values[0].method != "create_event"  # an event has no field that must be there
]


@pytest.mark.parametrize("body", MISSHAPEN, ids=bytes.decode)
@pytest.mark.parametrize("call", ANSWERED)
async def test_a_2xx_of_another_shape(mocked: aioresponses, call: Call, body: bytes) -> None:
    """It is no result, it is not asked for again, and a write may well have been done."""
    mocked.add(url_of(call), call.verb, body=body, repeat=True)
    async with make_client() as client:
        error = await error_of(call, client)
    assert DecodeError is type(error)
    assert error.problems
    assert changes(call) == error.outcome_unknown
    assert sent_through(mocked) == 1


@pytest.mark.parametrize("body", [b"[]", b'"Ok"', b"null", b"7", b'[{"id": 7}]'], ids=bytes.decode)
async def test_an_event_of_another_shape(mocked: aioresponses, body: bytes) -> None:
    """Nothing of an event is sure to be there, but it is an object."""
    mocked.post(f"{BASE_URL}/events", body=body, repeat=True)
    async with make_client() as client:
        with pytest.raises(DecodeError) as caught:
            await client.create_event(7, "Upgrade")
    assert caught.value.outcome_unknown
    assert sent_through(mocked) == 1


@pytest.mark.parametrize("call", EACH_METHOD)
async def test_a_2xx_that_is_no_json(mocked: aioresponses, call: Call) -> None:
    """Something in between answered: no result, not even where no more than Ok is awaited."""
    mocked.add(url_of(call), call.verb, body=b"<html>502 for mara@customer.example</html>", repeat=True)
    async with make_client(retry=NO_RETRY) as client:
        error = await error_of(call, client)
    assert DecodeError is type(error)
    assert "mara" not in f"{error!s} {error!r} {error.problems} {error.snippet}"
    assert changes(call) == error.outcome_unknown
    assert sent_through(mocked) == 1


@pytest.mark.parametrize(
    ("status", "body"), [(200, b"Ok"), (200, b'"Ok"'), (200, b""), (204, b""), (202, b"{}")]
)
@pytest.mark.parametrize("method", ["delete_customer", "unsubscribe_agent"])
async def test_what_counts_as_ok(mocked: aioresponses, method: str, status: int, body: bytes) -> None:
    """Whether Ok is text or JSON is not documented; a 2xx is."""
    call = BY_METHOD[method]
    mocked.add(url_of(call), call.verb, status=status, body=body)
    async with make_client() as client:
        assert await call.use(client) is None


@pytest.mark.parametrize("status", [200, 201, 202])
@pytest.mark.parametrize("method", ["create_customer", "create_chat", "send_message", "create_event"])
async def test_any_2xx_says_that_it_is_done(
    mocked: aioresponses, sample: Sample, method: str, status: int
) -> None:
    """Pages differ on whether a creation is answered with 200 or 201."""
    call = BY_METHOD[method]
    mocked.add(url_of(call), call.verb, status=status, body=sample(call.reply))
    async with make_client() as client:
        assert call.result(json.loads(sample(call.reply))) == await call.use(client)


REPEATED = {True: 3, False: 1}
NOT_REPEATABLE = {
    "create_customer",
    "create_event",
    "create_chat",
    "send_message",
    "send_private_note",
    "unsubscribe_agent",
}


@pytest.mark.parametrize("call", EACH_METHOD)
async def test_a_server_error_is_met_again_only_where_a_repetition_does_no_harm(
    mocked: aioresponses, call: Call
) -> None:
    """The rest is told at once; and of every change, that it may have been made."""
    mocked.add(url_of(call), call.verb, status=503, repeat=True)
    async with make_client(retry=RetryPolicy(attempts=3, max_backoff=0.0)) as client:
        error = await error_of(call, client)
    is_repeatable = call.method not in NOT_REPEATABLE
    assert REPEATED[is_repeatable] == error.attempts == sent_through(mocked)
    assert changes(call) == error.outcome_unknown


@pytest.mark.parametrize("call", EACH_METHOD)
async def test_a_client_that_is_not_open(mocked: aioresponses, call: Call) -> None:
    """Before it is opened and after it was closed: told plainly, and nothing is sent."""
    client = make_client()
    with pytest.raises(ClientClosedError, match="async with"):
        await call.use(client)
    async with client:
        pass
    with pytest.raises(ClientClosedError, match="closed"):
        await call.use(client)
    assert sent_through(mocked) == 0


async def test_a_search_walks_its_pages_in_the_body(mocked: aioresponses) -> None:
    """Limit and offset stand beside the filter, which stays as it is; a page is never above 100."""
    bodies: list[Any] = []

    def answer(_: object, **sent: Any) -> CallbackResult:
        bodies.append(json.loads(sent["data"]))
        part = range(bodies[-1]["offset"], bodies[-1]["offset"] + bodies[-1]["limit"])
        return CallbackResult(payload={"data": [{"id": 1 + each} for each in part], "total": 1000})

    mocked.post(f"{BASE_URL}/chats/search", callback=answer, repeat=True)
    async with make_client() as client:
        found = await client.search_chats(CHAT_ASSIGNEE.equals(312), offset=30, limit=250).to_list()
    assert list(range(31, 281)) == [chat.id for chat in found]
    parts = [(body.pop("offset"), body.pop("limit")) for body in bodies]
    assert parts == [(30, 100), (130, 100), (230, 50)]
    asked = {"field": "chats.assignee", "operator": "=", "value": 312}
    assert [{"comparison": "AND", "filter": [asked]}] * 3 == bodies


@pytest.mark.parametrize(
    ("noun", "reply", "offsets"),
    [
        pytest.param("agents", "agents-page-g3-wrong-total.json", ["0", "3"], id="a total too large"),
        pytest.param("departments", "departments-page-zero-total.json", ["0"], id="a total of nothing"),
        pytest.param("applications", "applications-page.json", ["0"], id="no total"),
    ],
)
async def test_totals_are_hints(
    mocked: aioresponses, sample: Sample, noun: str, reply: str, offsets: list[str]
) -> None:
    """All rows come; a total too large costs a look at an empty page, and no more."""
    rows = json.loads(sample(reply))["data"]
    for offset in ("0", "1", "2", "3"):
        url = URL(f"{BASE_URL}/{noun}").with_query(limit="100", offset=offset)
        mocked.get(url, payload={**json.loads(sample(reply)), "data": rows[int(offset) :]})
    async with make_client() as client:
        found = await getattr(client, f"list_{noun}")().to_list()
    assert [row["id"] for row in rows] == [each.id for each in found]
    assert offsets == [url.query["offset"] for _, url in mocked.requests]


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
    assert sent_through(mocked) == 3


async def test_the_shim_for_aioresponses_is_still_needed() -> None:
    """A canary: once aioresponses works on this aiohttp again, the shim in conftest.py can go."""
    with aioresponses() as replies:
        replies.get(f"{BASE_URL}/customers/7", body=b"{}")
        async with aiohttp.ClientSession() as session:
            with pytest.raises(TypeError, match="stream_writer"):
                await session.get(f"{BASE_URL}/customers/7")
