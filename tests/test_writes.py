"""What changes something: left out, None and a value are three things for every field; nonsense is none."""

import json
import math
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from types import MappingProxyType, NoneType
from typing import Any

import pytest
from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st

from helpcrunch_async import UNSET, Tag
from helpcrunch_async.writes import (
    CustomerFields,
    CustomerUpdate,
    batch_item,
    changes_body,
    customer_body,
    moment_text,
    some_tags,
    tag_list,
    values_of,
    whole_customer_body,
)

MOMENT = datetime(2020, 10, 27, 12, 0, 1, tzinfo=UTC)
NAIVE = datetime(2020, 10, 27)  # noqa: DTZ001 - that is the point
SECRET = "mara.quill@customer.example"


def test_the_mark_of_what_is_left_out() -> None:
    """Signatures show it by its name, and a plain `if` takes it for nothing."""
    assert (repr(UNSET), bool(UNSET)) == ("UNSET", False)


@frozen
class Row:
    """A field, its key in the API, a value and how it is written, and what it does not take."""

    name: str
    key: str
    value: Any
    written: Any
    wrong: tuple[tuple[Any, type[Exception]], ...]


def text(name: str, key: str) -> Row:
    wrong = ((5, TypeError), (True, TypeError), (b"x", TypeError), (["x"], TypeError), ("\ud800", ValueError))
    return Row(name, key, "Zoë \U0001f600", "Zoë \U0001f600", wrong)


def moment(name: str, key: str) -> Row:
    wrong = (
        ("1603800001", TypeError),
        (1603800001, TypeError),
        (date(2020, 10, 27), TypeError),
        (NAIVE, ValueError),
        (datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC), ValueError),
    )
    return Row(name, key, MOMENT, "1603800001", wrong)


def flag(name: str, key: str) -> Row:
    return Row(name, key, False, False, ((0, TypeError), ("false", TypeError), ("", TypeError)))


TABLE = [
    text("name", "name"),
    text("email", "email"),
    text("user_id", "userId"),
    text("company", "company"),
    text("phone", "phone"),
    moment("first_seen", "firstSeen"),
    moment("last_seen", "lastSeen"),
    text("city", "city"),
    text("region_code", "regionCode"),
    text("country_code", "countryCode"),
    flag("unsubscribed", "unsubscribed"),
    flag("blocked", "blocked"),
    text("source", "source"),
    text("referer", "referer"),
    text("last_page", "lastPage"),
    text("locale", "locale"),
    text("created_from", "createdFrom"),
    text("integration_id", "integrationId"),
    text("notes", "notes"),
    Row(
        "tags",
        "tags",
        ["lead", Tag("vip", "#00c2e0")],
        [{"name": "lead"}, {"name": "vip", "color": "#00c2e0"}],
        (
            ("lead", TypeError),
            (Tag("lead"), TypeError),
            (7, TypeError),
            ({"name": "lead"}, TypeError),
            ([{"name": "lead"}], TypeError),
            ([None], TypeError),
            (b"lead", TypeError),
            ([""], ValueError),
        ),
    ),
    Row(
        "custom_data",
        "customData",
        {"plan": "team", "seats": 12},
        [{"property": "plan", "value": "team"}, {"property": "seats", "value": 12}],
        (
            ([{"property": "plan", "value": "team"}], TypeError),
            ("plan", TypeError),
            ({7: "x"}, TypeError),
            ({"": "x"}, ValueError),
            ({"renewal": MOMENT}, TypeError),
            ({"plans": ["team"]}, TypeError),
            ({"paid": math.nan}, ValueError),
        ),
    ),
]
ROWS = pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
WRONG = [
    pytest.param(row, *wrong, id=f"{row.name} {wrong[0]!r}"[:50]) for row in TABLE for wrong in row.wrong
]


def test_every_field_is_in_the_table() -> None:
    """What type checkers know, what is written, and what is tested are the same fields."""
    names = {row.name for row in TABLE}
    assert names == set(CustomerFields.__annotations__)
    assert names | {"customer"} == set(CustomerUpdate.__annotations__)
    assert {row.key for row in TABLE} == set(whole_customer_body({}))


