"""Searches prove themselves before their rows are taken: what is compared, when, and what follows from it."""

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from threading import Event as ThreadEvent
from threading import Thread
from typing import Any

import pytest
from virtually import in_virtual_time

from helpcrunch_async import (
    UNLIMITED,
    Customer,
    NotFoundError,
    RetryPolicy,
    ServerError,
    from_dict,
)
from helpcrunch_async.accounts import KEPT_FOR
from helpcrunch_async.bulk.account import AccountMemory, memory_of_account
from helpcrunch_async.bulk.lookup import CustomerLookup
from helpcrunch_async.bulk.proof import SearchTrust, differences
from helpcrunch_async.protocol import Reply
from helpcrunch_async.redaction import RedactedBytes
from helpcrunch_async.requester import CallOptions, Requester

OPTIONS = CallOptions(RetryPolicy(), 30.0, None, None, "interactive")
FULL: dict[str, Any] = {
    "name": "Ada",
    "email": "ada@example.com",
    "userId": "u1",
    "firstSeen": "1600000000",
    "location": {"city": "Munich", "countryCode": "DE"},
    "device": {"id": 3, "ip": "127.0.0.1"},
    "tags": [{"name": "vip", "color": "red"}, {"name": "Paid", "color": "red"}],
    "customData": {"Plan": "Pro", "Seats": 3},
}


class Server:
    """Answers as it is told; every request takes a tenth of a second."""

    def __init__(self) -> None:
        self.sent: list[int | list[int]] = []  # the id of a GET, the ids of a search
        self.on_the_wire = 0
        self.most_on_the_wire = 0
        self.missing: set[int] = set()
        self.row: Callable[[int], dict[str, Any]] = lambda each: {"id": each, **FULL}
        self.search: Callable[[list[int]], list[dict[str, Any]]] = lambda ids: [
            self.row(each) for each in ids
        ]
        self.get: Callable[[int], Reply] = lambda each: self.reply({"id": each, **FULL})

    @staticmethod
    def reply(body: Any, status: int = 200) -> Reply:
        return Reply(status, {}, json.dumps(body).encode())

    async def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: RedactedBytes | None,
        timeout: float,  # noqa: ASYNC109 - the transport's interface
    ) -> Reply:
        asked = int(url.rpartition("/")[2]) if body is None else self._ids(body.expose())
        self.sent.append(asked)
        self.on_the_wire += 1
        self.most_on_the_wire = max(self.most_on_the_wire, self.on_the_wire)
        try:
            await asyncio.sleep(0.1)
            if isinstance(asked, int):
                return self.reply({}, 404) if asked in self.missing else self.get(asked)
            return self.reply({"data": self.search([each for each in asked if each not in self.missing])})
        finally:
            self.on_the_wire -= 1

    @staticmethod
    def _ids(body: bytes) -> list[int]:
        return [each["value"] for each in json.loads(body)["filter"]]


def lookup_of(server: Server, memory: AccountMemory, options: CallOptions = OPTIONS) -> CustomerLookup:
    requester = Requester(server, "https://api.example", UNLIMITED, max_in_flight=1000)
    return CustomerLookup(requester, options, memory, batch=True)


async def outcomes(lookup: CustomerLookup, *ids: int) -> list[int | type[BaseException]]:
    found = await asyncio.gather(*map(lookup.get, ids), return_exceptions=True)
    return [each.id if isinstance(each, Customer) else type(each) for each in found]


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [each.getMessage() for each in caplog.records if each.levelno == logging.WARNING]


def without(*path: str) -> dict[str, Any]:
    """Leave something out of a full row; a number stands for an item of a list."""
    row = json.loads(json.dumps(FULL))
    inner = row
    for step in path[:-1]:
        inner = inner[int(step) if step.isdecimal() else step]
    del inner[path[-1]]
    return {"id": 1, **row}


@in_virtual_time
async def test_one_row_is_also_asked_for_and_the_first_batch_waits_for_it() -> None:
    """The row must agree; then searches are used, many at a time."""
    server, memory = Server(), AccountMemory()
    lookup = lookup_of(server, memory)
    ids = [*range(1, 351)]
    started = asyncio.get_running_loop().time()
    assert await outcomes(lookup, *ids) == ids
    assert [each if isinstance(each, int) else len(each) for each in server.sent] == [100, 1, 100, 100, 50]
    assert asyncio.get_running_loop().time() - started == pytest.approx(0.3)
    assert server.most_on_the_wire == 3
    server.sent.clear()
    assert await outcomes(lookup, 1, 2) == [1, 2]
    assert server.sent == [[1, 2]]


