"""The evidence of a run as a plot: the arms' curves, and the paired differences."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from growsearch.errors import InvalidInputError
from growsearch.evidence.comparison import ALL, Comparison, Evidence
from growsearch.evidence.curves import arm_curves
from growsearch.reports.plots import plain_axes, save_png
from growsearch.reports.tables import by_metric
from growsearch.trials.arms import CANDIDATE, controls
from growsearch.trials.records import TrialRecord

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PLOT = "evidence.png"
# Colours that readers who cannot tell red from green can tell apart (after Okabe and Ito), then
# dashes: (offset, lengths of line and gap).
_COLOURS = ("#0072B2", "#D55E00", "#CC79A7", "#9A6A00", "#009E73", "#56B4E9", "#444444")
_DASHES = ((0, ()), (0, (4, 2)), (0, (1, 1.5)), (0, (6, 2, 1, 2)))


@dataclass(frozen=True)
class Style:
    """The look of an arm in a plot: a colour, and matplotlib's on and off lengths of dashes."""

    colour: str
    dashes: tuple[float, tuple[float, ...]]


def styles(arms: Iterable[str]) -> dict[str, Style]:
    """Return a style for each arm: by its place among the known arms, then among the others.

    So a known arm looks the same in all plots, and an arm that is not known has a look of its own.

    Examples
    --------
    >>> styles(["net2net", "an arm of tomorrow"])["net2net"].colour
    '#0072B2'
    """
    ordered = dict.fromkeys((CANDIDATE, *controls(), *arms))
    return {
        arm: Style(_COLOURS[place % len(_COLOURS)], _DASHES[place // len(_COLOURS) % len(_DASHES)])
        for place, arm in enumerate(ordered)
    }


def save_plot(records: Sequence[TrialRecord], evidence: Evidence, folder: str | Path) -> Path:
    """Draw the arms' curves above the parents' accuracy, and the paired differences, as a PNG.

    See :class:`growsearch.evidence.curves.ArmCurve`. An arm that trains longer than the candidates
    is drawn as far as they go, with a diamond for its end.

    Returns
    -------
    Path
        ``evidence.png`` in ``folder``.

    Raises
    ------
    InvalidInputError
        When no control arm has run.
    RunError
        When the folder cannot be written to.
    """
    shown = [each for each in (*evidence.overall, *evidence.by_operation) if each.accuracy.n]
    if not shown:
        raise InvalidInputError("a plot: expected a control arm that has run, got none")
    from matplotlib.figure import Figure  # without pyplot: no window, no state

    height = max(5.0, 1.4 + 0.22 * len(shown))  # inches; a row of the right panel takes 0.22
    figure = Figure(figsize=(13.0, height), dpi=150, layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    looks = styles(each.arm for each in evidence.overall)
    _draw_curves(left, records, looks, evidence.metric)
    _draw_differences(right, shown, looks, evidence.metric)
    return save_png(figure, Path(folder) / PLOT)


def _draw_curves(
    ax: Axes, records: Sequence[TrialRecord], looks: dict[str, Style], metric: str
) -> None:
    from matplotlib.ticker import MaxNLocator

    found = arm_curves(records)
    # Random weights start far below all else, which would press everything else flat.
    later = [each.means[len(each.means) // 2 :] for each in found.values()]
    ends = [each.end for each in found.values() if each.end is not None]
    values = [0.0, *ends, *(value for means in later for value in means)]
    room = max(max(values) - min(values), 1e-3)
    bottom, top = min(values) - 0.25 * room, max(values) + 0.25 * room
    for arm, each in found.items():
        is_candidate, look = arm == CANDIDATE, looks[arm]
        facts = [f"n = {each.n}"]
        facts += [f"starts at {each.means[0]:+.2f}"] if each.means[0] < bottom else []
        facts += ["◆: its end"] if each.end is not None else []
        # The candidates' line is the broadest and lies below, so that an equal arm is seen on it.
        ax.plot(
            each.steps,
            each.means,
            color=look.colour,
            linestyle=look.dashes,
            linewidth=4.0 if is_candidate else 1.8,
            label=f"{arm} ({', '.join(facts)})",
            zorder=2 if is_candidate else 3,
        )
        ax.fill_between(each.steps, each.low, each.high, color=look.colour, alpha=0.12, linewidth=0)
        if each.end is not None:
            last = found[CANDIDATE].steps[-1]
            ax.plot([last], [each.end], marker="D", color=look.colour, clip_on=False, zorder=4)
    ax.set_ylim(bottom, top)
    ax.axhline(0.0, color="#888888", linewidth=1.0, linestyle=":")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlabel(f"updates\nbands: 95 % interval of the difference to {CANDIDATE}")
    ax.set_ylabel(by_metric("validation accuracy less the parent's", metric))
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.15), ncols=2, frameon=False, fontsize=9)
    plain_axes(ax, by_metric("Accuracy after the growth, mean over n trials", metric))


def _draw_differences(
    ax: Axes, comparisons: Sequence[Comparison], looks: dict[str, Style], metric: str
) -> None:
    before = comparisons[0].group
    for place, each in enumerate(comparisons):
        found, colour = each.accuracy, looks[each.arm].colour
        if found.interval is not None:
            ax.plot(found.interval, [place, place], color=colour, linewidth=2)
        filled = colour if found.interval is not None else "white"
        ax.plot([found.mean or 0.0], [place], "o", color=colour, markerfacecolor=filled)
        if each.group != before:
            ax.axhline(place - 0.5, color="#888888", linewidth=0.8)
            before = each.group
    ax.axvline(0.0, color="#888888", linewidth=1.0, linestyle=":")
    labels = [
        f"{'all trials' if each.group == ALL else each.group}: {each.arm} ({each.accuracy.n})"
        for each in comparisons
    ]
    ax.set_yticks(range(len(comparisons)), labels, fontsize=8.5)
    ax.set_ylim(len(comparisons) - 0.5, -0.5)
    better = by_metric(f"right of 0: {CANDIDATE} is more accurate", metric)
    ax.set_xlabel(f"{better}\nbars: 95 % intervals; hollow: no interval")
    plain_axes(ax, by_metric(f"Final accuracy: {CANDIDATE} less control", metric))
