"""What is documented of searches: the fields there are, and the operators and values that are legal for each.

Sources: https://docs.helpcrunch.com/en/rest-api-v1/search-customers-v1 and .../search-chats-v1
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from attrs import frozen

from helpcrunch_async.checks import check_count, check_id, check_str, check_text
from helpcrunch_async.models.vocabulary import RATINGS
from helpcrunch_async.strict_json import NotJSONError, loads

_EQUALITY: Final = ("=", "!=")
_ORDER: Final = (">", "<", ">=", "<=")


@frozen
class FieldType:
    """The type of a field."""

    operators: tuple[str, ...]
    check_value: Callable[[str, str, object], object]
    """Called with a field's name, an operator and a value; raises TypeError or ValueError for a wrong one."""

    def check(self, field: str, operator: str, value: object) -> None:
        """Hold an operator and a value to what is documented of a field's type.

        Raises:
            TypeError: the value is of another type.
            ValueError: the operator is not one of the type's, or the value makes no sense.
        """
        if operator not in self.operators:
            legal = " ".join(self.operators)
            raise ValueError(f"{field} knows {legal}, not {operator!r}; raw_filter takes any operator")
        self.check_value(field, operator, value)


def check_rating(what: str, rating: object) -> str:
    """Take a rating.

    Raises:
        TypeError: it is not a str.
        ValueError: it is no `Rating`.
    """
    if check_text(what, rating) not in RATINGS:
        raise ValueError(f"{what} is one of {', '.join(RATINGS)}, not {rating!r}")
    return str(rating)


def _check_id(field: str, operator: str, value: object) -> None:
    if operator in _EQUALITY:
        check_id(value, field)
    else:
        check_count(field, value, least=0)  # zero is no id, but a bound to start from


def _check_tags(field: str, _: str, value: object) -> None:
    if not isinstance(value, list):
        raise TypeError(f"{field}: tags are a list of objects, not {type(value).__name__}")
    if not value:
        raise ValueError(f"{field}: which tags?")
    for tag in value:
        if not isinstance(tag, dict):
            raise TypeError(f"a tag in {field} is an object with a name, not {type(tag).__name__}")
        check_text(f"a tag in {field}", tag.get("name"))


ID: Final = FieldType((*_EQUALITY, *_ORDER), _check_id)
STRING: Final = FieldType((*_EQUALITY, "~", "!~"), lambda field, _, value: check_text(field, value))
DATE: Final = FieldType(ID.operators, lambda field, _, value: check_count(field, value, least=0))
"""Moments are Unix seconds."""
TAGS: Final = FieldType(("=",), _check_tags)
RATING: Final = FieldType(_EQUALITY, lambda field, _, value: check_rating(field, value))

FIELDS: Final[Mapping[str, FieldType]] = {
    "customers.id": ID,
    "customers.name": STRING,
    "customers.email": STRING,
    "customers.company": STRING,
    "customers.phone": STRING,
    "customers.countryCode": STRING,
    "customers.city": STRING,
    "customers.regionCode": STRING,
    "customers.userId": STRING,
    "customers.lastSeen": DATE,
    "customers.tagsData": TAGS,
    "customers.telegramId": STRING,
    "customers.facebookId": STRING,
    "customers.instagramId": STRING,
    "customers.viberId": STRING,
    "customers.whatsappId": STRING,
    "chats.assignee": ID,
    "chats.agents": ID,
    "chats.department": ID,
    "chats.createdAt": DATE,
    "chats.updatedAt": DATE,
    "chats.closedAt": DATE,
    "chats.status": STRING,
    "chats.rating": RATING,
    "chats.customer": ID,
    "chats.customer.email": STRING,
    "chats.customer.userId": STRING,
    "chats.customer.tagsData": TAGS,
}
"""Every field that is known, by its name in the API."""


def from_json(value_json: object) -> Any:
    """Read a value that was written as JSON text.

    Raises:
        TypeError: it is not a str.
        ValueError: it is not JSON.
    """
    try:
        return loads(check_str("value_json", value_json))
    except NotJSONError as error:
        problem = str(error)
    raise ValueError(f"value_json is {problem}; raw_filter writes it")
