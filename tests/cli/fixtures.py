"""The command, and a server for it."""

import asyncio
import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from threading import Thread

import pytest
from typer.testing import CliRunner

from cli.running import IDS, NO_COLOUR, Outcome, Run, command
from helpcrunch_async.cli.app import app
from helpcrunch_async.testing import FakeHelpCrunch


@pytest.fixture(scope="session")
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


@pytest.fixture
def run(environment: dict[str, str]) -> Run:
    """Runs the command in this process."""

    def run(
        *arguments: object, env: Mapping[str, str | None] | None = None, stdin: bytes | None = None
    ) -> Outcome:
        given = {**environment, **(env or {})}
        result = CliRunner().invoke(app, [str(each) for each in arguments], env=given, input=stdin)
        return Outcome(result.exit_code, result.stdout_bytes, result.stderr)

    return run


@pytest.fixture
def process(environment: dict[str, str]) -> Run:
    """Runs the command in a process of its own."""

    def process(
        *arguments: object,
        stdin: bytes = b"",
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> Outcome:
        given = {**os.environ, **environment, **(env or {})}
        done = subprocess.run(
            command(*arguments), input=stdin, capture_output=True, env=given, cwd=cwd, check=False, timeout=30
        )
        return Outcome(done.returncode, done.stdout, done.stderr.decode())

    return process
