"""`helpcrunch demo`, as it is typed."""

import asyncio
from typing import Annotated, Final

import typer

from helpcrunch_async.cli import stdout
from helpcrunch_async.cli.demo.rules import Rule
from helpcrunch_async.cli.demo.run import Plan, run_all, tallies_of
from helpcrunch_async.cli.demo.screen import show
from helpcrunch_async.cli.exits import ExitCode
from helpcrunch_async.cli.options import AsJson
from helpcrunch_async.cli.problems import Debug, run
from helpcrunch_async.cli.text import json_line

EPILOG: Final = "Environment: neither HELPCRUNCH_API_KEY nor HELPCRUNCH_BASE_URL is read."


def demo(
    *,
    calls: Annotated[int, typer.Option(min=1, max=5000, metavar="N", help="Customers to fetch.")] = 400,
    rule: Annotated[
        Rule, typer.Option(help="How the server counts; HelpCrunch does not say how it does.")
    ] = Rule.FIXED,
    retry_after: Annotated[
        bool, typer.Option("--retry-after/--no-retry-after", help="Whether a 429 says when to come back.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000, metavar="N", help="Requests in a period.")] = 120,
    period: Annotated[
        float,
        typer.Option(
            min=0.1, max=60.0, metavar="SECONDS", help="Seconds that stand for HelpCrunch's minute."
        ),
    ] = 3.0,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Watch many calls share a limit, beside the way it is usually written.

    Everything runs against an embedded server on this machine: no key is needed, no HelpCrunch account is
    touched, and it ends by itself after about half a minute.
    """
    plan = Plan(calls, rule, retry_after, limit, period)

    def work() -> ExitCode:
        tallies = tallies_of(plan)
        if as_json:
            asyncio.run(run_all(plan, tallies, lambda: None))
            for tally in tallies:
                stdout.put(json_line(tally.to_dict()))
            return ExitCode.DONE
        show(plan, tallies, lambda look: asyncio.run(run_all(plan, tallies, look)))
        return ExitCode.DONE

    run(work, debug=debug)
