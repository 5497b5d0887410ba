"""Rows as the fake server keeps them: JSON objects by their ids."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from helpcrunch_async.testing.answers import NotFoundError

Row = dict[str, Any]
"""A JSON object of the API: a chat, a message, an agent. The keys are the API's, camelCase."""


class Ids:
    """Gives ids to what has none: from `first` on, and above every id that was ever used.

    So nothing that is created takes an id that was deleted, or one that a test is about to fill in.
    """

    def __init__(self, noun: str, first: int) -> None:
        self._noun = noun
        self._next = first

    def of(self, row: Mapping[str, Any]) -> int:
        """Give the id of a row, or a new one if it has none; ValueError for what is no positive integer."""
        row_id = row.get("id")
        if row_id is None:
            row_id = self._next
        if not isinstance(row_id, int) or isinstance(row_id, bool) or row_id < 1:
            raise ValueError(f"the {self._noun.lower()}'s id must be a positive integer, not {row_id!r}")
        self._next = max(self._next, row_id + 1)
        return row_id


class Shelf:
    """The rows of one kind, by their ids; those without one get a new one from `first_id` on."""

    def __init__(self, noun: str, *, first_id: int = 1) -> None:
        self._noun = noun
        self._rows: dict[int, Row] = {}
        self._ids = Ids(noun, first_id)

    def __contains__(self, row_id: object) -> bool:
        return isinstance(row_id, int) and row_id in self._rows

    def __getitem__(self, row_id: int) -> Row:
        """The row itself; NotFoundError, which is a KeyError, when there is none."""
        try:
            return self._rows[row_id]
        except KeyError:
            raise NotFoundError(self._noun) from None

    def get(self, row_id: object) -> Row | None:
        """The row itself; None when there is none."""
        return self._rows.get(row_id) if isinstance(row_id, int) else None

    def __iter__(self) -> Iterator[Row]:
        """All rows, by id."""
        return iter(sorted(self._rows.values(), key=lambda row: int(row["id"])))

    def __len__(self) -> int:
        return len(self._rows)

    def put(self, row: Row) -> int:
        """Keep a row, in the place of the one with the same id.

        Raises:
            ValueError: its id is not a positive integer.
        """
        row["id"] = self._ids.of(row)
        self._rows[row["id"]] = row
        return int(row["id"])


def copy_of(noun: str, given: Mapping[str, Any]) -> Row:
    """Copy a caller's mapping by way of JSON, so that its later edits do not reach the server.

    Raises:
        ValueError: it is not made of JSON values.
    """
    try:
        copied: Row = json.loads(json.dumps(given))
    except TypeError as problem:
        raise ValueError(f"a {noun.lower()} must be made of JSON values: {problem}") from problem
    return copied


def id_of(given: Any) -> int | None:
    """Give the id of what is told by its id or as an object that holds one.

    Raises:
        ValueError: it is neither.
    """
    found = given.get("id") if isinstance(given, dict) else given
    if given is not None and (not isinstance(found, int) or isinstance(found, bool)):
        raise ValueError(f"an id or an object with one was expected, not {given!r}")
    return found


def in_order(rows: Iterable[Row], field: str | None, *, descending: bool) -> list[Row]:
    """Sort by a moment (without one is earliest) and then by id; None: by id alone."""

    def rank(row: Row) -> tuple[float, int]:
        moment = None if field is None else row[field]
        return (float("-inf") if moment is None else moment, row["id"])

    return sorted(rows, key=rank, reverse=descending)
