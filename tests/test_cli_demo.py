"""`helpcrunch demo`: ways side by side, on a server of its own."""

import os
import signal
import subprocess
import sys

import pytest

pytest.importorskip("typer")
pytest.importorskip("rich")

from cli.running import Run, command

from helpcrunch_async.testing import FakeHelpCrunch

pytest_plugins = "cli.fixtures"


def test_demo_ends_by_itself_and_compares(run: Run, server: FakeHelpCrunch) -> None:
    """Without key, account or terminal; all ways stand in the table."""
    outcome = run("demo", "--calls=40", "--limit=20", "--period=0.4", env={"HELPCRUNCH_API_KEY": None})
    assert outcome.code == 0, outcome
    text = outcome.out.decode()
    assert "embedded FakeHelpCrunch on this machine: no HelpCrunch account is touched" in text
    rows = {
        row[:28].strip(): row[28:].split()
        for row in text.splitlines()
        if row.strip().startswith(("our", "the same", "gather")) and "%" in row
    }
    assert set(rows) == {
        "our get_customer, gathered",
        "gather + tenacity, 6 tries",
        "gather + tenacity, no end",
        "the same, coalesce=False",
    }
    assert rows["our get_customer, gathered"][:3] == ["40", "0", "2"]
    assert rows["the same, coalesce=False"][:3] == ["40", "0", "40"]
    assert server.requests == []


def test_demo_fits_a_narrow_terminal(run: Run) -> None:
    """No word of it is broken, and no heading cut off."""
    outcome = run("demo", "--calls=20", "--limit=20", "--period=0.2", env={"COLUMNS": "60"})
    assert outcome.code == 0, outcome
    _, _, table = outcome.out.decode().partition("\n 20 customers ")
    words = table.split()
    assert {"done", "lost", "rejected", "seconds", "budget", "get_customer,", "tenacity,"} <= set(words)
    assert max(map(len, table.splitlines())) <= 60


def test_demo_for_scripts(run: Run) -> None:
    """An object for each way, and no words around them."""
    outcome = run("demo", "--calls=20", "--limit=20", "--period=0.2", "--json")
    assert (outcome.code, outcome.err) == (0, "")
    ours = outcome.objects[0]
    assert (ours["way"], ours["done"], ours["lost"]) == ("our get_customer, gathered", 20, 0)
    assert len(outcome.objects) == 4


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
