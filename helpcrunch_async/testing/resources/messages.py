"""`GET /chats/{id}/messages` and `POST /messages`."""

from helpcrunch_async.testing import changes
from helpcrunch_async.testing.account import Account
from helpcrunch_async.testing.answers import Answer, InvalidRequestError, encode
from helpcrunch_async.testing.fields import a_number, a_text, one_of, read_fields, some_text
from helpcrunch_async.testing.messages import messages_of, write_message
from helpcrunch_async.testing.paging import read_paging
from helpcrunch_async.testing.rendering import one, page
from helpcrunch_async.testing.routing import Call, Endpoint


def list_messages(account: Account, call: Call) -> Answer:
    """`GET /chats/{id}/messages`: newest first, whatever order is asked for."""
    paging, problems = read_paging(call.query, None, numbers_are_text=True)
    if problems:
        raise InvalidRequestError(problems)
    rows = messages_of(account.messages, account.chats[call.id]["id"])
    wanted = rows[paging.offset : paging.offset + paging.limit]
    key = account.behaviour.messages_key
    return page(
        account,
        call,
        (encode(write_message(row, account.team, account.spelling)) for row in wanted),
        len(rows),
        total_in="page" if key == "data" else None,
        key=key,
    )


def create_message(account: Account, call: Call) -> Answer:
    """`POST /messages`: without an agent, or with null, as the customer; `markdownText` becomes the text."""
    fields = read_fields(call.body, account.behaviour)
    chat_id = fields.read("chat", a_number, required=True)
    text = fields.read("text", some_text, required=True)
    markdown = fields.read("markdownText", a_text)
    kind = fields.read("type", one_of(("message", "private")), required=True)
    agent_id = fields.read_one_of("agent", account.team.agents)
    fields.check()
    chat = account.chats[chat_id or 0]
    message_id = changes.put_message(
        account, {"chat": chat["id"], "agent": agent_id, "type": kind, "text": markdown or text}
    )
    row = account.messages[message_id]
    return one(account, encode(write_message(row, account.team, account.spelling)))


ROUTES: list[tuple[str, str, Endpoint]] = [
    ("GET", "/chats/{id}/messages", list_messages),
    ("POST", "/messages", create_message),
]
