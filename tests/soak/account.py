"""The account behind the server: who exists, what the honest answer to a request is, what was carried out."""

import json
from collections.abc import Callable, Iterable
from typing import Any, Final, Literal, TypeAlias
from urllib.parse import parse_qs

from attrs import frozen

Kind: TypeAlias = Literal["customer", "search", "page", "event", "update"]

_GAP: Final = 20  # every so many ids there is one that does not exist
_NOT_FOUND: Final = b'{"errors":[{"code":"not_found","message":"Customer not found"}]}'


@frozen
class Truth:
    """The honest answer to one request."""

    kind: Kind
    body: bytes
    status: str = "200 OK"
    ids: tuple[int, ...] = ()
    carry_out: Callable[[], None] = lambda: None


def exists(customer_id: int) -> bool:
    """Tell whether there is such a customer."""
    return customer_id % _GAP != 0


def name_of(customer_id: int) -> str:
    """Give the name that only this customer has."""
    return f"Customer {customer_id}"


def row(customer_id: int) -> dict[str, Any]:
    """Give a customer as the API shows it."""
    return {
        "id": customer_id,
        "name": name_of(customer_id),
        "email": f"customer.{customer_id}@example.com",
        "userId": f"acct_{customer_id}",
        "firstSeen": 1588927354,
        "location": {"countryCode": "US", "city": "San Francisco"},
        "tags": [{"name": "lead", "color": "#00c2e0"}],
        "customData": {"Plan": "Team", "Seats": 12},
    }


def rows(ids: Iterable[int], total: int) -> bytes:
    """Give a page of customers."""
    return json.dumps({"data": [row(each) for each in ids], "total": total}).encode()


class Account:
    """Customers 1 to `size`, one in twenty of which does not exist."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.listed = size - size // _GAP
        """How many exist."""
        self.carried_out = bytearray(size + 1)
        """How often something was done to each, since the last `forget`."""

    def forget(self) -> None:
        """Begin to count anew."""
        self.carried_out = bytearray(self.size + 1)

    def listed_id(self, place: int) -> int:
        """Give the id at a place of the listing."""
        return place + place // (_GAP - 1) + 1

    def answer(self, request: bytes) -> Truth:
        """Answer one request honestly."""
        head, _, body = request.partition(b"\r\n\r\n")
        method, target = head.decode("ascii").split(" ", 2)[:2]
        path, _, query = target.partition("?")
        if path == "/v1/events":
            return self._change("event", json.loads(body)["customer"])
        if path == "/v1/customers/search":
            return self._search(json.loads(body))
        if path == "/v1/customers":
            wanted = parse_qs(query)
            return self._page(int(wanted["offset"][0]), int(wanted["limit"][0]))
        customer_id = int(path.rpartition("/")[2])
        if method == "PATCH":
            return self._change("update", customer_id)
        return _one("customer", customer_id)

    def _search(self, body: dict[str, Any]) -> Truth:
        filters = body["filter"]
        if body["comparison"] != "OR":
            return self._page(body["offset"], body["limit"])
        ids = tuple(each["value"] for each in filters)
        found = [each for each in ids if exists(each)]
        return Truth("search", rows(found, len(found)), ids=ids)

    def _page(self, offset: int, limit: int) -> Truth:
        ids = tuple(self.listed_id(each) for each in range(offset, min(offset + limit, self.listed)))
        return Truth("page", rows(ids, self.listed), ids=ids)

    def _change(self, kind: Kind, customer_id: int) -> Truth:
        def carry_out() -> None:
            self.carried_out[customer_id] = min(self.carried_out[customer_id] + 1, 255)

        return _one(kind, customer_id, carry_out)


def _one(kind: Kind, customer_id: int, carry_out: Callable[[], None] = lambda: None) -> Truth:
    if not exists(customer_id):
        return Truth(kind, _NOT_FOUND, "404 Not Found", (customer_id,))
    answer = {"id": 1, "name": "Soaked", "data": {}} if kind == "event" else row(customer_id)
    return Truth(kind, json.dumps(answer).encode(), "200 OK", (customer_id,), carry_out)
