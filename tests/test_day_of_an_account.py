"""The example that lives a day of an account keeps its own promises, over real HTTP."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from helpcrunch_async import UNLIMITED, HelpCrunchClient
from helpcrunch_async.testing import Behaviour, FakeHelpCrunch, Spelling

PROGRAM = Path(__file__).parents[1] / "examples" / "day_of_an_account.py"


def program() -> ModuleType:
    spec = importlib.util.spec_from_file_location("day_of_an_account", PROGRAM)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_day_in_a_sandbox_of_its_own() -> None:
    """Run as its docstring says: it checks itself, and says so."""
    run = subprocess.run(
        [sys.executable, "-W", "error", PROGRAM],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
        env={key: value for key, value in os.environ.items() if "HELPCRUNCH" not in key},
    )
    assert (run.stderr, run.returncode) == ("", 0)
    assert run.stdout.endswith("all as promised\n")


@pytest.mark.parametrize("spelling", ["old", "new"])
@pytest.mark.parametrize(
    "behaviour",
    [
        pytest.param(Behaviour(), id="as documented"),
        pytest.param(
            Behaviour(
                total=lambda true: true // 2,
                ok_as_json=True,
                messages_key="messages",
                agents_as_object=True,
                wraps_objects=True,
                strict_types=True,
            ),
            id="every oddity at once",
        ),
        pytest.param(Behaviour(total=lambda _: None), id="no totals"),
    ],
)
async def test_a_day_however_the_server_speaks(spelling: Spelling, behaviour: Behaviour) -> None:
    """Either generation of answers, and the oddities that were seen, give the same day."""
    async with (
        FakeHelpCrunch(customers=150, spelling=spelling, behaviour=behaviour) as server,
        HelpCrunchClient("key", base_url=server.url, rate_limiter=UNLIMITED) as client,
    ):
        assert (await program().live(client)).endswith("all as promised")
    assert {"POST", "PUT", "PATCH", "DELETE", "GET"} == {each.method for each in server.requests}