@ROWS
def test_left_out_none_and_a_value_are_three_things(row: Row) -> None:
    """UNSET is not sent, None is sent as null, a value as the API takes it."""
    assert customer_body({row.name: UNSET}) == {}
    assert customer_body({row.name: None}) == {row.key: None}
    assert {row.key: row.written} == customer_body({row.name: row.value})


@ROWS
def test_an_update_has_something_to_change(row: Row) -> None:
    """Clearing a field is a change, leaving one out is none."""
    assert changes_body({row.name: None}) == {row.key: None}
    assert {row.key: row.written} == changes_body({row.name: row.value})
    with pytest.raises(ValueError, match="nothing to change"):
        changes_body({row.name: UNSET})
    with pytest.raises(ValueError, match="nothing to change"):
        changes_body({})


@ROWS
def test_replacing_writes_every_field(row: Row) -> None:
    """What is not given is null, UNSET as well; so both readings of the PUT page come to the same."""
    nulls = {each.key: None for each in TABLE}
    assert nulls == whole_customer_body({})
    assert nulls == whole_customer_body({row.name: UNSET})
    assert nulls == whole_customer_body({row.name: None})
    assert {**nulls, row.key: row.written} == whole_customer_body({row.name: row.value})


@ROWS
def test_an_item_of_a_batch(row: Row) -> None:
    """The same fields, and the id beside them."""
    assert {"customer": 7, row.key: row.written} == batch_item({"customer": 7, row.name: row.value})
    assert batch_item({row.name: None, "customer": 7}) == {"customer": 7, row.key: None}
    with pytest.raises(ValueError, match="nothing to change"):
        batch_item({"customer": 7, row.name: UNSET})


@pytest.mark.parametrize(("row", "value", "kind"), WRONG)
def test_a_wrong_value_is_refused(row: Row, value: Any, kind: type[Exception]) -> None:
    """Wherever it is given, before anything is sent; the text names the field."""
    writes: list[Callable[[dict[str, Any]], object]] = [
        customer_body,
        changes_body,
        whole_customer_body,
        lambda fields: batch_item({"customer": 7, **fields}),
    ]
    for write in writes:
        with pytest.raises(kind, match=row.name.removesuffix("s")) as caught:
            write({row.name: value})
        assert kind is type(caught.value)


@pytest.mark.parametrize("key", [row.key for row in TABLE if row.key != row.name])
def test_the_apis_own_spelling_gets_a_hint(key: str) -> None:
    """Whoever copied a key from HelpCrunch's pages is told ours."""
    [name] = [row.name for row in TABLE if row.key == key]
    with pytest.raises(TypeError, match=f"{key!r} is not a field .*; {name} is meant"):
        customer_body({key: "x"})
    with pytest.raises(TypeError, match=f"{name} is meant"):
        batch_item({"customer": 7, key: UNSET})


@pytest.mark.parametrize("name", ["id", "location", "device", "extra", "nmae", "", "Name", 7])
def test_unknown_fields_are_refused(name: Any) -> None:
    """Even if left unset: a misspelt field would be lost in silence."""
    for value in ("x", None, UNSET):
        with pytest.raises(TypeError, match=f"{name!r} is not a field of a customer that can be written$"):
            whole_customer_body({name: value})


def test_a_customer_may_be_created_with_nothing() -> None:
    """No field is required."""
    assert customer_body({}) == {}


@pytest.mark.parametrize(
    ("update", "kind", "words"),
    [
        ([("customer", 7)], TypeError, "mapping, not list"),
        (None, TypeError, "mapping, not NoneType"),
        ({"name": "x"}, ValueError, "id under 'customer'"),
        ({"id": 7, "name": "x"}, ValueError, "id under 'customer'"),
        ({"customer": 7}, ValueError, "nothing to change"),
        ({"customer": "7", "name": "x"}, TypeError, "positive int, not str"),
        ({"customer": True, "name": "x"}, TypeError, "positive int, not bool"),
        ({"customer": None, "name": "x"}, TypeError, "positive int, not NoneType"),
        ({"customer": UNSET, "name": "x"}, TypeError, "positive int, not _Unset"),
        ({"customer": 0, "name": "x"}, ValueError, "positive int, not 0"),
    ],
    ids=repr,
)
def test_what_is_no_item_of_a_batch(update: Any, kind: type[Exception], words: str) -> None:
    """Which customer, and what to change: both are needed."""
    with pytest.raises(kind, match=words):
        batch_item(update)


