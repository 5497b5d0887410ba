"""Take HelpCrunch webhooks with FastAPI.

    pip install fastapi uvicorn
    export HELPCRUNCH_SIGNING_KEY=...     # Settings, Developers, Webhooks; not the API key
    uvicorn --app-dir examples --factory webhook_fastapi:app_of_environment

HelpCrunch sends to https only: put a proxy with a certificate in front.
"""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable

from fastapi import FastAPI, HTTPException, Request
from starlette.requests import ClientDisconnect

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
MAX_BODY_BYTES = 2**20


async def handle(event: WebhookEvent) -> None:
    """Do what there is to do: briefly, or by handing it to a queue, since HelpCrunch waits for the answer."""
    match event:
        case ChatEvent(data=chat):
            log.info("%s: chat %d is %s", event.name, chat.chat_id, chat.status)
        case MessageEvent(data=said):
            log.info("%s: message %d in chat %d", event.name, said.message.id, said.chat_id)
        case CustomerEvent(data=customer):
            log.info("%s: customer %d", event.name, customer.id)
        case UnknownEvent():
            log.warning("%s is news to this version", event.name)


async def raw_body(request: Request) -> bytes:
    """Read the body, which anybody may have sent: it may be huge, or never end."""
    body = b""
    try:
        async with asyncio.timeout(BODY_TIMEOUT):
            async for piece in request.stream():
                body += piece
                if len(body) > MAX_BODY_BYTES:
                    raise HTTPException(413, "too large")
    except TimeoutError:
        raise HTTPException(408, "the body did not come in time") from None
    except ClientDisconnect:
        raise HTTPException(400, "the body is not whole") from None
    return body


def make_app(signing_key: str, handle: Callable[[WebhookEvent], Awaitable[None]] = handle) -> FastAPI:
    """Make the application."""
    app = FastAPI()
    seen: dict[str, None] = {}  # ids of the latest events; several processes need one memory for all of them

    @app.post("/helpcrunch", status_code=204)
    async def take(request: Request) -> None:
        body = await raw_body(request)  # no model as an argument: its bytes are what is signed
        try:
            event = parse_webhook(body, request.headers.get(SIGNATURE_HEADER), signing_key)
        except WebhookSignatureError as error:
            raise HTTPException(401, "not from HelpCrunch") from error
        except DecodeError as error:
            log.error("from HelpCrunch, but not as documented: %s", error)  # noqa: TRY400 - it says all
            raise HTTPException(400, "not as documented") from error
        if event.id in seen:  # delivered twice, or replayed by somebody
            return
        seen[event.id] = None
        if len(seen) > 10_000:
            del seen[next(iter(seen))]
        try:
            await handle(event)
        except BaseException:
            seen.pop(event.id, None)  # the answer is not a 2xx, so it may come again
            raise

    return app


def app_of_environment() -> FastAPI:
    """Make the application with the signing key of the environment."""
    return make_app(os.environ["HELPCRUNCH_SIGNING_KEY"])
