"""Fields of a customer that make no sense, whichever call would write them."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest
from aioresponses import aioresponses
from api_calls.call import as_they_come
from api_calls.refusal import HALF, NAIVE, NAN, NOON, refusal_of

from helpcrunch_async import UNSET, Tag

INF = float("inf")


def writes(**fields: Any) -> list[Callable[[Any], Any]]:
    """All ways in which fields of a customer are written."""
    return [
        lambda client: client.create_customer(**fields),
        lambda client: client.update_customer(7, **fields),
        lambda client: client.replace_customer(7, **fields),
        lambda client: client.batch_update_customers([{"customer": 7, **fields}]),
        lambda client: client.batch_update_customers(as_they_come([{"customer": 7, **fields}])),
    ]


BAD_FIELDS: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"name": 7}, TypeError, "name is a str, not int"),
    ({"name": b"Mara"}, TypeError, "name is a str, not bytes"),
    ({"name": ["Mara"]}, TypeError, "name is a str, not list"),
    ({"name": HALF}, ValueError, "name holds half a surrogate pair"),
    ({"email": True}, TypeError, "email is a str, not bool"),
    ({"email": {"mara@customer.example"}}, TypeError, "email is a str, not set"),
    ({"user_id": 501}, TypeError, "user_id is a str, not int"),
    ({"phone": 4989}, TypeError, "phone is a str, not int"),
    ({"company": 0.5}, TypeError, "company is a str, not float"),
    ({"city": ()}, TypeError, "city is a str, not tuple"),
    ({"region_code": 1}, TypeError, "region_code is a str"),
    ({"country_code": 49}, TypeError, "country_code is a str"),
    ({"source": 1}, TypeError, "source is a str"),
    ({"referer": 1}, TypeError, "referer is a str"),
    ({"last_page": 1}, TypeError, "last_page is a str"),
    ({"locale": 1}, TypeError, "locale is a str"),
    ({"created_from": 1}, TypeError, "created_from is a str"),
    ({"integration_id": 500600700}, TypeError, "integration_id is a str"),
    ({"notes": ["Mara"]}, TypeError, "notes is a str, not list"),
    ({"blocked": "no"}, TypeError, "blocked is True or False, not str"),
    ({"unsubscribed": 0}, TypeError, "unsubscribed is True or False, not int"),
    ({"first_seen": NAIVE}, ValueError, "first_seen is an aware datetime"),
    ({"first_seen": date(2024, 4, 9)}, TypeError, "first_seen is an aware datetime, not date"),
    ({"last_seen": 1603800000}, TypeError, "last_seen is an aware datetime, not int"),
    ({"last_seen": "1603800000"}, TypeError, "last_seen is an aware datetime, not str"),
    ({"last_seen": datetime(1969, 7, 20, tzinfo=UTC)}, ValueError, "last_seen is before 1970"),
    ({"tags": "vip"}, TypeError, "tags is an iterable of names or Tags, not str"),
    ({"tags": Tag("vip")}, TypeError, "tags is an iterable of names or Tags, not Tag"),
    ({"tags": {"name": "vip"}}, TypeError, "tags is an iterable of names or Tags, not dict"),
    ({"tags": [{"name": "vip"}]}, TypeError, "a tag's name is a str, not dict"),
    ({"tags": 7}, TypeError, "tags is an iterable of names or Tags, not int"),
    ({"tags": [None]}, TypeError, "a tag's name is a str, not NoneType"),
    ({"tags": ["vip", ""]}, ValueError, "a tag's name is empty"),
    ({"tags": [Tag("vip", "")]}, ValueError, "the colour of tag 'vip' is empty"),
    ({"tags": [Tag("vip", "red"), "vip", Tag("vip", "blue")]}, ValueError, "tag 'vip' is given two colours"),
    ({"custom_data": [("plan", "Mara")]}, TypeError, "custom_data is a mapping of names to values, not list"),
    ({"custom_data": "Mara"}, TypeError, "custom_data is a mapping of names to values, not str"),
    ({"custom_data": {7: "Mara"}}, TypeError, "a name in custom_data is a str, not int"),
    ({"custom_data": {"": "Mara"}}, ValueError, "a name in custom_data is empty"),
    ({"custom_data": {"plan": ["Mara"]}}, TypeError, "custom_data: 'plan' is text, a number, a bool or None"),
    ({"custom_data": {"plan": UNSET}}, TypeError, "custom_data: 'plan' is text, a number"),
    ({"custom_data": {"since": NOON}}, TypeError, "custom_data: 'since' is text, a number"),
    ({"custom_data": {"share": NAN}}, ValueError, "custom_data: 'share' is not finite"),
    ({"custom_data": {"share": -INF}}, ValueError, "custom_data: 'share' is not finite"),
    ({"custom_data": {"plan": HALF}}, ValueError, "custom_data: 'plan' holds half a surrogate pair"),
    ({"userId": "acct_502"}, TypeError, "'userId' is not a field .* user_id is meant"),
    ({"customData": {"plan": "Mara"}}, TypeError, "'customData' is not a field .* custom_data is meant"),
    ({"nmae": "Mara"}, TypeError, "'nmae' is not a field of a customer that can be written$"),
    ({"nmae": UNSET}, TypeError, "'nmae' is not a field"),
    ({"id": 7}, TypeError, "'id' is not a field"),
    ({"location": {"city": "Munich"}}, TypeError, "'location' is not a field"),
]


@pytest.mark.parametrize("way", range(5), ids=["create", "update", "replace", "batch", "async batch"])
@pytest.mark.parametrize(("fields", "kind", "words"), BAD_FIELDS, ids=lambda row: ascii(row)[:40])
async def test_bad_fields_of_a_customer(
    mocked: aioresponses, fields: dict[str, Any], kind: type[Exception], words: str, way: int
) -> None:
    """Whichever call writes them: the field is named, a value is not shown, and nothing is sent."""
    error = await refusal_of(mocked, writes(**fields)[way])
    assert kind is type(error)
    assert re.match(words, str(error))


GOOD = {"customer": 7, "name": "Mara"}
BAD_UPDATES: list[tuple[str, Callable[[Any], Any], type[Exception], str]] = [
    (
        "update_customer, nothing",
        lambda client: client.update_customer(7),
        ValueError,
        "nothing to change",
    ),
    (
        "update_customer, all unset",
        lambda client: client.update_customer(7, name=UNSET, notes=UNSET),
        ValueError,
        "nothing to change",
    ),
    (
        "update_customer, its id twice",
        lambda client: client.update_customer(7, customer=8),
        TypeError,
        "'customer' is not a field",
    ),
    (
        "batch, no customer",
        lambda client: client.batch_update_customers([GOOD, {"name": "Mara"}]),
        ValueError,
        "an update has the customer's id under 'customer'",
    ),
    (
        "batch, customer alone",
        lambda client: client.batch_update_customers([GOOD, {"customer": 7}]),
        ValueError,
        "nothing to change",
    ),
    (
        "batch, no mapping",
        lambda client: client.batch_update_customers([GOOD, (7, "Mara")]),
        TypeError,
        "an update is a mapping, not tuple",
    ),
    (
        "batch, one update alone",
        lambda client: client.batch_update_customers(GOOD),
        TypeError,
        "updates is an iterable of mappings, not dict",
    ),
    (
        "batch, no iterable",
        lambda client: client.batch_update_customers(7),
        TypeError,
        "updates is an iterable of mappings, not int",
    ),
    (
        "batch, one of many",
        lambda client: client.batch_update_customers([*[GOOD] * 25, {"customer": 8, "name": HALF}]),
        ValueError,
        "name holds half a surrogate pair",
    ),
]


@pytest.mark.parametrize(
    ("call", "kind", "words"),
    [pytest.param(call, kind, words, id=name) for name, call, kind, words in BAD_UPDATES],
)
async def test_updates_that_make_no_sense(
    mocked: aioresponses, call: Callable[[Any], Any], kind: type[Exception], words: str
) -> None:
    """Something must change, of one customer; one bad update keeps all the others from being sent."""
    error = await refusal_of(mocked, call)
    assert kind is type(error)
    assert re.search(words, str(error))


async def test_a_bad_update_of_many_is_pointed_at(mocked: aioresponses) -> None:
    """A note says where in a thousand updates it stands."""
    error = await refusal_of(
        mocked, lambda client: client.batch_update_customers([*[GOOD] * 41, {"customer": 0, "name": "Mara"}])
    )
    assert error.__notes__ == ["in updates[41]"]


async def test_an_error_of_who_makes_the_updates_is_their_own(mocked: aioresponses) -> None:
    """It passes as it is: nothing says that it is about an update."""

    def updates() -> Any:
        yield GOOD
        raise ValueError("row 2 of my table")

    error = await refusal_of(mocked, lambda client: client.batch_update_customers(updates()))
    assert str(error) == "row 2 of my table"
    assert not hasattr(error, "__notes__")
