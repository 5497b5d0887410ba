"""Runs of the command against FakeHelpCrunch: in this process, or in one of their own."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from helpcrunch_async.testing import generate_customers

IDS = [row["id"] for row in generate_customers(300)]
ABSENT = 5
NO_COLOUR = {"NO_COLOR": "1", "TERM": "dumb", "COLUMNS": "100"}


class Outcome:
    """What a run of the command left behind."""

    def __init__(self, code: int, out: bytes, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def objects(self) -> list[dict[str, Any]]:
        """Stdout, read as JSON lines."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def complaints(self) -> list[str]:
        """The lines on stderr, each of which says whose it is."""
        lines = self.err.splitlines()
        assert all(line.startswith("helpcrunch: ") for line in lines), self.err
        return [line.removeprefix("helpcrunch: ") for line in lines]

    def __repr__(self) -> str:
        return f"<exit {self.code}\n{self.out.decode()}\n{self.err}>"


Run = Callable[..., Outcome]


def command(*arguments: object) -> list[str]:
    """The command line of a process of its own."""
    return [sys.executable, "-m", "helpcrunch_async", *map(str, arguments)]


def on_terminal(
    environment: Mapping[str, str],
    *arguments: object,
    act: Callable[[bytes, subprocess.Popen[Any], int], object] = lambda *_: None,
    **options: Any,
) -> tuple[int, bytes]:
    """Run the command in a process of its own that has a terminal; gives its exit code and what was shown.

    `act` is called with what is shown so far, the process, and a descriptor to type with.
    """
    mine, theirs = os.openpty()
    streams = {"stdin": theirs, "stdout": theirs, "stderr": theirs, **options}
    with subprocess.Popen(command(*arguments), env={**os.environ, **environment}, **streams) as running:
        os.close(theirs)
        shown = b""
        try:
            while piece := os.read(mine, 4096):
                shown += piece
                act(shown, running, mine)
        except OSError:  # how Linux tells that the other end is closed
            pass
        os.close(mine)
    return running.returncode, shown


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


def ids_of(path: Path) -> list[int]:
    """The ids in a file of JSON lines, sorted."""
    return sorted(row["id"] for row in lines_of(path))
