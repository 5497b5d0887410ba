"""A program that uses the public API as its types promise. It is checked, not run."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from datetime import UTC, datetime
from typing import Any, Literal, assert_type

import helpcrunch_async
from helpcrunch_async import (
    UNSET,
    Agent,
    Application,
    BatchOutcome,
    Bookmark,
    Chat,
    ChatCustomer,
    ChatRating,
    ChatStatus,
    Customer,
    CustomerFields,
    CustomerUpdate,
    CustomValue,
    Department,
    Event,
    HelpCrunchClient,
    HelpCrunchError,
    Listing,
    Lookup,
    Message,
    Organization,
    Page,
    Pages,
    Rating,
    RetryPolicy,
    Tag,
    same_word,
    webhooks,
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
from helpcrunch_async.webhooks import (
    ChatEvent,
    CustomerEvent,
    MessageEvent,
    UnknownEvent,
    WebhookAgent,
    WebhookChat,
    WebhookDepartment,
    WebhookMessage,
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


def report(place: str, problem: str) -> None:
    """Take note of a row that cannot be read."""


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
    pages = listing.prefetch(pages=5).pages()
    assert_type(pages, Pages[Customer])
    async for page in pages:
        assert_type(page.items, tuple[Customer, ...])
        assert_type(pages.bookmark, Bookmark)
    assert_type(listing.resume(Bookmark(200, 450, (1, 2))), Listing[Customer])
    assert_type(client.list_customers(on_unreadable="skip"), Listing[Customer])
    assert_type(client.list_chats(on_unreadable=report), Listing[Chat])


async def search_customers(client: HelpCrunchClient) -> None:
    """A query or a filter alone makes a listing; finding one may find none."""
    paid = all_of(EMAIL.contains("@example.com"), TAGS.include("Paid"))
    assert_type(client.search_customers(paid), Listing[Customer])
    listing = client.search_customers(ID.above(7), sort="lastSeen", order="asc", offset=20, limit=500)
    assert_type(listing, Listing[Customer])
    assert_type(client.search_customers(raw_filter("customers.age", ">=", 21)), Listing[Customer])
    assert_type(await listing.to_list(), list[Customer])
    assert_type(await client.find_customer(user_id="acct_502"), Customer | None)
    assert_type(await client.find_customer(email="ada@example.com"), Customer | None)


async def change_customers(client: HelpCrunchClient) -> None:
    """What is left out stays or is cleared, None clears, UNSET is left out."""
    assert_type(await client.create_customer(), Customer)
    assert_type(await client.create_customer(name="Ada", user_id="acct_1", first_seen=LAST_WEEK), Customer)
    assert_type(
        await client.update_customer(7, company="Quill AG", notes=None, phone=UNSET, blocked=True), Customer
    )
    assert_type(await client.update_customer(7, tags=["Paid", Tag("vip", "red")], custom_data={}), Customer)
    assert_type(await client.replace_customer(7, name="Ada", custom_data={"seats": 3, "by": None}), Customer)
    fields: CustomerFields = {"name": "Ada", "unsubscribed": False}
    assert_type(await client.update_customer(customer_id=7, **fields), Customer)
    assert_type(await client.delete_customer(7), None)


async def change_many_customers(
    client: HelpCrunchClient, some: list[CustomerUpdate], others: AsyncIterator[CustomerUpdate]
) -> None:
    """Updates of any kind of source."""
    outcomes = await client.batch_update_customers([{"customer": 7, "company": "Quill AG", "notes": None}])
    assert_type(outcomes, list[BatchOutcome])
    for outcome in outcomes:
        assert_type(outcome.id, int)
        assert_type(outcome.customer, Customer | None)
        assert_type(outcome.error, HelpCrunchError | None)
    assert_type(await client.batch_update_customers(some), list[BatchOutcome])
    assert_type(await client.batch_update_customers(others), list[BatchOutcome])
    updates: Iterable[CustomerUpdate] = ({"customer": number, "notes": None} for number in range(1, 9))
    assert_type(await client.batch_update_customers(updates), list[BatchOutcome])


async def tag_customers(client: HelpCrunchClient, customer: Customer) -> None:
    """Tags are names, or tags, in any collection."""
    assert_type(await client.tag_customer(7, ["Paid", "vip"]), Customer)
    assert_type(await client.tag_customer(7, customer.tags), Customer)
    assert_type(await client.tag_customer(7, ("Paid", Tag("vip", "red"))), Customer)
    assert_type(await client.untag_customer(7, {"Paid"}), Customer)
    assert_type(await client.untag_customer(7, (tag.name for tag in customer.tags)), Customer)


async def record_events(client: HelpCrunchClient) -> None:
    """An event has data or none."""
    event = await client.create_event(7, "Upgrade", {"plan": "team", "seats": 3, "share": 0.5, "paid": True})
    assert_type(event, Event)
    assert_type(event.id, int | None)
    assert_type(event.data, dict[str, CustomValue])
    assert_type(event.created_at, datetime | None)
    assert_type(await client.create_event(7, name="Upgrade", data=None), Event)
    assert_type(await client.create_event(7, name="Upgrade", data=UNSET), Event)
    assert_type(await client.send_message(8803, "Hello", agent_id=UNSET, markdown=UNSET), Message)


async def read_chats(client: HelpCrunchClient) -> None:
    """Chats are listed, searched and got; their words are open, and compared by what they mean."""
    assert_type(client.list_chats(), Listing[Chat])
    assert_type(client.list_chats(sort="lastMessageAt", order="asc", offset=20, limit=500), Listing[Chat])
    assert_type(client.search_chats(CHAT_STATUS.equals("closed"), sort="closedAt"), Listing[Chat])
    assert_type(client.search_chats(any_of(CHAT_ASSIGNEE.equals(7))), Listing[Chat])
    assert_type(await client.list_chats().page(), Page[Chat])
    chat = await client.get_chat(8803)
    assert_type(chat, Chat)
    assert_type(chat.status, str | None)
    assert_type(chat.closed_at, datetime | None)
    assert_type(chat.agents, tuple[Agent, ...])
    assert_type(chat.customer, ChatCustomer | None)
    assert_type(chat.assignee, Agent | None)
    assert_type(chat.department, Department | None)
    assert_type(same_word(chat.status, ChatStatus.ON_HOLD), bool)


async def change_chats(client: HelpCrunchClient, rating: Rating) -> None:
    """Every change gives the chat after it."""
    chat = await client.create_chat(7, application_id=2, assignee_id=312, department_id=None)
    assert_type(await client.create_chat(7, application_id=2, assignee_id=UNSET, department_id=UNSET), Chat)
    assert_type(chat, Chat)
    assert_type(await client.set_chat_status(chat.id, ChatStatus.CLOSED), Chat)
    assert_type(await client.set_chat_status(chat.id, "Waiting for parts"), Chat)
    assert_type(await client.assign_chat(chat.id, 312), Chat)
    assert_type(await client.assign_chat(chat.id, None), Chat)
    assert_type(await client.set_chat_department(chat.id, 41), Chat)
    assert_type(await client.snooze_chat(chat.id, LAST_WEEK), Chat)
    assert_type(await client.snooze_chat(chat.id, None), Chat)
    assert_type(await client.rate_chat(chat.id, rating), Chat)
    assert_type(await client.rate_chat(chat.id, "very poor"), Chat)
    assert_type(await client.rate_chat(chat.id, ChatRating.PERFECT), Chat)
    assert_type(await client.mark_chat_read_by_agent(chat.id), Chat)
    assert_type(await client.mark_chat_read_by_customer(chat.id, read=False), Chat)


async def read_and_send_messages(client: HelpCrunchClient) -> None:
    """Messages are listed by chat; a note is a message, too."""
    assert_type(client.list_messages(8803, offset=20, limit=500), Listing[Message])
    message = await client.send_message(8803, "Hello", agent_id=312, markdown="**Hello**")
    assert_type(message, Message)
    assert_type(message.chat_id, int | None)
    assert_type(message.agent, Agent | None)
    assert_type(message.created_at, datetime | None)
    assert_type(await client.send_message(8803, "Hello", agent_id=None), Message)
    assert_type(await client.send_private_note(8803, "Refund agreed"), Message)


async def read_the_team(client: HelpCrunchClient) -> None:
    """Who answers, through what, and for whom."""
    assert_type(client.list_agents(offset=20, limit=500), Listing[Agent])
    assert_type(client.list_departments(offset=20, limit=500), Listing[Department])
    assert_type(client.list_applications(offset=20, limit=500), Listing[Application])
    assert_type(await client.list_departments().to_list(), list[Department])
    assert_type(await client.unsubscribe_agent(312), None)
    organization = await client.get_organization()
    assert_type(organization, Organization)
    assert_type(organization.team_online, bool | None)


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


def receive(body: bytes, signature: str | None) -> str | None:
    """Webhooks come with the package, and their kinds are told apart by class or by name."""
    assert_type(webhooks.verify_signature(body, signature, "secret"), None)
    header: str = helpcrunch_async.webhooks.SIGNATURE_HEADER
    event = webhooks.parse_webhook(body, signature, "secret")
    assert_type(event, ChatEvent | CustomerEvent | MessageEvent | UnknownEvent)
    assert_type(event.id, str)
    if isinstance(event, ChatEvent):
        if event.name == "chat.assigned":
            assert_type(event.name, Literal["chat.assigned"])
        assert_type(event.data, WebhookChat)
        assert_type(event.data.chat_id, int)
        assert_type(event.data.assignee, WebhookAgent | None)
        assert_type(event.data.department, WebhookDepartment | None)
        return event.data.assignee.name if event.data.assignee else None
    if isinstance(event, CustomerEvent):
        assert_type(event.data.custom_data, dict[str, CustomValue])
        return event.data.email
    if isinstance(event, MessageEvent):
        assert_type(event.data.agent, WebhookAgent | None)
        assert_type(event.data.message, WebhookMessage)
        return event.data.message.text
    assert_type(event.name, str)
    return f"{header} {event.name}"
