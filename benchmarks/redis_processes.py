"""Several processes on one budget: each on its own, sharing it through Redis, and what others offer."""

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from time import monotonic, perf_counter
from typing import Any, Final

import redis
from attrs import asdict, define, field, frozen
from redis.asyncio import Redis as AsyncRedis
from redis_contender import Job
from redis_peers import POLL
from tables import Table, quantile
from wire import RULES

from helpcrunch_async import Limiter, RateLimiter
from helpcrunch_async.redis_limit import RedisRateLimiter
from helpcrunch_async.testing import RateRule

LIBRARIES: Final = ("redis", "aiolimiter", "pyrate-limiter", "limits", "throttled-py")
_CONTENDER: Final = Path(__file__).with_name("redis_contender.py")
_LIMIT: Final = 50
_PERIOD: Final = 1.0
_SECONDS: Final = 4.0
_ROUND_TRIP: Final = 0.03
_WORKERS: Final = 16  # in each process
_OURS: Final = ("local, the whole limit each", "local, a share each", "Redis, shared")
_PEERS: Final = (
    "aiolimiter, the whole limit each",
    "pyrate-limiter, RedisBucket",
    "limits, moving window",
    "throttled-py, GCRA",
)


@define(eq=False)
class LineServer:
    """Answers each line: "ok" while its rule has room, else "no"."""

    rule: RateRule
    accepted: list[float] = field(factory=list)
    rejected: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until it is closed."""
        try:
            while await reader.readline():
                await asyncio.sleep(_ROUND_TRIP / 2)
                now = monotonic()
                refused = self.rule.hit(now) is not None
                if refused:
                    self.rejected += 1
                else:
                    self.accepted.append(now)
                await asyncio.sleep(_ROUND_TRIP / 2)
                writer.write(b"no\n" if refused else b"ok\n")
        except ConnectionError:
            pass  # its process was killed
        finally:
            writer.close()


@frozen
class Result:
    """What became of one run."""

    used: float
    rejected: float
    calls: int
    worst: float  # seconds
    ideal: float  # the worst wait, had the same calls been served in order of arrival at the full rate
    commands: float  # per call
    scripts: float
    hung: int
    fullest: int  # calls accepted in a period


class OwnRedis:
    """A redis-server on a loopback port of its own."""

    def __init__(self, folder: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}"
        self._folder = folder
        self.start()

    def start(self) -> None:
        """Start it, empty, and wait until it answers."""
        self._process = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", ""],
            cwd=self._folder,
            stdout=subprocess.DEVNULL,
        )
        self.client = redis.Redis(port=self.port)
        for _ in range(1000):
            try:
                self.client.ping()
            except redis.ConnectionError:
                asyncio.run(asyncio.sleep(0.01))
            else:
                return
        raise RuntimeError("redis-server does not come up")

    def stop(self) -> None:
        """Kill it: what it knew is gone."""
        self.client.close()
        self._process.kill()
        self._process.wait()

    def commands(self) -> tuple[int, int]:
        """Count the commands that were run, those within scripts included, and the scripts among them."""
        calls = {name: each["calls"] for name, each in self.client.info("commandstats").items()}
        own = ("cmdstat_info", "cmdstat_config|resetstat", "cmdstat_ping", "cmdstat_flushall")
        scripts = sum(calls.get(name, 0) for name in ("cmdstat_evalsha", "cmdstat_eval"))
        return sum(calls.values()) - sum(calls.get(name, 0) for name in own), scripts


@contextmanager
def own_redis() -> Iterator[OwnRedis]:
    """Run a redis-server for as long as it is needed."""
    with tempfile.TemporaryDirectory() as folder:
        server = OwnRedis(folder)
        try:
            yield server
        finally:
            server.stop()


@frozen
class Run:
    """One run to make."""

    way: str
    processes: int
    seconds: float
    rule: str = "rolling log"
    limit: int = _LIMIT  # of the server; everybody is told _LIMIT
    event: str = ""


async def _run(server: OwnRedis, run: Run) -> Result:
    way, processes, seconds, event = run.way, run.processes, run.seconds, run.event
    line = LineServer(RULES[run.rule](run.limit, _PERIOD, False))
    listener = await asyncio.start_server(line.serve, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    job = Job(way, server.url, port, _LIMIT, _PERIOD, processes, _WORKERS, seconds)
    contenders = [
        await asyncio.create_subprocess_exec(
            sys.executable,
            str(_CONTENDER),
            json.dumps(asdict(job)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        for _ in range(processes)
    ]
    for each in contenders:
        assert each.stdout is not None
        await each.stdout.readline()  # it is up
    for each in contenders:
        assert each.stdin is not None
        each.stdin.write(b"\n")
    started = monotonic()
    if event:
        await asyncio.sleep(seconds / 2)
        if event == "killed":
            contenders[0].send_signal(signal.SIGKILL)
        else:
            server.stop()
            await asyncio.sleep(0.5)
            await asyncio.to_thread(server.start)
    outputs = [(await each.communicate())[0] for each in contenders]
    listener.close()
    reports = [json.loads(output) for output in outputs if output]
    assert len(reports) == processes - (event == "killed")
    return _sum_up(line, server, reports, started, run)


def _sum_up(
    line: LineServer, server: OwnRedis, reports: Sequence[dict[str, Any]], started: float, run: Run
) -> Result:
    waits = sorted(tuple(each) for report in reports for each in report["waits"])
    served = [at for at in line.accepted if at <= started + run.seconds]
    commands, scripts = server.commands()
    calls = len(line.accepted)
    return Result(
        used=100 * min(1.0, len(served) / (run.limit / _PERIOD * run.seconds)),
        rejected=100 * line.rejected / (calls + line.rejected),
        calls=calls,
        worst=max(end - begun for begun, end in waits),
        ideal=_ideal(waits),
        commands=commands / calls,
        scripts=scripts / calls,
        hung=sum(report["hung"] for report in reports),
        fullest=max(sum(1 for at in line.accepted if a <= at < a + _PERIOD) for a in line.accepted),
    )


def _ideal(waits: Sequence[tuple[float, ...]]) -> float:
    """Serve the same arrivals in order, each as soon as the server's rule has room for it."""
    sent: list[float] = []
    for begun, _ in waits:
        sent.append(max(begun, sent[-_LIMIT] + _PERIOD if len(sent) >= _LIMIT else begun))
    return max(at - begun for at, (begun, _) in zip(sent, waits, strict=True)) + _ROUND_TRIP


