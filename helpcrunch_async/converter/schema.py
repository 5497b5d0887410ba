"""Models as pydantic and FastAPI take them. Pydantic is not imported here: it hands over what is needed."""

import ast
import inspect
import sys
from collections.abc import Mapping
from functools import cache, partial
from itertools import pairwise
from textwrap import dedent
from typing import Any

import attrs

from helpcrunch_async import models
from helpcrunch_async.converter.bodies import from_dict, to_dict
from helpcrunch_async.converter.keys import keys_of
from helpcrunch_async.errors import DecodeError
from helpcrunch_async.models import webhook


def attach_schemas() -> None:
    """Let pydantic find the schema of every model: `__get_pydantic_core_schema__` is what it asks for."""
    for model in (*vars(models).values(), *vars(webhook).values()):
        if isinstance(model, type) and attrs.has(model) and hasattr(model, "extra"):
            setattr(model, "__get_pydantic_core_schema__", partial(_core_schema, model))  # noqa: B010 - for mypy


def _core_schema(model: Any, _source: object, handler: Any) -> Any:
    """Return a schema that validates by `from_dict`, and is written by `to_dict` with ISO times."""
    schemas = sys.modules["pydantic_core"].core_schema
    documented = _docs_of(model)
    fields = {
        key: schemas.typed_dict_field(
            handler.generate_schema(attrs.fields_dict(model)[name].type),
            required=attrs.fields_dict(model)[name].default is attrs.NOTHING,
            metadata={"pydantic_js_updates": documented.get(name, {}) | {"title": name}},
        )
        for name, key in keys_of(model).items()
    }
    described = schemas.typed_dict_schema(fields, extra_behavior="allow")
    return schemas.no_info_wrap_validator_function(
        partial(_validate, model),
        described,
        ref=f"{model.__module__}.{model.__qualname__}:{id(model)}",
        serialization=schemas.plain_serializer_function_ser_schema(partial(to_dict, times="iso")),
        metadata={"pydantic_js_updates": {"title": model.__name__, "description": inspect.getdoc(model)}},
    )


def _validate(model: Any, value: Any, _by_described_schema: object) -> Any:
    if isinstance(value, model):
        return value
    try:
        return from_dict(model, value)
    except DecodeError as error:
        problem = str(error)
    raise ValueError(problem)  # what pydantic makes a validation error of


@cache
def _docs_of(model: type) -> Mapping[str, dict[str, str]]:
    """Return the docstrings that stand below the fields of a model; none where its source is not there."""
    try:
        [definition] = ast.parse(dedent(inspect.getsource(model))).body
    except OSError:
        return {}
    body = getattr(definition, "body", [])
    return {
        field.target.id: {"description": inspect.cleandoc(words.value.value)}
        for field, words in pairwise(body)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        if isinstance(words, ast.Expr)
        and isinstance(words.value, ast.Constant)
        and isinstance(words.value.value, str)
    }
