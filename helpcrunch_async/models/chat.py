"""A chat, as HelpCrunch keeps it. Source: https://docs.helpcrunch.com/en/rest-api-v1/chat-model-v1."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from attrs import field, frozen

from helpcrunch_async.models.extra import NO_EXTRA
from helpcrunch_async.models.field import REPEATED
from helpcrunch_async.models.team import Agent, Department


@frozen(unsafe_hash=False)
class ChatCustomer:
    """A customer as chats show it: the whole one is `get_customer(id)`'s to give."""

    id: int
    name: str | None = None
    email: str | None = None
    user_id: str | None = None
    """Your id of this customer, given when it was created; never HelpCrunch's."""
    extra: Mapping[str, Any] = NO_EXTRA
    """Fields that the API added later, as they came."""


@frozen(unsafe_hash=False)
class Chat:
    """A chat. Only `id` is always there; a field that the answer left out or set to null is None.

    Times are aware, in UTC. `status`, `rating` and `created_with` are open sets, as they came: compare them
    with `same_word`, because the same status is spelt in several ways.
    """

    id: int
    status: str | None = field(default=None, metadata=REPEATED)
    """See `ChatStatus`."""
    closed_by: str | int | None = None
    """`customer` or `agent`; one description of the API knows a number here."""
    created_at: datetime | None = None
    last_message_at: datetime | None = None
    last_customer_message_at: datetime | None = None
    closed_at: datetime | None = None
    snoozed_until: datetime | None = None
    rating: str | None = field(default=None, metadata=REPEATED)
    """See `ChatRating`."""
    created_with: str | None = field(default=None, metadata=REPEATED)
    """`public_api`, `broadcast_reply`, `agent_message` or `customer_message`; newer answers only."""
    read_by_agent: bool | None = None
    """Newer answers only."""
    read_by_customer: bool | None = None
    """Newer answers only."""
    last_message_text: str | None = None
    """None in an empty chat; for a picture it can be an address or a bare UUID."""
    last_message_id: int | None = None
    last_communicated_agent_id: int | None = None
    application_id: int | None = None
    """Newer answers only."""
    agents: tuple[Agent, ...] = field(default=(), metadata=REPEATED)
    """The agents who took part."""
    customer: ChatCustomer | None = None
    assignee: Agent | None = field(default=None, metadata=REPEATED)
    department: Department | None = None
    notes: str | None = None
    """The oldest answers only."""
    extra: Mapping[str, Any] = NO_EXTRA
    """Fields that the API added later, as they came."""
