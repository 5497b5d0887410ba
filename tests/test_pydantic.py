"""Pydantic and FastAPI take models as they are."""

import json
import subprocess
import sys
from types import GenericAlias
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic import BaseModel, TypeAdapter, ValidationError
from test_model_properties import MODELS

from helpcrunch_async import Chat, Customer, Tag, from_dict, to_dict

CUSTOMER = from_dict(Customer, {"id": 7, "firstSeen": "1600000000", "tags": [{"name": "a"}], "later": 1})


class Ticket(BaseModel):
    """A user's own model."""

    customer: Customer
    chats: list[Chat] = []


def test_a_model_is_written_as_to_dict_writes_it() -> None:
    """In JSON, with ISO times and what the API added later: alone, in lists and in models of users."""
    wanted = to_dict(CUSTOMER, times="iso")
    assert wanted["firstSeen"] == "2020-09-13T12:26:40Z"
    assert json.loads(TypeAdapter(list[Customer]).dump_json([CUSTOMER])) == [wanted]
    assert json.loads(Ticket(customer=CUSTOMER).model_dump_json()) == {"customer": wanted, "chats": []}


def test_a_model_is_read_as_from_dict_reads_it() -> None:
    """An instance is kept, a mapping read, tolerantly; what cannot be read is a validation error."""
    assert Ticket(customer=CUSTOMER).customer is CUSTOMER
    assert Ticket.model_validate_json('{"customer": {"id": "7", "name": []}}').customer == from_dict(
        Customer, {"id": 7, "name": []}
    )
    for odd in ({"id": "x"}, 7, None):
        with pytest.raises(ValidationError, match="not a Customer"):
            Ticket.model_validate({"customer": odd})


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
@pytest.mark.parametrize("mode", ["validation", "serialization"])
def test_every_model_has_a_schema_of_its_name(model: Any, mode: Any) -> None:
    """Its properties are those that `to_dict` writes; each that has words in the source has them there."""
    some: Any = GenericAlias(list, (model,))
    schema = TypeAdapter(some).json_schema(mode=mode)
    mine = schema["$defs"][model.__name__]
    assert schema["items"] == {"$ref": f"#/$defs/{model.__name__}"}
    assert mine["description"].splitlines()[0] in model.__doc__
    assert mine["type"] == "object"
    assert {field["title"] for field in mine["properties"].values()} < set(model.__slots__)


def test_fastapi_documents_a_model() -> None:
    """A response model is an OpenAPI component of its name, with our descriptions and date-times."""

    def customers() -> list[Customer]:
        return [CUSTOMER]

    app = FastAPI(routes=[APIRoute("/customers", customers, response_model=list[Customer])])
    components = get_openapi(title="x", version="1", routes=app.routes)["components"]["schemas"]
    assert {"Customer", "Device", "Location", "Tag"} <= set(components)
    properties = components["Customer"]["properties"]
    assert properties["id"]["description"] == "HelpCrunch's own id."
    assert {"type": "string", "format": "date-time"} in properties["firstSeen"]["anyOf"]
    assert components["Customer"]["required"] == ["id"]


def test_a_model_without_its_source_has_no_descriptions(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that is packed without sources still has schemas."""
    from helpcrunch_async.converter import schema  # noqa: PLC0415 - only here

    def no_source(_: object) -> str:
        raise OSError

    monkeypatch.setattr("inspect.getsource", no_source)
    assert schema._docs_of.__wrapped__(Tag) == {}


def test_pydantic_is_not_imported_before_it_asks() -> None:
    """The library has no such dependency."""
    script = (
        "import sys, helpcrunch_async; sys.exit('pydantic' in sys.modules or 'pydantic_core' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
