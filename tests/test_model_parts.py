"""Parts of models that are absent, null or odd; fields that are added later; and what is refused, by name."""

from typing import Any

import pytest

from helpcrunch_async import (
    Agent,
    Application,
    Chat,
    ChatCustomer,
    Customer,
    DecodeError,
    Department,
    Device,
    Event,
    Message,
    Organization,
    Page,
    from_dict,
    to_dict,
)
from helpcrunch_async.converter import structure_page
from helpcrunch_async.models.webhook import WebhookChat, WebhookChatMessage, WebhookMessage
from helpcrunch_async.protocol import JSON

INES: dict[str, Any] = {"id": 311, "name": "Ines Okafor", "email": "ines@shop.example", "role": "admin"}
INES_READ = Agent(311, "Ines Okafor", "ines@shop.example", "admin")

LEAST = [
    (Chat, Chat(7)),
    (ChatCustomer, ChatCustomer(7)),
    (Message, Message(7)),
    (Agent, Agent(7)),
    (Department, Department(7)),
    (Application, Application(7)),
    (Organization, Organization(7)),
    (Event, Event(7)),
]


@pytest.mark.parametrize(("model", "expected"), LEAST, ids=[model.__name__ for model, _ in LEAST])
def test_only_the_id_is_needed(model: type[Any], expected: Any) -> None:
    """Whatever else is left out or null is None, or empty; and that is written as null, or as empty."""
    assert expected == from_dict(model, {"id": 7})
    nulls = {key: None for key in to_dict(expected) if key != "id"}
    assert expected == from_dict(model, {"id": 7, **nulls})
    written = to_dict(expected)
    assert written.pop("id") == 7
    assert all(value in (None, [], {}) for value in written.values())


def test_an_event_needs_nothing() -> None:
    """One description of the API knows answers without an id: the event was recorded all the same."""
    assert from_dict(Event, {}) == Event()
    assert from_dict(Event, {"name": "Upgrade"}) == Event(name="Upgrade")


@pytest.mark.parametrize("part", ["customer", "assignee", "department"])
@pytest.mark.parametrize("value", [None, [], {}], ids=repr)
def test_a_part_of_a_chat_that_is_not_there(part: str, value: object) -> None:
    """Absent, null, and PHP's empty array in both its spellings: None."""
    assert from_dict(Chat, {"id": 7, part: value}) == Chat(7)


@pytest.mark.parametrize(
    ("part", "expected"),
    [("customer", ChatCustomer(41)), ("assignee", Agent(41)), ("department", Department(41))],
)
def test_a_part_of_a_chat_that_is_a_bare_id(part: str, expected: Any) -> None:
    """Other clients guard against it: it is read as far as it goes, and written as an object."""
    chat = from_dict(Chat, {"id": 7, part: 41})
    assert expected == getattr(chat, part)
    assert to_dict(chat)[part]["id"] == 41
    assert chat == from_dict(Chat, to_dict(chat))


def test_the_agent_of_a_message() -> None:
    """Null for a customer, two keys in old answers, four in new ones, or a bare id."""
    for value, expected in (
        (None, None),
        ({"id": 311, "name": "Ines"}, Agent(311, "Ines")),
        (INES, INES_READ),
        (311, Agent(311)),
        ({"id": 311, "name": None}, Agent(311)),  # the agent of a technical message
    ):
        assert expected == from_dict(Message, {"id": 7, "agent": value}).agent


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ([INES, {"id": 312}], (INES_READ, Agent(312))),
        ([INES], (INES_READ,)),
        (INES, (INES_READ,)),
        ([], ()),
        ({}, ()),
        (None, ()),
    ],
    ids=["list", "list of one", "single object", "empty list", "empty object", "null"],
)
def test_the_agents_of_a_chat(value: object, expected: tuple[Agent, ...]) -> None:
    """A list, one object without a list around it, or none at all."""
    assert expected == from_dict(Chat, {"id": 7, "agents": value}).agents
    assert expected == from_dict(Department, {"id": 7, "agents": value}).agents


def test_the_department_of_a_chat() -> None:
    """With its agents and without them."""
    assert from_dict(Chat, {"id": 7, "department": {"id": 41, "name": "Billing"}}).department == Department(
        41, "Billing"
    )
    whole = {"id": 41, "name": "Billing", "agents": [INES]}
    assert from_dict(Chat, {"id": 7, "department": whole}).department == Department(
        41, "Billing", (INES_READ,)
    )


@pytest.mark.parametrize("value", ["agent", "customer", 311, None], ids=repr)
def test_who_closed_a_chat_is_a_word_or_a_number(value: str | int | None) -> None:
    """One description of the API has a number there, which is left as it came."""
    chat = from_dict(Chat, {"id": 7, "closedBy": value})
    assert (value, type(value)) == (chat.closed_by, type(chat.closed_by))
    assert to_dict(chat)["closedBy"] == value


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"plan": "team", "seats": 3}, {"plan": "team", "seats": 3}),
        ([{"property": "plan", "value": "team"}], {"plan": "team"}),
        ([], {}),
        (None, {}),
    ],
    ids=repr,
)
def test_the_data_of_an_event(value: object, expected: dict[str, Any]) -> None:
    """An object; one description of the API has a list."""
    assert expected == from_dict(Event, {"id": 7, "data": value}).data


