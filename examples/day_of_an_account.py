"""A day in the life of an account: people arrive, write, are answered, rate, and are exported at night.

    python examples/day_of_an_account.py

It starts a sandbox of its own. To watch the requests, run `helpcrunch sandbox` beside it, and set
HELPCRUNCH_BASE_URL and HELPCRUNCH_API_KEY to what that prints; at its 120 requests a minute the day takes a
minute and a half. Never set them to a real account, whose customers this would write to. At the end it checks
itself: a promise that was not kept is an AssertionError.
"""

import asyncio
import json
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from helpcrunch_async import (
    BadRequestError,
    Chat,
    ChatRating,
    ChatStatus,
    Customer,
    HelpCrunchClient,
    NotFoundError,
    RateLimiter,
    all_of,
    any_of,
    from_dict,
    same_word,
    to_dict,
)
from helpcrunch_async.search import CHAT_CUSTOMER, CHAT_STATUS, TAGS
from helpcrunch_async.testing import FakeHelpCrunch, RollingLog

PEOPLE = (
    "Ada",
    "Björn",
    "Chloé",
    "Дмитро",
    "Elif",
    "Fatima",
    "Giulia",
    "Hana",
    "José",
    "Mei",
    "Noor",
    "Олена",
)
DAY = datetime.now(UTC).strftime("%Y-%m-%d-%H%M%S")  # so that a sandbox can live several days


@asynccontextmanager
async def an_account() -> AsyncIterator[HelpCrunchClient]:
    """Open a client of the sandbox that the environment names, or of one that lives as long as this."""
    if "HELPCRUNCH_BASE_URL" in os.environ:
        async with HelpCrunchClient() as client:
            yield client
    else:
        # a minute takes a second here, and the clocks of client and server do not tick as one
        rate_rule, limiter = RollingLog(120, 0.9), RateLimiter(limit=120, period=1.0)
        async with (
            FakeHelpCrunch(customers=250, rate_rule=rate_rule) as server,
            HelpCrunchClient("key", base_url=server.url, rate_limiter=limiter) as client,
        ):
            yield client
        assert server.rejected == 0


async def morning(client: HelpCrunchClient) -> list[Customer]:
    """People arrive: they are created, told from each other, tagged and completed."""
    created = await asyncio.gather(
        *(
            client.create_customer(
                name=name,
                email=f"person.{number}.{DAY}@example.com",
                user_id=f"day-{DAY}-{number}",
                custom_data={"Plan": "Team" if number % 3 else "Free", "Seats": number},
            )
            for number, name in enumerate(PEOPLE)
        )
    )
    try:
        await client.create_customer(name="Twin", user_id=created[0].user_id)
    except BadRequestError:
        pass  # as newer answers have it
    else:
        raise AssertionError("two customers with one user_id")
    assert await client.find_customer(user_id=created[3].user_id or "") == created[3]
    assert await client.find_customer(email="nobody@example.com") is None

    tagged = await asyncio.gather(*(client.tag_customer(each.id, ["day", "new"]) for each in created))
    assert all({"day", "new"} <= {tag.name for tag in each.tags} for each in tagged)
    outcomes = await client.batch_update_customers(
        [{"customer": each.id, "company": "Quill AG", "notes": None} for each in created]
    )
    assert [each.id for each in outcomes] == [each.id for each in created]
    assert all(each.error is None for each in outcomes)
    await client.update_customer(created[0].id, phone="+49891234567")
    await client.untag_customer(created[0].id, ["new"])
    await client.create_event(created[0].id, "Upgrade", {"plan": "Team", "seats": 12, "trial": False})
    return await client.get_customers([each.id for each in created])


