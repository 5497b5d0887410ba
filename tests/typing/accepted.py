"""A program that uses the public API as its types promise. It is checked, not run."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any, Literal, assert_type

from helpcrunch_async import (
    UNSET,
    Customer,
    HelpCrunchClient,
    HelpCrunchError,
    Listing,
    Lookup,
    Page,
    Rating,
    RetryPolicy,
    Tag,
)
from helpcrunch_async.search import (
    CHAT_ASSIGNEE,
    CHAT_CLOSED_AT,
    CHAT_CREATED_AT,
    CHAT_CUSTOMER_TAGS,
    CHAT_RATING,
    CHAT_STATUS,
    EMAIL,
    ID,
    LAST_SEEN,
    TAGS,
    Chats,
    Customers,
    DateField,
    Filter,
    IdField,
    Query,
    RatingField,
    StringField,
    TagsField,
    all_of,
    any_of,
    body_of,
    raw_filter,
)

LAST_WEEK = datetime(2024, 4, 2, tzinfo=UTC)


async def get_customers_by_id(client: HelpCrunchClient) -> None:
    """One, many in the order asked, and many with their errors."""
    assert_type(await client.get_customer(7), Customer)
    ada, bob = await asyncio.gather(client.get_customer(1), client.get_customer(2))
    assert_type((ada, bob), tuple[Customer, Customer])

    assert_type(await client.get_customers([1, 2]), list[Customer])
    assert_type(await client.get_customers({1, 2}, batch=False), list[Customer])
    assert_type(await client.get_customers(range(9), return_exceptions=False), list[Customer])
    outcomes = await client.get_customers((1, 2), return_exceptions=True)
    assert_type(outcomes, list[Customer | HelpCrunchError])
    for outcome in outcomes:
        if isinstance(outcome, HelpCrunchError):
            assert_type(outcome.outcome_unknown, bool)
        else:
            assert_type(outcome, Customer)


async def stream_customers(client: HelpCrunchClient, ids: AsyncIterator[int]) -> None:
    """Ids that arrive as they like, customers or errors as they come."""
    async for lookup in client.stream_customers(ids):
        assert_type(lookup, Lookup)
        assert_type(lookup.id, int)
        assert_type(lookup.customer, Customer | None)
        assert_type(lookup.error, HelpCrunchError | None)
    async for lookup in client.stream_customers(range(10), batch=False):
        assert_type(lookup, Lookup)


async def list_customers(client: HelpCrunchClient) -> None:
    """A listing is walked, paged, or made a list."""
    listing = client.list_customers(sort="firstSeen", order="desc", offset=20, limit=500)
    assert_type(listing, Listing[Customer])
    async for customer in listing:
        assert_type(customer, Customer)
    page = await listing.page(offset=200, limit=100)
    assert_type(page, Page[Customer])
    assert_type(page.items, tuple[Customer, ...])
    assert_type(page.total, int | None)
    assert_type(await listing.to_list(limit=25), list[Customer])


def read_a_customer(customer: Customer) -> None:
    """What may be missing says so; location and device are always there."""
    assert_type(customer.id, int)
    assert_type(customer.name, str | None)
    assert_type(customer.first_seen, datetime | None)
    assert_type(customer.location.city, str | None)
    assert_type(customer.device.user_agent, str | None)
    assert_type(customer.tags, tuple[Tag, ...])
    assert_type(customer.custom_data["Role"], str | int | float | bool | None)


async def choose_options() -> None:
    """A view is a client, and None differs from what is left out."""
    async with HelpCrunchClient("key", retry=RetryPolicy(attempts=2), timeout=5) as client:
        assert_type(client, HelpCrunchClient)
        assert_type(client.with_options(deadline=None, max_wait=UNSET, priority="bulk"), HelpCrunchClient)


def search_for_customers(customer: Customer) -> None:
    """Filters of customers make queries for customers."""
    assert_type(EMAIL, StringField[Customers])
    assert_type(ID, IdField[Customers])
    assert_type(LAST_SEEN, DateField[Customers])
    assert_type(TAGS, TagsField[Customers])
    assert_type(EMAIL.equals("ada@example.com"), Filter[Customers])
    paid = all_of(EMAIL.contains("@example.com"), TAGS.include("Paid", *customer.tags))
    assert_type(paid, Query[Customers])
    assert_type(any_of(ID.equals(7), ID.above(70)), Query[Customers])
    assert_type(any_of(*(ID.equals(number) for number in range(1, 9))), Query[Customers])
    assert_type(all_of(LAST_SEEN.since(LAST_WEEK)).to_body(), dict[str, Any])
    assert_type(paid.noun, Literal["customers"])
    assert_type(body_of(paid, "customers"), dict[str, Any])
    assert_type(body_of(EMAIL.lacks("@"), "customers"), dict[str, Any])


def search_for_chats(rating: Rating) -> None:
    """Filters of chats make queries for chats."""
    assert_type(CHAT_RATING, RatingField[Chats])
    assert_type(CHAT_ASSIGNEE.equals(7), Filter[Chats])
    assert_type(any_of(CHAT_STATUS.equals("onhold"), CHAT_STATUS.equals("3")), Query[Chats])
    assert_type(all_of(CHAT_RATING.equals(rating), CHAT_RATING.differs("very poor")), Query[Chats])
    assert_type(all_of(CHAT_CREATED_AT.since(LAST_WEEK), CHAT_CLOSED_AT.before(LAST_WEEK)), Query[Chats])
    assert_type(body_of(CHAT_CUSTOMER_TAGS.include("vip"), "chats"), dict[str, Any])


def search_for_what_the_types_do_not_know() -> None:
    """A raw filter goes with either noun."""
    customers: Query[Customers] = all_of(EMAIL.contains("@"), raw_filter("customers.age", ">=", 21))
    chats: Query[Chats] = any_of(raw_filter("chats.mood", "in", ["good"]), CHAT_ASSIGNEE.at_most(9))
    assert_type((customers, chats), tuple[Query[Customers], Query[Chats]])


def write_general_code(field: StringField[Customers], make: Callable[[str], Filter[Customers]]) -> None:
    """Fields and filters are values like others."""
    assert_type(all_of(field.equals("x"), make("y")), Query[Customers])
