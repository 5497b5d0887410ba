"""The request layer: take a turn, make one attempt, read the reply, and try again when that makes sense."""

import asyncio
import logging
import random as random_module
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Final, Protocol, TypeAlias, TypeVar

from attrs import define, field, frozen

from helpcrunch_async.checks import check_seconds
from helpcrunch_async.errors import (
    APIError,
    ClientClosedError,
    DeadlineExceededError,
    DecodeError,
    HelpCrunchError,
    NotFoundError,
    RateLimitError,
    TransportError,
)
from helpcrunch_async.protocol import (
    JSON,
    Reply,
    Request,
    encode_body,
    headers_of,
    parse_retry_after,
    read,
    url_of,
)
from helpcrunch_async.rate_limit import PRIORITIES, Limiter, Priority, Turn, TurnRefusedError
from helpcrunch_async.redaction import RedactedBytes, path_in_text
from helpcrunch_async.retry import Repetition, RetryBudget, RetryPolicy

log: Final = logging.getLogger("helpcrunch_async")


@frozen(cache_hash=True)
class CallOptions:
    """What `with_options` changes; the client's constructor explains each.

    Raises:
        TypeError: an option of the wrong kind.
        ValueError: an option out of range.
    """

    retry: RetryPolicy
    timeout: float
    deadline: float | None
    max_wait: float | None
    priority: Priority
    flow: object = field(factory=object, eq=False, repr=False)
    """Whose calls these are: those of one view of a client, which takes turns with the others."""

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.retry, RetryPolicy):
            raise TypeError(f"retry is a RetryPolicy, not {type(self.retry).__name__}")
        check_seconds("timeout", self.timeout, above_zero=True)
        if self.deadline is not None:
            check_seconds("deadline", self.deadline, above_zero=True)
        if self.max_wait is not None:
            check_seconds("max_wait", self.max_wait)
        if self.priority not in PRIORITIES:
            raise ValueError(f"priority is {' or '.join(PRIORITIES)}, not {self.priority!r}")


class Transport(Protocol):
    """Sends one request and reads its reply."""

    async def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: RedactedBytes | None,
        timeout: float,  # noqa: ASYNC109 - a transport bounds its own attempt
    ) -> Reply:
        """Raise a TransportError when no whole reply comes within `timeout` seconds."""
        ...


T = TypeVar("T")

Fold: TypeAlias = Callable[[], Request]
"""Gives the request to send, at the moment in which it can be sent."""


