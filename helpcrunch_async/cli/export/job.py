"""One export: rows from the account into a file, which appears under its name once it is whole."""

import io
import sys
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing, contextmanager, suppress
from pathlib import Path
from time import monotonic
from typing import Any, Final

from attrs import define, field

from helpcrunch_async.cli.account import Account
from helpcrunch_async.cli.exits import CommandError, ExitCode
from helpcrunch_async.cli.export.failures import ExportFailures
from helpcrunch_async.cli.files.layouts import Layout
from helpcrunch_async.cli.files.line_file import pieces_of, reason_in
from helpcrunch_async.cli.files.places import is_own, is_straight, make_beside, refuse_link
from helpcrunch_async.cli.files.row_file import RowFile, read_written
from helpcrunch_async.cli.problems import complain
from helpcrunch_async.cli.progress import FetchProgress
from helpcrunch_async.cli.reasons import is_about_all, reason_of
from helpcrunch_async.cli.search.ask import Ask
from helpcrunch_async.cli.stdout import is_terminal
from helpcrunch_async.cli.text import counted, printable
from helpcrunch_async.cli.waiting import waiting
from helpcrunch_async.client import HelpCrunchClient
from helpcrunch_async.errors import DecodeError, HelpCrunchError
from helpcrunch_async.models import Message

_PAGES_AHEAD: Final = 5


class Target:
    """Where an export goes: into a file beside the one of that name, whose place it takes when it is whole.

    What cannot be replaced, stdout, a device or a pipe, is written to as it comes.

    Args:
        path: of the file.
        layout: how rows stand in it.
        overwrite: replace the file, whatever is in it.
    """

    def __init__(self, path: Path, layout: Layout, *, overwrite: bool = False) -> None:
        self._path = path
        self._layout = layout
        self._overwrite = overwrite
        self._beside: Path | None = None
        self.rows: RowFile | None = None
        self.is_stdout: Final = str(path) == "-"
        self.is_whole: bool = False

    @property
    def name(self) -> str:
        """What to call it: where the rows are."""
        return "stdout" if self.is_stdout else str(self._beside or self._path)

    @property
    def count(self) -> int:
        """Rows written so far."""
        return 0 if self.rows is None else self.rows.count

    @contextmanager
    def writing(self) -> Iterator[RowFile]:
        """Take rows, until they are all there, or something fails: then what has arrived stays beside.

        Raises:
            CommandError: it cannot be written, or there is a file that `export` did not write.
        """
        refuse_link(self._path)
        if not is_straight(self._path):
            self._check()
            try:
                self._beside = make_beside(self._path)
            except OSError as error:
                raise self._unwritable(error) from None
        self.rows = RowFile(self._beside or self._path, self._layout)
        try:
            with self.rows as rows:
                yield rows
            self._finish()
        except BaseException:
            with suppress(OSError):
                self._abandon()
            raise
        self.is_whole = True

    def _check(self, path: Path | None = None) -> None:
        """Look whether the file may be replaced."""
        path = path or self._path
        if self._overwrite or not path.exists():
            return
        try:
            if not is_own(path.stat()):
                line = f"{path} is another user's: write elsewhere, or --overwrite the file"
                raise CommandError(line, ExitCode.USAGE)
            with waiting(f"Reading {printable(str(path))}"), io.FileIO(path) as file:
                read_written(pieces_of(file), self._layout, str(path))
        except OSError as error:
            raise self._unwritable(error) from None

    def _finish(self) -> None:
        if self._beside is None:
            return
        try:
            self._beside.replace(self._path)
        except OSError as error:
            raise self._unwritable(error) from None
        self._beside = None

    def _abandon(self) -> None:
        """Leave what has arrived under a name to be found by, but no file of nothing."""
        if self._beside is None:
            return
        if not self.count:
            self._beside.unlink()
            self._beside = None
            return
        part = self._path.with_name(f"{self._path.name}.part")
        with suppress(CommandError):
            refuse_link(part)
            self._check(part)
            self._beside = self._beside.replace(part)

    def _unwritable(self, error: OSError) -> CommandError:
        return CommandError(f"cannot write {self._path}: {reason_in(error)}", ExitCode.USAGE)


