"""The lesson: what a contact with the server's limit teaches a client that was told one.

A contact begins with the rejection that closes the gate and ends with the accepted probe that opens it.
Counting what was accepted around it gives the number of calls the server takes in a period.
"""

from collections import deque
from itertools import takewhile
from math import inf
from typing import Final

from attrs import define, field

from helpcrunch_async.rate_limit.line import Grant

_BELOW: Final = 0.985  # of the estimate: to stay under it
_LOWEST_STRONG: Final = 0.3  # of the old number: what one strong estimate may cut it to
_LOWEST_WEAK: Final = 0.7
_ENOUGH: Final = 15  # accepted calls that make a short count trustworthy
_HOLD: Final = 3.0  # periods without climbing after a strong estimate
_LONGEST_HOLD: Final = 16.0
_SAME: Final = 0.1  # two strong estimates this close are the same wall
_STEP: Final = 0.02  # of a climb after a strong estimate
_WEAK_STEP: Final = 0.05
_LARGEST_STEP: Final = 0.25
_STEPS_TO_DOUBLE: Final = 4
_PAY: Final = 120  # accepted calls that a rejection must be worth before the next deliberate probe
_WEAK_PAY: Final = 20
_IDLE: Final = 16.0  # periods after which a climb need not pay for itself
_KEPT: Final = 3.0  # periods of turns that are remembered


@define(eq=False)
class Contact:
    """One contact with the limit: when it cut us off, how deep, and what it says about the rate."""

    cut: float  # when the first rejected turn was taken
    told: bool  # the server sent a Retry-After
    deepest: float  # the most turns ahead of the even pace that a rejected one was
    rejected: int = 1  # calls that were on the wire
    probes: int = 0  # probes that were rejected too
    calls: float = inf  # estimate: calls per period
    strong: bool = False
    again: bool = False  # there was another contact within a period
    slack: float = 0.0  # seconds that a rounded-up Retry-After may have cost


@define(eq=False)
class Lesson:
    """Remembers turns and contacts of the last periods, and plans the climb back."""

    period: float
    reopened: float = -inf  # when the gate was last opened
    _pressed_since: float = -inf  # since when turns have been taken as fast as the pace allows
    accepted: int = 0  # calls accepted since the last contact
    _turns: deque[Grant] = field(factory=deque)
    _last: float = -inf
    _contact: Contact | None = None
    _past: deque[Contact] = field(factory=deque)
    climb_at: float = inf  # when to try more, at the earliest
    _climb_anyway: float = inf  # when a climb need not pay for itself any more
    _pay: int = 0
    _step: float = _STEP
    _steps: int = 0
    _hold: float = _HOLD
    _wall: float = inf  # the last strong estimate, as it was applied

    def granted(self, grant: Grant, *, probe: bool, pressed: bool) -> None:
        """Remember a turn.

        What was accepted while fewer turns were taken than the pace allows is our demand, and says nothing
        about the limit; nor do contacts from before a period without a turn.
        """
        if not probe:
            if not pressed:
                self._pressed_since = grant.at
            if grant.at - self._last > self.period:
                self._past.clear()
        self._last = grant.at
        turns = self._turns
        while turns and turns[0].at < grant.at - _KEPT * self.period:
            turns.popleft()
        turns.append(grant)

    def contact_begins(self, grant: Grant, *, told: bool) -> float | None:
        """Note the first rejection; give the time of the oldest accepted turn in the period before it.

        Turns that are taken together may pass one another on the wire, and the last to arrive is rejected:
        the deepest of them is to blame.
        """
        together = takewhile(lambda turn: turn.at >= grant.at, reversed(self._turns))
        deepest = max([grant.depth, *(turn.depth for turn in together)])
        self._contact = Contact(cut=grant.at, told=told, deepest=deepest)
        since = grant.at - self.period
        return next((turn.at for turn in self._turns if turn.accepted and turn.at > since), None)

    def contact_continues(self, grant: Grant, *, probe: bool) -> None:
        """Note a further rejection, of a call that was on the wire already or of a probe."""
        contact = self._contact
        assert contact is not None
        if probe:
            contact.probes += 1
        else:
            contact.rejected += 1
            contact.deepest = max(contact.deepest, grant.depth)

    def contact_ends(self, probe: Grant) -> Contact:
        """Estimate what the server takes, now that a probe was accepted."""
        contact, past, period = self._contact, self._past, self.period
        assert contact is not None
        self._contact = None
        pressed = contact.cut - self._pressed_since  # seconds of work before the cut
        paused = probe.at - contact.cut
        contact.slack = min(1.0, paused) / 2 if contact.told else 0.0
        while past and past[0].cut < contact.cut - period:
            past.popleft()
        contact.again = bool(past)
        if pressed >= period:
            # exact for every window, right for a pressed bucket; the pause does not matter
            contact.calls = self._count(contact.cut - period, contact.cut)
            contact.strong = True
        elif past:
            since = past[0].cut
            span = contact.cut - since - sum(earlier.slack for earlier in past)
            contact.calls = self._count(since, contact.cut) * period / max(span, 1e-3)
        else:
            count = self._count(self._pressed_since - 1e-9, probe.at - 1e-9)
            span = min(max(pressed + paused - contact.slack, 1e-3), period)
            contact.calls = count * period / span
            contact.strong = count >= _ENOUGH
        self.reopened = self._pressed_since = probe.at
        past.append(contact)
        return contact

    def _count(self, after: float, until: float) -> int:
        return sum(1 for turn in self._turns if turn.accepted and after < turn.at <= until)

    @staticmethod
    def corrected(calls: float, contact: Contact) -> float:
        """Give the number of calls per period to go on with: not below what one lesson is worth."""
        lowest = _LOWEST_STRONG if contact.strong else _LOWEST_WEAK
        return max(lowest * calls, _BELOW * min(contact.calls, calls))

    def plan_climb(self, calls: float, contact: Contact, probe: Grant) -> None:
        """Set when to try more, in which steps, and how many accepted calls must have paid for it."""
        self.accepted = 0
        self._steps = 0
        rejections = contact.rejected + contact.probes
        if contact.strong:
            same = (1 - _SAME) * self._wall < calls < (1 + _SAME) * self._wall
            self._hold = min(max(self._hold, 1.0) * 2, _LONGEST_HOLD) if same else _HOLD
            self._step = _STEP
            self._wall = calls
            self._pay = _PAY * rejections
        else:
            self._hold = 1.0
            self._step = _WEAK_STEP
            self._pay = _WEAK_PAY * rejections
        self.climb_at = probe.at + self._hold * self.period
        self._climb_anyway = probe.at + _IDLE * self.period

    def climb(self, now: float) -> float:
        """Give the factor by which to try more now; 1 when it is not the time."""
        if now < self.climb_at or (self.accepted < self._pay and now < self._climb_anyway):
            return 1.0
        factor = 1 + self._step
        self.climb_at = now + self.period
        self._steps += 1
        if self._steps >= _STEPS_TO_DOUBLE:
            self._step = min(_LARGEST_STEP, 2 * self._step)
        return factor

    def end_climb(self) -> None:
        """End the climb: what was told is reached again."""
        self.climb_at = inf
