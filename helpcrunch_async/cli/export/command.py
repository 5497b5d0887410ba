"""`helpcrunch export`, as it is typed."""

import asyncio
import sys
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated, Final

import typer

from helpcrunch_async.cli import exits, stdout
from helpcrunch_async.cli.account import (
    DEFAULT_BUDGET,
    AllowHttp,
    BaseUrl,
    Budget,
    UseProxy,
    find_account,
)
from helpcrunch_async.cli.exits import CommandError, ExitCode
from helpcrunch_async.cli.export.failures import ExportFailures
from helpcrunch_async.cli.export.job import Export, Target
from helpcrunch_async.cli.files.fields import fields_of
from helpcrunch_async.cli.files.layouts import layout_of
from helpcrunch_async.cli.options import AsJson, Bom, Fields, FormatOption
from helpcrunch_async.cli.problems import Debug, complain, run, telling
from helpcrunch_async.cli.reasons import exit_code_of
from helpcrunch_async.cli.search.ask import (
    WHERE_HELP,
    AnySuffices,
    Order,
    OrderOption,
    Raw,
    Sort,
    Where,
    ask_of,
)
from helpcrunch_async.cli.text import json_line
from helpcrunch_async.models import Chat, Customer, Message

EPILOG: Final = f"{WHERE_HELP}\n\n{exits.EPILOG}"


class Noun(StrEnum):
    """What is exported."""

    CUSTOMERS = "customers"
    CHATS = "chats"
    MESSAGES = "messages"


_MODELS: Final = {Noun.CUSTOMERS: Customer, Noun.CHATS: Chat, Noun.MESSAGES: Message}
_STEADIEST: Final = {"customers": "firstSeen", "chats": "createdAt"}


def export(
    noun: Annotated[
        Noun, typer.Argument(metavar="customers|chats|messages", help="What to export.", show_default=False)
    ],
    *,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FILE|-",
            help="Gets JSON lines, or CSV if its name ends in .csv; - is stdout, as is a pipe without this.",
            show_default=False,
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the file, even if `export` did not write it.")
    ] = False,
    format_: FormatOption = None,
    bom: Bom = False,
    fields: Fields = None,
    chat: Annotated[
        list[int] | None,
        typer.Option(
            "--chat",
            min=1,
            metavar="ID",
            help="Messages of this chat; may be given again. Otherwise those of all chats.",
            show_default=False,
        ),
    ] = None,
    where: Where = None,
    any_suffices: AnySuffices = False,
    raw: Raw = None,
    sort: Sort = None,
    order: OrderOption = None,
    limit: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="N", help="How many at most; of messages, of how many chats.", show_default=False
        ),
    ] = None,
    as_json: AsJson = False,
    budget: Budget = DEFAULT_BUDGET,
    base_url: BaseUrl = None,
    allow_http: AllowHttp = False,
    use_proxy: UseProxy = False,
    debug: Debug = False,
) -> None:
    """Write customers, chats or messages into a file: all, or those that meet the conditions.

    Conditions of messages are about their chats. Without --sort the oldest come first, which is the steadiest
    while others come and go; the messages of one chat come newest first.

    The file appears under its name when it is complete. It replaces an earlier export; any other file is left
    alone, unless you say --overwrite. When the run is interrupted or fails, the rows so far stay in
    FILE.part. `export` cannot resume: the same command starts over.

    Rows that cannot be read are left out. They are named in OUT.failures.jsonl, with the chats that failed,
    and the exit code is 1.
    """

    def work() -> ExitCode:
        about = "customers" if noun is Noun.CUSTOMERS else "chats"
        if chat and noun is not Noun.MESSAGES:
            raise CommandError("--chat is for messages", ExitCode.USAGE)
        if chat and (where or raw or sort or order or limit):
            raise CommandError(
                "--chat says which chats: leave out conditions, order and limit", ExitCode.USAGE
            )
        sorted_by = sort or _STEADIEST[about]
        rising = Order.ASC if sort is None and order is None else order
        ask = ask_of(about, where, raw, any_suffices=any_suffices, sort=sorted_by, order=rising)
        if out is None and stdout.is_terminal(sys.stdout):
            raise CommandError("where to? Give --out FILE, or --out - for this terminal", ExitCode.USAGE)
        to, model = out or Path("-"), _MODELS[noun]
        layout = layout_of(model, to, format_, bom=bom, fields=fields_of(model, fields))
        account = find_account(base_url, allow_http=allow_http, use_proxy=use_proxy, budget=budget)
        target = Target(to, layout, overwrite=overwrite)
        chats = list(dict.fromkeys(chat)) if chat else None
        job = Export(account, ask, target, ExportFailures(to), noun.value, chats, limit)
        with telling(partial(_tell, job, as_json=as_json)):
            asyncio.run(job.run())
        return exit_code_of(job.failed.codes)

    run(work, debug=debug)


def _tell(job: Export, interrupted: bool, *, as_json: bool) -> None:  # noqa: FBT001 - `telling` gives it
    if not (interrupted or job.target.is_whole or job.target.count or job.failed.codes):
        return  # it ended before anything came of it: the reason is all there is to tell
    if not as_json:
        complain(job.line())
    elif job.target.is_stdout:
        typer.echo(json_line(job.summary()), nl=False, err=True)
    else:
        stdout.put(json_line(job.summary()))
