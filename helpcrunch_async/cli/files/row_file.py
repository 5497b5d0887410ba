"""A file of rows that goes on where an earlier run stopped, wherever that was."""

import csv
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from helpcrunch_async.cli.exits import CommandError, ExitCode
from helpcrunch_async.cli.files.layouts import Layout
from helpcrunch_async.cli.files.line_file import LineFile
from helpcrunch_async.cli.files.lines import LONGEST_RECORD, Lines


class RowFile:
    """Rows in a file; the path `-` is stdout.

    Args:
        path: of the file.
        layout: how rows stand in it.
        keep: take what is there as the beginning; otherwise it is replaced.

    Raises:
        CommandError: when entered or written to, if that cannot be done; or what is there is not ours.
    """

    def __init__(self, path: Path, layout: Layout, *, keep: bool = False) -> None:
        self.ids: set[int] = set()
        """Of the rows that were there before."""
        self._lines = LineFile(path, keep=keep)
        self._layout = layout

    def __enter__(self) -> Self:
        with_file = self._lines.__enter__()
        try:
            self.ids = ids_in(with_file, self._layout)
            with_file.write_header(self._layout.header)
        except BaseException:
            with_file.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._lines.close()

    @property
    def name(self) -> str:
        """What to call it."""
        return self._lines.name

    @property
    def is_stdout(self) -> bool:
        """Whether it is stdout."""
        return self._lines.is_stdout

    @property
    def count(self) -> int:
        """Rows written so far."""
        return self._lines.count

    def write(self, instance: Any) -> None:
        """Write a model, whole or not at all."""
        self._lines.write(self._layout.line(instance))


def ids_in(file: LineFile, layout: Layout) -> set[int]:
    """Give the ids of all rows in a file, and mend its end: a killed run may have left half a line there.

    Raises:
        CommandError: something in it is not ours; then nothing is changed.
    """
    ids: set[int] = set()
    lines = Lines(file.chunks(), longest=LONGEST_RECORD)
    rows = layout.ids_in(lines)
    whole, has_end = 0, True
    while True:
        try:
            row_id = next(rows)
        except StopIteration:
            break
        except (ValueError, csv.Error):
            # half a row has no end, or an open quote, whose cell goes on to the end of the file
            is_last = lines.is_exhausted or not lines.record[-1].endswith(b"\n")
            if is_last and layout.is_torn(lines.record[0]):
                file.cut(whole)
                return ids
            raise CommandError(
                f"{file.name}, line {lines.first_number}: not what this command writes: write elsewhere, "
                "or --overwrite the file",
                ExitCode.USAGE,
            ) from None
        if row_id is not None:
            ids.add(row_id)
        whole, has_end = lines.size, lines.record[-1].endswith(b"\n")
    if not has_end:
        file.end_line()
    return ids
