"""Draws the figures of the chapter on the limiter, in virtual time, and lists its constants: `make docs`."""

import ast
import asyncio
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any, Final

import matplotlib as mpl
from attrs import define, field
from matplotlib.figure import Figure
from sphinx.application import Sphinx

import helpcrunch_async
from helpcrunch_async import RateLimiter
from helpcrunch_async.testing import (
    FixedWindow,
    InterpolatedWindow,
    RateRule,
    RollingLog,
    TokenBucket,
    run_in_virtual_time,
)

_MADE: Final = Path(__file__).parent / "explanation" / "made"  # by each build, and not kept
_ROUND_TRIP: Final = 0.1
_GREY: Final = "#808080"  # readable on white and on black
_OURS, _OTHER, _BAD, _GOOD = "#0088cc", "#b35900", "#cc3311", "#229922"
_RULES: Final[dict[str, Callable[[], RateRule]]] = {
    "fixed window": lambda: FixedWindow(120, 60.0),
    "rolling log": lambda: RollingLog(120, 60.0),
    "interpolated": lambda: InterpolatedWindow(120, 60.0, 0.6),
    "token bucket": lambda: TokenBucket(120, 60.0),
    "a tenth's bucket": lambda: TokenBucket(120, 60.0, 12),
}


@define
class Trace:
    """What a server sees of some calls, by the second."""

    rule: RateRule
    sent: list[float] = field(factory=list)
    accepted: list[float] = field(factory=list)
    rejected: list[float] = field(factory=list)
    rates: list[tuple[float, float]] = field(factory=list)  # calls a minute that the limiter believes in

    async def call(self, limiter: RateLimiter) -> None:
        """Call until accepted."""
        clock = asyncio.get_running_loop().time
        turn = await limiter.turn()
        while True:
            self.sent.append(clock())
            await asyncio.sleep(_ROUND_TRIP / 2)
            refused = self.rule.hit(clock()) is not None
            await asyncio.sleep(_ROUND_TRIP / 2)
            self.rates.append((clock(), 60 * limiter.statistics.rate))
            if not refused:
                self.accepted.append(clock())
                turn.accepted()
                break
            self.rejected.append(clock())
            turn.rejected(None)
            self.rates.append((clock(), 60 * limiter.statistics.rate))
            await turn.again()
        self.rates.append((clock(), 60 * limiter.statistics.rate))


class Switching:
    """A limit that becomes another one."""

    def __init__(self, before: RateRule, after: RateRule, at: float) -> None:
        self._before, self._after, self._at = before, after, at

    @property
    def rate(self) -> float:
        """Return the first one's rate."""
        return self._before.rate

    def hit(self, now: float) -> float | None:
        """Ask the one that holds."""
        return (self._before if now < self._at else self._after).hit(now)


def _gather(rule: RateRule, calls: int, limiter: RateLimiter | None = None) -> Trace:
    """Gather calls, and see."""
    trace = Trace(rule)
    limiter = limiter or RateLimiter(random=Random(1).random)

    async def main() -> None:
        await asyncio.gather(*(trace.call(limiter) for _ in range(calls)))

    run_in_virtual_time(main())
    return trace


def _axes(figure: Figure, title: str, y: str, *, rows: int = 1, row: int = 1) -> Any:
    axes = figure.add_subplot(rows, 1, row)
    axes.patch.set_alpha(0)
    axes.set_title(title, color=_GREY, fontsize=10)
    axes.set_xlabel("seconds" if row == rows else "", color=_GREY)
    axes.set_ylabel(y, color=_GREY)
    axes.tick_params(colors=_GREY)
    for spine in axes.spines.values():
        spine.set_color(_GREY)
    return axes


def _figure(height: float = 3.2) -> Figure:
    figure = Figure(figsize=(8, height), layout="constrained")
    figure.patch.set_alpha(0)
    return figure


def _legend(axes: Any, **options: Any) -> None:
    axes.legend(frameon=False, labelcolor=_GREY, fontsize=8, **options)


def _steps(axes: Any, times: list[float], **look: Any) -> None:
    axes.step([0.0, *times], range(len(times) + 1), where="post", **look)


