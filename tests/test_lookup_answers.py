"""What a look-up sends for some ids, and what it makes of each answer; no socket and no real time."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any

import pytest
from virtually import in_virtual_time

from helpcrunch_async import (
    UNLIMITED,
    AuthenticationError,
    Customer,
    HelpCrunchError,
    Limiter,
    Lookup,
    NotFoundError,
    RateLimitError,
    RetryPolicy,
    ServerError,
)
from helpcrunch_async.lookup import CustomerLookup, SearchTrust, _Source
from helpcrunch_async.protocol import Reply
from helpcrunch_async.rate_limit import Priority, Turn, TurnRefusedError
from helpcrunch_async.redaction import RedactedBytes
from helpcrunch_async.requester import CallOptions, Requester

BULK = CallOptions(RetryPolicy(attempts=1), 30.0, None, None, "bulk")

Search = Callable[[list[int]], Reply]


def rows(*ids: object) -> Reply:
    """A page of customers."""
    return Reply(200, {}, json.dumps({"data": [{"id": each} for each in ids]}).encode())


def plain(status: int, body: bytes = b"") -> Search:
    """A search that is always answered so."""
    return lambda _: Reply(status, {}, body)


class Server:
    """Knows the customers up to 999, and answers searches as it is told."""

    def __init__(self, search: Search = lambda ids: rows(*ids)) -> None:
        self.search = search
        self.sent: list[int | list[int]] = []  # the id of a GET, the ids of a search
        self.bodies: list[Any] = []

    async def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: RedactedBytes | None,
        timeout: float,  # noqa: ASYNC109 - the transport's interface
    ) -> Reply:
        if method == "GET":
            wanted = int(url.rpartition("/")[2])
            self.sent.append(wanted)
            known = Reply(200, {}, json.dumps({"id": wanted}).encode())
            return known if wanted < 1000 else Reply(404, {}, b"")
        assert url == "https://api.example/customers/search"
        sent = json.loads(body.expose() if body is not None else b"")
        ids = [each["value"] for each in sent["filter"]]
        self.bodies.append(sent)
        self.sent.append(ids)
        return self.search(ids)


def lookup_of(
    server: Server,
    *,
    trust: SearchTrust | None = None,
    batch: bool = True,
    options: CallOptions = BULK,
    limiter: Limiter = UNLIMITED,
) -> CustomerLookup:
    requester = Requester(server, "https://api.example", limiter, max_in_flight=100)
    return CustomerLookup(requester, options, SearchTrust() if trust is None else trust, batch=batch)


async def outcomes(lookup: CustomerLookup, *ids: int) -> list[int | type[BaseException]]:
    """Look ids up together; give the id of each customer that came, or the kind of the error."""
    found = await asyncio.gather(*map(lookup.get, ids), return_exceptions=True)
    return [each.id if isinstance(each, Customer) else type(each) for each in found]


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [each.getMessage() for each in caplog.records if each.levelno == logging.WARNING]


@in_virtual_time
async def test_a_search_has_a_filter_for_each_id() -> None:
    """Any of them, and a page that holds them all."""
    server = Server()
    assert await outcomes(lookup_of(server), 7, 8) == [7, 8]
    assert server.bodies == [
        {
            "comparison": "OR",
            "filter": [
                {"field": "customers.id", "operator": "=", "value": 7},
                {"field": "customers.id", "operator": "=", "value": 8},
            ],
            "limit": 100,
            "offset": 0,
        }
    ]


@pytest.mark.parametrize("ids", [(7, 8, 9), (7,)])
@pytest.mark.parametrize(("batch", "width"), [(False, 100), (True, 1)], ids=["batch=False", "no trust"])
@in_virtual_time
async def test_ids_are_asked_for_one_by_one(ids: tuple[int, ...], batch: bool, width: int) -> None:  # noqa: FBT001 - a row
    """Where the caller wants it, or search is not trusted."""
    server = Server()
    lookup = lookup_of(server, batch=batch, trust=SearchTrust(width))
    assert await outcomes(lookup, *ids) == list(ids)
    assert server.sent == list(ids)


def test_a_refused_width_is_halved(caplog: pytest.LogCaptureFixture) -> None:
    """It never grows again, and at one the searches are over, which is said once."""
    trust, widths = SearchTrust(), []
    for refused in (100, 60, 100, 25, 3, 2, 1):
        trust.narrow(refused)
        widths.append(trust.width)
    assert widths == [50, 30, 30, 12, 1, 1, 1]
    [warning] = warnings(caplog)
    assert "refuses searches by customer id" in warning


def test_trust_is_withdrawn_once(caplog: pytest.LogCaptureFixture) -> None:
    """With the reason, and not again."""
    trust = SearchTrust(2)
    trust.withdraw("one was odd")
    trust.withdraw("one was odd again")
    trust.narrow(2)
    assert trust.width == 1
    assert warnings(caplog) == ["searches by customer id are not used from now on: one was odd"]


@pytest.mark.parametrize("status", [400, 413, 414, 422])
@in_virtual_time
async def test_a_search_that_was_too_much_is_repeated_with_half(status: int) -> None:
    """In the order in which the ids came, as often as need be."""
    server = Server(lambda ids: rows(*ids) if len(ids) < 3 else Reply(status, {}, b""))
    assert await outcomes(lookup_of(server), 1, 2, 3, 4, 5) == [1, 2, 3, 4, 5]
    assert server.sent == [[1, 2, 3, 4, 5], [1, 2], [3, 4], 5]


@pytest.mark.parametrize(
    ("search", "kind"),
    [
        (plain(403), "PermissionDeniedError"),
        (plain(405), "APIError"),
        (plain(200, b"<html>"), "DecodeError"),
        (plain(200, b"7"), "DecodeError"),
        (plain(200, b'{"rows": []}'), "DecodeError"),
        (plain(200, b'{"data": {}}'), "DecodeError"),
    ],
    ids=["403", "405", "no JSON", "no object", "no data", "no list"],
)
@in_virtual_time
async def test_a_search_that_is_no_use_is_replaced_by_single_requests(
    search: Search, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody loses an id by it, and the client does not search again."""
    server, trust = Server(search), SearchTrust()
    lookup = lookup_of(server, trust=trust)
    assert await outcomes(lookup, 1, 2) == [1, 2]
    assert await outcomes(lookup, 4, 5) == [4, 5]
    assert server.sent == [[1, 2], 1, 2, 4, 5]
    [warning] = warnings(caplog)
    assert warning.endswith(f"one was answered with {kind}")


