"""Readers of the usual spelling, generated for each model: a third of the cost of reading thoroughly.

A reader looks at the class of every value, then calls the constructor. Whatever is not spelt in the usual way
it leaves to the thorough converter as it came: it makes nothing readable that was not, it is only quick.
"""

from collections.abc import Callable
from datetime import datetime
from functools import cache
from typing import Any, Final, Self, TypeAlias, get_args, get_origin

import attrs

from helpcrunch_async.converter.keys import keys_of
from helpcrunch_async.converter.thorough import converter
from helpcrunch_async.converter.values import custom_data, moment, word_or_number
from helpcrunch_async.models import CustomValue
from helpcrunch_async.models.extra import NO_EXTRA

Seen: TypeAlias = dict[Any, Any]
"""Strings and small models that were read from one reply; of equal ones, the first is kept."""
Reader: TypeAlias = Callable[[Any, Seen | None], Any]
"""Reads a decoded JSON value as a model; raises what the thorough converter raises."""

_PLAIN: Final = {str, int, float, bool}
_IN_ANY_SPELLING: Final[dict[Any, Callable[[object, object], object]]] = {
    datetime | None: moment,
    str | int | None: word_or_number,
    dict[str, CustomValue]: custom_data,
}
"""What reads a value by itself, null included."""

_ONES_OWN: Final = frozenset(
    {"name", "email", "user_id", "phone", "ip", "notes", "integration_id", "text", "last_message_text"}
)
"""Fields that differ from row to row: looking for an equal string would cost more than it spares."""

_SOURCE: Final = """\
def read(value, seen):
    if value.__class__ is dict:
        if len(value) == {count}:
            try:
                if {conditions}:
                    return {instance}
            except KeyError:
                pass  # as many keys, but others
        value_of = value.get
        if {conditions_if_there}:
            extra = {{key: value[key] for key in value if key not in known}}
            return model({arguments_if_there}, extra or NO_EXTRA)
    return thorough(value, seen)
"""
"""The second form reads what has fewer keys than the model has fields, or more; the first costs less."""


@cache
def reader_of(model: Any) -> Reader:
    """Give the reader of a model that comes alone."""
    return _reader_of(model, sharing=False)


@cache
def sharing_reader_of(model: Any) -> Reader:
    """Give the reader of a model that comes in many rows: it costs more, and spares memory."""
    return _reader_of(model, sharing=True)


def _reader_of(model: Any, *, sharing: bool) -> Reader:
    hook = converter().get_structure_hook(model)

    def thorough(value: Any, _: Seen | None) -> Any:
        return hook(value, model)

    keys = keys_of(model)
    fields = [field for field in attrs.fields(model) if field.name in keys]
    if not all(_is_usual(field.type) for field in fields):
        return thorough
    names = {"model": model, "thorough": thorough, "known": frozenset(keys.values()), "NO_EXTRA": NO_EXTRA}
    for field in fields:
        names |= _readers_for(field, sharing=sharing)
    there = [_Part.of(field, f"value[{keys[field.name]!r}]", sharing=sharing) for field in fields]
    if_there = [_Part.of(field, f"value_of({keys[field.name]!r})", sharing=sharing) for field in fields]
    instance = f"model({_arguments(there)}, NO_EXTRA)"
    if sharing and "ip" not in keys and all(_is_plain(field.type) for field in fields):
        # a tag, a location, an agent: the same ones come again and again; a device is somebody's own
        same = f"(model, {', '.join(part.name for part in there)})"
        instance = f"seen.get({same}) or seen.setdefault({same}, {instance})"
    source = _SOURCE.format(
        count=len(fields),
        conditions=_conditions(there),
        instance=instance,
        conditions_if_there=_conditions(if_there),
        arguments_if_there=_arguments(if_there),
    )
    exec(source, names)  # noqa: S102 - of our own models alone, as attrs and cattrs do it
    reader: Reader = names["read"]
    return reader


def _bare(kind: Any) -> Any:
    """Give what a type is without "or None", or what a tuple has any number of."""
    return get_args(kind)[0] if get_args(kind) else kind


def _is_row(kind: Any) -> bool:
    return get_origin(kind) is tuple


def _is_usual(kind: Any) -> bool:
    """Tell whether a field can be read quickly; a model with any other is read thoroughly."""
    return kind in _IN_ANY_SPELLING or attrs.has(_bare(kind)) or _is_plain(kind)


def _is_plain(kind: Any) -> bool:
    return _bare(kind) in _PLAIN and kind not in _IN_ANY_SPELLING and not _is_row(kind)


def _custom_data_among_rows(value: object, _: object) -> dict[str, CustomValue]:
    """Read custom attributes whose names need no interning: `json.loads` shares the keys within a reply."""
    return dict(value) if type(value) is dict else custom_data(value, None)


def _readers_for(field: "attrs.Attribute[Any]", *, sharing: bool) -> dict[str, Any]:
    """Give what the source calls to read a field, by name."""
    if sharing and _IN_ANY_SPELLING.get(field.type) is custom_data:
        return {f"read_{field.name}": _custom_data_among_rows}
    if field.type in _IN_ANY_SPELLING:
        return {f"read_{field.name}": _IN_ANY_SPELLING[field.type]}
    if attrs.has(_bare(field.type)):
        return {
            f"read_{field.name}": (sharing_reader_of if sharing else reader_of)(_bare(field.type)),
            f"no_{field.name}": field.default,
        }
    return {}


@attrs.frozen
class _Part:
    """What the source says about one field."""

    name: str
    condition: str | None
    argument: str

    @classmethod
    def of(cls, field: "attrs.Attribute[Any]", take: str, *, sharing: bool) -> Self:
        """Write it. Null means the default wherever there is one, as a missing key does."""
        name, reader, kind = f"{field.name}_", f"read_{field.name}", field.type
        if kind in _IN_ANY_SPELLING:
            return cls(name, None, f"{reader}({take}, None)")
        bare = _bare(kind)
        if bare in _PLAIN:
            looked_for = bare.__name__
            shares = sharing and bare is str and field.name not in _ONES_OWN
            argument = f"{name} and seen.setdefault({name}, {name})" if shares else name
        elif _is_row(kind):
            looked_for = "list"
            argument = f"tuple([{reader}(item, seen) for item in {name}]) if {name} else ()"
        else:
            looked_for = "dict"
            argument = f"{reader}({name}, seen)"
            if field.default is not attrs.NOTHING:
                argument += f" if {name} else no_{field.name}"
        if field.default is attrs.NOTHING:
            return cls(name, f"({name} := {take}).__class__ is {looked_for}", argument)
        return cls(name, f"(({name} := {take}) is None or {name}.__class__ is {looked_for})", argument)


def _conditions(parts: list[_Part]) -> str:
    return " and ".join(part.condition for part in parts if part.condition)


def _arguments(parts: list[_Part]) -> str:
    return ", ".join(part.argument for part in parts)
