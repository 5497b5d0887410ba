"""JSON to models and back: the only room that knows cattrs.

One rule names every key: camelCase for our snake_case. Values are checked, not coerced, except where the
documentation itself knows several spellings (times, custom attributes) or leaves things out.
"""

import re
from collections.abc import Callable, Hashable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from sys import intern
from types import GenericAlias, NoneType
from typing import Any, Final, TypeVar, cast, get_args, get_origin

import attrs
from cattrs import AttributeValidationNote, ClassValidationError, Converter, transform_error
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override

from helpcrunch_async.errors import DecodeError
from helpcrunch_async.models import CustomValue, Event, Message
from helpcrunch_async.models.webhook import (
    ChatEvent,
    CustomerEvent,
    MessageEvent,
    UnknownEvent,
    WebhookChat,
    WebhookChatMessage,
)

M = TypeVar("M")

_JSON_NAME: Final = {
    str: "a string",
    int: "an integer",
    float: "a number",
    bool: "true or false",
    list: "a list",
    dict: "an object",
    NoneType: "null",
}
_EVENT_KEYS: Final = {"name": "event", "data": "eventData"}
_CHAT_ID_KEY: Final = {"chat_id": "chat_id"}
_SPELT_OTHERWISE: Final[Mapping[type, Mapping[str, str]]] = {
    **dict.fromkeys((ChatEvent, CustomerEvent, MessageEvent, UnknownEvent), _EVENT_KEYS),
    **dict.fromkeys((WebhookChat, WebhookChatMessage), _CHAT_ID_KEY),
    Message: {"chat_id": "chat"},
    Event: {"customer_id": "customer"},
}
"""The keys that the camelCase rule does not give: ids without "Id", and webhooks have some of their own."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_UNIX_TIME = re.compile(r"(-)?([0-9]{1,15})(?:\.([0-9]{1,9}))?")


class _UnfitValueError(ValueError):
    """A value that is not what was promised. Its text speaks of kinds, never of the value itself."""


def _unfit(expected: str, value: object) -> _UnfitValueError:
    return _UnfitValueError(f"expected {expected}, not {_JSON_NAME.get(type(value), 'something else')}")


def _camel_case(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _is(kind: type, *, nullable: bool) -> Callable[[object, object], object]:
    """Make a hook that lets exactly one JSON kind pass; true is not an integer here."""
    expected = _JSON_NAME[kind] + (" or null" if nullable else "")

    def check(value: object, _: object) -> object:
        if value.__class__ is kind:
            return value
        raise _unfit(expected, value)

    def check_nullable(value: object, _: object) -> object:
        if value is None or value.__class__ is kind:
            return value
        raise _unfit(expected, value)

    return check_nullable if nullable else check


def _word_or_number(value: object, _: object) -> object:
    if value is None or value.__class__ in {str, int}:
        return value
    raise _unfit("a string, an integer or null", value)


def _moment(value: object, _: object) -> datetime | None:
    """Read a moment in any of its four spellings: int, numeric string, the same with a fraction, null."""
    if value is None or value == "":
        return None
    try:
        if isinstance(value, str):
            if len(value) == 10 and value.isascii() and value.isdecimal():  # the years 2001 to 2286
                return datetime.fromtimestamp(int(value), UTC)
            if match := _UNIX_TIME.fullmatch(value):
                return _exact_moment(*match.groups(default=""))
        elif isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        raise _UnfitValueError("expected Unix seconds, not a number this large") from None
    if isinstance(value, str):
        raise _UnfitValueError("expected Unix seconds, not this string")
    raise _unfit("Unix seconds as a number, a string or null", value)


def _exact_moment(sign: str, seconds: str, fraction: str) -> datetime:
    """Make a moment of digits, exactly: not by way of a float."""
    distance = timedelta(seconds=int(seconds), microseconds=int(fraction[:6].ljust(6, "0")))
    return _EPOCH - distance if sign else _EPOCH + distance


def _unix_seconds(moment: datetime) -> str:
    """Write a moment as Unix seconds, with as many decimals as it has."""
    microseconds = (moment - _EPOCH) // timedelta(microseconds=1)
    seconds, fraction = divmod(abs(microseconds), 1_000_000)
    text = f"{'-' if microseconds < 0 else ''}{seconds}"
    return f"{text}.{fraction:06d}".rstrip("0") if fraction else text


def _custom_data(value: object, _: object) -> dict[str, CustomValue]:
    """Read custom attributes as an object, or as a list of `{property, value}` (or `{name, value}`)."""
    if value is None:
        return {}
    # Names are interned: an account has few, and a customer is kept with a copy of each otherwise.
    if isinstance(value, Mapping):
        return {intern(name): each for name, each in value.items()}
    if not isinstance(value, list):
        raise _unfit("an object or a list", value)
    attributes: dict[str, CustomValue] = {}
    for item in value:
        name = item.get("property", item.get("name")) if isinstance(item, Mapping) else None
        if not isinstance(name, str):
            raise _UnfitValueError("expected items with a property and a value")
        attributes[intern(name)] = item.get("value")
    return attributes


def _keys(model: type) -> dict[str, str]:
    """Give the JSON key of every field of a model."""
    spelt = _SPELT_OTHERWISE.get(model, {})
    names = [field.name for field in attrs.fields(model) if field.name != "extra"]
    return {name: spelt.get(name) or _camel_case(name) for name in names}


def _renames(model: type) -> dict[str, Any]:
    """Give cattrs' overrides for a model; typed Any, since its generators also have keyword options."""
    return {name: override(rename=key) for name, key in _keys(model).items()}