@define(eq=False)
class Export:
    """One run of `export`."""

    account: Account
    ask: Ask
    target: Target
    failed: ExportFailures
    noun: str
    chats: Sequence[int] | None = None
    """Whose messages; None is those of all chats that are asked for."""
    limit: int | None = None
    _failed_chats: int = 0
    _began: float = field(factory=monotonic)

    async def run(self) -> None:
        """Write rows as they arrive.

        Raises:
            CommandError: the file fails.
            HelpCrunchError: a page of the listing fails.
        """
        with self.target.writing() as rows:
            await self._write(rows)

    async def _write(self, rows: RowFile) -> None:
        async with self.account.client() as client:
            total = await self._total(client)
            with self.failed, FetchProgress(self.account.limiter, total) as progress:
                async with aclosing(self._rows(client)) as arriving:
                    async for row in arriving:
                        rows.write(row)
                        progress.advance()

    async def _total(self, client: HelpCrunchClient) -> int | None:
        """Ask how many there are, where a bar shows it; messages are not counted anywhere."""
        if self.noun == "messages" or not is_terminal(sys.stderr):
            return None
        try:
            page = await self.ask.listing(client).page(limit=1)
        except DecodeError as error:
            if error.page is None:
                raise
            page = error.page
        total: int | None = page.total
        return total if total is None or self.limit is None else min(total, self.limit)

    async def _rows(self, client: HelpCrunchClient) -> AsyncGenerator[Any, None]:
        if self.noun != "messages":
            listing = self.ask.listing(client, self.limit, self._skip).prefetch(_PAGES_AHEAD)
            async with aclosing(aiter(listing)) as rows:
                async for row in rows:
                    yield row
            return
        async with aclosing(self._chat_ids(client)) as chat_ids:
            async for chat_id in chat_ids:
                async with aclosing(self._messages(client, chat_id)) as messages:
                    async for message in messages:
                        yield message

    async def _chat_ids(self, client: HelpCrunchClient) -> AsyncGenerator[int, None]:
        if self.chats is not None:
            for chat_id in self.chats:
                yield chat_id
            return
        listing = self.ask.chats(client, self.limit, self._skip).prefetch(_PAGES_AHEAD)
        async with aclosing(aiter(listing)) as chats:
            async for chat in chats:
                yield chat.id

    async def _messages(self, client: HelpCrunchClient, chat_id: int) -> AsyncGenerator[Message, None]:
        """Give the messages of a chat; one that fails does not keep the others back."""

        def skip(place: str, problem: str) -> None:
            self._skip(f"chat {chat_id}, {place}", problem)

        listing = client.list_messages(chat_id, on_unreadable=skip).prefetch(_PAGES_AHEAD)
        try:
            async with aclosing(aiter(listing)) as messages:
                async for message in messages:
                    yield message
        except HelpCrunchError as error:
            if is_about_all(error):
                raise
            reason = reason_of(error)
            self.failed.write({"chat": chat_id}, reason.words, reason.code)
            self._failed_chats += 1
            complain(f"chat {chat_id}: {reason.words}")

    def _skip(self, place: str, problem: str) -> None:
        """Pass over a row that cannot be read."""
        self.failed.write({"place": place}, problem, "unreadable")

    def summary(self) -> dict[str, Any]:
        """Tell what has become of it so far, for scripts."""
        return {
            "out": self.target.name,
            self.noun: self.target.count,
            "failed": len(self.failed.codes),
            "requests": self.account.limiter.statistics.granted,
            "seconds": round(monotonic() - self._began, 3),
            "finished": self.target.is_whole,
        }

    def line(self) -> str:
        """Tell the same, for people."""
        summary = self.summary()
        parts = [f"{counted(self.target.count, self.noun.removesuffix('s'))} in {self.target.name}"]
        unreadable = len(self.failed.codes) - self._failed_chats
        if unreadable:
            parts.append(f"{counted(unreadable, 'row')} could not be read: see {self.failed.name}")
        if self._failed_chats:
            parts.append(f"{counted(self._failed_chats, 'chat')} failed")
        parts.append(f"{counted(summary['requests'], 'request')} in {summary['seconds']:.1f} s")
        if not self.target.is_whole:
            again = "" if self.target.is_stdout else ": the same command starts over"
            parts.append(f"not finished{again}")
        return "; ".join(parts)
