"""What went wrong, in one line on stderr, and with which code to exit."""

import os
import sys
import traceback
from collections.abc import Callable, Iterable
from contextlib import suppress
from enum import IntEnum
from typing import Annotated, Final, NoReturn

import typer

from helpcrunch_async.cli.text import printable
from helpcrunch_async.errors import (
    AuthenticationError,
    HelpCrunchError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
)

EXIT_CODES: Final = (
    "Exit codes: 0 everything was found; 1 something failed; 2 wrong usage, unreadable input or unwritable "
    "output; 3 no API key, or one that was refused; 4 some customers do not exist; 130 interrupted."
)

Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]


class ExitCode(IntEnum):
    """What the shell is told; `EXIT_CODES` is the same for people."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    AUTH = 3
    NOT_FOUND = 4
    INTERRUPTED = 130
    BROKEN_PIPE = 141


_WORST_FIRST: Final = (ExitCode.AUTH, ExitCode.FAILED, ExitCode.NOT_FOUND)


class CommandError(Exception):
    """Ends the command: its text is the line on stderr."""

    def __init__(self, line: str, exit_code: ExitCode) -> None:
        super().__init__(line)
        self.exit_code = exit_code


def exit_code_of(errors: Iterable[HelpCrunchError]) -> ExitCode:
    """Give the code for everything that failed: the worst of it counts."""
    codes = {_exit_code(error) for error in errors}
    return next((code for code in _WORST_FIRST if code in codes), ExitCode.DONE)


def _exit_code(error: HelpCrunchError) -> ExitCode:
    if isinstance(error, AuthenticationError | PermissionDeniedError):
        return ExitCode.AUTH
    return ExitCode.NOT_FOUND if isinstance(error, NotFoundError) else ExitCode.FAILED


def reason_of(error: HelpCrunchError) -> str:
    """Say in a few words why something failed; never in the server's own, which may hold anything."""
    match error:
        case AuthenticationError():
            return "HelpCrunch refused the API key (401)"
        case PermissionDeniedError():
            return "the API key may not do this (403)"
        case NotFoundError():
            return "not found"
        case RateLimitError():
            return "the account's request budget is spent (429)"
        case ServerError(status=status):
            return f"HelpCrunch failed ({status})"
        case _:
            return str(error)


def complain(line: str) -> None:
    """Write one line on stderr."""
    typer.echo(f"helpcrunch: {printable(line)}", err=True)


def run(work: Callable[[], ExitCode], *, debug: bool) -> NoReturn:
    """Do the work of a command and leave with its code; whatever goes wrong becomes one line."""
    try:
        code = work()
    except KeyboardInterrupt:
        code = _told("interrupted", ExitCode.INTERRUPTED, debug=debug)
    except BrokenPipeError:
        code = ExitCode.BROKEN_PIPE
        _silence()
    except CommandError as error:
        code = _told(str(error), error.exit_code, debug=debug)
    except HelpCrunchError as error:
        code = _told(reason_of(error), exit_code_of([error]), debug=debug)
    except Exception as error:  # noqa: BLE001 - a bug of ours: the user gets a line, with --debug everything
        line = f"internal error: {type(error).__name__}: {error} (--debug shows more)"
        code = _told(line, ExitCode.FAILED, debug=debug)
    raise typer.Exit(code)


def _told(line: str, code: ExitCode, *, debug: bool) -> ExitCode:
    if debug:
        traceback.print_exc()
    complain(line)
    return code


def _silence() -> None:
    """Point the output at nothing: the interpreter would complain when it flushes what nobody reads."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    with suppress(OSError, ValueError):
        os.dup2(nothing, sys.stdout.fileno())
