"""What the process remembers of accounts: one budget for each, from loop to loop."""

import asyncio
import gc
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import pytest
from attrs import define
from forks import run_forking

from helpcrunch_async import NO_RETRY, HelpCrunchClient, RateLimiter, RateLimitError
from helpcrunch_async.accounts import PerAccount
from helpcrunch_async.rate_limit import TurnRefusedError, limiter_of_account
from helpcrunch_async.testing import (
    FakeHelpCrunch,
    FixedWindow,
    VirtualTimeLoop,
    forget_accounts,
    run_in_virtual_time,
    serve_in_thread,
)

T = TypeVar("T")
URL = "https://a.example"
HOUR = 3600.0


async def account_limiter(url: str = URL, key: str = "key") -> RateLimiter:
    return limiter_of_account(url, key)


async def spend(turns: int) -> RateLimiter:
    """Take turns of the account, and have them accepted."""
    limiter = limiter_of_account(URL, "key")
    for _ in range(turns):
        (await limiter.turn()).accepted()
    return limiter


class LateLoop(asyncio.SelectorEventLoop):
    """A loop with a real clock that is an hour ahead of everybody else's."""

    def time(self) -> float:
        return super().time() + 3600


LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "virtual": VirtualTimeLoop,
    "an hour ahead": LateLoop,
}
try:
    import uvloop
except ImportError:
    pass
else:
    LOOPS["uvloop"] = uvloop.new_event_loop


def run_on(kind: str, work: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=LOOPS[kind]) as runner:
        return runner.run(work)


async def test_clients_of_an_account_share_a_limiter() -> None:
    """Same loop, base_url and key: one budget; anything else: another."""
    limiter = limiter_of_account(URL, "key")
    assert limiter_of_account(URL, "key") is limiter
    assert limiter_of_account("https://b.example", "key") is not limiter
    assert limiter_of_account(URL, "other") is not limiter


@pytest.mark.parametrize("first", LOOPS)
@pytest.mark.parametrize("second", LOOPS)
def test_a_closed_loop_leaves_its_limiter_to_the_next(first: str, second: str) -> None:
    """What was sent in one still counts in the other, for as long as it did, whatever their clocks show."""
    limiter = run_on(first, spend(120))
    with pytest.raises(TurnRefusedError) as refused:
        run_on(second, limiter.turn(max_wait=30.0))
    assert refused.value.retry_after is not None
    assert 30.0 < refused.value.retry_after < 61.0
    assert run_on(second, account_limiter()) is limiter
    assert limiter.statistics.granted == 120


def test_time_that_passed_in_a_closed_loop_has_passed() -> None:
    """Also after the last call: a whole budget is there again."""

    async def spend_and_sleep() -> None:
        await spend(120)
        await asyncio.sleep(60.0)

    async def spend_at_once() -> float:
        began = asyncio.get_running_loop().time()
        await spend(60)
        return asyncio.get_running_loop().time() - began

    run_in_virtual_time(spend_and_sleep())
    assert run_in_virtual_time(spend_at_once()) < 1.0


def test_times_go_on_over_several_loops() -> None:
    """The third job of a minute waits for what the first two have used."""

    async def job() -> float:
        began = asyncio.get_running_loop().time()
        await spend(60)
        await asyncio.sleep(1.0)
        return asyncio.get_running_loop().time() - began

    assert run_in_virtual_time(job()) == 1.0
    assert run_in_virtual_time(job()) == 1.0
    assert 58.0 <= run_in_virtual_time(job()) <= 91.0


def test_a_pause_goes_on_in_the_next_loop() -> None:
    """A Retry-After outlives the loop that heard of it."""

    async def reject() -> None:
        (await limiter_of_account(URL, "key").turn()).rejected(100.0)
        await asyncio.sleep(40.0)

    async def wait() -> float:
        (await limiter_of_account(URL, "key").turn()).accepted()
        return asyncio.get_running_loop().time()

    run_in_virtual_time(reject())
    assert 60.0 <= run_in_virtual_time(wait()) <= 61.0


def test_who_waited_in_a_closed_loop_is_forgotten() -> None:
    """What was on the wire counts as sent; who stood in line does not stand before the next job."""

    async def leave_in_the_middle() -> RateLimiter:
        limiter = limiter_of_account(URL, "key")
        tasks = [asyncio.create_task(limiter.turn()) for _ in range(200)]
        await asyncio.sleep(1.0)
        assert limiter.statistics.in_flight > 0
        assert limiter.statistics.waiting > 0
        assert len(tasks) == 200
        return limiter

    async def go_on() -> float:
        began = asyncio.get_running_loop().time()
        await spend(1)
        return asyncio.get_running_loop().time() - began

    limiter = run_in_virtual_time(leave_in_the_middle())
    granted = limiter.statistics.granted
    assert run_in_virtual_time(go_on()) <= 1.0
    assert limiter.statistics.granted == granted + 1
    assert (limiter.statistics.waiting, limiter.statistics.in_flight) == (0, 0)


def test_loops_that_are_open_have_one_each() -> None:
    """A limiter belongs to one loop at a time: only a closed one leaves it."""
    first, second = asyncio.new_event_loop(), asyncio.new_event_loop()
    try:
        one = first.run_until_complete(account_limiter())
        other = second.run_until_complete(account_limiter())
        assert one is not other
        assert first.run_until_complete(account_limiter()) is one
        first.close()
        assert second.run_until_complete(account_limiter()) is other
        assert asyncio.run(account_limiter()) is one
    finally:
        first.close()
        second.close()


