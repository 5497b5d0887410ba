"""The faults that a server can throw, each as a card: what it does, and whether what was asked is done."""

import asyncio
import gzip
import json
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeAlias

from attrs import frozen
from faults.behaviours import CHUNKED, ENDLESS, PAGE, close, drip, explode, hang, http, refusal, reset
from faults.server import Exchange

from soak.account import Kind, Truth, exists, row

Play: TypeAlias = Callable[[Exchange, Truth], Awaitable[None]]

_ANY: Final[frozenset[Kind]] = frozenset({"customer", "search", "page", "event", "update"})
_CUSTOMER: Final[frozenset[Kind]] = frozenset({"customer"})
_SEARCH: Final[frozenset[Kind]] = frozenset({"search"})
_PAGES: Final[frozenset[Kind]] = frozenset({"page"})


@frozen
class Card:
    """One fault."""

    name: str
    play: Play
    carries_out: bool | None = None  # None: the client cannot know, so either happens
    fits: frozenset[Kind] = _ANY
    bursts: bool = False  # the requests after it meet the same
    is_outage: bool = False  # nobody listens for a moment after it


def sends(make: Callable[[Truth], bytes]) -> Play:
    """Answer, and close the connection."""

    async def play(exchange: Exchange, truth: Truth) -> None:
        exchange.writer.write(make(truth))
        await exchange.writer.drain()
        exchange.writer.close()

    return play


def _always(act: Callable[[Exchange], Awaitable[None]]) -> Play:
    async def play(exchange: Exchange, _: Truth) -> None:
        await act(exchange)

    return play