def test_unknown_fields_are_kept_at_every_level() -> None:
    """What the API adds later is reachable, and written back."""
    mapping: dict[str, Any] = {
        "id": 7,
        "priority": "high",
        "customer": {"id": 1, "phone": "+49"},
        "assignee": {"id": 2, "online": True},
        "agents": [{"id": 3}, {"id": 4, "avatar": {"url": "x"}}],
        "department": {"id": 5, "hours": [9, 17], "agents": [{"id": 6, "team": "a"}]},
    }
    chat = from_dict(Chat, mapping)
    assert chat.extra == {"priority": "high"}
    assert chat.customer == ChatCustomer(1, extra={"phone": "+49"})
    assert chat.assignee == Agent(2, extra={"online": True})
    assert chat.agents == (Agent(3), Agent(4, extra={"avatar": {"url": "x"}}))
    assert chat.department == Department(5, None, (Agent(6, extra={"team": "a"}),), {"hours": [9, 17]})
    written = to_dict(chat)
    assert written["priority"] == "high"
    assert written["department"]["agents"][0]["team"] == "a"
    assert written["agents"][1]["avatar"] == {"url": "x"}
    assert chat == from_dict(Chat, written)


@pytest.mark.parametrize("model", [model for model, _ in LEAST], ids=lambda model: model.__name__)
def test_our_own_field_names_are_no_keys_of_the_api(model: type[Any]) -> None:
    """A key that only looks like one of our fields is an unknown field as any other."""
    ours = dict.fromkeys(("extra", "chat_id", "from_", "customer_id", "user_id", "created_at"), 5)
    read = from_dict(model, {"id": 7, **ours})
    assert ours == read.extra
    assert read == from_dict(model, to_dict(read))


REFUSED: list[tuple[type[Any], dict[str, Any], list[str]]] = [
    (Chat, {}, ["$.id: missing"]),
    (Message, {"id": None}, ["$.id: expected an integer above 0"]),
    (Application, {"id": 0}, ["$.id: expected an integer above 0"]),
    (Agent, {"id": True}, ["$.id: expected an integer, not true or false"]),
    (WebhookChatMessage, {"chat_id": 7, "message": "x"}, ["$.message: expected an object, not a string"]),
    (WebhookChatMessage, {"chat_id": 7, "message": None}, ["$.message: expected an object, not null"]),
    (
        WebhookChatMessage,
        {"chat_id": 7, "message": {"id": 1.5}},
        ["$.message.id: expected an integer, not a number"],
    ),
    (WebhookChatMessage, {"chat_id": 7}, ["$.message: missing"]),
    (WebhookChat, {"chat_id": "x"}, ["$.chat_id: expected an integer, not a string"]),
]


@pytest.mark.parametrize(
    ("model", "mapping", "problems"), REFUSED, ids=[f"{row[0].__name__} {row[2][0]}" for row in REFUSED]
)
def test_what_does_not_fit_is_named(model: type[Any], mapping: dict[str, Any], problems: list[str]) -> None:
    """By its path in the JSON's own spelling, and what was expected there."""
    with pytest.raises(DecodeError) as caught:
        from_dict(model, mapping)
    assert sorted(problems) == sorted(caught.value.problems)
    assert str(caught.value).startswith(f"not a {model.__name__}: $")


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({"data": [{"id": 1}, {"id": "x"}]}, "$.data[1].id"),
        ({"messages": [{"id": 1}, {"id": "x"}]}, "$.messages[1].id"),
        ([{"id": 1}, {"id": "x"}], "$[1].id"),
        ({"data": [[{"id": 1}], [{"id": 2}, {"id": "x"}]]}, "$.data[1][1].id"),
        ({"messages": [[{"id": "x"}]]}, "$.messages[0][0].id"),
        ({"data": [{"id": "x"}], "messages": []}, "$.data[0].id"),
    ],
)
def test_a_row_that_does_not_fit_is_named_by_where_it_stands(body: Any, problem: str) -> None:
    """In whichever way the page is spelt."""
    with pytest.raises(DecodeError) as caught:
        structure_page(body, Chat, offset=0)
    assert caught.value.problems == (f"{problem}: expected an integer, not a string",)


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({"messages": None}, "$.messages: expected a list"),
        ({"messages": {"id": 1}}, "$.messages: expected a list"),
        ({"data": None, "messages": []}, "$.data: expected a list"),
        ({"message": []}, "$.data: expected a list"),
        ({"data": [[], {"id": 1}]}, "$.data[0]: expected an object, not a list"),
        ({"data": [[[]]]}, "$.data[0][0]: expected an object, not a list"),
    ],
    ids=repr,
)
def test_what_is_no_page_of_messages(body: Any, problem: str) -> None:
    """Rows are objects in a list, or in lists in a list, and in nothing else."""
    with pytest.raises(DecodeError) as caught:
        structure_page(body, Message, offset=0)
    assert caught.value.problems == (problem,)


def test_a_page_may_be_empty_in_every_spelling() -> None:
    """No rows are no problem."""
    bodies: list[JSON] = [{"data": []}, {"messages": []}, {"data": [[]]}, {"data": [[], []]}]
    for body in bodies:
        assert structure_page(body, Message, offset=30) == Page((), None, 30)


def test_a_required_part_is_read() -> None:
    """What must be there and is an object is read as such."""
    assert from_dict(WebhookChatMessage, {"chat_id": 7, "message": {"id": 1}}) == WebhookChatMessage(
        7, WebhookMessage(1)
    )


def test_a_part_of_a_customer_is_no_bare_id() -> None:
    """A device that is a number is odd, not an id: it is kept as it came."""
    customer = from_dict(Customer, {"id": 7, "device": 90117})
    assert customer.device == Device()
    assert customer.extra == {"device": 90117}
