"""Bad input and bad moments: a clear error at once, and nothing is sent."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from helpcrunch_async import (
    NO_RETRY,
    UNLIMITED,
    ClientClosedError,
    HelpCrunchClient,
    RateLimiter,
    RetryPolicy,
)
from helpcrunch_async import client as client_module
from helpcrunch_async.search import ID
from helpcrunch_async.testing import FakeHelpCrunch

NAN, INF = float("nan"), float("inf")


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HELPCRUNCH_API_KEY", raising=False)
    monkeypatch.delenv("HELPCRUNCH_BASE_URL", raising=False)


@pytest.fixture
async def server() -> AsyncIterator[FakeHelpCrunch]:
    async with FakeHelpCrunch(3) as running:
        yield running


def make_client(server: FakeHelpCrunch, **options: Any) -> HelpCrunchClient:
    return HelpCrunchClient("key", base_url=server.url, rate_limiter=UNLIMITED, **options)


NONSENSE: list[tuple[str, Any, type[Exception]]] = [
    ("api_key", "", ValueError),
    ("api_key", " key", ValueError),
    ("api_key", "<key>", ValueError),
    ("api_key", b"key", TypeError),
    ("api_key", 7, TypeError),
    ("base_url", "http://api.helpcrunch.com/v1", ValueError),
    ("base_url", "", ValueError),
    ("base_url", 7, TypeError),
    ("session", "session", TypeError),
    ("session", None, TypeError),
    ("retry", None, TypeError),
    ("retry", 3, TypeError),
    ("retry", RetryPolicy, TypeError),
    ("rate_limiter", 120, TypeError),
    ("rate_limiter", "UNLIMITED", TypeError),
    ("timeout", 0, ValueError),
    ("timeout", -1.0, ValueError),
    ("timeout", NAN, ValueError),
    ("timeout", INF, ValueError),
    ("timeout", None, TypeError),
    ("timeout", "30", TypeError),
    ("timeout", True, TypeError),
    ("timeout", aiohttp.ClientTimeout(), TypeError),
    ("deadline", 0, ValueError),
    ("deadline", -1, ValueError),
    ("deadline", NAN, ValueError),
    ("deadline", INF, ValueError),
    ("deadline", "5", TypeError),
    ("deadline", True, TypeError),
    ("max_wait", -0.1, ValueError),
    ("max_wait", NAN, ValueError),
    ("max_wait", INF, ValueError),
    ("max_wait", "5", TypeError),
    ("max_wait", False, TypeError),
    ("priority", "urgent", ValueError),
    ("priority", None, ValueError),
    ("priority", ["bulk"], ValueError),
    ("max_in_flight", 0, ValueError),
    ("max_in_flight", -1, ValueError),
    ("max_in_flight", 1.0, TypeError),
    ("max_in_flight", True, TypeError),
    ("max_in_flight", None, TypeError),
]


@pytest.mark.parametrize(("name", "value", "kind"), NONSENSE)
def test_nonsense_is_refused_when_the_client_is_made(name: str, value: Any, kind: type[Exception]) -> None:
    """Not at the first request, and the text names the argument."""
    options: dict[str, Any] = {"api_key": "key", name: value}
    said = "key" if name == "api_key" else name
    with pytest.raises(kind, match=said):
        HelpCrunchClient(**options)


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [row for row in NONSENSE if row[0] in {"timeout", "deadline", "max_wait", "retry", "priority"}],
)
def test_nonsense_is_refused_by_with_options_too(name: str, value: Any, kind: type[Exception]) -> None:
    """A view is checked as its client is."""
    options: dict[str, Any] = {name: value}
    with pytest.raises(kind, match=name):
        HelpCrunchClient("key").with_options(**options)


def test_a_limiter_is_not_its_class() -> None:
    """A forgotten pair of brackets is told at once."""
    forgotten: Any = RateLimiter
    with pytest.raises(TypeError, match="rate_limiter"):
        HelpCrunchClient("key", rate_limiter=forgotten)


@pytest.mark.parametrize("name", ["coalesce", "allow_http"])
def test_a_flag_is_true_or_false(name: str) -> None:
    """The string "false" of a settings file is not True."""
    options: dict[str, Any] = {name: "false"}
    with pytest.raises(TypeError, match=name):
        HelpCrunchClient("key", **options)


async def test_a_session_is_lent_not_passed() -> None:
    """Who passes a session learns of `borrow_session`."""
    async with aiohttp.ClientSession() as mine:
        options: dict[str, Any] = {"session": mine}
        with pytest.raises(TypeError, match="borrow_session"):
            HelpCrunchClient("key", **options)


def test_options_are_keywords() -> None:
    """A base URL in second place would be too easily taken for something else."""
    arguments: list[Any] = ["key", "https://api.helpcrunch.com/v1"]
    with pytest.raises(TypeError, match="positional"):
        HelpCrunchClient(*arguments)


@pytest.mark.parametrize("value", [0, 0.0, 5, 0.25])
def test_max_wait_may_be_nothing(value: float) -> None:
    """Zero seconds of patience: now or not at all."""
    assert HelpCrunchClient("key", max_wait=value)._options.max_wait == value


# The environment


def test_no_key_at_all() -> None:
    """The text says where one may come from."""
    with pytest.raises(ValueError, match="HELPCRUNCH_API_KEY"):
        HelpCrunchClient()


async def test_key_and_base_url_of_the_environment(
    monkeypatch: pytest.MonkeyPatch, server: FakeHelpCrunch
) -> None:
    """Both are read when nothing is passed."""
    monkeypatch.setenv("HELPCRUNCH_API_KEY", "key")
    monkeypatch.setenv("HELPCRUNCH_BASE_URL", server.url)
    async with HelpCrunchClient(rate_limiter=UNLIMITED) as client:
        assert (await client.get_customer(8737843)).name == "Cindy Mindy"


async def test_arguments_come_before_the_environment(
    monkeypatch: pytest.MonkeyPatch, server: FakeHelpCrunch
) -> None:
    """What is passed counts."""
    monkeypatch.setenv("HELPCRUNCH_API_KEY", "another")
    monkeypatch.setenv("HELPCRUNCH_BASE_URL", "https://elsewhere.example/v1")
    async with make_client(server) as client:
        assert (await client.get_customer(8737843)).name == "Cindy Mindy"


def test_the_environment_is_checked_as_arguments_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key with a line break from a file, or plain http, is refused from there too."""
    monkeypatch.setenv("HELPCRUNCH_API_KEY", "key\n")
    with pytest.raises(ValueError, match="white space"):
        HelpCrunchClient()
    monkeypatch.setenv("HELPCRUNCH_API_KEY", "")
    with pytest.raises(ValueError, match="no API key"):
        HelpCrunchClient()
    monkeypatch.setenv("HELPCRUNCH_BASE_URL", "http://api.helpcrunch.com/v1")
    with pytest.raises(ValueError, match="https"):
        HelpCrunchClient("key")
    monkeypatch.setenv("HELPCRUNCH_BASE_URL", "")
    assert "https://api.helpcrunch.com/v1" in repr(HelpCrunchClient("key"))


