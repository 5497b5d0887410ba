"""The rate rules of the fake server, against their promises and against slower but plainer accounts."""

import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpcrunch_async.testing import (
    Change,
    FixedWindow,
    InterpolatedWindow,
    Penalty,
    RateRule,
    RollingLog,
    Shared,
    TokenBucket,
)

START = 1000.0

limits = st.integers(1, 12)
periods = st.floats(0.1, 60.0)
phases = st.floats(0.0, 0.99)
gaps = st.lists(st.one_of(st.just(0.0), st.floats(0.0, 20.0), st.floats(0.0, 0.2)), max_size=80)

KINDS: dict[str, Callable[[int, float], RateRule]] = {
    "fixed window": FixedWindow,
    "fixed window on the clock": lambda limit, period: FixedWindow(limit, period, 0.25),
    "rolling log": RollingLog,
    "interpolated window": InterpolatedWindow,
    "token bucket": TokenBucket,
    "small bucket": lambda limit, period: TokenBucket(limit, period, 1),
}
each_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)


def times_after(pauses: list[float]) -> list[float]:
    """Turn pauses into rising times."""
    now, times = START, []
    for pause in pauses:
        now += pause
        times.append(now)
    return times


def accepted_of(rule: RateRule, times: list[float]) -> list[float]:
    """The times at which a rule accepted a call."""
    return [now for now in times if rule.hit(now) is None]


@each_kind
def test_the_first_call_is_accepted(kind: Callable[[int, float], RateRule]) -> None:
    """A quiet account never refuses."""
    assert kind(3, 60.0).hit(START) is None


@each_kind
def test_the_rate_is_limit_per_period(kind: Callable[[int, float], RateRule]) -> None:
    """`rate` is in calls per second."""
    assert kind(120, 60.0).rate == 2.0


@each_kind
def test_a_caller_who_always_wants_more_gets_the_rate(kind: Callable[[int, float], RateRule]) -> None:
    """In the long run as many calls pass as `rate` says, but for the first burst and one call a period."""
    rule = kind(50, 10.0)
    accepted = accepted_of(rule, [START + index / 50 for index in range(50 * 1000)])
    assert rule.rate * 1000 * 0.97 <= len(accepted) <= rule.rate * 1000 + 50


@each_kind
@given(limit=limits, period=periods, pauses=gaps)
def test_whoever_waits_as_told_is_accepted(
    kind: Callable[[int, float], RateRule], limit: int, period: float, pauses: list[float]
) -> None:
    """The seconds of a refusal are positive, and enough when nobody else calls."""
    rule = kind(limit, period)
    now = START
    for pause in pauses:
        now += pause
        wait = rule.hit(now)
        if wait is not None:
            assert 0 < wait <= 2 * period + 1e-6
            now += wait + 1e-6
            assert rule.hit(now) is None


@pytest.mark.parametrize("count_rejected", [False, True], ids=["accepted count", "all count"])
@given(limit=limits, period=periods, pauses=gaps)
def test_a_rolling_log_never_exceeds_its_limit(
    *, count_rejected: bool, limit: int, period: float, pauses: list[float]
) -> None:
    """No span of one period, wherever it starts, holds more than `limit` accepted calls."""
    rule = RollingLog(limit, period, count_rejected=count_rejected)
    accepted = accepted_of(rule, times_after(pauses))
    for first, beyond in zip(accepted, accepted[limit:], strict=False):
        assert beyond >= first + period


@given(limit=limits, period=periods, pauses=gaps, count_rejected=st.booleans())
def test_a_rolling_log_equals_a_full_log(
    *, limit: int, period: float, pauses: list[float], count_rejected: bool
) -> None:
    """Keeping only the last `limit` calls decides the same as keeping all of them."""
    rule = RollingLog(limit, period, count_rejected=count_rejected)
    log: list[float] = []
    for now in times_after(pauses):
        accepts = sum(now < then + period for then in log) < limit
        if accepts or count_rejected:
            log.append(now)
        assert (rule.hit(now) is None) == accepts


