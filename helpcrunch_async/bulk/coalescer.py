"""Coalescing: ids that wait for a turn share it, up to a width, from the moment the turn comes.

Knows ids, callers and turns. What a batch of ids is asked with, and what its answer means, is told to it.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from copy import copy
from functools import partial
from itertools import islice
from math import inf
from typing import Generic, TypeAlias, TypeVar

from attrs import define, field

from helpcrunch_async.errors import ClientClosedError, RateLimitError

T = TypeVar("T")


class NothingPendingError(Exception):
    """A turn came, but no caller waits for an answer any more."""


@define(eq=False)
class PendingId(Generic[T]):
    """One id that is wanted, by one caller or by several."""

    id: int
    home: "Coalescer[T]"
    since: float  # when the first caller came, on the loop's clock
    callers: list["asyncio.Future[T]"] = field(factory=list)
    batch: "Batch[T] | None" = None  # the one that asks for it now
    missed_by: "Batch[T] | None" = None  # the one whose answer lacked it; then it is asked for alone
    merged_into: "PendingId[T] | None" = None  # the one that took its callers over

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
                caller.set_exception(copy_error(error))
        self.callers.clear()

    def ask_alone(self, missed_by: "Batch[T] | None" = None) -> None:
        """Hand it back to be asked for by itself, before the others."""
        self.missed_by = missed_by
        self.home.take_back(self, alone=True)

    def ask_again(self) -> None:
        """Hand it back, because its batch could not be asked for as it was."""
        self.home.take_back(self, alone=False)


def copy_error(error: Exception) -> Exception:
    """Copy an error, notes included; one that cannot be copied is shared."""
    try:
        twin = copy(error)
    except Exception:  # noqa: BLE001 - whatever a foreign class raises, its callers must get the error
        return error
    if hasattr(error, "__notes__"):
        twin.__notes__ = list(error.__notes__)
    return twin


@define(eq=False)
class Batch(Generic[T]):
    """The ids that one request asks for: none until its turn has come."""

    max_wait: float | None = None  # seconds that it may stand in line
    pending: list[PendingId[T]] = field(factory=list)
    taken: bool = False
    missing_found: int = 0  # ids that its answer lacked although they exist
    task: "asyncio.Task[None] | None" = None

    def ids(self) -> list[int]:
        """List the ids, each once."""
        return list(dict.fromkeys(each.id for each in self.pending))


Ask: TypeAlias = Callable[[Batch[T], Callable[[], None]], Awaitable[None]]
"""Sends one request for a batch: calls the function when the turn has come, which fills the batch, and
answers each of its ids or hands it back."""


@define
class Rules:
    """What is to be known of the requests, asked anew whenever it matters."""

    width: Callable[[], int]
    """How many ids one request may ask for."""
    most_shared: Callable[[Callable[[], None]], float]
    """How many requests for several ids may stand in line; calls back when there may be more."""
    goes_alone: Callable[[int], bool]
    """Whether an id may not share a request."""
    explain: Callable[[int, Exception, float | None], Exception]
    """Returns the error for an id whose request, with that `max_wait`, failed before it was sent."""


class Coalescer(Generic[T]):
    """Keeps as many requests in line as the ids need that its callers want.

    All its callers have the same `max_wait`, so that the limiter judges each request, before it queues, as it
    judges a single call. Whichever request has its turn first also takes the ids that wait at the siblings.

    Args:
        ask: sends one request for a batch.
        rules: see there.
        most: requests that may stand in line at once.
        max_wait: seconds that a caller can wait for a turn; None is as long as it takes.
        siblings: the coalescers that share requests with this one, itself included.
    """

    def __init__(
        self,
        ask: Ask[T],
        rules: Rules,
        *,
        most: float = inf,
        max_wait: float | None = None,
        siblings: "Mapping[float | None, Coalescer[T]] | None" = None,
    ) -> None:
        self._ask = ask
        self._rules = rules
        self._most = most
        self._max_wait = max_wait
        self._siblings = {} if siblings is None else siblings
        self._together: OrderedDict[int, PendingId[T]] = OrderedDict()
        self._alone: OrderedDict[int, PendingId[T]] = OrderedDict()
        self._in_line: list[Batch[T]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_ensuring = False
        self._closed = False

    def want(self, wanted_id: int) -> "asyncio.Future[T]":
        """Want an id. Callers that want it while it waits share the answer."""
        return self._want(wanted_id)[1]

    def _want(self, wanted_id: int) -> tuple[PendingId[T], "asyncio.Future[T]"]:
        loop = asyncio.get_running_loop()
        caller: asyncio.Future[T] = loop.create_future()
        pending = self._together.get(wanted_id)
        if pending is None:
            pending = PendingId(wanted_id, self, loop.time())
            if self._closed:
                caller.set_exception(ClientClosedError("the client is closed"))
                return pending, caller
            self._together[wanted_id] = pending
        pending.callers.append(caller)
        if not self._is_ensuring:
            self._ensure_soon()
        return pending, caller

    def is_idle(self) -> bool:
        """Return whether nothing is wanted, in line or on the wire."""
        return not (self._together or self._alone or self._tasks)

    async def get(self, wanted_id: int) -> T:
        """Want an id and wait for it; a caller that is cancelled meanwhile just leaves."""
        pending, caller = self._want(wanted_id)
        try:
            return await caller
        finally:
            while pending.merged_into is not None:
                pending = pending.merged_into
            if caller in pending.callers:
                pending.callers.remove(caller)
                self._abandoned(pending)

    async def close(self) -> None:
        """End all requests; callers that still wait get a `ClientClosedError`."""
        self._closed = True
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        for queue in (self._together, self._alone):
            while queue:
                queue.popitem()[1].fail(ClientClosedError("the client was closed"))
        await asyncio.gather(*tasks, return_exceptions=True)

    def take_back(self, pending: PendingId[T], *, alone: bool) -> None:
        """Let an id wait again, before the others."""
        pending.batch = None
        if self._closed:
            pending.fail(ClientClosedError("the client was closed"))
        elif pending.callers:
            queue = self._alone if alone else self._together
            waiting = queue.setdefault(pending.id, pending)
            if waiting is not pending:  # wanted anew meanwhile
                waiting.callers.extend(pending.callers)
                waiting.since = pending.since
                pending.merged_into = waiting
            if not alone:
                queue.move_to_end(pending.id, last=False)
            self._ensure_soon()

    def _abandoned(self, pending: PendingId[T]) -> None:
        """Drop what no caller wants any more, be it in line or on the wire."""
        if pending.callers:
            return
        batch = pending.batch
        if batch is None:
            for queue in (self._together, self._alone):
                if queue.get(pending.id) is pending:
                    del queue[pending.id]
            self._ensure_soon()
        elif batch.task is not None and not any(other.callers for other in batch.pending):
            batch.task.cancel()

    def _ensure_soon(self) -> None:
        """Put requests in line one loop iteration late, so that a `gather` is seen whole."""
        if not self._is_ensuring:
            self._is_ensuring = True
            asyncio.get_running_loop().call_soon(self._ensure_requests)

    def _ensure_requests(self) -> None:
        """Keep as many requests in line as the waiting ids need."""
        self._is_ensuring = False
        needed: float = -(-len(self._together) // self._rules.width())
        if len(self._together) > 1:  # a lone call waits for nothing but its turn
            needed = min(needed, self._rules.most_shared(self._ensure_soon))
        needed += len(self._alone)
        while len(self._in_line) > needed:
            batch = self._in_line.pop()
            if batch.task is not None:
                batch.task.cancel()
        loop = asyncio.get_running_loop()
        while len(self._in_line) < min(needed, self._most) and not self._closed:
            batch = Batch(self._patience(loop.time()))
            batch.task = loop.create_task(self._run(batch))
            self._in_line.append(batch)
            self._tasks.add(batch.task)
            batch.task.add_done_callback(self._tasks.discard)

    def _patience(self, now: float) -> float | None:
        """Return the seconds that the next request in line may wait there."""
        if self._max_wait is None:
            return None
        first = next(self._share(len(self._in_line)), None)
        since = now if first is None else first.since
        return max(0.0, self._max_wait - (now - since))

    def _share(self, ahead: int) -> "islice[PendingId[T]]":
        """Return the ids that the next request will take if so many requests go ahead of it."""
        if ahead < len(self._alone):
            return islice(self._alone.values(), ahead, ahead + 1)
        width = self._rules.width()
        start = (ahead - len(self._alone)) * width
        return islice(self._together.values(), start, start + width)

    async def _run(self, batch: Batch[T]) -> None:
        """Ask for one batch, and see that none of its callers is left waiting."""
        failure: Exception | None = None
        try:
            await self._ask(batch, partial(self._take, batch))
            if batch.taken:
                failure = RuntimeError("an id was neither answered nor handed back")
        except NothingPendingError:
            pass
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the callers' and must reach them
            failure = error
        finally:
            self._leave_line(batch)
            if failure is not None and not batch.taken:
                self._fail_share(failure)
            for pending in batch.pending:
                if pending.batch is batch:
                    pending.fail(failure or ClientClosedError("the client was closed"))

    def _fail_share(self, failure: Exception) -> None:
        """Fail the ids that a request without a turn would have taken; the others have their own requests.

        An id that came after the request, and could still have its turn in time, waits for another one.
        """
        now = asyncio.get_running_loop().time()
        next_slot = failure.retry_after if isinstance(failure, RateLimitError) else None
        share = list(self._share(len(self._in_line)))
        for pending in share:
            if self._max_wait is not None and next_slot is not None and pending is not share[0]:
                left = self._max_wait - (now - pending.since)
                if left > next_slot:
                    continue
            for queue in (self._alone, self._together):
                if queue.get(pending.id) is pending:
                    del queue[pending.id]
            pending.fail(self._rules.explain(pending.id, failure, self._max_wait))

    def _take(self, batch: Batch[T]) -> None:
        """Fill a batch whose turn has come.

        Raises:
            NothingPendingError: no caller waits any more.
        """
        batch.taken = True
        self._leave_line(batch)
        if not self._alone:
            self._fill(batch, self._together, self._rules.width())
        if not batch.pending:
            self._fill(batch, self._alone, 1)
        else:
            for sibling in self._siblings.values():
                if sibling is not self:
                    sibling.give(batch)
        if not batch.pending:
            raise NothingPendingError

    def give(self, batch: Batch[T]) -> None:
        """Let a sibling's request take ids along that wait here."""
        if self._together:
            self._fill(batch, self._together, self._rules.width())
            self._ensure_soon()

    def _fill(self, batch: Batch[T], queue: OrderedDict[int, PendingId[T]], width: int) -> None:
        while queue and len(batch.pending) < width:
            pending = queue.popitem(last=False)[1]
            pending.callers = [caller for caller in pending.callers if not caller.done()]
            if not pending.callers:
                continue
            if queue is self._together and width > 1 and self._rules.goes_alone(pending.id):
                pending.ask_alone()
            else:
                pending.batch = batch
                batch.pending.append(pending)

    def _leave_line(self, batch: Batch[T]) -> None:
        if batch in self._in_line:
            self._in_line.remove(batch)
            self._ensure_soon()
