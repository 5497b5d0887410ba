"""Checks of arguments: a clear error before anything is sent."""

import re
from datetime import UTC, datetime, timedelta
from math import isfinite
from operator import index
from typing import Any, Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND: Final = timedelta(seconds=1)
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def _integer(value: Any) -> int | None:
    """Return an int for whatever is one, such as an integer of numpy; a bool is none."""
    try:
        return None if isinstance(value, bool) else index(value)
    except TypeError:
        return None


def check_count(name: str, value: object, *, least: int = 1) -> int:
    """Return a whole number as an int.

    Raises:
        TypeError: it is no integer (a bool is none).
        ValueError: it is below `least`.
    """
    number = _integer(value)
    if number is None:
        raise TypeError(f"{name} is a whole number, not {type(value).__name__}")
    if number < least:
        raise ValueError(f"{name} is at least {least}, not {number}")
    return number


def check_seconds(name: str, value: object, *, above_zero: bool = False) -> float:
    """Take a number of seconds, as a float.

    Raises:
        TypeError: it is not a number (a bool is none).
        ValueError: it is negative, infinite or not a number; or zero, if `above_zero`.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} is a number of seconds, not {type(value).__name__}")
    if not isfinite(value) or value < 0 or (above_zero and value == 0):
        raise ValueError(f"{name} is a {'positive ' if above_zero else ''}number of seconds, not {value}")
    return float(value)


def check_flag(name: str, value: object) -> bool:
    """Take True or False.

    Raises:
        TypeError: it is neither; a word such as "false" would count as True.
    """
    if not isinstance(value, bool):
        raise TypeError(f"{name} is True or False, not {type(value).__name__}")
    return value


def check_id(value: object, what: str = "customer_id") -> int:
    """Return an id as an int: a positive integer, and nothing that merely looks like one.

    Raises:
        TypeError: it is no integer (bool, float and str included).
        ValueError: it is zero or negative.
    """
    number = _integer(value)
    if number is None:
        raise TypeError(f"{what} is a positive int, not {type(value).__name__}")
    if number < 1:
        raise ValueError(f"{what} is a positive int, not {number}")
    return number


def check_str(what: str, text: object) -> str:
    """Take text that a request can carry.

    Raises:
        TypeError: it is not a str.
        ValueError: it holds half a surrogate pair, which has no UTF-8 form.
    """
    if not isinstance(text, str):
        raise TypeError(f"{what} is a str, not {type(text).__name__}")
    if _SURROGATE.search(text):  # the codec's own error would hold the text
        raise ValueError(f"{what} holds half a surrogate pair, which is no character")
    return text


def check_text(what: str, text: object) -> str:
    """Take text that is not empty.

    Raises:
        TypeError: as `check_str`.
        ValueError: as `check_str`, and for an empty one.
    """
    text = check_str(what, text)
    if not text:
        raise ValueError(f"{what} is empty")
    return text


def unix_second(what: str, moment: object, *, up: bool = False) -> int:
    """Give the Unix second that a moment lies in, or with `up` the next unless it begins right then.

    Raises:
        TypeError: it is not a datetime.
        ValueError: it is naive, or before 1970.
    """
    if not isinstance(moment, datetime):
        raise TypeError(f"{what} is an aware datetime, not {type(moment).__name__}")
    if moment.utcoffset() is None:
        raise ValueError(f"{what} is an aware datetime, not a naive one: in which time zone?")
    # whole numbers throughout: timestamp() is a float and knows microseconds only roughly
    second = -((_EPOCH - moment) // _SECOND) if up else (moment - _EPOCH) // _SECOND
    if second < 0:
        raise ValueError(f"{what} is before 1970")
    return second
