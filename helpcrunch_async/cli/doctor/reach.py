"""Whether HelpCrunch is reached, takes the key, and has the same time as this machine."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Final

import aiohttp
from attrs import define

from helpcrunch_async.cli.account import Account
from helpcrunch_async.cli.doctor.finding import Finding, State
from helpcrunch_async.cli.exits import ExitCode
from helpcrunch_async.cli.reasons import exit_code_of, reason_of
from helpcrunch_async.errors import (
    APIError,
    AuthenticationError,
    ConnectionFailedError,
    HelpCrunchError,
    RateLimitError,
    ServerError,
    TransportError,
)
from helpcrunch_async.retry import NO_RETRY
from helpcrunch_async.session import SessionFactory, open_session

_PATIENCE: Final = 15.0  # seconds
_TOLERANCE: Final = 60.0  # seconds that two clocks may be apart; a Date header has whole ones
_ADVICE: Final = {  # by how the text begins, the first that fits
    "the host name could not be resolved": "check the network, the DNS, and --base-url",
    "the server's certificate is not valid: it is another host's": "check --base-url; or something answers "
    "in HelpCrunch's place, such as the login page of a guest network",
    "the server's certificate is not valid: it is not made": "Python 3.13 and newer check more than older "
    "ones: whoever made it (a proxy, a virus scanner) must make a better one",
    "the server's certificate is not valid": "something on the way may read along: a proxy, a virus "
    "scanner; or this machine's certificates or clock are old",
    "the proxy refused the connection with status 407": "it wants a login: user:password@ before its host",
    "the proxy refused the connection": "ask who runs the proxy to let HelpCrunch through",
    "the TLS handshake failed": "check that --base-url speaks https, and what is on the way",
    "no connection in time": "a firewall may drop the connection; see proxy above",
}


@define
class Watch:
    """Reads the clock of a server off its answers.

    Args:
        clock: Unix seconds of this machine.
    """

    clock: Callable[[], float] = time.time
    apart: float | None = None
    """Seconds that this machine is ahead of the server; None when no answer told."""

    def watching(self, session: SessionFactory) -> SessionFactory:
        """Give a factory of sessions whose answers are looked at."""

        @asynccontextmanager
        async def watched() -> AsyncIterator[aiohttp.ClientSession]:
            async with session() as opened:
                tracing = aiohttp.TraceConfig()
                tracing.on_request_end.append(self._look)
                tracing.freeze()
                opened.trace_configs.append(tracing)
                yield opened

        return watched

    async def _look(self, _: aiohttp.ClientSession, __: object, ended: aiohttp.TraceRequestEndParams) -> None:
        told = ended.response.headers.get("Date")
        if told is None:
            return
        try:
            moment = parsedate_to_datetime(told)
        except ValueError:
            return
        self.apart = self.clock() - moment.timestamp()


async def look_at_helpcrunch(account: Account, watch: Watch) -> list[Finding]:
    """Ask for one customer, and see what comes of it."""
    session = watch.watching(partial(open_session, trust_env=account.use_proxy))
    began = time.monotonic()
    try:
        async with account.client(session, NO_RETRY) as client:
            page = await client.with_options(timeout=_PATIENCE).list_customers().page(limit=1)
    except HelpCrunchError as error:
        findings = _findings_of(error)
    else:
        seconds = time.monotonic() - began
        known = "" if page.total is None else f": it opens {page.total:,} customers"
        findings = [
            Finding("reach", State.GOOD, f"answered in {seconds:.2f} s"),
            Finding("key", State.GOOD, f"accepted{known}"),
        ]
    return [*findings, look_at_clock(watch.apart)]


def _findings_of(error: HelpCrunchError) -> list[Finding]:
    reason = reason_of(error)
    exit_code = exit_code_of([reason.code])
    if isinstance(error, TransportError):
        text = str(error)
        advice = next(
            (words for start, words in _ADVICE.items() if text.startswith(start)),
            "check the network, --base-url, and what is on the way",
        )
        if isinstance(error, ConnectionFailedError) and error.sent:
            advice = "try again; if it stays so, something on the way breaks connections"
        return [
            Finding("reach", State.BAD, text, advice, exit_code),
            Finding("key", State.SKIPPED, "not tried: HelpCrunch was not reached"),
        ]
    answered = Finding("reach", State.GOOD, "answered")
    if isinstance(error, AuthenticationError):
        return [
            answered,
            Finding(
                "key",
                State.BAD,
                "refused (401)",
                "copy it again, whole: HelpCrunch, Settings, Developers, Public API",
                ExitCode.AUTH,
            ),
        ]
    if isinstance(error, RateLimitError):
        return [
            answered,
            Finding(
                "key",
                State.ODD,
                "not told: the account's budget is spent just now (429)",
                "something else uses this account; wait a minute, and share the budget with --budget",
            ),
        ]
    if isinstance(error, ServerError):
        return [
            Finding("reach", State.BAD, reason.words, "wait, and try again", exit_code),
            Finding("key", State.SKIPPED, "not told: HelpCrunch failed"),
        ]
    if isinstance(error, APIError):
        return [answered, Finding("key", State.BAD, reason.words, "check --base-url", exit_code)]
    return [Finding("reach", State.BAD, reason.words, "check --base-url: is it HelpCrunch's?", exit_code)]


def look_at_clock(apart: float | None) -> Finding:
    """Compare the clocks; seconds that this machine is ahead."""
    if apart is None:
        return Finding("clock", State.SKIPPED, "not compared: no answer told the time")
    if abs(apart) <= _TOLERANCE:
        return Finding("clock", State.GOOD, "right to the minute")
    where = "ahead of" if apart > 0 else "behind"
    return Finding(
        "clock",
        State.ODD,
        f"{timedelta(seconds=round(abs(apart)))} {where} HelpCrunch",
        "set it: a wrong clock misreads when to come back after a 429, and invalidates certificates",
    )
