"""The documented grammar of `POST /customers/search`, and the ways a search may misbehave.

The grammar is one flat list of `{field, operator, value}` and one `comparison` for all of it. What is not
documented was decided here: without `comparison` it is AND, strings are compared exactly (case counts), and
an empty field satisfies only `!=` and `!~`.
"""

import json
import operator
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

import attrs

from helpcrunch_async.testing.answers import InvalidRequestError, Problem
from helpcrunch_async.testing.customers import CustomerBook, CustomerRow
from helpcrunch_async.testing.paging import Paging, read_digits, read_paging

CUSTOMER_SORTS = {"customers.firstSeen": "firstSeen", "customers.lastSeen": "lastSeen"}
"""What customers can be sorted by, and the field behind it."""


@attrs.frozen
class SearchBehaviour:
    """How the fake server's search differs from the documented one; by default it does not.

    Clients that look customers up by search have to survive every one of these.
    """

    max_filters: int | None = None
    """A longer filter list is refused with a 400."""
    ignores_filter: bool = False
    """Every customer matches."""
    answers_half: bool = False
    """Every other row of a page is missing; `total` still counts it."""
    reverses: bool = False
    """The rows of a page come in the opposite order."""
    stale_ids: Collection[int] = ()
    """Customers that the search does not know (yet), though `GET /customers/{id}` does."""


@attrs.frozen
class Condition:
    """One checked entry of a filter list."""

    field: str
    operator: str
    value: Any

    def holds(self, row: CustomerRow) -> bool:
        """Say whether a customer meets the condition."""
        actual = _FIELDS[self.field].read(row)
        if actual is None:
            return self.operator in ("!=", "!~")
        return _COMPARE[self.operator](actual, self.value)


@attrs.frozen
class CustomerSearch:
    """A checked search body."""

    conditions: Sequence[Condition]
    any_suffices: bool
    paging: Paging

    def holds(self, row: CustomerRow) -> bool:
        """Say whether a customer is found; without conditions every one is."""
        if not self.conditions:
            return True
        return (any if self.any_suffices else all)(condition.holds(row) for condition in self.conditions)


@attrs.frozen
class _FieldKind:
    operators: frozenset[str]
    read_value: Callable[[Any], Any]
    """From the value in the body to one that compares with the row's; None when its type does not match."""
    expected: str


@attrs.frozen
class _Field:
    kind: _FieldKind
    read: Callable[[CustomerRow], Any]


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


def _read_date(value: Any) -> int | None:
    # Clients in use send dates as numeric strings and are understood.
    return read_digits(value) if isinstance(value, str) else _read_integer(value)


