"""`helpcrunch sandbox`: an account to develop against, in whatever language, until Ctrl-C."""

import asyncio
import json
import os
import secrets
import shlex
import signal
import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from enum import StrEnum
from ipaddress import ip_address
from typing import Annotated, Any, Final

import typer

from helpcrunch_async.cli.exits import CommandError, ExitCode
from helpcrunch_async.cli.oddities import ODDITIES_HELP, Oddity, make_odd
from helpcrunch_async.cli.options import AsJson
from helpcrunch_async.cli.problems import Debug, run
from helpcrunch_async.cli.text import printable
from helpcrunch_async.testing import FakeHelpCrunch, RecordedRequest, RollingLog

EPILOG: Final = (
    f"{ODDITIES_HELP}\n\nEnvironment: clients of the library reach it by HELPCRUNCH_API_KEY and "
    "HELPCRUNCH_BASE_URL, as it says when it starts; HELPCRUNCH_SIGNING_KEY signs webhooks.\n\n"
    "Exit codes: 0 ended by Ctrl-C or SIGTERM; 1 something failed; 2 wrong usage, or the port is in use."
)
_LOOPBACK: Final = "127.0.0.1"
_SIGNING_KEY: Final = "HELPCRUNCH_SIGNING_KEY"


class SpellingChoice(StrEnum):
    """What `--spelling` takes."""

    OLD = "old"
    NEW = "new"


