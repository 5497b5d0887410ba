"""Why something failed: a word for scripts, a few for people, and what follows from it."""

from collections.abc import Iterable
from typing import Final

from attrs import frozen

from helpcrunch_async.cli.exits import ExitCode, worst_of
from helpcrunch_async.errors import (
    APIError,
    AuthenticationError,
    BadRequestError,
    ConnectionFailedError,
    DecodeError,
    HelpCrunchError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    RequestTimeoutError,
    ServerError,
    TransportError,
)

_FINAL: Final = frozenset({"not_found", "bad_request"})
_EXIT_CODES: Final = {
    "not_found": ExitCode.NOT_FOUND,
    "unauthorized": ExitCode.AUTH,
    "forbidden": ExitCode.AUTH,
}


@frozen
class Reason:
    """Why something failed. Never in the server's own words, which may hold anything."""

    code: str
    """One word, for scripts and for the file of failures."""
    words: str


_REASONS: Final[tuple[tuple[type[HelpCrunchError], str, str], ...]] = (
    (AuthenticationError, "unauthorized", "HelpCrunch refused the API key (401)"),
    (PermissionDeniedError, "forbidden", "the API key may not do this (403)"),
    (NotFoundError, "not_found", "not found"),
    (BadRequestError, "bad_request", "HelpCrunch does not take this request ({error})"),
    (RateLimitError, "too_many_requests", "the account's request budget is spent (429)"),
    (ServerError, "server_error", "HelpCrunch failed ({error.status})"),
    (APIError, "refused", "{error}"),
    (RequestTimeoutError, "timed_out", "{error}"),
    (TransportError, "broken_reply", "{error}"),
    (DecodeError, "unreadable", "{error}"),
    (HelpCrunchError, "failed", "{error}"),
)
"""The first that fits counts."""


def reason_of(error: HelpCrunchError) -> Reason:
    """Say why something failed."""
    if isinstance(error, ConnectionFailedError) and not error.sent:
        return Reason("unreachable", f"HelpCrunch cannot be reached: {error}")
    code, words = next((code, words) for kind, code, words in _REASONS if isinstance(error, kind))
    return Reason(code, words.format(error=error))


def is_final(code: str) -> bool:
    """Tell whether asking again is pointless."""
    return code in _FINAL


def is_about_all(error: HelpCrunchError) -> bool:
    """Tell whether whatever else is asked for will fail alike: then it is told once."""
    return reason_of(error).code in {"unauthorized", "unreachable"}


def exit_code_of(codes: Iterable[str]) -> ExitCode:
    """Give the exit code for everything that failed; 4 says that nothing worse than absence happened."""
    return worst_of({_EXIT_CODES.get(code, ExitCode.FAILED) for code in codes})