@given(limit=limits, period=periods, burst=st.integers(1, 30), pauses=gaps, count_rejected=st.booleans())
def test_a_bucket_never_gives_more_than_it_holds_and_refills(
    *, limit: int, period: float, burst: int, pauses: list[float], count_rejected: bool
) -> None:
    """From any call on, at most the burst and the refill since then are accepted."""
    rule = TokenBucket(limit, period, burst, count_rejected=count_rejected)
    accepted = accepted_of(rule, times_after(pauses))
    for index, first in enumerate(accepted):
        for number, later in enumerate(accepted[index:], start=1):
            assert number <= burst + rule.rate * (later - first) + 1e-6


@given(limit=limits, period=periods, phase=phases, pauses=gaps)
def test_an_interpolated_window_equals_its_formula(
    limit: int, period: float, phase: float, pauses: list[float]
) -> None:
    """Counting both windows afresh for every call gives the same answers."""
    rule = InterpolatedWindow(limit, period, phase)
    per_window: dict[int, int] = {}
    for now in times_after(pauses):
        place = now / period - phase
        window = math.floor(place)
        if min(place - window, window + 1 - place) < 1e-9:
            continue  # on the very edge, either side is right
        previous, current = per_window.get(window - 1, 0), per_window.get(window, 0)
        room = limit - (previous * (window + 1 - place) + current + 1)
        accepts = rule.hit(now) is None
        if abs(room) > 1e-6:
            assert accepts == (room >= 0)
        per_window[window] = current + accepts


@given(limit=limits, period=periods, phase=st.none() | phases, pauses=gaps)
def test_a_fixed_window_never_exceeds_twice_its_limit(
    limit: int, period: float, phase: float | None, pauses: list[float]
) -> None:
    """Two windows can meet in one period; three cannot."""
    rule = FixedWindow(limit, period, phase)
    accepted = accepted_of(rule, times_after(pauses))
    for first, beyond in zip(accepted, accepted[2 * limit :], strict=False):
        assert beyond >= first + period - 1e-9


def test_a_window_opens_with_the_first_call() -> None:
    """Without a phase the window is counted from the call, not from the clock."""
    rule = FixedWindow(2, 60.0)
    assert [rule.hit(now) for now in (59.0, 60.0, 118.0, 119.0)] == [None, None, 1.0, None]


def test_a_window_on_the_clock_ends_with_the_clock() -> None:
    """With a phase the windows start at whole periods, shifted."""
    rule = FixedWindow(2, 60.0, 0.5)
    assert [rule.hit(now) for now in (80.0, 85.0, 89.0, 90.0)] == [None, None, 1.0, None]


def test_a_rolling_log_frees_one_slot_at_a_time() -> None:
    """A slot frees when the oldest call leaves the span."""
    rule = RollingLog(2, 60.0)
    assert [rule.hit(now) for now in (0.0, 10.0, 20.0, 60.0, 61.0)] == [None, None, 40.0, None, 9.0]


def test_refused_calls_can_lock_a_caller_out() -> None:
    """With `count_rejected` a log that is asked all the time never opens again; without it, it does."""
    knocks = [START + second for second in range(600)]
    counting = RollingLog(10, 60.0, count_rejected=True)
    assert len(accepted_of(counting, knocks)) == 10
    assert len(accepted_of(RollingLog(10, 60.0), knocks)) == 100


def test_an_interpolated_window_remembers_the_one_before() -> None:
    """A full window leaves no room at once, then room in proportion."""
    rule = InterpolatedWindow(10, 10.0)
    assert accepted_of(rule, [5.0] * 12) == [5.0] * 10
    assert rule.hit(10.5) == pytest.approx(0.5)
    assert rule.hit(11.0) is None
    assert rule.hit(11.0) == pytest.approx(1.0)


def test_an_interpolated_window_counts_refused_calls_up_to_the_limit() -> None:
    """A storm fills the window, but not beyond the limit."""
    rule = InterpolatedWindow(10, 10.0, count_rejected=True)
    accepted_of(rule, [0.0] * 5)
    accepted_of(rule, [10.0] * 500)
    assert rule.hit(21.0) is None


def test_a_bucket_starts_full_and_refills() -> None:
    """The burst defaults to the limit."""
    rule = TokenBucket(2, 1.0)
    assert [rule.hit(now) for now in (0.0, 0.0, 0.0, 0.5, 0.5)] == [None, None, 0.5, None, 0.5]


def test_a_bucket_that_counts_refused_calls_spills() -> None:
    """What has gathered of a token is lost by asking too early."""
    rule = TokenBucket(1, 1.0, count_rejected=True)
    assert [rule.hit(now) for now in (0.0, 0.75, 1.5, 2.5)] == [None, 1.0, 1.0, None]


