"""What became of one customer id of many."""

from attrs import frozen

from helpcrunch_async.errors import HelpCrunchError
from helpcrunch_async.models.customer import Customer


@frozen(unsafe_hash=False)
class Lookup:
    """The answer for one id: exactly one of `customer` and `error` is set."""

    id: int
    customer: Customer | None
    error: HelpCrunchError | None
