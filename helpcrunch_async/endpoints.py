"""The endpoints of REST API v1: method, path, and whether sending twice does what sending once does.

Source: https://docs.helpcrunch.com/en/rest-api-v1, one page per endpoint.
"""

from collections.abc import Mapping
from typing import Any, Final

from attrs import frozen

from helpcrunch_async.checks import check_flag, check_text
from helpcrunch_async.protocol import JSON, Request, path_segment


@frozen
class Endpoint:
    """One method and path; `{id}` in the path stands for an id."""

    method: str
    path: str
    repeatable: bool = True
    changes: bool = False
    """Whether it changes something; a GET may, and a POST need not."""
    acknowledges: bool = False
    """Whether its answer says no more than "Ok"."""
    gone_is_done: bool = False
    """Whether a 404 after an attempt of unknown outcome is what was wanted."""

    def request(
        self,
        resource_id: int | None = None,
        *,
        query: Mapping[str, str | int] | None = None,
        body: JSON = None,
    ) -> Request:
        """Make a request to this endpoint."""
        path = self.path if resource_id is None else self.path.replace("{id}", path_segment(resource_id))
        return Request(
            self.method,
            path,
            self.path,
            self.repeatable,
            query,
            body,
            changes=self.changes,
            acknowledges=self.acknowledges,
            gone_is_done=self.gone_is_done,
        )


_METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")


def raw_request(
    method: str, path: str, *, query: Mapping[str, str | int] | None, body: JSON, repeatable: bool | None
) -> Request:
    """Make a request to an endpoint that is not in the table below.

    Raises:
        TypeError: an argument of the wrong kind.
        ValueError: another method, or a path that would leave the API or holds a query.
    """
    if method not in _METHODS:
        raise ValueError(f"method is one of {', '.join(_METHODS)}, not {method!r}")
    check_text("path", path)
    if "?" in path or "#" in path:
        raise ValueError("path holds a query or a fragment: give the former as `query`")
    segments = [path_segment(each) for each in path.removeprefix("/").split("/")]
    # whatever is not a plain word may be an id or an e-mail address, which logs do not show
    template = "/".join(each if each.isalpha() else "{}" for each in segments)
    _check_query(query or {})
    return Request(
        method,
        "/".join(segments),
        template,
        method == "GET" if repeatable is None else check_flag("repeatable", repeatable),
        query,
        body,
        changes=method != "GET",
        acknowledges=True,
    )


def _check_query(query: Mapping[Any, Any]) -> None:
    for name, value in query.items():
        if not isinstance(name, str) or isinstance(value, bool) or not isinstance(value, str | int):
            raise TypeError("query is a mapping of names to text or whole numbers")


LIST_CUSTOMERS: Final = Endpoint("GET", "customers")
SEARCH_CUSTOMERS: Final = Endpoint("POST", "customers/search")
GET_CUSTOMER: Final = Endpoint("GET", "customers/{id}")
CREATE_CUSTOMER: Final = Endpoint("POST", "customers", changes=True, repeatable=False)
REPLACE_CUSTOMER: Final = Endpoint("PUT", "customers/{id}", changes=True)
UPDATE_CUSTOMER: Final = Endpoint("PATCH", "customers/{id}", changes=True)
# what a batch answers is not documented
BATCH_UPDATE_CUSTOMERS: Final = Endpoint("PUT", "customers/batch", changes=True, acknowledges=True)
DELETE_CUSTOMER: Final = Endpoint(
    "DELETE", "customers/{id}", changes=True, acknowledges=True, gone_is_done=True
)
TAG_CUSTOMER: Final = Endpoint("PUT", "customers/{id}/tags", changes=True)
UNTAG_CUSTOMER: Final = Endpoint("DELETE", "customers/{id}/tags", changes=True)

CREATE_EVENT: Final = Endpoint("POST", "events", changes=True, repeatable=False)

LIST_CHATS: Final = Endpoint("GET", "chats")
SEARCH_CHATS: Final = Endpoint("POST", "chats/search")
GET_CHAT: Final = Endpoint("GET", "chats/{id}")
CREATE_CHAT: Final = Endpoint("POST", "chats", changes=True, repeatable=False)
# these name their chat in the body
SET_CHAT_STATUS: Final = Endpoint("PUT", "chats/status", changes=True)
ASSIGN_CHAT: Final = Endpoint("PUT", "chats/assignee", changes=True)
SET_CHAT_DEPARTMENT: Final = Endpoint("PUT", "chats/department", changes=True)
SNOOZE_CHAT: Final = Endpoint("PUT", "chats/snooze", changes=True)
RATE_CHAT: Final = Endpoint("PUT", "chats/rate", changes=True)
MARK_CHAT_READ_BY_AGENT: Final = Endpoint("PUT", "chats/readByAgent", changes=True)
MARK_CHAT_READ_BY_CUSTOMER: Final = Endpoint("PUT", "chats/readByCustomer", changes=True)

LIST_MESSAGES: Final = Endpoint("GET", "chats/{id}/messages")
CREATE_MESSAGE: Final = Endpoint("POST", "messages", changes=True, repeatable=False)

LIST_AGENTS: Final = Endpoint("GET", "agents")
UNSUBSCRIBE_AGENT: Final = Endpoint(
    "GET", "agents/{id}/unsubscribe", changes=True, repeatable=False, acknowledges=True
)
LIST_DEPARTMENTS: Final = Endpoint("GET", "departments")
LIST_APPLICATIONS: Final = Endpoint("GET", "applications")
GET_ORGANIZATION: Final = Endpoint("GET", "organization")

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