def test_a_penalty_is_extended_by_every_refused_call() -> None:
    """Knocking during the block starts it anew; staying away ends it."""
    rule = Penalty(TokenBucket(1, 1.0), 5.0)
    assert [rule.hit(now) for now in (0.0, 0.1, 4.0, 8.0, 13.0)] == [None, 5.0, 5.0, 5.0, None]
    assert rule.rate == 1.0


def test_a_penalty_shorter_than_the_rule_says_when_the_rule_frees() -> None:
    """The longer of the two decides."""
    rule = Penalty(FixedWindow(1, 60.0), 5.0)
    assert [rule.hit(now) for now in (0.0, 10.0, 12.0)] == [None, 50.0, 48.0]


@pytest.mark.parametrize("seed", [None, 7], ids=["even", "random"])
def test_a_second_consumer_leaves_the_rest(seed: int | None) -> None:
    """A patient caller gets what the other one does not take."""
    rule = Shared(TokenBucket(100, 1.0, 5), 60.0, seed=seed)
    now, accepted = START, 0
    while now < START + 100:
        wait = rule.hit(now)
        accepted += wait is None
        now += 1 / 40 if wait is None else wait
    assert rule.rate == 40.0
    assert accepted == pytest.approx(4000, rel=0.05)


def test_the_same_seed_gives_the_same_second_consumer() -> None:
    """Simulations can be repeated."""
    times = [START + index / 7 for index in range(500)]
    runs = [accepted_of(Shared(RollingLog(5, 1.0), 3.0, seed=1), times) for _ in range(2)]
    assert runs[0] == runs[1]


def test_a_change_comes_after_the_first_hit() -> None:
    """The second rule takes over at its time, with no memory of the first."""
    rule = Change(FixedWindow(1, 60.0), FixedWindow(2, 60.0), 30.0)
    assert rule.rate == 1 / 60
    assert [rule.hit(now) for now in (100.0, 129.0, 130.0, 130.0, 131.0)] == [None, 31.0, None, None, 59.0]
    assert rule.rate == 2 / 60


NONSENSE: dict[str, tuple[Callable[[], RateRule], str]] = {
    "FixedWindow(0, 60.0)": (lambda: FixedWindow(0, 60.0), "limit"),
    "FixedWindow(1, 60.0, 1.0)": (lambda: FixedWindow(1, 60.0, 1.0), "phase"),
    "FixedWindow(1, 60.0, -0.1)": (lambda: FixedWindow(1, 60.0, -0.1), "phase"),
    "RollingLog(1, 0.0)": (lambda: RollingLog(1, 0.0), "period"),
    "RollingLog(True, 60.0)": (lambda: RollingLog(True, 60.0), "limit"),
    "RollingLog(1, math.nan)": (lambda: RollingLog(1, math.nan), "period"),
    "RollingLog(1, math.inf)": (lambda: RollingLog(1, math.inf), "period"),
    "InterpolatedWindow(-1, 60.0)": (lambda: InterpolatedWindow(-1, 60.0), "limit"),
    "InterpolatedWindow(1, 60.0, math.nan)": (lambda: InterpolatedWindow(1, 60.0, math.nan), "phase"),
    "TokenBucket(1, 60.0, 0)": (lambda: TokenBucket(1, 60.0, 0), "burst"),
    "Penalty(RollingLog(1, 60.0), 0.0)": (lambda: Penalty(RollingLog(1, 60.0), 0.0), "block"),
    "Shared(RollingLog(60, 60.0), 1.0)": (lambda: Shared(RollingLog(60, 60.0), 1.0), "taken"),
    "Shared(RollingLog(60, 60.0), 0.0)": (lambda: Shared(RollingLog(60, 60.0), 0.0), "taken"),
    "Change(RollingLog(1, 1.0), RollingLog(2, 1.0), -1.0)": (
        lambda: Change(RollingLog(1, 1.0), RollingLog(2, 1.0), -1.0),
        "after",
    ),
}


@pytest.mark.parametrize(("make", "named"), NONSENSE.values(), ids=NONSENSE)
def test_nonsense_is_refused(make: Callable[[], RateRule], named: str) -> None:
    """The message names the argument."""
    with pytest.raises(ValueError, match=named):
        make()
