"""The whole soak: every id by every route, with looks at what is held on the way."""

import asyncio
import gc
import random
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from typing import Final

from attrs import define, field, frozen

from helpcrunch_async import UNLIMITED, HelpCrunchClient, Limiter, RetryPolicy
from soak.account import Account
from soak.cards import CARDS
from soak.health import Pulse, Watch
from soak.ledger import Broken, Ledger
from soak.routes import ROUTES, Route, Spell
from soak.server import Deck, Shares, SoakServer

_LONGEST_SPELL: Final = 1_000  # ids
_SHORTEST_STRETCH: Final = 100  # ids between two looks
_SPELLS_AT_ONCE: Final = 4
_IN_FLIGHT: Final = 32
_CLOSED_EARLY: Final = 5  # of a hundred clients that do not last


@frozen
class Plan:
    """How to soak."""

    seed: int
    ids: int = 100_000
    one_change_in: int = 1  # ids; all others are only read
    shares: Shares = field(factory=lambda: Shares(of_singles=2.0, of_pages=25.0))
    timeout: float = 1.0  # seconds for an attempt; silence takes that long
    ends_after: float = 3_600.0  # seconds, whatever is left to do
    looks: int = 10  # at what is held, on the way of each route
    patience: float = 5.0  # seconds for what was cancelled to end


@frozen
class Leg:
    """What came of one route."""

    route: str
    ledger: Ledger
    requests: int
    seconds: float
    pulses: list[Pulse]


@define
class Soak:
    """A soak, while it runs and when it is done."""

    plan: Plan
    broken: Broken = field(factory=Broken)
    legs: list[Leg] = field(factory=list)
    dealt: dict[str, int] = field(factory=dict)
    asked: int = 0

    async def run(
        self, routes: Sequence[Route] = ROUTES, tell: Callable[[Leg], None] = lambda _: None
    ) -> None:
        """Walk the routes; what is broken is in `broken`."""
        asyncio.get_running_loop().set_exception_handler(
            lambda _, context: self.broken.note(f"asyncio was left with {context}")
        )
        gc.collect()
        gc.freeze()  # what is there before is none of our business, and would take long to look through
        try:
            await self._run(routes, tell)
        finally:
            gc.unfreeze()

    async def _run(self, routes: Sequence[Route], tell: Callable[[Leg], None]) -> None:
        account = Account(self.plan.ids)
        deck = Deck(random.Random(self.plan.seed), self.plan.shares)
        try:
            async with asyncio.timeout(self.plan.ends_after), SoakServer(account, deck) as server:
                watch = Watch(server, self.plan.patience)
                await watch.look(None, UNLIMITED, ids=0)
                for route in routes:
                    leg = await _Walk(self, route, account, server, watch).run()
                    self.legs.append(leg)
                    tell(leg)
        except TimeoutError:
            self.broken.note(f"not done within {self.plan.ends_after:g} seconds")
        self.dealt = {card.name: deck.dealt[card.name] for card in CARDS}


@define
class _Walk:
    """The way of all ids by one route."""

    soak: Soak
    route: Route
    account: Account
    server: SoakServer
    watch: Watch

    async def run(self) -> Leg:
        route, account, broken = self.route, self.account, self.soak.broken
        began, seen = time.monotonic(), self.server.seen
        account.forget()
        ledger, limiter = Ledger(route.name, account, broken), route.limiter()
        ids = list(range(account.listed) if route.lists else range(1, account.size + 1))
        if not route.lists:
            random.Random(self.soak.plan.seed).shuffle(ids)
        if route.changes:
            del ids[len(ids) // self.soak.plan.one_change_in :]
        pulses = []
        async with AsyncExitStack() as stack:
            lasting = await stack.enter_async_context(self._client(limiter)) if route.lasts else None
            for some in _cut(ids, max(_SHORTEST_STRETCH, -(-len(ids) // self.soak.plan.looks))):
                await self._walk_some(some, ledger, limiter, lasting)
                self.soak.asked += len(some)
                pulses.append(await self._look(ledger, limiter, lasting))
        await self._look(ledger, limiter, None)
        ledger.close(map(account.listed_id, ids) if route.lists else ids)
        if route.events:
            ledger.close_events()
        return Leg(route.name, ledger, self.server.seen - seen, time.monotonic() - began, pulses)

    def _client(self, limiter: Limiter) -> HelpCrunchClient:
        return HelpCrunchClient(
            "key",
            base_url=self.server.url,
            rate_limiter=limiter,
            retry=RetryPolicy(3, max_backoff=0.02),
            timeout=self.soak.plan.timeout,
            max_in_flight=_IN_FLIGHT,
            **self.route.options,
        )

    async def _walk_some(
        self, ids: Sequence[int], ledger: Ledger, limiter: Limiter, lasting: HelpCrunchClient | None
    ) -> None:
        at_once = asyncio.Semaphore(_SPELLS_AT_ONCE)

        async def walk(some: Sequence[int]) -> None:
            dice = random.Random(f"{self.soak.plan.seed} {self.route.name} {some[0]}")
            async with at_once:
                if lasting is not None:
                    await self.route.walk(Spell(lasting, some, ledger, self.account, dice))
                    return
                async with self._client(limiter) as client, asyncio.TaskGroup() as group:
                    if dice.random() * 100 < _CLOSED_EARLY:
                        group.create_task(_close_later(client, dice.uniform(0.0, 0.5)))
                    await self.route.walk(Spell(client, some, ledger, self.account, dice))

        async with asyncio.TaskGroup() as group:
            for some in _cut(ids, _LONGEST_SPELL):
                group.create_task(walk(some))

    async def _look(self, ledger: Ledger, limiter: Limiter, client: HelpCrunchClient | None) -> Pulse:
        pulse, wrong = await self.watch.look(client, limiter, ids=self.soak.asked)
        for what in wrong:
            ledger.complain(f"after {pulse.ids:,} ids {what}")
        return pulse


async def _close_later(client: HelpCrunchClient, seconds: float) -> None:
    await asyncio.sleep(seconds)
    await client.close()


def _cut(ids: Sequence[int], size: int) -> list[Sequence[int]]:
    return [ids[start : start + size] for start in range(0, len(ids), size)]
