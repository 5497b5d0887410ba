"""One export: rows from the account into a file, which appears under its name once it is whole."""

import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, suppress
from pathlib import Path
from time import monotonic
from typing import Any, Final

from attrs import define, field

from helpcrunch_async.cli.account import Account
from helpcrunch_async.cli.exits import CommandError, ExitCode
from helpcrunch_async.cli.files.layouts import Layout
from helpcrunch_async.cli.files.row_file import RowFile
from helpcrunch_async.cli.problems import complain
from helpcrunch_async.cli.progress import FetchProgress
from helpcrunch_async.cli.reasons import is_about_all, reason_of
from helpcrunch_async.cli.search.ask import Ask
from helpcrunch_async.cli.stdout import is_terminal
from helpcrunch_async.cli.text import counted
from helpcrunch_async.client import HelpCrunchClient
from helpcrunch_async.errors import HelpCrunchError
from helpcrunch_async.models import Message


class Target:
    """Where an export goes: beside the file of that name, which it replaces when it is whole.

    What is no regular file, stdout or a pipe, is written to as it comes.
    """

    def __init__(self, path: Path, layout: Layout) -> None:
        self._path = path
        is_pipe = str(path) == "-" or (path.exists() and not path.is_file())
        # a link stays one: what it leads to is replaced
        self._real = None if is_pipe else path.resolve() if path.is_symlink() else path
        self._beside = path if self._real is None else self._real.with_name(f"{self._real.name}.part")
        self.rows: Final = RowFile(self._beside, layout)
        self.is_whole: bool = False

    @property
    def name(self) -> str:
        """What to call it: where the rows are."""
        return str(self._path) if self.is_whole and self._real is not None else self.rows.name

    def finish(self) -> None:
        """Give the file its name, once it is closed."""
        if self._real is not None:
            try:
                self._beside.replace(self._real)
            except OSError as error:
                raise CommandError(f"cannot write {self._path}: {error.strerror}", ExitCode.USAGE) from None
        self.is_whole = True

    def abandon(self) -> None:
        """Leave what has arrived where it is, but no file of nothing."""
        if self._real is not None and not self.rows.count:
            with suppress(OSError):
                self._beside.unlink()


@define(eq=False)
class Export:
    """One run of `export`."""

    account: Account
    ask: Ask
    target: Target
    noun: str
    chats: Sequence[int] | None = None
    """Whose messages; None is those of all chats that are asked for."""
    limit: int | None = None
    codes: list[str] = field(factory=list)
    """Why chats failed."""
    _began: float = field(factory=monotonic)

    async def run(self) -> None:
        """Write rows as they arrive.

        Raises:
            CommandError: the file fails.
            HelpCrunchError: a page of the listing fails.
        """
        with self.target.rows as rows:
            try:
                await self._write(rows)
            except BaseException:
                self.target.abandon()
                raise
        self.target.finish()

    async def _write(self, rows: RowFile) -> None:
        async with self.account.client() as client:
            total = await self._total(client)
            with FetchProgress(self.account.limiter, total) as progress:
                async with aclosing(self._rows(client)) as arriving:
                    async for row in arriving:
                        rows.write(row)
                        progress.advance()

    async def _total(self, client: HelpCrunchClient) -> int | None:
        """Ask how many there are, where a bar shows it; messages are not counted anywhere."""
        if self.noun == "messages" or not is_terminal(sys.stderr):
            return None
        total = (await self.ask.listing(client).page(limit=1)).total
        return total if total is None or self.limit is None else min(total, self.limit)

    async def _rows(self, client: HelpCrunchClient) -> AsyncGenerator[Any, None]:
        if self.noun != "messages":
            async with aclosing(aiter(self.ask.listing(client, self.limit).prefetch())) as rows:
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
        async with aclosing(aiter(self.ask.chats(client, self.limit).prefetch())) as chats:
            async for chat in chats:
                yield chat.id

    async def _messages(self, client: HelpCrunchClient, chat_id: int) -> AsyncGenerator[Message, None]:
        """Give the messages of a chat; one that fails does not keep the others back."""
        try:
            async with aclosing(aiter(client.list_messages(chat_id).prefetch())) as messages:
                async for message in messages:
                    yield message
        except HelpCrunchError as error:
            if is_about_all(error):
                raise
            reason = reason_of(error)
            self.codes.append(reason.code)
            complain(f"chat {chat_id}: {reason.words}")

    def summary(self) -> dict[str, Any]:
        """Tell what has become of it so far, for scripts."""
        return {
            "out": self.target.name,
            self.noun: self.target.rows.count,
            "failed": len(self.codes),
            "requests": self.account.limiter.statistics.granted,
            "seconds": round(monotonic() - self._began, 3),
            "finished": self.target.is_whole,
        }

    def line(self) -> str:
        """Tell the same, for people."""
        summary = self.summary()
        parts = [f"{counted(self.target.rows.count, self.noun.removesuffix('s'))} in {self.target.name}"]
        if self.codes:
            parts.append(f"{counted(len(self.codes), 'chat')} failed")
        parts.append(f"{counted(summary['requests'], 'request')} in {summary['seconds']:.1f} s")
        if not self.target.is_whole:
            again = "" if self.target.rows.is_stdout else ": the same command starts over"
            parts.append(f"not finished{again}")
        return "; ".join(parts)
