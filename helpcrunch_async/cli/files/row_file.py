"""A file of rows that goes on where an earlier run stopped, wherever that was."""

import csv
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from attrs import define, field

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
        file = self._lines.__enter__()
        try:
            written = read_written(file.chunks(), self._layout, file.name)
            file.cut(written.size)
            if written.lacks_end:
                file.end_line()
            self.ids = written.ids
            file.write_header(self._layout.header)
        except BaseException:
            file.close()
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


@define
class Written:
    """What earlier runs have left in a file."""

    ids: set[int] = field(factory=set)
    """Of all whole rows."""
    size: int = 0
    """Bytes of them."""
    lacks_end: bool = False
    """Whether the last one has no line end."""


def read_written(pieces: Iterable[bytes], layout: Layout, name: str) -> Written:
    """Read what earlier runs have written; one that was killed may have left half a row at the end.

    Raises:
        CommandError: something in it is not ours.
    """
    written = Written()
    lines = Lines(pieces, longest=LONGEST_RECORD)
    rows = layout.ids_in(lines)
    while True:
        try:
            row_id = next(rows)
        except StopIteration:
            return written
        except (ValueError, csv.Error):
            # half a row has no end, or an open quote, whose cell goes on to the end of the file
            is_last = lines.is_exhausted or not lines.record[-1].endswith(b"\n")
            if is_last and layout.is_torn(lines.record[0]):
                return written
            raise CommandError(
                f"{name}, line {lines.first_number}: not what this command writes: write elsewhere, "
                "or --overwrite the file",
                ExitCode.USAGE,
            ) from None
        if row_id is not None:
            written.ids.add(row_id)
        written.size = lines.size
        written.lacks_end = not lines.record[-1].endswith(b"\n")
