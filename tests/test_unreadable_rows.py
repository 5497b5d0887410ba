"""Rows of a listing that cannot be read lose nobody else, whichever method lists them."""

import json
import pickle
from collections.abc import Callable
from typing import Any, Final

import pytest
from aioresponses import aioresponses
from yarl import URL

from helpcrunch_async import (
    UNLIMITED,
    DecodeError,
    HelpCrunchClient,
    Listing,
    OnUnreadable,
    Page,
)
from helpcrunch_async.protocol import BASE_URL
from helpcrunch_async.search import CHAT_STATUS, EMAIL

List = Callable[..., Listing[Any]]

LISTINGS: Final[dict[str, tuple[str, str, Callable[[HelpCrunchClient], List]]]] = {
    "list_customers": ("GET", "customers", lambda client: client.list_customers),
    "search_customers": (
        "POST",
        "customers/search",
        lambda client: lambda **options: client.search_customers(EMAIL.contains("@"), **options),
    ),
    "list_chats": ("GET", "chats", lambda client: client.list_chats),
    "search_chats": (
        "POST",
        "chats/search",
        lambda client: lambda **options: client.search_chats(CHAT_STATUS.equals("new"), **options),
    ),
    "list_messages": (
        "GET",
        "chats/7/messages",
        lambda client: lambda **options: client.list_messages(7, **options),
    ),
    "list_agents": ("GET", "agents", lambda client: client.list_agents),
    "list_departments": ("GET", "departments", lambda client: client.list_departments),
    "list_applications": ("GET", "applications", lambda client: client.list_applications),
}

ROWS: Final = [{"id": 1}, {"id": "mara@customer.example"}, {"name": "Ada"}, {"id": 4}]
PROBLEMS: Final = ("$.data[1].id", "$.data[2].id")


def answer(mocked: aioresponses, method: str, path: str) -> None:
    url = URL(f"{BASE_URL}/{path}")
    if method == "GET":
        url = url.with_query(limit="100", offset="0")
    mocked.add(url, method, body=json.dumps({"data": ROWS, "total": len(ROWS)}), repeat=True)


@pytest.mark.parametrize(("method", "path", "lister"), LISTINGS.values(), ids=LISTINGS)
async def test_every_listing(
    mocked: aioresponses,
    caplog: pytest.LogCaptureFixture,
    method: str,
    path: str,
    lister: Callable[[HelpCrunchClient], List],
) -> None:
    """The readable rows come, then the others are raised, logged, or given to a function; never values."""
    answer(mocked, method, path)
    heard: list[tuple[str, str]] = []

    def hear(place: str, problem: str) -> None:
        heard.append((place, problem))

    async with HelpCrunchClient("s3cret", rate_limiter=UNLIMITED) as client:
        listing = lister(client)
        seen: list[int] = []
        with pytest.raises(DecodeError) as caught:
            seen.extend([row.id async for row in listing()])
        assert [problem.partition(": ")[0] for problem in caught.value.problems] == list(PROBLEMS)
        pages = [[row.id for row in page.items] async for page in listing(on_unreadable="skip").pages()]
        assert pages == [[1, 4]]
        assert [row.id for row in await listing(on_unreadable=hear).to_list()] == [1, 4]
    assert [place for place, _ in heard] == [f"offset 0: {place}" for place in PROBLEMS]
    skipped = [text for text in caplog.messages if "skipped" in text]
    assert skipped == [f"a row cannot be read and is skipped: {place}: {problem}" for place, problem in heard]
    assert "mara" not in f"{caplog.text}{heard}{caught.value!r}"


async def test_one_page_has_the_others_on_its_error(mocked: aioresponses) -> None:
    """Also after it was pickled; its text shows no customer."""
    answer(mocked, "GET", "customers")
    options: list[OnUnreadable] = ["raise", "skip"]
    async with HelpCrunchClient("s3cret", rate_limiter=UNLIMITED) as client:
        for on_unreadable in options:
            with pytest.raises(DecodeError) as caught:
                await client.list_customers(on_unreadable=on_unreadable).page()
            page: Page[Any] = pickle.loads(pickle.dumps(caught.value)).page
            assert [row.id for row in page.items] == [1, 4]
            assert (page.total, page.offset, page.received) == (4, 0, 4)


@pytest.mark.parametrize("wanted", [{"email": "Mara@customer.example"}, {"user_id": "acct_7"}], ids=str)
async def test_who_is_looked_for_is_found_beside_them(mocked: aioresponses, wanted: dict[str, Any]) -> None:
    """And where nobody is found, the one may be among those that cannot be read: that is an error."""
    rows = [{"id": None}, {"id": 7, "email": "mara@customer.example", "userId": "acct_7"}]
    for answered in (rows, rows[:1]):
        mocked.post(f"{BASE_URL}/customers/search", body=json.dumps({"data": answered}))
    async with HelpCrunchClient("s3cret", rate_limiter=UNLIMITED) as client:
        customer = await client.find_customer(**wanted)
        assert customer is not None
        assert customer.id == 7
        with pytest.raises(DecodeError, match=r"\$\.data\[0\]\.id"):
            await client.find_customer(**wanted)
