"""`helpcrunch doctor`, as it is typed."""

import asyncio
import sys
from collections.abc import Iterator, Sequence
from typing import Final

from helpcrunch_async.cli import stdout
from helpcrunch_async.cli.account import (
    Account,
    AllowHttp,
    BaseUrl,
    UseProxy,
    find_base_url,
    find_key,
)
from helpcrunch_async.cli.doctor.finding import Finding, State
from helpcrunch_async.cli.doctor.machine import look_at_proxies, look_at_versions
from helpcrunch_async.cli.doctor.reach import Watch, look_at_helpcrunch
from helpcrunch_async.cli.exits import CommandError, ExitCode, worst_of
from helpcrunch_async.cli.options import AsJson
from helpcrunch_async.cli.problems import Debug, run
from helpcrunch_async.cli.text import json_line, printable
from helpcrunch_async.protocol import BASE_URL

_WIDTH: Final = 16  # of what was looked at
_STYLES: Final = {State.GOOD: "green", State.ODD: "yellow", State.BAD: "red", State.SKIPPED: "dim"}


def doctor(
    *,
    as_json: AsJson = False,
    base_url: BaseUrl = None,
    allow_http: AllowHttp = False,
    use_proxy: UseProxy = False,
    debug: Debug = False,
) -> None:
    """Check versions, proxies, reach, key and clock, and say what to do.

    It costs one request of the account's budget. The exit code is 0 when nothing is in the way: see below.
    """

    def work() -> ExitCode:
        findings: list[Finding] = []
        for some in _look(base_url, allow_http=allow_http, use_proxy=use_proxy):
            findings += some
            if not as_json:
                _show(some)
        if as_json:
            stdout.put(json_line(_to_dict(findings)))
        return _exit_code(findings)

    run(work, debug=debug)


def _look(base_url: str | None, *, allow_http: bool, use_proxy: bool) -> Iterator[list[Finding]]:
    """Look at this machine, and ask HelpCrunch if possible; what is known comes before a key is asked for."""
    yield look_at_versions()
    try:
        url = find_base_url(base_url, allow_http=allow_http)
    except CommandError as error:
        yield [Finding("base URL", State.BAD, str(error), "such as https://...", error.exit_code)]
        return
    own = " (HelpCrunch's own)" if url == BASE_URL else ""
    yield [Finding("base URL", State.GOOD, f"{url}{own}"), look_at_proxies(url, use_proxy=use_proxy)]
    try:
        key = find_key()
    except CommandError as error:
        advice = "in HelpCrunch: Settings, Developers, Public API; then export HELPCRUNCH_API_KEY=..."
        yield [Finding("key", State.BAD, str(error), advice, error.exit_code)]
        return
    yield asyncio.run(look_at_helpcrunch(Account(key, url, use_proxy), Watch()))


def _exit_code(findings: Sequence[Finding]) -> ExitCode:
    codes = {each.exit_code for each in findings}
    return ExitCode.USAGE if ExitCode.USAGE in codes else worst_of(codes)


def _to_dict(findings: Sequence[Finding]) -> dict[str, object]:
    return {
        "ok": all(each.state is not State.BAD for each in findings),
        "checks": [
            {"check": each.what, "state": each.state.value, "found": each.words, "advice": each.advice}
            for each in findings
        ],
    }


def _show(findings: Sequence[Finding]) -> None:
    if not stdout.is_terminal(sys.stdout):
        for each in findings:
            advice = f" -> {each.advice}" if each.advice else ""
            line = f"{each.state.value:4}  {each.what:{_WIDTH}}  {printable(each.words)}{advice}\n"
            stdout.put(line.encode())
        stdout.flush()
        return
    from rich.console import Console  # noqa: PLC0415 - takes long, and only terminals need it
    from rich.table import Table  # noqa: PLC0415 - the same
    from rich.text import Text  # noqa: PLC0415 - the same

    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True, width=4)
    grid.add_column(no_wrap=True, width=_WIDTH)
    grid.add_column(overflow="fold")
    for each in findings:
        grid.add_row(
            Text(each.state.value, style=_STYLES[each.state]), each.what, Text(printable(each.words))
        )
        if each.advice:
            grid.add_row("", "", Text(f"→ {each.advice}", style="bold"))
    Console().print(grid)
