"""Many rows for the eye: what tells one from the other, as much of it as the terminal is wide."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final, Literal

from rich import box
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from helpcrunch_async.cli.files.cells import name_of, paths_of, value_of
from helpcrunch_async.cli.show.moment import shown_day, shown_moment
from helpcrunch_async.cli.text import printable
from helpcrunch_async.models import Chat, Customer

_WIDE: Final = 100  # columns of a terminal that has room for everything
_WHOLE: Final = ("id", "status", "last seen", "last message")
"""What is useless when a part of it is cut off."""
_GAP: Final = 2  # blanks between columns
_EDGES: Final = 2  # of the box around them


def table_of(
    rows: Sequence[Customer] | Sequence[Chat], width: int, fields: Sequence[str] | None = None
) -> Table:
    """Draw rows of one kind: some fields, or what fits, which is less the narrower the terminal is."""
    wide = width >= _WIDE
    drawn = (_cells(row, wide=wide) if fields is None else _some_cells(row, fields) for row in rows)
    shown = [{name: printable(cell or "") for name, cell in cells.items()} for cells in drawn]
    table = Table(box=box.SIMPLE_HEAD, padding=(0, _GAP, 0, 0), pad_edge=False)
    headings = list(shown[0]) if shown else []
    longest = [max(map(cell_len, (heading, *(cells[heading] for cells in shown)))) for heading in headings]
    for heading, room in zip(headings, _rooms(headings, longest, width - _EDGES), strict=True):
        justify: Literal["left", "right"] = "right" if heading == "id" else "left"
        table.add_column(heading, justify=justify, width=room, overflow="ellipsis", no_wrap=True)
    for cells in shown:
        table.add_row(*map(Text, cells.values()))
    return table


def _rooms(headings: Sequence[str], longest: Sequence[int], width: int) -> list[int]:
    """Give each column its width: what must be whole gets it all, and the others share the rest.

    rich would cut all of them alike.
    """
    rooms = dict(zip(headings, longest, strict=True))
    left = width - sum(_GAP + 1 for _ in headings) - sum(rooms[name] for name in headings if name in _WHOLE)
    others = sorted((name for name in headings if name not in _WHOLE), key=lambda name: rooms[name])
    for position, name in enumerate(others):
        rooms[name] = max(1, min(rooms[name], left // (len(others) - position)))
        left -= rooms[name]
    return list(rooms.values())


def _some_cells(row: Customer | Chat, fields: Sequence[str]) -> dict[str, str | None]:
    paths = paths_of(type(row), fields)
    return {name_of(path).replace("_", " "): _shown(value_of(row, path)) for path in paths}


def _shown(value: object) -> str | None:
    match value:
        case None:
            return None
        case bool():
            return "yes" if value else "no"
        case datetime():
            return shown_moment(value)
        case tuple():
            return _joined(each.name or f"{each.id}" for each in value)
        case Mapping():
            return _joined(f"{name}: {each}" for name, each in value.items())
        case _:
            return str(value)


def _cells(row: Customer | Chat, *, wide: bool) -> dict[str, str | None]:
    return _customer(row, wide=wide) if isinstance(row, Customer) else _chat(row, wide=wide)


def _customer(customer: Customer, *, wide: bool) -> dict[str, str | None]:
    cells = {"id": str(customer.id), "name": customer.name, "email": customer.email}
    if not wide:
        return {**cells, "last seen": shown_day(customer.last_seen)}
    return {
        **cells,
        "company": customer.company,
        "last seen": shown_moment(customer.last_seen),
        "tags": _joined(tag.name for tag in customer.tags),
    }


def _chat(chat: Chat, *, wide: bool) -> dict[str, str | None]:
    customer, assignee = chat.customer, chat.assignee
    who = None if customer is None else customer.name or customer.email or f"customer {customer.id}"
    cells = {"id": str(chat.id), "status": chat.status, "customer": who}
    if not wide:
        return {**cells, "last message": shown_day(chat.last_message_at)}
    return {
        **cells,
        "assigned to": None if assignee is None else assignee.name or f"agent {assignee.id}",
        "last message": shown_moment(chat.last_message_at),
        "text": chat.last_message_text,
    }


def _joined(parts: Iterable[str]) -> str:
    return ", ".join(parts)
