"""Ids read from bytes as they come: one a line, or from a column of a CSV."""

import codecs
import csv
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Final

from helpcrunch_async.cli.exits import CommandError, ExitCode
from helpcrunch_async.cli.files.lines import LONGEST_RECORD, Lines, RecordTooLongError, csv_records

_LONGEST_ID: Final = 18  # digits; int() of untold thousands of them would be refused anyway
_LONGEST_LINE: Final = 65_536  # bytes of a line that is to hold one id
_MOST_LINES: Final = 100  # of one record: more than that are a quote that was never closed
_DELIMITERS: Final = (",", ";", "\t")
_ENCODINGS: Final = {
    codecs.BOM_UTF32_LE: "UTF-32",  # begins as the next but one does
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}


def read_id(word: bytes) -> int | None:
    """Read an id; None when it is none, whatever `int` may make of it."""
    return int(word) if word.isdigit() and len(word) <= _LONGEST_ID and int(word) else None


def _is_filled(record: list[str]) -> bool:
    return any(cell.strip() for cell in record)


class IdParser:
    """Finds ids in bytes, which are read no further than the ids are wanted.

    Args:
        pieces: the bytes, in pieces of any size.
        name: what to call the source.
        what: what the ids are of.
        column: name of a CSV's column; None takes whole lines.
    """

    def __init__(self, pieces: Iterable[bytes], name: str, what: str, column: str | None) -> None:
        self._name = name
        self._what = what
        self._column = column
        self._lines = (
            Lines(pieces, longest=_LONGEST_LINE)
            if column is None
            else Lines(pieces, longest=LONGEST_RECORD, most=_MOST_LINES)
        )

    def __iter__(self) -> Iterator[int]:
        """Give the ids.

        Raises:
            CommandError: something is no id, those before it were given; or there is not one id.
        """
        is_empty = True
        try:
            for word in self._words():
                number = read_id(word)
                if number is None:
                    raise self._not_an_id(word)
                is_empty = False
                yield number
        except RecordTooLongError as error:
            problem = str(error)
        except csv.Error as error:
            problem = f"not CSV: {error}"
        else:
            if is_empty:
                raise CommandError(f"{self._name} has no {self._what} ids in it", ExitCode.USAGE)
            return
        lines = self._lines
        if lines.record and b'"' in lines.record[0] and len(lines.record) > 1:
            problem += "; is a quote never closed there?"
        raise self._refusal(problem, lines.first_number)

    def _words(self) -> Iterator[bytes]:
        """Give what stands where ids should be, but for what is blank."""
        self._check_encoding()
        if self._column is not None:
            yield from self._cells(self._column)
            return
        for line in self._lines:
            if word := line.strip():
                yield word
            self._lines.begin()

    def _check_encoding(self) -> None:
        next(self._lines, None)
        first = b"".join(self._lines.record)
        self._lines.take_back()
        encoding = next((name for mark, name in _ENCODINGS.items() if first.startswith(mark)), None)
        if encoding is None and b"\0" in first[:2]:  # half of a character that others write as one byte
            encoding = "UTF-16BE" if first[:1] == b"\0" else "UTF-16LE"
        if encoding is not None:
            advice = f"save it as UTF-8, or convert it with iconv -f {encoding} -t UTF-8"
            raise CommandError(f"{self._name} is {encoding}: {advice}", ExitCode.USAGE)

    def _cells(self, column: str) -> Iterator[bytes]:
        """Give the cells of a column of a CSV, whichever of the usual delimiters its header has."""
        there: list[str] = []
        for delimiter in _DELIMITERS:
            records = csv_records(self._lines, delimiter=delimiter, errors="replace")
            with suppress(csv.Error, RecordTooLongError):  # as with quotes beside another delimiter
                names = [each.strip() for each in next(filter(_is_filled, records), ())]
                if column in names:
                    break
                there = max(there, names, key=len)
            self._lines.take_back()
        else:
            if not there:
                next(csv_records(self._lines, errors="replace"), None)  # which tells why there are none
            said = f"there are {', '.join(there)[:200]}" if there else "it is empty"
            raise CommandError(f"{self._name}: no column {column!r}; {said}", ExitCode.USAGE)
        index = names.index(column)
        for record in records:
            if index < len(record) and (cell := record[index].strip()):
                yield cell.encode()

    def _not_an_id(self, word: bytes) -> CommandError:
        shown = word[:40].decode("utf-8", "replace")
        hint = ""
        if self._column is None and any(each in shown for each in _DELIMITERS):
            hint = " (--column NAME reads a column of a CSV)"
        return self._refusal(f"not a {self._what} id: {shown}{hint}", self._lines.first_number)

    def _refusal(self, problem: str, line: int) -> CommandError:
        return CommandError(f"{self._name}, line {line}: {problem}", ExitCode.USAGE)
