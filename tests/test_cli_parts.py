"""The parts of the command that need no server: ids from files, lines to files, text, figures."""

import asyncio
import json
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("typer")
pytest.importorskip("rich")


from helpcrunch_async import (
    AuthenticationError,
    Customer,
    HelpCrunchError,
    Location,
    NotFoundError,
    RateLimiter,
    ServerError,
    Tag,
)
from helpcrunch_async.cli.budget import Spending
from helpcrunch_async.cli.demo.rules import Rule, make_rule
from helpcrunch_async.cli.demo.run import Plan
from helpcrunch_async.cli.demo.screen import Screen
from helpcrunch_async.cli.demo.tally import Tally
from helpcrunch_async.cli.exits import CommandError, ExitCode
from helpcrunch_async.cli.files.id_file import IdFile
from helpcrunch_async.cli.files.line_file import LineFile
from helpcrunch_async.cli.problems import complain, telling
from helpcrunch_async.cli.progress import FetchProgress, _Numbers
from helpcrunch_async.cli.reasons import exit_code_of, reason_of
from helpcrunch_async.cli.sandbox import _log
from helpcrunch_async.cli.show.card import card_of
from helpcrunch_async.cli.text import json_line, printable
from helpcrunch_async.testing import FakeHelpCrunch


async def read_ids(path: Path) -> tuple[list[int], CommandError | None]:
    """All ids up to the end or to the first problem."""
    found: list[int] = []
    try:
        with IdFile(path) as ids:
            async for each in ids:
                found.append(each)  # noqa: PERF401 - what came before a problem counts
    except CommandError as error:
        return found, error
    return found, None


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"1\n2\n", [1, 2]),
        (b"1\n2", [1, 2]),
        (b" 1 \r\n\r\n\t2\r\n", [1, 2]),
        (b"\xef\xbb\xbf7\n8", [7, 8]),
        (b"007\n7", [7, 7]),
        (b"1\r2\r\r3", [1, 2, 3]),
    ],
    ids=["plain", "no last line end", "white space", "byte order mark", "zeros, twice", "old Macs"],
)
async def test_ids_stand_one_a_line(tmp_path: Path, content: bytes, expected: list[int]) -> None:
    """Blank lines and surrounding white space are no ids, and no mistakes."""
    (path := tmp_path / "ids").write_bytes(content)
    assert await read_ids(path) == (expected, None)
    with IdFile(path) as ids:
        assert ids.check() == len(expected)


@pytest.mark.parametrize(
    "word",
    ["abc", "0", "-1", "+1", "1.0", "1_0", "1 2", "1,2", "\u0661", "9" * 19, "\x1b[31m", "\x00", "9" * 5000],
    ids=lambda word: repr(word[:20]),
)
async def test_a_line_that_is_no_id_is_named_by_its_number(tmp_path: Path, word: str) -> None:
    """Whatever `int` may make of it; and what stands before it was read."""
    (path := tmp_path / "ids").write_text(f"5\n\n{word}\n6\n", encoding="utf-8")
    found, error = await read_ids(path)
    assert found == [5]
    assert error is not None
    assert str(error).startswith(f"{path}, line 3: not a customer id: ")
    assert len(str(error)) < len(str(path)) + 80
    assert error.exit_code is ExitCode.USAGE


async def test_a_file_without_lines_is_given_up_early(tmp_path: Path) -> None:
    """A file that is no text is not read to its end."""
    (path := tmp_path / "ids").write_bytes(b"\xff" * 10_000_000)
    found, error = await read_ids(path)
    assert found == []
    assert str(error) == f"{path}, line 1: a line of more than 65,536 bytes"


async def test_ids_may_be_longer_than_a_chunk(tmp_path: Path) -> None:
    """Lines that are cut by the end of a chunk come out whole."""
    expected = list(range(1_000_000, 1_020_000))
    (path := tmp_path / "ids").write_text("\n".join(map(str, expected)), encoding="ascii")
    assert await read_ids(path) == (expected, None)


@pytest.mark.parametrize("name", ["absent", "."], ids=["absent", "a directory"])
def test_an_unreadable_file_is_told_at_once(tmp_path: Path, name: str) -> None:
    """Before anything else is done."""
    with pytest.raises(CommandError, match=r"cannot read .*: (No such file|Is a directory)"):
        IdFile(tmp_path / name).__enter__()


@pytest.mark.skipif(sys.platform == "win32", reason="named pipes")
async def test_a_silent_pipe_does_not_stop_the_loop(tmp_path: Path) -> None:
    """Ids come as they are written, and one who stops waiting is not held up."""
    os.mkfifo(path := tmp_path / "ids")
    writer = await asyncio.to_thread(lambda: os.open(path, os.O_RDWR))
    with IdFile(path) as ids:
        assert ids.check() is None
        found = aiter(ids)
        os.write(writer, b"3\n4")
        assert await anext(found) == 3
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(found), 0.05)
    os.write(writer, b"\n")  # lets the reader go
    os.close(writer)


