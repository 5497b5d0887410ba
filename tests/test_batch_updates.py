"""Updates of many customers: tens, in order, and an outcome for each whatever happens."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any, Final

import pytest
from aioresponses import CallbackResult, aioresponses
from api_calls.call import BASE_URL
from attrs import define, field
from hypothesis import given
from hypothesis import strategies as st

from helpcrunch_async import (
    NO_RETRY,
    UNLIMITED,
    AuthenticationError,
    BadRequestError,
    BatchOutcome,
    ClientClosedError,
    Customer,
    CustomerUpdate,
    DeadlineExceededError,
    DecodeError,
    HelpCrunchClient,
    HelpCrunchError,
    NotFoundError,
    PermissionDeniedError,
    Priority,
    RateLimitError,
    ServerError,
)
from helpcrunch_async.batch import update_in_batches
from helpcrunch_async.protocol import JSON, Request
from helpcrunch_async.requester import CallOptions
from helpcrunch_async.retry import RetryPolicy
from helpcrunch_async.testing import run_in_virtual_time

URL: Final = f"{BASE_URL}/customers/batch"
Answer = Callable[[list[int]], CallbackResult]


def answer(status: int = 200, payload: Any = None, body: str = "") -> CallbackResult:
    return CallbackResult(status=status, body=body if payload is None else json.dumps(payload))


def done(ids: list[int]) -> CallbackResult:
    """The documented guess: the customers, as a list."""
    return answer(payload=[{"id": each} for each in ids])


@define
class Server:
    """Answers batches, and remembers the ids of each."""

    reply: Answer = done
    batches: list[list[int]] = field(factory=list)
    bodies: list[Any] = field(factory=list)

    def __call__(self, _: object, **sent: Any) -> CallbackResult:
        self.bodies.append(json.loads(sent["data"]))
        self.batches.append([item["customer"] for item in self.bodies[-1]])
        return self.reply(self.batches[-1])


@pytest.fixture
def server(mocked: aioresponses) -> Server:
    server = Server()
    mocked.put(URL, callback=server, repeat=True)
    return server


def client_of(**options: Any) -> HelpCrunchClient:
    return HelpCrunchClient("s3cret", rate_limiter=UNLIMITED, **{"retry": NO_RETRY, **options})


def updates_of(ids: Sequence[int]) -> list[CustomerUpdate]:
    return [{"customer": each, "notes": f"{index}"} for index, each in enumerate(ids)]


async def update(ids: Sequence[int], **options: Any) -> list[BatchOutcome]:
    async with client_of(**options) as client:
        return await client.batch_update_customers(updates_of(ids))


def kinds_of(outcomes: list[BatchOutcome]) -> list[type[HelpCrunchError] | None]:
    return [None if each.error is None else type(each.error) for each in outcomes]


def accepted(ids: Sequence[int]) -> list[BatchOutcome]:
    return [BatchOutcome(each, Customer(each), None) for each in ids]


# Tens, in order


@pytest.mark.parametrize(
    ("count", "sizes"),
    [(1, [1]), (9, [9]), (10, [10]), (11, [10, 1]), (20, [10, 10]), (25, [10, 10, 5]), (100, [10] * 10)],
)
async def test_tens(server: Server, count: int, sizes: list[int]) -> None:
    """Ten is the documented most; every customer has an outcome, in the order given."""
    ids = list(range(count, 0, -1))
    assert accepted(ids) == await update(ids)
    assert sizes == [len(batch) for batch in server.batches]
    assert ids == [each for batch in server.batches for each in batch]


@pytest.mark.parametrize("empty", [[], (), iter(()), {}.values()], ids=lambda each: type(each).__name__)
async def test_no_updates_cost_no_request(server: Server, empty: Any) -> None:
    """Nothing in, nothing out, nothing sent."""
    async with client_of() as client:
        assert await client.batch_update_customers(empty) == []
    assert server.batches == []


async def test_updates_of_any_kind_of_source(server: Server) -> None:
    """A generator, sync or async, is read once."""

    def some() -> Iterator[CustomerUpdate]:
        yield from updates_of(range(1, 13))

    async def others() -> AsyncIterator[CustomerUpdate]:
        for each in updates_of(range(21, 33)):
            await asyncio.sleep(0)
            yield each

    async with client_of() as client:
        assert accepted(range(1, 13)) == await client.batch_update_customers(some())
        assert accepted(range(21, 33)) == await client.batch_update_customers(others())
    assert [len(batch) for batch in server.batches] == [10, 2, 10, 2]


@pytest.mark.parametrize(
    ("ids", "batches"),
    [
        ([7, 7], [[7], [7]]),
        ([7, 8, 7], [[7, 8], [7]]),
        ([7, 8, 8, 7], [[7, 8], [8, 7]]),
        ([1, 2, 3, 1, 2, 3], [[1, 2, 3], [1, 2, 3]]),
        ([*range(1, 11), 1], [[*range(1, 11)], [1]]),
        ([*range(1, 10), 9, *range(10, 19), 20], [[*range(1, 10)], [*range(9, 19)], [20]]),
    ],
    ids=str,
)
async def test_one_customer_is_never_twice_in_a_batch(
    server: Server, ids: list[int], batches: list[list[int]]
) -> None:
    """Which of two updates in one batch would win is not known; of two batches it is the later."""
    assert ids == [outcome.id for outcome in await update(ids)]
    assert batches == server.batches
    assert [f"{index}" for index in range(len(ids))] == [
        item["notes"] for body in server.bodies for item in body
    ]


class Recorder:
    """Stands for the request layer, and takes everything."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.bodies: list[Any] = []

    async def send(self, request: Request, _: CallOptions, *, expected: int) -> JSON:
        self.bodies.append(request.body)
        await asyncio.sleep(self.seconds)
        return None


