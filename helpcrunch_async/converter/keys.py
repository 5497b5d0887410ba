"""The JSON keys of our fields: one rule, camelCase for our snake_case, and the few that it does not give."""

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

import attrs

from helpcrunch_async.models import Event, Message
from helpcrunch_async.models.webhook import (
    ChatEvent,
    CustomerEvent,
    MessageEvent,
    UnknownEvent,
    WebhookChat,
    WebhookChatMessage,
)

_EVENT_KEYS: Final = {"name": "event", "data": "eventData"}
_CHAT_ID_KEY: Final = {"chat_id": "chat_id"}
_SPELT_OTHERWISE: Final[Mapping[type, Mapping[str, str]]] = {
    **dict.fromkeys((ChatEvent, CustomerEvent, MessageEvent, UnknownEvent), _EVENT_KEYS),
    **dict.fromkeys((WebhookChat, WebhookChatMessage), _CHAT_ID_KEY),
    Message: {"chat_id": "chat"},
    Event: {"customer_id": "customer"},
}
"""The keys that the camelCase rule does not give: ids without "Id", and webhooks have some of their own."""


@cache
def keys_of(model: Any) -> Mapping[str, str]:
    """Give the JSON key of every field of a model but `extra`."""
    spelt = _SPELT_OTHERWISE.get(model, {})
    names = [field.name for field in attrs.fields(model) if field.name != "extra"]
    return {name: spelt.get(name) or _camel_case(name) for name in names}


def _camel_case(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
