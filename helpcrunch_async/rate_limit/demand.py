"""How many single calls there were in a window of the last hour: what bulk work must leave room for."""

from math import inf
from typing import Final

from attrs import define

_REMEMBERED: Final = 3600.0
"""Seconds, for as long as the limiter of an account is kept. A web service has calls each hour, if not each
minute; `interactive` objects to a few minutes, as the first calls after them find the budget gone."""


@define(eq=False)
class Demand:
    """Counts turns by windows that begin with a turn, and remembers the fullest one of the last hour.

    A fuller window replaces the one that is remembered; once that is an hour old, any does.
    """

    window: float
    """Seconds."""
    _began: float = -inf
    """When the window that is being counted began; seconds."""
    _count: int = 0
    _most: int = 0
    """Turns of the fullest window."""
    _most_at: float = -inf
    """When that began; seconds."""

    def took(self, at: float) -> None:
        """Count a turn."""
        if at > self._began + self.window:
            self._began, self._count = at, 0
        self._count += 1
        if self._count >= self._most or at > self._most_at + _REMEMBERED:
            self._most, self._most_at = self._count, self._began

    def most(self, now: float) -> int:
        """Return the most turns that a window of the last hour held."""
        if now <= self._most_at + _REMEMBERED:
            return self._most
        return self._count if now <= self._began + _REMEMBERED else 0