@pytest.mark.parametrize(
    ("status", "kind"), [(401, AuthenticationError), (429, RateLimitError), (500, ServerError)]
)
@in_virtual_time
async def test_an_error_that_is_not_about_searching_is_the_callers(
    status: int, kind: type[HelpCrunchError]
) -> None:
    """Each id meets it, none is asked for again, and search is trusted as before."""
    server, trust = Server(plain(status)), SearchTrust()
    options = CallOptions(RetryPolicy(attempts=1, wait_out_429=False), 30.0, None, None, "bulk")
    assert await outcomes(lookup_of(server, trust=trust, options=options), 1, 2) == [kind, kind]
    assert server.sent == [[1, 2]]
    assert trust.width == 100


@in_virtual_time
async def test_a_single_requests_error_is_the_callers() -> None:
    """It says nothing about searching."""
    trust = SearchTrust()
    server = Server()
    assert await outcomes(lookup_of(server, trust=trust), 1000) == [NotFoundError]
    assert trust.width == 100


@in_virtual_time
async def test_what_a_search_lacks_is_asked_for_alone() -> None:
    """One that exists all the same may be new; a 404 of its own is the last word. Search stays trusted."""
    server, trust = Server(lambda ids: rows(*(each for each in ids if each not in {2, 1001}))), SearchTrust()
    assert await outcomes(lookup_of(server, trust=trust), 1, 2, 1001, 4) == [1, 2, NotFoundError, 4]
    assert server.sent == [[1, 2, 1001, 4], 2, 1001]
    assert trust.width == 100


