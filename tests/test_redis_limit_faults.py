"""What can be wrong with Redis: a clear error or a safe answer, and nobody is left waiting."""

import asyncio
import gc
import logging
import pickle
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from typing import Any, Protocol

import pytest
import redis as redis_package
import redis.asyncio

from helpcrunch_async import HelpCrunchClient, Limiter, RetryPolicy, TransportError
from helpcrunch_async.redis_limit import BudgetUnavailableError, RedisRateLimiter
from helpcrunch_async.testing import FakeHelpCrunch

NOT_HUNG = 20.0  # seconds; how long things really take is not what is asserted


class Server(Protocol):
    """What these tests do with the Redis of `conftest.py`."""

    url: str
    port: int

    def start(self, *options: str) -> None: ...
    def stop(self) -> None: ...
    def signal(self, which: signal.Signals) -> None: ...
    def client(self) -> redis_package.Redis: ...


async def use_one(limiter: Limiter) -> None:
    async with asyncio.timeout(NOT_HUNG):
        turn = await limiter.turn()
    turn.accepted()


def local(server: Server, **options: Any) -> RedisRateLimiter:
    options = {"limit": 100, "period": 0.5, "timeout": 0.2, "expected_processes": 2, **options}
    return RedisRateLimiter(server.url, on_error="local", **options)


@pytest.fixture
def nobody() -> Iterator[str]:
    """The URL of a port on which nobody listens."""
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"redis://127.0.0.1:{taken.getsockname()[1]}"


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"redis": "http://localhost"}, ValueError),
        ({"redis": "localhost:6379"}, ValueError),
        ({"redis": "redis://:secret-word@host:port"}, ValueError),
        ({"redis": None}, TypeError),
        ({"redis": redis_package.Redis()}, TypeError),
        ({"limit": 0}, ValueError),
        ({"limit": 1.5}, TypeError),
        ({"period": 0}, ValueError),
        ({"key": ""}, ValueError),
        ({"key": "a{b}"}, ValueError),
        ({"key": b"key"}, TypeError),
        ({"timeout": 0}, ValueError),
        ({"on_error": "ignore"}, ValueError),
        ({"on_error": "local"}, ValueError),
        ({"on_error": "local", "expected_processes": 0}, ValueError),
    ],
    ids=lambda value: str(value)[:40],
)
def test_nonsense_is_refused_at_once(arguments: dict[str, Any], error: type[Exception]) -> None:
    """Before anything is connected, and without repeating a password."""
    with pytest.raises(error) as raised:
        RedisRateLimiter(**{"redis": "redis://localhost", **arguments})
    assert "secret-word" not in f"{raised.value!r} {raised.value.__context__!r}"


def test_nothing_is_connected_before_it_is_used(nobody: str) -> None:
    """Made outside any loop; its repr names the budget and not where it is kept."""
    limiter = RedisRateLimiter(nobody)
    assert repr(limiter) == "RedisRateLimiter(limit=120, period=60, key='helpcrunch')"
    assert limiter.paces
    assert limiter.statistics.granted == 0


def test_without_the_package_redis_it_says_what_to_install() -> None:
    """In a process where importing redis fails."""
    code = "import sys; sys.modules['redis'] = None; import helpcrunch_async.redis_limit"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert "pip install 'helpcrunch-async[redis]'" in run.stderr


async def test_refused_connections_are_raised(nobody: str, caplog: pytest.LogCaptureFixture) -> None:
    """As an error of transport that was never sent; said once in the log, not for each call."""
    async with RedisRateLimiter(nobody) as limiter:
        results = await asyncio.gather(*(use_one(limiter) for _ in range(5)), return_exceptions=True)
        with pytest.raises(BudgetUnavailableError) as raised:
            await use_one(limiter)
    for error in (*results, raised.value):
        assert isinstance(error, BudgetUnavailableError)
        assert isinstance(error, TransportError)
        assert not error.sent
        assert not error.permanent
        assert error.__context__ is None
        again = pickle.loads(pickle.dumps(error))
        assert (str(again), again.sent, again.permanent) == (str(error), False, False)
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 1
    assert "calls fail" in warnings[0].message


