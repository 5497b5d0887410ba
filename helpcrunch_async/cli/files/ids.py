"""Ids read from bytes as they come: one a line, or from a column of a CSV."""

import csv
from collections.abc import Iterator
from io import StringIO
from typing import Final

from helpcrunch_async.cli.exits import CommandError, ExitCode
from helpcrunch_async.cli.files.splitting import LONGEST, Splitter

_LONGEST_ID: Final = 18  # digits; int() of untold thousands of them would be refused anyway
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_DELIMITERS: Final = (",", ";", "\t")


def read_id(word: bytes) -> int | None:
    """Read an id; None when it is none, whatever `int` may make of it."""
    return int(word) if word.isdigit() and len(word) <= _LONGEST_ID and int(word) else None


class IdParser:
    """Finds ids in bytes as they come.

    Args:
        name: what to call the source.
        what: what the ids are of.
        column: name of a CSV's column; None takes whole lines.
    """

    def __init__(self, name: str, what: str, column: str | None) -> None:
        self._name = name
        self._what = what
        self._column = column
        self._splitter = Splitter(quoted=column is not None)
        self._line = 0  # of the record at hand
        self._next_line = 1
        self._index: int | None = None
        self._delimiter = ","

    def feed(self, chunk: bytes) -> Iterator[int]:
        """Give the ids that end in this chunk.

        Raises:
            CommandError: something is no id; those before it were given.
        """
        for record in self._splitter.feed(chunk):
            yield from self._ids_in(record)
        if len(self._splitter.rest) > LONGEST:
            yield from self.finish()

    def finish(self) -> Iterator[int]:
        """Give the id that no line end follows; raises as `feed`."""
        rest, self._splitter.rest = self._splitter.rest, b""
        if rest:
            yield from self._ids_in(rest)
        if self._column is not None and self._index is None:
            raise CommandError(f"{self._name}: no column {self._column!r}: it is empty", ExitCode.USAGE)

    def _ids_in(self, record: bytes) -> Iterator[int]:
        self._line, self._next_line = self._next_line, self._next_line + 1 + record.count(b"\n")
        if self._line == 1:
            record = record.removeprefix(_BYTE_ORDER_MARK)
        if not record.strip():
            return
        if self._column is None:
            word = record.strip()
        elif self._index is None:
            self._find_column(record, self._column)
            return
        else:
            cells = self._cells_of(record, self._delimiter)
            word = cells[self._index].strip().encode() if self._index < len(cells) else b""
            if not word:
                return
        number = read_id(word)
        if number is None:
            raise self._not_an_id(word)
        yield number

    def _find_column(self, record: bytes, column: str) -> None:
        """Find the column in the header, whichever of the usual delimiters it has."""
        for delimiter in _DELIMITERS:
            names = [each.strip() for each in self._cells_of(record, delimiter)]
            if column in names:
                self._delimiter, self._index = delimiter, names.index(column)
                return
        delimiter = max(_DELIMITERS, key=lambda each: record.count(each.encode()))
        there = ", ".join(self._cells_of(record, delimiter))
        raise CommandError(f"{self._name}: no column {column!r}; there are {there[:200]}", ExitCode.USAGE)

    def _cells_of(self, record: bytes, delimiter: str) -> list[str]:
        text = StringIO(record.decode("utf-8", "replace"), newline="")
        try:
            return next(csv.reader(text, delimiter=delimiter), [])
        except csv.Error as error:
            problem = str(error)
        raise CommandError(f"{self._name}, line {self._line}: not CSV: {problem}", ExitCode.USAGE)

    def _not_an_id(self, word: bytes) -> CommandError:
        shown = word[:40].decode("utf-8", "replace")
        hint = ""
        if self._column is None and self._line == 1 and any(each in shown for each in _DELIMITERS):
            hint = " (--column NAME reads a column of a CSV)"
        line = f"{self._name}, line {self._line}: not a {self._what} id: {shown}{hint}"
        return CommandError(line, ExitCode.USAGE)
