"""What arguments that make no sense lead to, and some values that many of them share."""

import inspect
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from aioresponses import aioresponses

from helpcrunch_async import UNLIMITED, HelpCrunchClient

NAN: Final = float("nan")
HALF: Final = "Mara \ud83d"
"""Half of a surrogate pair behind it: no UTF-8, hence nothing that can be sent."""
NOON, NAIVE = datetime(2024, 4, 9, 12, tzinfo=UTC), datetime(2024, 4, 9, 12)  # noqa: DTZ001 - on purpose
PRIVATE: Final = ("Mara", "mara@", "acct_502", "+4989")
"""Of a customer, in many of the arguments below, and in no error's text."""


async def refusal_of(mocked: aioresponses, call: Callable[[Any], Any]) -> Exception:
    """Give what a call raises; it must not have sent anything, and not show what it was given."""
    async with HelpCrunchClient("s3cret", rate_limiter=UNLIMITED) as client:
        try:
            result = call(client)
            if inspect.isawaitable(result):
                result = await result
        except (TypeError, ValueError) as error:
            told = "\n".join([str(error), *getattr(error, "__notes__", ())])
            assert [word for word in PRIVATE if word in told] == []
            assert mocked.requests == {}
            return error
    raise AssertionError(f"nothing was raised, but {type(result)} given")
