"""Bytes cut into records: lines, or the records of a CSV, whose quoted cells may hold line ends."""

from typing import Final

LONGEST: Final = 65_536  # bytes; a record that is longer is not one that anybody meant


class Splitter:
    """Cuts bytes, as they come, at the ends of records; the ends themselves are dropped.

    Args:
        quoted: a line end between double quotes is part of a cell.
    """

    def __init__(self, *, quoted: bool) -> None:
        self._quoted = quoted
        self.rest: bytes = b""
        """What came after the last end."""

    def feed(self, chunk: bytes) -> list[bytes]:
        """Take more bytes; gives the records that are whole by now."""
        *lines, self.rest = (self.rest + chunk).split(b"\n")
        return self._whole_records(lines) if self._quoted else lines

    def _whole_records(self, lines: list[bytes]) -> list[bytes]:
        """Join what a quoted cell holds together: an odd number of quotes leaves one open."""
        records: list[bytes] = []
        open_lines: list[bytes] = []
        for line in lines:
            closes_or_opens = line.count(b'"') % 2 == 1
            if open_lines:
                open_lines.append(line)
                if closes_or_opens:
                    records.append(b"\n".join(open_lines))
                    open_lines = []
            elif closes_or_opens:
                open_lines = [line]
            else:
                records.append(line)
        if open_lines:
            self.rest = b"\n".join([*open_lines, self.rest])
        return records