@define(eq=False)
class _Call:
    """One call while it lasts."""

    request: Request
    options: CallOptions
    fold: Fold | None
    expected: int  # how many calls its job still has, this one included
    ends_at: float | None  # on the loop's clock
    turn: Turn | None = None
    body: RedactedBytes | None = None
    started: float = 0.0  # on the loop's clock
    attempts: int = 0
    in_doubt: bool = False  # an attempt may have changed something, and no reply has told
    retry_after: float | None = None  # of the last reply, if that was an error

    def patience(self) -> float | None:
        """Tell how many seconds the caller has for one more wait; None is for as long as it takes."""
        if self.ends_at is None:
            return self.options.max_wait
        left = self.ends_at - asyncio.get_running_loop().time()
        return left if self.options.max_wait is None else min(left, self.options.max_wait)


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Requester:
    """Sends requests for one client: paced by its limiter, repeated by policy, each attempt bounded."""

    def __init__(
        self,
        transport: Transport,
        base_url: str,
        limiter: Limiter,
        *,
        max_in_flight: int,
        random: Callable[[], float] = random_module.random,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        wall_clock: Callable[[], datetime] = _utc_now,
    ) -> None:
        self._transport = transport
        self._base_url = base_url
        self._headers = headers_of(with_body=False)
        self._headers_with_body = headers_of(with_body=True)
        self._limiter = limiter
        self._in_flight = asyncio.Semaphore(max_in_flight)
        self._budget = RetryBudget()
        self._calls: dict[_Call, asyncio.Task[object]] = {}
        self._closed = False
        self._random = random
        self._sleep = sleep
        self._wall_clock = wall_clock

    async def send(
        self, request: Request, options: CallOptions, *, fold: Fold | None = None, expected: int = 1
    ) -> JSON:
        """Send a request, again if need be, and give the decoded body of its 2xx.

        None too when a deletion that is sent again finds nothing left to delete (`Request.gone_is_done`).

        Args:
            request: what to send.
            options: how.
            fold: called when the turn has come; what it gives is sent in place of `request`.
            expected: how many calls the job that this is part of still has, this one included.

        Raises:
            HelpCrunchError: what the last attempt met.
            DeadlineExceededError: `deadline` ended the call.
            ClientClosedError: `close` ended it, or came before.
            TypeError, ValueError: the body has no JSON form; nothing was sent.
        """
        if self._closed:  # whoever was given it before
            raise ClientClosedError("the client is closed")
        loop, deadline = asyncio.get_running_loop(), options.deadline
        call = _Call(request, options, fold, expected, None if deadline is None else loop.time() + deadline)
        task = asyncio.current_task()
        assert task is not None
        cancelling = task.cancelling()
        self._calls[call] = task
        try:
            if deadline is None:
                return await self._run(call)
            return await within(deadline, self._run(call), request)
        except HelpCrunchError as error:
            error.outcome_unknown = call.in_doubt
            raise
        except asyncio.CancelledError:
            # close() cancels what is under way; whoever else cancelled the task means it
            if not self._closed or task.uncancel() > cancelling:
                raise
        finally:
            del self._calls[call]
        closed = ClientClosedError("the client was closed")
        closed.outcome_unknown = call.in_doubt
        raise closed

    def close(self) -> None:
        """End all calls, wherever they are: each raises a `ClientClosedError`."""
        self._closed = True
        for task in set(self._calls.values()) - {asyncio.current_task()}:
            task.cancel()

    async def _run(self, call: _Call) -> JSON:
        """Make the first attempt, which costs nothing extra, and repeat it if it fails."""
        self._budget.pay_in()
        call.started = asyncio.get_running_loop().time()
        call.body = encode_body(call.request.body)
        try:
            await self._take_turn(call)
            return await self._attempt(call)
        except TurnRefusedError as refused:
            failure: HelpCrunchError = refusal(call.request, refused, call.options.max_wait)
            repetition = None
        except (TransportError, APIError, DecodeError) as error:
            failure = error
            repetition = self._repetition(call)
        # Raised out here, so that an error does not carry another one in its __context__.
        if repetition is None or not repetition.again(failure):
            raise failure
        return await self._repeat(call, repetition, failure)

    async def _take_turn(self, call: _Call) -> None:
        """Wait for a turn; the first one decides what is sent."""
        options = call.options
        if call.turn is not None:
            await call.turn.again(options.max_wait)
            return
        call.turn = await self._limiter.turn(
            options.priority, options.max_wait, flow=options.flow, expected=call.expected
        )
        if call.fold is not None:
            call.request = _folded(call.fold, call.turn)
            call.body = encode_body(call.request.body)

    def _repetition(self, call: _Call) -> Repetition:
        return Repetition(
            call.options.retry,
            repeatable=call.request.repeatable,
            paced=self._limiter.paces,
            budget=self._budget,
            floor=lambda: call.retry_after,
            patience=call.patience,
            random=self._random,
        )

    async def _repeat(self, call: _Call, repetition: Repetition, failure: HelpCrunchError) -> JSON:
        """Let tenacity repeat a call; the failure that is already there is its first attempt's."""
        failed_before: HelpCrunchError | None = failure

        async def attempt_again() -> JSON:
            nonlocal failed_before
            if failed_before is not None:
                error, failed_before = failed_before, None
                raise error
            await self._take_turn(call)
            return await self._attempt(call)

        def tell(error: BaseException, seconds: float) -> None:
            what = error.status if isinstance(error, APIError) else type(error).__name__
            waits = isinstance(error, RateLimitError) and self._limiter.paces
            log.info(
                "%s /%s: %s at attempt %d; %s",
                call.request.method,
                call.request.template,
                what,
                call.attempts,
                "all calls pause until one gets through" if waits else f"again in {seconds:.1f} seconds",
            )

        try:
            return await repetition.run(attempt_again, self._sleep, tell)
        except TurnRefusedError as refused:
            refused_error = refusal(call.request, refused, call.options.max_wait, attempts=call.attempts)
        except HelpCrunchError as error:
            seconds = asyncio.get_running_loop().time() - call.started
            attempts = "1 attempt" if call.attempts == 1 else f"{call.attempts} attempts"
            error.add_note(f"given up after {attempts} in {seconds:.1f} seconds")
            raise
        raise refused_error

    async def _attempt(self, call: _Call) -> JSON:
        """Use one turn: open, read the whole reply, leave, tell the limiter, and understand what came."""
        request, turn = call.request, call.turn
        assert turn is not None
        call.attempts += 1
        doubted = call.in_doubt  # because of an earlier attempt
        started = asyncio.get_running_loop().time()
        try:
            async with self._in_flight:
                call.in_doubt = request.changes
                reply = await self._transport.send(
                    request.method,
                    url_of(self._base_url, request),
                    self._headers if call.body is None else self._headers_with_body,
                    call.body,
                    call.options.timeout,
                )
            if reply.status < 400:
                call.retry_after = None
            else:
                call.retry_after = parse_retry_after(reply.headers.get("retry-after"), self._wall_clock())
            if reply.status == 429:
                turn.rejected(call.retry_after)
            else:
                turn.accepted()
        except TransportError as error:
            log.debug(
                "%s /%s: %s in %.3f seconds, attempt %d",
                request.method,
                request.template,
                type(error).__name__,
                asyncio.get_running_loop().time() - started,
                call.attempts,
            )
            call.retry_after = None
            call.in_doubt = doubted or (error.sent and request.changes)
            raise
        except ClientClosedError as error:
            call.in_doubt = doubted or (error.outcome_unknown and request.changes)
            raise
        finally:
            turn.release()
        log.debug(
            "%s /%s: %d in %.3f seconds, attempt %d, %d bytes",
            request.method,
            request.template,
            reply.status,
            asyncio.get_running_loop().time() - started,
            call.attempts,
            len(reply.body),
        )
        try:
            return read(request, reply, attempts=call.attempts, retry_after=call.retry_after)
        except (APIError, DecodeError) as error:
            call.in_doubt = doubted or error.outcome_unknown
            if doubted and request.gone_is_done and isinstance(error, NotFoundError):
                return None
            raise


