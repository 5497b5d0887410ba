"""Writes docs/faults.md from the cases that the tests run; `make docs/faults.md` calls it."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from soak.cards import CARDS
from soak.health import MOST_MEMORY, MOST_OBJECTS
from test_faults import test_what_a_particular_call_gets, test_what_the_caller_gets
from test_retry_table import test_each_kind_of_request

from faults.case import Case, Fault, Line, Special
from faults.cases import FAULTS, id_of
from faults.clients import ATTEMPTS
from faults.kinds import KINDS, STATUSES, Kind

FIGURES: Final = (Path(__file__).parents[1] / "soak" / "measured.md").read_text(encoding="utf-8")
PAGE: Final = Path(__file__).parents[2] / "docs" / "faults.md"

INTRODUCTION: Final = """\
# Faults, and what the caller gets

Written by `make docs/faults.md` from the tests that show it; a test fails when they say something else.

Each fault was met for real: over sockets on one machine, from a server that does what the row says, with a
name that does not resolve, or with a certificate that does not fit. The policy of these tests sends a call
{attempts} times at most. Requests are counted on the wire; where nothing can be sent, attempts to connect
are. Each test also sees to it that afterwards no connection is in use, no turn is held, nobody stands in
line, no task is left and no warning was given.

"Can be repeated" is a fact of the endpoint: reads, searches, and each PUT, PATCH and DELETE of a named thing
can be; creating something and `GET /agents/{{id}}/unsubscribe` cannot. "In doubt" is `error.outcome_unknown`:
True whenever a request that changes something may have been applied.
"""


SOAK: Final = """\
## The soak

`make soak` sends ids by every route: `get_customer` gathered, and coalesced; `get_customers` with searches,
and with `batch=False`; `stream_customers`; `list_customers` and `search_customers`; of the changes
`update_customer` and `create_event`. The server throws {cards} faults at random: of those above the ones that
plain HTTP can show, and searches that lie. One id in twenty does not exist. Callers give up at random, have
short deadlines, little patience or no retries, and clients are closed under their calls. It fails unless

* each id has exactly one outcome: the customer with that id and name, `NotFoundError` if there is none,
  another error of ours, or the cancellation that was meant; a listing that an error stopped goes on behind
  its last row;
* a change that succeeded was made, one that failed and was made is in doubt, and no event was recorded twice;
* at every look, ten on each route, no call, turn, place in line, connection in use or task is left; beside
  the connections that are kept for later as many files are open as at first; memory is at most {memory} MiB
  above the first of these looks; and there are at most {objects} objects more for each id, so that what stays
  of a call is seen;
* nothing was warned of, and no error came to light in the event loop or the garbage collector.

The faults come from a seed, which is printed. `make soak SEED=7` throws the same ones in the same order;
which request meets them depends on timing. `tests/test_soak.py` is a run of some seconds, and shows that
each of these promises is seen to break when it is broken on purpose.

{figures}
"""


def _cells(*cells: object) -> str:
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |\n"


def _heading(*cells: str) -> str:
    return _cells(*cells) + _cells(*("---" for _ in cells))


def _outcome(line: Line, *, repeatable: bool, changes: bool) -> str:
    attempts = line.attempts(repeatable=repeatable)
    sent = f"after {attempts} attempts" if attempts > 1 else "at once"
    return f"{sent}, in doubt" if changes and line.leaves_changes_in_doubt else sent


def _row(fault: Fault, case: Case | Special) -> str:
    name = id_of(fault, case)
    if isinstance(case, Special):
        shown = f"`{test_what_a_particular_call_gets.__name__}[{name}]`"
        return _cells(fault.number, fault.fault, case.name, case.gets, "-", shown)
    gets = f"`{case.error.__name__}` {_outcome(case.line, repeatable=True, changes=False)}"
    change = _outcome(case.line, repeatable=False, changes=True)
    return _cells(
        fault.number, fault.fault, case.name, gets, change, f"`{test_what_the_caller_gets.__name__}[{name}]`"
    )


def _names(kinds: Iterable[Kind]) -> str:
    return ", ".join(f"`{kind.name}`" for kind in kinds)


def _lines() -> Iterator[str]:
    for line in Line:
        yield _cells(
            line.condition,
            _outcome(line, repeatable=True, changes=False),
            _outcome(line, repeatable=True, changes=True),
            _outcome(line, repeatable=False, changes=True),
        )


def text() -> str:
    """Give the whole page."""
    reads = [kind for kind in KINDS if not kind.changes]
    repeatable = [kind for kind in KINDS if kind.changes and kind.request.repeatable]
    rest = [kind for kind in KINDS if not kind.request.repeatable]
    rows = "".join(_row(fault, case) for fault in FAULTS for case in fault.cases)
    table = test_each_kind_of_request.__name__
    soak = SOAK.format(
        cards=len(CARDS), memory=MOST_MEMORY >> 20, objects=MOST_OBJECTS, figures=FIGURES.strip()
    )
    return f"""\
{INTRODUCTION.format(attempts=ATTEMPTS)}
## The faults

The tests of this table are in `tests/test_faults.py`; its last column but one is shown by
`{table}` in `tests/test_retry_table.py`, under the same names.
`tests/test_uvloop.py` runs all of them on uvloop.

{_heading("#", "fault", "how it comes about", "a read gets", "a change that cannot be repeated", "test")}\
{rows}
## The retry table

`{table}` in `tests/test_retry_table.py` sends each kind of request into each
fault above that any request may meet, and into {len(STATUSES)} statuses. The error is raised:

{_heading("condition", "a read", "a change that can be repeated", "a change that cannot")}\
{"".join(_lines())}
* Reads: {_names(reads)}
* Changes that can be repeated: {_names(repeatable)}
* Changes that cannot: {_names(rest)}
* Of these, an empty answer and `Ok` as text are what was promised, and no fault, for
  {_names(each for each in KINDS if each.request.acknowledges)}

With a rate limiter a 429 is not counted: the call waits at the account's gate for as long as its patience
lasts. One attempt in doubt leaves the call in doubt, whatever a later one meets. A 404 to the retry of a
deletion that an earlier attempt may have carried out is a success.

{soak}"""


if __name__ == "__main__":
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(text(), encoding="utf-8")
