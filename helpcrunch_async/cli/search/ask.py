"""What is asked for, and in which order."""

from enum import StrEnum
from typing import Annotated, Any, Final, TypedDict, get_args

import typer
from attrs import frozen

from helpcrunch_async.cli.exits import CommandError, ExitCode
from helpcrunch_async.cli.search.where import FIELDS, query_of
from helpcrunch_async.client import ChatSort, CustomerSort, HelpCrunchClient
from helpcrunch_async.listing import Listing, OnUnreadable
from helpcrunch_async.models import Chat, Customer
from helpcrunch_async.search import Query

_SORTS: Final = {"customers": get_args(CustomerSort), "chats": get_args(ChatSort)}

WHERE_HELP: Final = (
    "**Conditions** are FIELD OPERATOR VALUE, such as `email~@example.com`. Operators: `=` `!=`; for text "
    "`~`, has it in it, and `!~`, has not; for ids and moments `>` `<` `>=` `<=`. Moments are `2026-01-31`, "
    "the whole day, or `2026-01-31T12:00Z`; in UTC unless they say otherwise. Quote conditions: shells have "
    "other uses for `>`, `<` and `~`."
    f"\n\nCustomers have {', '.join(FIELDS['customers'])}.\n\nChats have {', '.join(FIELDS['chats'])}."
)

Where = Annotated[
    list[str] | None,
    typer.Option(
        "--where", metavar="CONDITION", help="What must be so; may be given again.", show_default=False
    ),
]
Raw = Annotated[
    list[str] | None,
    typer.Option(
        "--raw",
        metavar="JSON",
        help="A filter in HelpCrunch's own form, for fields unknown here.",
        show_default=False,
    ),
]
AnySuffices = Annotated[
    bool, typer.Option("--any", help="Any condition suffices; otherwise all of them must hold.")
]
Sort = Annotated[
    str | None,
    typer.Option(
        "--sort",
        metavar="FIELD",
        help=f"Customers: {', '.join(_SORTS['customers'])}. Chats: {', '.join(_SORTS['chats'])}.",
        show_default=False,
    ),
]


class Order(StrEnum):
    """What `--order` takes."""

    ASC = "asc"
    DESC = "desc"


OrderOption = Annotated[
    Order | None, typer.Option("--order", help="Rising or falling.", show_default=False, case_sensitive=False)
]


class _Options(TypedDict):
    sort: Any
    order: Any
    limit: int | None
    on_unreadable: OnUnreadable


@frozen
class Ask:
    """Customers or chats, all or some."""

    noun: str
    query: Query[Any] | None
    sort: Any
    order: Any

    def listing(
        self, client: HelpCrunchClient, limit: int | None = None, on_unreadable: OnUnreadable = "raise"
    ) -> Listing[Customer] | Listing[Chat]:
        """Give the rows, which are fetched as they are used."""
        if self.noun == "chats":
            return self.chats(client, limit, on_unreadable)
        options = _Options(sort=self.sort, order=self.order, limit=limit, on_unreadable=on_unreadable)
        if self.query is None:
            return client.list_customers(**options)
        return client.search_customers(self.query, **options)

    def chats(
        self, client: HelpCrunchClient, limit: int | None = None, on_unreadable: OnUnreadable = "raise"
    ) -> Listing[Chat]:
        """Give the rows of a question about chats."""
        options = _Options(sort=self.sort, order=self.order, limit=limit, on_unreadable=on_unreadable)
        if self.query is None:
            return client.list_chats(**options)
        return client.search_chats(self.query, **options)


def ask_of(
    noun: str,
    where: list[str] | None,
    raw: list[str] | None,
    *,
    any_suffices: bool,
    sort: str | None,
    order: Order | None,
) -> Ask:
    """Read what was typed.

    Raises:
        CommandError: it makes no sense.
    """
    query = query_of(noun, where or (), raw or (), any_suffices=any_suffices)
    by_folded = {each.casefold(): each for each in _SORTS[noun]}
    if sort is not None and sort.casefold() not in by_folded:
        raise CommandError(f"{noun} are sorted by {', '.join(_SORTS[noun])}, not by {sort}", ExitCode.USAGE)
    return Ask(
        noun,
        query,
        None if sort is None else by_folded[sort.casefold()],
        None if order is None else order.value,
    )
