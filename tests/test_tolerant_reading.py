"""How each kind of field is read: what fits, what is also taken, and what becomes of everything else."""

import json
import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import attrs
import pytest

from helpcrunch_async import (
    Chat,
    ChatCustomer,
    Customer,
    DecodeError,
    Event,
    Location,
    Message,
    Organization,
    Page,
    Tag,
    from_dict,
    to_dict,
)
from helpcrunch_async.converter import models, read_page, structure_one, structure_page
from helpcrunch_async.models.webhook import CustomerEvent, WebhookChat, WebhookCustomer

SECRET = "mara.quill@customer.example"
NOON = datetime(2024, 4, 2, 12, 0, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _warn_anew() -> Iterator[None]:
    models._warned.clear()
    yield
    models._warned.clear()


@pytest.mark.parametrize(
    ("model", "key", "value", "field", "expected"),
    [
        (Customer, "id", "7", "id", 7),
        (Customer, "userId", 777002, "user_id", "777002"),
        (Customer, "phone", 1.5, "phone", "1.5"),
        (Customer, "name", -0.0, "name", "-0.0"),
        (Chat, "status", 1, "status", "1"),
        (Chat, "rating", 5, "rating", "5"),
        (Chat, "closedBy", 5, "closed_by", 5),
        (Chat, "closedBy", 1.5, "closed_by", "1.5"),
        (Chat, "lastMessageId", "8801", "last_message_id", 8801),
        (Message, "chat", "007", "chat_id", 7),
        (Customer, "blocked", 1, "blocked", True),
        (Customer, "blocked", 0, "blocked", False),
        (Customer, "lastSeen", "2024-04-02T12:00:00+00:00", "last_seen", NOON),
        (Customer, "lastSeen", "2024-04-02T12:00:00Z", "last_seen", NOON),
        (Customer, "lastSeen", "2024-04-02T14:30:00.000000+02:30", "last_seen", NOON),
        (Customer, "lastSeen", NOON.timestamp(), "last_seen", NOON),
        (Chat, "customer", 7, "customer", ChatCustomer(7)),
        (Chat, "customer", "7", "customer", ChatCustomer(7)),
        (Customer, "tags", {"name": "vip"}, "tags", (Tag("vip"),)),
        (Customer, "customData", [{"name": "a", "value": 1}], "custom_data", {"a": 1}),
        (WebhookChat, "communicatedAgents", ["1", 2], "communicated_agents", (1, 2)),
    ],
    ids=repr,
)
def test_what_is_also_taken(model: Any, key: str, value: Any, field: str, expected: Any) -> None:
    """Another spelling of what a field holds: nothing is left in `extra`, and nothing is logged."""
    read = from_dict(model, {"id": 7, "chat_id": 7, key: value})
    assert (expected, type(expected)) == (getattr(read, field), type(getattr(read, field)))
    assert key not in read.extra
    assert read == from_dict(model, to_dict(read))


UNFIT = [
    (Customer, "name", [SECRET], "a list"),
    (Customer, "name", True, "true or false"),
    (Customer, "userId", {"id": SECRET}, "an object"),
    (Customer, "blocked", 2, "an integer"),
    (Customer, "blocked", 1.0, "a number"),
    (Customer, "blocked", "true", "a string"),
    (Customer, "lastSeen", "0000-00-00 00:00:00", "a string"),
    (Customer, "lastSeen", "2024-04-02T12:00:00", "a string"),
    (Customer, "lastSeen", "2024-13-02T12:00:00Z", "a string"),
    (Customer, "lastSeen", "0001-01-01T00:00:00+14:00", "a string"),
    (Customer, "lastSeen", 10**30, "an integer"),
    (Customer, "lastSeen", 1e300, "a number"),
    (Customer, "lastSeen", True, "true or false"),
    (Customer, "location", SECRET, "a string"),
    (Customer, "device", 7, "an integer"),
    (Customer, "tags", SECRET, "a string"),
    (Customer, "tags", True, "true or false"),
    (Customer, "customData", SECRET, "a string"),
    (Chat, "lastMessageId", "7.0", "a string"),
    (Chat, "lastMessageId", 7.0, "a number"),
    (Chat, "lastMessageId", "9" * 5_000, "a string"),
    (Chat, "closedBy", [], "a list"),
    (Chat, "customer", {"name": SECRET}, "an object"),
    (Chat, "customer", True, "true or false"),
    (Chat, "assignee", -7, "an integer"),
    (Event, "data", "{}", "a string"),
]


@pytest.mark.parametrize(("model", "key", "value", "kind"), UNFIT, ids=repr)
def test_what_does_not_fit_stays_in_extra(
    model: Any, key: str, value: Any, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The field has its default, `to_dict` returns what came, and one warning names field and type."""
    with caplog.at_level(logging.WARNING, "helpcrunch_async"):
        read, again = (from_dict(model, {"id": 7, "later": 1, key: value}) for _ in range(2))
    assert attrs.evolve(from_dict(model, {"id": 7}), extra={"later": 1, key: value}) == read == again
    assert value == to_dict(read)[key] == to_dict(read, times="iso")[key]
    assert read == from_dict(model, to_dict(read)) == from_dict(model, to_dict(read, times="iso"))
    [record] = caplog.records
    assert record.getMessage() == f"{model.__name__}.{key}: not read, but kept in `extra`: {kind}"


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("tags", [{"name": "a"}, {}, 7, {"name": None}, {"name": "b", "color": []}], ("a", "b")),
        ("tags", [{}], ()),
        ("customData", [{"property": "a", "value": 1}, {}, {"value": 2}, "x"], {"a": 1}),
        ("customData", [{}], {}),
    ],
    ids=repr,
)
def test_items_that_do_not_fit_are_left_out(key: str, value: Any, expected: Any) -> None:
    """The others are read, and the whole list stays in `extra`."""
    read = from_dict(Customer, {"id": 7, key: value})
    assert expected == (tuple(tag.name for tag in read.tags) if key == "tags" else read.custom_data)
    assert read.extra == {key: value}
    assert value == to_dict(read)[key]
    assert read == from_dict(Customer, json.loads(json.dumps(to_dict(read))))


def test_what_was_changed_is_not_written_as_it_came() -> None:
    """`to_dict` takes what `extra` holds of a field only while the field is as it was read."""
    read = from_dict(Chat, {"id": 7, "status": [1], "agents": [{"id": 1}, {}]})
    assert to_dict(read)["status"] == [1]
    changed = attrs.evolve(read, status="closed", agents=())
    assert (to_dict(changed)["status"], to_dict(changed)["agents"]) == ("closed", [])


def test_nulls_and_missing_keys_are_silent(caplog: pytest.LogCaptureFixture) -> None:
    """They mean the default; so do PHP's empty objects."""
    nothing: dict[str, Any] = dict.fromkeys(("name", "blocked", "lastSeen", "tags", "customData", "device"))
    empties: list[dict[str, Any]] = [nothing, {"device": [], "location": {}, "tags": {}}]
    for empty in empties:
        assert from_dict(Customer, {"id": 7, **empty}) == Customer(7)
    assert not caplog.records


def test_an_odd_part_loses_its_own_field_only() -> None:
    """What is odd within a part stays there."""
    read = from_dict(Customer, {"id": 7, "location": {"city": [1], "countryCode": "DE"}})
    assert read == Customer(7, location=Location(country_code="DE", extra={"city": [1]}))


@pytest.mark.parametrize(
    ("body", "ids"),
    [
        ([{"id": 1}, {"id": 2}], [1, 2]),
        ({"data": [{"id": 1}]}, [1]),
        ({"messages": [{"id": 1}]}, [1]),
        ({"data": [[{"id": 1}], [{"id": 2}]]}, [1, 2]),
    ],
)
def test_where_the_rows_of_a_page_stand(body: Any, ids: list[int]) -> None:
    """Under `data`, `messages`, bare, or as lists in a list."""
    assert ids == [row.id for row in structure_page(body, Chat, offset=0).items]


@pytest.mark.parametrize("body", [{"data": [{"id": 7}]}, {"data": {"id": 7}}, {"id": 7}], ids=repr)
def test_where_one_object_stands(body: Any) -> None:
    """Bare, under a lone `data`, or in a list of one there."""
    assert structure_one(body, Organization) == Organization(7)


@pytest.mark.parametrize("body", [[{"id": 7}], {"data": [{"id": 7}, {"id": 8}]}, {"data": []}], ids=repr)
def test_what_is_not_one_object(body: Any) -> None:
    """A list is none."""
    with pytest.raises(DecodeError):
        structure_one(body, Organization)


# Bounds


@pytest.fixture
def hook_calls(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """Counts the models whose fields are read one by one, which is what costs."""
    calls = 0
    read = models._read_each_field

    def counting(value: Any, model: Any) -> Any:
        nonlocal calls
        calls += 1
        return read(value, model)

    monkeypatch.setattr(models, "_read_each_field", counting)
    return lambda: calls


@pytest.mark.parametrize("rows", [10_001, 1_000_000])
def test_a_page_has_at_most_ten_thousand_rows(rows: int, hook_calls: Callable[[], int]) -> None:
    """A longer one is refused at once, whatever is in it, and however it is nested."""
    bodies: list[Any] = [{"data": [{}] * rows}, [{}] * rows, {"data": [[{}] * rows]}, {"data": [[]] * rows}]
    for body in bodies:
        with pytest.raises(DecodeError) as caught:
            structure_page(body, Customer, offset=0)
        [problem] = caught.value.problems
        assert problem.endswith(f": {rows} rows; at most 10000 are read")
    assert hook_calls() == 0


def test_at_most_twenty_problems_are_described(hook_calls: Callable[[], int]) -> None:
    """And how many more there are; each row is looked at once."""
    page, problems = read_page({"data": [{"id": 1}, *[{}] * 9_999]}, Customer, offset=0)
    assert page == Page((Customer(1),), None, 0, received=10_000)
    assert problems[:20] == tuple(f"$.data[{index}].id: missing" for index in range(1, 21))
    assert problems[20:] == ("$: 9979 more rows cannot be read",)
    assert hook_calls() == 9_999


@pytest.mark.parametrize("items", [10_001, 1_000_000])
@pytest.mark.parametrize("item", [{}, {"name": "a"}, 7], ids=repr)
def test_a_list_in_a_model_has_at_most_ten_thousand_items(
    item: Any, items: int, hook_calls: Callable[[], int]
) -> None:
    """A longer one makes its row unreadable, at once."""
    many = [item] * items
    for key in ("tags", "customData"):
        with pytest.raises(DecodeError) as caught:
            from_dict(Customer, {"id": 7, key: many})
        assert caught.value.problems == (f"$.{key}: a list of {items} items; at most 10000 are read",)
    page, problems = read_page({"data": [{"id": 1}, {"id": 2, "tags": many}]}, Customer, offset=0)
    assert (page.items, len(problems)) == ((Customer(1),), 1)
    chat = {"id": 7, "department": {"id": 1, "agents": many}}
    with pytest.raises(DecodeError, match=r"\$\.department\.agents: a list of"):
        from_dict(Chat, chat)
    assert hook_calls() < 10


def test_odd_values_of_one_reply_are_bounded(hook_calls: Callable[[], int]) -> None:
    """A hundred rows of thousands of odd tags do not block the loop: ten thousand odd values are enough."""
    for key, odd in (("tags", {}), ("tags", {"name": "a", "color": []}), ("customData", {})):
        rows = [{"id": index, key: [odd] * 3_000} for index in range(1, 101)]
        page, problems = read_page({"data": rows}, Customer, offset=0)
        assert 1 <= len(page.items) <= 3
        assert problems[0].endswith("more than 10000 values of this reply do not fit")
        assert problems[20:] == (f"$: {100 - len(page.items) - 20} more rows cannot be read",)
    assert hook_calls() < 30_000


def test_a_signed_webhook_is_bounded_too() -> None:
    """The same bounds hold for an event."""
    data = {"id": 7, "customData": [{}] * 10_001}
    with pytest.raises(DecodeError, match=r"\$\.eventData\.customData: a list of 10001 items"):
        from_dict(CustomerEvent, {"id": "1", "event": "customer.new", "eventData": data})
    read = from_dict(CustomerEvent, {"id": "1", "event": "customer.new", "eventData": json.dumps({"id": 7})})
    assert read == CustomerEvent("1", "customer.new", WebhookCustomer(7))


def test_times_is_unix_or_iso() -> None:
    """Anything else is refused."""
    assert to_dict(Customer(7, last_seen=NOON), times="iso")["lastSeen"] == "2024-04-02T12:00:00Z"
    with pytest.raises(ValueError, match="times is unix or iso"):
        to_dict(Customer(7), times="rfc")  # type: ignore[arg-type] # the point of the test
