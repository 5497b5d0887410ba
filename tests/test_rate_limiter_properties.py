"""Whoever comes, leaves, is refused or answered in whatever order: no window holds more turns than told."""

import asyncio
from collections import deque
from random import Random

from attrs import frozen
from hypothesis import given, settings
from hypothesis import strategies as st

from helpcrunch_async import RateLimiter
from helpcrunch_async.rate_limit import Priority, TurnRefusedError
from helpcrunch_async.testing import run_in_virtual_time

PERIOD = 10.0


@frozen
class Caller:
    """Comes at a moment, may leave at another one, and uses its turns in its own way."""

    comes: float
    priority: Priority
    max_wait: float | None
    leaves: float | None  # seconds after it came; it is cancelled wherever it is then
    takes: float  # seconds that a request of its takes
    rejections: int  # how many of its turns end with a 429, before one is accepted
    retry_after: float | None
    breaks: bool  # its last turn brings no answer


MOMENTS = st.floats(0, 25) | st.sampled_from([0.0, 0.0, 1.0, PERIOD])
CALLERS = st.builds(
    Caller,
    comes=MOMENTS,
    priority=st.sampled_from(["interactive", "bulk"]),
    max_wait=st.none() | st.none() | st.floats(0, 30),
    leaves=st.none() | st.none() | MOMENTS,
    takes=st.sampled_from([0.0, 0.01, 0.3, 3.0]),
    rejections=st.sampled_from([0, 0, 0, 1, 2]),
    retry_after=st.none() | st.sampled_from([0.0, 1.0, 7.0]),
    breaks=st.booleans(),
)


class Windows:
    """Counts the turns of any period that ends now."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.granted: deque[float] = deque()

    def note(self) -> None:
        """Note a turn; no window that it lies in may hold too many."""
        now = asyncio.get_running_loop().time()
        self.granted.append(now)
        while self.granted[0] <= now - PERIOD:
            self.granted.popleft()
        assert len(self.granted) <= self.limit


async def come(caller: Caller, limiter: RateLimiter, windows: Windows) -> None:
    """Take turns until one is accepted, or lost."""
    await asyncio.sleep(caller.comes)
    turn = await limiter.turn(caller.priority, caller.max_wait)
    try:
        for left in range(caller.rejections, -1, -1):
            windows.note()
            await asyncio.sleep(caller.takes)
            if left:
                turn.rejected(caller.retry_after)
                await turn.again(caller.max_wait)
            elif not caller.breaks:
                turn.accepted()
    finally:
        turn.release()


@given(
    st.lists(CALLERS, max_size=40),
    st.sampled_from([1, 2, 5, 12]),
    st.none() | st.just(1),
    st.integers(0, 99),
)
@settings(max_examples=3 * settings().max_examples // 2)
def test_no_window_holds_more_turns_than_told(
    callers: list[Caller], limit: int, burst: int | None, seed: int
) -> None:
    """Under any interleaving of calls, cancellations, refusals and answers; and then nothing is left over."""

    async def main() -> None:
        limiter = RateLimiter(limit, PERIOD, burst=burst, random=Random(seed).random)
        windows = Windows(limit)
        loop = asyncio.get_running_loop()
        tasks = []
        for caller in callers:
            task = asyncio.create_task(come(caller, limiter, windows))
            tasks.append(task)
            if caller.leaves is not None:
                loop.call_later(caller.comes + caller.leaves, task.cancel)
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        for caller, outcome in zip(callers, outcomes, strict=True):
            assert outcome is None or isinstance(outcome, TurnRefusedError | asyncio.CancelledError)
            assert caller.leaves is not None or not isinstance(outcome, asyncio.CancelledError)
        statistics = limiter.statistics
        assert (statistics.waiting, statistics.in_flight) == (0, 0)
        assert limiter._waiters._timer is None
        assert len(asyncio.all_tasks()) == 1

    run_in_virtual_time(main())