@in_virtual_time
async def test_a_404_for_a_search_means_that_none_was_found() -> None:
    """By one client's account; so each is asked for alone."""
    server, trust = Server(plain(404)), SearchTrust()
    assert await outcomes(lookup_of(server, trust=trust), 1000, 1001, 1) == [NotFoundError, NotFoundError, 1]
    assert server.sent == [[1000, 1001, 1], 1000, 1001, 1]
    assert trust.width == 100


@in_virtual_time
async def test_a_search_that_lacks_two_customers_is_not_trusted_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Two of one answer are no accident; one of each of two answers may be."""
    trust = SearchTrust()
    lookup = lookup_of(Server(lambda ids: rows(*ids[1:])), trust=trust)
    assert await outcomes(lookup, 1, 2, 3) == [1, 2, 3]
    assert await outcomes(lookup, 4, 5, 6) == [4, 5, 6]
    assert trust.width == 100
    lookup = lookup_of(Server(lambda ids: rows(*ids[2:])), trust=trust)
    assert await outcomes(lookup, 1, 2, 3) == [1, 2, 3]
    assert trust.width == 1
    [warning] = warnings(caplog)
    assert warning.endswith("one did not find customers that exist")


@pytest.mark.parametrize("stranger", [9, "x", True, 1.0, None], ids=repr)
@in_virtual_time
async def test_a_search_that_brings_strangers_is_not_trusted_again(
    stranger: object, caplog: pytest.LogCaptureFixture
) -> None:
    """What it brought of those who were asked for is taken, and the rest asked for alone."""
    server, trust = Server(lambda _: rows(2, stranger, 3)), SearchTrust()
    assert await outcomes(lookup_of(server, trust=trust), 1, 2, 3) == [1, 2, 3]
    assert server.sent == [[1, 2, 3], 1]
    assert trust.width == 1
    [warning] = warnings(caplog)
    assert warning.endswith("one brought customers that were not asked for")


@in_virtual_time
async def test_rows_that_are_no_objects_are_strangers() -> None:
    """They are nobody's."""
    server, trust = Server(plain(200, b'{"data": [{"id": 1}, 2, null, {}]}')), SearchTrust()
    assert await outcomes(lookup_of(server, trust=trust), 1, 2) == [1, 2]
    assert server.sent == [[1, 2], 2]
    assert trust.width == 1


@in_virtual_time
async def test_rows_are_read_tolerantly() -> None:
    """An id in a string is one, and an odd field loses no customer."""
    server = Server(plain(200, b'{"data": [{"id": "1", "email": []}, {"id": 2}]}'))
    assert await outcomes(lookup_of(server), 1, 2) == [1, 2]
    assert server.sent == [[1, 2]]


class Crowd:
    """A limiter that lets nobody through, and counts who waits."""

    paces = True

    def __init__(self) -> None:
        self.waiting = 0

    async def turn(
        self, priority: Priority = "interactive", max_wait: float | None = None, **job: Any
    ) -> Turn:
        self.waiting += 1
        await asyncio.Event().wait()
        raise AssertionError


@pytest.mark.parametrize(
    ("max_wait", "deadline", "waiting"), [(None, None, 100), (5.0, None, 1), (None, 5.0, 1), (5.0, 5.0, 1)]
)
@in_virtual_time
async def test_one_request_stands_in_line_for_a_caller_of_limited_patience(
    max_wait: float | None, deadline: float | None, waiting: int
) -> None:
    """It would lose its ids behind its own siblings; whoever has time keeps a hundred in line."""
    crowd = Crowd()
    options = CallOptions(RetryPolicy(), 30.0, deadline, max_wait, "bulk")
    lookup = lookup_of(Server(), batch=False, options=options, limiter=crowd)
    calls = [asyncio.ensure_future(lookup.get(each)) for each in range(1, 121)]
    for _ in range(5):
        await asyncio.sleep(0)
    assert waiting == crowd.waiting
    assert not lookup.is_idle()
    await lookup.close()
    await asyncio.gather(*calls, return_exceptions=True)
    assert lookup.is_idle()