# Custom attributes and the data of events


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ({}, []),
        ({"a": None}, [{"property": "a", "value": None}]),
        ({"a": ""}, [{"property": "a", "value": ""}]),
        ({"a": True, "b": 0, "c": 1.5}, None),
        (MappingProxyType({"b": 1, "a": "2020-09-01 00:40:00"}), None),
        ({"a": -(2**63)}, None),
    ],
    ids=repr,
)
def test_custom_data_is_written_as_a_list(value: Any, written: list[Any] | None) -> None:
    """In the order given, values as they are: nothing becomes a number, a date or text."""
    if written is None:
        written = [{"property": name, "value": each} for name, each in value.items()]
    [body] = customer_body({"custom_data": value}).values()
    assert written == body
    assert [type(item["value"]) for item in written] == [type(item["value"]) for item in body]


@pytest.mark.parametrize(
    ("values", "kind", "words"),
    [
        ([], TypeError, "data is a mapping of names to values, not list"),
        (None, TypeError, "data is a mapping of names to values, not NoneType"),
        ({7: 1}, TypeError, "a name in data is a str, not int"),
        ({"": 1}, ValueError, "a name in data is empty"),
        ({"\ud800": 1}, ValueError, "a name in data holds half a surrogate pair"),
        ({"plan": {}}, TypeError, "data: 'plan' is text, a number, a bool or None, not dict"),
        ({"plan": Decimal(1)}, TypeError, "not Decimal"),
        ({"plan": b"x"}, TypeError, "not bytes"),
        ({"plan": UNSET}, TypeError, "not _Unset"),
        ({"plan": math.inf}, ValueError, "data: 'plan' is not finite, or too large"),
        ({"plan": -math.inf}, ValueError, "not finite"),
        ({"plan": 10**400}, ValueError, "too large"),
        ({"plan": "\udc00"}, ValueError, "data: 'plan' holds half a surrogate pair"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_values_are_scalars(values: Any, kind: type[Exception], words: str) -> None:
    """The text names the attribute, never its value."""
    with pytest.raises(kind, match=words):
        values_of("data", values)


def test_what_is_written_is_not_changed_afterwards() -> None:
    """The caller's mapping may be used again while the request waits for its turn."""
    data = {"plan": "team"}
    written = values_of("data", data)
    body = customer_body({"custom_data": data})
    data["plan"] = "solo"
    assert written == {"plan": "team"}
    assert body == {"customData": [{"property": "plan", "value": "team"}]}


# Tags


@pytest.mark.parametrize(
    ("tags", "written"),
    [
        ([], []),
        ((), []),
        (["lead"], [{"name": "lead"}]),
        (("lead", "lead"), [{"name": "lead"}]),
        ([Tag("lead", "red"), "lead"], [{"name": "lead", "color": "red"}]),
        (["lead", Tag("lead", "red")], [{"name": "lead", "color": "red"}]),
        ([Tag("lead", "red"), Tag("lead", "red")], [{"name": "lead", "color": "red"}]),
        (["b", Tag("a"), "b"], [{"name": "b"}, {"name": "a"}]),
        (["Lead", "lead"], [{"name": "Lead"}, {"name": "lead"}]),
    ],
    ids=repr,
)
def test_each_tag_is_written_once(tags: Any, written: list[dict[str, str]]) -> None:
    """In the order of its first mention; a colour is kept, wherever it is given."""
    assert written == tag_list(tags)
    assert written == tag_list(iter(tags))
    assert [{"name": tag["name"]} for tag in written] == tag_list(tags, with_colors=False)


@pytest.mark.parametrize(
    ("tags", "kind", "words"),
    [
        ([Tag("lead", "red"), Tag("lead", "blue")], ValueError, "^tag 'lead' is given two colours$"),
        ([Tag("lead", "")], ValueError, "the colour of tag 'lead' is empty"),
        ([Tag("")], ValueError, "a tag's name is empty"),
        (["\ud800"], ValueError, "a tag's name holds half a surrogate pair"),
        (dict.fromkeys(["lead"]), TypeError, "iterable of names or Tags, not dict"),
        (None, TypeError, "iterable of names or Tags, not NoneType"),
    ],
    ids=repr,
)
def test_what_are_no_tags(tags: Any, kind: type[Exception], words: str) -> None:
    """Neither for a customer's fields nor for tagging and untagging."""
    for write in (tag_list, some_tags):
        with pytest.raises(kind, match=words):
            write(tags)


def test_tagging_takes_a_tag_at_least() -> None:
    """An empty list is a mistake there, and clears the tags as a field."""
    assert some_tags(["lead"]) == {"tags": [{"name": "lead"}]}
    assert some_tags([Tag("lead", "red")], with_colors=False) == {"tags": [{"name": "lead"}]}
    nothing: list[Iterator[str]] = [iter(()), iter([])]
    for none in nothing:
        with pytest.raises(ValueError, match="no tags"):
            some_tags(none)
    assert customer_body({"tags": []}) == {"tags": []}


# Moments


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (datetime(1970, 1, 1, tzinfo=UTC), "0"),
        (MOMENT, "1603800001"),
        (MOMENT + timedelta(microseconds=999_999), "1603800001"),
        (datetime(2020, 10, 27, 14, 0, 1, tzinfo=timezone(timedelta(hours=2))), "1603800001"),
        (datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC), "253402300799"),
    ],
    ids=str,
)
def test_moments_are_whole_unix_seconds_in_a_string(value: datetime, written: str) -> None:
    """Of whatever zone, as the newest pages write them."""
    assert written == moment_text("until", value)