@pytest.mark.parametrize(
    ("row", "lacks"),
    [
        (without("email"), "email"),
        (without("location", "city"), "location.city"),
        (without("device", "ip"), "device.ip"),
        (without("device"), "device"),
        (without("tags", "1", "color"), "tags[].color"),
        (without("customData"), "customData"),
        ({**without("device"), "device": None}, "device.id, device.ip"),
    ],
)
@in_virtual_time
async def test_a_row_with_fewer_keys_is_no_customer(
    row: dict[str, Any], lacks: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Both are asked for once more; then every id is asked for by itself, and the warning names the keys."""
    server, memory = Server(), AccountMemory()
    server.row = lambda each: {**row, "id": each}
    lookup = lookup_of(server, memory)
    assert await outcomes(lookup, 1, 2, 3) == [1, 2, 3]
    assert server.sent == [[1, 2, 3], 1, [1], 1, 1, 2, 3]
    assert await outcomes(lookup, 4, 5) == [4, 5]
    assert server.sent[7:] == [4, 5]
    [warning] = warnings(caplog)
    assert f"a row lacks {lacks}" in warning
    assert "Ada" not in warning


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("name", "Bob"),
        ("email", None),
        ("userId", "u2"),
        ("firstSeen", "1600000001"),
        ("tags", []),
        ("customData", {"Plan": "Free"}),
    ],
)
@in_virtual_time
async def test_a_row_that_says_something_else_is_no_customer(
    key: str, value: object, caplog: pytest.LogCaptureFixture
) -> None:
    """Compared is what was read of it."""
    server, memory = Server(), AccountMemory()
    server.row = lambda each: {"id": each, **FULL, key: value}
    assert await outcomes(lookup_of(server, memory), 1, 2) == [1, 2]
    assert server.sent == [[1, 2], 1, [1], 1, 1, 2]
    assert not memory.trust.is_proved
    [warning] = warnings(caplog)
    assert f"a row differs in {key}" in warning


@in_virtual_time
async def test_another_spelling_is_no_difference() -> None:
    """Moments and custom data come in several; and a row may hold more than GET's."""
    server, memory = Server(), AccountMemory()
    server.row = lambda each: {
        **FULL,
        "id": str(each),
        "firstSeen": 1600000000,
        "customData": [{"property": "Seats", "value": 3}, {"property": "Plan", "value": "Pro"}],
        "tags": [{"name": "vip", "color": "red", "id": 1}, {"name": "Paid", "color": "red"}],
        "more": 1,
    }
    assert await outcomes(lookup_of(server, memory), 1, 2) == [1, 2]
    assert server.sent == [[1, 2], 1]
    assert memory.trust.is_proved


@in_virtual_time
async def test_single_answers_may_be_wrapped() -> None:
    """As they are by some accounts."""
    server, memory = Server(), AccountMemory()
    server.get = lambda each: server.reply({"data": {"id": each, **FULL}})
    assert await outcomes(lookup_of(server, memory), 1, 2) == [1, 2]
    assert server.sent == [[1, 2], 1]


@in_virtual_time
async def test_a_difference_that_is_gone_the_second_time_was_a_change() -> None:
    """Between the search and the GET: so searches are proved, but not the rows that came before."""
    server, memory = Server(), AccountMemory()
    server.row = lambda each: {"id": each, **FULL, "name": "Ada" if len(server.sent) > 2 else "Eve"}
    server.get = lambda each: server.reply({"id": each, **FULL})
    lookup = lookup_of(server, memory)
    assert await outcomes(lookup, 1, 2) == [1, 2]
    assert server.sent == [[1, 2], 1, [1], 1, [1, 2]]
    assert memory.trust.is_proved


@in_virtual_time
async def test_the_row_that_holds_most_is_asked_for() -> None:
    """A customer without tags shows little of what rows may lack."""
    server, memory = Server(), AccountMemory()
    rows = {1: {"id": 1, "tags": []}, 2: {"id": 2, **FULL}, 3: {"id": 3, "name": "Eve"}}
    server.row = lambda each: rows[each]
    await outcomes(lookup_of(server, memory), 1, 2, 3)
    assert server.sent == [[1, 2, 3], 2]


@pytest.mark.parametrize("status", [404, 403, 500, 200])
@in_virtual_time
async def test_a_get_that_fails_proves_nothing(status: int, caplog: pytest.LogCaptureFixture) -> None:
    """Another row is tried, then that batch goes singly; the next search has another chance."""
    server, memory = Server(), AccountMemory()
    server.get = lambda each: (
        server.reply({} if status != 200 else [], status)
        if len(server.sent) < 4
        else server.reply({"id": each, **FULL})
    )
    lookup = lookup_of(server, memory)
    assert await outcomes(lookup, 1, 2, 3) == [1, 2, 3]
    assert server.sent == [[1, 2, 3], 1, 2, 1, 2, 3]
    assert (memory.trust.is_proved, memory.trust.width, warnings(caplog)) == (False, 100, [])
    assert await outcomes(lookup, 4, 5) == [4, 5]
    assert server.sent[6:] == [[4, 5], 4]
    assert memory.trust.is_proved


@in_virtual_time
async def test_the_second_row_may_be_the_proof() -> None:
    """As when the first was deleted meanwhile."""
    server, memory = Server(), AccountMemory()
    server.get = lambda each: server.reply(
        {} if each == 1 else {"id": each, **FULL}, 404 if each == 1 else 200
    )
    assert await outcomes(lookup_of(server, memory), 1, 2, 3) == [1, 2, 3]
    assert server.sent == [[1, 2, 3], 1, 2]


@in_virtual_time
async def test_a_repeated_search_that_finds_nothing_proves_nothing() -> None:
    """The customer may have gone."""
    server, memory = Server(), AccountMemory()
    server.row = lambda each: {"id": each, **FULL, "name": "Eve"}
    search = server.search
    server.search = lambda ids: search(ids) if len(ids) > 1 else []
    assert await outcomes(lookup_of(server, memory), 1, 2) == [1, 2]
    assert server.sent == [[1, 2], 1, [1], 2, [2], 1, 2]
    assert memory.trust.width == 100


@in_virtual_time
async def test_a_search_that_finds_none_proves_nothing() -> None:
    """Each id hears of its own 404; the next search has its chance."""
    server, memory = Server(), AccountMemory()
    server.missing = {1, 2}
    lookup = lookup_of(server, memory)
    assert await outcomes(lookup, 1, 2) == [NotFoundError] * 2
    assert await outcomes(lookup, 3, 4) == [3, 4]
    assert server.sent == [[1, 2], 1, 2, [3, 4], 3]


@in_virtual_time
async def test_rows_of_a_first_search_with_strangers_are_not_taken() -> None:
    """Who ignores the filter may ignore more."""
    server, memory = Server(), AccountMemory()
    server.search = lambda ids: [server.row(each) for each in (*ids, 9)]
    assert await outcomes(lookup_of(server, memory), 1, 2) == [1, 2]
    assert server.sent == [[1, 2], 1, 2]


@in_virtual_time
async def test_a_lone_call_waits_for_no_proof() -> None:
    """It goes by itself, while others wait for what the proof shows."""
    server, memory = Server(), AccountMemory()
    lookup = lookup_of(server, memory)
    others = asyncio.ensure_future(outcomes(lookup, 1, 2))
    await asyncio.sleep(0.05)
    assert await outcomes(lookup, 3) == [3]
    assert server.sent == [[1, 2], 3, 1]
    assert not others.done()
    assert await others == [1, 2]


@in_virtual_time
async def test_the_clients_of_an_account_wait_for_one_proof() -> None:
    """The first search goes alone, whoever's it is; then all go at once."""
    server, memory = Server(), AccountMemory()
    lookups = [lookup_of(server, memory) for _ in range(5)]
    found = await asyncio.gather(*(outcomes(each, 1, 2, 3) for each in lookups))
    assert found == [[1, 2, 3]] * 5
    # each had a request in line: those whose turn comes during the proof ask for one id alone
    assert server.sent == [[1, 2, 3], 1, 1, 1, 1, 1, *[[2, 3]] * 4]
    assert asyncio.get_running_loop().time() == pytest.approx(0.3)


@in_virtual_time
async def test_a_proof_that_takes_long_is_not_waited_for() -> None:
    """After five seconds another search tries."""
    server, memory = Server(), AccountMemory()
    hanging, working = Server(), server

    async def hang(*_: object) -> Reply:
        await asyncio.sleep(1000)
        raise AssertionError

    hanging.send = hang  # type: ignore[assignment, method-assign] # on purpose
    slow = asyncio.ensure_future(outcomes(lookup_of(hanging, memory), 1, 2))
    await asyncio.sleep(1)
    assert await outcomes(lookup_of(working, memory), 3, 4) == [3, 4]
    assert asyncio.get_running_loop().time() == pytest.approx(5.2)
    assert server.sent == [[3, 4], 3]
    slow.cancel()
    await asyncio.gather(slow, return_exceptions=True)
    assert memory.trust.is_proved


@in_virtual_time
async def test_a_cancelled_proof_proves_nothing() -> None:
    """When the callers of the first batch have left, the next batch proves."""
    server, memory = Server(), AccountMemory()
    lookup = lookup_of(server, memory)
    first = asyncio.ensure_future(outcomes(lookup, 1, 2))
    await asyncio.sleep(0.05)
    second = asyncio.ensure_future(outcomes(lookup, 3, 4))
    await asyncio.sleep(0.1)
    assert server.sent == [[1, 2], 1]
    first.cancel()
    assert await second == [3, 4]
    assert server.sent[2:] == [[3, 4], 3]
    assert memory.trust.is_proved


@in_virtual_time
async def test_one_caller_who_leaves_touches_no_other() -> None:
    """Not even the one whose row is being proved."""
    server, memory = Server(), AccountMemory()
    lookup = lookup_of(server, memory)
    calls = [asyncio.ensure_future(lookup.get(each)) for each in (1, 2, 3)]
    await asyncio.sleep(0.15)
    calls[0].cancel()
    found = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(each) for each in found] == [asyncio.CancelledError, Customer, Customer]
    assert server.sent == [[1, 2, 3], 1]


