"""Moments: Unix seconds inside, and the spellings of them on the wire."""

import math

from helpcrunch_async.testing.answers import Spelling


def read_moment(field: str, moment: object) -> float | None:
    """Read Unix seconds, given as a number or a numeric string; null and an empty string are no moment.

    Raises:
        ValueError: it is something else.
    """
    if moment is None or moment == "":
        return None
    if isinstance(moment, int | float | str) and not isinstance(moment, bool):
        try:
            seconds = float(moment)
        except (ValueError, OverflowError):
            seconds = math.nan  # named below, with the field
        if math.isfinite(seconds):
            return round(seconds, 3)
    raise ValueError(f"{field} must be Unix seconds (a number or a numeric string), not {moment!r}")


def whole(moment: float | None, spelling: Spelling) -> int | str | None:
    """Write whole seconds: a number in the old spelling, a numeric string in the new one."""
    if moment is None:
        return None
    return int(moment) if spelling == "old" else str(int(moment))


def with_milliseconds(moment: float | None) -> str | None:
    """Write a numeric string with milliseconds: what webhooks hold, and some old answers."""
    return None if moment is None else f"{moment:.3f}"
