"""The command itself: its parts, and what holds for all of them.

A part is imported when it is used: only `demo` and `sandbox` need a server, and only terminals need rich.
"""

from collections.abc import Sequence
from importlib import import_module
from typing import Annotated, Any, Final

import typer
from typer.core import TyperCommand, TyperGroup

from helpcrunch_async import __version__
from helpcrunch_async.cli import stdout
from helpcrunch_async.cli.exits import EPILOG, ExitCode
from helpcrunch_async.cli.problems import complain
from helpcrunch_async.cli.values import use_plain_values

PARTS: Final = {
    "get": ("get", "Get customers by their ids."),
    "search": ("search.command", "Search customers or chats."),
    "fetch": ("fetch.command", "Fetch any number of customers into a file."),
    "export": ("export.command", "Write all customers, chats or messages, or some of them, into a file."),
    "api": ("api", "Send a request to any endpoint."),
    "tag": ("tag", "Put tags on customers, or take them off."),
    "doctor": ("doctor.command", "Find out what stands between this machine and HelpCrunch."),
    "demo": ("demo.command", "Watch many calls share a limit, beside the way it is usually written."),
    "sandbox": ("sandbox", "Run a local fake HelpCrunch account to develop against, in any language."),
}
"""The module of each part, which has a function of that name and perhaps another EPILOG; and what it does."""


class _PlainValues:
    """Whose values are read without pydantic."""

    def get_params(self, ctx: Any) -> list[Any]:
        params: list[Any] = super().get_params(ctx)  # type: ignore[misc]  # of the command it is mixed into
        for each in params:
            use_plain_values(each)
        return params


class _Command(_PlainValues, TyperCommand):
    pass


class Part(TyperCommand):
    """A part that is not imported yet: its name, and what it does."""

    def __init__(self, name: str) -> None:
        self._module, summary = PARTS[name]
        super().__init__(name, help=summary)

    def load(self) -> Any:
        """Import it, and make a command of its function."""
        assert self.name is not None
        module = vars(import_module(f"helpcrunch_async.cli.{self._module}"))
        part = typer.Typer(add_completion=False, rich_markup_mode="markdown")
        part.command(self.name, cls=_Command, epilog=module.get("EPILOG", EPILOG))(module[self.name])
        return typer.main.get_command(part)

    def make_context(self, *args: Any, **options: Any) -> Any:
        """Read the arguments of the real one, whose context this is from then on."""
        return self.load().make_context(*args, **options)


class _Group(_PlainValues, TyperGroup):
    """A command whose wrong usage is told as everything else is: in one line."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = {name: Part(name) for name in PARTS}

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
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"]},
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
