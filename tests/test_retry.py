"""The retry policy: again or not, how often, after how long, and what it costs; no real time passes."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from copy import copy
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
import tenacity
from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st

from helpcrunch_async import (
    NO_RETRY,
    UNLIMITED,
    APIError,
    BadRequestError,
    ClientClosedError,
    ConnectionFailedError,
    DeadlineExceededError,
    DecodeError,
    HelpCrunchError,
    Limiter,
    NotFoundError,
    RateLimiter,
    RateLimitError,
    RequestTimeoutError,
    ResponseTooLargeError,
    RetryPolicy,
    ServerError,
    TransportError,
)
from helpcrunch_async.protocol import Reply, Request
from helpcrunch_async.rate_limit import Priority, Turn, TurnRefusedError
from helpcrunch_async.redaction import RedactedBytes
from helpcrunch_async.requester import CallOptions, Requester
from helpcrunch_async.retry import RetryBudget
from helpcrunch_async.testing import run_in_virtual_time

NOW = datetime(2026, 1, 1, tzinfo=UTC)
BASE_URL = "https://api.example/v1"
READ = Request("GET", "customers/7", "customers/{id}", repeatable=True)
WRITE = Request("POST", "customers", "customers", repeatable=False, changes=True, body={"name": "Mara"})

Outcome = Reply | Exception | Callable[[], Awaitable[Reply]]


def reply(status: int = 200, body: bytes = b'{"id": 7}', **headers: str) -> Reply:
    return Reply(status, {name.replace("_", "-"): value for name, value in headers.items()}, body)


DEFAULT = RetryPolicy()
OK = reply()
REFUSED = reply(429, b'{"errors": [{"code": "too_many_requests", "message": "slow down"}]}')
DOWN = reply(503, b"<html>down</html>")


class FakeTransport:
    """Gives prepared outcomes in turn, the last one for ever."""

    def __init__(self, *outcomes: Outcome) -> None:
        self.outcomes = outcomes
        self.sent: list[tuple[str, str, bytes | None, float]] = []

    async def send(
        self,
        method: str,
        url: str,
        headers: Any,
        body: RedactedBytes | None,
        timeout: float,  # noqa: ASYNC109
    ) -> Reply:
        outcome = self.outcomes[min(len(self.sent), len(self.outcomes) - 1)]
        self.sent.append((method, url, None if body is None else body.expose(), timeout))
        if isinstance(outcome, Exception):
            raise copy(outcome)  # the table's own must not collect notes
        return outcome if isinstance(outcome, Reply) else await outcome()


class Line:
    """A limiter that paces, grants at once, and remembers what it is told."""

    paces = True

    def __init__(self) -> None:
        self.told: list[str | tuple[str, float | None]] = []
        self.in_use = 0

    async def turn(self, priority: str = "interactive", max_wait: float | None = None, **job: Any) -> "Line":
        self.told.append("turn")
        self.in_use += 1
        return self

    def accepted(self) -> None:
        self.told.append("accepted")

    def rejected(self, retry_after: float | None) -> None:
        self.told.append(("rejected", retry_after))

    def release(self) -> None:
        self.in_use -= 1

    async def again(self, max_wait: float | None = None) -> None:
        self.told.append("again")
        self.in_use += 1


class Bench:
    """A requester whose wire, sleep, random and wall clock are all in hand."""

    def __init__(
        self,
        *outcomes: Outcome,
        limiter: Limiter = UNLIMITED,
        random: Callable[[], float] = lambda: 0.5,
        sleep: Callable[[float], Awaitable[None]] | None = None,
        max_in_flight: int = 100,
    ) -> None:
        self.transport = FakeTransport(*outcomes)
        self.slept: list[float] = []
        self.requester = Requester(
            self.transport,
            BASE_URL,
            limiter,
            max_in_flight=max_in_flight,
            random=random,
            sleep=self._sleep if sleep is None else sleep,
            wall_clock=lambda: NOW,
        )

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(float(seconds))

    @property
    def attempts(self) -> int:
        return len(self.transport.sent)

    async def send(
        self,
        request: Request = READ,
        *,
        retry: RetryPolicy = DEFAULT,
        deadline: float | None = None,
        max_wait: float | None = None,
    ) -> Any:
        return await self.requester.send(request, CallOptions(retry, 30.0, deadline, max_wait, "interactive"))

    async def fail(self, request: Request = READ, **options: Any) -> HelpCrunchError:
        """Send, and give the error that comes of it."""
        with pytest.raises(HelpCrunchError) as caught:
            await self.send(request, **options)
        return caught.value


NEVER_SENT = ConnectionFailedError("no connection", sent=False)
BAD_CERTIFICATE = ConnectionFailedError("bad certificate", sent=False, permanent=True)
BROKEN = ConnectionFailedError("the connection broke")
SILENT = RequestTimeoutError("no whole reply")
NOT_HTTP = TransportError("not HTTP")
TOO_LARGE = ResponseTooLargeError("too large", permanent=True)

REPEATED_STATUSES = (408, 500, 502, 503, 504, 520, 521, 522, 523, 524)
FINAL_STATUSES = (301, 302, 307, 400, 401, 403, 404, 405, 409, 413, 422, 451, 501, 505, 525)


@frozen
class Row:
    """One kind of failure: the error it becomes, and the requests sent for it."""

    outcome: Outcome
    kind: type[HelpCrunchError]
    attempts: int
    attempts_of_write: int
    unknown: bool  # what became of a write


TABLE = [
    pytest.param(Row(NEVER_SENT, ConnectionFailedError, 4, 4, unknown=False), id="never sent"),
    pytest.param(Row(BAD_CERTIFICATE, ConnectionFailedError, 1, 1, unknown=False), id="bad certificate"),
    pytest.param(Row(BROKEN, ConnectionFailedError, 4, 1, unknown=True), id="broken after sending"),
    pytest.param(Row(SILENT, RequestTimeoutError, 4, 1, unknown=True), id="silent after sending"),
    pytest.param(Row(NOT_HTTP, TransportError, 4, 1, unknown=True), id="not HTTP"),
    pytest.param(Row(TOO_LARGE, ResponseTooLargeError, 1, 1, unknown=True), id="too large"),
    pytest.param(Row(reply(200, b"<html>"), DecodeError, 4, 1, unknown=True), id="html under 200"),
    pytest.param(Row(reply(200, b""), DecodeError, 4, 1, unknown=True), id="empty 200"),
    pytest.param(Row(reply(200, b'{"id": 7, "na'), DecodeError, 4, 1, unknown=True), id="JSON cut short"),
    *(
        pytest.param(Row(reply(status, b""), APIError, 4, 1, unknown=True), id=str(status))
        for status in REPEATED_STATUSES
    ),
    *(
        pytest.param(Row(reply(status, b""), APIError, 1, 1, unknown=status >= 500), id=str(status))
        for status in FINAL_STATUSES
    ),
    pytest.param(Row(ClientClosedError("closed"), ClientClosedError, 1, 1, unknown=False), id="closed"),
]


@pytest.mark.parametrize("row", TABLE)
async def test_the_table_for_a_repeatable_request(row: Row) -> None:
    """What is worth repeating is sent four times, the rest once; nothing is in doubt afterwards."""
    for limiter in (UNLIMITED, Line()):
        bench = Bench(row.outcome, limiter=limiter)
        error = await bench.fail(READ)
        assert isinstance(error, row.kind)
        assert row.attempts == bench.attempts
        assert not error.outcome_unknown
        if isinstance(error, APIError):
            assert row.attempts == error.attempts


@pytest.mark.parametrize("row", TABLE)
async def test_the_table_for_a_request_that_must_not_be_repeated(row: Row) -> None:
    """Only what certainly never left is sent again; the error says when nobody knows what became of it."""
    for limiter in (UNLIMITED, Line()):
        bench = Bench(row.outcome, limiter=limiter)
        error = await bench.fail(WRITE)
        assert isinstance(error, row.kind)
        assert row.attempts_of_write == bench.attempts
        assert row.unknown == error.outcome_unknown


CHANGE = Request("PUT", "customers/7", "customers/{id}", repeatable=True, changes=True, body={})


class OneTurn(Line):
    """A limiter that refuses a second turn."""

    async def again(self, max_wait: float | None = None, **_: Any) -> None:
        raise TurnRefusedError(7.0)


@pytest.mark.parametrize(
    "first", [BROKEN, SILENT, DOWN, reply(200, b"")], ids=["broken", "silent", "503", "empty"]
)
@pytest.mark.parametrize(
    ("later", "kind"),
    [
        (NEVER_SENT, ConnectionFailedError),
        (BAD_CERTIFICATE, ConnectionFailedError),
        (reply(400, b""), BadRequestError),
        (reply(404, b""), NotFoundError),
        (ClientClosedError("closed"), ClientClosedError),
        (None, RateLimitError),
    ],
    ids=["refused connection", "bad certificate", "400", "404", "closed", "refused turn"],
)
async def test_a_doubt_outlives_later_attempts(
    first: Outcome, later: Outcome | None, kind: type[HelpCrunchError]
) -> None:
    """A change that may have been applied stays in doubt, however sure it is that a repetition was not."""
    bench = Bench(first, *([later] if later else []), limiter=Line() if later else OneTurn())
    error = await bench.fail(CHANGE)
    assert isinstance(error, kind)
    assert error.outcome_unknown
    if later:
        assert not (await Bench(later).fail(CHANGE)).outcome_unknown
        assert (await Bench(NEVER_SENT, first, later).fail(CHANGE)).outcome_unknown


@pytest.mark.parametrize("row", TABLE)
async def test_no_retry_sends_once(row: Row) -> None:
    """With NO_RETRY each failure is raised after one request, and nobody sleeps."""
    for request in (READ, WRITE):
        bench = Bench(row.outcome)
        assert isinstance(await bench.fail(request, retry=NO_RETRY), row.kind)
        assert (bench.attempts, bench.slept) == (1, [])


@pytest.mark.parametrize("request_", [READ, WRITE], ids=["read", "write"])
async def test_no_retry_raises_a_429_and_still_tells_the_line(request_: Request) -> None:
    """The caller gets it at once, and the gate is closed for the others all the same."""
    line = Line()
    bench = Bench(reply(429, b"", retry_after="9"), limiter=line)
    error = await bench.fail(request_, retry=NO_RETRY)
    assert isinstance(error, RateLimitError)
    assert (error.attempts, error.retry_after, bench.attempts) == (1, 9.0, 1)
    assert line.told == ["turn", ("rejected", 9.0)]
    assert line.in_use == 0


async def test_a_success_after_failures_is_the_answer() -> None:
    """Each retry sends the same request once more, and its answer is what the caller gets."""
    bench = Bench(BROKEN, DOWN, reply(200, b"garbage"), OK)
    assert await bench.send() == {"id": 7}
    assert [("GET", f"{BASE_URL}/customers/7", None, 30.0)] * 4 == bench.transport.sent


async def test_a_repeated_body_is_the_same() -> None:
    """The body of a repeated request goes out whole each time."""
    bench = Bench(NEVER_SENT, OK)
    await bench.send(WRITE)
    assert [body for _, _, body, _ in bench.transport.sent] == [b'{"name":"Mara"}'] * 2


@pytest.mark.parametrize("attempts", [1, 2, 3, 7])
async def test_attempts_is_the_most_that_is_sent(attempts: int) -> None:
    """The count includes the first request."""
    bench = Bench(DOWN)
    error = await bench.fail(retry=RetryPolicy(attempts=attempts))
    assert isinstance(error, ServerError)
    assert (attempts, attempts) == (bench.attempts, error.attempts)


async def test_backoff_doubles_up_to_its_most() -> None:
    """Half a second at first, twice that each time, never above max_backoff; random scales it."""
    bench = Bench(DOWN, random=lambda: 0.5)
    await bench.fail(retry=RetryPolicy(attempts=8, max_backoff=3.0))
    assert bench.slept == [0.25, 0.5, 1.0, 1.5, 1.5, 1.5, 1.5]


@given(
    st.lists(st.floats(0, 1, exclude_max=True), min_size=10, max_size=10),
    st.floats(0, 100),
)
def test_backoff_is_fully_jittered(draws: list[float], max_backoff: float) -> None:
    """Every wait is the random share of the whole interval, from nothing up."""

    async def scenario() -> list[float]:
        bench = Bench(DOWN, random=iter(draws).__next__)
        await bench.fail(retry=RetryPolicy(attempts=10, max_backoff=max_backoff))
        return bench.slept

    expected = [draw * min(max_backoff, 0.5 * 2**index) for index, draw in enumerate(draws[:9])]
    assert expected == asyncio.run(scenario())


@pytest.mark.parametrize(
    ("header", "floor"),
    [
        ("7", 7.0),
        ("0", 0.0),
        (format_datetime(NOW + timedelta(seconds=11), usegmt=True), 11.0),
        (format_datetime(NOW - timedelta(seconds=11), usegmt=True), 0.0),
        ("-3", 0.0),
        ("nan", 0.0),
        ("soon", 0.0),
    ],
    ids=["seconds", "zero", "date", "past date", "negative", "nan", "garbage"],
)
@pytest.mark.parametrize("status", [429, 503])
async def test_retry_after_is_a_floor(status: int, header: str, floor: float) -> None:
    """Without a limiter a wait is never shorter than the server asked for, and still jittered above it."""
    bench = Bench(reply(status, b"", retry_after=header), OK, random=lambda: 0.5)
    await bench.send()
    assert [floor + 0.25] == bench.slept


async def test_retry_after_may_exceed_max_backoff() -> None:
    """The server's word counts above our own most."""
    bench = Bench(reply(503, b"", retry_after="60"), OK, random=lambda: 0.5)
    await bench.send(retry=RetryPolicy(max_backoff=2.0))
    assert bench.slept == [60.25]


