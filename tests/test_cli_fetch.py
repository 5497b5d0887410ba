"""`helpcrunch fetch`, once: ids in, customers and failures out."""

import csv
import json
import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

pytest.importorskip("typer")
pytest.importorskip("rich")

from cli.running import ABSENT, IDS, Run, command, ids_of, lines_of, on_terminal, wait_for, write_ids

from helpcrunch_async.testing import FakeHelpCrunch

pytest_plugins = "cli.fixtures"


def test_fetch_writes_all_as_json_lines(run: Run, server: FakeHelpCrunch, tmp_path: Path) -> None:
    """A hundred ids a request; no file of failures without failures."""
    out = tmp_path / "out.jsonl"
    (ids := tmp_path / "ids").write_text("\n".join(map(str, IDS)), encoding="ascii")  # no last line end
    outcome = run("fetch", "--ids", ids, "--out", out)
    assert outcome.code == 0, outcome
    assert sorted(each["id"] for each in lines_of(out)) == sorted(IDS)
    assert len(server.requests) == 3
    assert outcome.err.startswith(f"helpcrunch: 300 customers in {out}; 3 requests in ")
    assert {each.name for each in tmp_path.iterdir()} == {"ids", "out.jsonl"}


def test_fetch_one_by_one(run: Run, server: FakeHelpCrunch, tmp_path: Path) -> None:
    """With --no-batch each customer has a request."""
    out = tmp_path / "out.jsonl"
    outcome = run("fetch", "--ids", write_ids(tmp_path / "ids", *IDS[:5]), "--out", out, "--no-batch")
    assert outcome.code == 0, outcome
    assert {request.path for request in server.requests} == {f"/customers/{each}" for each in IDS[:5]}


def test_fetch_counts_and_keeps_failures(run: Run, server: FakeHelpCrunch, tmp_path: Path) -> None:
    """Each failed id has its reason, in a file beside the other."""
    out, failures = tmp_path / "out.jsonl", tmp_path / "out.jsonl.failures.jsonl"
    outcome = run("fetch", "--ids", write_ids(tmp_path / "ids", IDS[0], ABSENT, IDS[1]), "--out", out)
    assert outcome.code == 4
    assert len(lines_of(out)) == 2
    assert lines_of(failures) == [{"id": ABSENT, "reason": "not found", "code": "not_found"}]
    assert f"1 failed, see {failures};" in outcome.err

    server.fail_next(1, "redirect", path="/customers/search")
    server.fail_next(1, "redirect", path=f"/customers/{IDS[1]}")
    elsewhere = tmp_path / "elsewhere"
    outcome = run("fetch", "--ids", tmp_path / "ids", "--out", tmp_path / "again", "--failures", elsewhere)
    assert outcome.code == 1, "something worse than a missing customer"
    assert {each["id"] for each in lines_of(elsewhere)} == {ABSENT, IDS[1]}


def test_fetch_stops_when_the_key_is_refused(run: Run, tmp_path: Path) -> None:
    """The first 401 is enough; ids are not to blame, so none is noted as failed."""
    outcome = run(
        "fetch",
        *("--ids", write_ids(tmp_path / "ids", *IDS), "--out", tmp_path / "out"),
        env={"HELPCRUNCH_API_KEY": "not-the-key"},
    )
    assert outcome.code == 3
    assert outcome.err.splitlines()[-1] == "helpcrunch: HelpCrunch refused the API key (401)"
    assert not (tmp_path / "out.failures.jsonl").exists()


def test_a_line_that_is_no_id_is_told_before_anything_is_sent(
    run: Run, server: FakeHelpCrunch, tmp_path: Path
) -> None:
    """A file is read to its end first: nobody wants to hear of line 9,000 after an hour."""
    ids = write_ids(tmp_path / "ids", IDS[0], "", IDS[1], "x\x1b[31m7", IDS[2])
    outcome = run("fetch", "--ids", ids, "--out", tmp_path / "out.jsonl")
    assert outcome.code == 2
    assert outcome.complaints == [f"{ids}, line 4: not a customer id: x\ufffd[31m7"]
    assert server.requests == []
    assert not (tmp_path / "out.jsonl").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="named pipes")
