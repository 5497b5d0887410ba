"""The reference is complete: whatever is public stands in it."""

import inspect
from pathlib import Path
from types import ModuleType

import pytest

import helpcrunch_async
from helpcrunch_async import HelpCrunchClient, search, testing, webhooks

REFERENCE = Path(__file__).parents[1] / "docs" / "reference"


def text_of(*pages: str) -> str:
    return "\n".join((REFERENCE / f"{page}.md").read_text(encoding="utf-8") for page in pages)


@pytest.mark.parametrize(
    ("module", "pages"),
    [
        (helpcrunch_async, ["client", "models", "errors", "rate-limiter", "policies", "search", "webhooks"]),
        (webhooks, ["webhooks"]),
        (testing, ["testing"]),
    ],
    ids=["helpcrunch_async", "webhooks", "testing"],
)
def test_every_public_name_is_in_the_reference(module: ModuleType, pages: list[str]) -> None:
    """By the name that users import it by; the version needs no page."""
    text = text_of(*pages)
    missing = [name for name in module.__all__ if name not in text and name != "__version__"]
    assert missing == []


def test_every_method_of_the_client_is_in_the_reference() -> None:
    """Once."""
    text = text_of("client")
    for name, member in vars(HelpCrunchClient).items():
        if inspect.isfunction(member) and not name.startswith("_"):
            assert text.count(f":: helpcrunch_async.HelpCrunchClient.{name}\n") == 1, name


def test_every_field_that_can_be_searched_is_in_the_reference() -> None:
    """With its kind, and its name in the API."""
    text = text_of("search")
    fields = {name: field for name, field in vars(search).items() if isinstance(field, search._Field)}
    assert len(fields) == 28
    for name, field in fields.items():
        assert f"| `{name}` | `{type(field).__name__}` | `{field.name}` |" in text
