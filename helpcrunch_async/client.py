"""The client: one short method per endpoint."""

import asyncio
import logging
import os
from collections.abc import AsyncGenerator, AsyncIterable, Coroutine, Iterable, Mapping
from contextlib import AsyncExitStack, aclosing
from copy import copy
from datetime import datetime
from functools import cache
from types import TracebackType
from typing import Any, Final, Literal, Protocol, Self, TypeVar, Unpack, get_args, overload

import attrs
from attrs import define, field

from helpcrunch_async.batch import update_in_batches
from helpcrunch_async.checks import check_count, check_flag, check_id, check_text
from helpcrunch_async.converter import structure_one, structure_page
from helpcrunch_async.endpoints import (
    ASSIGN_CHAT,
    CREATE_CHAT,
    CREATE_CUSTOMER,
    CREATE_EVENT,
    CREATE_MESSAGE,
    DELETE_CUSTOMER,
    GET_CHAT,
    GET_CUSTOMER,
    GET_ORGANIZATION,
    LIST_AGENTS,
    LIST_APPLICATIONS,
    LIST_CHATS,
    LIST_CUSTOMERS,
    LIST_DEPARTMENTS,
    LIST_MESSAGES,
    MARK_CHAT_READ_BY_AGENT,
    MARK_CHAT_READ_BY_CUSTOMER,
    RATE_CHAT,
    REPLACE_CUSTOMER,
    SEARCH_CHATS,
    SEARCH_CUSTOMERS,
    SET_CHAT_DEPARTMENT,
    SET_CHAT_STATUS,
    SNOOZE_CHAT,
    TAG_CUSTOMER,
    UNSUBSCRIBE_AGENT,
    UNTAG_CUSTOMER,
    UPDATE_CUSTOMER,
    Endpoint,
    raw_request,
    sorting,
)
from helpcrunch_async.errors import ClientClosedError, DecodeError, HelpCrunchError, NotFoundError
from helpcrunch_async.grammar import check_rating
from helpcrunch_async.listing import Listing, OnUnreadable
from helpcrunch_async.lookup import (
    GATHERED_BATCHES,
    STREAMED_BATCHES,
    CustomerLookup,
    Ids,
    SearchTrust,
    first_match,
)
from helpcrunch_async.models import (
    Agent,
    Application,
    BatchOutcome,
    Chat,
    Customer,
    CustomValue,
    Department,
    Event,
    Lookup,
    Message,
    Organization,
    Page,
    Rating,
    Tag,
)
from helpcrunch_async.models.vocabulary import spell_status
from helpcrunch_async.protocol import (
    BASE_URL,
    JSON,
    Request,
    authorization_of,
    check_api_key,
    check_base_url,
    foreign_host,
)
from helpcrunch_async.rate_limit import Limiter, Priority, limiter_of_account
from helpcrunch_async.redaction import hide_locals
from helpcrunch_async.requester import CallOptions, Requester, within
from helpcrunch_async.retry import RetryPolicy
from helpcrunch_async.search import (
    EMAIL,
    USER_ID,
    Chats,
    Customers,
    Filter,
    Query,
    body_of,
)
from helpcrunch_async.session import SessionFactory, Transport, open_session
from helpcrunch_async.unset import UNSET, Unset
from helpcrunch_async.walk import PAGE_LIMIT
from helpcrunch_async.writes import (
    CustomerFields,
    CustomerUpdate,
    batch_items,
    changes_body,
    customer_body,
    moment_text,
    some_tags,
    values_of,
    whole_customer_body,
)

log: Final = logging.getLogger("helpcrunch_async")

CustomerSort = Literal["firstSeen", "lastSeen"]
_CUSTOMER_SORTS: Final[tuple[CustomerSort, ...]] = get_args(CustomerSort)
ChatSort = Literal["createdAt", "lastCustomerMessageAt", "lastMessageAt", "closedAt"]
_CHAT_SORTS: Final[tuple[ChatSort, ...]] = get_args(ChatSort)
Order = Literal["asc", "desc"]


class HasId(Protocol):
    """A row that can be told from others."""

    @property
    def id(self) -> int:
        """HelpCrunch's own id."""
        ...


Row = TypeVar("Row", bound=HasId)
Model = TypeVar("Model")