def _measure(server: OwnRedis, run: Run) -> Result:
    server.client.flushall()
    server.client.config_resetstat()
    return asyncio.run(_run(server, run))


def _cells(result: Result) -> list[str]:
    commands = f"{result.commands:.1f} / {result.scripts:.2f}" if result.commands >= 0.05 else ""
    return [
        f"{result.used:.0f}",
        f"{result.rejected:.1f}",
        f"{result.worst:.2f} / {result.ideal:.2f}",
        commands,
        str(result.hung),
    ]


_HEAD: Final = [
    "used %",
    "rejected %",
    "worst wait / ideal, s",
    "commands / scripts per call",
    "hung",
]


def _processes_table(server: OwnRedis, counts: Sequence[int], peers_at: int, seconds: float) -> Table:
    runs = [
        Run(way, processes, seconds)
        for processes in counts
        for way in (*_OURS, *(_PEERS if processes == peers_at else ()))
        if processes > 1 or way != "local, a share each"  # the share of one is the whole
    ]
    return Table(
        f"{_LIMIT} calls per {_PERIOD:g} s for all processes, {_WORKERS} workers in each, {seconds:g} s",
        "A real Redis and real processes; the server is a rolling log behind a line protocol, round trips "
        f"of {1000 * _ROUND_TRIP:g} ms. Used is served / (rate x seconds), at most 100. The ideal serves "
        "the same arrivals in order, each as soon as the server has room. Commands are all that Redis counts "
        "(INFO commandstats), those that scripts run included; scripts are what is sent. Who is rejected "
        "backs off with jitter, ours at the gate; `limits`, which only says yes or no, is asked every "
        f"{1000 * POLL:g} ms.",
        ["processes", "way", *_HEAD],
        [[str(run.processes), run.way, *_cells(_measure(server, run))] for run in runs],
    )


