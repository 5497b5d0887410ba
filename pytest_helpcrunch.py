"""The pytest plugin of helpcrunch_async: a fake HelpCrunch as a fixture, and no limiter shared among tests.

It stands beside the package, because pytest imports plugins whenever it starts: importing anything below
`helpcrunch_async` would cost every run the import of aiohttp, and hide the package's first lines from
coverage.
"""

import sys
from collections.abc import Iterator
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from helpcrunch_async.testing import FakeHelpCrunch

_MARK = "helpcrunch(**options): options of the FakeHelpCrunch that the fixture helpcrunch_server opens"


def pytest_configure(config: pytest.Config) -> None:
    """Make the mark known."""
    config.addinivalue_line("markers", _MARK)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Forget the limiters of accounts: what one test has sent paces no other."""
    accounts = sys.modules.get("helpcrunch_async.accounts")
    if accounts is not None:  # what nothing has imported remembers nothing
        accounts.forget_accounts()


def _options(request: pytest.FixtureRequest) -> dict[str, Any]:
    options: dict[str, Any] = {}
    for mark in request.node.iter_markers("helpcrunch"):  # the nearest first
        if mark.args:
            raise pytest.UsageError("the mark helpcrunch takes keywords only, those of FakeHelpCrunch")
        options = {**mark.kwargs, **options}
    return options


@pytest.fixture
def helpcrunch_server(request: pytest.FixtureRequest) -> "Iterator[FakeHelpCrunch]":
    """Give an open `FakeHelpCrunch`, a new one for each test.

    It runs in a thread of its own, so that tests with and without an event loop can use it, whichever plugin
    runs their coroutines. The mark `helpcrunch` gives it other options,
    `@pytest.mark.helpcrunch(customers=0)`; the mark nearest to the test counts most.
    """
    from helpcrunch_async.testing import FakeHelpCrunch, serve_in_thread  # noqa: PLC0415 - see above

    # a rate rule remembers, and a mark is there for all cases of a parametrised test
    with serve_in_thread(FakeHelpCrunch(**deepcopy(_options(request)))) as server:
        yield server


@pytest.fixture
def helpcrunch_env(
    helpcrunch_server: "FakeHelpCrunch",
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> "FakeHelpCrunch":
    """Let `HelpCrunchClient()` reach `helpcrunch_server`, by the variables that it reads; gives the server.

    Code under test that makes its own client needs nothing else.
    """
    monkeypatch.setenv("HELPCRUNCH_API_KEY", _options(request).get("api_key", "key"))
    monkeypatch.setenv("HELPCRUNCH_BASE_URL", helpcrunch_server.url)
    return helpcrunch_server
