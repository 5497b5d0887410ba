"""The ways to ask for an id, and what befalls those who ask."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import aclosing
from functools import partial
from random import Random
from typing import Any, Final, TypeAlias

from attrs import field, frozen

from helpcrunch_async import (
    NO_RETRY,
    UNLIMITED,
    Customer,
    Event,
    HelpCrunchClient,
    HelpCrunchError,
    Limiter,
    RateLimiter,
    all_of,
)
from helpcrunch_async.search import EMAIL
from soak.account import Account
from soak.ledger import CANCELLED, WITH_ITS_LIST, Ledger

_REST: Final = 0.05  # seconds


@frozen
class Spell:
    """A client, and the ids that it is to ask for; `places` of a listing, where that is the route."""

    client: HelpCrunchClient
    ids: Sequence[int]
    ledger: Ledger
    account: Account
    dice: Random

    def chance(self, of_a_hundred: float) -> bool:
        """Tell whether something befalls somebody."""
        return self.dice.random() * 100 < of_a_hundred

    def options(self) -> HelpCrunchClient:
        """Give a view of the client with options that some callers have."""
        if not self.chance(8):
            return self.client
        some_options: list[dict[str, Any]] = [
            {"deadline": self.dice.uniform(0.001, 0.5)},
            {"max_wait": self.dice.uniform(0.0, 0.2)},
            {"retry": NO_RETRY},
            {"priority": "bulk"},
            {"timeout": 0.05},
        ]
        return self.client.with_options(**self.dice.choice(some_options))


Walk: TypeAlias = Callable[[Spell], Awaitable[None]]


@frozen
class Route:
    """One way to ask for many ids."""

    name: str
    walk: Walk
    limiter: Callable[[], Limiter]
    lasts: bool = True  # one client goes all the way; otherwise each thousand ids have one
    options: dict[str, Any] = field(factory=dict)
    lists: bool = False  # ids come from a listing: those that exist
    changes: bool = False
    events: bool = False  # changes that must not be made twice


async def _outcome_of(spell: Spell, call: Coroutine[Any, Any, Any]) -> Any:
    """Await a call, which some callers give up after a while; `CANCELLED` is what came of those."""
    task = asyncio.ensure_future(call)
    gives_up = spell.chance(3)
    if gives_up:
        asyncio.get_running_loop().call_later(spell.dice.uniform(0.0, 0.1), task.cancel)
    try:
        return await task
    except asyncio.CancelledError:
        if gives_up and task.cancelled():
            return CANCELLED
        task.cancel()
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, the ledger judges it
        return error


def _cut(spell: Spell, longest: int) -> Iterator[Sequence[int]]:
    """Cut the ids of a spell into pieces, each of which is one call."""
    start = 0
    while start < len(spell.ids):
        end = start + spell.dice.randint(1, longest)
        yield spell.ids[start:end]
        start = end


async def _gather(spell: Spell) -> None:
    """Gather a call for each id; a few ids are wanted by two."""

    async def get(customer_id: int, *, again: bool) -> None:
        outcome = await _outcome_of(spell, spell.options().get_customer(customer_id))
        spell.ledger.settle(customer_id, outcome, again=again)
        spell.ledger.judge_read(customer_id, outcome)

    twice = [each for each in spell.ids if spell.chance(3)]
    await asyncio.gather(
        *(get(each, again=False) for each in spell.ids), *(get(each, again=True) for each in twice)
    )


async def _in_lists(spell: Spell, *, batch: bool) -> None:
    """Ask for lists of ids, some of which fail as a whole: at the first error, or because we give up."""

    async def get(ids: Sequence[int]) -> None:
        ledger, errors_too = spell.ledger, not spell.chance(10)
        found = await _outcome_of(
            spell,
            spell.options().get_customers(ids, return_exceptions=errors_too, batch=batch),  # type: ignore[call-overload] # the overloads know literals only
        )
        if isinstance(found, list):
            if len(found) != len(ids):
                ledger.complain(f"{len(found)} answers for {len(ids)} ids")
            for each, outcome in zip(ids, found, strict=False):
                ledger.settle(each, outcome)
                ledger.judge_read(each, outcome)
            return
        if isinstance(found, HelpCrunchError) and not errors_too:
            found = WITH_ITS_LIST
        for each in ids:
            ledger.settle(each, found)

    await asyncio.gather(*map(get, _cut(spell, 400)))


async def _stream(spell: Spell) -> None:
    """Stream ids, sync or async; some leave in the middle, and what they did not see is theirs to lose."""

    async def get(ids: Sequence[int]) -> None:
        leaves_at = spell.dice.randrange(len(ids)) if spell.chance(10) else None
        left = dict.fromkeys(ids)
        source = _slowly(ids) if spell.chance(30) else iter(ids)
        async with aclosing(spell.options().stream_customers(source, batch=not spell.chance(10))) as lookups:
            async for lookup in lookups:
                if (lookup.customer is None) == (lookup.error is None):
                    spell.ledger.complain(f"{lookup.id} has both or neither of customer and error")
                outcome = lookup.customer or lookup.error
                spell.ledger.settle(lookup.id, outcome)
                spell.ledger.judge_read(lookup.id, outcome)
                left.pop(lookup.id, None)
                if leaves_at is not None and len(ids) - len(left) > leaves_at:
                    break
        if leaves_at is not None:
            for each in left:
                spell.ledger.settle(each, CANCELLED)

    await asyncio.gather(*map(get, _cut(spell, 600)))


async def _slowly(ids: Sequence[int]) -> AsyncIterator[int]:
    for each in ids:
        if each % 50 == 0:
            await asyncio.sleep(0)
        yield each


async def _walk_a_listing(spell: Spell, *, search: bool) -> None:
    """Walk a stretch of a listing; whom an error stops goes on behind the last row."""
    first, last = spell.ids[0], spell.ids[-1] + 1  # places, not ids
    while first < last:
        client = spell.options()
        listing = (
            client.search_customers(all_of(EMAIL.contains("@example.com")), offset=first, limit=last - first)
            if search
            else client.list_customers(offset=first, limit=last - first)
        )
        if spell.chance(50):
            listing = listing.prefetch()
        stops_at = first + spell.dice.randrange(last - first) if spell.chance(10) else None
        error: object = None
        try:
            async with aclosing(aiter(listing)) as found:
                async for customer in found:
                    expected = spell.account.listed_id(first)
                    spell.ledger.settle(expected, customer)
                    first += 1
                    if stops_at == first:
                        break
                else:
                    if first < last:
                        spell.ledger.complain(f"a listing ended at {first} instead of {last}")
                        return
        except HelpCrunchError as caught:
            error = caught
            spell.ledger.stopped[type(caught).__name__] += 1
        if error is not None:
            spell.ledger.judge_read(first, error)
            await asyncio.sleep(_REST)  # a closed gate refuses at once


async def _change(spell: Spell, call: Callable[[HelpCrunchClient, int], Coroutine[Any, Any, Any]]) -> None:
    """Gather a change for each id."""

    async def change(customer_id: int) -> None:
        outcome = await _outcome_of(spell, call(spell.options(), customer_id))
        spell.ledger.settle(customer_id, outcome)
        spell.ledger.judge_change(customer_id, outcome)

    await asyncio.gather(*map(change, spell.ids))


def _record(client: HelpCrunchClient, customer_id: int) -> Coroutine[Any, Any, Event]:
    return client.create_event(customer_id, "Soaked", {"by": "rain"})


def _update(client: HelpCrunchClient, customer_id: int) -> Coroutine[Any, Any, Customer]:
    return client.update_customer(customer_id, company="Quill AG")


def paced() -> Limiter:
    """Give a limiter that is in nobody's way, but for its gate."""
    return RateLimiter(1_500, 0.3)


ROUTES: Final = (
    Route("get_customer, gathered", _gather, paced, options={"coalesce": False}),
    Route("get_customer, coalesced", _gather, paced, lasts=False),
    Route("get_customers", partial(_in_lists, batch=True), paced, lasts=False),
    Route("get_customers(batch=False)", partial(_in_lists, batch=False), lambda: UNLIMITED),
    Route("stream_customers", _stream, paced, lasts=False),
    Route("list_customers", partial(_walk_a_listing, search=False), paced, lists=True),
    Route("search_customers", partial(_walk_a_listing, search=True), paced, lists=True),
    Route("update_customer", partial(_change, call=_update), paced, changes=True),
    Route("create_event", partial(_change, call=_record), paced, changes=True, events=True),
)
