"""Customers by their ids: through searches where those can be trusted, one by one where not.

`POST /customers/search` with one `customers.id = N` filter per id and `comparison: OR` fits the documented
grammar, but nobody documents it for this purpose, nor how many filters it takes. So it is proved first
(`proof`), every answer is checked, what is missing or may be stale is asked for by `GET /customers/{id}`,
whose word is final, and a search that turns out to be useless is not used for an hour.

Sources: https://docs.helpcrunch.com/en/rest-api-v1/search-customers-v1 and .../get-customer-v1
"""

from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping, Sequence
from math import inf
from typing import Any, Final, Literal, TypeAlias

import attrs
from attrs import define, field

from helpcrunch_async.bulk.account import AccountMemory
from helpcrunch_async.bulk.coalescer import Batch, Coalescer, Rules
from helpcrunch_async.bulk.proof import WIDEST, differences
from helpcrunch_async.bulk.recent_writes import UNKNOWN, Shown, shows
from helpcrunch_async.bulk.source import Ids, Source
from helpcrunch_async.converter import read_page, rows_in, structure_one, unwrapped
from helpcrunch_async.endpoints import GET_CUSTOMER, SEARCH_CUSTOMERS
from helpcrunch_async.errors import (
    APIError,
    AuthenticationError,
    DecodeError,
    NotFoundError,
    RateLimitError,
    ServerError,
)
from helpcrunch_async.models import Customer, Lookup
from helpcrunch_async.protocol import JSON, Request
from helpcrunch_async.rate_limit import TurnRefusedError
from helpcrunch_async.redaction import hide_locals
from helpcrunch_async.requester import CallOptions, Requester, refusal

_BATCHES_IN_HAND: Final = 10
_SINGLES_IN_HAND: Final = 100
_ROWS_TRIED: Final = 2  # for a proof
_NARROWING_STATUSES: Final = frozenset({400, 413, 414, 422})  # that a search for fewer ids may not meet

_Proof: TypeAlias = Literal["of these rows", "of searches", "none"]
"""What a search turned out to prove."""


@define(eq=False)
class _Sent:
    """What is known of a request from the moment in which it leaves."""

    proves: bool = False  # whether it is the search by which searches are proved
    expected: Mapping[int, Shown] = field(factory=dict)  # of the ids that were written a moment ago


