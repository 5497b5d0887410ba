"""The fake server itself: sockets on the loopback, and the way of a request from arrival to answer."""

import asyncio
import math
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from email.utils import formatdate
from types import TracebackType
from typing import Any, Literal, Self

from aiohttp import web

from helpcrunch_async.testing import answers, faults
from helpcrunch_async.testing.account import Account
from helpcrunch_async.testing.answers import Answer, Spelling
from helpcrunch_async.testing.customers import CustomerBook, CustomerRow, read_customer, write_customer
from helpcrunch_async.testing.faults import Fault, FaultPlan
from helpcrunch_async.testing.generation import generate_customers
from helpcrunch_async.testing.rate_rules import RateRule
from helpcrunch_async.testing.record import RecordedRequest
from helpcrunch_async.testing.resources import ROUTER
from helpcrunch_async.testing.routing import Call
from helpcrunch_async.testing.search import SearchBehaviour

_PREFIX = "/v1"
_TURNS_TO_ACCEPT = 4
"""Turns of the loop from a socket accepted to its protocol connected, and one to spare."""
_SHUTDOWN_TIMEOUT = 0.05
"""Seconds that requests still in flight get when the server closes; a test has no use for more."""


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


class FakeHelpCrunch:
    """A HelpCrunch account on a loopback port: a real HTTP server, the documented rules, faults on order.

        async with FakeHelpCrunch(rate_rule=RollingLog(120, 60.0)) as server:
            async with HelpCrunchClient("key", base_url=server.url) as client:
                await client.get_customer(8737843)
        assert server.rejected == 0

    A request passes, in this order: the key (401), faults on order, the rate rule (429), then the endpoint.
    So calls with a wrong key and calls that a fault struck do not count against the limit; unknown paths do.

    Args:
        customers: how many to generate from `seed`, 8737843 among them; or the customers themselves, in
            either spelling and nothing but these. What a customer leaves out is empty.
        seed: of the generated customers.
        api_key: the only key that is accepted.
        rate_rule: what limits the account; None lets everything pass. It is asked with times of `clock`.
        retry_after: whether a 429 says when to come back: True in whole seconds (at least 1), "date" as an
            HTTP date.
        spelling: which generation of the documented bodies to speak, "old" or "new".
        latency: seconds to hold back every answer, or a function that gives them for each; the rate rule is
            asked before.
        clock: gives the seconds that `rate_rule` and the record see.
        port: 0 lets the system choose a free one.
        search: how `POST /customers/search` misbehaves, if it does.

    `rate_rule`, `retry_after`, `latency` and `search` may be assigned to while the server runs.
    """

    def __init__(
        self,
        customers: Iterable[Mapping[str, Any]] | int = 100,
        *,
        seed: int = 0,
        api_key: str = "key",
        rate_rule: RateRule | None = None,
        retry_after: bool | Literal["date"] = False,
        spelling: Spelling = "new",
        latency: float | Callable[[], float] = 0.0,
        clock: Callable[[], float] = time.monotonic,
        port: int = 0,
        search: SearchBehaviour | None = None,
    ) -> None:
        if spelling not in ("old", "new"):
            raise ValueError(f'spelling must be "old" or "new", not {spelling!r}')
        rows = generate_customers(customers, seed) if isinstance(customers, int) else customers
        self.rate_rule = rate_rule
        self.retry_after: bool | Literal["date"] = retry_after
        self.latency = latency
        self.requests: list[RecordedRequest] = []
        """Every request since the start or the last `forget`, in order of arrival."""
        self.accepted = 0
        """How many of them came through to an endpoint."""
        self.rejected = 0
        """How many of them were answered 429, by the rate rule or by a fault."""
        self._account = Account(spelling, CustomerBook(rows, spelling), search or SearchBehaviour())
        self._authorization = f"Bearer {api_key}"
        self._clock = clock
        self._wanted_port = port
        self._faults = FaultPlan()
        self._listener: asyncio.Server | None = None
        self._web_server: web.Server | None = None
        self._closing = asyncio.Event()

    @property
    def port(self) -> int:
        """The port it listens on; RuntimeError unless it is open."""
        if self._listener is None:
            raise RuntimeError("the fake server is not open: use it in an `async with`")
        port: int = self._listener.sockets[0].getsockname()[1]
        return port

    @property
    def url(self) -> str:
        """What to give a client as `base_url`; RuntimeError unless it is open."""
        return f"http://127.0.0.1:{self.port}{_PREFIX}"

    @property
    def search(self) -> SearchBehaviour:
        """How `POST /customers/search` misbehaves."""
        return self._account.search

    @search.setter
    def search(self, behaviour: SearchBehaviour) -> None:
        self._account.search = behaviour

    async def open(self) -> None:
        """Start to listen; `async with` calls it."""
        if self._listener is not None:
            raise RuntimeError("the fake server is open already")
        loop = asyncio.get_running_loop()
        self._closing = asyncio.Event()
        # With handler_cancellation a client that gives up also ends the request that hangs for it.
        self._web_server = web.Server(self._serve, handler_cancellation=True, access_log=None)
        self._listener = await loop.create_server(
            self._web_server, "127.0.0.1", self._wanted_port, backlog=1024
        )

    async def close(self) -> None:
        """Stop at once, whatever is in flight; the record stays readable. A second call does nothing."""
        listener, web_server = self._listener, self._web_server
        if listener is None or web_server is None:
            return
        self._listener = self._web_server = None
        await _stop_accepting(listener)
        listener.close()
        self._closing.set()
        web_server.pre_shutdown()
        await web_server.shutdown(_SHUTDOWN_TIMEOUT)
        await listener.wait_closed()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    def customer(self, customer_id: int) -> CustomerRow:
        """Give a copy of a customer as the server spells it; KeyError when there is none."""
        return write_customer(read_customer(self._account.customers[customer_id]), self._account.spelling)

    def add_customer(self, customer: Mapping[str, Any]) -> int:
        """Add a customer in either spelling, or replace the one with the same id; returns the id.

        What is left out is empty; without an `id` a free one is given.

        Raises:
            ValueError: an id, a timestamp or `customData` that cannot be read.
        """
        return self._account.customers.put(customer)

    def remove_customer(self, customer_id: int) -> None:
        """Take a customer out, so that it is not found any more; KeyError when there is none."""
        self._account.customers.remove(customer_id)

    def fail_next(
        self, count: int, fault: Fault, *, method: str | None = None, path: str | None = None
    ) -> None:
        """Let the next `count` requests with the right key fail in a named way (see `Fault`).

        `method` and `path` narrow it down to fitting requests, others pass untouched; `path` leaves out the
        `/v1` and may hold wildcards: "/customers/*". Several orders are worked off in turn.

        Raises:
            ValueError: an unknown fault, a count below 1, or a path that does not start with a slash.
        """
        self._faults.add(count, fault, method, path)

    def forget(self) -> None:
        """Clear the record and its counters, and drop the faults still on order."""
        self.requests.clear()
        self.accepted = self.rejected = 0
        self._faults.clear()

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        raw_path = request.raw_path.partition("?")[0]
        call = Call(
            method=request.method,
            path=raw_path.removeprefix(_PREFIX) if raw_path.startswith(f"{_PREFIX}/") else raw_path,
            query=dict(request.query),
            body=await request.read(),
        )
        headers = {name.lower(): value for name, value in request.headers.items()}
        authorized = headers.pop("authorization", None) == self._authorization
        now = self._clock()
        fault = self._faults.take(call.method, call.path) if authorized else None
        if not authorized:
            answer: Answer | None = answers.unauthorized(self._account.spelling)
        elif fault is None:
            wait = None if self.rate_rule is None else self.rate_rule.hit(now)
            answer = (
                self._refusal(wait)
                if wait is not None
                else self._carry_out(call, inside=call.path != raw_path)
            )
        elif fault in faults.NEVER_ANSWERED:
            answer = None
        elif fault in faults.DAMAGED_ON_THE_WAY:
            answer = self._carry_out(call, inside=call.path != raw_path)
        else:
            answer = self._refusal(0.0) if fault == "429" else faults.ready_answer(fault)
        # Recorded before anything is awaited again, so that a client that gives up is on record too.
        status = None if answer is None else answer.status
        self.requests.append(
            RecordedRequest(now, call.method, call.path, call.query, call.body, status, headers, fault)
        )
        latency = self.latency() if callable(self.latency) else self.latency
        if latency > 0:
            await asyncio.sleep(latency)
        return await faults.send(request, answer, fault, self._closing)

    def _carry_out(self, call: Call, *, inside: bool) -> Answer:
        self.accepted += 1
        if not inside:
            return answers.not_found(self._account.spelling, "Resource")
        return ROUTER.answer(self._account, call)

    def _refusal(self, wait: float) -> Answer:
        self.rejected += 1
        headers: dict[str, str] = {}
        if self.retry_after == "date":
            headers["Retry-After"] = formatdate(math.ceil(time.time() + max(wait, 1.0)), usegmt=True)
        elif self.retry_after:
            headers["Retry-After"] = str(max(1, math.ceil(wait)))
        return answers.too_many_requests(self._account.spelling, headers)
