"""One thing that was looked at."""

from enum import StrEnum

from attrs import frozen

from helpcrunch_async.cli.exits import ExitCode


class State(StrEnum):
    """How it is."""

    GOOD = "ok"
    ODD = "note"
    """Worth knowing, and no obstacle."""
    BAD = "fail"
    SKIPPED = "skip"
    """It could not be looked at."""


@frozen
class Finding:
    """One thing that was looked at."""

    what: str
    state: State
    words: str
    advice: str | None = None
    exit_code: ExitCode = ExitCode.DONE
