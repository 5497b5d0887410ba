"""A customer as every known page spells it: read field by field, compared, pickled, never changed."""

import copy
import json
import pickle
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import attrs
import pytest

from helpcrunch_async import Customer, Device, Location, Lookup, NotFoundError, Page, Tag, from_dict, to_dict
from helpcrunch_async.converter import structure_one, structure_page

Sample = Callable[[str], bytes]

MARA_OLD = Customer(
    id=70011,
    name="Mara Quill",
    email="mara@customer.example",
    user_id="acct_501",
    company="Quill GmbH",
    phone=None,
    first_seen=datetime(2020, 5, 8, 1, 6, 41, tzinfo=UTC),
    last_seen=datetime(2020, 6, 8, 7, 6, 42, tzinfo=UTC),
    location=Location("BY", "DE", "Munich"),
    device=Device(90117, "203.0.113.9", "Europe/Berlin", "desktop", "ExampleBrowser/7.1"),
    unsubscribed=False,
    blocked=False,
    source="https://shop.example/landing",
    referer="https://search.example/",
    last_page="https://shop.example/cart",
    locale="de",
    created_from=None,
    integration_id=None,
    notes=None,
    tags=(Tag("trial", "#00aa88"),),
    custom_data={"Plan": "team", "Seats": 12, "Paid": True, "Renewal": "2020-09-01 00:40:00"},
)
MARA_NEW = attrs.evolve(
    MARA_OLD,
    id=70012,
    user_id="acct_502",
    phone="+49891234567",
    first_seen=datetime(2020, 10, 27, 12, 0, 1, tzinfo=UTC),
    last_seen=datetime(2020, 10, 27, 12, 15, 50, tzinfo=UTC),
    created_from="telegram",
    integration_id="500600700",
    notes="prefers mail",
    custom_data={"plan": "team", "seats": 12, "last_amount": 15.5, "renewal": 1603800000, "paid": True},
)
CINDY = Customer(
    id=8737843,
    name="Cindy Mindy",
    email="cindy.mindy@example.com",
    user_id="example_6268",
    company="example",
    first_seen=datetime(2020, 5, 8, 8, 42, 34, tzinfo=UTC),
    last_seen=datetime(2020, 6, 8, 14, 47, 53, tzinfo=UTC),
    location=Location("CA", "US", "San Francisco"),
    device=Device(
        28883192,
        "192.168.1.1",
        "America/Los Angeles",
        "desktop",
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_1) AppleWebKit/537.36 (KHTML, like Gecko) "
        "Chrome/81.0.4044.138 Safari/537.36",
    ),
    unsubscribed=False,
    blocked=False,
    source="http://helpcrunch.com/blog/best-live-chat-software/",
    referer="https://www.google.com/",
    last_page="https://example.helpcrunch.com/v2/chats",
    locale="en",
    tags=(Tag("lead", "#00c2e0"),),
    custom_data={
        "Role": "admin",
        "Plan": "Enterprise (Unlimited) $9999/mo",
        "segment": "PotentialChurn_premium_seg1",
        "Currency": "USD",
        "Emails sent": 621,
        "Trial end date": "2017-07-24 14:30:00",
        "Became payer at": "2017-09-13 00:00:00",
        "Registered date": "2017-07-10 14:30:00",
        "Next payment date": "2020-09-01 00:40:00",
        "Billing info added": True,
        "Number of payments": 35,
        "Subscription status": "active",
    },
)
SAMPLES = [
    ("customer-documented.json", CINDY),
    ("customer-g1-list-customdata-int-ts.json", MARA_OLD),
    ("customer-g3-object-customdata-str-ts.json", MARA_NEW),
    ("customer-sparse-nulls.json", Customer(70013, unsubscribed=False, blocked=False)),
    (
        "customer-unknown-fields.json",
        attrs.evolve(MARA_NEW, id=70014, extra={"loyaltyTier": "gold", "nested": {"a": [1, 2]}}),
    ),
]


@pytest.mark.parametrize(("name", "expected"), SAMPLES, ids=[name for name, _ in SAMPLES])
def test_samples_field_by_field(sample: Sample, name: str, expected: Customer) -> None:
    """Every known spelling of a customer is read right, to the type of each value."""
    customer = structure_one(json.loads(sample(name)), Customer)
    for field in attrs.fields(Customer):
        wanted, got = getattr(expected, field.name), getattr(customer, field.name)
        assert (field.name, wanted, type(wanted)) == (field.name, got, type(got))
    for key, value in expected.custom_data.items():
        assert type(value) is type(customer.custom_data[key])
    assert expected == customer


@pytest.mark.parametrize("expected", [customer for _, customer in SAMPLES], ids=[name for name, _ in SAMPLES])
def test_samples_round_trip(expected: Customer) -> None:
    """What `to_dict` gives is JSON, and reads as the same customer."""
    mapping = to_dict(expected)
    assert expected == from_dict(Customer, json.loads(json.dumps(mapping)))


