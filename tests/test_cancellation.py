"""Cancelled or closed between any two steps: turns, connections, folded callers and tasks are given back."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import aclosing, asynccontextmanager
from itertools import count
from typing import Any

import aiohttp
import pytest
from attrs import field, frozen
from faults.behaviours import GOOD, KEPT, close, http
from faults.clients import client_on, held, held_by, requester_of
from faults.server import Exchange
from faults.stages import Staging, answering, showing
from faults.stepping import MemoryTransport, SteppingLoop, VirtualSteppingLoop

from helpcrunch_async import (
    UNLIMITED,
    ClientClosedError,
    Customer,
    HelpCrunchClient,
    Limiter,
    RateLimiter,
    borrow_session,
    open_session,
)
from helpcrunch_async.testing import FakeHelpCrunch

NEIGHBOURS = (1001, 1002, 7)  # the last one may be folded with the victim's own
MOST_STEPS = 500


def _half() -> float:
    """Stand for chance, so that a scenario is the same every time."""
    return 0.5


@frozen
class Work:
    """A call, and what it goes through on its way."""

    name: str
    call: Callable[[HelpCrunchClient], Coroutine[Any, Any, object]]
    limiter: Callable[[], Limiter] = lambda: RateLimiter(1000, 1.0, random=_half)
    faults: tuple[int, ...] = ()
    missing: frozenset[int] = frozenset()
    options: dict[str, Any] = field(factory=dict)


async def get(client: HelpCrunchClient) -> None:
    assert (await client.get_customer(7)).id == 7


async def get_many(client: HelpCrunchClient) -> None:
    ids = [*range(1, 151), 7]
    assert [customer.id for customer in await client.get_customers(ids)] == ids


async def get_many_singly(client: HelpCrunchClient) -> None:
    found = await client.get_customers(range(1, 9), return_exceptions=True, batch=False)
    assert len(found) == 8


async def stream(client: HelpCrunchClient) -> None:
    """Consume a part of what there is, slowly: it is also left while it has given a result and waits."""
    client._opened().memory.trust._width = 10  # small batches: they take the same steps
    found: set[int] = set()
    async with aclosing(client.stream_customers(count(1))) as lookups:
        while len(found) < 40:
            found.add((await anext(lookups)).id)
            if len(found) % 15 == 0:
                await asyncio.sleep(0.01)


async def walk(client: HelpCrunchClient) -> None:
    assert len(await client.list_customers().to_list()) == 250


async def walk_ahead(client: HelpCrunchClient) -> None:
    """Consume slowly, while the next page is fetched."""
    rows = 0
    async for _ in client.list_customers().prefetch():
        rows += 1
        if rows % 60 == 0:
            await asyncio.sleep(0.02)
    assert rows == 250


async def update(client: HelpCrunchClient) -> None:
    assert (await client.update_customer(7, name="Mara")).id == 7


async def update_many(client: HelpCrunchClient) -> None:
    outcomes = await client.batch_update_customers([{"customer": each, "name": "M"} for each in range(1, 25)])
    for outcome in outcomes:
        if outcome.error is not None:
            raise outcome.error


def paced() -> Limiter:
    return RateLimiter(4, 1.0, burst=1, random=_half)


WORKS = [
    Work("get_customer, unlimited", get, lambda: UNLIMITED),
    Work("get_customer, at once", get),
    Work("get_customer, paced", get, paced),
    Work("get_customer, gate closed", get, faults=(429,) * 7),
    Work("get_customer, retrying", get, faults=(503, 0, 503, 0, 0, 503)),
    Work("get_customer, alone on the wire", get, options={"max_in_flight": 1}),
    Work("get_customer, with a deadline", get, options={"deadline": 50.0}),
    Work("get_customer, with patience", get, paced, options={"max_wait": 50.0}),
    Work("get_customer, coalesced", get, paced, options={"coalesce": True}),
    Work("get_customer, coalesced and missed", get, missing=frozenset({7}), options={"coalesce": True}),
    Work("get_customer, coalesced and retried", get, faults=(503, 429), options={"coalesce": True}),
    Work("get_customers", get_many),
    Work("get_customers, paced", get_many, paced),
    Work("get_customers, some missed", get_many, missing=frozenset({3, 99})),
    Work("get_customers, singly", get_many_singly),
    Work("get_customers, gate closed", get_many, faults=(429,) * 5),
    Work("get_customers, with a deadline", get_many, options={"deadline": 50.0}),
    Work("stream_customers", stream),
    Work("stream_customers, paced and coalesced", stream, paced, options={"coalesce": True}),
    Work("stream_customers, with patience", stream, options={"max_wait": 50.0}),
    Work("list_customers", walk),
    Work("list_customers, retrying", walk, faults=(503, 429)),
    Work("list_customers, one page ahead", walk_ahead),
    Work("list_customers, one page ahead, retrying", walk_ahead, faults=(503, 429)),
    Work("update_customer, retrying", update, faults=(503, 429, 0)),
    Work("batch_update_customers", update_many, faults=(503,)),
]
EACH_WORK = [pytest.param(work, id=work.name) for work in WORKS]


@asynccontextmanager
async def client_for(work: Work) -> AsyncIterator[HelpCrunchClient]:
    """A client whose HelpCrunch is in memory."""
    async with HelpCrunchClient(
        "key", rate_limiter=work.limiter(), **{"coalesce": False, **work.options}
    ) as client:
        requester = requester_of(client)
        requester._transport, requester._random = MemoryTransport(work.faults, work.missing), _half
        yield client


async def settle() -> None:
    """Let what has been cancelled end."""
    for _ in range(5):
        await asyncio.sleep(0)


def at_every_step(
    scenario: Callable[[int], Coroutine[Any, Any, bool]],
    *,
    at_least: int = 5,
    loop: Callable[[], asyncio.AbstractEventLoop] = VirtualSteppingLoop,
) -> None:
    """Run a scenario with its interruption one step later each time, until it comes too late."""
    for step in range(1, MOST_STEPS):
        with asyncio.Runner(loop_factory=loop) as runner:
            if runner.run(scenario(step)):
                assert step >= at_least
                return
    raise AssertionError("it is never done")


def interrupt(steps: int, callback: Callable[[], object]) -> None:
    """Have something done between two steps of the loop."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, SteppingLoop | VirtualSteppingLoop)
    loop.interrupt(steps, callback)


