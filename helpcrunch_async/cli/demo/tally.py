"""What became of one way to do the job."""

from time import monotonic
from typing import Any

from attrs import define, field


@define(eq=False)
class Tally:
    """Calls are what was asked for; requests are what the server saw of it."""

    name: str
    calls: int
    done: int = 0
    lost: int = 0
    requests: int = 0
    rejected: int = 0
    _began: float | None = field(default=None, init=False)
    _ended: float | None = field(default=None, init=False)

    def begin(self) -> None:
        """Start the clock."""
        self._began = monotonic()

    def end(self) -> None:
        """Stop the clock; what is not done by now is lost."""
        self._ended = monotonic()
        self.lost = self.calls - self.done

    @property
    def state(self) -> str:
        """`to come`, `running` or `ended`."""
        if self._began is None:
            return "to come"
        return "running" if self._ended is None else "ended"

    @property
    def waiting(self) -> int:
        """Calls that are neither done nor lost."""
        return self.calls - self.done - self.lost

    @property
    def seconds(self) -> float:
        """Seconds that it took, or has taken so far."""
        if self._began is None:
            return 0.0
        return (monotonic() if self._ended is None else self._ended) - self._began

    def to_dict(self) -> dict[str, Any]:
        """For scripts."""
        return {
            "way": self.name,
            "done": self.done,
            "lost": self.lost,
            "requests": self.requests,
            "rejected": self.rejected,
            "seconds": round(self.seconds, 3),
        }

    def share_of_budget(self, limit: int, period: float) -> float:
        """Tell which part of the requests that the limit sustains in that time was accepted.

        A run shorter than one window had that one window.
        """
        return (self.requests - self.rejected) / (limit * max(1.0, self.seconds / period))
