"""Webhooks as HelpCrunch sends them: an envelope, signed with the account's HTTP Webhook Signing Key."""

import hmac
import time
from collections.abc import Mapping
from typing import Any, Final
from uuid import uuid4

import attrs

from helpcrunch_async.testing.answers import JSON, encode

SIGNATURE_HEADER: Final = "X-HelpCrunch-Signature"
_USER_AGENT = "GuzzleHttp/7"


@attrs.frozen
class WebhookAttempt:
    """One request that was made to deliver a webhook."""

    time: float
    """In Unix seconds."""
    body: bytes
    headers: Mapping[str, str]
    status: int | None
    """What it was answered with; None when there was no answer."""


@attrs.define(eq=False)
class SentWebhook:
    """One webhook of the fake server, delivered or not."""

    id: str
    event: str
    data: Mapping[str, Any]
    """The `eventData`, as it was when the event happened."""
    created_at: float
    attempts: list[WebhookAttempt] = attrs.field(factory=list)

    @property
    def delivered(self) -> bool:
        """Whether an attempt was answered with a 2xx."""
        return any(each.status is not None and 200 <= each.status < 300 for each in self.attempts)


def signed_webhook(
    event: str,
    data: Mapping[str, Any],
    signing_key: str,
    *,
    webhook_id: str | None = None,
    attempts: int = 0,
    created_at: float | None = None,
    last_attempt_at: float | None = None,
    data_as_string: bool = False,
) -> tuple[bytes, dict[str, str]]:
    """Make one webhook, for tests of a receiver that need no server: the body, and the headers it comes with.

    Args:
        event: "chat.closed", or any other name.
        data: the `eventData`.
        signing_key: the HTTP Webhook Signing Key that the receiver verifies with.
        webhook_id: the same in every delivery of one event; None makes one up.
        attempts: how often it was tried before.
        created_at: Unix seconds of the event; None is now.
        last_attempt_at: Unix seconds of this attempt; None is `created_at`.
        data_as_string: writes `eventData` as a string of JSON, as one client has seen it.
    """
    created_at = time.time() if created_at is None else created_at
    body = encode(
        {
            "event": event,
            "eventData": encode(data).decode() if data_as_string else data,
            "attempts": attempts,
            "lastAttemptAt": int(created_at if last_attempt_at is None else last_attempt_at),
            "createdAt": int(created_at),
            "id": str(uuid4()) if webhook_id is None else webhook_id,
        }
    )
    headers = {
        "Accept": JSON,
        "Content-Type": JSON,
        "User-Agent": _USER_AGENT,
        SIGNATURE_HEADER: hmac.new(signing_key.encode(), body, "sha1").hexdigest(),
    }
    return body, headers