async def test_retry_after_holds_for_one_wait() -> None:
    """A floor of an earlier reply does not linger over a later failure."""
    for later in (BROKEN, reply(200, b"<html>")):
        bench = Bench(reply(503, b"", retry_after="60"), later, OK, random=lambda: 0.5)
        await bench.send()
        assert bench.slept == [60.25, 0.5]


@pytest.mark.parametrize("request_", [READ, WRITE], ids=["read", "write"])
async def test_unlimited_backs_off_from_429_by_itself(request_: Request) -> None:
    """Without a limiter 429s of every verb are repeated, counted, and waited out with doubling jitter."""
    bench = Bench(REFUSED, random=lambda: 0.5)
    error = await bench.fail(request_)
    assert isinstance(error, RateLimitError)
    assert (error.status, error.code, error.attempts) == (429, "too_many_requests", 4)
    assert not error.outcome_unknown
    assert bench.slept == [0.25, 0.5, 1.0]


@pytest.mark.parametrize("request_", [READ, WRITE], ids=["read", "write"])
async def test_a_limiter_waits_429s_out_without_counting(request_: Request) -> None:
    """With a limiter a 429 costs no attempt and no sleep: the call asks for turns as often as needed."""
    line = Line()
    bench = Bench(*[REFUSED] * 20, OK, limiter=line)
    assert await bench.send(request_, retry=RetryPolicy(attempts=1)) == {"id": 7}
    assert bench.attempts == 21
    assert bench.slept == [0.0] * 20
    assert ["turn", *[("rejected", None), "again"] * 20, "accepted"] == line.told
    assert line.in_use == 0


