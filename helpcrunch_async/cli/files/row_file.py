"""A file of rows that goes on where an earlier run stopped, wherever that was."""

from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from helpcrunch_async.cli.exits import CommandError, ExitCode
from helpcrunch_async.cli.files.layouts import Layout
from helpcrunch_async.cli.files.line_file import LineFile
from helpcrunch_async.cli.files.splitting import Splitter

_LONGEST_ROW: Final = 1 << 20  # bytes; what is longer was not torn off one row


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


def ids_in(lines: LineFile, layout: Layout) -> set[int]:
    """Give the ids of all rows in a file, and mend its end: a killed run may have left half a line there.

    Raises:
        CommandError: something in it is not ours; then nothing is changed.
    """
    ids: set[int] = set()
    splitter = Splitter(quoted=layout.quoted)
    size = number = 0
    for chunk in lines.chunks():
        for record in splitter.feed(chunk):
            number += 1
            size += len(record) + 1
            if number == 1 and layout.header:
                if record + b"\n" != layout.header:
                    raise _not_ours(lines, number)
                continue
            row_id = layout.id_of(record)
            if row_id is None:
                raise _not_ours(lines, number)
            ids.add(row_id)
    rest = splitter.rest
    if not rest:
        return ids
    if len(rest) > _LONGEST_ROW:
        raise _not_ours(lines, number + 1)
    if not layout.quoted and (row_id := layout.id_of(rest)) is not None:
        ids.add(row_id)  # whole but for its end
        lines.end_line()
    elif layout.is_torn(rest):
        lines.cut(size)
    else:
        raise _not_ours(lines, number + 1)
    return ids


def _not_ours(lines: LineFile, number: int) -> CommandError:
    return CommandError(
        f"{lines.name}, record {number}: not what this command writes: write elsewhere, "
        "or --overwrite the file",
        ExitCode.USAGE,
    )
