"""Closing, deadlines and limited patience: nobody waits in vain, or loses ids to its own siblings."""

import asyncio
from typing import Any

import aiohttp
import pytest
from aiohttp import ClientRequest, ClientResponse
from aiohttp.client_middlewares import ClientHandlerType

from helpcrunch_async import (
    UNLIMITED,
    ClientClosedError,
    Customer,
    DeadlineExceededError,
    HelpCrunchClient,
    RateLimiter,
    RateLimitError,
    all_of,
    borrow_session,
)
from helpcrunch_async.rate_limit import TurnRefusedError, limiter_of_account
from helpcrunch_async.search import EMAIL, ID
from helpcrunch_async.testing import FakeHelpCrunch, run_in_virtual_time


def rows(count: int) -> list[dict[str, Any]]:
    return [{"id": each, "email": f"c{each}@example.com"} for each in range(1, count + 1)]


async def test_close_ends_calls_in_line_and_leaves_the_line_to_others() -> None:
    """A closed client's queued calls neither send nor hold up another client of the account."""
    async with FakeHelpCrunch() as server, aiohttp.ClientSession() as session:
        limiter = RateLimiter(4, 1.0)
        client = HelpCrunchClient(
            "key", base_url=server.url, rate_limiter=limiter, session=borrow_session(session), coalesce=False
        )
        await client.open()
        calls = [asyncio.create_task(client.get_customer(8737843)) for _ in range(20)]
        await asyncio.sleep(0.1)
        sent = len(server.requests)
        await client.close()
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        assert sum(isinstance(outcome, Customer) for outcome in outcomes) == sent
        assert {type(outcome) for outcome in outcomes} <= {Customer, ClientClosedError}
        assert len(server.requests) == sent
        assert limiter.statistics.waiting == limiter.statistics.in_flight == 0


async def test_a_caller_who_is_cancelled_while_the_client_closes_is_cancelled() -> None:
    """Closing does not swallow somebody else's cancellation."""
    async with FakeHelpCrunch(latency=1.0) as server:
        client = HelpCrunchClient("key", base_url=server.url, rate_limiter=UNLIMITED)
        await client.open()
        call = asyncio.create_task(client.get_customer(8737843))
        await asyncio.sleep(0.05)
        call.cancel()
        await client.close()
        with pytest.raises(asyncio.CancelledError):
            await call


async def test_close_ends_streams_that_were_left_open() -> None:
    """A stream that nobody consumes any more does not go on taking turns."""
    async with FakeHelpCrunch(rows(300)) as server:
        limiter = RateLimiter(40, 1.0)
        async with HelpCrunchClient("key", base_url=server.url, rate_limiter=limiter) as client:
            stream = client.stream_customers(range(1, 301), batch=False)
            await anext(stream)
        assert limiter.statistics.waiting == limiter.statistics.in_flight == 0
        await stream.aclose()


async def test_a_streams_own_backlog_is_not_held_against_its_patience() -> None:
    """On an idle account a stream with `max_wait` and `deadline` brings every id."""
    async with FakeHelpCrunch(rows(1500)) as server:
        for max_wait, deadline in ((1.0, None), (None, 1.0)):
            limiter = RateLimiter(30, 2.0)
            async with HelpCrunchClient(
                "key", base_url=server.url, rate_limiter=limiter, max_wait=max_wait, deadline=deadline
            ) as client:
                found = [lookup.customer async for lookup in client.stream_customers(range(1, 1501))]
            assert len(found) == 1500
            assert None not in found


@pytest.mark.parametrize("batch", [True, False], ids=["searched", "singly"])
def test_bulk_work_that_gets_no_turn_is_told_at_once(*, batch: bool) -> None:
    """The ids share the fate of the request that was refused: none goes on asking beyond its patience."""

    async def main() -> None:
        limiter = RateLimiter(1, 60.0)
        (await limiter.turn()).accepted()
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with HelpCrunchClient(
            "key", base_url="http://127.0.0.1:9/v1", rate_limiter=limiter, max_wait=1.0
        ) as client:
            outcomes = await client.get_customers(range(1, 151), return_exceptions=True, batch=batch)
        assert {type(outcome) for outcome in outcomes} == {RateLimitError}
        assert loop.time() == began

    run_in_virtual_time(main())


async def test_the_deadline_bounds_get_customers_as_a_whole() -> None:
    """One awaited call, one deadline."""
    async with (
        FakeHelpCrunch(rows(3000)) as server,
        HelpCrunchClient(
            "key", base_url=server.url, rate_limiter=RateLimiter(4, 2.0), deadline=0.5
        ) as client,
    ):
        with pytest.raises(DeadlineExceededError):
            await client.get_customers(range(1, 3001))


