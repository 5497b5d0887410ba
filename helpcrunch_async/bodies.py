"""Bodies of replies that were decoded: one object, or a page of rows.

Before an error leaves, what it was about is deleted: error trackers capture the locals of every frame.
"""

from typing import Any, TypeVar

from helpcrunch_async.converter import structure
from helpcrunch_async.errors import DecodeError
from helpcrunch_async.models import Page

M = TypeVar("M")


def structure_one(body: object, model: type[M]) -> M:
    """Read the body of a reply that holds one object: bare, or the lone `data` of a wrapper.

    Raises:
        DecodeError: as `structure`.
    """
    if isinstance(body, dict) and len(body) == 1 and isinstance(body.get("data"), dict):
        body = body["data"]
    try:
        return structure(body, model)
    finally:
        del body


def structure_page(body: object, model: type[M], *, offset: int) -> Page[M]:
    """Read a page of rows, and the total where there is one: at the top, or under `meta`.

    The rows stand under `data`, in the oldest answers under `messages`, and one client knew them as lists in
    a list.

    Raises:
        DecodeError: as `structure`; a row that does not fit is named by its index.
    """
    key = "messages" if isinstance(body, dict) and "messages" in body and "data" not in body else "data"
    rows = body.get(key) if isinstance(body, dict) else None
    if not isinstance(body, dict) or not isinstance(rows, list):
        del body, rows
        raise DecodeError("not a page of rows", problems=(f"$.{key}: expected a list",))
    meta, total = body.get("meta"), body.get("total")
    if total is None and isinstance(meta, dict):
        total = meta.get("total")
    items, problems = _read_rows(rows, model, f"$.{key}")
    if problems:
        del body, rows, items, meta, total
        raise DecodeError(
            f"not a page of {model.__name__}: {'; '.join(problems[:3])}", problems=tuple(problems)
        )
    return Page(tuple(items), total if type(total) is int else None, offset)


def _read_rows(rows: list[Any], model: type[M], place: str) -> tuple[list[M], list[str]]:
    """Read rows, which may be lists of rows; give those that fit, and what does not fit in the others."""
    nested = bool(rows) and all(isinstance(row, list) for row in rows)
    items: list[M] = []
    problems: list[str] = []
    seen: dict[Any, Any] = {}
    for outer, inner_rows in enumerate(rows if nested else [rows]):
        inner_place = f"{place}[{outer}]" if nested else place
        for index, row in enumerate(inner_rows):
            try:
                items.append(structure(row, model, seen))
            except DecodeError as error:
                problems += [f"{inner_place}[{index}]{problem[1:]}" for problem in error.problems]
    return items, problems
