"""Reading the JSON bodies of writes: every field is checked, and one 400 tells of every problem."""

import json
from collections.abc import Callable, Collection, Iterator
from typing import Any, Final, Generic, NoReturn, TypeVar

import attrs

from helpcrunch_async.testing.answers import InvalidRequestError, Problem
from helpcrunch_async.testing.behaviour import Behaviour
from helpcrunch_async.testing.moments import read_moment
from helpcrunch_async.testing.paging import read_digits
from helpcrunch_async.testing.rows import Shelf

T = TypeVar("T")

BLANK = "This value should not be blank."
NO_CHOICE = "The value you selected is not a valid choice."
NOT_NUMERIC = "This value should be of type numeric."


class UnfitError(Exception):
    """A value that a field cannot take; the text is what the answer says of it."""


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def read_json(body: bytes) -> Any:
    """Parse a body.

    Raises:
        InvalidRequestError: it is not JSON, or holds what could not be written as JSON again: lone
            surrogates, numbers beyond all bounds, nesting without end.
    """
    try:
        document = json.loads(body, parse_constant=_refuse_constant)
        json.dumps(document, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError) as problem:
        raise InvalidRequestError([Problem("", "The body should be JSON.")]) from problem
    return document


@attrs.frozen
class TwoReaders(Generic[T]):
    """Readers of a field of which clients in use send another type than the documented one."""

    documented: Callable[[Any], T]
    either: Callable[[Any], T]


class Fields:
    """The fields of one JSON object in a body; `path` says where in the body it stands.

    With `strict` they take the documented types only.
    """

    def __init__(
        self, document: Any, path: str = "", problems: list[Problem] | None = None, *, strict: bool = False
    ) -> None:
        self._problems: list[Problem] = [] if problems is None else problems
        self._path = path
        self._strict = strict
        self._is_object = isinstance(document, dict)
        self._document: dict[str, Any] = document if self._is_object else {}
        if not self._is_object:
            self._problems.append(Problem(path, "This value should be an object."))

    def __contains__(self, name: object) -> bool:
        return name in self._document

    def __getitem__(self, name: str) -> Any:
        """The value as it came; None when there is none."""
        return self._document.get(name)

    def complain(self, name: str, message: str) -> None:
        """Note what is wrong with a field, unless there are none, which is noted already."""
        if self._is_object:
            self._problems.append(Problem(self._path_of(name), message))

    def read(
        self, name: str, reader: Callable[[Any], T] | TwoReaders[T], *, required: bool = False
    ) -> T | None:
        """Read a field; None when it is null or left out, which is a problem if it is required."""
        value = self[name]
        if value is None:
            if required:
                self.complain(name, BLANK)
            return None
        if isinstance(reader, TwoReaders):
            reader = reader.documented if self._strict else reader.either
        try:
            return reader(value)
        except UnfitError as problem:
            self.complain(name, str(problem))
            return None

    def read_one_of(self, name: str, shelf: Shelf, *, required: bool = False) -> int | None:
        """Read the id of something the account has."""
        found = self.read(name, a_number, required=required)
        if found is not None and found not in shelf:
            self.complain(name, "This value is not known.")
        return found

    def all(self, reader: Callable[[Any], T]) -> dict[str, T | None]:
        """Read every field there is, whatever it is called."""
        return {name: self.read(name, reader) for name in self._document}

    def inside(self, name: str) -> "Fields":
        """Go into an object."""
        return Fields(self[name], self._path_of(name), self._problems, strict=self._strict)

    def items(self, name: str) -> Iterator["Fields"]:
        """Go through a list of objects."""
        entries = self[name]
        if not isinstance(entries, list):
            self.complain(name, "This value should be of type array.")
            return
        for index, entry in enumerate(entries):
            yield Fields(entry, f"{self._path_of(name)}[{index}]", self._problems, strict=self._strict)

    def _path_of(self, name: str) -> str:
        return f"{self._path}.{name}" if self._path else name

    def check(self, *, old_code: str | None = None) -> None:
        """Let the request go on if nothing was wrong so far; `old_code` is as in the error.

        Raises:
            InvalidRequestError: something was.
        """
        if self._problems:
            raise InvalidRequestError(self._problems, old_code)


def read_fields(body: bytes, behaviour: Behaviour) -> Fields:
    """Parse a body that should be one object.

    Raises:
        InvalidRequestError: as `read_json`.
    """
    return Fields(read_json(body), strict=behaviour.strict_types)


def a_text(value: Any) -> str:
    """Take a string."""
    if not isinstance(value, str):
        raise UnfitError("This value should be of type string.")
    return value


def some_text(value: Any) -> str:
    """Take a string with something in it."""
    if not a_text(value).strip():
        raise UnfitError(BLANK)
    return str(value)


def _a_whole_number(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise UnfitError(NOT_NUMERIC)
    return value


a_number: Final = TwoReaders(
    _a_whole_number, lambda value: _a_whole_number(read_digits(value) if isinstance(value, str) else value)
)
"""Take a whole number, or a string of digits: the documented message asks for what is numeric."""

a_user_id: Final = TwoReaders(
    a_text,
    lambda value: str(value) if isinstance(value, int) and not isinstance(value, bool) else a_text(value),
)
"""Take a string, or a whole number as one: bots in use send their own ids so."""


def a_flag(value: Any) -> bool:
    """Take true or false."""
    if not isinstance(value, bool):
        raise UnfitError("This value should be of type bool.")
    return value


def a_moment(value: Any) -> float | None:
    """Take Unix seconds, as a number or a numeric string."""
    try:
        return read_moment("it", value)
    except ValueError:
        raise UnfitError("This value should be Unix seconds.") from None


def a_scalar(value: Any) -> str | float | bool:
    """Take a string, a number or a truth value."""
    if not isinstance(value, str | int | float):
        raise UnfitError("This value should be a scalar.")
    return value


def one_of(choices: Collection[str]) -> Callable[[Any], str]:
    """Make a reader that takes one of these strings."""

    def read(value: Any) -> str:
        if value not in tuple(choices):  # a list has no hash
            raise UnfitError(NO_CHOICE)
        return str(value)

    return read
