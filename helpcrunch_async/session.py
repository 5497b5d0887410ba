"""The only room that knows aiohttp: where sessions come from, one attempt, and its exceptions in our words.

It moves bytes. What a status means, what is in a body and whose key it carries are known elsewhere.
"""

import asyncio
import os
import ssl as ssl_module
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from functools import lru_cache
from typing import Final, TypeAlias

import aiohttp
from aiohttp.connector import Connection
from aiohttp.tracing import Trace
from attrs import frozen
from yarl import URL

from helpcrunch_async.errors import (
    ClientClosedError,
    ConnectionFailedError,
    RequestTimeoutError,
    ResponseTooLargeError,
    TransportError,
)
from helpcrunch_async.protocol import Reply
from helpcrunch_async.redaction import RedactedBytes, Secret, drop_frames

SessionFactory: TypeAlias = Callable[[], AbstractAsyncContextManager[aiohttp.ClientSession]]
"""Called once when a client is opened; leaving the context manager ends what it made."""

MAX_BODY_BYTES: Final = 16 * 2**20  # decompressed; a page of a hundred customers is about 0.2 MB
_LONGEST_CONNECT: Final = 10.0  # seconds; less than an attempt, so that "never sent" is known for sure
_LIBRARIES: Final = frozenset(
    {"aiohttp", "aiohappyeyeballs", "aiosignal", "async_timeout", "frozenlist", "helpcrunch_async", "yarl"}
)
"""Whose frames, below an attempt, hold the key in the open, or a request."""
_KEEP_ALIVE: Final = 10.0  # seconds; shorter than common servers', so they rarely close under a request


def open_session(
    *,
    proxy: str | None = None,
    ssl: ssl_module.SSLContext | bool = True,
    trust_env: bool = False,
    trace_configs: Sequence[aiohttp.TraceConfig] = (),
    middlewares: Sequence[aiohttp.ClientMiddlewareType] = (),
) -> aiohttp.ClientSession:
    """Make the session that a client owns: no cookies, nothing from the environment, pooled connections.

    Give other settings with `functools.partial(open_session, proxy="http://...", trust_env=True)`.
    The connector has no limit of its own: `max_in_flight` is the client's, and waiting for a free
    connection would count into a request's `timeout`.

    Args:
        proxy: URL of an HTTP proxy; one with credentials in it shows them to whoever sees the URL.
        ssl: a context that trusts other certificates, or False to trust every one.
        trust_env: take proxies from HTTP_PROXY and the like. What netrc says of the host is not used.
        trace_configs: aiohttp's own hooks around each attempt. Only `on_request_headers_sent` sees the key,
            as the header `Authorization`.
        middlewares: aiohttp's own client middlewares, called for each attempt. They do not see the key, which
            is set behind them; an `Authorization` of their own is replaced.
    """
    return aiohttp.ClientSession(
        connector=_Connector(limit=0, ssl=ssl, keepalive_timeout=_KEEP_ALIVE),
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=trust_env,
        proxy=proxy,
        timeout=aiohttp.ClientTimeout(total=None),
        trace_configs=list(trace_configs),
        middlewares=tuple(middlewares),
    )


class _Connector(aiohttp.TCPConnector):
    """Drops kept connections on which something came unasked: it would be taken for the next answer."""

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - aiohttp's own argument
    ) -> Connection:
        """Give a connection to send a request over.

        Raises:
            _AnsweredBeforeError: it is one of these; it is closed.
        """
        connection = await super().connect(req, traces, timeout)
        if connection.protocol is not None and connection.protocol.should_close:
            connection.close()
            raise _AnsweredBeforeError
        return connection


class _AnsweredBeforeError(aiohttp.ClientConnectionError):
    """Something came over the connection before a request was sent."""


def borrow_session(session: aiohttp.ClientSession) -> SessionFactory:
    """Use a session that stays yours: neither closed nor changed, but for what its cookie jar collects."""
    if not isinstance(session, aiohttp.ClientSession):
        raise TypeError(f"borrow_session takes a ClientSession, not {type(session).__name__}")

    def lend() -> AbstractAsyncContextManager[aiohttp.ClientSession]:
        return nullcontext(session)

    return lend


class _WithoutWordsError(Exception):
    """Stands for one of aiohttp's own errors."""


class _BrokenConnectionError(_WithoutWordsError):
    """Stands for one after which aiohttp would resend the request behind our back."""


class _NotHTTPError(_WithoutWordsError):
    """Stands for one whose text is made of what the server sent."""


