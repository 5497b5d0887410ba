"""The limiters of accounts: clients of one account in one event loop share one by default."""

import asyncio
import hashlib
from typing import TypeAlias
from weakref import WeakValueDictionary

from attrs import define, field

from helpcrunch_async.rate_limit.limiter import RateLimiter

_Account: TypeAlias = tuple[str, bytes]


@define(eq=False)
class _Limiters:
    """The limiters of one event loop.

    One is kept while a client holds it, and beyond that until it has been idle for a period, so that a
    web handler that makes a client per request does not multiply the budget.
    """

    known: WeakValueDictionary[_Account, RateLimiter] = field(factory=WeakValueDictionary)
    kept: dict[_Account, RateLimiter] = field(factory=dict)


_by_loop: dict[asyncio.AbstractEventLoop, _Limiters] = {}


def limiter_of_account(base_url: str, key: str) -> RateLimiter:
    """Give the limiter of an account in the running loop. Of the key only a digest is remembered."""
    for loop in [loop for loop in _by_loop if loop.is_closed()]:
        del _by_loop[loop]
    limiters = _by_loop.setdefault(asyncio.get_running_loop(), _Limiters())
    for account in [account for account, limiter in limiters.kept.items() if limiter.is_idle()]:
        del limiters.kept[account]
    account = base_url, hashlib.sha256(str.encode(key)).digest()
    limiter = limiters.known.get(account)
    if limiter is None:
        limiter = limiters.known[account] = RateLimiter()
    limiters.kept[account] = limiter
    return limiter
