"""Arguments that make no sense: told at once by the argument's name, and nothing is sent."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from aioresponses import aioresponses
from api_calls.refusal import HALF, NAIVE, NAN, NOON, refusal_of

from helpcrunch_async import UNSET, Tag, all_of
from helpcrunch_async.search import CHAT_ASSIGNEE, EMAIL, ID, Query

BAD_IDS: list[tuple[Any, type[Exception]]] = [
    (True, TypeError),
    (7.0, TypeError),
    (NAN, TypeError),
    ("7", TypeError),
    ("7/../../admin", TypeError),
    ([7], TypeError),
    (0, ValueError),
    (-7, ValueError),
]
TAKERS_OF_IDS: list[tuple[str, str, Callable[[Any, Any], Any]]] = [
    ("get_customer", "customer_id", lambda client, bad: client.get_customer(bad)),
    ("get_customers", "customer_id", lambda client, bad: client.get_customers([7, bad])),
    ("update_customer", "customer_id", lambda client, bad: client.update_customer(bad, name="Mara")),
    ("replace_customer", "customer_id", lambda client, bad: client.replace_customer(bad, name="Mara")),
    (
        "batch_update_customers",
        "customer",
        lambda client, bad: client.batch_update_customers([{"customer": bad, "name": "Mara"}]),
    ),
    ("delete_customer", "customer_id", lambda client, bad: client.delete_customer(bad)),
    ("tag_customer", "customer_id", lambda client, bad: client.tag_customer(bad, ["vip"])),
    ("untag_customer", "customer_id", lambda client, bad: client.untag_customer(bad, ["vip"])),
    ("create_event", "customer_id", lambda client, bad: client.create_event(bad, "Upgrade")),
    ("get_chat", "chat_id", lambda client, bad: client.get_chat(bad)),
    ("create_chat", "customer_id", lambda client, bad: client.create_chat(bad, application_id=2)),
    ("create_chat", "application_id", lambda client, bad: client.create_chat(7, application_id=bad)),
    (
        "create_chat",
        "assignee_id",
        lambda client, bad: client.create_chat(7, application_id=2, assignee_id=bad),
    ),
    (
        "create_chat",
        "department_id",
        lambda client, bad: client.create_chat(7, application_id=2, department_id=bad),
    ),
    ("set_chat_status", "chat_id", lambda client, bad: client.set_chat_status(bad, "new")),
    ("assign_chat", "chat_id", lambda client, bad: client.assign_chat(bad, 312)),
    ("assign_chat", "agent_id", lambda client, bad: client.assign_chat(8803, bad)),
    ("set_chat_department", "chat_id", lambda client, bad: client.set_chat_department(bad, 41)),
    ("set_chat_department", "department_id", lambda client, bad: client.set_chat_department(8803, bad)),
    ("snooze_chat", "chat_id", lambda client, bad: client.snooze_chat(bad, NOON)),
    ("rate_chat", "chat_id", lambda client, bad: client.rate_chat(bad, "great")),
    ("mark_chat_read_by_agent", "chat_id", lambda client, bad: client.mark_chat_read_by_agent(bad)),
    ("mark_chat_read_by_customer", "chat_id", lambda client, bad: client.mark_chat_read_by_customer(bad)),
    ("list_messages", "chat_id", lambda client, bad: client.list_messages(bad)),
    ("send_message", "chat_id", lambda client, bad: client.send_message(bad, "Hello Mara")),
    ("send_message", "agent_id", lambda client, bad: client.send_message(8803, "Hello", agent_id=bad)),
    ("send_private_note", "chat_id", lambda client, bad: client.send_private_note(bad, "Hello")),
    ("send_private_note", "agent_id", lambda client, bad: client.send_private_note(7, "Hi", agent_id=bad)),
    ("unsubscribe_agent", "agent_id", lambda client, bad: client.unsubscribe_agent(bad)),
    ("search_customers", "customers.id", lambda client, bad: client.search_customers(ID.equals(bad))),
    ("search_chats", "chats.assignee", lambda client, bad: client.search_chats(CHAT_ASSIGNEE.equals(bad))),
]


@pytest.mark.parametrize(("bad_id", "kind"), BAD_IDS, ids=repr)
@pytest.mark.parametrize(
    ("name", "call"),
    [pytest.param(name, call, id=f"{method}({name})") for method, name, call in TAKERS_OF_IDS],
)
async def test_what_is_no_id(
    mocked: aioresponses, name: str, call: Callable[[Any, Any], Any], bad_id: Any, kind: type[Exception]
) -> None:
    """An id is a positive int, wherever one stands; the text says which one is not."""
    error = await refusal_of(mocked, lambda client: call(client, bad_id))
    assert kind is type(error)
    assert str(error).startswith(f"{name} is a positive int, not ")


MAY_BE_LEFT_OUT = {
    ("create_chat", "assignee_id"),
    ("create_chat", "department_id"),
    ("send_message", "agent_id"),
    ("send_private_note", "agent_id"),
}
MAY_BE_NOBODY = {*MAY_BE_LEFT_OUT, ("assign_chat", "agent_id")}


@pytest.mark.parametrize(
    ("name", "call", "missing"),
    [
        pytest.param(name, call, missing, id=f"{method}({name}={missing})")
        for missing, optional in ((None, MAY_BE_NOBODY), (UNSET, MAY_BE_LEFT_OUT))
        for method, name, call in TAKERS_OF_IDS
        if (method, name) not in optional
    ],
)
async def test_no_id_where_one_must_be(
    mocked: aioresponses, name: str, call: Callable[[Any, Any], Any], missing: Any
) -> None:
    """None and UNSET are ids nowhere; where they mean nobody or nothing, that is documented."""
    error = await refusal_of(mocked, lambda client: call(client, missing))
    assert f"{name} is a positive int, not {type(missing).__name__}" == str(error)


BAD_CALLS: list[tuple[str, Callable[[Any], Any], type[Exception], str]] = [
    ("tag, a str", lambda client: client.tag_customer(7, "vip"), TypeError, "tags is an iterable of names"),
    ("tag, a Tag", lambda client: client.tag_customer(7, Tag("vip")), TypeError, "tags is an iterable"),
    ("tag, a dict", lambda client: client.tag_customer(7, {"name": "vip"}), TypeError, "tags is .* not dict"),
    ("tag, None", lambda client: client.tag_customer(7, None), TypeError, "tags is .* not NoneType"),
    ("tag, none", lambda client: client.tag_customer(7, []), ValueError, "no tags"),
    (
        "tag, bytes",
        lambda client: client.tag_customer(7, b"vip"),
        TypeError,
        "a tag's name is a str, not int",
    ),
    ("tag, empty name", lambda client: client.tag_customer(7, [""]), ValueError, "a tag's name is empty"),
    (
        "tag, two colours",
        lambda client: client.tag_customer(7, [Tag("vip", "red"), Tag("vip", "blue")]),
        ValueError,
        "tag 'vip' is given two colours",
    ),
    ("tag, half a pair", lambda client: client.tag_customer(7, ["\udc00"]), ValueError, "a tag's name holds"),
    ("untag, a str", lambda client: client.untag_customer(7, "vip"), TypeError, "tags is an iterable"),
    ("untag, none", lambda client: client.untag_customer(7, iter(())), ValueError, "no tags"),
    ("untag, empty name", lambda client: client.untag_customer(7, [Tag("")]), ValueError, "name is empty"),
    ("untag, odd name", lambda client: client.untag_customer(7, [7]), TypeError, "name is a str, not int"),
    ("find, by nothing", lambda client: client.find_customer(), TypeError, "either user_id or email"),
    (
        "find, by both",
        lambda client: client.find_customer(user_id="acct_502", email="mara@customer.example"),
        TypeError,
        "either user_id or email",
    ),
    ("find, by None", lambda client: client.find_customer(email=None), TypeError, "either user_id or email"),
    ("find, empty user_id", lambda client: client.find_customer(user_id=""), ValueError, "user_id is empty"),
    ("find, empty email", lambda client: client.find_customer(email=""), ValueError, "email is empty"),
    ("find, own id as int", lambda client: client.find_customer(user_id=7), TypeError, "user_id is a str"),
    (
        "find, odd email",
        lambda client: client.find_customer(email=b"mara@customer.example"),
        TypeError,
        "email is a str, not bytes",
    ),
    ("event, empty name", lambda client: client.create_event(7, ""), ValueError, "name is empty"),
    (
        "event, odd name",
        lambda client: client.create_event(7, None),
        TypeError,
        "name is a str, not NoneType",
    ),
    (
        "event, odd data",
        lambda client: client.create_event(7, "Up", ["Mara"]),
        TypeError,
        "data is a mapping",
    ),
    (
        "event, nested data",
        lambda client: client.create_event(7, "Up", {"who": {"name": "Mara"}}),
        TypeError,
        "data: 'who' is text, a number, a bool or None, not dict",
    ),
    (
        "event, NaN",
        lambda client: client.create_event(7, "Up", {"share": NAN}),
        ValueError,
        "data: 'share' is not finite",
    ),
    (
        "event, empty name in data",
        lambda client: client.create_event(7, "Up", {"": "Mara"}),
        ValueError,
        "a name in data is empty",
    ),
    ("chat, no application", lambda client: client.create_chat(7), TypeError, "application_id"),
    ("chat, positional", lambda client: client.create_chat(7, 2), TypeError, "positional"),
    ("status, empty", lambda client: client.set_chat_status(7, ""), ValueError, "status is empty"),
    ("status, number", lambda client: client.set_chat_status(7, 5), TypeError, "status is a str, not int"),
    ("status, None", lambda client: client.set_chat_status(7, None), TypeError, "status is a str"),
    ("snooze, naive", lambda client: client.snooze_chat(7, NAIVE), ValueError, "until is an aware datetime"),
    ("snooze, seconds", lambda client: client.snooze_chat(7, 3600), TypeError, "until is an aware datetime"),
    (
        "snooze, long ago",
        lambda client: client.snooze_chat(7, datetime(1969, 7, 20, tzinfo=UTC)),
        ValueError,
        "until is before 1970",
    ),
    ("snooze, nothing", lambda client: client.snooze_chat(7), TypeError, "until"),
    (
        "rating, unknown",
        lambda client: client.rate_chat(7, "good"),
        ValueError,
        "rating is one of perfect, g",
    ),
    ("rating, capital", lambda client: client.rate_chat(7, "Great"), ValueError, "rating is one of"),
    ("rating, other blank", lambda client: client.rate_chat(7, "very-poor"), ValueError, "rating is one of"),
    ("rating, empty", lambda client: client.rate_chat(7, ""), ValueError, "rating is empty"),
    ("rating, stars", lambda client: client.rate_chat(7, 5), TypeError, "rating is a str, not int"),
    ("rating, None", lambda client: client.rate_chat(7, None), TypeError, "rating is a str, not NoneType"),
    (
        "read by agent, word",
        lambda client: client.mark_chat_read_by_agent(7, "no"),
        TypeError,
        "read is True or False, not str",
    ),
    (
        "read by customer, None",
        lambda client: client.mark_chat_read_by_customer(7, read=None),
        TypeError,
        "read is True or False, not NoneType",
    ),
    ("message, empty", lambda client: client.send_message(7, ""), ValueError, "text is empty"),
    ("message, bytes", lambda client: client.send_message(7, b"Mara"), TypeError, "text is a str, not bytes"),
    ("message, None", lambda client: client.send_message(7, None), TypeError, "text is a str, not NoneType"),
    ("message, half a pair", lambda client: client.send_message(7, HALF), ValueError, "text holds half"),
    (
        "message, empty markdown",
        lambda client: client.send_message(7, "Mara", markdown=""),
        ValueError,
        "markdown is empty",
    ),
    (
        "message, odd markdown",
        lambda client: client.send_message(7, "Mara", markdown=["Mara"]),
        TypeError,
        "markdown is a str, not list",
    ),
    ("message, positional", lambda client: client.send_message(7, "Mara", 312), TypeError, "positional"),
    ("note, empty", lambda client: client.send_private_note(7, ""), ValueError, "text is empty"),
    ("note, odd", lambda client: client.send_private_note(7, ["Mara"]), TypeError, "text is a str, not list"),
    (
        "note, empty markdown",
        lambda client: client.send_private_note(7, "Mara", markdown=""),
        ValueError,
        "markdown is empty",
    ),
    ("search, no filter", lambda client: client.search_customers(all_of()), ValueError, "without filters"),
    (
        "search, None",
        lambda client: client.search_customers(None),
        TypeError,
        "all_of or any_of, not NoneType",
    ),
    (
        "search, a body",
        lambda client: client.search_customers({"filter": []}),
        TypeError,
        "all_of or any_of, not dict",
    ),
    (
        "search, empty body",
        lambda client: client.search_chats(Query((), "AND")),
        ValueError,
        "without filters",
    ),
    (
        "search, for chats",
        lambda client: client.search_customers(CHAT_ASSIGNEE.equals(7)),
        TypeError,
        "a search for customers, and the query is one for chats",
    ),
    (
        "search, for customers",
        lambda client: client.search_chats(EMAIL.equals("mara@customer.example")),
        TypeError,
        "a search for chats, and the query is one for customers",
    ),
    ("search, empty text", lambda client: client.search_customers(EMAIL.equals("")), ValueError, "is empty"),
]


@pytest.mark.parametrize(
    ("call", "kind", "words"),
    [pytest.param(call, kind, words, id=name) for name, call, kind, words in BAD_CALLS],
)
async def test_arguments_that_make_no_sense(
    mocked: aioresponses, call: Callable[[Any], Any], kind: type[Exception], words: str
) -> None:
    """Refused before anything is sent, with the argument's name and not with what a customer is called."""
    error = await refusal_of(mocked, call)
    assert kind is type(error)
    assert re.search(words, str(error))
