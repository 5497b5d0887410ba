"""`helpcrunch doctor`, as it is typed."""

import asyncio
import sys
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

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

_STYLES = {State.GOOD: "green", State.ODD: "yellow", State.BAD: "red", State.SKIPPED: "dim"}


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
        findings = [*look_at_versions(), *_look_beyond(base_url, allow_http=allow_http, use_proxy=use_proxy)]
        if as_json:
            stdout.put(json_line(_to_dict(findings)))
        else:
            _show(findings)
        return _exit_code(findings)

    run(work, debug=debug)


def _look_beyond(base_url: str | None, *, allow_http: bool, use_proxy: bool) -> list[Finding]:
    """Look at what the environment says of the account, and ask HelpCrunch if that is usable."""
    try:
        url = find_base_url(base_url, allow_http=allow_http)
    except CommandError as error:
        return [Finding("base URL", State.BAD, str(error), "such as https://...", error.exit_code)]
    own = " (HelpCrunch's own)" if url == BASE_URL else ""
    findings = [
        Finding("base URL", State.GOOD, f"{url}{own}"),
        look_at_proxies(url, use_proxy=use_proxy),
    ]
    try:
        key = find_key()
    except CommandError as error:
        advice = "in HelpCrunch: Settings, Developers, Public API; then export HELPCRUNCH_API_KEY=..."
        return [*findings, Finding("key", State.BAD, str(error), advice, error.exit_code)]
    account = Account(key, url, use_proxy)
    return [*findings, *asyncio.run(look_at_helpcrunch(account, Watch()))]


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
            stdout.put(f"{each.state.value:4}  {each.what:16}  {printable(each.words)}{advice}\n".encode())
        return
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for each in findings:
        grid.add_row(
            Text(each.state.value, style=_STYLES[each.state]), each.what, Text(printable(each.words))
        )
        if each.advice:
            grid.add_row("", "", Text(f"→ {each.advice}", style="bold"))
    Console().print(grid)
