"""The bodies of what changes something: checked fields in, JSON out. No I/O.

What is left out is not sent, None is sent as null: HelpCrunch documents that an update leaves the former
alone and clears the latter. Moments are sent as the newest pages write them, Unix seconds in a string.

Sources: https://docs.helpcrunch.com/en/rest-api-v1/create-customer-v1, .../update-customer-v1,
.../batch-update-customers-v1 and .../tag-customer-v1
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from math import isfinite
from typing import Any, Final, Required, TypedDict

from helpcrunch_async.checks import check_flag, check_id, check_str, check_text, unix_second
from helpcrunch_async.models import CustomValue, Tag
from helpcrunch_async.unset import UNSET, Unset


class CustomerFields(TypedDict, total=False):
    """The fields of a customer that can be written; `UNSET` is as good as leaving one out.

    `city`, `region_code` and `country_code` stand beside the others because the only documented example that
    writes them has them so. `custom_data` takes a plain mapping; HelpCrunch wants an attribute to be created
    first, under Settings, Contacts. Whether `tags` replaces all tags is not documented; `tag_customer` adds.
    """

    name: str | Unset | None
    email: str | Unset | None
    user_id: str | Unset | None
    company: str | Unset | None
    phone: str | Unset | None
    first_seen: datetime | Unset | None
    last_seen: datetime | Unset | None
    city: str | Unset | None
    region_code: str | Unset | None
    country_code: str | Unset | None
    unsubscribed: bool | Unset | None
    blocked: bool | Unset | None
    source: str | Unset | None
    referer: str | Unset | None
    last_page: str | Unset | None
    locale: str | Unset | None
    created_from: str | Unset | None
    integration_id: str | Unset | None
    notes: str | Unset | None
    tags: Iterable[str | Tag] | Unset | None
    custom_data: Mapping[str, CustomValue] | Unset | None


class CustomerUpdate(CustomerFields):
    """One update of a batch: the customer's id and the fields to change."""

    customer: Required[int]


def moment_text(what: str, moment: object) -> str:
    """Write a moment as whole Unix seconds in a string.

    Raises:
        TypeError: it is not a datetime.
        ValueError: it is naive, or before 1970.
    """
    return str(unix_second(what, moment))


def values_of(what: str, values: object) -> dict[str, CustomValue]:
    """Take a mapping of names to scalars, such as the data of an event.

    Raises:
        TypeError: it is not a mapping, or a name or value is of the wrong type.
        ValueError: a name is empty, a number is not finite or too large, or text is not Unicode.
    """
    if not isinstance(values, Mapping):
        raise TypeError(f"{what} is a mapping of names to values, not {type(values).__name__}")
    for name, value in values.items():
        check_text(f"a name in {what}", name)
        if value is not None and not isinstance(value, str | int | float):
            raise TypeError(f"{what}: {name!r} is text, a number, a bool or None, not {type(value).__name__}")
        if isinstance(value, str):
            check_str(f"{what}: {name!r}", value)
        elif value is not None and not _is_finite(value):
            raise ValueError(f"{what}: {name!r} is not finite, or too large")
    return dict(values)


def _is_finite(number: float) -> bool:
    try:
        return isfinite(number)
    except OverflowError:  # an int that no float holds, and hardly any reader of JSON
        return False


def tag_list(tags: object, *, with_colors: bool = True) -> list[dict[str, str]]:
    """Write tags as the API takes them, each name once.

    Raises:
        TypeError: not an iterable of names and `Tag`s; a mapping is none.
        ValueError: a name is empty, or comes with two colours.
    """
    if isinstance(tags, str | Tag | Mapping) or not isinstance(tags, Iterable):
        raise TypeError(f"tags is an iterable of names or Tags, not {type(tags).__name__}")
    colors: dict[str, str | None] = {}
    for tag in tags:
        name, color = (tag.name, tag.color) if isinstance(tag, Tag) else (tag, None)
        color = color if with_colors else None
        check_text("a tag's name", name)
        if color is not None:
            check_text(f"the colour of tag {name!r}", color)
        known = colors.setdefault(name, color)
        if known is None:
            colors[name] = color
        elif color not in (None, known):
            raise ValueError(f"tag {name!r} is given two colours")
    return [
        {"name": name} if color is None else {"name": name, "color": color} for name, color in colors.items()
    ]


