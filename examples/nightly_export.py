"""Export all customers into a file, one JSON object a line; started again, it goes on where it ended.

    export HELPCRUNCH_API_KEY=...
    python examples/nightly_export.py customers.jsonl

While it runs, the file is called customers.jsonl.part. Whatever ends the program, the next start reads what
is there, drops a half-written last line, and goes on from there.
"""

import asyncio
import json
import sys
from contextlib import aclosing
from pathlib import Path
from typing import Final

from helpcrunch_async import HelpCrunchClient, HelpCrunchError, to_dict

OVERLAP: Final = 500  # rows read again after a restart, since customers who were deleted moved the others


def read_ids(path: Path) -> set[int]:
    """Give the ids that are in a file already, and cut off a last line that is not whole."""
    ids: set[int] = set()
    if not path.exists():
        return ids
    whole = 0
    with path.open("rb+") as lines:
        for line in lines:
            if not line.endswith(b"\n"):
                break
            ids.add(json.loads(line)["id"])
            whole += len(line)
        lines.truncate(whole)
    return ids


async def export(client: HelpCrunchClient, path: Path) -> int:
    """Write every customer to `path`, once; tell how many.

    By the first visit, the earliest first, which is the steadiest order: new customers come at the end.
    """
    part = path.with_name(f"{path.name}.part")
    ids = read_ids(part)
    offset = max(0, len(ids) - OVERLAP)
    listing = client.list_customers(sort="firstSeen", order="asc", offset=offset).prefetch()
    with part.open("a", encoding="utf-8") as file:
        async with aclosing(aiter(listing)) as customers:
            async for customer in customers:
                if customer.id not in ids:
                    ids.add(customer.id)
                    file.write(json.dumps(to_dict(customer), ensure_ascii=False) + "\n")
    part.replace(path)  # at once: whoever reads the file sees a whole one
    return len(ids)


async def main(path: Path) -> None:
    """Export with the key of the environment."""
    async with HelpCrunchClient(priority="bulk") as client:
        count = await export(client, path)
    sys.stderr.write(f"{count:,} customers in {path}\n")


if __name__ == "__main__":
    try:
        asyncio.run(main(Path(sys.argv[1])))
    except HelpCrunchError as error:
        sys.exit(f"not finished, start it again to go on: {error}")