def _naming_keys(structure: Callable[..., Any], keys: Mapping[str, str]) -> Callable[..., Any]:
    """Let what does not fit be named by its JSON key, not by our field."""

    def hook(value: Any, model: type) -> Any:
        try:
            return structure(value, model)
        except ClassValidationError as group:
            for error in group.exceptions:
                for note in getattr(error, "__notes__", ()):
                    if isinstance(note, AttributeValidationNote):
                        note.name = keys[note.name]
            raise

    return hook


def _make_structure_hook(model: type[Any], converter: Converter) -> Callable[[Any, Any], Any]:
    """Read one model: absent parts give their defaults, and keys that no field has go to `extra`."""
    keys = _keys(model)
    known = frozenset(keys.values())
    is_known = known.issuperset
    structure: Callable[..., Any] = make_dict_structure_fn(
        model,
        converter,
        _cattrs_forbid_extra_keys=False,
        extra=override(omit=True),
        **_renames(model),
    )
    if converter.detailed_validation:
        structure = _naming_keys(structure, keys)
    # parts that are never None: null, an empty list (PHP's empty object) and opaque values do occur
    parts = [
        keys[field.name]
        for field in attrs.fields(model)
        if attrs.has(field.type or NoneType) and field.default is not attrs.NOTHING
    ]

    def hook(value: Any, _: object) -> Any:
        if value.__class__ is not dict and not isinstance(value, Mapping):
            raise _unfit("an object", value)
        for key in parts:
            if key in value and value[key].__class__ is not dict:
                return hook_opaque(value)
        instance = structure(value, model)
        if not is_known(value):
            extra = {key: part for key, part in value.items() if key not in known}
            instance = attrs.evolve(instance, extra=extra)
        return instance

    def hook_opaque(value: Mapping[str, Any]) -> Any:
        opaque = {key: value[key] for key in parts if not isinstance(value.get(key, {}), Mapping)}
        plain: dict[str, Any] = {key: dict(value[key]) for key in parts if key in value and key not in opaque}
        rest = {key: part for key, part in value.items() if key not in parts}
        instance = hook({**rest, **plain}, model)
        kept = {key: part for key, part in opaque.items() if part is not None and part != []}
        return attrs.evolve(instance, extra={**instance.extra, **kept}) if kept else instance

    return hook


def _make_unstructure_hook(model: type[Any], converter: Converter) -> Callable[[Any], dict[str, Any]]:
    unstructure = make_dict_unstructure_fn(
        model,
        converter,
        extra=override(omit=True),
        **_renames(model),
    )

    def hook(instance: Any) -> dict[str, Any]:
        return {**unstructure(instance), **instance.extra}

    return hook


def _is_model(kind: Any) -> bool:
    return attrs.has(kind) and get_origin(kind) is None


def _make_converter(*, detailed: bool) -> Converter:
    converter = Converter(detailed_validation=detailed)
    for kind in (str, int, float, bool):
        converter.register_structure_hook(kind, _is(kind, nullable=False))
        converter.register_structure_hook(kind | None, _is(kind, nullable=True))
    converter.register_structure_hook(str | int | None, _word_or_number)
    converter.register_structure_hook(datetime | None, _moment)
    converter.register_structure_hook_func(lambda kind: kind == dict[str, CustomValue], _custom_data)
    converter.register_structure_hook_factory(_is_model, _make_structure_hook)
    converter.register_unstructure_hook_factory(_is_model, _make_unstructure_hook)
    converter.register_unstructure_hook(datetime, _unix_seconds)

    converter.register_structure_hook_factory(_is_row, _make_row_hook)
    converter.register_structure_hook_factory(_is_optional_model, _make_optional_hook)
    return converter


