"""The `helpcrunch` command as people and scripts use it, against FakeHelpCrunch."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

pytest.importorskip("typer")
pytest.importorskip("rich")

from typer.testing import CliRunner

from helpcrunch_async import __version__
from helpcrunch_async.cli.app import app
from helpcrunch_async.testing import FakeHelpCrunch, generate_customers

IDS = [row["id"] for row in generate_customers(300)]
ABSENT = 5
NO_COLOUR = {"NO_COLOR": "1", "TERM": "dumb", "COLUMNS": "100"}


@pytest.fixture(scope="module")
def running_server() -> Iterator[FakeHelpCrunch]:
    """A server on a loop of its own: the command brings one, and blocks the thread."""
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever)
    thread.start()
    server = FakeHelpCrunch(customers=len(IDS))
    asyncio.run_coroutine_threadsafe(server.open(), loop).result()
    yield server
    asyncio.run_coroutine_threadsafe(server.close(), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@pytest.fixture
def server(running_server: FakeHelpCrunch) -> FakeHelpCrunch:
    running_server.forget()
    running_server.latency = 0.0
    return running_server


@pytest.fixture
def environment(server: FakeHelpCrunch) -> dict[str, str]:
    return {**NO_COLOUR, "HELPCRUNCH_API_KEY": "key", "HELPCRUNCH_BASE_URL": server.url}


class Outcome:
    """What a run of the command left behind."""

    def __init__(self, code: int, out: bytes, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def objects(self) -> list[dict[str, Any]]:
        """Stdout, read as JSON lines."""
        return [json.loads(line) for line in self.out.splitlines()]

    def __repr__(self) -> str:
        return f"<exit {self.code}\n{self.out.decode()}\n{self.err}>"


Run = Callable[..., Outcome]


@pytest.fixture
def run(environment: dict[str, str]) -> Run:
    """Runs the command in this process."""

    def run(*arguments: object, env: Mapping[str, str | None] | None = None) -> Outcome:
        given = {**environment, **(env or {})}
        result = CliRunner().invoke(app, [str(each) for each in arguments], env=given)
        return Outcome(result.exit_code, result.stdout_bytes, result.stderr)

    return run


def command(*arguments: object) -> list[str]:
    """The command line of a process of its own."""
    return [sys.executable, "-m", "helpcrunch_async", *map(str, arguments)]


@pytest.fixture
def process(environment: dict[str, str]) -> Run:
    """Runs the command in a process of its own."""

    def process(*arguments: object, stdin: bytes = b"", env: Mapping[str, str] | None = None) -> Outcome:
        given = {**os.environ, **environment, **(env or {})}
        done = subprocess.run(
            command(*arguments), input=stdin, capture_output=True, env=given, check=False, timeout=30
        )
        return Outcome(done.returncode, done.stdout, done.stderr.decode())

    return process


def write_ids(path: Path, *ids: object) -> Path:
    """A file of ids."""
    path.write_text("".join(f"{each}\n" for each in ids), encoding="utf-8")
    return path


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait until something is so; ten seconds at most."""
    for _ in range(1000):
        if condition():
            return
        time.sleep(0.01)
    pytest.fail("it did not happen")


def lines_of(path: Path) -> list[dict[str, Any]]:
    """The objects of a file of JSON lines, each of which must be whole."""
    content = path.read_bytes()
    assert content.endswith(b"\n")
    return [json.loads(line) for line in content.splitlines()]


# The command itself


def test_help_names_the_exit_codes(run: Run) -> None:
    """Scripts are written by it."""
    for arguments in (["--help"], ["get", "--help"], ["fetch", "--help"]):
        outcome = run(*arguments)
        assert outcome.code == 0
        text = " ".join(outcome.out.decode().split())
        assert "4 some customers do not exist" in text, arguments


def test_version(run: Run) -> None:
    """Alone on a line."""
    assert run("--version").out.decode().strip() == __version__


