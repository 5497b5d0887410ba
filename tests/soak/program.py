"""The soak as a program: it tells what it did, and fails when a promise was broken."""

import argparse
import asyncio
import gc
import logging
import random
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from soak import report
from soak.course import Plan, Soak
from soak.ledger import Broken

_ONE_CHANGE_IN: Final = 10  # a change is a request of its own, and more of them show nothing new


def main(arguments: Sequence[str] | None = None) -> None:
    """Soak, tell, and exit with 1 when a promise was broken."""
    parser = argparse.ArgumentParser(prog="soak", description="Many ids by every route, through every fault.")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--ids", type=int, default=100_000)
    given = parser.parse_args(arguments)
    plan = Plan(given.seed, given.ids, one_change_in=_ONE_CHANGE_IN)
    soak = Soak(plan)
    changed = plan.ids // plan.one_change_in
    _say(f"seed {plan.seed}, {plan.ids:,} ids by each route, {changed:,} to change\n\n{report.HEADING}")
    began = time.monotonic()
    with _without_warnings(), _unraisable(soak.broken):
        asyncio.run(soak.run(tell=lambda leg: _say(report.of_leg(leg))))
    for name, times in soak.dealt.items():
        if not times:
            soak.broken.note(f"never thrown: {name}")
    _say(report.of_all(soak, time.monotonic() - began))
    sys.exit(1 if soak.broken.count else 0)


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Leave out what the library warns of: each search that lies."""
    log = logging.getLogger("helpcrunch_async")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(before)


@contextmanager
def _unraisable(broken: Broken) -> Iterator[None]:
    """Note what shows only when an object is collected, such as a connection that nobody closed."""
    before = sys.unraisablehook
    sys.unraisablehook = lambda found: broken.note(f"in the end: {found.exc_value!r} in {found.object!r}")
    try:
        yield
        gc.collect()
    finally:
        sys.unraisablehook = before


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
