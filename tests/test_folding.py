"""Folding: who shares a turn, who goes alone, and that everybody is answered, whatever happens."""

import asyncio
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, ParamSpec

import pytest
from virtually import in_virtual_time

from helpcrunch_async.errors import ClientClosedError
from helpcrunch_async.folding import Batch, Folder, Wanted
from helpcrunch_async.rate_limit import TurnRefusedError

P = ParamSpec("P")
WIRES: list["Wire"] = []


def folding(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Make a test of a coroutine function, after which every folder that is still at work is closed."""

    @in_virtual_time
    @wraps(test)
    async def run(*arguments: P.args, **options: P.kwargs) -> None:
        try:
            await test(*arguments, **options)
        finally:
            while WIRES:
                await WIRES.pop().folder.close()

    return run


class Wire:
    """Requests that wait in line until they are let through, and on the wire until they are answered."""

    def __init__(self, *, width: int = 3, most: int = 2) -> None:
        self.width = width
        self.in_line = 0
        self.came = 0  # requests that ever stood in line
        self.asked: list[list[int]] = []
        self.batches: list[Batch[str]] = []
        self.answer: Callable[[Batch[str]], None] = self.answer_all
        self.folder: Folder[str] = Folder(self.ask, lambda: self.width, most)
        self._turns = asyncio.Semaphore(0)
        self._answers = asyncio.Semaphore(0)
        self._refused: Exception | None = None
        WIRES.append(self)

    async def ask(self, batch: Batch[str], take: Callable[[], None]) -> None:
        self.in_line += 1
        self.came += 1
        try:
            await self._turns.acquire()
        finally:
            self.in_line -= 1
        if self._refused is not None:
            raise self._refused
        take()
        self.asked.append([wanted.id for wanted in batch.wanted])
        self.batches.append(batch)
        await self._answers.acquire()
        self.answer(batch)

    @staticmethod
    def answer_all(batch: Batch[str]) -> None:
        for wanted in batch.wanted:
            wanted.answer(f"customer {wanted.id}")

    async def let_through(self, requests: int = 1) -> None:
        """Give turns."""
        for _ in range(requests):
            self._turns.release()
        await settle()

    async def deliver(self, answers: int = 1) -> None:
        """Answer requests, first come first served."""
        for _ in range(answers):
            self._answers.release()
        await settle()

    async def refuse(self, error: Exception) -> None:
        """Give the next turn to nobody: the request that stands in line fails."""
        self._refused = error
        await self.let_through()
        self._refused = None

    async def want(self, *ids: int) -> list["asyncio.Future[str]"]:
        """Want ids, and let the requests for them come into line."""
        callers = [self.folder.want(each) for each in ids]
        await settle()
        return callers


async def settle() -> None:
    """Let everything happen that can happen."""
    for _ in range(10):
        await asyncio.sleep(0)


@folding
async def test_ids_that_come_together_share_a_turn_up_to_the_width() -> None:
    """Five ids, three to a request, are two requests; each caller gets what is its own."""
    wire = Wire()
    callers = await wire.want(1, 2, 3, 4, 5)
    assert (wire.in_line, wire.asked) == (2, [])
    await wire.let_through(2)
    assert wire.asked == [[1, 2, 3], [4, 5]]
    await wire.deliver(2)
    assert [caller.result() for caller in callers] == [f"customer {each}" for each in range(1, 6)]


@folding
async def test_a_request_is_filled_when_its_turn_comes() -> None:
    """Who comes while it stands in line goes along, and it keeps its place there."""
    wire = Wire()
    for each in range(1, 6):
        await wire.want(each)
    assert (wire.in_line, wire.came) == (2, 2)
    await wire.let_through(2)
    assert wire.asked == [[1, 2, 3], [4, 5]]
    assert wire.came == 2


@pytest.mark.parametrize("most", [1, 2, 4])
@folding
async def test_no_more_requests_stand_in_line_than_may(most: int) -> None:
    """When one is through, the next takes its place, for as long as ids wait."""
    wire = Wire(width=1, most=most)
    await wire.want(*range(6))
    in_line = [wire.in_line]
    for _ in range(6):
        await wire.let_through()
        in_line.append(wire.in_line)
    assert in_line == [min(most, left) for left in (6, 5, 4, 3, 2, 1, 0)]
    assert wire.asked == [[each] for each in range(6)]


@folding
async def test_those_who_want_the_same_share_the_answer() -> None:
    """While it waits; once it is on the wire it is asked for anew, as it may have changed."""
    wire = Wire()
    early = await wire.want(1, 1)
    await wire.let_through()
    late = await wire.want(1)
    await wire.let_through()
    assert wire.asked == [[1], [1]]
    await wire.deliver()
    assert [caller.done() for caller in early + late] == [True, True, False]
    await wire.deliver()
    assert late[0].result() == "customer 1"


@folding
async def test_is_idle_while_nothing_is_wanted() -> None:
    """Neither in line, nor alone, nor on the wire."""
    wire = Wire()
    assert wire.folder.is_idle()
    caller = asyncio.ensure_future(wire.folder.get(1))
    await asyncio.sleep(0)
    assert not wire.folder.is_idle(), "wanted, and nobody in line yet"
    await settle()
    assert not wire.folder.is_idle()
    await wire.let_through()
    assert not wire.folder.is_idle()
    await wire.deliver()
    assert await caller == "customer 1"
    assert wire.folder.is_idle()


@folding
async def test_an_id_that_goes_alone_is_not_idle() -> None:
    """From the moment in which it is handed back."""
    wire = Wire()
    idle = []

    def hand_back(batch: Batch[str]) -> None:
        wire.folder.ask_alone(batch.wanted[0], batch)
        asyncio.get_running_loop().call_soon(lambda: idle.append(wire.folder.is_idle()))

    wire.answer = hand_back
    await wire.want(1)
    await wire.let_through()
    await wire.deliver()
    assert idle == [False]


@folding
async def test_an_error_reaches_each_caller_as_its_own() -> None:
    """With its notes, which each may add to."""
    error = ValueError("what")
    error.add_note("why")

    def fail(batch: Batch[str]) -> None:
        for wanted in batch.wanted:
            wanted.fail(error)

    wire = Wire()
    wire.answer = fail
    callers = await wire.want(1, 1, 2)
    await wire.let_through()
    await wire.deliver()
    errors = [caller.exception() for caller in callers]
    assert [(type(each), str(each)) for each in errors] == [(ValueError, "what")] * 3
    assert len({id(each) for each in (*errors, error)}) == 4
    assert len({id(each.__notes__) for each in errors if each is not None}) == 3
    assert [each.__notes__ for each in errors if each is not None] == [["why"]] * 3


@folding
async def test_an_error_that_cannot_be_copied_is_shared() -> None:
    """Better that than nobody hearing of it."""

    class OddError(Exception):
        def __init__(self, one: int, two: int) -> None:
            super().__init__("odd")

    error = OddError(1, 2)
    wire = Wire()
    callers = await wire.want(1, 2)
    await wire.refuse(error)
    assert [caller.exception() for caller in callers] == [error, error]


@folding
async def test_callers_that_have_gone_are_not_answered() -> None:
    """Neither an answer nor an error finds them, nor does it stop short of the others."""
    for answer in (Wire.answer_all, lambda batch: batch.wanted[0].fail(ValueError("what"))):
        wire = Wire()
        wire.answer = answer
        gone, there = await wire.want(1, 1)
        await wire.let_through()
        gone.cancel()
        await wire.deliver()
        assert gone.cancelled()
        assert there.done()
        assert not there.cancelled()
        there.exception()


@folding
async def test_nothing_is_asked_for_nobody() -> None:
    """A turn that nobody needs any more is not used, and those who left take no room from the others."""
    wire = Wire(width=2)
    for caller in await wire.want(1, 2):
        caller.cancel()
    await wire.let_through()
    assert wire.asked == []
    callers = await wire.want(1, 2, 3, 4)
    callers[0].cancel()
    await wire.let_through(2)
    assert wire.asked == [[2, 3], [4]]


@folding
async def test_who_is_cancelled_in_line_leaves_it() -> None:
    """And so does the request that nobody needs then."""
    wire = Wire(width=1)
    one, two = (asyncio.ensure_future(wire.folder.get(each)) for each in (1, 2))
    await settle()
    assert wire.in_line == 2
    one.cancel()
    await settle()
    assert wire.in_line == 1
    await wire.let_through()
    await wire.deliver()
    assert wire.asked == [[2]]
    assert await two == "customer 2"
    assert one.cancelled()
    assert wire.folder.is_idle()


@folding
async def test_a_request_goes_on_while_anybody_needs_it() -> None:
    """Others who want the same or another of its ids; when the last has gone, it is cancelled."""
    wire = Wire()
    callers = [asyncio.ensure_future(wire.folder.get(each)) for each in (1, 1, 2)]
    await settle()
    await wire.let_through()
    for left, caller in zip((2, 1, 0), callers, strict=True):
        task = wire.batches[0].task
        assert task is not None
        assert not task.done()
        caller.cancel()
        await settle()
        assert task.done() == (left == 0)
    assert wire.folder.is_idle()


@folding
async def test_who_has_waited_long_enough_is_told() -> None:
    """In line, that is: once its request is sent, its patience is not asked for any more."""
    wire = Wire()
    impatient, patient = wire.folder.get(1, max_wait=0.01), wire.folder.get(1, max_wait=60.0)
    callers = [asyncio.ensure_future(impatient), asyncio.ensure_future(patient)]
    await asyncio.sleep(0.02)
    with pytest.raises(TurnRefusedError):
        callers[0].result()
    await wire.let_through()
    await wire.deliver()
    assert callers[1].result() == "customer 1"

    sent = asyncio.ensure_future(wire.folder.get(2, max_wait=0.01))
    await settle()
    await wire.let_through()
    await asyncio.sleep(0.02)
    assert not sent.done()
    await wire.deliver()
    assert sent.result() == "customer 2"


@folding
async def test_an_id_that_an_answer_lacked_goes_alone_and_first() -> None:
    """Those who are still in line wait for it; who wants it meanwhile joins the others."""
    wire = Wire(most=1)

    def lack_two(batch: Batch[str]) -> None:
        for wanted in batch.wanted:
            if wanted.id == 2:
                wire.folder.ask_alone(wanted, batch)
            else:
                wanted.answer(f"customer {wanted.id}")

    wire.answer = lack_two
    callers = await wire.want(1, 2, 3, 4, 5)
    await wire.let_through()
    await wire.deliver()
    wire.answer = wire.answer_all
    late = await wire.want(2)
    await wire.let_through(2)
    assert wire.asked == [[1, 2, 3], [2], [4, 5, 2]]
    assert wire.batches[1].wanted[0].missed_by is wire.batches[0]
    await wire.deliver(2)
    assert [caller.result() for caller in callers + late] == [
        f"customer {each}" for each in (1, 2, 3, 4, 5, 2)
    ]


@folding
async def test_ids_alone_need_a_request_each() -> None:
    """However many would fit into one."""
    wire = Wire(most=9)

    def lack_all(batch: Batch[str]) -> None:
        for wanted in batch.wanted:
            wire.folder.ask_alone(wanted, batch)

    wire.answer = lack_all
    await wire.want(1, 2, 3)
    await wire.let_through()
    await wire.deliver()
    await wire.want(4, 5)
    assert wire.in_line == 4
    await wire.let_through(4)
    assert wire.asked[1:] == [[1], [2], [3], [4, 5]]


@folding
async def test_a_batch_that_is_handed_back_is_asked_again_before_the_others() -> None:
    """In its old order, and in smaller requests where the width has shrunk."""
    wire = Wire(width=3, most=1)
    callers = await wire.want(1, 2, 3, 4)
    await wire.let_through()

    def narrow(batch: Batch[str]) -> None:
        wire.width = 2
        for wanted in reversed(batch.wanted):
            wire.folder.ask_again(wanted)

    wire.answer = narrow
    await wire.deliver()
    wire.answer = wire.answer_all
    await wire.let_through(2)
    assert wire.asked == [[1, 2, 3], [1, 2], [3, 4]]
    await wire.deliver(2)
    assert [caller.result() for caller in callers] == [f"customer {each}" for each in (1, 2, 3, 4)]


@folding
async def test_an_id_that_comes_back_meets_those_who_wanted_it_meanwhile() -> None:
    """One answer is for all of them."""
    wire = Wire(width=1, most=1)
    early = await wire.want(1)
    await wire.let_through()
    late = await wire.want(2, 1)
    wire.answer = lambda batch: wire.folder.ask_again(batch.wanted[0])
    await wire.deliver()
    wire.answer = wire.answer_all
    await wire.let_through(2)
    assert wire.asked == [[1], [1], [2]]
    await wire.deliver(2)
    assert [caller.result() for caller in early + late] == ["customer 1", "customer 2", "customer 1"]


@folding
async def test_what_nobody_wants_any_more_is_not_taken_back() -> None:
    """No request is sent for it."""
    wire = Wire()
    callers = await wire.want(1, 2)
    await wire.let_through()

    def answer_and_hand_back(batch: Batch[str]) -> None:
        for wanted in batch.wanted:
            wanted.answer("here")
            wire.folder.ask_again(wanted)

    wire.answer = answer_and_hand_back
    await wire.deliver()
    assert [caller.result() for caller in callers] == ["here", "here"]
    assert wire.in_line == 0
    assert wire.folder.is_idle()


@folding
async def test_who_leaves_after_its_id_was_handed_back_is_not_asked_for() -> None:
    """Neither alone nor with the others."""
    for again in (True, False):
        wire = Wire()
        caller = asyncio.ensure_future(wire.folder.get(1))
        await settle()
        await wire.let_through()

        def hand_back(batch: Batch[str], wire: Wire = wire, again: bool = again) -> None:  # noqa: FBT001 - bound here
            if again:
                wire.folder.ask_again(batch.wanted[0])
            else:
                wire.folder.ask_alone(batch.wanted[0], batch)

        wire.answer = hand_back
        await wire.deliver()
        assert wire.in_line == 1
        caller.cancel()
        await settle()
        assert wire.in_line == 0
        assert wire.folder.is_idle()


@folding
async def test_requests_that_are_not_needed_any_more_leave_the_line() -> None:
    """As when the width grows, or others have left; those that stay are the first that came."""
    wire = Wire(width=1, most=9)
    await wire.want(1, 2, 3, 4)
    assert wire.in_line == 4
    wire.width = 2
    await wire.want(5)
    assert wire.in_line == 3
    await wire.let_through(3)
    assert wire.asked == [[1, 2], [3, 4], [5]]


@folding
async def test_a_request_that_is_refused_in_line_takes_its_share_along() -> None:
    """As many ids as it would have asked for hear of it; the others wait for the next one."""
    wire = Wire(most=1)
    callers = await wire.want(1, 2, 3, 4)
    await wire.refuse(TurnRefusedError(7.0))
    assert [caller.done() for caller in callers] == [True, True, True, False]
    error = callers[0].exception()
    assert isinstance(error, TurnRefusedError)
    assert error.retry_after == 7.0
    await wire.let_through()
    await wire.deliver()
    assert callers[3].result() == "customer 4"
    assert wire.asked == [[4]]


@folding
async def test_a_request_that_fails_fails_its_own_ids_only() -> None:
    """Those that wait are not drawn in."""
    wire = Wire(most=1)
    callers = await wire.want(1, 2)
    await wire.let_through()
    callers += await wire.want(3, 4)

    def break_off(_: Batch[str]) -> None:
        raise OSError("broken")

    wire.answer = break_off
    await wire.deliver()
    assert [caller.done() for caller in callers] == [True, True, False, False]
    assert isinstance(callers[1].exception(), OSError)


@folding
async def test_an_id_that_is_forgotten_is_an_error_and_no_endless_wait() -> None:
    """Whoever asks must answer each, or hand it back."""
    wire = Wire()
    wire.answer = lambda batch: batch.wanted[0].answer("here")
    one, two = await wire.want(1, 2)
    await wire.let_through()
    await wire.deliver()
    assert one.result() == "here"
    with pytest.raises(RuntimeError, match="neither answered nor handed back"):
        two.result()


@folding
async def test_a_request_that_never_takes_its_turn_holds_nobody_up() -> None:
    """It leaves the line all the same."""
    asked: list[int] = []

    async def ask(batch: Batch[str], take: Callable[[], None]) -> None:
        await asyncio.sleep(1)
        if asked:
            take()
            Wire.answer_all(batch)
        asked.append(len(batch.wanted))

    folder: Folder[str] = Folder(ask, lambda: 3, most=1)
    assert await folder.get(1) == "customer 1"
    assert asked == [0, 1]
    await folder.close()


@folding
async def test_closing_tells_whoever_waits() -> None:
    """In line, on the wire, alone or handed back at that moment; and whoever comes later."""
    wire = Wire(width=1, most=1)
    wire.answer = lambda batch: wire.folder.ask_alone(batch.wanted[0], batch)
    callers = await wire.want(1)
    await wire.let_through()
    await wire.deliver()
    callers += await wire.want(2)
    await wire.let_through()
    callers += await wire.want(3, 4)
    await wire.folder.close()
    assert len(asyncio.all_tasks()) == 1
    for caller in callers:
        with pytest.raises(ClientClosedError, match="the client was closed"):
            caller.result()
    assert (wire.in_line, wire.folder.is_idle()) == (0, True)
    with pytest.raises(ClientClosedError, match="the client is closed"):
        await wire.folder.get(5)
    assert wire.in_line == 0


@folding
async def test_what_is_handed_back_after_closing_is_told() -> None:
    """Nothing goes into line again."""
    wire = Wire()
    await wire.folder.close()
    for hand_back in (wire.folder.ask_again, lambda wanted: wire.folder.ask_alone(wanted, Batch())):
        caller = asyncio.get_running_loop().create_future()
        wanted: Wanted[str] = Wanted(1, callers=[caller])
        hand_back(wanted)
        with pytest.raises(ClientClosedError, match="the client was closed"):
            caller.result()
    await settle()
    assert (wire.in_line, wire.folder.is_idle()) == (0, True)
