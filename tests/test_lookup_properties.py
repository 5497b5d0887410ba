"""Every id in is accounted for exactly once, under every server that we fear. No real time passes."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from random import Random
from urllib.parse import urlsplit

from hypothesis import given, settings
from hypothesis import strategies as st

from helpcrunch_async import Customer, HelpCrunchError, NotFoundError, RateLimiter, RetryPolicy
from helpcrunch_async.bulk.account import AccountMemory
from helpcrunch_async.bulk.lookup import CustomerLookup
from helpcrunch_async.errors import ConnectionFailedError
from helpcrunch_async.protocol import Reply, check_api_key
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
)
IDS = st.builds(
    lambda count, seed: Random(seed).choices(range(1, 301), k=count), st.integers(0, 400), st.integers(0, 999)
)


class FearedServer:
    """The fake server's own endpoints behind a rate rule and a connection that breaks now and then."""

    def __init__(self, behaviour: SearchBehaviour, seed: int, broken: float) -> None:
        self.account = Account("new", CustomerBook(({"id": each} for each in KNOWN), "new"), behaviour)
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
        return outcome.id == wanted and wanted in KNOWN
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
