"""Who is next: order within a lane, turns between the lanes, and how many go first."""

from typing import get_args

import pytest

from helpcrunch_async.rate_limit.line import PRIORITIES, Lanes, Line, Place, Priority

LANES: dict[str, Priority] = {"i": "interactive", "b": "bulk"}


def line_of(lanes: str) -> tuple[Line, list[Place]]:
    """A line that somebody joined for each letter, in that order."""
    line, places = Line(), [Place(number, LANES[lane]) for number, lane in enumerate(lanes, 1)]
    for place in places:
        line.join(place)
    return line, places


def test_the_lanes_are_the_priorities() -> None:
    """What a caller may name is what there is."""
    assert get_args(Priority) == PRIORITIES


def test_counts_who_waits() -> None:
    """Those who left or were served are not counted, in neither lane."""
    line, places = line_of("ibbb")
    assert (line.total, line.waiting("interactive"), line.waiting("bulk")) == (4, 1, 3)
    assert all(place.waiting for place in places)
    line.leave(places[1])
    assert (line.total, line.waiting("interactive"), line.waiting("bulk")) == (3, 1, 2)
    line.take("interactive")
    assert (line.total, line.waiting("interactive"), line.waiting("bulk")) == (2, 0, 2)
    assert [place.waiting for place in places] == [False, False, True, True]


def test_serves_a_lane_in_the_order_of_arrival() -> None:
    """Who comes back goes before all who came later, and who left is passed over."""
    line, places = line_of("b" * 6)
    assert line.take("bulk") is places[0]
    line.leave(places[1])
    line.leave(places[2])
    line.join(places[0])
    assert [line.take("bulk").number for _ in range(4)] == [1, 4, 5, 6]
    assert not line.total


def test_tells_the_first_of_a_lane_without_taking_it() -> None:
    """Nobody, when all have left."""
    line, places = line_of("bbbi")
    assert line.first("bulk") is places[0]
    line.leave(places[0])
    line.leave(places[1])
    assert line.first("bulk") is places[2]
    line.leave(places[2])
    assert line.first("bulk") is None
    assert line.total == 1


def test_lists_everybody_first_come_first() -> None:
    """Over both lanes, without those who left."""
    line, places = line_of("bibi")
    line.leave(places[2])
    line.join(Place(0, "interactive"))
    assert [place.number for place in line.places()] == [0, 1, 2, 4]


def test_a_lane_does_not_grow_with_those_who_left_it() -> None:
    """A thousand callers who give up behind one who waits do not stay, and the order of the rest holds."""
    line, places = line_of("i" * 1_000)
    for place in places[:997]:
        line.leave(place)
    assert len(line._lanes["interactive"][None].places) <= 2 * 3 + 64
    assert [line.take("interactive").number for _ in range(3)] == [998, 999, 1000]


def test_a_lane_is_not_swept_for_a_few_who_left_it() -> None:
    """Sixty-four may stay, and as many as half of the lane: sweeping costs as much as the lane is long."""
    line, places = line_of("i" * 66)
    for place in places[:64]:
        line.leave(place)
    assert len(line._lanes["interactive"][None].places) == 66
    line.leave(places[64])
    assert len(line._lanes["interactive"][None].places) == 66
    line.leave(places[65])
    assert not line._lanes["interactive"]


def flows_of(letters: str) -> Line:
    """A line that the flow of each letter joined, in that order."""
    line = Line()
    for number, flow in enumerate(letters, 1):
        line.join(Place(number, "bulk", flow))
    return line


def order_of(line: Line) -> str:
    """Take everybody; a letter for each flow."""
    return "".join(str(line.take("bulk").flow) for _ in range(line.total))


def test_flows_of_a_lane_take_turns() -> None:
    """However many one of them has queued, a call of another waits for one turn of each."""
    assert order_of(flows_of("aaaaaab")) == "abaaaaa"
    assert order_of(flows_of("aaaabbbcc")) == "abcabcaba"


def test_arrival_order_holds_within_a_flow() -> None:
    """Each flow's calls go in the order in which they came."""
    line = flows_of("aabab")
    assert [line.take("bulk").number for _ in range(5)] == [1, 3, 2, 5, 4]


def test_a_flow_that_comes_again_is_the_last() -> None:
    """It has had its turn, and others wait; so it cannot gain by queueing one call at a time."""
    line = flows_of("abc")
    line.take("bulk")
    line.join(Place(4, "bulk", "a"))
    assert order_of(line) == "bca"


