"""What a contact with the limit teaches: the count, how far it is believed, and the climb after it."""

from collections.abc import Iterable
from math import inf

import pytest

from helpcrunch_async.rate_limit.lesson import Contact, Lesson
from helpcrunch_async.rate_limit.line import Grant

PERIOD = 10.0


def take(
    lesson: Lesson,
    moment: float,
    *,
    accepted: bool | None = True,
    depth: float = 0.0,
    pressed: bool = True,
    probe: bool = False,
) -> Grant:
    """Take a turn, and have it answered."""
    grant = Grant(moment, depth, accepted)
    lesson.granted(grant, probe=probe, pressed=pressed)
    return grant


def worked(moments: Iterable[float]) -> Lesson:
    """A lesson after accepted turns; before the first of them there was less work than the pace allows."""
    lesson, pressed = Lesson(PERIOD), False
    for moment in moments:
        take(lesson, moment, pressed=pressed)
        pressed = True
    return lesson


def meet(lesson: Lesson, cut: float, reopened: float, *, told: bool = False) -> Contact:
    """Have a turn rejected, and a probe accepted later."""
    lesson.contact_begins(take(lesson, cut, accepted=False), told=told)
    return lesson.contact_ends(take(lesson, reopened, probe=True))


def test_a_whole_period_of_work_counts_what_the_period_held() -> None:
    """Exactly, and no pause matters."""
    for reopened in (13.0, 33.0):
        contact = meet(worked(range(13)), 12.5, reopened, told=True)
        assert (contact.calls, contact.strong, contact.again) == (10, True, False)
    lesson = worked(range(13))
    take(lesson, 12.5)
    assert meet(lesson, 12.5, 13.0).calls == 11, "one that left with the rejected one, too"
    assert meet(worked(range(10)), 10.0, 11.0).calls == 9, "the window's far end is not part of it"
    assert meet(worked(range(10)), 9.9, 11.0).calls != 9, "less than a period is no whole one"


def test_a_short_piece_of_work_counts_over_work_and_pause() -> None:
    """A window that filled early was full until the probe was accepted, or for a period at most."""
    contact = meet(worked(range(5)), 5.0, 8.0)
    assert (contact.calls, contact.strong, contact.slack) == (5 * PERIOD / 8, False, 0.0)
    assert meet(worked(range(5)), 5.0, 25.0).calls == 5


def test_half_a_second_of_a_retry_after_is_not_taken_for_the_window() -> None:
    """Servers round it up; of a shorter pause it is the half."""
    contact = meet(worked(range(5)), 5.0, 8.0, told=True)
    assert (contact.calls, contact.slack) == (5 * PERIOD / 7.5, 0.5)
    assert meet(worked(range(5)), 5.0, 5.5, told=True).slack == 0.25


def test_a_count_is_trusted_from_fifteen_calls_on() -> None:
    """Fewer may be chance."""
    assert not meet(worked(each / 10 for each in range(14)), 2.0, 3.0).strong
    assert meet(worked(each / 10 for each in range(15)), 2.0, 3.0).strong


def test_a_pause_of_no_length_is_divided_by_all_the_same() -> None:
    """A client whose only turn was rejected and whose probe followed at once."""
    assert meet(worked([0.0]), 0.0, 0.0).calls == 0
    assert meet(worked([0.0]), 0.0, 0.0005).calls == PERIOD / 1e-3


def test_a_contact_soon_after_another_counts_from_that_one() -> None:
    """What was accepted between two rejections, without what their rounded-up pauses cost."""
    for told, seconds in ((False, 6.0), (True, 5.5)):
        lesson = worked(range(5))
        meet(lesson, 5.0, 8.0, told=told)
        take(lesson, 9.0)
        take(lesson, 10.0)
        contact = meet(lesson, 11.0, 12.0)
        assert (contact.calls, contact.strong, contact.again) == (3 * PERIOD / seconds, False, True)


def test_a_contact_right_after_another_is_divided_by_its_fraction_of_a_second() -> None:
    """And by something also when both are of one moment."""
    lesson = worked(range(5))
    meet(lesson, 5.0, 5.0)
    assert meet(lesson, 5.0, 5.0).calls == 0
    take(lesson, 5.125)
    assert meet(lesson, 5.25, 5.5).calls == PERIOD / 0.25


