"""The table of endpoints in the docs says what the code does."""

import re
from pathlib import Path

import pytest

from helpcrunch_async import HelpCrunchClient, endpoints
from helpcrunch_async.endpoints import Endpoint

DOCS = Path(__file__).parents[1] / "docs" / "endpoints.md"
ROW = re.compile(r"\| `([A-Z]+) /([^`]+)` \| ([^|]+) \| (yes|no) \| ([\w-]+) \|")
ROWS = ROW.findall(DOCS.read_text(encoding="utf-8"))
ENDPOINTS = [value for value in vars(endpoints).values() if isinstance(value, Endpoint)]


def test_every_endpoint_has_its_row() -> None:
    """All 29, once, and whether each is sent again."""
    documented = [(method, path, again == "yes") for method, path, _, again, _ in ROWS]
    assert 29 == len(documented) == len(set(documented))
    assert {(each.method, each.path, each.repeatable) for each in ENDPOINTS} == set(documented)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0]} {row[1]}")
def test_the_methods_in_a_row_know_their_page(row: tuple[str, ...]) -> None:
    """They exist, and name the vendor's page in their docstrings."""
    _, _, methods, _, page = row
    names = re.findall(r"`(\w+)`", methods)
    assert names
    for name in names:
        assert page in (getattr(HelpCrunchClient, name).__doc__ or ""), name


def test_no_method_is_left_out() -> None:
    """Whatever sends a request is in the table, but for those that reach what is not in it."""
    documented = {name for row in ROWS for name in re.findall(r"`(\w+)`", row[2])}
    others = {"open", "close", "with_options", "request", "stream_customers"}
    methods = {name for name in vars(HelpCrunchClient) if not name.startswith("_")}
    assert methods - others == documented
