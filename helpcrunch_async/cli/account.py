"""Whose key, which server, and how much of the budget."""

import getpass
import os
import sys
from functools import partial
from typing import Annotated, Final

import typer
from attrs import field, frozen

from helpcrunch_async.cli.exits import CommandError, ExitCode
from helpcrunch_async.cli.problems import complain
from helpcrunch_async.cli.stdout import is_terminal
from helpcrunch_async.client import HelpCrunchClient
from helpcrunch_async.protocol import BASE_URL, check_api_key, check_base_url, foreign_host
from helpcrunch_async.rate_limit import RateLimiter
from helpcrunch_async.redaction import Secret
from helpcrunch_async.retry import RetryPolicy
from helpcrunch_async.session import SessionFactory, open_session

PANEL: Final = "Account and server"

BaseUrl = Annotated[
    str | None,
    typer.Option(
        "--base-url",
        metavar="URL",
        help=f"Another server than {BASE_URL}. Without it HELPCRUNCH_BASE_URL is taken.",
        show_default=False,
        rich_help_panel=PANEL,
    ),
]
AllowHttp = Annotated[
    bool,
    typer.Option(
        "--allow-http", help="Take a plain http --base-url beyond this machine.", rich_help_panel=PANEL
    ),
]
UseProxy = Annotated[
    bool,
    typer.Option(
        "--use-proxy",
        help="Go through the proxy that HTTPS_PROXY or HTTP_PROXY names.",
        rich_help_panel=PANEL,
    ),
]
Budget = Annotated[
    int,
    typer.Option(
        "--budget",
        min=1,
        metavar="N",
        help="Requests a minute to use at most: less than the account's, where others use it too.",
        rich_help_panel=PANEL,
    ),
]
DEFAULT_BUDGET: Final = 120  # what HelpCrunch documents for an account


@frozen
class Account:
    """What a client needs to know of the account."""

    key: Secret
    base_url: str
    use_proxy: bool = False
    limiter: RateLimiter = field(factory=RateLimiter)

    def client(
        self,
        session: SessionFactory | None = None,
        retry: RetryPolicy = RetryPolicy(),  # noqa: B008 - immutable
    ) -> HelpCrunchClient:
        """Make a client; it is not open yet."""
        return HelpCrunchClient(
            self.key.expose(),
            base_url=self.base_url,
            session=session or partial(open_session, trust_env=self.use_proxy),
            retry=retry,
            rate_limiter=self.limiter,
            allow_http=True,  # the URL was checked already, so http is known to be wanted here
        )


def find_account(
    base_url: str | None, *, allow_http: bool, use_proxy: bool = False, budget: int = DEFAULT_BUDGET
) -> Account:
    """Take the key from HELPCRUNCH_API_KEY or ask for it. Never from the arguments, which `ps` shows.

    Raises:
        CommandError: there is no usable key or URL.
    """
    url = find_base_url(base_url, allow_http=allow_http)
    return Account(find_key(), url, use_proxy, RateLimiter(budget))


def find_base_url(base_url: str | None, *, allow_http: bool) -> str:
    """Take the URL that was given, that of HELPCRUNCH_BASE_URL, or HelpCrunch's own.

    Its host gets the key. That of the environment, where it may have been forgotten, is said on stderr unless
    it is HelpCrunch's or this machine.

    Raises:
        CommandError: it is not usable.
    """
    from_environment = None if base_url else os.environ.get("HELPCRUNCH_BASE_URL")
    try:
        url = check_base_url(base_url or from_environment or BASE_URL, allow_http=allow_http)
    except ValueError as error:
        line = str(error).replace("base_url", "the base URL").replace("allow_http=True", "--allow-http")
        raise CommandError(line, ExitCode.USAGE) from None
    if from_environment and (host := foreign_host(url)) is not None:
        complain(f"the API key goes to {host}, as HELPCRUNCH_BASE_URL says")
    return url


def find_key() -> Secret:
    """Take the key from the environment, or ask for it.

    Raises:
        CommandError: there is none, or none that can be right.
    """
    key = os.environ.get("HELPCRUNCH_API_KEY")
    if not key and is_terminal(sys.stdin) and is_terminal(sys.stderr):
        try:
            key = getpass.getpass("HelpCrunch API key (not shown): ")
        except EOFError:
            key = None
    if not key:
        raise CommandError("no API key: set HELPCRUNCH_API_KEY", ExitCode.AUTH)
    try:
        return check_api_key(key)
    except ValueError as error:
        problem = str(error)
    raise CommandError(problem, ExitCode.AUTH)
