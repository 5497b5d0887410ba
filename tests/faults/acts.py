"""What a caller does on a stage, where it takes more than one request to meet a fault."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any, TypeAlias

import pytest

from faults.clients import CREATION, requester_of, send
from faults.stages import Stage
from helpcrunch_async import HelpCrunchClient, RateLimitError

Act: TypeAlias = Callable[[HelpCrunchClient, Stage], Awaitable[object]]


async def read(client: HelpCrunchClient, _: Stage) -> None:
    """Get a customer."""
    assert (await client.get_customer(7)).id == 7


async def told_to_wait_a_day(client: HelpCrunchClient, _: Stage) -> None:
    """Get a customer, later."""
    with pytest.raises(RateLimitError) as caught:
        await client.get_customer(7)
    assert caught.value.retry_after == 86_400.0
    raise caught.value


async def read_listing(client: HelpCrunchClient, _: Stage) -> None:
    """Walk a listing."""
    await client.list_customers().to_list()


async def read_twice(client: HelpCrunchClient, stage: Stage) -> None:
    """Get a customer, and again."""
    await read(client, stage)
    await read(client, stage)


async def read_and_write(client: HelpCrunchClient, stage: Stage) -> None:
    """Get a customer, then create one."""
    await read(client, stage)
    await send(client, CREATION)


async def _read_and_see_more_come(client: HelpCrunchClient, stage: Stage) -> None:
    await read(client, stage)
    assert stage.session.session is not None
    connector: Any = stage.session.session.connector
    [[(kept, _)]] = connector._conns.values()
    while not kept.should_close:  # noqa: ASYNC110 - the connection has no event for it
        await asyncio.sleep(0)


async def read_once_it_was_answered_again(client: HelpCrunchClient, stage: Stage) -> None:
    """Get a customer over a connection that brought more than was asked for."""
    await _read_and_see_more_come(client, stage)
    await read(client, stage)


async def write_once_it_was_answered_again(client: HelpCrunchClient, stage: Stage) -> None:
    """Create a customer over a connection that brought more than was asked for."""
    await _read_and_see_more_come(client, stage)
    assert await send(client, CREATION) == {"id": 7, "email": "mara.quill@customer.example"}


async def cancelled_in_line(client: HelpCrunchClient, _: Stage) -> None:
    """Cancel a call that waits for its turn."""
    limiter = requester_of(client)._limiter
    (await limiter.turn()).rejected(60.0)
    call = asyncio.create_task(client.get_customer(7))
    await asyncio.sleep(0)
    call.cancel()
    await call


async def cancelled_in_backoff(client: HelpCrunchClient, _: Stage) -> None:
    """Cancel a call that sleeps before a retry."""
    asleep = asyncio.Event()

    async def sleep(_: float) -> None:
        asleep.set()
        await asyncio.Event().wait()

    requester_of(client)._sleep = sleep
    call = asyncio.create_task(client.get_customer(7))
    await asleep.wait()
    call.cancel()
    await call


async def cancelled_on_the_wire(client: HelpCrunchClient, stage: Stage) -> None:
    """Cancel a call whose answer has not come."""
    call = asyncio.create_task(client.get_customer(7))
    await stage.server.arrived.wait()
    call.cancel()
    await call


async def session_closed_before(client: HelpCrunchClient, stage: Stage) -> None:
    """Call when somebody has closed the session."""
    assert stage.session.session is not None
    await stage.session.session.close()
    await client.get_customer(7)


async def session_closed_before_a_change(client: HelpCrunchClient, stage: Stage) -> None:
    """Change something when somebody has closed the session."""
    assert stage.session.session is not None
    await stage.session.session.close()
    await send(client, CREATION)


async def session_closed_in_flight(client: HelpCrunchClient, stage: Stage) -> None:
    """Close the session under a call."""
    await _close_under(client.get_customer(7), stage)


async def session_closed_under_a_change(client: HelpCrunchClient, stage: Stage) -> None:
    """Close the session under a call that changes something."""
    await _close_under(send(client, CREATION), stage)


async def _close_under(work: Coroutine[Any, Any, object], stage: Stage) -> None:
    call = asyncio.create_task(work)
    await stage.server.arrived.wait()
    assert stage.session.session is not None
    await stage.session.session.close()
    await call


async def client_closed_in_flight(client: HelpCrunchClient, stage: Stage) -> None:
    """Close the client under a call."""
    call = asyncio.create_task(client.get_customer(7))
    await stage.server.arrived.wait()
    await client.close()
    await call


async def read_in_another_loop(client: HelpCrunchClient, _: Stage) -> None:
    """Call from a second event loop, in a thread of its own."""
    await asyncio.to_thread(lambda: asyncio.run(client.get_customer(7)))


async def stream_ten_thousand(client: HelpCrunchClient, _: Stage) -> None:
    """Stream many customers, and see how much is in hand at a time."""
    pulled = 0

    def ids() -> Iterator[int]:
        nonlocal pulled
        for each in range(1, 10_001):
            pulled = each
            yield each

    found = []
    most_tasks = furthest = 0
    async for lookup in client.stream_customers(ids()):
        found.append(lookup.id)
        most_tasks = max(most_tasks, len(asyncio.all_tasks()))
        furthest = max(furthest, pulled - len(found))
    assert list(range(1, 10_001)) == sorted(found)
    assert furthest <= 1_000
    assert most_tasks <= 130