def _is_optional_model(kind: Any) -> bool:
    kinds = get_args(kind)
    return len(kinds) == 2 and kinds[1] is NoneType and attrs.has(kinds[0])


def _make_optional_hook(kind: Any, converter: Converter) -> Callable[[Any, Any], Any]:
    """Read a part that may be absent: null, {} or [] (PHP's empty object), or a bare id."""
    model = get_args(kind)[0]
    hook = converter.get_structure_hook(model)

    def hook_optional(value: object, _: object) -> Any:
        if value is None or value in ({}, []):
            return None
        return hook({"id": value} if value.__class__ is int else value, model)

    return hook_optional


def _is_row(kind: Any) -> bool:
    return get_origin(kind) is tuple and get_args(kind)[1:] == (...,)


def _make_row_hook(kind: Any, converter: Converter) -> Callable[[Any, Any], tuple[Any, ...]]:
    """Read a list of one kind of item; null or {} is an empty one, and an object alone is a list of one."""
    item = get_args(kind)[0]
    items: Any = GenericAlias(list, (item,))
    item_hook, list_hook = converter.get_structure_hook(item), converter.get_structure_hook(items)
    detailed, may_be_alone = converter.detailed_validation, attrs.has(item)

    def hook(value: object, _: object) -> tuple[Any, ...]:
        if value is None or value == {}:
            return ()
        if may_be_alone and isinstance(value, Mapping):
            return (item_hook(value, item),)
        if not isinstance(value, list):
            raise _unfit("a list or null", value)
        if detailed:  # slower, and says which item does not fit
            return tuple(list_hook(value, items))
        return tuple([item_hook(part, item) for part in value])

    return hook


_fast = cache(lambda: _make_converter(detailed=False))
_detailed = cache(lambda: _make_converter(detailed=True))


@cache
def _hook_of(model: Hashable) -> Callable[[object, object], Any]:
    hook: Callable[[object, object], Any] = _fast().get_structure_hook(model)
    return hook


def structure(value: object, model: type[M]) -> M:
    """Read a decoded JSON value as a model.

    Raises:
        DecodeError: it is not shaped as the documentation promises; `problems` says where.
    """
    try:
        instance: M = _hook_of(cast("Hashable", model))(value, model)
    except Exception as error:  # noqa: BLE001 - whatever cattrs' generated code meets in hostile JSON
        failed = type(error).__name__
    else:
        return instance
    # Raised out here: what cattrs raises holds customer data, and would stay in __context__.
    problems = _problems(value, model) or (f"$: {failed}",)
    del value  # nor in a local, which error trackers capture
    raise DecodeError(f"not a {model.__name__}: {'; '.join(problems[:3])}", problems=problems)


def _problems(value: object, model: type) -> tuple[str, ...]:
    """Read once more, slowly, to say everything that does not fit."""
    try:
        _detailed().structure(value, model)
    except Exception as error:  # noqa: BLE001 - as above
        return tuple(_in_json_words(text) for text in transform_error(error, "$", _describe))
    return ()


def _describe(error: BaseException, _: type | None) -> str:
    if isinstance(error, _UnfitValueError):
        return str(error)
    return "missing" if isinstance(error, KeyError) else "expected something else"


def _in_json_words(problem: str) -> str:
    what, _, path = problem.rpartition(" @ ")
    return f"{path}: {what}"


def from_dict(model: type[M], mapping: Mapping[str, Any]) -> M:
    """Make a model from a mapping as the API sends it, or as `to_dict` gives it.

    Raises:
        DecodeError: the mapping is not shaped as the documentation promises; `problems` says where.
    """
    return structure(mapping, model)


def to_dict(model: Any) -> dict[str, Any]:
    """Make the JSON mapping of a model, spelt as the newest pages spell it.

    Times are Unix seconds in a string, `extra` stands among the other keys; `from_dict` reads it back.
    """
    if not (attrs.has(type(model)) and hasattr(model, "extra")):  # a page or a look-up has no JSON of its own
        raise TypeError(f"to_dict takes a model, not {type(model).__name__}")
    mapping: dict[str, Any] = _fast().unstructure(model)
    return mapping
