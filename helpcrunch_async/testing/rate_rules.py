"""Rate limits as a server keeps them: pure arithmetic, no I/O, the time passed in.

HelpCrunch documents 120 requests a minute but not how it counts them, so a test should try several kinds.
A rule is asked once per request, with times that never go back:

>>> rule = RollingLog(limit=2, period=60.0)
>>> [rule.hit(now) for now in (0.0, 1.0, 2.0)]
[None, None, 58.0]
"""

import math
import random
from collections import deque
from typing import Any, Protocol

import attrs

_ROUNDING = 1e-9
"""Calls. Float error may not turn a wait that was just served into another refusal."""


class RateRule(Protocol):
    """What the fake server asks before it serves a request."""

    @property
    def rate(self) -> float:
        """Calls per second that are accepted in the long run, from callers who always want more."""
        ...

    def hit(self, now: float) -> float | None:
        """Ask for one call at `now` (seconds on any clock that never goes back).

        Returns None when the call is accepted, else the seconds until a slot frees.
        """
        ...


def _whole(_: Any, attribute: "attrs.Attribute[int]", value: object) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{attribute.name} must be a whole number of at least 1, not {value!r}")


def _positive(_: Any, attribute: "attrs.Attribute[float]", value: object) -> None:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < math.inf:
        raise ValueError(f"{attribute.name} must be a positive number, not {value!r}")


def _phase(_: Any, attribute: "attrs.Attribute[float]", value: object) -> None:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < 1:
        raise ValueError(f"{attribute.name} is a share of the period in [0, 1), not {value!r}")


@attrs.define(eq=False)
class FixedWindow:
    """At most `limit` calls in each window of `period` seconds; every window starts from nothing.

    With `phase` None a window opens with the first call after the last one ended; with a number, windows
    follow the clock, shifted by `phase` periods. A full window stays full whether or not refused calls count:
    `count_rejected` changes nothing here, and is taken so that rules can be swapped.
    """

    limit: int = attrs.field(validator=_whole)
    period: float = attrs.field(validator=_positive)
    phase: float | None = attrs.field(default=None, validator=attrs.validators.optional(_phase))
    count_rejected: bool = attrs.field(default=False, kw_only=True)
    _end: float = attrs.field(default=-math.inf, init=False)
    _accepted: int = attrs.field(default=0, init=False)

    @property
    def rate(self) -> float:
        """Calls per second: the limit spread over its period."""
        return self.limit / self.period

    def hit(self, now: float) -> float | None:
        """Ask for one call at `now`; seconds until the window ends, when it is full."""
        if now >= self._end:
            self._end = self._end_of_window_at(now)
            self._accepted = 0
        if self._accepted < self.limit:
            self._accepted += 1
            return None
        return self._end - now

    def _end_of_window_at(self, now: float) -> float:
        if self.phase is None:
            return now + self.period
        index = math.floor(now / self.period - self.phase)
        end = (index + 1 + self.phase) * self.period
        # Rounding can put `now` on the wrong side of an edge that it equals.
        return end if end > now else end + self.period


@attrs.define(eq=False)
class RollingLog:
    """At most `limit` calls in any span of `period` seconds: the strictest reading of a limit.

    With `count_rejected` refused calls fill the span too, so a caller who keeps on trying stays locked out.
    """

    limit: int = attrs.field(validator=_whole)
    period: float = attrs.field(validator=_positive)
    count_rejected: bool = attrs.field(default=False, kw_only=True)
    _leaving: deque[float] = attrs.field(
        default=attrs.Factory(lambda self: deque(maxlen=self.limit), takes_self=True), init=False
    )
    """When the last `limit` counted calls leave the span; no others can decide."""

    @property
    def rate(self) -> float:
        """Calls per second: the limit spread over its period."""
        return self.limit / self.period

    def hit(self, now: float) -> float | None:
        """Ask for one call at `now`; seconds until the oldest counted call leaves, when the span is full."""
        accepted = len(self._leaving) < self.limit or now >= self._leaving[0]
        if accepted or self.count_rejected:
            self._leaving.append(now + self.period)
        return None if accepted else self._leaving[0] - now


@attrs.define(eq=False)
class InterpolatedWindow:
    """Clock windows where the previous one fades out: `previous * left + current + 1 <= limit`.

    `left` is the share of the current window still to come. Symfony calls it a sliding window. `phase` shifts
    the windows by that many periods. With `count_rejected` refused calls count as well, up to the limit.
    """

    limit: int = attrs.field(validator=_whole)
    period: float = attrs.field(validator=_positive)
    phase: float = attrs.field(default=0.0, validator=_phase)
    count_rejected: bool = attrs.field(default=False, kw_only=True)
    _index: int | None = attrs.field(default=None, init=False)
    _end: float = attrs.field(default=-math.inf, init=False)
    _previous: int = attrs.field(default=0, init=False)
    _current: int = attrs.field(default=0, init=False)

    @property
    def rate(self) -> float:
        """Calls per second: the limit spread over its period."""
        return self.limit / self.period

    def hit(self, now: float) -> float | None:
        """Ask for one call at `now`; seconds until the windows have faded enough, when it is refused."""
        if now >= self._end:
            self._enter_window_at(now)
        left = min((self._end - now) / self.period, 1.0)
        if self._previous * left + self._current + 1 <= self.limit + _ROUNDING:
            self._current += 1
            return None
        if self.count_rejected:
            self._current = min(self.limit, self._current + 1)
        # Never zero: whoever waits as told must see time pass.
        return max(self._free_at() - now, _ROUNDING)

    def _enter_window_at(self, now: float) -> None:
        index = math.floor(now / self.period - self.phase)
        if (index + 1 + self.phase) * self.period <= now:  # rounding, at an edge
            index += 1
        follows = self._index is not None and index == self._index + 1
        self._previous = self._current if follows else 0
        self._current = 0
        self._index = index
        self._end = (index + 1 + self.phase) * self.period

    def _free_at(self) -> float:
        room = self.limit - 1 - self._current
        if room >= 0:  # the previous window is in the way, and fades before this one ends
            return self._end - self.period * min(1.0, room / self._previous)
        # This window is full: it becomes the previous one and has to fade in its turn.
        return self._end + self.period * (1 - (self.limit - 1) / self._current)


