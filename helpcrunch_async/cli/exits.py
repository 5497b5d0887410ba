"""How the command ends: its exit codes, and the error that ends it early."""

from enum import IntEnum
from typing import Final

EXIT_CODES: Final = (
    "Exit codes: 0 all went well; 1 something failed; 2 wrong usage, unreadable input or unwritable "
    "output; 3 no API key, or one that was refused; 4 something does not exist; 129, 130 or 143 ended by "
    "SIGHUP, Ctrl-C or SIGTERM; 141 nobody read the output."
)

EPILOG: Final = (
    "Environment: HELPCRUNCH_API_KEY is the API key; without it, a terminal is asked. HELPCRUNCH_BASE_URL is "
    f"another server than HelpCrunch's.\n\n{EXIT_CODES}"
)
"""What stands below the options of every part that talks to HelpCrunch."""


class ExitCode(IntEnum):
    """What the shell is told; `EXIT_CODES` is the same for people."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    AUTH = 3
    NOT_FOUND = 4
    HUNG_UP = 129
    INTERRUPTED = 130
    BROKEN_PIPE = 141
    TERMINATED = 143


_WORST_FIRST: Final = (ExitCode.AUTH, ExitCode.FAILED, ExitCode.NOT_FOUND)


def worst_of(codes: set[ExitCode]) -> ExitCode:
    """Give the code for everything that happened: the worst of it counts."""
    return next((code for code in _WORST_FIRST if code in codes), ExitCode.DONE)


class CommandError(Exception):
    """Ends the command: its text is the line on stderr."""

    def __init__(self, line: str, exit_code: ExitCode) -> None:
        super().__init__(line)
        self.exit_code = exit_code
