"""Every id in is accounted for exactly once, under every server that we fear. No real time passes."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from itertools import accumulate
from random import Random
from typing import Any
from urllib.parse import urlsplit

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st

from helpcrunch_async import Customer, HelpCrunchError, NotFoundError, RateLimiter, RetryPolicy, from_dict
from helpcrunch_async.bulk.account import AccountMemory
from helpcrunch_async.bulk.lookup import CustomerLookup
from helpcrunch_async.endpoints import UPDATE_CUSTOMER
from helpcrunch_async.errors import ConnectionFailedError, RateLimitError
from helpcrunch_async.protocol import Reply
from helpcrunch_async.redaction import RedactedBytes
from helpcrunch_async.requester import CallOptions, Requester
from helpcrunch_async.testing import FixedWindow, SearchBehaviour, run_in_virtual_time
from helpcrunch_async.testing.account import Account
from helpcrunch_async.testing.customers import CustomerBook
from helpcrunch_async.testing.resources import ROUTER
from helpcrunch_async.testing.routing import Call

KNOWN = range(1, 251)
BULK = CallOptions(RetryPolicy(), 30.0, None, None, "bulk")
INTERACTIVE = CallOptions(RetryPolicy(), 30.0, None, None, "interactive")

BEHAVIOURS = st.builds(
    SearchBehaviour,
    max_filters=st.sampled_from([None, None, 0, 1, 7, 60]),
    ignores_filter=st.booleans(),
    answers_half=st.booleans(),
    reverses=st.booleans(),
    stale_ids=st.sets(st.sampled_from(KNOWN), max_size=5),
    lag=st.sampled_from([0.0, 0.0, 3.0, 100.0]),
    missing_keys=st.sampled_from([(), (), ("device",), ("location.city", "tags.color"), ("customData",)]),
    heals_after=st.sampled_from([None, None, 1, 2]),
)
IDS = st.builds(
    lambda count, seed: Random(seed).choices(range(1, 301), k=count), st.integers(0, 400), st.integers(0, 999)
)


def row_of(customer_id: int) -> dict[str, Any]:
    """Spell out a customer as every answer must show it."""
    return {
        "id": customer_id,
        "name": f"Customer {customer_id}",
        "email": None,
        "userId": f"u{customer_id}",
        "unsubscribed": False,
        "blocked": False,
        "location": {"city": "Munich", "countryCode": "DE", "regionCode": "BY"},
        "device": {"id": customer_id, "ip": "127.0.0.1"},
        "tags": [{"name": "vip", "color": "red"}],
        "customData": {"Plan": "Pro", "Seats": customer_id},
    }


class FearedServer:
    """The fake server's own endpoints behind a rate rule and a connection that breaks now and then."""

    def __init__(self, behaviour: SearchBehaviour, seed: int, broken: float) -> None:
        # whoever looks at the wall clock does so inside of the loop
        book = CustomerBook(map(row_of, KNOWN), "new", lambda: asyncio.get_running_loop().time())
        self.account = Account("new", book, behaviour, wall_clock=lambda: asyncio.get_running_loop().time())
        self.rule = FixedWindow(100, 60.0)
        self.random = Random(seed)
        self.broken = broken

    async def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: RedactedBytes | None,
        timeout: float,  # noqa: ASYNC109 - the transport's interface
    ) -> Reply:
        await asyncio.sleep(0.2 * self.random.random())
        if self.random.random() < self.broken:
            raise ConnectionFailedError("broken on purpose")
        if self.rule.hit(asyncio.get_running_loop().time()) is not None:
            return Reply(429, {}, b"")
        answer = ROUTER.answer(
            self.account, Call(method, urlsplit(url).path, {}, body.expose() if body else b"")
        )
        return Reply(answer.status, answer.headers, answer.body)

    def requester(self) -> Requester:
        return Requester(
            self,
            "https://api.example",
            RateLimiter(random=self.random.random),
            max_in_flight=100,
            random=self.random.random,
        )


def is_right(wanted: int, outcome: Customer | BaseException | None, *, broken: bool) -> bool:
    """Tell whether an id was answered by its own customer, its own 404, or the connection's failure."""
    if isinstance(outcome, Customer):
        return outcome == from_dict(Customer, row_of(wanted)) and wanted in KNOWN
    if isinstance(outcome, NotFoundError):
        return outcome.path == f"/customers/{wanted}" and wanted not in KNOWN
    return broken and isinstance(outcome, ConnectionFailedError)


