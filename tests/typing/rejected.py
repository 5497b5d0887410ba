"""Programs that the types refuse, one a line.

Every such line says which complaint of mypy's it earns, so a plain run of either type checker is clean. The
test beside this file takes these excuses away and expects both to complain of every one of these lines, and
of no other. The WRONG_SEARCHES are run, too: what does not type-check also raises.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime

from helpcrunch_async import Customer, HelpCrunchClient, Tag
from helpcrunch_async.search import (
    CHAT_AGENTS,
    CHAT_CUSTOMER_TAGS,
    CHAT_RATING,
    CHAT_STATUS,
    CITY,
    EMAIL,
    ID,
    LAST_SEEN,
    NAME,
    TAGS,
    Chats,
    Query,
    all_of,
    any_of,
    body_of,
    raw_filter,
)

TODAY = datetime(2024, 4, 9, tzinfo=UTC)

WRONG_SEARCHES: tuple[Callable[[], object], ...] = (
    # operators that the field's type does not have
    lambda: EMAIL.above("a"),  # type: ignore[attr-defined]
    lambda: EMAIL.include("a"),  # type: ignore[attr-defined]
    lambda: ID.contains(7),  # type: ignore[attr-defined]
    lambda: ID.since(TODAY),  # type: ignore[attr-defined]
    lambda: LAST_SEEN.contains("2024"),  # type: ignore[attr-defined]
    lambda: LAST_SEEN.above(7),  # type: ignore[attr-defined]
    lambda: TAGS.equals("Paid"),  # type: ignore[attr-defined]
    lambda: TAGS.differs("Paid"),  # type: ignore[attr-defined]
    lambda: TAGS.contains("Paid"),  # type: ignore[attr-defined]
    lambda: CHAT_AGENTS.contains("Ada"),  # type: ignore[attr-defined]
    lambda: CHAT_RATING.contains("poor"),  # type: ignore[attr-defined]
    lambda: CHAT_STATUS.at_least("3"),  # type: ignore[attr-defined]
    # values of another type than the field's
    lambda: EMAIL.equals(7),  # type: ignore[arg-type]
    lambda: NAME.contains(None),  # type: ignore[arg-type]
    lambda: CITY.differs(b"Munich"),  # type: ignore[arg-type]
    lambda: ID.equals("7"),  # type: ignore[arg-type]
    lambda: ID.above(7.5),  # type: ignore[arg-type]
    lambda: CHAT_STATUS.equals(3),  # type: ignore[arg-type]
    lambda: LAST_SEEN.since(1603800000),  # type: ignore[arg-type]
    lambda: LAST_SEEN.since("2024-04-09"),  # type: ignore[arg-type]
    lambda: LAST_SEEN.before(date(2024, 4, 9)),  # type: ignore[arg-type]
    lambda: TAGS.include(["Paid", "vip"]),  # type: ignore[arg-type]
    lambda: TAGS.include(Tag("Paid"), 7),  # type: ignore[arg-type]
    lambda: CHAT_CUSTOMER_TAGS.include({"name": "Paid"}),  # type: ignore[arg-type]
    lambda: CHAT_RATING.equals("good"),  # type: ignore[arg-type]
    lambda: CHAT_RATING.differs(5),  # type: ignore[arg-type]
    # customers and chats in one search
    lambda: all_of(EMAIL.contains("@"), CHAT_STATUS.equals("new")),  # type: ignore[misc]
    lambda: any_of(CHAT_AGENTS.equals(7), ID.equals(7)),  # type: ignore[misc]
    lambda: body_of(all_of(CHAT_STATUS.equals("new")), "customers"),  # type: ignore[misc]
    lambda: body_of(EMAIL.contains("@"), "chats"),  # type: ignore[misc]
    # nesting, and operators that promise it
    lambda: all_of(any_of(ID.equals(7))),  # type: ignore[arg-type]
    lambda: ID.equals(7) & TAGS.include("Paid"),  # type: ignore[operator]
    lambda: ID.equals(7) | ID.equals(8),  # type: ignore[operator]
    # things that are no filters
    lambda: all_of([ID.equals(7), ID.equals(8)]),  # type: ignore[arg-type]
    lambda: all_of(EMAIL == "ada@example.com"),  # type: ignore[arg-type,comparison-overlap]
    lambda: any_of({"field": "customers.id", "operator": "=", "value": 7}),  # type: ignore[arg-type]
    lambda: body_of({"filter": []}, "customers"),  # type: ignore[arg-type]
    lambda: Query((ID.equals(7),), "and"),  # type: ignore[arg-type]
    lambda: raw_filter(ID, "=", 7),  # type: ignore[arg-type]
)


def change_a_filter() -> None:
    """Assign where nothing can be assigned."""
    ID.equals(7).operator = "!="  # type: ignore[misc]


def query_of_the_wrong_noun() -> Query[Chats]:
    """Promise chats and give customers."""
    return all_of(EMAIL.contains("@"))  # type: ignore[arg-type]


async def wrong_calls(client: HelpCrunchClient) -> None:
    """Use the client wrongly."""
    await client.get_customer("7")  # type: ignore[arg-type]
    await client.get_customer(None)  # type: ignore[arg-type]
    await client.get_customers(7)  # type: ignore[call-overload]
    await client.get_customers(["7"])  # type: ignore[list-item]
    await client.get_customers([7], True)  # type: ignore[call-overload]
    await client.get_customers([7], return_exceptions="yes")  # type: ignore[call-overload]
    found: list[Customer] = await client.get_customers([7], return_exceptions=True)  # type: ignore[assignment]
    async for _ in client.stream_customers(found):  # type: ignore[arg-type]
        break
    for _ in client.stream_customers([7]):  # type: ignore[attr-defined]
        break
    await client.stream_customers([7])  # type: ignore[misc]
    client.list_customers(sort="lastname")  # type: ignore[arg-type]
    client.list_customers(sort="customers.firstSeen")  # type: ignore[arg-type]
    client.list_customers("firstSeen")  # type: ignore[call-arg]
    client.list_customers(order="DESC")  # type: ignore[arg-type]
    await client.list_customers()  # type: ignore[misc]
    client.with_options(priority="high")  # type: ignore[arg-type]
    client.with_options(timeout=None)  # type: ignore[arg-type]
    (await client.get_customer(7)).name.upper()  # type: ignore[union-attr]
    (await client.get_customer(7)).name = "Ada"  # type: ignore[misc]