@in_virtual_time
async def test_a_search_that_fails_leaves_the_proof_to_the_next() -> None:
    """Its callers hear of it, nobody else."""
    server, memory = Server(), AccountMemory()
    lookup = lookup_of(server, memory, CallOptions(RetryPolicy(attempts=1), 30.0, None, None, "bulk"))
    send = server.send
    server.send = fail  # type: ignore[assignment, method-assign] # on purpose
    assert await outcomes(lookup, 1, 2) == [ServerError, ServerError]
    server.send = send  # type: ignore[method-assign] # as above
    assert await outcomes(lookup, 1, 2) == [1, 2]
    assert server.sent == [[1, 2], 1]


async def fail(*_: object) -> Reply:
    return Server.reply({}, 503)


@in_virtual_time
async def test_a_proof_holds_for_an_hour() -> None:
    """Then the next search proves anew, while others go on."""
    server, memory = Server(), AccountMemory()
    lookup = lookup_of(server, memory)
    await outcomes(lookup, 1, 2)
    await asyncio.sleep(3599)
    await outcomes(lookup, 1, 2)
    assert server.sent == [[1, 2], 1, [1, 2]]
    await asyncio.sleep(2)
    server.sent.clear()
    ids = [*range(1, 301)]
    assert await outcomes(lookup, *ids) == ids
    assert [each if isinstance(each, int) else len(each) for each in server.sent] == [100, 100, 100, 1]
    server.sent.clear()
    await outcomes(lookup, 1, 2)
    assert server.sent == [[1, 2]]


