"""Faults that any request may meet, whatever it asks for."""

from typing import Final

import attrs

from faults.behaviours import (
    CHUNKED,
    CUSTOMER,
    ENDLESS,
    GOOD,
    PAGE,
    TRUNCATED,
    ZIPPED,
    close,
    drip,
    explode,
    hang,
    http,
    refusal,
    reset,
    speak_plainly,
    stall,
)
from faults.case import Case, Fault, Line
from faults.stages import (
    Staging,
    answering,
    no_handshake,
    no_such_host,
    nobody_accepting,
    nobody_listening,
    showing,
)
from helpcrunch_async import (
    APIError,
    BadRequestError,
    ConnectionFailedError,
    DecodeError,
    NotFoundError,
    RateLimitError,
    RequestTimeoutError,
    ResponseTooLargeError,
    ServerError,
    TransportError,
)


def _bytes(name: str, reply: bytes, line: Line, error: type[Exception], words: str) -> Case:
    return Case(name, answering(reply), line, error, words)


def answered(status: str, line: Line, error: type[Exception], body: bytes = b"") -> Case:
    """A fault that is a status."""
    return _bytes(status, http(body, status=status), line, error, status[:3])


def _short(name: str, reply: bytes, words: str) -> Case:
    return attrs.evolve(_unreadable(name, reply, words), acknowledges=True)


def _unreadable(name: str, reply: bytes, words: str) -> Case:
    return _bytes(name, reply, Line.UNREADABLE, DecodeError, words)


def _silent(name: str, stage: Staging) -> Case:
    return Case(name, stage, Line.BROKEN, RequestTimeoutError, "no whole reply", timeout=0.6, lasts=True)


_BROKEN, _FAILED = Line.BROKEN, ConnectionFailedError
_DAMAGED: Final = "cut off or damaged"
_NOT_HTTP: Final = "not HTTP"


