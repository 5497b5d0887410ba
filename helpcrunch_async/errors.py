"""The error family: whatever goes wrong, it is one of these.

HelpCrunchError                 .outcome_unknown
├── ClientClosedError           used outside its `async with`, or after close
├── DeadlineExceededError       `deadline` ended the call; a TimeoutError too
├── WebhookSignatureError       a webhook that is not from HelpCrunch
├── TransportError              no usable reply
│   ├── ConnectionFailedError   not connected, or the connection broke
│   ├── RequestTimeoutError     `timeout` ended the attempt; a TimeoutError too
│   └── ResponseTooLargeError   the reply is larger than the cap
├── DecodeError                 a reply came, but not shaped as promised
└── APIError                    HelpCrunch said no
    ├── BadRequestError 400
    ├── AuthenticationError 401
    ├── PermissionDeniedError 403
    ├── NotFoundError 404
    ├── ConflictError 409
    ├── RateLimitError 429      .retry_after
    └── ServerError 5xx

Every error pickles, and none holds an aiohttp object or the API key. Fields are positional because
exceptions unpickle by position. Slots are off because some are also a `TimeoutError`, whose layout
leaves no room for them.
"""

import re
from typing import Any, Final

from attrs import define, field, frozen

from helpcrunch_async.redaction import path_in_text

_CODE: Final = re.compile(r"[\w.\[\]-]{1,100}", re.ASCII)


@frozen
class ErrorDetail:
    """One item of the `errors` list of a HelpCrunch error body.

    `code` is an open string: a word such as `too_many_requests`, or the path of a field such as
    `filter[0].field`.
    """

    code: str | None
    message: str


@define(slots=False, eq=False, repr=False, str=False)
class HelpCrunchError(Exception):
    """What every error of this package is.

    `outcome_unknown` is True whenever a request that changes something may have been applied.
    """

    message: str
    outcome_unknown: bool = field(default=False, init=False)

    def __str__(self) -> str:
        return self.message

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"


class ClientClosedError(HelpCrunchError):
    """The client was used outside its `async with`, or after `close()`."""


class DeadlineExceededError(HelpCrunchError, TimeoutError):
    """`deadline` ended the call: queueing, attempts and sleeps together took too long."""


class WebhookSignatureError(HelpCrunchError):
    """A webhook whose signature is missing or wrong: it is not from HelpCrunch."""


@define(slots=False, eq=False, repr=False, str=False)
class TransportError(HelpCrunchError):
    """No usable reply came.

    `sent` is False when the request certainly never left this machine. `permanent` is True when
    asking again cannot help, as with a certificate that does not fit.
    """

    sent: bool = True
    permanent: bool = False


class ConnectionFailedError(TransportError):
    """The connection could not be made, or it broke before the whole reply was here."""


class RequestTimeoutError(TransportError, TimeoutError):
    """`timeout` ended an attempt before the last byte of the reply."""


class ResponseTooLargeError(TransportError):
    """The reply, decompressed, is larger than the client accepts."""


@define(slots=False, eq=False, repr=False, str=False)
class DecodeError(HelpCrunchError):
    """A reply came, but not shaped as the documentation promises.

    `problems` names each place as a JSON path and what is wrong there. `snippet` is the beginning of
    the body with quoted values, e-mail addresses and long numbers masked; None when the body was JSON.
    `page` is the `Page` of the rows that could be read, if it was a page and only some could not.
    """

    problems: tuple[str, ...] = ()
    status: int | None = None
    content_type: str | None = None
    snippet: str | None = None
    page: Any = field(default=None, init=False, repr=False)


@define(slots=False, eq=False, repr=False, str=False)
class APIError(HelpCrunchError):
    """HelpCrunch answered with a status that is not 2xx.

    `code` is the first code of the body that is not the generic `invalid_request`; `message` and
    `errors` are the server's own words and stay out of `str()` and `repr()`, hence out of logs. So does a
    code that is no code, and whatever in `path` is neither a word nor an id. `attempts` counts the requests
    that were sent for this call. `request_id` is what the network in front of HelpCrunch calls the last one
    (`CF-Ray`), or HelpCrunch itself (`X-Request-Id`), for its support; None without. Neither header is
    documented.

    Source: https://docs.helpcrunch.com/en/rest-api-v1/api-setup-v1
    """

    status: int
    code: str | None
    errors: tuple[ErrorDetail, ...]
    method: str
    path: str
    attempts: int
    request_id: str | None = None

    def __str__(self) -> str:
        code = f" {self.code}" if self.code and _CODE.fullmatch(self.code) else ""
        request = "" if self.request_id is None else f", request {self.request_id}"
        return f"{self.status}{code}: {self.method} {path_in_text(self.path)}{request}"


class BadRequestError(APIError):
    """400: a value that HelpCrunch does not take. Asking again unchanged does not help."""


class AuthenticationError(APIError):
    """401: the API key is missing or wrong."""


class PermissionDeniedError(APIError):
    """403: the key is known, but may not do this. Not documented for v1."""


class NotFoundError(APIError):
    """404: there is no such customer, chat or agent."""


class ConflictError(APIError):
    """409: it contradicts what is there. Not documented for v1."""


@define(slots=False, eq=False, repr=False, str=False)
class RateLimitError(APIError):
    """429: the account's request budget is spent.

    `retry_after` is seconds: the server's own when it sent some, else what the local limiter expects;
    None when that is not known.

    `refused` is True when HelpCrunch did not say 429, but the rate limiter had no turn for the call in time
    (see `max_wait`). Then it was not sent, `attempts` counts the requests before that, mostly 0, and
    `message` is this package's own, and is what `str()` shows: when the next slot is expected, and which
    option to change.
    """

    retry_after: float | None = None
    refused: bool = False

    def __str__(self) -> str:
        if self.refused:
            return f"{self.method} {path_in_text(self.path)} {self.message}"
        return super().__str__()


class ServerError(APIError):
    """5xx: HelpCrunch, or something in front of it, failed."""
