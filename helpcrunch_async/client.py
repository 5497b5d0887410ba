"""The client: one short method per endpoint."""

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Mapping
from contextlib import AsyncExitStack, aclosing
from copy import copy
from types import TracebackType
from typing import Any, Final, Literal, Protocol, Self, TypeVar, overload

import attrs
from attrs import define, field

from helpcrunch_async.checks import check_count, check_flag, check_id
from helpcrunch_async.converter import structure_one, structure_page
from helpcrunch_async.endpoints import GET_CUSTOMER, LIST_CUSTOMERS, SEARCH_CUSTOMERS, sorting
from helpcrunch_async.errors import ClientClosedError, HelpCrunchError
from helpcrunch_async.listing import Listing
from helpcrunch_async.lookup import CustomerLookup, Ids, SearchTrust
from helpcrunch_async.models import Customer, Lookup, Page
from helpcrunch_async.protocol import (
    BASE_URL,
    JSON,
    Request,
    Secret,
    check_api_key,
    check_base_url,
)
from helpcrunch_async.rate_limit import Limiter, Priority, limiter_of_account
from helpcrunch_async.requester import CallOptions, Requester, within
from helpcrunch_async.retry import RetryPolicy
from helpcrunch_async.search import Customers, Filter, Query, body_of
from helpcrunch_async.session import SessionFactory, Transport, open_session
from helpcrunch_async.unset import UNSET, Unset

CustomerSort = Literal["firstSeen", "lastSeen"]
_CUSTOMER_SORTS: Final = ("firstSeen", "lastSeen")
Order = Literal["asc", "desc"]


class HasId(Protocol):
    """A row that can be told from others."""

    @property
    def id(self) -> int:
        """HelpCrunch's own id."""
        ...


Row = TypeVar("Row", bound=HasId)


@define(eq=False)
class _Open:
    """What a client and its views share while it is open."""

    requester: Requester
    exit_stack: AsyncExitStack
    loop: asyncio.AbstractEventLoop
    folding: dict[CallOptions, CustomerLookup] = field(factory=dict)
    streaming: set[CustomerLookup] = field(factory=set)


@define(eq=False)
class _Shared:
    """What a client and its views share."""

    trust: SearchTrust = field(factory=SearchTrust)
    open: _Open | None = None
    is_opening: bool = False
    was_closed: bool = False