class CustomerLookup:
    """Asks for customers by id with one set of options.

    Args:
        requester: sends.
        options: how each request is sent.
        memory: what is known of the account.
        batch: False asks one by one in any case.
    """

    def __init__(
        self, requester: Requester, options: CallOptions, memory: AccountMemory, *, batch: bool
    ) -> None:
        self._requester = requester
        self._options = options
        self._memory = memory
        self._trust = memory.trust
        self._batch = batch
        self._coalescers: dict[float | None, Coalescer[Customer]] = {}  # by `max_wait`

    def is_idle(self) -> bool:
        """Return whether nobody waits for a customer."""
        return all(each.is_idle() for each in self._coalescers.values())

    def get(self, customer_id: int, max_wait: float | None = None) -> Coroutine[Any, Any, Customer]:
        """Get one customer, in a request that others who wait may share.

        Raises:
            RateLimitError: no turn comes within `max_wait` seconds.
            HelpCrunchError: as `HelpCrunchClient.get_customer`.
        """
        return self._coalescer(max_wait, inf if max_wait is not None else _SINGLES_IN_HAND).get(customer_id)

    async def close(self) -> None:
        """End all requests; whoever still waits gets a `ClientClosedError`."""
        for coalescer in list(self._coalescers.values()):
            await coalescer.close()

    def _coalescer(self, max_wait: float | None, most: float) -> Coalescer[Customer]:
        coalescer = self._coalescers.get(max_wait)
        if coalescer is None:
            for unused in [each for each, idle in self._coalescers.items() if idle.is_idle()]:
                del self._coalescers[unused]
            rules = Rules(self._width, self._most_searches, self._goes_alone, _unsent)
            coalescer = self._coalescers[max_wait] = Coalescer(
                self._ask, rules, most=most, max_wait=max_wait, siblings=self._coalescers
            )
        return coalescer

    def _width(self) -> int:
        return self._trust.width if self._batch else 1

    def _most_searches(self, call_back: Callable[[], None]) -> float:
        return self._trust.most_searches(call_back) if self._batch else inf

    def _goes_alone(self, customer_id: int) -> bool:
        return self._memory.writes.expected(customer_id) is UNKNOWN

    async def _ask(self, batch: Batch[Customer], take: Callable[[], None]) -> None:
        sent = _Sent()

        def build_request() -> Request:
            take()
            ids = batch.ids()
            if len(ids) > 1:
                sent.proves = self._trust.begin_proof()
                if not (sent.proves or self._trust.is_proved):  # another thread has just begun
                    self._ask_others_again(batch)
                    ids = ids[:1]
            if len(ids) == 1:
                return GET_CUSTOMER.request(ids[0])
            sent.expected = {each: must for each in ids if (must := self._memory.writes.expected(each))}
            return _search_request(ids)

        likely = SEARCH_CUSTOMERS.request() if self._width() > 1 else GET_CUSTOMER.request()
        options = self._options
        if batch.max_wait != options.max_wait:
            options = attrs.evolve(options, max_wait=batch.max_wait)
        proved = False
        try:
            body = await self._requester.send(likely, options, build_request=build_request)
            if len(batch.ids()) == 1:
                self._answer_one(batch, structure_one(body, Customer))
            else:
                proved = await self._answer_many(batch, body, sent)
        except (APIError, DecodeError) as error:
            if len(batch.ids()) < 2 or isinstance(error, AuthenticationError | RateLimitError | ServerError):
                raise
            self._search_failed(batch, error)
        finally:
            if sent.proves:
                self._trust.end_proof(proved=proved)

    @staticmethod
    def _ask_others_again(batch: Batch[Customer]) -> None:
        """Keep the first id of a batch alone."""
        first = batch.pending[0].id
        others = [each for each in batch.pending if each.id != first]
        batch.pending = [each for each in batch.pending if each.id == first]
        for pending in reversed(others):
            pending.ask_again()

    def _search_failed(self, batch: Batch[Customer], problem: APIError | DecodeError) -> None:
        """Decide how the ids of a search that was answered with an error are asked for instead."""
        if isinstance(problem, NotFoundError):  # "none found", by one client's account
            self._give(batch, {}, {})
            return
        if isinstance(problem, APIError) and problem.status in _NARROWING_STATUSES:
            self._trust.narrow(len(batch.ids()))
        else:
            self._trust.withdraw(f"one was answered with {type(problem).__name__}")
        for pending in reversed(batch.pending):
            pending.ask_again()

    def _answer_one(self, batch: Batch[Customer], customer: Customer) -> None:
        for pending in batch.pending:
            pending.answer(customer)
            missed_by = pending.missed_by
            if missed_by is not None:
                missed_by.missing_found += 1
                if missed_by.missing_found == 2:  # one may be new; two are no accident
                    self._trust.withdraw("one did not find customers that exist")

    async def _answer_many(self, batch: Batch[Customer], body: JSON, sent: _Sent) -> bool:
        """Answer what came back as asked for; ask for the rest alone. Return whether searches are proved."""
        page, unreadable = read_page(body, Customer, offset=0)
        asked = set(batch.ids())
        found = {customer.id: customer for customer in page.items if customer.id in asked}
        late = {
            each for each, must in sent.expected.items() if each in found and not shows(found[each], must)
        }
        taken = {each: customer for each, customer in found.items() if each not in late}
        has_strangers = bool(unreadable) or any(customer.id not in asked for customer in page.items)
        proof: _Proof = "none"
        if sent.proves and not has_strangers:
            rows = {customer.id: row for customer, row in zip(page.items, rows_in(body), strict=True)}
            proof = await self._prove(taken, rows)
        if proof == "of searches":
            for pending in reversed(batch.pending):
                pending.ask_again()
            return True
        if proof == "none" and not self._trust.is_proved:
            taken = {}
        if has_strangers:
            self._trust.withdraw("one brought customers that were not asked for")
        self._give(batch, taken, found)
        return proof == "of these rows"

    def _give(
        self, batch: Batch[Customer], taken: Mapping[int, Customer], found: Mapping[int, Customer]
    ) -> None:
        """Answer the ids whose rows are taken, and ask for the others alone."""
        for pending in batch.pending:
            customer = taken.get(pending.id)
            if customer is not None:
                pending.answer(customer)
            elif pending.callers:
                # a search may be late to know what this process has written
                is_missing = pending.id not in found and not self._memory.writes.is_recent(pending.id)
                pending.ask_alone(batch if is_missing else None)

    async def _prove(self, found: Mapping[int, Customer], rows: Mapping[int, Any]) -> _Proof:
        """Find out whether a row of a search agrees with what `GET` answers; if not, searches are over.

        When only a repeated search agrees, the others of these rows may be as bad as that one was.
        The rows that hold most are tried first, and those that were written a moment ago last.
        """
        is_recent = self._memory.writes.is_recent
        candidates = sorted(found, key=lambda each: (is_recent(each), -_size(rows[each])))
        for customer_id in candidates[:_ROWS_TRIED]:
            try:
                if not await self._compare(customer_id, rows[customer_id]):
                    return "of these rows"
                again = await self._send(_search_request([customer_id]))  # it may have changed in between
                problem = await self._compare(customer_id, rows_in(again)[0])
            except Exception:  # noqa: BLE001, S112 - what prevents the comparison proves nothing
                continue
            if not problem:
                return "of searches"
            if not is_recent(customer_id):  # nor written meanwhile
                self._trust.withdraw(f"they do not answer as GET /customers/{{id}} does: {problem}")
                break
        return "none"

    async def _compare(self, customer_id: int, row: Any) -> str:
        got = unwrapped(await self._send(GET_CUSTOMER.request(customer_id)))
        return differences(row, got, structure_one(row, Customer), structure_one(got, Customer))

    def _send(self, request: Request) -> Coroutine[Any, Any, JSON]:
        """Send one of a proof's requests: once, ahead of bulk work, and with callers behind it."""
        retry = attrs.evolve(self._options.retry, attempts=1)
        options = attrs.evolve(self._options, retry=retry, max_wait=None, priority="interactive")
        return self._requester.send(request, options)

    async def stream(self, ids: Ids, running: set["CustomerLookup"]) -> AsyncGenerator[Lookup, None]:
        """Look up any number of ids; see `HelpCrunchClient.stream_customers`.

        While it runs it is in `running`, for the client to close.
        """
        running.add(self)
        max_wait = self._options.max_wait
        # A call with limited patience would lose it behind its own siblings: then only one stands in line.
        is_patient = max_wait is None and self._options.deadline is None
        coalescer = self._coalescer(max_wait, _SINGLES_IN_HAND if is_patient else 1)
        width = self._trust.widest if self._batch else 1
        room = max(_SINGLES_IN_HAND, _BATCHES_IN_HAND * width)
        source = Source(ids, coalescer.want, room=room, refill=width)
        try:
            while (lookup := await source.next()) is not None:
                yield lookup
        finally:
            running.discard(self)
            try:
                await self.close()
            finally:
                await source.close()


def _unsent(customer_id: int, failure: Exception, max_wait: float | None) -> Exception:
    """Return the error for an id: a request that was refused had none yet."""
    if isinstance(failure, RateLimitError) and failure.refused:
        return refusal(GET_CUSTOMER.request(customer_id), TurnRefusedError(failure.retry_after), max_wait)
    return failure


def _search_request(ids: list[int]) -> Request:
    filters = [{"field": "customers.id", "operator": "=", "value": each} for each in ids]
    return SEARCH_CUSTOMERS.request(
        body={"comparison": "OR", "filter": filters, "limit": WIDEST, "offset": 0}
    )


def _size(row: Any) -> int:
    """Count what a row holds."""
    if isinstance(row, dict):
        return sum(1 + _size(value) for value in row.values())
    return sum(map(_size, row)) if isinstance(row, list) else row is not None


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
