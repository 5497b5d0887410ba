"""A file of ids, or stdin, read no further than they are wanted."""

import asyncio
import io
import stat
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from os import fstat
from os.path import samestat
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from helpcrunch_async.cli.exits import CommandError, ExitCode
from helpcrunch_async.cli.files.ids import IdParser
from helpcrunch_async.cli.files.line_file import reason_in

_PIECE: Final = 65_536  # bytes; some eight thousand ids


class IdFile:
    """A file of ids; the path `-` is stdin.

    Args:
        path: of the file.
        column: which column of a CSV they are in; None is for one a line.
        what: what the ids are of.

    Raises:
        CommandError: when entered or read, if it cannot be read, something in it is no id, or
            there is not one id.
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
        file = self._opened()
        try:
            start = file.tell()
            count = sum(1 for _ in self._parse(self._pieces()))
            file.seek(start)
        except OSError as error:
            raise self._unreadable(error) from None
        return count

    async def __aiter__(self) -> AsyncIterator[int]:
        if self._is_regular:
            for each in self._parse(self._pieces()):
                yield each
            return
        with _Reader(self._parse, self._pieces()) as reader:
            while ids := await reader.more():
                for each in ids:
                    yield each

    def _parse(self, pieces: Iterator[bytes]) -> Iterator[int]:
        return iter(IdParser(pieces, self._name, self._what, self._column))

    def _opened(self) -> io.FileIO:
        assert self._file is not None
        return self._file

    def _pieces(self) -> Iterator[bytes]:
        try:
            while piece := self._opened().read(_PIECE):
                yield piece
        except OSError as error:
            raise self._unreadable(error) from None

    def _unreadable(self, error: OSError) -> CommandError:
        return CommandError(f"cannot read {self._name}: {reason_in(error)}", ExitCode.USAGE)


class _Reader:
    """Reads ids in a thread: a pipe may have nothing to say for long.

    Args:
        parse: makes ids of bytes.
        pieces: the bytes; the next ones are awaited when all ids of those before are taken.
    """

    def __init__(self, parse: Callable[[Iterator[bytes]], Iterator[int]], pieces: Iterator[bytes]) -> None:
        self._loop = asyncio.get_running_loop()
        self._ids: asyncio.Queue[list[int] | Exception] = asyncio.Queue()
        self._parse = parse
        self._pieces = pieces
        self._found: list[int] = []
        self._wanted = threading.Semaphore(0)
        self._is_closed = False
        # a daemon: nobody waits for it when the command is interrupted
        self._thread = threading.Thread(target=self._read, name="ids", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._is_closed = True
        self._wanted.release()

    async def more(self) -> list[int]:
        """Wait for more ids; none are left when there are none."""
        self._wanted.release()
        ids = await self._ids.get()
        if isinstance(ids, Exception):
            raise ids
        return ids

    def _read(self) -> None:
        problem: Exception | None = None
        self._wanted.acquire()
        try:
            for each in self._parse(self._pieces_when_wanted()):
                self._found.append(each)
        except Exception as error:  # noqa: BLE001 - raised where the ids are awaited
            problem = error
        self._hand_over()
        self._put(problem or [])

    def _pieces_when_wanted(self) -> Iterator[bytes]:
        while not self._is_closed and (piece := next(self._pieces, b"")):
            yield piece
            self._hand_over()

    def _hand_over(self) -> None:
        """Hand over what was found, and wait until more is wanted."""
        if self._found:
            found, self._found = self._found, []
            self._put(found)
            self._wanted.acquire()

    def _put(self, ids: list[int] | Exception) -> None:
        with suppress(RuntimeError):  # the loop is closed: the command has ended meanwhile
            self._loop.call_soon_threadsafe(self._ids.put_nowait, ids)