def test_the_page_sample(sample: Sample) -> None:
    """A page may mix both spellings; its rows keep their order."""
    page = structure_page(json.loads(sample("customers-page-total.json")), Customer, offset=200)
    assert page == Page((MARA_NEW, MARA_OLD), total=2, offset=200)


def test_the_empty_page_sample(sample: Sample) -> None:
    """Behind the last row the total still stands."""
    page = structure_page(json.loads(sample("customers-page-empty.json")), Customer, offset=2)
    assert page == Page((), total=2, offset=2)


def test_both_spellings_of_a_customer_compare_equal() -> None:
    """Whichever generation of the API answers, it is the same customer."""
    old = {
        "id": 7,
        "firstSeen": 1588927354,
        "lastSeen": 1591627673,
        "customData": [{"property": "Plan", "value": "team"}, {"property": "Seats", "value": 12}],
        "tags": [{"name": "lead", "color": "#00c2e0"}],
    }
    new = {
        "id": 7,
        "firstSeen": "1588927354",
        "lastSeen": "1591627673.000",
        "customData": {"Plan": "team", "Seats": 12},
        "tags": [{"name": "lead", "color": "#00c2e0"}],
        "createdFrom": None,
        "location": None,
        "device": [],
    }
    assert from_dict(Customer, old) == from_dict(Customer, new)
    assert to_dict(from_dict(Customer, old)) == to_dict(from_dict(Customer, new))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1588927354, datetime(2020, 5, 8, 8, 42, 34, tzinfo=UTC)),
        ("1588927354", datetime(2020, 5, 8, 8, 42, 34, tzinfo=UTC)),
        ("1588927354.913", datetime(2020, 5, 8, 8, 42, 34, 913000, tzinfo=UTC)),
        ("1588927354.000", datetime(2020, 5, 8, 8, 42, 34, tzinfo=UTC)),
        (1588927354.5, datetime(2020, 5, 8, 8, 42, 34, 500000, tzinfo=UTC)),
        (0, datetime(1970, 1, 1, tzinfo=UTC)),
        ("0", datetime(1970, 1, 1, tzinfo=UTC)),
        (-1, datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)),
        (None, None),
        ("", None),
    ],
    ids=repr,
)
def test_moments_in_every_spelling(value: object, expected: datetime | None) -> None:
    """Int, numeric string, with a fraction, null: an aware datetime in UTC, or None."""
    customer = from_dict(Customer, {"id": 7, "firstSeen": value})
    assert expected == customer.first_seen
    if customer.first_seen is not None:
        assert customer.first_seen.tzinfo is UTC


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"Plan": "team", "n": 1}, {"Plan": "team", "n": 1}),
        ([{"property": "Plan", "value": "team"}], {"Plan": "team"}),
        ([{"name": "Plan", "value": "team"}], {"Plan": "team"}),
        ([{"property": "Plan"}], {"Plan": None}),
        ([{"property": "a", "value": 1}, {"property": "a", "value": 2}], {"a": 2}),
        ([{"property": "", "value": 1}], {"": 1}),
        ([], {}),
        ({}, {}),
        (None, {}),
    ],
    ids=repr,
)
def test_custom_data_in_every_spelling(value: object, expected: dict[str, Any]) -> None:
    """Object, list, empty, null: one mapping."""
    assert expected == from_dict(Customer, {"id": 7, "customData": value}).custom_data
    assert from_dict(Customer, {"id": 7}).custom_data == {}


def test_custom_values_are_left_as_they_came() -> None:
    """No date is parsed, no number made of a string, and true stays true."""
    values = {
        "s": "12",
        "i": 12,
        "f": 12.0,
        "b": True,
        "d": "2020-09-01 00:40:00",
        "n": None,
        "ts": "1603800000",
    }
    customer = from_dict(Customer, {"id": 7, "customData": values})
    assert [(type(value), value) for value in values.values()] == [
        (type(value), value) for value in customer.custom_data.values()
    ]


@pytest.mark.parametrize("part", ["location", "device"])
@pytest.mark.parametrize("value", [None, [], {}], ids=repr)
def test_parts_are_never_none(part: str, value: object) -> None:
    """Absent, null, and PHP's empty array: an object whose fields are all None."""
    empty: object = Location() if part == "location" else Device()
    assert empty == getattr(from_dict(Customer, {"id": 7, part: value}), part)
    assert empty == getattr(from_dict(Customer, {"id": 7}), part)
    assert from_dict(Customer, {"id": 7, part: value}).extra == {}


