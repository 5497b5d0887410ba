"""The one asker of a process: a task that puts questions to Redis while somebody waits, and else none."""

import asyncio
import logging
from collections.abc import Callable, Hashable
from contextvars import Context
from typing import Final, Literal, TypeAlias

from helpcrunch_async.rate_limit import Priority
from helpcrunch_async.rate_limit.line import Place
from helpcrunch_async.rate_limit.waiters import QueuedTurn, Waiters
from helpcrunch_async.redis_limit.budget import Budget, BudgetUnavailableError
from helpcrunch_async.redis_limit.messages import Answer
from helpcrunch_async.redis_limit.schedule import SharedSchedule

OnError: TypeAlias = Literal["raise", "local"]

log: Final = logging.getLogger("helpcrunch_async")

_LINGER: Final = 5.0  # seconds that an idle connection is kept
_PROBE_BEAT: Final = 2.0  # seconds; Redis gives a probe of which nothing is heard for five to another
_FIRST_BACKOFF: Final = 0.1  # seconds between questions that got no answer; doubled up to the longest
_LONGEST_BACKOFF: Final = 5.0


class SharedWaiters(Waiters):
    """Lets callers await the turns that Redis grants. Bound to the running loop at first use, not before.

    Args:
        schedule: what this process knows.
        connect: opens the budget; called in the running loop, when there is something to ask.
        key: names the budget in log lines.
        on_error: what becomes of callers while there is no answer.
    """

    schedule: SharedSchedule

    def __init__(
        self, schedule: SharedSchedule, connect: Callable[[], Budget], *, key: str, on_error: OnError
    ) -> None:
        super().__init__(schedule)
        self._connect = connect
        self._key = key
        self._on_error = on_error
        self._asker: asyncio.Task[None] | None = None
        self._nudge = asyncio.Event()
        self._ask_at = 0.0
        self._unchecked: dict[Place, float] = {}  # who has a max_wait, and until when, before Redis has told
        self._failure: BudgetUnavailableError | None = None  # since when there is no answer, the last one
        self._failures = 0
        self._told_of_limit = False

    async def enter(
        self,
        priority: Priority,
        max_wait: float | None,
        flow: Hashable | None = None,
        expected: int = 1,
    ) -> QueuedTurn:
        """Wait for a turn at the end of a lane."""
        self._bind()
        self._check_reachable()
        if self._failure is not None and self.now() >= self._ask_at:
            self._ask_soon()  # is it back?
        return await super().enter(priority, max_wait, flow, expected)

    async def enter_again(self, place: Place, max_wait: float | None) -> None:
        """Wait for another turn at the same place."""
        self._bind()
        self._check_reachable()
        await super().enter_again(place, max_wait)

    def _check_reachable(self) -> None:
        """Let callers fail at once while it is known that there is no answer."""
        if self._failure is not None and self._on_error == "raise" and self.now() < self._ask_at:
            raise _copy(self._failure)

    async def _wait(self, place: Place, max_wait: float | None) -> None:
        if not self.schedule.alone and (self.schedule.line.waiting(place.priority) == 1 or place.returning):
            self._ask_soon()  # later ones are heard of in good time, when the first one asks
        elif self._asker is None:
            self._ask_soon()
        if max_wait is not None:
            self._unchecked[place] = self.now() + max_wait
        try:
            await super()._wait(place, max_wait)
        finally:
            self._unchecked.pop(place, None)

    def _give_back(self, place: Place) -> None:
        if place.grant is not None:
            self.schedule.put_back(place)
            self._pump(self.now())
        else:
            super()._give_back(place)

    def _pump(self, now: float) -> None:
        super()._pump(now)
        if not self.schedule.alone and self.schedule.has_news:
            self._ask_soon()

    def accepted(self, place: Place) -> None:
        """Report that the server took the call."""
        super().accepted(place)
        if not self.schedule.alone and (self.schedule.has_news or self.schedule.goes_on):
            self._ask_soon()

    def lost(self, place: Place) -> None:
        """Report that a turn brought no answer."""
        super().lost(place)
        if not self.schedule.alone and self.schedule.has_news:
            self._ask_soon()

    def _ask_soon(self) -> None:
        if self._asker is None:
            assert self._loop is not None
            # in a context of its own: it serves everybody, not the caller that happened to be first
            self._asker = self._loop.create_task(self._ask_on(), context=Context())
        self._nudge.set()

    async def _ask_on(self) -> None:
        budget = self._connect()
        try:
            while True:
                while self._has_questions():
                    if self._failure is not None:
                        await asyncio.sleep(self._ask_at - self.now())
                    await self._ask(budget)
                    if self._failure is None:
                        await self._nudged(self._ask_at)
                if self._failure is not None:
                    break
                # a caller may come in the very instant in which the patience ends
                if not (await self._nudged(self.now() + _LINGER) or self._has_questions()):
                    break
        finally:
            if self._asker is asyncio.current_task():
                self._asker = None
                if self.schedule.line.total and not self.schedule.alone:
                    self._fail_everybody(BudgetUnavailableError("the rate limiter was closed", sent=False))
            await budget.close()

    def _has_questions(self) -> bool:
        # while there is no answer, only callers are a reason to try again
        return self.schedule.line.total > 0 if self._failure is not None else self.schedule.has_questions

    async def _nudged(self, until: float) -> bool:
        """Sleep until then, or until there is something new to ask; tells which."""
        try:
            async with asyncio.timeout_at(until - self._offset):
                await self._nudge.wait()
        except TimeoutError:
            return False
        self._nudge.clear()
        return True

    async def _ask(self, budget: Budget) -> None:
        now = self.now()
        self._nudge.clear()
        try:
            answer = await budget.ask(self.schedule.question(now), now)
        except BudgetUnavailableError as error:
            failure = error
        else:
            if answer is None:
                self.schedule.ledger.unsure = True
                self._ask_at = self.now()
            else:
                self._learn(answer)
            return
        self._do_without(failure)

    def _learn(self, answer: Answer) -> None:
        now = self.now()
        if self._failure is not None:
            log.info("the budget %s is shared again: Redis answers", self._key)
            self._failure, self._failures = None, 0
        if (answer.limit, answer.period) == (self.schedule.limit, self.schedule.period):
            self._told_of_limit = False
        elif not self._told_of_limit:
            self._told_of_limit = True
            log.warning(
                "the budget %s: a process was told a smaller limit: %d calls per %g s hold, not %d per %g",
                self._key,
                answer.limit,
                answer.period,
                self.schedule.limit,
                self.schedule.period,
            )
        self.schedule.learn(now, answer)
        wait = answer.wait
        if self.schedule.probe is not None or wait is None:
            wait = min(_PROBE_BEAT, wait if wait is not None else _PROBE_BEAT)
        self._ask_at = now + wait
        self._pump(now)
        for place, until in list(self._unchecked.items()):
            del self._unchecked[place]
            if now + self.schedule.expected_wait(now, place) > until:
                self._refuse(place)

    def _do_without(self, failure: BudgetUnavailableError) -> None:
        """Go on alone, or let callers fail; say so once; ask again a little later."""
        now = self.now()
        self._ask_at = now + min(_LONGEST_BACKOFF, _FIRST_BACKOFF * 2**self._failures)
        self._failures += 1
        schedule = self.schedule
        if self._failure is None:
            consequence = (
                f"this process keeps to its share, {schedule.share} calls per {schedule.period:g} s"
                if self._on_error == "local"
                else "calls fail"
            )
            log.warning("the budget %s: %s; until it is back, %s", self._key, failure.message, consequence)
        self._failure = failure
        if self._on_error == "local":
            schedule.go_alone(now)
            self._pump(now)
        else:
            schedule.ledger.unsure = True
            self._fail_everybody(failure)

    def _fail_everybody(self, failure: BudgetUnavailableError) -> None:
        for place in self.schedule.line.places():
            waiter = place.waiter
            if waiter is not None and not waiter.done():
                self.schedule.leave(place)
                waiter.set_exception(_copy(failure))

    async def close(self) -> None:
        """Give the connection up; whoever waits is told. A later call opens it again."""
        asker, self._asker = self._asker, None
        if asker is None or self._loop is not asyncio.get_running_loop():
            return
        self._fail_everybody(BudgetUnavailableError("the rate limiter was closed", sent=False))
        asker.cancel()
        await asyncio.wait([asker])

    def _move_to(self, loop: asyncio.AbstractEventLoop) -> None:
        super()._move_to(loop)
        self._asker = None  # it was of the other loop, and closes its connection there
        self._nudge = asyncio.Event()
        self._unchecked.clear()
        self._failure, self._failures = None, 0


def _copy(failure: BudgetUnavailableError) -> BudgetUnavailableError:
    """Give each caller an error of its own: raising one adds to its traceback."""
    return BudgetUnavailableError(failure.message, sent=False, permanent=failure.permanent)
