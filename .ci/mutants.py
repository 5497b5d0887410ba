"""Changes the code in every small way, runs its tests on each change, and prints how many they noticed.

    python .ci/mutants.py [--children 2] [part ...]    # every mutant
    python .ci/mutants.py --sample 20 [--seed 7]       # so many of each module, at random
    python .ci/mutants.py --score                      # what the last runs found

A part is a module or a package right below helpcrunch_async. Each is worked on in build/mutants/<part>, anew;
there `mutmut show <mutant>` and `mutmut run <mutant>` work. Noticed are the mutants that a test failed on
(killed) and those with which the tests did not come to an end (timed out). One that no test reaches counts
like one that survived. Ends with 1 if a module is below its bound.
"""

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from mutmut.mutation.file_mutation import mutate_file_contents
from mutmut.stats import status_by_exit_code
from mutmut.utils.format_utils import get_mutant_name

_ROOT = Path(__file__).parents[1]
_PACKAGE = _ROOT / "helpcrunch_async"
_BUILD = _ROOT / "build" / "mutants"
_COPIED = ("helpcrunch_async", "tests", "pytest_helpcrunch.py", "docs", "examples", "README.md")

# The tests of a part are those of its own name, tests/test_<part>.py, unless it stands here: a pattern that
# fits no file, and a part without tests, are mistakes. The `__init__` of the package holds nothing.
_OTHER_TESTS: Final = {
    "__main__": ["cli"],
    "batch": ["batch_updates"],
    "checks": ["client_arguments", "client_bad_input", "find_customer", "rate_limiter", "retry", "session"],
    "cli": ["cli*"],
    "client": [
        "client_*",
        "find_customer",
        "batch_updates",
        "event_loops",
        "patience",
        "quirks",
        "raw_request",
    ],
    "converter": ["converter", "customer_model", "model*", "pydantic", "tolerant_reading"],
    "endpoints": ["endpoints", "client_table", "raw_request"],
    "folding": ["folding", "lookup_answers"],
    "grammar": ["search"],
    "listing": ["listing", "client_bad_listings"],
    "lookup": ["lookup_answers", "folding", "find_customer"],
    "models": ["model*", "customer_model", "vocabulary", "webhooks"],
    "protocol": ["protocol", "raw_request"],
    "rate_limit": [
        *("cells", "climb", "estimate", "gate", "known_limit", "line", "schedule", "unknown_limit", "value"),
        *("accounts", "rate_limiter*", "scenarios"),
    ],
    "redis_limit": ["redis_limit", "redis_limit_faults", "scenarios"],
    "requester": ["retry", "retry_table", "logging", "patience"],
    "retry": ["retry", "logging"],
    "strict_json": ["protocol", "search", "webhooks"],
    "testing": ["fake_server*", "rate_rules", "testing_names"],
    "unset": ["writes", "client_arguments"],
}
_TOO_SLOW: Final = {  # left out, as there are others for what they show
    "rate_limit": [
        "test_rate_limiter.py::test_spends_the_whole_budget_without_a_rejection",
        "test_rate_limiter.py::test_lost_nothing_when_told_three_times_too_much",
        "test_rate_limiter.py::test_discovers_an_unknown_limit",
        "test_rate_limiter.py::test_bursts_of_twenty_wait_for_nothing_while_the_budget_allows",
        "test_rate_limiter.py::test_an_interactive_call_waits_two_turns_at_most_behind_bulk_work",
        "test_rate_limiter.py::test_max_wait_refuses_at_once_and_says_when_to_come_back",
        "test_rate_limiter.py::test_three_hundred_waiters_survive_a_cancelled_probe",
        "test_schedule.py::test_learns_a_lower_limit_and_climbs_back_but_never_above_what_was_told",
        "test_schedule.py::test_a_schedule_keeps_every_promise",
        "test_schedule.py::test_a_schedule_without_a_limit_keeps_every_promise",
        "test_unknown_limit.py::test_settles_near_any_limit",
        "test_unknown_limit.py::test_climbs_from_the_lowest_rate",
    ],
}
_BOUND: Final = 0.85
_OTHER_BOUNDS: Final = {"cli": 0.75, "testing": 0.75}
_COLUMNS = "| {:<28} | {:>7} | {:>5} | {:>6} | {:>9} | {:>8} | {:>8} | {:>7} |"


def parts_of_package() -> list[str]:
    """Give the modules and packages right below the package."""
    found = {path.relative_to(_PACKAGE).parts[0].removesuffix(".py") for path in _PACKAGE.rglob("*.py")}
    return sorted(found - {"__init__", "_version"})


def modules_of(part: str) -> list[Path]:
    """Give the files of a part, relative to the root."""
    files = (_PACKAGE / part).rglob("*.py") if (_PACKAGE / part).is_dir() else [_PACKAGE / f"{part}.py"]
    return sorted(file.relative_to(_ROOT) for file in files)


def tests_of(part: str) -> list[str]:
    """Give the arguments of pytest that choose the tests of a part.

    Raises:
        SystemExit: there are none, or one that is named is not there any more.
    """
    chosen: set[Path] = set()
    for pattern in _OTHER_TESTS.get(part, [part]):
        files = set((_ROOT / "tests").glob(f"test_{pattern}.py"))
        if not files:
            sys.exit(f"{part}: there is no tests/test_{pattern}.py; say in _OTHER_TESTS which tests it has")
        chosen |= files
    for test in _TOO_SLOW.get(part, []):
        file, _, name = test.partition("::")
        if f"def {name}(" not in (_ROOT / "tests" / file).read_text(encoding="utf-8"):
            sys.exit(f"{part}: there is no {test}")
    names = [f"tests/{file.name}" for file in sorted(chosen)]
    return [*names, *(f"--deselect=tests/{test}" for test in _TOO_SLOW.get(part, []))]