@in_virtual_time
async def test_a_caller_who_has_waited_long_enough_gets_a_rate_limit_error() -> None:
    """Of the one request that it asked for, which was never sent."""
    lookup = lookup_of(Server(), limiter=Crowd())
    with pytest.raises(RateLimitError) as caught:
        await lookup.get(7, max_wait=0.01)
    assert (caught.value.method, caught.value.path, caught.value.attempts) == ("GET", "/customers/7", 0)
    assert caught.value.__context__ is None
    await lookup.close()


class Refusing(Crowd):
    """A limiter whose line is too long for anybody."""

    async def turn(
        self, priority: Priority = "interactive", max_wait: float | None = None, **job: Any
    ) -> Turn:
        raise TurnRefusedError(9.0)


@in_virtual_time
async def test_a_line_that_is_too_long_is_told_each_caller() -> None:
    """With the seconds after which to come again, and what would have been sent."""
    for width, method in ((100, "POST"), (2, "POST"), (1, "GET")):
        lookup = lookup_of(Server(), limiter=Refusing(), trust=SearchTrust(width))
        errors = await asyncio.gather(lookup.get(7), lookup.get(8), return_exceptions=True)
        told = [(each.retry_after, each.method) for each in errors if isinstance(each, RateLimitError)]
        assert told == [(9.0, method)] * 2


class Answers:
    """Hands out a promise for each id that is wanted."""

    def __init__(self) -> None:
        self.promised: dict[int, asyncio.Future[Customer]] = {}

    def want(self, customer_id: int) -> "asyncio.Future[Customer]":
        self.promised[customer_id] = asyncio.get_running_loop().create_future()
        return self.promised[customer_id]

    def keep(self, *ids: int) -> None:
        for each in ids:
            self.promised[each].set_result(Customer(id=each))


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


@in_virtual_time
async def test_ids_are_pulled_as_results_are_consumed() -> None:
    """Never more in hand than there is room for; some at a time, so that they can share a request."""
    answers = Answers()
    source = _Source(range(1, 12), answers.want, room=4, refill=2)
    await settle()
    assert list(answers.promised) == [1, 2, 3, 4]
    answers.keep(2, 1, 3, 4)
    await settle()
    pulled = []
    for _ in range(4):
        lookup = await source.next()
        assert lookup is not None
        await settle()
        pulled.append((lookup.id, len(answers.promised)))
    assert pulled == [(2, 4), (1, 6), (3, 6), (4, 8)]
    await source.close()


@in_virtual_time
async def test_a_source_ends_after_the_last_answer() -> None:
    """Not with the last id, and not before an answer that is still to come."""
    answers = Answers()
    source = _Source([1, 2], answers.want, room=4, refill=2)
    await settle()
    answers.keep(2)
    assert await source.next() == Lookup(2, answers.promised[2].result(), None)
    last = asyncio.ensure_future(source.next())
    await settle()
    assert not last.done()
    answers.keep(1)
    assert await last == Lookup(1, answers.promised[1].result(), None)
    assert await source.next() is None
    assert await source.next() is None


@in_virtual_time
async def test_a_source_that_ends_while_nothing_is_asked_ends_the_wait() -> None:
    """However late it finds that there are no more ids."""

    async def slow() -> AsyncIterator[int]:
        yield 1
        await asyncio.sleep(60)

    answers = Answers()
    source = _Source(slow(), answers.want, room=4, refill=2)
    await settle()
    answers.keep(1)
    assert await source.next() is not None
    assert await source.next() is None