@cache
def _say_where_the_key_goes(host: str) -> None:
    log.info("requests and the API key go to %s, as HELPCRUNCH_BASE_URL says", host)


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
    event loop share their rate limiter unless they are given one; a loop that is closed leaves it to the
    next one of the thread.

    Args:
        api_key: from HelpCrunch's Settings, Developers, Public API; None reads HELPCRUNCH_API_KEY.
        base_url: None reads HELPCRUNCH_BASE_URL, and is https://api.helpcrunch.com/v1 without it. A host of
            that variable that is neither HelpCrunch's nor this machine is logged once, at INFO.
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
        priority: "interactive", or "bulk" to let others go first. `get_customers`, `stream_customers`,
            `batch_update_customers` and listings are bulk unless `with_options` says otherwise.
        max_in_flight: requests on the wire at once.
        coalesce: fold `get_customer` calls that wait for a turn into searches of up to 100 ids. This use of
            search is inferred from the documented grammar, not documented itself; see `get_customers`.
        allow_http: take a plain http base_url beyond loopback, for a sandbox in another container.

    Raises:
        TypeError: an argument of the wrong kind.
        ValueError: no key, or an argument out of range.

    Source: https://docs.helpcrunch.com/en/rest-api-v1/api-setup-v1
    """

    @hide_locals
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
        self._key = check_api_key(api_key)
        from_environment = os.environ.get("HELPCRUNCH_BASE_URL") if base_url is None else None
        if base_url is None:
            base_url = from_environment or BASE_URL
        self._base_url = check_base_url(base_url, allow_http=check_flag("allow_http", allow_http))
        if from_environment and (host := foreign_host(self._base_url)) is not None:
            _say_where_the_key_goes(host)
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
            session = await stack.enter_async_context(self._session())
            limiter = self._rate_limiter
            if limiter is None:
                limiter = limiter_of_account(self._base_url, self._key.expose())
            requester = Requester(
                Transport(session, authorization_of(self._key)),
                self._base_url,
                limiter,
                max_in_flight=self._max_in_flight,
            )
            return _Open(requester, stack.pop_all(), asyncio.get_running_loop())

    async def close(self) -> None:
        """Close what `open` opened; again is harmless."""
        self._refuse_view()
        self._shared.was_closed = True
        opened, self._shared.open = self._shared.open, None
        if opened is not None:
            async with opened.exit_stack:
                opened.requester.close()  # first: a close that is cancelled has ended every call all the same
                for lookup in [*opened.folding.values(), *opened.streaming]:
                    await lookup.close()

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
        changes["flow"] = object()
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
        customer_id = check_id(customer_id)
        if self._coalesce:
            return await self._get_folded(customer_id)
        return structure_one(await self._send(GET_CUSTOMER.request(customer_id), self._options), Customer)

    def _get_folded(self, customer_id: int) -> Coroutine[Any, Any, Customer]:
        """Get one customer in a request that others may share; the patience stays the caller's own."""
        opened, options = self._opened(), self._options
        deadline, max_wait = options.deadline, options.max_wait
        if deadline is not None or max_wait is not None:
            options = attrs.evolve(options, deadline=None, max_wait=None)
        lookup = opened.folding.get(options)
        if lookup is None:
            for unused in [each for each, idle in opened.folding.items() if idle.is_idle()]:
                del opened.folding[unused]
            lookup = CustomerLookup(opened.requester, options, self._shared.trust, batch=True)
            opened.folding[options] = lookup
        answer = lookup.get(customer_id, max_wait, options.flow)
        if deadline is None:
            return answer
        return within(deadline, answer, GET_CUSTOMER.request(customer_id))

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
        stream = self._stream(dict.fromkeys(wanted), options, batch=batch, batches=GATHERED_BATCHES)
        async with aclosing(stream) as lookups:
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

        Sources: https://docs.helpcrunch.com/en/rest-api-v1/search-customers-v1 and .../get-customer-v1
        """
        return self._stream(ids, self._bulk_options, batch=batch)

    def _stream(
        self, ids: Ids, options: CallOptions, *, batch: bool, batches: int = STREAMED_BATCHES
    ) -> AsyncGenerator[Lookup, None]:
        check_flag("batch", batch)
        opened = self._opened()
        lookup = CustomerLookup(opened.requester, options, self._shared.trust, batch=batch)
        return lookup.stream(ids, opened.streaming, batches)

    def list_customers(
        self,
        *,
        sort: CustomerSort | None = None,
        order: Order | None = None,
        offset: int = 0,
        limit: int | None = None,
        on_unreadable: OnUnreadable = "raise",
    ) -> Listing[Customer]:
        """List customers; nothing is sent before the listing is used.

        Args:
            sort: "firstSeen" or "lastSeen"; None leaves it to HelpCrunch. The former is the steadier while
                customers come and go.
            order: "asc" or "desc".
            offset: rows to skip.
            limit: rows to give at most; None gives all.
            on_unreadable: what becomes of rows that cannot be read: "raise", "skip", or a function; see
                `Listing`.

        Raises:
            ValueError: an unknown sort or order.
            HelpCrunchError: while it is used; see `errors`; failures on the way are retried first.

        Source: https://docs.helpcrunch.com/en/rest-api-v1/get-customers-v1
        """
        query = sorting("customers", _CUSTOMER_SORTS, sort, order)
        return self._list(
            LIST_CUSTOMERS, Customer, query=query, offset=offset, limit=limit, on_unreadable=on_unreadable
        )

    def search_customers(
        self,
        filter: Query[Customers] | Filter[Customers],  # noqa: A002 - the API's own word
        *,
        sort: CustomerSort | None = None,
        order: Order | None = None,
        offset: int = 0,
        limit: int | None = None,
        on_unreadable: OnUnreadable = "raise",
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
            on_unreadable: what becomes of rows that cannot be read: "raise", "skip", or a function; see
                `Listing`.

        Raises:
            TypeError: not a filter or query of customers.
            ValueError: an unknown sort or order.
            HelpCrunchError: while it is used; see `errors`; failures on the way are retried first.

        Source: https://docs.helpcrunch.com/en/rest-api-v1/search-customers-v1
        """
        query = {**body_of(filter, "customers"), **sorting("customers", _CUSTOMER_SORTS, sort, order)}
        return self._list(
            SEARCH_CUSTOMERS, Customer, body=query, offset=offset, limit=limit, on_unreadable=on_unreadable
        )

    @overload
    async def find_customer(self, *, user_id: str) -> Customer | None: ...
    @overload
    async def find_customer(self, *, email: str) -> Customer | None: ...
    async def find_customer(self, *, user_id: str | None = None, email: str | None = None) -> Customer | None:
        """Find one customer by your own id, or by e-mail; None when there is none.

        An e-mail is not unique to a customer: of several, the one seen last comes. Your own id must be the
        same to the letter; whether case counts in an e-mail is left to HelpCrunch, and not documented. A
        search may lag behind a change made a moment ago.

        Args:
            user_id: the id that you gave the customer, never HelpCrunch's.
            email: the whole address.

        Raises:
            TypeError: not exactly one of the two, or not a str.
            ValueError: it is empty.
            DecodeError: HelpCrunch answered with other customers than were asked for.
            HelpCrunchError: see `errors`; failures on the way are retried first.

        Source: https://docs.helpcrunch.com/en/rest-api-v1/search-customers-v1
        """
        if (user_id is None) == (email is None):
            raise TypeError("find_customer takes either user_id or email")
        by_email = email is not None
        wanted = check_text("email", email) if by_email else check_text("user_id", user_id)
        query = body_of((EMAIL if by_email else USER_ID).equals(wanted), "customers")
        newest_first = sorting("customers", _CUSTOMER_SORTS, "lastSeen", "desc")
        body = {**query, **newest_first, "limit": PAGE_LIMIT, "offset": 0}
        unreadable: DecodeError | None = None
        try:
            page = await self._page(SEARCH_CUSTOMERS.request(body=body), Customer, 0, self._options)
        except DecodeError as error:
            if error.page is None:
                raise
            page, unreadable = error.page, error
        found = first_match(
            page.items,
            wanted,
            lambda customer: customer.email if by_email else customer.user_id,
            folding_case=by_email,
        )
        del page  # captured locals: see redaction
        if found is None and unreadable is not None:  # it may be among the rows that cannot be read
            raise unreadable
        return found

    async def create_customer(self, **fields: Unpack[CustomerFields]) -> Customer:
        """Create a customer; no field is required, and name, email or user_id are recommended.

        Sent again only when it certainly never left: HelpCrunch documents no way to tell a repetition from a
        second customer. A `user_id` that is taken is refused by newer answers; an older client got the
        existing customer back instead.

        Args:
            fields: see `CustomerFields`.

        Raises:
            BadRequestError: a value that HelpCrunch does not take; `code` is `invalid_userId_value` for a
                user_id that is taken.
            HelpCrunchError: see `errors`; with `outcome_unknown` the customer may have been created.
            TypeError, ValueError: a field that does not exist, or a wrong value; nothing was sent.

        Source: https://docs.helpcrunch.com/en/rest-api-v1/create-customer-v1
        """
        return await self._one(CREATE_CUSTOMER.request(body=customer_body(fields)), Customer)

    async def update_customer(self, customer_id: int, **fields: Unpack[CustomerFields]) -> Customer:
        """Change some fields of a customer: what is left out stays as it is, None clears.

        Args:
            customer_id: HelpCrunch's id, a positive int.
            fields: see `CustomerFields`. Whether `custom_data` replaces all attributes or adds to them, and
                `tags` likewise, is not documented.

        Raises:
            NotFoundError: there is no such customer.
            BadRequestError: a value that HelpCrunch does not take.
            HelpCrunchError: see `errors`; failures on the way are retried first.
            TypeError, ValueError: not an id, nothing to change, a field that does not exist, or a wrong
                value; nothing was sent.

        Source: https://docs.helpcrunch.com/en/rest-api-v1/update-customer-v1 (PATCH)
        """
        customer_id = check_id(customer_id)
        return await self._one(UPDATE_CUSTOMER.request(customer_id, body=changes_body(fields)), Customer)

    async def replace_customer(self, customer_id: int, **fields: Unpack[CustomerFields]) -> Customer:
        """Replace a customer: WHATEVER IS LEFT OUT IS CLEARED; `update_customer` changes single fields.

        HelpCrunch's page says in one place that what is left out of a PUT becomes null, and in another that
        it stays. So every writable field is sent, an explicit null for what is left out, which both
        readings answer alike.

        Args:
            customer_id: HelpCrunch's id, a positive int.
            fields: see `CustomerFields`.

        Raises:
            NotFoundError: there is no such customer.
            BadRequestError: a value that HelpCrunch does not take.
            HelpCrunchError: see `errors`; failures on the way are retried first.
            TypeError, ValueError: not an id, a field that does not exist, or a wrong value; nothing was
                sent.

        Source: https://docs.helpcrunch.com/en/rest-api-v1/update-customer-v1 (PUT)
        """
        customer_id = check_id(customer_id)
        body = whole_customer_body(fields)
        return await self._one(REPLACE_CUSTOMER.request(customer_id, body=body), Customer)

    async def batch_update_customers(
        self, updates: Iterable[CustomerUpdate] | AsyncIterable[CustomerUpdate]
    ) -> list[BatchOutcome]:
        """Update any number of customers, ten a request; gives an outcome for each, in the order given.

            await client.batch_update_customers([{"customer": 7, "company": "Quill AG"}, ...])

        A batch that HelpCrunch refuses is sent again customer by customer, to tell the bad update from the
        good ones. A wrong key or the deadline, which all updates share, ends it: what was not sent has that
        error, too.

        Whether what an update leaves out stays as it is, is not documented for a batch; its documented
        example only makes sense if it does. `update_customer` is sure.

        Args:
            updates: mappings that hold `customer`, HelpCrunch's id, and the fields to change as
                `update_customer` takes them. Updates of one customer are made in the order given.

        Raises:
            TypeError, ValueError: one of them is wrong; nothing was sent.
            ClientClosedError: the client is not open.

        Source: https://docs.helpcrunch.com/en/rest-api-v1/batch-update-customers-v1
        """
        if isinstance(updates, AsyncIterable):
            updates = [each async for each in updates]
        items = batch_items(updates)
        return await update_in_batches(self._opened().requester, self._bulk_options, items)

    async def delete_customer(self, customer_id: int) -> None:
        """Delete a customer.

        When an attempt got no answer and the next one finds no such customer, that counts as deleted.

        Args:
            customer_id: HelpCrunch's id, a positive int.

        Raises:
            NotFoundError: there is no such customer.
            HelpCrunchError: see `errors`; failures on the way are retried first.
            TypeError, ValueError: not an id; nothing was sent.

        Source: https://docs.helpcrunch.com/en/rest-api-v1/delete-customer-v1
        """
        customer_id = check_id(customer_id)
        await self._send(DELETE_CUSTOMER.request(customer_id), self._options)

    async def tag_customer(self, customer_id: int, tags: Iterable[str | Tag]) -> Customer:
        """Add tags to a customer; those that the account does not know yet are created.

        Args:
            customer_id: HelpCrunch's id, a positive int.
            tags: names, or `Tag`s to give a new tag a colour; HelpCrunch's own choice is #c377e0.

        Raises:
            NotFoundError: there is no such customer.
            HelpCrunchError: see `errors`; failures on the way are retried first.
            TypeError, ValueError: not an id, no tag, an empty name, or one name with two colours; nothing
                was sent.

        Source: https://docs.helpcrunch.com/en/rest-api-v1/tag-customer-v1
        """
        customer_id = check_id(customer_id)
        return await self._one(TAG_CUSTOMER.request(customer_id, body=some_tags(tags)), Customer)

    async def untag_customer(self, customer_id: int, tags: Iterable[str | Tag]) -> Customer:
        """Take tags off a customer.

        The request is a DELETE with a body, as HelpCrunch documents it; some proxies drop such bodies.

        Args:
            customer_id: HelpCrunch's id, a positive int.
            tags: names, or `Tag`s, of which only the name counts.

        Raises:
            NotFoundError: there is no such customer.
            HelpCrunchError: see `errors`; failures on the way are retried first.
            TypeError, ValueError: not an id, no tag, or an empty name; nothing was sent.

        Source: https://docs.helpcrunch.com/en/rest-api-v1/untag-customer-v1
        """
        customer_id = check_id(customer_id)
        body = some_tags(tags, with_colors=False)
        return await self._one(UNTAG_CUSTOMER.request(customer_id, body=body), Customer)

    # Events

    async def create_event(
        self, customer_id: int, name: str, data: Mapping[str, CustomValue] | Unset | None = None
    ) -> Event:
        """Record something that a customer did.

        Sent again only when it certainly never left: a repetition would be a second event.

        Args:
            customer_id: HelpCrunch's id, a positive int.
            name: what happened, such as "Upgrade".
            data: more about it, names and scalars; every documented example has some. None and `UNSET` send
                none, {} is sent.

        Raises:
            NotFoundError: there is no such customer.
            HelpCrunchError: see `errors`; with `outcome_unknown` the event may have been recorded.
            TypeError, ValueError: a wrong argument; nothing was sent.

        Source: https://docs.helpcrunch.com/en/rest-api-v1/add-customer-event-v1
        """
        body: dict[str, Any] = {"customer": check_id(customer_id), "name": check_text("name", name)}
        if data is not None and data is not UNSET:
            body["data"] = values_of("data", data)
        return await self._one(CREATE_EVENT.request(body=body), Event)

    # Chats

    def list_chats(
        self,
        *,
        sort: ChatSort | None = None,
        order: Order | None = None,
        offset: int = 0,
        limit: int | None = None,
        on_unreadable: OnUnreadable = "raise",
    ) -> Listing[Chat]:
        """List chats; nothing is sent before the listing is used.

        Args:
            sort: "createdAt", "lastCustomerMessageAt", "lastMessageAt" or "closedAt"; None leaves it to
                HelpCrunch. The first is the steadiest while chats go on.
            order: "asc" or "desc".
            offset: rows to skip.
            limit: rows to give at most; None gives all.
            on_unreadable: what becomes of rows that cannot be read: "raise", "skip", or a function; see
                `Listing`.

        Raises:
            ValueError: an unknown sort or order.
            HelpCrunchError: while it is used; see `errors`; failures on the way are retried first.

        Source: https://docs.helpcrunch.com/en/rest-api-v1/get-chats-v1
        """
        query = sorting("chats", _CHAT_SORTS, sort, order)
        return self._list(
            LIST_CHATS, Chat, query=query, offset=offset, limit=limit, on_unreadable=on_unreadable
        )

    def search_chats(
        self,
        filter: Query[Chats] | Filter[Chats],  # noqa: A002 - the API's own word
        *,
        sort: ChatSort | None = None,
        order: Order | None = None,
        offset: int = 0,
        limit: int | None = None,
        on_unreadable: OnUnreadable = "raise",
    ) -> Listing[Chat]:
        """Search chats; nothing is sent before the listing is used.

            closed = all_of(CHAT_STATUS.equals("closed"), CHAT_CLOSED_AT.since(yesterday))
            async for chat in client.search_chats(closed): ...

        Args:
            filter: made with `helpcrunch_async.search`.
            sort: as in `list_chats`.
            order: "asc" or "desc".
            offset: rows to skip.
            limit: rows to give at most; None gives all.
            on_unreadable: what becomes of rows that cannot be read: "raise", "skip", or a function; see
                `Listing`.

        Raises:
            TypeError: not a filter or query of chats.
            ValueError: an unknown sort or order.
            HelpCrunchError: while it is used; see `errors`; failures on the way are retried first.

        Source: https://docs.helpcrunch.com/en/rest-api-v1/search-chats-v1
        """
        query = {**body_of(filter, "chats"), **sorting("chats", _CHAT_SORTS, sort, order)}
        return self._list(
            SEARCH_CHATS, Chat, body=query, offset=offset, limit=limit, on_unreadable=on_unreadable
        )

    async def get_chat(self, chat_id: int) -> Chat:
        """Get one chat.

        Args:
            chat_id: HelpCrunch's id, a positive int.

        Raises:
            NotFoundError: there is no such chat.
            HelpCrunchError: see `errors`; failures on the way are retried first.
            TypeError, ValueError: not an id; nothing was sent.

        Source: https://docs.helpcrunch.com/en/rest-api-v1/get-chat-v1
        """
        return await self._one(GET_CHAT.request(check_id(chat_id, "chat_id")), Chat)

    async def create_chat(
        self,
        customer_id: int,
        *,
        application_id: int,
        assignee_id: int | Unset | None = UNSET,
        department_id: int | Unset | None = UNSET,
    ) -> Chat:
        """Create a chat, empty until the first message; HelpCrunch advises to send one.

        Sent again only when it certainly never left: a repetition would be a second chat.

        Args:
            customer_id: whose chat, HelpCrunch's id.
            application_id: through what: see `list_applications`.
            assignee_id: the agent to assign it to. Left out, that is HelpCrunch's to decide; None is sent as
                null, which is nobody.
            department_id: the department to put it in; left out and None as above.

        Raises:
            BadRequestError: there is no such customer, application, agent or department.
            HelpCrunchError: see `errors`; with `outcome_unknown` the chat may have been created.
            TypeError, ValueError: not an id; nothing was sent.

        Source: https://docs.helpcrunch.com/en/rest-api-v1/create-chat-v1
        """
        body: dict[str, JSON] = {
            "customer": check_id(customer_id),
            "application": check_id(application_id, "application_id"),
        }
        if assignee_id is not UNSET:
            body["assignee"] = None if assignee_id is None else check_id(assignee_id, "assignee_id")
        if department_id is not UNSET:
            body["department"] = None if department_id is None else check_id(department_id, "department_id")
        return await self._one(CREATE_CHAT.request(body=body), Chat)

    async def set_chat_status(self, chat_id: int, status: str) -> Chat:
        """Set the status of a chat.

        Args:
            chat_id: HelpCrunch's id, a positive int.
            status: see `ChatStatus`; a known one is sent as the newest page spells it, another as it is.

        Raises:
            BadRequestError: not a status, or not one that this chat can have.
            NotFoundError: there is no such chat.
            HelpCrunchError: see `errors`; failures on the way are retried first.
            TypeError, ValueError: a wrong argument; nothing was sent.

        Source: https://docs.helpcrunch.com/en/rest-api-v1/update-chat-status-v1
        """
        return await self._change_chat(
            SET_CHAT_STATUS, chat_id, status=spell_status(check_text("status", status))
        )

    async def assign_chat(self, chat_id: int, agent_id: int | None) -> Chat:
        """Assign a chat to an agent, or with None to nobody, which only the newest page documents.

        Args:
            chat_id: HelpCrunch's id, a positive int.
            agent_id: the agent's id: see `list_agents`.

        Raises:
            BadRequestError: there is no such agent.
            NotFoundError: there is no such chat.
            HelpCrunchError: see `errors`; failures on the way are retried first.
            TypeError, ValueError: not an id; nothing was sent.

        Source: https://docs.helpcrunch.com/en/rest-api-v1/update-chat-assignee-v1
        """
        assignee = None if agent_id is None else check_id(agent_id, "agent_id")
        return await self._change_chat(ASSIGN_CHAT, chat_id, assignee=assignee)

    async def set_chat_department(self, chat_id: int, department_id: int) -> Chat:
        """Put a chat into a department.

        Args:
            chat_id: HelpCrunch's id, a positive int.
            department_id: see `list_departments`.

        Raises:
            BadRequestError: there is no such department.
            NotFoundError: there is no such chat.
            HelpCrunchError: see `errors`; failures on the way are retried first.
            TypeError, ValueError: not an id; nothing was sent.

        Source: https://docs.helpcrunch.com/en/rest-api-v1/update-chat-department-v1
        """
        department = check_id(department_id, "department_id")
        return await self._change_chat(SET_CHAT_DEPARTMENT, chat_id, department=department)

    async def snooze_chat(self, chat_id: int, until: datetime | None) -> Chat:
        """Snooze a chat until a moment, or with None wake it.

        Args:
            chat_id: HelpCrunch's id, a positive int.
            until: aware; sent as whole Unix seconds.

        Raises:
            BadRequestError: a moment that HelpCrunch does not take.
            NotFoundError: there is no such chat.
            HelpCrunchError: see `errors`; failures on the way are retried first.
            TypeError, ValueError: not an id, or not an aware datetime; nothing was sent.

        Source: https://docs.helpcrunch.com/en/rest-api-v1/snooze-chat-v1
        """
        moment = None if until is None else moment_text("until", until)
        return await self._change_chat(SNOOZE_CHAT, chat_id, snoozedUntil=moment)

    async def rate_chat(self, chat_id: int, rating: Rating) -> Chat:
        """Rate a closed chat, for its customer.

        Args:
            chat_id: HelpCrunch's id, a positive int.
            rating: "perfect", "great", "average", "poor" or "very poor".

        Raises:
            BadRequestError: the chat is not closed.
            HelpCrunchError: see `errors`; failures on the way are retried first.
            TypeError, ValueError: not an id, or another rating; nothing was sent.

        Source: https://docs.helpcrunch.com/en/rest-api-v1/chat-rating-rest-api
        """
        return await self._change_chat(RATE_CHAT, chat_id, rating=check_rating("rating", rating))

    async def mark_chat_read_by_agent(self, chat_id: int, read: bool = True) -> Chat:  # noqa: FBT001, FBT002 - `read` says what it is, and is mostly left out
        """Mark a chat as read, or with False as unread, by the agents.

        Args:
            chat_id: HelpCrunch's id, a positive int.
            read: whether it is read.

        Raises:
            NotFoundError: there is no such chat.
            HelpCrunchError: see `errors`; failures on the way are retried first.
            TypeError, ValueError: a wrong argument; nothing was sent.

        Source: https://docs.helpcrunch.com/en/rest-api-v1/read-chat-rest-api-1
        """
        return await self._change_chat(MARK_CHAT_READ_BY_AGENT, chat_id, read=check_flag("read", read))

    async def mark_chat_read_by_customer(self, chat_id: int, read: bool = True) -> Chat:  # noqa: FBT001, FBT002 - as above
        """Mark a chat as read, or with False as unread, by the customer.

        Args:
            chat_id: HelpCrunch's id, a positive int.
            read: whether it is read.

        Raises:
            NotFoundError: there is no such chat.
            HelpCrunchError: see `errors`; failures on the way are retried first.
            TypeError, ValueError: a wrong argument; nothing was sent.

        Source: https://docs.helpcrunch.com/en/rest-api-v1/read-chat-rest-api-1
        """
        return await self._change_chat(MARK_CHAT_READ_BY_CUSTOMER, chat_id, read=check_flag("read", read))

    # Messages

    def list_messages(
        self,
        chat_id: int,
        *,
        offset: int = 0,
        limit: int | None = None,
        on_unreadable: OnUnreadable = "raise",
    ) -> Listing[Message]:
        """List the messages of a chat, newest first; nothing is sent before the listing is used.

        Args:
            chat_id: HelpCrunch's id, a positive int.
            offset: rows to skip.
            limit: rows to give at most; None gives all.
            on_unreadable: what becomes of rows that cannot be read: "raise", "skip", or a function; see
                `Listing`.

        Raises:
            TypeError, ValueError: not an id.
            HelpCrunchError: while it is used; see `errors`; failures on the way are retried first.

        Source: https://docs.helpcrunch.com/en/rest-api-v1/get-messages-v1
        """
        chat_id = check_id(chat_id, "chat_id")
        return self._list(
            LIST_MESSAGES,
            Message,
            resource_id=chat_id,
            offset=offset,
            limit=limit,
            on_unreadable=on_unreadable,
        )

    async def send_message(
        self,
        chat_id: int,
        text: str,
        *,
        agent_id: int | Unset | None = None,
        markdown: str | Unset | None = None,
    ) -> Message:
        """Send a message to a chat: as an agent, or without one as the chat's customer.

        Sent again only when it certainly never left: a repetition would be a second message.

        Args:
            chat_id: HelpCrunch's id, a positive int.
            text: the plain text.
            agent_id: who speaks: see `list_agents`. None is the customer, and as good as `UNSET`: HelpCrunch
                wants the agent left out then, and documents no null here.
            markdown: the same in Markdown, which HelpCrunch prefers; it comes back as the message's text.

        Raises:
            NotFoundError: there is no such chat.
            BadRequestError: there is no such agent, or something else that HelpCrunch does not take.
            HelpCrunchError: see `errors`; with `outcome_unknown` the message may have been sent.
            TypeError, ValueError: a wrong argument; nothing was sent.

        Source: https://docs.helpcrunch.com/en/rest-api-v1/create-message-v1
        """
        return await self._create_message("message", chat_id, text, agent_id, markdown)

    async def send_private_note(
        self,
        chat_id: int,
        text: str,
        *,
        agent_id: int | Unset | None = None,
        markdown: str | Unset | None = None,
    ) -> Message:
        """Leave a note in a chat that only the team sees.

        Sent again only when it certainly never left: a repetition would be a second note.

        Args:
            chat_id: HelpCrunch's id, a positive int.
            text: the plain text.
            agent_id: whose note it is. HelpCrunch documents notes with an agent; another client leaves it
                out, as None and `UNSET` do, and treats that as working.
            markdown: the same in Markdown, which HelpCrunch prefers; it comes back as the note's text.

        Raises:
            NotFoundError: there is no such chat.
            BadRequestError: there is no such agent, or something else that HelpCrunch does not take.
            HelpCrunchError: see `errors`; with `outcome_unknown` the note may have been left.
            TypeError, ValueError: a wrong argument; nothing was sent.

        Source: https://docs.helpcrunch.com/en/rest-api-v1/create-message-v1
        """
        return await self._create_message("private", chat_id, text, agent_id, markdown)

    async def _create_message(
        self, kind: str, chat_id: int, text: str, agent_id: int | Unset | None, markdown: str | Unset | None
    ) -> Message:
        body = {"chat": check_id(chat_id, "chat_id"), "text": check_text("text", text), "type": kind}
        if agent_id is not None and agent_id is not UNSET:
            body["agent"] = check_id(agent_id, "agent_id")
        if markdown is not None and markdown is not UNSET:
            body["markdownText"] = check_text("markdown", markdown)
        return await self._one(CREATE_MESSAGE.request(body=body), Message)

    # Team

    def list_agents(
        self, *, offset: int = 0, limit: int | None = None, on_unreadable: OnUnreadable = "raise"
    ) -> Listing[Agent]:
        """List the team's members, the chatbot among them; nothing is sent before the listing is used.

        Args:
            offset: rows to skip.
            limit: rows to give at most; None gives all.
            on_unreadable: what becomes of rows that cannot be read: "raise", "skip", or a function; see
                `Listing`.

        Raises:
            HelpCrunchError: while it is used; see `errors`; failures on the way are retried first.

        Source: https://docs.helpcrunch.com/en/rest-api-v1/get-agents-v1
        """
        return self._list(LIST_AGENTS, Agent, offset=offset, limit=limit, on_unreadable=on_unreadable)

    async def unsubscribe_agent(self, agent_id: int) -> None:
        """Unsubscribe an agent from HelpCrunch's newsletters.

        Sent again only when it certainly never left: it is a GET by its verb alone.

        Args:
            agent_id: HelpCrunch's id, a positive int.

        Raises:
            NotFoundError: there is no such agent.
            HelpCrunchError: see `errors`; with `outcome_unknown` the agent may be unsubscribed.
            TypeError, ValueError: not an id; nothing was sent.

        Source: https://docs.helpcrunch.com/en/rest-api-v1/unsubscribe-agent-v1
        """
        agent_id = check_id(agent_id, "agent_id")
        await self._send(UNSUBSCRIBE_AGENT.request(agent_id), self._options)

    def list_departments(
        self, *, offset: int = 0, limit: int | None = None, on_unreadable: OnUnreadable = "raise"
    ) -> Listing[Department]:
        """List the departments and their agents; nothing is sent before the listing is used.

        Args:
            offset: rows to skip.
            limit: rows to give at most; None gives all.
            on_unreadable: what becomes of rows that cannot be read: "raise", "skip", or a function; see
                `Listing`.

        Raises:
            HelpCrunchError: while it is used; see `errors`; failures on the way are retried first.

        Source: https://docs.helpcrunch.com/en/rest-api-v1/get-departments-v1
        """
        return self._list(
            LIST_DEPARTMENTS, Department, offset=offset, limit=limit, on_unreadable=on_unreadable
        )

    def list_applications(
        self, *, offset: int = 0, limit: int | None = None, on_unreadable: OnUnreadable = "raise"
    ) -> Listing[Application]:
        """List what customers write through; nothing is sent before the listing is used.

        HelpCrunch's page about it was not to be read; that it is paged like the others is inferred.

        Args:
            offset: rows to skip.
            limit: rows to give at most; None gives all.
            on_unreadable: what becomes of rows that cannot be read: "raise", "skip", or a function; see
                `Listing`.

        Raises:
            HelpCrunchError: while it is used; see `errors`; failures on the way are retried first.

        Source: https://docs.helpcrunch.com/en/rest-api-v1/get-applications-v1
        """
        return self._list(
            LIST_APPLICATIONS, Application, offset=offset, limit=limit, on_unreadable=on_unreadable
        )

    async def get_organization(self) -> Organization:
        """Get the account itself.

        Raises:
            HelpCrunchError: see `errors`; failures on the way are retried first.

        Source: https://docs.helpcrunch.com/en/rest-api-v1/get-organization-v1
        """
        return await self._one(GET_ORGANIZATION.request(), Organization)

    # What is not here yet

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str | int] | None = None,
        body: JSON = None,
        repeatable: bool | None = None,
    ) -> JSON:
        """Send a request to an endpoint that has no method here: same pace, retries and errors.

            await client.request("GET", "customers/7/visits", query={"limit": 10})

        Args:
            method: "GET", "POST", "PUT", "PATCH" or "DELETE".
            path: below the base URL; what a URL cannot hold is escaped.
            query: names and values.
            body: what JSON has a word for; None sends no body.
            repeatable: whether sending it twice does what sending it once does. None takes that of a GET
                alone; anything else is then sent again only when it certainly never left.

        Returns:
            The decoded body; None when it is empty, or "Ok" as text.

        Raises:
            HelpCrunchError: see `errors`; with `outcome_unknown` it may have been carried out.
            TypeError, ValueError: a wrong argument, or a body that has no JSON form; nothing was sent.

        Source: https://docs.helpcrunch.com/en/rest-api-v1/api-setup-v1
        """
        request = raw_request(method, path, query=query, body=body, repeatable=repeatable)
        return await self._send(request, self._options)

    # Behind the methods

    def _list(
        self,
        endpoint: Endpoint,
        model: type[Row],
        *,
        resource_id: int | None = None,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        offset: int,
        limit: int | None,
        on_unreadable: OnUnreadable,
    ) -> Listing[Row]:
        """List rows that have an id; limit and offset go into the body where there is one."""

        async def fetch_page(offset: int, limit: int) -> Page[Row]:
            part = {"limit": limit, "offset": offset}
            if body is not None:
                request = endpoint.request(resource_id, body={**body, **part})
            else:
                request = endpoint.request(resource_id, query={**(query or {}), **part})
            return await self._page(request, model, offset, self._bulk_options)

        return Listing(
            fetch_page, lambda row: row.id, offset=offset, limit=limit, on_unreadable=on_unreadable
        )

    async def _page(self, request: Request, model: type[Row], offset: int, options: CallOptions) -> Page[Row]:
        try:
            return structure_page(await self._send(request, options), model, offset=offset)
        except NotFoundError:
            if request.body is None:
                raise
            return Page((), None, offset)  # how one client knows a search that found nothing

    async def _change_chat(self, endpoint: Endpoint, chat_id: int, **change: JSON) -> Chat:
        """Change one thing of a chat; its id stands in the body."""
        return await self._one(endpoint.request(body={"id": check_id(chat_id, "chat_id"), **change}), Chat)

    async def _one(self, request: Request, model: type[Model]) -> Model:
        """Send a request that is answered by one object."""
        try:  # what came is in no local, hence in no traceback
            return structure_one(await self._send(request, self._options), model)
        except DecodeError as error:
            error.outcome_unknown = request.changes
            raise

    def _send(self, request: Request, options: CallOptions) -> Coroutine[Any, Any, JSON]:
        return self._opened().requester.send(request, options)

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
