"""Folding: ids that wait for a turn share it, up to a width, from the moment the turn comes.

Knows ids, callers and turns. What a batch of ids is asked with, and what its answer means, is told to it.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from copy import copy
from functools import partial
from itertools import islice
from typing import Generic, TypeAlias, TypeVar

from attrs import define, field

from helpcrunch_async.errors import ClientClosedError
from helpcrunch_async.rate_limit import TurnRefusedError

T = TypeVar("T")


class NothingWantedError(Exception):
    """A turn came, but nobody waits for an answer any more."""


@define(eq=False)
class Wanted(Generic[T]):
    """One id that is wanted, by one caller or by several."""

    id: int
    flow: object = None  # of the first caller: whose turn it is
    callers: list["asyncio.Future[T]"] = field(factory=list)
    batch: "Batch[T] | None" = None  # the one that asks for it now
    missed_by: "Batch[T] | None" = None  # the one whose answer lacked it; then it is asked for alone

    def answer(self, value: T) -> None:
        """Give every caller the answer."""
        for caller in self.callers:
            if not caller.done():
                caller.set_result(value)
        self.callers.clear()

    def fail(self, error: Exception) -> None:
        """Give every caller an error of its own: one that is raised in several tasks mixes their traces."""
        for caller in self.callers:
            if not caller.done():
                caller.set_exception(_own(error))
        self.callers.clear()


def _own(error: Exception) -> Exception:
    """Copy an error, notes included; one that cannot be copied is shared."""
    try:
        twin = copy(error)
    except Exception:  # noqa: BLE001 - whatever a stranger's class raises, its callers must hear of the error
        return error
    if hasattr(error, "__notes__"):
        twin.__notes__ = list(error.__notes__)
    return twin


@define(eq=False)
class Batch(Generic[T]):
    """The ids that one request asks for: none until its turn has come."""

    wanted: list[Wanted[T]] = field(factory=list)
    taken: bool = False
    missing_found: int = 0  # ids that its answer lacked although they exist
    task: "asyncio.Task[None] | None" = None


Ask: TypeAlias = Callable[[Batch[T], Callable[[], None]], Awaitable[None]]
"""Sends one request for a batch: calls the function when the turn has come, which fills the batch, and
answers each of its ids or hands it back with `Folder.ask_alone`/`Folder.ask_again`."""


class Folder(Generic[T]):
    """Lets callers want ids, and keeps as many requests in line as those ids need.

    Args:
        ask: sends one request for a batch.
        width: tells how many ids one request may ask for at the moment.
        most: requests that may stand in line at once.
    """

    def __init__(self, ask: Ask[T], width: Callable[[], int], most: int) -> None:
        self._ask = ask
        self._width = width
        self._most = most
        self._together: OrderedDict[int, Wanted[T]] = OrderedDict()
        self._alone: OrderedDict[int, Wanted[T]] = OrderedDict()
        self._in_line: list[Batch[T]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._staffing = False
        self._closed = False

    def want(self, wanted_id: int) -> "asyncio.Future[T]":
        """Want an id. Whoever wants it while it waits shares the answer."""
        return self._want(wanted_id, None)[1]

    def _want(self, wanted_id: int, flow: object) -> tuple[Wanted[T], "asyncio.Future[T]"]:
        caller: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        wanted = self._together.get(wanted_id)
        if wanted is None:
            wanted = Wanted(wanted_id, flow)
            if self._closed:
                caller.set_exception(ClientClosedError("the client is closed"))
                return wanted, caller
            self._together[wanted_id] = wanted
        wanted.callers.append(caller)
        self._staff_soon()
        return wanted, caller

    def is_idle(self) -> bool:
        """Tell whether nothing is wanted, in line or on the wire."""
        return not (self._together or self._alone or self._tasks)

    def requests_left(self, to_come: int) -> int:
        """Return how many requests the ids that wait need, and `to_come` further ones."""
        return len(self._alone) + -(-(len(self._together) + to_come) // self._width())

    def flow_of(self, batch: Batch[T]) -> object:
        """Return the flow of the oldest id that a batch in line will take; None when there is none."""
        ahead, alone = self._in_line.index(batch), len(self._alone)
        if ahead < alone:
            share = islice(self._alone.values(), ahead, None)
        else:
            share = islice(self._together.values(), (ahead - alone) * self._width(), None)
        first = next(share, None)
        return None if first is None else first.flow

    async def get(self, wanted_id: int, max_wait: float | None = None, flow: object = None) -> T:
        """Want an id and wait for it; whoever is cancelled meanwhile just leaves.

        Raises:
            TurnRefusedError: no turn came for it within `max_wait` seconds.
        """
        wanted, caller = self._want(wanted_id, flow)
        give_up = None
        if max_wait is not None:
            give_up = asyncio.get_running_loop().call_later(max_wait, self._refuse, wanted, caller)
        try:
            return await caller
        finally:
            if give_up is not None:
                give_up.cancel()
            if caller in wanted.callers:
                wanted.callers.remove(caller)
                self._abandoned(wanted)

    def ask_alone(self, wanted: Wanted[T], missed_by: Batch[T]) -> None:
        """Take an id back that an answer lacked: it is asked for by itself, before the others."""
        wanted.missed_by = missed_by
        self._take_back(wanted, self._alone)

    def ask_again(self, wanted: Wanted[T]) -> None:
        """Take an id back whose batch could not be asked for as it was."""
        self._take_back(wanted, self._together)
        if wanted.id in self._together:
            self._together.move_to_end(wanted.id, last=False)

    async def close(self) -> None:
        """End all requests; whoever still waits is told."""
        self._closed = True
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        for queue in (self._together, self._alone):
            while queue:
                queue.popitem()[1].fail(ClientClosedError("the client was closed"))
        await asyncio.gather(*tasks, return_exceptions=True)

    def _take_back(self, wanted: Wanted[T], queue: OrderedDict[int, Wanted[T]]) -> None:
        wanted.batch = None
        if self._closed:
            wanted.fail(ClientClosedError("the client was closed"))
        elif wanted.callers:
            waiting = queue.setdefault(wanted.id, wanted)
            if waiting is not wanted:  # wanted anew meanwhile
                waiting.callers.extend(wanted.callers)
            self._staff_soon()

    def _refuse(self, wanted: Wanted[T], caller: "asyncio.Future[T]") -> None:
        """Tell a caller whose id is still in line that it has waited long enough."""
        if wanted.batch is None and not caller.done():
            caller.set_exception(TurnRefusedError(None))

    def _abandoned(self, wanted: Wanted[T]) -> None:
        """Drop what nobody wants any more, be it in line or on the wire."""
        if wanted.callers:
            return
        batch = wanted.batch
        if batch is None:
            for queue in (self._together, self._alone):
                if queue.get(wanted.id) is wanted:
                    del queue[wanted.id]
            self._staff_soon()
        elif batch.task is not None and not any(other.callers for other in batch.wanted):
            batch.task.cancel()

    def _staff_soon(self) -> None:
        """Send for turns one loop iteration late, so that a `gather` is seen whole."""
        if not self._staffing:
            self._staffing = True
            asyncio.get_running_loop().call_soon(self._staff)

    def _staff(self) -> None:
        """Keep as many requests in line as the waiting ids need."""
        self._staffing = False
        needed = len(self._alone) + -(-len(self._together) // self._width())
        while len(self._in_line) > needed:
            batch = self._in_line.pop()
            if batch.task is not None:
                batch.task.cancel()
        while len(self._in_line) < min(needed, self._most) and not self._closed:
            batch = Batch()
            batch.task = asyncio.get_running_loop().create_task(self._run(batch))
            self._in_line.append(batch)
            self._tasks.add(batch.task)
            batch.task.add_done_callback(self._tasks.discard)

    async def _run(self, batch: Batch[T]) -> None:
        """Ask for one batch, and see that none of its callers is left waiting."""
        failure: Exception = ClientClosedError("the client was closed")  # in case this task is cancelled
        try:
            await self._ask(batch, partial(self._take, batch))
            failure = RuntimeError("an id was neither answered nor handed back")
        except NothingWantedError:
            pass
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the callers' and must reach them
            failure = error
            if not batch.taken:  # refused in line: as many ids as it would have taken share its fate
                self._fill(batch)
        finally:
            self._leave_line(batch)
            for wanted in batch.wanted:
                if wanted.batch is batch:
                    wanted.fail(failure)

    def _take(self, batch: Batch[T]) -> None:
        """Fill a batch whose turn has come.

        Raises:
            NothingWantedError: nobody waits any more.
        """
        self._fill(batch)
        if not batch.wanted:
            raise NothingWantedError

    def _fill(self, batch: Batch[T]) -> None:
        batch.taken = True
        self._leave_line(batch)
        queue, width = (self._alone, 1) if self._alone else (self._together, self._width())
        while queue and len(batch.wanted) < width:
            wanted = queue.popitem(last=False)[1]
            wanted.callers = [caller for caller in wanted.callers if not caller.done()]
            if wanted.callers:
                wanted.batch = batch
                batch.wanted.append(wanted)

    def _leave_line(self, batch: Batch[T]) -> None:
        if batch in self._in_line:
            self._in_line.remove(batch)
            self._staff_soon()