def test_several_contacts_within_a_period_count_from_the_first() -> None:
    """And a contact that is older than a period is no longer one of them."""
    lesson = worked(range(3))
    meet(lesson, 3.0, 4.0, told=True)
    meet(lesson, 6.0, 7.0, told=True)
    contact = meet(lesson, 9.0, 9.5)
    assert contact.calls == 2 * PERIOD / (6.0 - 1.0)
    assert meet(lesson, 16.0, 16.5).calls == 2 * PERIOD / 9.5, "since the one at 6.0"
    lesson = worked(range(3))
    meet(lesson, 3.0, 4.0)
    take(lesson, 10.0)
    assert not meet(lesson, 13.5, 14.0).again


def test_what_was_learned_before_a_period_of_silence_is_not_compared_with() -> None:
    """The next contact stands for itself; a probe after a long pause is no such silence."""
    lesson = worked(range(3))
    meet(lesson, 3.0, 3.5)
    take(lesson, 13.4)
    assert meet(lesson, 12.9, 13.6).again
    lesson = worked(range(3))
    meet(lesson, 3.0, 3.1)
    take(lesson, 3.2)
    take(lesson, 13.21, pressed=False)
    assert not meet(lesson, 12.9, 14.0).again


def test_demand_is_not_taken_for_capacity() -> None:
    """The work before the contact begins where turns were last taken slower than the pace allows."""
    lesson = worked(range(8))
    take(lesson, 8.0, pressed=False)
    take(lesson, 9.0)
    contact = meet(lesson, 12.0, 13.0)
    assert contact.calls == 2 * PERIOD / 5.0


def test_only_accepted_calls_count() -> None:
    """Neither those without an answer nor those that were rejected."""
    lesson = worked(range(10))
    take(lesson, 10.0, accepted=None)
    take(lesson, 10.5, accepted=False)
    assert meet(lesson, 12.0, 13.0).calls == 7


def test_a_contact_tells_the_oldest_accepted_turn_of_the_period() -> None:
    """One period after it every kind of window has let a slot go."""
    lesson = worked(range(13))
    assert lesson.contact_begins(take(lesson, 12.0, accepted=False), told=False) == 3.0
    lesson = Lesson(PERIOD)
    take(lesson, 1.0, accepted=None)
    assert lesson.contact_begins(take(lesson, 2.0, accepted=False), told=False) is None


def test_turns_are_remembered_for_three_periods() -> None:
    """A limiter that works for days does not grow."""
    lesson = worked(range(1000))
    assert [turn.at for turn in lesson._turns] == list(range(969, 1000))


def test_the_deepest_of_those_who_left_together_is_to_blame() -> None:
    """They may pass one another on the wire; who left before the rejected one is not among them."""
    lesson = Lesson(PERIOD)
    take(lesson, 1.0, depth=9.0)
    rejected = take(lesson, 2.0, depth=1.0)
    take(lesson, 2.0, depth=3.0)
    lesson.contact_begins(rejected, told=False)
    lesson.contact_continues(Grant(2.0, 2.0), probe=False)
    contact = lesson.contact_ends(take(lesson, 5.0, probe=True))
    assert (contact.deepest, contact.rejected, contact.probes) == (3.0, 2, 0)


def test_further_rejections_of_a_contact_are_counted() -> None:
    """Of calls that were on the wire, which may have gone deeper, and of probes, which did not."""
    lesson = Lesson(PERIOD)
    lesson.contact_begins(take(lesson, 2.0, depth=1.0), told=False)
    lesson.contact_continues(Grant(2.0, 4.0), probe=False)
    lesson.contact_continues(Grant(2.0, 3.0), probe=False)
    lesson.contact_continues(Grant(3.0, 8.0), probe=True)
    lesson.contact_continues(Grant(4.0, 8.0), probe=True)
    contact = lesson.contact_ends(take(lesson, 5.0, probe=True))
    assert (contact.deepest, contact.rejected, contact.probes) == (4.0, 3, 2)


@pytest.mark.parametrize(
    ("counted", "strong", "goes_on"),
    [
        (50.0, True, 0.985 * 50),
        (50.0, False, 70.0),
        (90.0, False, 0.985 * 90),
        (10.0, True, 30.0),
        (500.0, True, 98.5),
    ],
)
def test_one_lesson_is_worth_so_much(counted: float, strong: bool, goes_on: float) -> None:  # noqa: FBT001 - a row
    """A count is gone just below, but a weak one cuts to seven tenths at most, and a strong one to three."""
    contact = Contact(0.0, told=False, deepest=0.0, calls=counted, strong=strong)
    assert Lesson.corrected(100.0, contact) == pytest.approx(goes_on)


