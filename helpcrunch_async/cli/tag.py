"""`helpcrunch tag`: tags put on customers, or taken off."""

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Final

import typer
from attrs import define, field

from helpcrunch_async.cli import stdout
from helpcrunch_async.cli.account import (
    DEFAULT_BUDGET,
    Account,
    AllowHttp,
    BaseUrl,
    Budget,
    UseProxy,
    find_account,
)
from helpcrunch_async.cli.exits import CommandError, ExitCode
from helpcrunch_async.cli.files.id_file import IdFile
from helpcrunch_async.cli.options import AsJson, Column
from helpcrunch_async.cli.problems import Debug, complain, run, telling
from helpcrunch_async.cli.progress import FetchProgress
from helpcrunch_async.cli.reasons import exit_code_of, is_about_all, reason_of
from helpcrunch_async.cli.text import counted, json_line
from helpcrunch_async.client import HelpCrunchClient
from helpcrunch_async.errors import HelpCrunchError
from helpcrunch_async.models import Customer

_AT_ONCE: Final = 20


def tag(
    customers: Annotated[
        list[int] | None,
        typer.Argument(metavar="ID", min=1, help="HelpCrunch's customer ids.", show_default=False),
    ] = None,
    *,
    add: Annotated[
        list[str] | None,
        typer.Option("--add", metavar="TAG", help="Put this tag on; may be given again.", show_default=False),
    ] = None,
    remove: Annotated[
        list[str] | None,
        typer.Option(
            "--remove", metavar="TAG", help="Take this tag off; may be given again.", show_default=False
        ),
    ] = None,
    ids: Annotated[
        Path | None,
        typer.Option(
            "--ids",
            metavar="FILE|-",
            help="More customer ids, one a line; - is stdin.",
            show_default=False,
        ),
    ] = None,
    column: Column = None,
    as_json: AsJson = False,
    budget: Budget = DEFAULT_BUDGET,
    base_url: BaseUrl = None,
    allow_http: AllowHttp = False,
    use_proxy: UseProxy = False,
    debug: Debug = False,
) -> None:
    """Put tags on customers, or take them off; other tags stay.

    Each customer takes a request to add and another to remove. A tag that is there already, or gone, is no
    error, so the same command may be run again. In a pipe, or with --json, each customer that was tagged is a
    JSON line with its id and all its tags.
    """

    def work() -> ExitCode:
        if not (add or remove):
            raise CommandError("which tags? Give --add or --remove", ExitCode.USAGE)
        if both := set(add or ()) & set(remove or ()):
            raise CommandError(f"both to add and to remove: {min(both)}", ExitCode.USAGE)
        if "" in (*(add or ()), *(remove or ())):
            raise CommandError("a tag has a name", ExitCode.USAGE)
        if not customers and ids is None:
            raise CommandError("which customers? Give ids, or a file of them with --ids", ExitCode.USAGE)
        account = find_account(base_url, allow_http=allow_http, use_proxy=use_proxy, budget=budget)
        with ExitStack() as stack:
            id_file = None if ids is None else stack.enter_context(IdFile(ids, column))
            given = customers or []
            in_file = 0 if id_file is None else id_file.check()
            total = None if in_file is None else len(given) + in_file
            in_lines = as_json or not stdout.is_terminal(sys.stdout)
            job = _Tagging(account, given, id_file, add or [], remove or [], in_lines=in_lines)
            with telling(job.tell):
                asyncio.run(job.run(total))
        return exit_code_of(job.codes)

    run(work, debug=debug)


@define(eq=False)
class _Tagging:
    """One run of `tag`."""

    account: Account
    given: Sequence[int]
    id_file: IdFile | None
    add: Sequence[str]
    remove: Sequence[str]
    in_lines: bool = field(kw_only=True)
    done: int = 0
    codes: list[str] = field(factory=list)
    """Why customers failed."""
    _unfit: CommandError | None = None

    async def run(self, total: int | None) -> None:
        """Tag all of them, several at once.

        Raises:
            CommandError: a line that is no id.
            HelpCrunchError: something that all customers would meet.
        """
        with FetchProgress(self.account.limiter, total) as progress:
            async with self.account.client() as client:
                patient = client.with_options(priority="bulk")
                wanted = self._wanted(progress)
                one_at_a_time = asyncio.Lock()

                async def work() -> None:
                    while True:
                        async with one_at_a_time:
                            customer_id = await anext(wanted, None)
                        if customer_id is None:
                            return
                        failed = not await self._tag(patient, customer_id)
                        progress.advance(failed=failed)

                try:
                    async with asyncio.TaskGroup() as group:
                        for _ in range(_AT_ONCE):
                            group.create_task(work())
                except* (HelpCrunchError, CommandError, BrokenPipeError) as problems:
                    problem: BaseException | None = problems.exceptions[0]
                else:
                    problem = self._unfit
        if problem is not None:
            raise problem

    async def _wanted(self, progress: FetchProgress) -> AsyncIterator[int]:
        """Give each id once, until there are no more or one is none: what is under way then may end."""
        seen: set[int] = set()
        try:
            async for each in self._given():
                if each in seen:
                    progress.skip()
                else:
                    seen.add(each)
                    yield each
        except CommandError as problem:
            self._unfit = problem

    async def _given(self) -> AsyncIterator[int]:
        for each in self.given:
            yield each
        if self.id_file is not None:
            async for each in self.id_file:
                yield each

    async def _tag(self, client: HelpCrunchClient, customer_id: int) -> bool:
        customer: Customer | None = None
        try:
            if self.add:
                customer = await client.tag_customer(customer_id, self.add)
            if self.remove:
                customer = await client.untag_customer(customer_id, self.remove)
        except HelpCrunchError as error:
            if is_about_all(error):
                raise
            reason = reason_of(error)
            self.codes.append(reason.code)
            complain(f"customer {customer_id}: {reason.words}")
            return False
        self.done += 1
        if self.in_lines and customer is not None:
            stdout.put(json_line({"id": customer_id, "tags": [each.name for each in customer.tags]}))
        return True

    def tell(self, interrupted: bool) -> None:  # noqa: FBT001 - `telling` gives it
        """Tell what has become of it so far, if anything has."""
        if not (self.done or self.codes or interrupted):
            return
        parts = [f"{counted(self.done, 'customer')} changed"]
        if self.codes:
            parts.append(f"{len(self.codes):,} failed")
        if interrupted:
            parts.append("not finished: the same command may be run again")
        complain("; ".join(parts))
