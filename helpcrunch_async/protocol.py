"""The HTTP conversation as plain functions: no I/O, no clock of its own, nothing about customers.

A `Request` says what is asked, a `Reply` what came back; `read` turns the one into JSON or raises the
error it stands for. Source: https://docs.helpcrunch.com/en/rest-api-v1/api-setup-v1
"""

import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from typing import Any, TypeAlias
from urllib.parse import SplitResult, quote, urlencode, urlsplit

from attrs import define, field

from helpcrunch_async._version import __version__
from helpcrunch_async.errors import (
    APIError,
    AuthenticationError,
    BadRequestError,
    ConflictError,
    DecodeError,
    ErrorDetail,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
)
from helpcrunch_async.redaction import RedactedBytes, Secret, hide_locals, snippet_of, to_secret
from helpcrunch_async.strict_json import NotJSONError, dumps, loads

JSON: TypeAlias = Any
"""What `json.loads` gives."""

BASE_URL = "https://api.helpcrunch.com/v1"
USER_AGENT = f"helpcrunch-async/{__version__}"
LONGEST_RETRY_AFTER = 86_400.0  # seconds; a header that asks for more than a day is not believed

# what RFC 3986 and yarl take, and the underscores of container names
_AUTHORITY = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[\w.-]+)(:[0-9]*)?", re.ASCII)
_PATH = re.compile(r"(/([\w.~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})*)*", re.ASCII)

