"""Reads of one's own writes: what is kept of a write, for how long, and that no read misses it."""

import asyncio
from collections.abc import AsyncIterator
from itertools import count
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from virtually import in_virtual_time

from helpcrunch_async import (
    NO_RETRY,
    UNLIMITED,
    BadRequestError,
    Customer,
    HelpCrunchClient,
    HelpCrunchError,
    NotFoundError,
    Tag,
    from_dict,
)
from helpcrunch_async.bulk import recent_writes
from helpcrunch_async.bulk.recent_writes import RECENT, UNKNOWN, RecentWrites, ids_in, shows
from helpcrunch_async.testing import FakeHelpCrunch, SearchBehaviour, run_in_virtual_time

ADA = Customer(id=7, name="Ada", company="Quill", tags=(Tag("vip", "red"),))


def client_of(server: FakeHelpCrunch, **options: Any) -> HelpCrunchClient:
    return HelpCrunchClient("key", base_url=server.url, rate_limiter=UNLIMITED, **options)


def write(writes: RecentWrites, customer: Customer, *keys: str) -> None:
    with writes.writing({customer.id: keys}) as answered:
        answered.append(customer)


@in_virtual_time
async def test_a_row_must_show_what_the_answer_showed_in_what_was_written() -> None:
    """Other fields may say what they like."""
    writes = RecentWrites()
    write(writes, ADA, "name", "tags")
    expected = writes.expected(7)
    assert shows(ADA, expected)
    assert shows(attrs.evolve(ADA, company="Lark"), expected)
    assert not shows(attrs.evolve(ADA, name="Eve"), expected)
    assert not shows(attrs.evolve(ADA, tags=()), expected)
    assert writes.expected(8) == {}


@pytest.mark.parametrize(
    ("key", "change"),
    [
        ("name", {"name": "Eve"}),
        ("userId", {"user_id": "u2"}),
        ("city", {"location": {"city": "Ulm"}}),
        ("regionCode", {"location": {"regionCode": "BW"}}),
        ("countryCode", {"location": {"countryCode": "FR"}}),
        ("firstSeen", {"firstSeen": 5}),
        ("unsubscribed", {"unsubscribed": True}),
        ("customData", {"customData": {"Plan": "Free"}}),
        ("tags", {"tags": [{"name": "vip", "color": "blue"}]}),
    ],
)
@in_virtual_time
async def test_every_field_that_can_be_written_is_compared(key: str, change: dict[str, Any]) -> None:
    """By the key under which it is written, wherever it is shown."""
    before = {"id": 7, "tags": [{"name": "vip", "color": "red"}], "customData": {"Plan": "Pro"}}
    writes = RecentWrites()
    write(writes, from_dict(Customer, before), key)
    spelt = {"userId" if name == "user_id" else name: value for name, value in change.items()}
    assert not shows(from_dict(Customer, {**before, **spelt}), writes.expected(7))
    assert shows(from_dict(Customer, before), writes.expected(7))


@in_virtual_time
async def test_another_spelling_shows_the_same() -> None:
    """Custom data in another order, or a tag with more to it."""
    writes = RecentWrites()
    one = {"id": 7, "customData": {"a": 1, "b": 2}, "tags": [{"name": "vip", "color": "red"}]}
    other = {
        "id": "7",
        "customData": [{"property": "b", "value": 2}, {"property": "a", "value": 1}],
        "tags": [{"name": "vip", "color": "red", "id": 3}],
    }
    write(writes, from_dict(Customer, one), "customData", "tags")
    assert shows(from_dict(Customer, other), writes.expected(7))


@in_virtual_time
async def test_a_write_counts_while_it_is_under_way_and_for_five_minutes_after() -> None:
    """Only a single request can tell while there is no answer; then nothing is known any more."""
    writes = RecentWrites()
    with writes.writing({7: ["name"]}) as answered:
        await asyncio.sleep(2 * RECENT)
        assert writes.expected(7) is UNKNOWN
        answered.append(ADA)
    assert set(writes.expected(7)) == {"name"}
    await asyncio.sleep(RECENT - 1)
    assert writes.is_recent(7)
    await asyncio.sleep(1)
    assert not writes.is_recent(7)


