"""What importing costs: `import helpcrunch_async` against `import aiohttp`, and where the rest goes."""

import re
import subprocess
import sys
from collections import defaultdict
from statistics import median
from typing import Final

from tables import Table, at_most, spread

LIBRARIES: Final = ("aiohttp", "attrs", "cattrs", "tenacity", "httpx", "pydantic")
_TARGET: Final = 1.5
_OURS: Final = "helpcrunch_async"
_BASE: Final = "aiohttp"
_OTHERS: Final = ("httpx", "pydantic")
_LINE: Final = re.compile(r"import time:\s+(\d+) \|\s+\d+ \| +(\S+)")


def _import(module: str, *options: str) -> subprocess.CompletedProcess[str]:
    code = f"from time import perf_counter as t; s = t(); import {module}; print(t() - s)"
    if module == "pydantic":  # it imports its parts when they are asked for
        code = code.replace("; print", "; pydantic.BaseModel; print")
    return subprocess.run([sys.executable, *options, "-c", code], check=True, capture_output=True, text=True)


def _self_times(module: str) -> dict[str, int]:
    """Give the microseconds that every module of an import took by itself."""
    lines = _import(module, "-X", "importtime").stderr.splitlines()
    return {found[2]: int(found[1]) for line in lines if (found := _LINE.match(line))}


def _by_package(rounds: int) -> list[list[str]]:
    """Say what ours imports beyond what `import aiohttp` does, by package."""
    sums: dict[str, list[int]] = defaultdict(list)
    for _ in range(rounds):
        known = _self_times(_BASE)
        packages: dict[str, int] = defaultdict(int)
        for name, microseconds in _self_times(_OURS).items():
            if name not in known:
                root = name.partition(".")[0]
                standard = root in sys.stdlib_module_names or root.startswith("_")
                packages["the standard library" if standard else root] += microseconds
        for package, microseconds in packages.items():
            sums[package].append(microseconds)
    ranked = sorted(sums.items(), key=lambda item: -median(item[1]))
    return [[package, f"{median(each) / 1000:.1f} ms"] for package, each in ranked if median(each) >= 500]


def run(*, quick: bool) -> list[Table]:
    """Measure."""
    rounds = 1 if quick else 21
    modules = (_BASE, _OURS, *_OTHERS)
    seconds: dict[str, list[float]] = {module: [] for module in modules}
    for turn in range(rounds + 1):
        for module in modules:
            taken = float(_import(module).stdout)
            if turn:  # the first round writes the .pyc files
                seconds[module].append(taken)
    rows = []
    for module in modules:
        ratios = [one / other for one, other in zip(seconds[module], seconds[_BASE], strict=True)]
        verdict = at_most(median(ratios), _TARGET) if module == _OURS else ""
        rows.append([f"`import {module}`", spread(ratios), f"{1000 * min(seconds[module]):.0f} ms", verdict])
    return [
        Table(
            "Fresh interpreters, in turns",
            f"Ratio to aiohttp, median of {rounds} (least-greatest), and the best time.",
            ["", "ratio", "best", "target"],
            rows,
        ),
        Table(
            f"What `import {_OURS}` adds to `import {_BASE}`",
            "By `python -X importtime`, which inflates everything somewhat: the modules that aiohttp does "
            "not import itself, each by its own time, summed up by package.",
            ["package", "median"],
            _by_package(1 if quick else 9),
        ),
    ]
