"""The fake server itself: the way of a request from arrival to answer, and of webhooks out."""

import asyncio
import math
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from email.utils import formatdate
from ipaddress import ip_address
from types import TracebackType
from typing import Any, Final, Literal, Self

from aiohttp import web

from helpcrunch_async.testing import answers, faults
from helpcrunch_async.testing.account import Account
from helpcrunch_async.testing.answers import Answer, Spelling
from helpcrunch_async.testing.behaviour import Behaviour
from helpcrunch_async.testing.contents import Contents
from helpcrunch_async.testing.conversations import make_up_chats
from helpcrunch_async.testing.customers import CustomerBook
from helpcrunch_async.testing.delivery import WebhookSender, WebhookTarget
from helpcrunch_async.testing.faults import Fault, FaultPlan
from helpcrunch_async.testing.generation import generate_customers
from helpcrunch_async.testing.happenings import WEBHOOK_EVENTS, WebhookEventName
from helpcrunch_async.testing.listener import Listener
from helpcrunch_async.testing.rate_rules import RateRule
from helpcrunch_async.testing.record import RecordedRequest
from helpcrunch_async.testing.resources import ROUTER
from helpcrunch_async.testing.routing import Call
from helpcrunch_async.testing.search import SearchBehaviour
from helpcrunch_async.testing.webhooks import SentWebhook

MAX_BODY_BYTES: Final = 16 * 2**20
"""Of a request; not documented, and beyond all that the API can be asked."""
_PREFIX = "/v1"
_CHATS = 20
"""Made up when customers are, unless told otherwise."""


