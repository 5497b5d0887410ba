"""A file of ids, or stdin, read no further than they are wanted."""

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

from helpcrunch_async.cli.exits import CommandError, ExitCode
from helpcrunch_async.cli.files.ids import IdParser

_CHUNK: Final = 65_536  # bytes; some eight thousand ids


class IdFile:
    """A file of ids; the path `-` is stdin.

    Args:
        path: of the file.
        column: which column of a CSV they are in; None is for one a line.
        what: what the ids are of.

    Raises:
        CommandError: when entered or read, if it cannot be read or something in it is no id.
    """

    def __init__(self, path: Path, column: str | None = None, what: str = "customer") -> None:
        self._path = path
        self._is_stdin = str(path) == "-"
        self._name = "stdin" if self._is_stdin else str(path)
        self._column = column
        self._what = what
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

    def check(self) -> int | None:
        """Read all of it, unless that would use it up, and count the ids; None is for a pipe.

        A line that is no id is better known before the first request than after the last.

        Raises:
            CommandError: something in it is no id.
        """
        if not self._is_regular:
            return None
        file, parser, count = self._opened(), self._parser(), 0
        try:
            start = file.tell()
            while chunk := file.read(_CHUNK):
                count += sum(1 for _ in parser.feed(chunk))
            count += sum(1 for _ in parser.finish())
            file.seek(start)
        except OSError as error:
            raise self._unreadable(error) from None
        return count

    async def __aiter__(self) -> AsyncIterator[int]:
        parser = self._parser()
        while chunk := await self._read():
            for each in parser.feed(chunk):
                yield each
            # a last line without its end comes at once, or it would miss the request of those before it
            if self._is_regular and len(chunk) < _CHUNK:
                break
        for each in parser.finish():
            yield each

    def _parser(self) -> IdParser:
        return IdParser(self._name, self._what, self._column)

    def _opened(self) -> io.FileIO:
        assert self._file is not None
        return self._file

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
            chunk, problem = b"", None
            try:
                chunk = self._opened().read(_CHUNK) or b""
            except OSError as error:
                problem = error
            with suppress(RuntimeError):  # the loop is closed: the command has ended meanwhile
                loop.call_soon_threadsafe(deliver, chunk, problem)

        threading.Thread(target=read, name="ids", daemon=True).start()
        return await answer

    def _unreadable(self, error: OSError) -> CommandError:
        reason = strerror(error.errno) if error.errno else str(error)
        return CommandError(f"cannot read {self._name}: {reason}", ExitCode.USAGE)