@pytest.mark.parametrize("times", [1, 3], ids=["once", "three times"])
@pytest.mark.parametrize("work", EACH_WORK)
def test_cancelling_a_call_at_any_step(work: Work, times: int) -> None:
    """It ends, its neighbours get their answers, the next caller is served, and nothing is kept."""

    async def scenario(step: int) -> bool:
        async with client_for(work) as client:
            before = asyncio.all_tasks()
            neighbours = [asyncio.create_task(client.get_customer(each)) for each in NEIGHBOURS[:2]]
            victim = asyncio.create_task(work.call(client))
            neighbours += [asyncio.create_task(client.get_customer(each)) for each in NEIGHBOURS[2:]]

            def cancel(left: int = times) -> None:
                victim.cancel()
                if left > 1:
                    interrupt(1, lambda: cancel(left - 1))

            interrupt(step, cancel)
            await asyncio.wait({victim})
            done = not victim.cancelled()
            if done:
                victim.result()
            assert [customer.id for customer in await asyncio.gather(*neighbours)] == list(NEIGHBOURS)
            assert (await client.get_customer(2000)).id == 2000
            await settle()
            assert held_by(client) == {}
            assert asyncio.all_tasks() == before
            return done

    at_every_step(scenario)


@pytest.mark.parametrize("work", EACH_WORK)
def test_cancelling_the_only_call_at_any_step(work: Work) -> None:
    """What nobody wants any more is not sent, and does not stand in line: nothing is kept from then on."""

    async def scenario(step: int) -> bool:
        async with client_for(work) as client:
            before = asyncio.all_tasks()
            victim = asyncio.create_task(work.call(client))
            interrupt(step, victim.cancel)
            await asyncio.wait({victim})
            await settle()
            assert held_by(client) == {}
            assert asyncio.all_tasks() == before
            return not victim.cancelled()

    at_every_step(scenario)


@pytest.mark.parametrize("work", EACH_WORK)
def test_closing_at_any_step(work: Work) -> None:
    """Each call ends with its answer or a ClientClosedError, and nothing is kept."""

    async def scenario(step: int) -> bool:
        before = asyncio.all_tasks()
        async with client_for(work) as client:
            requester = requester_of(client)
            calls: list[asyncio.Task[Any]] = []
            calls += [asyncio.create_task(client.get_customer(each)) for each in NEIGHBOURS]
            calls.append(asyncio.create_task(work.call(client)))
            closed = asyncio.Event()

            async def close() -> None:
                await client.close()
                closed.set()

            interrupt(step, lambda: calls.append(asyncio.create_task(close())))
            await asyncio.wait(calls)
            if len(calls) == 4:
                return True
            await closed.wait()
            outcomes = await asyncio.gather(*calls, return_exceptions=True)
            assert {type(outcome) for outcome in outcomes} <= {Customer, ClientClosedError, type(None)}
            await settle()
            assert held(requester, client._max_in_flight) == {}
            assert asyncio.all_tasks() == before
        return False

    at_every_step(scenario)


