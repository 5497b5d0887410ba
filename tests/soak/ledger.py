"""Writes down what became of each id, once, and every promise that is broken."""

from collections import Counter
from collections.abc import Iterable
from typing import Final

from attrs import define, field

from helpcrunch_async import Customer, Event, HelpCrunchError, NotFoundError
from soak.account import Account, exists, name_of

_TOLD: Final = 20

CANCELLED: Final = "cancelled"
"""The outcome of who was cancelled by us, or left."""

WITH_ITS_LIST: Final = "with its list"
"""The outcome of ids that were asked for in one call, which failed as a whole."""


@define(eq=False)
class Broken:
    """The promises that were broken: how many, and the first of them in words."""

    count: int = 0
    first: list[str] = field(factory=list)

    def note(self, what: str) -> None:
        """Write one down."""
        self.count += 1
        if len(self.first) < _TOLD:
            self.first.append(what)


class Ledger:
    """What became of the ids that were asked for by one route."""

    def __init__(self, route: str, account: Account, broken: Broken) -> None:
        self.outcomes: Counter[str] = Counter()
        self.again: int = 0
        """Calls for an id that somebody else asked for at the same time; they are judged, not counted."""
        self.stopped: Counter[str] = Counter()
        """Errors that stopped a walk, which went on behind the last row."""
        self._route = route
        self._account = account
        self._broken = broken
        self._accounted = bytearray(account.size + 1)

    def complain(self, what: str) -> None:
        """Note a broken promise."""
        self._broken.note(f"{self._route}: {what}")

    def settle(self, customer_id: int, outcome: object, *, again: bool = False) -> None:
        """Account for an id: a customer, an event or an error came of it, or `CANCELLED`."""
        name = self._judge(customer_id, outcome)
        if again:
            self.again += 1
            return
        if self._accounted[customer_id]:
            self.complain(f"{customer_id} is accounted for twice, the second time as {name}")
        self._accounted[customer_id] = 1
        self.outcomes[name] += 1

    def close(self, ids: Iterable[int]) -> None:
        """See that all of these were accounted for, and nothing else."""
        expected = bytearray(self._account.size + 1)
        for each in ids:
            expected[each] = 1
        if expected == self._accounted:
            return
        for each, (due, done) in enumerate(zip(expected, self._accounted, strict=True)):
            if due != done:
                self.complain(f"{each} is {'not accounted for' if due else 'nobody asked for'}")

    def close_events(self) -> None:
        """See that nothing that must not be repeated was done twice."""
        for each, times in enumerate(self._account.carried_out):
            if times > 1:
                self.complain(f"the event of {each} was recorded {times} times")

    def _judge(self, customer_id: int, outcome: object) -> str:
        if isinstance(outcome, Customer | Event):
            self._judge_answer(customer_id, outcome)
        elif isinstance(outcome, NotFoundError):
            if exists(customer_id):
                self.complain(f"{customer_id} exists, and was not found")
        elif not isinstance(outcome, HelpCrunchError) and outcome not in {CANCELLED, WITH_ITS_LIST}:
            self.complain(f"{customer_id} got {outcome!r}")
        return outcome if isinstance(outcome, str) else type(outcome).__name__

    def _judge_answer(self, customer_id: int, answer: Customer | Event) -> None:
        if not exists(customer_id):
            self.complain(f"{customer_id} does not exist, and got {type(answer).__name__}")
        elif isinstance(answer, Customer) and answer.id != customer_id:
            self.complain(f"{customer_id} got the customer {answer.id}")
        elif isinstance(answer, Customer) and answer.name not in {None, name_of(customer_id)}:
            self.complain(f"{customer_id} has the name of another")

    def judge_read(self, customer_id: int, outcome: object) -> None:
        """See that a read, which changes nothing, is not in doubt."""
        if isinstance(outcome, HelpCrunchError) and outcome.outcome_unknown:
            self.complain(f"{customer_id} was only read, and is in doubt: {outcome!r}")

    def judge_change(self, customer_id: int, outcome: object) -> None:
        """See that a change was made if it succeeded, and is in doubt if it failed and may have been made."""
        times = self._account.carried_out[customer_id]
        if isinstance(outcome, Customer | Event) and times == 0:
            self.complain(f"the change of {customer_id} succeeded, and was not made")
        elif isinstance(outcome, HelpCrunchError) and not outcome.outcome_unknown and times:
            self.complain(f"the change of {customer_id} was made, and is not in doubt: {outcome!r}")
