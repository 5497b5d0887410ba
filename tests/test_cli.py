"""The `helpcrunch` command as people and scripts use it, against FakeHelpCrunch."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("typer")
pytest.importorskip("rich")

from cli.running import ABSENT, IDS, Run, command, on_terminal

from helpcrunch_async import __version__
from helpcrunch_async.cli.app import app
from helpcrunch_async.testing import FakeHelpCrunch

pytest_plugins = "cli.fixtures"


# The command itself


def test_help_names_the_exit_codes(run: Run) -> None:
    """Scripts are written by it."""
    names = {info.name or info.callback.__name__ for info in app.registered_commands if info.callback}
    assert {"get", "search", "fetch", "export", "tag", "doctor"} <= names
    for arguments in ([], *([name] for name in names - {"demo", "sandbox"})):
        outcome = run(*arguments, "--help")
        assert outcome.code == 0
        text = " ".join(outcome.out.decode().split())
        assert "4 something does not exist" in text, arguments


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


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["fetch"], "missing option '--ids'"),
        (["fetch", "--idss"], "--idss"),  # click's words changed
        (["got"], "no such command 'got'"),
        (["get", "x"], "invalid value for 'ID'"),
        (["search", "agents"], "'agents' is not one of"),
    ],
    ids=["missing", "option", "command", "id", "noun"],
)
def test_wrong_usage_is_one_line(run: Run, arguments: list[str], said: str) -> None:
    """As every other problem, and with the same beginning."""
    outcome = run(*arguments)
    assert (outcome.code, outcome.out) == (2, b"")
    assert len(outcome.complaints) == 1
    assert said in outcome.complaints[0]
    assert " --help)" in outcome.complaints[0]


def test_alone_it_shows_its_help(run: Run) -> None:
    """What else is there to do."""
    outcome = run()
    assert "Usage: helpcrunch" in outcome.out.decode() + outcome.err


def test_shells_can_complete_it(process: Run) -> None:
    """The script for a shell is printed, and asks the command itself."""
    outcome = process("--show-completion", "bash", env={"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"})
    assert outcome.code == 0, outcome
    assert b"_HELPCRUNCH_COMPLETE=complete_bash" in outcome.out
    asked = {"_HELPCRUNCH_COMPLETE": "complete_bash", "COMP_WORDS": "helpcrunch ex", "COMP_CWORD": "1"}
    assert process(env=asked).out.split() == [b"export"]


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


@pytest.mark.parametrize(
    ("arguments", "variable", "told"),
    [
        ((), "https://elsewhere.invalid/v1", True),
        (("--base-url", "https://elsewhere.invalid/v1"), "https://other.invalid/v1", False),
        (("--base-url", "https://elsewhere.invalid/v1"), "", False),
        ((), "https://127.0.0.1:1/v1", False),
    ],
)
def test_a_strange_host_of_the_environment_is_told(
    run: Run, arguments: tuple[str, ...], variable: str, *, told: bool
) -> None:
    """On stderr, before anything is sent: it gets the key, and the variable may have been forgotten."""
    outcome = run("get", IDS[0], *arguments, env={"HELPCRUNCH_BASE_URL": variable})
    assert outcome.code == 1
    assert outcome.out == b""
    line = "the API key goes to elsewhere.invalid, as HELPCRUNCH_BASE_URL says"
    assert outcome.complaints[:-1] == ([line] if told else [])
    assert outcome.complaints[-1].startswith("HelpCrunch cannot be reached: ")


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals")
def test_a_terminal_is_asked_for_the_key_and_shown_a_card(
    server: FakeHelpCrunch, environment: dict[str, str]
) -> None:
    """The key is not echoed, and what customers wrote cannot drive the terminal."""
    server.add_customer({"id": 77, "name": "[red]Eve[/red]", "notes": "\x1b]0;gotcha\x07"})
    asked: list[int] = []

    def type_key(shown: bytes, _: object, terminal: int) -> None:
        if b"HelpCrunch API key" in shown and not asked:
            asked.append(os.write(terminal, b"key\n"))

    code, shown = on_terminal(
        {**environment, "HELPCRUNCH_API_KEY": "", "TERM": "xterm", "COLUMNS": "80"},
        *("get", 77),
        act=type_key,
        start_new_session=True,
    )
    server.remove_customer(77)
    assert code == 0
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


def test_debug_shows_nothing_that_a_terminal_obeys(run: Run, tmp_path: Path) -> None:
    """A traceback holds what was typed or read."""
    (ids := tmp_path / "ids").write_text("7\n\x1b]0;gotcha\x07\u202e\n", encoding="utf-8")
    outcome = run("tag", "--ids", ids, "--add", "x", "--debug")
    assert outcome.code == 2
    assert "Traceback" in outcome.err
    assert outcome.err.count("]0;gotcha") == 2
    assert all(line.isprintable() for line in outcome.err.split("\n"))


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals")
@pytest.mark.parametrize(("encoding", "shown_as"), [("ascii", b"Zo? ?"), ("latin-1", b"Zo\xeb ?")])
def test_letters_that_a_terminal_does_not_have_are_replaced(
    server: FakeHelpCrunch, environment: dict[str, str], encoding: str, shown_as: bytes
) -> None:
    """As under LANG=C: a name is no reason to fail."""
    server.add_customer({"id": 77, "name": "Zoë 张"})
    env = {**environment, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    code, shown = on_terminal(env, "get", 77)
    server.remove_customer(77)
    assert code == 0, shown
    assert shown_as in shown


def test_a_bug_is_one_line_too(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """And does not look like the user's fault."""
    monkeypatch.setattr("helpcrunch_async.cli.get.find_account", None)
    outcome = run("get", IDS[0])
    assert outcome.code == 1
    assert outcome.err.startswith("helpcrunch: internal error: TypeError: ")
    assert len(outcome.err.splitlines()) == 1


