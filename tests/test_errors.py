"""The error family: who is whose child, what it shows, and that it travels."""

import copy
import inspect
import pickle
from typing import Any

import pytest

from helpcrunch_async import (
    APIError,
    AuthenticationError,
    BadRequestError,
    ClientClosedError,
    ConflictError,
    ConnectionFailedError,
    DeadlineExceededError,
    DecodeError,
    ErrorDetail,
    HelpCrunchError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    RequestTimeoutError,
    ResponseTooLargeError,
    ServerError,
    TransportError,
    WebhookSignatureError,
    errors,
)

TREE: dict[type[HelpCrunchError], tuple[type[BaseException], ...]] = {
    HelpCrunchError: (Exception,),
    ClientClosedError: (HelpCrunchError,),
    DeadlineExceededError: (HelpCrunchError, TimeoutError),
    WebhookSignatureError: (HelpCrunchError,),
    TransportError: (HelpCrunchError,),
    ConnectionFailedError: (TransportError,),
    RequestTimeoutError: (TransportError, TimeoutError),
    ResponseTooLargeError: (TransportError,),
    DecodeError: (HelpCrunchError,),
    APIError: (HelpCrunchError,),
    BadRequestError: (APIError,),
    AuthenticationError: (APIError,),
    PermissionDeniedError: (APIError,),
    NotFoundError: (APIError,),
    ConflictError: (APIError,),
    RateLimitError: (APIError,),
    ServerError: (APIError,),
}

DETAILS = (ErrorDetail("invalid_request", "m"), ErrorDetail("customer", "mara@customer.example is taken"))


def example_of(kind: type[HelpCrunchError]) -> HelpCrunchError:
    """An error of a class, with every field set to something of its own."""
    arguments: tuple[Any, ...] = ("what happened",)
    if issubclass(kind, RateLimitError):
        arguments = (DETAILS[1].message, 429, "too_many", DETAILS, "GET", "/customers/7", 3, "8a1-FRA", 1.5)
    elif issubclass(kind, APIError):
        arguments = (DETAILS[1].message, 418, "customer", DETAILS, "GET", "/customers/7", 3, "8a1-FRA")
    elif issubclass(kind, TransportError):
        arguments = ("what happened", False, True)
    elif issubclass(kind, DecodeError):
        arguments = ("what happened", ("$.id: missing",), 200, "text/html", "<html>")
    error = kind(*arguments)
    error.outcome_unknown = True
    error.add_note("given up after 3 attempts in 1.0 seconds")
    return error


def test_the_tree() -> None:
    """Every class stands where the module's docstring draws it, and none is missing here."""
    assert {kind: kind.__bases__ for kind in TREE} == TREE
    defined = {
        kind
        for _, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, BaseException) and kind.__module__ == errors.__name__
    }
    assert defined == set(TREE)


@pytest.mark.parametrize("kind", [DeadlineExceededError, RequestTimeoutError])
def test_time_outs_are_time_out_errors(kind: type[HelpCrunchError]) -> None:
    """`except TimeoutError` catches both, and they look like no operating system's error."""
    error: Any = example_of(kind)
    assert isinstance(error, TimeoutError)
    assert (error.errno, error.strerror, error.filename) == (None, None, None)


@pytest.mark.parametrize("kind", [kind for kind in TREE if not issubclass(kind, TimeoutError)])
def test_no_other_error_is_a_time_out(kind: type[HelpCrunchError]) -> None:
    """A pool that is exhausted, a 408 or a refusal is not caught as one."""
    assert not issubclass(kind, OSError)


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("kind", TREE)
def test_every_error_pickles(kind: type[HelpCrunchError], protocol: int) -> None:
    """It arrives in another process whole: fields, outcome and notes."""
    error = example_of(kind)
    arrived = pickle.loads(pickle.dumps(error, protocol))
    assert kind is type(arrived)
    assert vars(error) == vars(arrived)
    assert arrived.outcome_unknown
    assert error.__notes__ == arrived.__notes__
    assert (str(error), repr(error), error.args) == (str(arrived), repr(arrived), arrived.args)


@pytest.mark.parametrize("kind", TREE)
def test_every_error_copies(kind: type[HelpCrunchError]) -> None:
    """A copy has all that the original has, and is not it: each caller gets one of its own."""
    error = example_of(kind)
    twin = copy.copy(error)
    assert twin is not error
    assert vars(error) == vars(twin)
    assert kind is type(twin)