async def test_429s_and_failures_are_counted_apart() -> None:
    """With a limiter, 429s between the failures use up no attempts and do not double the back-off."""
    outcomes: list[Outcome] = [REFUSED, DOWN, REFUSED, REFUSED, BROKEN, REFUSED, DOWN]
    bench = Bench(*outcomes, limiter=Line(), random=lambda: 0.5)
    error = await bench.fail(retry=RetryPolicy(attempts=3))
    assert isinstance(error, ServerError)
    assert (bench.attempts, error.attempts) == (7, 7)
    assert [seconds for seconds in bench.slept if seconds] == [0.25, 0.5]


async def test_the_line_is_told_retry_after() -> None:
    """What the server asks for reaches the account's gate, in seconds."""
    line = Line()
    date = format_datetime(NOW + timedelta(seconds=30), usegmt=True)
    bench = Bench(reply(429, b"", retry_after="5"), reply(429, b"", retry_after=date), OK, limiter=line)
    await bench.send()
    assert [told[1] for told in line.told if isinstance(told, tuple)] == [5.0, 30.0]


@pytest.mark.parametrize("outcome", [OK, DOWN, reply(404, b""), reply(200, b"junk"), reply(302, b"")])
async def test_every_other_reply_is_accepted(outcome: Reply) -> None:
    """Whatever else the server answers, it took the call: the limiter counts it as spent."""
    line = Line()
    bench = Bench(outcome, limiter=line)
    with suppress(HelpCrunchError):
        await bench.send(retry=NO_RETRY)
    assert line.told == ["turn", "accepted"]
    assert line.in_use == 0


