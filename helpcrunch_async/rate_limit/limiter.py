"""Rate limiters to await, and what the client asks of one."""

import random as random_module
from collections.abc import Callable, Hashable
from typing import Final, Protocol, Self

from attrs import frozen

from helpcrunch_async.checks import check_count, check_seconds
from helpcrunch_async.rate_limit.line import Priority
from helpcrunch_async.rate_limit.machine import Machine
from helpcrunch_async.rate_limit.schedule import Schedule
from helpcrunch_async.rate_limit.waiters import Waiters
from helpcrunch_async.rate_limit.wire import FIRST_WIDTH, WIDEST

DEFAULT_LIMIT: Final = 120  # calls; https://docs.helpcrunch.com/en/rest-api-v1/api-setup-v1
DEFAULT_PERIOD: Final = 60.0  # seconds


class Turn(Protocol):
    """A turn that was granted: send one request now, then report its outcome.

    Exactly one of `accepted`, `rejected` and `release` counts, the first that is called.
    """

    def accepted(self) -> None:
        """Report that the server took the call: any answer but 429."""
        ...

    def rejected(self, retry_after: float | None) -> None:
        """Report that the server answered 429; `retry_after` is seconds, None when it sent none."""
        ...

    def release(self) -> None:
        """Report that no answer came, unless one was reported before."""
        ...

    async def again(self, max_wait: float | None = None) -> None:
        """Wait for another turn at the same place in line, once the last one was reported.

        Raises:
            TurnRefusedError: see `Limiter.turn`.
        """
        ...


class Limiter(Protocol):
    """What the client asks of a rate limiter; `RateLimiter` is one."""

    @property
    def paces(self) -> bool:
        """Whether `again` waits out a 429, so that the retry policy need not."""
        ...

    async def turn(
        self,
        priority: Priority = "interactive",
        max_wait: float | None = None,
        *,
        flow: Hashable | None = None,
        expected: int = 1,
    ) -> Turn:
        """Wait for a turn.

        Args:
            priority: the lane: interactive calls go ahead of bulk work, which gets one turn in four.
            max_wait: seconds that the caller can wait; None is for as long as it takes.
            flow: whose turn it is; flows of a lane take turns.
            expected: how many calls the job still has, this one included.

        Raises:
            TurnRefusedError: the line is longer than `max_wait`, or nothing has got through for so long
                that waiting on is pointless.
        """
        ...


@frozen
class Statistics:
    """A limiter at one moment."""

    granted: int
    """Turns so far."""
    rejected: int
    """Answers 429 so far."""
    waiting: int
    """Callers in line."""
    in_flight: int
    """Turns that are being used."""
    paused_for: float
    """Seconds until the gate lets a probe through; 0 when it is open."""
    rate: float
    """Calls per second that are believed to be sustainable; a first guess while nothing is known."""


class RateLimiter:
    """Spends `limit` calls per `period` seconds, all of them, evenly, and never more in any window.

    A quiet client may send up to `burst` calls at once; work that exceeds the budget is paced from its
    start. A 429 pauses all calls that share the limiter; then one call probes, and only its answer lets the
    others on. If the real limit is lower, or shared with others, the pace falls to what the server takes,
    and climbs back when that rises, never above `limit`.

    Share one instance among all clients of an account. It belongs to one event loop at a time, and may
    move to another one once no call uses it; it is not thread-safe.

    Args:
        limit: calls per period; HelpCrunch documents 120 a minute for an account.
        period: seconds.
        burst: the most calls that a quiet client sends at once, 1 to `limit`; `limit` when None.
        random: gives floats in [0, 1), for the jitter of pauses.

    Raises:
        TypeError: a number of the wrong kind.
        ValueError: a number out of range.
    """

    def __init__(
        self,
        limit: int = DEFAULT_LIMIT,
        period: float = DEFAULT_PERIOD,
        *,
        burst: int | None = None,
        random: Callable[[], float] = random_module.random,
    ) -> None:
        self.limit: int | None = check_count("limit", limit)
        self.period: Final = check_seconds("period", period, above_zero=True)
        if burst is not None and check_count("burst", burst) > limit:
            raise ValueError(f"burst is at most the limit, {limit}, not {burst}")
        machine = Machine.with_limit(limit, self.period, burst)
        self._waiters = Waiters(Schedule(machine, width=FIRST_WIDTH, random=random))

    @classmethod
    def discover(cls, *, random: Callable[[], float] = random_module.random) -> Self:
        """Make a limiter without a configured limit: it finds out what the server takes, and follows it.

        It begins with five calls a second and doubles that within some seconds of work until the first 429
        (more seconds where round trips are long), evenly and without bursts, so prefer to configure a limit
        that is known. Its `limit` is None.
        """
        limiter = cls()
        limiter.limit = None
        machine = Machine.without_limit(limiter.period)
        limiter._waiters = Waiters(Schedule(machine, width=WIDEST, random=random))
        return limiter

    def __repr__(self) -> str:
        if self.limit is None:
            return f"{type(self).__name__}.discover()"
        return f"{type(self).__name__}(limit={self.limit}, period={self.period:g})"

    @property
    def paces(self) -> bool:
        """True: `again` waits out a 429."""
        return True

    @property
    def statistics(self) -> Statistics:
        """What the limiter has done, and is doing."""
        schedule, now = self._waiters.schedule, self._waiters.now()
        return Statistics(
            granted=schedule.granted,
            rejected=schedule.rejections,
            waiting=schedule.line.total,
            in_flight=schedule.wire.in_flight,
            paused_for=schedule.paused_for(now),
            rate=schedule.rate,
        )

    def is_idle(self, seconds: float | None = None) -> bool:
        """Return whether no caller has waited, used a turn or been paused for `seconds`, a period if None."""
        schedule, since = self._waiters.schedule, self._waiters.now() - (seconds or self.period)
        return not schedule.is_busy() and since > schedule.last_granted and not schedule.paused_for(since)

    async def turn(
        self,
        priority: Priority = "interactive",
        max_wait: float | None = None,
        *,
        flow: Hashable | None = None,
        expected: int = 1,
    ) -> Turn:
        """Wait for a turn; see `Limiter.turn`."""
        return await self._waiters.enter(priority, max_wait, flow, expected)


class _Unlimited:
    """A turn for each caller at once: the server's 429s are left to the retry policy."""

    paces = False

    def __repr__(self) -> str:
        return "UNLIMITED"

    async def turn(
        self,
        priority: Priority = "interactive",
        max_wait: float | None = None,
        *,
        flow: Hashable | None = None,
        expected: int = 1,
    ) -> Turn:
        return self

    def accepted(self) -> None:
        """Take no note."""

    def rejected(self, retry_after: float | None) -> None:
        """Take no note."""

    def release(self) -> None:
        """Take no note."""

    async def again(self, max_wait: float | None = None) -> None:
        """Go at once."""


UNLIMITED: Final[Limiter] = _Unlimited()
"""No pacing at all: each call backs off by itself when HelpCrunch says 429."""
