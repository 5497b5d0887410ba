"""The limiter of many processes as the Lua script decides it, without Redis: the script runs in this process.

`redis.call` and the libraries that Redis gives its scripts are stubs that do what the script needs of them.
"""

import asyncio
import json
from collections.abc import Callable
from copy import deepcopy
from random import Random
from typing import Any, cast

from lupa import lua51

from helpcrunch_async.redis_limit import BudgetUnavailableError, RedisRateLimiter
from helpcrunch_async.redis_limit.budget import SCRIPT
from helpcrunch_async.redis_limit.messages import Answer, Question
from helpcrunch_async.redis_limit.waiters import SharedWaiters
from shells.account import Process

WAY = 0.0005  # seconds to the state, and as long back
KEY = "budget"


class Script:
    """The script and the one value that it reads and writes."""

    def __init__(self) -> None:
        self.value: Any = None
        self._lua = lua51.LuaRuntime(unpack_returned_tuples=True)
        function = f"function(KEYS, ARGV, redis, cjson, cmsgpack)\n{SCRIPT}\nend"
        self._run = cast("Callable[..., Any]", self._lua.eval(function))
        table = self._lua.table_from
        self._libraries = (
            table({"call": self._call, "error_reply": lambda text: table({"err": text})}),
            table({"encode": lambda value: json.dumps(_python(value)), "decode": self._decode}),
            table({"pack": lambda value: [_python(value)], "unpack": self._unpack}),
        )

    def __call__(self, question: str) -> str:
        table = self._lua.table_from
        answer = self._run(table([KEY]), table([question]), *self._libraries)
        if not isinstance(answer, str):
            raise BudgetUnavailableError(answer["err"], sent=False, permanent=True)
        return answer

    def _call(self, command: str, key: str, value: Any = None, *expiry: Any) -> Any:
        assert key == KEY
        if command == "GET":
            return self.value
        assert command == "SET"
        assert expiry[0] == "PX"
        self.value = value
        return None

    def _decode(self, text: str) -> Any:
        return self._table(json.loads(text))

    def _unpack(self, value: Any) -> Any:
        (packed,) = value  # what the script has packed is a list of one
        return self._table(packed)

    def _table(self, value: Any) -> Any:
        if isinstance(value, dict):
            return self._lua.table_from({key: self._table(each) for key, each in value.items()})
        if isinstance(value, list):
            return self._lua.table_from([self._table(each) for each in value])
        return value


def _python(value: Any) -> Any:
    """Turn a table of Lua into a list, if it counts from one, or into a dict."""
    if lua51.lua_type(value) != "table":
        return value
    found = {key: _python(each) for key, each in value.items()}
    is_list = found and set(found) == set(range(1, len(found) + 1))
    return [found[index] for index in range(1, len(found) + 1)] if is_list else found


class Lua:
    """Processes that share one state, on a way that takes a millisecond there and back."""

    shared = True

    def __init__(self) -> None:
        self.script = Script()
        self.clock = 1e9  # what the state's clock shows when the loop's shows 0
        self.questions = 0
        self._started = 0
        self.lost = 0.0
        self.dice = Random(1)
        self._kept: Any = None

    def process(self, limit: int, period: float, random: Random) -> RedisRateLimiter:
        limiter = RedisRateLimiter("redis://virtual", limit, period, random=random.random)
        waiters = limiter._waiters
        waiters._connect = lambda: _Way(self)
        self._started += 1
        setattr(waiters.schedule, "process", f"process {self._started}")  # noqa: B010 - Final, and else random
        return limiter

    def kill(self, process: Process) -> None:
        waiters = process._waiters
        assert isinstance(waiters, SharedWaiters)
        waiters._connect = _Silence
        if waiters._asker is not None:
            waiters._asker.cancel()

    def jump(self, seconds: float) -> None:
        self.clock += seconds

    def lose_answers(self, share: float) -> None:
        self.lost = share

    def keep(self) -> None:
        self._kept = deepcopy(self.script.value)

    def fall_back(self) -> None:
        self.script.value = deepcopy(self._kept)

    def lose_state(self) -> None:
        self.script.value = None

    def spoil_state(self) -> None:
        self.script.value = ["another program's", "value"]


class _Way:
    """The way of one process to the state."""

    def __init__(self, shell: Lua) -> None:
        self._shell = shell

    async def ask(self, question: Question, now: float) -> Answer | None:
        shell = self._shell
        await asyncio.sleep(WAY)
        shell.questions += 1
        clock = shell.clock + asyncio.get_running_loop().time()
        reply = shell.script(question.to_json(now, clock))
        await asyncio.sleep(WAY)
        if shell.dice.random() < shell.lost:
            raise BudgetUnavailableError("the answer got lost", sent=False)
        return Answer.from_json(reply)

    async def close(self) -> None: ...


class _Silence:
    """The way of a process that is dead."""

    async def ask(self, question: Question, now: float) -> Answer | None:
        await asyncio.sleep(1e6)
        return None

    async def close(self) -> None: ...
