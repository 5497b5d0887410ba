"""What writes of customers take: every writable field, checked and brought into the form that is kept.

What is not documented was decided here. Fields that cannot be written are ignored, as a client may send back
what it got. `customData` is taken as the list of `{property, value}` that every page writes, never as the
object that answers hold. `PATCH` leaves alone the custom attributes and the parts of `location` that it does
not name, and an attribute whose value is null is removed. A `userId` may be a number, which becomes its text;
an empty one is none.
"""

from collections.abc import Callable, Mapping
from typing import Any

from helpcrunch_async.testing.account import Account
from helpcrunch_async.testing.customers import NO_PLACE, CustomerRow
from helpcrunch_async.testing.fields import (
    BLANK,
    Fields,
    TwoReaders,
    a_flag,
    a_moment,
    a_scalar,
    a_text,
    a_user_id,
    some_text,
)

_TEXTS = (
    "name",
    "email",
    "company",
    "phone",
    "source",
    "referer",
    "lastPage",
    "locale",
    "createdFrom",
    "integrationId",
    "notes",
)
_READERS: Mapping[str, Callable[[Any], Any] | TwoReaders[Any]] = {
    **dict.fromkeys(_TEXTS, a_text),
    "userId": a_user_id,
    **dict.fromkeys(("firstSeen", "lastSeen"), a_moment),
    **dict.fromkeys(("unsubscribed", "blocked"), a_flag),
}

_EMPTY: Mapping[str, Any] = {
    **dict.fromkeys(_READERS),
    "unsubscribed": False,
    "blocked": False,
    "location": NO_PLACE,
    "tags": [],
    "customData": {},
}
"""What a field becomes that is null, or that a `PUT` leaves out."""


def cleared(row: CustomerRow) -> CustomerRow:
    """Give a customer with all that can be written emptied: what `PUT` starts from."""
    return {**row, **_EMPTY}


def written_over(account: Account, row: CustomerRow, fields: Fields) -> CustomerRow:
    """Give a customer with the fields of a body written over it; what is wrong with them is noted there."""
    changed = {**row}
    for name, reader in _READERS.items():
        if name in fields:
            value = fields.read(name, reader)
            changed[name] = _EMPTY[name] if value is None else value
    changed["userId"] = changed["userId"] or None
    if "location" in fields:
        changed["location"] = _location(changed["location"], fields["location"], fields)
    for name in NO_PLACE:
        # An old example of an update has these at the top level.
        if name in fields:
            changed["location"] = {**(changed["location"] or NO_PLACE), name: fields.read(name, a_text)}
    if "tags" in fields:
        changed["tags"] = [] if fields["tags"] is None else read_tags(account, fields)
    if "customData" in fields:
        changed["customData"] = _custom_data(account, changed["customData"], fields)
    return changed


def read_tags(account: Account, fields: Fields) -> list[CustomerRow]:
    """Read `tags`, each once; a tag that the account knows keeps the colour it has."""
    colors: dict[str, str] = {}
    for tag in fields.items("tags"):
        name, color = tag.read("name", some_text, required=True), tag.read("color", a_text)
        if name is not None:
            colors[name] = account.customers.color_of_tag(name, color)
    return [{"name": name, "color": color} for name, color in colors.items()]


def _location(before: Mapping[str, Any] | None, given: Any, fields: Fields) -> Mapping[str, Any]:
    if given is None:
        return {**NO_PLACE}
    place = fields.inside("location")
    return {**(before or NO_PLACE), **{name: place.read(name, a_text) for name in NO_PLACE if name in place}}


def _custom_data(account: Account, before: Mapping[str, Any] | None, fields: Fields) -> Mapping[str, Any]:
    if fields["customData"] is None:
        return {}
    known = account.behaviour.custom_attributes
    custom_data = {**(before or {})}
    for item in fields.items("customData"):
        name = item.read("property", some_text, required=True)
        value = item.read("value", a_scalar)
        if "value" not in item:
            item.complain("value", BLANK)
        if name is not None and known is not None and name not in known:
            item.complain("property", "This custom attribute does not exist.")
        if name is not None:
            custom_data[name] = value
    return {name: value for name, value in custom_data.items() if value is not None}