class FakeHelpCrunch(Contents):
    """A HelpCrunch account on a local port: a real HTTP server, the documented rules, faults on order.

        async with FakeHelpCrunch(rate_rule=RollingLog(120, 60.0)) as server:
            async with HelpCrunchClient("key", base_url=server.url) as client:
                await client.get_customer(8737843)
        assert server.rejected == 0

    All endpoints of the API are there, and remember: what is created is listed, found, changed, deleted. What
    the documentation leaves open was decided in the modules of the endpoints, whose docstrings say so.

    A request passes, in this order: the key (401), faults on order, the rate rule (429), then the endpoint.
    So calls with a wrong key and calls that a fault struck do not count against the limit; unknown paths do.
    A body beyond 16 MiB, about which nothing is documented, is answered 413 by then, and not kept whole.

    Its methods belong into the thread of the loop that it was opened in.

    Args:
        customers: how many to generate from `seed`, 8737843 among them; or the customers themselves, in
            either spelling and nothing but these. What a customer leaves out is empty.
        chats: how many to make up for these customers from `seed`; or the chats themselves, as `add_chat`
            takes them. None is 20 for generated customers and none for others.
        seed: of what is generated.
        api_key: the only key that is accepted.
        rate_rule: what limits the account; None lets everything pass. It is asked with times of `clock`.
        retry_after: whether a 429 says when to come back: True in whole seconds (at least 1), "date" as an
            HTTP date.
        spelling: which generation of the documented bodies to speak, "old" or "new".
        latency: seconds to hold back every answer, or a function that gives them for each; the rate rule is
            asked before.
        clock: gives the seconds that `rate_rule` and the record see.
        wall_clock: gives the Unix seconds at which things are created and changed.
        host: the address to listen on. Beyond the loopback, whoever reaches it can use the account: "0.0.0.0"
            is every address of the machine, for a sandbox in a container.
        port: 0 lets the system choose a free one.
        search: how `POST /customers/search` misbehaves, if it does.
        behaviour: how other answers differ from the documented ones, if they do.
        on_request: called with every request as it goes on record, before it is answered.

    `rate_rule`, `retry_after`, `latency`, `search`, `behaviour` and `on_request` may be assigned to while the
    server runs.
    """

    def __init__(
        self,
        customers: Iterable[Mapping[str, Any]] | int = 100,
        *,
        chats: Iterable[Mapping[str, Any]] | int | None = None,
        seed: int = 0,
        api_key: str = "key",
        rate_rule: RateRule | None = None,
        retry_after: bool | Literal["date"] = False,
        spelling: Spelling = "new",
        latency: float | Callable[[], float] = 0.0,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
        host: str = "127.0.0.1",
        port: int = 0,
        search: SearchBehaviour | None = None,
        behaviour: Behaviour | None = None,
        on_request: Callable[[RecordedRequest], object] | None = None,
    ) -> None:
        if spelling not in ("old", "new"):
            raise ValueError(f'spelling must be "old" or "new", not {spelling!r}')
        if not host:
            raise ValueError('host must not be empty; every address of the machine is "0.0.0.0"')
        rows = generate_customers(customers, seed) if isinstance(customers, int) else customers
        super().__init__(
            Account(
                spelling,
                CustomerBook(rows, spelling),
                search or SearchBehaviour(),
                behaviour or Behaviour(),
                wall_clock,
            )
        )
        if chats is None:
            chats = _CHATS if isinstance(customers, int) else 0
        if isinstance(chats, int):
            make_up_chats(self._account, chats, seed)
        else:
            for chat in chats:
                self.add_chat(chat)
        self.rate_rule: RateRule | None = rate_rule
        self.retry_after: bool | Literal["date"] = retry_after
        self.latency: float | Callable[[], float] = latency
        self.on_request: Callable[[RecordedRequest], object] | None = on_request
        self.requests: list[RecordedRequest] = []
        """Every request since the start or the last `forget`, in order of arrival."""
        self.accepted: int = 0
        """How many of them came through to an endpoint."""
        self.rejected: int = 0
        """How many of them were answered 429, by the rate rule or by a fault."""
        self._api_key = api_key
        self._clock = clock
        self._faults = FaultPlan()
        self._host = host
        self._listener = Listener(self._serve, host, port)
        self._webhooks = WebhookSender(wall_clock)
        self._account.announce = self._webhooks.announce

    @property
    def port(self) -> int:
        """The port it listens on; RuntimeError unless it is open."""
        return self._listener.port

    @property
    def url(self) -> str:
        """What to give a client on this machine as `base_url`; RuntimeError unless it is open."""
        return f"http://{_in_url(self._host)}:{self.port}{_PREFIX}"

    @property
    def search(self) -> SearchBehaviour:
        """How `POST /customers/search` misbehaves."""
        return self._account.search

    @search.setter
    def search(self, behaviour: SearchBehaviour) -> None:
        self._account.search = behaviour

    @property
    def behaviour(self) -> Behaviour:
        """How other answers differ from the documented ones."""
        return self._account.behaviour

    @behaviour.setter
    def behaviour(self, behaviour: Behaviour) -> None:
        self._account.behaviour = behaviour

    async def open(self) -> None:
        """Start to listen; `async with` calls it."""
        await self._listener.open()
        self._webhooks.open()

    async def close(self) -> None:
        """Stop at once, whatever is in flight; the record stays readable. A second call does nothing."""
        await self._webhooks.close()
        await self._listener.close()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    def send_webhooks_to(
        self,
        url: str,
        signing_key: str,
        *,
        events: Collection[WebhookEventName] = WEBHOOK_EVENTS,
        max_attempts: int = 3,
        retry_delay: float = 1.0,
        data_as_string: bool = False,
    ) -> None:
        """Send a signed webhook for whatever happens from now on, over HTTP or by an `add_` method.

        They leave one after the other, while the server is open. An attempt that is not answered with a 2xx
        is repeated after `retry_delay` seconds, up to `max_attempts` in all; HelpCrunch does not say how it
        does that. A later call replaces this one.

        Args:
            url: where to, on the loopback: this server talks to nobody else.
            signing_key: the HTTP Webhook Signing Key.
            events: which of the twenty to send.
            max_attempts: of each.
            retry_delay: seconds between two of them.
            data_as_string: writes `eventData` as a string of JSON, as one client has seen it.

        Raises:
            ValueError: another URL, an unknown event, an empty key, no attempt or a negative delay.
        """
        self._webhooks.target = WebhookTarget(
            url, signing_key, tuple(events), max_attempts, retry_delay, data_as_string
        )

    @property
    def webhooks(self) -> list[SentWebhook]:
        """Every webhook since the start or the last `forget`, delivered or not, as things happened."""
        return self._webhooks.sent

    async def webhooks_settled(self) -> None:
        """Wait until every webhook that is due was delivered or given up."""
        await self._webhooks.settle()

    def redeliver(self, webhook: SentWebhook) -> None:
        """Send a webhook again, whatever became of it; its id is the same, its attempts are counted on.

        Raises:
            ValueError: `send_webhooks_to` was not called.
        """
        self._webhooks.redeliver(webhook)

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
        """Clear the records and their counters, and drop the faults still on order; the account stays."""
        self.requests.clear()
        self.webhooks.clear()
        self.accepted = self.rejected = 0
        self._faults.clear()

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        raw_path = request.raw_path.partition("?")[0]
        call = Call(
            method=request.method,
            path=raw_path.removeprefix(_PREFIX) if raw_path.startswith(f"{_PREFIX}/") else raw_path,
            query=dict(request.query),
            body=await _body_of(request),
        )
        headers = {name.lower(): value for name, value in request.headers.items()}
        authorized = self._takes(headers.pop("authorization", None))
        now = self._clock()
        fault = self._faults.take(call.method, call.path) if authorized else None
        if not authorized:
            answer: Answer | None = answers.unauthorized(self._account.spelling, self._api_key)
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
        recorded = RecordedRequest(now, call.method, call.path, call.query, call.body, status, headers, fault)
        self.requests.append(recorded)
        if self.on_request is not None:
            self.on_request(recorded)
        latency = self.latency() if callable(self.latency) else self.latency
        if latency > 0:
            await asyncio.sleep(latency)
        return await faults.send(request, answer, fault, self._listener.closing)

    def _takes(self, authorization: str | None) -> bool:
        bracketed = self.behaviour.bracketed_key and authorization == f"Bearer <{self._api_key}>"
        return bracketed or authorization == f"Bearer {self._api_key}"

    def _carry_out(self, call: Call, *, inside: bool) -> Answer:
        self.accepted += 1
        if len(call.body) > MAX_BODY_BYTES:
            return answers.too_large()
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


async def _body_of(request: web.BaseRequest) -> bytes:
    """Read a body to its end, so that every request is answered, but keep no more than tells its size."""
    body = bytearray()
    async for chunk in request.content.iter_any():
        if len(body) <= MAX_BODY_BYTES:
            body += chunk
    return bytes(body)


def _in_url(host: str) -> str:
    """Give what a URL calls a host: for all addresses at once the loopback, for IPv6 with brackets."""
    try:
        address = ip_address(host)
    except ValueError:
        return host  # a name
    if address.is_unspecified:
        return "127.0.0.1" if address.version == 4 else "[::1]"
    return host if address.version == 4 else f"[{host}]"
