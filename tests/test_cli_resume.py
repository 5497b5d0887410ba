"""`helpcrunch fetch`, over several runs: the same command goes on, wherever the last one was stopped."""

import csv
import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("typer")
pytest.importorskip("rich")

from cli.killing import forkserver, start
from cli.running import ABSENT, IDS, Run, command, ids_of, lines_of, wait_for, write_ids

from helpcrunch_async.cli.files.line_file import LineFile
from helpcrunch_async.testing import FakeHelpCrunch

pytest_plugins = "cli.fixtures"

ONCE = IDS[:60]
KILLS = int(os.environ.get("HELPCRUNCH_KILLS", "6"))  # of each format; HELPCRUNCH_KILLS=60 for a good look


def asked_for(server: FakeHelpCrunch) -> set[int]:
    """The ids that were asked for, one by one or by search."""
    asked: set[int] = set()
    for request in server.requests:
        if request.body:
            asked |= {each["value"] for each in json.loads(request.body)["filter"]}
        else:
            asked.add(int(request.path.rpartition("/")[2]))
    return asked


def ids_in_csv(path: Path) -> list[int]:
    """The ids in a CSV, sorted."""
    with path.open(encoding="utf-8", newline="") as file:
        return sorted(int(row["id"]) for row in csv.DictReader(file, strict=True))


def rows_in(path: Path) -> int:
    """How many rows a file has, roughly."""
    return path.read_bytes().count(b"\n") if path.exists() else 0


def test_the_same_command_goes_on(run: Run, server: FakeHelpCrunch, tmp_path: Path) -> None:
    """What is in the file is not asked for again, and stays as it is."""
    out = tmp_path / "out.jsonl"
    assert run("fetch", "--ids", write_ids(tmp_path / "some", *IDS[:50]), "--out", out).code == 0
    before = out.read_bytes()
    server.forget()
    outcome = run("fetch", "--ids", write_ids(tmp_path / "ids", *IDS[:70]), "--out", out)
    assert outcome.code == 0, outcome
    assert asked_for(server) == set(IDS[50:70])
    assert out.read_bytes().startswith(before)
    assert ids_of(out) == sorted(IDS[:70])
    assert outcome.complaints[0].startswith(f"70 customers in {out}, 50 of them from before; 1 request in ")


def test_a_run_that_is_done_asks_nothing(run: Run, server: FakeHelpCrunch, tmp_path: Path) -> None:
    """Neither for what was found nor for what does not exist; the exit code still tells of the latter."""
    arguments = ("fetch", "--ids", write_ids(tmp_path / "ids", *ONCE, ABSENT), "--out", tmp_path / "out")
    first = run(*arguments)
    server.forget()
    second = run(*arguments)
    assert (first.code, second.code) == (4, 4)
    assert server.requests == []
    assert [each["id"] for each in lines_of(tmp_path / "out.failures.jsonl")] == [ABSENT]


def test_what_failed_on_the_way_is_tried_again(run: Run, server: FakeHelpCrunch, tmp_path: Path) -> None:
    """And leaves the file of failures once it is found; what does not exist stays there."""
    failures = tmp_path / "out.failures.jsonl"
    ids = write_ids(tmp_path / "ids", *IDS[:4], ABSENT)
    arguments = ("fetch", "--ids", ids, "--out", tmp_path / "out", "--no-batch")
    server.fail_next(1, "redirect", path=f"/customers/{IDS[1]}")
    server.fail_next(2, "redirect", path=f"/customers/{IDS[2]}")
    assert run(*arguments).code == 1
    assert {each["id"]: each["code"] for each in lines_of(failures)} == {
        ABSENT: "not_found",
        IDS[1]: "refused",
        IDS[2]: "refused",
    }
    second = run(*arguments)
    assert second.code == 1
    assert sorted(each["id"] for each in lines_of(failures)) == [ABSENT, IDS[2]]
    assert "2 failed" in second.complaints[0]
    assert run(*arguments).code == 4
    assert ids_of(failures) == [ABSENT]
    assert ids_of(tmp_path / "out") == sorted(IDS[:4])
    failures.unlink()
    server.forget()
    assert run(*arguments).code == 4
    assert asked_for(server) == {ABSENT}, "without its failure it is asked for again"


