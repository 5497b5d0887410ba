"""Models of decoded JSON, and back, by cattrs: the only module that knows it.

The usual spelling is read by a function that cattrs generates. It stops at the first value that does not fit;
then the same hooks read field by field, and what does not fit stays in `extra`, as it came.
"""

import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from operator import attrgetter
from typing import Any, Final, Literal, TypeAlias, get_args, get_origin

import attrs
from cattrs import Converter
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override

from helpcrunch_async.converter import values
from helpcrunch_async.converter.keys import keys_of
from helpcrunch_async.converter.values import Hook, UnfitError, json_name, memo, unfit
from helpcrunch_async.strict_json import NotJSONError, loads

Times: TypeAlias = Literal["unix", "iso"]

log: Final = logging.getLogger("helpcrunch_async")

_BY_TYPE: Final[dict[Any, Hook]] = {
    int: values.identifier,
    int | None: values.number,
    str: values.required_text,
    str | None: values.text,
    str | int | None: values.text_or_number,
    bool | None: values.flag,
    datetime | None: values.moment,
    Any: lambda value, _: value,
}
_FACTORY: Final[Any] = attrs.Factory  # a class, typed as a function
_warned: Final = set[tuple[type, str]]()


@cache
def reader_of(model: Any, *, repeated: bool = False) -> Hook:
    """Return what reads a model; it raises an `UnfitError` for one whose id cannot be used.

    With `repeated`, other rows of a reply have equal ones.
    """
    keys, hooks = keys_of(model), _hooks_of(model)
    overrides: Any = {name: override(rename=keys[name], struct_hook=hooks[name]) for name in keys}
    read_usual = make_dict_structure_fn(
        model, Converter(detailed_validation=False), extra=override(omit=True), **overrides
    )
    known = frozenset(keys.values())
    values_of = attrgetter(*keys)

    def read(value: Any, _: object) -> Any:
        if value.__class__ is not dict:
            return _read_each_field(value, model)
        try:
            instance = read_usual(value, model)
        except Exception:  # noqa: BLE001 - whatever the generated function meets in hostile JSON
            return _read_each_field(value, model)
        if not known.issuperset(value):
            _set_extra(instance, {key: value[key] for key in value if key not in known})
        elif repeated and (reply := memo.get()) is not None:
            return reply.seen.setdefault((model, values_of(instance)), instance)
        return instance

    return read


def _set_extra(instance: Any, extra: dict[str, Any]) -> None:
    object.__setattr__(instance, "extra", extra)  # it is new; attrs.evolve would take as long as the reading


def _read_each_field(value: Any, model: Any) -> Any:
    """Read what fits; a field that has nothing of it has its default."""
    if not isinstance(value, Mapping):
        raise unfit("an object", value)
    keys, hooks, fields = keys_of(model), _hooks_of(model), attrs.fields_dict(model)
    extra = {key: value[key] for key in value if key not in keys.values()}
    read: dict[str, Any] = {}
    for name, key in keys.items():
        required = fields[name].default is attrs.NOTHING
        if key not in value:
            if required:
                raise UnfitError("missing", path=f".{key}")
            continue
        try:
            read[name] = hooks[name](value[key], None)
        except UnfitError as error:
            if required or error.fatal:
                error.path = f".{key}{error.path}"
                raise
            values.count_unfit()
            _warn_once(model, key, value[key])
            extra[key] = value[key]
            if error.rest is not None:
                read[name] = error.rest
    instance = model(**read)
    if extra:
        _set_extra(instance, extra)
    return instance


def _warn_once(model: type, key: str, value: object) -> None:
    if (model, key) not in _warned:
        _warned.add((model, key))
        log.warning("%s.%s: not read, but kept in `extra`: %s", model.__name__, key, json_name(value))


@cache
def _hooks_of(model: Any) -> Mapping[str, Hook]:
    """Return what reads each field of a model but `extra`."""
    fields = attrs.fields_dict(model)
    return {name: _hook_of(fields[name]) for name in keys_of(model)}


