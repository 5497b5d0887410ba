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

if sys.platform != "win32":
    import fcntl

_CHUNK: Final = 1 << 20  # bytes


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
        self._is_regular = False
        self._size = 0  # of what is whole

    def __enter__(self) -> Self:
        try:
            if not self._when_needed or (self._keep and self.path.exists()):
                self._open()
            elif self.path.is_file() and not self.path.is_symlink():
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
            while chunk := self._file.read(_CHUNK):
                yield chunk
        except OSError as error:
            raise CommandError(f"cannot read {self.name}: {_reason(error)}", ExitCode.USAGE) from None

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
        """Write one line, whole or not at all."""
        self._write(line)
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
            return self._file
        keeps = (self._keep or self.count > 0) and (self.path.is_file() or not self.path.exists())
        # a lock comes before the file is emptied: another run may be writing to it
        file = io.FileIO(self.path, "a+" if keeps or self.path.is_file() else "w")
        status = os.fstat(file.fileno())
        self._is_regular = stat.S_ISREG(status.st_mode)
        try:
            self._lock(file)
            if self._is_regular and not keeps:
                file.truncate(0)
        except BaseException:
            file.close()
            raise
        self._size = status.st_size if keeps and self._is_regular else 0
        self._file = file
        return file

    def _lock(self, file: io.FileIO) -> None:
        if sys.platform == "win32" or not self._is_regular:
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
        return CommandError(f"cannot write {self.name}: {_reason(error)}", ExitCode.USAGE)


def _reason(error: OSError) -> str:
    return os.strerror(error.errno) if error.errno else str(error)
