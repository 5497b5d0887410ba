"""A file that gets line after line, each of them whole on disk before the next."""

import errno
import io
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from helpcrunch_async.cli.exits import CommandError, ExitCode
from helpcrunch_async.cli.files.places import open_place, refuse_link
from helpcrunch_async.cli.text import printable

if sys.platform != "win32":
    import fcntl

_PIECE: Final = 1 << 20  # bytes


class LineFile:
    """A file to be written; the path `-` is stdout.

    Args:
        path: of the file.
        keep: write behind what is there; otherwise it is replaced.
        when_needed: make the file with the first line, not before.

    Raises:
        CommandError: when entered or written to, if that cannot be done or another run is at it.
    """

    def __init__(self, path: Path, *, keep: bool = False, when_needed: bool = False) -> None:
        self.path = path
        self.is_stdout: Final = str(path) == "-"
        self.name: Final = "stdout" if self.is_stdout else str(path)
        self.count: int = 0
        """Lines written so far."""
        self._keep = keep
        self._when_needed = when_needed
        self._file: io.FileIO | None = None
        self._is_regular = self._is_terminal = False
        self._size = 0  # of what is whole

    def __enter__(self) -> Self:
        if not self.is_stdout:
            refuse_link(self.path)
        try:
            if not self._when_needed or (self._keep and self.path.exists()):
                self._open()
            elif self.path.is_file():
                self.path.unlink()  # of an earlier run; it would pass for this one's
        except OSError as error:
            raise self._unwritable(error) from None
        if self._file is None and not os.access(self.path.parent, os.W_OK):
            missing = not self.path.parent.exists()
            raise self._unwritable(OSError(errno.ENOENT if missing else errno.EACCES, ""))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close it; again is harmless, and the next line opens it again."""
        file, self._file = self._file, None
        if file is not None:
            file.close()

    @property
    def is_kept(self) -> bool:
        """Whether what is in the file counts: it is open, and not a pipe."""
        return self._keep and self._is_regular

    @property
    def size(self) -> int:
        """Bytes of whole lines."""
        return self._size

    def chunks(self) -> Iterator[bytes]:
        """Read what was there before."""
        if self._file is None or not self.is_kept:
            return
        try:
            self._file.seek(0)
            yield from pieces_of(self._file)
        except OSError as error:
            raise CommandError(f"cannot read {self.name}: {reason_in(error)}", ExitCode.USAGE) from None

    def cut(self, size: int) -> None:
        """Drop what stands behind the first `size` bytes: the beginning of a line that was never finished."""
        if self._file is None or size == self._size:
            return
        try:
            self._file.truncate(size)
        except OSError as error:
            raise self._unwritable(error) from None
        self._size = size

    def write(self, line: bytes) -> None:
        """Write one line, whole or not at all; a terminal gets nothing that it would obey."""
        self._write(printable(line[:-1].decode()).encode() + b"\n" if self._is_terminal else line)
        self.count += 1

    def _write(self, line: bytes) -> None:
        try:
            file = self._file or self._open()
            rest = memoryview(line)
            while rest:
                rest = rest[file.write(rest) or 0 :]
        except BrokenPipeError:
            raise
        except OSError as error:
            self._drop_torn_line()
            raise self._unwritable(error) from None
        self._size += len(line)

    def write_header(self, line: bytes) -> None:
        """Write the first line, which counts for nothing, unless the file has one."""
        if line and not self._size:
            self._write(line)

    def end_line(self) -> None:
        """Put an end to a last line that has none."""
        self._write(b"\n")

    def _open(self) -> io.FileIO:
        if self.is_stdout:
            self._file = io.FileIO(1, "w", closefd=False)
            self._is_terminal = self._file.isatty()
            return self._file
        file = open_place(self.path)
        self._is_regular, self._is_terminal = stat.S_ISREG(os.fstat(file.fileno()).st_mode), file.isatty()
        try:
            if self._is_regular:
                # a lock comes before the file is emptied: another run may be writing to it
                self._lock(file)
                if not (self._keep or self.count):
                    file.truncate(0)
                self._size = file.seek(0, io.SEEK_END)
        except BaseException:
            file.close()
            raise
        self._file = file
        return file

    def _lock(self, file: io.FileIO) -> None:
        if sys.platform == "win32":
            return
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CommandError(f"another run is writing to {self.name}", ExitCode.USAGE) from None
        except OSError:
            return  # not every file system can

    def _drop_torn_line(self) -> None:
        if self._file is not None and self._is_regular:
            with suppress(OSError):
                self._file.truncate(self._size)

    def _unwritable(self, error: OSError) -> CommandError:
        return CommandError(f"cannot write {self.name}: {reason_in(error)}", ExitCode.USAGE)


def pieces_of(file: io.FileIO) -> Iterator[bytes]:
    """Read a file from where it stands."""
    while piece := file.read(_PIECE):
        yield piece


def reason_in(error: OSError) -> str:
    """Give the system's words for it."""
    return os.strerror(error.errno) if error.errno else str(error)
