"""The command itself: its parts, and what holds for all of them."""

from typing import Annotated

import typer

from helpcrunch_async import __version__
from helpcrunch_async.cli.demo.command import demo
from helpcrunch_async.cli.fetch import fetch
from helpcrunch_async.cli.get import get
from helpcrunch_async.cli.problems import EXIT_CODES
from helpcrunch_async.cli.sandbox import SANDBOX_EXIT_CODES, sandbox

app = typer.Typer(
    name="helpcrunch",
    help="Fetch customers from HelpCrunch within the account's request budget.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",  # paragraphs of docstrings flow
    pretty_exceptions_enable=False,  # they would show local variables, the key among them
)


def _show_version(asked: bool) -> None:  # noqa: FBT001 - typer calls it so
    if asked:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def helpcrunch(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Fetch customers from HelpCrunch within the account's request budget."""


app.command(epilog=EXIT_CODES)(get)
app.command(epilog=EXIT_CODES)(fetch)
app.command()(demo)
app.command(epilog=SANDBOX_EXIT_CODES)(sandbox)
