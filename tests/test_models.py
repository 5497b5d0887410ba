"""Chats, messages, the team and events as every known page spells them: read field by field, compared."""

import copy
import json
import pickle
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest

from helpcrunch_async import (
    Agent,
    Application,
    BatchOutcome,
    Chat,
    ChatCustomer,
    Customer,
    Department,
    Event,
    Lookup,
    Message,
    NotFoundError,
    Organization,
    Page,
    from_dict,
    to_dict,
)
from helpcrunch_async.converter import structure_one, structure_page

Sample = Callable[[str], bytes]


def at(seconds: int, milliseconds: int = 0) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds, milliseconds=milliseconds)


INES = Agent(311, "Ines Okafor", "ines@shop.example", "admin")
TOMAS = Agent(312, "Tomas Lind", "tomas@shop.example", "superviser")
RO = Agent(313, "Ro", "ro@shop.example", "agentChatOnly")
BILLING = Department(41, "Billing", (INES, TOMAS))

ON_HOLD = Chat(
    id=8801,
    status="on hold",
    created_at=at(1593100596),
    last_message_at=at(1593150172),
    last_customer_message_at=at(1593100626),
    snoozed_until=at(1593864800),
    last_message_text="We will call you.",
    last_message_id=550091,
    last_communicated_agent_id=311,
    customer=ChatCustomer(70011, "Mara Quill", "mara@customer.example", None),
    assignee=INES,
)
CLOSED_OLD = attrs.evolve(
    ON_HOLD,
    id=8802,
    status="closed",
    closed_by="agent",
    closed_at=at(1593190000),
    rating="great",
    agents=(INES,),
    notes="Closed after refund",
)
CLOSED_NEW = Chat(
    id=8803,
    status="closed",
    closed_by="customer",
    created_at=at(1712049990),
    last_message_at=at(1712050300),
    last_customer_message_at=at(1712050001),
    closed_at=at(1712053001),
    rating="very poor",
    created_with="customer_message",
    read_by_agent=True,
    read_by_customer=False,
    last_message_text="Bye",
    last_message_id=550120,
    last_communicated_agent_id=312,
    application_id=2,
    agents=(INES, TOMAS),
    customer=ChatCustomer(70012, "Mara Quill", "mara@customer.example", "acct_502"),
    assignee=TOMAS,
    department=Department(41, "Billing"),
)
EMPTY = Chat(
    id=8804,
    status="empty",
    created_at=at(1712060000),
    created_with="public_api",
    application_id=2,
    customer=ChatCustomer(70012, "Mara Quill", None, "acct_502"),
)
NOTE = Message(
    id=550121,
    chat_id=8803,
    agent=TOMAS,
    type="private",
    text="Refund **agreed**",
    read=False,
    edited=False,
    created_at=at(1712054000),
    updated_at=at(1712054000),
    from_="agent",
)
BOT = Message(
    id=550120,
    chat_id=8803,
    agent=Agent(2, "HelpBot", "bot@shop.example", "admin"),
    type="tech",
    read=False,
    edited=False,
    created_at=at(1712053945),
    updated_at=at(1712053945),
    broadcast_type="auto chat",
    from_="agent",
)
HELLO = Message(
    id=550091,
    chat_id=8801,
    agent=Agent(311, "Ines"),
    type="message",
    text="Hello, how may I help?",
    read=True,
    edited=False,
    created_at=at(1593800537, 924),
    from_="agent",
)
PARCEL = Message(
    id=550090,
    chat_id=8801,
    type="message",
    text="Where is my parcel?",
    read=True,
    edited=True,
    created_at=at(1593800500, 482),
    updated_at=at(1593800514, 872),
    from_="customer",
)
SHOP_SITE = Application(1, "shop", "Shop site", True, "web")  # the fourth is `active`
IPHONE = Application(2, "app", "iPhone app", False, "ios")
UPGRADE_OLD = Event(99001, "Upgrade", {"plan": "team", "seats": 3}, at(1603800000), 70011)
UPGRADE_NEW = Event(99002, "Upgrade", {"plan": "team", "trial": False}, at(1712050000))
SHOP = Organization(7, "shop", True, False)  # team_online, chat_enabled