async def test_a_lost_request_gives_its_turn_back() -> None:
    """When no reply came, the turn is neither accepted nor rejected, and given back before the sleep."""
    line = Line()
    in_use_while_asleep = []

    async def sleep(_: float) -> None:
        in_use_while_asleep.append(line.in_use)

    bench = Bench(BROKEN, limiter=line, sleep=sleep)
    await bench.fail()
    assert line.told == ["turn", "again", "again", "again"]
    assert in_use_while_asleep == [0, 0, 0]
    assert line.in_use == 0


@pytest.mark.parametrize(
    "outcome", [NEVER_SENT, DOWN, REFUSED, reply(200, b"junk")], ids=["transport", "503", "429", "junk"]
)
async def test_the_last_error_itself_is_raised(outcome: Outcome) -> None:
    """Nobody meets tenacity's RetryError; a note on the last error says how much was tried."""
    error = await Bench(outcome).fail()
    assert not isinstance(error, tenacity.RetryError)
    assert error.__cause__ is None
    assert error.__context__ is None
    [note] = error.__notes__
    assert note.startswith("given up after 4 attempts in ")
    assert note.endswith(" seconds")


def test_the_note_counts_the_seconds_of_all_attempts() -> None:
    """Four attempts of a second each are four seconds."""

    async def slow() -> Reply:
        await asyncio.sleep(1.0)
        return DOWN

    async def scenario() -> list[str]:
        error = await Bench(slow, random=lambda: 0.0, sleep=asyncio.sleep).fail()
        return error.__notes__

    assert run_in_virtual_time(scenario()) == ["given up after 4 attempts in 4.0 seconds"]


