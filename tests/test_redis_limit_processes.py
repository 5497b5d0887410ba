"""Real processes that share a budget through a real Redis; both are killed and paused under way."""

import asyncio
import json
import os
import re
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from forks import run_forking

from helpcrunch_async.redis_limit import RedisRateLimiter
from helpcrunch_async.testing import FakeHelpCrunch, RollingLog

LIMIT, PERIOD = 50, 1.0
GENEROUS = 60.0  # seconds in which everything is over unless something hangs
WORKER = Path(__file__).with_name("redis_worker.py")


class Worker:
    """A process with a client and a limiter of its own."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def result(self) -> tuple[int, dict[str, int], str]:
        """Give the calls done, the failures by name, and the log."""
        async with asyncio.timeout(GENEROUS):
            output, log = await self.process.communicate()
        assert self.process.returncode == 0, log.decode()
        report = json.loads(output)
        return report["done"], report["failures"], log.decode()

    async def kill(self) -> None:
        """End it at once, paused or not."""
        if self.process.returncode is None:
            with suppress(ProcessLookupError):  # it may have ended unseen
                self.process.kill()
            await self.process.communicate()


class Crew:
    """The processes of one test; whatever becomes of it, none is left."""

    def __init__(self, redis: str) -> None:
        self._redis = redis
        self._workers: list[Worker] = []

    async def begin(self, server: FakeHelpCrunch, processes: int, calls: int, **limiter: Any) -> list[Worker]:
        """Start processes that want so many calls each, and wait until all have begun."""
        options = {"limit": LIMIT, "period": PERIOD, "timeout": 0.5, **limiter}
        arguments = {"redis": self._redis, "server": server.url, "calls": calls, "limiter": options}
        begun = []
        for _ in range(processes):
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                str(WORKER),
                json.dumps(arguments),
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
            begun.append(Worker(process))
            self._workers.append(begun[-1])
        for worker in begun:
            assert worker.process.stdout is not None
            assert await worker.process.stdout.readline() == b"begun\n"
        return begun

    async def kill(self) -> None:
        """End those that are left."""
        for worker in self._workers:
            await worker.kill()


@pytest.fixture
async def crew(redis_server: Any) -> AsyncIterator[Crew]:
    workers = Crew(redis_server.url)
    yield workers
    await workers.kill()


class RefusesOnce(RollingLog):
    """Refuses one request, when told to, for two seconds; and nothing else."""

    armed = False

    def hit(self, now: float) -> float | None:
        if self.armed:
            self.armed = False
            return 2.0
        return None


async def results(workers: Sequence[Worker]) -> tuple[int, Counter[str], list[str]]:
    """Sum up what several processes report."""
    done, failures, logs = 0, Counter[str](), []
    for worker in workers:
        each_done, each_failures, log = await worker.result()
        done += each_done
        failures.update(each_failures)
        logs.append(log)
    return done, failures, logs


def most_in(server: FakeHelpCrunch, period: float) -> int:
    times = [request.time for request in server.requests]
    return max(sum(1 for at in times if start <= at < start + period) for start in times)


async def test_four_processes_one_budget(crew: Crew) -> None:
    """All calls are served, none is rejected, and no period holds more than the limit."""
    async with FakeHelpCrunch(rate_rule=RollingLog(LIMIT, PERIOD)) as server:
        workers = await crew.begin(server, 4, 30)
        done, failures, _ = await results(workers)
        assert (done, failures) == (120, {})
        # what the wire adds to the time between two requests may make one more of a window that was full
        assert server.rejected <= 2
        assert most_in(server, 0.97 * PERIOD) <= LIMIT


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "paused"])
async def test_a_process_goes_away(crew: Crew, how: signal.Signals) -> None:
    """The others take its turns; one that was only paused finishes what it had begun."""
    async with FakeHelpCrunch(rate_rule=RollingLog(LIMIT, PERIOD)) as server:
        # started together: on a busy machine the first could be done before a later one has begun
        gone, *others = await crew.begin(server, 3, 80)
        gone.process.send_signal(how)  # its turns are in line among those of the others
        done, failures, _ = await results(others)
        assert (done, failures) == (160, {})
        if how is signal.SIGSTOP:
            gone.process.send_signal(signal.SIGCONT)
            assert (await gone.result())[:2] == (80, {})


@pytest.mark.parametrize("what", ["killed", "paused", "flushed"])
async def test_redis_goes_away(crew: Crew, redis_server: Any, what: str) -> None:
    """Everybody goes on with a share, and shares again when it is back: nothing is lost, nothing hangs."""
    async with FakeHelpCrunch(rate_rule=RollingLog(LIMIT, PERIOD), retry_after=False) as server:
        workers = await crew.begin(server, 3, 70, on_error="local", expected_processes=3)
        await asyncio.sleep(1)
        if what == "killed":
            redis_server.stop()
            await asyncio.sleep(1)
            redis_server.start()
        elif what == "paused":
            redis_server.signal(signal.SIGSTOP)
            await asyncio.sleep(1.5)
            redis_server.signal(signal.SIGCONT)
        else:
            with redis_server.client() as client:
                client.flushall()
        done, failures, logs = await results(workers)
        assert (done, failures) == (210, {})
    told = [re.findall("its share|shared again", log) for log in logs]
    for each in told:  # a process may have finished before Redis was back
        assert each == (["its share", "shared again"] * len(each))[: len(each)]
    if what != "flushed":
        assert any("shared again" in each for each in told)


async def test_a_rejection_pauses_all_processes(crew: Crew) -> None:
    """Nobody sends before the server's Retry-After has passed, then one goes first."""
    rule = RefusesOnce(LIMIT, PERIOD)
    async with FakeHelpCrunch(latency=0.2, rate_rule=rule, retry_after=True) as server:
        workers = await crew.begin(server, 3, 40)
        await asyncio.sleep(0.7)
        rule.armed = True
        done, failures, _ = await results(workers)
    assert (done, failures) == (120, {})
    cut = next(request.time for request in server.requests if request.status == 429)
    # until the answer is back, and Redis has heard of it, others are still on their way
    after = [request.time for request in server.requests if request.time > cut + 1.0]
    assert after[0] >= cut + 2.0
    assert after[1] >= after[0] + 0.2


