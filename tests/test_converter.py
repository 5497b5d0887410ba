"""JSON to models and back: what does not fit is a DecodeError that names the place and shows no value."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from helpcrunch_async import Chat, Customer, DecodeError, Device, Location, Page, Tag, from_dict, to_dict
from helpcrunch_async.converter import structure_one, structure_page

SECRET = "mara.quill@customer.example"


def refused(value: Any) -> DecodeError:
    """The error that a value, meant as a customer, is refused with."""
    with pytest.raises(DecodeError) as caught:
        structure_one(value, Customer)
    return caught.value


@pytest.mark.parametrize(
    ("value", "problems"),
    [
        ({}, ["$.id: missing"]),
        ({"id": None}, ["$.id: expected an integer above 0"]),
        ({"id": 0}, ["$.id: expected an integer above 0"]),
        ({"id": -7}, ["$.id: expected an integer above 0"]),
        ({"id": "-7"}, ["$.id: expected an integer, not a string"]),
        ({"id": "7.0"}, ["$.id: expected an integer, not a string"]),
        ({"id": "\u0667"}, ["$.id: expected an integer, not a string"]),
        ({"id": SECRET}, ["$.id: expected an integer, not a string"]),
        ({"id": 7.0}, ["$.id: expected an integer, not a number"]),
        ({"id": True}, ["$.id: expected an integer, not true or false"]),
        ({"id": [7]}, ["$.id: expected an integer, not a list"]),
        ({"name": 5, "email": 6}, ["$.id: missing"]),
        ([], ["$: expected an object, not a list"]),
        (None, ["$: expected an object, not null"]),
        (SECRET, ["$: expected an object, not a string"]),
        (7, ["$: expected an object, not an integer"]),
    ],
    ids=lambda value: repr(value)[:60] if not isinstance(value, list) else "",
)
def test_what_does_not_fit_is_named(value: Any, problems: list[str]) -> None:
    """Every problem, by its path in the JSON's own spelling, and what was expected there; no value."""
    error = refused(value)
    assert sorted(problems) == sorted(error.problems)
    assert str(error).startswith("not a Customer: $")
    assert SECRET not in f"{error}{error!r}{error.problems}"
    assert error.__context__ is None
    assert error.__cause__ is None
    assert error.snippet is None


def test_a_page_with_a_bad_row_says_which_row() -> None:
    """Rows are counted from zero; every bad one is named, and the others are on the error."""
    rows = [{"id": 1}, {"id": SECRET}, {"id": 3}, {"name": SECRET}]
    with pytest.raises(DecodeError) as caught:
        structure_page({"data": rows, "total": 4}, Customer, offset=200)
    assert caught.value.problems == (
        "$.data[1].id: expected an integer, not a string",
        "$.data[3].id: missing",
    )
    assert str(caught.value).startswith("not a page of Customer: $.data[1].id")
    assert caught.value.page == Page((Customer(1), Customer(3)), 4, 200, received=4)
    assert SECRET not in f"{caught.value}{caught.value!r}"
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    "body",
    [None, 7, {}, {"data": None}, {"data": {}}, {"data": "x"}, "x", {"total": 3}],
    ids=repr,
)
def test_what_is_no_page(body: Any) -> None:
    """A page is a list, or an object with one under `data`."""
    with pytest.raises(DecodeError) as caught:
        structure_page(body, Customer, offset=0)
    assert caught.value.problems == ("$.data: expected a list",)


@pytest.mark.parametrize(
    ("body", "total"),
    [
        ({"data": [], "total": 5}, 5),
        ({"data": [], "meta": {"total": 5}}, 5),
        ({"data": [], "total": 0}, 0),
        ({"data": []}, None),
        ({"data": [], "meta": None}, None),
        ({"data": [], "meta": []}, None),
        ({"data": [], "total": "5"}, None),
        ({"data": [], "total": True}, None),
        ({"data": [], "total": None}, None),
        ({"data": [], "total": 5.0}, None),
    ],
    ids=repr,
)
def test_the_total_of_a_page(body: Any, total: int | None) -> None:
    """At the top, under `meta`, or nowhere: a hint, and None when it is not a whole number."""
    assert Page((), total, 30) == structure_page(body, Customer, offset=30)