async def test_an_error_that_is_not_repeated_has_no_note() -> None:
    """A plain no of the server is not dressed up."""
    error = await Bench(reply(404, b"")).fail()
    assert isinstance(error, NotFoundError)
    assert not hasattr(error, "__notes__")


async def test_the_error_is_the_last_one() -> None:
    """When the last attempt fails in another way, that is what the caller learns."""
    bench = Bench(DOWN, BROKEN, reply(400, b'{"errors": [{"code": "customer", "message": "m"}]}'))
    error = await bench.fail()
    assert isinstance(error, BadRequestError)
    assert (error.code, error.attempts, bench.attempts) == ("customer", 3, 3)


async def test_the_retry_budget_bounds_the_traffic() -> None:
    """While everything fails, requests are at most 1.2 times the calls, save for a few in hand at first."""
    bench = Bench(DOWN)
    for _ in range(100):
        await bench.fail()
    before = bench.attempts
    for _ in range(1000):
        await bench.fail()
    assert 1190 <= bench.attempts - before <= 1201
    assert before <= 100 + 10 + 20


async def test_429s_do_not_spend_the_budget() -> None:
    """After any number of refused calls a failing one still gets all its retries."""
    bench = Bench(REFUSED)
    for _ in range(50):
        await bench.fail()
    bench.transport.outcomes = (DOWN,)
    before = bench.attempts
    await bench.fail()
    assert bench.attempts - before == 4


async def test_good_calls_earn_the_budget_back() -> None:
    """Once the service is well again, retries are affordable again."""
    bench = Bench(DOWN)
    for _ in range(50):
        await bench.fail()
    bench.transport.outcomes = (OK,)
    for _ in range(15):
        await bench.send()
    bench.transport.outcomes = (DOWN,)
    before = bench.attempts
    await bench.fail()
    assert bench.attempts - before == 4


async def test_the_budget_is_one_for_the_client() -> None:
    """Calls at the same time share it: a hundred that fail together do not get three retries each."""
    bench = Bench(DOWN)
    await asyncio.gather(*(bench.fail() for _ in range(100)))
    assert bench.attempts <= 100 + 10 + 20


def test_the_budget_is_bounded() -> None:
    """A long quiet time does not save retries up without end."""
    budget = RetryBudget()
    for _ in range(10_000):
        budget.pay_in()
    assert sum(budget.take_out() for _ in range(100)) == 10


async def test_calls_do_not_mix_up_their_retries() -> None:
    """200 calls under gather, each failing twice, all get their own right answer."""
    failures: dict[str, int] = {}

    class Wire(FakeTransport):
        async def send(
            self,
            method: str,
            url: str,
            headers: Any,
            body: RedactedBytes | None,
            timeout: float,  # noqa: ASYNC109
        ) -> Reply:
            await asyncio.sleep(0)
            failures[url] = failures.get(url, 0) + 1
            if failures[url] <= 2:
                raise ConnectionFailedError("no connection", sent=False)
            return reply(200, json.dumps({"id": int(url.rpartition("/")[2])}).encode())

    bench = Bench(OK, sleep=lambda _: asyncio.sleep(0))
    bench.requester._transport = Wire()
    bench.requester._budget = RetryBudget(1000.0, 1000.0)
    requests = [
        Request("GET", f"customers/{each}", "customers/{id}", repeatable=True) for each in range(1, 201)
    ]
    answers = await asyncio.gather(*(bench.send(request) for request in requests))
    assert [{"id": each} for each in range(1, 201)] == answers
    assert {3} == set(failures.values())