@given(st.lists(st.integers(1, 30), max_size=80))
def test_batches_of_whatever_comes(ids: list[int]) -> None:
    """At most ten, no customer twice in one, nothing lost, nothing moved, and no batch too many."""
    recorder: Any = Recorder()
    items = [{"customer": each, "notes": str(index)} for index, each in enumerate(ids)]
    options = CallOptions(NO_RETRY, 1.0, None, None, "bulk")
    outcomes = asyncio.run(update_in_batches(recorder, options, items))
    assert [BatchOutcome(each, None, None) for each in ids] == outcomes
    assert items == [item for body in recorder.bodies for item in body]
    for body in recorder.bodies:
        sent = [item["customer"] for item in body]
        assert 1 <= len(sent) == len(set(sent)) <= 10
    for body, after in zip(recorder.bodies, recorder.bodies[1:], strict=False):
        assert len(body) == 10 or after[0]["customer"] in [item["customer"] for item in body]


# What a batch is answered with


@pytest.mark.parametrize(
    ("payload", "shown"),
    [
        ([{"id": 7}, {"id": 8}], [7, 8]),
        ([{"id": 8}, {"id": 7}], [7, 8]),
        ({"data": [{"id": 7}, {"id": 8}], "total": 2}, [7, 8]),
        ({"data": []}, []),
        ([], []),
        ([{"id": 8}], [8]),
        ([{"id": 7}, {"id": 99}], [7]),
        ([{"id": "7"}, {"id": 8}], [7, 8]),
        ([None, "Ok", {"id": 8}, {"id": 0}, {"name": 5}], [8]),
        ({"data": "Ok"}, []),
        ({"updated": 2}, []),
        ("Ok", []),
        (2, []),
        (True, []),
    ],
    ids=str,
)
async def test_an_accepted_batch(server: Server, payload: Any, shown: list[int]) -> None:
    """What it answers is not documented: the customers it shows are given, and a 2xx is a yes for all."""
    server.reply = lambda _: answer(payload=payload)
    expected = [BatchOutcome(each, Customer(each) if each in shown else None, None) for each in (7, 8)]
    assert expected == await update([7, 8])
    assert server.batches == [[7, 8]]


@pytest.mark.parametrize(("status", "body"), [(200, "Ok"), (200, ""), (204, ""), (200, "null"), (201, "OK")])
async def test_a_batch_that_is_accepted_in_a_word(server: Server, status: int, body: str) -> None:
    """As deletions are."""
    server.reply = lambda _: answer(status, body=body)
    assert [BatchOutcome(7, None, None), BatchOutcome(8, None, None)] == await update([7, 8])


