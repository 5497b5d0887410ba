"""The state of the machine as one small value: written, read, and decided on as before."""

import json
from collections.abc import Callable
from math import inf
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpcrunch_async.rate_limit.cells import Grant
from helpcrunch_async.rate_limit.gate import State
from helpcrunch_async.rate_limit.line import PRIORITIES
from helpcrunch_async.rate_limit.machine import Machine
from helpcrunch_async.rate_limit.value import FORMAT, dump, load

MACHINES: dict[str, Callable[[], Machine]] = {
    "120 per 60 s": lambda: Machine.with_limit(120, 60.0),
    "5 per 10 s, burst 2": lambda: Machine.with_limit(5, 10.0, 2),
    "200 per 1 s": lambda: Machine.with_limit(200, 1.0),
    "unknown": lambda: Machine.without_limit(60.0),
}


class Player:
    """Does to a machine whatever dice say, and lists all that it decides."""

    def __init__(self, machine: Machine, seed: int) -> None:
        self.machine = machine
        self.dice = Random(seed)
        self.now = self.dice.choice([0.0, 12_345.678_9])
        self.flying: list[Grant] = []
        self.decided: list[object] = []

    def step(self) -> None:
        machine, dice = self.machine, self.dice
        period = machine.period
        self.now += dice.choice([0, 0, 0, 1e-3, 0.05, 0.3, 2, 11, 70, 700]) * period / 60
        what = dice.choice(["join", "join", "join", "leave", "accept", "accept", "accept", "reject", "lose"])
        lane = dice.choice(PRIORITIES)
        if what == "join":
            for _ in range(dice.choice([1, 1, 1, 5, 40])):
                machine.join(self.now, lane)
        elif what == "leave" and machine.lanes.waiting(lane):
            machine.leave(lane)
        elif what in {"accept", "reject", "lose"} and self.flying:
            grant = self.flying.pop(dice.randrange(len(self.flying)))
            if what == "accept":
                machine.accepted(self.now, grant)
            elif what == "reject":
                machine.rejected(self.now, grant, dice.choice([None, 0.0, 1.0, 30.0]), dice.random())
            else:
                machine.lost(grant)
        room = dice.choice([0, 4, 100])
        while machine.lanes.total and (due := machine.due(self.now, room))[1] <= self.now:
            self.flying.append(machine.take(self.now, due[0]))
            self.decided.append((due, self.flying[-1].at, self.flying[-1].depth))
        if machine.lanes.total:
            self.decided.append(machine.due(self.now, room))
        self.decided += [
            machine.gate.state,
            machine.gate.until,
            machine.pace.rate,
            machine.patience_ends(),
            machine.expected_wait(self.now, lane, 7, 5.0),
        ]


@pytest.mark.parametrize("make", MACHINES.values(), ids=MACHINES)
@given(seed=st.integers(0, 10**6))
@settings(max_examples=settings().max_examples // 5)
def test_a_machine_that_was_written_and_read_decides_as_before(
    make: Callable[[], Machine], seed: int
) -> None:
    """After every step, and for what follows."""
    kept, read = Player(make(), seed), Player(make(), seed)
    for _ in range(80):
        kept.step()
        read.step()
        read.machine = load(dump(read.machine))
        assert kept.decided[-6:] == read.decided[-6:]
        assert dump(kept.machine) == dump(read.machine)
    assert kept.decided == read.decided


def test_the_value_is_small() -> None:
    """About two kilobytes for a period of the documented limit, spent call by call."""
    machine, now = Machine.with_limit(120, 60.0), 1_000_000.0
    for _ in range(400):
        machine.join(now, "interactive")
        now = max(now, machine.due(now, 0)[1])
        machine.accepted(now + 0.1, machine.take(now, "interactive"))
    assert len(dump(machine)) < 2_400


def test_the_value_is_strict_json() -> None:
    """Other readers need no numbers that JSON lacks."""
    text = dump(Machine.without_limit(60.0))
    assert "Infinity" not in text
    assert json.loads(text)[0] == FORMAT


@pytest.mark.parametrize("found", [FORMAT + 1, 0, "1", None])
def test_another_format_is_refused(found: object) -> None:
    """Two versions never decide on one state."""
    parts = json.loads(dump(Machine.with_limit(5, 1.0)))
    with pytest.raises(ValueError, match=f"has format {found}, not {FORMAT}"):
        load(json.dumps([found, *parts[1:]]))


def test_a_pause_is_kept() -> None:
    """With the probe that is under way, and the rejection it is about."""
    machine = Machine.with_limit(5, 10.0)
    machine.join(0.0, "bulk")
    first = machine.take(0.0, "bulk")
    machine.rejected(1.0, first, 3.0, 0.5)
    machine.join(1.0, "bulk")
    probe = machine.take(4.0, "bulk")
    again = load(dump(machine))
    assert again.gate.is_probe(probe.number)
    assert again.patience_ends() == inf
    again.accepted(5.0, probe)
    assert again.gate.state is State.OPEN
