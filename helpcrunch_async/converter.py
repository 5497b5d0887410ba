"""JSON to models and back: the only room that knows cattrs.

One rule names every key: camelCase for our snake_case. Values are checked, not coerced, except where the
documentation itself knows several spellings (times, custom attributes) or leaves things out.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from types import NoneType
from typing import Any, Final, TypeVar, get_origin

import attrs
from cattrs import Converter, transform_error
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override

from helpcrunch_async.errors import DecodeError
from helpcrunch_async.models import CustomValue, Page, Tag

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
_UNIX_TIME = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,9})?")


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
        if value.__class__ is kind or (nullable and value is None):
            return value
        raise _unfit(expected, value)

    return check


def _moment(value: object, _: object) -> datetime | None:
    """Read a moment in any of its four spellings: int, numeric string, the same with a fraction, null."""
    if value is None or value == "":
        return None
    seconds: float
    if value.__class__ is str:
        assert isinstance(value, str)
        if not _UNIX_TIME.fullmatch(value):
            raise _UnfitValueError("expected Unix seconds, not this string")
        seconds = float(value) if "." in value else int(value)
    elif value.__class__ is int or value.__class__ is float:
        assert isinstance(value, int | float)
        seconds = value
    else:
        raise _unfit("Unix seconds as a number, a string or null", value)
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        raise _UnfitValueError("expected Unix seconds, not a number this large") from None


def _unix_seconds(moment: datetime) -> str:
    seconds = moment.timestamp()
    return str(int(seconds)) if seconds.is_integer() else repr(seconds)


def _custom_data(value: object, _: object) -> dict[str, CustomValue]:
    """Read custom attributes as an object, or as a list of `{property, value}` (or `{name, value}`)."""
    if value is None:
        return {}
    if isinstance(value, Mapping):
        return dict(value)
    if not isinstance(value, list):
        raise _unfit("an object or a list", value)
    attributes: dict[str, CustomValue] = {}
    for item in value:
        name = item.get("property", item.get("name")) if isinstance(item, Mapping) else None
        if not isinstance(name, str):
            raise _UnfitValueError("expected items with a property and a value")
        attributes[name] = item.get("value")
    return attributes


def _keys(model: type) -> dict[str, str]:
    """Give the JSON key of every field of a model."""
    return {field.name: _camel_case(field.name) for field in attrs.fields(model) if field.name != "extra"}


def _renames(model: type) -> dict[str, Any]:
    """Give cattrs' overrides for a model; typed Any, since its generators also have keyword options."""
    return {name: override(rename=key) for name, key in _keys(model).items()}


def _make_structure_hook(model: type[Any], converter: Converter) -> Callable[[Any, Any], Any]:
    """Read one model: absent parts give their defaults, and keys that no field has go to `extra`."""
    keys = _keys(model)
    known = frozenset(keys.values())
    structure = make_dict_structure_fn(
        model,
        converter,
        _cattrs_forbid_extra_keys=False,
        extra=override(omit=True),
        **_renames(model),
    )
    # parts that are models themselves: null, an empty list (PHP's empty object) and opaque values do occur
    parts = [keys[field.name] for field in attrs.fields(model) if attrs.has(field.type or NoneType)]

    def hook(value: Any, _: object) -> Any:
        if value.__class__ is not dict and not isinstance(value, Mapping):
            raise _unfit("an object", value)
        opaque = {key: value[key] for key in parts if key in value and not isinstance(value[key], dict)}
        if opaque:
            value = {key: part for key, part in value.items() if key not in opaque}
        instance = structure(value, model)
        if opaque or not known.issuperset(value):
            extra = {key: part for key, part in value.items() if key not in known}
            extra.update((key, part) for key, part in opaque.items() if part not in (None, []))
            instance = attrs.evolve(instance, extra=extra)
        return instance

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
    converter.register_structure_hook(datetime | None, _moment)
    converter.register_structure_hook_func(lambda kind: kind == dict[str, CustomValue], _custom_data)
    converter.register_structure_hook_factory(_is_model, _make_structure_hook)
    converter.register_unstructure_hook_factory(_is_model, _make_unstructure_hook)
    converter.register_unstructure_hook(datetime, _unix_seconds)

    tag_hook = converter.get_structure_hook(list[Tag])

    def tags(value: object, _: object) -> tuple[Tag, ...]:
        if value is None:
            return ()
        if value.__class__ is not list:
            raise _unfit("a list or null", value)
        return tuple(tag_hook(value, list[Tag]))

    converter.register_structure_hook_func(lambda kind: kind == tuple[Tag, ...], tags)
    return converter


_fast = cache(lambda: _make_converter(detailed=False))
_detailed = cache(lambda: _make_converter(detailed=True))


def structure(value: object, model: type[M]) -> M:
    """Read a decoded JSON value as a model.

    Raises:
        DecodeError: it is not shaped as the documentation promises; `problems` says where.
    """
    try:
        return _fast().structure(value, model)
    except Exception as error:  # noqa: BLE001 - whatever cattrs' generated code meets in hostile JSON
        failed = type(error).__name__
    # Raised out here: what cattrs raises holds customer data, and would stay in __context__.
    problems = _problems(value, model) or (f"$: {failed}",)
    raise DecodeError(f"not a {model.__name__}: {'; '.join(problems[:3])}", problems=problems)


def structure_one(body: object, model: type[M]) -> M:
    """Read the body of a reply that holds one object: bare, or the lone `data` of a wrapper.

    Raises:
        DecodeError: as `structure`.
    """
    if isinstance(body, dict) and len(body) == 1 and isinstance(body.get("data"), dict):
        body = body["data"]
    return structure(body, model)


def structure_page(body: object, model: type[M], *, offset: int) -> Page[M]:
    """Read a page of rows: `data`, and the total at the top or under `meta`, where there is one.

    Raises:
        DecodeError: as `structure`; a row that does not fit is named by its index.
    """
    rows = body.get("data") if isinstance(body, dict) else None
    if not isinstance(body, dict) or not isinstance(rows, list):
        raise DecodeError("not a page of rows", problems=("$.data: expected a list",))
    meta = body.get("meta")
    total = body.get("total", meta.get("total") if isinstance(meta, dict) else None)
    items: list[M] = []
    problems: list[str] = []
    for index, row in enumerate(rows):
        try:
            items.append(structure(row, model))
        except DecodeError as error:
            problems += [f"$.data[{index}]{problem[1:]}" for problem in error.problems]
    if problems:
        raise DecodeError(
            f"not a page of {model.__name__}: {'; '.join(problems[:3])}", problems=tuple(problems)
        )
    return Page(tuple(items), total if type(total) is int else None, offset)


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
    return "missing" if isinstance(error, KeyError) else "unreadable"


def _in_json_words(problem: str) -> str:
    what, _, path = problem.rpartition(" @ ")
    return f"{_camel_case(path)}: {what}"


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
    if not attrs.has(type(model)):
        raise TypeError(f"to_dict takes a model, not {type(model).__name__}")
    mapping: dict[str, Any] = _fast().unstructure(model)
    return mapping
