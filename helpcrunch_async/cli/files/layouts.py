"""How rows stand in a file: as JSON lines, or as CSV for spreadsheets."""

import codecs
import csv
import json
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from enum import StrEnum
from io import StringIO
from pathlib import Path
from typing import Any, Protocol

from helpcrunch_async.cli.exits import CommandError, ExitCode
from helpcrunch_async.cli.files.cells import cell_of, name_of, paths_of
from helpcrunch_async.cli.files.fields import row_of
from helpcrunch_async.cli.files.ids import read_id
from helpcrunch_async.cli.files.lines import Lines, csv_records
from helpcrunch_async.cli.text import json_line


class Format(StrEnum):
    """What `--format` takes."""

    JSONL = "jsonl"
    CSV = "csv"


class Layout(Protocol):
    """Writes rows of one kind, and finds in what was written which rows they are."""

    header: bytes
    """The first line of a file, with its end."""

    def line(self, instance: Any) -> bytes:
        """Write a model as one record, with its end."""
        ...

    def ids_in(self, lines: Lines) -> Iterator[int | None]:
        """Give the id of each record, or None for the header; `lines.record` has the lines of it.

        Raises:
            ValueError: a record is not one of these.
            csv.Error: the same.
        """
        ...

    def is_torn(self, rest: bytes) -> bool:
        """Tell whether something may be the beginning of a record."""
        ...


def layout_of(
    model: type,
    path: Path,
    given: Format | None,
    *,
    bom: bool = False,
    fields: Sequence[str] | None = None,
) -> Layout:
    """Take the format that was given, or the one that the name of the file asks for.

    Raises:
        CommandError: it has no byte order mark.
    """
    is_csv = path.suffix.lower() == ".csv" if given is None else given is Format.CSV
    if bom and not is_csv:
        raise CommandError("--bom is for CSV", ExitCode.USAGE)
    return CsvLayout(model, fields, bom=bom) if is_csv else JsonLayout(model, fields)


class JsonLayout:
    """JSON lines, spelt as the API spells them: everything, or some fields."""

    header: bytes = b""

    def __init__(self, model: type, fields: Sequence[str] | None = None) -> None:
        self._fields = fields
        self._names = row_of(model(1), fields).keys()

    def line(self, instance: Any) -> bytes:
        """Write a model as one line."""
        return json_line(row_of(instance, self._fields))

    def ids_in(self, lines: Lines) -> Iterator[int | None]:
        """Give the id of each object; the last one may lack its line end."""
        for line in lines:
            yield self._id_of(line)
            lines.begin()

    def _id_of(self, line: bytes) -> int:
        try:
            row = json.loads(line)
        except RecursionError:
            raise ValueError("nested too deeply") from None
        if not isinstance(row, dict) or not self._are_ours(row.keys()):
            raise ValueError("not a row of this kind")
        number = row.get("id")
        if type(number) is not int:
            raise ValueError("no id")
        return number

    def _are_ours(self, names: AbstractSet[str]) -> bool:
        if self._fields is not None:
            return names == self._names
        # other versions may know a field more or less
        return 2 * len(self._names & names) > len(self._names)

    def is_torn(self, rest: bytes) -> bool:
        """Tell whether it begins as our objects do."""
        beginning = b'{"id": '
        return rest.startswith(beginning) or beginning.startswith(rest)


class CsvLayout:
    """CSV as spreadsheets read it: a header, nested fields flattened, formulas defused."""

    def __init__(self, model: type, fields: Sequence[str] | None = None, *, bom: bool = False) -> None:
        self._paths = paths_of(model, fields)
        self._names = [name_of(path) for path in self._paths]
        self._bare_header = _csv_line(self._names)
        self.header: bytes = codecs.BOM_UTF8 + self._bare_header if bom else self._bare_header

    def line(self, instance: Any) -> bytes:
        """Write a model as one record."""
        return _csv_line([cell_of(instance, path) for path in self._paths])

    def ids_in(self, lines: Lines) -> Iterator[int | None]:
        """Give the first cell of each record; the last one may be half a cell unless a line end follows."""
        is_header = True
        for cells in csv_records(lines):
            if not lines.record[-1].endswith(b"\n"):
                raise ValueError("no line end")
            if cells == self._names and is_header:
                yield None
            elif is_header or len(cells) != len(self._names) or not (number := read_id(cells[0].encode())):
                raise ValueError("not a row of this table")
            else:
                yield number
            is_header = False

    def is_torn(self, rest: bytes) -> bool:
        """Tell whether it begins with an id, or as a header does."""
        is_header = (codecs.BOM_UTF8 + self._bare_header).startswith(rest) or self._bare_header.startswith(
            rest
        )
        return is_header or read_id(rest.partition(b",")[0]) is not None


def _csv_line(cells: Sequence[str]) -> bytes:
    text = StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue().encode("utf-8", "backslashreplace")
