"""The endpoints of REST API v1: method, path, and whether sending twice does what sending once does.

Source: https://docs.helpcrunch.com/en/rest-api-v1, one page per endpoint.
"""

from collections.abc import Mapping
from typing import Final

from attrs import frozen

from helpcrunch_async.protocol import JSON, Request, path_segment


@frozen
class Endpoint:
    """One method and path; `{id}` in the path stands for an id."""

    method: str
    path: str
    repeatable: bool

    def request(
        self,
        resource_id: int | None = None,
        *,
        query: Mapping[str, str | int] | None = None,
        body: JSON = None,
    ) -> Request:
        """Make a request to this endpoint."""
        path = self.path if resource_id is None else self.path.replace("{id}", path_segment(resource_id))
        return Request(self.method, path, self.path, self.repeatable, query, body)


LIST_CUSTOMERS: Final = Endpoint("GET", "customers", repeatable=True)
SEARCH_CUSTOMERS: Final = Endpoint("POST", "customers/search", repeatable=True)
GET_CUSTOMER: Final = Endpoint("GET", "customers/{id}", repeatable=True)

_ORDERS: Final = ("asc", "desc")


def sorting(noun: str, sorts: tuple[str, ...], sort: str | None, order: str | None) -> dict[str, str]:
    """Write sort and order as the API takes them: the field with its noun before it.

    Raises:
        ValueError: an unknown sort or order.
    """
    if sort is not None and sort not in sorts:
        raise ValueError(f"sort is one of {', '.join(sorts)}, not {sort!r}")
    if order is not None and order not in _ORDERS:
        raise ValueError(f"order is one of {', '.join(_ORDERS)}, not {order!r}")
    query: dict[str, str] = {}
    if sort is not None:
        query["sort"] = f"{noun}.{sort}"
    if order is not None:
        query["order"] = order
    return query