async def test_folded_calls_keep_their_own_patience() -> None:
    """Calls with `max_wait` share requests, and each is refused when it has waited long enough."""
    async with FakeHelpCrunch(rows(300)) as server:
        limiter = RateLimiter(10, 10.0, burst=2)
        async with HelpCrunchClient("key", base_url=server.url, rate_limiter=limiter, max_wait=5.0) as client:
            customers = await asyncio.gather(*(client.get_customer(each) for each in range(1, 301)))
            assert [customer.id for customer in customers] == list(range(1, 301))
            assert len(server.requests) == 4, "three searches and the proof"
            (await limiter.turn()).rejected(30.0)
            with pytest.raises(RateLimitError) as refused:
                await client.with_options(max_wait=0.1).get_customer(1)
            assert (refused.value.attempts, refused.value.code) == (0, None)
            await asyncio.sleep(0.01)  # the request that nobody needs any more leaves the line
            assert limiter.statistics.waiting == 0


async def test_folded_callers_hear_even_of_errors_that_cannot_be_copied() -> None:
    """Whatever a middleware of a borrowed session raises, nobody is left waiting."""

    class OddError(Exception):
        def __init__(self, one: int, two: int) -> None:
            super().__init__("odd")

    async def odd(_: ClientRequest, __: ClientHandlerType) -> ClientResponse:
        raise OddError(1, 2)

    async with (
        FakeHelpCrunch() as server,
        aiohttp.ClientSession(middlewares=[odd]) as session,
        HelpCrunchClient(
            "key", base_url=server.url, rate_limiter=UNLIMITED, session=borrow_session(session)
        ) as client,
    ):
        outcomes = await asyncio.gather(*map(client.get_customer, (1, 2, 3)), return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {OddError}


async def test_views_with_many_options_do_not_pile_up() -> None:
    """A view per request, each with its own deadline or time-out, costs nothing that stays."""
    async with (
        FakeHelpCrunch() as server,
        HelpCrunchClient("key", base_url=server.url, rate_limiter=UNLIMITED) as client,
    ):
        for tenth in range(1, 40):
            await client.with_options(timeout=30 + tenth / 10).get_customer(8737843)
        opened = client._shared.open
        assert opened is not None
        assert len(opened.coalescing) <= 2


def test_a_paused_accounts_limiter_is_kept() -> None:
    """A client per request does not forget a Retry-After of ten minutes."""

    async def main() -> None:
        limiter = limiter_of_account("https://a.example", "key")
        (await limiter.turn()).rejected(600.0)
        del limiter
        await asyncio.sleep(100)
        limiter_of_account("https://b.example", "key")
        await asyncio.sleep(1)
        assert limiter_of_account("https://a.example", "key").statistics.paused_for > 400

    run_in_virtual_time(main())


def test_probes_go_on_after_a_long_outage_with_retry_after() -> None:
    """However long a server said no, a recovery is noticed within minutes."""

    async def main() -> None:
        limiter = RateLimiter()
        loop = asyncio.get_running_loop()
        recovered = None
        while recovered is None:
            try:
                turn = await limiter.turn(max_wait=30.0)
                await asyncio.sleep(0.05)
                if loop.time() < 8000:
                    turn.rejected(1.0)
                else:
                    turn.accepted()
                    recovered = loop.time()
            except TurnRefusedError:
                pass
            await asyncio.sleep(10)
        assert recovered < 8000 + 5 * 60

    run_in_virtual_time(main())


def test_a_rejected_call_is_not_taken_for_the_last_in_line() -> None:
    """It stands at the head: its patience is measured from there."""

    async def main() -> None:
        limiter = RateLimiter()
        mine = await limiter.turn()
        others = [asyncio.create_task(limiter.turn()) for _ in range(1000)]
        await asyncio.sleep(0)
        mine.rejected(1.0)
        await mine.again(max_wait=5.0)
        mine.accepted()
        for other in others:
            other.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    run_in_virtual_time(main())


def test_refused_callers_leave_nothing_behind() -> None:
    """Thousands that could not wait are forgotten, also while the gate is closed."""

    async def main() -> None:
        limiter = RateLimiter()
        (await limiter.turn()).rejected(1000.0)
        for _ in range(5000):
            with pytest.raises(TurnRefusedError):
                await limiter.turn(max_wait=1.0)
        assert sum(len(lane) for lane in limiter._waiters.schedule.line._lanes.values()) < 200

    run_in_virtual_time(main())


async def test_search_customers_walks_the_pages_of_a_typed_query() -> None:
    """Filters made by `search.py` arrive as the API takes them."""
    async with (
        FakeHelpCrunch(rows(250)) as server,
        HelpCrunchClient("key", base_url=server.url, rate_limiter=UNLIMITED) as client,
    ):
        query = all_of(EMAIL.contains("@example.com"), ID.above(20))
        found = [customer.id async for customer in client.search_customers(query)]
        assert found == list(range(21, 251))
        assert len(server.requests) == 3
        first = await client.search_customers(query, sort="firstSeen", order="desc").to_list(limit=5)
        assert len(first) == 5
        with pytest.raises(TypeError):
            client.search_customers({"filter": []})  # type: ignore[arg-type] # on purpose
