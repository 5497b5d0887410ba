"""The retry table, cell by cell: every condition, met by every kind of request, counted on the wire."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from attrs import frozen
from faults.behaviours import GOOD, PAGE, TRUNCATED, close, hang, http, refusal
from faults.case import Case, limiter_for
from faults.cases import EACH_CASE
from faults.clients import ATTEMPTS, client_on, held_by, requester_of, send
from faults.kinds import KINDS, STATUSES, Kind
from faults.server import Behaviour
from faults.stages import a_name_found_late, answering

from helpcrunch_async import (
    UNLIMITED,
    BadRequestError,
    ClientClosedError,
    DeadlineExceededError,
    HelpCrunchClient,
    HelpCrunchError,
    NotFoundError,
    RateLimiter,
    RateLimitError,
    ServerError,
)
from helpcrunch_async.endpoints import DELETE_CUSTOMER, GET_CUSTOMER, UNTAG_CUSTOMER, UPDATE_CUSTOMER
from helpcrunch_async.protocol import Request

EACH_KIND = [pytest.param(kind, id=kind.name) for kind in KINDS]


@frozen
class Met:
    """What came of one request that met a condition."""

    error: type[Exception] | None
    attempts: int
    outcome_unknown: bool = False


async def meet(case: Case, kind: Kind) -> Met:
    """Send a request of a kind into a condition that lasts."""
    async with case.stage() as stage:
        async with client_on(stage, timeout=case.timeout, rate_limiter=limiter_for(case)) as client:
            error: HelpCrunchError | None = None
            try:
                assert await send(client, kind.request) is None
            except HelpCrunchError as caught:
                error = caught
            assert error is None or re.search(case.words, str(error))
            assert held_by(client) == {}
        attempts = len(stage.server.requests) or stage.session.dialled
        return Met(None, attempts) if error is None else Met(type(error), attempts, error.outcome_unknown)


@pytest.mark.parametrize(
    "case", [*EACH_CASE, *(pytest.param(case, id=f"status {case.name}") for case in STATUSES)]
)
async def test_each_kind_of_request(case: Case) -> None:
    """As often on the wire as the table has it, and in doubt exactly when a change may have been applied."""
    expected = {
        kind.name: Met(None, 1)
        if case.acknowledges and kind.request.acknowledges
        else Met(
            case.error,
            case.line.attempts(repeatable=kind.request.repeatable),
            case.line.leaves_changes_in_doubt and kind.changes,
        )
        for kind in KINDS
    }
    if case.lasts:
        found = await asyncio.gather(*(meet(case, kind) for kind in KINDS))
    else:
        found = [await meet(case, kind) for kind in KINDS]
    assert expected == {kind.name: met for kind, met in zip(KINDS, found, strict=True)}


@pytest.mark.parametrize("kind", EACH_KIND)
async def test_a_429_is_waited_out_at_the_gate(kind: Kind) -> None:
    """What was refused was not carried out: it is sent again when the gate opens, and carried out once."""
    async with answering(refusal(), refusal(), GOOD)() as stage:
        async with client_on(stage, rate_limiter=RateLimiter(100, 0.1)) as client:
            assert (await send(client, kind.request))["id"] == 7
            assert held_by(client) == {}
        assert len(stage.server.requests) == 3


@pytest.mark.parametrize("kind", EACH_KIND)
async def test_what_never_left_is_sent_later(kind: Kind) -> None:
    """A host that is found at the second try gets the request, once."""
    async with a_name_found_late() as stage:
        async with client_on(stage, allow_http=True) as client:
            assert (await send(client, kind.request))["id"] == 7
        assert (len(stage.server.requests), stage.session.dialled) == (1, 2)


DOWN = http(PAGE, status="503 Service Unavailable")
GONE = http(b"", status="404 Not Found")
BAD = http(b"", status="400 Bad Request")
DELETION = DELETE_CUSTOMER.request(7)
UNTAGGING = UNTAG_CUSTOMER.request(7, body={"tags": []})
UPDATE = UPDATE_CUSTOMER.request(7, body={"name": "Mara"})
READ = GET_CUSTOMER.request(7)


async def outcome_of(request: Request, *script: Behaviour, **options: Any) -> tuple[object, int]:
    """The answer to a request or its error, and how often it was on the wire."""
    async with answering(*script)() as stage:
        async with client_on(stage, **{"rate_limiter": UNLIMITED, **options}) as client:
            try:
                outcome: object = await send(client, request)
            except HelpCrunchError as error:
                outcome = error
            assert held_by(client) == {}
        return outcome, len(stage.server.requests)


@pytest.mark.parametrize(
    "unknown", [close, DOWN, TRUNCATED, http(PAGE)], ids=["closed", "503", "body cut", "html under 200"]
)
async def test_a_deletion_that_finds_nothing_left_has_succeeded(unknown: Behaviour) -> None:
    """When an earlier attempt may have deleted the thing, its being gone is what was asked for."""
    assert await outcome_of(DELETION, unknown, GONE) == (None, 2)


@pytest.mark.parametrize(
    ("request_", "script", "in_doubt"),
    [
        pytest.param(DELETION, [GONE], False, id="the first attempt"),
        pytest.param(DELETION, [refusal(), GONE], False, id="after a refusal"),
        pytest.param(UNTAGGING, [DOWN, GONE], True, id="the thing is not what was deleted"),
        pytest.param(UPDATE, [DOWN, GONE], True, id="an update"),
        pytest.param(READ, [DOWN, GONE], False, id="a read"),
    ],
)
async def test_any_other_404_is_an_error(
    request_: Request, script: list[Behaviour], *, in_doubt: bool
) -> None:
    """Nothing was there to begin with, or it is not the deletion of a thing by its name."""
    error, requests = await outcome_of(request_, *script)
    assert isinstance(error, NotFoundError)
    assert (error.outcome_unknown, requests) == (in_doubt, len(script))


@pytest.mark.parametrize(
    ("script", "kind", "in_doubt"),
    [
        pytest.param([DOWN, BAD], BadRequestError, True, id="503, then a clear no"),
        pytest.param([close, BAD], BadRequestError, True, id="closed, then a clear no"),
        pytest.param([http(b"{"), BAD], BadRequestError, True, id="garbage under 200, then a clear no"),
        pytest.param([refusal(), BAD], BadRequestError, False, id="429, then a clear no"),
        pytest.param([BAD], BadRequestError, False, id="a clear no"),
        pytest.param([DOWN, refusal()], RateLimitError, True, id="503, then 429"),
        pytest.param([refusal(), DOWN], ServerError, True, id="429, then 503"),
    ],
)
async def test_one_attempt_in_doubt_leaves_a_change_in_doubt(
    script: list[Behaviour], kind: type[HelpCrunchError], *, in_doubt: bool
) -> None:
    """What a later attempt met does not tell what became of an earlier one."""
    error, _ = await outcome_of(UPDATE, *script)
    assert isinstance(error, kind)
    assert in_doubt == error.outcome_unknown
    error, _ = await outcome_of(READ, *script)
    assert isinstance(error, kind)
    assert not error.outcome_unknown


async def _close(client: HelpCrunchClient) -> None:
    await client.close()


async def _nothing(_: HelpCrunchClient) -> None:
    """Let the deadline come."""


@pytest.mark.parametrize(
    ("end", "kind"),
    [(_close, ClientClosedError), (_nothing, DeadlineExceededError)],
    ids=["closed", "deadline"],
)
@pytest.mark.parametrize(
    ("fault", "in_doubt"), [(DOWN, True), (refusal(), False)], ids=["after a 503", "after a 429"]
)
async def test_a_change_that_ends_in_back_off(
    end: Callable[[HelpCrunchClient], Awaitable[None]],
    kind: type[HelpCrunchError],
    fault: bytes,
    *,
    in_doubt: bool,
) -> None:
    """Nothing is on the wire any more, but what was may have been applied."""
    asleep = asyncio.Event()

    async def sleep(_: float) -> None:
        asleep.set()
        await asyncio.Event().wait()

    async with (
        answering(fault)() as stage,
        client_on(stage, rate_limiter=UNLIMITED, deadline=0.5 if end is _nothing else None) as client,
    ):
        requester_of(client)._sleep = sleep
        call = asyncio.create_task(send(client, UPDATE))
        await asleep.wait()
        await end(client)
        with pytest.raises(kind) as caught:
            await call
        assert in_doubt == caught.value.outcome_unknown


async def test_a_change_that_gets_no_second_turn_is_in_doubt() -> None:
    """A line longer than the caller's patience does not undo what the first attempt may have done."""
    error, requests = await outcome_of(UPDATE, DOWN, rate_limiter=RateLimiter(1, 60.0), max_wait=1.0)
    assert isinstance(error, RateLimitError)
    assert (error.outcome_unknown, error.attempts, requests) == (True, 1, 1)
    assert " not sent again: the next slot is in " in str(error)


async def test_a_deadline_on_the_wire_leaves_changes_in_doubt() -> None:
    """Each kind that changes something may have been carried out; a read has nothing to be in doubt about."""
    outcomes = await asyncio.gather(*(outcome_of(kind.request, hang, deadline=0.5) for kind in KINDS))
    for kind, (error, requests) in zip(KINDS, outcomes, strict=True):
        assert isinstance(error, DeadlineExceededError)
        assert (kind.changes, 1) == (error.outcome_unknown, requests)


def test_the_attempts_of_these_tests_are_not_aiohttps() -> None:
    """aiohttp's own resend would make two of one: three are the policy's."""
    assert ATTEMPTS == 3