async def test_an_answer_that_is_no_json(server: Server) -> None:
    """Something in between answered: whether the updates were made is not known. Told, not raised."""
    server.reply = lambda _: answer(body="<html>busy</html>")
    outcomes = await update([7, 8])
    assert [DecodeError, DecodeError] == kinds_of(outcomes)


# What is refused


def refusing(*bad: int, status: int = 400) -> Answer:
    """Refuse every batch that has one of these in it."""
    return lambda ids: answer(status, body="no") if set(bad) & set(ids) else done(ids)


@pytest.mark.parametrize(("status", "kind"), [(400, BadRequestError), (404, NotFoundError)])
async def test_a_refused_batch_is_taken_apart(
    server: Server, status: int, kind: type[HelpCrunchError]
) -> None:
    """The bad update has the error, the good ones are made; other batches stay whole."""
    server.reply = refusing(14, 17, status=status)
    ids = list(range(1, 26))
    outcomes = await update(ids)
    assert ids == [outcome.id for outcome in outcomes]
    assert {14: kind, 17: kind} == {each.id: type(each.error) for each in outcomes if each.error is not None}
    assert [each for each in ids if each not in {14, 17}] == [
        outcome.customer.id for outcome in outcomes if outcome.customer is not None
    ]
    singles = [[each] for each in range(11, 21)]
    assert [[*range(1, 11)], [*range(11, 21)], *singles, [*range(21, 26)]] == server.batches


async def test_an_update_alone_that_is_refused_is_not_sent_again(server: Server) -> None:
    """There is nothing to take apart."""
    server.reply = refusing(7)
    assert [BadRequestError] == kinds_of(await update([7]))
    assert server.batches == [[7]]


@pytest.mark.parametrize(
    ("status", "kind"), [(401, AuthenticationError), (403, PermissionDeniedError)], ids=["401", "403"]
)
async def test_a_key_that_does_not_fit_ends_it(
    server: Server, status: int, kind: type[HelpCrunchError]
) -> None:
    """Later batches would meet the same: they are not sent, and say so without doubt."""
    server.reply = lambda ids: answer(status, body="no") if 11 in ids else done(ids)
    outcomes = await update(range(1, 31))
    assert [None] * 10 + [kind] * 20 == kinds_of(outcomes)
    assert list(range(1, 31)) == [outcome.id for outcome in outcomes]
    assert not any(outcome.error.outcome_unknown for outcome in outcomes if outcome.error is not None)
    assert server.batches == [[*range(1, 11)], [*range(11, 21)]]


async def test_a_key_that_is_withdrawn_ends_it_in_the_middle_of_a_batch(server: Server) -> None:
    """Also of one that is being taken apart."""
    server.reply = lambda ids: answer(400 if len(ids) > 1 else 401, body="no") if 3 in ids else done(ids)
    assert [None, None, *[AuthenticationError] * 13] == kinds_of(await update(range(1, 16)))
    assert server.batches == [[*range(1, 11)], [1], [2], [3]]


@pytest.mark.parametrize(("status", "kind"), [(503, ServerError), (429, RateLimitError)], ids=["503", "429"])
async def test_what_passes_does_not_end_it(server: Server, status: int, kind: type[HelpCrunchError]) -> None:
    """One batch fails as a whole, and is not taken apart; the others are sent."""
    server.reply = lambda ids: answer(status) if 11 in ids else done(ids)
    assert [None] * 10 + [kind] * 10 + [None] * 5 == kinds_of(await update(range(1, 26)))
    assert [len(batch) for batch in server.batches] == [10, 10, 5]


async def test_a_batch_is_sent_again_as_any_update_is(server: Server) -> None:
    """It does the same twice."""
    statuses = [503, 200]
    server.reply = lambda ids: answer(503) if statuses.pop(0) == 503 else done(ids)
    assert accepted([7, 8]) == await update([7, 8], retry=RetryPolicy(max_backoff=0.0))
    assert server.batches == [[7, 8], [7, 8]]


# Its end