def test_an_id_given_twice_is_fetched_once(run: Run, tmp_path: Path) -> None:
    """Each customer stands in the file once."""
    out = tmp_path / "out"
    assert run("fetch", "--ids", write_ids(tmp_path / "ids", *IDS[:3], *IDS[:3]), "--out", out).code == 0
    assert ids_of(out) == sorted(IDS[:3])


def test_overwrite_starts_over(run: Run, server: FakeHelpCrunch, tmp_path: Path) -> None:
    """Whatever was there, in both files."""
    out, failures = tmp_path / "out", tmp_path / "out.failures.jsonl"
    out.write_bytes(b"anything")
    failures.write_bytes(b"else")
    ids = write_ids(tmp_path / "ids", *IDS[:3])
    assert run("fetch", "--ids", ids, "--out", out, "--overwrite").code == 0
    assert ids_of(out) == sorted(IDS[:3])
    assert not failures.exists()
    server.forget()
    assert run("fetch", "--ids", ids, "--out", out, "--overwrite").code == 0
    assert asked_for(server) == set(IDS[:3])


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("out.jsonl", b"Dear diary\n"),
        ("out.jsonl", b"Dear diary"),
        ("out.jsonl", b'{"id": 7}\n{"name": "Ada"}\n'),
        ("out.jsonl", b'{"id": 7, "na{"id": 8}\n{"id": 9}\n'),
        ("out.jsonl", b'{"id": "7"}\n'),
        ("out.jsonl", b"\x89PNG\r\n\x1a\n"),
        ("out.csv", b"id,name\n7,Ada\n"),
        ("out.csv", b"Dear diary"),
    ],
    ids=["text", "no end", "no id", "damaged", "text id", "binary", "other columns", "no end in a CSV"],
)
def test_a_file_of_something_else_is_left_alone(
    run: Run, server: FakeHelpCrunch, tmp_path: Path, name: str, content: bytes
) -> None:
    """It may be dear to somebody."""
    (out := tmp_path / name).write_bytes(content)
    outcome = run("fetch", "--ids", write_ids(tmp_path / "ids", *ONCE), "--out", out)
    assert outcome.code == 2
    (complaint,) = outcome.complaints
    assert complaint.startswith(f"{out}, line ")
    assert complaint.endswith("not what this command writes: write elsewhere, or --overwrite the file")
    assert out.read_bytes() == content
    assert server.requests == []


def test_failures_of_something_else_are_left_alone(run: Run, tmp_path: Path) -> None:
    """Also a file that was meant for something else by mistake."""
    (failures := tmp_path / "failures").write_bytes(b"Dear diary\n")
    ids = write_ids(tmp_path / "ids", *ONCE)
    outcome = run("fetch", "--ids", ids, "--out", tmp_path / "out", "--failures", failures)
    assert outcome.code == 2
    assert outcome.complaints == [
        f"{failures} is not a file of failures: write them elsewhere, or --overwrite it"
    ]
    assert failures.read_bytes() == b"Dear diary\n"


@pytest.mark.skipif(sys.platform == "win32", reason="no locks there")
def test_two_runs_do_not_write_to_one_file(run: Run, tmp_path: Path) -> None:
    """They would double everything."""
    (out := tmp_path / "out").write_bytes(b'{"id": 7}\n')
    for option in ((), ("--overwrite",)):
        with LineFile(out, keep=True):
            outcome = run("fetch", "--ids", write_ids(tmp_path / "ids", *ONCE), "--out", out, *option)
        assert (outcome.code, outcome.complaints) == (2, [f"another run is writing to {out}"])
        assert out.read_bytes() == b'{"id": 7}\n'


