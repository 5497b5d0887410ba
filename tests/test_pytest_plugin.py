"""The pytest plugin: its fixtures serve every kind of test, and cost nothing where they are not used."""

import asyncio
import threading

import pytest
from aiohttp import web

from helpcrunch_async import HelpCrunchClient, NotFoundError, RateLimiter
from helpcrunch_async.testing import FakeHelpCrunch, FixedWindow, serve_in_thread

pytest_plugins = ["pytester"]

ASYNC_TEST = """
    import pytest
    from helpcrunch_async import HelpCrunchClient

    {mark}
    async def test_a_call(helpcrunch_server):
        helpcrunch_server.add_customer({{"id": 7, "name": "Ada"}})
        async with HelpCrunchClient("key", base_url=helpcrunch_server.url) as client:
            assert (await client.get_customer(7)).name == "Ada"
        assert [request.path for request in helpcrunch_server.requests] == ["/customers/7"]
"""


def passes(pytester: pytest.Pytester, *options: str, tests: int = 1) -> pytest.RunResult:
    """Run what was written, warnings being errors."""
    result = pytester.runpytest_subprocess(
        "-q", "-W", "error", "-p", "no:cacheprovider", "--strict-markers", *options
    )
    result.assert_outcomes(passed=tests)
    return result


def test_without_any_async_plugin(pytester: pytest.Pytester) -> None:
    """A plain test that lets `asyncio.run` do the work."""
    pytester.makepyfile(
        """
        import asyncio
        from helpcrunch_async import HelpCrunchClient

        async def name() -> str:
            async with HelpCrunchClient() as client:
                return (await client.get_customer(8737843)).name

        def test_a_call(helpcrunch_env):
            assert asyncio.run(name()) == "Cindy Mindy"
            assert asyncio.run(name()) == "Cindy Mindy"
            assert helpcrunch_env.accepted == 2
        """
    )
    passes(pytester, "-p", "no:asyncio", "-p", "no:anyio")


@pytest.mark.parametrize(
    ("mode", "mark"), [("strict", "@pytest.mark.asyncio"), ("auto", "")], ids=["strict", "auto"]
)
def test_with_pytest_asyncio(pytester: pytest.Pytester, mode: str, mark: str) -> None:
    """In either mode, without a decorated fixture."""
    pytester.makepyfile(ASYNC_TEST.format(mark=mark))
    pytester.makeini(
        f"[pytest]\nasyncio_mode = {mode}\nasyncio_default_fixture_loop_scope = function\nmarkers = asyncio"
    )
    passes(pytester, "-p", "no:anyio")


def test_with_anyio(pytester: pytest.Pytester) -> None:
    """Its plugin runs the test; the server does not care."""
    pytester.makepyfile(ASYNC_TEST.format(mark="@pytest.mark.anyio"))
    pytester.makeconftest("import pytest\n\n@pytest.fixture\ndef anyio_backend():\n    return 'asyncio'\n")
    passes(pytester, "-p", "no:asyncio")


def test_marks(pytester: pytest.Pytester) -> None:
    """They are known, pass options on, and the nearest counts; a rule is not shared among cases."""
    pytester.makepyfile(
        """
        import asyncio
        import os
        import pytest
        from helpcrunch_async import HelpCrunchClient, NO_RETRY, RateLimitError
        from helpcrunch_async.testing import FixedWindow

        pytestmark = pytest.mark.helpcrunch(customers=3, api_key="secret")

        def count() -> int:
            async def listed() -> int:
                async with HelpCrunchClient(retry=NO_RETRY) as client:
                    return len(await client.list_customers().to_list())
            return asyncio.run(listed())

        def test_of_the_module(helpcrunch_env):
            assert os.environ["HELPCRUNCH_API_KEY"] == "secret"
            assert count() == 3

        @pytest.mark.helpcrunch(customers=0)
        def test_the_nearest(helpcrunch_env):
            assert count() == 0

        @pytest.mark.helpcrunch(rate_rule=FixedWindow(1, 60.0))
        @pytest.mark.parametrize("case", [1, 2])
        def test_a_rule_of_its_own(helpcrunch_env, case):
            assert count() == 3
            with pytest.raises(RateLimitError):
                count()
        """
    )
    passes(pytester, "-p", "no:asyncio", "-p", "no:anyio", tests=4)


def test_a_wrong_mark_is_told(pytester: pytest.Pytester) -> None:
    """Before the test runs, in one line."""
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.helpcrunch(3)
        def test_positional(helpcrunch_server): ...

        @pytest.mark.helpcrunch(clients=3)
        def test_unknown(helpcrunch_server): ...
        """
    )
    result = pytester.runpytest_subprocess("-q", "-p", "no:cacheprovider")
    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines(["*takes keywords only*", "*unexpected keyword argument 'clients'*"])


def test_the_environment_is_put_back(pytester: pytest.Pytester) -> None:
    """And a test without the fixture does not see it."""
    pytester.makepyfile(
        """
        import os

        def test_with(helpcrunch_env):
            assert os.environ["HELPCRUNCH_BASE_URL"] == helpcrunch_env.url

        def test_without(helpcrunch_server):
            assert "HELPCRUNCH_BASE_URL" not in os.environ
        """
    )
    passes(pytester, "-p", "no:asyncio", tests=2)


def test_it_imports_nothing_before_it_is_used(pytester: pytest.Pytester) -> None:
    """Installing the package makes nobody's pytest slower, and hides no line from coverage."""
    pytester.makepyfile(
        """
        import sys

        def test_nothing():
            heavy = {"helpcrunch_async", "aiohttp", "attrs", "cattrs", "tenacity"}
            assert "pytest_helpcrunch" in sys.modules
            assert not heavy & set(sys.modules)
        """
    )
    passes(pytester, "-p", "no:asyncio", "-p", "no:anyio", "-p", "no:hypothesispytest")