@in_virtual_time
async def test_an_id_that_comes_twice_is_wanted_once_and_answered_twice() -> None:
    """Unless its answer is there before it comes again."""
    answers = Answers()
    source = _Source([1, 1, 2, 1], answers.want, room=3, refill=1)
    await settle()
    assert list(answers.promised) == [1, 2]
    first = answers.promised[1]
    answers.keep(1)
    found = [await source.next(), await source.next()]
    assert [each.id for each in found if each] == [1, 1]
    await settle()
    assert answers.promised[1] is not first
    answers.keep(1, 2)
    assert {each.id for each in [await source.next(), await source.next()] if each} == {1, 2}
    assert await source.next() is None


@in_virtual_time
async def test_errors_of_ids_are_results_and_those_of_the_work_are_raised() -> None:
    """A 404 is an answer; a bug in between is nobody's answer."""
    answers = Answers()
    source = _Source([1, 2], answers.want, room=3, refill=1)
    await settle()
    missing = NotFoundError("no", 404, None, (), "GET", "/customers/1", 1)
    answers.promised[1].set_exception(missing)
    assert await source.next() == Lookup(1, None, missing)
    answers.promised[2].set_exception(ZeroDivisionError("bug"))
    with pytest.raises(ZeroDivisionError, match="bug"):
        await source.next()
    assert await source.next() is None


@in_virtual_time
async def test_a_sources_own_error_comes_after_all_answers() -> None:
    """Also when it is the ids that are none."""

    def broken() -> Iterator[int]:
        yield 1
        raise OSError("the file ended here")

    async def odd() -> AsyncIterator[int]:
        yield 1
        yield 0

    for ids, kind in ((broken(), OSError), (odd(), ValueError)):
        answers = Answers()
        source = _Source(ids, answers.want, room=3, refill=1)
        await settle()
        answers.keep(1)
        lookup = await source.next()
        assert lookup is not None
        assert lookup.id == 1
        with pytest.raises(kind):
            await source.next()


@in_virtual_time
async def test_closing_a_source_ends_its_pulling() -> None:
    """Wherever it is."""
    pulled = []

    async def endless() -> AsyncIterator[int]:
        while True:
            await asyncio.sleep(0)
            pulled.append(0)
            yield len(pulled)

    source = _Source(endless(), Answers().want, room=1_000_000, refill=1)
    await settle()
    await source.close()
    assert len(asyncio.all_tasks()) == 1
    assert len(pulled) > 0


@pytest.mark.parametrize(("batch", "in_hand"), [(True, 1000), (False, 100)])
@in_virtual_time
async def test_a_stream_has_ten_full_searches_in_hand_or_a_hundred_single_ids(
    batch: bool,  # noqa: FBT001 - a row
    in_hand: int,
) -> None:
    """However many ids there are; while it runs the client can close it, and afterwards need not."""
    pulled, running = [], set[CustomerLookup]()

    def ids() -> Iterator[int]:
        for each in range(1, 5_000):
            pulled.append(each)
            yield each

    lookup = lookup_of(Server(), batch=batch, limiter=Crowd())
    stream = lookup.stream(ids(), running)
    first = asyncio.ensure_future(anext(stream))
    await settle()
    assert len(pulled) == in_hand + 1, "the one that is pulled already waits for room"
    assert running == {lookup}
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    assert running == set()
    assert lookup.is_idle()
    assert len(asyncio.all_tasks()) == 1


@in_virtual_time
async def test_a_stream_brings_each_id_and_ends() -> None:
    """A hundred to a request, those that are missing each by a request of its own."""
    server = Server(lambda ids: rows(*(each for each in ids if each < 1000)))
    running = set[CustomerLookup]()
    ids = [*range(1, 1250), 7]
    found = [each async for each in lookup_of(server).stream(ids, running)]
    assert sorted(each.id for each in found) == sorted(ids)
    assert all((each.customer is None) == (each.id >= 1000) for each in found)
    assert [len(each) for each in server.sent if isinstance(each, list)] == [100] * 12 + [50]
    assert sorted(each for each in server.sent if isinstance(each, int)) == list(range(1000, 1250))
    assert running == set()
