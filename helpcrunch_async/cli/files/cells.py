"""Models as cells of a table: nested parts flattened, nothing in them that a spreadsheet would run."""

import json
import re
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from helpcrunch_async.models import Chat, Customer, Message

PATHS: Final[Mapping[type, tuple[str, ...]]] = {
    Customer: (
        *("id", "name", "email", "user_id", "company", "phone", "first_seen", "last_seen"),
        *("location.city", "location.region_code", "location.country_code"),
        *("device.id", "device.ip", "device.timezone", "device.platform", "device.user_agent"),
        *("unsubscribed", "blocked", "source", "referer", "last_page", "locale", "created_from"),
        *("integration_id", "notes", "tags", "custom_data", "extra"),
    ),
    Chat: (
        *("id", "status", "created_at", "last_message_at", "last_customer_message_at", "closed_at"),
        *("closed_by", "snoozed_until", "rating", "created_with", "read_by_agent", "read_by_customer"),
        *("customer.id", "customer.name", "customer.email", "customer.user_id"),
        *("assignee.id", "assignee.name", "assignee.email", "assignee.role"),
        *("department.id", "department.name", "agents", "application_id", "last_communicated_agent_id"),
        *("last_message_id", "last_message_text", "notes", "extra"),
    ),
    Message: (
        *("id", "chat_id", "from_", "type", "created_at", "updated_at"),
        *("agent.id", "agent.name", "agent.email", "agent.role"),
        *("text", "read", "edited", "broadcast_type", "extra"),
    ),
}
"""What of each model goes into a table, in the order of its columns."""

_CONTROLS: Final = dict.fromkeys(
    (code for code in (*range(32), *range(127, 160)) if chr(code) not in "\t\n"), "\N{REPLACEMENT CHARACTER}"
)
_BEGINNING: Final = re.compile(r'(?:\A|[;\t\n])[;\s"]*+(?P<formula>[=+\-@\uff1d\uff0b\uff0d\uff20])?')
"""Where a spreadsheet may see a cell begin, with a formula or not; a visitor of a website may be called so.

Some split at ; or tab, whatever stands at the beginning of the file, and then do not know these quotes.
"""
_NUMBER: Final = re.compile(r"[+-][0-9 ()./-]*")  # a telephone number, say


def paths_of(model: type, fields: Collection[str] | None = None) -> Sequence[str]:
    """Return the paths of a model's columns: all of them, or those of some fields."""
    if fields is None:
        return PATHS[model]
    return [path for field in fields for path in PATHS[model] if path.partition(".")[0] == field]


def name_of(path: str) -> str:
    """Return the name of a column."""
    return path.rstrip("_").replace(".", "_")


def cell_of(instance: Any, path: str) -> str:
    """Return one cell of a model."""
    return _cell(value_of(instance, path))


def value_of(instance: Any, path: str) -> Any:
    """Return what a path leads to."""
    for name in path.split("."):
        if instance is None:
            return None
        instance = getattr(instance, name)
    return instance


def _cell(value: Any) -> str:
    """Write one value: times in UTC, names of tags and agents joined, what is nested deeper as JSON."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case datetime():
            return value.isoformat().replace("+00:00", "Z")
        case Mapping():
            return _harmless(json.dumps(dict(value), ensure_ascii=False)) if value else ""
        case tuple():
            return _harmless("; ".join(each.name or f"{each.id}" for each in value))
        case _:
            return _harmless(str(value))


def _harmless(text: str) -> str:
    """Keep a cell, and any part of it, from being a formula, and from driving a terminal."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").translate(_CONTROLS)
    return text if _NUMBER.fullmatch(text) else _BEGINNING.sub(_with_apostrophe, text)


def _with_apostrophe(beginning: re.Match[str]) -> str:
    return beginning[0] if beginning["formula"] is None else f"{beginning[0][:-1]}'{beginning['formula']}"
