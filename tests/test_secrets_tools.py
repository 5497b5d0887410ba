"""Whatever ends a call, and whatever then shows the frames it passed: the key is in none of them."""

import asyncio
import traceback
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from faults.behaviours import hang
from faults.server import FaultServer
from leaks.by_caller import BY_HOOKS, ON_THE_WAY, REFUSED, TeamError
from leaks.planted import KEY, SECRETS, Failing, client_at
from leaks.tools import TOOLS, shown_by
from leaks.watch import chain_of, packages_of, places, texts_of

from helpcrunch_async import ConnectionFailedError, Customer, HelpCrunchClient

WAYS = {**ON_THE_WAY, **BY_HOOKS, **REFUSED}


@pytest.mark.parametrize("fail", WAYS.values(), ids=WAYS)
async def test_no_tool_shows_a_secret(fail: Failing) -> None:
    """What reaches the caller has no frame of aiohttp, nor has anything that hangs on to it; and in those
    that it has no tool finds a piece of the key or of a password.
    """
    errors = await fail()
    assert errors
    for error in errors:
        assert "aiohttp" not in packages_of(error)
        assert places(SECRETS, texts_of(error)) == []
        for tool in TOOLS:
            assert places(SECRETS, [(tool, shown_by(tool, error))]) == []


@pytest.mark.parametrize("tool", TOOLS)
def test_a_careless_frame_would_be_seen(tool: str, tmp_path: Path) -> None:
    """So that the test above is known to look in the right places."""
    module = tmp_path / "careless.py"
    module.write_text("def send(key):\n    raise ValueError(len(key))\n")
    made: dict[str, Any] = {"__name__": "careless"}
    exec(compile(module.read_text(), str(module), "exec"), made)
    with pytest.raises(ValueError, match="328") as caught:
        made["send"](KEY)
    assert places(SECRETS, [(tool, shown_by(tool, caught.value))]) != []


@pytest.mark.parametrize("way", [way for way in BY_HOOKS if "ends the program" not in way])
async def test_a_users_own_error_and_frames_stay(way: str) -> None:
    """What a hook or a middleware raises arrives as it is, with the frame that raised it and its locals."""
    [error] = await WAYS[way]()
    if "chunk_sent" in way:  # aiohttp raises it where the body is written, as an error of the connection
        assert isinstance(error, ConnectionFailedError)
        return
    assert type(error) is TeamError
    frame = [frame for frame, _ in traceback.walk_tb(error.__traceback__)][-1]
    assert frame.f_code.co_filename.endswith("by_caller.py")
    if "after the reply" not in way:
        assert frame.f_locals["team"] == "billing"


async def test_the_middlewares_cause_stays() -> None:
    """Without its frames: it is aiohttp's error, which a middleware may raise another one from."""
    [error] = await WAYS["a middleware raises from aiohttp's error"]()
    assert isinstance(error.__cause__, aiohttp.ServerDisconnectedError)
    assert {"leaks"} == packages_of(error.__cause__)


async def test_the_callers_own_context_stays() -> None:
    """Whatever was being handled when the call was made still hangs on to its error, frames and all."""
    [error, *_] = await WAYS["asyncio.timeout in an except, waiting for a reply"]()
    assert isinstance(error, TimeoutError)
    assert isinstance(error.__cause__, asyncio.CancelledError)
    [own] = [each for each in chain_of(error) if isinstance(each, KeyError)]
    names = [frame.f_code.co_name for frame, _ in traceback.walk_tb(own.__traceback__)]
    assert names == ["_while_handling"]


# A cancellation means what it meant


@pytest.fixture
async def hanging() -> AsyncIterator[HelpCrunchClient]:
    """A client of a server that never answers."""
    async with FaultServer(hang) as server, client_at(server.url) as client:
        yield client


async def test_a_cancellation_passes_as_it_is(hanging: HelpCrunchClient) -> None:
    """The very exception, with its message, once; and the task has ended cancelled."""
    task = asyncio.ensure_future(hanging.get_customer(7))
    await asyncio.sleep(0.05)
    task.cancel("enough")
    with pytest.raises(asyncio.CancelledError) as caught:
        await task
    assert caught.value.args == ("enough",)
    assert task.cancelled()


async def test_a_time_out_of_the_callers_takes_its_cancellation_back(hanging: HelpCrunchClient) -> None:
    """Within other scopes, too: the innermost that has expired raises, and nothing is left requested."""
    task = asyncio.current_task()
    assert task is not None
    async with asyncio.timeout(20):
        for _ in range(3):
            scope = asyncio.timeout(0.05)
            with pytest.raises(TimeoutError) as caught:
                async with scope:
                    await hanging.get_customer(7)
            assert type(caught.value) is TimeoutError
            assert isinstance(caught.value.__cause__, asyncio.CancelledError)
            assert scope.expired()
            assert task.cancelling() == 0


async def test_an_outer_time_out_is_not_taken_for_an_inner_one(hanging: HelpCrunchClient) -> None:
    """The inner scope lets the cancellation pass."""
    outer, inner = asyncio.timeout(0.05), asyncio.timeout(20)
    with pytest.raises(TimeoutError):
        async with outer, inner:
            await hanging.get_customer(7)
    assert (outer.expired(), inner.expired()) == (True, False)


async def test_a_failing_group_ends_calls_and_says_why(hanging: HelpCrunchClient) -> None:
    """The sibling's error is all there is in the group."""

    async def fail() -> None:
        await asyncio.sleep(0.05)
        raise LookupError("no such team")

    async def call_both() -> None:
        async with asyncio.TaskGroup() as group:
            calls.extend(group.create_task(hanging.get_customer(each)) for each in (7, 8))
            group.create_task(fail())

    calls: list[asyncio.Task[Customer]] = []
    with pytest.raises(ExceptionGroup) as caught:
        await call_both()
    assert [str(each) for each in caught.value.exceptions] == ["no such team"]
    assert [call.cancelled() for call in calls] == [True, True]