class Hang:
    """An outcome that never comes; `entered` is set when it is waited for."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()

    async def __call__(self) -> Reply:
        self.entered.set()
        await asyncio.Event().wait()
        raise AssertionError


async def _cancel(task: "asyncio.Task[Any]") -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("before", [(), (DOWN,), (REFUSED, BROKEN)], ids=["first", "second", "third attempt"])
async def test_cancellation_on_the_wire_is_never_retried(before: Iterable[Outcome]) -> None:
    """It leaves at once, and gives back its turn and its place on the wire: the next call is served."""
    hang, line = Hang(), Line()
    outcomes = (*before, hang, OK)
    bench = Bench(*outcomes, limiter=line, max_in_flight=1)
    task = asyncio.create_task(bench.send())
    await hang.entered.wait()
    await _cancel(task)
    assert len(outcomes) - 1 == bench.attempts
    assert line.in_use == 0
    assert await bench.send() == {"id": 7}


async def test_cancellation_in_back_off_is_never_retried() -> None:
    """A call that sleeps holds nothing and leaves at once."""
    asleep = asyncio.Event()

    async def sleep(_: float) -> None:
        asleep.set()
        await asyncio.Event().wait()

    line = Line()
    bench = Bench(DOWN, OK, limiter=line, sleep=sleep, max_in_flight=1)
    task = asyncio.create_task(bench.send())
    await asleep.wait()
    await _cancel(task)
    assert (bench.attempts, line.in_use) == (1, 0)
    assert await bench.send() == {"id": 7}


async def test_cancellation_in_line_sends_nothing() -> None:
    """A call that waits for its turn leaves the line; the next in line is served."""
    hang = Hang()
    bench = Bench(hang, OK, max_in_flight=1)
    first = asyncio.create_task(bench.send())
    await hang.entered.wait()
    second = asyncio.create_task(bench.send())
    await asyncio.sleep(0)
    await _cancel(second)
    assert bench.attempts == 1
    await _cancel(first)
    assert await bench.send() == {"id": 7}


async def _forever() -> Reply:
    await asyncio.Event().wait()
    raise AssertionError


async def _elapsed(work: Awaitable[HelpCrunchError]) -> tuple[float, HelpCrunchError]:
    loop = asyncio.get_running_loop()
    started = loop.time()
    error = await work
    return loop.time() - started, error


@pytest.mark.parametrize(("request_", "unknown"), [(READ, False), (WRITE, True)], ids=["read", "write"])
def test_a_deadline_ends_a_call_on_the_wire(request_: Request, *, unknown: bool) -> None:
    """It ends to the second, and tells of a write that nobody knows what became of it."""

    async def scenario() -> None:
        bench = Bench(_forever, sleep=asyncio.sleep)
        seconds, error = await _elapsed(bench.fail(request_, deadline=2.5))
        assert isinstance(error, DeadlineExceededError)
        assert isinstance(error, TimeoutError)
        assert seconds == pytest.approx(2.5)
        assert unknown == error.outcome_unknown
        assert error.__cause__ is None
        assert error.__context__ is None

    run_in_virtual_time(scenario())


def test_a_deadline_counts_attempts_and_sleeps_together() -> None:
    """Slow attempts and back-off add up to no more than the deadline."""

    async def slow() -> Reply:
        await asyncio.sleep(1.0)
        return DOWN

    async def scenario() -> None:
        bench = Bench(slow, sleep=asyncio.sleep, random=lambda: 0.999)
        seconds, error = await _elapsed(bench.fail(deadline=4.0, retry=RetryPolicy(attempts=10)))
        assert isinstance(error, DeadlineExceededError)
        assert seconds == pytest.approx(4.0)
        assert bench.attempts == 3  # 1 + 0.5 + 1 + 1 + the beginning of the third

    run_in_virtual_time(scenario())


def test_a_deadline_counts_the_queue() -> None:
    """A call that never got its turn ends too, without a request, and with nothing in doubt."""

    async def scenario() -> None:
        limiter = RateLimiter(1, 60.0)
        bench = Bench(OK, limiter=limiter, sleep=asyncio.sleep)
        await bench.send(WRITE)
        seconds, error = await _elapsed(bench.fail(WRITE, deadline=5.0))
        assert isinstance(error, DeadlineExceededError)
        assert not error.outcome_unknown
        assert seconds == pytest.approx(5.0)
        assert bench.attempts == 1
        assert limiter.statistics.waiting == 0

    run_in_virtual_time(scenario())


def test_a_deadline_counts_the_wait_for_room_on_the_wire() -> None:
    """Waiting behind `max_in_flight` is queueing, and nothing of that call was sent."""

    async def scenario() -> None:
        bench = Bench(_forever, max_in_flight=1)
        first = asyncio.create_task(bench.send())
        await asyncio.sleep(0)
        seconds, error = await _elapsed(bench.fail(WRITE, deadline=5.0))
        assert seconds == pytest.approx(5.0)
        assert not error.outcome_unknown
        assert bench.attempts == 1
        await _cancel(first)

    run_in_virtual_time(scenario())


def test_a_deadline_in_back_off_knows_what_never_left() -> None:
    """A write whose every attempt certainly never left is not in doubt when the deadline ends its sleep."""

    async def scenario() -> None:
        bench = Bench(NEVER_SENT, sleep=asyncio.sleep, random=lambda: 0.999)
        _, error = await _elapsed(bench.fail(WRITE, deadline=0.25))
        assert isinstance(error, DeadlineExceededError)
        assert bench.attempts == 1
        assert not error.outcome_unknown

    run_in_virtual_time(scenario())


def test_a_deadline_while_a_429_is_waited_out_knows_that_nothing_was_done() -> None:
    """A refused write was not carried out, so its outcome is known."""

    async def scenario() -> None:
        bench = Bench(REFUSED, limiter=RateLimiter(120, 60.0), sleep=asyncio.sleep)
        _, error = await _elapsed(bench.fail(WRITE, deadline=0.2))
        assert not error.outcome_unknown
        assert isinstance(error, DeadlineExceededError | RateLimitError)

    run_in_virtual_time(scenario())


def test_a_time_out_of_an_attempt_is_not_the_deadline() -> None:
    """RequestTimeoutError is a TimeoutError too, and passes a deadline that has not come unchanged."""

    async def scenario() -> None:
        error = await Bench(SILENT).fail(deadline=100.0)
        assert isinstance(error, RequestTimeoutError)

    run_in_virtual_time(scenario())


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("patience", [{"deadline": 5.0}, {"max_wait": 5.0}], ids=["deadline", "max_wait"])
def test_retry_after_beyond_the_callers_patience_is_raised_at_once(
    status: int, patience: dict[str, Any]
) -> None:
    """There is no point in sleeping through the deadline; a job queue reads `retry_after` and reschedules."""

    async def scenario() -> None:
        bench = Bench(reply(status, b"", retry_after="60"), sleep=asyncio.sleep)
        seconds, error = await _elapsed(bench.fail(**patience))
        assert isinstance(error, RateLimitError if status == 429 else ServerError)
        assert (seconds, bench.attempts) == (0.0, 1)
        if isinstance(error, RateLimitError):
            assert error.retry_after == 60.0

    run_in_virtual_time(scenario())


def test_retry_after_within_the_callers_patience_is_waited_out() -> None:
    """A deadline that leaves room for the server's wait is no reason to give up."""

    async def scenario() -> None:
        bench = Bench(reply(429, b"", retry_after="4"), OK, sleep=asyncio.sleep)
        assert await bench.send(deadline=5.0) == {"id": 7}
        bench = Bench(reply(429, b"", retry_after="5"), OK, sleep=asyncio.sleep, random=lambda: 0.0)
        assert await bench.send(max_wait=5.0) == {"id": 7}

    run_in_virtual_time(scenario())


