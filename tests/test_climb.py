"""The climb back after a rejection: when it begins, in which steps, and what must have paid for them."""

import pytest

from helpcrunch_async.rate_limit.climb import Climb
from helpcrunch_async.rate_limit.estimate import Estimate

PERIOD = 10.0


def plan(
    climb: Climb, *, exact: bool, calls: float = 100.0, rejections: int = 1, now: float = 1000.0
) -> None:
    climb.plan(calls, Estimate(calls, exact, repeated=False), rejections, now)


def planned(*, exact: bool, rejections: int = 1, paid: int = 0) -> Climb:
    """A climb that was planned at 1000, for which so many accepted calls have paid since."""
    climb = Climb(PERIOD)
    plan(climb, exact=exact, rejections=rejections)
    pay(climb, paid)
    return climb


def pay(climb: Climb, calls: int) -> None:
    for _ in range(calls):
        climb.accepted()


def test_without_a_rejection_there_is_nothing_to_climb_back_to() -> None:
    """What was configured is what is sent."""
    assert Climb(PERIOD).factor(1e9) == 1.0


@pytest.mark.parametrize(("exact", "hold", "factor"), [(True, 30.0, 1.02), (False, 10.0, 1.05)])
def test_a_climb_waits_longer_after_an_exact_estimate(exact: bool, hold: float, factor: float) -> None:  # noqa: FBT001 - a row
    """Three periods instead of one; and a period between its steps."""
    climb = planned(exact=exact, paid=1_000)
    assert climb.factor(1000.0 + hold - 0.01) == 1.0
    assert climb.factor(1000.0 + hold) == factor
    assert climb.factor(1000.0 + hold + PERIOD - 0.01) == 1.0
    assert climb.factor(1000.0 + hold + PERIOD) == factor


def test_a_climb_takes_larger_steps_after_the_fourth() -> None:
    """Twice as large each time, a quarter at most; each rejection begins anew."""
    climb = planned(exact=True, paid=1_000)
    factors = [climb.factor(1030.0 + each * PERIOD) for each in range(9)]
    assert factors == pytest.approx([1.02] * 4 + [1.04, 1.08, 1.16, 1.25, 1.25])
    plan(climb, exact=True, now=2000.0, calls=500.0)
    pay(climb, 1_000)
    factors = [climb.factor(2030.0 + each * PERIOD) for each in range(5)]
    assert factors == pytest.approx([1.02] * 4 + [1.04])


@pytest.mark.parametrize(("exact", "price"), [(True, 120), (False, 20)])
def test_accepted_calls_pay_for_the_next_deliberate_rejection(exact: bool, price: int) -> None:  # noqa: FBT001 - a row
    """So many for each 429; those before it do not count."""
    climb = planned(exact=exact, rejections=3, paid=3 * price - 1)
    assert climb.factor(1100.0) == 1.0
    climb.accepted()
    assert climb.factor(1100.0) > 1.0
    plan(climb, exact=exact)
    assert climb.factor(1100.0) == 1.0


def test_a_client_with_little_to_send_climbs_after_sixteen_periods() -> None:
    """What it sends can never pay for a rejection."""
    climb = planned(exact=True)
    assert climb.factor(1159.9) == 1.0
    assert climb.factor(1160.0) == 1.02


def test_the_same_estimate_met_again_is_left_alone_for_longer() -> None:
    """Twice as long each time, sixteen periods at most; another one, or a rough one, begins anew."""
    climb = Climb(PERIOD)
    for calls, exact, periods in (
        (100.0, True, 3),
        (109.0, True, 6),
        (100.0, True, 12),
        (91.0, True, 16),
        (91.0, True, 16),
        (50.0, True, 3),
        (50.0, True, 6),
        (50.0, False, 1),
        (50.0, True, 2),
        (56.0, True, 3),
        (50.0, True, 3),
        (44.9, True, 3),
        (49.4, True, 3),
    ):
        plan(climb, exact=exact, calls=calls)
        pay(climb, 1_000)
        assert climb.factor(1000.0 + periods * PERIOD - 0.01) == 1.0, (calls, exact)
        assert climb.factor(1000.0 + periods * PERIOD) > 1.0, (calls, exact)


def test_a_climb_ends() -> None:
    """The configured limit is reached again."""
    climb = planned(exact=True, paid=1_000)
    climb.end()
    assert climb.factor(1e9) == 1.0
