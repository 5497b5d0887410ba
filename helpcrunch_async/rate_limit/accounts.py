"""The limiters of accounts: by default the clients of one account share one, in each event loop.

A closed loop leaves its limiter to the next one, so that a program that calls `asyncio.run` for each job
has one budget, not a new one each time.
"""

import asyncio
from threading import Lock, Thread, current_thread
from weakref import ref

from attrs import define

from helpcrunch_async.accounts import KEPT_FOR, PerAccount
from helpcrunch_async.rate_limit.limiter import RateLimiter


@define(eq=False)
class _Kept:
    """A limiter, and whose it is."""

    limiter: RateLimiter | None  # None once it is unused for long: whoever still holds it shares `held`
    held: ref[RateLimiter]
    loop: asyncio.AbstractEventLoop
    thread: Thread

    def is_free(self) -> bool:
        """Return whether the running loop may have it: its own one is gone, and no other thread uses it."""
        mine = self.thread is current_thread() or not self.thread.is_alive()
        return self.loop.is_closed() and mine

    def is_over(self) -> bool:
        """Return whether nobody holds it any more, and it has been unused for long."""
        if self.limiter is not None and self.limiter.is_idle(KEPT_FOR):
            self.limiter = None
        return self.held() is None


class _Limiters:
    """The limiters of one account: one for each loop that is open, and those that closed loops have left."""

    def __init__(self) -> None:
        self._kept: list[_Kept] = []
        self._lock = Lock()

    def is_over(self) -> bool:
        """Return whether none is left."""
        with self._lock:
            self._kept = [kept for kept in self._kept if not kept.is_over()]
            return not self._kept

    def of_running_loop(self) -> RateLimiter:
        """Return the limiter of the running loop: its own, one that a closed loop has left, or a new one."""
        loop = asyncio.get_running_loop()
        with self._lock:
            own = [kept for kept in self._kept if kept.loop is loop]
            candidates = own or [kept for kept in self._kept if kept.is_free()]
            limiter = candidates[-1].held() if candidates else None
            if limiter is None:
                limiter = RateLimiter()
            else:
                self._kept.remove(candidates[-1])
            self._kept.append(_Kept(limiter, ref(limiter), loop, current_thread()))
            return limiter


_limiters = PerAccount(_Limiters)


def limiter_of_account(base_url: str, key: str) -> RateLimiter:
    """Return the limiter of an account in the running loop.

    It is kept for an hour after its last use, and for as long as a client holds it.
    """
    return _limiters.of(base_url, key).of_running_loop()
