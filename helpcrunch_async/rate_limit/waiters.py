"""The asyncio shell around a schedule: futures for the callers that wait, one timer, nothing that polls."""

import asyncio
import os
from collections.abc import Hashable
from math import inf

from helpcrunch_async.rate_limit.line import Place, Priority
from helpcrunch_async.rate_limit.schedule import Schedule


class TurnRefusedError(Exception):
    """No turn within the caller's patience. `retry_after` is the seconds until one is expected, if known."""

    def __init__(self, retry_after: float | None) -> None:
        super().__init__(retry_after)
        self.retry_after = retry_after


class Waiters:
    """Lets callers await the turns of a schedule. Bound to the running loop at first use, not before.

    The schedule's clock goes on without a jump when the next loop has another clock.
    """

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pid = 0
        self._offset = 0.0  # of the schedule's clock from the loop's; seconds
        self._timer: asyncio.TimerHandle | None = None

    def now(self) -> float:
        """Return the time on the schedule's clock; 0 before the first use."""
        return 0.0 if self._loop is None else self._loop.time() + self._offset

    async def enter(
        self,
        priority: Priority,
        max_wait: float | None,
        flow: Hashable | None = None,
        expected: int = 1,
    ) -> "QueuedTurn":
        """Wait for a turn at the end of a flow."""
        now = self._bind().time() + self._offset
        place = self.schedule.admit(now, priority, flow, expected)
        if place is None:
            place = self.schedule.arrive(now, priority, flow, expected)
            await self._wait(place, max_wait)
        return QueuedTurn(self, place)

    async def enter_again(self, place: Place, max_wait: float | None) -> None:
        """Wait for another turn at the same place."""
        self._bind()
        self.schedule.join(self.now(), place)
        await self._wait(place, max_wait)

    def accepted(self, place: Place) -> None:
        """Report that the server took the call."""
        now = self.now()
        self.schedule.accepted(now, place)
        if self.schedule.line.total:
            self._pump(now)

    def rejected(self, place: Place, retry_after: float | None) -> None:
        """Report a 429."""
        now = self.now()
        self.schedule.rejected(now, place, retry_after)
        self._pump(now)

    def lost(self, place: Place) -> None:
        """Report that a turn brought no answer."""
        self.schedule.lost(place)
        if self.schedule.line.total:
            self._pump(self.now())

    async def _wait(self, place: Place, max_wait: float | None) -> None:
        """Wait with a place that has just joined the line."""
        loop, now = self._bind(), self.now()
        self._pump(now)
        if place.grant is not None:
            return
        if max_wait is not None:
            expected = self.schedule.expected_wait(now, place)
            if expected > max_wait:
                self.schedule.leave(place)
                self._set_timer()
                raise TurnRefusedError(expected)
        waiter = loop.create_future()
        place.wait_on(waiter)
        self._refuse_if_stuck(now)
        give_up = None if max_wait is None else loop.call_later(max_wait, self._refuse, place)
        served = False
        try:
            await waiter
            served = True
        finally:
            place.wait_on(None)
            if give_up is not None:
                give_up.cancel()
            if not served:
                self._give_back(place)

    def _give_back(self, place: Place) -> None:
        """Leave the line, or the turn that was granted in the instant of the cancellation, to others."""
        if place.grant is not None:
            self.schedule.lost(place)
        elif place.waiting:
            self.schedule.leave(place)
        else:
            return  # refused, and out of the line already
        self._pump(self.now())

    def _pump(self, now: float) -> None:
        """Wake the callers whose turn it is, and set the timer for the next."""
        for place in self.schedule.grants(now):
            # One without a waiter is on its way in, one cancelled in this very instant is on its way out, and
            # each will see its grant.
            if place.waiter is not None and not place.waiter.cancelled():
                place.waiter.set_result(None)
        self._refuse_if_stuck(now)
        self._set_timer()

    def _refuse_if_stuck(self, now: float) -> None:
        """Let no caller wait for ever: after five periods in which nothing got through, all are refused."""
        if now >= self.schedule.patience_ends():
            for place in self.schedule.line.places():
                self._refuse(place)

    def _refuse(self, place: Place) -> None:
        """Tell a caller that its turn will not come in time."""
        waiter = place.waiter
        if place.waiting and waiter is not None and not waiter.done():
            expected = self.schedule.expected_wait(self.now(), place)
            self.schedule.leave(place)
            waiter.set_exception(TurnRefusedError(expected))
            self._set_timer()

    def _set_timer(self) -> None:
        """Keep one timer, and none when no caller waits. One that fires early does no harm."""
        wake, timer = self._wake() - self._offset, self._timer
        if timer is not None:
            if timer.when() <= wake < inf:
                return
            timer.cancel()
            self._timer = None
        if wake < inf:
            assert self._loop is not None
            self._timer = self._loop.call_at(wake, self._on_timer)

    def _wake(self) -> float:
        schedule = self.schedule
        if not schedule.line.total:
            return inf
        wake = inf if schedule.wake is None else schedule.wake
        return min(wake, schedule.patience_ends())

    def _on_timer(self) -> None:
        self._timer = None
        self._pump(self.now())

    def _bind(self) -> asyncio.AbstractEventLoop:
        """Return the running loop; move to it when it is another one than before.

        Raises:
            RuntimeError: the limiter is in use on another loop, which has not been closed.
        """
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._move_to(loop)
        return loop

    def _move_to(self, loop: asyncio.AbstractEventLoop) -> None:
        """Go on in another loop: what was sent from the last one counts, the callers there are forgotten."""
        last, pid = self._loop, os.getpid()
        if last is not None:
            # A loop that was open when this process was forked runs in another one.
            if not last.is_closed() and self._pid == pid and self.schedule.is_busy():
                raise RuntimeError("this rate limiter is in use on another event loop")
            self.schedule.forget_callers()
            self._offset += last.time() - loop.time()
        self._loop, self._pid, self._timer = loop, pid, None


class QueuedTurn:
    """A turn of a caller that waits, or has waited, in line."""

    __slots__ = ("_place", "_waiters")

    def __init__(self, waiters: Waiters, place: Place) -> None:
        self._waiters = waiters
        self._place = place

    def accepted(self) -> None:
        """Report that the server took the call."""
        if self._place.grant is not None:
            self._waiters.accepted(self._place)

    def rejected(self, retry_after: float | None) -> None:
        """Report that the server answered 429."""
        if self._place.grant is not None:
            self._waiters.rejected(self._place, retry_after)

    def release(self) -> None:
        """Report that no answer came."""
        if self._place.grant is not None:
            self._waiters.lost(self._place)

    async def again(self, max_wait: float | None = None) -> None:
        """Wait for another turn at the same place in line."""
        self.release()
        await self._waiters.enter_again(self._place, max_wait)
