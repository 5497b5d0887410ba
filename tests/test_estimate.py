"""What a rejection teaches: the count, how far it is believed, and what is remembered for the next one."""

from collections.abc import Iterable

import pytest

from helpcrunch_async.rate_limit.cells import Cells
from helpcrunch_async.rate_limit.estimate import Estimate, LimitEstimator
from helpcrunch_async.rate_limit.gate import Rejection

PERIOD = 10.0


class Work:
    """Turns that were taken, and an estimator that saw them."""

    def __init__(self, moments: Iterable[float] = ()) -> None:
        """Before the first of these accepted turns there was less work than the pace allows."""
        self.cells = Cells(1e-4)
        self.estimator = LimitEstimator(PERIOD)
        saturated = False
        for moment in moments:
            self.take(moment, saturated=saturated)
            saturated = True

    def take(self, at: float, *, accepted: bool = True, saturated: bool = True, probe: bool = False) -> None:
        self.estimator.took(at, probe=probe, saturated=saturated)
        cell = self.cells.note(at, 0.0)
        if accepted:
            self.cells.accept(cell)

    def meet(self, rejected_at: float, reopened: float, *, retry_after: bool = False) -> Estimate:
        """Have a turn rejected, and a probe accepted later."""
        self.take(rejected_at, accepted=False)
        rejection = Rejection(rejected_at, rejected_at, retry_after, 0.0)
        self.take(reopened, probe=True)
        return self.estimator.estimate(self.cells, rejection, reopened)

    @property
    def last_slack(self) -> float:
        return self.estimator.past[-1].slack


def test_a_whole_period_of_work_counts_what_the_period_held() -> None:
    """Exactly, and no pause matters."""
    for reopened in (13.0, 33.0):
        assert Work(range(13)).meet(12.5, reopened, retry_after=True) == Estimate(10, True, False)
    work = Work(range(13))
    work.take(12.5)
    assert work.meet(12.5, 13.0).calls == 11, "one that left with the rejected one, too"
    assert Work(range(10)).meet(10.0, 11.0).calls == 9, "the window's far end is not part of it"
    assert Work(range(10)).meet(9.9, 11.0).calls != 9, "less than a period is no whole one"


def test_a_short_piece_of_work_counts_over_work_and_pause() -> None:
    """A window that filled early was full until the probe was accepted, or for a period at most."""
    work = Work(range(5))
    assert work.meet(5.0, 8.0) == Estimate(5 * PERIOD / 8, False, False)
    assert work.last_slack == 0.0
    assert Work(range(5)).meet(5.0, 25.0).calls == 5


def test_half_a_second_of_a_retry_after_is_not_taken_for_the_window() -> None:
    """Servers round it up; of a shorter pause it is the half."""
    work = Work(range(5))
    assert work.meet(5.0, 8.0, retry_after=True).calls == 5 * PERIOD / 7.5
    assert work.last_slack == 0.5
    work = Work(range(5))
    work.meet(5.0, 5.5, retry_after=True)
    assert work.last_slack == 0.25


def test_a_count_is_exact_from_fifteen_calls_on() -> None:
    """Fewer may be chance."""
    assert not Work(each / 10 for each in range(14)).meet(2.0, 3.0).exact
    assert Work(each / 10 for each in range(15)).meet(2.0, 3.0).exact


def test_the_probe_is_not_counted() -> None:
    """It was accepted after the pause; the first turn of the run is counted."""
    assert Work([0.0]).meet(1.0, 2.0).calls == PERIOD / 2


def test_a_pause_of_no_length_is_divided_by_all_the_same() -> None:
    """A client whose only turn was rejected and whose probe followed at once."""
    assert Work([0.0]).meet(0.0, 0.0).calls == 0
    assert Work([0.0]).meet(0.0, 0.0005).calls == PERIOD / 1e-3


def test_a_rejection_soon_after_another_counts_from_that_one() -> None:
    """What was accepted between the two, without what their rounded-up pauses cost."""
    for retry_after, seconds in ((False, 6.0), (True, 5.5)):
        work = Work(range(5))
        work.meet(5.0, 8.0, retry_after=retry_after)
        work.take(9.0)
        work.take(10.0)
        assert work.meet(11.0, 12.0) == Estimate(3 * PERIOD / seconds, False, True)


def test_a_rejection_right_after_another_is_divided_by_its_fraction_of_a_second() -> None:
    """And by something also when both are of one moment."""
    work = Work(range(5))
    work.meet(5.0, 5.0)
    assert work.meet(5.0, 5.0).calls == 0
    work.take(5.125)
    assert work.meet(5.25, 5.5).calls == PERIOD / 0.25


def test_several_rejections_within_a_period_count_from_the_first() -> None:
    """And one that is older than a period is no longer one of them."""
    work = Work(range(3))
    work.meet(3.0, 4.0, retry_after=True)
    work.meet(6.0, 7.0, retry_after=True)
    assert work.meet(9.0, 9.5).calls == 2 * PERIOD / (6.0 - 1.0)
    assert work.meet(16.0, 16.5).calls == 2 * PERIOD / 9.5, "since the one at 6.0"
    work = Work(range(3))
    work.meet(3.0, 4.0)
    work.take(10.0)
    assert not work.meet(13.5, 14.0).repeated


def test_what_was_learned_before_a_period_of_silence_is_not_compared_with() -> None:
    """The next rejection stands for itself; a probe after a long pause is no such silence."""
    work = Work(range(3))
    work.meet(3.0, 3.5)
    work.take(13.4)
    assert work.meet(13.45, 14.0).repeated is False, "older than a period"
    work = Work(range(3))
    work.meet(3.0, 12.9)
    assert work.meet(13.0, 14.0).repeated
    work = Work(range(3))
    work.meet(3.0, 3.5)
    work.take(13.6)
    assert not work.estimator.past


def test_a_run_begins_where_there_was_less_work_than_the_pace_allows() -> None:
    """What was accepted before says nothing of the limit; nor does a probe, which nobody hurried."""
    work = Work(range(3))
    work.take(5.0, saturated=False)
    work.take(6.0)
    assert work.meet(7.0, 9.0).calls == 2 * PERIOD / 4
    assert work.estimator.saturated_since == 9.0
    work.take(9.5, saturated=False, probe=True)
    assert work.estimator.saturated_since == 9.0


@pytest.mark.parametrize(
    ("counted", "exact", "goes_on"),
    [
        (50.0, True, 0.985 * 50),
        (50.0, False, 70.0),
        (90.0, False, 0.985 * 90),
        (10.0, True, 30.0),
        (500.0, True, 98.5),
    ],
)
def test_one_estimate_is_worth_so_much(counted: float, exact: bool, goes_on: float) -> None:  # noqa: FBT001 - a row
    """It goes just below the count, but a rough one cuts to seven tenths at most, an exact one to three."""
    assert Estimate(counted, exact, repeated=False).correct(100.0) == pytest.approx(goes_on)


def test_one_call_a_period_is_always_left() -> None:
    """Otherwise nothing could ever be counted again."""
    assert Estimate(0.0, exact=True, repeated=False).correct(2.0) == 1.0
