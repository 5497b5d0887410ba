"""What the fake server answers: a status and bytes, and the documented error bodies in both spellings."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal

import attrs

Spelling = Literal["old", "new"]
"""Which generation of the documented bodies is spoken: see `helpcrunch_async.testing.customers`."""

JSON = "application/json"


@attrs.frozen
class Answer:
    """One HTTP answer, before anything goes wrong with it on the wire."""

    status: int
    body: bytes
    content_type: str = JSON
    headers: Mapping[str, str] = attrs.field(factory=dict)


@attrs.frozen
class Problem:
    """One thing that is wrong with a request: the path of the field and what it should have been."""

    path: str
    message: str


class InvalidRequestError(Exception):
    """A request that the documentation does not allow; answered with a 400 that names every problem.

    In the old spelling every problem has the code `old_code`, or without one a code made of its field.
    """

    def __init__(self, problems: Iterable[Problem], old_code: str | None = None) -> None:
        self.problems: tuple[Problem, ...] = tuple(problems)
        self.old_code: str | None = old_code
        super().__init__(self.problems)


class RefusedError(Exception):
    """A request that is well formed but cannot be carried out; answered with a 400 of this one item."""

    def __init__(self, code: str, message: str) -> None:
        self.code: str = code
        self.message: str = message
        super().__init__(code, message)


class NotFoundError(KeyError):
    """Something that is not there; answered with a 404, whose newer body has this code."""

    def __init__(self, noun: str, code: str = "not_found") -> None:
        self.noun: str = noun
        self.code: str = code
        super().__init__(noun)


def encode(document: Any) -> bytes:
    """Render JSON as compactly as the service does."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def _errors(status: int, *items: tuple[str, str]) -> Answer:
    return Answer(status, encode({"errors": [{"code": code, "message": text} for code, text in items]}))


_GENERAL = ("invalid_request", "Invalid request")
"""In the newer bodies the first item says nothing; the code that matters is second."""


def unauthorized(spelling: Spelling, key: str) -> Answer:
    """Answer 401: no key, or not the account's; which that is, is no secret."""
    hint = f"this is a fake, which takes the API key {key}"
    if spelling == "old":
        return _errors(401, ("invalid_token", f"Invalid token: {hint}"))
    return _errors(401, _GENERAL, ("unauthorized", f"Unauthorized: {hint}"))


def not_found(spelling: Spelling, noun: str, code: str = "not_found") -> Answer:
    """Answer 404; the newer message speaks of a chat whatever was asked for, as the documented one does."""
    if spelling == "old":
        return _errors(404, ("chat_not_found" if noun == "Chat" else "entity_not_found", f"{noun} not found"))
    return _errors(404, _GENERAL, (code, "Chat not found"))


def too_many_requests(spelling: Spelling, headers: Mapping[str, str]) -> Answer:
    """Answer 429, with a `Retry-After` among the headers if the account is to send one."""
    if spelling == "old":
        refusal = _errors(429, ("too_many_requests", "You have exceeded your requests limit"))
    else:
        refusal = _errors(429, _GENERAL, ("too_many_requests", "Too many requests"))
    return attrs.evolve(refusal, headers=headers)


def bad_request(spelling: Spelling, error: InvalidRequestError) -> Answer:
    """Answer 400: newer bodies give field paths as codes, older ones `invalid_<field>_value`."""
    problems = error.problems
    if spelling == "old":
        return _errors(400, *((error.old_code or _old_code(each.path), each.message) for each in problems))
    return _errors(400, _GENERAL, *((each.path, each.message) for each in problems if each.path))


def too_large() -> Answer:
    """Answer 413 as the proxies before a service do: no page of HelpCrunch's knows that status."""
    return Answer(413, b"<html><h1>413 Request Entity Too Large</h1></html>\r\n", "text/html; charset=UTF-8")


def refused(error: RefusedError) -> Answer:
    """Answer 400 with the one item that both spellings share."""
    return _errors(400, (error.code, error.message))


def _old_code(path: str) -> str:
    # "filter[0].field" is about the filter, "[3].phone" of a batch about the phone.
    field = next(iter(re.findall("[A-Za-z]+", path)), None)
    return f"invalid_{field}_value" if field else "invalid_request"
