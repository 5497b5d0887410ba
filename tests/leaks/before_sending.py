"""Errors of what never leaves: no turn, no client, nonsense for an argument, a webhook that is not one."""

import hashlib
import hmac
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import pytest

from helpcrunch_async import HelpCrunchClient, RateLimiter
from helpcrunch_async.webhooks import parse_webhook, verify_signature
from leaks.planted import EMAIL, KEY, ROW, WRITTEN, Failing, client_at, error_of

_NOWHERE: Final = "http://127.0.0.1:9/v1"


async def _no_turn() -> Sequence[BaseException]:
    """None at once, and none while one waits."""
    limiter = RateLimiter(1, 60.0)
    (await limiter.turn()).accepted()
    async with client_at(_NOWHERE, rate_limiter=limiter, max_wait=0.0) as client:
        later = client.with_options(max_wait=None, deadline=0.05)
        folding = client_at(_NOWHERE, rate_limiter=limiter, max_wait=0.0, coalesce=True)
        async with folding:
            return [
                await error_of(client.get_customer(7)),
                await error_of(client.create_customer(**WRITTEN)),
                await error_of(client.find_customer(email=EMAIL)),
                await error_of(client.get_customers([7, 8])),
                await error_of(folding.get_customer(7)),
                await error_of(later.create_customer(**WRITTEN)),
            ]


async def _gate_closed() -> Sequence[BaseException]:
    """A pause longer than the caller's patience."""
    limiter = RateLimiter()
    (await limiter.turn()).rejected(60.0)
    async with client_at(_NOWHERE, rate_limiter=limiter, max_wait=1.0) as client:
        return [await error_of(client.get_customer(7)), await error_of(client.create_customer(**WRITTEN))]


async def _not_open() -> Sequence[BaseException]:
    """Never opened, and closed."""
    client = client_at(_NOWHERE)
    never = [await error_of(client.get_customer(7)), await error_of(client.create_customer(**WRITTEN))]
    async with client:
        pass
    return [
        *never,
        await error_of(client.create_customer(**WRITTEN)),
        await error_of(client.find_customer(email=EMAIL)),
        await error_of(client.list_customers().to_list()),
    ]


async def _opened_wrongly() -> Sequence[BaseException]:
    """Twice, and by a view; and a factory that fails."""

    def broken() -> Any:
        raise OSError("no such proxy")

    async with client_at(_NOWHERE) as client:
        return [
            await error_of(client.open(), RuntimeError),
            await error_of(client.with_options(timeout=1.0).open(), RuntimeError),
            await error_of(client_at(_NOWHERE, session=broken).open(), OSError),
        ]


def _made_with(**options: Any) -> Failing:
    async def fail() -> Sequence[BaseException]:
        settings: dict[str, Any] = {"api_key": KEY, "base_url": _NOWHERE, **options}
        try:
            HelpCrunchClient(**settings)
        except (TypeError, ValueError) as error:
            return [error]
        raise AssertionError("nothing was raised")

    return fail


_HALF: Final = f"{EMAIL}\ud83d"
_BAD: Final[dict[str, Callable[[Any], Any]]] = {
    "an id": lambda client: client.get_customer(EMAIL),
    "an id among others": lambda client: client.get_customers([7, EMAIL]),
    "an id of a write": lambda client: client.update_customer(EMAIL, name="Mara"),
    "half a character": lambda client: client.create_customer(email=_HALF),
    "a field of another type": lambda client: client.create_customer(email=[EMAIL]),
    "a field that is none": lambda client: client.create_customer(mail=EMAIL),
    "a tag": lambda client: client.tag_customer(7, [[EMAIL]]),
    "an event": lambda client: client.create_event(7, _HALF),
    "data of an event": lambda client: client.create_event(7, "Upgrade", {"email": [EMAIL]}),
    "an update": lambda client: client.batch_update_customers([{"customer": 7, "email": [EMAIL]}]),
    "a filter": lambda client: client.search_customers(EMAIL),
    "an address": lambda client: client.find_customer(email=_HALF),
    "two ways to find": lambda client: client.find_customer(email=EMAIL, user_id=EMAIL),
    "a message": lambda client: client.send_message(7, _HALF),
    "a moment": lambda client: client.snooze_chat(7, EMAIL),
    "a query": lambda client: client.request("GET", "customers", query={"email": [EMAIL]}),
    "a path": lambda client: client.request("GET", f"customers?email={EMAIL}"),
    "a body": lambda client: client.request("POST", "customers", body={"email": {EMAIL}}),
    "a number": lambda client: client.request("POST", "customers", body={"email": EMAIL, "x": float("nan")}),
}


