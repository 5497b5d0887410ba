"""The documented grammar of both searches: a flat list of `{field, operator, value}`, one `comparison`.

What is not documented was decided here: without `comparison` it is AND, strings are compared exactly (case
counts), an empty field satisfies only `!=` and `!~`, and of several agents in a chat any suffices (for `!=`
none may be). Numbers, `limit` and `offset` among them, may come as text, since that is what the documented
message asks for ("of type numeric") and what clients in use send; a `userId` may come as a number.
"""

import operator
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

import attrs

from helpcrunch_async.testing.answers import InvalidRequestError, Problem
from helpcrunch_async.testing.fields import BLANK, NO_CHOICE, NOT_NUMERIC, read_json
from helpcrunch_async.testing.paging import Paging, read_digits, read_paging
from helpcrunch_async.testing.rows import Row


@attrs.frozen
class FieldKind:
    """The type of a field: what may be asked of it, and what it is compared with."""

    operators: frozenset[str]
    read_value: Callable[[Any], Any]
    """From the value in the body to one that compares with the row's; None when its type does not match."""
    refusal: str
    """What the answer says of a value whose type does not match."""
    read_strictly: Callable[[Any], Any] | None = None
    """The same, for the documented type only; None where `read_value` takes no other."""

    def reader(self, *, strict: bool) -> Callable[[Any], Any]:
        """Give what reads a value."""
        return self.read_strictly if strict and self.read_strictly is not None else self.read_value


@attrs.frozen
class SearchField:
    """A field that can be searched by, and where a row has it."""

    kind: FieldKind
    read: Callable[[Row], Any]
    """None for an empty field, a tuple where a row has several values."""


@attrs.frozen
class Grammar:
    """What one search takes: its fields by name, and from each `sort` to the field behind it."""

    fields: Mapping[str, SearchField]
    sorts: Mapping[str, str]


@attrs.frozen
class Condition:
    """One checked entry of a filter list."""

    field: str
    operator: str
    value: Any
    read: Callable[[Row], Any]

    def holds(self, row: Row) -> bool:
        """Say whether a row meets the condition."""
        actual = self.read(row)
        if actual is None:
            return self.operator in ("!=", "!~")
        compare = _COMPARE[self.operator]
        if isinstance(actual, tuple):
            return (all if self.operator == "!=" else any)(compare(each, self.value) for each in actual)
        return compare(actual, self.value)


@attrs.frozen
class Search:
    """A checked search body."""

    conditions: Sequence[Condition]
    any_suffices: bool
    paging: Paging
    sort_field: str | None

    def holds(self, row: Row) -> bool:
        """Say whether a row is found; without conditions every one is."""
        if not self.conditions:
            return True
        return (any if self.any_suffices else all)(condition.holds(row) for condition in self.conditions)


def _equals(actual: Any, wanted: Any) -> bool:
    # Several tags in one condition mean all of them, beside which the customer may have others.
    return wanted <= actual if isinstance(actual, frozenset) else bool(actual == wanted)


_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": _equals,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
    "~": operator.contains,
    "!~": lambda actual, wanted: wanted not in actual,
}


def _read_integer(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


_NUMERIC = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*", re.ASCII | re.IGNORECASE)
"""What PHP calls a numeric string."""


def _read_number(value: Any) -> float | None:
    if isinstance(value, str):
        if not _NUMERIC.fullmatch(value):
            return None
        number = read_digits(value.strip())
        value = float(value) if number is None else number
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    return int(value) if value == value // 1 else value


def _read_date(value: Any) -> int | None:
    return read_digits(value) if isinstance(value, str) else _read_integer(value)


def _read_string(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _read_user_id(value: Any) -> str | None:
    return _read_string(value) if _read_integer(value) is None else str(value)


def _read_tags(value: Any) -> frozenset[str] | None:
    if not isinstance(value, list) or not value:
        return None
    names = [tag["name"] for tag in value if isinstance(tag, dict) and isinstance(tag.get("name"), str)]
    return frozenset(names) if len(names) == len(value) else None


_ORDERING = frozenset({">", "<", ">=", "<="})
_EQUALITY = frozenset({"=", "!="})
_NO_STRING = "This value should be of type string."
INTEGER = FieldKind(_EQUALITY | _ORDERING, _read_number, NOT_NUMERIC, _read_integer)
DATE = FieldKind(_EQUALITY | _ORDERING, _read_number, "This value should be Unix seconds.", _read_date)
STRING = FieldKind(_EQUALITY | {"~", "!~"}, _read_string, _NO_STRING)
USER_ID = FieldKind(STRING.operators, _read_user_id, _NO_STRING, _read_string)
TAGS = FieldKind(frozenset({"="}), _read_tags, "This value should be of type list of {name}.")


def column(name: str, kind: FieldKind) -> SearchField:
    """Make a field that every row has under its own name."""
    return SearchField(kind, lambda row: row[name])


def names_of(tags: Iterable[Mapping[str, Any]] | None) -> frozenset[str]:
    """Give the names of tags, as a field of the kind `TAGS` is compared."""
    return frozenset(tag["name"] for tag in tags or ())


def read_search(body: bytes, grammar: Grammar, *, strict: bool) -> Search:
    """Check a search body; strictly, for the documented types only.

    Raises:
        InvalidRequestError: it is not a JSON object, or fields of it are wrong; it names every one.
    """
    document = read_json(body)
    if not isinstance(document, dict):
        raise InvalidRequestError([Problem("", "The body should be a JSON object.")])
    paging, problems = read_paging(document, grammar.sorts, numbers_are_text=not strict)
    comparison = document.get("comparison", "AND")
    if comparison not in ("AND", "OR"):
        problems.append(Problem("comparison", NO_CHOICE))
    entries = document.get("filter", [])
    if not isinstance(entries, list):
        problems.append(Problem("filter", "This value should be of type array."))
        entries = []
    for index, entry in enumerate(entries):
        wrong = _what_is_wrong(entry, grammar.fields, strict=strict)
        problems += [Problem(f"filter[{index}]{path}", text) for path, text in wrong]
    if problems:
        raise InvalidRequestError(problems)
    conditions = [_condition(entry, grammar.fields, strict=strict) for entry in entries]
    sort_field = None if paging.sort is None else grammar.sorts[paging.sort]
    return Search(conditions, comparison == "OR", paging, sort_field)


def _what_is_wrong(
    entry: Any, fields: Mapping[str, SearchField], *, strict: bool
) -> Collection[tuple[str, str]]:
    if not isinstance(entry, dict):
        return [("", "This value should be an object.")]
    blank = [key for key in ("field", "operator", "value") if entry.get(key) in (None, "")]
    problems = [(f".{key}", BLANK) for key in blank]
    name, symbol, value = entry.get("field"), entry.get("operator"), entry.get("value")
    field = fields.get(name) if isinstance(name, str) else None
    if field is None:
        return problems if "field" in blank else [*problems, (".field", NO_CHOICE)]
    if "operator" not in blank and symbol not in tuple(field.kind.operators):
        problems.append((".operator", NO_CHOICE))
    if "value" not in blank and field.kind.reader(strict=strict)(value) is None:
        problems.append((".value", field.kind.refusal))
    return problems


def _condition(entry: Mapping[str, Any], fields: Mapping[str, SearchField], *, strict: bool) -> Condition:
    field = fields[entry["field"]]
    value = field.kind.reader(strict=strict)(entry["value"])
    return Condition(entry["field"], entry["operator"], value, field.read)
