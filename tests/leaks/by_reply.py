"""Errors by what a server says: every status, in every shape of body, and answers that are none."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import pytest
from faults.behaviours import close, hang
from faults.kinds import STATUSES
from faults.server import Behaviour, FaultServer

from helpcrunch_async import HelpCrunchClient, HelpCrunchError, RetryPolicy
from leaks.planted import EMAIL, PAGE, ROW, WRITTEN, Failing, client_at, error_of, reply

_TAKEN: Final = {"code": "email", "message": f"{EMAIL} is taken"}
_ERROR_BODIES: Final[dict[str, Any]] = {
    "in the words": {"errors": [_TAKEN, {"code": "invalid_request", "message": f"no {EMAIL}"}]},
    "in the code": {"errors": [{"code": EMAIL, "message": "is taken"}]},
    "in the codes": {"errors": [{"code": "invalid_request", "message": "no"}, {"code": f"x {EMAIL}\r\nx"}]},
    "in a flat body": _TAKEN,
    "in words that are an object": {"errors": [{"code": "x", "message": {"email": EMAIL}}]},
    "in an unknown shape": {"error": [EMAIL], "detail": {"email": EMAIL}},
    "in a page": PAGE,
    "in broken JSON": f'{{"errors": [{{"code": "email", "message": "{EMAIL}'.encode(),
    "in a list": [EMAIL, _TAKEN],
}


def _read_and_write(status: str, body: Any, *headers: str) -> Failing:
    async def fail() -> Sequence[BaseException]:
        async with FaultServer(reply(status, body, *headers)) as server, client_at(server.url) as client:
            return [
                await error_of(client.get_customer(7)),
                await error_of(client.create_customer(**WRITTEN)),
                await error_of(client.request("PUT", "contacts/7", body=ROW)),
            ]

    return fail


def _addressed(*script: Behaviour) -> Failing:
    """Requests that hold an address in their path or query, which only raw ones can."""

    async def fail() -> Sequence[BaseException]:
        async with FaultServer(*script) as server, client_at(server.url, deadline=1.0, timeout=0.1) as client:
            return [
                await error_of(client.request("PUT", f"contacts/{EMAIL}", body=ROW)),
                await error_of(client.request("GET", "contacts", query={"email": EMAIL})),
                await error_of(client.with_options(deadline=0.05).request("GET", f"contacts/{EMAIL}")),
            ]

    return fail


def _every_status() -> list[Any]:
    statuses = [case.name for case in STATUSES if case.name[:3] != "304"]  # which has no body
    return [
        *(
            pytest.param(_read_and_write(status, _ERROR_BODIES["in the words"]), id=status)
            for status in (*statuses, "429 Slow", "599 Odd")
        ),
        *(
            pytest.param(_read_and_write("400 Bad Request", body), id=f"400 {where}")
            for where, body in _ERROR_BODIES.items()
        ),
        *(
            pytest.param(_read_and_write("503 Down", body), id=f"503 {where}")
            for where, body in _ERROR_BODIES.items()
        ),
        pytest.param(_read_and_write("429 Slow", _TAKEN, f"Retry-After: {EMAIL}"), id="429 in Retry-After"),
        pytest.param(
            _read_and_write("503 Down", b"", f"CF-Ray: {EMAIL}", f"X-Request-Id: {EMAIL}"),
            id="503 in the id of the request",
        ),
        pytest.param(
            _read_and_write("307 There", b"", f"Location: https://elsewhere.example/{EMAIL}"), id="redirect"
        ),
        pytest.param(_read_and_write(f"400 {EMAIL}", b""), id="400 in the reason"),
    ]


_UNREADABLE: Final[dict[str, Any]] = {
    "a page": PAGE,
    "JSON cut short": f'{{"id": 7, "email": "{EMAIL}"'.encode(),
    "JSON cut in the address": f'{{"id": 7, "email": "{EMAIL[:-2]}'.encode(),
    "single quotes": f"['{EMAIL}']".encode(),
    "no quotes": f"{{email: {EMAIL}}}".encode(),
    "latin-1": f'{{"name": "Zo\xeb", "email": "{EMAIL}"}}'.encode("latin-1"),
    "NaN": f'{{"id": NaN, "email": "{EMAIL}"}}'.encode(),
    "5000 digits": f'{{"email": "{EMAIL}", "id": {"7" * 5000}}}'.encode(),
    "deep": f'{{"email": "{EMAIL}", "x": {"[" * 100_000}'.encode(),
}
_UNFIT: Final[dict[str, Any]] = {
    "a list": [ROW],
    "a string": EMAIL,
    "an id": {"id": EMAIL},
    "no id": {"email": EMAIL},
    "too many tags": {**ROW, "tags": [{"name": EMAIL}] * 10_001},
    "too many properties": {**ROW, "customData": [EMAIL] * 10_001},
    "wrapped": {"data": {"email": EMAIL}},
}
_NO_PAGES: Final[dict[str, Any]] = {
    "no rows": {"rows": [ROW]},
    "a bad row": {"data": [ROW, {"email": EMAIL}], "total": 2},
    "a row of another kind": {"data": [EMAIL]},
    "too many rows": {"data": [ROW] * 10_001},
    "rows in rows": {"data": [[ROW], [{"id": EMAIL}]]},
    "the oldest key": {"messages": [{"id": EMAIL}]},
}

Use = Callable[[HelpCrunchClient], Awaitable[object]]
_UPDATE: Final[Any] = {"customer": 7, **WRITTEN}


async def _first(client: HelpCrunchClient) -> None:
    async for lookup in client.stream_customers([7], batch=False):
        if lookup.error is not None:
            raise lookup.error


async def _batched(client: HelpCrunchClient) -> None:
    for outcome in await client.batch_update_customers([_UPDATE]):
        if outcome.error is not None:
            raise outcome.error


_CUSTOMERS: Final[tuple[Use, ...]] = (
    lambda client: client.get_customer(7),
    lambda client: client.get_customers([7], batch=False),
    _first,
    lambda client: client.create_customer(**WRITTEN),
    lambda client: client.replace_customer(7, **WRITTEN),
    lambda client: client.update_customer(7, **WRITTEN),
)
_WITH_ID: Final[tuple[Use, ...]] = (
    lambda client: client.get_chat(7),
    lambda client: client.send_message(7, f"Dear {EMAIL}"),
    lambda client: client.get_organization(),
)
_OTHERS: Final = (*_WITH_ID, lambda client: client.create_event(7, "Upgrade", {"email": EMAIL}))
_PAGES: Final[tuple[Use, ...]] = (
    lambda client: client.list_customers().to_list(),
    lambda client: client.list_chats().page(),
    lambda client: client.list_messages(7).to_list(),
    lambda client: client.find_customer(user_id=f"not {EMAIL}"),
)


def _answered(body: Any, uses: tuple[Use, ...]) -> Failing:
    async def fail() -> Sequence[BaseException]:
        once = RetryPolicy(attempts=1)
        async with (
            FaultServer(reply("200 OK", body)) as server,
            client_at(server.url, retry=once) as client,
            client_at(server.url, retry=once, coalesce=True) as folding,
        ):
            errors = [await error_of(use(client)) for use in uses]
            if uses is not _PAGES:
                errors.append(await error_of(folding.get_customer(7)))
            return errors

    return fail


async def _other_customers() -> Sequence[BaseException]:
    """A search that ignored its filter."""
    async with (
        FaultServer(reply("200 OK", {"data": [ROW], "total": 1})) as server,
        client_at(server.url) as client,
    ):
        return [
            await error_of(client.find_customer(email=f"other.{EMAIL}")),
            await error_of(client.find_customer(user_id=EMAIL)),
        ]


async def _bad_rows_of_a_search() -> Sequence[BaseException]:
    """One that brings what was asked for, in an unfit shape, and what was not."""
    rows = {"data": [{"id": EMAIL}, {"email": EMAIL}, ROW], "total": 3}
    async with FaultServer(reply("200 OK", rows)) as server, client_at(server.url) as client:
        found = await client.get_customers([1, 2], return_exceptions=True)
        return [each for each in found if isinstance(each, HelpCrunchError)]


async def _refused_batch() -> Sequence[BaseException]:
    """Updates of many customers of which none is taken."""
    async with (
        FaultServer(reply("400 Bad Request", _ERROR_BODIES["in the words"])) as server,
        client_at(server.url) as client,
    ):
        return [await error_of(_batched(client))]


PATHS: Final = [
    *_every_status(),
    *(
        pytest.param(_answered(body, (*_CUSTOMERS, *_OTHERS, *_PAGES)), id=f"unreadable, {name}")
        for name, body in _UNREADABLE.items()
    ),
    *(pytest.param(_answered(body, _CUSTOMERS), id=f"unfit, {name}") for name, body in _UNFIT.items()),
    *(
        pytest.param(_answered(body, uses), id=f"unfit, {body!r:.10}")
        for body, uses in (([ROW], _OTHERS), (EMAIL, _OTHERS), ({"id": EMAIL}, _WITH_ID))
    ),
    *(pytest.param(_answered(body, _PAGES), id=f"no page, {name}") for name, body in _NO_PAGES.items()),
    pytest.param(_other_customers, id="other customers"),
    pytest.param(_bad_rows_of_a_search, id="bad rows of a search"),
    pytest.param(_refused_batch, id="a refused batch"),
]

ADDRESSED: Final = [
    pytest.param(_addressed(reply("404 Not Found", _TAKEN)), id="addressed, 404"),
    pytest.param(_addressed(reply("200 OK", PAGE)), id="addressed, a page"),
    pytest.param(_addressed(close), id="addressed, closed"),
    pytest.param(_addressed(hang), id="addressed, time-out"),
    pytest.param(_addressed(b"HELLO\r\n\r\n"), id="addressed, no HTTP"),
]
"""What a caller puts into a path or a query is in the locals of frames, but in no text."""
