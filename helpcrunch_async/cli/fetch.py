"""`helpcrunch fetch`: any number of customers into a file, as they arrive."""

import asyncio
import sys
from contextlib import aclosing
from pathlib import Path
from time import monotonic
from typing import Annotated, Final

import typer
from attrs import define, field

from helpcrunch_async.cli.account import Account, AllowHttp, BaseUrl, find_account
from helpcrunch_async.cli.id_file import IdFile
from helpcrunch_async.cli.json_lines import JsonLines
from helpcrunch_async.cli.problems import (
    CommandError,
    Debug,
    ExitCode,
    complain,
    exit_code_of,
    reason_of,
    run,
)
from helpcrunch_async.cli.progress import FetchProgress
from helpcrunch_async.converter import to_dict
from helpcrunch_async.errors import AuthenticationError, HelpCrunchError
from helpcrunch_async.models import Lookup
from helpcrunch_async.rate_limit import RateLimiter

_FAILURES_OF_STDOUT: Final = Path("helpcrunch.failures.jsonl")


def fetch(
    *,
    ids: Annotated[
        Path,
        typer.Option(
            "--ids", metavar="FILE|-", help="Customer ids, one a line; - is stdin.", show_default=False
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            "--out", metavar="FILE|-", help="Gets one JSON object a line; - is stdout.", show_default=False
        ),
    ],
    failures: Annotated[
        Path | None,
        typer.Option(
            "--failures",
            metavar="FILE",
            help="Gets id and reason of every id that failed; made only if one does.",
            show_default="OUT.failures.jsonl",
        ),
    ] = None,
    no_batch: Annotated[
        bool, typer.Option("--no-batch", help="Get each customer by itself, not a hundred by one search.")
    ] = False,
    base_url: BaseUrl = None,
    allow_http: AllowHttp = False,
    debug: Debug = False,
) -> None:
    """Fetch any number of customers into a file, one JSON object a line, in the order they arrive.

    What was in the files is replaced. What has arrived is on disk, in whole lines, whatever ends the
    command. The key comes from HELPCRUNCH_API_KEY; without it, a terminal is asked.
    """

    def work() -> ExitCode:
        account = find_account(base_url, allow_http=allow_http)
        with IdFile(ids) as id_file:
            failures_path = failures or _default_failures(out)
            for path in (out, failures_path):
                if id_file.is_same_as(path):
                    raise CommandError(f"{path} holds the ids: write elsewhere", ExitCode.USAGE)
            if out.absolute() == failures_path.absolute():
                raise CommandError("--out and --failures are the same file", ExitCode.USAGE)
            with JsonLines(out) as found, JsonLines(failures_path, when_needed=True) as failed:
                job = _Fetch(account, id_file, found, failed, batch=not no_batch)
                try:
                    asyncio.run(job.run())
                finally:
                    complain(job.summary())
        return exit_code_of(job.kinds.values())

    run(work, debug=debug)


def _default_failures(out: Path) -> Path:
    return _FAILURES_OF_STDOUT if str(out) == "-" else Path(f"{out}.failures.jsonl")


@define(eq=False)
class _Fetch:
    """One run from ids to files."""

    account: Account
    ids: IdFile
    found: JsonLines
    failed: JsonLines
    batch: bool = field(kw_only=True)
    limiter: RateLimiter = field(factory=RateLimiter)
    kinds: dict[type[HelpCrunchError], HelpCrunchError] = field(factory=dict)
    """One error of every kind that occurred."""
    _began: float = field(factory=monotonic)

    async def run(self) -> None:
        """Write results as they arrive.

        Raises:
            CommandError: a line that is no id, once all before it are done; a file that fails.
            AuthenticationError: the key is refused: going on is pointless.
        """
        total = self.ids.count() if sys.stderr.isatty() else None
        with FetchProgress(self.limiter, total) as progress:
            async with (
                self.account.client(self.limiter) as client,
                aclosing(client.stream_customers(self.ids, batch=self.batch)) as lookups,
            ):
                async for lookup in lookups:
                    self._take(lookup)
                    progress.advance(failed=lookup.error is not None)

    def _take(self, lookup: Lookup) -> None:
        error = lookup.error
        if error is None:
            self.found.write(to_dict(lookup.customer))
        elif isinstance(error, AuthenticationError):
            raise error
        else:
            self.kinds[type(error)] = error
            self.failed.write({"id": lookup.id, "reason": reason_of(error), "error": type(error).__name__})

    def summary(self) -> str:
        """Tell in one line what has become of it so far."""
        found, failed = self.found, self.failed
        parts = [f"{_counted(found.count, 'customer')} in {_name(found.path)}"]
        if failed.count:
            parts.append(f"{failed.count:,} failed, see {failed.path}")
        requests = _counted(self.limiter.statistics.granted, "request")
        parts.append(f"{requests} in {monotonic() - self._began:.1f} s")
        return "; ".join(parts)


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _name(path: Path) -> str:
    return "stdout" if str(path) == "-" else str(path)