@in_virtual_time
async def test_writes_add_up_while_they_count() -> None:
    """The later answer is the one for a field that both wrote; what is over does not come back."""
    writes = RecentWrites()
    write(writes, ADA, "name", "company")
    await asyncio.sleep(RECENT - 1)
    write(writes, attrs.evolve(ADA, name="Eve", company="of nobody's"), "name")
    await asyncio.sleep(RECENT - 1)
    assert shows(attrs.evolve(ADA, name="Eve"), writes.expected(7))
    assert set(writes.expected(7)) == {"name", "company"}
    await asyncio.sleep(1)
    write(writes, ADA, "phone")
    assert set(writes.expected(7)) == {"phone"}


@pytest.mark.parametrize("error", [HelpCrunchError("x"), asyncio.CancelledError(), ValueError("x")], ids=repr)
@in_virtual_time
async def test_a_write_of_unknown_outcome_makes_the_id_unknown(error: BaseException) -> None:
    """For five minutes, whatever is written and shown after it."""
    writes = RecentWrites()
    if isinstance(error, HelpCrunchError):
        error.outcome_unknown = True
    with pytest.raises(type(error)), writes.writing({7: ["name"]}):
        raise error
    assert writes.expected(7) is UNKNOWN
    write(writes, ADA, "name")
    assert writes.expected(7) is UNKNOWN
    await asyncio.sleep(RECENT - 1)
    write(writes, ADA, "name")
    await asyncio.sleep(1)
    assert set(writes.expected(7)) == {"name"}


@in_virtual_time
async def test_a_write_that_did_not_happen_counts_for_nothing() -> None:
    """What was known before is still known."""
    writes = RecentWrites()
    refused = BadRequestError("x", 400, None, (), "PATCH", "/customers/7", 1)
    with pytest.raises(BadRequestError), writes.writing({7: ["name"]}):
        raise refused
    assert not writes.is_recent(7)
    write(writes, ADA, "name")
    with pytest.raises(BadRequestError), writes.writing({7: ["company"]}):
        raise refused
    assert set(writes.expected(7)) == {"name"}


@in_virtual_time
async def test_the_order_of_writes_at_once_is_unknown() -> None:
    """So is what is there now; and a later write that is alone changes that only after five minutes."""
    writes = RecentWrites()
    with writes.writing({7: ["name"]}) as first:
        with writes.writing({7: ["name"]}) as second:
            second.append(ADA)
        assert writes.expected(7) is UNKNOWN
        first.append(attrs.evolve(ADA, name="Eve"))
    assert writes.expected(7) is UNKNOWN
    write(writes, ADA, "name")
    assert writes.expected(7) is UNKNOWN
    await asyncio.sleep(RECENT)
    write(writes, ADA, "name")
    assert set(writes.expected(7)) == {"name"}


@in_virtual_time
async def test_what_an_answer_does_not_show_is_unknown() -> None:
    """As after a batch whose answer lacks a customer, and after a deletion."""
    writes = RecentWrites()
    with writes.writing({7: ["name"], 8: ["name"]}) as answered:
        answered.append(ADA)
    assert set(writes.expected(7)) == {"name"}
    assert writes.expected(8) is UNKNOWN


@in_virtual_time
async def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """When more ids are written than are kept, every id is one that only a single request can tell about."""
    monkeypatch.setattr(recent_writes, "MOST_IDS", 100)
    writes = RecentWrites()
    for each in range(1, 101):
        write(writes, attrs.evolve(ADA, id=each), "name")
    assert set(writes.expected(1)) == {"name"}
    assert writes.expected(999) == {}
    with writes.writing({1: ["name"], 101: ["name"]}):
        await asyncio.sleep(2 * RECENT)
        assert writes.expected(999) is UNKNOWN
    assert writes.expected(999) is UNKNOWN
    assert len(writes._written) == 100
    await asyncio.sleep(RECENT)
    assert writes.expected(999) == {}
    write(writes, attrs.evolve(ADA, id=102), "name")
    assert set(writes.expected(102)) == {"name"}
    assert len(writes._written) == 1, "what is over makes room"
    assert writes._untracked == 0


