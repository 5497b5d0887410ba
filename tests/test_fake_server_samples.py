"""The fake server's answers have the shapes of the sample bodies, in both spellings."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from helpcrunch_async.testing import Behaviour, FakeHelpCrunch, Spelling

Call = Callable[..., Awaitable[tuple[int, Any]]]
Sample = Callable[[str], bytes]

CUSTOMER: dict[str, Any] = {
    "id": 70012,
    "name": "Mara Quill",
    "email": "mara@customer.example",
    "userId": "acct_502",
    "firstSeen": 1603800001,
    "lastSeen": 1603800950,
    "device": {"id": 1, "ip": "203.0.113.9", "timezone": "x", "platform": "desktop", "userAgent": "x"},
    "tags": [{"name": "trial", "color": "#00aa88"}],
    "customData": {"plan": "team", "seats": 12},
    "createdFrom": "telegram",
    "integrationId": "500600700",
}
CHAT: dict[str, Any] = {
    "id": 8803,
    "customer": 70012,
    "status": "closed",
    "closedBy": "customer",
    "closedAt": 1712053001,
    "rating": "very poor",
    "createdAt": 1712049990,
    "createdWith": "customer_message",
    "applicationId": 2,
    "assignee": 302,
    "department": 41,
    "snoozedUntil": 1712050400,
}


def shape(value: Any) -> Any:
    """What there is to say of JSON but its values: keys, types, and what a list holds first."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    if isinstance(value, list):
        return [shape(item) for item in value[:1]]
    return type(value).__name__


def differences(sample: Any, answer: Any, path: str = "$") -> list[str]:
    """Where two shapes differ; null fits everything, and an empty list every list."""
    if "NoneType" in (sample, answer):
        return []
    if isinstance(sample, dict) and isinstance(answer, dict):
        if path.endswith("customData"):  # the names in it are the account's
            return []
        found = [f"{path}: {key}" for key in sorted(sample.keys() ^ answer.keys())]
        both = sample.keys() & answer.keys()
        return found + [
            each for key in both for each in differences(sample[key], answer[key], f"{path}.{key}")
        ]
    if isinstance(sample, list) and isinstance(answer, list):
        pairs = zip(sample, answer, strict=False)
        return [each for one, other in pairs for each in differences(one, other, f"{path}[0]")]
    return [] if sample == answer else [f"{path}: {sample} and {answer}"]


EVENT = {"customer": 70012, "name": "Upgrade"}
READ = {"$: readByAgent", "$: readByCustomer", "$.data[0]: readByAgent", "$.data[0]: readByCustomer"}
"""Newest fields, which not every newer sample has."""


@pytest.mark.parametrize(
    ("spelling", "name", "what", "body"),
    [
        ("new", "customer-g3-object-customdata-str-ts.json", "GET /customers/70012", None),
        ("old", "customer-g1-list-customdata-int-ts.json", "GET /customers/70012", None),
        ("new", "customers-page-total.json", "GET /customers", None),
        ("new", "customers-page-empty.json", "GET /customers?offset=9", None),
        ("new", "chat-g3.json", "GET /chats/8803", None),
        ("new", "chats-page-meta-total.json", "GET /chats", None),
        ("new", "chats-search-page-total.json", "POST /chats/search", {}),
        ("new", "chat-created-empty.json", "POST /chats", {"customer": 70012, "application": 2}),
        ("old", "chat-g1-agents-single-object.json", "GET /chats/8803", None),
        ("new", "messages-page-g3.json", "GET /chats/8803/messages", None),
        ("old", "messages-page-g1-fraction-ts.json", "GET /chats/8803/messages", None),
        ("new", "message-created.json", "POST /messages", "create-message-request-private.json"),
        ("new", "event-created-g3.json", "POST /events", EVENT | {"data": {"plan": "a", "trial": True}}),
        ("old", "event-created-g1.json", "POST /events", EVENT | {"data": {"plan": "a", "seats": 1}}),
        ("new", "agents-page-g3-wrong-total.json", "GET /agents", None),
        ("old", "agents-page-g1-no-meta.json", "GET /agents", None),
        ("new", "departments-page-zero-total.json", "GET /departments", None),
        ("new", "applications-page.json", "GET /applications", None),
        ("new", "organization-wrapped.json", "GET /organization", None),
        ("new", "error-400-duplicate-userid.json", "POST /customers", {"userId": "acct_502"}),
        ("new", "error-400-field-paths-g3.json", "POST /chats", {}),
        ("old", "error-400-invalid-chat-value-g1.json", "PUT /chats/status", {}),
        ("new", "error-404-g3-misleading-message.json", "GET /customers/5", None),
        ("old", "error-404-g1.json", "GET /customers/5", None),
    ],
    ids=lambda value: value if isinstance(value, str) and value.endswith(".json") else None,
)
async def test_shapes(
    *, call: Call, sample: Sample, spelling: Spelling, name: str, what: str, body: Any
) -> None:
    """The same keys with values of the same types."""
    behaviour = Behaviour(agents_as_object="single-object" in name)
    async with FakeHelpCrunch([CUSTOMER], chats=[CHAT], spelling=spelling, behaviour=behaviour) as server:
        server.add_agent({"id": 312, "name": "Tomas Lind", "email": "t@shop.example", "role": "superviser"})
        server.add_message(
            {"chat": 8803, "text": "Bye", "agent": 312, "createdAt": 1712050300, "updatedAt": 1712050300}
        )
        if isinstance(body, str):
            body = json.loads(sample(body))
        _, answer = await call(server, what, body)
    found = set(differences(shape(json.loads(sample(name))), shape(answer)))
    assert found - (READ if spelling == "new" else {"$: notes"}) == set()


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("search-request-by-ids-or.json", "POST /customers/search"),
        ("search-request-tags-and-date.json", "POST /customers/search"),
        ("tag-request.json", "PUT /customers/70012/tags"),
        ("tag-request.json", "DELETE /customers/70012/tags"),
        ("batch-update-request.json", "PUT /customers/batch"),
        ("create-message-request-private.json", "POST /messages"),
    ],
)
async def test_sample_requests_are_understood(call: Call, sample: Sample, name: str, what: str) -> None:
    """Every one is answered with a 200."""
    async with FakeHelpCrunch([CUSTOMER, {"id": 70011}], chats=[CHAT]) as server:
        server.add_agent({"id": 312})
        assert (await call(server, what, sample(name)))[0] == 200


async def test_the_error_of_an_unread_chat_is_misspelt(call: Call, sample: Sample) -> None:
    """The code of the sample, and its status."""
    async with FakeHelpCrunch(1) as server:
        status, body = await call(server, "PUT /chats/readByAgent", {"id": 5, "read": True})
        assert (status, body["errors"][-1]["code"]) == (
            404,
            json.loads(sample("error-404-code-typo.json"))["errors"][0]["code"],
        )
