"""Customers by their ids: through searches where those can be trusted, one by one where not.

`POST /customers/search` with one `customers.id = N` filter per id and `comparison: OR` fits the documented
grammar, but nobody documents it for this purpose, nor how many filters it takes. So every answer is checked,
what is missing is asked for by `GET /customers/{id}`, whose word is final, and a search that turns out to
be useless is not used again by this client.

Sources: https://docs.helpcrunch.com/en/rest-api-v1/search-customers-v1 and .../get-customer-v1
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Coroutine, Iterable, Sequence, Sized
from functools import partial
from typing import Any, Final, TypeAlias

import attrs
from attrs import define

from helpcrunch_async.checks import check_id
from helpcrunch_async.converter import read_page, structure_one
from helpcrunch_async.endpoints import GET_CUSTOMER, SEARCH_CUSTOMERS
from helpcrunch_async.errors import (
    APIError,
    AuthenticationError,
    DecodeError,
    HelpCrunchError,
    NotFoundError,
    RateLimitError,
    ServerError,
)
from helpcrunch_async.folding import Batch, Folder, Wanted
from helpcrunch_async.models import Customer, Lookup
from helpcrunch_async.protocol import JSON, Request
from helpcrunch_async.rate_limit import TurnRefusedError
from helpcrunch_async.redaction import hide_locals
from helpcrunch_async.requester import CallOptions, Requester, refusal

log: Final = logging.getLogger("helpcrunch_async")

Ids: TypeAlias = Iterable[int] | AsyncIterable[int]

WIDEST: Final = 100  # ids a search: as many as a page may have rows
STREAMED_BATCHES: Final = 10  # in hand: memory stays bounded
GATHERED_BATCHES: Final = 100  # the same where all results are kept anyway
_SINGLES_IN_HAND: Final = 100
_TOO_MUCH: Final = frozenset({400, 413, 414, 422})  # statuses that a narrower search may not meet


@define(eq=False)
class SearchTrust:
    """How far one client trusts searches by id: how many ids at once, 1 being not at all."""

    width: int = WIDEST

    def narrow(self, refused: int) -> None:
        """Note that a search for this many ids was refused."""
        width = max(1, refused // 2)
        if width >= self.width:
            return
        self.width = width
        if width == 1:
            log.warning(
                "HelpCrunch refuses searches by customer id; customers are fetched one by one from now on"
            )

    def withdraw(self, reason: str) -> None:
        """Stop searching, and say so once."""
        if self.width > 1:
            self.width = 1
            log.warning("searches by customer id are not used from now on: %s", reason)


class CustomerLookup:
    """Asks for customers by id with one set of options.

    Args:
        requester: sends.
        options: how each request is sent.
        trust: shared by all look-ups of a client.
        batch: False asks one by one in any case.
    """

    def __init__(
        self, requester: Requester, options: CallOptions, trust: SearchTrust, *, batch: bool
    ) -> None:
        self._requester = requester
        self._options = options
        self._trust = trust
        self._batch = batch
        # A call with limited patience would lose it behind its own siblings: then only one stands in line.
        patient = options.max_wait is None and options.deadline is None
        most = _SINGLES_IN_HAND if patient else 1
        self._folder: Folder[Customer] = Folder(self._ask, self._width, most=most)
        self._to_come: Callable[[], int] = lambda: 0  # ids, beyond those that wait

    def is_idle(self) -> bool:
        """Tell whether nobody waits for a customer."""
        return self._folder.is_idle()

    def get(
        self, customer_id: int, max_wait: float | None = None, flow: object = None
    ) -> Coroutine[Any, Any, Customer]:
        """Get one customer, in a request that others who wait may share; `flow` is the caller's.

        Raises:
            RateLimitError: no turn came within `max_wait` seconds.
            HelpCrunchError: as `HelpCrunchClient.get_customer`.
        """
        # a coroutine less for each of the thousands who may wait here
        if max_wait is None:
            return self._folder.get(customer_id, flow=flow)
        return self._get_within(max_wait, customer_id, flow)

    async def _get_within(self, max_wait: float, customer_id: int, flow: object) -> Customer:
        try:
            return await self._folder.get(customer_id, max_wait, flow)
        except TurnRefusedError as refused:
            too_long = refusal(GET_CUSTOMER.request(customer_id), refused, max_wait)
        raise too_long

    async def close(self) -> None:
        """End all requests; whoever still waits gets a `ClientClosedError`."""
        await self._folder.close()

    def _width(self) -> int:
        return self._trust.width if self._batch else 1

    async def _ask(self, batch: Batch[Customer], take: Callable[[], None]) -> None:
        def fold() -> Request:
            take()
            ids = [wanted.id for wanted in batch.wanted]
            return GET_CUSTOMER.request(ids[0]) if len(ids) == 1 else _search_request(ids)

        likely = SEARCH_CUSTOMERS.request() if self._width() > 1 else GET_CUSTOMER.request()
        flow, expected = self._folder.flow_of(batch), self._folder.requests_left(self._to_come())
        options = self._options if flow is None else attrs.evolve(self._options, flow=flow)
        try:
            body = await self._requester.send(likely, options, fold=fold, expected=expected)
            if len(batch.wanted) == 1:
                self._answer_one(batch.wanted[0], structure_one(body, Customer))
            else:
                self._answer_many(batch, body)
        except (APIError, DecodeError) as error:
            if len(batch.wanted) < 2 or isinstance(error, AuthenticationError | RateLimitError | ServerError):
                raise
            self._search_failed(batch, error)

    def _search_failed(self, batch: Batch[Customer], problem: APIError | DecodeError) -> None:
        """Decide how the ids of a search that was answered with an error are asked for instead."""
        if isinstance(problem, NotFoundError):  # "none found", by one client's account
            self._answer_many(batch, {"data": []})
            return
        if isinstance(problem, APIError) and problem.status in _TOO_MUCH:
            self._trust.narrow(len(batch.wanted))
        else:
            self._trust.withdraw(f"one was answered with {type(problem).__name__}")
        for wanted in reversed(batch.wanted):
            self._folder.ask_again(wanted)

    def _answer_one(self, wanted: Wanted[Customer], customer: Customer) -> None:
        wanted.answer(customer)
        batch = wanted.missed_by
        if batch is not None:
            batch.missing_found += 1
            if batch.missing_found == 2:  # one may be new; two are no accident
                self._trust.withdraw("one did not find customers that exist")

    def _answer_many(self, batch: Batch[Customer], body: JSON) -> None:
        """Answer what came back as asked for; ask for the rest alone."""
        page, unreadable = read_page(body, Customer, offset=0)
        asked = {wanted.id: wanted for wanted in batch.wanted}
        for customer in page.items:
            if customer.id in asked:
                asked[customer.id].answer(customer)
        if unreadable or any(customer.id not in asked for customer in page.items):
            self._trust.withdraw("one brought customers that were not asked for")
        for wanted in batch.wanted:
            if wanted.callers:
                self._folder.ask_alone(wanted, batch)

    async def stream(
        self, ids: Ids, running: set["CustomerLookup"], batches: int = STREAMED_BATCHES
    ) -> AsyncGenerator[Lookup, None]:
        """Look up any number of ids, with at most so many batches in hand; see `stream_customers`.

        While it runs it is in `running`, for the client to close.
        """
        running.add(self)
        room = max(_SINGLES_IN_HAND, batches * self._width())
        source = _Source(ids, self._folder.want, room=room, refill=self._width())
        self._to_come = source.to_come
        try:
            while (lookup := await source.next()) is not None:
                yield lookup
        finally:
            running.discard(self)
            try:
                await self.close()
            finally:
                await source.close()


def _search_request(ids: list[int]) -> Request:
    filters = [{"field": "customers.id", "operator": "=", "value": each} for each in ids]
    return SEARCH_CUSTOMERS.request(
        body={"comparison": "OR", "filter": filters, "limit": WIDEST, "offset": 0}
    )


class _Source:
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
        self._all = len(ids) if isinstance(ids, Sized) else None
        self._pulled = 0
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

    def to_come(self) -> int:
        """Return how many ids are still to be pulled, as far as that is known."""
        return 0 if self._all is None else max(0, self._all - self._pulled)

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
        self._pulled += 1
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


@hide_locals
def first_match(
    found: Sequence[Customer], wanted: str, value_of: Callable[[Customer], str | None], *, folding_case: bool
) -> Customer | None:
    """Give the first of the customers found who has the value wanted.

    Raises:
        DecodeError: there are some, and none is like what was asked for: the search ignored its filter.
    """
    folded = wanted.casefold()
    alike = [customer for customer in found if (value_of(customer) or "").casefold() == folded]
    if found and not alike:
        raise DecodeError(
            "the search answered with other customers than were asked for",
            problems=("$.data: no row has the value that was searched for",),
        )
    return next((each for each in alike if folding_case or value_of(each) == wanted), None)
