"""Whose key, and which server."""

import getpass
import os
import sys
from typing import Annotated

import typer
from attrs import field, frozen

from helpcrunch_async.cli.problems import CommandError, ExitCode
from helpcrunch_async.client import HelpCrunchClient
from helpcrunch_async.protocol import BASE_URL, check_api_key, check_base_url
from helpcrunch_async.rate_limit import Limiter

BaseUrl = Annotated[
    str | None,
    typer.Option(
        "--base-url",
        envvar="HELPCRUNCH_BASE_URL",
        metavar="URL",
        help=f"Another server than {BASE_URL}.",
        show_default=False,
    ),
]
AllowHttp = Annotated[
    bool, typer.Option("--allow-http", help="Take a plain http --base-url beyond this machine.")
]


@frozen
class Account:
    """What a client needs to know of the account."""

    key: str = field(repr=False)
    base_url: str

    def client(self, rate_limiter: Limiter | None = None) -> HelpCrunchClient:
        """Make a client; it is not open yet."""
        # the URL was checked already, so http is known to be wanted here
        return HelpCrunchClient(self.key, base_url=self.base_url, rate_limiter=rate_limiter, allow_http=True)


def find_account(base_url: str | None, *, allow_http: bool) -> Account:
    """Take the key from HELPCRUNCH_API_KEY or ask for it. Never from the arguments, which `ps` shows.

    Raises:
        CommandError: there is no usable key or URL.
    """
    try:
        url = check_base_url(base_url or BASE_URL, allow_http=allow_http)
    except ValueError as error:
        line = str(error).replace("base_url", "the base URL").replace("allow_http=True", "--allow-http")
        raise CommandError(line, ExitCode.USAGE) from None
    key = _find_key()
    try:
        check_api_key(key)
    except ValueError as error:
        raise CommandError(str(error), ExitCode.AUTH) from None
    return Account(key, url)


def _find_key() -> str:
    key = os.environ.get("HELPCRUNCH_API_KEY")
    if not key and sys.stdin.isatty() and sys.stderr.isatty():
        try:
            key = getpass.getpass("HelpCrunch API key (not shown): ")
        except EOFError:
            key = None
    if not key:
        raise CommandError("no API key: set HELPCRUNCH_API_KEY", ExitCode.AUTH)
    return key