def test_updates_share_one_deadline(mocked: aioresponses) -> None:
    """When it passes, the batch under way and all later ones have it as their error; nothing is raised."""

    async def slow(_: object, **sent: Any) -> CallbackResult:
        await asyncio.sleep(1.0)
        return done([item["customer"] for item in json.loads(sent["data"])])

    mocked.put(URL, callback=slow, repeat=True)
    outcomes = run_in_virtual_time(update(range(1, 46), deadline=2.5))
    assert [None] * 20 + [DeadlineExceededError] * 25 == kinds_of(outcomes)
    assert not any(each.error.outcome_unknown for each in outcomes[30:] if each.error is not None)
    assert sum(map(len, mocked.requests.values())) == 3


def test_a_deadline_that_passes_between_two_batches() -> None:
    """The next one is not sent."""
    recorder: Any = Recorder(seconds=2.0)
    options = CallOptions(NO_RETRY, 30.0, 1.5, None, "bulk")
    items = [{"customer": each, "notes": None} for each in range(1, 26)]
    outcomes = run_in_virtual_time(update_in_batches(recorder, options, items))
    assert [None] * 10 + [DeadlineExceededError] * 15 == kinds_of(outcomes)
    assert not any(each.error.outcome_unknown for each in outcomes if each.error is not None)
    assert [items[:10]] == recorder.bodies


class Failing(Recorder):
    """Fails each time in the same way, and leaves open whether the batch was done."""

    def __init__(self, error: HelpCrunchError) -> None:
        super().__init__()
        self.error = error
        self.error.outcome_unknown = True

    async def send(self, request: Request, _: CallOptions, *, expected: int) -> JSON:
        self.bodies.append(request.body)
        raise self.error


@pytest.mark.parametrize("kind", [DeadlineExceededError, ClientClosedError])
async def test_what_was_not_sent_is_not_in_doubt(kind: type[HelpCrunchError]) -> None:
    """The batch under way may have been done; those behind it certainly were not."""
    failing: Any = Failing(kind("too late"))
    options = CallOptions(NO_RETRY, 30.0, None, None, "bulk")
    items = [{"customer": each, "notes": None} for each in range(1, 26)]
    outcomes = await update_in_batches(failing, options, items)
    assert [kind] * 25 == kinds_of(outcomes)
    doubts = [each.error.outcome_unknown for each in outcomes if each.error is not None]
    assert doubts == [True] * 10 + [False] * 15
    assert [items[:10]] == failing.bodies


async def test_a_client_that_is_closed_meanwhile(mocked: aioresponses) -> None:
    """Told for each, not raised."""
    under_way = asyncio.Event()

    async def hang(_: object, **__: object) -> CallbackResult:
        under_way.set()
        return await asyncio.Future()

    mocked.put(URL, callback=hang, repeat=True)
    client = client_of()
    await client.open()
    task = asyncio.create_task(client.batch_update_customers(updates_of(range(1, 26))))
    await under_way.wait()
    await client.close()
    assert [ClientClosedError] * 25 == kinds_of(await task)
    assert sum(map(len, mocked.requests.values())) == 1


async def test_who_cancels_is_obeyed(mocked: aioresponses) -> None:
    """A cancellation is no outcome."""
    under_way = asyncio.Event()

    async def hang(_: object, **__: object) -> CallbackResult:
        under_way.set()
        return await asyncio.Future()

    mocked.put(URL, callback=hang, repeat=True)
    task = asyncio.create_task(update(range(1, 26)))
    await under_way.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


class Recording:
    """A limiter that lets everybody through, and notes how they came."""

    paces = False

    def __init__(self) -> None:
        self.priorities: list[Priority] = []

    async def turn(
        self, priority: Priority = "interactive", max_wait: float | None = None, **job: Any
    ) -> Any:
        self.priorities.append(priority)
        return await UNLIMITED.turn(priority, max_wait, **job)


async def test_batches_let_others_go_first(server: Server) -> None:
    """They are bulk, unless a view says otherwise."""
    limiter: Any = Recording()
    async with HelpCrunchClient("s3cret", rate_limiter=limiter) as client:
        await client.batch_update_customers(updates_of(range(1, 12)))
        await client.with_options(priority="interactive").batch_update_customers(updates_of([7]))
    assert limiter.priorities == ["bulk", "bulk", "interactive"]
    assert len(server.batches) == 3
