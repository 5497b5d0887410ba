"""What every endpoint of the fake server works on: the account's data and how it speaks."""

import attrs

from helpcrunch_async.testing.answers import Spelling
from helpcrunch_async.testing.customers import CustomerBook
from helpcrunch_async.testing.search import SearchBehaviour


@attrs.define
class Account:
    """One HelpCrunch account: all that its key can reach."""

    spelling: Spelling
    customers: CustomerBook
    search: SearchBehaviour