async def test_the_client_retries_while_redis_is_away(redis_server: Server) -> None:
    """With on_error="raise", the retry policy carries calls over a short outage."""
    redis_server.stop()
    async with (
        FakeHelpCrunch() as server,
        RedisRateLimiter(redis_server.url) as limiter,
        HelpCrunchClient(
            "key", base_url=server.url, rate_limiter=limiter, retry=RetryPolicy(attempts=100)
        ) as client,
    ):
        call = asyncio.ensure_future(client.get_customer(8737843))
        await asyncio.sleep(0.2)
        redis_server.start()
        async with asyncio.timeout(60):
            customer = await call
    assert customer.id == 8737843


async def test_alone_with_its_share(nobody: str, caplog: pytest.LogCaptureFixture) -> None:
    """While Redis is away a process goes on with its part of the limit, and never with more."""
    caplog.set_level(logging.INFO)
    limiter = RedisRateLimiter(nobody, 40, 1.0, on_error="local", expected_processes=4)
    loop = asyncio.get_running_loop()
    times = []

    async def one() -> None:
        await use_one(limiter)
        times.append(loop.time())

    async with limiter:
        await asyncio.gather(*(one() for _ in range(25)))
        assert limiter.statistics.rate == pytest.approx(10)
    assert max(sum(1 for at in times if start <= at < start + 1.0) for start in times) <= 10
    assert len([record for record in caplog.records if "its share, 10 calls per 1 s" in record.message]) == 1


