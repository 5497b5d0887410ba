"""What `POST /customers/search` finds, and the ways it may misbehave."""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import attrs

from helpcrunch_async.testing.answers import InvalidRequestError, Problem, encode
from helpcrunch_async.testing.customers import CustomerBook
from helpcrunch_async.testing.grammar import (
    DATE,
    INTEGER,
    STRING,
    TAGS,
    USER_ID,
    Grammar,
    Search,
    SearchField,
    column,
    names_of,
    read_search,
)

CUSTOMER_SORTS: Mapping[str, str] = {"customers.firstSeen": "firstSeen", "customers.lastSeen": "lastSeen"}
"""What customers can be sorted by, and the field behind it."""


@attrs.frozen
class SearchBehaviour:
    """How the fake server's search for customers differs from the documented one; by default it does not.

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
    lag: float = 0.0
    """Seconds, by the server's `wall_clock`, after which rows show a change, and new customers come."""
    missing_keys: Collection[str] = ()
    """What rows lack: "device", "location.city", or "tags.color" of every tag."""
    heals_after: int | None = None
    """After so many searches since this was set, rows neither lag nor lack anything; None is never."""


def _place(name: str) -> SearchField:
    return SearchField(STRING, lambda row: (row["location"] or {}).get(name))


def _channel(name: str) -> SearchField:
    """An id in a social channel: `integrationId`, for customers who came from there."""
    return SearchField(
        STRING,
        lambda row: row["integrationId"] if (row["createdFrom"] or "").startswith(name) else None,
    )


_GRAMMAR = Grammar(
    {
        "customers.id": column("id", INTEGER),
        **{f"customers.{name}": column(name, STRING) for name in ("name", "email", "company", "phone")},
        "customers.userId": column("userId", USER_ID),
        **{f"customers.{name}": _place(name) for name in ("countryCode", "city", "regionCode")},
        "customers.lastSeen": column("lastSeen", DATE),
        "customers.tagsData": SearchField(TAGS, lambda row: names_of(row["tags"])),
        **{
            f"customers.{channel}Id": _channel(channel)
            for channel in ("telegram", "facebook", "instagram", "viber", "whatsapp")
        },
    },
    CUSTOMER_SORTS,
)


def read_customer_search(body: bytes, *, strict: bool) -> Search:
    """Check a search body against the documented grammar.

    Raises:
        InvalidRequestError: as `read_search`.
    """
    return read_search(body, _GRAMMAR, strict=strict)


def search_customers(
    book: CustomerBook, body: bytes, behaviour: SearchBehaviour, *, strict: bool
) -> tuple[Sequence[int], int]:
    """Give the ids on the page that was asked for and how many were found in all.

    As documented but for what `behaviour` says.

    Raises:
        InvalidRequestError: as `read_customer_search`, or the filter list is longer than the server takes.
    """
    search = read_customer_search(body, strict=strict)
    if behaviour.max_filters is not None and len(search.conditions) > behaviour.max_filters:
        text = f"This collection should contain {behaviour.max_filters} elements or less."
        raise InvalidRequestError([Problem("filter", text)])
    if behaviour.ignores_filter:
        search = attrs.evolve(search, conditions=())
    stale = frozenset(behaviour.stale_ids)
    found = [each for each in _found(book, search) if each not in stale]
    page = found[search.paging.offset : search.paging.offset + search.paging.limit]
    if behaviour.answers_half:
        page = page[::2]
    if behaviour.reverses:
        page = page[::-1]
    return page, len(found)


def without_keys(row: bytes, missing_keys: Collection[str]) -> bytes:
    """Return a row without some of its keys."""
    if not missing_keys:
        return row
    customer = json.loads(row)
    for path in missing_keys:
        _leave_out(customer, path.split("."))
    return encode(customer)


def _leave_out(row: Any, path: list[str]) -> None:
    for each in row if isinstance(row, list) else [row]:
        if isinstance(each, dict) and len(path) == 1:
            each.pop(path[0], None)
        elif isinstance(each, dict):
            _leave_out(each.get(path[0]), path[1:])


def _found(book: CustomerBook, search: Search) -> Sequence[int]:
    field, descending = search.sort_field, search.paging.descending
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
        return book.put_in_order(there, field, descending=descending)
    return [each for each in book.in_order(field, descending=descending) if search.holds(book[each])]
