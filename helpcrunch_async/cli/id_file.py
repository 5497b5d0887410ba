"""Customer ids from a file or from stdin, one a line, read no further than they are wanted."""

import asyncio
import io
import stat
import threading
from collections.abc import AsyncIterator
from contextlib import suppress
from os import fstat, strerror
from os.path import samestat
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from helpcrunch_async.cli.problems import CommandError, ExitCode

_CHUNK: Final = 65_536  # bytes; some eight thousand ids
_LONGEST: Final = 18  # digits; int() of untold thousands of them would be refused anyway
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"


class IdFile:
    """A file of ids; the path `-` is stdin.

    Raises:
        CommandError: when entered or read, if it cannot be read or a line is no id.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._is_stdin = str(path) == "-"
        self._name = "stdin" if self._is_stdin else str(path)
        self._file: io.FileIO | None = None
        self._is_regular = False

    def __enter__(self) -> Self:
        try:
            # raw: a reader thread that blocks in a buffered stdin keeps the interpreter from ending
            self._file = io.FileIO(0, closefd=False) if self._is_stdin else io.FileIO(self._path)
        except OSError as error:
            raise self._unreadable(error) from None
        self._is_regular = stat.S_ISREG(fstat(self._file.fileno()).st_mode)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    def is_same_as(self, path: Path) -> bool:
        """Tell whether a path leads to this very file."""
        assert self._file is not None
        with suppress(OSError):
            return self._is_regular and samestat(fstat(self._file.fileno()), path.stat())
        return False

    def count(self) -> int | None:
        """Count the ids that are to come; None when that would use them up."""
        if self._is_stdin or not self._is_regular:
            return None
        with suppress(OSError), self._path.open("rb") as lines:
            return sum(1 for line in lines if line.strip())
        return None

    async def __aiter__(self) -> AsyncIterator[int]:
        number = 0
        async for line in self._lines():
            if number == 0:
                line = line.removeprefix(_BYTE_ORDER_MARK)  # noqa: PLW2901 - the same line, cleaned
            number += 1
            word = line.strip()
            if not word:
                continue
            if not (word.isdigit() and len(word) <= _LONGEST and int(word)):
                shown = word[:40].decode("utf-8", "replace")
                raise CommandError(f"{self._name}, line {number}: not a customer id: {shown}", ExitCode.USAGE)
            yield int(word)

    async def _lines(self) -> AsyncIterator[bytes]:
        rest = b""
        while chunk := await self._read():
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                yield line
            # a last line without its end comes at once, or it would miss the request of those before it
            at_end = self._is_regular and len(chunk) < _CHUNK
            if at_end or len(rest) > _CHUNK:  # or not a text file
                break
        if rest:
            yield rest

    async def _read(self) -> bytes:
        """Read what there is, in a thread: a pipe may have nothing to say for long.

        A daemon, since nobody waits for it when the command is interrupted.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[bytes] = loop.create_future()

        def deliver(chunk: bytes, error: OSError | None) -> None:
            if answer.done():
                return
            if error is None:
                answer.set_result(chunk)
            else:
                answer.set_exception(self._unreadable(error))

        def read() -> None:
            assert self._file is not None
            chunk, problem = b"", None
            try:
                chunk = self._file.read(_CHUNK) or b""
            except OSError as error:
                problem = error
            with suppress(RuntimeError):  # the loop is closed: the command has ended meanwhile
                loop.call_soon_threadsafe(deliver, chunk, problem)

        threading.Thread(target=read, name="ids", daemon=True).start()
        return await answer

    def _unreadable(self, error: OSError) -> CommandError:
        reason = strerror(error.errno) if error.errno else str(error)
        return CommandError(f"cannot read {self._name}: {reason}", ExitCode.USAGE)
