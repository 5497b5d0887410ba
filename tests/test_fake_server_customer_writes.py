"""Creating, changing, tagging and deleting customers of the fake server, and what it refuses."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from helpcrunch_async.testing import Behaviour, FakeHelpCrunch, Spelling

Call = Callable[..., Awaitable[tuple[int, Any]]]

ADA: dict[str, Any] = {
    "id": 1,
    "name": "Ada",
    "email": "ada@example.com",
    "userId": "u1",
    "notes": "prefers mail",
    "firstSeen": 100,
    "unsubscribed": True,
    "location": {"regionCode": "BY", "countryCode": "DE", "city": "Munich"},
    "device": {"id": 9, "ip": "203.0.113.9", "timezone": "UTC", "platform": "desktop", "userAgent": "x"},
    "tags": [{"name": "vip", "color": "red"}],
    "customData": {"Plan": "team", "Seats": 3},
}
BOB: dict[str, Any] = {"id": 2, "name": "Bob", "userId": "u2"}
NOWHERE = {"regionCode": None, "countryCode": None, "city": None}
GENERAL = {"code": "invalid_request", "message": "Invalid request"}


@pytest.fixture
async def server() -> AsyncIterator[FakeHelpCrunch]:
    async with FakeHelpCrunch([ADA, BOB]) as running:
        yield running


def codes(body: Any) -> list[str]:
    """The codes of an error body; in the new spelling without the first, which says nothing."""
    found = [item["code"] for item in body["errors"]]
    return found[1:] if body["errors"][0] == GENERAL else found


async def test_a_created_customer_is_there(server: FakeHelpCrunch, call: Call) -> None:
    """201 and the customer, who is then got, listed and found like any other."""
    status, created = await call(
        server,
        "POST /customers",
        {
            "name": "Zoë",
            "email": "zoe@example.com",
            "userId": "u3",
            "firstSeen": "1700000000",
            "createdFrom": "telegram",
            "integrationId": "555",
            "tags": [{"name": "trial"}, {"name": "vip", "color": "blue"}],
            "customData": [{"property": "Plan", "value": "solo"}, {"property": "Paid", "value": True}],
        },
    )
    assert status == 201
    assert created["customData"] == {"Plan": "solo", "Paid": True}
    assert created["firstSeen"] == "1700000000"
    assert created["device"] is None
    assert created["location"] == NOWHERE
    assert await call(server, f"GET /customers/{created['id']}") == (200, created)
    assert (await call(server, "GET /customers"))[1]["total"] == 3
    condition = {"field": "customers.telegramId", "operator": "=", "value": "555"}
    assert (await call(server, "POST /customers/search", {"filter": [condition]}))[1]["data"] == [created]
    assert server.customers[-1] == created


async def test_nothing_is_required_of_a_new_customer(server: FakeHelpCrunch, call: Call) -> None:
    """An empty object makes an empty customer, and each gets an id of its own."""
    first, second = [(await call(server, "POST /customers", {}))[1] for _ in range(2)]
    assert first["id"] != second["id"]
    assert {first[field] for field in ("name", "email", "userId", "firstSeen", "notes")} == {None}
    assert (first["tags"], first["customData"], first["blocked"]) == ([], {}, False)


@pytest.mark.parametrize("spelling", ["old", "new"])
async def test_a_user_id_is_given_once(call: Call, spelling: Spelling) -> None:
    """The documented-by-use 400 of one item, in either spelling; a null or empty one may be had by many."""
    async with FakeHelpCrunch([ADA, BOB], spelling=spelling) as server:
        for what, body in (
            ("POST /customers", {"userId": "u1"}),
            ("PATCH /customers/2", {"userId": "u1"}),
            ("PUT /customers/2", {"userId": "u1"}),
            ("PUT /customers/batch", [{"customer": 2, "userId": "u1"}]),
        ):
            status, answer = await call(server, what, body)
            assert (status, len(answer["errors"])) == (400, 1)
            assert answer["errors"][0]["code"] == "invalid_userId_value"
        assert (await call(server, "PATCH /customers/1", {"userId": "u1"}))[0] == 200
        for empty in (None, "", None, ""):
            assert (await call(server, "POST /customers", {"userId": empty}))[1]["userId"] is None


async def test_a_user_id_that_two_have_is_no_hindrance(server: FakeHelpCrunch, call: Call) -> None:
    """A test may give it to both; either is changed as before."""
    server.add_customer(BOB | {"userId": "u1"})
    assert (await call(server, "PATCH /customers/2", {"name": "Bobby"}))[0] == 200
    assert (await call(server, "PUT /customers/2/tags", {"tags": [{"name": "vip"}]}))[0] == 200


async def test_patch_changes_what_is_given(server: FakeHelpCrunch, call: Call) -> None:
    """Null empties, what is left out stays; so do custom attributes and parts of the location."""
    before = server.customer(1)
    status, after = await call(
        server,
        "PATCH /customers/1",
        {
            "notes": None,
            "company": "Quill AG",
            "blocked": True,
            "unsubscribed": None,
            "lastSeen": 200.9,
            "location": {"city": "Kyiv"},
            "customData": [{"property": "Seats", "value": None}, {"property": "Paid", "value": 1.5}],
        },
    )
    assert status == 200
    assert after == before | {
        "notes": None,
        "company": "Quill AG",
        "blocked": True,
        "unsubscribed": False,
        "lastSeen": "200",
        "location": {"regionCode": "BY", "countryCode": "DE", "city": "Kyiv"},
        "customData": {"Plan": "team", "Paid": 1.5},
    }
    assert server.customer(1) == after


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"location": None}, {"location": NOWHERE}),
        ({"customData": None}, {"customData": {}}),
        ({"tags": None}, {"tags": []}),
        (
            {"tags": [{"name": "trial", "color": "#00aa88"}]},
            {"tags": [{"name": "trial", "color": "#00aa88"}]},
        ),
        (
            {"city": "Kyiv", "regionCode": None},
            {"location": {**ADA["location"], "city": "Kyiv", "regionCode": None}},
        ),
        ({"id": 5, "device": None, "loyaltyTier": "gold"}, {}),
    ],
    ids=["no location", "no attributes", "no tags", "other tags", "the flat place of old", "not writable"],
)
async def test_the_odd_fields_of_a_patch(
    server: FakeHelpCrunch, call: Call, given: dict[str, Any], expected: dict[str, Any]
) -> None:
    """What cannot be written is ignored."""
    before = server.customer(1)
    assert await call(server, "PATCH /customers/1", given) == (200, before | expected)


async def test_put_empties_what_is_left_out(server: FakeHelpCrunch, call: Call) -> None:
    """The newer pages say so; id and device cannot be written, and stay."""
    status, after = await call(server, "PUT /customers/1", {"name": "Ada L."})
    assert status == 200
    assert (after["id"], after["name"], after["device"]) == (1, "Ada L.", ADA["device"])
    for field in ("email", "userId", "notes", "firstSeen", "locale", "createdFrom"):
        assert after[field] is None, field
    assert (after["tags"], after["customData"], after["unsubscribed"]) == ([], {}, False)
    assert after["location"] == NOWHERE


async def test_a_batch_changes_each(server: FakeHelpCrunch, call: Call) -> None:
    """As PATCH would, one after the other, and answers with them in the order given."""
    status, after = await call(
        server,
        "PUT /customers/batch",
        [{"customer": 2, "phone": "+49"}, {"customer": 1, "company": "Q"}, {"customer": "2", "notes": "n"}],
    )
    assert status == 200
    assert [row["id"] for row in after] == [2, 1, 2]
    bob, ada = server.customer(2), server.customer(1)
    assert (bob["phone"], bob["notes"], bob["name"], ada["company"]) == ("+49", "n", "Bob", "Q")


async def test_a_user_id_may_move_within_a_batch(server: FakeHelpCrunch, call: Call) -> None:
    """From one who gave it up before, as by single updates in this order."""
    batch = [
        {"customer": 1, "userId": None},
        {"customer": 2, "userId": "u1"},
        {"customer": 1, "userId": "u2"},
    ]
    assert server.customer(1)["userId"] == "u1"
    assert (await call(server, "PUT /customers/batch", batch))[0] == 200
    assert (server.customer(1)["userId"], server.customer(2)["userId"]) == ("u2", "u1")


@pytest.mark.parametrize(
    ("batch", "status", "expected"),
    [
        ([], 400, []),
        ([{"customer": 1}] * 11, 400, []),
        ({"customer": 1}, 400, []),
        ([{"phone": "1"}], 400, ["[0].customer"]),
        ([{"customer": 1}, 7], 400, ["[1]"]),
        ([{"customer": 1, "phone": "1"}, {"customer": 2, "phone": 5}], 400, ["[1].phone"]),
        (
            [{"customer": 1, "customData": [{}]}],
            400,
            ["[0].customData[0].property", "[0].customData[0].value"],
        ),
        ([{"customer": 1, "phone": "1"}, {"customer": 9}], 404, ["not_found"]),
        ([{"customer": 1, "userId": "x"}, {"customer": 2, "userId": "x"}], 400, ["invalid_userId_value"]),
        (
            [{"customer": 1, "userId": "x"}, {"customer": 2, "userId": "x"}, {"customer": 2, "userId": "y"}],
            400,
            ["invalid_userId_value"],
        ),
        ([{"customer": 2, "userId": "u1"}, {"customer": 1, "userId": None}], 400, ["invalid_userId_value"]),
    ],
)
async def test_a_wrong_batch_changes_nothing(
    server: FakeHelpCrunch, call: Call, batch: Any, status: int, expected: list[str]
) -> None:
    """One to ten objects, each with a customer who is there."""
    before = server.customers
    answered, body = await call(server, "PUT /customers/batch", batch)
    assert (answered, codes(body)) == (status, expected)
    assert server.customers == before


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"name": 5}, ["name"]),
        ({"userId": 7.5}, ["userId"]),
        ({"userId": True}, ["userId"]),
        ({"userId": ["7"]}, ["userId"]),
        ({"firstSeen": "yesterday", "lastSeen": True}, ["firstSeen", "lastSeen"]),
        ({"blocked": "no"}, ["blocked"]),
        ({"unsubscribed": 1}, ["unsubscribed"]),
        ({"location": "Kyiv"}, ["location"]),
        ({"location": {"city": 5}}, ["location.city"]),
        ({"city": 5}, ["city"]),
        ({"tags": "vip"}, ["tags"]),
        ({"tags": ["vip"]}, ["tags[0]"]),
        ({"tags": [{"name": "a"}, {"name": " "}, {"color": "red"}]}, ["tags[1].name", "tags[2].name"]),
        ({"tags": [{"name": "a", "color": 5}]}, ["tags[0].color"]),
        ({"customData": {"Plan": "team"}}, ["customData"]),
        ({"customData": [{"name": "Plan", "value": 1}]}, ["customData[0].property"]),
        ({"customData": [{"property": "Plan"}]}, ["customData[0].value"]),
        ({"customData": [{"property": "Plan", "value": [1]}]}, ["customData[0].value"]),
        ({"customData": [{"property": "Plan", "value": {}}]}, ["customData[0].value"]),
    ],
    ids=str,
)
@pytest.mark.parametrize("what", ["POST /customers", "PUT /customers/1", "PATCH /customers/1"])
async def test_what_a_write_refuses(
    server: FakeHelpCrunch, call: Call, what: str, given: dict[str, Any], expected: list[str]
) -> None:
    """A 400 that names every bad field by its path, and nothing changes."""
    before = server.customers
    status, body = await call(server, what, given)
    assert (status, body["errors"][0], codes(body)) == (400, GENERAL, expected)
    assert server.customers == before


async def test_the_old_400_names_the_field(call: Call) -> None:
    """In a batch, too."""
    async with FakeHelpCrunch([ADA], spelling="old") as server:
        _, body = await call(server, "PATCH /customers/1", {"name": 5, "tags": [{}]})
        assert codes(body) == ["invalid_name_value", "invalid_tags_value"]
        _, body = await call(server, "PUT /customers/batch", [{"customer": 1, "phone": 5}])
        assert codes(body) == ["invalid_phone_value"]


async def test_custom_attributes_that_must_exist(server: FakeHelpCrunch, call: Call) -> None:
    """Any is taken, unless the account is told which it has."""
    custom_data = [{"property": "Plan", "value": "solo"}, {"property": "Mood", "value": "good"}]
    server.behaviour = Behaviour(custom_attributes=["Plan"])
    status, body = await call(server, "PATCH /customers/1", {"customData": custom_data})
    assert (status, codes(body)) == (400, ["customData[1].property"])
    server.behaviour = Behaviour()
    assert (await call(server, "PATCH /customers/1", {"customData": custom_data}))[0] == 200


async def test_tags_come_and_go(server: FakeHelpCrunch, call: Call) -> None:
    """New ones get the default colour or their own, known ones keep the account's; JSON in a DELETE works."""
    status, tagged = await call(
        server,
        "PUT /customers/2/tags",
        {"tags": [{"name": "vip", "color": "blue"}, {"name": "lead"}, {"name": "new", "color": "#fff"}]},
    )
    assert status == 200
    assert tagged["tags"] == [
        {"name": "vip", "color": "red"},
        {"name": "lead", "color": "#c377e0"},
        {"name": "new", "color": "#fff"},
    ]
    again = await call(server, "PUT /customers/2/tags", {"tags": [{"name": "lead"}, {"name": "lead"}]})
    assert again == (200, tagged)
    status, untagged = await call(
        server, "DELETE /customers/2/tags", {"tags": [{"name": "vip"}, {"name": "never had"}]}
    )
    assert (status, [tag["name"] for tag in untagged["tags"]]) == (200, ["lead", "new"])
    assert server.customer(1)["tags"] == ADA["tags"]


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
@pytest.mark.parametrize(
    ("body", "expected"),
    [({}, ["tags"]), ({"tags": "vip"}, ["tags"]), ({"tags": [{}]}, ["tags[0].name"]), (b"", [])],
    ids=["none", "text", "nameless", "no body"],
)
async def test_what_tagging_refuses(
    server: FakeHelpCrunch, call: Call, method: str, body: Any, expected: list[str]
) -> None:
    """A list of objects with names."""
    status, answer = await call(server, f"{method} /customers/1/tags", body)
    assert (status, codes(answer) if expected else []) == (400, expected)


