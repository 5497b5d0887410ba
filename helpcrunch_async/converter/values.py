"""Hooks that read single values: cattrs calls each with a decoded JSON value, and a type that is not used."""

import json
import re
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from sys import intern
from types import NoneType
from typing import Any, Final, TypeAlias

from attrs import define, field

Hook: TypeAlias = Callable[[Any, Any], Any]

LONGEST_LIST: Final = 10_000  # items; reading a longer one would block the event loop
MOST_UNFIT: Final = 10_000  # values of one reply, for the same reason
_JSON_NAMES: Final = {
    str: "a string",
    int: "an integer",
    float: "a number",
    bool: "true or false",
    list: "a list",
    dict: "an object",
    NoneType: "null",
}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DIGITS: Final = re.compile(r"[0-9]{1,19}")
_UNIX_TIME: Final = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,9})?")
_ISO_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{8,15}(Z|[+-][0-9]{2}:[0-9]{2})")


@define(eq=False)
class UnfitError(ValueError):
    """A value that does not fit its field. It speaks of kinds, never of the value itself."""

    words: str
    rest: Any = None
    """What could be read in spite of it."""
    fatal: bool = False
    """Whether the row is refused for it, whichever field it stands in."""
    path: str = ""
    """Where it stands below the value that was read, as `.tags[0]`."""


@define(eq=False)
class ReplyMemo:
    """What was read of one reply with many rows."""

    seen: dict[Any, Any] = field(factory=dict)
    """Of equal strings and small models, the first is kept."""
    unfit: int = 0


memo: Final[ContextVar[ReplyMemo | None]] = ContextVar("memo", default=None)


def count_unfit() -> None:
    """Count a value that does not fit.

    Raises:
        UnfitError: the reply has too many of them; fatal.
    """
    reply = memo.get()
    if reply is not None:
        reply.unfit += 1
        if reply.unfit > MOST_UNFIT:
            raise UnfitError(f"more than {MOST_UNFIT} values of this reply do not fit", fatal=True)


def json_name(value: object) -> str:
    """Return what JSON calls the type of a value."""
    return _JSON_NAMES.get(type(value), "something else")


def unfit(expected: str, value: object) -> UnfitError:
    """Return the error for a value that is not what was expected."""
    return UnfitError(f"expected {expected}, not {json_name(value)}")


def number(value: Any, _: object) -> int | None:
    """Read a whole number, its digits, or null."""
    if value is None or value.__class__ is int:
        return value
    if value.__class__ is str and _DIGITS.fullmatch(value):
        return int(value)
    raise unfit("an integer", value)


def identifier(value: Any, _: object) -> int:
    """Read the id of a row: a whole number above 0, or its digits."""
    read = value if value.__class__ is int else number(value, _)
    if read is None or read < 1:
        raise UnfitError("expected an integer above 0")
    return read


def text(value: Any, _: object) -> str | None:
    """Read text, a number as its JSON text, or null."""
    if value is None or value.__class__ is str:
        return value
    if value.__class__ is int or value.__class__ is float:
        try:
            return json.dumps(value, allow_nan=False)
        except ValueError:  # an infinity, or thousands of digits
            raise UnfitError("expected a string, not a number this large") from None
    raise unfit("a string", value)


def required_text(value: Any, _: object) -> str:
    """Read text, or a number as its JSON text."""
    read = value if value.__class__ is str else text(value, _)
    if read is None:
        raise unfit("a string", value)
    return read


def text_or_number(value: Any, _: object) -> str | int | None:
    """Read what is text in the documentation, and a number elsewhere."""
    return value if value.__class__ is int else text(value, _)


def flag(value: Any, _: object) -> bool | None:
    """Read true or false, 1 or 0, or null."""
    if value is None or value.__class__ is bool:
        return value
    if value.__class__ is int and value in {0, 1}:
        return bool(value)
    raise unfit("true or false", value)


def moment(value: Any, _: object) -> datetime | None:
    """Read Unix seconds, as a number or in a string, with or without a fraction; or ISO 8601, or null."""
    if value.__class__ is str and len(value) == 10 and value.isascii() and value.isdecimal():
        return datetime.fromtimestamp(int(value), UTC)  # the usual one, of the years 2001 to 2286
    if value is None or value == "":
        return None
    try:
        if value.__class__ is int or value.__class__ is float:
            return _EPOCH + timedelta(seconds=value)
        if value.__class__ is str and _UNIX_TIME.fullmatch(value):
            return _EPOCH + timedelta(microseconds=int(Decimal(value).scaleb(6)))
        if value.__class__ is str and _ISO_TIME.fullmatch(value):
            return datetime.fromisoformat(value).astimezone(UTC)
    except (ValueError, OverflowError):
        raise UnfitError("expected a moment of the years 1 to 9999") from None
    raise unfit("a moment", value)


def unix_seconds(moment: datetime) -> str:
    """Return a moment as Unix seconds, with as many decimals as it has."""
    microseconds = (moment - _EPOCH) // timedelta(microseconds=1)
    seconds, fraction = divmod(abs(microseconds), 1_000_000)
    written = f"{'-' if microseconds < 0 else ''}{seconds}"
    return f"{written}.{fraction:06d}".rstrip("0") if fraction else written


def iso_time(moment: datetime) -> str:
    """Return a moment as ISO 8601, in UTC."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def properties(value: Any, _: object) -> dict[str, Any]:
    """Read named values: an object, a list of `{property, value}` or `{name, value}`, or null."""
    if value.__class__ is dict or isinstance(value, Mapping):
        # Names are interned: an account has few, and a customer is kept with a copy of each otherwise.
        return dict(zip(map(intern, value), value.values(), strict=True))
    named: dict[str, Any] = items_of(value, _property, dict)
    return named


def _property(item: Any, _: object) -> tuple[str, Any]:
    name = item.get("property", item.get("name")) if isinstance(item, Mapping) else None
    if not isinstance(name, str):
        raise UnfitError("expected a property and a value")
    return intern(name), item.get("value")


def items_of(value: Any, read: Hook, make: Callable[[list[Any]], Any]) -> Any:
    """Read the items of a list; null is an empty one, and so is {}, for PHP.

    Raises:
        UnfitError: it is no list; some items do not fit, and `rest` has the others; or it is too long: fatal.
    """
    if value.__class__ is not list:
        if value is None or value == {}:
            return make([])
        raise unfit("a list", value)
    if len(value) > LONGEST_LIST:
        raise UnfitError(f"a list of {len(value)} items; at most {LONGEST_LIST} are read", fatal=True)
    try:
        return make([read(item, None) for item in value])
    except UnfitError:
        items = []
    for index, item in enumerate(value):
        try:
            items.append(read(item, None))
        except UnfitError as error:
            if error.fatal:
                error.path = f"[{index}]{error.path}"
                raise
            count_unfit()
    raise UnfitError("expected other items", rest=make(items))
