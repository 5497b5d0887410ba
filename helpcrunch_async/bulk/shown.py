"""What an answer shows of a customer in one field, to be compared with what another one shows.

Values are compared after they were read: two answers may spell one value differently.
"""

from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any, Final

from helpcrunch_async.models import Customer
from helpcrunch_async.writes import NAME_OF_KEY

PROVED_FIELDS: Final = ("id", "userId", "email", "name", "firstSeen", "tags", "customData")

_READ: Final[Mapping[str, Callable[[Customer], Any]]] = {
    "id": attrgetter("id"),
    **{key: attrgetter(name) for key, name in NAME_OF_KEY.items()},
    # written beside the others, shown in one object
    "city": attrgetter("location.city"),
    "regionCode": attrgetter("location.region_code"),
    "countryCode": attrgetter("location.country_code"),
    # what else a tag has, one answer may show and another not
    "tags": lambda customer: [(tag.name, tag.color) for tag in customer.tags],
}


def shown(customer: Customer, key: str) -> Any:
    """Return what a customer shows in a field, by the key under which the API takes it."""
    return _READ[key](customer)
