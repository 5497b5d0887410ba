"""Finding one customer: by an exact value, checked on what comes back."""

import json
from typing import Any, Final

import pytest
from aioresponses import aioresponses
from api_calls.call import BASE_URL
from hypothesis import given
from hypothesis import strategies as st

from helpcrunch_async import (
    UNLIMITED,
    Customer,
    DecodeError,
    HelpCrunchClient,
    NotFoundError,
    RetryPolicy,
    ServerError,
)
from helpcrunch_async.bulk.lookup import first_match

URL: Final = f"{BASE_URL}/customers/search"
MARA: Final = "mara@customer.example"


async def find(mocked: aioresponses, *rows: dict[str, Any], **wanted: Any) -> Customer | None:
    """Find a customer where the search brings these rows, in one request."""
    mocked.post(URL, body=json.dumps({"data": rows, "total": len(rows)}), repeat=True)
    async with HelpCrunchClient("s3cret", rate_limiter=UNLIMITED) as client:
        try:
            return await client.find_customer(**wanted)
        finally:
            assert sum(map(len, mocked.requests.values())) == 1


def by_email(*emails: str | None) -> list[dict[str, Any]]:
    return [{"id": number, "email": email} for number, email in enumerate(emails, start=1)]


def by_user_id(*user_ids: str | None) -> list[dict[str, Any]]:
    return [{"id": number, "userId": user_id} for number, user_id in enumerate(user_ids, start=1)]


@pytest.mark.parametrize(
    ("emails", "found"),
    [
        ([], None),
        ([MARA], 1),
        ([MARA, MARA, MARA], 1),
        (["Mara@Customer.Example", MARA], 1),
        (["anna.mara@customer.example", MARA], 2),
        ([None, "", MARA, "ben@customer.example"], 3),
    ],
    ids=str,
)
async def test_by_email(mocked: aioresponses, emails: list[str | None], found: int | None) -> None:
    """The first that has this address, in whichever case: the search puts who was seen last first."""
    customer = await find(mocked, *by_email(*emails), email=MARA)
    assert found == (None if customer is None else customer.id)


@pytest.mark.parametrize(
    ("user_ids", "found"),
    [
        ([], None),
        (["acct_Q"], 1),
        (["acct_q", "acct_Q"], 2),
        (["acct_q", "ACCT_Q"], None),
        (["acct_Q1", "acct_Q"], 2),
        ([None, "acct_Q"], 2),
    ],
    ids=str,
)
async def test_by_your_own_id(mocked: aioresponses, user_ids: list[str | None], found: int | None) -> None:
    """Case counts; who has it in another case is somebody else, and no sign of a broken search."""
    customer = await find(mocked, *by_user_id(*user_ids), user_id="acct_Q")
    assert found == (None if customer is None else customer.id)


@pytest.mark.parametrize(
    ("wanted", "rows"),
    [
        ({"email": MARA}, by_email("ben@customer.example", "anna.mara@customer.example", None)),
        ({"email": "7"}, by_user_id("7")),
        ({"user_id": "acct_502"}, by_user_id("acct_501", None, "acct_5021")),
        ({"user_id": MARA}, by_email(MARA)),
    ],
    ids=["other addresses", "an own id for an address", "other own ids", "an address for an own id"],
)
async def test_a_server_that_ignores_the_filter(
    mocked: aioresponses, wanted: dict[str, str], rows: list[dict[str, Any]]
) -> None:
    """Strangers are never given, nor "none" said where nobody looked; the text shows no customer."""
    with pytest.raises(DecodeError, match="other customers than were asked for") as caught:
        await find(mocked, *rows, **wanted)
    assert caught.value.problems == ("$.data: no row has the value that was searched for",)
    assert not caught.value.outcome_unknown


async def test_not_found_is_none(mocked: aioresponses) -> None:
    """By one client's account a search that found nothing is answered with 404."""
    mocked.post(URL, status=404, body='{"errors": [{"code": "not_found", "message": "Chat not found"}]}')
    async with HelpCrunchClient("s3cret", rate_limiter=UNLIMITED) as client:
        assert await client.find_customer(email=MARA) is None


async def test_a_listing_that_is_not_found_is_an_error(mocked: aioresponses) -> None:
    """Only of a search 404 means nothing: elsewhere the address is wrong, or the chat is gone."""
    mocked.get(f"{BASE_URL}/chats/8803/messages?limit=100&offset=0", status=404)
    async with HelpCrunchClient("s3cret", rate_limiter=UNLIMITED) as client:
        with pytest.raises(NotFoundError):
            await client.list_messages(8803).page()


async def test_a_search_is_repeated(mocked: aioresponses) -> None:
    """It changes nothing, POST or not; what it gives up with leaves nothing in doubt."""
    mocked.post(URL, status=503, repeat=True)
    retry = RetryPolicy(attempts=3, max_backoff=0.0)
    async with HelpCrunchClient("s3cret", rate_limiter=UNLIMITED, retry=retry) as client:
        with pytest.raises(ServerError) as caught:
            await client.find_customer(user_id="acct_502")
    assert caught.value.attempts == 3
    assert not caught.value.outcome_unknown


WORDS = st.sampled_from(["a", "A", "b", "ß", "ss", "SS", "", None])


@given(st.lists(WORDS, max_size=5), st.sampled_from(["a", "A", "ß", "SS"]), st.booleans())
def test_who_is_given_has_what_was_asked_for(
    words: list[str | None],
    wanted: str,
    folding_case: bool,  # noqa: FBT001 - hypothesis passes it
) -> None:
    """Whatever rows come: the first that fits, or None, or an error when none is even alike."""
    found = [Customer(number, email=word) for number, word in enumerate(words)]
    alike = [each for each in found if (each.email or "").casefold() == wanted.casefold()]
    fitting = alike if folding_case else [each for each in found if each.email == wanted]
    if found and not alike:
        with pytest.raises(DecodeError):
            first_match(found, wanted, lambda each: each.email, folding_case=folding_case)
    else:
        first = first_match(found, wanted, lambda each: each.email, folding_case=folding_case)
        assert first is (fitting[0] if fitting else None)
