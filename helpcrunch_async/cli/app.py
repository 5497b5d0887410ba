"""The command itself: its parts, and what holds for all of them."""

from collections.abc import Sequence
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup

from helpcrunch_async import __version__
from helpcrunch_async.cli import stdout
from helpcrunch_async.cli.demo.command import demo
from helpcrunch_async.cli.doctor.command import doctor
from helpcrunch_async.cli.exits import EXIT_CODES, ExitCode
from helpcrunch_async.cli.export.command import export
from helpcrunch_async.cli.fetch.command import fetch
from helpcrunch_async.cli.get import get
from helpcrunch_async.cli.oddities import ODDITIES_HELP
from helpcrunch_async.cli.problems import complain
from helpcrunch_async.cli.sandbox import SANDBOX_EXIT_CODES, sandbox
from helpcrunch_async.cli.search.ask import WHERE_HELP
from helpcrunch_async.cli.search.command import search
from helpcrunch_async.cli.tag import tag


class _Group(TyperGroup):
    """A command whose wrong usage is told as everything else is: in one line."""

    def main(self, args: Sequence[str] | None = None, **options: Any) -> Any:  # type: ignore[override]  # by name
        if not options.pop("standalone_mode", True):
            return super().main(args, standalone_mode=False, **options)
        stdout.replace_what_cannot_be_shown()
        try:
            code = super().main(args, standalone_mode=False, **options)
        except typer.Abort:
            code = ExitCode.INTERRUPTED
        except SystemExit as leaving:
            # so rich, which also draws the help, ends a program when nobody reads what it prints
            code = ExitCode.BROKEN_PIPE if isinstance(leaving.__context__, BrokenPipeError) else leaving.code
        except Exception as error:
            if stdout.is_full(error):
                complain(str(stdout.refusal(error)))
                raise SystemExit(ExitCode.USAGE) from None
            # typer brings its own copy of click from some version on, so the class has no one address
            code = getattr(error, "exit_code", None)
            if code is None or not hasattr(error, "format_message"):
                raise
            _tell_usage(error)
        raise SystemExit(code if isinstance(code, int) else 0)


def _tell_usage(error: Any) -> None:
    if type(error).__name__ == "NoArgsIsHelpError":
        error.show()
        return
    message = " ".join(error.format_message().split()).rstrip(".")
    context = getattr(error, "ctx", None)
    hint = f" (see {context.command_path} --help)" if context is not None else ""
    complain(f"{message[:1].lower()}{message[1:]}{hint}")


app: Final = typer.Typer(
    name="helpcrunch",
    cls=_Group,
    help="Work with HelpCrunch within the account's request budget.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
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
    """Work with HelpCrunch within the account's request budget."""


app.command(epilog=EXIT_CODES)(get)
app.command(epilog=f"{WHERE_HELP}\n\n{EXIT_CODES}")(search)
app.command(epilog=EXIT_CODES)(fetch)
app.command(epilog=f"{WHERE_HELP}\n\n{EXIT_CODES}")(export)
app.command(epilog=EXIT_CODES)(tag)
app.command(epilog=EXIT_CODES)(doctor)
app.command()(demo)
app.command(epilog=f"{ODDITIES_HELP}\n\n{SANDBOX_EXIT_CODES}")(sandbox)
