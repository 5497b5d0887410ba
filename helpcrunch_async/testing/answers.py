"""What the fake server answers: a status and bytes, and the documented error bodies in both spellings."""

import json
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
    """A request that the documentation does not allow; answered with a 400 that names every problem."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(self.problems)


class NotFoundError(Exception):
    """A request for something that is not there; answered with a 404."""

    def __init__(self, noun: str) -> None:
        self.noun = noun
        super().__init__(noun)


def encode(document: Any) -> bytes:
    """Render JSON as compactly as the service does."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def ok(body: bytes) -> Answer:
    """Answer 200 with a body that is already rendered."""
    return Answer(200, body)


def _errors(status: int, *items: tuple[str, str]) -> Answer:
    return Answer(status, encode({"errors": [{"code": code, "message": text} for code, text in items]}))


_GENERAL = ("invalid_request", "Invalid request")
"""In the newer bodies the first item says nothing; the code that matters is second."""


def unauthorized(spelling: Spelling) -> Answer:
    """Answer 401: no key, or not the account's."""
    if spelling == "old":
        return _errors(401, ("invalid_token", "Invalid token"))
    return _errors(401, _GENERAL, ("unauthorized", "Unauthorized"))


def not_found(spelling: Spelling, noun: str) -> Answer:
    """Answer 404; the newer message speaks of a chat whatever was asked for, as the documented one does."""
    if spelling == "old":
        code = "chat_not_found" if noun == "Chat" else "entity_not_found"
        return _errors(404, (code, f"{noun} not found"))
    return _errors(404, _GENERAL, ("not_found", "Chat not found"))


def too_many_requests(spelling: Spelling, headers: Mapping[str, str]) -> Answer:
    """Answer 429, with a `Retry-After` among the headers if the account is to send one."""
    if spelling == "old":
        refusal = _errors(429, ("too_many_requests", "You have exceeded your requests limit"))
    else:
        refusal = _errors(429, _GENERAL, ("too_many_requests", "Too many requests"))
    return attrs.evolve(refusal, headers=headers)


def bad_request(spelling: Spelling, problems: Iterable[Problem]) -> Answer:
    """Answer 400: newer bodies give field paths as codes, older ones `invalid_<field>_value`."""
    if spelling == "old":
        return _errors(400, *((_old_code(problem.path), problem.message) for problem in problems))
    return _errors(400, _GENERAL, *((problem.path, problem.message) for problem in problems if problem.path))


def _old_code(path: str) -> str:
    field = path.partition("[")[0]
    return f"invalid_{field}_value" if field else "invalid_request"