class HelpCrunchClient:
    """An asyncio client of the HelpCrunch REST API.

        async with HelpCrunchClient(api_key) as client:
            customer = await client.get_customer(8737843)

    It spends the account's budget of requests evenly, pauses everybody when HelpCrunch says 429 and lets one
    call probe, and repeats what failed on the way where repeating is safe. Clients of one account in one
    event loop share their rate limiter unless they are given one.

    Args:
        api_key: from HelpCrunch's Settings, Developers, Public API; None reads HELPCRUNCH_API_KEY.
        base_url: None reads HELPCRUNCH_BASE_URL, and is https://api.helpcrunch.com/v1 without it.
        session: the factory of the aiohttp session: `open_session`, `partial(open_session, proxy=...)`,
            `borrow_session(mine)` or one of your own.
        retry: `RetryPolicy(...)`, or `NO_RETRY`: every failure is raised at once, a 429 too, although that
            still pauses the others.
        rate_limiter: None is the limiter of this account; or a `RateLimiter(...)`, or `UNLIMITED`.
        timeout: seconds for one attempt, from the moment the turn is held to the last byte.
        deadline: seconds for one awaited call: queueing, attempts and sleeps together; in streams and
            listings, for each request. None is no deadline.
        max_wait: seconds that a call may stand in line; when the line is longer it is refused at once with
            a `RateLimitError`. None waits as long as it takes.
        priority: "interactive", or "bulk" to let others go first. `get_customers`, `stream_customers` and
            listings are bulk unless `with_options` says otherwise.
        max_in_flight: requests on the wire at once.
        coalesce: fold `get_customer` calls that wait for a turn into searches of up to 100 ids. This use of
            search is inferred from the documented grammar, not documented itself; see `get_customers`.
        allow_http: take a plain http base_url beyond loopback, for a sandbox in another container.

    Raises:
        TypeError: an argument of the wrong kind.
        ValueError: no key, or an argument out of range.

    Source: https://docs.helpcrunch.com/en/rest-api-v1/api-setup-v1
    """

    def __init__(
        self,
        api_key: str | None = None,
        *,
        base_url: str | None = None,
        session: SessionFactory = open_session,
        retry: RetryPolicy = RetryPolicy(),  # noqa: B008 - immutable
        rate_limiter: Limiter | None = None,
        timeout: float = 30.0,
        deadline: float | None = None,
        max_wait: float | None = None,
        priority: Priority = "interactive",
        max_in_flight: int = 100,
        coalesce: bool = False,
        allow_http: bool = False,
    ) -> None:
        if api_key is None:
            api_key = os.environ.get("HELPCRUNCH_API_KEY", "")
        if isinstance(api_key, str):
            api_key = Secret(str.__str__(api_key))  # whatever is wrong below, no traceback shows the key
        self._key = check_api_key(api_key)
        if base_url is None:
            base_url = os.environ.get("HELPCRUNCH_BASE_URL") or BASE_URL
        self._base_url = check_base_url(base_url, allow_http=check_flag("allow_http", allow_http))
        if not callable(session):
            raise TypeError("session is a factory; lend a ClientSession with borrow_session(session)")
        self._session = session
        if rate_limiter is not None and (isinstance(rate_limiter, type) or not hasattr(rate_limiter, "turn")):
            raise TypeError(f"rate_limiter is a limiter, not {rate_limiter!r}")
        self._rate_limiter = rate_limiter
        self._max_in_flight = check_count("max_in_flight", max_in_flight)
        self._coalesce = check_flag("coalesce", coalesce)
        self._options = CallOptions(retry, timeout, deadline, max_wait, priority)
        # these are bulk whatever the client's default is; only with_options changes that
        self._bulk_options = attrs.evolve(self._options, priority="bulk")
        self._shared = _Shared()
        self._is_view = False

    def __repr__(self) -> str:
        url = getattr(self, "_base_url", "?")  # a traceback may show a client that is half made
        return f"<{type(self).__name__} of {url}>"

    async def open(self) -> None:
        """Open the session and find the account's limiter; `async with` does it.

        Raises:
            RuntimeError: it is open already, or is a view made by `with_options`.
        """
        self._refuse_view()
        if self._shared.open is not None or self._shared.is_opening:
            raise RuntimeError("the client is open already")
        self._shared.is_opening, self._shared.was_closed = True, False
        try:
            opened = await self._open()
        finally:
            self._shared.is_opening = False
        self._shared.open = opened
        if self._shared.was_closed:  # meanwhile
            await self.close()
            raise ClientClosedError("the client was closed while it was opened")

    async def _open(self) -> _Open:
        async with AsyncExitStack() as stack:
            transport = Transport(await stack.enter_async_context(self._session()))
            limiter = self._rate_limiter
            if limiter is None:
                limiter = limiter_of_account(self._base_url, self._key)
            requester = Requester(
                transport, self._base_url, self._key, limiter, max_in_flight=self._max_in_flight
            )
            return _Open(requester, stack.pop_all(), asyncio.get_running_loop())

    async def close(self) -> None:
        """Close what `open` opened; again is harmless."""
        self._refuse_view()
        self._shared.was_closed = True
        opened, self._shared.open = self._shared.open, None
        if opened is not None:
            async with opened.exit_stack:
                for lookup in [*opened.folding.values(), *opened.streaming]:
                    await lookup.close()
                opened.requester.close()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    def with_options(
        self,
        *,
        timeout: float | Unset = UNSET,
        deadline: float | Unset | None = UNSET,
        retry: RetryPolicy | Unset = UNSET,
        max_wait: float | Unset | None = UNSET,
        priority: Priority | Unset = UNSET,
    ) -> Self:
        """Give a view with other options: same session, same limiter, opened and closed by its client.

        Raises:
            TypeError, ValueError: as the constructor.
        """
        given = {
            "timeout": timeout,
            "deadline": deadline,
            "retry": retry,
            "max_wait": max_wait,
            "priority": priority,
        }
        changes: dict[str, Any] = {name: value for name, value in given.items() if value is not UNSET}
        view = copy(self)
        vars(view).update(
            _options=attrs.evolve(self._options, **changes),
            _bulk_options=attrs.evolve(self._bulk_options, **changes),
            _is_view=True,
        )
        return view

    # Customers

    async def get_customer(self, customer_id: int) -> Customer:
        """Get one customer.

        Args:
            customer_id: HelpCrunch's id, a positive int.

        Raises:
            NotFoundError: there is no such customer.
            HelpCrunchError: see `errors`; transport errors and 5xx are retried first.
            TypeError, ValueError: not an id; nothing was sent.

        Source: https://docs.helpcrunch.com/en/rest-api-v1/get-customer-v1
        """
        check_id(customer_id)
        options = self._options
        if self._coalesce:
            return await self._get_folded(customer_id, options)
        body = await self._send(GET_CUSTOMER.request(customer_id), options)
        return structure_one(body, Customer)

    async def _get_folded(self, customer_id: int, options: CallOptions) -> Customer:
        """Get one customer in a request that others may share; the patience stays the caller's own."""
        opened = self._opened()
        deadline, max_wait = options.deadline, options.max_wait
        if deadline is not None or max_wait is not None:
            options = attrs.evolve(options, deadline=None, max_wait=None)
        lookup = opened.folding.get(options)
        if lookup is None:
            for unused in [each for each, idle in opened.folding.items() if idle.is_idle()]:
                del opened.folding[unused]
            lookup = CustomerLookup(opened.requester, options, self._shared.trust, batch=True)
            opened.folding[options] = lookup
        if deadline is None:
            return await lookup.get(customer_id, max_wait)
        return await within(deadline, lookup.get(customer_id, max_wait), GET_CUSTOMER.request(customer_id))

    @overload
    async def get_customers(
        self, ids: Ids, *, return_exceptions: Literal[False] = False, batch: bool = True
    ) -> list[Customer]: ...
    @overload
    async def get_customers(
        self, ids: Ids, *, return_exceptions: Literal[True], batch: bool = True
    ) -> list[Customer | HelpCrunchError]: ...
    async def get_customers(
        self, ids: Ids, *, return_exceptions: bool = False, batch: bool = True
    ) -> list[Customer] | list[Customer | HelpCrunchError]:
        """Get many customers, in the order asked.

        Up to 100 ids share a `POST /customers/search`; the grammar for that is documented, this use of it is
        not. So each answer is checked, ids that did not come back are asked for one by one, and when
        searching proves useless it is given up for this client. A search may lag behind a customer that was
        changed a moment ago; `batch=False` asks for each customer by itself.

        Args:
            ids: HelpCrunch's ids, sync or async iterable; one that occurs twice is asked once.
            return_exceptions: True puts errors into the list, as `asyncio.gather` does; False raises the
                first one and cancels what is pending.
            batch: False forces single requests.

        Raises:
            NotFoundError: one of them does not exist, unless `return_exceptions`.
            HelpCrunchError: see `errors`; transport errors and 5xx are retried first.
            TypeError, ValueError: one of them is not an id; nothing was sent.

        Sources: https://docs.helpcrunch.com/en/rest-api-v1/search-customers-v1 and .../get-customer-v1
        """
        if isinstance(ids, AsyncIterable):
            ids = [each async for each in ids]
        wanted = [check_id(each) for each in ids]
        options, deadline = self._bulk_options, self._bulk_options.deadline
        work = self._look_up(
            wanted,
            attrs.evolve(options, deadline=None),
            return_exceptions=check_flag("return_exceptions", return_exceptions),
            batch=batch,
        )
        found = await (work if deadline is None else within(deadline, work, SEARCH_CUSTOMERS.request()))
        return [found[each] for each in wanted]

    async def _look_up(
        self, wanted: list[int], options: CallOptions, *, return_exceptions: bool, batch: bool
    ) -> dict[int, Customer | HelpCrunchError]:
        """Look up customers, each once; unless errors are wanted, the first one ends it."""
        found: dict[int, Customer | HelpCrunchError] = {}
        async with aclosing(self._stream(dict.fromkeys(wanted), options, batch=batch)) as lookups:
            async for lookup in lookups:
                if lookup.error is not None and not return_exceptions:
                    raise lookup.error
                outcome = lookup.customer or lookup.error
                assert outcome is not None
                found[lookup.id] = outcome
        return found

    def stream_customers(self, ids: Ids, *, batch: bool = True) -> AsyncGenerator[Lookup, None]:
        """Look up any number of customers, lazily, in bounded memory, as they arrive.

        Each id given is answered by one `Lookup`, which holds the customer or the error. Ids are pulled
        only as results are consumed. Leaving the loop ends what is under way; wrap the stream in
        `contextlib.aclosing` to be sure when. With `deadline` or `max_wait` requests stand in line one at
        a time.

        Args:
            ids: HelpCrunch's ids, sync or async iterable of any length; one that occurs twice is answered
                twice.
            batch: False forces single requests; otherwise see `get_customers`.

        Raises:
            TypeError, ValueError: one of them is not an id; those before it were answered.
        """
        return self._stream(ids, self._bulk_options, batch=batch)

    def _stream(self, ids: Ids, options: CallOptions, *, batch: bool) -> AsyncGenerator[Lookup, None]:
        check_flag("batch", batch)
        opened = self._opened()
        lookup = CustomerLookup(opened.requester, options, self._shared.trust, batch=batch)
        return lookup.stream(ids, opened.streaming)

    def list_customers(
        self,
        *,
        sort: CustomerSort | None = None,
        order: Order | None = None,
        offset: int = 0,
        limit: int | None = None,
    ) -> Listing[Customer]:
        """List customers; nothing is sent before the listing is used.

        Args:
            sort: "firstSeen" or "lastSeen"; None leaves it to HelpCrunch. The former is the steadier while
                customers come and go.
            order: "asc" or "desc".
            offset: rows to skip.
            limit: rows to give at most; None gives all.

        Raises:
            ValueError: an unknown sort or order.

        Source: https://docs.helpcrunch.com/en/rest-api-v1/get-customers-v1
        """
        query = sorting("customers", _CUSTOMER_SORTS, sort, order)
        return self._list(
            lambda page: LIST_CUSTOMERS.request(query={**query, **page}), Customer, offset=offset, limit=limit
        )

    def search_customers(
        self,
        filter: Query[Customers] | Filter[Customers],  # noqa: A002 - the API's own word
        *,
        sort: CustomerSort | None = None,
        order: Order | None = None,
        offset: int = 0,
        limit: int | None = None,
    ) -> Listing[Customer]:
        """Search customers; nothing is sent before the listing is used.

            paid = all_of(EMAIL.contains("@example.com"), TAGS.include("Paid"))
            async for customer in client.search_customers(paid): ...

        Args:
            filter: made with `helpcrunch_async.search`.
            sort: "firstSeen" or "lastSeen"; None leaves it to HelpCrunch.
            order: "asc" or "desc".
            offset: rows to skip.
            limit: rows to give at most; None gives all.

        Raises:
            TypeError: not a filter or query of customers.
            ValueError: an unknown sort or order.

        Source: https://docs.helpcrunch.com/en/rest-api-v1/search-customers-v1
        """
        query = {**body_of(filter, "customers"), **sorting("customers", _CUSTOMER_SORTS, sort, order)}
        return self._list(
            lambda page: SEARCH_CUSTOMERS.request(body={**query, **page}),
            Customer,
            offset=offset,
            limit=limit,
        )

    # Behind the methods

    def _list(
        self,
        request_of: Callable[[Mapping[str, int]], Request],
        model: type[Row],
        *,
        offset: int,
        limit: int | None,
    ) -> Listing[Row]:
        """List rows that have an id, by a request for one page of them."""

        async def fetch_page(offset: int, limit: int) -> Page[Row]:
            request = request_of({"limit": limit, "offset": offset})
            return structure_page(await self._send(request, self._bulk_options), model, offset=offset)

        return Listing(fetch_page, lambda row: row.id, offset=offset, limit=limit)

    async def _send(self, request: Request, options: CallOptions) -> JSON:
        return await self._opened().requester.send(request, options)

    def _opened(self) -> _Open:
        opened = self._shared.open
        if opened is None:
            raise ClientClosedError(
                "the client is closed"
                if self._shared.was_closed
                else "the client is not open: use `async with`, or await open()"
            )
        if opened.loop is not asyncio.get_running_loop():
            raise RuntimeError("the client was opened in another event loop; open one client per loop")
        return opened

    def _refuse_view(self) -> None:
        if self._is_view:
            raise RuntimeError("a view made by with_options is opened and closed by its client")
