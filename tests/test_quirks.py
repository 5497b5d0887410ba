"""The 25 quirks of the API and its documentation, each survived by a test that names it.

The samples are of our own making; where HelpCrunch's pages contradict each other, both are taken.
"""

import hmac
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from aioresponses import aioresponses

from helpcrunch_async import (
    NO_RETRY,
    UNLIMITED,
    Agent,
    AgentRole,
    APIError,
    AuthenticationError,
    BadRequestError,
    Chat,
    ChatRating,
    ChatStatus,
    Customer,
    DecodeError,
    Department,
    Event,
    HelpCrunchClient,
    HelpCrunchError,
    Message,
    NotFoundError,
    Organization,
    RateLimitError,
    Rating,
    RetryPolicy,
    Tag,
    from_dict,
    same_word,
)
from helpcrunch_async.search import EMAIL
from helpcrunch_async.webhooks import parse_webhook

BASE_URL = "https://api.helpcrunch.com/v1"
FIRST_PAGE = "?limit=100&offset=0"
FIXTURES = Path(__file__).parent / "fixtures"
Sample = Callable[[str], bytes]
Call = Callable[[HelpCrunchClient], Awaitable[Any]]


def make_client(retry: RetryPolicy = NO_RETRY) -> HelpCrunchClient:
    return HelpCrunchClient("s3cret", rate_limiter=UNLIMITED, retry=retry)


async def answer_to(call: Call, retry: RetryPolicy = NO_RETRY) -> Any:
    async with make_client(retry) as client:
        return await call(client)


async def error_of(call: Call, retry: RetryPolicy = NO_RETRY) -> HelpCrunchError:
    with pytest.raises(HelpCrunchError) as caught:
        await answer_to(call, retry)
    return caught.value


def bodies_sent(mocked: aioresponses) -> list[Any]:
    """The JSON of every request, None for one without a body."""
    sent = [each.kwargs["data"] for calls in mocked.requests.values() for each in calls]
    return [None if body is None else json.loads(body) for body in sent]


def moment(microsecond: int = 0) -> datetime:
    return datetime(2020, 5, 8, 8, 42, 34, microsecond, tzinfo=UTC)


@pytest.mark.parametrize(
    ("spelt", "expected"),
    [
        (1588927354, moment()),
        ("1588927354", moment()),
        ("1588927354.913", moment(913_000)),
        ("1588927354.000", moment()),
        (None, None),
        ("", None),
    ],
    ids=repr,
)
def test_q01_moments_are_read_in_every_spelling(spelt: object, expected: datetime | None) -> None:
    """Int, numeric string, the same with a fraction, null, even empty; mixed inside one answer."""
    chat = from_dict(
        Chat, {"id": 7, "createdAt": 1588927354, "snoozedUntil": spelt, "closedAt": "1588927354"}
    )
    assert (moment(), expected, moment()) == (chat.created_at, chat.snoozed_until, chat.closed_at)
    assert expected == from_dict(Customer, {"id": 7, "lastSeen": spelt}).last_seen
    assert expected == from_dict(Message, {"id": 7, "updatedAt": spelt}).updated_at
    assert expected == from_dict(Event, {"id": 7, "createdAt": spelt}).created_at
    told = {"chat_id": 7, "snoozedUntil": spelt}
    body = json.dumps(
        {"id": "e", "event": "chat.snoozed", "eventData": told, "createdAt": 1588927354}
    ).encode()
    event: Any = parse_webhook(body, hmac.new(b"key", body, "sha1").hexdigest(), "key")
    assert (moment(), expected) == (event.created_at, event.data.snoozed_until)


async def test_q02_custom_data_is_read_as_list_and_object_and_written_as_list(mocked: aioresponses) -> None:
    """List of {property, value} or {name, value}, object, null, missing: one mapping; a list when written."""
    for spelt in (
        {"plan": "team"},
        [{"property": "plan", "value": "team"}],
        [{"name": "plan", "value": "team"}],
    ):
        assert from_dict(Customer, {"id": 7, "customData": spelt}).custom_data == {"plan": "team"}
    assert from_dict(Customer, {"id": 7, "customData": None}).custom_data == {}
    assert from_dict(Customer, {"id": 7}).custom_data == {}
    mocked.patch(f"{BASE_URL}/customers/7", body=b'{"id": 7}')
    await answer_to(lambda client: client.update_customer(7, custom_data={"plan": "team"}))
    assert bodies_sent(mocked) == [{"customData": [{"property": "plan", "value": "team"}]}]


