"""A customer for the eye."""

from collections.abc import Iterable

from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from helpcrunch_async.cli.show.moment import shown_moment
from helpcrunch_async.cli.text import printable
from helpcrunch_async.models import Customer


def card_of(customer: Customer) -> Panel:
    """Draw what is known of a customer; what is not known is left out."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for label, value in _facts(customer):
        if value:
            grid.add_row(Text(printable(label)), Text(printable(value)))
    title = Text(f"{customer.id}", style="bold")
    if customer.name:
        title.append(f"  {printable(customer.name)}")
    return Panel(grid, title=title, title_align="left", border_style="dim")


def _facts(customer: Customer) -> list[tuple[str, str | None]]:
    location, device = customer.location, customer.device
    facts = [
        ("email", customer.email),
        ("phone", customer.phone),
        ("company", customer.company),
        ("user id", customer.user_id),
        ("tags", _joined(tag.name for tag in customer.tags)),
        ("first seen", shown_moment(customer.first_seen)),
        ("last seen", shown_moment(customer.last_seen)),
        ("location", _joined((location.city, location.region_code, location.country_code))),
        ("device", _joined((device.platform, device.ip, device.timezone))),
        ("browser", device.user_agent),
        ("last page", customer.last_page),
        ("source", customer.source),
        ("created from", customer.created_from),
        ("locale", customer.locale),
        (
            "state",
            _joined(
                ("blocked" if customer.blocked else None, "unsubscribed" if customer.unsubscribed else None)
            ),
        ),
        ("notes", customer.notes),
    ]
    return [*facts, *((name, str(value)) for name, value in customer.custom_data.items())]


def _joined(parts: Iterable[str | None]) -> str:
    return ", ".join(part for part in parts if part)
