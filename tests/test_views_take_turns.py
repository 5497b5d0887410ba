"""What the client tells the limiter of a call: whose it is, and how many its job still has."""

import asyncio
from collections.abc import Hashable
from typing import Any

from helpcrunch_async import UNLIMITED, CustomerUpdate, HelpCrunchClient, Priority, Turn
from helpcrunch_async.testing import FakeHelpCrunch, generate_customers


class Told:
    """A limiter that lets all calls through, and remembers how they were announced."""

    paces = False

    def __init__(self) -> None:
        self.flows: list[Hashable] = []
        self.expected: list[int] = []

    async def turn(
        self,
        priority: Priority = "interactive",
        max_wait: float | None = None,
        *,
        flow: Hashable | None = None,
        expected: int = 1,
    ) -> Turn:
        self.flows.append(flow)
        self.expected.append(expected)
        return await UNLIMITED.turn(priority, max_wait)


async def test_each_view_is_a_flow() -> None:
    """Whatever it calls, and whatever its options; so is each client."""
    told = Told()
    async with FakeHelpCrunch(3) as server:
        ids = [each["id"] for each in generate_customers(3)]
        for _ in range(2):
            async with HelpCrunchClient(
                "key", base_url=server.url, rate_limiter=told, coalesce=False
            ) as client:
                for view in (client, client.with_options(), client.with_options()):
                    await view.get_customer(ids[0])
                    await view.get_customers(ids, batch=False)
                    await view.list_customers().page()
    assert [told.flows.index(flow) for flow in told.flows] == [5 * (each // 5) for each in range(30)]
    assert None not in told.flows


async def test_a_job_announces_how_many_calls_it_has() -> None:
    """However few of them wait: of a list of ids those, too, that are still to be pulled."""
    told = Told()
    async with FakeHelpCrunch(300) as server:
        ids = [each["id"] for each in generate_customers(300)]
        async with HelpCrunchClient("key", base_url=server.url, rate_limiter=told) as client:
            await client.get_customers(ids, batch=False)
            assert told.expected[0] == 300
            told.expected.clear()
            async for _ in client.stream_customers(ids, batch=False):
                pass
            assert told.expected[0] == 300
            assert told.expected[-1] <= 100
            told.expected.clear()
            updates: list[CustomerUpdate] = [{"customer": each, "notes": "x"} for each in ids[:35]]
            await client.batch_update_customers(updates)
            assert told.expected == [4, 3, 2, 1]
            told.expected.clear()
            await asyncio.gather(client.get_customer(ids[0]), client.delete_customer(ids[1]))
            assert told.expected == [1, 1]


async def test_a_shared_request_counts_for_the_view_of_its_oldest_id() -> None:
    """Views that coalesce share their requests; the first caller's view pays."""
    told: Any = Told()
    async with FakeHelpCrunch(4) as server:
        ids = [each["id"] for each in generate_customers(4)]
        async with HelpCrunchClient("key", base_url=server.url, rate_limiter=told, coalesce=True) as client:
            views = [client.with_options(), client.with_options()]
            for first, second in (views, reversed(views)):
                told.flows.clear()
                await first.get_customer(ids[0])
                flow = told.flows[0]
                told.flows.clear()
                await asyncio.gather(*(view.get_customer(each) for view in (first, second) for each in ids))
                assert told.flows[0] == flow
