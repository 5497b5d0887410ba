"""The secrets that are planted, and what carries them."""

import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, TypeAlias

from faults.behaviours import http

from helpcrunch_async import UNLIMITED, HelpCrunchClient, HelpCrunchError, RetryPolicy

_PIECE: Final = "k3y-that-nobody-may-see."
KEY: Final = (_PIECE * 14)[:328]
"""As long as HelpCrunch's own. Many tools cut such a text short before they show it."""
PASSWORD: Final = "pa55-of-a-proxy-or-netrc"
SECRETS: Final = (_PIECE, PASSWORD)
"""What is looked for: any piece of the key that is worth something has it."""
EMAIL: Final = "mara.quill@customer.example"
PRIVATE: Final = (EMAIL, "mara.quill", "customer.example")

WRITTEN: Final[dict[str, Any]] = {"email": EMAIL, "notes": f"ask {EMAIL} first, then {EMAIL}, then {EMAIL}"}
"""Fields of a customer who is created."""
ROW: Final[dict[str, Any]] = {
    "id": 7,
    "email": EMAIL,
    "notes": WRITTEN["notes"],
    "customData": {"x": EMAIL},
}
PAGE: Final = f"<html><p>Dear {EMAIL}, we are down.</p></html>".encode()

Failing: TypeAlias = Callable[[], Awaitable[Sequence[BaseException]]]
"""Fails, and gives the errors."""


def client_at(url: str, **options: Any) -> HelpCrunchClient:
    """A client with the key, which neither paces, sleeps nor coalesces."""
    settings: dict[str, Any] = {
        "rate_limiter": UNLIMITED,
        "retry": RetryPolicy(attempts=2, max_backoff=0.0),
        "coalesce": False,
        **options,
    }
    return HelpCrunchClient(KEY, base_url=url, **settings)


def encoded(body: Any) -> bytes:
    """A body as it goes over the wire: bytes as they are, the rest as JSON."""
    return body if isinstance(body, bytes) else json.dumps(body).encode()


def reply(status: str, body: Any, *headers: str) -> bytes:
    """A whole reply."""
    return http(encoded(body), *headers, status=status)


async def error_of(work: Awaitable[object], kind: type[BaseException] = HelpCrunchError) -> BaseException:
    """The error that awaiting something raises."""
    try:
        result = await work
    except kind as error:
        return error
    raise AssertionError(f"nothing was raised, but {type(result).__name__} given")
