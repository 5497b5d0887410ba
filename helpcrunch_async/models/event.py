"""Something a customer did. Source: https://docs.helpcrunch.com/en/rest-api-v1/add-customer-event-v1."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from attrs import field, frozen

from helpcrunch_async.models.customer import CustomValue
from helpcrunch_async.models.extra import NO_EXTRA


@frozen(unsafe_hash=False)
class Event:
    """An event, as the answer to its creation shows it; HelpCrunch has no way to read it again.

    The values of `data` are left as they came, which may be of another type than what was sent.
    """

    id: int | None = None
    """Documented, though one description of the API knows answers without it."""
    name: str | None = None
    data: dict[str, CustomValue] = field(factory=dict)
    created_at: datetime | None = None
    """Aware, in UTC."""
    customer_id: int | None = None
    """Older answers only; the API calls it `customer`."""
    extra: Mapping[str, Any] = NO_EXTRA
    """Fields that the API added later, as they came."""