_GENERIC_CODE = "invalid_request"  # newer error bodies put this before the code that says something
_ERROR_BY_STATUS: dict[int, type[APIError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    429: RateLimitError,
}


@define
class Request:
    """One request, below the base URL. Not changed once made; freezing it would double its cost.

    `template` is the path without its ids, for logs. `repeatable` is a fact of the endpoint, not of the
    verb: True when sending it twice does what sending it once does. So is `changes`: whether it changes
    anything. `acknowledges` says that the whole answer is "Ok", as text or as JSON. `gone_is_done` is for a
    deletion: a 404 after an attempt that may have deleted the thing means that it did.
    """

    method: str
    path: str
    template: str
    repeatable: bool
    query: Mapping[str, str | int] | None = field(default=None, repr=False)
    body: JSON = field(default=None, repr=False)
    changes: bool = False
    acknowledges: bool = False
    gone_is_done: bool = False


@define
class Reply:
    """What came over the wire, read to the last byte. Headers are looked up in lower case."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


@hide_locals
def check_api_key(key: object) -> Secret:
    """Take a key as it must be sent, whole and alone.

    Raises:
        TypeError: it is not a string.
        ValueError: it is empty, or holds what a key cannot hold; the text never shows the key.
    """
    secret = to_secret("the API key", key)
    text = secret.expose()
    if not text.strip():
        raise ValueError("no API key: pass it to HelpCrunchClient or set HELPCRUNCH_API_KEY")
    if text != text.strip():
        raise ValueError("the API key begins or ends with white space")
    if "<" in text or ">" in text:
        raise ValueError("the API key holds < or >: send the key itself, without the placeholder's brackets")
    if not (text.isascii() and text.isprintable()) or " " in text:
        raise ValueError("the API key holds a space, a control character or a non-ASCII character")
    return secret


def check_base_url(url: object, *, allow_http: bool = False) -> str:
    """Take a base URL; a trailing slash is dropped.

    Raises:
        TypeError: it is not a string.
        ValueError: it is not https (http only on loopback, or with `allow_http`), or holds credentials,
            a query or a fragment.
    """
    if not isinstance(url, str):
        raise TypeError(f"base_url is a str, not {type(url).__name__}")
    if not (url.isascii() and url.isprintable()) or " " in url:
        raise ValueError("base_url is not a URL with an ASCII host, or holds a space")
    parts = _split(url)
    if parts.username is not None or parts.password is not None:
        raise ValueError("base_url holds credentials; the key goes into its own argument")
    if parts.query or parts.fragment or url.endswith(("?", "#")):
        raise ValueError("base_url holds a query or a fragment")
    host = _check_host(parts)
    if not _PATH.fullmatch(parts.path):
        raise ValueError("base_url holds a character in its path that must be percent-encoded")
    if parts.scheme == "http":
        if not (allow_http or _is_loopback(host)):
            raise ValueError("base_url is plain http off this machine: use https, or allow_http=True")
    elif parts.scheme != "https":
        raise ValueError("base_url begins with neither https:// nor http://")
    return url.rstrip("/")


def _split(url: str) -> SplitResult:
    with suppress(ValueError):  # its text may repeat credentials
        return urlsplit(url)
    raise ValueError("base_url is not a URL with a host")


def _check_host(parts: SplitResult) -> str:
    host = parts.hostname
    if not host or not _AUTHORITY.fullmatch(parts.netloc):
        raise ValueError("base_url is not a URL with a host, or its port is no number")
    if parts.netloc.startswith("[") and not _is_ip_address(host):
        raise ValueError("base_url is not a URL with a host: what is in its brackets is no IPv6 address")
    if parts.port == 0:  # reading .port also refuses one above 65535
        raise ValueError("base_url has port 0")
    return host


def _is_ip_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    return host == "localhost" or (_is_ip_address(host) and ip_address(host).is_loopback)


def foreign_host(base_url: str) -> str | None:
    """Return the host of a base URL that was checked, if it is neither HelpCrunch's nor this machine."""
    host = urlsplit(base_url).hostname or ""
    own = host == "helpcrunch.com" or host.endswith(".helpcrunch.com")
    return None if own or _is_loopback(host) else host


def path_segment(value: str | int) -> str:
    """Write one value as exactly one segment of a path."""
    if value.__class__ is int:
        return str(value)  # needs no quoting
    segment = quote(str(value), safe="")
    if segment in {"", ".", ".."}:
        raise ValueError("an empty or dotted path segment would name another resource")
    return segment


def url_of(base_url: str, request: Request) -> str:
    """Give the whole URL of a request, percent-encoded."""
    url = f"{base_url}/{request.path}"
    return f"{url}?{urlencode(request.query)}" if request.query else url


def authorization_of(key: Secret) -> Secret:
    """Return the value of the header `Authorization`."""
    return Secret(f"Bearer {key.expose()}")


def headers_of(*, with_body: bool) -> dict[str, str]:
    """Return the headers of a request, but for `Authorization`."""
    headers = {"Accept": "application/json", "User-Agent": USER_AGENT}
    if with_body:
        headers["Content-Type"] = "application/json"
    return headers


@hide_locals
def encode_body(body: JSON) -> RedactedBytes | None:
    """Write a request body as JSON.

    Raises:
        ValueError: it holds NaN or an infinity, which JSON has no word for.
        TypeError: it holds something JSON has no word for.
    """
    if body is None:
        return None
    return RedactedBytes(dumps(body).encode())


def parse_retry_after(value: str | None, now: datetime) -> float | None:
    """Read a Retry-After header, in seconds or as an HTTP-date; unreadable or negative gives None.

    `now` is the wall clock, aware. The answer lies between 0 and a day.
    """
    if value is None:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        return min(float(value), LONGEST_RETRY_AFTER)  # where int() refuses thousands of digits, this is inf
    try:
        moment = parsedate_to_datetime(value)
        if moment.tzinfo is None:  # "-0000": UTC, the zone unknown
            moment = moment.replace(tzinfo=UTC)
        seconds = (moment - now).total_seconds()
    except (ValueError, OverflowError, IndexError):
        # parsedate_to_datetime promises ValueError, but lets others of a strange date through
        return None
    return min(seconds, LONGEST_RETRY_AFTER) if seconds >= 0 else None


_ACKNOWLEDGED = frozenset({b"", b"Ok", b"OK", b"ok"})
"""Bodies that are not JSON and still the promised answer; no page says whether Ok is text or JSON."""


def read(request: Request, reply: Reply, *, attempts: int, retry_after: float | None) -> JSON:
    """Turn a reply into JSON; `attempts` and `retry_after` (seconds) go onto the error.

    Raises:
        APIError: the status is not 2xx; the class follows the status.
        DecodeError: the body of a 2xx is not JSON.
    """
    if not 200 <= reply.status < 300:
        raise error_of(request, reply, attempts=attempts, retry_after=retry_after)
    if request.acknowledges and reply.body.strip() in _ACKNOWLEDGED:
        return None
    try:
        return loads(reply.body)
    except NotJSONError as error:
        problem = f"the body is {error}" if reply.body else "no body"
    # raised out here, so that what failed, with customer data in it, is nobody's __context__
    unreadable = DecodeError(
        f"{request.method} /{request.template}: {problem}",
        problems=(f"$: {problem}",),
        status=reply.status,
        content_type=reply.headers.get("content-type"),
        snippet=snippet_of(reply.body),
    )
    unreadable.outcome_unknown = request.changes
    raise unreadable


def error_of(request: Request, reply: Reply, *, attempts: int, retry_after: float | None) -> APIError:
    """Give the error that a reply stands for: its class by the status, never by the words in it."""
    errors = _error_details(reply)
    code = next((detail.code for detail in errors if detail.code and detail.code != _GENERIC_CODE), None)
    if code is None and errors:
        code = errors[0].code
    told = next((detail for detail in errors if detail.code == code), None)
    message = told.message if told is not None else snippet_of(reply.body)
    path, request_id = f"/{request.path}", request_id_of(reply)
    if reply.status == 429:
        return RateLimitError(
            message, 429, code, errors, request.method, path, attempts, request_id, retry_after=retry_after
        )
    kind = _ERROR_BY_STATUS.get(reply.status, ServerError if reply.status >= 500 else APIError)
    error = kind(message, reply.status, code, errors, request.method, path, attempts, request_id)
    # a 5xx, or a time-out told by a proxy, may come after the work was done
    error.outcome_unknown = request.changes and (reply.status >= 500 or reply.status == 408)
    return error


_REQUEST_ID = re.compile(r"[\w-]{1,100}", re.ASCII)


def request_id_of(reply: Reply) -> str | None:
    """Return what the network in front of the server, or itself, calls a request; None for what is no id."""
    for name in ("cf-ray", "x-request-id"):
        value = reply.headers.get(name)
        if value is not None and _REQUEST_ID.fullmatch(value):
            return value
    return None


def _error_details(reply: Reply) -> tuple[ErrorDetail, ...]:
    """Read `{"errors": [{code, message}...]}`, or the flat `{code, message}`; anything else is no detail."""
    try:
        body = loads(reply.body)
    except NotJSONError:
        return ()
    if not isinstance(body, dict):
        return ()
    items = body.get("errors")
    if not isinstance(items, list):
        items = [body] if "code" in body or "message" in body else []
    return tuple(_error_detail(item) for item in items if isinstance(item, dict))


def _error_detail(item: Mapping[str, object]) -> ErrorDetail:
    code, message = item.get("code"), item.get("message")
    return ErrorDetail(
        code if isinstance(code, str) else None,
        message if isinstance(message, str) else _words_of(message),
    )


def _words_of(message: object) -> str:
    return "" if message is None else dumps(message)
