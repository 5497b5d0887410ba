"""The line: who is next. Arrival order within a lane; bulk work gets one turn in four while both wait."""

import heapq
from asyncio import Future
from typing import Final, Literal, TypeAlias

from attrs import define, field

Priority: TypeAlias = Literal["interactive", "bulk"]
"""The lane that a turn is waited for in: single calls go ahead of bulk work."""
PRIORITIES: Final[tuple[Priority, ...]] = ("interactive", "bulk")

INTERACTIVE_TURNS_PER_BULK_TURN: Final = 3
_GONE_KEPT: Final = 64  # places that may stay in a lane after they were given up


@define(eq=False)
class Grant:
    """One turn that was taken: when (seconds), how many turns ahead of the even pace, and what came of it.

    `accepted` is None while there is no answer, and stays None when the answer told nothing.
    """

    at: float
    depth: float
    accepted: bool | None = None


@define(eq=False)
class Place:
    """One caller's place in line, kept for as long as its call lasts.

    A call that was rejected comes back with the same `number`, hence before everybody who came later.
    """

    number: int
    priority: Priority
    generation: int = 0  # of callers; an event loop that ends takes its callers along
    since: float = 0.0  # when it came; seconds
    returning: bool = False  # it had a turn before, hence stands at the head
    waiting: bool = False
    waiter: "Future[None] | None" = None  # what the caller awaits while it waits
    grant: Grant | None = None  # the turn it is using

    def __lt__(self, other: "Place") -> bool:
        return self.number < other.number


@define(eq=False)
class Line:
    """The places that wait, in two lanes."""

    _lanes: dict[Priority, list[Place]] = field(factory=lambda: {"interactive": [], "bulk": []})
    _waiting: dict[Priority, int] = field(factory=lambda: dict.fromkeys(PRIORITIES, 0))
    total: int = 0  # who waits in either lane; asked for at each turn, hence no method
    _interactive_turns: int = 0  # turns that interactive calls took while bulk work waited

    def __len__(self) -> int:
        return self.total

    def waiting(self, priority: Priority) -> int:
        """Count who waits in one lane."""
        return self._waiting[priority]

    def join(self, place: Place) -> None:
        """Take a place: at the end when it is new, at its old spot when it comes back."""
        place.waiting = True
        heapq.heappush(self._lanes[place.priority], place)
        self._waiting[place.priority] += 1
        self.total += 1

    def leave(self, place: Place) -> None:
        """Give up a place. It stays in its lane, unseen, until it comes up or too many do."""
        place.waiting = False
        self._waiting[place.priority] -= 1
        self.total -= 1
        lane = self._lanes[place.priority]
        if len(lane) > 2 * self._waiting[place.priority] + _GONE_KEPT:
            self._lanes[place.priority] = [each for each in lane if each.waiting]
            heapq.heapify(self._lanes[place.priority])

    def first(self, priority: Priority) -> Place | None:
        """Give the first place of a lane without taking it; None when nobody waits there."""
        lane = self._lanes[priority]
        while lane and not lane[0].waiting:
            heapq.heappop(lane)
        return lane[0] if lane else None

    def next_priority(self) -> Priority:
        """Tell which lane has the next paced turn, as long as somebody waits."""
        if not self._waiting["interactive"]:
            return "bulk"
        if self._waiting["bulk"] and self._interactive_turns >= INTERACTIVE_TURNS_PER_BULK_TURN:
            return "bulk"
        return "interactive"

    def take(self, priority: Priority) -> Place:
        """Take the first place of a lane in which somebody waits."""
        lane = self._lanes[priority]
        place = heapq.heappop(lane)
        while not place.waiting:
            place = heapq.heappop(lane)
        self.leave(place)
        if priority == "bulk" or not self._waiting["bulk"]:
            self._interactive_turns = 0
        else:
            self._interactive_turns += 1
        return place

    def everybody(self) -> list[Place]:
        """List all who wait, first come first."""
        return sorted(place for lane in self._lanes.values() for place in lane if place.waiting)
