"""Single values: checked, not coerced, except where the documentation itself knows several spellings."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from sys import intern
from types import NoneType
from typing import Final

from helpcrunch_async.models import CustomValue

_JSON_NAME: Final = {
    str: "a string",
    int: "an integer",
    float: "a number",
    bool: "true or false",
    list: "a list",
    dict: "an object",
    NoneType: "null",
}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_UNIX_TIME = re.compile(r"(-)?([0-9]{1,15})(?:\.([0-9]{1,9}))?")


class UnfitValueError(ValueError):
    """A value that is not what was promised. Its text speaks of kinds, never of the value itself."""


def unfit(expected: str, value: object) -> UnfitValueError:
    """Make the error of a value that is not what was expected."""
    return UnfitValueError(f"expected {expected}, not {_JSON_NAME.get(type(value), 'something else')}")


def checked(kind: type, *, nullable: bool) -> Callable[[object, object], object]:
    """Make a hook that lets exactly one JSON kind pass; true is not an integer here."""
    expected = _JSON_NAME[kind] + (" or null" if nullable else "")

    def check(value: object, _: object) -> object:
        if value.__class__ is kind or (nullable and value is None):
            return value
        raise unfit(expected, value)

    return check


def word_or_number(value: object, _: object) -> object:
    """Read what is a word in the documentation, and a number elsewhere."""
    if value is None or value.__class__ in {str, int}:
        return value
    raise unfit("a string, an integer or null", value)


def moment(value: object, _: object) -> datetime | None:
    """Read a moment in any of its four spellings: int, numeric string, the same with a fraction, null."""
    if type(value) is str and len(value) == 10 and value.isascii() and value.isdecimal():
        return datetime.fromtimestamp(int(value), UTC)  # the usual one, of the years 2001 to 2286
    if value is None or value == "":
        return None
    try:
        if isinstance(value, str):
            if match := _UNIX_TIME.fullmatch(value):
                return _exact_moment(*match.groups(default=""))
        elif isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        raise UnfitValueError("expected Unix seconds, not a number this large") from None
    if isinstance(value, str):
        raise UnfitValueError("expected Unix seconds, not this string")
    raise unfit("Unix seconds as a number, a string or null", value)


def _exact_moment(sign: str, seconds: str, fraction: str) -> datetime:
    """Make a moment of digits, exactly: not by way of a float."""
    distance = timedelta(seconds=int(seconds), microseconds=int(fraction[:6].ljust(6, "0")))
    return _EPOCH - distance if sign else _EPOCH + distance


def unix_seconds(moment: datetime) -> str:
    """Write a moment as Unix seconds, with as many decimals as it has."""
    microseconds = (moment - _EPOCH) // timedelta(microseconds=1)
    seconds, fraction = divmod(abs(microseconds), 1_000_000)
    text = f"{'-' if microseconds < 0 else ''}{seconds}"
    return f"{text}.{fraction:06d}".rstrip("0") if fraction else text


def custom_data(value: object, _: object) -> dict[str, CustomValue]:
    """Read custom attributes as an object, or as a list of `{property, value}` (or `{name, value}`)."""
    if value is None:
        return {}
    # Names are interned: an account has few, and a customer is kept with a copy of each otherwise.
    if isinstance(value, Mapping):
        return {intern(name): each for name, each in value.items()}
    if not isinstance(value, list):
        raise unfit("an object or a list", value)
    attributes: dict[str, CustomValue] = {}
    for item in value:
        name = item.get("property", item.get("name")) if isinstance(item, Mapping) else None
        if not isinstance(name, str):
            raise UnfitValueError("expected items with a property and a value")
        attributes[intern(name)] = item.get("value")
    return attributes