def test_a_limiter_too_raises_a_429_beyond_the_deadline_at_once() -> None:
    """With the account's limiter a Retry-After beyond the deadline is a RateLimitError at once."""

    async def scenario() -> None:
        bench = Bench(reply(429, b"", retry_after="60"), limiter=RateLimiter(), sleep=asyncio.sleep)
        seconds, error = await _elapsed(bench.fail(deadline=5.0))
        assert isinstance(error, RateLimitError)
        assert error.retry_after is not None
        assert error.retry_after >= 60.0
        assert (seconds, bench.attempts) == (0.0, 1)
        assert not error.refused
        assert str(error) == "429: GET /customers/7"

    run_in_virtual_time(scenario())


def test_max_wait_refuses_before_anything_is_sent() -> None:
    """A line that is longer than the patience is no line to stand in: refused at once, and told why."""

    async def scenario() -> None:
        bench = Bench(OK, limiter=RateLimiter(1, 60.0), sleep=asyncio.sleep)
        await bench.send()
        seconds, error = await _elapsed(bench.fail(max_wait=2.0))
        assert isinstance(error, RateLimitError)
        assert (error.status, error.code, error.errors, error.attempts) == (429, None, (), 0)
        assert (error.method, error.path) == ("GET", "/customers/7")
        assert error.retry_after is not None
        assert 50.0 < error.retry_after < 70.0
        assert (seconds, bench.attempts) == (0.0, 1)
        assert error.__context__ is None
        assert str(error) == (
            f"GET /customers/7 not sent: the next slot is in {error.retry_after:.1f} s, max_wait is 2 s"
        )

    run_in_virtual_time(scenario())


def test_max_wait_holds_for_a_429_too() -> None:
    """A caller with two seconds does not stand behind a gate that is closed for a minute."""

    async def scenario() -> None:
        bench = Bench(reply(429, b"", retry_after="60"), limiter=RateLimiter(), sleep=asyncio.sleep)
        seconds, error = await _elapsed(bench.fail(max_wait=2.0))
        assert isinstance(error, RateLimitError)
        assert error.retry_after is not None
        assert error.retry_after >= 60.0
        assert (seconds, bench.attempts) == (0.0, 1)

    run_in_virtual_time(scenario())


