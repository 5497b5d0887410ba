"""What an export had to leave out: JSON lines in a file beside it, or on stderr where it is in no file."""

import json
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from helpcrunch_async.cli.exits import CommandError, ExitCode
from helpcrunch_async.cli.files.line_file import LineFile
from helpcrunch_async.cli.files.places import is_straight
from helpcrunch_async.cli.problems import say
from helpcrunch_async.cli.text import json_line

_LONGEST_LINE: Final = 65_536  # bytes; ours are far shorter


class ExportFailures:
    """Rows that cannot be read, and chats whose messages cannot be had; there is no file without one.

    Args:
        out: where the rows go; the file is called OUT.failures.jsonl, and replaces that of an earlier run.

    Raises:
        CommandError: when entered or written to, if that cannot be done; or what is there is not ours.
    """

    def __init__(self, out: Path) -> None:
        self.codes: list[str] = []
        """Why, for each."""
        self._path = Path(f"{out}.failures.jsonl")
        self._file = None if is_straight(out) else LineFile(self._path, when_needed=True)

    @property
    def name(self) -> str:
        """What to call it."""
        return "stderr" if self._file is None else str(self._path)

    def __enter__(self) -> Self:
        if self._file is not None:
            self._check()
            self._file.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    def write(self, about: dict[str, str | int], reason: str, code: str) -> None:
        """Write down that something failed."""
        self.codes.append(code)
        line = json_line({**about, "reason": reason, "code": code})
        if self._file is None:
            say(line.decode())
        else:
            self._file.write(line)

    def _check(self) -> None:
        """Look whether the file may be replaced."""
        if not self._path.is_file():
            return
        try:
            with self._path.open("rb") as lines:
                first = lines.readline(_LONGEST_LINE)
        except OSError as error:
            raise CommandError(f"cannot read {self._path}: {error.strerror}", ExitCode.USAGE) from None
        try:
            is_ours = not first or "code" in json.loads(first)
        except (ValueError, TypeError, RecursionError):
            is_ours = False
        if not is_ours:
            raise CommandError(f"{self._path} is not a file of failures: move it away", ExitCode.USAGE)
