"""Parts, sorts and pages of listings that make no sense."""

from collections.abc import Callable
from typing import Any

import pytest
from aioresponses import aioresponses
from api_calls.refusal import NAN, refusal_of

from helpcrunch_async.search import CHAT_ASSIGNEE, ID

LISTINGS: list[Any] = [
    pytest.param(lambda client, **options: client.list_customers(**options), id="list_customers"),
    pytest.param(
        lambda client, **options: client.search_customers(ID.above(7), **options), id="search_customers"
    ),
    pytest.param(lambda client, **options: client.list_chats(**options), id="list_chats"),
    pytest.param(
        lambda client, **options: client.search_chats(CHAT_ASSIGNEE.equals(7), **options), id="search_chats"
    ),
    pytest.param(lambda client, **options: client.list_messages(7, **options), id="list_messages"),
    pytest.param(lambda client, **options: client.list_agents(**options), id="list_agents"),
    pytest.param(lambda client, **options: client.list_departments(**options), id="list_departments"),
    pytest.param(lambda client, **options: client.list_applications(**options), id="list_applications"),
]
BAD_PARTS: list[tuple[dict[str, Any], type[Exception]]] = [
    ({"offset": -1}, ValueError),
    ({"offset": 1.0}, TypeError),
    ({"offset": True}, TypeError),
    ({"offset": None}, TypeError),
    ({"limit": -1}, ValueError),
    ({"limit": "5"}, TypeError),
    ({"limit": NAN}, TypeError),
    ({"limit": True}, TypeError),
]
BAD_SORTS: list[tuple[dict[str, Any], type[Exception]]] = [
    ({"sort": "name"}, ValueError),
    ({"sort": "customers.firstSeen"}, ValueError),
    ({"sort": "chats.createdAt"}, ValueError),
    ({"sort": "first_seen"}, ValueError),
    ({"sort": ""}, ValueError),
    ({"sort": 7}, ValueError),
    ({"sort": ["firstSeen"]}, ValueError),
    ({"order": "ASC"}, ValueError),
    ({"order": "down"}, ValueError),
    ({"order": True}, ValueError),
]
BAD_PAGES: list[tuple[dict[str, Any], type[Exception]]] = [
    ({"offset": -1}, ValueError),
    ({"offset": "0"}, TypeError),
    ({"limit": 0}, ValueError),
    ({"limit": 101}, ValueError),
    ({"limit": 10.0}, TypeError),
    ({"limit": None}, TypeError),
]


@pytest.mark.parametrize(("options", "kind"), BAD_PARTS, ids=str)
@pytest.mark.parametrize("make", LISTINGS)
async def test_a_part_that_makes_no_sense(
    mocked: aioresponses, make: Callable[..., Any], options: dict[str, Any], kind: type[Exception]
) -> None:
    """Refused when the listing is asked for, before it is used."""
    error = await refusal_of(mocked, lambda client: make(client, **options))
    assert kind is type(error)
    assert next(iter(options)) in str(error)


@pytest.mark.parametrize(("options", "kind"), BAD_SORTS, ids=str)
@pytest.mark.parametrize("make", LISTINGS[:4])
async def test_a_sort_that_makes_no_sense(
    mocked: aioresponses, make: Callable[..., Any], options: dict[str, Any], kind: type[Exception]
) -> None:
    """The short names of what this listing can be sorted by, and no others; the text has them all."""
    error = await refusal_of(mocked, lambda client: make(client, **options))
    assert kind is type(error)
    assert str(error).startswith(f"{next(iter(options))} is one of ")


@pytest.mark.parametrize("make", LISTINGS[4:])
async def test_what_cannot_be_sorted_does_not_take_a_sort(
    mocked: aioresponses, make: Callable[..., Any]
) -> None:
    """Messages come newest first, and nothing is documented for the team."""
    error = await refusal_of(mocked, lambda client: make(client, sort="createdAt"))
    assert "sort" in str(error)


@pytest.mark.parametrize(("options", "kind"), BAD_PAGES, ids=str)
@pytest.mark.parametrize("make", LISTINGS)
async def test_a_page_that_makes_no_sense(
    mocked: aioresponses, make: Callable[..., Any], options: dict[str, Any], kind: type[Exception]
) -> None:
    """A page has 1 to 100 rows."""
    error = await refusal_of(mocked, lambda client: make(client).page(**options))
    assert kind is type(error)
    assert next(iter(options)) in str(error)
