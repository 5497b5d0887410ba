"""Values of options and arguments, as they are typed.

Newer versions of typer read them with pydantic, whose import takes longer than that of all our own modules,
and whose messages speak of "input". There, plain conversions stand in its place; older versions have their
own.
"""

import re
from collections.abc import Callable, Mapping
from enum import Enum
from math import isfinite
from typing import Any, Final, get_args, get_origin

import typer


class PlainValues:
    """Reads the values of one parameter."""

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """Return what was typed as the type of the parameter has it.

        Raises:
            typer.BadParameter: it is none of that type.
        """
        kind = param.type_descriptor.annotation
        is_list = get_origin(kind) is list
        if value is None:
            return () if is_list else None
        try:
            if is_list:
                return [_read(each, get_args(kind)[0], param) for each in value]
            return _read(value, kind, param)
        except ValueError as error:
            problem = str(error)
        raise typer.BadParameter(problem, ctx=ctx, param=param)


def use_plain_values(param: Any) -> None:
    """Let a parameter be read so, and show no type for a switch, which takes no value."""
    if getattr(param, "is_flag", False):
        param.metavar = ""
    if hasattr(param, "_runtime_param"):
        param._runtime_param = PlainValues()  # noqa: SLF001 - see above


def _read(value: Any, kind: Any, param: Any) -> Any:
    if not isinstance(value, str):
        return value  # a default
    if isinstance(kind, type) and issubclass(kind, Enum):
        return _member(value, kind)
    number = _NUMBERS.get(kind)
    return kind(value) if number is None else _in_range(number(value), param.min, param.max)


def _member(value: str, kind: type[Enum]) -> Enum:
    by_name = {each.value.casefold(): each for each in kind}
    if value.casefold() not in by_name:
        raise ValueError(f"{value!r} is not one of {', '.join(each.value for each in kind)}")
    return by_name[value.casefold()]


def _integer(value: str) -> int:
    if re.fullmatch(r"\s*[+-]?[0-9]{1,18}\s*", value, re.ASCII) is None:
        raise ValueError(f"{value!r} is not a whole number")
    return int(value)


def _real(value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = float("nan")
    if not isfinite(number):
        raise ValueError(f"{value!r} is not a number")
    return number


_NUMBERS: Final[Mapping[Any, Callable[[str], float]]] = {int: _integer, float: _real}


def _in_range(number: float, least: float | None, most: float | None) -> float:
    if least is not None and number < least:
        raise ValueError(f"{number} is less than {least}")
    if most is not None and number > most:
        raise ValueError(f"{number} is more than {most}")
    return number