SINGLE: dict[str, Any] = {
    "chat-created-empty.json": EMPTY,
    "chat-g1-agents-single-object.json": CLOSED_OLD,
    "chat-g1-int-ts-fraction-snooze.json": ON_HOLD,
    "chat-g3.json": CLOSED_NEW,
    "event-created-g1.json": UPGRADE_OLD,
    "event-created-g3.json": UPGRADE_NEW,
    "message-created.json": NOTE,
    "organization-wrapped.json": SHOP,
}
PAGES: dict[str, Page[Any]] = {
    "agents-page-g1-no-meta.json": Page((INES, TOMAS), None, 0),
    "agents-page-g3-wrong-total.json": Page((INES, TOMAS, RO), 5, 0),
    "applications-page.json": Page((SHOP_SITE, IPHONE), None, 0),
    "chats-page-meta-total.json": Page((CLOSED_NEW, ON_HOLD), 2, 0),
    "chats-search-page-total.json": Page((CLOSED_NEW,), 1, 0),
    "departments-page-zero-total.json": Page((BILLING,), 0, 0),
    "messages-page-g1-fraction-ts.json": Page((HELLO, PARCEL), 2, 0),
    "messages-page-g3.json": Page((NOTE, BOT), 2, 0),
    "messages-page-oldest-messages-key.json": Page((HELLO, PARCEL), None, 0),
}
ROWS = {
    f"{name}[{index}]": row for name, page in PAGES.items() for index, row in enumerate(page.items)
} | SINGLE


def assert_same_fields(expected: Any, actual: Any) -> None:
    """Compare field by field, the types too, so that a failure names the field."""
    for field in attrs.fields(type(expected)):
        wanted, got = getattr(expected, field.name), getattr(actual, field.name)
        assert (field.name, wanted, type(wanted)) == (field.name, got, type(got))
    assert expected == actual


@pytest.mark.parametrize(("name", "expected"), SINGLE.items(), ids=list(SINGLE))
def test_samples_of_one_field_by_field(sample: Sample, name: str, expected: Any) -> None:
    """Every known spelling is read right, to the type of each value."""
    assert_same_fields(expected, structure_one(json.loads(sample(name)), type(expected)))


@pytest.mark.parametrize(("name", "expected"), PAGES.items(), ids=list(PAGES))
def test_samples_of_pages_row_by_row(sample: Sample, name: str, expected: Page[Any]) -> None:
    """A page may mix spellings; its rows keep their order, and its total is what the server said."""
    model: type[Any] = type(expected.items[0])
    page = structure_page(json.loads(sample(name)), model, offset=0)
    for wanted, got in zip(expected.items, page.items, strict=True):
        assert_same_fields(wanted, got)
    assert expected == page


def test_moments_are_the_moments_that_were_said() -> None:
    """The expectations above rest on this one: Unix seconds, in UTC."""
    assert datetime(2024, 4, 2, 10, 16, 41, tzinfo=UTC) == CLOSED_NEW.closed_at
    assert datetime(2020, 7, 3, 18, 22, 17, 924000, tzinfo=UTC) == HELLO.created_at


@pytest.mark.parametrize("expected", ROWS.values(), ids=list(ROWS))
def test_samples_round_trip(expected: Any) -> None:
    """What `to_dict` gives is JSON, and reads as the same model."""
    assert expected == from_dict(type(expected), to_dict(expected))
    assert expected == from_dict(type(expected), json.loads(json.dumps(to_dict(expected))))


@pytest.mark.parametrize(
    ("name", "added"),
    [
        ("chat-g3.json", {"notes": None}),
        ("chat-created-empty.json", {"notes": None, "readByAgent": None, "readByCustomer": None}),
        ("message-created.json", {}),
        ("event-created-g3.json", {"customer": None}),
    ],
)
def test_what_is_written_is_spelt_as_the_newest_samples(
    sample: Sample, name: str, added: dict[str, Any]
) -> None:
    """Keys, moments and parts come out as they came in; only what the sample lacks is added, as null."""
    documented = json.loads(sample(name))
    if documented.get("department"):
        documented["department"]["agents"] = []  # a department of a chat has no agents to show
    assert {**documented, **added} == to_dict(SINGLE[name])


