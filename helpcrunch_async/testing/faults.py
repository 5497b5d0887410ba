"""What can go wrong with one request, by name, and how it looks on the wire."""

import asyncio
import socket
import struct
from collections import deque
from fnmatch import fnmatchcase
from typing import Literal, get_args

import attrs
from aiohttp import web

from helpcrunch_async.testing.answers import Answer, encode

Fault = Literal[
    "400",
    "403",
    "409",
    "429",
    "500",
    "502",
    "503",
    "504",
    "disconnect",
    "reset",
    "truncate",
    "hang",
    "stall_body",
    "slow_drip",
    "html",
    "bad_json",
    "empty",
    "redirect",
]
"""The ways in which a request can fail.

- `"400"`, `"403"`, `"409"`: that status, with a list of errors; the latter two are not documented.
- `"429"`: refused like a call over the limit, without having been counted.
- `"500"`: that status, with a JSON body that is no list of errors.
- `"502"`, `"503"`, `"504"`: that status, with the HTML page of a proxy.
- `"disconnect"`: the connection is closed before any byte of an answer.
- `"reset"`: the same with a TCP reset.
- `"truncate"`: half of the body that `Content-Length` promised, then the connection is closed.
- `"hang"`: no byte, until the client gives up or the server closes.
- `"stall_body"`: half of the body, then silence, until the client gives up or the server closes.
- `"slow_drip"`: the whole body, one byte every tenth of a second.
- `"html"`: status 200 with a page for people.
- `"bad_json"`: status 200 with JSON cut short.
- `"empty"`: status 200 without a body.
- `"redirect"`: status 307 to a path of this server that answers 404; who follows is on record.

`"truncate"`, `"stall_body"` and `"slow_drip"` damage the true answer: the request has been carried out,
though without asking the rate rule. With all others it has not.
"""

FAULTS: frozenset[str] = frozenset(get_args(Fault))
DAMAGED_ON_THE_WAY: frozenset[Fault] = frozenset({"truncate", "stall_body", "slow_drip"})
NEVER_ANSWERED: frozenset[Fault] = frozenset({"disconnect", "reset", "hang"})

DRIP_INTERVAL = 0.1
"""Seconds between two bytes of a `"slow_drip"`."""

REDIRECT_PATH = "/v1/redirected"

_HTML = "text/html; charset=UTF-8"
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


def _html_page(title: str) -> bytes:
    return f"<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>\r\n".encode()


def _errors(status: int, code: str, message: str) -> Answer:
    return Answer(status, encode({"errors": [{"code": code, "message": message}]}))


_READY_ANSWERS: dict[Fault, Answer] = {
    "400": _errors(400, "invalid_request", "Invalid request"),
    "403": _errors(403, "forbidden", "Forbidden"),
    "409": _errors(409, "conflict", "Conflict"),
    "500": Answer(500, encode({"message": {"info": "Server error"}, "code": "serverError"})),
    "502": Answer(502, _html_page("502 Bad Gateway"), _HTML),
    "503": Answer(503, _html_page("503 Service Temporarily Unavailable"), _HTML),
    "504": Answer(504, _html_page("504 Gateway Time-out"), _HTML),
    "html": Answer(200, _html_page("Sign in"), _HTML),
    "bad_json": Answer(200, b'{"id":8737843,"name":"Cindy Mi'),
    "empty": Answer(200, b""),
    "redirect": Answer(307, b"", _HTML, {"Location": REDIRECT_PATH}),
}


def ready_answer(fault: Fault) -> Answer:
    """Give the answer of a fault that is a whole HTTP answer, other than "429"."""
    return _READY_ANSWERS[fault]


@attrs.define
class _Order:
    left: int
    fault: Fault
    method: str | None
    path: str | None

    def fits(self, method: str, path: str) -> bool:
        return self.method in (None, method) and (self.path is None or fnmatchcase(path, self.path))


class FaultPlan:
    """Which of the coming requests fail, and how; orders are used up first come, first served."""

    def __init__(self) -> None:
        self._orders: deque[_Order] = deque()

    def add(self, count: int, fault: Fault, method: str | None, path: str | None) -> None:
        """Let the next `count` fitting requests fail; ValueError for an order that makes no sense."""
        if fault not in FAULTS:
            raise ValueError(f"unknown fault {fault!r}; there are {', '.join(sorted(FAULTS))}")
        if count < 1:
            raise ValueError(f"count must be at least 1, not {count}")
        if path is not None and not path.startswith("/"):
            raise ValueError(
                f'path must start with a slash and leave out the /v1, as in "/customers/*", not {path!r}'
            )
        self._orders.append(_Order(count, fault, None if method is None else method.upper(), path))

    def take(self, method: str, path: str) -> Fault | None:
        """Use up one order that fits this request, the oldest."""
        for order in self._orders:
            if order.fits(method, path):
                order.left -= 1
                if not order.left:
                    self._orders.remove(order)
                return order.fault
        return None

    def clear(self) -> None:
        """Drop every order that is left."""
        self._orders.clear()


async def send(
    request: web.BaseRequest, answer: Answer | None, fault: Fault | None, closing: asyncio.Event
) -> web.StreamResponse:
    """Send an answer as the fault has it: whole, damaged on the way, or (None) not at all.

    Whatever waits in here ends when the client gives up, or when the server is `closing`.
    """
    if answer is None:
        return await _send_nothing(request, fault, closing)
    if fault in DAMAGED_ON_THE_WAY:
        return await _send_damaged(request, fault, answer, closing)
    headers = {"Content-Type": answer.content_type, **answer.headers}
    return web.Response(status=answer.status, body=answer.body, headers=headers)


async def _send_nothing(
    request: web.BaseRequest, fault: Fault | None, closing: asyncio.Event
) -> web.StreamResponse:
    if fault == "hang":
        await closing.wait()
    transport = request.transport
    if transport is not None:
        if fault == "reset":
            connection = transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        transport.abort()
    return web.Response()  # aiohttp wants one; with the transport gone not a byte of it leaves


async def _send_damaged(
    request: web.BaseRequest, fault: Fault | None, answer: Answer, closing: asyncio.Event
) -> web.StreamResponse:
    response = web.StreamResponse(status=answer.status, headers={"Content-Type": answer.content_type})
    response.content_length = len(answer.body)
    await response.prepare(request)
    if fault == "slow_drip":
        for index in range(len(answer.body)):
            await response.write(answer.body[index : index + 1])
            await _pause(DRIP_INTERVAL, closing)
            if closing.is_set():
                break
        else:
            return response
    else:
        await response.write(answer.body[: len(answer.body) // 2])
        if fault == "stall_body":
            await closing.wait()
    if request.transport is not None:
        request.transport.close()
    return response


async def _pause(seconds: float, closing: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(seconds):
            await closing.wait()
    except TimeoutError:
        return
