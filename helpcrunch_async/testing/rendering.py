"""Whole answers: an object, a page of them, `Ok`; as documented, but for what the behaviour says."""

from collections.abc import Iterable
from typing import Literal, TypeAlias

from helpcrunch_async.testing.account import Account
from helpcrunch_async.testing.answers import Answer
from helpcrunch_async.testing.routing import Call

TotalPlace: TypeAlias = Literal["page", "meta"]
"""Beside `data`, or in an object `meta` there."""

_TEXT = "text/plain; charset=UTF-8"


def one(account: Account, body: bytes, status: int = 200) -> Answer:
    """Answer with one object, bare."""
    return Answer(status, b'{"data":%b}' % body if account.behaviour.wraps_objects else body)


def page(
    account: Account,
    call: Call,
    rows: Iterable[bytes],
    total: int,
    *,
    total_in: TotalPlace | None = "page",
    key: str = "data",
) -> Answer:
    """Answer with one page of rows, and with their total in the place where this listing has it."""
    behaviour = account.behaviour
    told = total if behaviour.total is None else behaviour.total(total)
    parts = [b'"%b":[%b]' % (key.encode(), b",".join(rows))]
    if told is not None and total_in is not None:
        parts.append((b'"total":%d' if total_in == "page" else b'"meta":{"total":%d}') % told)
    if behaviour.between_pages is not None:
        behaviour.between_pages(call.path)
    return Answer(200, b"{%b}" % b",".join(parts))


def done(account: Account) -> Answer:
    """Answer with the word that stands for success where there is nothing to show."""
    return Answer(200, b'"Ok"') if account.behaviour.ok_as_json else Answer(200, b"Ok", _TEXT)
