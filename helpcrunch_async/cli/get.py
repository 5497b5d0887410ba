"""`helpcrunch get`: a few customers, to look at or to pipe on."""

import asyncio
import sys
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.console import Console

from helpcrunch_async.cli.account import Account, AllowHttp, BaseUrl, find_account
from helpcrunch_async.cli.card import card_of
from helpcrunch_async.cli.problems import Debug, ExitCode, complain, exit_code_of, reason_of, run
from helpcrunch_async.cli.text import json_line
from helpcrunch_async.converter import to_dict
from helpcrunch_async.errors import AuthenticationError, HelpCrunchError
from helpcrunch_async.models import Customer


def get(
    ids: Annotated[list[int], typer.Argument(metavar="ID", min=1, help="HelpCrunch's customer ids.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="JSON lines, also on a terminal.")] = False,
    base_url: BaseUrl = None,
    allow_http: AllowHttp = False,
    debug: Debug = False,
) -> None:
    """Get customers by their ids, in the order asked: JSON lines, or cards when the output is a terminal.

    The key comes from HELPCRUNCH_API_KEY; without it, a terminal is asked.
    """

    def work() -> ExitCode:
        account = find_account(base_url, allow_http=allow_http)
        outcomes = asyncio.run(_ask(account, ids))
        _print([each for each in outcomes if isinstance(each, Customer)], as_json=as_json)
        return _complain_of(ids, outcomes)

    run(work, debug=debug)


async def _ask(account: Account, ids: Sequence[int]) -> list[Customer | HelpCrunchError]:
    # on a terminal, since the account's budget can make it wait for a minute
    console = Console(stderr=True, quiet=not sys.stderr.isatty())
    with console.status("Asking HelpCrunch"):
        async with account.client() as client:
            return await client.get_customers(ids, return_exceptions=True)


def _print(customers: Sequence[Customer], *, as_json: bool) -> None:
    if as_json or not sys.stdout.isatty():
        for customer in customers:
            typer.echo(json_line(to_dict(customer)), nl=False)
    else:
        console = Console()
        for customer in customers:
            console.print(card_of(customer))


def _complain_of(ids: Sequence[int], outcomes: Sequence[Customer | HelpCrunchError]) -> ExitCode:
    failed = {
        each: outcome
        for each, outcome in zip(ids, outcomes, strict=True)
        if not isinstance(outcome, Customer)
    }
    for each, error in failed.items():
        if isinstance(error, AuthenticationError):  # true of all of them
            raise error
        complain(f"customer {each}: {reason_of(error)}")
    return exit_code_of(failed.values())
