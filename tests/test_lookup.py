"""Customers by their ids: few requests, every answer checked, every id accounted for."""

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing
from typing import Any

import pytest

from helpcrunch_async import (
    UNLIMITED,
    Customer,
    DeadlineExceededError,
    HelpCrunchClient,
    HelpCrunchError,
    Limiter,
    Lookup,
    NotFoundError,
    RateLimiter,
    ServerError,
)
from helpcrunch_async.testing import FakeHelpCrunch, SearchBehaviour, TokenBucket

FEARED = {
    "honest": SearchBehaviour(),
    "refuses more than 30 filters": SearchBehaviour(max_filters=30),
    "refuses every filter": SearchBehaviour(max_filters=0),
    "ignores the filter": SearchBehaviour(ignores_filter=True),
    "answers half the rows": SearchBehaviour(answers_half=True),
    "answers in another order": SearchBehaviour(reverses=True),
}


def client_of(server: FakeHelpCrunch, rate_limiter: Limiter = UNLIMITED, **options: Any) -> HelpCrunchClient:
    return HelpCrunchClient("key", base_url=server.url, rate_limiter=rate_limiter, **options)


async def ids_of(server: FakeHelpCrunch, count: int) -> list[int]:
    async with client_of(server) as client:
        ids = [customer.id async for customer in client.list_customers(limit=count)]
    server.forget()
    return ids


async def collect(stream: AsyncIterator[Lookup], found: list[int]) -> None:
    async for lookup in stream:
        found.append(lookup.id)  # noqa: PERF401 - kept also when the stream ends with an error


def requests_of(server: FakeHelpCrunch) -> list[str]:
    return [f"{request.method} {request.path}" for request in server.requests]


def methods_of(server: FakeHelpCrunch) -> list[str]:
    return [request.method for request in server.requests]


async def test_a_thousand_ids_cost_eleven_requests() -> None:
    """A hundred ids share a search, and one row is also asked for; all customers come in the order asked."""
    async with FakeHelpCrunch(1000) as server:
        ids = await ids_of(server, 1000)
        async with client_of(server) as client:
            customers = await client.get_customers(ids[::-1])
        assert [customer.id for customer in customers] == ids[::-1]
        assert methods_of(server) == ["POST", "GET", *["POST"] * 9]


async def test_a_thousand_gathered_calls_cost_eleven_requests() -> None:
    """Plain `gather` gets the same, with all defaults; and ten, once searches are proved."""
    async with FakeHelpCrunch(1000) as server:
        ids = await ids_of(server, 1000)
        async with HelpCrunchClient("key", base_url=server.url) as client:
            customers = await asyncio.gather(*(client.get_customer(each) for each in ids))
            assert [customer.id for customer in customers] == ids
            assert methods_of(server) == ["POST", "GET", *["POST"] * 9]
            server.forget()
            await asyncio.gather(*(client.get_customer(each) for each in ids))
            assert methods_of(server) == ["POST"] * 10


async def test_without_coalescing_each_call_is_a_get() -> None:
    """As many as there are ids, and no search."""
    async with FakeHelpCrunch(20) as server:
        ids = await ids_of(server, 20)
        async with client_of(server, coalesce=False) as client:
            await asyncio.gather(*(client.get_customer(each) for each in ids))
        assert methods_of(server) == ["GET"] * 20


async def test_a_lone_call_is_a_plain_get() -> None:
    """Coalescing changes nothing for a call that nobody waits beside."""
    async with FakeHelpCrunch() as server, client_of(server) as client:
        assert (await client.get_customer(8737843)).name == "Cindy Mindy"
        assert requests_of(server) == ["GET /customers/8737843"]