async def test_a_deleted_customer_is_gone(server: FakeHelpCrunch, call: Call) -> None:
    """`Ok` as plain text, then 404; the chats stay, with nobody in them."""
    chat_id = server.add_chat({"customer": 1})
    assert await call(server, "DELETE /customers/1") == (200, "Ok")
    assert (await call(server, "GET /customers/1"))[0] == 404
    assert (await call(server, "DELETE /customers/1"))[0] == 404
    assert (await call(server, "GET /customers"))[1]["total"] == 1
    assert (await call(server, f"GET /chats/{chat_id}"))[1]["customer"] is None


@pytest.mark.parametrize(
    "what",
    [
        "PUT /customers/9",
        "PATCH /customers/9",
        "DELETE /customers/9",
        "PUT /customers/9/tags",
        "DELETE /customers/9/tags",
    ],
)
@pytest.mark.parametrize(("spelling", "code"), [("old", "entity_not_found"), ("new", "not_found")])
async def test_nobody_there_is_404(call: Call, what: str, spelling: Spelling, code: str) -> None:
    """In the documented words of each spelling, whatever the body holds."""
    async with FakeHelpCrunch([ADA], spelling=spelling) as server:
        status, body = await call(server, what, {"name": 5})
        assert (status, codes(body)) == (404, [code])