def _read_string(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _read_tags(value: Any) -> frozenset[str] | None:
    if not isinstance(value, list) or not value:
        return None
    names = [tag["name"] for tag in value if isinstance(tag, dict) and isinstance(tag.get("name"), str)]
    return frozenset(names) if len(names) == len(value) else None


_ORDERING = frozenset({">", "<", ">=", "<="})
_EQUALITY = frozenset({"=", "!="})
_INTEGER = _FieldKind(_EQUALITY | _ORDERING, _read_integer, "integer")
_DATE = _FieldKind(_EQUALITY | _ORDERING, _read_date, "Unix seconds")
_STRING = _FieldKind(_EQUALITY | {"~", "!~"}, _read_string, "string")
_TAGS = _FieldKind(frozenset({"="}), _read_tags, "list of {name}")


def _column(name: str, kind: _FieldKind) -> _Field:
    return _Field(kind, lambda row: row[name])


def _place(name: str) -> _Field:
    return _Field(_STRING, lambda row: (row["location"] or {}).get(name))


def _channel(name: str) -> _Field:
    """An id in a social channel: `integrationId`, for customers who came from there."""
    return _Field(
        _STRING,
        lambda row: row["integrationId"] if (row["createdFrom"] or "").startswith(name) else None,
    )


_FIELDS: Mapping[str, _Field] = {
    "customers.id": _column("id", _INTEGER),
    **{
        f"customers.{name}": _column(name, _STRING)
        for name in ("name", "email", "company", "phone", "userId")
    },
    **{f"customers.{name}": _place(name) for name in ("countryCode", "city", "regionCode")},
    "customers.lastSeen": _column("lastSeen", _DATE),
    "customers.tagsData": _Field(_TAGS, lambda row: frozenset(tag["name"] for tag in row["tags"] or ())),
    **{
        f"customers.{channel}Id": _channel(channel)
        for channel in ("telegram", "facebook", "instagram", "viber", "whatsapp")
    },
}


def read_customer_search(body: bytes) -> CustomerSearch:
    """Check a search body against the documented grammar.

    Raises:
        InvalidRequestError: it is not a JSON object, or fields of it are wrong; it names every one.
    """
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as problem:
        raise InvalidRequestError([Problem("", "The body should be JSON.")]) from problem
    if not isinstance(document, dict):
        raise InvalidRequestError([Problem("", "The body should be a JSON object.")])
    paging, problems = read_paging(document, CUSTOMER_SORTS, numbers_are_text=False)
    comparison = document.get("comparison", "AND")
    if comparison not in ("AND", "OR"):
        problems.append(Problem("comparison", "The value you selected is not a valid choice."))
    entries = document.get("filter", [])
    if not isinstance(entries, list):
        problems.append(Problem("filter", "This value should be of type array."))
        entries = []
    for index, entry in enumerate(entries):
        problems += [Problem(f"filter[{index}]{path}", text) for path, text in _what_is_wrong(entry)]
    if problems:
        raise InvalidRequestError(problems)
    conditions = [_condition(entry) for entry in entries]
    return CustomerSearch(conditions, comparison == "OR", paging)


def _what_is_wrong(entry: Any) -> Iterable[tuple[str, str]]:
    if not isinstance(entry, dict):
        yield "", "This value should be an object."
        return
    for key in ("field", "operator", "value"):
        if entry.get(key) in (None, ""):
            yield f".{key}", "This value should not be blank."
    name, symbol, value = entry.get("field"), entry.get("operator"), entry.get("value")
    field = _FIELDS.get(name) if isinstance(name, str) else None
    if field is None:
        if name not in (None, ""):
            yield ".field", "The value you selected is not a valid choice."
        return
    if symbol not in (None, "") and symbol not in tuple(field.kind.operators):
        yield ".operator", "The value you selected is not a valid choice."
    if value not in (None, "") and field.kind.read_value(value) is None:
        yield ".value", f"This value should be of type {field.kind.expected}."


def _condition(entry: Mapping[str, Any]) -> Condition:
    kind = _FIELDS[entry["field"]].kind
    return Condition(entry["field"], entry["operator"], kind.read_value(entry["value"]))


def search_customers(book: CustomerBook, body: bytes, behaviour: SearchBehaviour) -> bytes:
    """Answer a search, as documented but for what `behaviour` says.

    Raises:
        InvalidRequestError: as `read_customer_search`, or the filter list is longer than the server takes.
    """
    search = read_customer_search(body)
    if behaviour.max_filters is not None and len(search.conditions) > behaviour.max_filters:
        text = f"This collection should contain {behaviour.max_filters} elements or less."
        raise InvalidRequestError([Problem("filter", text)])
    if behaviour.ignores_filter:
        search = attrs.evolve(search, conditions=())
    stale = frozenset(behaviour.stale_ids)
    found = [each for each in _found(book, search) if each not in stale]
    paging = search.paging
    page = found[paging.offset : paging.offset + paging.limit]
    if behaviour.answers_half:
        page = page[::2]
    if behaviour.reverses:
        page = page[::-1]
    return book.rendered_page(page, len(found))


def _found(book: CustomerBook, search: CustomerSearch) -> Sequence[int]:
    paging = search.paging
    field = None if paging.sort is None else CUSTOMER_SORTS[paging.sort]
    named = {
        condition.value
        for condition in search.conditions
        if condition.field == "customers.id" and condition.operator == "="
    }
    # A hundred ids in one search is what bulk look-ups send: find those without reading every customer.
    only_named = len(named) > 0 and (
        all(each.field == "customers.id" and each.operator == "=" for each in search.conditions)
        or not search.any_suffices
    )
    if only_named:
        there = [each for each in named if each in book and search.holds(book[each])]
        return book.put_in_order(there, field, descending=paging.descending)
    return [each for each in book.in_order(field, descending=paging.descending) if search.holds(book[each])]