@pytest.mark.parametrize("suffix", ["jsonl", "csv"])
def test_files_cut_off_anywhere_are_mended(
    run: Run, server: FakeHelpCrunch, tmp_path: Path, suffix: str
) -> None:
    """Whichever bytes a killed run, or a full disk, has left: no id lost or doubled."""
    out, failures = tmp_path / f"out.{suffix}", tmp_path / f"out.{suffix}.failures.jsonl"
    ids = write_ids(tmp_path / "ids", *ONCE, ABSENT, ABSENT + 1)
    arguments = ("fetch", "--ids", ids, "--out", out, "--failures", failures)
    assert run(*arguments).code == 4
    whole, whole_failures = out.read_bytes(), failures.read_bytes()
    dice = random.Random(6)
    cuts = [0, 1, 7, len(whole) - 1, *(dice.randrange(len(whole)) for _ in range(12))]
    for cut in cuts:
        out.write_bytes(whole[:cut])
        failures.write_bytes(whole_failures[: dice.randrange(len(whole_failures) + 1)])
        server.forget()
        assert run(*arguments).code == 4, cut
        assert (ids_of(out) if suffix == "jsonl" else ids_in_csv(out)) == sorted(ONCE), cut
        assert ids_of(failures) == [ABSENT, ABSENT + 1], cut
        if suffix == "jsonl":
            kept = {json.loads(line)["id"] for line in whole[:cut].split(b"\n")[:-1]}
            assert not asked_for(server) & kept, cut


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize("suffix", ["jsonl", "csv"])
def test_killed_at_random_points_it_loses_and_doubles_nothing(
    server: FakeHelpCrunch, environment: dict[str, str], tmp_path: Path, suffix: str
) -> None:
    """SIGKILL leaves no time to tidy up; the same command goes on each time, until it comes through."""
    out, failures = tmp_path / f"out.{suffix}", tmp_path / f"out.{suffix}.failures.jsonl"
    ids = write_ids(tmp_path / "ids", *IDS, ABSENT, ABSENT + 1)
    arguments = ("fetch", "--ids", ids, "--out", out, "--no-batch", "--budget", 100_000)
    dice, context = random.Random(20_26), forkserver()
    server.latency = lambda: dice.uniform(0.02, 0.3)  # answers trickle in
    server.fail_next(20, "redirect")
    endings: list[int | None] = []
    while 4 not in endings and len(endings) < KILLS + 34:
        enough = rows_in(out) + dice.randrange(1, 2 + 138 // KILLS)
        running = start(context, environment, *arguments)
        if endings.count(-signal.SIGKILL) < KILLS:
            wait_for(lambda: not running.is_alive() or rows_in(out) >= enough)  # noqa: B023 - called here
            running.kill()
        running.join(20)
        endings.append(running.exitcode)
    assert endings.count(-signal.SIGKILL) >= KILLS // 2, f"the runs were too short to be killed: {endings}"
    assert endings[-1] == 4
    assert (ids_of(out) if suffix == "jsonl" else ids_in_csv(out)) == sorted(IDS)
    assert ids_of(failures) == [ABSENT, ABSENT + 1]
    assert {each.name for each in tmp_path.iterdir()} == {"ids", out.name, failures.name}


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_shells_own_process_is_killed_and_goes_on(
    server: FakeHelpCrunch, environment: dict[str, str], run: Run, tmp_path: Path
) -> None:
    """The same once, with nothing between the shell and the command."""
    server.latency = 0.05
    out = tmp_path / "out"
    arguments = ("fetch", "--ids", write_ids(tmp_path / "ids", *IDS), "--out", out, "--budget", 100_000)
    with subprocess.Popen(command(*arguments, "--no-batch"), env={**os.environ, **environment}) as running:
        wait_for(lambda: out.exists() and out.read_bytes().count(b"\n") > 3)
        running.kill()
    assert running.returncode == -signal.SIGKILL
    assert run(*arguments).code == 0
    assert ids_of(out) == sorted(IDS)