def _half(body: bytes) -> bytes:
    return body[: len(body) // 2]


async def honest(exchange: Exchange, truth: Truth) -> None:
    """Answer as HelpCrunch does."""
    exchange.writer.write(http(truth.body, status=truth.status, connection="keep-alive"))
    await exchange.writer.drain()


async def _twice(exchange: Exchange, truth: Truth) -> None:
    answer = http(truth.body, status=truth.status, connection="keep-alive")
    exchange.writer.write(answer + answer)
    await exchange.writer.drain()


async def _leave_unannounced(exchange: Exchange, truth: Truth) -> None:
    await honest(exchange, truth)
    await asyncio.sleep(0)
    exchange.writer.close()


async def _stall(exchange: Exchange, truth: Truth) -> None:
    exchange.writer.write(http(_half(truth.body), length=len(truth.body), status=truth.status))
    await exchange.until_the_client_leaves()


async def _reset_in_the_body(exchange: Exchange, truth: Truth) -> None:
    exchange.writer.write(http(_half(truth.body), length=len(truth.body), status=truth.status))
    await asyncio.sleep(0.002)
    await reset(exchange)


def _chunk(body: bytes, sent: bytes) -> bytes:
    return CHUNKED + b"%x\r\n" % len(body) + sent


def _zipped(truth: Truth) -> bytes:
    squeezed = gzip.compress(truth.body, 1)
    return http(_half(squeezed), "Content-Encoding: gzip", status=truth.status)


def _well_zipped(truth: Truth) -> bytes:
    return http(gzip.compress(truth.body, 1), "Content-Encoding: gzip", status=truth.status)


def _status(status: str, body: bytes = PAGE, *headers: str) -> Play:
    return sends(lambda _: http(body, *headers, status=status))


def _body(body: bytes) -> Play:
    return sends(lambda _: http(body))


def _remade(remake: Callable[[list[Any], Truth], Any]) -> Play:
    """Answer with other rows than the true ones."""

    def make(truth: Truth) -> bytes:
        page = json.loads(truth.body)
        page["data"] = remake(page["data"], truth)
        return http(json.dumps(page).encode(), status=truth.status)

    return sends(make)


def _with_nulls(truth: Truth) -> bytes:
    if not exists(truth.ids[0]):
        return http(truth.body, status=truth.status)
    return http(json.dumps(dict.fromkeys(row(1)) | {"id": truth.ids[0]}).encode())


def _strangers(data: list[Any], truth: Truth) -> list[Any]:
    return [*data, row(max(truth.ids) * 20 + 1)]


def _one_bad_row(data: list[Any], _: Truth) -> list[Any]:
    return [*data[:-1], {"id": "seven"}]


_REPEATED: Final = (408, 500, 502, 503, 504, 520, 521, 522, 523, 524)
_REFUSED: Final = (301, 302, 304, 307, 308, 400, 401, 403, 405, 409, 422)

CARDS: Final = (
    Card("nobody listens for a moment", honest, carries_out=True, is_outage=True),
    Card("closed", _always(close)),
    Card("reset", _always(reset)),
    Card("closed in the head", sends(lambda _: b"HTTP/1.1 200")),
    Card("closed while idle, unannounced", _leave_unannounced, carries_out=True),
    Card("reset in the body", _reset_in_the_body, carries_out=True),
    Card(
        "short of its Content-Length",
        sends(lambda truth: http(_half(truth.body), length=len(truth.body), status=truth.status)),
        carries_out=True,
    ),
    Card(
        "a chunk cut off",
        sends(lambda truth: _chunk(truth.body, _half(truth.body))),
        carries_out=True,
    ),
    Card("no last chunk", sends(lambda truth: _chunk(truth.body, truth.body)), carries_out=True),
    Card("cut without a Content-Length", sends(lambda truth: ENDLESS + _half(truth.body)), carries_out=True),
    Card("half of the gzip", sends(_zipped), carries_out=True),
    Card("gzip", sends(_well_zipped), carries_out=True),
    Card("no gzip at all", sends(lambda _: http(b"plain", "Content-Encoding: gzip")), carries_out=True),
    Card(
        "an unknown encoding",
        sends(lambda truth: http(b"\x0b" + truth.body, "Content-Encoding: unheard-of")),
        carries_out=True,
    ),
    Card("gzip bomb", _always(explode), carries_out=True),
    Card("broken status line", sends(lambda _: b"HELLO\r\n\r\n")),
    Card("TLS bytes", sends(lambda _: b"\x16\x03\x01\x02\x00")),
    Card("two lengths", sends(lambda truth: http(truth.body, "Content-Length: 3"))),
    Card("a bad chunk", sends(lambda _: CHUNKED + b"zz\r\n")),
    Card("20 kB header", sends(lambda truth: http(truth.body, "X-Long: " + "x" * 20_000))),
    Card("two answers", _twice, carries_out=True, fits=_CUSTOMER),
    Card("silence", _always(hang)),
    Card("silence in the body", _stall, carries_out=True),
    Card("a byte now and then", _always(drip), carries_out=True),
    *(Card(f"{each}", _status(f"{each} Failed")) for each in _REPEATED),
    Card("a burst of 503", _status("503 Down"), bursts=True),
    Card("501", _status("501 No")),
    *(Card(f"{each}", _status(f"{each} No"), carries_out=False) for each in _REFUSED),
    Card("404 to a search", _status("404 No"), fits=_SEARCH),
    Card("413 to a search", _status("413 No"), fits=_SEARCH),
    Card("307 to another host", _status("307 No", b"", "Location: http://127.0.0.1:9/"), carries_out=False),
    Card("429", sends(lambda _: refusal()), carries_out=False),
    Card("a burst of 429", sends(lambda _: refusal()), carries_out=False, bursts=True),
    Card("429, Retry-After: 0", sends(lambda _: refusal("Retry-After: 0")), carries_out=False),
    Card("429, Retry-After: 1", sends(lambda _: refusal("Retry-After: 1")), carries_out=False),
    Card("429, Retry-After: nan", sends(lambda _: refusal("Retry-After: nan")), carries_out=False),
    Card(
        "429, Retry-After in 1999",
        sends(lambda _: refusal("Retry-After: Wed, 01 Dec 1999 16:00:00 GMT")),
        carries_out=False,
    ),
    Card("HTML under 200", _body(PAGE), carries_out=True),
    Card("half of the JSON", sends(lambda truth: http(_half(truth.body))), carries_out=True),
    Card("BOM", sends(lambda truth: http(b"\xef\xbb\xbf" + truth.body)), carries_out=True),
    Card("latin-1", _body(b'{"name": "Zo\xeb"}'), carries_out=True),
    Card("NaN", _body(b'{"id": NaN}'), carries_out=True),
    Card("100,000 brackets", _body(b"[" * 100_000 + b"]" * 100_000), carries_out=True),
    Card("5000 digits", _body(b'{"id": ' + b"7" * 5000 + b"}"), carries_out=True),
    Card("204", sends(lambda _: b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"), carries_out=True),
    Card("empty 200", _body(b""), carries_out=True),
    Card("Ok", _body(b"Ok"), carries_out=True),
    Card("a wrong type", _body(b'{"id": "seven", "data": 7}'), carries_out=True),
    Card("a list", _body(b"[7]"), carries_out=True),
    Card("null", _body(b"null"), carries_out=True),
    Card("nulls everywhere", sends(_with_nulls), fits=_CUSTOMER),
    Card("rows missing", _remade(lambda data, _: data[::2]), fits=_SEARCH),
    Card("rows twice, backwards", _remade(lambda data, _: [*data, *data][::-1]), fits=_SEARCH),
    Card("a stranger's row", _remade(_strangers), fits=_SEARCH),
    Card("a row of no type", _remade(lambda data, _: [*data[1:], 7, None, {}]), fits=_SEARCH),
    Card("null for rows", _remade(lambda _, __: None), fits=_SEARCH | _PAGES),
    Card("one bad row", _remade(_one_bad_row), fits=_PAGES),
)