def test_models_themselves_are_read_from_mappings() -> None:
    """`from_dict` serves the parts of a customer too."""
    assert from_dict(Location, {"city": "Kyiv"}) == Location(city="Kyiv")
    assert from_dict(Device, {"userAgent": "x"}) == Device(user_agent="x")
    assert from_dict(Tag, {"name": "lead"}) == Tag("lead")
    with pytest.raises(DecodeError, match="not a Tag"):
        from_dict(Tag, {})


# Any JSON

_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.sampled_from(["1588927354", "1588927354.913", "", SECRET])
)
_KEYS = st.sampled_from(
    [
        *("id", "name", "email", "userId", "user_id", "firstSeen", "lastSeen", "location", "device", "tags"),
        *("customData", "property", "value", "regionCode", "userAgent", "color", "extra", "data", "total"),
        *("blocked", "unsubscribed", "meta"),
    ]
)
_JSON = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=6),
    max_leaves=20,
)
_CUSTOMER_LIKE = st.fixed_dictionaries(
    {"id": st.integers()},
    optional={
        "firstSeen": _SCALARS,
        "location": _JSON,
        "device": _JSON,
        "tags": _JSON | st.lists(st.dictionaries(_KEYS, _SCALARS)),
        "customData": _JSON | st.lists(st.dictionaries(_KEYS, _SCALARS)),
        "name": _SCALARS,
        "blocked": _SCALARS,
        "more": _JSON,
    },
)


def read_or_refuse(value: Any) -> Customer | DecodeError:
    """Read a value as a customer; any other exception than a DecodeError passes, and fails the test."""
    try:
        return structure_one(value, Customer)
    except DecodeError as error:
        return error


def read_or_refuse_page(value: Any) -> Page[Customer] | DecodeError:
    """The same for a page."""
    try:
        return structure_page(value, Customer, offset=0)
    except DecodeError as error:
        return error


@given(_JSON | _CUSTOMER_LIKE)
@example({"id": 7, "extra": {"id": 8}})
@example({"id": 7, "customData": [{"property": []}]})
def test_any_json_is_a_customer_or_a_decode_error(value: Any) -> None:
    """Nothing else comes out, and what is read can be written."""
    customer = read_or_refuse(value)
    if isinstance(customer, DecodeError):
        assert customer.problems
        assert all(problem.startswith("$") for problem in customer.problems)
    else:
        assert type(customer.id) is int
        assert customer.first_seen is None or customer.first_seen.tzinfo is UTC
        json.dumps(to_dict(customer))


@given(_JSON)
def test_any_json_is_a_page_or_a_decode_error(value: Any) -> None:
    """The same for pages."""
    for body in (value, {"data": [value, value]}, {"data": [{"id": 1}, value], "meta": value}):
        page = read_or_refuse_page(body)
        assert isinstance(page, Page) or page.problems


def _bury(value: Any) -> Any:
    """Replace every string by one that must not be seen."""
    if isinstance(value, str):
        return SECRET
    if isinstance(value, list):
        return [_bury(each) for each in value]
    if isinstance(value, dict):
        return {key: _bury(each) for key, each in value.items()}
    return value


@given((_JSON | _CUSTOMER_LIKE).map(_bury))
def test_a_decode_error_never_shows_a_customers_data(value: Any) -> None:
    """Not in its text, its repr, its problems, nor in an exception that hangs on to it."""
    for error in (read_or_refuse(value), read_or_refuse_page({"data": [value]})):
        if isinstance(error, DecodeError):
            assert SECRET not in f"{error}{error!r}{error.problems}{error.args}"
            assert error.__context__ is None
            assert error.__cause__ is None


def test_nesting_beyond_reason_is_a_decode_error_or_kept() -> None:
    """A value that json.loads still takes does not blow the stack."""
    deep: Any = None
    for _ in range(400):
        deep = [deep]
    assert from_dict(Customer, {"id": 7, "later": deep}).extra == {"later": deep}
    assert refused(deep).problems == ("$: expected an object, not a list",)


# Round trips

