"""The budget in Redis: one script, each run of it bounded in time, and every failure one kind of error."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from contextlib import suppress
from importlib.resources import files
from typing import Final, Protocol, TypeAlias, cast

from redis import exceptions
from redis.asyncio import Redis, RedisCluster
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from helpcrunch_async.errors import TransportError
from helpcrunch_async.redaction import Secret
from helpcrunch_async.redis_limit.messages import Answer, Question

Client: TypeAlias = Redis | RedisCluster

_FORMAT: Final = 1  # of the state; another format is another budget
_PARTS: Final = ("state", "lesson", "line", "ask")
SCRIPT: Final = "\n".join(
    files("helpcrunch_async.redis_limit").joinpath("lua", f"{part}.lua").read_text(encoding="utf-8")
    for part in _PARTS
)
_DIGEST: Final = hashlib.sha1(SCRIPT.encode(), usedforsecurity=False).hexdigest()


class BudgetUnavailableError(TransportError):
    """Redis gave no answer, so nobody knows whether the call may go: it was not sent.

    `permanent` is True where asking again cannot help: Redis wants a password, is too old, or one node of a
    cluster, or its key holds something else.
    """


class Budget(Protocol):
    """The shared budget, as one process talks to it while it has something to say."""

    async def ask(self, question: Question, now: float) -> Answer | None:
        """Ask for turns; None when the budget has forgotten what it knew.

        Args:
            question: what to ask.
            now: the time on the clock of the process, in seconds.

        Raises:
            BudgetUnavailableError: there is no answer.
        """
        ...

    async def close(self) -> None:
        """Give the connection up."""
        ...


class RedisBudget:
    """A budget under one key of a Redis."""

    def __init__(self, client: Client, key: str, *, owned: bool, timeout: float) -> None:
        self._client = client
        self._key = redis_key(key)
        self._owned = owned
        self._timeout = timeout

    async def ask(self, question: Question, now: float) -> Answer | None:
        """Run the script; see `Budget.ask`."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        answer = await self._try(question, now)
        if isinstance(answer, BudgetUnavailableError) and loop.time() - started > 2 * self._timeout:
            # it was this process that stood still (paused, suspended), and not Redis
            answer = await self._try(question, now)
        if isinstance(answer, BudgetUnavailableError):
            raise answer
        return answer

    async def _try(self, question: Question, now: float) -> Answer | BudgetUnavailableError | None:
        """Run the script, or give the error, which so does not carry that of redis-py in its __context__."""
        try:
            async with asyncio.timeout(self._timeout):
                return Answer.from_json(await self._run(question.to_json(now)))
        except TimeoutError:
            text = f"Redis did not answer within {self._timeout:g} seconds"
            return BudgetUnavailableError(text, sent=False)
        except Exception as error:  # noqa: BLE001 - whatever it is, nobody may be left waiting for an answer
            return _failure(error)

    async def _run(self, question: str) -> str | bytes:
        # the annotations of redis-py leave open whether a command is awaited
        evalsha, evaluate = cast("_Script", self._client.evalsha), cast("_Script", self._client.eval)
        try:
            return await evalsha(_DIGEST, 1, self._key, question)
        except exceptions.NoScriptError:
            return await evaluate(SCRIPT, 1, self._key, question)

    async def close(self) -> None:
        """Close the connection, unless it is somebody else's."""
        if self._owned:
            with suppress(Exception):  # whatever is in the way, the caller is done with it
                async with asyncio.timeout(self._timeout):
                    await self._client.aclose()


_Script: TypeAlias = Callable[..., Awaitable[str | bytes]]


def redis_key(key: str) -> str:
    """Give the one Redis key of a budget; the braces keep it in one slot of a cluster."""
    return f"{{{key}}}:budget:{_FORMAT}"


def connect_by_url(url: Secret, timeout: float) -> Client:
    """Make a client for a URL, which may hold a password; nothing is connected before it is used.

    Raises:
        ValueError: it is not the URL of a Redis.
    """
    try:
        return cast(
            "Client",
            Redis.from_url(
                url.expose(),
                socket_timeout=timeout,
                socket_connect_timeout=timeout,
                retry=Retry(NoBackoff(), 1),  # one reconnection: an idle connection may have been dropped
            ),
        )
    except ValueError:
        pass  # its text may repeat the password
    raise ValueError(
        "not the URL of a Redis: redis[s]://[user:password@]host[:port][/database] or unix://path"
    )


def _failure(error: Exception) -> BudgetUnavailableError:
    """Say in our words what a client of Redis raised."""
    text = " ".join(str(error).split())[:300] or type(error).__name__
    wants_login = isinstance(error, exceptions.AuthenticationError | exceptions.AuthorizationError)
    if wants_login or text.startswith(("NOAUTH", "WRONGPASS", "Authentication required")):
        return BudgetUnavailableError(f"Redis does not let us in: {text}", sent=False, permanent=True)
    if isinstance(error, exceptions.MovedError):
        line = "the URL is that of one node of a Redis cluster: pass a redis.asyncio.RedisCluster"
        return BudgetUnavailableError(line, sent=False, permanent=True)
    # the exceptions of what passes (loading, read-only, out of memory, failing over) are its subclasses
    if type(error) is exceptions.ResponseError and not text.startswith("BUSY"):
        return BudgetUnavailableError(
            f"Redis cannot keep the budget (5.0 or newer can): {text}", sent=False, permanent=True
        )
    if isinstance(error, exceptions.NoPermissionError):
        return BudgetUnavailableError(f"Redis does not allow it: {text}", sent=False, permanent=True)
    return BudgetUnavailableError(f"Redis is not available: {text}", sent=False)
