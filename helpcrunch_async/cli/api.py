"""`helpcrunch api`: any endpoint, also one that nothing else here knows."""

import asyncio
import itertools
import sys
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import parse_qsl, urlsplit

import typer

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
from helpcrunch_async.cli.files.line_file import reason_in
from helpcrunch_async.cli.problems import Debug, run
from helpcrunch_async.cli.text import json_line, pretty_json
from helpcrunch_async.cli.waiting import waiting
from helpcrunch_async.client import HelpCrunchClient
from helpcrunch_async.converter.bodies import raw_page
from helpcrunch_async.endpoints import raw_request
from helpcrunch_async.errors import APIError
from helpcrunch_async.listing import Listing
from helpcrunch_async.models import Page
from helpcrunch_async.strict_json import NotJSONError, loads

_METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")


def api(
    method: Annotated[
        str, typer.Argument(metavar="METHOD", help="GET, POST, PUT, PATCH or DELETE.", show_default=False)
    ],
    path: Annotated[
        str,
        typer.Argument(metavar="PATH", help="Below the base URL, such as customers/7.", show_default=False),
    ],
    *,
    field: Annotated[
        list[str] | None,
        typer.Option(
            "--field",
            "-f",
            metavar="NAME=VALUE",
            help="Of the query of a GET, of the body otherwise; may be given again. A value is JSON if it can "
            'be read as such, and text otherwise: 7 is a number, "7" with its quotes is text.',
            show_default=False,
        ),
    ] = None,
    input_: Annotated[
        Path | None,
        typer.Option("--input", metavar="FILE|-", help="The body, as JSON; - is stdin.", show_default=False),
    ] = None,
    paginate: Annotated[
        bool,
        typer.Option("--paginate", help="Print the rows of all pages of a listing or search, one a line."),
    ] = False,
    budget: Budget = DEFAULT_BUDGET,
    base_url: BaseUrl = None,
    allow_http: AllowHttp = False,
    use_proxy: UseProxy = False,
    debug: Debug = False,
) -> None:
    """Send a request to any endpoint, and print the JSON of the answer.

    It waits for its turn as everything here does. Only a GET is sent again when it fails on the way. What
    HelpCrunch says of a request that it refuses is printed, too.
    """

    def work() -> ExitCode:
        call = _call_of(method.upper(), path, field or (), input_, paginate=paginate)
        account = find_account(base_url, allow_http=allow_http, use_proxy=use_proxy, budget=budget)
        try:
            if paginate:
                asyncio.run(_put_rows(account, call))
            else:
                _put(asyncio.run(_ask(account, call)))
        except APIError as error:
            said = {"code": error.code, "message": error.message}
            _put(
                {"errors": [{"code": each.code, "message": each.message} for each in error.errors] or [said]}
            )
            raise
        return ExitCode.DONE

    run(work, debug=debug)


class _Call:
    """What is asked for."""

    def __init__(self, method: str, path: str, query: Mapping[str, str | int], body: Any) -> None:
        self._method, self._path, self._query, self._body = method, path, query, body
        raw_request(
            method, path, query=query, body=body, repeatable=None
        )  # which refuses what cannot be sent

    async def send(self, client: HelpCrunchClient, part: Mapping[str, int] | None = None) -> Any:
        """Send it, or a part of its pages."""
        query, body = self._query, self._body
        if part is not None and self._method == "GET":
            query = {**query, **part}
        elif part is not None:
            body = {**(body or {}), **part}
        return await client.request(self._method, self._path, query=query, body=body)


def _call_of(method: str, path: str, fields: Sequence[str], file: Path | None, *, paginate: bool) -> _Call:
    """Read what was typed.

    Raises:
        CommandError: it cannot be sent.
    """
    if method not in _METHODS:
        raise CommandError(f"the method is one of {', '.join(_METHODS)}, not {method}", ExitCode.USAGE)
    if method == "GET" and file is not None:
        raise CommandError("a GET has no body: leave out --input", ExitCode.USAGE)
    if fields and file is not None:
        raise CommandError("--field or --input, not both", ExitCode.USAGE)
    where = urlsplit(path)
    query: dict[str, Any] = dict(parse_qsl(where.query, keep_blank_values=True))
    given = dict(map(_field, fields))
    body = given or None if file is None else _body_in(file)
    if method == "GET":
        query, body = {**query, **given}, None
    if paginate:
        if method != "GET" and not (method == "POST" and where.path.endswith("/search")):
            raise CommandError("--paginate is for GET, and for POST to a search", ExitCode.USAGE)
        if not isinstance(body, dict | None) or {"limit", "offset"} & {*query, *(body or {})}:
            raise CommandError("--paginate sets limit and offset itself", ExitCode.USAGE)
    try:
        return _Call(method, where.path, query, body)
    except (TypeError, ValueError) as error:
        problem = str(error)
    raise CommandError(problem, ExitCode.USAGE)


def _field(typed: str) -> tuple[str, Any]:
    name, sign, value = typed.partition("=")
    if not (name and sign):
        raise CommandError(f"--field takes NAME=VALUE, not {typed}", ExitCode.USAGE)
    try:
        return name, loads(value)
    except NotJSONError:
        return name, value


def _body_in(file: Path) -> Any:
    try:
        content = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise CommandError(f"cannot read {file}: {reason_in(error)}", ExitCode.USAGE) from None
    try:
        return loads(content)
    except NotJSONError as error:
        problem = str(error)
    raise CommandError(f"{file} is {problem}", ExitCode.USAGE)


async def _ask(account: Account, call: _Call) -> Any:
    with waiting():
        async with account.client() as client:
            return await call.send(client)


async def _put_rows(account: Account, call: _Call) -> None:
    numbers = itertools.count(-1, -1)  # for rows without an id, none of which is taken for another

    def row_id(row: Any) -> int:
        number = row.get("id") if isinstance(row, dict) else None
        return number if isinstance(number, int) else next(numbers)

    async with account.client() as client:
        patient = client.with_options(priority="bulk")

        async def fetch_page(offset: int, limit: int) -> Page[Any]:
            return raw_page(await call.send(patient, {"limit": limit, "offset": offset}), offset=offset)

        async with aclosing(aiter(Listing(fetch_page, row_id))) as rows:
            async for row in rows:
                stdout.put(json_line(row))
                stdout.flush()


def _put(answer: Any) -> None:
    if answer is not None:
        stdout.put(pretty_json(answer) if stdout.is_terminal(sys.stdout) else json_line(answer))