_SERVERS: Final = (("interpolated", _LIMIT), ("bucket / 10", _LIMIT), ("rolling log", _LIMIT // 2))


def _servers_table(
    server: OwnRedis, servers: Sequence[tuple[str, int]], processes: int, seconds: float
) -> Table:
    runs = [
        Run(way, processes, seconds, rule, limit)
        for rule, limit in servers
        for way in ("Redis, shared", "pyrate-limiter, RedisBucket")
    ]
    return Table(
        f"{processes} processes, told {_LIMIT}, where the server counts in another way or takes less, "
        f"{seconds:g} s",
        "What a shared window alone does not know. Used is of what the server takes.",
        ["server", "way", *_HEAD],
        [[f"{run.rule}, {run.limit}", run.way, *_cells(_measure(server, run))] for run in runs],
    )


def _trouble_table(server: OwnRedis, processes: int, seconds: float) -> Table:
    rows = []
    for name, event in (("one process killed", "killed"), ("Redis killed and restarted empty", "restarted")):
        result = _measure(server, Run("Redis, shared", processes, seconds, event=event))
        cells = _cells(result)
        if event == "restarted":
            cells[3] = ""  # its count is gone with it
        rows.append([name, *cells, str(result.fullest)])
    return Table(
        f"{processes} processes and trouble half way, {seconds:g} s",
        f"on_error='local' with expected_processes={processes}. The calls of the killed process are gone "
        "with it; all others were served. The last column is the most that the server accepted within a "
        "period.",
        ["trouble", *_HEAD, "fullest period"],
        rows,
    )


async def _latencies(limiter: Limiter, calls: int) -> list[float]:
    times = []
    for _ in range(calls):
        begun = perf_counter()
        turn = await limiter.turn()
        times.append(1e6 * (perf_counter() - begun))
        turn.accepted()
    return times


async def _latency_rows(url: str, calls: int) -> list[list[str]]:
    client = AsyncRedis.from_url(url)
    await client.ping()
    pings = []
    for _ in range(calls):
        begun = perf_counter()
        await client.ping()
        pings.append(1e6 * (perf_counter() - begun))
    await client.aclose()
    many = 50 * calls
    async with RedisRateLimiter(url, many, 1.0) as shared:
        await _latencies(shared, 50)
        ways = {
            "`RateLimiter`": await _latencies(RateLimiter(many, 1.0), calls),
            "`RedisRateLimiter`": await _latencies(shared, calls),
            "a bare PING of redis-py": pings,
        }
    return [[way, f"{median(times):.0f}", f"{quantile(times, 0.99):.0f}"] for way, times in ways.items()]


def _latency_table(server: OwnRedis, calls: int) -> Table:
    server.client.flushall()
    return Table(
        "What a call waits for its turn when nothing is limited",
        f"{calls} calls one after the other, Redis on the same machine; microseconds.",
        ["way", "median", "99 %"],
        asyncio.run(_latency_rows(server.url, calls)),
    )


def run(*, quick: bool) -> list[Table]:
    """Measure, if there is a redis-server on this machine."""
    if shutil.which("redis-server") is None:
        return [
            Table("Not measured", "There is no redis-server on this machine.", ["pid"], [[str(os.getpid())]])
        ]
    seconds, some = (0.6, 2) if quick else (_SECONDS, 4)
    with own_redis() as server:
        return [
            _processes_table(server, (some,) if quick else (1, 2, 4, 8), some, seconds),
            _servers_table(server, _SERVERS[:1] if quick else _SERVERS, some, seconds),
            _trouble_table(server, some, seconds),
            _latency_table(server, 200 if quick else 2000),
        ]
