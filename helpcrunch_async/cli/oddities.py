"""What `helpcrunch sandbox --odd` takes: ways in which answers differ from the documented ones."""

import time
from collections.abc import Sequence
from contextlib import suppress
from enum import StrEnum
from typing import Any, Final

import attrs

from helpcrunch_async.cli.exits import CommandError, ExitCode
from helpcrunch_async.testing import FakeHelpCrunch


class Oddity(StrEnum):
    """One way, by name; `ODDITIES` says what each is."""

    NO_TOTAL = "no-total"
    ZERO_TOTAL = "zero-total"
    HIGH_TOTAL = "high-total"
    OK_AS_JSON = "ok-as-json"
    MESSAGES_KEY = "messages-key"
    AGENTS_AS_OBJECT = "agents-as-object"
    WRAPPED = "wrapped"
    STRICT_TYPES = "strict-types"
    BRACKETED_KEY = "bracketed-key"
    MOVING_ROWS = "moving-rows"
    SEARCH_ALL = "search-all"
    SEARCH_HALF = "search-half"
    SEARCH_REVERSED = "search-reversed"
    SEARCH_LATE = "search-late"
    SEARCH_REDUCED = "search-reduced"


ODDITIES: Final[dict[Oddity, str]] = {
    Oddity.NO_TOTAL: "listings and searches tell no total, and have no meta",
    Oddity.ZERO_TOTAL: "totals are 0",
    Oddity.HIGH_TOTAL: "totals count one more than there are",
    Oddity.OK_AS_JSON: 'Ok comes as a JSON string, "Ok", instead of plain text',
    Oddity.MESSAGES_KEY: "messages are listed under messages, not data, and without a total",
    Oddity.AGENTS_AS_OBJECT: "the agents of a chat are the first of them, not a list",
    Oddity.WRAPPED: "single objects come inside of data",
    Oddity.STRICT_TYPES: "a number given as text is refused, and a userId given as a number",
    Oddity.BRACKETED_KEY: "the key is taken in angle brackets, too: Bearer <key>",
    Oddity.MOVING_ROWS: "two customers come after one page of them, the first and the last by time, and go "
    "after the next",
    Oddity.SEARCH_ALL: "a search for customers ignores its filter",
    Oddity.SEARCH_HALF: "a search for customers leaves out every other row",
    Oddity.SEARCH_REVERSED: "a search for customers gives its rows in the opposite order",
    Oddity.SEARCH_LATE: "a search for customers shows changes half a minute late",
    Oddity.SEARCH_REDUCED: "a search for customers leaves out the devices, and the colors of tags",
}
ODDITIES_HELP: Final = "Oddities: " + "; ".join(f"`{name}`: {text}" for name, text in ODDITIES.items()) + "."
_TOTALS: Final = (Oddity.NO_TOTAL, Oddity.ZERO_TOTAL, Oddity.HIGH_TOTAL)
_OF_BEHAVIOUR: Final[dict[Oddity, dict[str, Any]]] = {
    Oddity.NO_TOTAL: {"total": lambda _: None},
    Oddity.ZERO_TOTAL: {"total": lambda _: 0},
    Oddity.HIGH_TOTAL: {"total": lambda true: true + 1},
    Oddity.OK_AS_JSON: {"ok_as_json": True},
    Oddity.MESSAGES_KEY: {"messages_key": "messages"},
    Oddity.AGENTS_AS_OBJECT: {"agents_as_object": True},
    Oddity.WRAPPED: {"wraps_objects": True},
    Oddity.STRICT_TYPES: {"strict_types": True},
    Oddity.BRACKETED_KEY: {"bracketed_key": True},
}
_OF_SEARCH: Final[dict[Oddity, dict[str, Any]]] = {
    Oddity.SEARCH_ALL: {"ignores_filter": True},
    Oddity.SEARCH_HALF: {"answers_half": True},
    Oddity.SEARCH_REVERSED: {"reverses": True},
    Oddity.SEARCH_LATE: {"lag": 30.0},
    Oddity.SEARCH_REDUCED: {"missing_keys": ("device", "tags.color")},
}


def make_odd(server: FakeHelpCrunch, oddities: Sequence[Oddity]) -> None:
    """Let a server answer oddly.

    Raises:
        CommandError: two of them exclude each other.
    """
    totals = [each for each in _TOTALS if each in oddities]
    if len(totals) > 1:
        raise CommandError(
            f"--odd: there is one total, so not both {' and '.join(totals[:2])}", ExitCode.USAGE
        )
    for oddity in oddities:
        server.behaviour = attrs.evolve(server.behaviour, **_OF_BEHAVIOUR.get(oddity, {}))
        server.search = attrs.evolve(server.search, **_OF_SEARCH.get(oddity, {}))
    if Oddity.MOVING_ROWS in oddities:
        server.behaviour = attrs.evolve(server.behaviour, between_pages=_Visitors(server))


class _Visitors:
    """Two customers who come and go, so that the rows between them move; nobody else has ids that small."""

    _IDS: Final = (1, 2)

    def __init__(self, server: FakeHelpCrunch) -> None:
        self._server = server
        self._are_there = False

    def __call__(self, path: str) -> None:
        if not path.startswith("/customers"):
            return
        earliest, latest = self._IDS
        if self._are_there:
            for each in self._IDS:
                with suppress(KeyError):  # a client has deleted it
                    self._server.remove_customer(each)
        else:
            now = int(time.time())
            self._server.add_customer({"id": earliest, "name": "First visitor"})
            self._server.add_customer(
                {"id": latest, "name": "Last visitor", "firstSeen": now, "lastSeen": now}
            )
        self._are_there = not self._are_there
