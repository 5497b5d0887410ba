"""The bar of a long fetch, on stderr."""

from datetime import timedelta
from math import ceil, inf
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task
from rich.text import Text

from helpcrunch_async.cli.budget import Spending
from helpcrunch_async.rate_limit import RateLimiter


class _Numbers(ProgressColumn):
    """How many arrived, how fast, what it costs, and how long it will go on."""

    def __init__(self, limiter: RateLimiter) -> None:
        super().__init__()
        self._limiter = limiter
        self._spending = Spending(lambda: limiter.statistics.granted, limiter.period)

    def render(self, task: Task) -> Text:
        total = "" if task.total is None else f"/{task.total:,.0f}"
        parts = [
            f"{task.completed:,.0f}{total}",
            f"{task.completed / (task.elapsed or inf):,.0f}/s",
            f"budget {self._spending.lately()}/{self._limiter.limit}",
        ]
        if failed := task.fields["failed"]:
            parts.append(f"{failed:,} failed")
        if self._limiter.statistics.paused_for > 0:
            parts.append("paused")
        seconds = self._seconds_left(task)
        if seconds is not None:
            parts.append(f"{timedelta(seconds=ceil(seconds))} left")
        return Text("  ".join(parts), no_wrap=True)

    def _seconds_left(self, task: Task) -> float | None:
        """Estimate by the pace so far, but never faster than the budget allows for what is left."""
        left, total, elapsed = task.remaining, task.total, task.elapsed
        if left is None or total is None or not task.completed or not elapsed:
            return None
        statistics = self._limiter.statistics
        seconds_each = statistics.granted / task.completed / statistics.rate
        # what went ahead of the even pace at first is paid for by a stall later
        return max(left * elapsed / task.completed, left * seconds_each, total * seconds_each - elapsed)


class FetchProgress:
    """A bar while the terminal shows it, nothing otherwise.

    Args:
        limiter: whose budget is spent.
        total: results to come; None when nobody knows.
    """

    def __init__(self, limiter: RateLimiter, total: int | None) -> None:
        console = Console(stderr=True)
        self._failed = 0
        self._progress = Progress(
            BarColumn(bar_width=16),
            _Numbers(limiter),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task("", total=total, failed=0)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._progress.stop()

    def advance(self, *, failed: bool) -> None:
        """Note one more result."""
        self._failed += failed
        self._progress.update(self._task, advance=1, failed=self._failed)
