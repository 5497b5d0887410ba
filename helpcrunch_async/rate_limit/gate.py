"""The gate: after a 429 no call goes out until a deadline, then one probe, and only its answer opens.

| state | who may go | a 429 | an accepted answer |
|---|---|---|---|
| OPEN | every caller, when the pace says so | -> PAUSED; a rejection begins | counted |
| PAUSED | no caller before the deadline | its Retry-After may postpone the deadline | counted |
| PROBING | the probe alone | of the probe: -> PAUSED, for longer | of the probe: -> OPEN, and the estimate |

A probe that brings no answer leaves the gate PAUSED with its deadline behind it: the next caller probes at
once.
"""

from enum import StrEnum
from math import inf
from typing import Final

from attrs import define, evolve, frozen

PATIENCE: Final = 5.0
"""Periods without an accepted call after which callers are refused: the longest pause is four windows, so
that one probe after it still counts. No table has such a server."""
_JITTER: Final = 0.3
"""The share of a pause that is left to chance, so that processes that were cut off together do not probe
together. Two processes in `told` do not object to none; many would."""


class State(StrEnum):
    """What the gate lets through."""

    OPEN = "open"
    PAUSED = "paused"
    PROBING = "probing"


@frozen
class Backoff:
    """How long the pauses after one rejection are; seconds, `growth` aside."""

    first: float
    growth: float  # how many times longer each pause without Retry-After is than the one before
    shortest: float
    longest: float
    slot_free_by: float  # the moment at which every kind of window has freed a slot; inf when it is not known


@define(eq=False)
class Rejection:
    """One encounter with the server's limit, from the 429 that closes the gate to the accepted probe."""

    rejected_at: float  # when the first rejected turn was taken; seconds
    last_at: float  # when the last one was
    has_retry_after: bool
    deepest: float  # the most turns ahead of the even pace that a rejected turn was
    rejected: int = 1  # calls that were on the wire when the gate closed, and were rejected
    probes: int = 0  # probes that were rejected, too

    def add(self, at: float, depth: float, *, probe: bool) -> None:
        """Count a further rejected turn, taken at `at`."""
        self.last_at = max(self.last_at, at)
        if probe:
            self.probes += 1
        else:
            self.rejected += 1
            self.deepest = max(self.deepest, depth)


@define(eq=False)
class Gate:
    """Open, or closed until a moment that is never brought forward."""

    state: State = State.OPEN
    until: float = 0.0  # when the pause ends; seconds
    patience_since: float = inf  # since when the patience of callers is tried
    epoch: int = 0  # how often it was opened: a 429 of an earlier epoch is old news
    probe: int = 0  # the number of the probe's turn, while PROBING
    _next_pause: float = 0.0
    _paused_before: bool = False  # this rejection has had a pause already
    backoff: Backoff | None = None
    rejection: Rejection | None = None  # what closed it

    def close(self, now: float, rejection: Rejection, backoff: Backoff) -> None:
        """Close after a 429; `pause` says for how long."""
        self.state = State.PAUSED
        self.patience_since = now
        self.until = 0.0
        self.rejection = rejection
        self.backoff = backoff
        self._next_pause = backoff.first
        self._paused_before = False

    def pause(self, now: float, retry_after: float | None, dice: float) -> None:
        """Set the deadline after a 429 that counts: the first one, and that of every probe.

        `dice` is in [0, 1).
        """
        backoff = self.backoff
        assert backoff is not None
        wait = self._next_pause * (1 - _JITTER / 2 + _JITTER * dice)
        if retry_after is not None:
            wait = max(retry_after, wait) if self._paused_before else retry_after
            # Doubling even so frees two processes that keep extending each other's penalty.
            self._next_pause = min(backoff.longest, 2 * max(self._next_pause, retry_after / 2))
        else:
            wait = min(wait, backoff.longest)
            self._next_pause *= backoff.growth
            if now + wait >= backoff.slot_free_by:
                wait = max(backoff.slot_free_by - now, backoff.shortest)
                self.backoff = evolve(backoff, slot_free_by=inf)
                self._next_pause = 2 * backoff.shortest
        self._paused_before = True
        self.state = State.PAUSED
        self.postpone(now + wait)

    def postpone(self, until: float) -> None:
        """Move the deadline, never to an earlier moment."""
        self.until = max(self.until, until)

    def begin_probe(self, number: int) -> None:
        """Let one turn through as the probe."""
        self.state = State.PROBING
        self.probe = number

    def is_probe(self, number: int) -> bool:
        """Return whether a turn is the probe that is under way."""
        return self.state is State.PROBING and self.probe == number

    def lose_probe(self) -> None:
        """Let the next caller probe at once: the last probe brought no answer."""
        self.state = State.PAUSED

    def restart_patience(self, now: float) -> None:
        """Count the patience of callers from now on: before, no caller's was tried."""
        self.patience_since = now

    def open(self) -> Rejection:
        """Let every caller pass: the probe was accepted. Return the rejection that has ended."""
        rejection = self.rejection
        assert rejection is not None
        self.state = State.OPEN
        self.patience_since = inf
        self.epoch += 1
        self.rejection = self.backoff = None
        return rejection
