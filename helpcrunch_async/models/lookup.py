"""What became of one customer of many."""

from attrs import frozen

from helpcrunch_async.errors import HelpCrunchError
from helpcrunch_async.models.customer import Customer


@frozen(unsafe_hash=False)
class Lookup:
    """The answer for one id: exactly one of `customer` and `error` is set."""

    id: int
    customer: Customer | None
    error: HelpCrunchError | None


@frozen(unsafe_hash=False)
class BatchOutcome:
    """What became of one update of a batch.

    Either `error` is set, or the update was accepted: then `customer` is the customer after it, or None
    when HelpCrunch accepted the batch without showing this customer, since what it answers to a batch is
    not documented.
    """

    id: int
    customer: Customer | None
    error: HelpCrunchError | None