async def test_a_process_is_killed_with_the_probe(crew: Crew, redis_server: Any) -> None:
    """Another process probes, a few seconds later."""
    async with (
        FakeHelpCrunch(latency=1000.0) as server,
        RedisRateLimiter(redis_server.url, LIMIT, PERIOD) as limiter,
    ):
        turn = await limiter.turn()
        turn.rejected(0.2)
        (prober,) = await crew.begin(server, 1, 1)
        async with asyncio.timeout(GENEROUS):
            while not server.requests:  # noqa: ASYNC110 - the server has no event for it
                await asyncio.sleep(0.05)
            await prober.kill()
            await turn.again()
        turn.accepted()


FORKED = """
import json, multiprocessing
from helpcrunch_async import TurnRefusedError
from helpcrunch_async.redis_limit import RedisRateLimiter

limiter = RedisRateLimiter(sys.argv[1], 20, 60.0, timeout=10.0)  # in the parent, as preloading does

async def take(turns):
    taken = 0
    try:
        for _ in range(turns):
            (await limiter.turn(max_wait=1.0)).accepted()
            taken += 1
    except TurnRefusedError:
        pass
    return taken

def work(_=None):
    return asyncio.run(take(15)), os.getpid(), limiter._waiters.schedule.process

async def fork():
    return in_child(work)

used = int(sys.argv[2])
results = [(asyncio.run(take(used)), os.getpid(), limiter._waiters.schedule.process)] if used else []
with multiprocessing.get_context("fork").Pool(3) as pool:
    results += pool.map(work, range(3), chunksize=1)
results.append(eval(in_child(work)))
results.append(eval(asyncio.run(fork())))
results.append((0, os.getpid(), limiter._waiters.schedule.process))
print(json.dumps([results, limiter.statistics.granted]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks there")
@pytest.mark.parametrize("used", [0, 3], ids=["unused", "used before"])
async def test_forked_processes_are_told_apart(redis_server: Any, used: int) -> None:
    """Workers of a pool, forked after the limiter was made or used, keep to the limit together."""
    [said] = await asyncio.to_thread(run_forking, FORKED, redis_server.url, str(used))
    results, granted_in_parent = json.loads(said)
    assert granted_in_parent == used
    assert sum(taken for taken, _, _ in results) <= 20
    pids, names = {pid for _, pid, _ in results}, {name for _, _, name in results}
    assert len(pids) == len(names) == len({(pid, name) for _, pid, name in results})
    assert len(pids) >= 4
