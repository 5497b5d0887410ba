"""What a soak has to tell, as Markdown."""

import time
from collections import Counter
from collections.abc import Iterable
from typing import Final

from soak.course import Leg, Soak
from soak.ledger import CANCELLED, WITH_ITS_LIST

HEADING: Final = (
    "| route | requests | seconds | answered | not there | other errors | given up | MiB | objects |\n"
    "| --- | --- | --- | --- | --- | --- | --- | --- | --- |"
)
_ANSWERS: Final = ("Customer", "Event")
_NOT_THERE: Final = "NotFoundError"
_GIVEN_UP: Final = (CANCELLED, WITH_ITS_LIST)


def of_leg(leg: Leg) -> str:
    """Give the line of one route: what became of its ids, and what was held at its last look."""
    outcomes, last = leg.ledger.outcomes, leg.pulses[-1]
    answered = sum(outcomes[name] for name in _ANSWERS)
    given_up = sum(outcomes[name] for name in _GIVEN_UP)
    errors = outcomes.total() - answered - given_up - outcomes[_NOT_THERE]
    memory = "-" if last.memory is None else f"{last.memory / 2**20:.0f}"
    cells = (leg.requests, round(leg.seconds), answered, outcomes[_NOT_THERE], errors, given_up)
    return f"| {leg.route} | {' | '.join(f'{each:,}' for each in cells)} | {memory} | {last.objects:,} |"


def of_all(soak: Soak, seconds: float) -> str:
    """Give what stands below the routes: the faults, the extremes, and whatever was broken."""
    pulses = [pulse for leg in soak.legs for pulse in leg.pulses]
    thrown = sum(soak.dealt.values())
    requests = sum(leg.requests for leg in soak.legs)
    work = f"{soak.asked:,} ids, {requests:,} requests, {thrown:,} faults"
    took = f"{seconds:.0f} seconds, {time.process_time():.0f} of them on a processor"
    outcomes = sum((leg.ledger.outcomes for leg in soak.legs), Counter[str]())
    stopped = sum((leg.ledger.stopped for leg in soak.legs), Counter[str]())
    lines = [
        "",
        f"{work} in {took}",
        f"thrown: {_counts(soak.dealt)}",
        f"outcomes: {_counts(outcomes)}",
        f"listings were stopped by: {_counts(stopped)}",
    ]
    if pulses:
        memories = [pulse.memory for pulse in pulses if pulse.memory is not None]
        lines.append(
            f"at {len(pulses)} looks: "
            + (f"{_span(each / 2**20 for each in memories)} MiB, " if memories else "")
            + f"{_span(pulse.objects for pulse in pulses)} objects, "
            f"{_span(pulse.files for pulse in pulses)} open files beside connections"
        )
    lines += [f"BROKEN: {what}" for what in soak.broken.first]
    lines.append(f"{soak.broken.count or 'no'} promises broken (seed {soak.plan.seed})")
    return "\n".join(lines)


def _counts(counts: dict[str, int]) -> str:
    most_first = sorted(counts.items(), key=lambda item: -item[1])
    return ", ".join(f"{count:,} {name}" for name, count in most_first)


def _span(values: Iterable[float]) -> str:
    every = list(values)
    return f"{every[0]:,.0f} at first, {min(every):,.0f} to {max(every):,.0f}"
