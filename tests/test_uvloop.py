"""Every fault once more on uvloop: what the caller gets does not depend on the loop."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
import test_faults
from faults.case import Case, Special
from faults.cases import EACH_CASE, EACH_SPECIAL

from helpcrunch_async import HelpCrunchClient
from helpcrunch_async.testing import FakeHelpCrunch

uvloop: Any = pytest.importorskip("uvloop", reason="there is no uvloop for this platform or interpreter")


def run_on_uvloop(main: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main)


@pytest.mark.parametrize("case", EACH_CASE)
def test_what_the_caller_gets(case: Case) -> None:
    """The same error, after the same attempts, with nothing kept."""
    run_on_uvloop(test_faults.test_what_the_caller_gets(case))


@pytest.mark.parametrize("case", EACH_SPECIAL)
def test_what_a_particular_call_gets(case: Special) -> None:
    """The same, with nothing kept."""
    run_on_uvloop(test_faults.test_what_a_particular_call_gets(case))


def test_many_customers_are_fetched() -> None:
    """Bulk calls work there as well, against the fake server."""

    async def main() -> None:
        async with (
            FakeHelpCrunch([{"id": each} for each in range(1, 301)]) as server,
            HelpCrunchClient("key", base_url=server.url) as client,
        ):
            found = await client.get_customers(range(1, 301))
            assert [customer.id for customer in found] == list(range(1, 301))
            assert len(await client.list_customers().to_list()) == 300

    run_on_uvloop(main())