# Whatever comes

ODD = st.recursive(
    st.none()
    | st.just(UNSET)
    | st.booleans()
    | st.integers()
    | st.sampled_from([10**400, math.nan, math.inf, MOMENT, NAIVE, date.max, Decimal(1), b"x", 1j])
    | st.floats()
    | st.text(alphabet=st.characters(), max_size=4)
    | st.just(SECRET)
    | st.builds(Tag, st.text(max_size=2) | st.none(), st.just(SECRET) | st.just("red") | st.none()),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner)
        | st.dictionaries(st.text(alphabet=st.characters(), max_size=2) | st.integers(), inner, max_size=2)
    ),
    max_leaves=4,
)
NAMES = st.sampled_from([row.name for row in TABLE])


@given(st.dictionaries(NAMES | st.sampled_from(["userId", "x"]), ODD, max_size=4), st.integers() | ODD)
def test_whatever_comes_is_json_or_is_refused(fields: dict[str, Any], customer: Any) -> None:
    """Nothing but a TypeError or a ValueError, and no value of a customer in it."""
    for write in (
        customer_body,
        whole_customer_body,
        lambda each: batch_item({**each, "customer": customer}),
    ):
        refused: Exception | None = None
        try:
            json.dumps(write(fields), ensure_ascii=False, allow_nan=False).encode()
        except (TypeError, ValueError) as error:
            refused = error
        assert type(refused) in (NoneType, TypeError, ValueError)
        if "tags" not in fields:  # a plain text there is a tag's name, which is shown
            assert SECRET not in repr(refused)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("email", [SECRET]),
        ("notes", SECRET + "\ud800"),
        ("first_seen", SECRET),
        ("first_seen", NAIVE),
        ("last_seen", datetime(1920, 10, 27, tzinfo=UTC)),
        ("unsubscribed", SECRET),
        ("tags", SECRET),
        ("tags", [[SECRET]]),
        ("tags", [Tag("lead", SECRET), Tag("lead", "red")]),
        ("custom_data", SECRET),
        ("custom_data", {"plan": [SECRET]}),
        ("custom_data", {"plan": SECRET + "\ud800"}),
    ],
    ids=lambda value: repr(value)[:60],
)
def test_no_value_is_in_an_error(name: str, value: Any) -> None:
    """Errors are logged: the field and the attribute are named, what they hold is not."""
    with pytest.raises((TypeError, ValueError), match=name.removesuffix("s")) as caught:
        customer_body({name: value})
    assert SECRET not in repr(caught.value)
    assert "20" not in repr(caught.value)
    assert caught.value.__context__ is None
