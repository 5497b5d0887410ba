"""What memory costs: customers kept, fetched at once, and streamed; every figure from a fresh process."""

import asyncio
import gc
import json
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from attrs import frozen
from canned_server import KEY, SOME_ID, canned_server, customer_body, never_limited
from tables import Table, at_most

from helpcrunch_async import Customer, HelpCrunchClient, from_dict
from helpcrunch_async.converter import structure_page

LIBRARIES: Final = ("aiohttp", "attrs", "cattrs")
_TARGET: Final = 0.55
_MIB: Final = 2**20


def resident() -> int:
    """Give the bytes of this process that are in memory."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096


def _page_body(first_id: int) -> bytes:
    rows = (customer_body(each) for each in range(first_id, first_id + 100))
    return b'{"data":[%b]}' % b",".join(rows)


def keep(count: int, form: str, at_once: int) -> None:
    """Keep `count` customers as dicts or as ours, read from bodies of one or of a hundred."""
    make: Callable[[dict[str, Any]], object] = (
        (lambda row: from_dict(Customer, row)) if form == "ours" else (lambda row: row)
    )
    kept = [make(json.loads(customer_body()))]
    gc.collect()
    before = resident()
    for customer_id in range(SOME_ID, SOME_ID + count, at_once):
        if at_once == 1:
            kept.append(make(json.loads(customer_body(customer_id))))
        elif form == "ours":
            kept.extend(structure_page(json.loads(_page_body(customer_id)), Customer, offset=0).items)
        else:
            kept.extend(json.loads(_page_body(customer_id))["data"])
    gc.collect()
    print(resident() - before)


def fetch(count: int, way: str, url: str) -> None:
    """Print the peak of what Python allocated while ids were fetched, and what is left of it at the end."""
    asyncio.run(_fetch(range(SOME_ID, SOME_ID + count), way, url))


async def _fetch(ids: range, way: str, url: str) -> None:
    coalesce = way != "plain"
    async with HelpCrunchClient(KEY, base_url=url, rate_limiter=never_limited(), coalesce=coalesce) as client:
        await client.get_customers(ids[:1_000])  # connections, caches, code
        gc.collect()
        tracemalloc.start()
        kept: list[object] = []
        if way == "stream":
            async for _ in client.stream_customers(ids):
                pass
        elif way == "many":
            kept.extend(await client.get_customers(ids))
        else:
            kept.extend(await asyncio.gather(*map(client.get_customer, ids)))
        peak = tracemalloc.get_traced_memory()[1]
        gc.collect()
        print(peak, tracemalloc.get_traced_memory()[0])


def stream(count: int, url: str) -> None:
    """Print resident memory at every tenth of a stream."""
    asyncio.run(_stream(range(SOME_ID, SOME_ID + count), url))


async def _stream(ids: range, url: str) -> None:
    async with HelpCrunchClient(KEY, base_url=url, rate_limiter=never_limited()) as client:
        seen = 0
        async for _ in client.stream_customers(iter(ids)):
            seen += 1
            if seen % (len(ids) // 10) == 0:
                print(resident(), flush=True)


@frozen
class _Way:
    name: str
    code: str
    kept: bool


_WAYS: Final = (
    _Way("`gather` of `get_customer`", "gather", kept=True),
    _Way("the same, `coalesce=False`", "plain", kept=True),
    _Way("`get_customers`", "many", kept=True),
    _Way("`stream_customers`, results dropped", "stream", kept=False),
)


def _fresh(call: str) -> list[int]:
    """Run a call of this module in a fresh process, and give the numbers that it prints."""
    here = str(Path(__file__).parent)
    code = f"import sys; sys.path.insert(0, {here!r}); import memory; memory.{call}"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return [int(word) for word in done.stdout.split()]


def _kept(count: int) -> Table:
    rows = []
    for at_once, whence in ((1, "one reply each"), (100, "a hundred in a reply")):
        dicts = _fresh(f"keep({count}, 'dicts', {at_once})")[0]
        ours = _fresh(f"keep({count}, 'ours', {at_once})")[0]
        rows.append(
            [
                whence,
                f"{dicts / _MIB:.0f} MiB",
                f"{ours / _MIB:.0f} MiB",
                f"{ours / dicts:.2f}",
                at_most(ours / dicts, _TARGET),
            ]
        )
    return Table(
        f"{count:,} customers kept",
        "Resident memory of a fresh process. Names, addresses, notes and the like differ from customer to "
        "customer; countries, browsers, tags and custom attributes do not. Within one reply `json.loads` "
        "shares the strings of the keys, and our reading equal strings, tags and locations.",
        ["", "dicts", "ours", "ratio", "target"],
        rows,
    )


def run(*, quick: bool) -> list[Table]:
    """Measure."""
    kept, fetched, streamed = (500, 500, 2_000) if quick else (100_000, 10_000, 100_000)
    tables = [_kept(kept)]
    with canned_server() as url:
        rows = []
        for way in _WAYS:
            peak, left = _fresh(f"fetch({fetched}, {way.code!r}, {url!r})")
            share = f"{left / _MIB:.1f} MiB" if way.kept else "-"
            rows.append([way.name, f"{peak / _MIB:.1f} MiB", share, f"{(peak - left) / _MIB:.1f} MiB"])
        tables.append(
            Table(
                f"{fetched:,} ids fetched",
                "What Python allocated (tracemalloc), over a bare server on the loopback.",
                ["", "peak", "of it the result", "peak beyond the result"],
                rows,
            )
        )
        samples = _fresh(f"stream({streamed}, {url!r})")
    grown = (samples[-1] - samples[0]) / _MIB
    tables.append(
        Table(
            f"{streamed:,} ids streamed",
            "Resident memory (MiB) after each tenth of the ids. Flat means: less than 2 MiB between the "
            "first and the last.",
            [*(f"{tenth}0 %" for tenth in range(1, 11)), "grown by"],
            [[*(f"{each / _MIB:.1f}" for each in samples), at_most(grown, 2.0, 1)]],
        )
    )
    return tables