def pacing() -> Figure:
    """Show what each rule lets an omniscient sender have, and the even pace below all of them."""
    figure = _figure()
    axes = _axes(
        figure, "500 calls at once: what each kind of server could take, and the even pace", "accepted"
    )
    for (name, make), look in zip(_RULES.items(), ("-", "--", "-.", ":", (0, (5, 1, 1, 1))), strict=True):
        rule, at, taken = make(), 0.0, list[float]()
        while len(taken) < 500 and at < 280:
            wait = rule.hit(at)
            if wait is None:
                taken.append(at)
            else:
                at += max(min(wait, 0.1), 1e-3)
        _steps(axes, taken, color=_OTHER, linestyle=look, linewidth=1, label=name)
    trace = _gather(RollingLog(120, 60.0), 500)
    _steps(axes, [at for at in trace.accepted if at < 280], color=_OURS, linewidth=2.2, label="even pace")
    _legend(axes)
    return figure


def window() -> Figure:
    """Show how many turns the last period held, with quiet times, bursts and a long job."""
    trace = Trace(RollingLog(120, 60.0))
    limiter = RateLimiter()

    async def main() -> None:
        async with asyncio.TaskGroup() as tasks:
            for pause, calls in ((5.0, 40), (20.0, 60), (15.0, 60), (70.0, 90), (30.0, 200)):
                await asyncio.sleep(pause)
                for _ in range(calls):
                    tasks.create_task(trace.call(limiter))

    run_in_virtual_time(main())
    times = [at / 4 for at in range(4 * 290)]
    held = [sum(1 for at in trace.sent if now - 60 < at <= now) for now in times]
    figure = _figure()
    axes = _axes(figure, "calls sent in the last 60 seconds: bursts, then a job beyond the budget", "calls")
    axes.plot(times, held, color=_OURS)
    axes.axhline(120, color=_BAD, linewidth=1, linestyle="--")
    axes.set_ylim(0, 130)
    return figure


def burst() -> Figure:
    """Show jobs from idle, up to the budget and beyond."""
    figure = _figure()
    axes = _axes(figure, "jobs of several sizes, from idle", "calls sent")
    for calls, color in ((100, _GOOD), (120, _OURS), (121, _OTHER), (180, _BAD)):
        trace = _gather(RollingLog(120, 60.0), calls)
        _steps(axes, sorted(trace.sent), color=color, label=f"{calls} calls", linewidth=1.6)
    _legend(axes)
    return figure


def gate() -> Figure:
    """Show a rejection, its pause, the probes and the reopening, call by call."""
    trace = _gather(Switching(RollingLog(40, 60.0), RollingLog(120, 60.0), 45.0), 140)
    figure = _figure(2.8)
    axes = _axes(figure, "a 429 at the 41st call; the server takes more only from second 45 on", "calls sent")
    sent = sorted(trace.sent)
    refused = [min(range(len(sent)), key=lambda n: abs(sent[n] + _ROUND_TRIP - at)) for at in trace.rejected]
    axes.plot(sent, range(1, len(sent) + 1), ".", color=_OURS, markersize=4, label="sent")
    axes.plot(
        [sent[n] for n in refused], [n + 1 for n in refused], "x", color=_BAD, markersize=7, label="429"
    )
    first, last = trace.rejected[0], next(at for at in trace.accepted if at > trace.rejected[-1])
    axes.axvspan(first, last, color=_GREY, alpha=0.15, label="paused, or probing")
    axes.set_xlim(0, 75)
    axes.set_ylim(0, 60)
    _legend(axes, loc="upper left")
    return figure


def estimate() -> Figure:
    """Show how the number of calls a minute is corrected, and climbs back."""
    rule = Switching(RollingLog(40, 60.0), RollingLog(120, 60.0), 900.0)
    trace = _gather(rule, 1_500)
    figure = _figure()
    axes = _axes(figure, "told 120 a minute where 40 are true, until second 900", "calls a minute")
    axes.step(*zip(*trace.rates, strict=True), where="post", color=_OURS, label="believed")
    axes.step(
        [0, 900, trace.rates[-1][0]], [40, 120, 120], where="post", color=_GREY, linestyle="--", label="true"
    )
    axes.plot(trace.rejected, [4] * len(trace.rejected), "|", color=_BAD, label="429")
    axes.set_ylim(0, 130)
    _legend(axes, loc="center left")
    return figure


