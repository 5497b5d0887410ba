"""What is promised of any bytes that come in a reply or a webhook, as one function to fuzz.

`drive.py` hands it the bytes. An input is a byte that picks a model, and a body. What is found goes into
`corpus/`, under a name that says what it is: `tests/test_fuzz_corpus.py` sends each body there through every
model.
"""

import hashlib
import hmac
import pickle
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final

import attrs

from helpcrunch_async import APIError, DecodeError, from_dict, models, to_dict
from helpcrunch_async.converter import structure_one, structure_page
from helpcrunch_async.models import webhook
from helpcrunch_async.protocol import Reply, Request, parse_retry_after, read
from helpcrunch_async.webhooks import parse_webhook

MODELS: Final[tuple[type[Any], ...]] = tuple(
    sorted(
        {
            kind
            for room in (models, webhook)
            for kind in vars(room).values()
            if isinstance(kind, type) and attrs.has(kind) and "extra" in attrs.fields_dict(kind)
        },
        key=lambda kind: kind.__name__,
    )
)
_REQUESTS: Final = (
    Request("GET", "customers/7", "customers/{id}", repeatable=True),
    Request("DELETE", "customers/7", "customers/{id}", repeatable=True, changes=True, acknowledges=True),
)
_KEY: Final = "signing-key"
_NOW: Final = datetime(2026, 3, 1, tzinfo=UTC)


def decode(body: bytes, model: type[Any]) -> None:
    """Read a body in every way in which one comes: as an answer, as a page, as an error, as a webhook.

    Raises:
        AssertionError: a promise is broken.
        Exception: whatever got out that is not ours.
    """
    for request in _REQUESTS:
        _decode_answer(request, body, model)
        _decode_error(request, body)
    _decode_webhook(body)
    seconds = parse_retry_after(body[:100].decode("latin-1"), _NOW)
    assert seconds is None or 0 <= seconds <= 86_400


def _decode_answer(request: Request, body: bytes, model: type[Any]) -> None:
    reply = Reply(200, {"content-type": "application/json"}, body)
    try:
        value = read(request, reply, attempts=1, retry_after=None)
    except DecodeError as error:
        _check_unreadable(error, request)
        return
    try:
        _check_model(structure_one(value, model), model)
    except DecodeError as error:
        _check(error)
    try:
        page = structure_page(value, model, offset=0)
    except DecodeError as error:
        _check(error)
    else:
        assert page.total is None or type(page.total) is int
        for item in page.items:
            _check_model(item, model)


def _decode_error(request: Request, body: bytes) -> None:
    for status in (400, 429, 503):
        error = _said_no(request, Reply(status, {}, body))
        assert error.status == status
        assert str(error).isprintable()
        assert len(str(error)) < 200
        assert error.__context__ is None
        assert str(error) == str(pickle.loads(pickle.dumps(error)))


def _said_no(request: Request, reply: Reply) -> APIError:
    try:
        read(request, reply, attempts=1, retry_after=None)
    except APIError as error:
        return error
    raise AssertionError("an error was taken for an answer")


def _decode_webhook(body: bytes) -> None:
    signature = hmac.new(_KEY.encode(), body, hashlib.sha1).hexdigest()
    try:
        event: Any = parse_webhook(body, signature, _KEY)
    except DecodeError as error:
        _check(error)
    else:
        _check_model(event, type(event))


def _check(error: DecodeError) -> None:
    """A refusal names places, shows no text of the body, and holds nothing of what failed."""
    assert error.problems
    for problem in error.problems:
        assert problem.startswith("$")
        assert problem.isprintable()
    assert str(error).isprintable()
    assert len(str(error)) < 1_000
    assert error.__context__ is None
    assert error.__cause__ is None


def _check_unreadable(error: DecodeError, request: Request) -> None:
    _check(error)
    assert error.snippet is not None
    assert len(error.snippet) <= 120
    assert request.changes == error.outcome_unknown


def _check_model(made: Any, model: type[Any]) -> None:
    """What was read can be written and read again."""
    assert type(made) is model
    assert made == from_dict(model, to_dict(made))
    with suppress(RecursionError):  # pickle's own, over what is nested hundreds of levels deep
        assert made == pickle.loads(pickle.dumps(made))


def split(data: bytes) -> tuple[bytes, type[Any]]:
    """Give the body and the model of an input."""
    return data[1:], MODELS[data[0] % len(MODELS)] if data else MODELS[0]