def test_a_call_that_comes_back_goes_before_its_flows_others() -> None:
    """Its turn was of no use, so its flow is the next one."""
    line = flows_of("aabb")
    first = line.take("bulk")
    first.returning = True
    line.join(first)
    assert [line.take("bulk").number for _ in range(4)] == [1, 3, 2, 4]


def test_flows_without_callers_are_dropped() -> None:
    """Served or gone: nothing is left of them."""
    line, places = Line(), [Place(number, "bulk", number) for number in range(1, 1_000)]
    for place in places:
        line.join(place)
    for place in places[:500]:
        line.leave(place)
    for _ in range(499):
        line.take("bulk")
    assert line.first("bulk") is None
    assert not line._lanes["bulk"]


@pytest.mark.parametrize("letters", ["a", "aaaab", "aaabbbbcc", "abcabcaab", "aabbcaaaaaa"])
def test_counts_who_goes_before_the_last_of_a_flow(letters: str) -> None:
    """As the flows take turns: at most one turn less than there will be."""
    for flow in set(letters):
        order = order_of(flows_of(letters))
        assert abs(flows_of(letters).before_last("bulk", flow) - order.rindex(flow)) <= len(set(letters)) - 1


def lanes_of(letters: str) -> Lanes:
    """Lanes that a caller joined for each letter."""
    lanes = Lanes()
    for letter in letters:
        lanes.join(LANES[letter])
    return lanes


def served(lanes: Lanes, turns: int) -> str:
    """Take turns as they fall to the lanes; a letter for each."""
    taken = ""
    for _ in range(turns):
        lane = lanes.next()
        lanes.take(lane)
        taken += lane[0]
    return taken


def test_lanes_count_who_waits() -> None:
    """In each, and in both."""
    lanes = lanes_of("ibbb")
    assert (lanes.total, lanes.waiting("interactive"), lanes.waiting("bulk")) == (4, 1, 3)
    lanes.leave("bulk")
    assert (lanes.total, lanes.interactive, lanes.bulk) == (3, 1, 2)
    lanes.leave("interactive")
    assert (lanes.total, lanes.interactive, lanes.bulk) == (2, 0, 2)


def test_lanes_remember_what_was_announced() -> None:
    """The largest job's, less the turns since; until one who waits gives up, or no one waits any more."""
    lanes = Lanes()
    for expected in (30, 29, 200):
        lanes.join("bulk", expected)
    assert (lanes.demand("bulk"), lanes.demand("interactive")) == (200, 0)
    lanes.take("bulk")
    assert lanes.demand("bulk") == 199
    lanes.leave("bulk")
    assert lanes.demand("bulk") == 1
    lanes.join("bulk", 50)
    assert lanes.demand("bulk") == 50
    lanes.take("bulk")
    lanes.take("bulk")
    lanes.join("bulk")
    assert lanes.demand("bulk") == 1


def test_three_turns_are_interactive_and_one_is_bulk_while_both_wait() -> None:
    """When only one lane waits, it has every turn."""
    assert served(lanes_of("b" * 4 + "i" * 10), 14) == "iiibiiibiiibib"


def test_interactive_turns_that_nobody_waited_behind_owe_bulk_work_nothing() -> None:
    """Bulk work that has just come waits for three turns like any other."""
    lanes = lanes_of("i" * 12)
    assert served(lanes, 5) == "iiiii"
    lanes.join("bulk")
    assert served(lanes, 8) == "iiibiiii"


@pytest.mark.parametrize(
    ("priority", "interactive", "bulk", "ahead"),
    [
        ("interactive", 1, 0, 0),
        ("interactive", 1, 9, 0),
        ("interactive", 3, 9, 2),
        ("interactive", 4, 9, 4),  # three of its own lane, and one bulk turn
        ("interactive", 10, 9, 12),
        ("interactive", 10, 2, 11),  # no more bulk turns than bulk work
        ("bulk", 0, 1, 0),
        ("bulk", 2, 1, 2),
        ("bulk", 9, 1, 3),  # at most three interactive turns for each bulk turn
        ("bulk", 9, 3, 11),
        ("bulk", 4, 3, 6),
    ],
)
def test_counts_who_goes_before_the_last_of_a_lane(
    priority: Priority, interactive: int, bulk: int, ahead: int
) -> None:
    """As the lanes take turns."""
    assert ahead == Lanes(interactive, bulk).ahead_of_last(priority)
