"""The JSON keys of our fields: one rule, camelCase for our snake_case, and the few that it does not give."""

from collections.abc import Mapping
from functools import cache
from typing import Any, Final, get_args

import attrs

from helpcrunch_async.models import Event, Message, webhook

_OTHER_KEYS: Final[Mapping[type, Mapping[str, str]]] = {
    **{event: {"name": "event", "data": "eventData"} for event in get_args(webhook.WebhookEvent)},
    webhook.WebhookChat: {"chat_id": "chat_id"},
    webhook.WebhookChatMessage: {"chat_id": "chat_id"},
    Message: {"chat_id": "chat"},
    Event: {"customer_id": "customer"},
}


@cache
def keys_of(model: Any) -> Mapping[str, str]:
    """Return the JSON key of every field of a model but `extra`."""
    names = [field.name for field in attrs.fields(model) if field.name != "extra"]
    return {name: _OTHER_KEYS.get(model, {}).get(name) or _camel_case(name) for name in names}


def _camel_case(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
