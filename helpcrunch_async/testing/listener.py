"""A loopback port with an HTTP server behind it that closes at once, whatever is in flight."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from aiohttp import web

_TURNS_TO_ACCEPT = 4
"""Turns of the loop from a socket accepted to its protocol connected, and one to spare."""
_SHUTDOWN_TIMEOUT = 0.05
"""Seconds that requests still in flight get when the server closes; a test has no use for more."""


class Listener:
    """Listens on one address and hands every request to a handler."""

    def __init__(
        self, handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]], host: str, port: int
    ) -> None:
        self.closing: asyncio.Event = asyncio.Event()
        """Set when it closes; whatever waits in a handler should end with it."""
        self._handler = handler
        self._host = host
        self._wanted_port = port
        self._listener: asyncio.Server | None = None
        self._web_server: web.Server | None = None

    @property
    def port(self) -> int:
        """The port it listens on; RuntimeError unless it is open."""
        if self._listener is None:
            raise RuntimeError("the fake server is not open: use it in an `async with`")
        port: int = self._listener.sockets[0].getsockname()[1]
        return port

    async def open(self) -> None:
        """Start to listen; RuntimeError when it does already."""
        if self._listener is not None:
            raise RuntimeError("the fake server is open already")
        self.closing = asyncio.Event()
        # With handler_cancellation a client that gives up also ends the request that hangs for it. A body
        # that claims to be compressed is no JSON, and as such for the endpoints to refuse.
        self._web_server = web.Server(
            self._handler, handler_cancellation=True, auto_decompress=False, access_log=None
        )
        self._listener = await asyncio.get_running_loop().create_server(
            self._web_server, self._host, self._wanted_port, backlog=1024
        )

    async def close(self) -> None:
        """Stop at once; a second call does nothing."""
        listener, web_server = self._listener, self._web_server
        if listener is None or web_server is None:
            return
        self._listener = self._web_server = None
        await _stop_accepting(listener)
        listener.close()
        self.closing.set()
        web_server.pre_shutdown()
        await web_server.shutdown(_SHUTDOWN_TIMEOUT)
        await listener.wait_closed()


async def _stop_accepting(listener: asyncio.Server) -> None:
    """Let connections that are just being accepted come in.

    Python 3.11 leaks the socket of one that finds its listener closed half way (`Server._attach` fails).
    """
    loop = asyncio.get_running_loop()
    with suppress(NotImplementedError):  # loops without readers do not have that leak
        for listening in listener.sockets:
            loop.remove_reader(listening.fileno())
    for _ in range(_TURNS_TO_ACCEPT):
        await asyncio.sleep(0)
