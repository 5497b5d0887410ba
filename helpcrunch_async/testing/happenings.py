"""What webhooks tell: which events a change stands for, and the documented `eventData` of each kind.

When a chat is closed, both "chat.status_updated" and "chat.closed" are told: the documentation does not say.
"""

from collections.abc import Iterator
from typing import Any, Final, Literal, TypeAlias, get_args

from helpcrunch_async.testing.account import Account
from helpcrunch_async.testing.chats import plain_status, short_customer, short_department
from helpcrunch_async.testing.customers import CustomerRow
from helpcrunch_async.testing.moments import with_milliseconds
from helpcrunch_async.testing.rows import Row

WebhookEventName: TypeAlias = Literal[
    "chat.new",
    "chat.status_updated",
    "chat.assigned",
    "chat.snoozed",
    "chat.unsnoozed",
    "chat.closed",
    "chat.rated",
    "customer.new",
    "customer.email_updated",
    "customer.tags_changed",
    "customer.unsubscribed",
    "customer.subscribed",
    "customer.blocked",
    "customer.unblocked",
    "customer.deleted",
    "message.chat.customer",
    "message.email.customer",
    "message.private",
    "message.chat.agent",
    "message.email.agent",
]
WEBHOOK_EVENTS: Final[tuple[WebhookEventName, ...]] = get_args(WebhookEventName)


def of_customer(before: CustomerRow | None, after: CustomerRow) -> Iterator[WebhookEventName]:
    """Name what happened to a customer; before is None for one who is new."""
    if before is None:
        yield "customer.new"
        return
    if before["email"] != after["email"]:
        yield "customer.email_updated"
    if before["tags"] != after["tags"]:
        yield "customer.tags_changed"
    if before["unsubscribed"] != after["unsubscribed"]:
        yield "customer.unsubscribed" if after["unsubscribed"] else "customer.subscribed"
    if before["blocked"] != after["blocked"]:
        yield "customer.blocked" if after["blocked"] else "customer.unblocked"


def of_chat(before: Row | None, after: Row) -> Iterator[WebhookEventName]:
    """Name what happened to a chat; before is None for one that is new."""
    if before is None:
        yield "chat.new"
        return
    status = plain_status(after["status"])
    if plain_status(before["status"]) != status:
        yield "chat.status_updated"
        if status == "closed":
            yield "chat.closed"
    if before["assignee"] != after["assignee"]:
        yield "chat.assigned"
    if before["snoozedUntil"] != after["snoozedUntil"]:
        yield "chat.unsnoozed" if after["snoozedUntil"] is None else "chat.snoozed"
    if before["rating"] != after["rating"]:
        yield "chat.rated"


def of_message(message: Row) -> Iterator[WebhookEventName]:
    """Name what a new message is; there is no event for those of other types."""
    by_agent = message["from"] == "agent"
    match message["type"]:
        case "private":
            yield "message.private"
        case "message":
            yield "message.chat.agent" if by_agent else "message.chat.customer"
        case "email":
            yield "message.email.agent" if by_agent else "message.email.customer"


def customer_data(customer: CustomerRow) -> dict[str, Any]:
    """Give the `eventData` of a customer event."""
    shown = ("id", "name", "userId", "email", "unsubscribed", "customData")
    return {field: customer[field] for field in shown}


def chat_data(account: Account, chat: Row) -> dict[str, Any]:
    """Give the `eventData` of a chat event."""
    assignee = chat["assignee"]
    return {
        "chat_id": chat["id"],
        "communicatedAgents": [*chat["agents"]],
        "customer": short_customer(account.customers, chat["customer"]),
        "closedBy": chat["closedBy"],
        "status": chat["status"],
        "closedAt": with_milliseconds(chat["closedAt"]),
        "rating": chat["rating"],
        "createdAt": with_milliseconds(chat["createdAt"]),
        "snoozedUntil": with_milliseconds(chat["snoozedUntil"]),
        "applicationId": chat["applicationId"],
        "department": short_department(account.team, chat["department"]),
        "assignee": None if assignee is None else {**account.team.agents[assignee]},
    }


def message_data(account: Account, message: Row) -> dict[str, Any]:
    """Give the `eventData` of a message event."""
    chat, agent = account.chats[message["chat"]], message["agent"]
    return {
        "chat_id": chat["id"],
        "agent": None if agent is None else {**account.team.agents[agent]},
        "customer": short_customer(account.customers, chat["customer"]),
        "message": {
            "id": message["id"],
            "applicationId": chat["applicationId"],
            "broadcastType": message["broadcastType"],
            "createdAt": with_milliseconds(message["createdAt"]),
            "updatedAt": with_milliseconds(message["updatedAt"]),
            "edited": message["edited"],
            "read": message["read"],
            "text": message["text"],
        },
    }
