"""The endpoints under `/chats`, but for messages. Those that change a chat have its id in the body.

What is not documented was decided here: ids may come as numeric strings; opening a closed chat takes back
`closedAt` and `closedBy`, but no rating; a snooze leaves the status alone, may lie in the past, and is over
when it is taken back, not when its time has come.
"""

from typing import Any

from helpcrunch_async.testing import changes
from helpcrunch_async.testing.account import Account
from helpcrunch_async.testing.answers import Answer, InvalidRequestError, NotFoundError, RefusedError, encode
from helpcrunch_async.testing.chat_search import CHAT_SORTS, search_chats
from helpcrunch_async.testing.chats import RATINGS, STATUSES, plain_status, write_chat
from helpcrunch_async.testing.fields import (
    BLANK,
    Fields,
    a_flag,
    a_moment,
    a_number,
    a_text,
    one_of,
    read_fields,
)
from helpcrunch_async.testing.paging import read_paging
from helpcrunch_async.testing.rendering import TotalPlace, one, page
from helpcrunch_async.testing.routing import Call, Endpoint
from helpcrunch_async.testing.rows import Row, in_order

_OLD_CODE = "invalid_chat_value"
"""Of a bad status, assignee, department or chat id."""


def list_chats(account: Account, call: Call) -> Answer:
    """`GET /chats`: by id unless another order is asked for, `meta.total` in the new spelling only."""
    paging, problems = read_paging(call.query, CHAT_SORTS, numbers_are_text=True)
    if problems:
        raise InvalidRequestError(problems)
    field = None if paging.sort is None else CHAT_SORTS[paging.sort]
    rows = in_order(account.chats, field, descending=paging.descending)
    wanted = rows[paging.offset : paging.offset + paging.limit]
    total_in: TotalPlace | None = None if account.spelling == "old" else "meta"
    return page(account, call, (_rendered(account, row) for row in wanted), len(rows), total_in=total_in)


def search(account: Account, call: Call) -> Answer:
    """`POST /chats/search`: like the listing, but with the total beside `data`."""
    rows, total = search_chats(account, call.body)
    return page(account, call, (_rendered(account, row) for row in rows), total)


def get_chat(account: Account, call: Call) -> Answer:
    """`GET /chats/{id}`: the chat, bare."""
    return _shown(account, call.id)


def create_chat(account: Account, call: Call) -> Answer:
    """`POST /chats`: an empty chat; only the new spelling wants an `application`, and answers 201."""
    fields, team, is_new = read_fields(call.body, account.behaviour), account.team, account.spelling == "new"
    customer_id = fields.read("customer", a_number, required=True)
    if customer_id is not None and customer_id not in account.customers:
        fields.complain("customer", "This value is not known.")
    chat = {
        "customer": customer_id,
        "applicationId": fields.read_one_of("application", team.applications, required=is_new),
        "assignee": fields.read_one_of("assignee", team.agents),
        "department": fields.read_one_of("department", team.departments),
        "createdWith": "public_api",
    }
    fields.check(old_code=_OLD_CODE)
    return _shown(account, changes.put_chat(account, chat), status=201 if is_new else 200)


def set_status(account: Account, call: Call) -> Answer:
    """`PUT /chats/status`: any of the statuses, in any of their spellings."""
    fields = read_fields(call.body, account.behaviour)
    chat_id = fields.read("id", a_number, required=True)
    status = fields.read("status", _a_status, required=True)
    chat = _checked_chat(account, chat_id, fields)
    changes.set_status(account, chat["id"], str(status), account.wall_clock())
    return _shown(account, chat["id"])


def set_assignee(account: Account, call: Call) -> Answer:
    """`PUT /chats/assignee`: null leaves nobody assigned."""
    fields = read_fields(call.body, account.behaviour)
    chat_id = fields.read("id", a_number, required=True)
    assignee = fields.read_one_of("assignee", account.team.agents, required="assignee" not in fields)
    return _changed(account, _checked_chat(account, chat_id, fields), assignee=assignee)


def set_department(account: Account, call: Call) -> Answer:
    """`PUT /chats/department`: there is no way documented to take a chat out of one."""
    fields = read_fields(call.body, account.behaviour)
    chat_id = fields.read("id", a_number, required=True)
    department = fields.read_one_of("department", account.team.departments, required=True)
    return _changed(account, _checked_chat(account, chat_id, fields), department=department)


def snooze(account: Account, call: Call) -> Answer:
    """`PUT /chats/snooze`: null takes it back."""
    fields = read_fields(call.body, account.behaviour)
    chat_id = fields.read("id", a_number, required=True)
    if "snoozedUntil" not in fields:
        fields.complain("snoozedUntil", BLANK)
    until = fields.read("snoozedUntil", a_moment)
    return _changed(account, _checked_chat(account, chat_id, fields), snoozedUntil=until)


def rate(account: Account, call: Call) -> Answer:
    """`PUT /chats/rate`: a closed chat takes one of five ratings, also after another."""
    fields = read_fields(call.body, account.behaviour)
    chat_id = fields.read("id", a_number, required=True)
    rating = fields.read("rating", one_of(RATINGS), required=True)
    chat = _checked_chat(account, chat_id, fields)
    if plain_status(chat["status"]) != "closed":
        raise RefusedError("invalid_request", "Only a closed chat can be rated.")
    return _changed(account, chat, rating=rating)


def read_by_agent(account: Account, call: Call) -> Answer:
    """`PUT /chats/readByAgent`."""
    return _read_by(account, call, "agent")


def read_by_customer(account: Account, call: Call) -> Answer:
    """`PUT /chats/readByCustomer`."""
    return _read_by(account, call, "customer")


def _a_status(value: Any) -> str:
    return one_of(STATUSES)(plain_status(a_text(value)))


def _read_by(account: Account, call: Call, reader: str) -> Answer:
    fields = read_fields(call.body, account.behaviour)
    chat_id = fields.read("id", a_number, required=True)
    read = fields.read("read", a_flag, required=True)
    try:
        chat = _checked_chat(account, chat_id, fields)
    except NotFoundError:
        raise NotFoundError("Chat", "not_fount") from None  # so spelt on the page of these two
    changes.mark_read(account, chat["id"], reader, read=bool(read), at=account.wall_clock())
    return _shown(account, chat["id"])


def _checked_chat(account: Account, chat_id: int | None, fields: Fields) -> Row:
    """Give the chat that a body is about, if nothing in the body is wrong."""
    fields.check(old_code=_OLD_CODE)
    return account.chats[chat_id or 0]


def _changed(account: Account, chat: Row, **changed: object) -> Answer:
    changes.change_chat(account, chat["id"], account.wall_clock(), **changed)
    return _shown(account, chat["id"])


def _shown(account: Account, chat_id: int, *, status: int = 200) -> Answer:
    return one(account, _rendered(account, account.chats[chat_id]), status)


def _rendered(account: Account, row: Row) -> bytes:
    return encode(write_chat(row, account.customers, account.team, account.spelling, account.behaviour))


ROUTES: list[tuple[str, str, Endpoint]] = [
    ("GET", "/chats", list_chats),
    ("POST", "/chats", create_chat),
    ("POST", "/chats/search", search),
    ("GET", "/chats/{id}", get_chat),
    ("PUT", "/chats/status", set_status),
    ("PUT", "/chats/assignee", set_assignee),
    ("PUT", "/chats/department", set_department),
    ("PUT", "/chats/snooze", snooze),
    ("PUT", "/chats/rate", rate),
    ("PUT", "/chats/readByAgent", read_by_agent),
    ("PUT", "/chats/readByCustomer", read_by_customer),
]