@pytest.mark.parametrize(
    "body",
    [
        (FIXTURES / "customer-malformed.txt").read_bytes(),  # a brace is missing
        b'{"id": 7, "assignee": null "department": null}',
        b'{"id": 7, "read": true.}',
        b'{"id": 7, "tags": [],}',
        b'{"id": 7, "customData": {"a": 1]}',
    ],
    ids=["brace", "comma", "full stop", "trailing comma", "bracket"],
)
async def test_q03_broken_json_is_no_half_read_customer(mocked: aioresponses, body: bytes) -> None:
    """JSON as broken as the pages' own samples is refused as a whole, and says where it breaks."""
    mocked.get(f"{BASE_URL}/customers/7", body=body)
    error = await error_of(lambda client: client.get_customer(7))
    assert isinstance(error, DecodeError)
    assert "not JSON" in error.problems[0]


async def test_q03_a_broken_error_body_is_still_that_error(mocked: aioresponses) -> None:
    """One page's error list lacks a comma: the class follows the status all the same."""
    mocked.get(f"{BASE_URL}/customers/7", status=400, body=b'{"errors":[{"code":"a"} {"code":"b"}]}')
    error = await error_of(lambda client: client.get_customer(7))
    assert isinstance(error, BadRequestError)
    assert (error.code, error.errors) == (None, ())


@pytest.mark.parametrize("path", sorted(FIXTURES.iterdir()), ids=lambda path: path.name)
def test_q03_q21_fixtures_are_not_pasted_from_the_pages(path: Path) -> None:
    """They are JSON unless they say otherwise, and hold none of the scraper's masked addresses."""
    text = path.read_text()
    assert "[email" not in text
    if path.suffix == ".json":
        assert isinstance(json.loads(text), dict | list | str)
    else:
        with pytest.raises(json.JSONDecodeError):
            json.loads(text)


def test_q04_a_customer_may_have_been_seen_last_but_not_first(sample: Sample) -> None:
    """And may have neither, nor a phone, nor notes."""
    customer = from_dict(Customer, {"id": 7, "firstSeen": None, "lastSeen": "1588927354", "phone": None})
    assert (None, moment(), None) == (customer.first_seen, customer.last_seen, customer.phone)
    sparse = from_dict(Customer, json.loads(sample("customer-sparse-nulls.json")))
    assert sparse == Customer(70013, unsubscribed=False, blocked=False)


@pytest.mark.parametrize("spelt", ["onhold", "on hold", "on-hold"])
async def test_q05_on_hold_in_every_spelling(mocked: aioresponses, spelt: str) -> None:
    """Read and kept as it came, found by `same_word`, and sent as the newest page spells it."""
    mocked.put(f"{BASE_URL}/chats/status", body=json.dumps({"id": 7, "status": spelt}))
    chat = await answer_to(lambda client: client.set_chat_status(7, spelt))
    assert spelt == chat.status
    assert same_word(chat.status, ChatStatus.ON_HOLD)
    assert bodies_sent(mocked) == [{"id": 7, "status": "on hold"}]


async def test_q05_open_is_opened_and_unknown_statuses_are_kept(mocked: aioresponses) -> None:
    """The Ukrainian page sends `open`; what HelpCrunch adds later goes through in both directions."""
    mocked.put(f"{BASE_URL}/chats/status", body=b'{"id": 7, "status": "escalated"}', repeat=True)
    async with make_client() as client:
        for status in ("open", "escalated"):
            assert (await client.set_chat_status(7, status)).status == "escalated"
    assert [body["status"] for body in bodies_sent(mocked)] == ["opened", "escalated"]


