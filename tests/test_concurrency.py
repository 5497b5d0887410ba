"""Many calls at once, over real sockets unless only the time matters."""

import asyncio
import json
from collections import Counter
from collections.abc import Mapping

import pytest

from helpcrunch_async import NO_RETRY, UNLIMITED, Customer, HelpCrunchClient, RateLimiter, RetryPolicy
from helpcrunch_async.endpoints import GET_CUSTOMER
from helpcrunch_async.protocol import Reply
from helpcrunch_async.rate_limit import Limiter
from helpcrunch_async.redaction import RedactedBytes
from helpcrunch_async.requester import CallOptions, Requester
from helpcrunch_async.testing import FakeHelpCrunch, FixedWindow, RollingLog, TokenBucket, run_in_virtual_time

OPTIONS = CallOptions(RetryPolicy(), 30.0, None, None, "interactive")


async def ids_of(server: FakeHelpCrunch, count: int) -> list[int]:
    rule, server.rate_rule = server.rate_rule, None
    async with HelpCrunchClient("key", base_url=server.url, rate_limiter=UNLIMITED) as client:
        ids = [customer.id async for customer in client.list_customers(limit=count)]
    server.rate_rule = rule
    server.forget()
    return ids


async def test_five_hundred_gathered_calls_with_429s_between_give_five_hundred_right_answers() -> None:
    """A limit that is lower than told rejects some on the way; every call still gets its own customer."""
    rule = TokenBucket(200, 1.0, 20)
    async with FakeHelpCrunch(500, rate_rule=rule, retry_after=False) as server:
        ids = await ids_of(server, 500)
        limiter = RateLimiter(400, 1.0)
        async with HelpCrunchClient(
            "key", base_url=server.url, rate_limiter=limiter, coalesce=False
        ) as client:
            customers = await asyncio.gather(*map(client.get_customer, ids))
        assert [customer.id for customer in customers] == ids
        assert server.rejected > 0
        assert limiter.statistics.rejected == server.rejected
        assert server.accepted == 500


@pytest.mark.parametrize("limiter", [UNLIMITED, None], ids=["own back-off", "shared gate"])
def test_two_hundred_calls_rate_limited_twice_each_are_all_right(limiter: Limiter | None) -> None:
    """Each call keeps its own retries: none gets another's answer, or none at all."""

    class RejectsTwice:
        def __init__(self) -> None:
            self.seen: Counter[str] = Counter()

        async def send(
            self,
            method: str,
            url: str,
            headers: Mapping[str, str],
            body: RedactedBytes | None,
            timeout: float,  # noqa: ASYNC109 - the transport's interface
        ) -> Reply:
            await asyncio.sleep(0.05)
            self.seen[url] += 1
            if self.seen[url] <= 2:
                return Reply(429, {}, b'{"errors":[{"code":"too_many_requests","message":"slow down"}]}')
            return Reply(200, {}, json.dumps({"id": int(url.rpartition("/")[2])}).encode())

    async def main() -> None:
        transport = RejectsTwice()
        requester = Requester(
            transport,
            "https://api.example/v1",
            limiter if limiter is not None else RateLimiter(),
            max_in_flight=100,
        )
        calls = (requester.send(GET_CUSTOMER.request(each), OPTIONS) for each in range(1, 201))
        assert [answer["id"] for answer in await asyncio.gather(*calls)] == list(range(1, 201))
        assert set(transport.seen.values()) == {3}

    run_in_virtual_time(main())


