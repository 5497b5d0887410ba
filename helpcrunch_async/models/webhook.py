"""Webhook events, as HelpCrunch sends them.

Three kinds of event carry three kinds of data, so there are three classes, not twenty: `name` is a Literal
that tells the events of one kind apart, for `match` as for type checkers. `UnknownEvent` is whatever
HelpCrunch adds later. All of them have `id`, `name`, `data`, `attempts`, `last_attempt_at`, `created_at`
and `extra`.

Delivery is taken to be at-least-once and unordered, because events count their attempts; the pages promise
nothing. An event that was seen before has the same `id`.

Source: https://docs.helpcrunch.com/en/webhooks/chat-webhooks
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias, get_args

from attrs import field, frozen

from helpcrunch_async.models.customer import CustomValue
from helpcrunch_async.models.extra import NO_EXTRA
from helpcrunch_async.models.field import JSON_TEXT

ChatEventName: TypeAlias = Literal[
    "chat.new",
    "chat.status_updated",
    "chat.assigned",
    "chat.snoozed",
    "chat.unsnoozed",
    "chat.closed",
    "chat.rated",
]
CustomerEventName: TypeAlias = Literal[
    "customer.new",
    "customer.email_updated",
    "customer.tags_changed",
    "customer.unsubscribed",
    "customer.subscribed",
    "customer.blocked",
    "customer.unblocked",
    "customer.deleted",
]
MessageEventName: TypeAlias = Literal[
    "message.chat.customer",
    "message.email.customer",
    "message.private",
    "message.chat.agent",
    "message.email.agent",
]

CHAT_EVENTS: Final[tuple[ChatEventName, ...]] = get_args(ChatEventName)
CUSTOMER_EVENTS: Final[tuple[CustomerEventName, ...]] = get_args(CustomerEventName)
MESSAGE_EVENTS: Final[tuple[MessageEventName, ...]] = get_args(MessageEventName)


@frozen(unsafe_hash=False)
class WebhookCustomer:
    """A customer as events show it: the whole one, phone and tags too, is `get_customer(id)`'s to give.

    `unsubscribed` and `custom_data` are there in customer events only.
    """

    id: int
    name: str | None = None
    email: str | None = None
    user_id: str | None = None
    """Your id of this customer, given when it was created; never HelpCrunch's."""
    unsubscribed: bool | None = None
    """Whether the customer opted out of e-mails."""
    custom_data: dict[str, CustomValue] = field(factory=dict)
    extra: Mapping[str, Any] = NO_EXTRA
    """Fields that the API added later, as they came."""


@frozen(unsafe_hash=False)
class WebhookAgent:
    """A team member as events show it; which of the fields are always there, no page that was read says."""

    id: int | None = None
    name: str | None = None
    email: str | None = None
    role: str | None = None
    """As it came, an open set: see `AgentRole`."""
    extra: Mapping[str, Any] = NO_EXTRA
    """Fields that the API added later, as they came."""


@frozen(unsafe_hash=False)
class WebhookDepartment:
    """A department as events show it; of its fields, too, any may be missing."""

    id: int | None = None
    name: str | None = None
    agents: tuple[WebhookAgent, ...] = ()
    extra: Mapping[str, Any] = NO_EXTRA
    """Fields that the API added later, as they came."""


@frozen(unsafe_hash=False)
class WebhookChat:
    """A chat as chat events show it: after the change that the event tells of. Times are aware, in UTC."""

    chat_id: int
    """What `get_chat` takes."""
    customer: WebhookCustomer | None = None
    communicated_agents: tuple[int, ...] = ()
    """The ids of the agents who took part."""
    closed_by: str | int | None = None
    """`customer` or `agent`."""
    status: str | None = None
    closed_at: datetime | None = None
    rating: str | None = None
    created_at: datetime | None = None
    snoozed_until: datetime | None = None
    application_id: int | None = None
    department: WebhookDepartment | None = None
    assignee: WebhookAgent | None = None
    extra: Mapping[str, Any] = NO_EXTRA
    """Fields that the API added later, as they came."""