def test_a_line_that_is_no_id_in_a_pipe_loses_nothing(run: Run, tmp_path: Path) -> None:
    """What stands before it arrives first."""
    out, pipe = tmp_path / "out.jsonl", tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = Thread(target=pipe.write_text, args=(f"{IDS[0]}\n{IDS[1]}\nseven\n8",))
    writer.start()
    outcome = run("fetch", "--ids", pipe, "--out", out)
    writer.join()
    assert outcome.code == 2
    assert ids_of(out) == sorted(IDS[:2])
    assert outcome.complaints[-1] == f"{pipe}, line 3: not a customer id: seven"


@pytest.mark.parametrize(
    ("content", "column"),
    [
        ("id,name\n{0},Ada\n{1},Bob\n", "id"),
        ('\ufeffname;HelpCrunch id\n"Quill; ""Q""\nAG";{0}\n\nBob;{1};more\nEve;\nless', "HelpCrunch id"),
        ("a\tid\n1\t {0} \n2\t{1}", "id"),
    ],
    ids=["commas", "semicolons, quotes, gaps", "tabs"],
)
def test_ids_from_a_column_of_a_csv(run: Run, tmp_path: Path, content: str, column: str) -> None:
    """Whichever of the usual delimiters it has; a row without an id is passed over."""
    (ids := tmp_path / "ids.csv").write_text(content.format(*IDS), encoding="utf-8", newline="")
    out = tmp_path / "out.jsonl"
    outcome = run("fetch", "--ids", ids, "--column", column, "--out", out)
    assert outcome.code == 0, outcome
    assert ids_of(out) == sorted(IDS[:2])


