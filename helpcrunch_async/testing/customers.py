"""Customers as the fake server keeps them: one form inside, either documented spelling on the wire.

The **old** spelling (about 2020) has integer timestamps and `customData` as a list of `{property, value}`.
The **new** one has numeric strings, `customData` as an object, and `createdFrom` and `integrationId` besides.
Inside, timestamps are integers (or None), `customData` is an object (or None), and every field is present.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from typing import Any

from helpcrunch_async.testing.answers import Spelling, encode

CustomerRow = dict[str, Any]
"""A customer as JSON: the keys are the API's, camelCase."""

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
    "location": {"regionCode": None, "countryCode": None, "city": None},
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
    try:
        # A copy by way of JSON: later edits of the caller's mapping do not reach the server.
        row: CustomerRow = json.loads(json.dumps({**_BLANK, **customer}))
    except TypeError as problem:
        raise ValueError(f"a customer must be made of JSON values: {problem}") from problem
    for field in _MOMENTS:
        row[field] = _read_moment(field, row[field])
    row["customData"] = _read_custom_data(row["customData"])
    return row


def write_customer(row: Mapping[str, Any], spelling: Spelling) -> CustomerRow:
    """Spell a customer out as the service of one generation would."""
    written = dict(row)
    if spelling == "new":
        for field in _MOMENTS:
            written[field] = None if row[field] is None else str(row[field])
        return written
    for field in _NEW_ONLY:
        del written[field]
    if row["customData"] is not None:
        written["customData"] = [
            {"property": name, "value": value} for name, value in row["customData"].items()
        ]
    return written


def _read_moment(field: str, moment: object) -> int | None:
    if moment is None or moment == "":
        return None
    if isinstance(moment, int | str) and not isinstance(moment, bool):
        try:
            return int(float(moment))
        except (ValueError, OverflowError):
            pass  # named below, with the field
    raise ValueError(f"{field} must be Unix seconds (a number or a numeric string), not {moment!r}")


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

    def __init__(self, customers: Iterable[Mapping[str, Any]], spelling: Spelling) -> None:
        self.spelling: Spelling = spelling
        self._rows: dict[int, CustomerRow] = {}
        self._rendered: dict[int, bytes] = {}
        self._sorted: dict[str | None, list[int]] = {}
        self._free_ids = count(1)
        for customer in customers:
            if customer.get("id") in self._rows:
                raise ValueError(f"two customers with the id {customer['id']}")
            self.put(customer)

    def __contains__(self, customer_id: int) -> bool:
        return customer_id in self._rows

    def __getitem__(self, customer_id: int) -> CustomerRow:
        """The form kept inside; to be read, not changed."""
        return self._rows[customer_id]

    def put(self, customer: Mapping[str, Any]) -> int:
        """Add a customer, or replace the one with the same id; without an id it gets a free one.

        Raises:
            ValueError: the id is not a positive integer, or `read_customer` refuses the row.
        """
        row = read_customer(customer)
        customer_id = row["id"]
        if customer_id is None:
            customer_id = row["id"] = next(number for number in self._free_ids if number not in self._rows)
        if not isinstance(customer_id, int) or isinstance(customer_id, bool) or customer_id < 1:
            raise ValueError(f"a customer's id must be a positive integer, not {customer_id!r}")
        self._rows[customer_id] = row
        self._forget_cached(customer_id)
        return customer_id

    def remove(self, customer_id: int) -> None:
        """Take a customer out; KeyError when there is none."""
        del self._rows[customer_id]
        self._forget_cached(customer_id)

    def rendered(self, customer_id: int) -> bytes:
        """The customer as JSON in the account's spelling; KeyError when there is none."""
        body = self._rendered.get(customer_id)
        if body is None:
            body = encode(write_customer(self._rows[customer_id], self.spelling))
            self._rendered[customer_id] = body
        return body

    def rendered_page(self, ids: Iterable[int], total: int) -> bytes:
        """A listing's body: the customers asked for, in that order, and a total that may say anything."""
        return b'{"data":[%b],"total":%d}' % (b",".join(map(self.rendered, ids)), total)

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
