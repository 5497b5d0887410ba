"""Several loops, and loops that are interrupted: nothing of ours outlives the loop that it began in."""

import asyncio
import signal
import sys
from typing import Any

import pytest
from faults.behaviours import KEPT, hang
from faults.server import FaultServer

from helpcrunch_async import ClientClosedError, HelpCrunchClient, RateLimiter


@pytest.mark.parametrize("coalesce", [False, True], ids=["alone", "coalesced"])
def test_a_client_moves_on_from_a_loop_that_ended_in_the_middle_of_work(*, coalesce: bool) -> None:
    """The same client, with the same limiter, serves in the next loop, and remembers nothing of the last."""
    limiter = RateLimiter(4, 0.2)
    client = HelpCrunchClient("key", rate_limiter=limiter, coalesce=coalesce)

    async def leave_work_undone() -> list[Any]:
        async with FaultServer(hang) as server:
            client._base_url = server.url
            async with client:
                calls: list[asyncio.Task[Any]] = []
                calls += [asyncio.create_task(client.get_customer(each)) for each in range(1, 9)]
                calls.append(asyncio.create_task(client.get_customers(range(1, 500))))
                await server.arrived.wait()
            return await asyncio.gather(*calls, return_exceptions=True)

    async def work() -> int:
        async with FaultServer(KEPT, keep_alive=True) as server:
            client._base_url = server.url
            async with client:
                return (await client.get_customer(7)).id

    outcomes = asyncio.run(leave_work_undone())
    assert {ClientClosedError} == {type(outcome) for outcome in outcomes}
    assert (limiter.statistics.waiting, limiter.statistics.in_flight) == (0, 0)
    assert asyncio.run(work()) == 7


INTERRUPTED = """
import asyncio, sys
from helpcrunch_async import HelpCrunchClient, RateLimiter

async def main():
    limiter = RateLimiter(4, 60.0)
    try:
        async with HelpCrunchClient("key", base_url=sys.argv[1], rate_limiter=limiter) as client:
            {work}
    finally:
        print(limiter.statistics.waiting, limiter.statistics.in_flight, flush=True)

asyncio.run(main())
"""

WORK = {
    "in a group": "async with asyncio.TaskGroup() as group:\n"
    "                [group.create_task(client.get_customer(each)) for each in range(1, 9)]",
    "in bulk": "await client.get_customers(range(1, 2000))",
    "a stream": "[lookup async for lookup in client.stream_customers(range(1, 2000))]",
}


@pytest.mark.skipif(sys.platform == "win32", reason="signals of another process are not to be had there")
@pytest.mark.parametrize("work", WORK.values(), ids=WORK)
async def test_ctrl_c_ends_a_program(work: str) -> None:
    """It leaves with KeyboardInterrupt and not a word more; nothing is left open, in line or running."""
    async with FaultServer(hang) as server, asyncio.timeout(60):
        program = await asyncio.create_subprocess_exec(
            *(sys.executable, "-X", "dev", "-W", "error", "-c", INTERRUPTED.format(work=work), server.url),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        await server.arrived.wait()
        program.send_signal(signal.SIGINT)
        said, complained = (stream.decode() for stream in await program.communicate())
        await server.until_all_have_left()
    assert program.returncode == -signal.SIGINT
    assert complained.splitlines()[-1] == "KeyboardInterrupt"
    for leak in ("Warning", "Unclosed", "never retrieved", "never awaited", "destroyed"):
        assert leak not in complained
    assert said.split() == ["0", "0"]
