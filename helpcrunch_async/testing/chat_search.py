"""What `POST /chats/search` finds.

A status may be asked for in any of its spellings, or by the number that old examples use; one that does not
exist finds nothing. `sort` may leave out the `chats.` prefix, as in an old example.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from helpcrunch_async.testing.account import Account
from helpcrunch_async.testing.chats import STATUSES, plain_status
from helpcrunch_async.testing.grammar import (
    DATE,
    INTEGER,
    STRING,
    TAGS,
    USER_ID,
    FieldKind,
    Grammar,
    SearchField,
    column,
    names_of,
    read_search,
)
from helpcrunch_async.testing.rows import Row, in_order

_SORTABLE = ("createdAt", "lastCustomerMessageAt", "lastMessageAt", "closedAt")
CHAT_SORTS: Mapping[str, str] = {
    **{name: name for name in _SORTABLE},
    **{f"chats.{name}": name for name in _SORTABLE},
}
"""What chats can be sorted by, and the field behind it."""

_BY_NUMBER = {str(number): status for number, status in enumerate(STATUSES, start=1)}


def _read_status(value: Any) -> str | None:
    return _BY_NUMBER.get(value) or plain_status(value) if isinstance(value, str) else None


_STATUS = FieldKind(STRING.operators, _read_status, STRING.refusal)


def _moment(name: str) -> SearchField:
    # Asked for by whole seconds, as answers show them.
    return SearchField(DATE, lambda row: None if row[name] is None else int(row[name]))


def search_chats(account: Account, body: bytes) -> tuple[Sequence[Row], int]:
    """Give the rows on the page that was asked for and how many were found in all.

    Raises:
        InvalidRequestError: as `read_search`.
    """
    search = read_search(body, _grammar(account), strict=account.behaviour.strict_types)
    found = [row for row in account.chats if search.holds(row)]
    page = in_order(found, search.sort_field, descending=search.paging.descending)
    return page[search.paging.offset : search.paging.offset + search.paging.limit], len(found)


def _grammar(account: Account) -> Grammar:
    def of_customer(read: Callable[[Row], Any]) -> Callable[[Row], Any]:
        def read_from_chat(row: Row) -> Any:
            there = row["customer"] in account.customers
            return read(account.customers[row["customer"]]) if there else None

        return read_from_chat

    fields = {
        **{name: column(name, INTEGER) for name in ("assignee", "department", "customer")},
        **{name: _moment(name) for name in ("createdAt", "updatedAt", "closedAt")},
        "agents": SearchField(INTEGER, lambda row: tuple(row["agents"])),
        "status": SearchField(_STATUS, lambda row: plain_status(row["status"])),
        "rating": column("rating", STRING),
        "customer.email": SearchField(STRING, of_customer(lambda row: row["email"])),
        "customer.userId": SearchField(USER_ID, of_customer(lambda row: row["userId"])),
        "customer.tagsData": SearchField(TAGS, of_customer(lambda row: names_of(row["tags"]))),
    }
    return Grammar({f"chats.{name}": field for name, field in fields.items()}, CHAT_SORTS)
