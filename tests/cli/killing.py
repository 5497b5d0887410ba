"""Runs of the command that can be killed, without the second that an interpreter takes to start."""

import multiprocessing
import os
import sys
from collections.abc import Mapping
from multiprocessing.context import ForkServerContext, ForkServerProcess
from typing import Any

from helpcrunch_async.cli.app import app


def forkserver() -> ForkServerContext:
    """A process that has imported all, and splits off others that are as real as those of a shell."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["helpcrunch_async.cli.app"])
    return context


def start(
    context: ForkServerContext, environment: Mapping[str, str], *arguments: object
) -> ForkServerProcess:
    """Start the command."""
    words = [str(each) for each in arguments]
    process: Any = context.Process(target=_run, args=(dict(environment), words))
    process.start()
    return process  # type: ignore[no-any-return]  # typeshed leaves the kind of process open


def _run(environment: dict[str, str], arguments: list[str]) -> None:
    os.environ.update(environment)
    with open(os.devnull, "w", encoding="utf-8") as nowhere:  # noqa: PTH123 - no file of ours
        sys.stdout = sys.stderr = nowhere
        app(arguments, prog_name="helpcrunch")