async def noon(client: HelpCrunchClient, customers: Sequence[Customer]) -> list[Chat]:
    """They write, and are answered: each chat gets an agent, a department and a note of the team's."""
    agents = [agent async for agent in client.list_agents() if agent.name != "HelpBot"]
    departments = await client.list_departments().to_list()
    application = (await client.list_applications().to_list(limit=1))[0]

    async def serve(number: int, customer: Customer) -> Chat:
        chat = await client.create_chat(customer.id, application_id=application.id)
        assert same_word(chat.status, ChatStatus.EMPTY)
        agent = agents[number % len(agents)]
        await client.send_message(chat.id, f"Where is parcel {number}?")
        await client.mark_chat_read_by_agent(chat.id)
        await client.assign_chat(chat.id, agent.id)
        await client.set_chat_department(chat.id, departments[number % len(departments)].id)
        await client.send_private_note(chat.id, "A regular, be quick.", agent_id=agent.id)
        await client.send_message(chat.id, "On its way.", agent_id=agent.id, markdown="**On its way.**")
        return await client.get_chat(chat.id)

    chats = await asyncio.gather(*(serve(number, customer) for number, customer in enumerate(customers)))
    for chat in chats:
        said = await client.list_messages(chat.id).to_list()
        assert [message.from_ for message in said] == ["agent", "agent", "customer"], said
        assert [message.type for message in said] == ["message", "private", "message"]
    return list(chats)


async def afternoon(client: HelpCrunchClient, chats: Sequence[Chat]) -> None:
    """Some are put off until tomorrow, the others are closed, and most of those rate it."""
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).replace(microsecond=0)
    later, done = chats[:4], chats[4:]
    for chat in later:
        assert (await client.snooze_chat(chat.id, tomorrow)).snoozed_until == tomorrow
    await client.snooze_chat(later[0].id, None)
    await client.set_chat_status(later[0].id, ChatStatus.ON_HOLD)
    try:
        await client.rate_chat(later[0].id, ChatRating.POOR)
    except BadRequestError:
        pass  # as documented: only a closed chat takes a rating
    else:
        raise AssertionError("a chat was rated while it was open")
    await asyncio.gather(*(client.set_chat_status(chat.id, ChatStatus.CLOSED) for chat in done))
    for number, chat in enumerate(done[:6]):
        await client.rate_chat(chat.id, ChatRating.GREAT if number % 2 else ChatRating.PERFECT)
        await client.mark_chat_read_by_customer(chat.id)


async def night(client: HelpCrunchClient, folder: Path, customers: Sequence[Customer]) -> Path:
    """Everything is exported, the day is counted, and one customer asks to be forgotten."""
    export = folder / "customers.jsonl"
    with export.open("w", encoding="utf-8") as lines:
        async for customer in client.list_customers(sort="firstSeen", order="asc").prefetch():
            lines.write(json.dumps(to_dict(customer), ensure_ascii=False) + "\n")

    ours = any_of(*(CHAT_CUSTOMER.equals(each.id) for each in customers))
    chats = client.search_chats(ours, sort="createdAt", order="asc")
    statuses = Counter([chat.status async for chat in chats])
    assert statuses[ChatStatus.CLOSED] == len(customers) - 4, statuses
    closed = await client.search_chats(
        all_of(CHAT_STATUS.equals("closed"), CHAT_CUSTOMER.equals(customers[4].id))
    ).to_list()
    assert [chat.rating for chat in closed] == [ChatRating.PERFECT]

    await client.delete_customer(customers[-1].id)
    try:
        await client.get_customer(customers[-1].id)
    except NotFoundError:
        return export
    raise AssertionError("a deleted customer was found")


async def live(client: HelpCrunchClient) -> str:
    """Live the day, check it, and tell of it."""
    organization = await client.get_organization()
    customers = await morning(client)
    assert [each.company for each in customers] == ["Quill AG"] * len(PEOPLE)
    assert customers[0].phone == "+49891234567"
    assert {tag.name for tag in customers[0].tags} == {"day"}
    await afternoon(client, await noon(client, customers))
    with TemporaryDirectory() as folder:
        export = await night(client, Path(folder), customers)
        exported = [from_dict(Customer, json.loads(line)) for line in export.read_text("utf-8").splitlines()]
    everybody = await client.list_customers().to_list()
    assert {each.id for each in exported} - {each.id for each in everybody} == {customers[-1].id}
    tagged = await client.search_customers(TAGS.include("day", "new")).to_list()
    assert {each.id for each in tagged} >= {each.id for each in customers[1:-1]}
    return (
        f"a day of {organization.domain}: {len(customers)} customers served, {len(exported)} exported, "
        "all as promised"
    )


async def main() -> None:
    """Live a day of the account at hand."""
    async with an_account() as client:
        sys.stdout.write(f"{await live(client)}\n")


if __name__ == "__main__":
    asyncio.run(main())
