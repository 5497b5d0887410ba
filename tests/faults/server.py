"""A raw socket server that does as its script says, and counts what it sees on the wire."""

import asyncio
import re
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final, Self, TypeAlias

from attrs import frozen

_LENGTH: Final = re.compile(rb"(?im)^content-length: *(\d+)")
_TURNS_TO_ACCEPT: Final = 3  # of the loop


@frozen
class Exchange:
    """One request as it came, and the way back."""

    request: bytes  # head and body
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @property
    def body(self) -> bytes:
        """The body of the request."""
        return self.request.partition(b"\r\n\r\n")[2]

    async def until_the_client_leaves(self) -> None:
        """Wait for the end of the connection."""
        await self.reader.read()


Behaviour: TypeAlias = bytes | Callable[[Exchange], Awaitable[None]]
"""What to do with one request: bytes are sent as they are."""

Greeting: TypeAlias = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
"""What to do with a whole connection, in place of reading requests from it."""


class FaultServer:
    """Meets each request with the next behaviour of its script, the last one for ever.

    A connection is closed after each request, unless `keep_alive`.
    """

    def __init__(
        self,
        *script: Behaviour,
        keep_alive: bool = False,
        tls: ssl.SSLContext | None = None,
        greeting: Greeting | None = None,
    ) -> None:
        self.script = script
        self.requests: list[bytes] = []
        """What arrived, whole, one item a request."""
        self.connections = 0
        """How many were accepted."""
        self.arrived = asyncio.Event()
        """Set by the first request."""
        self._keep_alive = keep_alive
        self._tls = tls
        self._greeting = greeting
        self._serving: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._listener = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=self._tls)
        self.port: int = self._listener.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stop_accepting()
        self._listener.close()
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)
        await self._listener.wait_closed()

    @property
    def url(self) -> str:
        """What to give a client as `base_url`."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}/v1"

    @property
    def open_connections(self) -> int:
        """How many connections neither side has closed."""
        return len(self._serving)

    def runs(self, task: "asyncio.Task[Any]") -> bool:
        """Tell whether a task is the server's own, or asyncio's accepting a connection for it."""
        accepting = "_accept_connection" in getattr(task.get_coro(), "__qualname__", "")
        return task in self._serving or accepting

    async def until_all_have_left(self) -> None:
        """Wait until no connection is open."""
        while self._serving:
            await asyncio.wait(self._serving)

    async def _stop_accepting(self) -> None:
        """Let connections that are just being accepted come in.

        Python 3.11 leaks the socket of one that finds its listener closed half way.
        """
        loop = asyncio.get_running_loop()
        for listening in self._listener.sockets:
            with suppress(NotImplementedError, RuntimeError):  # loops of other makes do without readers
                loop.remove_reader(listening.fileno())
        for _ in range(_TURNS_TO_ACCEPT):
            await asyncio.sleep(0)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                if self._greeting is not None:
                    await self._greeting(reader, writer)
                    return
                await self._meet(reader, writer)
                while self._keep_alive:
                    await self._meet(reader, writer)
        finally:
            writer.close()
            with suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = _LENGTH.search(head)
        body = b"" if length is None else await reader.readexactly(int(length[1]))
        behaviour = self.script[min(len(self.requests), len(self.script) - 1)]
        self.requests.append(head + body)
        self.arrived.set()
        if isinstance(behaviour, bytes):
            writer.write(behaviour)
            await writer.drain()
        else:
            await behaviour(Exchange(head + body, reader, writer))
