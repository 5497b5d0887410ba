"""A short soak, by every route through every fault; and soaks that must notice what is broken on purpose."""

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import attrs
import pytest
from soak.course import Plan, Soak
from soak.health import Pulse
from soak.ledger import CANCELLED
from soak.program import main
from soak.routes import ROUTES, Route, Spell, paced
from soak.server import Shares

from helpcrunch_async import Customer, HelpCrunchError
from helpcrunch_async.bulk.coalescer import Batch
from helpcrunch_async.bulk.lookup import CustomerLookup
from helpcrunch_async.rate_limit.line import Place
from helpcrunch_async.rate_limit.waiters import Waiters
from helpcrunch_async.requester import Requester
from helpcrunch_async.retry import Repetition, RetryBudget

SHORT = Plan(
    seed=20_260,
    ids=300,
    shares=Shares(of_singles=15.0, of_pages=60.0),
    timeout=0.5,
    ends_after=300.0,
    looks=2,
    patience=20.0,
)


async def test_every_id_is_accounted_for_once_by_every_route() -> None:
    """Whatever the server does, each id has one outcome, and nothing is kept; `make soak` takes longer."""
    soak = Soak(SHORT)
    await soak.run()
    assert soak.broken.first == []
    assert [route.name for route in ROUTES] == [leg.route for leg in soak.legs]
    assert {300, 285} == {leg.ledger.outcomes.total() for leg in soak.legs}
    assert sum(times > 0 for times in soak.dealt.values()) > 50


async def soaked(route: Route, ids: int = 100) -> list[str]:
    """The promises that are broken on a short way by one route."""
    soak = Soak(attrs.evolve(SHORT, ids=ids, looks=1, patience=0.05))
    await soak.run([route])
    return soak.broken.first


def route_called(name: str) -> Route:
    return next(route for route in ROUTES if route.name == name)


SINGLE, EVENTS = route_called("get_customer, gathered"), route_called("create_event")


@pytest.mark.parametrize(
    ("settled", "complaint"),
    [
        (lambda ids: ids[1:], "is not accounted for"),
        (lambda ids: [*ids, ids[0]], "is accounted for twice"),
    ],
    ids=["lost", "twice"],
)
async def test_ids_that_are_not_accounted_for_once_are_noticed(
    settled: Callable[[list[int]], list[int]], complaint: str
) -> None:
    """A route that loses an id, or gives one twice."""

    async def walk(spell: Spell) -> None:
        for each in settled(list(spell.ids)):
            spell.ledger.settle(each, CANCELLED)

    [broken] = await soaked(Route("broken", walk, paced))
    assert complaint in broken


@pytest.mark.parametrize("kind", ["open files", "tasks not given back"])
async def test_what_is_kept_is_noticed(kind: str) -> None:
    """A file that stays open, a task that goes on."""
    kept: list[socket.socket | asyncio.Task[bool]] = []

    async def walk(spell: Spell) -> None:
        for each in spell.ids:
            spell.ledger.settle(each, CANCELLED)
        kept.append(socket.socket() if kind == "open files" else asyncio.create_task(asyncio.Event().wait()))

    broken = await soaked(Route("broken", walk, paced))
    for each in kept:
        each.close() if isinstance(each, socket.socket) else each.cancel()
    assert broken
    assert all(kind in each for each in broken)


async def test_a_turn_that_is_not_given_back_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limiter's count of turns in use does not fall to zero."""
    lost = Waiters.lost

    def miscounted(waiters: Waiters, place: Place) -> None:
        lost(
            waiters, place
        )  # if it were not called at all, a lost probe would keep everybody waiting for ever
        waiters.schedule.wire.in_flight += 1

    monkeypatch.setattr(Waiters, "lost", miscounted)
    assert any("turns not given back" in each for each in await soaked(SINGLE, ids=300))


async def test_a_repeated_event_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that repeats what must not be repeated records an event twice."""
    monkeypatch.setattr(Repetition, "again", lambda *_: True)
    monkeypatch.setattr(RetryBudget, "take_out", lambda _: True)
    assert any("was recorded 2 times" in each for each in await soaked(EVENTS, ids=300))


async def test_a_change_that_is_not_in_doubt_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that says a change was not made, although it was."""
    send = Requester.send

    async def sure_of_itself(*arguments: Any, **options: Any) -> Any:
        try:
            return await send(*arguments, **options)
        except HelpCrunchError as error:
            error.outcome_unknown = False
            raise

    monkeypatch.setattr(Requester, "send", sure_of_itself)
    assert any("was made, and is not in doubt" in each for each in await soaked(EVENTS, ids=300))


async def test_anothers_customer_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that mixes answers up."""
    answer = CustomerLookup._answer_one

    def mixed_up(lookup: CustomerLookup, batch: Batch[Customer], customer: Customer) -> None:
        answer(lookup, batch, attrs.evolve(customer, id=customer.id + 1))

    monkeypatch.setattr(CustomerLookup, "_answer_one", mixed_up)
    route = route_called("get_customers(batch=False)")
    assert any("got the customer" in each for each in await soaked(route))


def test_what_grows_is_noticed() -> None:
    """Memory, and objects, beyond what caches and kept connections explain."""
    first = Pulse(ids=0, memory=20 * 2**20, objects=1_000, files=9, connections=0)
    warm = Pulse(ids=100, memory=50 * 2**20, objects=2_000, files=9, connections=30)
    fine = Pulse(ids=100_000, memory=80 * 2**20, objects=7_000, files=9, connections=30)

    def faults_with(**changes: int) -> list[str]:
        return attrs.evolve(fine, **changes).faults_since(first, warm)

    assert faults_with() == []
    assert faults_with(memory=90 * 2**20) == ["memory grew from 50 to 90 MiB"]
    assert faults_with(objects=101_000) == ["objects grew from 1,000 to 101,000"]
    assert faults_with(files=10) == ["open files went from 9 to 10"]


async def test_a_soak_ends() -> None:
    """Whatever hangs: it is bounded as a whole."""

    async def walk(_: Spell) -> None:
        await asyncio.Event().wait()

    soak = Soak(attrs.evolve(SHORT, ends_after=0.05))
    await soak.run([Route("hangs", walk, paced)])
    assert soak.broken.first == ["not done within 0.05 seconds"]


def test_the_program_tells_and_fails(capsys: pytest.CaptureFixture[str]) -> None:
    """It prints its seed, and leaves with 1 when a promise is broken: here too few ids meet every fault."""
    with pytest.raises(SystemExit) as left:
        main(["--seed", "7", "--ids", "20"])
    said = capsys.readouterr().out
    assert left.value.code == 1
    assert said.startswith("seed 7, 20 ids by each route, 2 to change\n")
    assert "BROKEN: never thrown: " in said
