"""The file of what failed: JSON lines of id, reason and code, in which the last word on an id counts."""

import json
from collections.abc import Container, Iterable
from pathlib import Path
from sys import intern
from types import TracebackType
from typing import Any, Self

from helpcrunch_async.cli.exits import CommandError, ExitCode
from helpcrunch_async.cli.files.line_file import LineFile
from helpcrunch_async.cli.files.lines import LONGEST_RECORD, Lines, RecordTooLongError
from helpcrunch_async.cli.files.places import make_beside
from helpcrunch_async.cli.problems import say
from helpcrunch_async.cli.reasons import is_final, reason_of
from helpcrunch_async.cli.text import json_line
from helpcrunch_async.errors import HelpCrunchError


class Failures:
    """What failed: JSON lines on stderr, and why each id did."""

    path: Path | None = None
    """The file that has them, if one does."""

    def __init__(self) -> None:
        self.codes: dict[int, str] = {}
        """Why each id failed, as far as is known by now."""

    def settle(self, found: Container[int]) -> set[int]:
        """Forget failures of what was found since; give the ids that need not be asked for again."""
        for each in [each for each in self.codes if each in found]:
            self.overcome(each)
        return {each for each, code in self.codes.items() if is_final(code)}

    def overcome(self, row_id: int) -> None:
        """Note that something was found, whatever happened before."""
        self.codes.pop(row_id, None)

    def write(self, row_id: int, error: HelpCrunchError) -> None:
        """Write down that something failed."""
        reason = reason_of(error)
        self._put(json_line({"id": row_id, "reason": reason.words, "code": reason.code}))
        self.codes[row_id] = reason.code

    def _put(self, line: bytes) -> None:
        say(line.decode())


class FailuresFile(Failures):
    """What failed, in this run and in those before, in a file; there is none as long as nothing has.

    A failure that is overcome later leaves the file when the run ends, or when the next one begins, should
    this one be killed.

    Args:
        path: of the file.
        keep: take what is there as the beginning; otherwise it goes.

    Raises:
        CommandError: when entered or written to, if that cannot be done; or what is there is not ours.
    """

    def __init__(self, path: Path, *, keep: bool) -> None:
        super().__init__()
        self.path: Path | None = path
        self._path = path
        self._lines = LineFile(path, keep=keep, when_needed=True)
        self._is_outdated = False

    def __enter__(self) -> Self:
        self._lines.__enter__()
        try:
            self._read()
        except BaseException:
            self._lines.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self._tidy()
        finally:
            self._lines.close()

    def settle(self, found: Container[int]) -> set[int]:
        """Do the same, and let the file say so."""
        final = super().settle(found)
        self._tidy()
        return final

    def overcome(self, row_id: int) -> None:
        """Do the same; the file says so later."""
        self._is_outdated |= row_id in self.codes
        super().overcome(row_id)

    def write(self, row_id: int, error: HelpCrunchError) -> None:
        """Write it into the file."""
        self._is_outdated |= row_id in self.codes
        super().write(row_id, error)

    def _put(self, line: bytes) -> None:
        self._lines.write(line)

    def _read(self) -> None:
        """Read what is there, and mend its end."""
        lines = Lines(self._lines.chunks(), longest=LONGEST_RECORD)
        whole = 0
        try:
            for line in lines:
                if line.endswith(b"\n"):
                    self._take(line)
                    whole = lines.size
                elif not line.startswith(b"{"):
                    self._take(line)  # which complains
                lines.begin()
        except RecordTooLongError:
            raise self._not_failures() from None
        self._lines.cut(whole)  # what half a line is about is asked for again

    def _take(self, line: bytes) -> None:
        failure = _failure_in(line)
        if failure is None:
            raise self._not_failures()
        row_id, code = failure
        if row_id in self.codes:
            self._is_outdated = True
        self.codes[row_id] = intern(code)

    def _not_failures(self) -> CommandError:
        line = f"{self._lines.name} is not a file of failures: write them elsewhere, or --overwrite it"
        return CommandError(line, ExitCode.USAGE)

    def _tidy(self) -> None:
        """Leave the last word on each id in the file, and nothing on those that were found after all."""
        if not self._is_outdated:
            return
        self._lines.close()
        try:
            if self.codes:
                self._rewrite(self._path)
            else:
                self._path.unlink(missing_ok=True)
        except OSError as error:
            raise CommandError(f"cannot write {self.path}: {error.strerror}", ExitCode.USAGE) from None
        self._is_outdated = False

    def _rewrite(self, path: Path) -> None:
        last: dict[int, int] = {}
        with path.open("rb") as lines:
            for number, line in enumerate(lines):
                failure = _failure_in(line)
                if failure is not None and failure[0] in self.codes:
                    last[failure[0]] = number
        kept = set(last.values())
        beside = make_beside(path)
        try:
            with path.open("rb") as lines, beside.open("wb") as tidy:
                tidy.writelines(_only(lines, kept))
            beside.replace(path)  # at once: a run that is killed now leaves the one or the other
        except BaseException:
            beside.unlink(missing_ok=True)
            raise


def _only(lines: Iterable[bytes], kept: Container[int]) -> Iterable[bytes]:
    return (line for number, line in enumerate(lines) if number in kept)


def _failure_in(line: bytes) -> tuple[int, str] | None:
    try:
        failure: Any = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(failure, dict) or set(failure) != {"id", "reason", "code"}:
        return None
    row_id, code = failure["id"], failure["code"]
    return (row_id, code) if type(row_id) is int and isinstance(code, str) else None