def prepare(part: str) -> Path:
    """Make a folder for a part, in which mutmut finds its settings."""
    folder = _BUILD / part
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in _COPIED:
        (folder / name).symlink_to(_ROOT / name)
    settings = {
        "only_mutate": [str(file) for file in modules_of(part)],
        "also_copy": list(_COPIED[2:]),
        "pytest_add_cli_args_test_selection": tests_of(part),
    }
    common, table, others = (_ROOT / "pyproject.toml").read_text(encoding="utf-8").partition("[tool.mutmut]")
    its_own = "".join(f"{name} = {json.dumps(value)}\n" for name, value in settings.items())
    comment, _, others = others.partition("\n")
    text = f"{common}{table}{comment}\n{its_own}{others}"
    (folder / "pyproject.toml").write_text(text, encoding="utf-8")
    return folder


def sample_of(part: str, size: int, seed: int) -> list[str]:
    """Give the names of some mutants of each module, and of all where there are no more."""
    names = []
    for file in modules_of(part):
        source = (_ROOT / file).read_text(encoding="utf-8")
        found = [get_mutant_name(file, each) for each in mutate_file_contents(str(file), source).mutant_names]
        names += random.Random(f"{seed} {file}").sample(found, min(size, len(found)))
    return names


def run(part: str, children: int, mutants: Sequence[str]) -> None:
    """Test mutants of a part; without names, all."""
    mutmut = Path(sys.executable).with_name("mutmut")
    command = [mutmut, "run", "--max-children", str(children), *mutants]
    folder = prepare(part)
    env = {
        **os.environ,
        "PYTHONPATH": str(Path(__file__).parent),  # for stable_ids
        "PYTHONIOENCODING": "utf-8:backslashreplace",  # for a test's name with half a surrogate pair
    }
    print(f"{part} ...", file=sys.stderr, flush=True)
    with (folder / "log.txt").open("w", encoding="utf-8") as log:
        done = subprocess.run(command, cwd=folder, check=False, stdout=log, stderr=log, env=env)  # noqa: S603
    if done.returncode:
        sys.exit(f"{part}: mutmut ended with {done.returncode}; see {folder / 'log.txt'}")


def outcomes(meta: Path) -> Counter[str]:
    """Count what became of the mutants of a module."""
    codes = json.loads(meta.read_text(encoding="utf-8"))["exit_code_by_key"].values()
    return Counter(status_by_exit_code[code] for code in codes)


def share_noticed(found: Counter[str]) -> float:
    """Give the share of the mutants tried that a test noticed."""
    return (found["killed"] + found["timeout"]) / (found.total() - found["not checked"])


def line(name: str, found: Counter[str]) -> str:
    """Give a line of the table."""
    tried = found.total() - found["not checked"]
    killed, timeout, unreached = found["killed"], found["timeout"], found["no tests"]
    survived = tried - killed - timeout - unreached
    share = f"{share_noticed(found):.1%}" if tried else "-"
    return _COLUMNS.format(name, found.total(), tried, killed, timeout, survived, unreached, share)


def print_scores(parts: Sequence[str]) -> list[str]:
    """Print a table with a line for each part and each module; give what is below its bound."""
    heads = ("module", "mutants", "tried", "killed", "timed out", "survived", "no tests", "noticed")
    print(_COLUMNS.format(*heads))
    print("|---|--:|--:|--:|--:|--:|--:|--:|")
    below = []
    for part in parts:
        mutated = _BUILD / part / "mutants" / "helpcrunch_async"
        files = {
            meta.relative_to(mutated).as_posix().removesuffix(".meta"): outcomes(meta)
            for meta in sorted(mutated.rglob("*.py.meta"))
        }
        files = {file: found for file, found in files.items() if found.total() > found["not checked"]}
        if (_PACKAGE / part).is_dir() and files:
            print(line(part, sum(files.values(), Counter())))
        for file, found in files.items():
            print(line(f"· {file}" if (_PACKAGE / part).is_dir() else file, found))
            if share_noticed(found) < _OTHER_BOUNDS.get(part, _BOUND):
                below.append(file)
    return below


def main() -> None:
    parts = parts_of_package()
    parser = argparse.ArgumentParser()
    parser.add_argument("parts", nargs="*", metavar="name", help=", ".join(parts))
    parser.add_argument("--children", type=int, default=2, help="mutants that are tested at a time")
    parser.add_argument("--sample", type=int, metavar="N", help="test at most N mutants of each module")
    parser.add_argument("--seed", type=int, help="repeats a sample")
    parser.add_argument("--score", action="store_true", help="only print what the last runs found")
    arguments = parser.parse_args()
    if unknown := set(arguments.parts) - set(parts):
        parser.error(f"no such part of the package: {', '.join(unknown)}")
    chosen = arguments.parts or parts
    if not arguments.score:
        seed = random.randrange(10_000) if arguments.seed is None else arguments.seed
        if arguments.sample is not None:
            print(f"a sample with --seed {seed}", flush=True)
        for part in chosen:
            mutants = [] if arguments.sample is None else sample_of(part, arguments.sample, seed)
            if mutants or arguments.sample is None:
                run(part, arguments.children, mutants)
    if below := print_scores(chosen):
        sys.exit(f"too few noticed in {', '.join(below)}")


main()
