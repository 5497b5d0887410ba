"""JSON by the standard: no NaN, no infinities, no half of a surrogate pair; and errors that show no data."""

import json
import re
from math import isinf
from operator import index
from typing import Any, Final, NoReturn

from helpcrunch_async.redaction import hide_locals

_SURROGATE: Final = re.compile("[\\ud800-\\udfff]")


class NotJSONError(ValueError):
    """A text that is not JSON. Says what is wrong and where, and shows nothing of the text."""


@hide_locals
def dumps(value: object) -> str:
    """Return a value as compact JSON text; what is an integer, such as those of numpy, is written as one.

    Raises:
        TypeError: JSON has no word for its type.
        ValueError: NaN, an infinity, half a surrogate pair, or a container that holds itself.
    """
    text = json.dumps(
        value, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_write_integer
    )
    if _SURROGATE.search(text):  # the codec's own error would hold the text
        raise ValueError("half a surrogate pair, which no text can carry")
    return text


@hide_locals
def loads(text: str | bytes) -> Any:
    """Read JSON text, or the UTF-8 bytes of one. A number too large for a float stays the text that it is.

    Raises:
        NotJSONError: it is something else, or nested too deeply.
    """
    try:
        return _decode(text if isinstance(text, str) else text.decode("utf-8"))
    except UnicodeDecodeError:
        problem = "not UTF-8"
    except json.JSONDecodeError as error:
        problem = f"not JSON: {error.msg} at character {error.pos}"
    except (ValueError, RecursionError) as error:
        problem = f"not JSON: {type(error).__name__}"
    raise NotJSONError(problem)  # out here, so that no __context__ holds the text


def _write_integer(value: Any) -> int:
    try:
        return index(value)
    except TypeError:
        pass
    raise TypeError(f"{type(value).__name__} is not JSON serializable")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _read_number(text: str) -> float | str:
    number = float(text)
    return text if isinf(number) else number


_decode = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_read_number).decode