@pytest.mark.parametrize("value", ["iPhone of Mara", 7, True, ["a"]], ids=repr)
@pytest.mark.parametrize("part", ["location", "device"])
def test_an_opaque_part_is_kept(part: str, value: object) -> None:
    """Some pages type the device as a string: it does not lose the customer, and stays reachable."""
    customer = from_dict(Customer, {"id": 7, part: value})
    assert customer.extra == {part: value}
    assert customer.device == Device()
    assert to_dict(customer)[part] == value
    assert customer == from_dict(Customer, to_dict(customer))


def test_unknown_fields_are_kept_at_every_level() -> None:
    """What the API adds later is reachable, and written back."""
    mapping = {
        "id": 7,
        "loyaltyTier": "gold",
        "extra": {"a": 1},
        "location": {"city": "Kyiv", "postcode": "01001"},
        "device": {"id": 1, "model": {"name": "x"}},
        "tags": [{"name": "lead", "color": None, "id": 12}],
    }
    customer = from_dict(Customer, mapping)
    assert customer.extra == {"loyaltyTier": "gold", "extra": {"a": 1}}
    assert customer.location.extra == {"postcode": "01001"}
    assert customer.device.extra == {"model": {"name": "x"}}
    assert customer.tags[0].extra == {"id": 12}
    written = to_dict(customer)
    assert written["loyaltyTier"] == "gold"
    assert written["extra"] == {"a": 1}
    assert written["location"]["postcode"] == "01001"
    assert written["tags"] == [{"name": "lead", "color": None, "id": 12}]
    assert customer == from_dict(Customer, written)


def test_the_callers_mapping_is_not_changed() -> None:
    """Reading leaves what is read alone, and shares no list or dict with it."""
    mapping: dict[str, Any] = {"id": 7, "device": "opaque", "customData": {"a": 1}, "later": 1}
    before = copy.deepcopy(mapping)
    customer = from_dict(Customer, mapping)
    assert before == mapping
    mapping["customData"]["a"] = 2
    assert customer.custom_data == {"a": 1}


def test_what_is_written_is_spelt_as_the_newest_pages() -> None:
    """camelCase keys, Unix seconds in a string, custom data as an object, every field there."""
    written = to_dict(attrs.evolve(MARA_NEW, last_seen=datetime(2020, 1, 1, 0, 0, 0, 250000, tzinfo=UTC)))
    assert written["firstSeen"] == "1603800001"
    assert written["lastSeen"] == "1577836800.25"
    assert written["userId"] == "acct_502"
    assert written["integrationId"] == "500600700"
    assert written["customData"]["seats"] == 12
    assert written["device"]["userAgent"] == "ExampleBrowser/7.1"
    assert set(written) == {
        *("id", "name", "email", "userId", "company", "phone", "firstSeen", "lastSeen", "location", "device"),
        *("unsubscribed", "blocked", "source", "referer", "lastPage", "locale", "createdFrom"),
        *("integrationId", "notes", "tags", "customData"),
    }


def test_to_dict_takes_models_only() -> None:
    """A customer id or a mapping is a mistake, told at once."""
    for nonsense in (7, {"id": 7}, None):
        with pytest.raises(TypeError, match="model"):
            to_dict(nonsense)


MODELS = [MARA_NEW, MARA_NEW.location, MARA_NEW.device, MARA_NEW.tags[0], Page((MARA_NEW,), 1, 0)]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
def test_models_are_plain_frozen_data(model: Any) -> None:
    """They compare by value, pickle, copy and show themselves; nothing changes them; they do not hash."""
    assert model == pickle.loads(pickle.dumps(model))
    assert model == copy.deepcopy(model)
    assert model != "something else"
    assert type(model).__name__ in repr(model)
    with pytest.raises(TypeError, match="unhashable"):
        hash(model)
    field = attrs.fields(type(model))[0].name
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        setattr(model, field, None)
    with pytest.raises((AttributeError, TypeError)):
        model.something_new = 1
    assert not hasattr(model, "__dict__")


def test_customers_that_differ_are_not_equal() -> None:
    """Every field counts."""
    for field in attrs.fields(Customer):
        change: dict[str, Any] = {field.name: "other"}
        assert attrs.evolve(MARA_NEW, **change) != MARA_NEW


def test_a_lookup_pickles_with_its_error() -> None:
    """A stream's results may cross a process border."""
    lookup = Lookup(7, None, NotFoundError("m", 404, "not_found", (), "GET", "/customers/7", 1))
    arrived = pickle.loads(pickle.dumps(lookup))
    assert (arrived.id, arrived.customer, str(arrived.error)) == (7, None, str(lookup.error))
    assert Lookup(7, MARA_NEW, None) == pickle.loads(pickle.dumps(Lookup(7, MARA_NEW, None)))


def test_a_lone_data_object_is_unwrapped() -> None:
    """Some answers wrap the object; one that holds more than `data` is no wrapper."""
    assert structure_one({"data": {"id": 7}}, Customer) == Customer(7)
    assert structure_one({"id": 7, "data": {"id": 8}}, Customer) == Customer(7, extra={"data": {"id": 8}})