@attrs.define(eq=False)
class TokenBucket:
    """A store of up to `burst` calls that refills at `limit / period` a second; it starts full.

    `burst` defaults to `limit`. With `count_rejected` a refused call spills what there is of the next token.
    """

    limit: int = attrs.field(validator=_whole)
    period: float = attrs.field(validator=_positive)
    burst: int = attrs.field(
        default=attrs.Factory(lambda self: self.limit, takes_self=True), validator=_whole
    )
    count_rejected: bool = attrs.field(default=False, kw_only=True)
    _tokens: float = attrs.field(
        default=attrs.Factory(lambda self: float(self.burst), takes_self=True), init=False
    )
    _filled_at: float | None = attrs.field(default=None, init=False)

    @property
    def rate(self) -> float:
        """Calls per second: the refill."""
        return self.limit / self.period

    def hit(self, now: float) -> float | None:
        """Ask for one call at `now`; seconds until a whole token has gathered, when there is none."""
        if self._filled_at is not None:
            self._tokens = min(self.burst, self._tokens + (now - self._filled_at) * self.rate)
        self._filled_at = now
        if self._tokens >= 1 - _ROUNDING:
            self._tokens = max(0.0, self._tokens - 1)
            return None
        if self.count_rejected:
            self._tokens = 0.0
        return (1 - self._tokens) / self.rate


@attrs.define(eq=False)
class Penalty:
    """Another rule whose every refused call, also during a block, extends a block of `block` seconds.

    The worst case for clients that retry on their own: they keep each other out.
    """

    rule: RateRule
    block: float = attrs.field(validator=_positive)
    _until: float = attrs.field(default=-math.inf, init=False)
    _rule_free_at: float = attrs.field(default=-math.inf, init=False)

    @property
    def rate(self) -> float:
        """Calls per second that the rule inside accepts."""
        return self.rule.rate

    def hit(self, now: float) -> float | None:
        """Ask for one call at `now`; seconds until neither block nor rule is in the way, when refused."""
        if now >= self._until:
            wait = self.rule.hit(now)
            if wait is None:
                return None
            self._rule_free_at = now + wait
        self._until = now + self.block
        return max(self._until, self._rule_free_at) - now


@attrs.define(eq=False)
class Shared:
    """Another rule whose budget a second consumer eats into, making `taken` calls a second of its own.

    The second consumer starts with the first hit and never retries. It calls at even distances, or with
    `seed` at random ones (a Poisson stream). Work per hit grows with the calls it made since the last one.
    """

    rule: RateRule
    taken: float = attrs.field(validator=_positive)
    seed: int | None = attrs.field(default=None, kw_only=True)
    _random: random.Random = attrs.field(
        default=attrs.Factory(lambda self: random.Random(self.seed), takes_self=True), init=False
    )
    _next: float = attrs.field(default=math.inf, init=False)

    def __attrs_post_init__(self) -> None:
        if self.taken >= self.rule.rate:
            raise ValueError(
                f"taken must be below the rate of the rule ({self.rule.rate:g}), not {self.taken!r}"
            )

    @property
    def rate(self) -> float:
        """Calls per second that the second consumer leaves over."""
        return self.rule.rate - self.taken

    def hit(self, now: float) -> float | None:
        """Ask for one call at `now`, after every call that the second consumer has made until then."""
        if self._next == math.inf:
            self._next = now + self._pause()
        while self._next <= now:
            self.rule.hit(self._next)
            self._next += self._pause()
        return self.rule.hit(now)

    def _pause(self) -> float:
        return 1 / self.taken if self.seed is None else self._random.expovariate(self.taken)


@attrs.define(eq=False)
class Change:
    """One rule at first, another from `after` seconds after the first hit: a plan that changes under way."""

    first: RateRule
    then: RateRule
    after: float = attrs.field(validator=_positive)
    _changes_at: float = attrs.field(default=math.inf, init=False)
    _changed: bool = attrs.field(default=False, init=False)

    @property
    def rate(self) -> float:
        """Calls per second that the rule in force at the last hit accepts."""
        return self.then.rate if self._changed else self.first.rate

    def hit(self, now: float) -> float | None:
        """Ask the rule in force at `now` for one call; the second one starts with no memory of the first."""
        if self._changes_at == math.inf:
            self._changes_at = now + self.after
        self._changed = now >= self._changes_at
        return (self.then if self._changed else self.first).hit(now)
