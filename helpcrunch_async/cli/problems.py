"""What went wrong, in one line on stderr."""

import logging
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from signal import Signals
from typing import Annotated, NoReturn

import typer

from helpcrunch_async.cli import stdout
from helpcrunch_async.cli.exits import CommandError, ExitCode
from helpcrunch_async.cli.reasons import exit_code_of, reason_of
from helpcrunch_async.cli.text import printable
from helpcrunch_async.errors import HelpCrunchError

Debug = Annotated[
    bool, typer.Option("--debug", help="Show every request, and the traceback of an error, on stderr.")
]


def complain(line: str) -> None:
    """Write one line on stderr that says whose it is."""
    say(f"helpcrunch: {printable(line)}\n")


def say(text: str) -> None:
    """Write on stderr, if anybody reads it."""
    with suppress(OSError, AttributeError):  # it may be closed, or None
        # not typer.echo, which would write past a bar that is being shown, and into it
        sys.stderr.write(text)


@contextmanager
def telling(tell: Callable[[bool], None]) -> Iterator[None]:
    """Tell in the end what has become of something, however it ends: but not one who has stopped reading.

    `tell` is called with whether it was interrupted, so that one who did so early learns how to resume.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except BaseException as error:
        tell(isinstance(error, KeyboardInterrupt))
        raise
    tell(False)


class Ended(KeyboardInterrupt):
    """A signal asks the command to end; an event loop lets it through as it does a Ctrl-C."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.signal = Signals(number)


@contextmanager
def _ending_cleanly() -> Iterator[None]:
    """Let signals that end a program end this one as Ctrl-C does: with the cursor back, and files closed."""

    def end(number: int, _: object) -> None:
        for each in handled:
            signal.signal(each, signal.SIG_IGN)  # the first is enough
        raise Ended(number)

    names = [each for each in ("SIGTERM", "SIGHUP") if hasattr(signal, each)]
    # one that is ignored, as by nohup, stays so
    handled = [each for each in map(Signals.__getitem__, names) if signal.getsignal(each) == signal.SIG_DFL]
    for each in handled:
        signal.signal(each, end)
    try:
        yield
    finally:
        for each in handled:
            signal.signal(each, signal.SIG_DFL)


def run(work: Callable[[], ExitCode], *, debug: bool) -> NoReturn:
    """Do the work of a command and leave with its code; whatever goes wrong becomes one line."""
    try:
        with _telling_warnings(debug=debug), _ending_cleanly():
            code = work()
            stdout.flush()
    except Ended as ended:
        code = _told(f"ended by {ended.signal.name}", ExitCode(128 + ended.signal), debug=debug)
    except KeyboardInterrupt:
        code = _told("interrupted", ExitCode.INTERRUPTED, debug=debug)
    except BrokenPipeError:
        code = ExitCode.BROKEN_PIPE
        stdout.silence()
    except CommandError as error:
        code = _told(str(error), error.exit_code, debug=debug)
    except HelpCrunchError as error:
        reason = reason_of(error)
        code = _told(reason.words, exit_code_of([reason.code]), debug=debug)
    except Exception as error:  # a bug of ours: the user gets a line, with --debug everything
        if stdout.is_full(error):
            raise  # what parts print by themselves; told where their help is, which fails alike
        line = f"internal error: {type(error).__name__}: {error} (--debug shows more)"
        code = _told(line, ExitCode.FAILED, debug=debug)
    raise typer.Exit(code)


def _told(line: str, code: ExitCode, *, debug: bool) -> ExitCode:
    if debug:
        # it may hold what was typed or read, which a terminal must not obey
        say("".join(f"{printable(each)}\n" for each in traceback.format_exc().splitlines()))
    complain(line)
    return code


class _Complaints(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        complain(record.getMessage())


@contextmanager
def _telling_warnings(*, debug: bool) -> Iterator[None]:
    """Let the library's warnings be lines like all others; with --debug, all that it logs."""
    log, handler = logging.getLogger("helpcrunch_async"), _Complaints()
    before = log.level, log.propagate
    log.addHandler(handler)
    log.setLevel(logging.DEBUG if debug else logging.WARNING)
    log.propagate = False
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(before[0])
        log.propagate = before[1]