@in_virtual_time
async def test_what_is_over_is_dropped() -> None:
    """However many ids are written in the course of time."""
    writes = RecentWrites()
    for each in range(1, 1001):
        write(writes, attrs.evolve(ADA, id=each), "name")
        await asyncio.sleep(10)
        assert len(writes._written) <= 65
    with writes.writing({5000: ["name"]}):
        for each in range(2000, 2200):
            write(writes, attrs.evolve(ADA, id=each), "name")
            await asyncio.sleep(10)
        assert writes.expected(5000) is UNKNOWN, "a write that is under way is not"


@pytest.mark.parametrize(
    ("path", "body", "ids"),
    [
        ("customers/7", {}, [7]),
        ("customers/7/tags", None, [7]),
        ("customers/batch", [{"customer": 7}, {"customer": "8"}, {}, 9], [7, 8]),
        ("customers/batch", {"customer": 7}, []),
        ("customers/search", {}, []),
        ("customers", {"name": "Ada"}, []),
        ("chats/7", {}, []),
        ("customers/x7", {}, []),
    ],
)
def test_ids_of_raw_requests(path: str, body: object, ids: list[int]) -> None:
    """They stand in the path, or in the items of a batch."""
    assert list(ids_in(path, body)) == ids


@pytest.fixture
async def server() -> AsyncIterator[FakeHelpCrunch]:
    """A server whose search is a minute late."""
    rows = [{"id": each, "name": f"Customer {each}"} for each in range(1, 301)]
    async with FakeHelpCrunch(rows, search=SearchBehaviour(lag=60.0)) as server:
        yield server


async def test_every_way_to_write_is_remembered(server: FakeHelpCrunch) -> None:
    """Gathered calls, `get_customers` and streams show it, of another client, too, though no search does."""
    async with client_of(server) as writer:
        await writer.get_customers(range(50, 150))
        await writer.update_customer(1, name="new")
        await writer.replace_customer(2, name="new")
        await writer.batch_update_customers([{"customer": 3, "name": "new"}, {"customer": 4, "name": "new"}])
        await writer.tag_customer(5, ["new"])
        await writer.tag_customer(6, ["old"])
        await writer.untag_customer(6, ["old"])
        await writer.delete_customer(7)
        await writer.request("PATCH", "customers/8", body={"name": "new"})
        created = (await writer.create_customer(name="new")).id
    ids = [*range(1, 10), created, *range(10, 60)]

    def check(found: "list[Customer | BaseException]") -> None:
        names = [each.name if isinstance(each, Customer) else type(each) for each in found]
        new = "new"
        assert names[:10] == [
            new, new, new, new, "Customer 5", "Customer 6", NotFoundError, new, "Customer 9", new
        ]  # fmt: skip
        assert isinstance(found[4], Customer)
        assert isinstance(found[5], Customer)
        assert [tag.name for tag in found[4].tags] == ["new"]
        assert found[5].tags == ()

    async with client_of(server) as reader:
        server.forget()
        check(await asyncio.gather(*map(reader.get_customer, ids), return_exceptions=True))
        assert sum(request.method == "POST" for request in server.requests) == 1
        assert len(server.requests) <= 11
        check([*await reader.get_customers(ids, return_exceptions=True)])
        found = {each.id: each async for each in reader.stream_customers(ids)}
        check([found[each].customer or found[each].error or KeyError(each) for each in ids])
        assert reader._opened().memory.trust.is_proved


async def test_a_thousand_tagged_customers_are_fetched_by_searches_where_those_are_fresh() -> None:
    """The tags are on all of them, and the first search of all may be one for them."""
    async with (
        FakeHelpCrunch([{"id": each} for each in range(1, 1001)]) as server,
        client_of(server) as client,
    ):
        await asyncio.gather(*(client.tag_customer(each, ["new"]) for each in range(1, 1001)))
        server.forget()
        found = await client.get_customers(range(1, 1001))
        assert {each.tags[0].name for each in found} == {"new"}
        assert len(server.requests) == 11


