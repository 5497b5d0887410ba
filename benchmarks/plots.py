"""Draws what the rate-limited server sees, the usual way against ours."""

import random
from io import BytesIO
from typing import Any, Final

import matplotlib as mpl
from matplotlib.figure import Figure
from storm import storm
from strategies import STRATEGIES
from tables import PLOTS, Table
from wire import LIMIT, PERIOD, RULES, Server, in_parallel, simulate

LIBRARIES: Final = ("matplotlib", "tenacity")
_CALLS: Final = 1_200
_SHOWN: Final = {
    "gather + tenacity, 5 attempts": "#b35900",
    "gather + tenacity, 10 attempts, heeds Retry-After": "#cc79a7",
    "ours, told the limit": "#0088cc",
}
_RULES: Final = ("rolling log", "penalty")
_GREY: Final = "#808080"  # readable on white and on black


def traced(strategy: str, rule: str, calls: int) -> tuple[list[float], list[float]]:
    """Give when requests were accepted and when they were rejected, in minutes."""
    random.seed(f"{strategy} {rule}")
    server = Server(RULES[rule](LIMIT, PERIOD, False), retry_after=True)
    simulate(storm(strategy, server, calls, 2 * calls * PERIOD / LIMIT))
    return [at / 60 for at in server.accepted_at], [at / 60 for at in server.rejected_at]


def _draw(axes: Any, times: list[float], until: float, color: str, label: str) -> None:
    # no more points than can be seen, so that the files stay small
    kept = sorted({round(index * (len(times) - 1) / 100) for index in range(101)}) if times else []
    x = [0.0, *(times[index] for index in kept), until]
    y = [0, *(index + 1 for index in kept), len(times)]
    axes.step(x, y, where="post", color=color, label=label, linewidth=1.8)


def _figure(rule: str, traces: dict[str, tuple[list[float], list[float]]], calls: int) -> Figure:
    figure = Figure(figsize=(8, 3.4), layout="constrained")
    figure.patch.set_alpha(0)
    until = 1.05 * calls / LIMIT
    for place, title in enumerate(("customers fetched", "requests rejected")):
        axes = figure.add_subplot(1, 2, place + 1)
        axes.patch.set_alpha(0)
        for strategy, color in _SHOWN.items():
            times = [at for at in traces[strategy][place] if at <= until]
            _draw(axes, times, until, color, strategy)
        axes.set_title(f"{title}: {rule}, {LIMIT} per {PERIOD:g} s", color=_GREY, fontsize=10)
        axes.set_xlabel("minutes", color=_GREY)
        axes.tick_params(colors=_GREY)
        axes.set_ylim(bottom=0)
        for spine in axes.spines.values():
            spine.set_color(_GREY)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside lower center", ncols=3, frameon=False, labelcolor=_GREY, fontsize=8
    )
    return figure


def run(*, quick: bool) -> list[Table]:
    """Draw; a quick run keeps no drawing."""
    calls = 130 if quick else _CALLS
    assert set(_SHOWN) <= set(STRATEGIES)
    mpl.rcParams.update(
        {"svg.hashsalt": "helpcrunch_async", "svg.fonttype": "none", "font.sans-serif": ["DejaVu Sans"]}
    )
    jobs = [(strategy, rule, calls) for rule in _RULES for strategy in _SHOWN]
    traces = dict(zip(jobs, in_parallel(traced, jobs), strict=True))
    rows = []
    PLOTS.mkdir(exist_ok=True)
    for rule in _RULES:
        name = f"{rule.replace(' ', '-')}.svg"
        figure = _figure(rule, {strategy: traces[strategy, rule, calls] for strategy in _SHOWN}, calls)
        figure.savefig(BytesIO() if quick else PLOTS / name, format="svg", metadata={"Date": None})
        rows.append([f"![{rule}: customers fetched and requests rejected over time](plots/{name})"])
    return [
        Table(
            f"{calls:,} calls at once, over time",
            "Added up from the start, 100 ms round trips, with Retry-After. A line that ends early "
            "has given up on the rest.",
            ["the usual ways, and ours"],
            rows,
        )
    ]
