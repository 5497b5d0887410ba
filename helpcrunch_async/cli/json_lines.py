"""A file of JSON objects, one a line, each of them whole on disk before the next."""

import errno
import io
import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from helpcrunch_async.cli.problems import CommandError, ExitCode
from helpcrunch_async.cli.text import json_line


class JsonLines:
    """A file to be written from its start; the path `-` is stdout.

    Args:
        path: what was there is replaced.
        when_needed: make the file with the first line, not before.

    Raises:
        CommandError: when entered or written to, if that cannot be done.
    """

    def __init__(self, path: Path, *, when_needed: bool = False) -> None:
        self.path = path
        self.count = 0
        """Lines so far."""
        self._when_needed = when_needed
        self._file: io.FileIO | None = None
        self._size = 0  # of the whole lines

    def __enter__(self) -> Self:
        try:
            if not self._when_needed:
                self._open()
            elif self.path.is_file() and not self.path.is_symlink():
                self.path.unlink()  # of an earlier run; it would pass for this one's
        except OSError as error:
            raise self._unwritable(error) from None
        if self._when_needed and not os.access(self.path.parent, os.W_OK):
            missing = not self.path.parent.exists()
            raise self._unwritable(OSError(errno.ENOENT if missing else errno.EACCES, ""))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    def write(self, mapping: Mapping[str, Any]) -> None:
        """Write one line, whole or not at all."""
        line = json_line(mapping)
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
        self.count += 1

    def _open(self) -> io.FileIO:
        self._file = io.FileIO(1, "w", closefd=False) if str(self.path) == "-" else io.FileIO(self.path, "w")
        return self._file

    def _drop_torn_line(self) -> None:
        if self._file is not None and stat.S_ISREG(os.fstat(self._file.fileno()).st_mode):
            with suppress(OSError):
                self._file.truncate(self._size)

    def _unwritable(self, error: OSError) -> CommandError:
        reason = os.strerror(error.errno) if error.errno else str(error)
        return CommandError(f"cannot write {self.path}: {reason}", ExitCode.USAGE)
