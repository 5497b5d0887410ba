"""The delivery of webhooks to a loopback URL: one after the other, in the order of what happened."""

import asyncio
from collections import deque
from collections.abc import Callable, Collection
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import aiohttp
import attrs

from helpcrunch_async.testing.happenings import WEBHOOK_EVENTS
from helpcrunch_async.testing.rows import Row
from helpcrunch_async.testing.webhooks import SentWebhook, WebhookAttempt, signed_webhook

_TIMEOUT = aiohttp.ClientTimeout(total=10.0)


def _loopback(_: Any, __: "attrs.Attribute[str]", url: str) -> None:
    parts = urlsplit(url)
    host = parts.hostname or ""
    try:
        near = host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        near = False
    if parts.scheme not in ("http", "https") or not near:
        raise ValueError(f"webhooks go to http://127.0.0.1 or another loopback URL only, not to {url!r}")


def _known_events(_: Any, __: "attrs.Attribute[Collection[str]]", events: Collection[str]) -> None:
    for event in events:
        if event not in WEBHOOK_EVENTS:
            raise ValueError(f"unknown event {event!r}; there are {', '.join(WEBHOOK_EVENTS)}")


@attrs.frozen
class WebhookTarget:
    """Where webhooks go, signed with what, and how often each is tried."""

    url: str = attrs.field(validator=_loopback)
    signing_key: str = attrs.field(repr=False, validator=attrs.validators.min_len(1))
    events: Collection[str] = attrs.field(validator=_known_events)
    max_attempts: int = attrs.field(validator=attrs.validators.ge(1))
    retry_delay: float = attrs.field(validator=attrs.validators.ge(0.0))
    data_as_string: bool


class WebhookSender:
    """Sends an account's webhooks while its server is open, in a task that ends when all are sent.

    HelpCrunch does not say when it repeats an attempt: here any answer but a 2xx, and none at all, makes the
    next one due `retry_delay` seconds later, and those behind it wait.
    """

    def __init__(self, wall_clock: Callable[[], float]) -> None:
        self.target: WebhookTarget | None = None
        self.sent: list[SentWebhook] = []
        """Every webhook there was, delivered or not, in the order of what happened."""
        self._wall_clock = wall_clock
        self._waiting: deque[tuple[SentWebhook, WebhookTarget]] = deque()
        self._is_open = False
        self._sending: asyncio.Task[None] | None = None

    def announce(self, event: str, data: Row) -> None:
        """Send a webhook, if somebody wants to hear of the event."""
        if self.target is not None and event in self.target.events:
            webhook = SentWebhook(str(uuid4()), event, data, self._wall_clock())
            self.sent.append(webhook)
            self._send(webhook, self.target)

    def redeliver(self, webhook: SentWebhook) -> None:
        """Send a webhook once more, its attempts counted on.

        Raises:
            ValueError: there is nowhere to send it to.
        """
        if self.target is None:
            raise ValueError("nobody wants webhooks: say where to send them first")
        self._send(webhook, self.target)

    def open(self) -> None:
        """Begin to send, also what has waited for it."""
        self._is_open = True
        self._set_out()

    async def settle(self) -> None:
        """Wait until all are delivered or given up."""
        while self._sending is not None:
            await asyncio.wait([self._sending])

    async def close(self) -> None:
        """Stop at once: the one under way is given up, those behind it wait for the next `open`."""
        self._is_open = False
        if self._sending is not None:
            self._sending.cancel()
        await self.settle()

    def _send(self, webhook: SentWebhook, target: WebhookTarget) -> None:
        self._waiting.append((webhook, target))
        self._set_out()

    def _set_out(self) -> None:
        if self._is_open and self._waiting and self._sending is None:
            self._sending = asyncio.create_task(self._send_all())

    async def _send_all(self) -> None:
        try:
            async with aiohttp.ClientSession(timeout=_TIMEOUT) as http:
                while self._waiting:
                    await self._deliver(*self._waiting.popleft(), http)
        finally:
            self._sending = None
            self._set_out()  # for what came while the session was closing

    async def _deliver(
        self, webhook: SentWebhook, target: WebhookTarget, http: aiohttp.ClientSession
    ) -> None:
        for left in reversed(range(target.max_attempts)):
            status = await self._attempt(webhook, target, http)
            if status is not None and 200 <= status < 300:
                return
            if left:
                await asyncio.sleep(target.retry_delay)

    async def _attempt(
        self, webhook: SentWebhook, target: WebhookTarget, http: aiohttp.ClientSession
    ) -> int | None:
        now = self._wall_clock()
        body, headers = signed_webhook(
            webhook.event,
            webhook.data,
            target.signing_key,
            webhook_id=webhook.id,
            attempts=len(webhook.attempts),
            created_at=webhook.created_at,
            last_attempt_at=now,
            data_as_string=target.data_as_string,
        )
        try:
            async with http.post(target.url, data=body, headers=headers, allow_redirects=False) as reply:
                status = reply.status
        except (aiohttp.ClientError, OSError):  # a timeout is an OSError
            status = None
        webhook.attempts.append(WebhookAttempt(now, body, headers, status))
        return status