@pytest.mark.parametrize("absent", ["typer", "rich"])
def test_without_the_extra_it_says_what_to_install(absent: str) -> None:
    """One line, no traceback; importing the package itself needs neither."""
    script = f"""
import sys
sys.modules[{absent!r}] = None
import helpcrunch_async
import helpcrunch_async.testing
from helpcrunch_async.__main__ import main
main()
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False, timeout=30)
    assert done.returncode == 1
    assert done.stdout == b""
    assert done.stderr.decode().splitlines() == [
        "helpcrunch: the command needs an extra: pip install 'helpcrunch-async[cli]'"
    ]


# Key and server


def test_without_a_key_nothing_is_sent(run: Run, server: FakeHelpCrunch) -> None:
    """And nobody is asked where there is no terminal."""
    outcome = run("get", IDS[0], env={"HELPCRUNCH_API_KEY": None})
    assert (outcome.code, outcome.out) == (3, b"")
    assert outcome.err.splitlines() == ["helpcrunch: no API key: set HELPCRUNCH_API_KEY"]
    assert server.requests == []


def test_a_refused_key_is_told_once(run: Run) -> None:
    """However many customers were asked for, and never with the key."""
    outcome = run("get", *IDS[:5], env={"HELPCRUNCH_API_KEY": "not-the-key"})
    assert (outcome.code, outcome.out) == (3, b"")
    assert outcome.err.splitlines() == ["helpcrunch: HelpCrunch refused the API key (401)"]


def test_a_malformed_key_is_told_without_showing_it(run: Run) -> None:
    """A key with a line break is a common accident."""
    outcome = run("get", IDS[0], env={"HELPCRUNCH_API_KEY": "hidden\n"})
    assert outcome.code == 3
    assert "white space" in outcome.err
    assert "hidden" not in outcome.err


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://api.example/v1", "--allow-http"),
        ("api.example", "https://"),
        ("https://a:b@c", "credentials"),
    ],
)
def test_an_unfit_base_url_is_told(run: Run, url: str, said: str) -> None:
    """In words of the command line."""
    outcome = run("get", IDS[0], "--base-url", url)
    assert outcome.code == 2
    assert said in outcome.err or "not a URL" in outcome.err
    assert len(outcome.err.splitlines()) == 1


def test_the_option_goes_before_the_environment(run: Run, server: FakeHelpCrunch) -> None:
    """As everywhere."""
    outcome = run("get", IDS[0], "--base-url", server.url, env={"HELPCRUNCH_BASE_URL": "https://127.0.0.1:1"})
    assert outcome.code == 0, outcome


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals")
def test_a_terminal_is_asked_for_the_key_and_shown_a_card(server: FakeHelpCrunch) -> None:
    """The key is not echoed, and what customers wrote cannot drive the terminal."""
    server.add_customer({"id": 77, "name": "[red]Eve[/red]", "notes": "\x1b]0;gotcha\x07"})
    env = {**os.environ, "HELPCRUNCH_BASE_URL": server.url, "TERM": "xterm", "COLUMNS": "80"}
    env.pop("HELPCRUNCH_API_KEY", None)
    mine, theirs = os.openpty()
    with subprocess.Popen(
        command("get", 77), stdin=theirs, stdout=theirs, stderr=theirs, env=env, start_new_session=True
    ) as running:
        os.close(theirs)
        shown = b""
        try:
            while piece := os.read(mine, 4096):
                if b"HelpCrunch API key" in piece:
                    os.write(mine, b"key\n")
                shown += piece
        except OSError:  # how Linux tells that the other end is closed
            pass
        os.close(mine)
    server.remove_customer(77)
    assert running.returncode == 0
    assert b"[red]Eve[/red]" in shown
    assert b"gotcha" in shown
    assert b"\x1b]0;" not in shown
    assert b"key\r\n" not in shown.replace(b"HelpCrunch API key", b"")


# helpcrunch get


def test_get_gives_json_lines_in_the_order_asked(run: Run, server: FakeHelpCrunch) -> None:
    """Twice what is asked for twice."""
    asked = [IDS[3], IDS[1], IDS[3]]
    outcome = run("get", *asked)
    assert (outcome.code, outcome.err) == (0, "")
    assert [each["id"] for each in outcome.objects] == asked
    assert outcome.objects[1]["customData"] == server.customer(IDS[1])["customData"]


def test_get_tells_what_is_missing(run: Run) -> None:
    """One line each on stderr; the others are there."""
    outcome = run("get", IDS[0], ABSENT, IDS[1], ABSENT + 1)
    assert outcome.code == 4
    assert [each["id"] for each in outcome.objects] == IDS[:2]
    assert outcome.err.splitlines() == [
        "helpcrunch: customer 5: not found",
        "helpcrunch: customer 6: not found",
    ]


@pytest.mark.parametrize("word", ["abc", "0", "1.5", "-3"])
def test_get_takes_nothing_but_ids(run: Run, server: FakeHelpCrunch, word: str) -> None:
    """Wrong usage is 2, and nothing is sent."""
    assert run("get", word).code == 2
    assert server.requests == []


def test_get_tells_what_failed(run: Run, server: FakeHelpCrunch) -> None:
    """One line a customer, and 1 for whatever is worse than a missing one."""
    server.fail_next(1, "redirect")
    outcome = run("get", IDS[0])
    assert (outcome.code, outcome.out) == (1, b"")
    assert outcome.err.splitlines() == [f"helpcrunch: customer {IDS[0]}: 307: GET /customers/{IDS[0]}"]


def test_debug_shows_the_traceback(run: Run) -> None:
    """For those who want to see more."""
    outcome = run("get", IDS[0], "--debug", env={"HELPCRUNCH_API_KEY": "not-the-key"})
    assert outcome.code == 3
    assert "Traceback" in outcome.err
    assert outcome.err.splitlines()[-1] == "helpcrunch: HelpCrunch refused the API key (401)"
    assert "not-the-key" not in outcome.err


def test_a_bug_is_one_line_too(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """And does not look like the user's fault."""
    monkeypatch.setattr("helpcrunch_async.cli.get.find_account", None)
    outcome = run("get", IDS[0])
    assert outcome.code == 1
    assert outcome.err.startswith("helpcrunch: internal error: TypeError: ")
    assert len(outcome.err.splitlines()) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="pipes of the shell")