@pytest.mark.parametrize(
    ("model", "keys"),
    [
        (
            CLOSED_OLD,
            [
                *("id", "status", "closedBy", "createdAt", "lastMessageAt", "lastCustomerMessageAt"),
                *("closedAt", "snoozedUntil", "rating", "createdWith", "readByAgent", "readByCustomer"),
                *("lastMessageText", "lastMessageId", "lastCommunicatedAgentId", "applicationId", "agents"),
                *("customer", "assignee", "department", "notes"),
            ],
        ),
        (CLOSED_OLD.customer, ["id", "name", "email", "userId"]),
        (
            HELLO,
            [
                *("id", "chat", "agent", "type", "text", "read", "edited", "createdAt", "updatedAt"),
                *("broadcastType", "from"),
            ],
        ),
        (INES, ["id", "name", "email", "role"]),
        (BILLING, ["id", "name", "agents"]),
        (IPHONE, ["id", "name", "displayName", "active", "type"]),
        (SHOP, ["id", "domain", "teamOnline", "chatEnabled"]),
        (UPGRADE_OLD, ["id", "name", "data", "createdAt", "customer"]),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, list) else "",
)
def test_every_key_that_is_written(model: Any, keys: list[str]) -> None:
    """Every documented key is there, in the API's words, whatever is None."""
    assert sorted(keys) == sorted(to_dict(model))


def test_old_spellings_are_written_as_new_ones() -> None:
    """Moments become text, with decimals only where there are any; a single agent becomes a list."""
    written = to_dict(CLOSED_OLD)
    assert written["snoozedUntil"] == "1593864800"
    assert written["createdAt"] == "1593100596"
    assert written["agents"] == [to_dict(INES)]
    assert to_dict(HELLO)["createdAt"] == "1593800537.924"
    assert to_dict(UPGRADE_OLD)["createdAt"] == "1603800000"
    assert to_dict(HELLO)["agent"] == {"id": 311, "name": "Ines", "email": None, "role": None}


PLAIN = [CLOSED_NEW, EMPTY.customer, NOTE, INES, BILLING, SHOP_SITE, SHOP, UPGRADE_NEW]


@pytest.mark.parametrize("model", PLAIN, ids=lambda model: type(model).__name__)
def test_models_are_plain_frozen_data(model: Any) -> None:
    """They compare by value, pickle, copy and show themselves; nothing changes them; they do not hash."""
    for twin in (pickle.loads(pickle.dumps(model)), copy.copy(model), copy.deepcopy(model)):
        assert model == twin
        assert type(model) is type(twin)
    assert model != to_dict(model)
    assert repr(model).startswith(f"{type(model).__name__}(id=")
    with pytest.raises(TypeError, match="unhashable"):
        hash(model)
    for field in attrs.fields(type(model)):
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            setattr(model, field.name, None)
    with pytest.raises((AttributeError, TypeError)):
        model.something_new = 1
    assert not hasattr(model, "__dict__")


@pytest.mark.parametrize("model", PLAIN, ids=lambda model: type(model).__name__)
def test_every_field_counts_in_comparison(model: Any) -> None:
    """Models that differ anywhere are not equal."""
    for field in attrs.fields(type(model)):
        change: dict[str, Any] = {field.name: "other"}
        assert attrs.evolve(model, **change) != model


def test_reading_and_writing_share_nothing_that_can_change() -> None:
    """Neither what was read from, nor what was written, reaches into the model."""
    mapping: dict[str, Any] = {"id": 1, "name": "Upgrade", "data": {"plan": "team"}, "later": 1}
    before = copy.deepcopy(mapping)
    event = from_dict(Event, mapping)
    assert before == mapping
    mapping["data"]["plan"] = mapping["later"] = "changed"
    written = to_dict(event)
    written["data"]["plan"] = written["later"] = "changed"
    assert event == Event(1, "Upgrade", {"plan": "team"}, extra={"later": 1})


def test_outcomes_of_a_batch_compare_and_pickle() -> None:
    """They may cross a process border, their errors too."""
    done = BatchOutcome(7, Customer(7), None)
    assert done == pickle.loads(pickle.dumps(done))
    refused = BatchOutcome(8, None, NotFoundError("m", 404, "not_found", (), "PUT", "/customers/batch", 1))
    arrived = pickle.loads(pickle.dumps(refused))
    assert (8, None, str(refused.error)) == (arrived.id, arrived.customer, str(arrived.error))
    assert done != refused


@pytest.mark.parametrize(
    "holder", [Page((CLOSED_NEW,), 1, 0), Lookup(7, Customer(7), None), BatchOutcome(7, None, None), Chat]
)
def test_what_only_holds_models_is_not_written(holder: Any) -> None:
    """A page or an outcome is ours, not the API's: it has no JSON, and says so."""
    with pytest.raises(TypeError, match=f"to_dict takes a model, not {type(holder).__name__}"):
        to_dict(holder)
