"""Some fields of a model, as `--fields` names them."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from helpcrunch_async.cli.exits import CommandError, ExitCode
from helpcrunch_async.converter import to_dict
from helpcrunch_async.converter.keys import keys_of


def fields_of(model: type, typed: str | None) -> tuple[str, ...] | None:
    """Return the fields that are named, by their names in Python, the id first; None is all of them.

    Args:
        model: whose fields they are.
        typed: names, divided by commas; in the spelling of the API or of Python.

    Raises:
        CommandError: there is no such field.
    """
    if typed is None:
        return None
    keys = keys_of(model)
    known = {_folded(name): field for field, key in keys.items() for name in (field, key)}
    wanted = ["id"]
    for name in filter(None, map(str.strip, typed.split(","))):
        if _folded(name) not in known:
            raise CommandError(f"no field {name}; there are {', '.join(keys.values())}", ExitCode.USAGE)
        wanted.append(known[_folded(name)])
    return tuple(dict.fromkeys(wanted))


def row_of(instance: Any, fields: Sequence[str] | None) -> Mapping[str, Any]:
    """Return a model as the API spells it, all of it or some fields."""
    row = to_dict(instance)
    if fields is None:
        return row
    model: Any = type(instance)
    keys = keys_of(model)
    return {keys[each]: row[keys[each]] for each in fields}


def _folded(name: str) -> str:
    return re.sub("[._-]", "", name).casefold()
