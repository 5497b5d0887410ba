"""Between two tests: what the client remembers of accounts, so that one test does not pace another."""

import sys
from typing import Final

_MEMORY: Final = "helpcrunch_async.accounts"


def forget_accounts() -> None:
    """Forget what this process remembers of accounts: their rate limiters, and what they have learnt.

    Call it between two tests that call the same base_url with the same key; the pytest plugin does. Clients
    that are open keep the limiter that they hold.
    """
    # Looked up, not imported: what nothing has imported remembers nothing, and the fake server stays
    # independent of the client.
    memory = sys.modules.get(_MEMORY)
    if memory is not None:
        memory.forget_accounts()
