"""The customers of the fake server: made up from a seed, read and written in both spellings."""

import json
from typing import Any

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpcrunch_async.testing import (
    FakeHelpCrunch,
    Spelling,
    documented_customer,
    generate_customers,
    read_customer,
    write_customer,
)

OLD: dict[str, Any] = {
    "id": 70011,
    "name": "Mara Quill",
    "firstSeen": 1588900001,
    "lastSeen": 1591600002,
    "tags": [{"name": "trial", "color": "#00aa88"}],
    "customData": [
        {"property": "Plan", "value": "team"},
        {"property": "Seats", "value": 12},
        {"property": "Paid", "value": True},
    ],
}
NEW: dict[str, Any] = {
    "id": 70011,
    "name": "Mara Quill",
    "firstSeen": "1588900001",
    "lastSeen": "1591600002",
    "tags": [{"name": "trial", "color": "#00aa88"}],
    "customData": {"Plan": "team", "Seats": 12, "Paid": True},
}
NEW_ONLY = {"createdFrom", "integrationId"}


def test_both_spellings_mean_the_same() -> None:
    """However it was written, it is kept in one form."""
    assert read_customer(OLD) == read_customer(NEW)


def test_the_old_spelling() -> None:
    """Integers, a list of properties, and none of the newer fields."""
    written = write_customer(read_customer(NEW), "old")
    assert written | OLD == written
    assert not NEW_ONLY & written.keys()


def test_the_new_spelling() -> None:
    """Numeric strings, an object, and the newer fields."""
    written = write_customer(read_customer(OLD), "new")
    assert written | NEW == written
    assert written.keys() >= NEW_ONLY


@pytest.mark.parametrize("spelling", ["old", "new"])
@given(seed=st.integers(0, 1000))
def test_writing_and_reading_loses_nothing_but_newer_fields(spelling: Spelling, seed: int) -> None:
    """Generated customers make the round trip."""
    for row in generate_customers(5, seed):
        kept = row if spelling == "new" else row | dict.fromkeys(NEW_ONLY)
        assert read_customer(write_customer(row, spelling)) == kept


def test_empty_fields_stay_empty() -> None:
    """Null is spelt null in both."""
    row = read_customer({"id": 1, "firstSeen": None, "lastSeen": "", "customData": None, "location": None})
    for spelling in ("old", "new"):
        written = write_customer(row, spelling)
        assert [written[key] for key in ("firstSeen", "lastSeen", "customData", "location")] == [None] * 4


def test_fields_nobody_has_heard_of_are_kept() -> None:
    """The service adds fields; so may a test."""
    assert write_customer(read_customer({"id": 1, "loyaltyTier": {"a": [1]}}), "old")["loyaltyTier"] == {
        "a": [1]
    }


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("firstSeen", "yesterday"),
        ("lastSeen", True),
        ("lastSeen", [1]),
        ("firstSeen", "inf"),
        ("customData", "x"),
        ("customData", [{"property": "Plan"}]),
    ],
)
def test_what_fits_neither_spelling_is_refused(field: str, value: Any) -> None:
    """The message names the field."""
    with pytest.raises(ValueError, match=field):
        read_customer({"id": 1, field: value})


def test_the_documented_customer_is_first() -> None:
    """Whatever the seed, 8737843 is there, as the documentation shows her."""
    for seed in (0, 1):
        assert generate_customers(1, seed) == [documented_customer()]
    cindy = documented_customer()
    assert (cindy["id"], cindy["email"]) == (8737843, "cindy.mindy@example.com")
    assert cindy["customData"]["Currency"] == "USD"
    assert len(cindy["customData"]) == 12


def test_the_same_seed_gives_the_same_customers() -> None:
    """And a longer list starts with the shorter one; another seed gives others."""
    assert generate_customers(200, 3)[:50] == generate_customers(50, 3)
    assert generate_customers(50, 3) != generate_customers(50, 4)


def test_generated_customers_hold_what_real_ones_hold() -> None:
    """Different ids; empty fields, shared e-mails, several kinds of custom values."""
    rows = generate_customers(2000)
    assert len({row["id"] for row in rows}) == 2000
    emails = [row["email"] for row in rows if row["email"]]
    assert len(set(emails)) < len(emails) < 2000
    for field in ("name", "userId", "phone", "device", "location", "firstSeen", "integrationId"):
        assert any(row[field] is None for row in rows), field
        assert any(row[field] is not None for row in rows), field
    assert {type(value) for row in rows for value in row["customData"].values()} == {str, int, float, bool}
    assert {len(row["tags"]) for row in rows} == {0, 1, 2}


@pytest.mark.parametrize("given_in", [OLD, NEW], ids=["from old", "from new"])
@pytest.mark.parametrize("spelling", ["old", "new"])
async def test_the_server_speaks_its_own_spelling(spelling: Spelling, given_in: dict[str, Any]) -> None:
    """Whichever spelling it was given; single, listed and found customers are alike."""
    async with (
        FakeHelpCrunch([given_in], spelling=spelling) as server,
        aiohttp.ClientSession(headers={"Authorization": "Bearer key"}) as http,
    ):
        expected = write_customer(read_customer(given_in), spelling)
        async with http.get(f"{server.url}/customers/70011") as reply:
            assert await reply.json() == expected
        async with http.get(f"{server.url}/customers") as reply:
            assert await reply.json() == {"data": [expected], "total": 1}
        async with http.post(f"{server.url}/customers/search", json={}) as reply:
            assert await reply.json() == {"data": [expected], "total": 1}
        assert server.customer(70011) == expected


async def test_what_is_given_and_taken_is_a_copy() -> None:
    """A test that edits its own rows does not edit the server's."""
    mine = json.loads(json.dumps(NEW))
    async with FakeHelpCrunch([mine]) as server:
        mine["tags"].clear()
        server.customer(70011)["tags"].clear()
        assert server.customer(70011)["tags"] == NEW["tags"]


def test_an_unknown_spelling_is_refused() -> None:
    """At once."""
    with pytest.raises(ValueError, match="spelling"):
        FakeHelpCrunch(spelling="ancient")  # type: ignore[arg-type]