class _ProxyRefusedError(_WithoutWordsError):
    """Stands for one whose text is the proxy's URL, with its password."""


_Handler: TypeAlias = Callable[[aiohttp.ClientRequest], Awaitable[aiohttp.ClientResponse]]


async def _replace_errors(request: aiohttp.ClientRequest, handler: _Handler) -> aiohttp.ClientResponse:
    # The outermost middleware. aiohttp sends GET, PUT and DELETE once more when a pooled connection breaks.
    # Our own policy counts attempts, so what aiohttp would answer with a resend leaves under another name.
    # So does what says too much: tracing writes the exceptions that it sees into its spans.
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise  # never sent, and never resent
    except aiohttp.ConnectionTimeoutError:
        raise aiohttp.ConnectionTimeoutError from None  # the same, without the URL in its text
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise _BrokenConnectionError(type(error).__name__) from None
    except aiohttp.ClientHttpProxyError as error:
        raise _ProxyRefusedError(error.status) from None
    except aiohttp.ClientResponseError:
        raise _NotHTTPError from None


@frozen
class _Failure:
    """What became of an attempt that brought no reply; raised only once aiohttp's exception is gone."""

    error: type[TransportError]
    what: str
    sent: bool = True
    permanent: bool = False


def _authorizing(authorization: Secret) -> aiohttp.ClientMiddlewareType:
    """Make the innermost middleware, which sets the header while aiohttp connects and sends.

    Afterwards the request, and the response that refers to its headers, are in users' hands. It is a plain
    function, since those are copied as they are: aioresponses copies the arguments of each request, and with
    a method it would copy the transport, its session and the event loop.
    """

    async def authorize(request: aiohttp.ClientRequest, handler: _Handler) -> aiohttp.ClientResponse:
        request.headers["Authorization"] = authorization.expose()
        try:
            return await handler(request)
        finally:
            request.headers.popall("Authorization", None)

    return authorize


class Transport:
    """One session, and one request over it at a time per call of `send`.

    Args:
        session: what it sends with.
        authorization: the value of the header `Authorization`.
    """

    def __init__(self, session: aiohttp.ClientSession, authorization: Secret) -> None:
        self._session = session
        # A request's middlewares replace its session's, so those of the session stand between ours. aiohttp
        # has no public way to read them; a test fails when this one is gone.
        self._middlewares = (_replace_errors, *session._middlewares, _authorizing(authorization))  # noqa: SLF001

    async def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: RedactedBytes | None,
        timeout: float,  # noqa: ASYNC109 - the connect time-out inside is derived from it
    ) -> Reply:
        """Send one request and read its reply to the last byte, all within `timeout` seconds.

        Raises:
            TransportError: no whole reply came.
            ClientClosedError: the session was closed.
            BaseException: what a hook or a middleware of the session raised, or a cancellation; without the
                frames of aiohttp.
        """
        if self._session.closed:
            raise ClientClosedError("the session is closed")
        handled = sys.exception()
        try:
            return await self._attempt(method, url, headers, body, timeout)
        except BaseException as error:
            failure = _failure_of(error, timeout)
            if failure is None:
                raised_by_aiohttp = drop_frames(error, handled, _LIBRARIES)
                if not (raised_by_aiohttp and isinstance(error, ValueError)):
                    raise
                failure = _refusal(self._session)
        if self._session.closed:
            closed = ClientClosedError("the session was closed while a request was under way")
            closed.outcome_unknown = failure.sent
            raise closed
        # raised outside the `except`: even `from None` would keep aiohttp's exception in __context__.
        raise failure.error(failure.what, sent=failure.sent, permanent=failure.permanent)

    async def _attempt(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: RedactedBytes | None,
        timeout: float,  # noqa: ASYNC109 - as above
    ) -> Reply:
        async with asyncio.timeout(timeout):
            response = await self._session.request(
                method,
                URL(url, encoded=True),
                data=None if body is None else body.expose(),
                headers=headers,
                allow_redirects=False,
                raise_for_status=False,
                timeout=_client_timeout(timeout),
                middlewares=self._middlewares,
            )
            try:
                return Reply(response.status, response.headers, await _read_whole(response.content))
            except BaseException:
                response.close()  # at the end of a body the connection goes back to the pool by itself
                raise


