"""The gate: after a rejection nobody goes until a deadline, then one probe, and only its answer opens."""

from collections.abc import Callable
from math import inf
from typing import Final

from attrs import define, field

from helpcrunch_async.rate_limit.line import Place

PATIENCE: Final = 5.0  # periods without a single accepted call before callers are told


@define(eq=False)
class Gate:
    """Open, or closed until a moment that is never brought forward.

    `random` gives floats in [0, 1).
    """

    random: Callable[[], float]
    closed: bool = False
    until: float = 0.0
    probe: Place | None = None
    closed_at: float = field(default=inf)
    _back: float = 0.0
    _growth: float = 2.0
    _paused: bool = False  # once at least since it was closed
    _edge: float = inf  # by then every kind of window has let a slot go

    def close(self, now: float, *, back: float, growth: float, edge: float) -> None:
        """Begin a pause; `pause` says for how long."""
        self.closed = True
        self.closed_at = now
        self.until = 0.0
        self.probe = None
        self._back = back
        self._growth = growth
        self._edge = edge
        self._paused = False

    def pause(self, now: float, retry_after: float | None, *, gap: float, longest: float) -> None:
        """Set the deadline after a rejection that counts: the first, and every rejected probe."""
        back = self._back * (0.85 + 0.3 * self.random())
        if retry_after is not None:
            wait = max(retry_after, back) if self._paused else retry_after
            # doubling even so frees two clients that keep extending each other's penalty
            self._back = min(longest, 2 * max(self._back, retry_after / 2))
        else:
            wait = min(back, longest)
            self._back *= self._growth
            if now + wait >= self._edge:
                wait = max(self._edge - now, gap)
                self._edge = inf
                self._back = 2 * gap
        self._paused = True
        self.probe = None
        self.postpone(now + wait)

    def postpone(self, until: float) -> None:
        """Move the deadline, never to an earlier moment."""
        self.until = max(self.until, until)

    def probe_due(self) -> float:
        """Tell when the next probe may go: never while one is under way."""
        return inf if self.probe is not None else self.until

    def open(self) -> None:
        """Let everybody pass: the probe was accepted."""
        self.closed = False
        self.probe = None
        self.closed_at = inf
