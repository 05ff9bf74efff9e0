"""The evidence of a run as tables, and as a picture: paired curves, one colour an arm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from growsearch.errors import InvalidInputError
from growsearch.evidence.comparison import Comparison, Evidence, Reached, pairs
from growsearch.evidence.statistics import FEWEST_PAIRS, Paired, mean_interval
from growsearch.reports.pictures import save_png
from growsearch.reports.tables import plain_table
from growsearch.trials.arms import CANDIDATE, CONTROLS
from growsearch.trials.records import ArmResult, TrialRecord

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PLOT = "evidence.png"
# One colour an arm, told apart by readers who cannot tell red from green (Okabe and Ito).
_COLOURS = dict(
    zip(
        (CANDIDATE, *CONTROLS), ("#0072B2", "#D55E00", "#CC79A7", "#9A6A00", "#009E73"), strict=True
    )
)


def report(evidence: Evidence) -> RenderableType:
    """Render for the terminal: accuracy and how soon, overall and by operation; what it means."""
    if not evidence.overall:
        return Text("No control arm has run: nothing can be compared (see controls.arms).")
    parts: list[RenderableType] = [
        accuracies(evidence.overall, "All trials"),
        speeds(evidence.overall, "All trials"),
    ]
    groups = list(dict.fromkeys(each.group for each in evidence.by_operation))
    for group in groups if len(groups) > 1 else []:
        compared = [each for each in evidence.by_operation if each.group == group]
        parts += [accuracies(compared, group), speeds(compared, group)]
    repeated = [each for each in evidence.overall if each.variance is not None]
    if repeated:
        parts.append(_variances(repeated))
    parts.append(Text(_notes(evidence)))
    return Group(*(Padding(part, (0, 0, 1, 0)) for part in parts))


def accuracies(comparisons: Sequence[Comparison], title: str) -> Table:
    """Paired differences in validation accuracy, a row a control; fits 80 columns."""
    made = plain_table(f"{title}: validation accuracy, {CANDIDATE} less control")
    made.add_column("control", no_wrap=True)
    for name in ("n", "mean", "95 % interval", "ahead", "d_z", "Holm p"):
        made.add_column(name, justify="right", no_wrap=True)
    for each in comparisons:
        found = each.accuracy
        made.add_row(
            each.arm,
            str(found.n),
            _number(found.mean, "+.4f"),
            _interval(found),
            f"{found.ahead}:{found.behind}",
            _number(found.effect_size, "+.2f"),
            _number(each.adjusted_p, ".2g"),
        )
    return made


def speeds(comparisons: Sequence[Comparison], title: str) -> Table:
    """How soon each arm reaches the parent's accuracy, and the candidate's last; 80 columns."""
    made = plain_table(f"{title}: first reached, medians, {CANDIDATE} / control")
    made.add_column("control", no_wrap=True)
    made.add_column("whose", no_wrap=True)
    for name in ("updates", "seconds", "TFLOPs", "both", "one"):
        made.add_column(name, justify="right", no_wrap=True)
    for each in comparisons:
        for reached in each.reached:
            name = each.arm if reached is each.reached[0] else ""
            whose = {"parent": "parent's", "candidate": "its last"}[reached.target]
            made.add_row(name, whose, *_reached(reached))
    return made


def save_plot(records: Sequence[TrialRecord], evidence: Evidence, folder: str | Path) -> Path:
    """Draw the arms' paired curves above the parent's accuracy, and the differences, as a PNG.

    See :class:`Curve`. Bands are 95 % intervals over the trials, where there are enough. An arm
    that trains longer than the candidates, for equal compute, is drawn as far as they go, and a
    diamond marks its end.

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
    if not any(each.accuracy.n for each in evidence.overall):
        raise InvalidInputError("a plot: expected a control arm that has run, got none")
    from matplotlib.figure import Figure  # without pyplot: no window, no state

    figure = Figure(figsize=(12.0, 4.8), dpi=150, layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    _draw_curves(left, records)
    _draw_differences(right, [*evidence.overall, *evidence.by_operation])
    return save_png(figure, Path(folder) / PLOT)


@dataclass(frozen=True)
class Curve:
    """An arm's accuracy above the parents', over all trials that have a control.

    The candidates' is their mean gain and its interval. A control's is the candidates' less the
    mean of the paired differences, with their interval: an arm that ran on a part of the trials is
    so drawn over the same parents as the others, and a band that leaves the candidates' curve out
    is a difference. Each trial counts once: the mean over its seeds.

    Parameters
    ----------
    n : int
        Trials with both arms.
    steps, means, low, high : tuple
        Updates, and above the parents' accuracy at each: mean, and the band's ends.
    end : float or None
        At the end of a training that goes on after the candidates' end.
    """

    n: int
    steps: tuple[int, ...]
    means: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    end: float | None = None


def curves(records: Sequence[TrialRecord]) -> dict[str, Curve]:
    """The curve of every arm that has one, the candidates' first; empty without controls."""
    arms = dict.fromkeys(arm for trial in records for arm in trial.arms if arm != CANDIDATE)
    drawn = {arm: [each for trial in records if (each := _drawn(trial, arm))] for arm in arms}
    compared = [t for t in records if any(_drawn(t, arm) for arm in arms)]
    gains = [
        [{step: accuracy - parent for step, accuracy, _ in each.curve} for each in seeds]
        for trial in compared
        if (parent := trial.parent_accuracy) is not None
        and (seeds := [each for each in trial.seeds_of(CANDIDATE).values() if each.curve])
    ]
    if not gains:
        return {}
    own = _means(gains)
    found = {CANDIDATE: _curve(own, dict.fromkeys(own, 0.0), sign=1.0)}
    base = dict(zip(found[CANDIDATE].steps, found[CANDIDATE].means, strict=True))
    last = max(base)
    for arm, trials in drawn.items():
        behind = [[_differences(*pair) for pair in trial] for trial in trials]
        common = {step: each for step, each in _means(behind).items() if step in base}
        if common:
            ends = [float(np.mean([_end(*pair) for pair in trial])) for trial in trials]
            longer = any(control.curve[-1][0] > last for trial in trials for _, control in trial)
            end = base[last] - float(np.mean(ends)) if longer else None
            found[arm] = _curve(common, base, sign=-1.0, end=end)
    return found


def _drawn(trial: TrialRecord, arm: str) -> list[tuple[ArmResult, ArmResult]]:
    return [pair for pair in pairs(trial, arm) if all(each.curve for each in pair)]


def _differences(candidate: ArmResult, control: ArmResult) -> dict[int, float]:
    other = {step: accuracy for step, accuracy, _ in control.curve}
    return {step: each - other[step] for step, each, _ in candidate.curve if step in other}


def _end(candidate: ArmResult, control: ArmResult) -> float:
    return candidate.curve[-1][1] - control.curve[-1][1]


def _means(trials: Sequence[Sequence[dict[int, float]]]) -> dict[int, list[float]]:
    """Step -> one value a trial, the mean over its seeds; steps that all of them have."""
    every = [seed for trial in trials for seed in trial]
    steps = sorted(set.intersection(*(set(each) for each in every))) if every else []
    return {s: [float(np.mean([seed[s] for seed in trial])) for trial in trials] for s in steps}


def _curve(
    values: dict[int, list[float]], base: dict[int, float], *, sign: float, end: float | None = None
) -> Curve:
    """A curve from values a step, which are added to the base or taken from it."""
    means, bands = [], []
    for step, each in values.items():
        mean = float(np.mean(each))
        means.append(base[step] + sign * mean)
        interval = mean_interval(each) or (mean, mean)
        bands.append(sorted(base[step] + sign * side for side in interval))
    low, high = zip(*bands, strict=True)
    n = len(next(iter(values.values())))
    return Curve(n, tuple(values), tuple(means), low, high, end)


def _draw_curves(ax: Axes, records: Sequence[TrialRecord]) -> None:
    from matplotlib.ticker import MaxNLocator

    found = curves(records)
    lowest = highest = 0.0
    for arm, each in found.items():
        end = "" if each.end is None else ", ◆: its end"
        above = 3 if arm == CANDIDATE else 2
        label = f"{arm} (n = {each.n}{end})"
        ax.plot(each.steps, each.means, color=_COLOURS[arm], linewidth=2, label=label, zorder=above)
        ax.fill_between(
            each.steps, each.low, each.high, color=_COLOURS[arm], alpha=0.15, linewidth=0
        )
        if each.end is not None:
            last = found[CANDIDATE].steps[-1]
            ax.plot([last], [each.end], marker="D", color=_COLOURS[arm], clip_on=False)
        # A random start is far below all else, and would press everything else flat.
        later = [*each.means[len(each.means) // 2 :], *([] if each.end is None else [each.end])]
        lowest, highest = min(lowest, *later), max(highest, *later)
    room = max(highest - lowest, 1e-3)
    ax.set_ylim(lowest - 0.1 * room, highest + 0.25 * room)
    ax.axhline(0.0, color="#888888", linewidth=1.0, linestyle=":")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlabel(f"updates after the growth (bands: 95 % of the difference to {CANDIDATE})")
    ax.set_ylabel("validation accuracy above the parent's")
    ax.set_title("Arms over the same parents, paired", loc="left", fontsize=11, fontweight="bold")
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=3, frameon=False, fontsize=9)
    _plain(ax)


def _draw_differences(ax: Axes, comparisons: Sequence[Comparison]) -> None:
    shown = [each for each in comparisons if each.accuracy.n]
    for place, each in enumerate(shown):
        found, colour = each.accuracy, _COLOURS[each.arm]
        if found.interval is not None:
            ax.plot(found.interval, [place, place], color=colour, linewidth=2)
        filled = colour if found.interval is not None else "white"
        ax.plot([found.mean or 0.0], [place], "o", color=colour, markerfacecolor=filled)
    ax.axvline(0.0, color="#888888", linewidth=1.0, linestyle=":")
    labels = [f"{each.group}: {each.arm} ({each.accuracy.n})" for each in shown]
    ax.set_yticks(range(len(shown)), labels, fontsize=8.5)
    ax.invert_yaxis()
    ax.set_xlabel(f"{CANDIDATE} less control (hollow: no interval)")
    ax.set_title("Paired differences", loc="left", fontsize=11, fontweight="bold")
    _plain(ax)


def _plain(ax: Axes) -> None:
    ax.grid(color="#dddddd", linewidth=0.8)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)


def _variances(comparisons: Sequence[Comparison]) -> Table:
    made = plain_table("Where the differences come from (standard deviations)")
    made.add_column("control", no_wrap=True)
    for name in ("between trials", "between seeds", "trials", "differences"):
        made.add_column(name, justify="right", no_wrap=True)
    for each in comparisons:
        if each.variance is not None:
            found = each.variance
            sizes = f"{found.between_trials:.4f}", f"{found.between_seeds:.4f}"
            made.add_row(each.arm, *sizes, str(found.trials), str(found.n))
    return made


def _notes(evidence: Evidence) -> str:
    lines = []
    if any(not each.accuracy.enough for each in (*evidence.overall, *evidence.by_operation)):
        lines.append(
            f"Too few pairs for intervals and tests where they are missing: at least "
            f"{FEWEST_PAIRS} that differ are needed."
        )
    lines.append(
        "Intervals by bootstrap, each for itself; Wilcoxon's signed-rank test, corrected by Holm "
        "over the arms; d_z: Cohen's. All pairs descend from one teacher: another seed is another "
        "teacher."
    )
    lines.append(
        f"First reached: counted from the growth, without what the parent has cost; one: pairs "
        f"in which only {CANDIDATE}, and only the control, arrives."
    )
    if any(each.arm == "scratch_compute" for each in evidence.overall):
        lines.append(
            "scratch_compute trains the grown architecture from scratch with the compute of the "
            "candidate and all its ancestors; every other arm has equal steps."
        )
    elif any(each.arm == "scratch" for each in evidence.overall):
        lines.append(
            "scratch has the candidate's steps alone, not what its ancestors were trained for: "
            "scratch_compute, in --arms of another run, has as much compute."
        )
    if evidence.tuned > 1:
        lines.append(
            f"Each control has the best of {evidence.tuned} learning rates, chosen on the images "
            "that are compared, the candidate one: that flatters the controls."
        )
    left_out = [
        f"{count} {'candidate was' if count == 1 else 'candidates were'} given up early"
        for count in (evidence.given_up,)
        if count
    ] + [f"{count} failed" for count in (evidence.failed,) if count]
    if left_out:
        lines.append(f"{' and '.join(left_out)}: without controls, these are in no comparison.")
    failed = [f"{each.failed} of {each.arm}" for each in evidence.overall if each.failed]
    if failed:
        lines.append(
            f"Controls that failed, beside candidates that did not: {', '.join(failed)}. They are "
            "in no pair, which flatters their arms."
        )
    if (held_out := evidence.held_out) is not None:
        lines.append(
            f"Winner's curse: the network kept has {held_out.chosen_on:.4f} on the validation "
            f"images it was chosen on, {held_out.held_out:.4f} on those held out of the choice "
            f"(the teacher {held_out.teacher_chosen_on:.4f} and {held_out.teacher_held_out:.4f}): "
            + (
                f"{held_out.optimism:+.4f} too high by the choice."
                if held_out.optimism > 0.0
                else "none to be seen here."
            )
        )
        if any(each.arm.startswith("scratch") for each in evidence.overall):
            lines.append(
                "All arms are compared on the images of the choice. Those that inherit a parent's "
                "weights inherit what it owes to the choice; those from scratch do not."
            )
    return "\n".join(lines)


def _reached(found: Reached) -> list[str]:
    def both(values: tuple[float, float] | None, form: str, unit: float = 1.0) -> str:
        if values is None:
            return "-"
        return f"{values[0] / unit:{form}}/{values[1] / unit:{form}}"

    return [
        both(found.steps, ".0f"),
        both(found.seconds, ".1f"),
        both(found.flops, ".2f", 1e12),
        str(found.both),
        f"{found.candidate_only}:{found.control_only}",
    ]


def _interval(found: Paired) -> str:
    if found.interval is None:
        return "too few pairs" if found.n < FEWEST_PAIRS else "too alike"
    return f"{found.interval[0]:+.4f} to {found.interval[1]:+.4f}"


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else f"{value:{form}}"