@pytest.mark.parametrize(
    ("variable", "argument", "logged"),
    [
        ("https://elsewhere.example:8443/v1", None, ["elsewhere.example"]),
        ("https://api.helpcrunch.com/v1", None, []),
        ("http://127.0.0.1:1/v1", None, []),
        ("https://elsewhere.example/v1", "https://api.helpcrunch.com/v1", []),
        ("", "https://elsewhere.example/v1", []),
    ],
)
def test_a_strange_host_of_the_environment_is_logged_once(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    variable: str,
    argument: str | None,
    logged: list[str],
) -> None:
    """It gets the key, and nothing in the program says so. Not for each client that a handler makes."""
    client_module._say_where_the_key_goes.cache_clear()
    monkeypatch.setenv("HELPCRUNCH_BASE_URL", variable)
    caplog.set_level(logging.INFO)
    for _ in range(3):
        HelpCrunchClient("key", base_url=argument)
    expected = [f"requests and the API key go to {host}, as HELPCRUNCH_BASE_URL says" for host in logged]
    assert expected == [record.getMessage() for record in caplog.records]
    assert {logging.INFO} >= {record.levelno for record in caplog.records}


def test_an_empty_key_does_not_fall_back_to_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty setting is a mistake, not a wish for another account's key."""
    monkeypatch.setenv("HELPCRUNCH_API_KEY", "key")
    with pytest.raises(ValueError, match="no API key"):
        HelpCrunchClient("")