def sandbox(
    *,
    host: Annotated[
        str,
        typer.Option(
            help="Address to listen on. Beyond the loopback, anybody who reaches the port can use the "
            "sandbox: 0.0.0.0 is every address of this machine, for containers."
        ),
    ] = _LOOPBACK,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 finds a free one.")] = 8765,
    key: Annotated[
        str, typer.Option(help="The API key to accept. No secret: it opens nothing else.")
    ] = "sandbox",
    customers: Annotated[int, typer.Option(min=0, max=1_000_000, help="Customers to make up.")] = 100,
    chats: Annotated[int, typer.Option(min=0, max=100_000, help="Chats to make up for them.")] = 20,
    seed: Annotated[int, typer.Option(help="The same seed gives the same account.")] = 0,
    limit: Annotated[int, typer.Option(min=0, help="Requests in any period; 0 for no limit.")] = 120,
    period: Annotated[float, typer.Option(min=0.1, help="Seconds of a period.")] = 60.0,
    retry_after: Annotated[
        bool, typer.Option("--retry-after/--no-retry-after", help="Whether a 429 says when to come back.")
    ] = False,
    spelling: Annotated[
        SpellingChoice, typer.Option(help="Which generation of HelpCrunch's documented answers to give.")
    ] = SpellingChoice.NEW,
    odd: Annotated[
        list[Oddity] | None,
        typer.Option(
            metavar="NAME",
            help="An oddity that clients have to survive: see below. May be given several times.",
        ),
    ] = None,
    latency: Annotated[float, typer.Option(min=0, help="Seconds to hold back every answer.")] = 0.0,
    webhooks_to: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help=f"Loopback URL to send signed webhooks to; the signing key comes from {_SIGNING_KEY}, or is "
            "made up and shown.",
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No line on stderr for every request.")] = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Run a HelpCrunch account on this machine to develop against, in any language.

    It answers every endpoint of the REST API as documented, remembers what is done to it until it ends, and
    is reached from this machine only, unless `--host` says otherwise. HelpCrunch itself is never talked to.
    """

    def work() -> ExitCode:
        if not host:
            raise CommandError("--host is empty", ExitCode.USAGE)
        server = FakeHelpCrunch(
            customers,
            chats=chats,
            seed=seed,
            api_key=key,
            rate_rule=RollingLog(limit, period) if limit else None,
            retry_after=retry_after,
            spelling=spelling.value,
            latency=latency,
            host=host,
            port=port,
        )
        make_odd(server, odd or ())
        server.on_request = lambda request: _log(server, request, quiet=quiet)
        lines = [] if _is_loopback(host) else [f"open to       anybody who reaches {host} and knows the key"]
        if odd:
            lines.append(f"odd           {', '.join(dict.fromkeys(odd))}")
        made_up = None if webhooks_to is None else _send_webhooks(server, webhooks_to)
        if webhooks_to is not None:
            signed_with = made_up or f"the key in {_SIGNING_KEY}"
            lines.append(f"webhooks      to {webhooks_to}, signed with {signed_with}")

        def introduce() -> str:
            if as_json:
                return json.dumps({**_contents(server, key), "madeUpSigningKey": made_up})
            return "\n".join(_introduction(server, key, lines))

        asyncio.run(_serve_until_told(server, f"port {port} of {host}", introduce))
        return ExitCode.DONE

    run(work, debug=debug)


def _send_webhooks(server: FakeHelpCrunch, url: str) -> str | None:
    """Let it send webhooks; give the signing key that was made up for them, if none was given."""
    given = os.environ.get(_SIGNING_KEY)
    signing_key = given or secrets.token_hex(16)
    try:
        server.send_webhooks_to(url, signing_key)
    except ValueError as error:
        raise CommandError(str(error), ExitCode.USAGE) from None
    return None if given else signing_key


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


async def _serve_until_told(server: FakeHelpCrunch, place: str, introduce: Callable[[], str]) -> None:
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    with suppress(NotImplementedError):  # where loops know no signals, Ctrl-C is a KeyboardInterrupt
        for each in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(each, told.set)
    try:
        await server.open()
    except (OSError, UnicodeError) as error:
        line = f"{place} cannot be had ({_reason_of(error)}): choose another with --port or --host"
        raise CommandError(line, ExitCode.USAGE) from None
    try:
        typer.echo(introduce())
        await told.wait()
    finally:
        await server.close()


def _reason_of(error: OSError | UnicodeError) -> str:
    if isinstance(error, UnicodeError):
        return "no name of a host"
    if isinstance(error, socket.gaierror):  # whose numbers are of a kind of their own
        return str(error.strerror).lower()
    return os.strerror(error.errno or 0).lower()


def _introduction(server: FakeHelpCrunch, key: str, more_lines: list[str]) -> list[str]:
    customer_ids = [row["id"] for row in server.customers]
    chat_ids = [row["id"] for row in server.chats]
    rule = server.rate_rule
    limit = "none" if not isinstance(rule, RollingLog) else f"{rule.limit} requests in any {rule.period:g} s"
    path = f"customers/{customer_ids[0]}" if customer_ids else "customers"
    header = shlex.quote(f"Authorization: Bearer {key}")
    return [
        f"HelpCrunch sandbox on {server.url} (Ctrl-C ends it)",
        "",
        f"base URL      {server.url}",
        f"API key       {key}",
        f"customers     {_some(customer_ids)}",
        f"chats         {_some(chat_ids)}",
        f"agents        {_all(server.agents)}",
        f"departments   {_all(server.departments)}",
        f"applications  {_all(server.applications)}",
        f"limit         {limit}",
        *more_lines,
        "",
        f"export HELPCRUNCH_API_KEY={shlex.quote(key)}",
        f"export HELPCRUNCH_BASE_URL={server.url}",
        "",
        f"curl -H {header} {server.url}/{path}",
    ]


def _contents(server: FakeHelpCrunch, key: str) -> dict[str, Any]:
    """Give what another program needs to know, and the ids of what is there."""
    rule = server.rate_rule
    nouns = {
        "customers": server.customers,
        "chats": server.chats,
        "agents": server.agents,
        "departments": server.departments,
        "applications": server.applications,
    }
    return {
        "baseUrl": server.url,
        "apiKey": key,
        "limit": {"requests": rule.limit, "seconds": rule.period} if isinstance(rule, RollingLog) else None,
        **{noun: [row["id"] for row in rows] for noun, rows in nouns.items()},
    }


def _some(ids: list[int]) -> str:
    return f"{len(ids):,}, such as id {ids[0]}" if ids else "none"


def _all(rows: Sequence[Mapping[str, Any]]) -> str:
    """Say how many there are, and their ids: alone they could be taken for counts."""
    ids = ", ".join(str(row["id"]) for row in rows)
    return f"{len(rows)}, with id{'' if len(rows) == 1 else 's'} {ids}" if rows else "none"


def _log(server: FakeHelpCrunch, request: RecordedRequest, *, quiet: bool) -> None:
    # The record is for tests: a sandbox that runs for weeks must not grow by it.
    server.requests.clear()
    server.webhooks.clear()
    if not quiet:
        with suppress(OSError):  # nobody reads stderr any more
            typer.echo(printable(f"{request.method} {request.path} {request.status}"), err=True)