FAULTS: Final = (
    Fault(
        1,
        "connection refused",
        (Case("nobody listens", nobody_listening, Line.NEVER_SENT, _FAILED, "no connection"),),
    ),
    Fault(
        2,
        "DNS failure",
        (Case("the name does not resolve", no_such_host, Line.NEVER_SENT, _FAILED, "could not be resolved"),),
    ),
    Fault(
        3,
        "TLS: plain port, bad certificate",
        (
            Case(
                "plain HTTP on the port",
                answering(b"", greeting=speak_plainly),
                Line.NEVER_SENT,
                _FAILED,
                "TLS handshake failed",
            ),
            Case(
                "a certificate that nobody trusts",
                showing("127.0.0.1", GOOD, trusted=False),
                Line.CERTIFICATE,
                _FAILED,
                "certificate is not valid: no authority that is trusted here",
            ),
            Case(
                "a certificate for another host",
                showing("host.example", GOOD, trusted=True),
                Line.CERTIFICATE,
                _FAILED,
                "certificate is not valid: it is another host's",
            ),
            Case(
                "a certificate that has expired",
                showing("127.0.0.1", GOOD, trusted=True, expired=True),
                Line.CERTIFICATE,
                _FAILED,
                "certificate is not valid: it has expired",
            ),
        ),
    ),
    Fault(
        4,
        "connect or handshake hangs",
        (
            Case(
                "nobody accepts",
                nobody_accepting,
                Line.NEVER_SENT,
                _FAILED,
                "in time",
                lasts=True,
                platform="linux",  # elsewhere a full queue refuses
            ),
            Case(
                "the TLS handshake hangs",
                no_handshake,
                Line.NEVER_SENT,
                _FAILED,
                "in time",
                lasts=True,
            ),
        ),
    ),
    Fault(
        5,
        "peer closes or resets before answering",
        (
            Case("closed", answering(close), _BROKEN, _FAILED, "broke"),
            Case("reset", answering(reset), _BROKEN, _FAILED, "broke"),
            _bytes("closed in the head", b"HTTP/1.1 200", _BROKEN, _FAILED, "broke"),
        ),
    ),
    Fault(
        7,
        "reset or short body",
        (
            _bytes("short of its Content-Length", TRUNCATED, Line.UNREADABLE, _FAILED, _DAMAGED),
            _bytes(
                "a chunk cut off", CHUNKED + b"30\r\n" + CUSTOMER[:40], Line.UNREADABLE, _FAILED, _DAMAGED
            ),
            _bytes(
                "no last chunk",
                CHUNKED + b"%x\r\n" % len(CUSTOMER) + CUSTOMER,
                Line.UNREADABLE,
                _FAILED,
                _DAMAGED,
            ),
        ),
    ),
    Fault(
        8,
        "body cut without a Content-Length",
        (_unreadable("half of the JSON", ENDLESS + CUSTOMER[:40], "not JSON"),),
    ),
    Fault(
        9,
        "gzip body cut, Content-Length matching",
        (
            _unreadable("half of the gzip", http(ZIPPED[:60], "Content-Encoding: gzip"), "not JSON"),
            _bytes(
                "no gzip at all", http(b"plain", "Content-Encoding: gzip"), Line.UNREADABLE, _FAILED, _DAMAGED
            ),
            _unreadable("an unknown encoding", http(b"abc", "Content-Encoding: unheard-of"), "not JSON"),
        ),
    ),
    Fault(
        10,
        "broken HTTP",
        (
            _bytes(
                "status line",
                b"HELLO mara.quill@customer.example\r\n\r\n",
                _BROKEN,
                TransportError,
                _NOT_HTTP,
            ),
            _bytes("TLS bytes", b"\x16\x03\x01\x02\x00", _BROKEN, TransportError, _NOT_HTTP),
            _bytes("two lengths", http(CUSTOMER, "Content-Length: 3"), _BROKEN, TransportError, _NOT_HTTP),
            _bytes("bad chunk", CHUNKED + b"zz\r\n", _BROKEN, TransportError, _NOT_HTTP),
            _bytes(
                "20 kB header",
                http(CUSTOMER, "X-Long: mara.quill@customer.example" + "x" * 20_000),
                _BROKEN,
                TransportError,
                _NOT_HTTP,
            ),
        ),
    ),
    Fault(
        11,
        "no byte, or silence mid-body",
        (_silent("no byte", answering(hang)), _silent("silence in the body", answering(stall))),
    ),
    Fault(12, "a byte now and then", (_silent("dripping", answering(drip)),)),
    Fault(
        13,
        "500/502/503/504 burst",
        tuple(
            answered(status, Line.STATUS, ServerError)
            for status in ("500 Oops", "502 Bad Gateway", "503 Down", "504 Time-out")
        ),
    ),
    Fault(
        14,
        "429, with or without Retry-After",
        (
            _bytes("bare", refusal(), Line.REFUSED, RateLimitError, "too_many_requests"),
            _bytes("come back at once", refusal("Retry-After: 0"), Line.REFUSED, RateLimitError, "429"),
            _bytes("come back much later", refusal("Retry-After: 60"), Line.PATIENCE, RateLimitError, "429"),
            _bytes("unreadable", refusal("Retry-After: nan"), Line.REFUSED, RateLimitError, "429"),
        ),
    ),
    Fault(
        15,
        "a body that is no JSON under 200",
        (
            _unreadable("HTML page", http(PAGE), "not JSON"),
            _unreadable("JSON cut short", http(CUSTOMER[:40]), "not JSON"),
            _unreadable("BOM", http(b"\xef\xbb\xbf" + CUSTOMER), "not JSON"),
            _unreadable("latin-1", http(CUSTOMER[:-1] + b', "name": "Zo\xeb"}'), "not UTF-8"),
            _unreadable("NaN", http(b'{"id": NaN}'), "not JSON"),
            _unreadable("100,000 brackets", http(b"[" * 100_000 + b"]" * 100_000), "not JSON"),
            _unreadable("5000 digits", http(b'{"id": ' + b"7" * 5000 + b"}"), "not JSON"),
        ),
    ),
    Fault(
        16,
        "HTML page under 4xx/5xx",
        (
            answered("400 Bad Request", Line.SAID_NO, BadRequestError, PAGE),
            answered("404 Not Found", Line.SAID_NO, NotFoundError, PAGE),
            answered("503 Unavailable", Line.STATUS, ServerError, PAGE),
        ),
    ),
    Fault(
        18,
        "gzip bomb",
        (
            Case(
                "50 kB that become 50 MB",
                answering(explode),
                Line.TOO_LARGE,
                ResponseTooLargeError,
                "larger than",
            ),
        ),
    ),
    Fault(
        19,
        "redirect to another host",
        tuple(
            _bytes(
                status,
                http(b"", "Location: http://127.0.0.1:9/", status=f"{status} Elsewhere"),
                Line.SAID_NO,
                APIError,
                status,
            )
            for status in ("301", "302", "303", "307", "308")
        ),
    ),
    Fault(
        20,
        "204, an empty 200, or `Ok` as text, where something is promised",
        (
            _short("204", b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n", "no body"),
            _short("empty 200", http(b""), "no body"),
            _short("Ok", http(b"Ok"), "not JSON"),
        ),
    ),
)
