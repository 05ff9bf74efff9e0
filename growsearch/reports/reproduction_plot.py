"""A reproduction beside the published figures, as a plot."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from growsearch.errors import InvalidInputError
from growsearch.growth import Treatment
from growsearch.reports.plots import plain_axes, save_png
from growsearch.reports.reproduction import mean_over
from growsearch.reproduction.experiments import BY_NAME, EXPERIMENTS, Experiment
from growsearch.reproduction.result import Reproduction

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PLOT = "reproduction.png"
# Colours that readers who cannot tell red from green can tell apart (Okabe and Ito).
_COLOURS = {
    "teacher": "#444444",
    "wider": "#0072B2",
    "random pad": "#D55E00",
    "deeper": "#0072B2",
    "random init": "#D55E00",
    "continued": "#009E73",
}
# Title of a panel -> its experiments.
_PANELS = {
    "Teacher": ("teacher",),
    "conv1 widened from 32 to 128": ("wider", "random pad", "continued"),
    "A layer added behind conv1": ("deeper", "random init", "continued"),
}


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
    for ax, (title, names) in zip(axes, _PANELS.items(), strict=True):
        for name in names:
            _draw(ax, reproduction, BY_NAME[name], bottom=limits[0])
        ax.set_xlabel("updates")
        ax.legend(loc="lower right", frameon=False, fontsize=8.5)
        plain_axes(ax, title)
    axes[0].set_ylabel("test accuracy")
    axes[0].set_ylim(*limits)
    images, seeds = f"{reproduction.test_images:,} test images", len(reproduction.seeds)
    title = f"Net2Net, reproduced: {images}, {mean_over(seeds)}"
    if not reproduction.comparable:
        title += "; NOT COMPARABLE with the published figures, which are left out"
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    return save_png(figure, Path(folder) / PLOT)


def _draw(ax: Axes, reproduction: Reproduction, experiment: Experiment, *, bottom: float) -> None:
    colour = _COLOURS[experiment.name]
    labels: dict[Treatment, str] = {
        "reset": experiment.name,
        "carry": f"{experiment.name}, slots carried",
    }
    for slots in experiment.treatments:
        accuracies = reproduction.accuracies(experiment.name, slots)
        mean = accuracies.mean(axis=0)
        dashed = slots == "carry"
        is_cut = not dashed and mean[0] < bottom
        start = f" (starts at {mean[0]:.2f})".replace("0.", ".", 1) if is_cut else ""
        ax.plot(
            reproduction.steps,
            mean,
            color=colour,
            linestyle=(0, (4, 2)) if dashed else "-",
            linewidth=1.3 if dashed else 2.0,
            label=labels[slots] + start,
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
    """Return the published points that can be compared with ours: step -> accuracy."""
    return {
        step: value
        for step, value in experiment.published.items()
        if step in reproduction.steps and reproduction.comparable
    }


def _limits(reproduction: Reproduction) -> tuple[float, float]:
    """Bound the axis by the accuracies after the start.

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