async def test_calls_that_wait_for_a_turn_are_folded_when_it_comes() -> None:
    """Calls that arrive one by one while the line is paced share the next turn."""
    async with FakeHelpCrunch(50) as server:
        ids = await ids_of(server, 50)
        async with client_of(server, RateLimiter(2, 0.4, burst=1)) as client:

            async def later(delay: float, customer_id: int) -> Customer:
                await asyncio.sleep(delay)
                return await client.get_customer(customer_id)

            await asyncio.gather(*(later(index * 0.004, each) for index, each in enumerate(ids)))
        assert len(server.requests) <= 4


@pytest.mark.parametrize("behaviour", FEARED.values(), ids=FEARED.keys())
@pytest.mark.parametrize("way", ["get_customers", "stream_customers", "folded"])
async def test_every_id_is_accounted_for_exactly_once(behaviour: SearchBehaviour, way: str) -> None:
    """Whatever the search does, each id is answered by its own customer or by its own 404."""
    async with FakeHelpCrunch(150, search=behaviour) as server:
        ids = await ids_of(server, 150)
        asked = [*ids, 3, 4, 5]
        async with client_of(server) as client:
            if way == "get_customers":
                outcomes: list[Customer | BaseException] = [
                    *await client.get_customers(asked, return_exceptions=True)
                ]
            elif way == "folded":
                outcomes = await asyncio.gather(*map(client.get_customer, asked), return_exceptions=True)
            else:
                found = {lookup.id: lookup async for lookup in client.stream_customers(asked)}
                assert all((lookup.customer is None) != (lookup.error is None) for lookup in found.values())
                outcomes = [found[each].customer or found[each].error or KeyError(each) for each in asked]
        assert [outcome.id for outcome in outcomes[:150] if isinstance(outcome, Customer)] == ids
        assert [type(outcome) for outcome in outcomes[150:]] == [NotFoundError] * 3


