"""Runs against the built wheel, installed alone: one real GET, and no package beyond the four and theirs."""

import asyncio
import importlib.util
from importlib.metadata import version

from helpcrunch_async import HelpCrunchClient, __version__
from helpcrunch_async.testing import FakeHelpCrunch


async def main() -> None:
    async with (
        FakeHelpCrunch() as server,
        HelpCrunchClient("key", base_url=server.url) as client,
    ):
        customer = await client.get_customer(8737843)
    assert customer.name == "Cindy Mindy", customer
    assert version("helpcrunch-async") == __version__
    for extra in ("rich", "typer", "redis"):
        assert importlib.util.find_spec(extra) is None, f"{extra} came with the bare wheel"
    print(f"wheel {__version__}: got {customer.name}, no extras installed")


asyncio.run(main())
