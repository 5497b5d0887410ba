"""A decoded JSON value as a model, and back."""

from collections.abc import Mapping
from typing import Any, TypeVar

import attrs

from helpcrunch_async.converter.quick import Seen, reader_of, sharing_reader_of
from helpcrunch_async.converter.thorough import converter, problems_of
from helpcrunch_async.errors import DecodeError

M = TypeVar("M")


def structure(value: object, model: type[M], seen: Seen | None = None) -> M:
    """Read a decoded JSON value as a model.

    Args:
        value: what `json.loads` gave.
        model: what it is.
        seen: begins empty for a reply with many rows. Of equal strings, tags and the like in them one is
            kept: most countries, time zones and browsers in a page of customers are the same.

    Raises:
        DecodeError: it is not shaped as the documentation promises; `problems` says where.
    """
    kind: Any = model  # type checkers do not take every class for hashable
    try:
        read = reader_of(kind) if seen is None else sharing_reader_of(kind)
        instance: M = read(value, seen)
    except Exception as error:  # noqa: BLE001 - whatever the generated code meets in hostile JSON
        failed = type(error).__name__
    else:
        return instance
    # Raised out here: what cattrs raises holds customer data, and would stay in __context__.
    problems = _problems(value, model) or (f"$: {failed}",)
    del value  # nor in a local, which error trackers capture
    raise DecodeError(f"not a {model.__name__}: {'; '.join(problems[:3])}", problems=problems)


def _problems(value: object, model: type) -> tuple[str, ...]:
    """Read once more to say everything that does not fit."""
    try:
        converter().structure(value, model)
    except Exception as error:  # noqa: BLE001 - as above
        return problems_of(error)
    return ()


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
    mapping: dict[str, Any] = converter().unstructure(model)
    return mapping