def _hook_of(field: "attrs.Attribute[Any]") -> Hook:
    """Return what reads a field: its type says which, and its metadata what else."""
    kind: Any = field.type
    part = get_args(kind)[0] if get_args(kind) else kind
    repeated = "repeated" in field.metadata
    hook: Hook
    if get_origin(kind) is Literal:
        hook = _one_of(get_args(kind))
    elif get_origin(kind) is dict:
        hook = values.properties
    elif attrs.has(part):
        read = reader_of(part, repeated=repeated)
        hook = _list_of(read) if get_origin(kind) is tuple else _object(read, field)
    elif get_origin(kind) is tuple:
        hook = _list_of(values.identifier)
    else:
        hook = _repeated_text if repeated else _BY_TYPE[kind]
    return _json_text(hook) if "json_text" in field.metadata else hook


def _one_of(words: tuple[str, ...]) -> Hook:
    def read(value: Any, _: object) -> Any:
        if value in words:
            return value
        raise UnfitError(f"expected one of {', '.join(words)}")

    return read


def _repeated_text(value: Any, kind: object) -> str | None:
    read = value if value.__class__ is str else values.text(value, kind)
    known = memo.get()
    return read if known is None else known.seen.setdefault(read, read)


def _object(read: Hook, field: "attrs.Attribute[Any]") -> Hook:
    """Read an object or, where it may be absent, its id alone. Null, {} and [] (for PHP) mean the default."""
    default, bare_id = field.default, field.default is None

    def read_object(value: Any, kind: object) -> Any:
        if not value and default is not attrs.NOTHING and (value is None or isinstance(value, dict | list)):
            return default
        return read({"id": value} if bare_id and not isinstance(value, Mapping) else value, kind)

    return read_object


def _list_of(read: Hook) -> Hook:
    """Read a list of objects or numbers, into a tuple; one object is a list of one."""

    def read_list(value: Any, _: object) -> Any:
        is_alone = value.__class__ is not list and isinstance(value, Mapping) and value
        return values.items_of([value] if is_alone else value, read, tuple)

    return read_list


def _json_text(read: Hook) -> Hook:
    """Read an object that may be written as JSON in a string; any other string is left as it is."""

    def read_text(value: Any, kind: object) -> Any:
        try:
            decoded = loads(value) if isinstance(value, str) else None
        except NotJSONError:
            decoded = None
        return read(decoded if isinstance(decoded, dict) else value, kind)

    return read_text


@cache
def writer_of(model: Any, times: Times) -> Callable[[Any], dict[str, Any]]:
    """Return what writes a model as a JSON mapping."""
    converter = Converter()
    converter.register_unstructure_hook(datetime, values.iso_time if times == "iso" else values.unix_seconds)
    converter.register_unstructure_hook_factory(attrs.has, lambda part: _write_hook(part, converter))
    return _write_hook(model, converter)


def _write_hook(model: Any, converter: Converter) -> Callable[[Any], dict[str, Any]]:
    renames: Any = {name: override(rename=key) for name, key in keys_of(model).items()}
    write_fields = make_dict_unstructure_fn(model, converter, extra=override(omit=True), **renames)
    names = {key: name for name, key in keys_of(model).items()}

    def write(instance: Any) -> dict[str, Any]:
        # what did not fit is written again, unless the field has got another value since
        return write_fields(instance) | {
            key: value
            for key, value in instance.extra.items()
            if key not in names or getattr(instance, names[key]) == _read_again(model, names[key], value)
        }

    return write


def _read_again(model: Any, name: str, value: Any) -> Any:
    try:
        return _hooks_of(model)[name](value, None)
    except UnfitError as error:
        if error.rest is not None:
            return error.rest
    default: Any = attrs.fields_dict(model)[name].default
    return default.factory() if isinstance(default, _FACTORY) else default