async def _bad_arguments() -> Sequence[BaseException]:
    async with client_at(_NOWHERE) as client:

        async def called(use: Callable[[Any], Any]) -> None:
            result = use(client)
            if isinstance(result, Awaitable):
                await result

        wrong = (TypeError, ValueError)
        return [await _error_among(called(use), *wrong) for use in _BAD.values()]


async def _error_among(work: Awaitable[object], *kinds: type[Exception]) -> BaseException:
    try:
        await work
    except kinds as error:
        return error
    raise AssertionError("nothing was raised")


def _signed(body: bytes) -> str:
    return hmac.new(KEY.encode(), body, hashlib.sha1).hexdigest()


def _delivered(body: Any, signature: Any = None, key: Any = KEY) -> Failing:
    async def fail() -> Sequence[BaseException]:
        sent = body if isinstance(body, bytes) else json.dumps(body).encode()
        signed = _signed(sent) if signature is None else signature
        errors: list[BaseException] = []
        for call in (verify_signature, parse_webhook):
            try:
                call(sent, signed, key)
            except Exception as error:  # noqa: BLE001 - each is looked at
                errors.append(error)
        assert errors
        return errors

    return fail


_EVENT: Final = {"id": "x", "event": "chat.new", "eventData": {"chat_id": EMAIL, "customer": ROW}}
ARGUMENTS: Final = [
    pytest.param(_bad_arguments, id="arguments of calls"),
    pytest.param(_made_with(timeout=-1.0), id="a time-out"),
    pytest.param(_made_with(api_key=f"{KEY}\n"), id="a key with a newline"),
    pytest.param(_made_with(api_key=f"<{KEY}>"), id="a key in brackets"),
    pytest.param(_made_with(api_key=f"Bearer {KEY}"), id="a key with its scheme"),
    pytest.param(_made_with(api_key=KEY.encode()), id="a key as bytes"),
    pytest.param(_made_with(api_key=[KEY]), id="a key in a list"),
    pytest.param(_made_with(session=object()), id="a session"),
    pytest.param(_made_with(rate_limiter=RateLimiter), id="a limiter"),
    pytest.param(_made_with(retry=3), id="a policy"),
]
"""Mistakes of the caller: the frames hold what the caller gave, but never a key."""

MISPLACED: Final = [
    pytest.param(_made_with(base_url=f"https://someone:{KEY}@api.example"), id="a key in the URL"),
    pytest.param(_made_with(base_url=f"https://api.example/?key={KEY}"), id="a key in the query"),
]
"""A key where none belongs, and is not known for one: no text shows it, but locals do."""

PATHS: Final = [
    pytest.param(_no_turn, id="no turn"),
    pytest.param(_gate_closed, id="gate closed"),
    pytest.param(_not_open, id="not open"),
    pytest.param(_opened_wrongly, id="opened wrongly"),
]

WEBHOOKS: Final = [
    pytest.param(_delivered(_EVENT, "0" * 40), id="a forged webhook"),
    pytest.param(_delivered(_EVENT, "odd"), id="an odd signature"),
    pytest.param(_delivered(_EVENT), id="a webhook of another shape"),
    pytest.param(_delivered({**_EVENT, "event": [EMAIL]}), id="a webhook without a name"),
    pytest.param(_delivered({**_EVENT, "eventData": EMAIL}), id="a webhook without data"),
    pytest.param(
        _delivered({**_EVENT, "eventData": json.dumps(_EVENT)[:-9]}), id="a webhook with broken data"
    ),
    pytest.param(_delivered({"id": [EMAIL], "event": "new", "eventData": ROW}), id="an unknown webhook"),
    pytest.param(_delivered(json.dumps(_EVENT).encode()[:-9]), id="a webhook cut short"),
    pytest.param(_delivered(f"\xeb {EMAIL}".encode("latin-1")), id="a webhook in latin-1"),
    pytest.param(_delivered(_EVENT, "0" * 40, f"{KEY}\n"), id="a signing key with a newline"),
    pytest.param(_delivered(_EVENT, "0" * 40, KEY.encode()), id="a signing key as bytes"),
]
"""Of a webhook, whose body is the caller's to hide: frames are looked through for the key alone."""