async def test_two_customers_that_a_search_does_not_know_yet_do_not_end_the_searches(
    server: FakeHelpCrunch, caplog: pytest.LogCaptureFixture
) -> None:
    """They are new, and this process knows it."""
    async with client_of(server) as client:
        created = [(await client.create_customer(name="new")).id for _ in range(5)]
        found = await client.get_customers([*range(1, 60), *created])
        assert [each.id for each in found[-5:]] == created
        assert client._opened().memory.trust.is_proved
    assert caplog.messages == []


async def test_a_write_whose_answer_was_lost_is_read_by_a_single_request(server: FakeHelpCrunch) -> None:
    """It may have happened: here it did."""
    async with client_of(server, retry=NO_RETRY) as client:
        await client.get_customers(range(50, 150))
        server.fail_next(1, "reset", method="PATCH")
        with pytest.raises(HelpCrunchError):
            await client.update_customer(1, name="new")
        server.add_customer({"id": 1, "name": "new"})
        found = await client.get_customers([1, 2, 3])
    assert found[0].name == "new"


async def test_no_call_beside_a_writer_is_stale(server: FakeHelpCrunch) -> None:
    """A read shows what was answered to the writer before it began, or something newer."""
    async with client_of(server) as client:
        versions = dict.fromkeys(range(1, 21), 0)
        numbers = count(1)

        async def keep_writing() -> None:
            while True:
                number = next(numbers)
                customer_id = number % 20 + 1
                await client.update_customer(customer_id, company=str(number))
                versions[customer_id] = number

        async def read(customer_id: int) -> None:
            known = versions[customer_id]
            customer = await client.get_customer(customer_id)
            assert int(customer.company or 0) >= known

        writer = asyncio.create_task(keep_writing())
        for _ in range(10):
            await asyncio.gather(*map(read, range(1, 21)))
        assert next(numbers) > 20
        writer.cancel()
        await asyncio.gather(writer, return_exceptions=True)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["write", "lose", "refuse", "read"]), st.integers(1, 3), st.integers(0, 400)
        ),
        max_size=30,
    ),
    st.data(),
)
def test_a_row_that_is_taken_is_as_new_as_the_last_answer(
    steps: list[tuple[str, int, int]], data: st.DataObject
) -> None:
    """However writes follow one another, and whichever state of the last five minutes a search shows."""

    async def main() -> None:
        writes = RecentWrites()
        loop = asyncio.get_running_loop()
        states: dict[int, list[tuple[float, str, bool]]] = {each: [(-1e9, "0", True)] for each in (1, 2, 3)}
        for number, (what, customer_id, pause) in enumerate(steps, 1):
            await asyncio.sleep(pause)
            history = states[customer_id]
            if what == "write":
                write(writes, Customer(customer_id, company=str(number)), "company")
                history.append((loop.time(), str(number), True))
            elif what == "lose":
                with pytest.raises(RuntimeError), writes.writing({customer_id: ["company"]}):
                    raise RuntimeError
                if data.draw(st.booleans()):
                    history.append((loop.time(), str(number), False))
            elif what == "refuse":
                error = NotFoundError("x", 404, None, (), "PATCH", "/customers/7", 1)
                with pytest.raises(NotFoundError), writes.writing({customer_id: ["company"]}):
                    raise error
            expected = writes.expected(customer_id)
            now = loop.time()
            newest_answered = [text for _, text, answered in history if answered][-1]
            for place, (_, text, _) in enumerate(history):
                replaced_at = history[place + 1][0] if place + 1 < len(history) else now
                if place + 1 < len(history) and now - replaced_at >= RECENT:
                    continue  # a search that is this late is not promised anything
                if shows(Customer(customer_id, company=text), expected):
                    assert int(text) >= int(newest_answered)

    run_in_virtual_time(main())
