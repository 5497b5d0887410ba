"""What a terminal is shown while nothing has come yet."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from helpcrunch_async.cli.stdout import is_terminal


@contextmanager
def waiting(words: str = "Asking HelpCrunch") -> Iterator[None]:
    """Show a terminal what is awaited: the account's budget can make an answer take a minute."""
    if not is_terminal(sys.stderr):
        yield
        return
    from rich.console import Console  # noqa: PLC0415 - takes long, and only terminals need it

    status = Console(stderr=True).status(words)
    status.start()
    try:
        yield
    finally:
        with suppress(OSError):  # the terminal is gone
            status.stop()