async def test_an_event_is_kept(server: FakeHelpCrunch, call: Call) -> None:
    """Its data comes back as it came; a test can look at it."""
    data = {"plan": "team", "seats": 3, "paid": True, "share": 0.5}
    status, event = await call(server, "POST /events", {"customer": 1, "name": "Upgrade", "data": data})
    assert (status, event["name"], event["data"]) == (200, "Upgrade", data)
    assert event.keys() == {"id", "name", "data", "createdAt"}
    assert server.events == [event | {"customer": 1}]
    _, other = await call(server, "POST /events", {"customer": "1", "name": "Login"})
    assert (other["data"], other["id"]) == ({}, event["id"] + 1)


async def test_the_old_event_says_whose_it_is(call: Call) -> None:
    """And when, as a number."""
    async with FakeHelpCrunch([ADA], spelling="old", wall_clock=lambda: 1603800000.7) as server:
        _, event = await call(server, "POST /events", {"customer": 1, "name": "Upgrade", "data": {}})
        assert (event["customer"], event["createdAt"]) == (1, 1603800000)


@pytest.mark.parametrize(
    ("given", "status", "expected"),
    [
        ({}, 400, ["customer", "name"]),
        ({"customer": "x", "name": ""}, 400, ["customer", "name"]),
        ({"customer": 1, "name": "a", "data": []}, 400, ["data"]),
        ({"customer": 1, "name": "a", "data": {"b": {}}}, 400, ["data.b"]),
        ({"customer": 9, "name": "a"}, 404, ["not_found"]),
    ],
)
async def test_what_an_event_needs(
    server: FakeHelpCrunch, call: Call, given: dict[str, Any], status: int, expected: list[str]
) -> None:
    """A customer who is there, a name, and scalars."""
    answered, body = await call(server, "POST /events", given)
    assert (answered, codes(body)) == (status, expected)
    assert server.events == []
