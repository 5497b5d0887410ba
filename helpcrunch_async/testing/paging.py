"""The arguments that every listing and search takes: sort, order, limit, offset."""

from collections.abc import Collection, Mapping
from typing import Any

import attrs

from helpcrunch_async.testing.answers import Problem

MAX_LIMIT = 100
"""Rows on one page at most, and how many there are when no limit is given."""

_MAX_DIGITS = 18


@attrs.frozen
class Paging:
    """Which slice of which order is wanted; `sort` None is the server's own order."""

    sort: str | None
    descending: bool
    limit: int
    offset: int


def read_paging(
    arguments: Mapping[str, Any], sorts: Collection[str] | None, *, numbers_are_text: bool
) -> tuple[Paging, list[Problem]]:
    """Check the four arguments, found in a query (numbers are text) or in a JSON body (numbers are numbers).

    With `sorts` None there is one order only, and `sort` and `order` are ignored like any unknown argument.
    Returns what is wanted, with a default wherever there is a problem, and the problems.
    """
    problems: list[Problem] = []

    def number(name: str, default: int, smallest: int, largest: int | None) -> int:
        given = arguments.get(name, default)
        if numbers_are_text and isinstance(given, str):
            given = read_digits(given)
        if not isinstance(given, int) or isinstance(given, bool):
            problems.append(Problem(name, "This value should be of type integer."))
        elif given < smallest:
            problems.append(Problem(name, f"This value should be {smallest} or more."))
        elif largest is not None and given > largest:
            problems.append(Problem(name, f"This value should be {largest} or less."))
        else:
            return given
        return default

    if sorts is None:
        arguments = {name: value for name, value in arguments.items() if name in ("limit", "offset")}
    sort = arguments.get("sort")
    if sort is not None and sort not in tuple(sorts or ()):  # a list in the body has no hash
        problems.append(Problem("sort", "The value you selected is not a valid choice."))
        sort = None
    order = arguments.get("order", "asc")
    if order not in ("asc", "desc", "ASC", "DESC"):
        problems.append(Problem("order", "The value you selected is not a valid choice."))
        order = "asc"
    paging = Paging(
        sort=sort,
        descending=order.lower() == "desc",
        limit=number("limit", MAX_LIMIT, 1, MAX_LIMIT),
        offset=number("offset", 0, 0, None),
    )
    return paging, problems


def read_digits(text: str) -> int | None:
    """Read a whole number written in plain ASCII digits; None when it is not one."""
    if text.isascii() and text.removeprefix("-").isdigit() and len(text) <= _MAX_DIGITS:
        return int(text)
    return None