def test_no_network_is_told_once(run: Run) -> None:
    """However many customers were asked for: it is the same for all of them."""
    outcome = run("get", *IDS[:5], "--base-url", "http://127.0.0.1:9")
    assert (outcome.code, outcome.out) == (1, b"")
    assert outcome.complaints == ["HelpCrunch cannot be reached: no connection: Connection refused"]


QUICK_DEMO = ["demo", "--calls=5", "--limit=5", "--period=0.1"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize(
    "arguments",
    [["get", str(IDS[0])], ["doctor"], QUICK_DEMO, ["sandbox", "--port=0"], ["--help"]],
    ids=lambda each: each[0],
)
def test_output_that_cannot_be_written_is_told(environment: dict[str, str], arguments: list[str]) -> None:
    """In one line, and without a word of the interpreter's own when it ends."""
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            command(*arguments),
            stdout=full,
            stderr=subprocess.PIPE,
            env={**os.environ, **environment},
            check=False,
            timeout=30,
        )
    assert done.returncode == 2
    assert done.stderr == b"helpcrunch: cannot write stdout: No space left on device\n"


@pytest.mark.skipif(sys.platform == "win32", reason="pipes of the shell")
@pytest.mark.parametrize(
    "arguments", [["get", *map(str, IDS[:200])], ["doctor"], QUICK_DEMO, ["--help"]], ids=lambda each: each[0]
)
def test_a_reader_that_leaves_early_is_no_error(environment: dict[str, str], arguments: list[str]) -> None:
    """As with `| head -1`: nothing on stderr."""
    with subprocess.Popen(
        command(*arguments),
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


@pytest.mark.skipif(sys.platform == "win32", reason="a shell of Unix")
def test_a_closed_stdout_is_told(environment: dict[str, str]) -> None:
    """As with `>&-`: what was asked for cannot be given."""
    for arguments in (["get", IDS[0]], ["doctor"], ["doctor", "--json"]):
        done = subprocess.run(
            ["sh", "-c", 'exec "$@" >&-', "sh", *command(*arguments)],
            stderr=subprocess.PIPE,
            env={**os.environ, **environment},
            check=False,
            timeout=30,
        )
        assert (done.returncode, done.stderr) == (2, b"helpcrunch: cannot write stdout: it is closed\n")
