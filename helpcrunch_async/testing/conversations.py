"""Chats made up from a seed, for customers who are there: the same seed gives the same chats."""

import random
from collections.abc import Iterator
from typing import Final

from helpcrunch_async.testing import changes
from helpcrunch_async.testing.account import Account
from helpcrunch_async.testing.chats import RATINGS
from helpcrunch_async.testing.rows import Row
from helpcrunch_async.testing.team import HELP_BOT

_QUESTIONS = (
    "Hello, where is my parcel?",
    "How do I change my plan?",
    "Добрий день! Чи можна оплатити рахунком?",
    "The invoice shows the wrong address.",
    "Is there a discount for schools?",
)
_ANSWERS = (
    "Let me have a look.",
    "Done. Is there anything else?",
    "Our billing colleagues will write to you tomorrow.",
    "You find it under **Settings**.",
)
_COLLECTED = ("ada.quill@example.com", "+49891234567", "Acme GmbH")
"""What a chatbot was told when it asked."""
_NOTES = ("Asked the same last week.", "Refund agreed.", "Owes us an answer.")
_LONG_AGO: Final = 1_700_000_000
"""November 2023 in Unix seconds: the chats of customers who were never seen begin there."""


def make_up_chats(account: Account, number: int, seed: int = 0) -> None:
    """Let customers have so many chats, in turn: some closed, some rated, some left without a word."""
    dice = random.Random(seed)
    ids = account.customers.in_order(None, descending=False)
    agents = [row["id"] for row in account.team.agents if row["id"] != HELP_BOT]
    for index in range(number if ids else 0):
        customer = account.customers[ids[index % len(ids)]]
        begun = (customer["lastSeen"] or _LONG_AGO) + dice.randrange(86_400) + dice.randrange(1000) / 1000
        _make_up_chat(account, customer["id"], begun, agents, dice)


def _make_up_chat(
    account: Account, customer_id: int, begun: float, agents: list[int], dice: random.Random
) -> None:
    agent = dice.choice(agents)
    department = dice.choice([None, *(row["id"] for row in account.team.departments)])
    chat_id = changes.put_chat(
        account,
        {
            "customer": customer_id,
            "createdAt": begun,
            "createdWith": dice.choice(("customer_message", "broadcast_reply")),
            "applicationId": dice.choice([row["id"] for row in account.team.applications]),
            "department": department,
        },
    )
    at = begun

    def say(**message: object) -> None:
        nonlocal at
        at = round(at + dice.randrange(5, 600) + dice.randrange(1000) / 1000, 3)
        said: Row = {"chat": chat_id, "createdAt": at, **message}
        changes.put_message(account, said)

    if dice.randrange(12) == 0:
        return  # left empty
    say(text=dice.choice(_QUESTIONS))
    if dice.randrange(4) == 0:
        say(text=None, type="dataCollectionReply", parameters={"value": dice.choice(_COLLECTED)})
    if dice.randrange(5) == 0:
        return  # not answered yet
    changes.change_chat(account, chat_id, at, assignee=agent)
    for _ in range(dice.randrange(1, 4)):
        say(text=dice.choice(_ANSWERS), agent=agent)
        if dice.randrange(2):
            say(text=dice.choice(_QUESTIONS))
    if dice.randrange(3) == 0:
        say(text=dice.choice(_NOTES), agent=dice.choice(agents), type="private")
    status = dice.choice(("opened", "pending", "onhold", "closed", "closed", "closed"))
    changes.set_status(account, chat_id, status, at)
    for message in _by_the_system(status, agent):
        say(type="tech", **message)
    if status == "closed" and dice.randrange(2):
        changes.change_chat(account, chat_id, at, rating=dice.choice(RATINGS))


def _by_the_system(status: str, agent: int) -> Iterator[Row]:
    """Give what a chat says of itself when an agent has given it a status."""
    yield {"text": "chat_status_changed", "agent": agent}
    if status == "closed":
        yield {"text": "resolution_time"}
        yield {"text": "request_rating", "agent": HELP_BOT}