_TEXT = st.none() | st.text(max_size=20)
_FLAG = st.none() | st.booleans()
_EXTRA = st.dictionaries(st.text(max_size=5).map(lambda key: f"x-{key}"), _JSON, max_size=2)
_CUSTOM = st.dictionaries(st.text(max_size=8), _SCALARS, max_size=4)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# from a second after the epoch: see the test of the first moments
_MOMENTS = st.none() | st.integers(1_000_000, 4_000_000_000_000_000).map(
    lambda microseconds: _EPOCH + timedelta(microseconds=microseconds)
)
_CUSTOMERS = st.builds(
    Customer,
    id=st.integers(1),
    name=_TEXT,
    email=_TEXT,
    user_id=_TEXT,
    company=_TEXT,
    phone=_TEXT,
    first_seen=_MOMENTS,
    last_seen=_MOMENTS,
    location=st.builds(Location, region_code=_TEXT, country_code=_TEXT, city=_TEXT, extra=_EXTRA),
    device=st.builds(
        Device,
        id=st.none() | st.integers(),
        ip=_TEXT,
        timezone=_TEXT,
        platform=_TEXT,
        user_agent=_TEXT,
        extra=_EXTRA,
    ),
    unsubscribed=_FLAG,
    blocked=_FLAG,
    source=_TEXT,
    referer=_TEXT,
    last_page=_TEXT,
    locale=_TEXT,
    created_from=_TEXT,
    integration_id=_TEXT,
    notes=_TEXT,
    tags=st.lists(st.builds(Tag, name=st.text(max_size=8), color=_TEXT, extra=_EXTRA), max_size=3).map(tuple),
    custom_data=_CUSTOM,
    extra=_EXTRA,
)


@given(_CUSTOMERS)
def test_a_customer_survives_the_round_trip(customer: Customer) -> None:
    """Through `to_dict`, JSON and back it is the same customer, moments with fractions included."""
    assert customer == from_dict(Customer, to_dict(customer))
    assert customer == from_dict(Customer, json.loads(json.dumps(to_dict(customer))))


@pytest.mark.parametrize(
    "moment",
    [
        pytest.param(_EPOCH + timedelta(microseconds=15)),
        pytest.param(_EPOCH - timedelta(microseconds=15)),
        pytest.param(datetime.max.replace(tzinfo=UTC)),
        _EPOCH,
        _EPOCH - timedelta(seconds=0.5),
        _EPOCH + timedelta(microseconds=100),
        datetime(1, 1, 2, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC),
    ],
    ids=str,
)
def test_strange_moments_survive_the_round_trip(moment: datetime) -> None:
    """The first microseconds of 1970 and the last of 9999 are moments as any other."""
    customer = Customer(7, first_seen=moment)
    assert customer == from_dict(Customer, to_dict(customer))


def test_a_moment_of_another_zone_is_the_same_moment() -> None:
    """Aware is aware: it is written as the Unix seconds that it is."""
    moment = datetime(2020, 5, 8, 10, 42, 34, tzinfo=timezone(timedelta(hours=2)))
    assert to_dict(Customer(7, first_seen=moment))["firstSeen"] == "1588927354"


def test_what_repeats_within_a_page_is_kept_once() -> None:
    """Customers of one page share equal strings, tags and locations; those of two pages do not."""
    row = {
        "id": 7,
        "locale": "en-" + "x" * 50,
        "tags": [{"name": "a", "color": "#00c2e0"}],
        "location": {"city": "Kyiv"},
    }
    body = json.dumps({"data": [row, {**row, "id": 8, "company": "Quill"}]})
    one, two = structure_page(json.loads(body), Customer, offset=0).items
    other = structure_page(json.loads(body), Customer, offset=0).items[0]
    assert one.locale is two.locale
    assert one.tags[0] is two.tags[0]
    assert one.locale == other.locale
    assert one.locale is not other.locale
    assert one.tags[0] is not other.tags[0]


def test_what_is_kept_once_keeps_its_kind() -> None:
    """Models of two kinds with the same values are not mixed up, nor is a tag with unknown fields shared."""
    agents = [{"id": 1, "name": "Ada"}, {"id": 1, "name": "Ada", "later": 2}]
    rows = [{"id": 1, "agents": agents, "assignee": agents[0], "customer": {"id": 1, "name": "Ada"}}] * 2
    one, two = structure_page({"data": rows}, Chat, offset=0).items
    assert from_dict(Chat, rows[0]) == one == two
    assert (dict(two.agents[0].extra), dict(two.agents[1].extra)) == ({}, {"later": 2})