def some_tags(tags: object, *, with_colors: bool = True) -> dict[str, list[dict[str, str]]]:
    """Write the body that tags or untags.

    Raises:
        TypeError: as `tag_list`.
        ValueError: as `tag_list`, and for no tag at all.
    """
    written = tag_list(tags, with_colors=with_colors)
    if not written:
        raise ValueError("no tags: which ones?")
    return {"tags": written}


def _attributes(what: str, value: object) -> list[dict[str, CustomValue]]:
    return [{"property": name, "value": each} for name, each in values_of(what, value).items()]


Write = Callable[[str, object], Any]

_WRITABLE: Final[Mapping[str, tuple[str, Write]]] = {
    "name": ("name", check_str),
    "email": ("email", check_str),
    "user_id": ("userId", check_str),
    "company": ("company", check_str),
    "phone": ("phone", check_str),
    "first_seen": ("firstSeen", moment_text),
    "last_seen": ("lastSeen", moment_text),
    "city": ("city", check_str),
    "region_code": ("regionCode", check_str),
    "country_code": ("countryCode", check_str),
    "unsubscribed": ("unsubscribed", check_flag),
    "blocked": ("blocked", check_flag),
    "source": ("source", check_str),
    "referer": ("referer", check_str),
    "last_page": ("lastPage", check_str),
    "locale": ("locale", check_str),
    "created_from": ("createdFrom", check_str),
    "integration_id": ("integrationId", check_str),
    "notes": ("notes", check_str),
    "tags": ("tags", lambda _, tags: tag_list(tags)),
    "custom_data": ("customData", _attributes),
}
"""Our name of each field: the API's, and what checks and writes its value."""

NAME_OF_KEY: Final = {key: name for name, (key, _) in _WRITABLE.items()}
"""Our name of each field, by the API's."""


def customer_body(fields: Mapping[str, object]) -> dict[str, Any]:
    """Write the fields of a customer that are to be changed.

    Raises:
        TypeError: a field that customers do not have, or a value of the wrong type.
        ValueError: a value that makes no sense.
    """
    body: dict[str, Any] = {}
    for name, value in fields.items():
        if name not in _WRITABLE:
            hint = f"; {NAME_OF_KEY[name]} is meant?" if name in NAME_OF_KEY else ""
            raise TypeError(f"{name!r} is not a field of a customer that can be written{hint}")
        key, write = _WRITABLE[name]
        if value is not UNSET:
            body[key] = None if value is None else write(name, value)
    return body


def changes_body(fields: Mapping[str, object]) -> dict[str, Any]:
    """Write the fields of a customer that are to be changed, at least one.

    Raises:
        TypeError: as `customer_body`.
        ValueError: as `customer_body`, and when there is nothing to change.
    """
    body = customer_body(fields)
    if not body:
        raise ValueError("nothing to change: give at least one field")
    return body


def whole_customer_body(fields: Mapping[str, object]) -> dict[str, Any]:
    """Write every field of a customer: null for what is not given.

    Raises:
        TypeError, ValueError: as `customer_body`.
    """
    return {**{key: None for key, _ in _WRITABLE.values()}, **customer_body(fields)}


def batch_item(update: object) -> dict[str, Any]:
    """Write one item of a batch: the id under `customer`, and what to change.

    Raises:
        TypeError: it is not a mapping, or as `customer_body`.
        ValueError: it has no `customer` or nothing to change, or as `customer_body`.
    """
    if not isinstance(update, Mapping):
        raise TypeError(f"an update is a mapping, not {type(update).__name__}")
    if "customer" not in update:
        raise ValueError("an update has the customer's id under 'customer'")
    fields = {name: value for name, value in update.items() if name != "customer"}
    return {"customer": check_id(update["customer"], "customer"), **changes_body(fields)}


def batch_items(updates: object) -> list[dict[str, Any]]:
    """Write all items of a batch.

    Raises:
        TypeError, ValueError: as `batch_item`, with a note that tells which of them; or not an iterable.
    """
    if isinstance(updates, Mapping) or not isinstance(updates, Iterable):
        raise TypeError(f"updates is an iterable of mappings, not {type(updates).__name__}")
    items: list[dict[str, Any]] = []
    for index, update in enumerate(updates):
        try:
            items.append(batch_item(update))
        except (TypeError, ValueError) as error:
            error.add_note(f"in updates[{index}]")
            raise
    return items
