"""A reproduction beside the published figures: five tables, where ours lies below, and a plot."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from growsearch.errors import InvalidInputError
from growsearch.evidence.statistics import FEWEST_PAIRS, Paired, paired
from growsearch.reports.pictures import save_png
from growsearch.reports.tables import plain_table
from growsearch.reproduction.experiments import EXPERIMENTS, Experiment, Slots
from growsearch.reproduction.result import Reproduction, Row, Spread

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PLOT = "reproduction.png"
PAIRS = (("wider", "random pad"), ("deeper", "random init"))
# Which arms are held against each other at every iteration, under which title, with which slots.
DUELS: tuple[tuple[str, str, str, Slots], ...] = (
    ("wider − random pad", *PAIRS[0], "reset"),
    ("deeper − random init", *PAIRS[1], "reset"),
    ("wider − continued", "wider", "continued", "carry"),
    ("deeper − continued", "deeper", "continued", "carry"),
)

_BY_NAME = {experiment.name: experiment for experiment in EXPERIMENTS}
# One colour an experiment, told apart by readers who cannot tell red from green (Okabe and Ito).
_COLOURS = {
    "teacher": "#444444",
    "wider": "#0072B2",
    "random pad": "#D55E00",
    "deeper": "#0072B2",
    "random init": "#D55E00",
    "continued": "#009E73",
}
_PANELS = (
    ("Teacher", ("teacher",)),
    ("conv1 widened from 32 to 128", (*PAIRS[0], "continued")),
    ("a layer behind conv1", (*PAIRS[1], "continued")),
)


@dataclass(frozen=True)
class Shortfall:
    """A published figure that our mean does not reach, and by how much (a fraction)."""

    experiment: str
    iteration: int
    by: float


def shortfalls(reproduction: Reproduction) -> tuple[Shortfall, ...]:
    """List every published figure that ours lies below, in the order of the tables.

    To four digits, as they were published; empty if nothing can be compared.
    """
    return tuple(
        Shortfall(experiment.name, row.iteration, -row.difference)
        for experiment in EXPERIMENTS
        for row in reproduction.rows(experiment)
        if row.difference is not None and row.difference < 0.0
    )


def report(reproduction: Reproduction) -> RenderableType:
    """Render for the terminal: what was measured on what, five tables, the summary."""
    parts: list[RenderableType] = [Text(_heading(reproduction))]
    if not reproduction.comparable:
        parts.append(
            Text(f"NOT COMPARABLE with the published figures: {_why(reproduction)}.", "bold red")
        )
    parts += [table(reproduction, experiment) for experiment in EXPERIMENTS]
    parts.append(winners(reproduction))
    parts.append(Text(summary(reproduction)))
    return Group(*(Padding(part, (0, 0, 1, 0)) for part in parts))


def table(reproduction: Reproduction, experiment: Experiment) -> Table:
    """Set one experiment beside its published figures, a row an evaluation; fits 80 columns."""
    published_at_all = bool(experiment.published)
    comparable = reproduction.comparable and published_at_all
    number = EXPERIMENTS.index(experiment) + 1
    made = plain_table(f"{number}. {experiment.title}")
    seeds = len(reproduction.seeds)
    made.add_column(f"test accuracy, {_mean_of(seeds)}", no_wrap=True)
    if published_at_all:
        title = "published" if comparable else "not comparable"
        made.add_column(title, justify="right", no_wrap=True)
    if comparable:
        made.add_column("difference", justify="right", no_wrap=True)
    carries = "carry" in experiment.treatments
    if carries:
        made.add_column("slots carried", no_wrap=True)
    for row in reproduction.rows(experiment):
        below = row.difference is not None and row.difference < 0.0
        published = "" if row.published is None else f"{row.published:.4f}"
        cells = [Text(f"[Iter: {row.iteration}] Accuracy: {_plus_minus(row.accuracy)}")]
        if published_at_all:
            cells.append(Text(published if comparable or not published else f"({published})"))
        if comparable:
            cells.append(Text(_signed(row.difference), "red" if below else "green"))
        if carries and row.carried is not None:
            cells.append(Text(_plus_minus(row.carried)))
        made.add_row(*cells)
    return made


def duels(reproduction: Reproduction) -> dict[str, tuple[Paired, ...]]:
    """Differences in test accuracy, paired by seed: title -> one :class:`Paired` an evaluation."""
    return {
        title: tuple(
            paired(each)
            for each in (
                reproduction.accuracies(one, slots) - reproduction.accuracies(other, slots)
            ).T
        )
        for title, one, other, slots in DUELS
    }


def to_json(reproduction: Reproduction) -> dict[str, Any]:
    """The reproduction as plain JSON values, with who wins at each iteration."""
    who_wins = [
        {"title": title, "slots": slots, "iteration": step, **asdict(each)}
        for title, _, _, slots in DUELS
        for step, each in zip(reproduction.steps, duels(reproduction)[title], strict=True)
    ]
    return reproduction.to_json() | {"who_wins": who_wins}


def winners(reproduction: Reproduction) -> Table:
    """Who is ahead at each iteration, by how much, and in how many seeds; fits 80 columns."""
    seeds = len(reproduction.seeds)
    few = seeds < FEWEST_PAIRS
    confidence = "too few seeds for intervals" if few else "95 % intervals, *: without 0"
    made = plain_table(f"Who wins: mean difference, seeds ahead of {seeds} ({confidence})")
    made.add_column("iteration", justify="right", no_wrap=True)
    found = duels(reproduction)
    for title, _, _, slots in DUELS:
        made.add_column(title + (", carried" if slots == "carry" else ""), justify="right")
    for place, step in enumerate(reproduction.steps):
        made.add_row(str(step), *(_duel(each[place]) for each in found.values()))
    return made


def _duel(found: Paired) -> Text:
    if found.mean is None:
        return Text("")
    text = f"{_short(found.mean, sign=True)} ({found.ahead}/{found.n})"
    if found.interval is None:
        return Text(text)
    low, high = found.interval
    sure = low > 0.0 or high < 0.0
    half = _short((high - low) / 2.0)
    return Text(f"{text} ±{half}{'*' * sure}", "bold" if sure else "")


def summary(reproduction: Reproduction) -> str:
    """Say what the tables come to: first of all where ours lies below, and by how much."""
    if not reproduction.seeds:
        return "Nothing was measured."
    lines = [_against_published(reproduction)]
    lines += [_against_random(reproduction, *pair) for pair in PAIRS]
    lines.append(_carried(reproduction))
    lines.append(
        "All of these are test accuracies, as the original's were (it called them validation "
        "accuracies); growsearch's own search never looks at test images before its end."
    )
    return "\n\n".join(lines)


def save_plot(reproduction: Reproduction, folder: str | Path) -> Path:
    """Draw the curves with bands of one standard deviation, and the published points, as a PNG.

    Returns
    -------
    Path
        ``reproduction.png`` in ``folder``.

    Raises
    ------
    InvalidInputError
        When nothing was measured.
    RunError
        When the folder cannot be written to.
    """
    if not reproduction.seeds:
        raise InvalidInputError("a plot: expected at least one seed, got none")
    from matplotlib.figure import Figure  # without pyplot: no window, no state

    figure = Figure(figsize=(13.0, 5.0), dpi=150, layout="constrained")
    axes = figure.subplots(1, len(_PANELS), sharey=True)
    limits = _limits(reproduction)
    for ax, (title, names) in zip(axes, _PANELS, strict=True):
        ax.set_title(title, loc="left", fontsize=11, fontweight="bold")
        for name in names:
            _draw(ax, reproduction, _BY_NAME[name], bottom=limits[0])
        ax.set_xlabel("updates")
        ax.grid(axis="y", color="#dddddd", linewidth=0.8)
        ax.set_axisbelow(True)
        ax.spines[["top", "right"]].set_visible(False)
        ax.legend(loc="lower right", frameon=False, fontsize=8.5)
    axes[0].set_ylabel("test accuracy")
    axes[0].set_ylim(*limits)
    title = (
        f"Net2Net, {reproduction.test_images:,} test images, {_mean_of(len(reproduction.seeds))}"
    )
    if not reproduction.comparable:
        title += "; NOT COMPARABLE with the published figures, which are left out"
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    return save_png(figure, Path(folder) / PLOT)


# -- sentences -----------------------------------------------------------------------------------


def _heading(reproduction: Reproduction) -> str:
    minutes = reproduction.seconds / 60.0
    return "\n".join(
        [
            "The five experiments of github.com/paengs/Net2Net, repeated: accuracy on the "
            f"{reproduction.test_images:,} TEST images, as the original measured it.",
            f"Images: {reproduction.source}. Seeds: {_list(reproduction.seeds)}. "
            f"Took {minutes:.1f} min.",
            *(f"On: {environment}" for environment in reproduction.environments),
        ]
    )


def _against_published(reproduction: Reproduction) -> str:
    if not reproduction.comparable:
        return (
            f"NOT COMPARABLE with the published figures: {_why(reproduction)}. They stand in the "
            "tables for orientation, in brackets, and no difference is taken."
        )
    compared = [
        row
        for experiment in EXPERIMENTS
        for row in reproduction.rows(experiment)
        if row.difference is not None
    ]
    below = shortfalls(reproduction)
    seeds = len(reproduction.seeds)
    runs = "one run each; ours are " + ("one too" if seeds == 1 else f"means over {seeds} seeds")
    if not below:
        return f"At or above the published figure at all {len(compared)} ({runs})."
    named = [
        f"{name} " + ", ".join(f"{s.iteration} by {_short(s.by)}" for s in each)
        for name in _BY_NAME
        if (each := [s for s in below if s.experiment == name])
    ]
    text = (
        f"Below the published figure at {len(below)} of {len(compared)}: {'; '.join(named)}. "
        f"At or above it elsewhere. The published figures are {runs}."
    )
    within = sum(
        _within(row) for row in compared if row.difference is not None and row.difference < 0
    )
    if seeds > 1:
        text += f" {within} of the {len(below)} lie within two of our own standard deviations."
    return text


def _against_random(reproduction: Reproduction, grown: str, random: str) -> str:
    """Say whether the original's finding holds: Net2Net's weights beat random ones."""
    steps = [i for i, step in enumerate(reproduction.steps) if step > 0]
    ours = reproduction.accuracies(grown) - reproduction.accuracies(random)
    mean = ours.mean(axis=0)[steps]
    text = (
        f"{grown.capitalize()} above {random} at {int((mean > 0).sum())} of {len(steps)} "
        f"evaluations, by {_short(float(mean.mean()), sign=True)} on average"
    )
    if not reproduction.comparable:
        return text + "."
    known = _BY_NAME[grown].published, _BY_NAME[random].published
    published = [known[0][s] - known[1][s] for s in known[0] if s in reproduction.steps]
    return (
        f"{text}; published: at {sum(gain > 0 for gain in published)} of {len(published)}, "
        f"by {_short(float(np.mean(published)), sign=True)}."
    )


def _carried(reproduction: Reproduction) -> str:
    """Say what carrying the slots changes at the first evaluation (the dip) and at the last."""
    first, last = reproduction.steps[1], reproduction.steps[-1]
    changes = []
    for experiment in EXPERIMENTS:
        if experiment.growth is not None:
            carried = reproduction.accuracies(experiment.name, "carry")
            change = (carried - reproduction.accuracies(experiment.name)).mean(axis=0)
            places = (1, -1) if first != last else (-1,)
            found = " and ".join(_short(float(change[i]), sign=True) for i in places)
            changes.append(f"{experiment.name} {found}")
    when = f"{first} and {last}" if first != last else f"{last}"
    return f"Slots carried, not reset, change at {when}: {'; '.join(changes)}."


def _why(reproduction: Reproduction) -> str:
    return "; ".join(reproduction.caveats)


def _within(row: Row) -> bool:
    std = row.accuracy.std
    return std is not None and row.difference is not None and -row.difference <= 2.0 * std


def _mean_of(seeds: int) -> str:
    return "one seed" if seeds == 1 else f"mean ± std ({seeds} seeds)"


def _plus_minus(spread: Spread) -> str:
    return f"{spread.mean:.4f}" + ("" if spread.std is None else f" ± {spread.std:.4f}")


def _signed(difference: float | None) -> str:
    return "" if difference is None else f"{difference + 0.0:+.4f}"


def _short(value: float, *, sign: bool = False) -> str:
    """Four digits without the leading zero: .0032, +.0101."""
    value = round(value, 4) + 0.0  # no "-0"
    text = f"{value:+.4f}" if sign else f"{value:.4f}"
    return text.replace("0.", ".", 1)


def _two(value: float) -> str:
    return f"{value:.2f}".replace("0.", ".", 1)


def _list(seeds: tuple[int, ...]) -> str:
    return ", ".join(map(str, seeds)) or "none"


# -- the plot ------------------------------------------------------------------------------------


def _draw(ax: Axes, reproduction: Reproduction, experiment: Experiment, *, bottom: float) -> None:
    colour = _COLOURS[experiment.name]
    labels: dict[Slots, str] = {
        "reset": experiment.name,
        "carry": f"{experiment.name}, slots carried",
    }
    for slots in experiment.treatments:
        accuracies = reproduction.accuracies(experiment.name, slots)
        mean = accuracies.mean(axis=0)
        dashed = slots == "carry"
        below = "" if dashed or mean[0] >= bottom else f" (starts at {_two(float(mean[0]))})"
        ax.plot(
            reproduction.steps,
            mean,
            color=colour,
            linestyle=(0, (4, 2)) if dashed else "-",
            linewidth=1.3 if dashed else 2.0,
            label=labels[slots] + below,
        )
        if len(accuracies) > 1:
            std = accuracies.std(axis=0, ddof=1)
            ax.fill_between(
                reproduction.steps,
                mean - std,
                mean + std,
                color=colour,
                alpha=0.08 if dashed else 0.18,
                linewidth=0,
            )
    published = _published(reproduction, experiment)
    if published:
        ax.plot(
            list(published),
            list(published.values()),
            linestyle="none",
            marker="o",
            markersize=5,
            markerfacecolor="white",
            markeredgecolor=colour,
            markeredgewidth=1.3,
            label=f"{experiment.name}, published",
        )


def _published(reproduction: Reproduction, experiment: Experiment) -> dict[int, float]:
    """Return the published points that the plot shows: those that ours can be held against."""
    return {
        step: value
        for step, value in experiment.published.items()
        if step in reproduction.steps and reproduction.comparable
    }


def _limits(reproduction: Reproduction) -> tuple[float, float]:
    """Bound the axis by all that is shown after the start.

    At the start a random layer may be at chance, which would press everything else flat.
    """
    shown = [
        value
        for experiment in EXPERIMENTS
        for slots in experiment.treatments
        for value in reproduction.accuracies(experiment.name, slots)[:, 1:].mean(axis=0)
    ]
    shown += [
        value
        for experiment in EXPERIMENTS
        for value in _published(reproduction, experiment).values()
    ]
    low, high = min(shown), max(shown)
    return max(0.0, low - 0.08 * (high - low)), min(1.0, high + 0.08 * (high - low))
