"""A moment for the eye."""

from datetime import datetime


def shown_moment(moment: datetime | None) -> str | None:
    """Write a moment to the minute, in UTC."""
    return None if moment is None else f"{moment:%Y-%m-%d %H:%M} UTC"


def shown_day(moment: datetime | None) -> str | None:
    """Write the day of a moment, in UTC."""
    return None if moment is None else f"{moment:%Y-%m-%d}"
