"""The line: who is next. Bulk work gets one turn in four while both lanes wait; flows of a lane take turns.

A flow is the callers that wait on behalf of one user of the limiter, such as a view of a client. Arrival
order holds within it, so that one that has queued hundreds of calls does not keep another one's only call
waiting.

`Lanes` counts the callers that wait, which is all that decisions need; `Line` holds those of one process.
"""

import heapq
from asyncio import Future
from collections import OrderedDict
from collections.abc import Hashable
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
    interactive_expected: int = 0  # the most calls that one job has announced and not made yet
    bulk_expected: int = 0

    @property
    def total(self) -> int:
        """Callers that wait in either lane."""
        return self.interactive + self.bulk

    def waiting(self, lane: Priority) -> int:
        """Return how many callers wait in a lane."""
        return self.interactive if lane == "interactive" else self.bulk

    def demand(self, lane: Priority) -> int:
        """Return how many calls a lane has still to make: those that wait, or that were announced."""
        if lane == "interactive":
            return max(self.interactive, self.interactive_expected)
        return max(self.bulk, self.bulk_expected)

    def join(self, lane: Priority, expected: int = 1) -> None:
        """Count one more caller, whose job still has `expected` calls, this one included."""
        if lane == "interactive":
            announced = self.interactive_expected if self.interactive else 0
            self.interactive += 1
            self.interactive_expected = max(announced, expected)
        else:
            announced = self.bulk_expected if self.bulk else 0
            self.bulk += 1
            self.bulk_expected = max(announced, expected)

    def leave(self, lane: Priority) -> None:
        """Count one caller less. What was announced may have been its job; others announce theirs again."""
        if lane == "interactive":
            self.interactive -= 1
            self.interactive_expected = 0
        else:
            self.bulk -= 1
            self.bulk_expected = 0

    def next(self) -> Priority:
        """Return the lane that has the next paced turn."""
        if self.interactive and (not self.bulk or self.streak < INTERACTIVE_PER_BULK):
            return "interactive"
        return "bulk"

    def take(self, lane: Priority) -> None:
        """Count a turn of a lane."""
        if lane == "interactive":
            self.interactive -= 1
            self.interactive_expected = max(0, self.interactive_expected - 1)
            self.streak = self.streak + 1 if self.bulk else 0
        else:
            self.bulk -= 1
            self.bulk_expected = max(0, self.bulk_expected - 1)
            self.streak = 0

    def ahead_of_last(self, lane: Priority) -> int:
        """Return how many callers go before the last one of a lane."""
        return self.ahead_of(lane, self.waiting(lane) - 1)

    def ahead_of(self, lane: Priority, before: int) -> int:
        """Return how many callers go before one that has `before` others of its own lane before it."""
        if lane == "interactive":
            return before + min(self.bulk, before // INTERACTIVE_PER_BULK)
        return before + min(self.interactive, (before + 1) * INTERACTIVE_PER_BULK)


@define(eq=False)
class Place:
    """One caller's place in line, kept for as long as its call lasts.

    A call that was rejected comes back with the same `number`, hence before all of its flow that came later.
    """

    number: int
    priority: Priority
    flow: Hashable = None  # whose call it is
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
class Flow:
    """The callers of one flow that wait in a lane."""

    places: list[Place] = field(factory=list)
    """A heap; some have left."""
    waiting: int = 0
    """How many have not."""

    def first(self) -> Place:
        """Return the first caller; there is one."""
        places = self.places
        while not places[0].waiting:
            heapq.heappop(places)
        return places[0]


@define(eq=False)
class Line:
    """The callers of one process that wait, in two lanes. The flows of a lane take turns."""

    _lanes: dict[Priority, OrderedDict[Hashable, Flow]] = field(
        factory=lambda: {lane: OrderedDict() for lane in PRIORITIES}
    )
    """The flows in which callers wait; the first has the next turn."""
    _waiting: dict[Priority, int] = field(factory=lambda: dict.fromkeys(PRIORITIES, 0))
    total: int = 0  # callers that wait in either lane

    def waiting(self, priority: Priority) -> int:
        """Return how many callers wait in a lane."""
        return self._waiting[priority]

    def join(self, place: Place) -> None:
        """Add a caller: at the end of its flow when it is new, at its old place when it comes back.

        Its flow is the last in the lane if no caller of it waits, and the next one for a call that comes
        back: the turn that it had was of no use.
        """
        place.waiting = True
        lane = self._lanes[place.priority]
        flow = lane.get(place.flow)
        if flow is None:
            flow = lane[place.flow] = Flow()
        if place.returning:
            lane.move_to_end(place.flow, last=False)
        heapq.heappush(flow.places, place)
        flow.waiting += 1
        self._waiting[place.priority] += 1
        self.total += 1

    def leave(self, place: Place) -> None:
        """Remove a caller. Its place stays in the flow, unseen, until it comes up or too many have left."""
        place.waiting = False
        self._waiting[place.priority] -= 1
        self.total -= 1
        lane = self._lanes[place.priority]
        flow = lane[place.flow]
        flow.waiting -= 1
        if not flow.waiting:
            del lane[place.flow]
        elif len(flow.places) > 2 * flow.waiting + _GONE_KEPT:
            flow.places = [each for each in flow.places if each.waiting]
            heapq.heapify(flow.places)

    def first(self, priority: Priority) -> Place | None:
        """Return the first caller of a lane, None when no caller waits there."""
        for flow in self._lanes[priority].values():
            return flow.first()
        return None

    def take(self, priority: Priority) -> Place:
        """Remove and return the first caller of a lane in which callers wait."""
        place = self.first(priority)
        assert place is not None
        lane = self._lanes[priority]
        heapq.heappop(lane[place.flow].places)
        lane.move_to_end(place.flow)
        self.leave(place)
        return place

    def before_last(self, priority: Priority, flow: Hashable) -> int:
        """Return how many callers of a lane have their turn before the last one of a flow."""
        lane = self._lanes[priority]
        last = lane[flow].waiting
        return sum(min(each.waiting, last) for each in lane.values()) - 1

    def places(self) -> list[Place]:
        """List the callers that wait, in the order of arrival."""
        flows = (flow for lane in self._lanes.values() for flow in lane.values())
        return sorted(place for flow in flows for place in flow.places if place.waiting)
