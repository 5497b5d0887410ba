"""A server that answers for an account, and deals faults from a shuffled deck."""

import asyncio
import re
import socket
from collections import Counter
from random import Random
from typing import Final, Self

from attrs import frozen
from faults.server import Exchange, FaultServer

from soak.account import Account, Truth
from soak.cards import CARDS, Card, honest

_LENGTH: Final = re.compile(rb"(?im)^content-length: *(\d+)")
_OUTAGE: Final = 0.02  # seconds
_SINGLE: Final = frozenset({"customer", "event", "update"})


@frozen
class Shares:
    """How many of a hundred requests meet a fault."""

    of_singles: float
    of_pages: float  # searches too


class Deck:
    """Every fault once, in an order from a seed, and then again; and whether a request meets one at all."""

    def __init__(self, dice: Random, shares: Shares) -> None:
        self.dealt: Counter[str] = Counter()
        """How often each fault was thrown."""
        self._dice = dice
        self._shares = shares
        self._cards: list[Card] = []
        self._bursting: Card | None = None
        self._burst_left = 0

    def deal(self, truth: Truth) -> Card | None:
        """Give the fault that a request meets, None for most."""
        if self._burst_left:
            self._burst_left -= 1
            card = self._bursting
        else:
            share = self._shares.of_singles if truth.kind in _SINGLE else self._shares.of_pages
            card = self._draw(truth) if self._dice.random() * 100 < share else None
            if card is not None and card.bursts:
                self._bursting, self._burst_left = card, self._dice.randint(3, 12)
        if card is not None:
            self.dealt[card.name] += 1
        return card

    def carries_out(self, card: Card | None) -> bool:
        """Tell whether what was asked is done."""
        if card is None:
            return True
        return self._dice.random() < 0.5 if card.carries_out is None else card.carries_out

    def _draw(self, truth: Truth) -> Card | None:
        for fresh in (False, True):
            if fresh:
                more = list(CARDS)
                self._dice.shuffle(more)
                self._cards += more
            for place, card in enumerate(self._cards):
                if truth.kind in card.fits:
                    return self._cards.pop(place)
        raise AssertionError("no card fits")


class SoakServer(FaultServer):
    """Answers for an account, dealing from a deck; keeps no record, so that it does not grow."""

    def __init__(self, account: Account, deck: Deck) -> None:
        super().__init__(b"", keep_alive=True)
        self.account = account
        self.deck = deck
        self.seen = 0
        """How many requests arrived."""
        self._outages: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._placeholder = _bound(0)  # keeps the port while nobody listens on it
        self.port = self._placeholder.getsockname()[1]
        await self._listen()
        return self

    async def __aexit__(self, *details: object) -> None:
        await asyncio.gather(*self._outages)
        self._placeholder.close()
        await super().__aexit__(*details)

    @property
    def is_out(self) -> bool:
        """Tell whether nobody listens at the moment."""
        return bool(self._outages)

    def runs(self, task: "asyncio.Task[object]") -> bool:
        """Tell whether a task is the server's own."""
        return super().runs(task) or task in self._outages

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = _LENGTH.search(head)
        request = head if length is None else head + await reader.readexactly(int(length[1]))
        self.seen += 1
        truth = self.account.answer(request)
        card = self.deck.deal(truth)
        if self.deck.carries_out(card):
            truth.carry_out()
        await (honest if card is None else card.play)(Exchange(request, reader, writer), truth)
        if card is not None and card.is_outage and not self._outages:
            outage = asyncio.get_running_loop().create_task(self._be_out())
            self._outages.add(outage)
            outage.add_done_callback(self._outages.discard)

    async def _be_out(self) -> None:
        await self._stop_accepting()
        self._listener.close()
        await asyncio.sleep(_OUTAGE)
        await self._listen()

    async def _listen(self) -> None:
        self._listener = await asyncio.start_server(self._accept, sock=_bound(self.port), backlog=1024)


def _bound(port: int) -> socket.socket:
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind(("127.0.0.1", port))
    return bound