@in_virtual_time
async def test_a_proof_that_fails_when_renewed_ends_the_searches() -> None:
    """Also for what was on the wire by then."""
    server, memory = Server(), AccountMemory()
    lookup = lookup_of(server, memory)
    await outcomes(lookup, 1, 2)
    await asyncio.sleep(3601)
    server.row = lambda each: {"id": each}
    assert await outcomes(lookup, 1, 2) == [1, 2]
    assert server.sent == [[1, 2], 1, [1, 2], 1, [1], 1, 1, 2]
    assert memory.trust.width == 1


@in_virtual_time
async def test_searches_that_were_given_up_get_another_chance_after_an_hour() -> None:
    """With a proof of their own."""
    server, memory = Server(), AccountMemory()
    lookup = lookup_of(server, memory)
    memory.trust.withdraw("of a test")
    await outcomes(lookup, 1, 2)
    await asyncio.sleep(3600)
    await outcomes(lookup, 1, 2)
    assert server.sent == [1, 2, [1, 2], 1]


@in_virtual_time
async def test_a_proof_is_refused_no_turn_and_has_no_callers_max_wait() -> None:
    """A caller whose id was on the wire is not refused because of it."""

    waits: list[tuple[str, float | None]] = []

    class Recorder:
        paces = True

        async def turn(self, priority: str = "interactive", max_wait: float | None = None) -> Any:
            waits.append((priority, max_wait))
            return UNLIMITED

    server, memory, limiter = Server(), AccountMemory(), Recorder()
    requester = Requester(server, "https://api.example", limiter, max_in_flight=9)
    options = CallOptions(RetryPolicy(), 30.0, None, None, "bulk")
    lookup = CustomerLookup(requester, options, memory, batch=True)
    found = await asyncio.gather(lookup.get(1, 5.0), lookup.get(2, 5.0))
    assert [each.id for each in found] == [1, 2]
    assert waits == [("bulk", 5.0), ("interactive", None)]


