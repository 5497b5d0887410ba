"""`helpcrunch search`, as it is typed."""

import asyncio
import sys
from collections.abc import Sequence
from contextlib import aclosing
from enum import StrEnum
from typing import Annotated, Any, Final

import typer

from helpcrunch_async.cli import exits, stdout
from helpcrunch_async.cli.account import (
    DEFAULT_BUDGET,
    Account,
    AllowHttp,
    BaseUrl,
    Budget,
    UseProxy,
    find_account,
)
from helpcrunch_async.cli.exits import CommandError, ExitCode
from helpcrunch_async.cli.files.fields import fields_of, row_of
from helpcrunch_async.cli.options import AsJson, Fields
from helpcrunch_async.cli.problems import Debug, complain, run
from helpcrunch_async.cli.search.ask import (
    WHERE_HELP,
    AnySuffices,
    Ask,
    OrderOption,
    Raw,
    Sort,
    Where,
    ask_of,
)
from helpcrunch_async.cli.text import json_line
from helpcrunch_async.cli.waiting import waiting
from helpcrunch_async.models import Chat, Customer

EPILOG: Final = f"{WHERE_HELP}\n\n{exits.EPILOG}"


class Noun(StrEnum):
    """What is searched for."""

    CUSTOMERS = "customers"
    CHATS = "chats"


_MODELS: Final = {Noun.CUSTOMERS: Customer, Noun.CHATS: Chat}


def search(
    noun: Annotated[
        Noun, typer.Argument(metavar="customers|chats", help="What to search for.", show_default=False)
    ],
    *,
    where: Where = None,
    any_suffices: AnySuffices = False,
    raw: Raw = None,
    sort: Sort = None,
    order: OrderOption = None,
    limit: Annotated[int, typer.Option(min=1, metavar="N", help="How many to give at most.")] = 100,
    fields: Fields = None,
    as_json: AsJson = False,
    budget: Budget = DEFAULT_BUDGET,
    base_url: BaseUrl = None,
    allow_http: AllowHttp = False,
    use_proxy: UseProxy = False,
    debug: Debug = False,
) -> None:
    """Search customers or chats: JSON lines, or a table when the output is a terminal.

    `export` gives all of them.
    """

    def work() -> ExitCode:
        ask = ask_of(noun.value, where, raw, any_suffices=any_suffices, sort=sort, order=order)
        if ask.query is None:
            raise CommandError(
                f"search for what? Give --where; all {noun.value} is `export {noun.value}`", ExitCode.USAGE
            )
        names = fields_of(_MODELS[noun], fields)
        account = find_account(base_url, allow_http=allow_http, use_proxy=use_proxy, budget=budget)
        if as_json or not stdout.is_terminal(sys.stdout):
            count = asyncio.run(_put_lines(account, ask, limit, names))
        else:
            count = _draw(asyncio.run(_find(account, ask, limit)), names)
        if count == limit:
            complain(f"these are the first {count}: --limit gives more, `export {noun.value}` gives all")
        elif not count:
            complain(f"no {noun.value} found")
        return ExitCode.DONE

    run(work, debug=debug)


async def _put_lines(account: Account, ask: Ask, limit: int, fields: Sequence[str] | None) -> int:
    count = 0
    async with account.client() as client, aclosing(aiter(ask.listing(client, limit))) as rows:
        async for row in rows:
            stdout.put(json_line(row_of(row, fields)))
            stdout.flush()
            count += 1
    return count


async def _find(account: Account, ask: Ask, limit: int) -> Sequence[Any]:
    with waiting():
        async with account.client() as client:
            return await ask.listing(client, limit).to_list()


def _draw(rows: Sequence[Any], fields: Sequence[str] | None) -> int:
    from rich.console import Console  # noqa: PLC0415 - takes long, and only terminals need it

    from helpcrunch_async.cli.show.table import table_of  # noqa: PLC0415 - the same

    console = Console()
    if rows:
        console.print(table_of(rows, console.width, fields))
    return len(rows)
