"""`helpcrunch get`: a few customers, to look at or to pipe on."""

import asyncio
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from helpcrunch_async.cli import stdout
from helpcrunch_async.cli.account import (
    DEFAULT_BUDGET,
    Account,
    AllowHttp,
    BaseUrl,
    Budget,
    UseProxy,
    find_account,
)
from helpcrunch_async.cli.exits import ExitCode
from helpcrunch_async.cli.options import AsJson
from helpcrunch_async.cli.problems import Debug, complain, run
from helpcrunch_async.cli.reasons import exit_code_of, is_about_all, reason_of
from helpcrunch_async.cli.text import json_line
from helpcrunch_async.cli.waiting import waiting
from helpcrunch_async.converter import to_dict
from helpcrunch_async.errors import HelpCrunchError
from helpcrunch_async.models import Customer


def get(
    ids: Annotated[list[int], typer.Argument(metavar="ID", min=1, help="HelpCrunch's customer ids.")],
    *,
    as_json: AsJson = False,
    budget: Budget = DEFAULT_BUDGET,
    base_url: BaseUrl = None,
    allow_http: AllowHttp = False,
    use_proxy: UseProxy = False,
    debug: Debug = False,
) -> None:
    """Get customers by their ids, in the order asked: JSON lines, or cards when the output is a terminal.

    The key comes from HELPCRUNCH_API_KEY; without it, a terminal is asked.
    """

    def work() -> ExitCode:
        account = find_account(base_url, allow_http=allow_http, use_proxy=use_proxy, budget=budget)
        outcomes = asyncio.run(_ask(account, ids))
        _print([each for each in outcomes if isinstance(each, Customer)], as_json=as_json)
        return _complain_of(ids, outcomes)

    run(work, debug=debug)


async def _ask(account: Account, ids: Sequence[int]) -> list[Customer | HelpCrunchError]:
    with waiting():
        async with account.client() as client:
            return await client.get_customers(ids, return_exceptions=True)


def _print(customers: Sequence[Customer], *, as_json: bool) -> None:
    if as_json or not stdout.is_terminal(sys.stdout):
        for customer in customers:
            stdout.put(json_line(to_dict(customer)))
    else:
        from rich.console import Console  # noqa: PLC0415 - takes long, and only terminals need it

        from helpcrunch_async.cli.show.card import card_of  # noqa: PLC0415 - the same

        console = Console()
        for customer in customers:
            console.print(card_of(customer))


def _complain_of(ids: Sequence[int], outcomes: Sequence[Customer | HelpCrunchError]) -> ExitCode:
    failed = {
        each: outcome
        for each, outcome in zip(ids, outcomes, strict=True)
        if not isinstance(outcome, Customer)
    }
    codes: list[str] = []
    for each, error in failed.items():
        if is_about_all(error):
            raise error
        reason = reason_of(error)
        codes.append(reason.code)
        complain(f"customer {each}: {reason.words}")
    return exit_code_of(codes)