@given(IDS, BEHAVIOURS, st.integers(0, 99), st.sampled_from([0.0, 0.0, 0.15]), st.booleans())
@settings(max_examples=3 * settings().max_examples // 5)
def test_a_stream_answers_each_id_as_often_as_it_was_given(
    ids: list[int],
    behaviour: SearchBehaviour,
    seed: int,
    broken: float,
    batch: bool,  # noqa: FBT001 - drawn by hypothesis
) -> None:
    """Whatever search does, and however often the connection breaks."""

    async def main() -> None:
        server = FearedServer(behaviour, seed, broken)
        lookup = CustomerLookup(server.requester(), BULK, AccountMemory(), batch=batch)
        answered: Counter[int] = Counter()
        async for result in lookup.stream(ids, set()):
            assert (result.customer is None) != (result.error is None)
            assert is_right(result.id, result.customer or result.error, broken=broken > 0)
            answered[result.id] += 1
        assert answered == Counter(ids)
        assert len(asyncio.all_tasks()) == 1

    run_in_virtual_time(main())


@given(IDS, BEHAVIOURS, st.integers(0, 99), st.sets(st.integers(0, 259), max_size=40))
@settings(max_examples=3 * settings().max_examples // 5)
def test_folded_callers_are_each_answered_once_and_cancelled_ones_touch_nobody(
    ids: list[int], behaviour: SearchBehaviour, seed: int, cancelled: set[int]
) -> None:
    """Callers come at random moments, some leave again, and all others get what is theirs."""

    async def main() -> None:
        server = FearedServer(behaviour, seed, 0.0)
        lookup = CustomerLookup(server.requester(), INTERACTIVE, AccountMemory(), batch=True)

        async def call(customer_id: int) -> Customer | HelpCrunchError:
            await asyncio.sleep(3 * server.random.random())
            try:
                return await lookup.get(customer_id)
            except HelpCrunchError as error:
                return error

        calls = [asyncio.create_task(call(each)) for each in ids]
        for place in cancelled & set(range(len(ids))):
            asyncio.get_running_loop().call_later(4 * server.random.random(), calls[place].cancel)
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        for place, (wanted, outcome) in enumerate(zip(ids, outcomes, strict=True)):
            if isinstance(outcome, asyncio.CancelledError):
                assert place in cancelled
            else:
                assert is_right(wanted, outcome, broken=False)
        await lookup.close()
        assert len(asyncio.all_tasks()) == 1

    run_in_virtual_time(main())


@given(
    st.lists(st.tuples(st.integers(1, 12), st.floats(0, 20)), max_size=15),
    st.lists(st.tuples(st.integers(1, 12), st.floats(0, 20), st.sampled_from([None, 0.0, 5.0])), max_size=40),
    BEHAVIOURS,
    st.integers(0, 99),
)
@settings(max_examples=3 * settings().max_examples // 5)
def test_no_reader_misses_what_was_written_before(
    changes: list[tuple[int, float]],
    reads: list[tuple[int, float, float | None]],
    behaviour: SearchBehaviour,
    seed: int,
) -> None:
    """Whatever search does, and however readers and writers mix; one with a `max_wait` may be refused."""

    async def main() -> None:
        server, memory = FearedServer(behaviour, seed, 0.0), AccountMemory()
        requester, written = server.requester(), dict.fromkeys(range(1, 13), 0)
        lookup = CustomerLookup(requester, INTERACTIVE, memory, batch=True)

        async def change(number: int, customer_id: int, at: float) -> None:
            await asyncio.sleep(at)
            body = {"company": str(number)}
            with memory.writes.writing({customer_id: body}) as answered:
                reply = await requester.send(UPDATE_CUSTOMER.request(customer_id, body=body), INTERACTIVE)
                answered.append(from_dict(Customer, reply))
            written[customer_id] = number

        async def read(customer_id: int, at: float, max_wait: float | None) -> None:
            await asyncio.sleep(at)
            must = written[customer_id]
            try:
                customer = await lookup.get(customer_id, max_wait)
            except RateLimitError:
                assert max_wait is not None
            else:
                assert int(customer.company or 0) >= must
                assert attrs.evolve(customer, company=None) == from_dict(Customer, row_of(customer_id))

        # each a second after the one before, at least: so they reach the server in their order
        begin = accumulate((at for _, at in changes), lambda last, at: last + 1 + at / 10)
        writers = [
            change(number, customer_id, at)
            for number, ((customer_id, _), at) in enumerate(zip(changes, begin, strict=True), 1)
        ]
        await asyncio.gather(*writers, *(read(*each) for each in reads))
        await lookup.close()
        assert len(asyncio.all_tasks()) == 1

    run_in_virtual_time(main())
