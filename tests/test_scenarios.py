"""What the limiter promises, in virtual time, under every shell: in one process, and for many by the Lua.

Wherever a shell keeps its state, and whatever befalls it: the same calls, the same server, the same promises.
"""

import asyncio
from collections.abc import Callable
from random import Random

import pytest
from shells.account import Account, Process, Shell, cancel, play
from shells.in_process import InProcess
from shells.lua import Lua

from helpcrunch_async import TurnRefusedError
from helpcrunch_async.redis_limit import BudgetUnavailableError
from helpcrunch_async.testing import RollingLog, TokenBucket

SHELLS: dict[str, Callable[[], Shell]] = {"in process": InProcess, "Lua": Lua}
every_shell = pytest.mark.parametrize("shell", SHELLS.values(), ids=SHELLS)
every_shared_shell = pytest.mark.parametrize("shell", [Lua], ids=["Lua"])


def now() -> float:
    return asyncio.get_running_loop().time()


def start(account: Account, calls: int, *, processes: int = 1) -> list[asyncio.Task[None]]:
    """Begin calls, as many in each of some processes."""
    limiters = account.processes(processes)
    share = calls // len(limiters)
    return [asyncio.create_task(account.call(limiter)) for limiter in limiters for _ in range(share)]


# What is sent


@every_shell
def test_a_quiet_account_may_burst(shell: Callable[[], Shell]) -> None:
    """What the processes want at once goes at once, if the budget has room for all of it."""
    account = Account(shell(), 120, 60.0)

    async def main() -> None:
        await asyncio.gather(*start(account, 8, processes=2))
        assert now() < 1.5

    play(main)


@every_shell
@pytest.mark.parametrize("processes", [1, 4])
def test_the_whole_budget_and_not_more(shell: Callable[[], Shell], processes: int) -> None:
    """Processes that want more than there is spend it to the last percent, and no window holds more."""
    account = Account(shell(), 120, 60.0)
    account.rule = RollingLog(120, 60.0)

    async def main() -> None:
        tasks = start(account, 600, processes=processes)
        await asyncio.sleep(180)
        await cancel(tasks)

    play(main)
    assert account.fullest() <= 120
    assert len(account.granted) >= 0.97 * 360
    assert account.rejected == 0


@every_shell
@pytest.mark.parametrize("lost", [0.0, 0.05], ids=["", "answers lost"])
@pytest.mark.parametrize("seed", range(6))
def test_no_window_holds_more_whatever_happens(shell: Callable[[], Shell], seed: int, lost: float) -> None:
    """Callers come, leave and are rejected at random, processes come and go: never more than the limit.

    At the end nothing is left: no caller, no turn in use.
    """
    state = shell()
    account = Account(state, seed=seed)
    state.lose_answers(lost)
    dice = Random(seed)
    account.rule = RollingLog(dice.choice([20, 20, 12]), 10.0)

    async def impatient(limiter: Process) -> None:
        try:
            async with asyncio.timeout(dice.choice([0.001, 0.3, 3, 60])):
                await account.call(limiter, priority=dice.choice(["interactive", "bulk"]))
        except (TimeoutError, BudgetUnavailableError):
            pass

    async def main() -> None:
        tasks = []
        processes: list[Process] = []
        for _ in range(6):
            limiter = processes[0] if processes and not state.shared else account.process()
            processes.append(limiter)
            for _ in range(40):
                tasks.append(asyncio.ensure_future(impatient(limiter)))
                await asyncio.sleep(dice.choice([0, 0, 0, 0.2, 1]))
            await asyncio.sleep(dice.choice([0, 15]))
        await asyncio.gather(*tasks)
        await asyncio.sleep(1)
        for each in processes:
            assert each.statistics.in_flight == each.statistics.waiting == 0

    play(main)
    assert account.fullest() <= account.limit
    assert account.accepted > 40


# Who is next


@every_shell
def test_first_come_first_served(shell: Callable[[], Shell]) -> None:
    """Within a process exactly; across processes save by a turn or two."""
    state = shell()
    account = Account(state)
    order: list[int] = []

    async def one(limiter: Process, number: int) -> None:
        await account.call(limiter)
        order.append(number)

    async def main() -> None:
        processes = account.processes(4)
        await asyncio.gather(*(account.call(processes[0]) for _ in range(20)))
        tasks = []
        for number in range(100):
            limiter = processes[number * number % len(processes)]
            tasks.append(asyncio.ensure_future(one(limiter, number)))
            await asyncio.sleep(0.1)
        await asyncio.gather(*tasks)

    play(main)
    overtaken = [sum(1 for other in order[:place] if other > number) for place, number in enumerate(order)]
    assert sorted(order) == list(range(100))
    assert max(overtaken) <= (4 if state.shared else 0)