# Ids, and other arguments of calls

BAD_IDS: list[tuple[Any, type[Exception]]] = [
    (True, TypeError),
    (False, TypeError),
    (7.0, TypeError),
    (NAN, TypeError),
    ("7", TypeError),
    ("1/../../admin", TypeError),
    ("1?x=1", TypeError),
    ("1\r\nX: y", TypeError),
    (b"7", TypeError),
    (None, TypeError),
    ([7], TypeError),
    (0, ValueError),
    (-7, ValueError),
]


@pytest.mark.parametrize(("bad_id", "kind"), BAD_IDS, ids=repr)
async def test_what_is_no_id_is_never_sent(
    server: FakeHelpCrunch, bad_id: Any, kind: type[Exception]
) -> None:
    """Positive ints are ids; whatever merely looks like one is refused, alone or among good ones."""
    async with make_client(server, coalesce=True) as folding, make_client(server) as client:
        for each in (client, folding):
            with pytest.raises(kind, match="positive int"):
                await each.get_customer(bad_id)
            for batch in (True, False):
                with pytest.raises(kind, match="positive int"):
                    await each.get_customers([8737843, bad_id], batch=batch)
    assert server.requests == []


class Integer:
    """As those of numpy are: an integer that is no int."""

    def __init__(self, value: int) -> None:
        self._value = value

    def __index__(self) -> int:
        return self._value


async def test_whatever_is_an_integer_is_an_id(server: FakeHelpCrunch) -> None:
    """Rows of numpy and pandas have none of Python's own; what comes back has."""
    one: Any = Integer(8737843)
    async with make_client(server, coalesce=True) as folding, make_client(server) as client:
        for each in (client, folding):
            assert (await each.get_customer(one)).id == 8737843
            for batch in (True, False):
                assert [row.id for row in await each.get_customers([one, one], batch=batch)] == [8737843] * 2
            async for lookup in each.stream_customers([one]):
                assert type(lookup.id) is int
        assert (await client.update_customer(one, company="Quill")).company == "Quill"
        assert [row.id async for row in client.search_customers(ID.equals(one))] == [8737843]
        offset: Any = Integer(0)
        one_row: Any = Integer(1)
        assert (await client.search_customers(ID.equals(one)).page(offset, limit=one_row)).total == 1


async def test_a_stream_tells_of_a_bad_id_where_it_comes(server: FakeHelpCrunch) -> None:
    """The ids before it were answered."""
    ids: list[Any] = [8737843, "8737843"]
    async with make_client(server) as client:
        lookups = client.stream_customers(ids)
        assert (await anext(lookups)).id == 8737843
        with pytest.raises(TypeError, match="positive int"):
            await anext(lookups)


# Open and closed

CALLS: list[Any] = [
    pytest.param(lambda client: client.get_customer(7), id="get_customer"),
    pytest.param(lambda client: client.get_customers([7]), id="get_customers"),
    pytest.param(lambda client: anext(client.stream_customers([7])), id="stream_customers"),
    pytest.param(lambda client: client.list_customers().page(), id="page"),
    pytest.param(lambda client: client.list_customers().to_list(), id="to_list"),
    pytest.param(lambda client: anext(aiter(client.list_customers())), id="list_customers"),
    pytest.param(lambda client: client.with_options(timeout=1.0).get_customer(7), id="of a view"),
]
UseOf = Callable[[HelpCrunchClient], Awaitable[Any]]