@pytest.mark.parametrize(
    ("content", "arguments", "said"),
    [
        ("id,name\n7,Ada\n", ["--column", "ids"], "ids.csv: no column 'ids'; there are id, name"),
        ("", ["--column", "id"], "ids.csv: no column 'id'; it is empty"),
        ("id\n7\nAda\n", ["--column", "id"], "ids.csv, line 3: not a customer id: Ada"),
        (
            "id,name\n7,Ada\n",
            [],
            "ids.csv, line 1: not a customer id: id,name (--column NAME reads a column of a CSV)",
        ),
    ],
    ids=["another column", "empty", "not an id", "no column asked for"],
)
def test_a_csv_that_does_not_fit_is_told(
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    content: str,
    arguments: list[str],
    said: str,
) -> None:
    """In one line that helps."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ids.csv").write_text(content, encoding="utf-8")
    outcome = run("fetch", "--ids", "ids.csv", "--out", "out", *arguments)
    assert (outcome.code, outcome.complaints) == (2, [said])


def test_fetch_into_a_csv(run: Run, server: FakeHelpCrunch, tmp_path: Path) -> None:
    """A header, then a customer a record, also when its words have line ends or would be formulas."""
    server.add_customer({"id": 77, "name": '=HYPERLINK("http://evil.example")', "notes": 'two\r\n"lines"'})
    out = tmp_path / "out.csv"
    outcome = run("fetch", "--ids", write_ids(tmp_path / "ids", 77, 8737843), "--out", out)
    server.remove_customer(77)
    assert outcome.code == 0, outcome
    with out.open(encoding="utf-8", newline="") as file:
        rows = {row["id"]: row for row in csv.DictReader(file, strict=True)}
    assert rows["77"]["name"] == '\'=HYPERLINK("http://evil.example")'
    assert rows["77"]["notes"] == 'two\n"lines"'
    assert rows["8737843"]["location_city"] == "San Francisco"
    assert rows["8737843"]["tags"] == "lead"
    assert rows["8737843"]["first_seen"] == "2020-05-08T08:42:34Z"
    assert json.loads(rows["8737843"]["custom_data"])["Emails sent"] == 621


def test_the_format_may_differ_from_the_name(run: Run, tmp_path: Path) -> None:
    """For names that say nothing, such as that of a pipe."""
    ids = write_ids(tmp_path / "ids", IDS[0])
    assert run("fetch", "--ids", ids, "--out", tmp_path / "out", "--format", "csv").code == 0
    assert (tmp_path / "out").read_bytes().startswith(b"id,name,email,")


def test_fetch_tells_scripts_what_became_of_it(run: Run, tmp_path: Path) -> None:
    """With --json the summary is an object on stdout."""
    out = tmp_path / "out.jsonl"
    outcome = run("fetch", "--ids", write_ids(tmp_path / "ids", *IDS[:3], ABSENT), "--out", out, "--json")
    assert (outcome.code, outcome.err) == (4, "")
    (summary,) = outcome.objects
    assert summary.pop("seconds") > 0
    assert summary == {
        "out": str(out),
        "customers": 3,
        "from_before": 0,
        "failed": 1,
        "failures": f"{out}.failures.jsonl",
        "requests": 2,
        "finished": True,
    }


def test_fetch_gives_up_when_nothing_gets_through(run: Run, tmp_path: Path) -> None:
    """Ids are not burnt by an outage: the rest of them is not even asked for."""
    ids = write_ids(tmp_path / "ids", *range(1, 2001))
    outcome = run("fetch", "--ids", ids, "--out", tmp_path / "out", "--base-url", "http://127.0.0.1:9")
    assert outcome.code == 1
    assert outcome.complaints[-1] == (
        "stopped, since 200 customers in a row failed: HelpCrunch cannot be reached: "
        "no connection: Connection refused"
    )
    assert "not finished: the same command resumes" in outcome.complaints[0]
    assert len(lines_of(tmp_path / "out.failures.jsonl")) == 200


def test_customers_who_do_not_exist_are_no_outage(run: Run, tmp_path: Path) -> None:
    """However many of them come in a row."""
    ids = write_ids(tmp_path / "ids", *range(1, 301), IDS[0])
    outcome = run("fetch", "--ids", ids, "--out", tmp_path / "out", "--budget", 100_000)
    assert outcome.code == 4
    assert ids_of(tmp_path / "out") == [IDS[0]]
    assert len(lines_of(tmp_path / "out.failures.jsonl")) == 300


@pytest.mark.skipif(sys.platform == "win32", reason="pipes of the shell")
def test_a_reader_of_fetch_that_leaves_early_hears_nothing(environment: dict[str, str]) -> None:
    """As with `| head -1`."""
    with subprocess.Popen(
        command("fetch", "--ids", "-", "--out", "-"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **environment},
    ) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.close()
        running.stdin.write("".join(f"{each}\n" for each in IDS).encode())
        running.stdin.close()
        complaints = running.stderr.read()
    assert (running.returncode, complaints) == (141, b"")


@pytest.mark.parametrize(
    ("ids", "out", "said"),
    [
        ("absent", "out", "cannot read absent: No such file or directory"),
        (".", "out", "cannot read .: Is a directory"),
        ("ids", "absent/out", "cannot write absent/out: No such file or directory"),
        ("ids", ".", "cannot write .: Is a directory"),
        ("ids", "ids", "ids holds the ids: write elsewhere"),
        ("ids", "link", "link holds the ids: write elsewhere"),
    ],
)
def test_fetch_tells_at_once_which_file_is_no_good(
    run: Run,
    server: FakeHelpCrunch,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    ids: str,
    out: str,
    said: str,
) -> None:
    """One line, exit 2, nothing sent, nothing overwritten."""
    monkeypatch.chdir(tmp_path)
    write_ids(tmp_path / "ids", *IDS[:2])
    (tmp_path / "link").symlink_to("ids")
    (tmp_path / "out").write_text("old", encoding="ascii")
    outcome = run("fetch", "--ids", ids, "--out", out)
    assert (outcome.code, outcome.err) == (2, f"helpcrunch: {said}\n")
    assert server.requests == []
    assert (tmp_path / "out").read_bytes() == b"old"
    assert (tmp_path / "ids").read_text(encoding="ascii").split() == [str(each) for each in IDS[:2]]


def test_fetch_does_not_mix_results_and_failures(run: Run, tmp_path: Path) -> None:
    """One file cannot be both."""
    ids = write_ids(tmp_path / "ids", IDS[0])
    outcome = run("fetch", "--ids", ids, "--out", tmp_path / "out", "--failures", tmp_path / "out")
    assert outcome.code == 2
    assert "the same file" in outcome.err


def test_fetch_between_pipes(process: Run, tmp_path: Path) -> None:
    """Ids from stdin, customers to stdout, words to stderr."""
    stdin = "".join(f"{each}\n" for each in IDS[:3]).encode()
    outcome = process("fetch", "--ids", "-", "--out", "-", "--failures", tmp_path / "failures", stdin=stdin)
    assert outcome.code == 0, outcome
    assert {each["id"] for each in outcome.objects} == set(IDS[:3])
    assert outcome.err.startswith("helpcrunch: 3 customers in stdout; 1 request in ")


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_ctrl_c_while_ids_are_awaited(environment: dict[str, str], tmp_path: Path) -> None:
    """What arrived is on disk, although stdin is open and silent."""
    out = tmp_path / "out.jsonl"
    with subprocess.Popen(
        command("fetch", "--ids", "-", "--out", out),
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **environment},
    ) as running:
        assert running.stdin is not None
        assert running.stderr is not None
        running.stdin.write("".join(f"{each}\n" for each in IDS[:3]).encode())
        running.stdin.flush()
        wait_for(lambda: out.exists() and out.read_bytes().count(b"\n") == 3)
        running.send_signal(signal.SIGINT)
        assert running.wait(10) == 130
        complaints = running.stderr.read().decode()
    assert {each["id"] for each in lines_of(out)} == set(IDS[:3])
    assert complaints.splitlines()[-1] == "helpcrunch: interrupted"
    assert "Traceback" not in complaints


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_ctrl_c_while_answers_arrive(
    server: FakeHelpCrunch, environment: dict[str, str], tmp_path: Path
) -> None:
    """Whole lines only."""
    server.latency = 0.3
    out = tmp_path / "out.jsonl"
    ids = write_ids(tmp_path / "ids", *IDS[:50])
    with subprocess.Popen(
        command("fetch", "--ids", ids, "--out", out, "--no-batch"),
        stderr=subprocess.PIPE,
        env={**os.environ, **environment},
    ) as running:
        assert running.stderr is not None
        wait_for(lambda: out.exists() and out.read_bytes().count(b"\n") >= 3)
        running.send_signal(signal.SIGINT)
        assert running.wait(10) == 130
        complaints = running.stderr.read().decode()
    arrived = [each["id"] for each in lines_of(out)]
    assert 3 <= len(arrived) < 50
    assert set(arrived) <= set(IDS)
    assert complaints.startswith(f"helpcrunch: {len(arrived)} customers in {out}; ")


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals")
@pytest.mark.parametrize(
    ("name", "ignores_ctrl_c"),
    [("SIGTERM", False), ("SIGTERM", True), ("SIGHUP", False), ("SIGHUP", True), ("SIGINT", False)],
)
def test_a_signal_gives_the_cursor_back(
    server: FakeHelpCrunch, environment: dict[str, str], tmp_path: Path, name: str, *, ignores_ctrl_c: bool
) -> None:
    """And lets what has arrived be told, as Ctrl-C does; also where that is ignored, as behind an &."""
    server.latency = 0.3
    out, sent = tmp_path / "out", signal.Signals[name]
    signals = [sent]

    def act(shown: bytes, running: subprocess.Popen[Any], _: int) -> None:
        if signals and b"\x1b[?25l" in shown and out.exists() and out.stat().st_size:
            running.send_signal(signals.pop())

    code, shown = on_terminal(
        {**environment, "TERM": "xterm"},
        *("fetch", "--ids", write_ids(tmp_path / "ids", *IDS), "--out", out, "--no-batch"),
        act=act,
        # no thread of ours holds a lock that the child would want
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_IGN) if ignores_ctrl_c else None,
    )
    assert code == 128 + sent
    assert shown.rindex(b"\x1b[?25h") > shown.rindex(b"\x1b[?25l")
    assert b"not finished: the same command resumes" in shown
    assert (b"interrupted" if name == "SIGINT" else f"ended by {name}".encode()) in shown
    assert b"Traceback" not in shown
    assert lines_of(out)


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals")
def test_fetch_shows_a_bar_on_a_terminal(environment: dict[str, str], tmp_path: Path) -> None:
    """With what arrived, how fast, and what it took of the budget."""
    ids = write_ids(tmp_path / "ids", *IDS, ABSENT)
    env = {**environment, "TERM": "xterm", "COLUMNS": "100"}
    code, shown = on_terminal(env, "fetch", "--ids", ids, "--out", tmp_path / "out")
    assert code == 4
    assert b"301/301" in shown
    assert b"/120" in shown
    assert b"1 failed" in shown
