"""Changes the code of a room in every small way, runs the room's own tests on each, and prints who noticed.

    python .ci/mutants.py [--children 2] [room ...]
    python .ci/mutants.py --score

Each room is worked on in build/mutants/<room>, anew; there `mutmut show <mutant>` and `mutmut run <mutant>`
work. Noticed are the mutants that a test failed on (killed) and those with which the tests did not come to an
end (timed out). One that no test reaches counts like one that survived.
"""

import argparse
import json
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Final, NamedTuple

from mutmut.stats import status_by_exit_code

_ROOT = Path(__file__).parents[1]
_BUILD = _ROOT / "build" / "mutants"


class Room(NamedTuple):
    """Files of the package, and the tests that must notice what is changed in them."""

    files: list[str]
    tests: list[str]
    too_slow: tuple[str, ...] = ()  # tests to leave out, as there are others for what they show


_ROOMS: Final = {
    "errors": Room(["errors.py"], ["errors"]),
    "redaction": Room(["redaction.py"], ["redaction"]),
    "retry": Room(["retry.py"], ["retry", "logging"]),
    "protocol": Room(["protocol.py"], ["protocol", "raw_request"]),
    "bulk": Room(
        [
            f"bulk/{name}.py"
            for name in "account batch coalescer lookup proof recent_writes shown source".split()  # noqa: SIM905 - one line
        ],
        ["coalescer", "lookup_answers", "find_customer", "proof", "recent_writes", "batch_updates"],
    ),
    "rate_limit": Room(
        [f"rate_limit/{name}.py" for name in ("accounts", "limiter", "schedule", "waiters", "wire")],
        ["schedule", "rate_limiter", "rate_limiter_properties", "accounts"],
        (
            "test_schedule.py::test_learns_a_lower_limit_and_climbs_back_but_never_above_what_was_told",
            "test_rate_limiter.py::test_spends_the_whole_budget_without_a_rejection",
            "test_rate_limiter.py::test_lost_nothing_when_told_three_times_too_much",
            "test_rate_limiter.py::test_discovers_an_unknown_limit",
            "test_rate_limiter.py::test_bursts_of_twenty_wait_for_nothing_while_the_budget_allows",
            "test_rate_limiter.py::test_an_interactive_call_waits_two_turns_at_most_behind_bulk_work",
            "test_rate_limiter.py::test_max_wait_refuses_at_once_and_says_when_to_come_back",
            "test_rate_limiter.py::test_three_hundred_waiters_survive_a_cancelled_probe",
        ),
    ),
    "machine": Room(
        [
            f"rate_limit/{name}.py"
            for name in "cells climb estimate gate known_limit line machine pace unknown_limit".split()  # noqa: SIM905 - one line
        ],
        ["cells", "climb", "estimate", "gate", "known_limit", "line", "schedule", "unknown_limit"],
        (
            "test_schedule.py::test_learns_a_lower_limit_and_climbs_back_but_never_above_what_was_told",
            "test_schedule.py::test_a_schedule_keeps_every_promise",
            "test_schedule.py::test_a_schedule_without_a_limit_keeps_every_promise",
            "test_unknown_limit.py::test_settles_near_any_limit",
            "test_unknown_limit.py::test_climbs_from_the_lowest_rate",
        ),
    ),
    "value": Room(["rate_limit/value.py"], ["value"]),
}
_COLUMNS = "| {:<24} | {:>7} | {:>6} | {:>9} | {:>8} | {:>8} | {:>7} |"


def prepare(room: str) -> Path:
    """Make a folder for a room, in which mutmut finds its settings."""
    files, tests, too_slow = _ROOMS[room]
    folder = _BUILD / room
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in ("helpcrunch_async", "tests", "pytest_helpcrunch.py"):
        (folder / name).symlink_to(_ROOT / name)
    settings = {
        "only_mutate": [f"helpcrunch_async/{file}" for file in files],
        "pytest_add_cli_args_test_selection": [
            *(f"tests/test_{test}.py" for test in tests),
            *(f"--deselect=tests/{test}" for test in too_slow),
        ],
    }
    common, table, others = (_ROOT / "pyproject.toml").read_text(encoding="utf-8").partition("[tool.mutmut]")
    its_own = "".join(f"{name} = {json.dumps(value)}\n" for name, value in settings.items())
    comment, _, others = others.partition("\n")
    text = f"{common}{table}{comment}\n{its_own}{others}"
    (folder / "pyproject.toml").write_text(text, encoding="utf-8")
    return folder


def run(room: str, children: int) -> None:
    """Test every mutant of a room."""
    mutmut = Path(sys.executable).with_name("mutmut")
    command = [mutmut, "run", "--max-children", str(children)]
    subprocess.run(command, cwd=prepare(room), check=True)  # noqa: S603 - our own words


def outcomes(meta: Path) -> Counter[str]:
    """Count what became of the mutants of a file."""
    codes = json.loads(meta.read_text(encoding="utf-8"))["exit_code_by_key"].values()
    return Counter(status_by_exit_code[code] for code in codes)


def line(name: str, found: Counter[str]) -> str:
    """Give a line of the table."""
    figures = [found[each] for each in ("killed", "timeout", "survived", "no tests")]
    mutants = found.total()
    left = mutants - sum(figures)
    noticed = f"{left} open" if left else f"{sum(figures[:2]) / mutants:.1%}"
    return _COLUMNS.format(name, mutants, *figures, noticed)


def print_scores() -> None:
    """Print a table, with a line per room and one per file."""
    print(_COLUMNS.format("room", "mutants", "killed", "timed out", "survived", "no tests", "noticed"))
    print("|---|--:|--:|--:|--:|--:|--:|")
    for room in _ROOMS:
        mutated = _BUILD / room / "mutants" / "helpcrunch_async"
        files = {
            meta.relative_to(mutated).as_posix().removesuffix(".meta"): outcomes(meta)
            for meta in sorted(mutated.rglob("*.py.meta"))
        }
        files = {file: found for file, found in files.items() if found}
        if files:
            print(line(room, sum(files.values(), Counter())))
        if len(files) > 1:
            for file, found in files.items():
                print(line(f"· {file}", found))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("rooms", nargs="*", metavar="room", help=", ".join(_ROOMS))
    parser.add_argument("--children", type=int, default=2, help="mutants that are tested at a time")
    parser.add_argument("--score", action="store_true", help="only print what the last runs found")
    arguments = parser.parse_args()
    if unknown := set(arguments.rooms) - set(_ROOMS):
        parser.error(f"no such room: {', '.join(unknown)}")
    if not arguments.score:
        for room in arguments.rooms or _ROOMS:
            run(room, arguments.children)
    print_scores()


main()