@pytest.mark.parametrize(
    "where", ["in the queue", "in back-off", "before the answer", "mid-body", "as the probe"]
)
async def test_cancellation_frees_the_turn_and_the_connection(where: str) -> None:
    """Wherever it hits, nothing stays in flight, and the next call is served."""
    async with FakeHelpCrunch(5) as server:
        limiter = RateLimiter(
            2 if where == "in the queue" else 100, 0.5, burst=1 if where == "in the queue" else None
        )
        async with HelpCrunchClient(
            "key", base_url=server.url, rate_limiter=limiter, coalesce=False
        ) as client:
            others: list[asyncio.Task[Customer]] = []
            if where == "in the queue":
                others = [asyncio.create_task(client.get_customer(8737843)) for _ in range(3)]
                await asyncio.sleep(0)
            elif where == "in back-off":
                server.fail_next(1, "503")
                opened = client._shared.open
                assert opened is not None
                opened.requester._random = lambda: 0.9  # hence almost half a second
            elif where == "before the answer":
                server.fail_next(1, "hang")
            elif where == "mid-body":
                server.fail_next(1, "stall_body")
            else:
                server.fail_next(1, "429")
                server.fail_next(1, "hang")
            call = asyncio.create_task(client.get_customer(8737843))
            await asyncio.sleep(0 if where == "in the queue" else 0.1)
            if where == "as the probe":
                while len(server.requests) < 2:  # noqa: ASYNC110 - the server has no event for it
                    await asyncio.sleep(0.01)
            waiting = asyncio.create_task(client.get_customer(8737843))
            await asyncio.sleep(0)
            assert call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            found = await asyncio.gather(waiting, *others)
            assert {customer.id for customer in found} == {8737843}
            assert limiter.statistics.in_flight == limiter.statistics.waiting == 0


async def test_a_429_on_one_call_pauses_its_siblings_too() -> None:
    """After a Retry-After of a second nobody sends for a second, whoever finishes meanwhile."""
    async with FakeHelpCrunch(5, rate_rule=FixedWindow(4, 1.0), retry_after=True) as server:
        async with HelpCrunchClient(
            "key", base_url=server.url, rate_limiter=RateLimiter(100, 1.0), coalesce=False
        ) as client:
            await asyncio.gather(*(client.get_customer(8737843) for _ in range(8)))
        times = [request.time for request in server.requests]
        first_rejected = next(request.time for request in server.requests if request.status == 429)
        on_the_wire = [moment for moment in times if first_rejected < moment < first_rejected + 0.5]
        assert len(on_the_wire) <= 5, "only what was on the wire already"
        assert server.accepted == 8


async def test_clients_of_one_account_share_the_budget_by_default() -> None:
    """A web handler that opens a client per request does not multiply the limit."""
    async with FakeHelpCrunch(5) as server:
        limiters = []
        for _ in range(2):
            async with HelpCrunchClient("key", base_url=server.url) as client:
                await client.get_customer(8737843)
                opened = client._shared.open
                assert opened is not None
                limiters.append(opened.requester._limiter)
        assert limiters[0] is limiters[1]
        assert isinstance(limiters[0], RateLimiter)
        assert limiters[0].statistics.granted == 2


async def test_no_more_requests_are_on_the_wire_than_allowed() -> None:
    """`max_in_flight` bounds the load on a server, also when nothing else does."""
    async with FakeHelpCrunch(5, latency=0.02) as server:
        async with HelpCrunchClient(
            "key", base_url=server.url, rate_limiter=UNLIMITED, max_in_flight=3, coalesce=False
        ) as client:
            most = 0

            async def watch() -> None:
                nonlocal most
                opened = client._shared.open
                while opened is not None:
                    most = max(most, 3 - opened.requester._in_flight._value)
                    await asyncio.sleep(0.005)

            watcher = asyncio.create_task(watch())
            await asyncio.gather(*(client.get_customer(8737843) for _ in range(20)))
            watcher.cancel()
        assert most == 3


async def test_waiting_for_a_place_on_the_wire_is_not_part_of_an_attempt() -> None:
    """`timeout` begins when the request may be sent: a call behind four slow ones has all of it."""
    async with (
        FakeHelpCrunch(5, latency=0.5) as server,
        HelpCrunchClient(
            "key", base_url=server.url, rate_limiter=UNLIMITED, max_in_flight=1, timeout=2.0, retry=NO_RETRY
        ) as client,
    ):
        found = await asyncio.gather(*(client.get_customer(8737843) for _ in range(5)))
    assert [customer.id for customer in found] == [8737843] * 5


async def test_order_is_first_come_first_served() -> None:
    """No call is overtaken by more than the calls in flight."""
    async with FakeHelpCrunch(60, rate_rule=RollingLog(60, 1.0)) as server:
        ids = await ids_of(server, 60)
        async with HelpCrunchClient("key", base_url=server.url, rate_limiter=RateLimiter(40, 1.0)) as client:
            finished: list[int] = []

            async def call(customer_id: int) -> None:
                await client.get_customer(customer_id)
                finished.append(customer_id)

            await asyncio.gather(*map(call, ids))
        assert max(abs(finished.index(each) - place) for place, each in enumerate(ids)) <= 5
