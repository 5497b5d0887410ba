"""One run of a fetch: ids in, customers and failures out."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from time import monotonic
from typing import Final

from attrs import define, field

from helpcrunch_async.cli.account import Account
from helpcrunch_async.cli.exits import CommandError, ExitCode
from helpcrunch_async.cli.fetch.failures import Failures
from helpcrunch_async.cli.fetch.summary import Summary
from helpcrunch_async.cli.files.id_file import IdFile
from helpcrunch_async.cli.files.row_file import RowFile
from helpcrunch_async.cli.progress import FetchProgress
from helpcrunch_async.cli.reasons import is_final, reason_of
from helpcrunch_async.errors import AuthenticationError
from helpcrunch_async.models import Lookup

_HOPELESS: Final = 200
"""Customers in a row that fail for no fault of theirs: going on would do the same to all others."""


@define(eq=False)
class Fetch:
    """One run: what is in the files already is not asked for again, what failed on the way is."""

    account: Account
    ids: IdFile
    found: RowFile
    failed: Failures
    batch: bool = field(kw_only=True)
    total: int | None = field(kw_only=True)
    """Ids to come; None when nobody knows."""
    finished: bool = False
    _done: set[int] = field(factory=set)
    """Ids that are not to be asked for, or were."""
    _in_a_row: int = 0
    _requests: int = 0
    _began: float = field(factory=monotonic)

    async def run(self) -> None:
        """Write results as they arrive.

        Raises:
            CommandError: a line that is no id, once all before it are done; a file that fails; or nothing
                gets through any more.
            AuthenticationError: the key is refused: going on is pointless.
        """
        self._done = self.failed.settle(self.found.ids)
        self._done |= self.found.ids
        with FetchProgress(self.account.limiter, self.total) as progress:
            async with (
                self.account.client() as client,
                aclosing(client.stream_customers(self._wanted(progress), batch=self.batch)) as lookups,
            ):
                async for lookup in lookups:
                    self._take(lookup)
                    progress.advance(failed=lookup.error is not None)
        self.finished = True

    async def _wanted(self, progress: FetchProgress) -> AsyncIterator[int]:
        async for each in self.ids:
            if each in self._done:
                progress.skip()
            else:
                self._done.add(each)
                yield each

    def _take(self, lookup: Lookup) -> None:
        # noted here, since turns that are cancelled in the end are counted and never used
        self._requests = self.account.limiter.statistics.granted
        error = lookup.error
        if error is None:
            self.found.write(lookup.customer)
            self.failed.overcome(lookup.id)
            self._in_a_row = 0
            return
        if isinstance(error, AuthenticationError):
            raise error
        self.failed.write(lookup.id, error)
        reason = reason_of(error)
        self._in_a_row = 0 if is_final(reason.code) else self._in_a_row + 1
        if self._in_a_row >= _HOPELESS:
            raise CommandError(
                f"stopped, since {_HOPELESS} customers in a row failed: {reason.words}", ExitCode.FAILED
            )

    def summary(self) -> Summary:
        """Tell what has become of it so far."""
        found = self.found
        return Summary(
            out=found.name,
            arrived=found.count,
            before=len(found.ids),
            failed=len(self.failed.codes),
            failures=None if self.failed.path is None else str(self.failed.path),
            requests=self._requests,
            seconds=monotonic() - self._began,
            finished=self.finished,
            resumable=not found.is_stdout,
        )
