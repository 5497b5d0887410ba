"""The bar of a long job, on stderr."""

from contextlib import suppress
from datetime import timedelta
from math import ceil, inf
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task
from rich.table import Column
from rich.text import Text

from helpcrunch_async.cli.budget import Spending
from helpcrunch_async.rate_limit import RateLimiter


class _Numbers(ProgressColumn):
    """How many arrived, how fast, what it costs, and how long it will go on."""

    def __init__(self, limiter: RateLimiter) -> None:
        super().__init__(Column(no_wrap=True))
        self._limiter = limiter
        self._spending = Spending(lambda: limiter.statistics.granted, limiter.period)

    def render(self, task: Task) -> Text:
        total = "" if task.total is None else f"/{task.total:,.0f}"
        parts = [
            f"{task.completed:,.0f}{total}",
            f"{self._arrived(task) / (task.elapsed or inf):,.0f}/s",
            f"{self._spending.lately()} of {self._limiter.limit} requests a minute",
        ]
        seconds = self._seconds_left(task)
        if seconds is not None:
            parts.append(f"{timedelta(seconds=ceil(seconds))} left")
        # a narrow terminal cuts off what comes last
        if failed := task.fields["failed"]:
            parts.append(f"{failed:,} failed")
        if self._limiter.statistics.paused_for > 0:
            parts.append("paused")
        return Text("  ".join(parts), no_wrap=True)

    def _arrived(self, task: Task) -> float:
        skipped: float = task.fields["skipped"]
        return task.completed - skipped

    def _seconds_left(self, task: Task) -> float | None:
        """Estimate by the pace so far, but never faster than the budget allows for what is left."""
        left, arrived, elapsed = task.remaining, self._arrived(task), task.elapsed
        if left is None or not arrived or not elapsed:
            return None
        statistics = self._limiter.statistics
        seconds_each = statistics.granted / arrived / statistics.rate
        # what went ahead of the even pace at first is paid for by a stall later
        owed = (arrived + left) * seconds_each - elapsed
        return max(left * elapsed / arrived, owed)


class FetchProgress:
    """A bar while the terminal shows it, nothing otherwise.

    Args:
        limiter: whose budget is spent.
        total: results to come; None when nobody knows.
    """

    def __init__(self, limiter: RateLimiter, total: int | None) -> None:
        console = Console(stderr=True)
        self._failed = self._skipped = 0
        self._is_shown = console.is_terminal
        self._progress = Progress(
            BarColumn(bar_width=16 if console.width >= 80 else 8),
            _Numbers(limiter),
            console=console,
            transient=True,
            disable=not self._is_shown,
        )
        self._task = self._progress.add_task("", total=total, failed=0, skipped=0)

    def __enter__(self) -> Self:
        if self._is_shown:
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._is_shown:  # some versions of rich end the line of a bar that they never showed
            with suppress(OSError):  # the terminal is gone
                self._progress.stop()

    def advance(self, *, failed: bool = False) -> None:
        """Note one more result."""
        self._failed += failed
        self._progress.update(self._task, advance=1, failed=self._failed)

    def skip(self) -> None:
        """Note one that need not be asked for."""
        self._skipped += 1
        self._progress.update(self._task, advance=1, skipped=self._skipped)
