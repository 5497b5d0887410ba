"""What is seen of the demo: live on a terminal, lines elsewhere, and a table at the end."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Final

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from helpcrunch_async.cli.budget import Spending
from helpcrunch_async.cli.demo.run import Plan
from helpcrunch_async.cli.demo.tally import Tally

_LINE_EVERY: Final = 2.0  # seconds, where there is no terminal
_BAR_WIDTH: Final = 30
_ALL_COLUMNS: Final = 76  # what they take; on a narrower terminal the least telling one is left out


class Screen:
    """Shows tallies while they change; `look` is to be called many times a second."""

    def __init__(self, console: Console, plan: Plan, tallies: Sequence[Tally]) -> None:
        self._console = console
        self._plan = plan
        self._tallies = tallies
        self._running: Tally | None = None
        self._spending: Spending | None = None
        self._next_line = 0.0
        self._live = Live(get_renderable=self._draw, console=console, refresh_per_second=10, transient=True)

    def introduce(self) -> None:
        """Say what this is, and what it is not."""
        plan = self._plan
        told = "with" if plan.retry_after else "without"
        self._say(
            "The server is the embedded FakeHelpCrunch on this machine: no HelpCrunch account is touched."
        )
        self._say(
            f"It takes {plan.limit} requests in {plan.period:g} seconds ({plan.rule} rule, {told} "
            f"Retry-After), as HelpCrunch's minute {60 / plan.period:.3g} times as fast."
        )
        self._say(
            f"{plan.calls:,} customers are fetched by id in {len(self._tallies)} ways, one after the other; "
            "each starts with the whole budget, unspent."
        )

    def showing(self) -> AbstractContextManager[object]:
        """Show it live while this lasts, if there is a terminal."""
        return self._live if self._console.is_terminal else nullcontext()

    def look(self) -> None:
        """Notice what has changed."""
        running = next((each for each in self._tallies if each.state == "running"), None)
        if running is not self._running:
            if self._running is not None:
                self._say_unless_live(_ended(self._running))
            self._running, self._next_line = running, _LINE_EVERY
            if running is not None:
                self._spending = Spending(lambda: running.requests - running.rejected, self._plan.period)
        elif running is not None and self._spending is not None:
            self._spending.lately()
            if running.seconds >= self._next_line:
                self._next_line += _LINE_EVERY
                self._say_unless_live(_under_way(running))

    def _fitting(self, *headings: str, least_telling: str) -> Sequence[str]:
        if self._console.width >= _ALL_COLUMNS:
            return headings
        return [each for each in headings if each != least_telling]

    def _say(self, line: str) -> None:
        self._console.print(line, highlight=False)

    def _say_unless_live(self, line: str) -> None:
        if not self._console.is_terminal:
            self._console.print(line, highlight=False, soft_wrap=True)

    def _draw(self) -> RenderableType:
        table = Table(expand=False, box=None, pad_edge=False)
        table.add_column("", no_wrap=True)
        headings = self._fitting("done", "waiting", "rejected", "lost", "seconds", least_telling="waiting")
        for heading in headings:
            table.add_column(heading, justify="right", no_wrap=True)
        for tally in self._tallies:
            if tally.state == "to come":
                table.add_row(Text(tally.name, style="dim"))
                continue
            cells: dict[str, RenderableType] = {
                "done": Text(f"{tally.done:,}", style="green"),
                "waiting": f"{tally.waiting:,}",
                "rejected": Text(f"{tally.rejected:,}", style="yellow" if tally.rejected else ""),
                "lost": Text(f"{tally.lost:,}", style="red" if tally.lost else ""),
                "seconds": f"{tally.seconds:.1f}",
            }
            name = Text(tally.name, style="bold" if tally.state == "running" else "")
            table.add_row(name, *(cells[each] for each in headings))
        return Group(Text(), table, Text(), self._draw_spending())

    def _draw_spending(self) -> RenderableType:
        if self._running is None or self._spending is None:
            return Text()
        limit, spent = self._plan.limit, self._spending.lately()
        grid = Table.grid(padding=(0, 1))
        grid.add_row(
            "budget used",
            ProgressBar(total=limit, completed=min(spent, limit), width=_BAR_WIDTH),
            f"{spent}/{limit} in the last {self._plan.period:g} s",
        )
        return grid

    def conclude(self) -> None:
        """Put the ways side by side."""
        plan = self._plan
        table = Table(box=box.SIMPLE_HEAD, padding=(0, 0, 0, 1), pad_edge=False)
        table.add_column(f"{plan.calls:,} customers", overflow="fold")
        headings = self._fitting(
            "done", "lost", "requests", "rejected", "seconds", "budget", least_telling="requests"
        )
        for heading in headings:
            table.add_column(heading, justify="right", no_wrap=True)
        for tally in self._tallies:
            rejected = tally.rejected / tally.requests if tally.requests else 0.0
            cells: dict[str, RenderableType] = {
                "done": f"{tally.done:,}",
                "lost": Text(f"{tally.lost:,}", style="red" if tally.lost else ""),
                "requests": f"{tally.requests:,}",
                "rejected": Text(f"{rejected:.0%}", style="yellow" if tally.rejected else ""),
                "seconds": f"{tally.seconds:.1f}",
                "budget": f"{tally.share_of_budget(plan.limit, plan.period):.0%}",
            }
            table.add_row(tally.name, *(cells[each] for each in headings))
        self._console.print(table)
        self._console.print(self._notes())

    def _notes(self) -> Table:
        plan = self._plan
        per_second = plan.limit / plan.period
        grid = Table.grid(padding=(0, 2, 0, 0))
        grid.add_column(style="dim", no_wrap=True)
        grid.add_column(style="dim")
        grid.add_row("rejected", "requests that the server answered with 429, as it counted them itself")
        grid.add_row(
            "budget",
            f"accepted requests, of the {per_second:g} a second that the limit sustains over the time taken; "
            "over one window, where less time was taken",
        )
        if any(tally.share_of_budget(plan.limit, plan.period) > 1 for tally in self._tallies):
            grid.add_row("", "above 100%: the budget in hand at the start came on top")
        grid.add_row(
            "tenacity",
            f"wait_random_exponential from 1 to 60 s, divided by {60 / plan.period:.3g} as the minute is, "
            "plus Retry-After where there is one; aiohttp, 100 connections; nothing shared between the calls",
        )
        if plan.retry_after:
            grid.add_row("Retry-After", "whole seconds, at least one: it does not shrink with the minute")
        grid.add_row("batched", "the same customers, by search, up to a hundred a request")
        return grid


def _ended(tally: Tally) -> str:
    return (
        f"{tally.name}: {tally.done} done, {tally.lost} lost, {tally.seconds:.1f} s; "
        f"requests {tally.requests}, rejected {tally.rejected}"
    )


def _under_way(tally: Tally) -> str:
    return (
        f"  {tally.seconds:.0f} s: {tally.done} done, {tally.waiting} waiting, {tally.lost} lost, "
        f"rejected {tally.rejected}"
    )


def show(plan: Plan, tallies: Sequence[Tally], work: Callable[[Callable[[], None]], None]) -> None:
    """Show the demo from beginning to end; `work` does it and calls back."""
    screen = Screen(Console(), plan, tallies)
    screen.introduce()
    with screen.showing():
        work(screen.look)
    screen.conclude()