@every_shell
def test_bulk_work_gets_one_turn_in_four(shell: Callable[[], Shell]) -> None:
    """Beside the bulk work of one process, the calls of another go first."""
    account = Account(shell())

    async def main() -> None:
        processes = account.processes(2)
        bulk = [asyncio.create_task(account.call(processes[0], "bulk", "bulk")) for _ in range(200)]
        await asyncio.sleep(30)
        account.granted.clear()
        await asyncio.gather(*(account.call(processes[-1], "single") for _ in range(30)))
        await cancel(bulk)

    play(main)
    assert account.names().count("single") == 30
    assert 8 <= account.names().count("bulk") <= 12


@every_shell
def test_a_line_too_long_is_refused_at_once(shell: Callable[[], Shell]) -> None:
    """The callers of all processes count for `max_wait`."""
    account = Account(shell())

    async def main() -> None:
        processes = account.processes(2)
        tasks = [asyncio.create_task(account.call(processes[0])) for _ in range(100)]
        await asyncio.sleep(5)
        for _ in range(2):
            started = now()
            with pytest.raises(TurnRefusedError) as refused:
                await processes[-1].turn(max_wait=10)
            assert now() - started < 0.1
            assert refused.value.retry_after == pytest.approx(45, abs=10)
        await processes[-1].turn(max_wait=60)
        await cancel(tasks)

    play(main)


# After a 429


@every_shell
@pytest.mark.parametrize("retry_after", [None, 7.0], ids=["silent", "Retry-After"])
def test_a_rejection_pauses_every_process(shell: Callable[[], Shell], retry_after: float | None) -> None:
    """Then the call that was rejected probes, as it came first; the others follow when it was accepted."""
    account = Account(shell(), 120, 60.0)

    async def main() -> None:
        processes = account.processes(3)
        first = await processes[0].turn()
        first.rejected(retry_after)
        await asyncio.sleep(0.01)
        again = asyncio.ensure_future(first.again())
        others = [asyncio.ensure_future(each.turn()) for each in processes for _ in range(3)]
        await asyncio.sleep(0.1)
        assert processes[-1].statistics.paused_for > 0
        while not again.done():
            assert not any(other.done() for other in others)
            await asyncio.sleep(0.1)
        if retry_after is not None:
            assert now() >= retry_after
        await asyncio.sleep(1.0)
        assert not any(other.done() for other in others)
        first.accepted()
        await asyncio.gather(*others)

    play(main)


@every_shell
def test_a_closed_gate_lets_one_call_through_at_a_time(shell: Callable[[], Shell]) -> None:
    """However many wait, from the moment at which the pause is known everywhere until a probe is accepted."""
    account = Account(shell())

    async def main() -> None:
        processes = account.processes(3)
        first = await processes[0].turn()
        first.rejected(2.0)
        await asyncio.sleep(0.01)
        sent = 0

        async def rejected_always(limiter: Process) -> None:
            nonlocal sent
            turn = await limiter.turn()
            while True:
                sent += 1
                assert sum(each.statistics.in_flight for each in processes) == 1
                await asyncio.sleep(0.5)
                turn.rejected(2.0)
                await turn.again()

        tasks = [asyncio.create_task(rejected_always(each)) for each in processes for _ in range(5)]
        await asyncio.sleep(40)
        assert 2 <= sent <= 6, "each pause is longer than the last"
        assert not any(task.done() for task in tasks)
        await cancel(tasks)

    play(main)


@every_shell
def test_a_lost_probe_is_replaced(shell: Callable[[], Shell]) -> None:
    """At once: the next caller probes, be it of another process."""
    account = Account(shell(), 120, 60.0)

    async def main() -> None:
        processes = account.processes(2)
        probe = await processes[0].turn()
        probe.rejected(1.0)
        await probe.again()
        waiting = asyncio.ensure_future(processes[-1].turn())
        await asyncio.sleep(3)
        assert not waiting.done()
        gone_at = now()
        probe.release()
        (await waiting).accepted()
        assert now() - gone_at < 1

    play(main)


