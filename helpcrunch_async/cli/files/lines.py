"""Lines out of bytes, counted and bounded; `csv` reads the records of a CSV from them."""

import codecs
import csv
from collections.abc import Iterable, Iterator
from typing import Final, Self

LONGEST_RECORD: Final = 64 << 20
"""Bytes of a record that may have been written by the command: no answer of HelpCrunch is longer."""


class RecordTooLongError(ValueError):
    """A record has more lines or bytes than any that is meant as one."""


class Lines(Iterator[bytes]):
    r"""Lines with their ends (`\n`, `\r\n` or `\r`), out of bytes in pieces of any size.

    A byte order mark is counted, and not given.

    Args:
        pieces: the bytes.
        longest: bytes that one record may have.
        most: lines that one record may have; None is any number.
    """

    def __init__(self, pieces: Iterable[bytes], *, longest: int, most: int | None = None) -> None:
        self.number: int = 0
        """Lines taken so far."""
        self.size: int = 0
        """Bytes of the lines taken so far."""
        self.record: list[bytes] = []
        """The lines taken since `begin`."""
        self.is_exhausted: bool = False
        self._source = self._split(pieces)
        self._again: list[bytes] = []
        self._longest = longest
        self._most = most
        self._record_size = 0

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        """Take the next line.

        Raises:
            RecordTooLongError: the record at hand is too long.
        """
        if self._most is not None and len(self.record) >= self._most:
            raise RecordTooLongError(f"a record of more than {self._most} lines")
        line = self._again.pop() if self._again else next(self._source, None)
        if line is None:
            self.is_exhausted = True
            raise StopIteration
        self.number += 1
        self.size += len(line)
        self.record.append(line)
        self._record_size += len(line)
        if self._record_size > self._longest:
            raise self._too_long()
        return line.removeprefix(codecs.BOM_UTF8) if self.number == 1 else line

    @property
    def first_number(self) -> int:
        """Return the number of the line with which the record at hand begins."""
        return self.number - len(self.record) + 1

    def begin(self) -> None:
        """Mark the beginning of a record."""
        self.record = []
        self._record_size = 0

    def take_back(self) -> None:
        """Return to where the record at hand began."""
        self.number -= len(self.record)
        self.size -= self._record_size
        self._again += reversed(self.record)
        self.begin()

    def _split(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        rest = bytearray()
        for piece in pieces:
            for part in piece.splitlines(keepends=True):
                if not rest and part.endswith(b"\n"):
                    yield part
                    continue
                if rest.endswith(b"\r") and part != b"\n":  # it was an end by itself
                    yield bytes(rest)
                    rest.clear()
                rest += part
                if rest.endswith(b"\n"):
                    yield bytes(rest)
                    rest.clear()
                elif len(rest) > self._longest:
                    raise self._too_long()
        if rest:
            yield bytes(rest)

    def _too_long(self) -> RecordTooLongError:
        return RecordTooLongError(f"a line of more than {self._longest:,} bytes")


def csv_records(lines: Lines, *, delimiter: str = ",", errors: str = "strict") -> Iterator[list[str]]:
    """Read the records of a CSV; `lines.record` has the lines of the one at hand.

    Raises:
        RecordTooLongError: a record has too many lines or bytes.
        UnicodeDecodeError: something is not UTF-8, unless `errors` allows it.
        csv.Error: something is not CSV.
    """
    text = (line.decode("utf-8", errors) for line in lines)
    reader = csv.reader(text, delimiter=delimiter, strict=True)
    while True:
        lines.begin()
        # it holds for the whole process, and is less than a cell of ours may have
        before = csv.field_size_limit(LONGEST_RECORD)
        try:
            record = next(reader, None)
        finally:
            csv.field_size_limit(before)
        if record is None:
            return
        yield record