@pytest.mark.parametrize("how", ["restarted", "paused"])
async def test_it_comes_back_by_itself(
    redis_server: Server, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Redis goes away under work and comes back: everybody is served, and the budget is shared again."""
    caplog.set_level(logging.INFO)
    async with local(redis_server, timeout=0.1) as limiter:
        calls = asyncio.gather(*(use_one(limiter) for _ in range(400)))
        await asyncio.sleep(0.3)
        if how == "restarted":
            redis_server.stop()
        else:
            redis_server.signal(signal.SIGSTOP)
        await asyncio.sleep(0.4)
        if how == "restarted":
            redis_server.start()
        else:
            redis_server.signal(signal.SIGCONT)
        async with asyncio.timeout(60):
            await calls
        assert limiter.statistics.granted == 400
        assert limiter.statistics.in_flight == 0
    told = [record.message for record in caplog.records if record.name == "helpcrunch_async"]
    assert [("its share" in line, "shared again" in line) for line in told] == [(True, False), (False, True)]


async def test_a_paused_redis_keeps_nobody_waiting(redis_server: Server) -> None:
    """It accepts connections and says nothing: the question times out, the caller is told."""
    async with RedisRateLimiter(redis_server.url, timeout=0.2) as limiter:
        await use_one(limiter)
        redis_server.signal(signal.SIGSTOP)
        with pytest.raises(BudgetUnavailableError, match=r"within 0\.2 seconds|Timeout"):
            await use_one(limiter)
        redis_server.signal(signal.SIGCONT)
        await asyncio.sleep(0.3)
        await use_one(limiter)


async def test_a_flushed_redis_is_told_what_was_sent(redis_server: Server) -> None:
    """Whoever empties Redis does not double the budget."""
    async with RedisRateLimiter(redis_server.url, 20, 60.0) as limiter:
        for _ in range(19):
            await use_one(limiter)
        with redis_server.client() as client:
            client.flushall()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await asyncio.gather(*(use_one(limiter) for _ in range(3)))
        assert limiter.statistics.granted <= 20


@pytest.mark.parametrize(
    ("prepare", "text", "kind"),
    [
        (["CONFIG", "SET", "requirepass", "open sesame"], "let us in", "permanent"),
        (["SADD", "{helpcrunch}:budget:1", "something"], "cannot keep", "permanent"),
        (["SET", "{helpcrunch}:budget:1", "something"], "not a budget", "permanent"),
        (["CONFIG", "SET", "maxmemory", "1"], "not available", "passing"),
        (["REPLICAOF", "127.0.0.1", "1"], "not available", "passing"),
        (["ACL", "SETUSER", "default", "-eval", "-evalsha"], "allow", "permanent"),
    ],
    ids=["password", "set", "string", "full", "replica", "forbidden"],
)
async def test_a_redis_that_cannot_help(
    redis_server: Server, prepare: list[str], text: str, kind: str
) -> None:
    """It is said plainly why; and with on_error="local" work goes on."""
    with redis_server.client() as client:
        client.execute_command(*prepare)
    redis_server.touched = True  # type: ignore[attr-defined]  # the next test needs another one
    async with RedisRateLimiter(redis_server.url) as limiter:
        with pytest.raises(BudgetUnavailableError, match=text) as raised:
            await use_one(limiter)
        assert raised.value.permanent is (kind == "permanent")
        assert "sesame" not in str(raised.value)
    async with local(redis_server) as limiter:
        await use_one(limiter)


async def test_an_old_redis(redis_server: Server) -> None:
    """One that knows no scripts, or none that looks at the clock, is told apart from one that is away."""
    redis_server.stop()
    redis_server.start("--rename-command", "EVALSHA", "")
    async with RedisRateLimiter(redis_server.url) as limiter:
        with pytest.raises(BudgetUnavailableError, match=r"5\.0 or newer") as raised:
            await use_one(limiter)
    assert raised.value.permanent


async def test_a_script_cache_that_was_emptied(redis_server: Server) -> None:
    """The script is sent again, and nobody notices."""
    async with RedisRateLimiter(redis_server.url) as limiter:
        await use_one(limiter)
        with redis_server.client() as client:
            client.script_flush()
        await use_one(limiter)


async def test_a_borrowed_client_stays_open(redis_server: Server) -> None:
    """Whether it decodes replies or not."""
    for decode in (False, True):
        client = redis.asyncio.Redis(port=redis_server.port, decode_responses=decode)
        async with RedisRateLimiter(client) as limiter:
            await use_one(limiter)
        assert await client.ping()
        await client.aclose()


async def test_a_cluster(redis_server: Server) -> None:
    """One key, hence one slot; here a cluster of one node."""
    redis_server.stop()
    redis_server.start("--cluster-enabled", "yes")
    with redis_server.client() as node:
        node.execute_command("CLUSTER", "ADDSLOTSRANGE", "0", "16383")
        while node.cluster("info")["cluster_state"] != "ok":  # noqa: ASYNC110 - it sends no word
            await asyncio.sleep(0.05)
    async with redis.asyncio.RedisCluster(host="127.0.0.1", port=redis_server.port) as client:
        await use_one(RedisRateLimiter(client))


async def test_one_node_of_a_cluster() -> None:
    """It keeps but a part of the keys: the URL says nothing of the others."""

    left = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            if line.upper() in {b"EVALSHA\r\n", b"EVAL\r\n"}:
                writer.write(b"-MOVED 12182 127.0.0.1:7001\r\n")
            elif line.upper() in {b"HELLO\r\n", b"CLIENT\r\n"}:
                writer.write(b"+OK\r\n")
        writer.close()
        await writer.wait_closed()
        left.set()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as node:
        url = f"redis://127.0.0.1:{node.sockets[0].getsockname()[1]}"
        async with RedisRateLimiter(url) as limiter:
            with pytest.raises(
                BudgetUnavailableError, match=r"pass a redis\.asyncio\.RedisCluster"
            ) as raised:
                await use_one(limiter)
        assert raised.value.permanent
        await left.wait()


def test_two_loops_after_each_other(redis_server: Server) -> None:
    """One limiter, two runs; `asyncio.run` ends each without a warning, although nothing was closed."""
    limiter = RedisRateLimiter(redis_server.url)
    asyncio.run(use_one(limiter))
    asyncio.run(use_one(limiter))
    gc.collect()
    assert limiter.statistics.granted == 2


async def test_closed_while_somebody_waits(redis_server: Server) -> None:
    """Whoever waits is told; a later call connects again."""
    limiter = RedisRateLimiter(redis_server.url, 1, 60.0)
    await use_one(limiter)
    waiting = asyncio.ensure_future(limiter.turn())
    await asyncio.sleep(0.1)
    await limiter.aclose()
    with pytest.raises(BudgetUnavailableError, match="closed"):
        await waiting
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await limiter.turn()
    await limiter.aclose()
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_the_api_key_never_reaches_redis(redis_server: Server) -> None:
    """Nothing but one key, which expires by itself, and no secret in it."""
    async with (
        FakeHelpCrunch(api_key="very-secret-key") as server,
        RedisRateLimiter(redis_server.url) as limiter,
        HelpCrunchClient("very-secret-key", base_url=server.url, rate_limiter=limiter) as client,
    ):
        await client.get_customer(8737843)
    with redis_server.client() as looking:
        keys = looking.keys()
        assert keys == [b"{helpcrunch}:budget:1"]
        assert b"secret" not in (looking.dump(keys[0]) or b"secret")
        assert 0 < looking.pttl(keys[0]) <= 600_000
