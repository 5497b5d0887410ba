"""What a process asks of the budget, and what it is answered; `lua/ask.lua` explains the fields."""

import json
from typing import Any, Final, Literal, TypeAlias

from attrs import Factory, frozen

from helpcrunch_async.rate_limit import Priority

ProbeNews: TypeAlias = Literal["accepted", "lost", "held"]

_LANES: Final[dict[Priority, str]] = {"interactive": "i", "bulk": "b"}
_PRIORITIES: Final[dict[str, Priority]] = {lane: priority for priority, lane in _LANES.items()}


@frozen
class Reports:
    """What became of turns; sent until it is known to have arrived, and counted once."""

    accepted: list[tuple[int, int]] = Factory(list)
    """Cells, and how many of their turns the server took."""
    returned: list[tuple[int, int]] = Factory(list)
    """Cells, and how many of their turns nobody used."""
    rejected: list["Rejection"] = Factory(list)
    probe: ProbeNews | None = None


@frozen
class Rejection:
    """A turn that met a 429: when it was taken on this process' clock, and what Redis said of it."""

    at: float
    depth: float
    epoch: int | None
    probe: bool
    retry_after: float | None


@frozen
class Waiting:
    """The callers of one lane: how many, and for how many seconds the first and the last have waited."""

    callers: int
    first: float
    last: float


@frozen
class History:
    """What a process has sent in the last period, for a budget that may have missed it."""

    turns: list[tuple[float, int]]
    """Seconds ago, and how many."""
    calls: float
    pause: float
    """Seconds for which everybody should still pause."""


@frozen
class Question:
    """All that a process says when it asks for turns."""

    process: str
    number: int
    state: tuple[str, int] | None
    limit: int
    period: float
    waiting: dict[Priority, Waiting]
    room: int
    jitter: float
    round_trip: float
    dice: float
    reports: Reports
    history: History | None

    def to_json(self, now: float, clock: float | None = None) -> str:
        """Write it for the script; `now` is on this process' clock, `clock` stands in for Redis'."""
        reports, history = self.reports, self.history
        fields: dict[str, Any] = {
            "pid": self.process,
            "seq": self.number,
            "limit": self.limit,
            "period": self.period,
            "lanes": {
                _LANES[priority]: [lane.callers, lane.first, lane.last]
                for priority, lane in self.waiting.items()
            },
            "room": self.room,
            "jitter": self.jitter,
            "rtt": self.round_trip,
            "dice": self.dice,
            "accepted": reports.accepted,
            "returned": reports.returned,
            "rejected": [_rejection(each, now) for each in reports.rejected],
        }
        if self.state is not None:
            fields["id"], fields["version"] = self.state
        if reports.probe is not None:
            fields["probe"] = reports.probe
        if history is not None:
            fields["history"] = {"cells": history.turns, "calls": history.calls, "pause": history.pause}
        if clock is not None:
            fields["clock"] = clock
        return json.dumps(fields)


def _rejection(each: Rejection, now: float) -> dict[str, Any]:
    # Lua's JSON reads null as a value that is true, so what is not known is left out
    fields: dict[str, Any] = {"age": now - each.at, "depth": each.depth, "probe": each.probe}
    if each.epoch is not None:
        fields["epoch"] = each.epoch
    if each.retry_after is not None:
        fields["retry_after"] = each.retry_after
    return fields


@frozen
class Granted:
    """Turns of one lane, to be used now."""

    priority: Priority
    turns: int
    cell: int
    depth: float
    probe: bool


@frozen
class Answer:
    """What Redis says; times are seconds from now."""

    state: tuple[str, int]
    epoch: int
    limit: int
    period: float
    calls: float
    gap: float
    granted: list[Granted]
    more: bool
    """Whether further callers may go as soon as others are through, ahead of the even pace."""
    wait: float | None
    """When to ask again; None when nobody waits any more."""
    next: float
    """When the next turn is due, whoever gets it."""
    others: dict[Priority, int]
    """Callers who wait in other processes."""
    processes: int
    """How many processes wait, the asking one included."""
    paused: float | None
    """How long the pause after a 429 lasts yet; None when the gate is open."""
    probing: bool
    """Whether a probe is under way, of any process."""
    closed_for: float

    @classmethod
    def from_json(cls, text: str | bytes) -> "Answer | None":
        """Read what the script gave; None when Redis has forgotten what it knew."""
        fields = json.loads(text)
        if "forgotten" in fields:
            return None
        return cls(
            state=(fields["id"], fields["version"]),
            epoch=fields["epoch"],
            limit=fields["limit"],
            period=fields["period"],
            calls=fields["calls"],
            gap=fields["gap"],
            granted=[
                Granted(_PRIORITIES[lane], turns, cell, depth, bool(probe))
                for lane, turns, cell, depth, probe in fields["grants"]
            ],
            more=fields["more"],
            wait=fields["wait"] if fields["wait"] >= 0 else None,
            next=fields["next"],
            others=dict(zip(_PRIORITIES.values(), fields["others"], strict=True)),
            processes=fields["processes"],
            paused=fields["paused"] if fields["paused"] >= 0 else None,
            probing=fields["probing"],
            closed_for=fields["closed_for"],
        )