def test_threads_have_one_each() -> None:
    """A limiter is not thread-safe: another thread's is taken only when that thread has ended."""
    seen: list[RateLimiter] = []
    may_end = threading.Event()
    has_looked = threading.Event()

    def work() -> None:
        seen.append(asyncio.run(account_limiter()))
        has_looked.set()
        may_end.wait()

    thread = threading.Thread(target=work)
    thread.start()
    has_looked.wait()
    mine = asyncio.run(account_limiter())
    may_end.set()
    thread.join()
    assert mine is not seen[0]
    forget_accounts()
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert asyncio.run(account_limiter()) is seen[1]


def test_a_limiter_is_kept_for_an_hour() -> None:
    """A client per request does not multiply the budget; whoever holds it longer still shares it."""

    async def main() -> None:
        assert (await spend(1)).statistics.granted == 1
        gc.collect()
        await asyncio.sleep(HOUR - 1)
        held = await spend(1)
        assert held.statistics.granted == 2
        await asyncio.sleep(HOUR + 1)
        assert limiter_of_account(URL, "key") is held
        assert (await spend(1)).statistics.granted == 3
        del held
        await asyncio.sleep(HOUR + 1)
        gc.collect()
        assert limiter_of_account(URL, "key").statistics.granted == 0

    run_in_virtual_time(main())


def test_many_accounts_are_not_kept_for_ever() -> None:
    """A service for thousands of accounts holds those of the last hour or two."""

    async def main() -> int:
        for each in range(2_000):
            (await limiter_of_account(URL, str(each)).turn()).accepted()
            await asyncio.sleep(60.0)
        gc.collect()
        return sum(isinstance(each, RateLimiter) for each in gc.get_objects())

    assert run_in_virtual_time(main()) < 200


def test_a_forked_process_remembers_nothing() -> None:
    """Its account's limiter is a new one, also where the fork came in the middle of a loop."""
    assert run_forking(
        """
        from helpcrunch_async.rate_limit import limiter_of_account

        async def spend(turns):
            limiter = limiter_of_account("https://a.example", "key")
            for _ in range(turns):
                (await limiter.turn()).accepted()
            return limiter.statistics.granted

        def work():
            return asyncio.run(spend(2))

        async def fork():
            return in_child(work)

        print(asyncio.run(spend(3)), in_child(work), asyncio.run(fork()), asyncio.run(spend(1)))
        """
    ) == ["3 2 2 4"]


def test_a_limiter_that_is_forked_in_use_goes_on() -> None:
    """The parent's loop is not the child's: who waits there is forgotten, what was sent counts."""
    assert run_forking(
        """
        from helpcrunch_async import RateLimiter

        limiter = RateLimiter(3, 60.0)

        async def use():
            await limiter.turn()
            (await limiter.turn()).accepted()
            return limiter.statistics.granted, limiter.statistics.in_flight

        async def refuse():
            (await limiter.turn()).accepted()
            try:
                await limiter.turn(max_wait=1.0)
            except Exception as error:
                return type(error).__name__, limiter.statistics.in_flight

        async def fork():
            return await use(), in_child(lambda: asyncio.run(refuse()))

        print(asyncio.run(fork()))
        """
    ) == ["""((2, 1), "('TurnRefusedError', 0)")"""]


def test_jitter_differs_in_forked_processes() -> None:
    """Python itself seeds the module random anew in a child; our pauses and back-offs rest on that."""
    assert run_forking(
        """
        from helpcrunch_async.rate_limit.limiter import RateLimiter
        from inspect import signature

        random = signature(RateLimiter).parameters["random"].default
        print(len({random(), in_child(random), in_child(random)}))
        """
    ) == ["3"]


@define
class Kept:
    over: bool = False

    def is_over(self) -> bool:
        return self.over


def test_any_kind_of_memory_is_kept_by_account() -> None:
    """The same for the same base_url and key, until it is over or forgotten; the key itself is nowhere."""
    memory = PerAccount(Kept)
    kept = memory.of(URL, "secret key")
    assert memory.of(URL, "secret key") is kept
    assert memory.of(URL, "another key") is not kept
    assert "secret key" not in repr(vars(memory))
    kept.over = True
    other = memory.of(URL, "secret key")
    assert other is not kept
    forget_accounts()
    assert memory.of(URL, "secret key") is not other


def test_what_is_over_is_dropped_now_and_then() -> None:
    """Not at each look-up, which stays cheap, but before twice as many are held as are in use."""
    memory = PerAccount(Kept)
    held: list[Kept] = []
    most = 0
    for each in range(10_000):
        held.append(memory.of(URL, str(each)))
        most = max(most, len(memory._memories))
        if each >= 100:
            held[each - 100].over = True
    assert most <= 210


def test_a_server_refuses_nothing_of_job_after_job() -> None:
    """An `asyncio.run` for each job: what exceeds the budget is refused here, and never sent."""

    async def job(url: str) -> list[Any]:
        async with HelpCrunchClient(
            "key", base_url=url, max_wait=1.0, retry=NO_RETRY, coalesce=False
        ) as client:
            calls = (client.get_customer(8737843) for _ in range(60))
            return await asyncio.gather(*calls, return_exceptions=True)

    with serve_in_thread(FakeHelpCrunch(rate_rule=FixedWindow(120, 60.0))) as server:
        outcomes = [outcome for _ in range(3) for outcome in asyncio.run(job(server.url))]
        refused = [each for each in outcomes if isinstance(each, RateLimitError)]
        assert server.rejected == 0
        assert (len(outcomes), len(refused)) == (180, 60)
        assert all(each.refused for each in refused)
        forget_accounts()
        assert len(asyncio.run(job(server.url))) == 60
        assert server.rejected > 0, "the server has not forgotten"
