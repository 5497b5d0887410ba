"""How an account changes, over HTTP or by a test's hand; every change is announced to webhooks.

What follows from a message is not documented, and was decided here: a customer's message makes an empty chat
new and opens a closed one again; an agent's opens one that is empty or new; private notes and messages of
other types are beside the conversation.
"""

from collections.abc import Mapping
from typing import Any

from helpcrunch_async.testing import happenings
from helpcrunch_async.testing.account import Account
from helpcrunch_async.testing.chats import plain_status, read_chat, served_status
from helpcrunch_async.testing.messages import read_message
from helpcrunch_async.testing.rows import Row


def put_customer(account: Account, customer: Mapping[str, Any]) -> int:
    """Add a customer, or replace the one with the same id; returns the id.

    Raises:
        ValueError: an id, a moment or `customData` that cannot be read.
    """
    before = account.customers.get(customer.get("id"))
    customer_id = account.customers.put(customer)
    after = account.customers[customer_id]
    for name in happenings.of_customer(before, after):
        account.announce(name, happenings.customer_data(after))
    return customer_id


def remove_customer(account: Account, customer_id: int) -> None:
    """Take a customer out; the chats stay, with nobody in them. NotFoundError when there is none."""
    row = account.customers[customer_id]
    account.customers.remove(customer_id)
    account.announce("customer.deleted", happenings.customer_data(row))


def put_chat(account: Account, chat: Mapping[str, Any]) -> int:
    """Add a chat in either spelling, or replace the one with the same id; returns the id.

    Raises:
        ValueError: an id or a moment that cannot be read, or somebody in it who is not there.
    """
    row = read_chat(chat)
    if row["createdAt"] is None:
        row["createdAt"] = account.wall_clock()
    if row["updatedAt"] is None:
        row["updatedAt"] = row["createdAt"]
    team = account.team
    _check_there("customer", row["customer"], account.customers)
    _check_there("department", row["department"], team.departments)
    for agent_id in (row["assignee"], *row["agents"]):
        _check_there("agent", agent_id, team.agents)
    before = account.chats.get(row["id"])
    account.chats.put(row)
    _announce_chat(account, before, row)
    return int(row["id"])


def change_chat(account: Account, chat_id: int, at: float, **changes: Any) -> None:
    """Change fields of a chat; whatever follows from them is up to the caller."""
    before = account.chats[chat_id]
    after = {**before, **changes, "updatedAt": max(at, before["updatedAt"])}
    account.chats.put(after)
    _announce_chat(account, before, after)


def set_status(account: Account, chat_id: int, status: str, at: float) -> None:
    """Give a chat a status, in plain spelling; closing is an agent's doing, and opening undoes it."""
    closing = (
        {"closedAt": at, "closedBy": "agent"} if status == "closed" else {"closedAt": None, "closedBy": None}
    )
    if status == plain_status(account.chats[chat_id]["status"]):
        closing = {}
    change_chat(account, chat_id, at, status=served_status(status, account.spelling), **closing)


def put_message(account: Account, message: Mapping[str, Any]) -> int:
    """Add a message in either spelling; its chat follows. Returns the id.

    Raises:
        ValueError: an id or a moment that cannot be read, or a chat or agent that is not there.
    """
    row = read_message({**message, "createdAt": message.get("createdAt") or account.wall_clock()})
    if row["chat"] is None:
        raise ValueError("a message needs a chat")
    _check_there("chat", row["chat"], account.chats)
    _check_there("agent", row["agent"], account.team.agents)
    account.messages.put(row)
    for name in happenings.of_message(row):
        account.announce(name, happenings.message_data(account, row))
    if row["type"] == "message":
        _follow(account, row)
    return int(row["id"])


def _follow(account: Account, message: Row) -> None:
    """Let a chat follow from a message in it; an older one than the last changes little."""
    chat, at, agent = account.chats[message["chat"]], message["createdAt"], message["agent"]
    status, changes = plain_status(chat["status"]), dict[str, Any]()
    if chat["lastMessageAt"] is None or at >= chat["lastMessageAt"]:
        changes = {"lastMessageAt": at, "lastMessageText": message["text"], "lastMessageId": message["id"]}
        if message["from"] == "customer":
            changes |= {"lastCustomerMessageAt": at, "readByAgent": False}
            following = {"empty": "new", "closed": "opened"}.get(status, status)
        else:
            changes["readByCustomer"] = False
            following = {"empty": "opened", "new": "opened"}.get(status, status)
        if agent is not None:
            changes["lastCommunicatedAgentId"] = agent
        if following != status:
            set_status(account, chat["id"], following, at)
    if agent is not None and agent not in chat["agents"]:
        changes["agents"] = [*chat["agents"], agent]
    change_chat(account, chat["id"], at, **changes)


def mark_read(account: Account, chat_id: int, reader: str, *, read: bool, at: float) -> None:
    """Say whether a chat was read by "agent" or "customer"; what the other side wrote goes with it."""
    for message in account.messages:
        if message["chat"] == chat_id and message["from"] != reader:
            message["read"] = read
    change_chat(account, chat_id, at, **{"readByAgent" if reader == "agent" else "readByCustomer": read})


def _check_there(noun: str, wanted: int | None, known: Any) -> None:
    if wanted is not None and wanted not in known:
        raise ValueError(f"there is no {noun} {wanted}")


def _announce_chat(account: Account, before: Row | None, after: Row) -> None:
    for name in happenings.of_chat(before, after):
        account.announce(name, happenings.chat_data(account, after))
