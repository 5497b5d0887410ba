"""Tables of figures: how they are summed up, judged against a target, printed, and put into the README."""

import os
import platform
import re
import statistics
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from attrs import frozen

README: Final = Path(__file__).with_name("README.md")
PLOTS: Final = Path(__file__).with_name("plots")


@frozen
class Table:
    """One table of a report, under a heading of its own, with the sentence that says how to read it."""

    title: str
    text: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]

    def markdown(self) -> str:
        """Write it as Markdown."""
        lines = [f"**{self.title}**", "", self.text, "", _row(self.head), _row(["---"] * len(self.head))]
        return "\n".join([*lines, *map(_row, self.rows)])


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def spread(values: Sequence[float], digits: int = 2) -> str:
    """Write a median and, in brackets, the least and the greatest."""
    middle = statistics.median(values)
    return f"{middle:.{digits}f} ({min(values):.{digits}f}-{max(values):.{digits}f})"


def quantile(values: Sequence[float], share: float) -> float:
    """Give the value that `share` of all values do not exceed; nan when there is none."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(share * len(ranked)))] if ranked else float("nan")


def at_most(value: float, target: float, digits: int = 2) -> str:
    """Judge a figure that is better when smaller."""
    return _verdict(f"<= {target:.{digits}f}", value - target, digits)


def at_least(value: float, target: float, digits: int = 1) -> str:
    """Judge a figure that is better when larger."""
    return _verdict(f">= {target:.{digits}f}", target - value, digits)


def _verdict(target: str, excess: float, digits: int) -> str:
    # judged as printed: a miss that rounds to nothing is none
    excess = round(excess, digits)
    return f"{target}: reached" if excess <= 0 else f"{target}: **missed by {excess:.{digits}f}**"


def stamp(command: str, libraries: Sequence[str]) -> str:
    """Say what was run, when, and on what."""
    versions = "".join(f", {name} {_version_of(name)}" for name in libraries)
    return (
        f"*`{command}`, {datetime.now(UTC):%Y-%m-%d}, {platform.python_implementation()} "
        f"{platform.python_version()} on {platform.system()} {platform.machine()}, {os.cpu_count()} cores"
        f"{versions}*"
    )


def _version_of(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "(not installed)"


def write_section(name: str, content: str) -> None:
    """Put content between the markers of a section of the README; they must be there.

    Raises:
        ValueError: the README has no such section.
    """
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    readme = README.read_text(encoding="utf-8")
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    if not pattern.search(readme):
        raise ValueError(f"{README.name} has no section {name}")
    README.write_text(pattern.sub(lambda _: f"{begin}\n{content}\n{end}", readme, count=1), encoding="utf-8")