@every_shell
def test_a_slow_probe_is_waited_for(shell: Callable[[], Shell]) -> None:
    """As long as its process lives."""
    account = Account(shell(), 120, 60.0)

    async def main() -> None:
        processes = account.processes(2)
        probe = await processes[0].turn()
        probe.rejected(1.0)
        await probe.again()
        waiting = asyncio.ensure_future(processes[-1].turn())
        await asyncio.sleep(30)
        assert not waiting.done()
        probe.accepted()
        await waiting

    play(main)


@every_shell
def test_no_caller_waits_for_ever(shell: Callable[[], Shell]) -> None:
    """After five periods in which nothing got through, the callers of every process are refused."""
    account = Account(shell(), 20, 1.0)

    async def main() -> None:
        processes = account.processes(2)
        (await processes[0].turn()).rejected(1000.0)
        await asyncio.sleep(0.1)
        for limiter in processes:
            with pytest.raises(TurnRefusedError):
                await limiter.turn()
        assert now() < 12

    play(main)


@every_shell
def test_a_rejection_ends_no_call(shell: Callable[[], Shell]) -> None:
    """With half of the limit that is configured, every call is served, for a few rejections."""
    account = Account(shell(), 120, 60.0)
    account.rule = RollingLog(60, 60.0)

    async def main() -> None:
        await asyncio.gather(*start(account, 300, processes=2))

    play(main)
    assert account.accepted == 300
    assert account.rejected <= 0.05 * account.accepted


@every_shell
def test_what_is_learnt_is_learnt_by_all(shell: Callable[[], Shell]) -> None:
    """A limit that is lower in truth is found once, and climbed back from when it rises."""
    account = Account(shell(), 40, 10.0)
    account.rule = TokenBucket(13, 10.0, 2)
    rates: list[float] = []

    async def main() -> None:
        processes = account.processes(3)
        share = 1_800 // len(processes)
        tasks = [asyncio.create_task(account.call(each)) for each in processes for _ in range(share)]
        await asyncio.sleep(120)
        rates.extend(10 * each.statistics.rate for each in processes)
        account.rule = None
        await asyncio.sleep(400)
        rates.append(10 * processes[0].statistics.rate)
        await cancel(tasks)

    play(main)
    assert all(rate == pytest.approx(13, rel=0.15) for rate in rates[:-1])
    assert rates[-1] == 40


# What befalls the state


@every_shell
def test_a_clock_that_jumps_ahead_again_and_again(shell: Callable[[], Shell]) -> None:
    """Seven of ten seconds each time: what was sent before seems old, so more is sent; no call is lost.

    A jump frees the budget of the seconds that did not pass. By the clock that the state goes by no window
    holds more than the limit; by the server's at most the limit and what the jumps freed.
    """
    state = shell()
    account = Account(state)
    jumps = 0

    async def main() -> None:
        nonlocal jumps
        tasks = start(account, 240, processes=4)
        while not all(task.done() for task in tasks):
            await asyncio.sleep(5.3)
            state.jump(7.0)
            jumps += 1
        await asyncio.gather(*tasks)
        assert account.accepted == len(tasks)

    play(main)
    jumps_in_a_window = 2
    assert account.fullest() <= 20 * (1 + jumps_in_a_window * 0.7) + 1


@every_shell
def test_an_older_state_is_recovered_from(shell: Callable[[], Shell]) -> None:
    """As after a failover: every call is served.

    Each process that shares the state adds what it has sent since, when it asks next; until then one may have
    got a turn too many. In one process nobody remembers what the state has lost.
    """
    state = shell()
    account = Account(state)

    async def main() -> None:
        tasks = start(account, 240, processes=4)
        await asyncio.sleep(12)
        state.keep()
        for _ in range(3):
            await asyncio.sleep(5.3)
            state.fall_back()
        await asyncio.gather(*tasks)
        assert account.accepted == len(tasks)

    play(main)
    assert account.fullest() <= (account.limit + 3 if state.shared else 2 * account.limit)


@every_shared_shell
def test_a_lost_state_is_told_again(shell: Callable[[], Shell]) -> None:
    """Each process says what it has sent, when it asks next; until then one may have got a turn too many."""
    state = shell()
    account = Account(state)

    async def main() -> None:
        tasks = start(account, 240, processes=4)
        for _ in range(4):
            await asyncio.sleep(5.3)
            state.lose_state()
        await asyncio.gather(*tasks)

    play(main)
    assert account.fullest() <= account.limit + 3
    assert account.accepted == 240


