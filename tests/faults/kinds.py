"""Every kind of request of the API, and the statuses that it may be answered with."""

from typing import Final

from attrs import frozen

from faults.any_request import answered
from faults.case import Line
from helpcrunch_async import (
    APIError,
    AuthenticationError,
    BadRequestError,
    ConflictError,
    NotFoundError,
    PermissionDeniedError,
    ServerError,
    endpoints,
)
from helpcrunch_async.protocol import Request


@frozen
class Kind:
    """Requests that the retry table treats alike."""

    name: str
    request: Request
    changes: bool


def _kind(request: Request, *, repeatable: bool, changes: bool) -> Kind:
    assert repeatable == request.repeatable
    return Kind(f"{request.method} {request.template}", request, changes)


_BODY: Final = {"name": "Mara"}

KINDS: Final = (
    _kind(endpoints.GET_CUSTOMER.request(7), repeatable=True, changes=False),
    _kind(endpoints.SEARCH_CUSTOMERS.request(body={"filter": []}), repeatable=True, changes=False),
    _kind(endpoints.SEARCH_CHATS.request(body={"filter": []}), repeatable=True, changes=False),
    _kind(endpoints.REPLACE_CUSTOMER.request(7, body=_BODY), repeatable=True, changes=True),
    _kind(endpoints.UPDATE_CUSTOMER.request(7, body=_BODY), repeatable=True, changes=True),
    _kind(endpoints.DELETE_CUSTOMER.request(7), repeatable=True, changes=True),
    _kind(endpoints.UNTAG_CUSTOMER.request(7, body={"tags": []}), repeatable=True, changes=True),
    _kind(endpoints.BATCH_UPDATE_CUSTOMERS.request(body=[{"customer": 7}]), repeatable=True, changes=True),
    _kind(
        endpoints.SET_CHAT_STATUS.request(body={"id": 7, "status": "closed"}), repeatable=True, changes=True
    ),
    _kind(endpoints.CREATE_CUSTOMER.request(body=_BODY), repeatable=False, changes=True),
    _kind(endpoints.CREATE_CHAT.request(body={"customer": 7}), repeatable=False, changes=True),
    _kind(endpoints.CREATE_MESSAGE.request(body={"chat": 7}), repeatable=False, changes=True),
    _kind(endpoints.CREATE_EVENT.request(body={"customer": 7}), repeatable=False, changes=True),
    _kind(endpoints.UNSUBSCRIBE_AGENT.request(7), repeatable=False, changes=True),
)

_REPEATED: Final = (408, 500, 502, 503, 504, 520, 521, 522, 523, 524)
_OTHER_5XX: Final = (501, 505, 525)
_REDIRECTS: Final = (301, 302, 304, 307, 308)
_NAMED: Final[dict[int, type[APIError]]] = {
    400: BadRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
}
_UNNAMED: Final = (405, 410, 413, 422)

STATUSES: Final = (
    *(answered(f"{each} No", Line.SAID_NO, APIError) for each in (*_REDIRECTS, *_UNNAMED)),
    *(answered(f"{each} No", Line.SAID_NO, error) for each, error in _NAMED.items()),
    *(
        answered(f"{each} Failed", Line.STATUS, APIError if each == 408 else ServerError)
        for each in _REPEATED
    ),
    *(answered(f"{each} Failed", Line.OTHER_5XX, ServerError) for each in _OTHER_5XX),
)
"""Every status that the retry table speaks of, and some that it does not name."""