def test_no_test_paces_another(pytester: pytest.Pytester) -> None:
    """What one has sent is not held against the next, with or without the fixtures."""
    pytester.makepyfile(
        """
        import asyncio
        import unittest
        from helpcrunch_async.rate_limit import limiter_of_account

        async def spend() -> int:
            limiter = limiter_of_account("https://a.example", "key")
            (await limiter.turn(max_wait=0.0)).accepted()
            return limiter.statistics.granted

        at_import = asyncio.run(spend())

        def test_one():
            assert (at_import, asyncio.run(spend()), asyncio.run(spend())) == (1, 1, 2)

        def test_two():
            assert asyncio.run(spend()) == 1

        class TestThree(unittest.TestCase):
            def test_three(self):
                self.assertEqual(asyncio.run(spend()), 1)
        """
    )
    passes(pytester, "-p", "no:asyncio", "-p", "no:anyio", tests=3)


def test_fixtures_are_listed_with_what_they_do(pytester: pytest.Pytester) -> None:
    """`pytest --fixtures` and `--markers` say it."""
    pytester.runpytest_subprocess("--fixtures").stdout.fnmatch_lines(
        ["helpcrunch_server*", "*Give an open `FakeHelpCrunch`*", "helpcrunch_env*"]
    )
    pytester.runpytest_subprocess("--markers").stdout.fnmatch_lines(["@pytest.mark.helpcrunch(*"])


# --- what is behind it: a server in a thread


async def test_a_server_in_a_thread_serves_this_loop(helpcrunch_server: FakeHelpCrunch) -> None:
    """Methods and attributes are those of the server, and are called in its thread."""
    threads: set[int] = set()

    def latency() -> float:
        threads.add(threading.get_ident())
        return 0.0

    helpcrunch_server.latency = latency
    assert helpcrunch_server.latency is latency
    customer_id = helpcrunch_server.add_customer({"name": "Ada"})
    async with HelpCrunchClient("key", base_url=helpcrunch_server.url, rate_limiter=RateLimiter()) as client:
        assert (await client.get_customer(customer_id)).name == "Ada"
        helpcrunch_server.remove_customer(customer_id)
        with pytest.raises(NotFoundError):
            await client.get_customer(customer_id)
    assert threading.get_ident() not in threads
    assert "in a thread" in repr(helpcrunch_server)


def test_errors_come_through(helpcrunch_server: FakeHelpCrunch) -> None:
    """As the server raises them."""
    with pytest.raises(KeyError):
        helpcrunch_server.remove_customer(7)
    with pytest.raises(ValueError, match="unknown fault"):
        helpcrunch_server.fail_next(1, "fire")  # type: ignore[arg-type]  # what is tested
    with pytest.raises(AttributeError):
        helpcrunch_server.nothing  # type: ignore[attr-defined]  # noqa: B018 - what is tested


def test_what_is_called_back_may_call_the_server(helpcrunch_server: FakeHelpCrunch) -> None:
    """From its own thread, without waiting for itself."""
    seen: list[int] = []

    def latency() -> float:
        seen.append(len(helpcrunch_server.requests))
        helpcrunch_server.fail_next(1, "503")
        return 0.0

    helpcrunch_server.latency = latency

    async def ask() -> None:
        async with HelpCrunchClient("key", base_url=helpcrunch_server.url) as client:
            await client.get_customer(8737843)

    asyncio.run(ask())
    assert seen == [1]


def test_the_record_outlives_the_server() -> None:
    """And nothing of it runs on."""
    before = threading.active_count()
    with serve_in_thread(FakeHelpCrunch(rate_rule=FixedWindow(1, 60.0))) as server:
        url = server.url

        async def ask() -> None:
            async with HelpCrunchClient("key", base_url=url) as client:
                await client.get_customer(8737843)

        asyncio.run(ask())
    assert [each.status for each in server.requests] == [200]
    server.forget()
    assert server.requests == []
    with pytest.raises(RuntimeError):
        server.url  # noqa: B018 - what is tested
    asyncio.run(server.close())  # again is harmless, as for the server itself
    assert threading.active_count() == before


async def test_async_methods_are_awaited_from_any_loop() -> None:
    """Closing it, say: then nobody listens any more."""
    with serve_in_thread(FakeHelpCrunch()) as server:
        await server.close()
        with pytest.raises(RuntimeError):
            server.url  # noqa: B018 - what is tested


def test_a_port_that_is_taken_is_told() -> None:
    """Where it happened, and without leaving a thread behind."""
    before = threading.active_count()
    with (
        serve_in_thread(FakeHelpCrunch()) as first,
        pytest.raises(OSError, match="address already in use"),
        serve_in_thread(FakeHelpCrunch(port=first.port)),
    ):
        pass
    assert threading.active_count() == before


async def test_webhooks_come_from_the_thread(helpcrunch_server: FakeHelpCrunch) -> None:
    """Making something happen from here starts their delivery there."""
    heard: list[bytes] = []

    async def take(request: web.Request) -> web.Response:
        heard.append(await request.read())
        return web.Response()

    app = web.Application()
    app.router.add_post("/", take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    helpcrunch_server.send_webhooks_to(url, "key", events=["chat.new"])
    helpcrunch_server.add_chat({"customer": 8737843})
    await helpcrunch_server.webhooks_settled()
    await runner.cleanup()
    assert len(heard) == 1
