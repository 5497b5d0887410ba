"""Programs that the types refuse, one a line.

Every such line says which complaint of mypy's it earns, so a plain run of either type checker is clean. The
test beside this file takes these excuses away and expects both to complain of every one of these lines, and
of no other. The WRONG_SEARCHES are run, too: what does not type-check also raises.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime

from helpcrunch_async import Chat, Customer, CustomerUpdate, HelpCrunchClient, Tag
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
    client.list_customers(on_unreadable="ignore")  # type: ignore[arg-type]
    client.list_customers(on_unreadable=len)  # type: ignore[arg-type]
    client.list_customers().pages(5)  # type: ignore[call-arg]
    client.list_customers().resume(200)  # type: ignore[arg-type]
    client.with_options(priority="high")  # type: ignore[arg-type]
    client.with_options(timeout=None)  # type: ignore[arg-type]
    (await client.get_customer(7)).name.upper()  # type: ignore[union-attr]
    (await client.get_customer(7)).name = "Ada"  # type: ignore[misc]


async def wrong_searches_of_the_client(client: HelpCrunchClient) -> None:
    """Search for what is not there, or not for that."""
    client.search_customers(CHAT_STATUS.equals("new"))  # type: ignore[arg-type]
    client.search_customers(all_of(CHAT_STATUS.equals("new")))  # type: ignore[arg-type]
    client.search_chats(EMAIL.contains("@"))  # type: ignore[arg-type]
    client.search_customers()  # type: ignore[call-arg]
    client.search_customers({"filter": []})  # type: ignore[arg-type]
    client.search_customers([ID.equals(7), ID.equals(8)])  # type: ignore[arg-type]
    client.search_customers(ID.equals(7), "firstSeen")  # type: ignore[call-arg]
    client.search_customers(ID.equals(7), sort="createdAt")  # type: ignore[arg-type]
    client.search_chats(CHAT_STATUS.equals("new"), sort="firstSeen")  # type: ignore[arg-type]
    client.search_chats(CHAT_STATUS.equals("new"), order="DESC")  # type: ignore[arg-type]
    await client.find_customer()  # type: ignore[call-overload]
    await client.find_customer("acct_502")  # type: ignore[call-overload]
    await client.find_customer(user_id=7)  # type: ignore[call-overload]
    await client.find_customer(email=None)  # type: ignore[call-overload]
    await client.find_customer(user_id="acct_502", email="ada@example.com")  # type: ignore[call-overload]
    (await client.find_customer(email="ada@example.com")).name.upper()  # type: ignore[union-attr]


async def wrong_changes_of_customers(client: HelpCrunchClient) -> None:
    """Write fields that are not there, or values that are none of theirs."""
    await client.create_customer(nmae="Ada")  # type: ignore[call-arg]
    await client.create_customer(id=7)  # type: ignore[call-arg]
    await client.create_customer(user_id=502)  # type: ignore[arg-type]
    await client.update_customer("7", name="Ada")  # type: ignore[arg-type]
    await client.update_customer(name="Ada")  # type: ignore[call-arg]
    await client.update_customer(7, userId="acct_502")  # type: ignore[call-arg]
    await client.update_customer(7, customer=7)  # type: ignore[call-arg]
    await client.update_customer(7, blocked="no")  # type: ignore[arg-type]
    await client.update_customer(7, first_seen="2024-04-09")  # type: ignore[arg-type]
    await client.update_customer(7, last_seen=1603800000)  # type: ignore[arg-type]
    await client.update_customer(7, tags=[7])  # type: ignore[list-item]
    await client.update_customer(7, tags=Tag("vip"))  # type: ignore[arg-type]
    await client.update_customer(7, custom_data=[{"property": "plan", "value": "team"}])  # type: ignore[arg-type]
    await client.update_customer(7, custom_data={"plan": TODAY})  # type: ignore[dict-item]
    await client.replace_customer(name="Ada")  # type: ignore[call-arg]
    await client.replace_customer(7, company=7)  # type: ignore[arg-type]
    await client.replace_customer(7, location={"city": "Munich"})  # type: ignore[call-arg]
    await client.batch_update_customers([{"company": "Quill AG"}])  # type: ignore[typeddict-item]
    await client.batch_update_customers([{"customer": "7"}])  # type: ignore[typeddict-item]
    await client.batch_update_customers([{"customer": 7, "comapny": "Q"}])  # type: ignore[typeddict-unknown-key]
    await client.batch_update_customers({"customer": 7, "company": "Quill AG"})  # type: ignore[dict-item]
    await client.batch_update_customers(7)  # type: ignore[arg-type]
    await client.delete_customer(None)  # type: ignore[arg-type]
    await client.tag_customer(7)  # type: ignore[call-arg]
    await client.tag_customer(7, Tag("vip"))  # type: ignore[arg-type]
    await client.tag_customer(7, [{"name": "vip"}])  # type: ignore[list-item]
    await client.tag_customer(7, "vip", "Paid")  # type: ignore[call-arg]
    await client.untag_customer(7, None)  # type: ignore[arg-type]
    await client.create_event(7)  # type: ignore[call-arg]
    await client.create_event(7, "Upgrade", {"who": {"name": "Ada"}})  # type: ignore[dict-item]
    await client.create_event(7, "Upgrade", plan="team")  # type: ignore[call-arg]
    update: CustomerUpdate = {"name": "Ada"}  # type: ignore[typeddict-item]
    update["nmae"] = "Ada"  # type: ignore[typeddict-unknown-key]


async def wrong_chats(client: HelpCrunchClient) -> None:
    """Change chats wrongly."""
    client.list_chats(sort="firstSeen")  # type: ignore[arg-type]
    client.list_chats("createdAt")  # type: ignore[call-arg]
    await client.list_chats()  # type: ignore[misc]
    await client.get_chat("8803")  # type: ignore[arg-type]
    await client.create_chat(7)  # type: ignore[call-arg]
    await client.create_chat(7, 2)  # type: ignore[call-arg]
    await client.create_chat(7, application_id=None)  # type: ignore[arg-type]
    await client.create_chat(7, application_id=2, assignee="Ada")  # type: ignore[call-arg]
    await client.create_chat(7, application_id=2, assignee_id="312")  # type: ignore[arg-type]
    await client.set_chat_status(8803)  # type: ignore[call-arg]
    await client.set_chat_status(8803, 5)  # type: ignore[arg-type]
    await client.assign_chat(8803)  # type: ignore[call-arg]
    await client.assign_chat(8803, "Ada")  # type: ignore[arg-type]
    await client.set_chat_department(8803, None)  # type: ignore[arg-type]
    await client.snooze_chat(8803, 3600)  # type: ignore[arg-type]
    await client.snooze_chat(8803)  # type: ignore[call-arg]
    await client.rate_chat(8803, "good")  # type: ignore[arg-type]
    await client.rate_chat(8803, "Great")  # type: ignore[arg-type]
    await client.rate_chat(8803, 5)  # type: ignore[arg-type]
    await client.rate_chat(8803, None)  # type: ignore[arg-type]
    await client.mark_chat_read_by_agent(8803, "yes")  # type: ignore[arg-type]
    await client.mark_chat_read_by_customer(8803, read=None)  # type: ignore[arg-type]
    gone: Chat = await client.delete_customer(7)  # type: ignore[func-returns-value,assignment]
    gone.status.upper()  # type: ignore[union-attr]


async def wrong_messages_and_team(client: HelpCrunchClient) -> None:
    """Send and ask wrongly."""
    client.list_messages()  # type: ignore[call-arg]
    client.list_messages(8803, sort="createdAt")  # type: ignore[call-arg]
    client.list_messages(8803, 20)  # type: ignore[call-arg]
    await client.send_message(8803)  # type: ignore[call-arg]
    await client.send_message(8803, None)  # type: ignore[arg-type]
    await client.send_message(8803, "Hello", 312)  # type: ignore[call-arg]
    await client.send_message(8803, "Hello", agent="Ada")  # type: ignore[call-arg]
    await client.send_message(8803, "Hello", agent_id="312")  # type: ignore[arg-type]
    await client.send_private_note(8803, "Hello", type="private")  # type: ignore[call-arg]
    client.list_agents(20)  # type: ignore[call-arg]
    client.list_departments(sort="name")  # type: ignore[call-arg]
    await client.list_applications()  # type: ignore[misc]
    await client.unsubscribe_agent("312")  # type: ignore[arg-type]
    await client.get_organization(7)  # type: ignore[call-arg]
    (await client.get_organization()).name.upper()  # type: ignore[attr-defined]
