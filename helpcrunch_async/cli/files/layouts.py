"""How rows stand in a file: as JSON lines, or as CSV for spreadsheets."""

import csv
import json
from collections.abc import Sequence
from enum import StrEnum
from io import StringIO
from pathlib import Path
from typing import Any, Protocol

from helpcrunch_async.cli.files.cells import cells_of, names_of
from helpcrunch_async.cli.files.ids import read_id
from helpcrunch_async.cli.text import json_line
from helpcrunch_async.converter import to_dict


class Format(StrEnum):
    """What `--format` takes."""

    JSONL = "jsonl"
    CSV = "csv"


class Layout(Protocol):
    """Writes rows of one kind, and finds in lines that were written what they are about."""

    quoted: bool
    """Whether line ends may stand between quotes."""
    header: bytes
    """The first line of a file, with its end."""

    def line(self, instance: Any) -> bytes:
        """Write a model as one record, with its end."""
        ...

    def id_of(self, record: bytes) -> int | None:
        """Read the id in a whole record; None when the record is not one of these."""
        ...

    def is_torn(self, rest: bytes) -> bool:
        """Tell whether something may be the beginning of a record."""
        ...


def layout_of(model: type, path: Path, given: Format | None) -> Layout:
    """Take the format that was given, or the one that the name of the file asks for."""
    is_csv = path.suffix.lower() == ".csv" if given is None else given is Format.CSV
    return CsvLayout(model) if is_csv else JsonLayout()


class JsonLayout:
    """JSON lines, spelt as the API spells them: nothing is left out."""

    quoted = False
    header: bytes = b""

    def line(self, instance: Any) -> bytes:
        """Write a model as one line."""
        return json_line(to_dict(instance))

    def id_of(self, record: bytes) -> int | None:
        """Read the id of an object."""
        try:
            row = json.loads(record)
        except (ValueError, RecursionError):
            return None
        number = row.get("id") if isinstance(row, dict) else None
        return number if type(number) is int else None

    def is_torn(self, rest: bytes) -> bool:
        """Tell whether it begins as our objects do."""
        beginning = b'{"id": '
        return rest.startswith(beginning) or beginning.startswith(rest)


class CsvLayout:
    """CSV as spreadsheets read it: a header, nested fields flattened, formulas defused."""

    quoted = True

    def __init__(self, model: type) -> None:
        names = names_of(model)
        self.header: bytes = _csv_line(names)
        self._width = len(names)

    def line(self, instance: Any) -> bytes:
        """Write a model as one record."""
        return _csv_line(cells_of(instance))

    def id_of(self, record: bytes) -> int | None:
        """Read the first cell, if there are as many as there should be."""
        try:
            cells = next(csv.reader(StringIO(record.decode(), newline=""), strict=True), [])
        except (ValueError, csv.Error):
            return None
        return read_id(cells[0].encode()) if len(cells) == self._width else None

    def is_torn(self, rest: bytes) -> bool:
        """Tell whether it begins with an id, or as the header does."""
        return self.header.startswith(rest) or read_id(rest.partition(b",")[0]) is not None


def _csv_line(cells: Sequence[str]) -> bytes:
    text = StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue().encode("utf-8", "backslashreplace")
