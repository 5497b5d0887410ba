"""A message of a chat. Source: https://docs.helpcrunch.com/en/rest-api-v1/message-model-v1."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from attrs import field, frozen

from helpcrunch_async.models.extra import NO_EXTRA
from helpcrunch_async.models.field import REPEATED
from helpcrunch_async.models.team import Agent


@frozen(unsafe_hash=False)
class Message:
    """A message. Only `id` is always there; a field that the answer left out or set to null is None.

    Times are aware, in UTC; older answers have milliseconds.
    """

    id: int
    chat_id: int | None = None
    """The chat it is in; the API calls it `chat`."""
    agent: Agent | None = field(default=None, metadata=REPEATED)
    """Who wrote it, None for a customer; older answers have only id and name."""
    type: str | None = field(default=None, metadata=REPEATED)
    """As it came, an open set: see `MessageType`."""
    text: str | None = None
    """Can be None although text was sent: an old answer to a new message has it so."""
    read: bool | None = None
    edited: bool | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    broadcast_type: str | None = field(default=None, metadata=REPEATED)
    """`trigger`, `auto chat`, `auto email`, `manual chat` or `manual email`; None for what people write."""
    from_: str | None = field(default=None, metadata=REPEATED)
    """`agent` or `customer`; the chatbot counts as `agent`. The API calls it `from`."""
    extra: Mapping[str, Any] = NO_EXTRA
    """Fields that the API added later, as they came."""