def test_json_lines_replace_what_was_there(tmp_path: Path) -> None:
    """Each line is on disk before the next is written."""
    (path := tmp_path / "out").write_text("old\n" * 100, encoding="ascii")
    with LineFile(path) as lines:
        lines.write(json_line({"id": 1, "name": "Zoë"}))
        assert path.read_bytes() == '{"id": 1, "name": "Zoë"}\n'.encode()
        lines.write(json_line({"id": 2}))
    assert [json.loads(line) for line in path.read_bytes().splitlines()] == [
        {"id": 1, "name": "Zoë"},
        {"id": 2},
    ]
    assert lines.count == 2


def test_a_file_that_may_not_be_needed_is_not_made(tmp_path: Path) -> None:
    """And one of an earlier run goes: it would pass for this one's."""
    (path := tmp_path / "out").write_text("old\n", encoding="ascii")
    with LineFile(path, when_needed=True) as lines:
        assert not path.exists()
        lines.write(json_line({"id": 1}))
    assert path.read_bytes() == b'{"id": 1}\n'
    with LineFile(path, when_needed=True):
        pass
    assert not path.exists()


@pytest.mark.parametrize("when_needed", [False, True], ids=["at once", "when needed"])
def test_a_place_that_is_not_there_is_told_at_once(tmp_path: Path, *, when_needed: bool) -> None:
    """Not after an hour of fetching."""
    with pytest.raises(CommandError, match=r"cannot write .*: No such file"):
        LineFile(tmp_path / "absent" / "out", when_needed=when_needed).__enter__()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_is_told() -> None:
    """In one line, as other problems of files."""
    with (
        LineFile(Path("/dev/full")) as lines,
        pytest.raises(CommandError, match="cannot write /dev/full: No space left") as raised,
    ):
        lines.write(json_line({}))
    assert raised.value.exit_code is ExitCode.USAGE


@pytest.mark.parametrize(
    "value",
    ["plain", "Zoë 张", "\x1b[2J", "\u009b31m", "\ud800", "a\nb", "\u2028", "\u202e", "\x85"],
    ids=ascii,
)
def test_a_json_line_is_one_harmless_line(value: str) -> None:
    """Whatever customers wrote, every reader takes it for one line, and no terminal obeys it."""
    line = json_line({"name": value})
    assert json.loads(line) == {"name": value}
    text = line.decode()
    assert len(text.splitlines()) == 1
    assert text[:-1].isprintable()


def test_what_is_printed_has_no_control_characters() -> None:
    """Line breaks become spaces, the rest substitutes."""
    assert printable("Zoë\n\tX\x1b[31m\u202e") == "Zoë  X\ufffd[31m\ufffd"


def error_of(kind: type[NotFoundError | ServerError | AuthenticationError], status: int) -> HelpCrunchError:
    """An error as the client raises it."""
    return kind("secret words", status, None, (), "GET", "/customers/1", 1)


MISSING, BROKEN, REFUSED = (
    error_of(NotFoundError, 404),
    error_of(ServerError, 503),
    error_of(AuthenticationError, 401),
)


@pytest.mark.parametrize(
    ("errors", "expected"),
    [
        ([], ExitCode.DONE),
        ([MISSING, MISSING], ExitCode.NOT_FOUND),
        ([MISSING, BROKEN], ExitCode.FAILED),
        ([BROKEN, REFUSED, MISSING], ExitCode.AUTH),
    ],
    ids=["none", "missing", "worse", "worst"],
)
def test_the_worst_failure_gives_the_exit_code(errors: list[HelpCrunchError], expected: ExitCode) -> None:
    """4 means that nothing worse than a missing customer happened."""
    assert exit_code_of(reason_of(each).code for each in errors) is expected


def test_reasons_do_not_repeat_the_servers_words() -> None:
    """They may hold anything."""
    reasons = [reason_of(each).words for each in (MISSING, BROKEN, REFUSED)]
    assert reasons == ["not found", "HelpCrunch failed (503)", "HelpCrunch refused the API key (401)"]


@pytest.mark.parametrize(
    ("ending", "told"),
    [
        (None, [False]),
        (CommandError("x", ExitCode.FAILED), [False]),
        (KeyboardInterrupt(), [True]),
        (BrokenPipeError(), []),
    ],
    ids=ascii,
)
def test_one_who_has_stopped_reading_is_told_nothing(ending: BaseException | None, told: list[bool]) -> None:
    """Everybody else is, once, whatever ends it; and whether it was Ctrl-C."""
    tellings: list[bool] = []
    with suppress(CommandError, KeyboardInterrupt, BrokenPipeError), telling(tellings.append):
        if ending is not None:
            raise ending
    assert tellings == told


