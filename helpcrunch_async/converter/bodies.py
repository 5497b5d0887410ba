"""Decoded bodies of replies: one object, or a page of rows; and the two functions that users call.

What does not fit is said by where it stands, never by what it is.
"""

from collections.abc import Mapping
from typing import Any, Final, TypeVar, get_args

import attrs

from helpcrunch_async.converter.models import Times, reader_of, writer_of
from helpcrunch_async.converter.values import ReplyMemo, UnfitError, memo
from helpcrunch_async.errors import DecodeError
from helpcrunch_async.models import Page
from helpcrunch_async.redaction import hide_locals

M = TypeVar("M")

MOST_ROWS: Final = 10_000  # of one page; HelpCrunch documents 100
_MOST_PROBLEMS: Final = 20  # that are described


def from_dict(model: type[M], mapping: Mapping[str, Any]) -> M:
    """Return a model of a mapping as the API sends it, or as `to_dict` returns it.

    A value that does not fit its field stays in `extra`; the field has its default then.

    Raises:
        DecodeError: it is no object, its id cannot be used, or it is too large; `problems` says where.
    """
    kind: Any = model  # type checkers do not take every class for hashable
    try:
        instance: M = reader_of(kind)(mapping, kind)
    except UnfitError as error:
        problem = f"${error.path}: {error.words}"
    else:
        return instance
    del mapping  # hide_locals would cost each row of a page a call
    raise DecodeError(f"not a {model.__name__}: {problem}", (problem,))


@hide_locals
def structure_one(body: Any, model: type[M]) -> M:
    """Read the body of a reply that holds one object, bare or wrapped: a lone `data` has it, or a list of it.

    Raises:
        DecodeError: as `from_dict`.
    """
    if isinstance(body, dict) and len(body) == 1:
        inner = body.get("data")
        if isinstance(inner, list) and len(inner) == 1:
            inner = inner[0]
        if isinstance(inner, dict):
            body = inner
    return from_dict(model, body)


@hide_locals
def structure_page(body: object, model: type[M], *, offset: int) -> Page[M]:
    """Read a page of which every row can be read.

    Raises:
        DecodeError: as `read_page`; or some rows cannot be read: `problems` names them, `page` has the rest.
    """
    page, problems = read_page(body, model, offset=offset)
    if not problems:
        return page
    message = f"not a page of {model.__name__}: {'; '.join(problems[:3])}"
    unreadable = DecodeError(message, problems)
    unreadable.page = page
    raise unreadable


@hide_locals
def read_page(body: object, model: type[M], *, offset: int) -> tuple[Page[M], tuple[str, ...]]:
    """Read the rows of a page that can be read; return them, and what is wrong with the others.

    The total stands at the top, under `meta`, or nowhere.

    Raises:
        DecodeError: it is no page, or one of more than 10,000 rows.
    """
    rows, problem = _rows_of(body)
    total = _total_of(body)
    if problem is not None:
        raise DecodeError("not a page of rows", (problem,))
    kind: Any = model
    read, items, problems = reader_of(kind), list[M](), list[str]()
    token = memo.set(ReplyMemo())
    try:
        for place, row in rows:
            try:
                items.append(read(row, kind))
            except UnfitError as error:
                problems.append(f"{place}{error.path}: {error.words}")
    finally:
        memo.reset(token)
    if len(problems) > _MOST_PROBLEMS:
        problems[_MOST_PROBLEMS:] = [f"$: {len(problems) - _MOST_PROBLEMS} more rows cannot be read"]
    return Page(tuple(items), total, offset, len(rows)), tuple(problems)


@hide_locals
def raw_page(body: object, *, offset: int) -> Page[Any]:
    """Return the rows of a page as they came.

    Raises:
        DecodeError: as `read_page`.
    """
    rows, problem = _rows_of(body)
    if problem is not None:
        raise DecodeError("not a page of rows", (problem,))
    return Page(tuple(row for _, row in rows), _total_of(body), offset, len(rows))


def _total_of(body: object) -> int | None:
    meta, total = (body.get("meta"), body.get("total")) if isinstance(body, dict) else (None, None)
    if total is None and isinstance(meta, dict):
        total = meta.get("total")
    return total if type(total) is int else None


def _rows_of(body: object) -> tuple[list[tuple[str, Any]], str | None]:
    """Return the rows of a page with their places, or what is wrong with it.

    They stand under `data`, in the oldest answers under `messages`, or are the whole body; one client knew
    them as lists in a list.
    """
    rows, place = body, "$"
    if isinstance(body, dict):
        key = "messages" if "messages" in body and "data" not in body else "data"
        rows, place = body.get(key), f"$.{key}"
    if not isinstance(rows, list):
        return [], f"{'$.data' if rows is body else place}: expected a list"
    nested = bool(rows) and all(isinstance(row, list) for row in rows)
    received = max(len(rows), sum(map(len, rows)) if nested else 0)
    if received > MOST_ROWS:
        return [], f"{place}: {received} rows; at most {MOST_ROWS} are read"
    outer = [(f"{place}[{index}]", row) for index, row in enumerate(rows)]
    if not nested:
        return outer, None
    return [(f"{place}[{index}]", row) for place, some in outer for index, row in enumerate(some)], None


def to_dict(model: Any, times: Times = "unix") -> dict[str, Any]:
    """Return the JSON mapping of a model, spelt as the newest pages spell it; `from_dict` reads it back.

    Args:
        model: a customer, a chat, a part of one, an event; a page or a look-up has no JSON of its own.
        times: `"unix"` writes moments as the API does: Unix seconds in a string; `"iso"` as ISO 8601 in UTC.

    Raises:
        TypeError: not a model.
        ValueError: `times` is something else.
    """
    if not (attrs.has(type(model)) and hasattr(model, "extra")):
        raise TypeError(f"to_dict takes a model, not {type(model).__name__}")
    if times not in get_args(Times):
        raise ValueError(f"times is unix or iso, not {times!r}")
    kind: Any = type(model)  # as above
    return writer_of(kind, times)(model)
