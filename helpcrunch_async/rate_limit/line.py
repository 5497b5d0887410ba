"""The line: who is next. Arrival order within a lane; bulk work gets one turn in four while both wait.

`Lanes` counts the callers that wait, which is all that decisions need; `Line` holds those of one process.
"""

import heapq
from asyncio import Future
from typing import Final, Literal, TypeAlias

from attrs import define, field

from helpcrunch_async.rate_limit.cells import Grant

Priority: TypeAlias = Literal["interactive", "bulk"]
"""The lane in which a caller waits: single calls go ahead of bulk work."""
PRIORITIES: Final[tuple[Priority, ...]] = ("interactive", "bulk")

INTERACTIVE_PER_BULK: Final = 3
"""Turns that single calls get for each bulk turn while both lanes wait: few enough that bulk work goes on,
many enough that single calls hardly feel it. `interactive` (up to three at once) is where it would show."""
_GONE_KEPT: Final = 64
"""Places of callers that left which may stay in a lane: sweeping a short lane costs more than it frees. No
table objects, only memory."""


@define(eq=False)
class Lanes:
    """How many callers wait in each lane, and how many turns in a row were interactive."""

    interactive: int = 0
    bulk: int = 0
    streak: int = 0  # turns that single calls took in a row while bulk work waited

    @property
    def total(self) -> int:
        """Callers that wait in either lane."""
        return self.interactive + self.bulk

    def waiting(self, lane: Priority) -> int:
        """Return how many callers wait in a lane."""
        return self.interactive if lane == "interactive" else self.bulk

    def join(self, lane: Priority) -> None:
        """Count one more caller."""
        if lane == "interactive":
            self.interactive += 1
        else:
            self.bulk += 1

    def leave(self, lane: Priority) -> None:
        """Count one caller less."""
        if lane == "interactive":
            self.interactive -= 1
        else:
            self.bulk -= 1

    def next(self) -> Priority:
        """Return the lane that has the next paced turn."""
        if self.interactive and (not self.bulk or self.streak < INTERACTIVE_PER_BULK):
            return "interactive"
        return "bulk"

    def take(self, lane: Priority) -> None:
        """Count a turn of a lane."""
        if lane == "interactive":
            self.interactive -= 1
            self.streak = self.streak + 1 if self.bulk else 0
        else:
            self.bulk -= 1
            self.streak = 0

    def ahead_of_last(self, lane: Priority) -> int:
        """Return how many callers go before the last one of a lane."""
        if lane == "interactive":
            ahead = self.interactive - 1
            return ahead + min(self.bulk, ahead // INTERACTIVE_PER_BULK)
        ahead = self.bulk - 1
        return ahead + min(self.interactive, (ahead + 1) * INTERACTIVE_PER_BULK)


@define(eq=False)
class Place:
    """One caller's place in line, kept for as long as its call lasts.

    A call that was rejected comes back with the same `number`, hence before all callers that came later.
    """

    number: int
    priority: Priority
    generation: int = 0  # of callers: those of an event loop that was closed are gone
    since: float = 0.0  # when it came; seconds
    returning: bool = False  # it had a turn before, hence stands at the head
    waiting: bool = False
    waiter: "Future[None] | None" = None  # what the caller awaits while it waits
    grant: Grant | None = None  # the turn it is using

    def __lt__(self, other: "Place") -> bool:
        return self.number < other.number

    def use(self, grant: Grant) -> None:
        """Begin to use a turn."""
        self.grant = grant

    def finish(self) -> Grant:
        """Stop using the turn, and return it; the next one is another one at the head of the line."""
        grant, self.grant = self.grant, None
        assert grant is not None
        self.returning = True
        return grant

    def wait_on(self, waiter: "Future[None] | None") -> None:
        """Keep what the caller awaits from now on; None when it awaits nothing more."""
        self.waiter = waiter


@define(eq=False)
class Line:
    """The callers of one process that wait, in two lanes."""

    _lanes: dict[Priority, list[Place]] = field(factory=lambda: {"interactive": [], "bulk": []})
    _waiting: dict[Priority, int] = field(factory=lambda: dict.fromkeys(PRIORITIES, 0))
    total: int = 0  # callers that wait in either lane

    def waiting(self, priority: Priority) -> int:
        """Return how many callers wait in a lane."""
        return self._waiting[priority]

    def join(self, place: Place) -> None:
        """Add a caller: at the end when it is new, at its old place when it comes back."""
        place.waiting = True
        heapq.heappush(self._lanes[place.priority], place)
        self._waiting[place.priority] += 1
        self.total += 1

    def leave(self, place: Place) -> None:
        """Remove a caller. Its place stays in the lane, unseen, until it comes up or too many have left."""
        place.waiting = False
        self._waiting[place.priority] -= 1
        self.total -= 1
        lane = self._lanes[place.priority]
        if len(lane) > 2 * self._waiting[place.priority] + _GONE_KEPT:
            self._lanes[place.priority] = [each for each in lane if each.waiting]
            heapq.heapify(self._lanes[place.priority])

    def first(self, priority: Priority) -> Place | None:
        """Return the first caller of a lane, None when no caller waits there."""
        lane = self._lanes[priority]
        while lane and not lane[0].waiting:
            heapq.heappop(lane)
        return lane[0] if lane else None

    def take(self, priority: Priority) -> Place:
        """Remove and return the first caller of a lane in which callers wait."""
        place = self.first(priority)
        assert place is not None
        heapq.heappop(self._lanes[priority])
        self.leave(place)
        return place

    def places(self) -> list[Place]:
        """List the callers that wait, in the order of arrival."""
        return sorted(place for lane in self._lanes.values() for place in lane if place.waiting)