def _folded(fold: Fold, turn: Turn) -> Request:
    try:
        return fold()
    except BaseException:
        turn.release()
        raise


def refusal(
    request: Request, refused: TurnRefusedError, max_wait: float | None, *, attempts: int = 0
) -> RateLimitError:
    """Return the error of a call that was not sent, because no turn came in time."""
    next_slot = refused.retry_after
    if max_wait is None:
        reason = "nothing has got through for too long to wait on"
        reason += "" if next_slot is None else f", the next slot is in {_seconds(next_slot)}"
    elif next_slot is None:
        reason = f"no slot came in time, max_wait is {max_wait:g} s"
    elif next_slot > max_wait:
        reason = f"the next slot is in {_seconds(next_slot)}, max_wait is {max_wait:g} s"
    else:  # it waited as long as it may, and is close to its turn
        reason = f"no slot came in time, the next is in {_seconds(next_slot)}, max_wait is {max_wait:g} s"
    return RateLimitError(
        f"not sent{' again' if attempts else ''}: {reason}",
        status=429,
        code=None,
        errors=(),
        method=request.method,
        path=f"/{request.path}",
        attempts=attempts,
        retry_after=next_slot,
        refused=True,
    )


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds:.3f} s"


async def within(deadline: float, work: Awaitable[T], request: Request) -> T:
    """Await `work`, the answer to a request, for at most `deadline` seconds.

    Raises:
        DeadlineExceededError: it took longer, and was cancelled.
    """
    scope = asyncio.timeout(deadline)
    try:
        async with scope:
            return await work
    except TimeoutError as error:
        if isinstance(error, HelpCrunchError) or not scope.expired():
            raise
    path = path_in_text(request.path)
    raise DeadlineExceededError(f"{request.method} /{path}: not done within {deadline:g} seconds")