def unknown() -> Figure:
    """Show how a limit is found that nobody configured."""
    rule = Switching(TokenBucket(20, 1.0, 40), TokenBucket(8, 1.0, 16), 120.0)
    trace = _gather(rule, 3_600, RateLimiter.discover(random=Random(3).random))
    figure = _figure()
    axes = _axes(figure, "an unknown limit: 20 a second, and 8 from second 120 on", "calls a second")
    axes.step(
        [at for at, _ in trace.rates],
        [rate / 60 for _, rate in trace.rates],
        where="post",
        color=_OURS,
        label="believed",
    )
    axes.step([0, 120, 240], [20, 8, 8], where="post", color=_GREY, linestyle="--", label="true")
    axes.plot(trace.rejected, [0.5] * len(trace.rejected), "|", color=_BAD, label="429")
    axes.set_xlim(0, 240)
    axes.set_ylim(0, 32)
    _legend(axes)
    return figure


def two() -> Figure:
    """Show two limiters on one account, neither of which knows of the other."""
    rule = RollingLog(120, 60.0)
    traces = [Trace(rule), Trace(rule)]

    async def press(trace: Trace, limiter: RateLimiter, delay: float, calls: int) -> None:
        await asyncio.sleep(delay)
        await asyncio.gather(*(trace.call(limiter) for _ in range(calls)))

    async def main() -> None:
        limiters = [RateLimiter(random=Random(seed).random) for seed in (1, 2)]
        await asyncio.gather(
            press(traces[0], limiters[0], 0.0, 1_400), press(traces[1], limiters[1], 180.0, 400)
        )

    run_in_virtual_time(main())
    figure = _figure()
    axes = _axes(
        figure, "two limiters, each told 120 a minute of one account that takes 120", "calls a minute"
    )
    for trace, color, name in zip(
        traces, (_OURS, _OTHER), ("the first", "the second, from second 180"), strict=True
    ):
        axes.step(*zip(*trace.rates, strict=True), where="post", color=color, label=name)
        axes.plot(trace.rejected, [2] * len(trace.rejected), "|", color=color)
    axes.set_ylim(0, 130)
    _legend(axes, loc="lower right")
    return figure


_FIGURES: Final = (pacing, window, burst, gate, estimate, unknown, two)


def constants() -> Iterator[tuple[str, str, str, str]]:
    """Give the module, name, value and reason of each constant of the limiter."""
    folder = Path(helpcrunch_async.__file__).parent / "rate_limit"
    for path in sorted(folder.glob("*.py")):
        body = ast.parse(path.read_text(encoding="utf-8")).body
        for this, following in pairwise(body):
            if isinstance(this, ast.AnnAssign) and isinstance(following, ast.Expr):
                reason = ast.literal_eval(following.value)
                name = ast.unparse(this.target)
                if name.isupper() and this.value is not None:
                    yield path.stem, name.lstrip("_"), ast.unparse(this.value), " ".join(reason.split())


def _table_of_constants() -> str:
    rows = ["| module | constant | value | unit, reason, and which benchmark objects |", "|---|---|---|---|"]
    for module, name, value, reason in constants():
        shown = value if len(value) < 20 else "see the code"
        rows.append(f"| {module} | {name} | {shown} | {reason} |")
    return "\n".join(rows) + "\n"


def draw(app: Sphinx) -> None:
    """Make what the chapter shows."""
    _MADE.mkdir(exist_ok=True)
    mpl.rcParams.update(
        {"svg.hashsalt": "helpcrunch_async", "svg.fonttype": "none", "font.sans-serif": ["DejaVu Sans"]}
    )
    for make in _FIGURES:
        make().savefig(_MADE / f"{make.__name__}.svg", metadata={"Date": None})
    (_MADE / "constants.md").write_text(_table_of_constants(), encoding="utf-8")


def setup(app: Sphinx) -> None:
    """Let Sphinx draw before it reads."""
    app.connect("builder-inited", draw)
