"""A fake server in a thread of its own: for tests that have no event loop, or whose loop comes and goes."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import wraps
from inspect import iscoroutinefunction, ismethod
from typing import Any, TypeVar, cast

from attrs import frozen

from helpcrunch_async.testing.server import FakeHelpCrunch

T = TypeVar("T")


@frozen
class _Thread:
    """The loop that a server lives in."""

    loop: asyncio.AbstractEventLoop
    ended: asyncio.Event

    def call(self, function: Callable[[], T]) -> T:
        """Call a function there, and wait for what it returns."""
        if self.loop.is_closed() or _running_loop() is self.loop:
            return function()

        async def call() -> T:
            return function()

        return asyncio.run_coroutine_threadsafe(call(), self.loop).result()


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


class _FromOtherThreads:
    """Stands for a server in another thread: whatever is asked of it, is done in that thread."""

    def __init__(self, server: FakeHelpCrunch, thread: _Thread) -> None:
        vars(self).update(_server=server, _thread=thread)

    def __repr__(self) -> str:
        return f"<{self._server!r} in a thread of its own>"

    def __getattr__(self, name: str) -> Any:
        server, thread = self._server, self._thread
        value = thread.call(lambda: getattr(server, name))
        if not ismethod(value) or value.__self__ is not server:
            return value
        if iscoroutinefunction(value):

            @wraps(value)
            async def await_there(*arguments: Any, **options: Any) -> Any:
                if thread.loop.is_closed() or _running_loop() is thread.loop:
                    return await value(*arguments, **options)
                work = asyncio.run_coroutine_threadsafe(value(*arguments, **options), thread.loop)
                return await asyncio.wrap_future(work)

            return await_there

        @wraps(value)
        def call_there(*arguments: Any, **options: Any) -> Any:
            return thread.call(lambda: value(*arguments, **options))

        return call_there

    def __setattr__(self, name: str, value: Any) -> None:
        self._thread.call(lambda: setattr(self._server, name, value))


@contextmanager
def serve_in_thread(server: FakeHelpCrunch) -> Iterator[FakeHelpCrunch]:
    """Open a server in a thread and an event loop of its own, and close it in the end.

        with serve_in_thread(FakeHelpCrunch(customers=3)) as server:
            os.environ["HELPCRUNCH_BASE_URL"] = server.url

    What is given is used like the server itself, from any thread: its methods run where the server lives.
    It does not take part in virtual time.
    """
    started: Future[_Thread] = Future()

    async def serve() -> None:
        try:
            async with server:
                thread = _Thread(asyncio.get_running_loop(), asyncio.Event())
                started.set_result(thread)
                await thread.ended.wait()
        except BaseException as error:
            if started.done():
                raise
            started.set_exception(error)

    with ThreadPoolExecutor(1, "FakeHelpCrunch") as executor:
        closed = executor.submit(lambda: asyncio.run(serve()))
        thread = started.result()
        try:
            yield cast("FakeHelpCrunch", _FromOtherThreads(server, thread))
        finally:
            thread.loop.call_soon_threadsafe(thread.ended.set)
            closed.result()