async def test_q06_five_ratings_and_more_to_come(mocked: aioresponses) -> None:
    """All five are sent, a sixth is refused before that; whatever comes is kept as it came."""
    mocked.put(f"{BASE_URL}/chats/rate", body=b'{"id": 7, "rating": "superb"}', repeat=True)
    five: list[Rating] = [
        ChatRating.PERFECT,
        ChatRating.GREAT,
        ChatRating.AVERAGE,
        ChatRating.POOR,
        ChatRating.VERY_POOR,
    ]
    async with make_client() as client:
        for rating in five:
            assert (await client.rate_chat(7, rating)).rating == "superb"
        superb: Any = "superb"
        with pytest.raises(ValueError, match="rating is one of"):
            await client.rate_chat(7, superb)
    assert five == [body["rating"] for body in bodies_sent(mocked)]


async def test_q07_totals_are_hints(mocked: aioresponses, sample: Sample) -> None:
    """In two places, absent, too small and too great: every row comes, once, and the walk ends."""
    mocked.get(f"{BASE_URL}/departments{FIRST_PAGE}", body=sample("departments-page-zero-total.json"))
    mocked.get(f"{BASE_URL}/agents{FIRST_PAGE}", body=sample("agents-page-g3-wrong-total.json"))
    mocked.get(f"{BASE_URL}/agents?limit=100&offset=3", body=b'{"data": [], "meta": {"total": 5}}')
    mocked.get(f"{BASE_URL}/agents{FIRST_PAGE}", body=sample("agents-page-g1-no-meta.json"))
    mocked.get(f"{BASE_URL}/customers{FIRST_PAGE}", body=sample("customers-page-total.json"))
    async with make_client() as client:
        assert [row.id async for row in client.list_departments()] == [41]
        assert [row.id async for row in client.list_agents()] == [311, 312, 313]
        assert (await client.list_agents().page()).total is None
        assert (await client.list_customers().page()).total == 2
    assert sum(map(len, mocked.requests.values())) == 5


@pytest.mark.parametrize(
    "spelt",
    [
        {"data": [{"id": 2}, {"id": 1}], "total": 2},
        {"messages": [{"id": 2}, {"id": 1}]},
        {"data": [[{"id": 2}, {"id": 1}]]},
        {"data": [[{"id": 2}], [{"id": 1}]]},
    ],
    ids=["data", "messages", "nested", "nested singly"],
)
async def test_q08_messages_under_either_key_and_nested(mocked: aioresponses, spelt: object) -> None:
    """The list is found wherever the pages and other clients saw it."""
    mocked.get(f"{BASE_URL}/chats/7/messages{FIRST_PAGE}", body=json.dumps(spelt))
    assert await answer_to(lambda client: client.list_messages(7).to_list()) == [Message(2), Message(1)]


async def test_q09_single_objects_bare_or_under_data(mocked: aioresponses, sample: Sample) -> None:
    """The organization is wrapped, a customer is not; the other way about is read as well."""
    mocked.get(f"{BASE_URL}/organization", body=sample("organization-wrapped.json"))
    mocked.get(f"{BASE_URL}/organization", body=b'{"id": 7, "domain": "shop"}')
    mocked.get(f"{BASE_URL}/customers/7", body=b'{"id": 7}')
    mocked.get(f"{BASE_URL}/customers/7", body=b'{"data": {"id": 7}}')
    async with make_client() as client:
        assert await client.get_organization() == Organization(
            7, "shop", team_online=True, chat_enabled=False
        )
        assert await client.get_organization() == Organization(7, "shop")
        assert await client.get_customer(7) == Customer(7)
        assert await client.get_customer(7) == Customer(7)


@pytest.mark.parametrize("body", [b"Ok", b'"Ok"', b"OK\n", b""], ids=repr)
async def test_q10_ok_is_text_or_json(mocked: aioresponses, body: bytes) -> None:
    """No page says which: deleting and unsubscribing are done either way, and give nothing."""
    for content_type in ("text/plain", "application/json"):
        mocked.delete(f"{BASE_URL}/customers/7", body=body, content_type=content_type)
        mocked.get(f"{BASE_URL}/agents/7/unsubscribe", body=body, content_type=content_type)
        assert await answer_to(lambda client: client.delete_customer(7)) is None
        assert await answer_to(lambda client: client.unsubscribe_agent(7)) is None


