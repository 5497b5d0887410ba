"""The only room that knows cattrs: it reads every spelling, says all that does not fit, and writes."""

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from types import GenericAlias, NoneType
from typing import Any, get_args, get_origin

import attrs
from cattrs import AttributeValidationNote, ClassValidationError, Converter, transform_error
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override

from helpcrunch_async.converter.keys import keys_of
from helpcrunch_async.converter.values import (
    UnfitValueError,
    checked,
    custom_data,
    moment,
    unfit,
    unix_seconds,
    word_or_number,
)
from helpcrunch_async.models import CustomValue


@cache
def converter() -> Converter:
    """Give the converter of all models. Made at first use, not at import."""
    made = Converter()
    for kind in (str, int, float, bool):
        made.register_structure_hook(kind, checked(kind, nullable=False))
        made.register_structure_hook(kind | None, checked(kind, nullable=True))
    made.register_structure_hook(str | int | None, word_or_number)
    made.register_structure_hook(datetime | None, moment)
    made.register_structure_hook_func(lambda kind: kind == dict[str, CustomValue], custom_data)
    made.register_structure_hook_factory(_is_model, _make_structure_hook)
    made.register_unstructure_hook_factory(_is_model, _make_unstructure_hook)
    made.register_unstructure_hook(datetime, unix_seconds)
    made.register_structure_hook_factory(_is_row, _make_row_hook)
    made.register_structure_hook_factory(_is_optional_model, _make_optional_hook)
    return made


def problems_of(error: Exception) -> tuple[str, ...]:
    """Tell what does not fit, each with its JSON path: `$.tags[0].name: missing`."""
    return tuple(_in_json_words(text) for text in transform_error(error, "$", _describe))


def _describe(error: BaseException, _: type | None) -> str:
    if isinstance(error, UnfitValueError):
        return str(error)
    return "missing" if isinstance(error, KeyError) else "expected something else"


def _in_json_words(problem: str) -> str:
    what, _, path = problem.rpartition(" @ ")
    return f"{path}: {what}"


def _is_model(kind: Any) -> bool:
    return attrs.has(kind) and get_origin(kind) is None


def _renames(model: type) -> dict[str, Any]:
    """Give cattrs' overrides for a model; typed Any, since its generators also have keyword options."""
    return {name: override(rename=key) for name, key in keys_of(model).items()}


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


def _make_structure_hook(model: Any, converter: Converter) -> Callable[[Any, Any], Any]:
    """Read one model: absent parts give their defaults, and keys that no field has go to `extra`."""
    keys = keys_of(model)
    structure = _naming_keys(
        make_dict_structure_fn(
            model,
            converter,
            _cattrs_forbid_extra_keys=False,
            extra=override(omit=True),
            **_renames(model),
        ),
        keys,
    )
    # parts that are never None: null, an empty list (PHP's empty object) and opaque values do occur
    parts = {
        keys[field.name]
        for field in attrs.fields(model)
        if attrs.has(field.type or NoneType) and field.default is not attrs.NOTHING
    }
    known = set(keys.values())

    def hook(value: Any, _: object) -> Any:
        if not isinstance(value, Mapping):
            raise unfit("an object", value)
        opaque = {key: value[key] for key in parts if key in value and not isinstance(value[key], Mapping)}
        instance = structure({key: part for key, part in value.items() if key not in opaque}, model)
        extra = {key: part for key, part in value.items() if key not in known}
        extra |= {key: part for key, part in opaque.items() if part is not None and part != []}
        return attrs.evolve(instance, extra=extra) if extra else instance

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
    may_be_alone = attrs.has(item)

    def hook(value: object, _: object) -> tuple[Any, ...]:
        if value is None or value == {}:
            return ()
        if may_be_alone and isinstance(value, Mapping):
            return (item_hook(value, item),)
        if not isinstance(value, list):
            raise unfit("a list or null", value)
        return tuple(list_hook(value, items))

    return hook
