"""What tests fill, look at and change: the contents of an account, as the server would spell them."""

from collections.abc import Mapping
from typing import Any

from helpcrunch_async.testing import changes
from helpcrunch_async.testing.account import Account
from helpcrunch_async.testing.chats import write_chat
from helpcrunch_async.testing.customers import CustomerRow, write_customer
from helpcrunch_async.testing.messages import messages_of, write_message
from helpcrunch_async.testing.resources.events import write_event
from helpcrunch_async.testing.rows import Row, copy_of


class Contents:
    """The account behind a `FakeHelpCrunch`.

    Everything given out is a copy in the server's spelling; everything taken in is copied, may be in either
    spelling, and may leave out whatever is to be empty. An `add_` method gives an id to what has none, above
    all that were used, replaces what has the same, and sends the webhooks that HelpCrunch would.
    """

    def __init__(self, account: Account) -> None:
        self._account = account

    @property
    def customers(self) -> list[CustomerRow]:
        """All customers, by id."""
        return [self.customer(each) for each in self._account.customers.in_order(None, descending=False)]

    def customer(self, customer_id: int) -> CustomerRow:
        """Give a customer; KeyError when there is none."""
        row = write_customer(self._account.customers[customer_id], self._account.spelling)
        return copy_of("Customer", row)

    def add_customer(self, customer: Mapping[str, Any]) -> int:
        """Add a customer, or replace the one with the same id; returns the id.

        Raises:
            ValueError: an id, a timestamp or `customData` that cannot be read.
        """
        return changes.put_customer(self._account, customer)

    def remove_customer(self, customer_id: int) -> None:
        """Take a customer out, so that it is not found any more; KeyError when there is none.

        Its chats stay, and their `customer` is null: what becomes of them is not documented.
        """
        changes.remove_customer(self._account, customer_id)

    @property
    def chats(self) -> list[Row]:
        """All chats, by id."""
        return [self.chat(row["id"]) for row in self._account.chats]

    def chat(self, chat_id: int) -> Row:
        """Give a chat; KeyError when there is none."""
        account = self._account
        row = account.chats[chat_id]
        return copy_of(
            "Chat", write_chat(row, account.customers, account.team, account.spelling, account.behaviour)
        )

    def add_chat(self, chat: Mapping[str, Any]) -> int:
        """Add a chat, or replace the one with the same id; returns the id.

        Its customer, assignee, department and agents are told by their ids, or as objects that hold one. An
        `updatedAt`, which no answer shows, is what searches go by. The status keeps the spelling it has.

        Raises:
            ValueError: an id or a timestamp that cannot be read, or somebody who is not there.
        """
        return changes.put_chat(self._account, chat)

    def messages(self, chat_id: int) -> list[Row]:
        """Give the messages of a chat, newest first; KeyError when there is no such chat."""
        account = self._account
        rows = messages_of(account.messages, account.chats[chat_id]["id"])
        return [copy_of("Message", write_message(row, account.team, account.spelling)) for row in rows]

    def add_message(self, message: Mapping[str, Any]) -> int:
        """Add a message to its `chat`, which follows from it as from one sent over HTTP; returns the id.

        Without an `agent` the customer said it. Other types than "message" and "private" are possible here.

        Raises:
            ValueError: an id or a timestamp that cannot be read, or a chat or agent that is not there.
        """
        return changes.put_message(self._account, message)

    @property
    def events(self) -> list[Row]:
        """What customers did, by `POST /events`, in order; `customer` is told in both spellings here."""
        account = self._account
        return [
            copy_of("Event", {**write_event(account, row), "customer": row["customer"]})
            for row in account.events
        ]

    @property
    def agents(self) -> list[Row]:
        """All agents, by id; HelpBot is one."""
        return [{**row} for row in self._account.team.agents]

    @property
    def unsubscribed_agents(self) -> list[int]:
        """The ids of the agents who were unsubscribed from newsletters, in order."""
        return sorted(self._account.team.unsubscribed)

    def add_agent(self, agent: Mapping[str, Any]) -> int:
        """Add an agent, or replace the one with the same id; returns the id, ValueError for an odd one."""
        return self._account.team.add_agent(agent)

    @property
    def departments(self) -> list[Row]:
        """All departments, by id, each with its agents."""
        return [self._account.team.write_department(row) for row in self._account.team.departments]

    def add_department(self, department: Mapping[str, Any]) -> int:
        """Add a department, or replace the one with the same id; returns the id.

        Raises:
            ValueError: an odd id, or an agent who is not there.
        """
        return self._account.team.add_department(department)

    @property
    def applications(self) -> list[Row]:
        """All applications, by id."""
        return [{**row} for row in self._account.team.applications]

    def add_application(self, application: Mapping[str, Any]) -> int:
        """Add an application, or replace that with the same id; returns the id, ValueError for an odd one."""
        return self._account.team.add_application(application)

    @property
    def organization(self) -> Row:
        """The organization; assign to change it."""
        return {**self._account.team.organization}

    @organization.setter
    def organization(self, organization: Mapping[str, Any]) -> None:
        self._account.team.organization = copy_of("Organization", organization)
