"""One process of `redis_processes.py`: workers that call a line server, paced in one of several ways.

The argument is JSON; what became of each call is printed at the end. The server answers each line by
"ok" or "no", so that what is measured is the pacing and not HTTP.
"""

import asyncio
import json
import random
import sys
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import TypeAlias

from attrs import frozen

from helpcrunch_async import Limiter, RateLimiter
from helpcrunch_async.redis_limit import RedisRateLimiter

Send: TypeAlias = Callable[[], Awaitable[bool]]
"""Sends a request; tells whether it was accepted."""
Call: TypeAlias = Callable[[Send], Awaitable[None]]
"""Sends until it is accepted."""


@frozen
class Job:
    """What one process is to do."""

    way: str
    redis: str
    port: int
    limit: int
    period: float
    processes: int
    workers: int
    seconds: float


def _ours(limiter: Limiter) -> Call:
    async def call(send: Send) -> None:
        turn = await limiter.turn()
        while True:
            try:
                if await send():
                    turn.accepted()
                    return
                turn.rejected(None)
            finally:
                turn.release()
            await turn.again()

    return call


def _peer(acquire: Callable[[], Awaitable[object]]) -> Call:
    """Ask before each attempt, and back off with jitter from a rejection, as their users do."""

    async def call(send: Send) -> None:
        for attempt in range(1000):
            await acquire()
            if await send():
                return
            await asyncio.sleep(random.random() * min(8.0, 0.5 * 2**attempt))

    return call


async def _way(job: Job) -> Call:
    share = job.limit // job.processes
    match job.way:
        case "local, the whole limit each":
            return _ours(RateLimiter(job.limit, job.period))
        case "local, a share each":
            return _ours(RateLimiter(share, job.period))
        case "Redis, shared":
            return _ours(
                RedisRateLimiter(
                    job.redis, job.limit, job.period, on_error="local", expected_processes=job.processes
                )
            )
    import redis_peers  # noqa: PLC0415 - these libraries take longer to load than a run can wait

    return _peer(await redis_peers.asker_of(job.way, job.redis, job.limit, job.period))


async def main(job: Job) -> None:
    call = await _way(job)
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)  # all processes begin together
    ends_at = monotonic() + job.seconds
    waits: list[tuple[float, float]] = []

    async def work() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", job.port)

        async def send() -> bool:
            writer.write(b"\n")
            return await reader.readline() == b"ok\n"

        while (begun := monotonic()) < ends_at:
            await call(send)
            waits.append((begun, monotonic()))
        writer.close()

    workers = [asyncio.ensure_future(work()) for _ in range(job.workers)]
    # whoever is not through by then hangs
    done, pending = await asyncio.wait(workers, timeout=job.seconds + 20)
    for worker in done:
        worker.result()
    print(json.dumps({"waits": waits, "hung": len(pending)}), flush=True)
    for worker in pending:
        worker.cancel()


if __name__ == "__main__":
    asyncio.run(main(Job(**json.loads(sys.argv[1]))))
