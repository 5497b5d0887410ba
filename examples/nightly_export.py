"""Export all customers into a file, one JSON object a line; started again, it resumes where it stopped.

    export HELPCRUNCH_API_KEY=...
    python examples/nightly_export.py customers.jsonl

While it runs, the file is called customers.jsonl.part, and customers.jsonl.place says how far it is. Whatever
ends the program, the next start reads what is there, drops a half-written last line, and resumes from there.
"""

import asyncio
import json
import sys
from contextlib import aclosing
from pathlib import Path

import attrs

from helpcrunch_async import Bookmark, HelpCrunchClient, HelpCrunchError, to_dict


def read_ids(path: Path) -> set[int]:
    """Return the ids that are in a file already, and cut off a last line that is not whole."""
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


def read_bookmark(path: Path) -> Bookmark:
    """Return where the last run was: the first row, if there was none."""
    return Bookmark(**json.loads(path.read_text())) if path.exists() else Bookmark(0)


def write_bookmark(path: Path, bookmark: Bookmark) -> None:
    """Replace the bookmark: a run that is killed now leaves the old one or the new one."""
    new = path.with_name(f"{path.name}.new")
    new.write_text(json.dumps(attrs.asdict(bookmark)))
    new.replace(path)


async def export(client: HelpCrunchClient, path: Path) -> int:
    """Write every customer to `path`, once; return how many.

    Sorted by first visit, earliest first, which is the steadiest order: new customers come last. Rows that
    were deleted since the last run have moved the others: the bookmark lets the listing notice.
    """
    part, place = path.with_name(f"{path.name}.part"), path.with_name(f"{path.name}.place")
    ids = read_ids(part)
    listing = client.list_customers(sort="firstSeen", order="asc").prefetch(pages=3)
    if ids:
        listing = listing.resume(read_bookmark(place))
    with part.open("a", encoding="utf-8") as file:
        async with aclosing(listing.pages()) as pages:
            async for page in pages:
                for customer in page.items:
                    if customer.id not in ids:  # written behind the bookmark, before the last run ended
                        ids.add(customer.id)
                        file.write(json.dumps(to_dict(customer), ensure_ascii=False) + "\n")
                file.flush()
                write_bookmark(place, pages.bookmark)
    part.replace(path)  # at once: whoever reads the file sees a whole one
    place.unlink(missing_ok=True)
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