@pytest.mark.parametrize("kind", TREE)
def test_outcome_unknown_is_false_unless_said(kind: type[HelpCrunchError]) -> None:
    """Nobody has to guess: the attribute is always there."""
    assert not kind(*example_of(kind).args).outcome_unknown


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (HelpCrunchError("what"), "what"),
        (TransportError("what"), "what"),
        (RequestTimeoutError("no reply", True, False), "no reply"),
        (DeadlineExceededError("late"), "late"),
        (DecodeError("not a Customer: $.id: missing", ("$.id: missing",)), "not a Customer: $.id: missing"),
        (
            NotFoundError("words", 404, "not_found", (), "GET", "/customers/7", 1),
            "404 not_found: GET /customers/7",
        ),
        (ServerError("words", 503, None, (), "GET", "/customers", 4), "503: GET /customers"),
        (APIError("words", 302, "", (), "GET", "/customers", 1), "302: GET /customers"),
        (
            RateLimitError("words", 429, None, (), "POST", "/customers/search", 0, retry_after=12.0),
            "429: POST /customers/search",
        ),
        (
            RateLimitError(
                "not sent: why", 429, None, (), "GET", "/tags/a@b.c", 0, retry_after=12.0, refused=True
            ),
            "GET /tags/{} not sent: why",
        ),
        (
            ServerError("words", 502, "down", (), "GET", "/customers/7", 4, "8a1b2c3d4e5f6071-FRA"),
            "502 down: GET /customers/7, request 8a1b2c3d4e5f6071-FRA",
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_what_errors_show(error: HelpCrunchError, text: str) -> None:
    """Status, code, method and path, and our own words."""
    assert text == str(error)
    assert f"{type(error).__name__}({text!r})" == repr(error)


@pytest.mark.parametrize("kind", [kind for kind in TREE if issubclass(kind, APIError)])
def test_the_servers_words_are_not_shown(kind: type[APIError]) -> None:
    """They may hold a customer's data: they are on the error for who asks, and out of logs."""
    error = example_of(kind)
    for shown in (str(error), repr(error), f"{error}"):
        assert "mara" not in shown
        assert "taken" not in shown
    assert isinstance(error, APIError)
    assert "mara" in error.message
    assert error.errors == DETAILS


@pytest.mark.parametrize("kind", TREE)
def test_every_error_can_be_raised_and_carries_a_traceback(kind: type[HelpCrunchError]) -> None:
    """Frozen exceptions cannot be raised; these can, and in a group too."""
    with pytest.raises(ExceptionGroup) as caught:
        raise ExceptionGroup("several", [example_of(kind), example_of(kind)])
    assert all(isinstance(error, kind) for error in caught.value.exceptions)
    with pytest.raises(kind):
        raise example_of(kind) from ValueError("cause")


def test_the_docstring_draws_the_tree() -> None:
    """Whoever reads the module first sees every class."""
    assert errors.__doc__ is not None
    for kind in TREE:
        assert f"{kind.__name__} " in errors.__doc__ or f"{kind.__name__}\n" in errors.__doc__


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        ("too_many_requests", " too_many_requests"),
        ("filter[0].field", " filter[0].field"),
        ("chat-closed", " chat-closed"),
        ("mara@customer.example", ""),
        ("two words", ""),
        ("x\r\nX-Log: forged", ""),
        ("x" * 101, ""),
        ("", ""),
        (None, ""),
    ],
    ids=["word", "path of a field", "hyphen", "address", "two words", "line break", "long", "empty", "none"],
)
def test_only_a_code_is_shown_as_one(code: str | None, shown: str) -> None:
    """Whatever else a server puts in its place could be anybody's data, or forge a line of a log."""
    error = BadRequestError("no", 400, code, (), "GET", "/customers/7", 1)
    assert f"400{shown}: GET /customers/7" == str(error)
    assert code == error.code


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/customers/7/tags", "/customers/7/tags"),
        ("/customers/readByAgent/", "/customers/readByAgent/"),
        ("/contacts/mara%40customer.example", "/contacts/{}"),
        ("/contacts/acct_502/visits", "/contacts/{}/visits"),
        ("/contacts/%2B4989", "/contacts/{}"),
        ("", ""),
    ],
)
def test_only_words_and_ids_of_a_path_are_shown(path: str, shown: str) -> None:
    """A raw request may name somebody by their address."""
    error = BadRequestError("no", 400, None, (), "GET", path, 1)
    assert f"400: GET {shown}" == str(error)
    assert path == error.path
