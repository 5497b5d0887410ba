"""The limiter of one process: its state lives as long as the process does."""

from random import Random

from helpcrunch_async import RateLimiter
from helpcrunch_async.rate_limit.value import dump, load
from shells.account import Process


class InProcess:
    """Each process has a state of its own, which is written and read as one value."""

    shared = False

    def __init__(self) -> None:
        self._limiter: RateLimiter | None = None
        self._kept: str | None = None

    def process(self, limit: int, period: float, random: Random) -> RateLimiter:
        self._limiter = RateLimiter(limit, period, random=random.random)
        return self._limiter

    def kill(self, process: Process) -> None:
        raise NotImplementedError("what dies with its only process is not looked at")

    def jump(self, seconds: float) -> None:
        """As after the sleep of a machine: the loop's clock has gone on meanwhile."""
        assert self._limiter is not None
        self._limiter._waiters._offset += seconds

    def lose_answers(self, share: float) -> None:
        """There is no way on which one could get lost."""

    def keep(self) -> None:
        assert self._limiter is not None
        self._kept = dump(self._limiter._waiters.schedule.machine)

    def fall_back(self) -> None:
        assert self._limiter is not None
        assert self._kept is not None
        self._limiter._waiters.schedule.machine = load(self._kept)

    def lose_state(self) -> None:
        raise NotImplementedError("nobody else could have it")

    def spoil_state(self) -> None:
        raise NotImplementedError("nobody else could have it")