@pytest.mark.parametrize(
    ("behaviour", "warning"),
    [
        ("honest", None),
        ("answers in another order", None),
        ("refuses more than 30 filters", None),
        ("refuses every filter", "HelpCrunch refuses them"),
        ("ignores the filter", "that were not asked for"),
        ("answers half the rows", "did not find customers that exist"),
    ],
)
async def test_a_useless_search_is_given_up_for_the_account_and_said_once(
    behaviour: str, warning: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    """After that, one request per customer; a client that trusts searches keeps using them."""
    async with FakeHelpCrunch(400, search=FEARED[behaviour]) as server:
        ids = await ids_of(server, 400)
        async with client_of(server) as client:
            await client.get_customers(ids[:200])
            server.forget()
            await client.get_customers(ids[200:])
    said = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    if warning is None:
        assert said == []
        assert all(request == "POST /customers/search" for request in requests_of(server))
    else:
        assert len(said) == 1
        assert warning in said[0]
        assert all(request.startswith("GET /customers/") for request in requests_of(server))


async def test_a_refused_width_is_halved_and_remembered() -> None:
    """A server that takes 30 filters gets 25 at a time, and is not asked for more again."""
    async with FakeHelpCrunch(300, search=FEARED["refuses more than 30 filters"]) as server:
        ids = await ids_of(server, 300)
        async with client_of(server) as client:
            await client.get_customers(ids[:100])
            server.forget()
            await client.get_customers(ids[100:])
        assert len(server.requests) == 8
        assert {request.status for request in server.requests} == {200}


async def test_ids_of_a_refused_search_go_before_those_that_came_later() -> None:
    """They keep their place in line when they are asked for anew, in narrower searches."""
    async with FakeHelpCrunch(100, search=SearchBehaviour(max_filters=30)) as server:
        ids = await ids_of(server, 100)
        arrived = asyncio.Event()
        server.on_request = lambda _: arrived.set()
        async with client_of(server, RateLimiter(5, 1.0, burst=1)) as client:
            first = [asyncio.create_task(client.get_customer(each)) for each in ids[:60]]
            await arrived.wait()
            later = [asyncio.create_task(client.get_customer(each)) for each in ids[60:]]
            await asyncio.gather(*first, *later)
        searches = [json.loads(request.body)["filter"] for request in server.requests if request.body]
        asked = [[item["value"] for item in search] for search in searches]
        assert asked == [ids[:60], ids[:30], ids[30:60], ids[60:90], ids[90:]]


async def test_one_stale_row_costs_one_get_and_no_trust() -> None:
    """A customer that search does not know yet is found all the same."""
    async with FakeHelpCrunch(200) as server:
        ids = await ids_of(server, 200)
        server.search = SearchBehaviour(stale_ids={ids[7]})
        async with client_of(server) as client:
            customers = await client.get_customers(ids)
            assert [customer.id for customer in customers] == ids
            assert methods_of(server) == ["POST", "GET", "POST", "GET"] or methods_of(server) == [
                "POST",
                "GET",
                "GET",
                "POST",
            ]
            server.forget()
            await client.get_customers(ids[100:])
            assert len(server.requests) == 1


async def test_the_first_error_is_raised_and_ends_what_is_pending() -> None:
    """Without `return_exceptions`, one missing customer ends the call."""
    async with FakeHelpCrunch(20) as server:
        ids = await ids_of(server, 20)
        async with client_of(server) as client:
            with pytest.raises(NotFoundError):
                await client.get_customers([*ids, 5])
            assert len(asyncio.all_tasks()) <= 1 + server_tasks()


def server_tasks() -> int:
    """Count the tasks of the fake server, which runs in the same loop."""
    return sum("helpcrunch_async" not in str(task.get_coro()) for task in asyncio.all_tasks()) - 1


async def test_duplicates_are_answered_every_time_and_asked_once() -> None:
    """The list has as many entries as ids were given."""
    async with FakeHelpCrunch(5) as server:
        ids = await ids_of(server, 5)
        async with client_of(server) as client:
            customers = await client.get_customers([ids[0], ids[1], ids[0]])
            assert [customer.id for customer in customers] == [ids[0], ids[1], ids[0]]
            answers = [lookup.id async for lookup in client.stream_customers([ids[0]] * 7)]
            assert answers == [ids[0]] * 7
            assert methods_of(server) == ["POST", "GET", "GET"]
            assert requests_of(server)[2] == f"GET /customers/{ids[0]}"
            assert server.requests[0].body.count(str(ids[0]).encode()) == 1


async def test_batch_false_asks_one_by_one() -> None:
    """Whoever wants the freshest truth can have it."""
    async with FakeHelpCrunch(30) as server:
        ids = await ids_of(server, 30)
        async with client_of(server) as client:
            await client.get_customers(ids, batch=False)
        assert sorted(requests_of(server)) == sorted(f"GET /customers/{each}" for each in ids)


async def test_no_ids_cost_no_request() -> None:
    """An empty list is answered by an empty list."""
    async with FakeHelpCrunch(1) as server, client_of(server) as client:
        assert await client.get_customers([]) == []
        assert [lookup async for lookup in client.stream_customers(iter(()))] == []
        assert server.requests == []


async def test_a_stream_pulls_ids_only_as_results_are_consumed() -> None:
    """A consumer that stops for a while stops the pulling: memory is bounded."""
    pulled = 0

    def endless(ids: list[int]) -> Iterator[int]:
        nonlocal pulled
        while True:
            for each in ids:
                pulled += 1
                yield each

    async with FakeHelpCrunch(300) as server:
        ids = await ids_of(server, 300)
        async with client_of(server) as client, aclosing(client.stream_customers(endless(ids))) as stream:
            consumed = 0
            async for lookup in stream:
                assert lookup.customer is not None
                consumed += 1
                if consumed in {10, 2500}:
                    await asyncio.sleep(0.2)
                    assert pulled <= consumed + 1001
                if consumed == 3000:
                    break


async def test_leaving_the_loop_leaves_nothing_running() -> None:
    """No task, no request and no pulling goes on after `break`."""
    closed = False

    async def forever(ids: list[int]) -> AsyncGenerator[int, None]:
        nonlocal closed
        try:
            while True:
                for each in ids:
                    yield each
                await asyncio.sleep(0)
        finally:
            closed = True

    async with FakeHelpCrunch(30, latency=0.05) as server:
        ids = await ids_of(server, 30)
        async with client_of(server) as client:
            source = forever(ids)
            async for _ in client.stream_customers(source, batch=False):
                break
            await asyncio.sleep(0.2)
            ours = [task for task in asyncio.all_tasks() if "helpcrunch_async" in str(task.get_coro())]
            assert [task for task in ours if "testing" not in str(task.get_coro())] == []
            await source.aclose()
            assert closed


async def test_a_slow_source_does_not_hold_up_what_is_there() -> None:
    """Ids that trickle in are asked for as they come, not when a hundred have gathered."""
    async with FakeHelpCrunch(3) as server:
        ids = await ids_of(server, 3)
        answered = asyncio.Event()

        async def trickle() -> AsyncIterator[int]:
            yield ids[0]
            await asyncio.wait_for(answered.wait(), 5)
            yield ids[1]

        async with client_of(server) as client:
            found = []
            async for lookup in client.stream_customers(trickle()):
                found.append(lookup.id)
                answered.set()
        assert found == ids[:2]


async def test_a_bad_id_in_a_stream_is_told_after_all_earlier_answers() -> None:
    """Nothing that was asked before the bad id is lost."""
    async with FakeHelpCrunch(5) as server:
        ids = await ids_of(server, 5)
        found: list[int] = []
        async with client_of(server) as client:
            with pytest.raises(TypeError, match="positive int, not str"):
                await collect(client.stream_customers([*ids, "6", 7]), found)  # type: ignore[list-item] # on purpose
        assert sorted(found) == sorted(ids)


async def test_a_broken_source_is_told_after_all_earlier_answers() -> None:
    """An exception of the source comes through, and comes last."""

    def breaking(ids: list[int]) -> Iterator[int]:
        yield from ids
        raise OSError("the file ended here")

    async with FakeHelpCrunch(5) as server:
        ids = await ids_of(server, 5)
        found: list[int] = []
        async with client_of(server) as client:
            with pytest.raises(OSError, match="the file ended here"):
                await collect(client.stream_customers(breaking(ids)), found)
        assert len(found) == 5


async def test_a_server_error_reaches_each_id_of_its_batch_and_no_other() -> None:
    """One search that fails for good is not the end of the other ids."""
    async with FakeHelpCrunch(250) as server:
        ids = await ids_of(server, 250)
        async with client_of(server) as client:
            server.fail_next(4, "503", path="/customers/search")
            outcomes = await client.with_options(max_wait=None).get_customers(
                ids[:100], return_exceptions=True
            )
            assert {type(outcome) for outcome in outcomes} == {ServerError}
            assert len({id(outcome) for outcome in outcomes}) == 100, "each its own error"
            again = await client.get_customers(ids)
            assert [customer.id for customer in again] == ids


async def test_cancelling_one_folded_caller_touches_no_other() -> None:
    """In line or on the wire: the others get their customers, and nothing is asked for nobody."""
    async with FakeHelpCrunch(20, latency=0.05) as server:
        ids = await ids_of(server, 20)
        async with client_of(server) as client:
            callers = [asyncio.create_task(client.get_customer(each)) for each in ids]
            await asyncio.sleep(0.02)
            callers[3].cancel()
            outcomes = await asyncio.gather(*callers, return_exceptions=True)
            assert isinstance(outcomes.pop(3), asyncio.CancelledError)
            assert all(isinstance(outcome, Customer) for outcome in outcomes)

            server.forget()
            callers = [asyncio.create_task(client.get_customer(each)) for each in ids]
            await asyncio.sleep(0)
            for caller in callers:
                caller.cancel()
            await asyncio.gather(*callers, return_exceptions=True)
            await asyncio.sleep(0.1)
            assert server.requests == []


async def test_a_request_that_nobody_waits_for_any_more_is_cancelled() -> None:
    """When the last caller of a batch leaves, its connection is given back."""
    async with FakeHelpCrunch(2) as server:
        ids = await ids_of(server, 2)
        limiter = RateLimiter()
        async with client_of(server, limiter) as client:
            server.fail_next(1, "hang")
            callers = [asyncio.create_task(client.get_customer(each)) for each in ids]
            await asyncio.sleep(0.1)
            assert limiter.statistics.in_flight == 1
            for caller in callers:
                caller.cancel()
            await asyncio.gather(*callers, return_exceptions=True)
            await asyncio.sleep(0.05)
            assert limiter.statistics.in_flight == 0


async def test_a_folded_callers_deadline_is_its_own() -> None:
    """One caller in a hurry gives up; another that shares its request does not."""
    async with FakeHelpCrunch(2, latency=0.3) as server:
        first, second = await ids_of(server, 2)
        async with client_of(server) as client:
            hurried = client.with_options(deadline=0.1)
            late, found = await asyncio.gather(
                hurried.get_customer(first), client.get_customer(second), return_exceptions=True
            )
        assert isinstance(late, DeadlineExceededError)
        assert isinstance(found, Customer)
        assert methods_of(server) == ["POST", "GET"]


async def test_one_folded_callers_404_is_its_own() -> None:
    """A missing customer is told to whoever asked for it, by the GET's word."""
    async with FakeHelpCrunch(2) as server:
        first, second = await ids_of(server, 2)
        async with client_of(server) as client:
            outcomes = await asyncio.gather(
                client.get_customer(first),
                client.get_customer(7),
                client.get_customer(second),
                return_exceptions=True,
            )
        assert [type(outcome) for outcome in outcomes] == [Customer, NotFoundError, Customer]
        missing = outcomes[1]
        assert isinstance(missing, NotFoundError)
        assert (missing.method, missing.path, missing.status) == ("GET", "/customers/7", 404)


async def test_closing_tells_folded_callers() -> None:
    """Nobody waits on a client that is gone."""
    async with FakeHelpCrunch(2, latency=0.5) as server:
        client = client_of(server)
        await client.open()
        caller = asyncio.create_task(client.get_customer(8737843))
        await asyncio.sleep(0.1)
        await client.close()
        with pytest.raises(HelpCrunchError, match="closed"):
            await caller


async def test_bulk_work_shares_the_budget_of_interactive_calls() -> None:
    """Under a real limit both are served, without a rejection."""
    async with FakeHelpCrunch(2000, rate_rule=TokenBucket(60, 1.0)) as server:
        ids = await ids_of(server, 120)
        await asyncio.sleep(1.1)
        async with client_of(server, RateLimiter(60, 1.0)) as client:
            bulk = asyncio.create_task(client.get_customers(ids, batch=False))
            for each in ids[:10]:
                await client.get_customer(each)
                assert not bulk.done()
            assert len(await bulk) == 120
        assert server.rejected == 0


async def test_a_long_stream_leaves_room_for_interactive_calls() -> None:
    """A stream, which shows the limiter ten requests at a time, bursts through half of the budget only."""
    customers = [{"id": each} for each in range(1, 8001)]
    async with FakeHelpCrunch(customers) as server:
        limiter = RateLimiter()
        async with client_of(server, limiter) as client:
            stream = client.stream_customers(range(1, 8001))
            async with aclosing(stream):
                for _ in range(5500):
                    await anext(stream)
                assert 55 <= limiter.statistics.granted <= 62
                async with asyncio.timeout(5):
                    await asyncio.gather(*(client.get_customer(each) for each in range(1, 6)))
