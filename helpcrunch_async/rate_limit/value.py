"""The machine's whole state as one small value: `load(dump(machine))` decides as the machine does.

The value is JSON: a list that begins with the number of its format. Each part is a list of its fields in the
order in which the class names them; numbers that JSON lacks are strings ("inf"). The turns of the record are
written as differences in ticks, so that a period of 120 turns takes about two kilobytes.
"""

import json
from collections import deque
from math import isfinite
from typing import Any, Final

from attrs import AttrsInstance, fields

from helpcrunch_async.rate_limit.cells import DEPTH, TICKS, Cell, Cells
from helpcrunch_async.rate_limit.climb import Climb
from helpcrunch_async.rate_limit.demand import Demand
from helpcrunch_async.rate_limit.estimate import LimitEstimator, PastRejection
from helpcrunch_async.rate_limit.gate import Backoff, Gate, Rejection, State
from helpcrunch_async.rate_limit.known_limit import KnownLimit
from helpcrunch_async.rate_limit.line import Lanes
from helpcrunch_async.rate_limit.machine import Machine
from helpcrunch_async.rate_limit.pace import Pace, RoundTrip
from helpcrunch_async.rate_limit.unknown_limit import Certainty, UnknownLimit

FORMAT: Final = 2
"""Of the value, and of the rules: it changes with either, so that two versions never decide on one state."""


def dump(machine: Machine) -> str:
    """Write the state of a machine."""
    parts = [
        FORMAT,
        machine.period,
        machine.granted,
        _numbers(machine.lanes),
        _numbers(machine.round_trip),
        _dump_gate(machine.gate),
        _dump_cells(machine.cells),
        _dump_pace(machine.pace),
    ]
    return json.dumps(parts, separators=(",", ":"), allow_nan=False)


def load(text: str) -> Machine:
    """Make a machine of what `dump` wrote.

    Raises:
        ValueError: the value has another format.
    """
    found, *parts = json.loads(text)
    if found != FORMAT:
        raise ValueError(f"the limiter's state has format {found}, not {FORMAT}")
    period, granted, lanes, round_trip, gate, cells, pace = parts
    record, trip = _load_cells(cells), RoundTrip(*_floats(round_trip))
    return Machine(
        period=period,
        pace=_load_pace(pace, record, trip),
        cells=record,
        round_trip=trip,
        gate=_load_gate(gate),
        lanes=Lanes(*lanes),
        granted=granted,
    )


def _numbers(part: AttrsInstance) -> list[Any]:
    """Return the fields of a part that are no parts themselves."""
    values = (getattr(part, each.name) for each in fields(type(part)) if each.init)
    return [
        str(value) if isinstance(value, float) and not isfinite(value) else value
        for value in values
        if isinstance(value, bool | int | float | str)
    ]


def _floats(values: list[Any]) -> list[Any]:
    """Turn back what JSON has no numbers for."""
    return [float(value) if isinstance(value, str) else value for value in values]


def _dump_gate(gate: Gate) -> list[Any]:
    parts = (gate.backoff, gate.rejection)
    return [*_numbers(gate), *(None if part is None else _numbers(part) for part in parts)]


def _load_gate(values: list[Any]) -> Gate:
    state, *numbers, backoff, rejection = values
    parts = [
        None if backoff is None else Backoff(*_floats(backoff)),
        None if rejection is None else Rejection(*_floats(rejection)),
    ]
    return Gate(*[State(state), *_floats(numbers), *parts])


def _dump_cells(cells: Cells) -> list[Any]:
    turns, before = [], 0
    for cell in cells:
        ticks = round(cell.at * TICKS)
        turns.append(
            [
                ticks - before,
                cell.turns,
                cell.accepted,
                *([int(cell.deepest / DEPTH)] if cell.deepest else ()),
            ]
        )
        before = ticks
    return [*_numbers(cells), turns]


def _load_cells(values: list[Any]) -> Cells:
    *numbers, turns = values
    grid, window_start = _floats(numbers)
    cells: deque[Cell] = deque()
    ticks = 0
    for since, count, accepted, *deepest in turns:
        ticks += since
        at = ticks / TICKS
        cells.append(Cell(int(at / grid), at, count, accepted, *(each * DEPTH for each in deepest or (0,))))
    return Cells(grid, window_start, cells)


def _dump_pace(pace: Pace) -> list[Any]:
    if isinstance(pace, UnknownLimit):
        return [None, *_numbers(pace)]
    assert isinstance(pace, KnownLimit)
    estimator, climb, single = pace.estimator, pace.climb, pace.single_calls
    past = [_numbers(each) for each in estimator.past]
    return [*_numbers(pace), [*_numbers(estimator), past], _numbers(climb), _numbers(single)]


def _load_pace(values: list[Any], cells: Cells, round_trip: RoundTrip) -> Pace:
    if values[0] is None:
        certainty, *numbers = values[1:]
        return UnknownLimit(*[Certainty(certainty), *_floats(numbers), cells, round_trip])
    *numbers, estimator, climb, single = values
    *memory, past = estimator
    remembered = deque(PastRejection(*each) for each in past)
    parts = [
        LimitEstimator(*[*_floats(memory), remembered]),
        Climb(*_floats(climb)),
        Demand(*_floats(single)),
        cells,
        round_trip,
    ]
    return KnownLimit(*[*_floats(numbers), *parts])