def test_a_gate_that_never_opens_is_told_in_the_end() -> None:
    """By default nobody waits for ever: after five periods without one call let through there is an error."""

    async def scenario() -> None:
        bench = Bench(REFUSED, limiter=RateLimiter(120, 60.0), sleep=asyncio.sleep)
        seconds, error = await _elapsed(bench.fail())
        assert isinstance(error, RateLimitError)
        assert 240.0 <= seconds <= 400.0
        assert error.attempts == bench.attempts
        assert str(error).startswith(
            "GET /customers/7 not sent again: nothing has got through for too long to wait on"
        )

    run_in_virtual_time(scenario())


class Refusing:
    """A limiter that expects the next slot in so many seconds, and refuses."""

    paces = True

    def __init__(self, expected: float | None) -> None:
        self.expected = expected

    async def turn(
        self, priority: Priority = "interactive", max_wait: float | None = None, **job: Any
    ) -> Turn:
        raise TurnRefusedError(self.expected)


@pytest.mark.parametrize(
    ("expected", "max_wait", "reason"),
    [
        (30.71, 0.5, "the next slot is in 30.7 s, max_wait is 0.5 s"),
        (0.0625, 0.0, "the next slot is in 0.062 s, max_wait is 0 s"),
        (2.0, 5.0, "no slot came in time, the next is in 2.0 s, max_wait is 5 s"),
        (None, 5.0, "no slot came in time, max_wait is 5 s"),
        (9.0, None, "nothing has got through for too long to wait on, the next slot is in 9.0 s"),
        (None, None, "nothing has got through for too long to wait on"),
    ],
)
async def test_a_refusal_says_that_nothing_was_sent(
    expected: float | None, max_wait: float | None, reason: str
) -> None:
    """When the next slot is expected, and which option to change; not that HelpCrunch said 429."""
    bench = Bench(OK, limiter=Refusing(expected))
    error = await bench.fail(max_wait=max_wait)
    assert isinstance(error, RateLimitError)
    assert (error.refused, error.retry_after, error.attempts, bench.attempts) == (True, expected, 0, 0)
    assert error.message == f"not sent: {reason}"
    assert str(error) == f"GET /customers/7 not sent: {reason}"


@pytest.mark.parametrize("body", [{"x": float("nan")}, {"x": object()}], ids=["nan", "object"])
async def test_a_body_without_a_json_form_is_refused(body: Any) -> None:
    """It is the caller's mistake, and nothing is sent."""
    bench = Bench(OK)
    with pytest.raises((TypeError, ValueError)):
        await bench.send(Request("POST", "customers", "customers", repeatable=False, body=body))
    assert bench.attempts == 0


async def test_a_body_without_a_json_form_keeps_no_turn() -> None:
    """A turn that could not be used is given back."""
    line = Line()
    bench = Bench(OK, limiter=line)
    with pytest.raises(ValueError, match="JSON"):
        await bench.send(Request("POST", "x", "x", repeatable=False, body={"x": float("inf")}))
    assert line.in_use == 0


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        ({"attempts": 0}, ValueError),
        ({"attempts": -1}, ValueError),
        ({"attempts": True}, TypeError),
        ({"attempts": 2.0}, TypeError),
        ({"attempts": "4"}, TypeError),
        ({"attempts": None}, TypeError),
        ({"max_backoff": -0.1}, ValueError),
        ({"max_backoff": float("inf")}, ValueError),
        ({"max_backoff": float("nan")}, ValueError),
        ({"max_backoff": "8"}, TypeError),
        ({"max_backoff": True}, TypeError),
        ({"wait_out_429": "no"}, TypeError),
        ({"wait_out_429": None}, TypeError),
    ],
    ids=str,
)
def test_a_policy_refuses_nonsense(arguments: dict[str, Any], kind: type[Exception]) -> None:
    """A policy that cannot work is refused when it is written, naming what is wrong."""
    with pytest.raises(kind, match=rf"^{next(iter(arguments))} is "):
        RetryPolicy(**arguments)


def test_a_policy_is_a_value() -> None:
    """It compares, hashes and cannot be changed."""
    assert RetryPolicy(attempts=4, max_backoff=8.0) == RetryPolicy()
    assert hash(RetryPolicy()) == hash(RetryPolicy())
    assert NO_RETRY.attempts == 1
    with pytest.raises(AttributeError):
        RetryPolicy().attempts = 5  # type: ignore[misc]
