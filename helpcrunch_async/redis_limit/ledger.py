"""What a process has sent, and what it has yet to report of its turns: kept until Redis has heard of it."""

from collections import Counter, deque
from collections.abc import Iterable
from typing import Final

from attrs import define, field

from helpcrunch_async.rate_limit.cells import Grant
from helpcrunch_async.redis_limit.messages import History, ProbeNews, Rejection, Reports

_HISTORY: Final = 250  # entries of a history at most, a period


@define(eq=False)
class Lease(Grant):
    """A turn that Redis granted: by which state of the budget, and whether it is the probe."""

    state: str
    probe: bool


@define(eq=False)
class Ledger:
    """The turns of one process, by its own clock."""

    period: float
    sent: deque[float] = field(factory=deque)  # when turns were taken; of the last period
    probe: ProbeNews | None = None  # what became of the probe, if this process had it
    number: int = 0  # of the question under way, or of the last one
    unsure: bool = False  # whether Redis may not know what was sent
    _asked: Reports | None = None  # with the question under way
    _accepted: Counter[int] = field(factory=Counter)
    _returned: Counter[int] = field(factory=Counter)
    _rejected: list[Rejection] = field(factory=list)

    @property
    def has_news(self) -> bool:
        """Whether there is something that the other processes should hear soon."""
        asked = self._asked
        unheard = asked is not None and (asked.rejected or asked.returned or asked.probe)
        return bool(unheard or self._rejected or self._returned or self.probe)

    def took_turn(self, now: float) -> None:
        """Note a turn, of Redis or of the share."""
        self.sent.append(now)
        while self.sent[0] < now - 1.01 * self.period:
            self.sent.popleft()

    def accepted(self, lease: Lease) -> None:
        """Note that the server took a call."""
        self._accepted[lease.cell] += 1

    def rejected(self, grant: Grant, retry_after: float | None, *, state: str | None, probe: bool) -> None:
        """Note a 429; `state` is the budget that is known now."""
        epoch = grant.epoch if isinstance(grant, Lease) and grant.state == state else None
        self._rejected.append(Rejection(grant.at, grant.depth, epoch, probe, retry_after))

    def returned(self, leases: Iterable[Lease]) -> None:
        """Note turns that nobody wanted any more."""
        for lease in leases:
            self._returned[lease.cell] += 1
            if lease.probe:
                self.probe = "lost"

    def report(self, *, holds_probe: bool) -> Reports:
        """Give what to report with a question: the same until there is an answer."""
        if self._asked is None:
            self.number += 1
            probe = self.probe or ("held" if holds_probe else None)
            self._asked = Reports(
                list(self._accepted.items()), list(self._returned.items()), self._rejected, probe
            )
            self._accepted, self._returned, self._rejected = Counter(), Counter(), []
            self.probe = None
        return self._asked

    def was_heard(self) -> None:
        """Note that the question was answered."""
        self._asked = None
        self.unsure = False

    def history(self, now: float, calls: float, pause: float) -> History:
        """Tell what was sent in the last period."""
        turns: list[tuple[float, int]] = []
        for at in reversed(self.sent):
            ago = now - at
            if turns and ago - turns[-1][0] < self.period / _HISTORY:
                turns[-1] = turns[-1][0], turns[-1][1] + 1
            else:
                turns.append((ago, 1))
        return History(turns, calls, pause)
