"""What was spent of a budget lately."""

from collections import deque
from collections.abc import Callable
from time import monotonic


class Spending:
    """Requests in the last `period` seconds, seen as often as one looks.

    `count` gives the requests so far; it only rises.
    """

    def __init__(
        self, count: Callable[[], int], period: float, *, clock: Callable[[], float] = monotonic
    ) -> None:
        self._count = count
        self._period = period
        self._clock = clock
        self._seen: deque[tuple[float, int]] = deque([(clock(), count())])

    def lately(self) -> int:
        """Count the requests of the last period, up to now."""
        now, count = self._clock(), self._count()
        self._seen.append((now, count))
        while self._seen[0][0] < now - self._period:
            self._seen.popleft()
        return count - self._seen[0][1]
