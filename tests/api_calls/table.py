"""All calls, and one of each method."""

from typing import Any, Final

import pytest

from api_calls import chats, customer_changes, customers, team
from api_calls.call import Call

TABLE: Final[tuple[Call, ...]] = (
    *customers.CALLS,
    *customer_changes.CALLS,
    *chats.READS,
    *chats.CHANGES,
    *team.CALLS,
)


def _as_parameters(calls: Any) -> list[Any]:
    return [pytest.param(call, id=call.name) for call in calls]


EACH_CALL: Final = _as_parameters(TABLE)
BY_METHOD: Final[dict[str, Call]] = {call.method: call for call in reversed(TABLE)}
"""The first line of each method."""
EACH_METHOD: Final = _as_parameters(BY_METHOD.values())
