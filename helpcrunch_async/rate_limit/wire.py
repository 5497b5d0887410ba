"""The wire: the calls of one process that are under way, and how many of a burst may be."""

from typing import Final

from attrs import define

FIRST_WIDTH: Final = 4.0
"""Calls of a burst on the wire at first, so that a rejection finds few others there. At 16 `told` (bucket /
40) rejects three times as much; at 1 bursts on fast servers would take four times as long."""
WIDEST: Final = 100.0
"""Calls on the wire at most that are not due yet, and all with an unknown limit: as many as aiohttp's pool
holds, and a server that does not answer gets no further ones. No table objects to 10."""


@define(eq=False)
class Wire:
    """The calls of one process that are under way."""

    width: float  # how many there may be before the next is due
    in_flight: int = 0

    @property
    def room(self) -> int:
        """How many more there may be before the next is due."""
        return int(self.width) - self.in_flight

    def sent(self) -> None:
        """Count a call that leaves."""
        self.in_flight += 1

    def answered(self) -> None:
        """Count a call less."""
        self.in_flight -= 1

    def widen(self) -> None:
        """Let one more go with each round trip."""
        if self.width < WIDEST:
            self.width += 1 / self.width

    def narrow(self) -> None:
        """Begin with few again: a call that went ahead was rejected."""
        self.width = min(self.width, FIRST_WIDTH)
