"""Again, and when? The retry policy as a small value, and a fresh tenacity run for every call that failed."""

import random as random_module
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from attrs import define, field, frozen
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception

from helpcrunch_async.checks import check_count, check_flag, check_seconds
from helpcrunch_async.errors import APIError, DecodeError, RateLimitError, TransportError

T = TypeVar("T")

REPEATED_STATUSES: Final = frozenset({408, 500, 502, 503, 504, *range(520, 525)})
_FIRST_BACKOFF: Final = 0.5  # seconds
_LONGEST_FLOOR: Final = 300.0  # seconds; a server that asks for more is not waited for unasked


def _check_attempts(_: object, __: object, value: object) -> None:
    check_count("attempts", value)


def _check_max_backoff(_: object, __: object, value: object) -> None:
    check_seconds("max_backoff", value)


def _check_wait_out_429(_: object, __: object, value: object) -> None:
    check_flag("wait_out_429", value)


@frozen
class RetryPolicy:
    """How often a failed call is sent again, and how long it backs off.

    Transport errors, unreadable replies and the statuses 408, 500, 502, 503, 504 and 520 to 524 count as
    failures; whatever else HelpCrunch answers is not repeated. A request that changes something and is
    not repeatable is sent again only when it certainly never left. A 429 does not count: the call waits
    for the account's rate limiter. Only with `UNLIMITED` it counts, and is backed off from like a failure,
    Retry-After being the least.

    Args:
        attempts: requests for one call at most, the first included.
        max_backoff: seconds that one wait does not exceed; a server's Retry-After may.
        wait_out_429: whether a call that met a 429 waits and goes again, also with `UNLIMITED`.

    Raises:
        TypeError: an argument of the wrong kind.
        ValueError: a number out of range.
    """

    attempts: int = field(default=4, validator=_check_attempts)
    max_backoff: float = field(default=8.0, validator=_check_max_backoff)
    wait_out_429: bool = field(default=True, validator=_check_wait_out_429)


NO_RETRY: Final = RetryPolicy(attempts=1, wait_out_429=False)
"""Every failure is raised at once; a 429 too, although it still pauses the others at the shared gate."""


@define(eq=False)
class RetryBudget:
    """Keeps retries from multiplying the traffic when everything fails.

    A call pays in a fifth of a retry, a retry takes out a whole one: in the steady state there are at most
    1.2 requests per call. A few in hand serve the client that has made few calls.
    """

    _in_hand: float = 10.0
    _most: float = 10.0
    _share: float = 0.2

    def pay_in(self) -> None:
        """Note a call."""
        self._in_hand = min(self._most, self._in_hand + self._share)

    def take_out(self) -> bool:
        """Ask for a retry."""
        if self._in_hand < 1:
            return False
        self._in_hand -= 1
        return True


def is_repeated(error: BaseException, *, repeatable: bool) -> bool:
    """Answer "again?" for one failure, 429 aside. A positive list: cancellation is not on it."""
    if isinstance(error, TransportError):
        return not error.permanent and (repeatable or not error.sent)
    if isinstance(error, DecodeError):
        return repeatable
    if isinstance(error, APIError):
        return repeatable and error.status in REPEATED_STATUSES
    return False


@define(eq=False)
class Repetition:
    """The retries of one call: counts its failures, and says when to go on.

    `paced` tells that a rate limiter waits out a 429, so that here it neither counts nor waits.
    `patience` is the seconds that the caller has left for one wait, None without end; `floor` gives the
    server's own Retry-After for the last failure.
    """

    policy: RetryPolicy
    repeatable: bool
    paced: bool
    budget: RetryBudget
    floor: Callable[[], float | None]
    patience: Callable[[], float | None]
    random: Callable[[], float] = random_module.random
    _failures: int = 0

    def again(self, error: BaseException) -> bool:
        """Answer "again?" for one failure."""
        if isinstance(error, RateLimitError):
            return self.policy.wait_out_429
        return is_repeated(error, repeatable=self.repeatable)

    async def run(
        self,
        attempt: Callable[[], Awaitable[T]],
        sleep: Callable[[float], Awaitable[None]],
        tell: Callable[[BaseException, float], None],
    ) -> T:
        """Attempt until it is done or over, in a fresh tenacity run: a shared one would mix calls up.

        `tell` hears of each failure that is not the last, and of the seconds until the next attempt.
        """

        def before_sleep(state: RetryCallState) -> None:
            tell(_error_of(state), state.upcoming_sleep)

        run = AsyncRetrying(
            retry=retry_if_exception(self.again),
            wait=self._wait,
            stop=self._stop,
            sleep=sleep,
            before_sleep=before_sleep,
            reraise=True,
        )
        return await run(attempt)

    def _is_paced(self, state: RetryCallState) -> bool:
        return self.paced and isinstance(_error_of(state), RateLimitError)

    def _wait(self, state: RetryCallState) -> float:
        if self._is_paced(state):
            return 0.0
        self._failures += 1
        # full jitter: callers that failed together come back apart
        backoff = self.random() * min(self.policy.max_backoff, _FIRST_BACKOFF * 2 ** (self._failures - 1))
        return float((self.floor() or 0.0) + backoff)

    def _stop(self, state: RetryCallState) -> bool:
        """Stop when the count, the caller's patience or the budget is spent. tenacity asks after `_wait`."""
        floor, patience = self.floor(), self.patience()
        most = _LONGEST_FLOOR if patience is None else min(patience, _LONGEST_FLOOR)
        if floor is not None and floor > most:
            return True
        if self._is_paced(state):
            return False
        if self._failures >= self.policy.attempts:
            return True
        return not isinstance(_error_of(state), RateLimitError) and not self.budget.take_out()


def _error_of(state: RetryCallState) -> BaseException:
    assert state.outcome is not None
    error = state.outcome.exception()
    assert error is not None
    return error
