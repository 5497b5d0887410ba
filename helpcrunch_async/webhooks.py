"""Webhooks: is it from HelpCrunch, and what does it say. Knows no web framework.

    event = parse_webhook(await request.read(), request.headers.get(SIGNATURE_HEADER), signing_key)
    match event:
        case ChatEvent(name="chat.closed", data=chat): ...
        case MessageEvent(data=said): ...

What is signed is the raw body and nothing else: no timestamp, no header. Whoever once saw a delivery can
send it again at any later time, and only the event's `id`, remembered, tells. HelpCrunch itself may deliver
an event more than once, and events in another order than they happened in: they count their attempts,
though no page says when an attempt is repeated, or which answer counts as a success.

Sources: https://docs.helpcrunch.com/en/webhooks/setting-up-webhooks and
https://docs.helpcrunch.com/en/webhooks/how-to-verify-help-crunch-webhook-signatures
"""

import hmac
import re
from collections.abc import Mapping
from typing import Final

from helpcrunch_async.converter import from_dict
from helpcrunch_async.errors import DecodeError, WebhookSignatureError
from helpcrunch_async.models.webhook import (
    CHAT_EVENTS,
    CUSTOMER_EVENTS,
    MESSAGE_EVENTS,
    ChatEvent,
    ChatEventName,
    CustomerEvent,
    CustomerEventName,
    MessageEvent,
    MessageEventName,
    UnknownEvent,
    WebhookAgent,
    WebhookChat,
    WebhookChatMessage,
    WebhookCustomer,
    WebhookDepartment,
    WebhookEvent,
    WebhookMessage,
)
from helpcrunch_async.protocol import JSON
from helpcrunch_async.redaction import Secret, hide_locals, snippet_of, to_secret
from helpcrunch_async.strict_json import NotJSONError, loads

__all__ = [
    "CHAT_EVENTS",
    "CUSTOMER_EVENTS",
    "MESSAGE_EVENTS",
    "SIGNATURE_HEADER",
    "ChatEvent",
    "ChatEventName",
    "CustomerEvent",
    "CustomerEventName",
    "MessageEvent",
    "MessageEventName",
    "UnknownEvent",
    "WebhookAgent",
    "WebhookChat",
    "WebhookChatMessage",
    "WebhookCustomer",
    "WebhookDepartment",
    "WebhookEvent",
    "WebhookMessage",
    "parse_webhook",
    "verify_signature",
]

SIGNATURE_HEADER: Final = "X-HelpCrunch-Signature"
"""The header that holds the signature. Look it up in whatever case: HTTP does not tell them apart."""

_SIGNATURE = re.compile(r"[0-9a-fA-F]{40}")  # HMAC-SHA1 in hex
_MODEL_BY_NAME: Final[Mapping[str, type[ChatEvent | CustomerEvent | MessageEvent]]] = {
    **dict.fromkeys(CHAT_EVENTS, ChatEvent),
    **dict.fromkeys(CUSTOMER_EVENTS, CustomerEvent),
    **dict.fromkeys(MESSAGE_EVENTS, MessageEvent),
}


@hide_locals
def verify_signature(body: bytes, signature: str | None, signing_key: str) -> None:
    """Refuse a webhook that HelpCrunch did not sign; return None for one that it did.

    `body` is the request's, byte for byte as it came: JSON that was parsed and written again has another
    signature. `signature` is the value of the header `SIGNATURE_HEADER`, or None if there was none.
    `signing_key` is the HTTP Webhook Signing Key of the account, not its API key.

    A right signature does not say that this delivery is the first: see the module's own words.

    Source: https://docs.helpcrunch.com/en/webhooks/how-to-verify-help-crunch-webhook-signatures

    Raises:
        WebhookSignatureError: the signature is missing, is not 40 hex digits, or is not of this body.
        TypeError: an argument has the wrong type, such as a body that was decoded.
        ValueError: the signing key is empty, or white space came along with it.
    """
    _verify(body, signature, to_secret("the signing key", signing_key))


@hide_locals
def parse_webhook(body: bytes, signature: str | None, signing_key: str) -> WebhookEvent:
    """Verify a webhook, then read it: a typed event, or `UnknownEvent` for a name that is not documented.

    The arguments are those of `verify_signature`; nothing is parsed before it is content.

    Source: https://docs.helpcrunch.com/en/webhooks/chat-webhooks

    Raises:
        WebhookSignatureError: it is not from HelpCrunch.
        DecodeError: it is, but is not JSON, or not shaped as documented; `problems` says where.
        TypeError: as `verify_signature`.
        ValueError: as `verify_signature`.
    """
    _verify(body, signature, to_secret("the signing key", signing_key))
    envelope = _decode(body)
    if not isinstance(envelope, dict):
        raise _unlike_an_event("$: expected an object")
    name = envelope.get("event")
    if not isinstance(name, str):
        raise _unlike_an_event("$.event: expected a string")
    model: type[WebhookEvent] = _MODEL_BY_NAME.get(name, UnknownEvent)
    return from_dict(model, envelope)


def _verify(body: object, signature: object, key: Secret) -> None:
    if not key.expose():
        raise ValueError("no signing key: anyone could sign with an empty one")
    if key.expose() != key.expose().strip():
        raise ValueError("the signing key begins or ends with white space")
    if not isinstance(body, bytes):
        raise TypeError(f"the body is the raw bytes of the request, as they came, not {type(body).__name__}")
    if signature is None:
        raise WebhookSignatureError(f"the webhook has no {SIGNATURE_HEADER} header")
    if not isinstance(signature, str):
        raise TypeError(f"the signature is a str or None, not {type(signature).__name__}")
    if not _SIGNATURE.fullmatch(signature):
        raise WebhookSignatureError("the webhook's signature is not 40 hex digits")
    # Neither the key in the open nor the right signature is ever in a local. surrogatepass, because the
    # error about a surrogate would show a part of the key.
    if not hmac.compare_digest(
        hmac.digest(key.expose().encode("utf-8", "surrogatepass"), body, "sha1"),
        bytes.fromhex(signature),
    ):
        raise WebhookSignatureError("the webhook's signature does not fit its body and the signing key")


def _decode(body: bytes) -> JSON:
    try:
        return loads(body)
    except NotJSONError as error:
        problem = f"the body is {error}" if body else "no body"
    # raised out here, so that what failed, with customer data in it, is nobody's __context__
    raise _unlike_an_event(f"$: {problem}", snippet_of(body))


def _unlike_an_event(problem: str, snippet: str | None = None) -> DecodeError:
    return DecodeError(f"not a webhook event: {problem}", problems=(problem,), snippet=snippet)