@every_shared_shell
def test_a_state_that_is_none_of_ours_is_an_error(shell: Callable[[], Shell]) -> None:
    """Not one to wait for; callers are told."""
    state = shell()
    account = Account(state)

    async def main() -> None:
        limiter = account.process()
        await account.call(limiter)
        state.spoil_state()
        with pytest.raises(BudgetUnavailableError) as error:
            await asyncio.gather(*(account.call(limiter) for _ in range(3)))
        assert error.value.permanent

    play(main)


@every_shared_shell
def test_turns_whose_answer_was_lost_are_taken_back(shell: Callable[[], Shell]) -> None:
    """The question is put again, and counts once."""
    state = shell()
    account = Account(state, 20, 60.0)

    async def main() -> None:
        limiter = account.process()
        state.lose_answers(1.0)
        with pytest.raises(BudgetUnavailableError):
            await asyncio.gather(*(limiter.turn() for _ in range(15)))
        state.lose_answers(0.0)
        await asyncio.sleep(1)
        other = account.process()
        await limiter.turn()
        await asyncio.gather(*(other.turn() for _ in range(10)))
        assert now() < 60

    play(main)


# What dies


@every_shared_shell
def test_a_dead_process_holds_nobody_up(shell: Callable[[], Shell]) -> None:
    """Its place in line is passed over; what it takes along is bounded."""
    state = shell()
    account = Account(state)

    async def main() -> None:
        ours, theirs = account.processes(2)
        doomed = [asyncio.create_task(account.call(ours, "ours")) for _ in range(500)]
        await asyncio.sleep(20)
        tasks = [asyncio.create_task(account.call(theirs, "theirs")) for _ in range(20)]
        await asyncio.sleep(5)
        state.kill(ours)
        account.granted.clear()
        started = now()
        await asyncio.gather(*tasks)
        assert now() - started < 15
        await cancel(doomed)

    play(main)


@every_shared_shell
def test_a_probe_that_dies_is_replaced(shell: Callable[[], Shell]) -> None:
    """Within seconds: nothing is heard of its process any more."""
    state = shell()
    account = Account(state, 120, 60.0)

    async def main() -> None:
        ours, theirs = account.processes(2)
        probe = await ours.turn()
        probe.rejected(1.0)
        await probe.again()
        waiting = asyncio.ensure_future(theirs.turn())
        await asyncio.sleep(3)
        gone_at = now()
        state.kill(ours)
        (await waiting).accepted()
        assert now() - gone_at < 7

    play(main)


@every_shell
@pytest.mark.parametrize("when", ["waiting", "sending", "probing"])
def test_a_loop_that_ends_takes_its_callers_along(shell: Callable[[], Shell], when: str) -> None:
    """The next loop goes on with what was sent, without the callers, the turns and the probe of the last."""
    account = Account(shell(), 5, 10.0)
    limiter = account.process()

    async def first() -> None:
        turns = [await limiter.turn() for _ in range(4)]
        account.granted += [(now(), "")] * 4
        if when == "probing":
            turns[0].rejected(2.0)
            await turns[0].again()
            account.granted.append((now(), ""))
        elif when == "waiting":
            await asyncio.wait([asyncio.ensure_future(limiter.turn()) for _ in range(5)], timeout=0.1)
            account.granted.append((now(), ""))  # one of them has gone

    async def second() -> None:
        began = now()
        account.granted = [(began, name) for _, name in account.granted]  # as late as it can have been
        await asyncio.gather(*(account.call(limiter) for _ in range(7)))
        assert now() - began < 35
        assert limiter.statistics.waiting == limiter.statistics.in_flight == 0

    play(first)
    play(second)
    assert account.fullest() <= account.limit + 4


@every_shared_shell
def test_a_cancelled_callers_turn_is_anothers(shell: Callable[[], Shell]) -> None:
    """Of the same process or of another one."""
    account = Account(shell(), 2, 60.0)

    async def main() -> None:
        ours, theirs = account.processes(2)
        gone = [asyncio.ensure_future(ours.turn()) for _ in range(2)]
        await asyncio.sleep(0.00075)  # granted, and on the way
        for each in gone:
            each.cancel()
        await asyncio.sleep(1)
        await theirs.turn()
        await theirs.turn()
        assert now() < 60

    play(main)
