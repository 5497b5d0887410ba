"""Take HelpCrunch webhooks with aiohttp.web.

    export HELPCRUNCH_SIGNING_KEY=...     # Settings, Developers, Webhooks; not the API key
    python examples/webhook_aiohttp.py    # POST http://127.0.0.1:8080/helpcrunch

HelpCrunch sends to https only: put a proxy with a certificate in front.
"""

import asyncio
import logging
import os
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from aiohttp import web

from helpcrunch_async import DecodeError, WebhookSignatureError
from helpcrunch_async.webhooks import (
    SIGNATURE_HEADER,
    ChatEvent,
    CustomerEvent,
    MessageEvent,
    UnknownEvent,
    WebhookEvent,
    parse_webhook,
)

log = logging.getLogger("webhooks")

BODY_TIMEOUT = 10.0  # seconds


async def handle(event: WebhookEvent) -> None:
    """Do what there is to do: briefly, or by handing it to a queue, since HelpCrunch waits for the answer."""
    match event:
        case ChatEvent(name="chat.closed", data=chat):
            log.info("chat %d was closed by the %s", chat.chat_id, chat.closed_by or "system")
        case ChatEvent(name=name, data=chat):
            log.info("%s: chat %d is %s", name, chat.chat_id, chat.status)
        case MessageEvent(name="message.chat.customer" | "message.email.customer", data=said):
            log.info("a customer wrote message %d in chat %d", said.message.id, said.chat_id)
        case MessageEvent(name=name, data=said):
            log.info("%s: message %d in chat %d", name, said.message.id, said.chat_id)
        case CustomerEvent(name=name, data=customer):
            log.info("%s: customer %d", name, customer.id)
        case UnknownEvent(name=name):
            log.warning("%s is news to this version", name)


class Seen:
    """The ids of the latest events, since one may be delivered twice, or replayed by somebody.

    Several processes need one memory for all of them: a unique column, or Redis with SET NX.
    """

    def __init__(self, size: int = 10_000) -> None:
        self._size = size
        self._ids: OrderedDict[str, None] = OrderedDict()

    def add(self, event_id: str) -> bool:
        """Remember an id; tell whether it is a new one."""
        if event_id in self._ids:
            return False
        self._ids[event_id] = None
        if len(self._ids) > self._size:
            self._ids.popitem(last=False)
        return True

    def forget(self, event_id: str) -> None:
        """Let the next delivery of this event count as the first."""
        self._ids.pop(event_id, None)


async def raw_body(request: web.Request) -> bytes:
    """Read the body, which anybody may have sent: it may never end, or not be what its headers say."""
    try:
        async with asyncio.timeout(BODY_TIMEOUT):
            return await request.read()
    except TimeoutError:
        raise web.HTTPRequestTimeout from None
    except (web.RequestPayloadError, ConnectionError):
        raise web.HTTPBadRequest from None


def make_app(signing_key: str, handle: Callable[[WebhookEvent], Awaitable[None]] = handle) -> web.Application:
    """Make the application; aiohttp refuses bodies above 1 MiB by itself."""
    seen = Seen()

    async def take(request: web.Request) -> web.Response:
        body = await raw_body(request)  # not parsed: its bytes are what is signed
        try:
            event = parse_webhook(body, request.headers.get(SIGNATURE_HEADER), signing_key)
        except WebhookSignatureError as error:
            log.warning("refused: %s", error)
            return web.Response(status=401)
        except DecodeError as error:
            log.error("from HelpCrunch, but not as documented: %s", error)  # noqa: TRY400 - it says all
            return web.Response(status=400)
        if seen.add(event.id):
            try:
                await handle(event)
            except BaseException:
                seen.forget(event.id)  # the answer is not a 2xx, so it may come again
                raise
        return web.Response(status=204)

    app = web.Application()
    app.router.add_post("/helpcrunch", take)
    return app


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    web.run_app(make_app(os.environ["HELPCRUNCH_SIGNING_KEY"]), host="127.0.0.1", port=8080)