async def test_q11_untag_is_a_delete_with_a_body() -> None:
    """Over a real socket, for that is where HTTP libraries drop it."""
    received: list[tuple[str, Any]] = []

    async def untag(request: web.Request) -> web.Response:
        received.append((request.content_type, await request.json()))
        return web.json_response({"id": 7, "tags": []})

    app = web.Application()
    app.router.add_delete("/v1/customers/7/tags", untag)
    async with TestServer(app) as server:
        url = str(server.make_url("/v1"))
        async with HelpCrunchClient("s3cret", base_url=url, rate_limiter=UNLIMITED, retry=NO_RETRY) as client:
            assert await client.untag_customer(7, [Tag("lead", "red"), "vip"]) == Customer(7)
    assert received == [("application/json", {"tags": [{"name": "lead"}, {"name": "vip"}]})]


CREATIONS: list[Any] = [
    pytest.param("customers", lambda client: client.create_customer(name="Mara"), Customer(7), id="customer"),
    pytest.param("chats", lambda client: client.create_chat(1, application_id=2), Chat(7), id="chat"),
    pytest.param("messages", lambda client: client.send_message(1, "Hello"), Message(7), id="message"),
    pytest.param("events", lambda client: client.create_event(1, "Upgrade", {"a": 1}), Event(7), id="event"),
]


@pytest.mark.parametrize(("path", "call", "expected"), CREATIONS)
async def test_q12_a_creation_is_any_2xx(mocked: aioresponses, path: str, call: Call, expected: Any) -> None:
    """The pages differ about 200 and 201."""
    for status in (200, 201, 202):
        mocked.post(f"{BASE_URL}/{path}", status=status, body=b'{"id": 7}')
        assert expected == await answer_to(call)


async def test_q13_put_sends_every_field_and_patch_only_what_is_given(mocked: aioresponses) -> None:
    """So a PUT comes to the same whether what it leaves out is cleared or stays; unset and None differ."""
    mocked.put(f"{BASE_URL}/customers/7", body=b'{"id": 7}')
    mocked.patch(f"{BASE_URL}/customers/7", body=b'{"id": 7}')
    async with make_client() as client:
        await client.replace_customer(7, name="Mara")
        await client.update_customer(7, name="Mara", notes=None)
    replaced, updated = bodies_sent(mocked)
    assert replaced.pop("name") == "Mara"
    assert len(replaced) == 20
    assert set(replaced.values()) == {None}
    assert updated == {"name": "Mara", "notes": None}


@pytest.mark.parametrize(
    ("name", "kind", "status", "code"),
    [
        ("error-404-g3-misleading-message.json", NotFoundError, 404, "not_found"),
        ("error-404-code-typo.json", NotFoundError, 404, "not_fount"),
        ("error-400-field-paths-g3.json", BadRequestError, 400, "customer"),
        ("error-401-g3.json", AuthenticationError, 401, "unauthorized"),
        ("error-429-g3.json", RateLimitError, 429, "too_many_requests"),
        ("error-400-chat-not-closed.json", BadRequestError, 400, "invalid_request"),
    ],
    ids=lambda value: value if isinstance(value, str) and ".json" in value else "",
)
async def test_q14_the_code_that_says_something_comes_second(  # noqa: PLR0917 - a table's columns
    mocked: aioresponses, sample: Sample, name: str, kind: type[APIError], status: int, code: str
) -> None:
    """The status decides the class, though the words speak of a chat; the whole list is kept."""
    mocked.get(f"{BASE_URL}/customers/7", status=status, body=sample(name))
    error = await error_of(lambda client: client.get_customer(7))
    assert isinstance(error, APIError)
    assert (kind, code) == (type(error), error.code)
    told = [(each["code"], each["message"]) for each in json.loads(sample(name))["errors"]]
    assert told == [(each.code, each.message) for each in error.errors]


async def test_q15_sorting_is_spelt_in_one_way(mocked: aioresponses) -> None:
    """Lower-case order, the noun before the field; the caller's own prefix or capitals are refused."""
    path = f"{BASE_URL}/chats?limit=100&offset=0&order=desc&sort=chats.lastCustomerMessageAt"
    mocked.get(path, body=b'{"data": []}')
    mocked.post(f"{BASE_URL}/customers/search", body=b'{"data": []}')
    async with make_client() as client:
        assert await client.list_chats(sort="lastCustomerMessageAt", order="desc").to_list() == []
        found = client.search_customers(EMAIL.contains("@"), sort="firstSeen", order="asc")
        assert await found.to_list() == []
        odd: list[dict[str, Any]] = [
            {"order": "DESC"},
            {"sort": "customers.firstSeen"},
            {"sort": "createdAt"},
        ]
        for options in odd:
            with pytest.raises(ValueError, match="is one of"):
                client.list_customers(**options)
    body = bodies_sent(mocked)[1]
    assert (body["sort"], body["order"]) == ("customers.firstSeen", "asc")


