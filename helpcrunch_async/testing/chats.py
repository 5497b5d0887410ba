"""Chats as the fake server keeps them: one form inside, either documented spelling on the wire.

Inside, moments are Unix seconds (or None), and customer, assignee, department and agents are ids. A status is
kept in the spelling it was given in: HelpCrunch's own pages have several for one.
"""

from collections.abc import Mapping
from typing import Any, Final

from helpcrunch_async.testing.answers import Spelling
from helpcrunch_async.testing.behaviour import Behaviour
from helpcrunch_async.testing.customers import CustomerBook
from helpcrunch_async.testing.moments import read_moment, whole, with_milliseconds
from helpcrunch_async.testing.rows import Row, copy_of, id_of
from helpcrunch_async.testing.team import Team

STATUSES: Final = ("new", "opened", "pending", "onhold", "closed", "nocommunication", "empty")
"""As `plain_status` gives them, in the order of the numbers that old examples search by, from 1 on."""

RATINGS: Final = ("perfect", "great", "average", "poor", "very poor")

MOMENTS: Final = ("createdAt", "lastMessageAt", "lastCustomerMessageAt", "closedAt", "snoozedUntil")
_NEW_ONLY = ("createdWith", "applicationId", "readByAgent", "readByCustomer")

_BLANK: Row = {
    "id": None,
    "closedBy": None,
    "lastCustomerMessageAt": None,
    "status": "empty",
    "closedAt": None,
    "rating": None,
    "createdAt": None,
    "lastMessageAt": None,
    "readByAgent": True,
    "readByCustomer": True,
    "createdWith": None,
    "snoozedUntil": None,
    "lastMessageText": None,
    "lastMessageId": None,
    "applicationId": None,
    "lastCommunicatedAgentId": None,
    "agents": [],
    "customer": None,
    "assignee": None,
    "department": None,
    "notes": None,
    "updatedAt": None,
}
"""`updatedAt` is searched by, and in no answer."""


def plain_status(status: str) -> str:
    """Give one name to all spellings of a status: "on hold", "on-hold" and "onhold" are the same."""
    plain = status.lower().replace(" ", "").replace("-", "")
    return "opened" if plain == "open" else plain


def served_status(plain: str, spelling: Spelling) -> str:
    """Spell a status that was set over HTTP: two of them have no spelling that all pages agree on."""
    if plain == "onhold":
        return "on-hold" if spelling == "old" else "on hold"
    return "no communication" if plain == "nocommunication" else plain


def read_chat(chat: Mapping[str, Any]) -> Row:
    """Bring a chat in either spelling into the form kept inside; fields left out become empty.

    Raises:
        ValueError: a moment or a reference that fits neither spelling, or a row that is not JSON.
    """
    row = copy_of("Chat", {**_BLANK, **chat})
    for field in (*MOMENTS, "updatedAt"):
        row[field] = read_moment(field, row[field])
    agents = row["agents"] or []
    row["agents"] = [id_of(agent) for agent in (agents if isinstance(agents, list) else [agents])]
    for field in ("customer", "assignee", "department"):
        row[field] = id_of(row[field])
    return row


def write_chat(
    row: Row, customers: CustomerBook, team: Team, spelling: Spelling, behaviour: Behaviour
) -> Row:
    """Spell a chat out as the service of one generation would.

    A customer who was deleted is null.
    """
    written = {field: value for field, value in row.items() if field != "updatedAt"}
    for field in MOMENTS:
        written[field] = whole(row[field], spelling)
    if spelling == "old":
        for field in _NEW_ONLY:
            del written[field]
        written["snoozedUntil"] = with_milliseconds(row["snoozedUntil"])
    else:
        del written["notes"]
    agents = [{**team.agents[each]} for each in row["agents"]]
    written["agents"] = agents[0] if agents and behaviour.agents_as_object else agents
    written["customer"] = short_customer(customers, row["customer"])
    written["assignee"] = None if row["assignee"] is None else {**team.agents[row["assignee"]]}
    written["department"] = short_department(team, row["department"])
    return written


def short_customer(customers: CustomerBook, customer_id: int | None) -> Row | None:
    """Give as much of a customer as chats and webhooks show; None when it is no more."""
    if customer_id is None or customer_id not in customers:
        return None
    customer = customers[customer_id]
    return {field: customer[field] for field in ("id", "name", "email", "userId")}


def short_department(team: Team, department_id: int | None) -> Row | None:
    """Give as much of a department as chats and webhooks show."""
    return (
        None
        if department_id is None
        else {"id": department_id, "name": team.departments[department_id]["name"]}
    )