async def _read_whole(content: aiohttp.StreamReader) -> bytes:
    pieces: list[bytes] = []
    size = 0
    while not content.at_eof():
        piece = await content.readany()
        size += len(piece)
        if size > MAX_BODY_BYTES:
            raise _TooLargeError
        pieces.append(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


class _TooLargeError(aiohttp.ClientError):
    """The body passed the cap."""


@lru_cache(maxsize=16)
def _client_timeout(seconds: float) -> aiohttp.ClientTimeout:
    # The whole attempt is bounded by asyncio.timeout: aiohttp's own `total` swallows a cancellation, or a
    # deadline, that falls into the same instant, and leaves out its tracing hooks. A connect that hangs is
    # told from an answer that does not come.
    return aiohttp.ClientTimeout(total=None, sock_connect=min(_LONGEST_CONNECT, seconds / 2))


_NEVER_SENT: Final[Mapping[type[Exception], str]] = {
    aiohttp.ClientConnectorDNSError: "the host name could not be resolved",
    aiohttp.ClientSSLError: "the TLS handshake failed",
    _AnsweredBeforeError: "the connection was answered before it was asked",
}


def _failure_of(error: BaseException, timeout: float) -> _Failure | None:
    """Say in our words what the network did; None for a cancellation, or what a hook of the user's raised."""
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return _Failure(ConnectionFailedError, "no connection in time", sent=False)
    if isinstance(error, TimeoutError):
        return _Failure(RequestTimeoutError, f"no whole reply within {timeout:g} seconds")
    if isinstance(error, aiohttp.ClientError | _WithoutWordsError | OSError):
        return _broken(error)
    return None


_CERTIFICATE_PROBLEMS: Final[Mapping[int, str]] = {  # by OpenSSL's X509_V_ERR_...
    **dict.fromkeys((2, 18, 19, 20, 21), "no authority that is trusted here has signed it"),
    **dict.fromkeys((62, 64), "it is another host's"),
    9: "it is not valid yet",
    10: "it has expired",
}


def _certificate_problem(error: Exception) -> str:
    """Say what is wrong with a certificate, in OpenSSL's words, too."""
    if not isinstance(error, aiohttp.ClientConnectorCertificateError):
        return "it has another fingerprint"
    refused = error.certificate_error
    if not isinstance(refused, ssl_module.SSLCertVerificationError):
        return type(refused).__name__
    problem = _CERTIFICATE_PROBLEMS.get(refused.verify_code, "it is not made as this Python asks for")
    return f"{problem} ({refused.verify_message.rstrip('.')})"


def _broken(error: Exception) -> _Failure:
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ServerFingerprintMismatch):
        what = f"the server's certificate is not valid: {_certificate_problem(error)}"
        return _Failure(ConnectionFailedError, what, sent=False, permanent=True)
    if isinstance(error, _ProxyRefusedError):
        what = f"the proxy refused the connection with status {error.args[0]}"
        return _Failure(ConnectionFailedError, what, sent=False)
    for kind, what in _NEVER_SENT.items():
        if isinstance(error, kind):
            return _Failure(ConnectionFailedError, what, sent=False)
    if isinstance(error, aiohttp.ClientConnectorError):
        number = error.os_error.errno  # asyncio's own text names the address instead of the reason
        reason = os.strerror(number) if number else "not possible"
        return _Failure(ConnectionFailedError, f"no connection: {reason}", sent=False)
    if isinstance(error, _TooLargeError):
        return _Failure(
            ResponseTooLargeError, f"the reply is larger than {MAX_BODY_BYTES} bytes", permanent=True
        )
    if isinstance(error, aiohttp.ClientPayloadError):
        return _Failure(ConnectionFailedError, "the reply was cut off or damaged on the way")
    if isinstance(error, aiohttp.InvalidURL):
        return _Failure(
            ConnectionFailedError,
            "not a URL that can be asked, or the proxy's is none",
            sent=False,
            permanent=True,
        )
    if isinstance(error, _NotHTTPError | aiohttp.ClientResponseError):
        # aiohttp gives these a status of its own making; no reply had one
        return _Failure(TransportError, "the reply is not HTTP")
    return _Failure(ConnectionFailedError, "the connection broke before the reply was here")


def _refusal(session: aiohttp.ClientSession) -> _Failure:
    """Say why aiohttp raised a ValueError: it was given nothing of the caller's that it could refuse."""
    what = "aiohttp refuses the settings of the session: its headers, its credentials or its proxy"
    if "Authorization" in session.headers:
        what = "the session has an Authorization header beside other credentials, which aiohttp refuses"
    return _Failure(ConnectionFailedError, what, sent=False, permanent=True)
