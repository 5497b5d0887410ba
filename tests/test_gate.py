"""The gate: how long a pause lasts, who probes, and what the next pause is."""

from math import inf

import pytest

from helpcrunch_async.rate_limit.gate import Gate
from helpcrunch_async.rate_limit.line import Place

MIDDLE = 0.5  # of the jitter: a pause is as long as it says


def closed(*, random: float = MIDDLE, back: float = 2.0, growth: float = 3.0, edge: float = inf) -> Gate:
    """A gate that was closed at 100 and whose pause is not set yet."""
    gate = Gate(lambda: random)
    gate.close(100.0, back=back, growth=growth, edge=edge)
    return gate


def pauses(gate: Gate, count: int, retry_after: float | None = None, *, longest: float = 50.0) -> list[float]:
    """Have a probe rejected at each deadline; give the seconds of each pause."""
    now, seconds = 100.0, []
    for _ in range(count):
        gate.pause(now, retry_after, gap=0.25, longest=longest)
        seconds.append(gate.until - now)
        now = gate.until
    return seconds


def test_is_open_until_it_is_closed_and_again_once_a_probe_was_accepted() -> None:
    """While it is open nobody's patience is tried."""
    gate = Gate(lambda: MIDDLE)
    assert (gate.closed, gate.closed_at, gate.probe) == (False, inf, None)
    gate.close(100.0, back=2.0, growth=3.0, edge=inf)
    assert (gate.closed, gate.closed_at) == (True, 100.0)
    gate.probe = Place(1, "bulk")
    gate.open()
    assert (gate.closed, gate.closed_at) == (False, inf)
    assert gate.probe is None


def test_pauses_without_retry_after_grow() -> None:
    """Each is as many times longer than the one before as was asked for, up to the longest."""
    assert pauses(closed(), 5) == pytest.approx([2.0, 6.0, 18.0, 50.0, 50.0])


@pytest.mark.parametrize(("random", "share"), [(0.0, 0.85), (0.5, 1.0), (1.0, 1.15)])
def test_pauses_are_jittered(random: float, share: float) -> None:
    """By 15 % either way, so that clients that were cut off together do not come back together."""
    assert pauses(closed(random=random), 2) == pytest.approx([2.0 * share, 6.0 * share])


def test_one_probe_goes_when_every_window_has_let_a_slot_go() -> None:
    """However long the next pause would be; after that they begin again at two gaps."""
    assert pauses(closed(edge=105.0), 4) == pytest.approx([2.0, 3.0, 0.5, 1.5])
    assert pauses(closed(edge=102.0), 2) == pytest.approx([2.0, 0.5])


def test_a_pause_is_a_gap_at_least_when_a_slot_is_free_already() -> None:
    """The rejection says that it is not, so not at once again."""
    assert pauses(closed(edge=90.0), 2) == pytest.approx([0.25, 0.5])


def test_retry_after_is_waited_for_exactly_at_first() -> None:
    """Shorter or longer than what we would wait: the server's word counts."""
    assert pauses(closed(), 1, 0.5) == [0.5]
    assert pauses(closed(), 1, 40.0) == [40.0]
    assert pauses(closed(), 1, 90.0) == [90.0], "beyond the longest pause, too"


def test_retry_after_that_was_not_enough_is_doubled_on_our_side() -> None:
    """Two clients that keep extending each other's penalty get free; the server's word is the least."""
    assert pauses(closed(), 5, 1.0, longest=10.0) == pytest.approx([1.0, 4.0, 8.0, 10.0, 10.0])
    assert pauses(closed(), 4, 9.0, longest=20.0) == pytest.approx([9.0, 9.0, 18.0, 20.0])


def test_each_contact_begins_anew() -> None:
    """Neither the failed probes of the last one nor its long pauses count."""
    gate = closed()
    pauses(gate, 4, 1.0)
    gate.open()
    gate.close(300.0, back=2.0, growth=3.0, edge=inf)
    gate.pause(300.0, 1.0, gap=0.25, longest=50.0)
    assert gate.until == 301.0


def test_a_deadline_is_never_brought_forward() -> None:
    """Whatever a late answer says."""
    gate = closed()
    gate.pause(100.0, 7.0, gap=0.25, longest=50.0)
    gate.postpone(103.0)
    assert gate.until == 107.0
    gate.postpone(109.0)
    assert gate.until == 109.0


def test_one_probe_at_a_time() -> None:
    """The next one may go at the deadline that the rejection of the last one set."""
    gate = closed()
    gate.pause(100.0, 7.0, gap=0.25, longest=50.0)
    assert gate.probe_due() == 107.0
    gate.probe = Place(1, "bulk")
    assert gate.probe_due() == inf
    gate.pause(108.0, 7.0, gap=0.25, longest=50.0)
    assert gate.probe_due() == 115.0
