"""What several test files share: sample bodies, mocked replies of aiohttp, and a Redis of our own."""

import ctypes
import json
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import aiohttp
import hypothesis
import pytest
import redis
from aioresponses import aioresponses
from leaks.watch import Spans, Witness

from helpcrunch_async.testing import FakeHelpCrunch

# Nothing is left in the tree, and no test depends on how fast the machine is.
hypothesis.settings.register_profile(
    "patient",
    deadline=None,
    database=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
# Few examples, and the same ones each time: so that it is the mutant that fails a test, and soon.
hypothesis.settings.register_profile(
    "mutants", hypothesis.settings.get_profile("patient"), max_examples=20, derandomize=True
)
hypothesis.settings.load_profile("patient")

# Under nohup, in the background of a shell and with some CI runners SIGINT is ignored, which programs that
# tests start would inherit. A handler is not inherited: with one that does nothing they begin as usual.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, lambda *_: None)

FIXTURES = Path(__file__).parent / "fixtures"


@pytest.fixture(scope="session")
def sample() -> Callable[[str], bytes]:
    """Read a sample body by its file name."""

    def read_sample(name: str) -> bytes:
        return (FIXTURES / name).read_bytes()

    return read_sample


class _ShimmedResponse(aiohttp.ClientResponse):
    """A response that can be made without the argument that aioresponses 0.7.9 does not know.

    pnuckowski/aioresponses#289: on aiohttp 3.14 every mocked reply raises a TypeError without this.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        options.setdefault("stream_writer", Mock(output_size=0))
        super().__init__(*arguments, **options)


@pytest.fixture
def mocked(monkeypatch: pytest.MonkeyPatch) -> Iterator[aioresponses]:
    """Mocked replies of every aiohttp session; nothing reaches a socket."""
    monkeypatch.setattr("aioresponses.core.ClientResponse", _ShimmedResponse)
    with aioresponses() as replies:
        yield replies


@pytest.fixture
async def call() -> AsyncIterator[Callable[..., Awaitable[tuple[int, Any]]]]:
    """Call a FakeHelpCrunch with plain HTTP: `await call(server, "PUT /chats/status", {...})`.

    Gives the status and the body, parsed if it is JSON. A body of bytes is sent as it is.
    """
    async with aiohttp.ClientSession(headers={"Authorization": "Bearer key"}) as http:

        async def call_server(server: FakeHelpCrunch, what: str, body: Any = None) -> tuple[int, Any]:
            method, _, path = what.partition(" ")
            sent = body if isinstance(body, bytes | None) else json.dumps(body).encode()
            async with http.request(method, server.url + path, data=sent) as reply:
                is_json = reply.content_type == "application/json"
                return reply.status, await (reply.json() if is_json else reply.text())

        yield call_server


_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None  # loaded before there is anything to fork


def _end_with_parent() -> None:
    """Have Linux kill this process when the one that started it is gone, even if that was killed itself."""
    if _LIBC is not None:
        _LIBC.prctl(1, signal.SIGKILL)  # 1 is PR_SET_PDEATHSIG


class RedisServer:
    """A redis-server of our own on a loopback port, which can be stopped, paused and started again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.port = _free_port()
        self.url = f"redis://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None
        self.touched = False  # not as the next test needs it
        self.start()

    def start(self, *options: str) -> None:
        """Start it, with nothing remembered, and wait until it answers."""
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", *options]
        with (self._folder / "redis.log").open("ab") as log:
            self._process = subprocess.Popen(
                command,
                cwd=self._folder,
                stdout=log,
                stderr=log,
                preexec_fn=_end_with_parent,  # noqa: PLW1509 - it only sets a flag of the kernel's
            )
        deadline = time.monotonic() + 20
        while not self.answers():
            assert self._process.poll() is None, (self._folder / "redis.log").read_text()
            assert time.monotonic() < deadline, "redis-server does not come up"
            time.sleep(0.01)

    def answers(self) -> bool:
        """Tell whether something listens and speaks Redis, be it only to ask for a password."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(64)[:1] in {b"+", b"-"}
        except OSError:
            return False

    def stop(self) -> None:
        """Kill it, paused or not."""
        self.touched = True
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def signal(self, which: signal.Signals) -> None:
        """Send it a signal."""
        self.touched = True
        assert self._process is not None
        self._process.send_signal(which)

    def client(self) -> redis.Redis:
        """Give a client that looks on."""
        return redis.Redis(port=self.port, socket_timeout=5)


def _free_port() -> int:
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        if port < 55_536:  # a node of a cluster also takes the one ten thousand above
            return port


@pytest.fixture(scope="session")
def _one_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    if shutil.which("redis-server") is None:
        pytest.skip("no redis-server on this machine (Debian: apt-get install redis-server)")
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    yield server
    server.stop()


@pytest.fixture
def redis_server(_one_redis: RedisServer) -> Iterator[RedisServer]:
    """A Redis that remembers nothing; however a test leaves it, the next one finds it running."""
    with _one_redis.client() as client:
        client.flushall()
        client.config_resetstat()
    yield _one_redis
    if _one_redis.touched:
        _one_redis.stop()
        _one_redis.start()
        _one_redis.touched = False


@pytest.fixture(scope="module")
def spans() -> Iterator[Spans]:
    """What OpenTelemetry exports of every session that a module's tests make."""
    spans = Spans()
    with spans.recorded():
        yield spans


@pytest.fixture
def witness(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str], spans: Spans) -> Witness:
    """Sees what is logged, warned of, printed and traced."""
    return Witness(caplog, capfd, spans)
