"""A source of ids for a stream: pulls them as results are consumed, and collects what becomes of them."""

import asyncio
from collections import deque
from collections.abc import AsyncIterable, Callable, Iterable
from functools import partial
from typing import TypeAlias

from helpcrunch_async.checks import check_id
from helpcrunch_async.errors import HelpCrunchError
from helpcrunch_async.models import Customer, Lookup

Ids: TypeAlias = Iterable[int] | AsyncIterable[int]


class Source:
    """Feeds ids to a folder and collects what becomes of them, with no more than `room` ids in hand.

    An id is in hand from the moment it is pulled until its result is consumed, so a slow consumer slows
    the pulling. New ids are pulled `refill` at a time, so that they can share a request.
    """

    def __init__(
        self, ids: Ids, want: Callable[[int], "asyncio.Future[Customer]"], *, room: int, refill: int
    ) -> None:
        self._want = want
        self._room = room
        self._refill = refill
        self._in_hand = 0
        self._asked: dict[int, int] = {}  # how often each id waits for its answer
        self._results: deque[Lookup | BaseException] = deque()
        self._news = asyncio.Event()
        self._space = asyncio.Event()
        self._feeder = asyncio.get_running_loop().create_task(self._feed(ids))
        self._feeder.add_done_callback(lambda _: self._news.set())

    async def next(self) -> Lookup | None:
        """Wait for the next result; None after the last.

        Raises:
            Exception: whatever the source of ids raised, once all results of earlier ids were given.
        """
        while not self._results:
            if self._feeder.done() and not self._asked:
                self._feeder.result()
                return None
            self._news.clear()
            await self._news.wait()
        self._in_hand -= 1
        if self._in_hand <= self._room - self._refill:
            self._space.set()
        result = self._results.popleft()
        if isinstance(result, BaseException):
            raise result
        return result

    async def close(self) -> None:
        """Stop pulling ids."""
        self._feeder.cancel()
        await asyncio.gather(self._feeder, return_exceptions=True)

    async def _feed(self, ids: Ids) -> None:
        if isinstance(ids, AsyncIterable):
            async for customer_id in ids:
                await self._pull(customer_id)
        else:
            for customer_id in ids:
                await self._pull(customer_id)

    async def _pull(self, customer_id: int) -> None:
        customer_id = check_id(customer_id)
        if self._in_hand >= self._room:
            self._space.clear()
            await self._space.wait()
        self._in_hand += 1
        times = self._asked.get(customer_id, 0)
        self._asked[customer_id] = times + 1
        if not times:
            self._want(customer_id).add_done_callback(partial(self._collect, customer_id))

    def _collect(self, customer_id: int, answer: "asyncio.Future[Customer]") -> None:
        error = answer.exception()
        result: Lookup | BaseException
        if error is None:
            result = Lookup(customer_id, answer.result(), None)
        elif isinstance(error, HelpCrunchError):
            result = Lookup(customer_id, None, error)
        else:
            result = error
        self._results.extend([result] * self._asked.pop(customer_id))
        self._news.set()
