"""One line of the table, and the words that its columns are written with."""

import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeAlias, TypeVar

from attrs import field, frozen

from helpcrunch_async import HelpCrunchClient, Page, from_dict

T = TypeVar("T")

BASE_URL: Final = "https://api.helpcrunch.com/v1"
FIXTURES: Final = Path(__file__).parent.parent / "fixtures"
MOMENT: Final = datetime(2020, 10, 27, 12, 0, 0, 913_000, tzinfo=UTC)
"""In Unix seconds 1603800000.913."""

Use: TypeAlias = Callable[[HelpCrunchClient], Awaitable[Any]]
Reading: TypeAlias = Callable[[Any], Any]
"""What must come of a decoded reply."""


@frozen
class Call:
    """One call, the one request that it sends, and what comes of the reply."""

    name: str
    """The method, and after a comma what is special about this call."""
    use: Use
    verb: str
    path: str
    reply: str
    """A fixture."""
    result: Reading
    query: Mapping[str, str] = field(factory=dict)
    body: Any = None
    """What is sent, decoded; None sends no body."""

    @property
    def method(self) -> str:
        """The name of the client's method."""
        return self.name.partition(",")[0]

    @property
    def pair(self) -> tuple[str, str]:
        """The verb, and the path as the documentation writes it."""
        return self.verb, re.sub(r"/\d+", "/{id}", self.path)


def request_sample(name: str) -> Any:
    """Read a body that is to be sent."""
    return json.loads((FIXTURES / name).read_bytes())


def one(model: type[Any]) -> Reading:
    """Read a bare object."""
    return lambda body: from_dict(model, body)


def rows(model: type[Any], key: str = "data") -> Reading:
    """Read the rows of a page as a list."""
    return lambda body: [from_dict(model, row) for row in body[key]]


def page(model: type[Any], *, total: int | None, offset: int = 0, key: str = "data") -> Reading:
    """Read a whole page."""
    return lambda body: Page(tuple(rows(model, key)(body)), total, offset)


def nothing(_: object) -> None:
    """Expect None, whatever the reply says."""


async def walked(listing: Any) -> list[Any]:
    """Walk a listing or a stream to its end."""
    return [row async for row in listing]


async def as_they_come(items: Iterable[T]) -> AsyncIterator[T]:
    """Give items asynchronously."""
    for item in items:
        yield item
