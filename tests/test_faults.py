"""Every fault of the specification, met for real: what the caller gets, and what was on the wire."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from faults.case import Case, Special, limiter_for
from faults.cases import EACH_CASE, EACH_SPECIAL
from faults.clients import CREATION, client_on, held_by, send
from faults.stages import CountingFactory, Stage

from helpcrunch_async import APIError, DeadlineExceededError, DecodeError, HelpCrunchError, TransportError

HANG = 20.0  # seconds after which a test says that a call hangs


@asynccontextmanager
async def no_task_left(stage: Stage) -> AsyncIterator[None]:
    """Nobody but the server may leave a task behind."""
    before = asyncio.all_tasks()
    yield
    assert [task for task in asyncio.all_tasks() - before if not stage.server.runs(task)] == []


@pytest.mark.parametrize("case", EACH_CASE)
async def test_what_the_caller_gets(case: Case) -> None:
    """One clear error after as many attempts as the retry table has, nothing in doubt, nothing kept."""
    attempts = case.line.attempts(repeatable=True)
    async with case.stage() as stage, asyncio.timeout(HANG), no_task_left(stage):
        async with client_on(stage, timeout=case.timeout, rate_limiter=limiter_for(case)) as client:
            with pytest.raises(HelpCrunchError, match=case.words) as caught:
                await client.get_customer(7)
            assert held_by(client) == {}
        assert case.error is type(caught.value)
        assert not caught.value.outcome_unknown
        assert attempts == (len(stage.server.requests) or stage.session.dialled)
        assert stage.server.open_connections == 0
        if attempts > 1:
            assert caught.value.__notes__[0].startswith(f"given up after {attempts} attempts in ")
        if isinstance(caught.value, TransportError):
            assert bool(stage.server.requests) == caught.value.sent
        if isinstance(caught.value, DecodeError):
            assert caught.value.status in {200, 204}
            assert caught.value.snippet is not None
        if isinstance(caught.value, APIError):
            assert attempts == caught.value.attempts


LASTING = [param for param in EACH_CASE if isinstance(case := param.values[0], Case) and case.lasts]


@pytest.mark.parametrize("case", LASTING)
async def test_a_fault_that_lasts_does_not_outlast_the_deadline(case: Case) -> None:
    """However long an attempt may take, the caller's deadline ends it, and gives everything back."""
    async with case.stage() as stage, asyncio.timeout(HANG), no_task_left(stage):
        stage.session = CountingFactory()  # which waits for a connection for as long as ours does
        async with client_on(stage, timeout=100.0, deadline=0.1) as client:
            with pytest.raises(DeadlineExceededError) as caught:
                await client.get_customer(7)
            assert not caught.value.outcome_unknown
            assert held_by(client) == {}
            with pytest.raises(DeadlineExceededError) as caught:
                await send(client, CREATION)
            assert caught.value.outcome_unknown  # it is not known whether the connection was made
            assert held_by(client) == {}
        assert len(stage.server.requests) <= 2
        assert stage.server.open_connections == 0


@pytest.mark.parametrize("case", EACH_SPECIAL)
async def test_what_a_particular_call_gets(case: Special) -> None:
    """What the specification says of it, after as many requests, with nothing kept."""
    async with case.stage() as stage, asyncio.timeout(HANG), no_task_left(stage), client_on(stage) as client:
        if case.error is None:
            await case.act(client, stage)
        else:
            with pytest.raises(case.error, match=case.words) as caught:
                await case.act(client, stage)
            assert case.error is type(caught.value)
            assert case.in_doubt == getattr(caught.value, "outcome_unknown", False)
        assert case.requests == len(stage.server.requests)
        if client._shared.open is not None:
            assert held_by(client) == {}