@pytest.mark.parametrize("work", EACH_WORK)
def test_closing_that_is_cancelled_at_any_step(work: Work) -> None:
    """Whoever gives up closing has closed all the same: nothing more is sent, and nothing is kept."""

    async def scenario(step: int) -> bool:
        before = asyncio.all_tasks()
        async with client_for(work) as client:
            requester = requester_of(client)
            calls: list[asyncio.Task[Any]] = []
            calls += [asyncio.create_task(client.get_customer(each)) for each in NEIGHBOURS]
            calls.append(asyncio.create_task(work.call(client)))
            await asyncio.sleep(0.02)
            closing = asyncio.create_task(client.close())
            interrupt(1 + step, closing.cancel)  # it has begun, at least
            await asyncio.wait({closing})
            transport = requester._transport
            assert isinstance(transport, MemoryTransport)
            sent = transport.sent
            outcomes = await asyncio.gather(*calls, return_exceptions=True)
            assert {type(outcome) for outcome in outcomes} <= {ClientClosedError, type(None)}
            await settle()
            assert sent == transport.sent
            assert held(requester, client._max_in_flight) == {}
            assert asyncio.all_tasks() == before
            return not closing.cancelled()

    at_every_step(scenario, at_least=1)


@frozen
class Road:
    """A way over real sockets."""

    name: str
    stage: Staging
    before: int = 0  # calls, so that there is a connection already
    options: dict[str, Any] = field(factory=dict)


async def in_pieces(exchange: Exchange) -> None:
    """Answer well, bit by bit."""
    for start in range(0, len(KEPT), 60):
        exchange.writer.write(KEPT[start : start + 60])
        await exchange.writer.drain()
        await asyncio.sleep(0)


DOWN = http(b"", status="503 Service Unavailable", connection="keep-alive")
REFUSED = http(b"", status="429 Too Many Requests", connection="keep-alive")

ROADS = [
    Road("a new connection", answering(KEPT, keep_alive=True)),
    Road("a kept connection", answering(KEPT, keep_alive=True), before=1),
    Road("an answer in pieces", answering(in_pieces, keep_alive=True), before=1),
    Road("an answer that ends the connection", answering(GOOD)),
    Road("a new TLS connection", showing("127.0.0.1", GOOD, trusted=True)),
    Road("retries", answering(DOWN, close, KEPT, keep_alive=True)),
    Road("a closed gate", answering(REFUSED, KEPT, keep_alive=True)),
    Road("one at a time", answering(KEPT, keep_alive=True), options={"max_in_flight": 1}),
]


@pytest.mark.parametrize("road", ROADS, ids=[road.name for road in ROADS])
def test_cancelling_a_call_at_any_step_of_the_way(road: Road) -> None:
    """Over real sockets too: no connection is kept, and the neighbour and the next caller are served."""

    async def scenario(step: int) -> bool:
        async with road.stage() as stage:
            async with client_on(stage, rate_limiter=RateLimiter(100, 0.1), **road.options) as client:
                for _ in range(road.before):
                    await client.get_customer(7)
                victim = asyncio.create_task(client.get_customer(7))
                neighbour = asyncio.create_task(client.get_customer(7))
                interrupt(step, victim.cancel)
                await asyncio.wait({victim})
                assert (await neighbour).id == 7
                assert (await client.get_customer(7)).id == 7
                assert held_by(client) == {}
            assert stage.server.open_connections == 0
            return not victim.cancelled() and victim.result().id == 7

    at_every_step(scenario, loop=SteppingLoop)


def test_opening_that_is_cancelled_at_any_step() -> None:
    """The session that was made is ended, and the client can be opened later."""
    client = HelpCrunchClient("key", session=_slow_session)

    async def scenario(step: int) -> bool:
        before = asyncio.all_tasks()
        opening = asyncio.create_task(client.open())
        interrupt(step, opening.cancel)
        await asyncio.wait({opening})
        if not opening.cancelled():
            await client.close()
        assert _alive == []
        assert asyncio.all_tasks() == before
        return not opening.cancelled()

    at_every_step(scenario)


_alive: list[str] = []


@asynccontextmanager
async def _slow_session() -> AsyncIterator[aiohttp.ClientSession]:
    """A session that takes its time to begin and to end, and is known to be alive meanwhile."""
    async with open_session() as session:
        _alive.append("session")
        try:
            await asyncio.sleep(0)
            await asyncio.sleep(0.1)
            yield session
        finally:
            _alive.pop()


async def test_a_stream_that_is_begun_after_closing_sends_nothing() -> None:
    """Not even over a borrowed session, which goes on: each id is answered by the error."""
    async with FakeHelpCrunch(5) as server, open_session() as mine:
        async with HelpCrunchClient("key", base_url=server.url, session=borrow_session(mine)) as client:
            lookups = client.stream_customers([1, 2])
        async with aclosing(lookups):
            errors = [lookup.error async for lookup in lookups]
        assert [type(error) for error in errors] == [ClientClosedError] * 2
        assert server.requests == []
