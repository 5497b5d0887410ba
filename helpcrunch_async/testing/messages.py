"""Messages as the fake server keeps them: one form inside, either documented spelling on the wire.

Clients in use have met messages that no page describes, and the made-up chats have them, too: of type `tech`
with the text `request_rating`, `resolution_time` or `chat_status_changed`, some from a HelpBot without a
name; and of type `dataCollectionReply`, whose text is null and whose `parameters.value` is what the customer
answered.
"""

from collections.abc import Mapping
from typing import Any

from helpcrunch_async.testing.answers import Spelling
from helpcrunch_async.testing.moments import read_moment, whole, with_milliseconds
from helpcrunch_async.testing.rows import Row, Shelf, copy_of, id_of, in_order
from helpcrunch_async.testing.team import HELP_BOT, Team

_BLANK: Row = {
    "id": None,
    "agent": None,
    "type": "message",
    "text": None,
    "read": False,
    "createdAt": None,
    "updatedAt": None,
    "edited": False,
    "broadcastType": None,
    "chat": None,
    "from": None,
}


def read_message(message: Mapping[str, Any]) -> Row:
    """Bring a message in either spelling into the form kept inside; fields left out become empty.

    `from` follows from the agent, and from the type: private and `tech` messages come from the agents' side.
    `updatedAt` is `createdAt` unless it is given.

    Raises:
        ValueError: a moment or an agent that fits neither spelling, or a row that is not JSON.
    """
    row = copy_of("Message", {**_BLANK, **message})
    row["agent"] = id_of(row["agent"])
    row["chat"] = id_of(row["chat"])
    for field in ("createdAt", "updatedAt"):
        row[field] = read_moment(field, row[field])
    if row["updatedAt"] is None:
        row["updatedAt"] = row["createdAt"]
    if row["from"] is None:
        is_said = row["agent"] is None and row["type"] not in ("private", "tech")
        row["from"] = "customer" if is_said else "agent"
    return row


def write_message(row: Row, team: Team, spelling: Spelling) -> Row:
    """Spell a message out: the old spelling has milliseconds, less of an agent, `updatedAt` once edited."""
    written = {**row}
    for field in ("createdAt", "updatedAt"):
        moment = row[field]
        written[field] = with_milliseconds(moment) if spelling == "old" else whole(moment, spelling)
    if spelling == "old" and not row["edited"]:
        written["updatedAt"] = None
    if row["agent"] is not None:
        agent = team.agents[row["agent"]]
        shown = ("id", "name") if spelling == "old" else tuple(agent)
        written["agent"] = {field: agent[field] for field in shown}
        if row["type"] == "tech" and row["agent"] == HELP_BOT:
            written["agent"]["name"] = None
    return written


def messages_of(messages: Shelf, chat_id: int) -> list[Row]:
    """Give the messages of a chat, newest first."""
    return in_order((row for row in messages if row["chat"] == chat_id), "createdAt", descending=True)
