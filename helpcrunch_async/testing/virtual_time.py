"""Virtual time: an event loop whose clock jumps to the next timer, so that hours run in seconds."""

import asyncio
import selectors
from collections.abc import Coroutine
from math import inf, nextafter
from typing import Any, TypeVar

T = TypeVar("T")


class _JumpingSelector(selectors.SelectSelector):
    """Never sleeps: where the loop would wait for its next timer, the clock is set to it."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready:
            return ready
        if timeout is None:  # no timer, and in virtual time nothing comes from outside
            raise RuntimeError("deadlock in virtual time: every task waits, and no timer is set")
        if timeout:
            # at least a microsecond: a rounding remainder that is slept again and again would never end
            self.now = max(self.now + max(timeout, 1e-6), nextafter(self.now, inf))
        return []


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An event loop whose `time()` starts at 0 and passes only between timers.

    For code that waits with asyncio and does no real I/O: sockets and threads do not take part.
    """

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        """Tell the virtual time, in seconds."""
        return self._jumping.now


def run_in_virtual_time(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine as `asyncio.run` does, in virtual time.

    Raises:
        RuntimeError: a deadlock: every task waits, and no timer is set.
    """
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(main)