@frozen(unsafe_hash=False)
class WebhookMessage:
    """A message as message events show it. Times are aware, in UTC."""

    id: int
    text: str | None = None
    application_id: int | None = None
    broadcast_type: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    edited: bool | None = None
    read: bool | None = None
    extra: Mapping[str, Any] = NO_EXTRA
    """Fields that the API added later, as they came."""


@frozen(unsafe_hash=False)
class WebhookChatMessage:
    """A message, the chat it is in, the customer of that chat, and the agent who wrote it."""

    chat_id: int
    """What `get_chat` and `list_messages` take."""
    message: WebhookMessage
    customer: WebhookCustomer | None = None
    agent: WebhookAgent | None = None
    """None when the customer wrote it."""
    extra: Mapping[str, Any] = NO_EXTRA
    """Fields that the API added later, as they came."""


@frozen(unsafe_hash=False)
class ChatEvent:
    """Something happened to a chat. Source: https://docs.helpcrunch.com/en/webhooks/chat-webhooks."""

    id: str
    """The same in every delivery of this event: what de-duplication goes by."""
    name: ChatEventName
    data: WebhookChat = field(metadata=JSON_TEXT)
    attempts: int | None = None
    """How often HelpCrunch tried to deliver it before; the documented sample counts from 0."""
    last_attempt_at: datetime | None = None
    created_at: datetime | None = None
    """When it happened, aware, in UTC."""
    extra: Mapping[str, Any] = NO_EXTRA
    """Fields of the envelope that the API added later, as they came."""


@frozen(unsafe_hash=False)
class CustomerEvent:
    """Something happened to a customer. Source: https://docs.helpcrunch.com/en/webhooks/customer-webhooks."""

    id: str
    """The same in every delivery of this event: what de-duplication goes by."""
    name: CustomerEventName
    data: WebhookCustomer = field(metadata=JSON_TEXT)
    attempts: int | None = None
    """How often HelpCrunch tried to deliver it before; the documented sample counts from 0."""
    last_attempt_at: datetime | None = None
    created_at: datetime | None = None
    """When it happened, aware, in UTC."""
    extra: Mapping[str, Any] = NO_EXTRA
    """Fields of the envelope that the API added later, as they came."""


@frozen(unsafe_hash=False)
class MessageEvent:
    """A message was written. Source: https://docs.helpcrunch.com/en/webhooks/message-webhooks."""

    id: str
    """The same in every delivery of this event: what de-duplication goes by."""
    name: MessageEventName
    data: WebhookChatMessage = field(metadata=JSON_TEXT)
    attempts: int | None = None
    """How often HelpCrunch tried to deliver it before; the documented sample counts from 0."""
    last_attempt_at: datetime | None = None
    created_at: datetime | None = None
    """When it happened, aware, in UTC."""
    extra: Mapping[str, Any] = NO_EXTRA
    """Fields of the envelope that the API added later, as they came."""


@frozen(unsafe_hash=False)
class UnknownEvent:
    """An event that is not documented, or was not when this version was written."""

    id: str
    """The same in every delivery of this event: what de-duplication goes by."""
    name: str
    data: Any = field(default=None, metadata=JSON_TEXT)
    """`eventData` as it came; an object that came written as a string is decoded."""
    attempts: int | None = None
    """How often HelpCrunch tried to deliver it before; the documented sample counts from 0."""
    last_attempt_at: datetime | None = None
    created_at: datetime | None = None
    """When it happened, aware, in UTC."""
    extra: Mapping[str, Any] = NO_EXTRA
    """Fields of the envelope that the API added later, as they came."""


WebhookEvent: TypeAlias = ChatEvent | CustomerEvent | MessageEvent | UnknownEvent
"""What `parse_webhook` gives."""
