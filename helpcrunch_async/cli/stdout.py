"""What goes to stdout, and whether anybody looks at it."""

import errno
import os
import sys
from contextlib import suppress
from io import TextIOWrapper
from typing import Final, TextIO, TypeGuard

from helpcrunch_async.cli.exits import CommandError, ExitCode

_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO})


def is_terminal(stream: TextIO | None) -> bool:
    """Tell whether a standard stream is a terminal; a closed one, which Python has as None, is not."""
    return stream is not None and stream.isatty()


def replace_what_cannot_be_shown() -> None:
    """Let names in letters that a terminal does not have come out with question marks, and nothing fail."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")


def put(line: bytes) -> None:
    """Write a line to stdout.

    Raises:
        CommandError: it cannot be written.
        BrokenPipeError: nobody reads it.
    """
    if sys.stdout is None:
        raise CommandError("cannot write stdout: it is closed", ExitCode.USAGE)
    try:
        sys.stdout.buffer.write(line)
    except OSError as error:
        raise refusal(error) from None


def flush() -> None:
    """Make sure that all of it has left; raises as `put`."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError as error:
        raise refusal(error) from None


def is_full(error: BaseException) -> TypeGuard[OSError]:
    """Tell whether printing failed for want of room; what fails in writing a file is a CommandError."""
    return isinstance(error, OSError) and error.errno in _NO_ROOM


def refusal(error: OSError) -> Exception:
    """Give the error that ends the command when stdout takes no more."""
    silence()
    if isinstance(error, BrokenPipeError):
        return error
    reason = os.strerror(error.errno) if error.errno else str(error)
    return CommandError(f"cannot write stdout: {reason}", ExitCode.USAGE)


def silence() -> None:
    """Point stdout at nothing: the interpreter would complain when it flushes what cannot be written."""
    with suppress(OSError, ValueError, AttributeError):  # there is none, or none of the system's
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, sys.stdout.fileno())
        os.close(nothing)
