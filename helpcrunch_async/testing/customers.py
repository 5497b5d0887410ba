"""Customers as the fake server keeps them: one form inside, either documented spelling on the wire.

The **old** spelling (about 2020) has integer timestamps and `customData` as a list of `{property, value}`.
The **new** one has numeric strings, `customData` as an object, and `createdFrom` and `integrationId` besides.
Inside, timestamps are integers (or None), `customData` is an object (or None), and every field is present.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from helpcrunch_async.testing.answers import NotFoundError, Spelling, encode
from helpcrunch_async.testing.moments import read_moment, whole
from helpcrunch_async.testing.rows import Ids, copy_of

CustomerRow = dict[str, Any]
"""A customer as JSON: the keys are the API's, camelCase."""

DEFAULT_COLOR: Final = "#c377e0"
"""Of a tag that is created without one."""

_FIRST_ID: Final = 9_000_001
"""Above the documented customer, and far from the small numbers that tests fill in by hand."""

NO_PLACE: Final[Mapping[str, None]] = {"regionCode": None, "countryCode": None, "city": None}
_CHANGES_KEPT: Final = 12
_MOMENTS = ("firstSeen", "lastSeen")
_NEW_ONLY = ("createdFrom", "integrationId")

_BLANK: CustomerRow = {
    "id": None,
    "name": None,
    "email": None,
    "userId": None,
    "company": None,
    "phone": None,
    "firstSeen": None,
    "lastSeen": None,
    "location": {**NO_PLACE},
    "device": None,
    "unsubscribed": False,
    "blocked": False,
    "source": None,
    "referer": None,
    "locale": None,
    "notes": None,
    "lastPage": None,
    "createdFrom": None,
    "integrationId": None,
    "tags": [],
    "customData": {},
}


def read_customer(customer: Mapping[str, Any]) -> CustomerRow:
    """Bring a customer in either spelling into the form kept inside; fields left out become empty.

    Raises:
        ValueError: a timestamp or `customData` that fits neither spelling, or a row that is not JSON.
    """
    row: CustomerRow = copy_of("Customer", {**_BLANK, **customer})
    for field in _MOMENTS:
        moment = read_moment(field, row[field])
        row[field] = None if moment is None else int(moment)
    row["customData"] = _read_custom_data(row["customData"])
    return row


def write_customer(row: Mapping[str, Any], spelling: Spelling) -> CustomerRow:
    """Spell a customer out as the service of one generation would."""
    written = dict(row)
    if spelling == "new":
        for field in _MOMENTS:
            written[field] = whole(row[field], spelling)
        return written
    for field in _NEW_ONLY:
        del written[field]
    if row["customData"] is not None:
        written["customData"] = [
            {"property": name, "value": value} for name, value in row["customData"].items()
        ]
    return written


def _read_custom_data(custom_data: object) -> CustomerRow | None:
    if custom_data is None or isinstance(custom_data, dict):
        return custom_data
    if isinstance(custom_data, list) and all(
        isinstance(item, dict) and "property" in item and "value" in item for item in custom_data
    ):
        return {item["property"]: item["value"] for item in custom_data}
    raise ValueError("customData must be an object or a list of {property, value}")


class CustomerBook:
    """All customers of one account, with the bytes of each rendered once."""

    def __init__(
        self,
        customers: Iterable[Mapping[str, Any]],
        spelling: Spelling,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self.spelling: Spelling = spelling
        self._wall_clock = wall_clock
        self._rows: dict[int, CustomerRow] = {}
        self._replaced: dict[int, list[tuple[float, CustomerRow | None]]] = {}  # when, and what
        self._rendered: dict[int, bytes] = {}
        self._sorted: dict[str | None, list[int]] = {}
        self._ids = Ids("Customer", _FIRST_ID)
        self._tag_colors: dict[str, str] = {}
        for customer in customers:
            if customer.get("id") in self._rows:
                raise ValueError(f"two customers with the id {customer['id']}")
            self.put(customer)
        self._replaced.clear()  # these were always there

    def __contains__(self, customer_id: object) -> bool:
        return isinstance(customer_id, int) and customer_id in self._rows

    def __getitem__(self, customer_id: int) -> CustomerRow:
        """The form kept inside, to be read and not changed; NotFoundError, a KeyError, when there is none."""
        try:
            return self._rows[customer_id]
        except KeyError:
            raise NotFoundError("Customer") from None

    def get(self, customer_id: object) -> CustomerRow | None:
        """The same; None when there is none."""
        return self._rows.get(customer_id) if isinstance(customer_id, int) else None

    def put(self, customer: Mapping[str, Any]) -> int:
        """Add a customer, or replace the one with the same id; without an id it gets a new one.

        Raises:
            ValueError: the id is not a positive integer, or `read_customer` refuses the row.
        """
        row = read_customer(customer)
        customer_id = row["id"] = self._ids.of(row)
        self._remember(customer_id)
        for tag in row["tags"] or ():
            tag["color"] = tag.get("color") or self.color_of_tag(tag["name"], None)
            self._tag_colors.setdefault(tag["name"], tag["color"])
        self._rows[customer_id] = row
        self._forget_cached(customer_id)
        return customer_id

    def remove(self, customer_id: int) -> None:
        """Take a customer out; NotFoundError when there is none."""
        del self._rows[self[customer_id]["id"]]
        self._forget_cached(customer_id)

    def color_of_tag(self, name: str, wanted: str | None) -> str:
        """Tell a tag's colour: that of the account's tag, if there is one, before the one that is wanted."""
        return self._tag_colors.get(name) or wanted or DEFAULT_COLOR

    def with_user_id(self, user_id: str) -> Iterator[int]:
        """Find the customers that the caller knows by this id of its own; a test can fill in several."""
        return (each for each, row in self._rows.items() if row["userId"] == user_id)

    def rendered(self, customer_id: int) -> bytes:
        """The customer as JSON in the account's spelling; NotFoundError when there is none."""
        body = self._rendered.get(customer_id)
        if body is None:
            body = encode(write_customer(self[customer_id], self.spelling))
            self._rendered[customer_id] = body
        return body

    def rendered_at(self, customer_id: int, at: float) -> bytes | None:
        """The customer as it was at a moment, a dozen changes back at most; None before it was there."""
        for when, before in self._replaced.get(customer_id, ()):
            if at < when:
                return None if before is None else encode(write_customer(before, self.spelling))
        return self.rendered(customer_id)

    def _remember(self, customer_id: int) -> None:
        replaced = self._replaced.setdefault(customer_id, [])
        replaced.append((self._wall_clock(), self._rows.get(customer_id)))
        del replaced[:-_CHANGES_KEPT]

    def in_order(self, field: str | None, *, descending: bool) -> Sequence[int]:
        """All ids, by a timestamp (without one is earliest) and then by id; None: by id alone."""
        ids = self._sorted.get(field)
        if ids is None:
            ids = self._sorted[field] = sorted(self._rows, key=lambda each: self._rank(each, field))
        return ids[::-1] if descending else ids

    def put_in_order(self, ids: Iterable[int], field: str | None, *, descending: bool) -> Sequence[int]:
        """Some ids, in the order that `in_order` gives all of them."""
        return sorted(ids, key=lambda each: self._rank(each, field), reverse=descending)

    def _rank(self, customer_id: int, field: str | None) -> tuple[float, int]:
        moment = None if field is None else self._rows[customer_id][field]
        return (float("-inf") if moment is None else moment, customer_id)

    def _forget_cached(self, customer_id: int) -> None:
        self._rendered.pop(customer_id, None)
        self._sorted.clear()
