"""What every endpoint of the fake server works on: the account's data, and how it speaks."""

import time
from collections.abc import Callable

import attrs

from helpcrunch_async.testing.answers import Spelling
from helpcrunch_async.testing.behaviour import Behaviour
from helpcrunch_async.testing.customers import CustomerBook
from helpcrunch_async.testing.rows import Row, Shelf
from helpcrunch_async.testing.search import SearchBehaviour
from helpcrunch_async.testing.team import Team

_FIRST_CHAT, _FIRST_MESSAGE, _FIRST_EVENT = 5001, 700_001, 90_001
"""Ranges of their own, so that an id of one kind that is taken for another's is not found."""


def _tell_nobody(name: str, data: Row) -> None:
    """Let it pass: there is nobody to send webhooks to."""


@attrs.define
class Account:
    """One HelpCrunch account: all that its key can reach. `changes` holds the ways to change it."""

    spelling: Spelling
    customers: CustomerBook
    search: SearchBehaviour = attrs.field(factory=SearchBehaviour)
    behaviour: Behaviour = attrs.field(factory=Behaviour)
    wall_clock: Callable[[], float] = time.time
    """Gives Unix seconds: when things are created and changed."""
    team: Team = attrs.field(factory=Team)
    chats: Shelf = attrs.field(factory=lambda: Shelf("Chat", first_id=_FIRST_CHAT))
    messages: Shelf = attrs.field(factory=lambda: Shelf("Message", first_id=_FIRST_MESSAGE))
    events: Shelf = attrs.field(factory=lambda: Shelf("Event", first_id=_FIRST_EVENT))
    announce: Callable[[str, Row], None] = _tell_nobody
    """Called with the name and the `eventData` of every webhook that is due."""
    searches: int = 0
    """For customers, since `search` was set."""