def test_a_proof_is_told_to_other_loops() -> None:
    """A client in another thread waits for it like those beside it."""
    told: list[str] = []

    async def wait(trust: SearchTrust, waits: ThreadEvent) -> None:
        done = asyncio.Event()
        assert trust.most_searches(done.set) == 0
        waits.set()
        await asyncio.wait_for(done.wait(), 60)
        told.append(f"may have {trust.most_searches(done.set)}")

    async def main() -> None:
        trust, waits = SearchTrust(), ThreadEvent()
        assert trust.begin_proof()
        assert not trust.begin_proof()
        thread = Thread(target=lambda: asyncio.run(wait(trust, waits)))
        thread.start()
        assert await asyncio.to_thread(waits.wait, 60)
        trust.end_proof(proved=True)
        await asyncio.to_thread(thread.join)

    asyncio.run(main())
    assert told == ["may have inf"]


@in_virtual_time
async def test_a_loop_that_is_gone_is_not_told() -> None:
    """And keeps nobody from being."""
    trust, told = SearchTrust(), []
    assert trust.begin_proof()
    gone = asyncio.new_event_loop()
    gone.close()
    trust._waiting[lambda: told.append("gone")] = gone
    assert trust.most_searches(lambda: told.append("here")) == 0
    trust.end_proof(proved=False)
    await asyncio.sleep(0)
    assert told == ["here"]
    assert trust.most_searches(lambda: None) == 1


@in_virtual_time
async def test_what_is_remembered_of_an_account_is_kept_for_an_hour_after_its_last_client() -> None:
    """However long a client holds it, and by the key's digest."""

    class Holder:
        pass

    holder = Holder()
    memory = memory_of_account("https://a.example", "key")
    assert memory_of_account("https://a.example", "key") is memory
    assert memory_of_account("https://a.example", "other") is not memory
    assert memory_of_account("https://b.example", "key") is not memory
    memory.hold(holder)
    await asyncio.sleep(2 * KEPT_FOR)
    assert memory_of_account("https://a.example", "key") is memory
    memory.let_go(holder)
    await asyncio.sleep(KEPT_FOR - 1)
    assert memory_of_account("https://a.example", "key") is memory
    await asyncio.sleep(1)
    assert memory_of_account("https://a.example", "key") is not memory


def test_a_warning_names_keys_and_nothing_else() -> None:
    """What stands where a key is may be anybody's words; ten are enough."""
    got = {
        "id": 1,
        "ada@example.com": 1,
        "b" * 41: 1,
        "nested": {"two words": 1},
        "list": [{"x": 1}, 2, None],
    }
    customer = from_dict(Customer, {"id": 1})
    assert differences({"id": 1, "nested": {}, "list": [3]}, got, customer, customer) == (
        "a row lacks (another key), nested.(another key), list[].x"
    )
    many = {f"key{each}": 1 for each in range(12)}
    named = ", ".join(f"key{each}" for each in range(10))
    assert differences({}, many, customer, customer) == f"a row lacks {named} and more"
    other = from_dict(Customer, {"id": 2, "name": "Ada"})
    assert differences({}, {}, customer, other) == "a row differs in id, name"
    assert differences({"a": None}, {"a": {"b": 1}}, customer, other) == (
        "a row lacks a.b; a row differs in id, name"
    )
    assert differences({"a": {"customData": {}}}, {"a": {"customData": {"b": 1}}}, customer, customer) == (
        "a row lacks a.customData.b"
    )