def planned(*, strong: bool, calls: float = 100.0, rejected: int = 1, probes: int = 0) -> Lesson:
    """A lesson with a climb planned at 1000."""
    lesson = Lesson(PERIOD)
    plan(lesson, strong=strong, calls=calls, rejected=rejected, probes=probes)
    return lesson


def plan(
    lesson: Lesson,
    *,
    strong: bool,
    calls: float = 100.0,
    rejected: int = 1,
    probes: int = 0,
    at: float = 1000.0,
) -> None:
    contact = Contact(at - 1, told=False, deepest=0.0, rejected=rejected, probes=probes, strong=strong)
    lesson.plan_climb(calls, contact, Grant(at, 0.0, accepted=True))


def climbs(lesson: Lesson, count: int, since: float) -> list[float]:
    """Ask for the factor a period after the last, a number of times."""
    return [lesson.climb(since + each * PERIOD) for each in range(count)]


def test_without_a_contact_there_is_nothing_to_climb_back_to() -> None:
    """What was told is what is sent."""
    assert Lesson(PERIOD).climb(1e9) == 1.0


def test_a_climb_waits_three_periods_after_a_strong_lesson_and_one_after_a_weak_one() -> None:
    """And a period between its steps."""
    for strong, hold, step in ((True, 30.0, 1.02), (False, 10.0, 1.05)):
        lesson = planned(strong=strong)
        lesson.accepted = 1_000
        assert lesson.climb(1000.0 + hold - 0.01) == 1.0
        assert lesson.climb(1000.0 + hold) == step
        assert lesson.climb(1000.0 + hold + PERIOD - 0.01) == 1.0
        assert lesson.climb(1000.0 + hold + PERIOD) == step


def test_a_climb_takes_larger_steps_after_the_fourth() -> None:
    """Twice as large each time, a quarter at most."""
    lesson = planned(strong=True)
    lesson.accepted = 1_000
    assert climbs(lesson, 9, 1030.0) == pytest.approx([1.02] * 4 + [1.04, 1.08, 1.16, 1.25, 1.25])
    plan(lesson, strong=True, at=2000.0, calls=500.0)
    lesson.accepted = 1_000
    assert climbs(lesson, 5, 2030.0) == pytest.approx([1.02] * 4 + [1.04]), "each contact begins anew"


@pytest.mark.parametrize(("strong", "price"), [(True, 120), (False, 20)])
def test_accepted_calls_pay_for_the_next_deliberate_rejection(strong: bool, price: int) -> None:  # noqa: FBT001 - a row
    """So many for each rejection of the contact, probes included; those before it do not count."""
    lesson = planned(strong=strong, rejected=2, probes=1)
    assert lesson.accepted == 0
    lesson.accepted = 3 * price - 1
    assert lesson.climb(1100.0) == 1.0
    lesson.accepted = 3 * price
    assert lesson.climb(1100.0) > 1.0
    plan(lesson, strong=strong)
    assert lesson.accepted == 0


def test_a_client_with_little_to_send_climbs_after_sixteen_periods() -> None:
    """What it sends can never pay for a rejection."""
    lesson = planned(strong=True)
    assert lesson.climb(1159.9) == 1.0
    assert lesson.climb(1160.0) == 1.02


def test_the_same_wall_met_again_is_left_alone_for_longer() -> None:
    """Twice as long each time, sixteen periods at most; another wall, or a weak lesson, begins anew."""
    lesson = Lesson(PERIOD)
    for calls, strong, periods in (
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
        plan(lesson, strong=strong, calls=calls)
        lesson.accepted = 1_000
        assert lesson.climb(1000.0 + periods * PERIOD - 0.01) == 1.0, (calls, strong)
        assert lesson.climb(1000.0 + periods * PERIOD) > 1.0, (calls, strong)


def test_a_climb_ends() -> None:
    """What was told is reached again."""
    lesson = planned(strong=True)
    lesson.accepted = 1_000
    lesson.end_climb()
    assert lesson.climb(1e9) == 1.0


def test_a_rejection_from_before_the_reopening_can_be_told_by_its_moment() -> None:
    """The lesson says when that was."""
    lesson = worked(range(3))
    assert lesson.reopened == -inf
    meet(lesson, 3.0, 4.0)
    assert lesson.reopened == 4.0
