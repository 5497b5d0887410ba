"""`helpcrunch fetch`, as it is typed."""

import asyncio
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from helpcrunch_async.cli import stdout
from helpcrunch_async.cli.account import (
    DEFAULT_BUDGET,
    AllowHttp,
    BaseUrl,
    Budget,
    UseProxy,
    find_account,
)
from helpcrunch_async.cli.exits import CommandError, ExitCode
from helpcrunch_async.cli.fetch.failures import Failures, FailuresFile
from helpcrunch_async.cli.fetch.job import Fetch
from helpcrunch_async.cli.files.id_file import IdFile
from helpcrunch_async.cli.files.layouts import layout_of
from helpcrunch_async.cli.files.row_file import RowFile
from helpcrunch_async.cli.options import AsJson, Bom, Column, FormatOption, Out, Overwrite
from helpcrunch_async.cli.problems import Debug, complain, run, telling
from helpcrunch_async.cli.reasons import exit_code_of
from helpcrunch_async.cli.text import json_line, printable
from helpcrunch_async.cli.waiting import waiting
from helpcrunch_async.models import Customer


def fetch(
    *,
    ids: Annotated[
        Path,
        typer.Option(
            "--ids", metavar="FILE|-", help="Customer ids, one a line; - is stdin.", show_default=False
        ),
    ],
    out: Out,
    column: Column = None,
    format_: FormatOption = None,
    bom: Bom = False,
    failures: Annotated[
        Path | None,
        typer.Option(
            "--failures",
            metavar="FILE",
            help="Gets id, reason and code of what failed, as JSON lines; made only if something does.",
            show_default="OUT.failures.jsonl, or stderr if OUT is -",
        ),
    ] = None,
    overwrite: Overwrite = False,
    no_batch: Annotated[
        bool, typer.Option("--no-batch", help="Get each customer by itself, not a hundred by one search.")
    ] = False,
    as_json: AsJson = False,
    budget: Budget = DEFAULT_BUDGET,
    base_url: BaseUrl = None,
    allow_http: AllowHttp = False,
    use_proxy: UseProxy = False,
    debug: Debug = False,
) -> None:
    """Fetch any number of customers into a file, in the order they arrive.

    The same command goes on where an earlier run stopped, however that ended: customers that are in the file
    are not asked for again, nor are those that do not exist. Failures worth another try get one. Each
    customer is written once, however often its id is given.

    JSON lines hold everything. CSV is for spreadsheets: times are in UTC, tags are joined, custom data is
    JSON in one column, and text that a spreadsheet would run as a formula gets an apostrophe before it.

    The key comes from HELPCRUNCH_API_KEY; without it, a terminal is asked.
    """

    def work() -> ExitCode:
        account = find_account(base_url, allow_http=allow_http, use_proxy=use_proxy, budget=budget)
        to_stdout = str(out) == "-"
        failures_path = failures or (None if to_stdout else Path(f"{out}.failures.jsonl"))
        keep = not (overwrite or to_stdout)
        with IdFile(ids, column) as id_file:
            for path in (out, failures_path):
                if path is not None and id_file.is_same_as(path):
                    raise CommandError(f"{path} holds the ids: write elsewhere", ExitCode.USAGE)
            if failures_path is not None and out.absolute() == failures_path.absolute():
                raise CommandError("--out and --failures are the same file", ExitCode.USAGE)
            total = id_file.check()
            with ExitStack() as stack:
                with waiting(f"Reading {printable(str(out))}"):
                    layout = layout_of(Customer, out, format_, bom=bom)
                    found = stack.enter_context(RowFile(out, layout, keep=keep))
                    failed = (
                        Failures()
                        if failures_path is None
                        else stack.enter_context(FailuresFile(failures_path, keep=keep))
                    )
                job = Fetch(account, id_file, found, failed, batch=not no_batch, total=total)
                with telling(partial(_tell, job, as_json=as_json)):
                    asyncio.run(job.run())
                return exit_code_of(failed.codes.values())

    run(work, debug=debug)


def _tell(job: Fetch, interrupted: bool, *, as_json: bool) -> None:  # noqa: FBT001 - `telling` gives it
    summary = job.summary()
    if summary.says_nothing() and not interrupted:
        return
    if not as_json:
        complain(summary.line())
    elif job.found.is_stdout:
        typer.echo(json_line(summary.to_dict()), nl=False, err=True)
    else:
        stdout.put(json_line(summary.to_dict()))
