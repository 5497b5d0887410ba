"""The gate: how long a pause lasts, who probes, and what the next pause is."""

from math import inf

import pytest

from helpcrunch_async.rate_limit.gate import Backoff, Gate, Rejection, State

MIDDLE = 0.5  # of the jitter: a pause is as long as it says


def rejection() -> Rejection:
    return Rejection(99.0, 99.0, has_retry_after=False, deepest=0.0)


def close(
    gate: Gate,
    now: float = 100.0,
    *,
    first: float = 2.0,
    growth: float = 3.0,
    longest: float = 50.0,
    slot_free_by: float = inf,
) -> None:
    """Close a gate; its pause is not set yet."""
    backoff = Backoff(first, growth, shortest=0.25, longest=longest, slot_free_by=slot_free_by)
    gate.close(now, rejection(), backoff)


def closed(**figures: float) -> Gate:
    """A gate that was closed at 100 and whose pause is not set yet."""
    gate = Gate()
    close(gate, **figures)
    return gate


def pauses(gate: Gate, count: int, retry_after: float | None = None, dice: float = MIDDLE) -> list[float]:
    """Have a probe rejected at each deadline; give the seconds of each pause."""
    now, seconds = 100.0, []
    for _ in range(count):
        gate.pause(now, retry_after, dice)
        seconds.append(gate.until - now)
        now = gate.until
    return seconds


def test_is_open_until_it_is_closed_and_again_once_a_probe_was_accepted() -> None:
    """While it is open no caller's patience is tried."""
    gate = Gate()
    assert (gate.state, gate.patience_since, gate.epoch) == (State.OPEN, inf, 0)
    assert gate.rejection is None
    close(gate)
    assert (gate.state, gate.patience_since) == (State.PAUSED, 100.0)
    what = gate.rejection
    gate.begin_probe(7)
    assert gate.state is State.PROBING
    assert gate.open() is what
    assert (gate.state, gate.patience_since, gate.epoch) == (State.OPEN, inf, 1)
    assert gate.rejection is None


def test_knows_its_probe() -> None:
    """By the number of the turn, and only while that is under way."""
    gate = closed()
    assert not gate.is_probe(0)
    gate.begin_probe(7)
    assert gate.is_probe(7)
    assert not gate.is_probe(6)
    gate.lose_probe()
    assert gate.state is State.PAUSED
    assert not gate.is_probe(7)
    gate.begin_probe(8)
    gate.pause(100.0, None, MIDDLE)
    assert gate.state is State.PAUSED


def test_a_rejection_is_what_was_rejected() -> None:
    """Calls that were on the wire, which may have gone deeper, and probes, which did not."""
    what = Rejection(99.0, 99.0, has_retry_after=True, deepest=1.0)
    what.add(99.5, 4.0, probe=False)
    what.add(99.2, 3.0, probe=False)
    assert (what.last_at, what.deepest, what.rejected, what.probes) == (99.5, 4.0, 3, 0)
    what.add(105.0, 8.0, probe=True)
    what.add(106.0, 8.0, probe=True)
    assert (what.rejected_at, what.last_at, what.deepest, what.rejected, what.probes) == (
        99.0,
        106.0,
        4.0,
        3,
        2,
    )


def test_pauses_without_retry_after_grow() -> None:
    """Each is as many times longer than the one before as was asked for, up to the longest."""
    assert pauses(closed(), 5) == pytest.approx([2.0, 6.0, 18.0, 50.0, 50.0])


@pytest.mark.parametrize(("dice", "share"), [(0.0, 0.85), (0.5, 1.0), (1.0, 1.15)])
def test_pauses_are_jittered(dice: float, share: float) -> None:
    """By 15 % either way, so that clients that were cut off together do not come back together."""
    assert pauses(closed(), 2, dice=dice) == pytest.approx([2.0 * share, 6.0 * share])


def test_one_probe_goes_when_every_window_has_let_a_slot_go() -> None:
    """However long the next pause would be; after that they begin again at two gaps."""
    assert pauses(closed(slot_free_by=105.0), 4) == pytest.approx([2.0, 3.0, 0.5, 1.5])
    assert pauses(closed(slot_free_by=102.0), 2) == pytest.approx([2.0, 0.5])


def test_a_pause_is_a_gap_at_least_when_a_slot_is_free_already() -> None:
    """The rejection says that it is not, so not at once again."""
    assert pauses(closed(slot_free_by=90.0), 2) == pytest.approx([0.25, 0.5])


def test_retry_after_is_waited_for_exactly_at_first() -> None:
    """Shorter or longer than what we would wait: the server's word counts."""
    assert pauses(closed(), 1, 0.5) == [0.5]
    assert pauses(closed(), 1, 40.0) == [40.0]
    assert pauses(closed(), 1, 90.0) == [90.0], "beyond the longest pause, too"


def test_retry_after_that_was_not_enough_is_doubled_on_our_side() -> None:
    """Two clients that keep extending each other's penalty get free; the server's word is the least."""
    assert pauses(closed(longest=10.0), 5, 1.0) == pytest.approx([1.0, 4.0, 8.0, 10.0, 10.0])
    assert pauses(closed(longest=20.0), 4, 9.0) == pytest.approx([9.0, 9.0, 18.0, 20.0])


def test_each_rejection_begins_anew() -> None:
    """Neither the failed probes of the last one nor its long pauses count."""
    gate = closed()
    pauses(gate, 4, 1.0)
    gate.open()
    close(gate, 300.0)
    gate.pause(300.0, 1.0, MIDDLE)
    assert gate.until == 301.0


def test_a_deadline_is_never_brought_forward() -> None:
    """Whatever a late answer says."""
    gate = closed()
    gate.pause(100.0, 7.0, MIDDLE)
    gate.postpone(103.0)
    assert gate.until == 107.0
    gate.postpone(109.0)
    assert gate.until == 109.0


def test_patience_may_be_counted_anew() -> None:
    """Where nobody waited until now."""
    gate = closed()
    gate.restart_patience(170.0)
    assert gate.patience_since == 170.0