def test_q16_agents_and_departments_in_every_shape(sample: Sample) -> None:
    """Agents as a list or one object, an agent with two or four keys, a department with or without agents."""
    ines = Agent(311, "Ines Okafor", "ines@shop.example", "admin")
    assert from_dict(Chat, json.loads(sample("chat-g1-agents-single-object.json"))).agents == (ines,)
    assert from_dict(Chat, json.loads(sample("chat-g3.json"))).agents[0] == ines
    assert from_dict(Chat, {"id": 7, "agents": None}).agents == ()
    old = json.loads(sample("messages-page-g1-fraction-ts.json"))["data"][0]
    assert from_dict(Message, old).agent == Agent(311, "Ines")
    new = json.loads(sample("messages-page-g3.json"))["data"][0]
    assert from_dict(Message, new).agent == Agent(312, "Tomas Lind", "tomas@shop.example", "superviser")
    assert from_dict(Chat, json.loads(sample("chat-g3.json"))).department == Department(41, "Billing")
    whole = json.loads(sample("departments-page-zero-total.json"))["data"][0]
    assert from_dict(Chat, {"id": 7, "department": whole}).department == from_dict(Department, whole)


@pytest.mark.parametrize("model", [Customer, Chat, Message, Agent, Department, Organization, Event])
def test_q17_fields_come_and_go(model: type[Any]) -> None:
    """Only the id is needed; what nobody knew yet is kept within reach."""
    assert from_dict(model, {"id": 7}).id == 7
    assert from_dict(model, {"id": 7, "later": {"a": [1]}}).extra == {"later": {"a": [1]}}


def test_q18_superviser(sample: Sample) -> None:
    """HelpCrunch's spelling is kept and has a constant; the dictionary's is known to mean it."""
    tomas = from_dict(Agent, json.loads(sample("agents-page-g1-no-meta.json"))["data"][1])
    assert tomas.role == AgentRole.SUPERVISOR == "superviser"
    assert same_word(tomas.role, "supervisor")


async def test_q19_values_are_not_coerced(mocked: aioresponses) -> None:
    """What is echoed as another type than was sent stays that; so do attributes that look like dates."""
    mocked.post(f"{BASE_URL}/events", body=b'{"id": 1, "data": {"trial": 2, "seats": "3", "sum": 1.0}}')
    data = {"trial": True, "seats": 3, "sum": 1}
    event = await answer_to(lambda client: client.create_event(7, "Upgrade", data))
    assert bodies_sent(mocked) == [{"customer": 7, "name": "Upgrade", "data": data}]
    assert [type(each) for each in event.data.values()] == [int, str, float]
    values = {"a": "2020-09-01 00:40:00", "b": "12", "c": 1603800000, "d": True, "e": 1.0}
    read = from_dict(Customer, {"id": 7, "customData": values}).custom_data
    assert [(each, type(each)) for each in values.values()] == [(each, type(each)) for each in read.values()]


def test_q20_opaque_strings_stay_opaque() -> None:
    """A time zone that is none, a country that is none, a colour in Cyrillic letters: as they came."""
    customer = from_dict(
        Customer,
        {
            "id": 7,
            "device": {"timezone": "America/Los Angeles"},
            "location": {"countryCode": "EN"},
            "tags": [{"name": "lead", "color": "#00\u0441\u04352\u04350"}],
        },
    )
    assert customer.device.timezone == "America/Los Angeles"
    assert customer.location.country_code == "EN"
    assert customer.tags == (Tag("lead", "#00\u0441\u04352\u04350"),)