@pytest.mark.parametrize(
    ("elapsed", "expected"), [(1.0, "0:01:39"), (400.0, "0:06:40")], ids=["a burst", "slow answers"]
)
def test_the_time_left_is_never_less_than_the_budget_allows(elapsed: float, expected: str) -> None:
    """What a burst brought ahead of the even pace is paid for later; slower than that it can be."""
    limiter: Any = SimpleNamespace(
        statistics=SimpleNamespace(granted=100, rate=2.0, paused_for=0.0), period=60.0, limit=120
    )
    task: Any = SimpleNamespace(
        total=210, completed=110.0, elapsed=elapsed, remaining=100.0, fields={"failed": 0, "skipped": 10}
    )
    assert f"  {expected} left" in _Numbers(limiter).render(task).plain


def test_a_sandbox_keeps_no_record() -> None:
    """It may run for weeks; the record is for tests."""
    server = FakeHelpCrunch(customers=0)
    request: Any = SimpleNamespace(method="GET", path="/customers", status=200)
    record: list[Any] = [server.requests, server.webhooks]
    for each in record:
        each.append(request)
    _log(server, request, quiet=True)
    assert record == [[], []]


def test_a_complaint_and_a_bar_do_not_mix(monkeypatch: pytest.MonkeyPatch) -> None:
    """The line goes above the bar, which is drawn again below it."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("FORCE_COLOR", "1")  # takes what follows for a terminal
    monkeypatch.setenv("COLUMNS", "100")
    screen = StringIO()
    monkeypatch.setattr("sys.stderr", screen)
    with FetchProgress(RateLimiter(), 10) as progress:
        progress.skip()
        progress.advance(failed=True)
        progress.advance()
        complain("customer 5: not found")
    lines = screen.getvalue().replace("\r", "\n").splitlines()
    (said,) = (line for line in lines if "not found" in line)
    assert said.endswith("helpcrunch: customer 5: not found")
    assert "left" not in said
    assert any("3/10" in line and "1 failed" in line for line in lines)


def test_a_card_shows_what_is_known() -> None:
    """And nothing of what is not; words of customers drive no terminal."""
    from rich.console import Console  # noqa: PLC0415 - beside its only use

    customer = Customer(
        7,
        name="Zoë\x1b[2J",
        location=Location(city="Kyiv"),
        tags=(Tag("Paid"), Tag("vip")),
        blocked=True,
        custom_data={"Seats": 3},
    )
    console = Console(width=60, color_system=None)
    with console.capture() as captured:
        console.print(card_of(customer))
    lines = [line.strip("│ ").split(maxsplit=1) for line in captured.get().splitlines()[1:-1]]
    assert lines == [["tags", "Paid, vip"], ["location", "Kyiv"], ["state", "blocked"], ["Seats", "3"]]
    assert "\x1b" not in captured.get()


def test_spending_looks_back_one_period() -> None:
    """What was spent earlier is forgotten."""
    times: Iterator[float] = iter([0.0, 1.0, 2.0, 11.5, 30.0])
    counts = iter([0, 5, 8, 9, 9])
    spending = Spending(lambda: next(counts), 10.0, clock=lambda: next(times))
    assert [spending.lately() for _ in range(4)] == [5, 8, 1, 0]


@pytest.mark.parametrize("rule", Rule, ids=str)
def test_every_rule_has_a_whole_budget(rule: Rule) -> None:
    """Ten requests at once, and not one more."""
    made = make_rule(rule, 10, 3.0)
    assert [made.hit(0.0) is None for _ in range(11)] == [True] * 10 + [False]


def test_what_is_not_done_in_the_end_is_lost() -> None:
    """Also what a time limit has cut off."""
    tally = Tally("way", 10)
    assert (tally.state, tally.seconds, tally.waiting) == ("to come", 0.0, 10)
    tally.begin()
    tally.done, tally.lost, tally.requests, tally.rejected = 6, 1, 20, 12
    assert (tally.state, tally.waiting) == ("running", 3)
    tally.end()
    assert (tally.state, tally.waiting, tally.lost) == ("ended", 0, 4)
    assert tally.share_of_budget(limit=16, period=60.0) == 0.5
    assert tally.to_dict()["rejected"] == 12


def test_the_live_screen_fits_a_small_terminal() -> None:
    """Eighty columns and 24 lines hold everything, whatever is under way."""
    from rich.console import Console  # noqa: PLC0415 - beside its only use

    plan = Plan(5000, Rule.INTERPOLATED, retry_after=True, limit=120, period=3.0)
    tallies = [Tally(name, 5000) for name in ("our get_customers, batched", "b", "c", "d")]
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        console = Console(width=80, height=24, file=nowhere, force_terminal=True, record=True)
        screen = Screen(console, plan, tallies)
        with screen.showing():
            tallies[0].begin()
            tallies[0].done, tallies[0].rejected = 4000, 54_321
            screen.look()
            screen.look()
        console.export_text()
        screen.conclude()
        lines = console.export_text().splitlines()
    assert max(map(len, lines)) <= 80
    assert len(lines) <= 24