def test_a_reader_that_leaves_early_is_no_error(environment: dict[str, str]) -> None:
    """As with `| head -1`: nothing on stderr."""
    with subprocess.Popen(
        command("get", *IDS[:200]),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **environment},
    ) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.close()
        complaints = running.stderr.read()
    assert complaints == b""
    assert running.returncode == 141


# helpcrunch fetch


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
    assert lines_of(failures) == [{"id": ABSENT, "reason": "not found", "error": "NotFoundError"}]
    assert f"1 failed, see {failures};" in outcome.err

    server.fail_next(1, "redirect", path="/customers/search")
    server.fail_next(1, "redirect", path=f"/customers/{IDS[1]}")
    elsewhere = tmp_path / "elsewhere"
    outcome = run("fetch", "--ids", tmp_path / "ids", "--out", out, "--failures", elsewhere)
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


def test_a_line_that_is_no_id_ends_fetch_but_loses_nothing(run: Run, tmp_path: Path) -> None:
    """What stands before it arrives first."""
    out = tmp_path / "out.jsonl"
    ids = write_ids(tmp_path / "ids", IDS[0], "", IDS[1], "x\x1b[31m7", IDS[2])
    outcome = run("fetch", "--ids", ids, "--out", out)
    assert outcome.code == 2
    assert {each["id"] for each in lines_of(out)} == set(IDS[:2])
    assert outcome.err.splitlines()[-1] == f"helpcrunch: {ids}, line 4: not a customer id: x\ufffd[31m7"


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
def test_fetch_shows_a_bar_on_a_terminal(environment: dict[str, str], tmp_path: Path) -> None:
    """With what arrived, how fast, and what it took of the budget."""
    ids = write_ids(tmp_path / "ids", *IDS, ABSENT)
    mine, theirs = os.openpty()
    env = {**os.environ, **environment, "TERM": "xterm", "COLUMNS": "100"}
    with subprocess.Popen(
        command("fetch", "--ids", ids, "--out", tmp_path / "out"), stdin=theirs, stderr=theirs, env=env
    ) as running:
        os.close(theirs)
        shown = b""
        try:
            while piece := os.read(mine, 4096):
                shown += piece
        except OSError:  # how Linux tells that the other end is closed
            pass
        os.close(mine)
    assert running.returncode == 4
    assert b"301/301" in shown
    assert b"/120" in shown
    assert b"1 failed" in shown


# helpcrunch demo


def test_demo_ends_by_itself_and_compares(run: Run, server: FakeHelpCrunch) -> None:
    """Without key, account or terminal; all ways stand in the table."""
    outcome = run("demo", "--calls=40", "--limit=20", "--period=0.4", env={"HELPCRUNCH_API_KEY": None})
    assert outcome.code == 0, outcome
    text = outcome.out.decode()
    assert "embedded FakeHelpCrunch on this machine: no HelpCrunch account is touched" in text
    rows = {
        row[:28].strip(): row[28:].split()
        for row in text.splitlines()
        if row.strip().startswith(("our", "gather")) and "%" in row
    }
    assert set(rows) == {
        "our get_customer, gathered",
        "gather + tenacity, 6 tries",
        "gather + tenacity, no end",
        "our get_customers, batched",
    }
    assert rows["our get_customer, gathered"][:2] == ["40", "0"]
    assert rows["our get_customers, batched"][:3] == ["40", "0", "1"]
    assert server.requests == []


@pytest.mark.parametrize("rule", ["log", "interpolated", "bucket"])
def test_demo_under_every_rule(run: Run, rule: str) -> None:
    """Ours loses nothing under any of them."""
    outcome = run("demo", "--calls=20", "--limit=20", "--period=0.2", "--retry-after", f"--rule={rule}")
    assert outcome.code == 0, outcome
    assert "our get_customer, gathered: 20 done, 0 lost" in outcome.out.decode()


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_ctrl_c_ends_the_demo(environment: dict[str, str]) -> None:
    """At once, and with one line."""
    with subprocess.Popen(
        command("demo"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, **environment}
    ) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        assert b"embedded" in running.stdout.readline()
        # a line about the work under way: before that, Python may still be setting up its event loop
        assert any(b" done, " in line for line in running.stdout)
        running.send_signal(signal.SIGINT)
        assert running.wait(10) == 130
        assert running.stderr.read().decode() == "helpcrunch: interrupted\n"