async def test_q21_addresses_are_not_judged(mocked: aioresponses) -> None:
    """A masked address is the scraper's, not the API's; even so it is text as any other, in and out."""
    masked = "[email\u00a0protected]"
    mocked.post(f"{BASE_URL}/customers", body=json.dumps({"id": 7, "email": masked}))
    customer = await answer_to(lambda client: client.create_customer(email=masked))
    assert masked == customer.email
    assert bodies_sent(mocked) == [{"email": masked}]


async def test_q22_a_user_id_that_is_taken(mocked: aioresponses, sample: Sample) -> None:
    """Refused with a code to catch, or answered with the customer who has it: the caller can do both."""
    mocked.post(f"{BASE_URL}/customers", status=400, body=sample("error-400-duplicate-userid.json"))
    mocked.post(f"{BASE_URL}/customers", status=200, body=b'{"id": 7, "userId": "acct_1", "name": "Old"}')
    error: Any = await error_of(lambda client: client.create_customer(user_id="acct_1", name="New"))
    assert (BadRequestError, "invalid_userId_value") == (type(error), error.code)
    assert not error.outcome_unknown
    existing = await answer_to(lambda client: client.create_customer(user_id="acct_1", name="New"))
    assert existing == Customer(7, name="Old", user_id="acct_1")


async def test_q23_an_address_may_be_several_customers(mocked: aioresponses) -> None:
    """Finding gives the one seen last, which is asked for first; searching gives all of them."""
    rows = [{"id": 9, "email": "mara@customer.example"}, {"id": 7, "email": "Mara@customer.example"}]
    mocked.post(f"{BASE_URL}/customers/search", body=json.dumps({"data": rows, "total": 2}), repeat=True)
    async with make_client() as client:
        found = await client.find_customer(email="mara@customer.example")
        every = await client.search_customers(EMAIL.equals("mara@customer.example")).to_list()
    assert found == Customer(9, email="mara@customer.example")
    assert [each.id for each in every] == [9, 7]
    sent = bodies_sent(mocked)[0]
    assert (sent["sort"], sent["order"]) == ("customers.lastSeen", "desc")


@pytest.mark.parametrize(
    "failure", [{"status": 503}, {"exception": aiohttp.ServerDisconnectedError()}], ids=["503", "lost"]
)
async def test_q24_a_get_that_changes_something_is_not_repeated(
    mocked: aioresponses, failure: dict[str, Any]
) -> None:
    """Unsubscribing an agent is a GET by its verb alone: after a lost answer nobody knows, and it says so."""
    patient = RetryPolicy(attempts=3, max_backoff=0.0)
    mocked.get(f"{BASE_URL}/agents/7/unsubscribe", repeat=True, **failure)
    mocked.get(f"{BASE_URL}/customers/7", repeat=True, **failure)
    assert (await error_of(lambda client: client.unsubscribe_agent(7), patient)).outcome_unknown
    assert not (await error_of(lambda client: client.get_customer(7), patient)).outcome_unknown
    assert [len(calls) for calls in mocked.requests.values()] == [1, 3]


async def test_q25_an_address_is_found_by_equality(mocked: aioresponses) -> None:
    """Contains would find longer addresses: `=` is asked, and rows with other addresses are not taken."""
    rows = [{"id": 1, "email": "tamara@customer.example"}, {"id": 2, "email": "mara@customer.example"}]
    mocked.post(f"{BASE_URL}/customers/search", body=json.dumps({"data": rows}))
    mocked.post(f"{BASE_URL}/customers/search", body=json.dumps({"data": rows[:1]}))
    mocked.post(f"{BASE_URL}/customers/search", body=b'{"data": []}')
    async with make_client() as client:
        found = await client.find_customer(email="mara@customer.example")
        assert found == Customer(2, email="mara@customer.example")
        with pytest.raises(DecodeError, match="other customers"):
            await client.find_customer(email="mara@customer.example")
        assert await client.find_customer(email="mara@customer.example") is None
    expected = {"field": "customers.email", "operator": "=", "value": "mara@customer.example"}
    assert [[expected]] * 3 == [body["filter"] for body in bodies_sent(mocked)]


@pytest.mark.parametrize("number", range(1, 26), ids=lambda number: f"Q{number}")
def test_every_quirk_has_its_test(number: int) -> None:
    """None of the 25 is forgotten."""
    assert [name for name in globals() if name.startswith("test_q") and f"_q{number:02}_" in name]