@pytest.mark.parametrize("use", CALLS)
@pytest.mark.parametrize("coalesce", [False, True])
async def test_use_before_open_and_after_close(server: FakeHelpCrunch, use: UseOf, *, coalesce: bool) -> None:
    """Both are told plainly and apart, and nothing is sent."""
    client = make_client(server, coalesce=coalesce)
    with pytest.raises(ClientClosedError, match="async with"):
        await use(client)
    async with client:
        pass
    with pytest.raises(ClientClosedError, match="closed"):
        await use(client)
    assert server.requests == []


async def test_open_and_close_by_hand(server: FakeHelpCrunch) -> None:
    """For who cannot use `async with`; close is harmless any number of times, and before open too."""
    client = make_client(server)
    await client.close()
    await client.open()
    assert (await client.get_customer(8737843)).id == 8737843
    with pytest.raises(RuntimeError, match="open already"):
        await client.open()
    assert (await client.get_customer(8737843)).id == 8737843
    await client.close()
    await client.close()
    with pytest.raises(ClientClosedError):
        await client.get_customer(8737843)


async def test_a_client_can_be_opened_again(server: FakeHelpCrunch) -> None:
    """One after the other, with a session each time."""
    client = make_client(server)
    for _ in range(2):
        async with client as entered:
            assert entered is client
            assert (await client.get_customer(8737843)).id == 8737843


async def test_an_error_inside_the_block_passes_and_closes(server: FakeHelpCrunch) -> None:
    """`async with` swallows nothing."""
    client = make_client(server)
    with pytest.raises(LookupError):
        async with client:
            raise LookupError
    with pytest.raises(ClientClosedError):
        await client.get_customer(7)


async def test_a_view_is_opened_and_closed_by_its_client(server: FakeHelpCrunch) -> None:
    """It shares the session; entering or closing it is told, and does not close the client."""
    async with make_client(server) as client:
        view = client.with_options(deadline=5.0).with_options(retry=NO_RETRY)
        for use in (view.open, view.close, view.__aenter__):
            with pytest.raises(RuntimeError, match="view"):
                await use()
        assert (await view.get_customer(8737843)).id == 8737843
        assert (await client.get_customer(8737843)).id == 8737843


async def test_a_view_may_be_made_before_its_client_is_open(server: FakeHelpCrunch) -> None:
    """It opens and closes with it."""
    client = make_client(server)
    view = client.with_options(timeout=5.0)
    with pytest.raises(ClientClosedError):
        await view.get_customer(8737843)
    async with client:
        assert (await view.get_customer(8737843)).id == 8737843
    with pytest.raises(ClientClosedError):
        await view.get_customer(8737843)


def test_a_view_changes_what_it_is_told_and_nothing_else() -> None:
    """None is a value (no deadline), left out is not; the client keeps its own."""
    client = HelpCrunchClient("key", timeout=3.0, deadline=9.0, max_wait=1.0)
    view = client.with_options(deadline=None, retry=NO_RETRY)
    assert (view._options.timeout, view._options.deadline, view._options.max_wait) == (3.0, None, 1.0)
    assert view._options.retry is NO_RETRY
    assert client._options.deadline == 9.0
    assert client._options.retry == RetryPolicy()
    assert client.with_options()._options == client._options


def test_bulk_work_is_bulk_unless_with_options_says_otherwise() -> None:
    """The client's default priority is for single calls; a view's is for all."""
    client = HelpCrunchClient("key")
    assert (client._options.priority, client._bulk_options.priority) == ("interactive", "bulk")
    view = client.with_options(priority="interactive")
    assert (view._options.priority, view._bulk_options.priority) == ("interactive", "interactive")
    view = client.with_options(timeout=1.0)
    assert (view._options.priority, view._bulk_options.priority) == ("interactive", "bulk")
    bulk = HelpCrunchClient("key", priority="bulk")
    assert (bulk._options.priority, bulk._bulk_options.priority) == ("bulk", "bulk")


def test_making_a_client_needs_no_event_loop() -> None:
    """A module may hold one; nothing of asyncio is bound before it is opened."""
    with pytest.raises(RuntimeError):
        asyncio.get_running_loop()
    client = HelpCrunchClient("key", rate_limiter=RateLimiter())
    assert "api.helpcrunch.com" in repr(client)
