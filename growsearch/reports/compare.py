"""The evidence of a run as tables, and as a picture: paired curves, one colour an arm."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from growsearch.driver.arms import CANDIDATE, CONTROLS
from growsearch.driver.evidence import Comparison, Evidence, Reached, pairs
from growsearch.driver.records import ArmResult, TrialRecord
from growsearch.errors import InvalidInputError
from growsearch.networks.files import write_atomically
from growsearch.reports.tables import plain_table
from growsearch.statistics import FEWEST_PAIRS, Paired, paired

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
    """Render for the terminal: accuracy, overall and by operation; how soon; the winner's curse."""
    if not evidence.overall:
        return Text("No control arm has run: nothing can be compared (see controls.arms).")
    parts: list[RenderableType] = [accuracies(evidence.overall, "All trials")]
    if len({each.group for each in evidence.by_operation}) > 1:
        parts.append(accuracies(evidence.by_operation, "By operation"))
    parts.append(speeds(evidence.overall))
    repeated = [each for each in evidence.overall if each.variance is not None]
    if repeated:
        parts.append(_variances(repeated))
    parts.append(Text(_notes(evidence)))
    return Group(*(Padding(part, (0, 0, 1, 0)) for part in parts))


def accuracies(comparisons: Sequence[Comparison], title: str) -> Table:
    """Paired differences in validation accuracy, a row a control; fits 80 columns."""
    made = plain_table(f"{title}: validation accuracy, {CANDIDATE} less control")
    grouped = len({each.group for each in comparisons}) > 1
    if grouped:
        made.add_column("operation", no_wrap=True)
    made.add_column("control", no_wrap=True)
    for name in ("n", "mean", "95 % interval", "ahead"):
        made.add_column(name, justify="right", no_wrap=True)
    if not grouped:
        made.add_column("d_z", justify="right", no_wrap=True)
        made.add_column("Holm p", justify="right", no_wrap=True)
    before = ""
    for each in comparisons:
        found = each.accuracy
        cells = [each.arm, str(found.n), _signed(found.mean), _interval(found)]
        cells.append(f"{found.ahead}:{found.behind}")
        if grouped:
            cells.insert(0, each.group if each.group != before else "")
            before = each.group
        else:
            cells.append(_number(found.effect_size, "+.2f"))
            cells.append(_number(each.adjusted_p, ".2g") if found.enough else "-")
        made.add_row(*cells)
    return made


def speeds(comparisons: Sequence[Comparison]) -> Table:
    """How soon each arm reaches the parent's accuracy, and the candidate's last; 80 columns."""
    made = plain_table(f"First reached, medians: {CANDIDATE} / control")
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
    """Draw the arms' mean curves above the parent's accuracy, and the differences, as a PNG.

    Bands are 95 % intervals over the trials. An arm that trains longer than the candidates, for
    equal compute, is drawn as far as they go, and a diamond marks its end.

    Returns
    -------
    Path
        ``evidence.png`` in ``folder``.

    Raises
    ------
    InvalidInputError
        When no control arm has run.
    """
    if not any(each.accuracy.n for each in evidence.overall):
        raise InvalidInputError("a plot: expected a control arm that has run, got none")
    from matplotlib.figure import Figure  # without pyplot: no window, no state

    figure = Figure(figsize=(12.0, 4.8), dpi=150, layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    _draw_curves(left, records)
    _draw_differences(right, [*evidence.overall, *evidence.by_operation])
    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    path = Path(folder) / PLOT
    write_atomically(path, picture.getvalue())
    return path


def curves(records: Sequence[TrialRecord]) -> dict[str, list[ArmResult]]:
    """The results of every arm in the trials that have a control; the candidates' of those trials.

    So all arms are drawn over the same parents, as far as each ran.
    """
    found: dict[str, list[ArmResult]] = {}
    for trial in records:
        arms = [arm for arm in trial.arms if arm != CANDIDATE and pairs(trial, arm)]
        for arm in ([CANDIDATE] if arms else []) + arms:
            found.setdefault(arm, []).append(trial.arms[arm])
    return found


def _draw_curves(ax: Axes, records: Sequence[TrialRecord]) -> None:
    by_result = {id(r): t for t in records for r in t.arms.values()}
    found = curves(records)
    last = max(r.curve[-1][0] for r in found[CANDIDATE] if r.curve)
    lowest = highest = 0.0
    for arm, results in found.items():
        usable = [(r, by_result[id(r)].parent_accuracy) for r in results if r.curve]
        gains: dict[int, list[float]] = {}
        for result, parent in usable:
            for step, accuracy, _ in result.curve:
                if parent is not None:
                    gains.setdefault(step, []).append(accuracy - parent)
        full = max(map(len, gains.values()), default=0)
        steps = sorted(step for step, each in gains.items() if len(each) == full and step <= last)
        if not steps:
            continue
        summed = [paired(gains[step]) for step in steps]
        means = np.array([s.mean for s in summed], np.float64)
        end = ", ◆: its end" if max(gains) > last else ""
        ax.plot(steps, means, color=_COLOURS[arm], linewidth=2, label=f"{arm} (n = {full}{end})")
        bands = [s.interval or (m, m) for s, m in zip(summed, means, strict=True)]
        low, high = np.array(bands).T
        ax.fill_between(steps, low, high, color=_COLOURS[arm], alpha=0.15, linewidth=0)
        if max(gains) > last:
            ends = [r.curve[-1][1] - p for r, p in usable if p is not None]
            highest = max(highest, float(np.mean(ends)))
            ax.plot([last], [np.mean(ends)], marker="D", color=_COLOURS[arm], clip_on=False)
        # A random start is far below all else, and would press everything else flat.
        later = means[1:] if len(means) > 1 else means
        lowest, highest = min(lowest, float(later.min())), max(highest, float(means.max()))
    room = max(highest - lowest, 1e-3)
    ax.set_ylim(lowest - 0.1 * room, highest + 0.25 * room)
    ax.axhline(0.0, color="#888888", linewidth=1.0, linestyle=":")
    ax.set_xlabel("updates after the growth")
    ax.set_ylabel("validation accuracy above the parent's")
    ax.set_title("Arms over the same parents", loc="left", fontsize=11, fontweight="bold")
    ax.legend(loc="lower right", frameon=False, fontsize=9)
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
    ax.set_xlabel(f"{CANDIDATE} less control (hollow: fewer than {FEWEST_PAIRS} pairs)")
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
    if any(not each.accuracy.enough for each in evidence.overall):
        lines.append(
            f"Too few pairs for intervals and tests where they are missing: at least "
            f"{FEWEST_PAIRS} that differ are needed."
        )
    if any(each.arm == "scratch_compute" for each in evidence.overall):
        lines.append(
            "scratch_compute trains the grown architecture from scratch with the compute of the "
            "candidate and all its ancestors; every other arm has equal steps."
        )
    if (held_out := evidence.held_out) is not None:
        lines.append(
            f"Winner's curse: the network kept has {held_out.chosen_on:.4f} on the validation "
            f"images it was chosen on, {held_out.held_out:.4f} on those held out of the choice."
        )
    lines.append("Wilcoxon's signed-rank test, corrected by Holm over the arms; d_z: Cohen's.")
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
        return "too few pairs"
    return f"{found.interval[0]:+.4f} to {found.interval[1]:+.4f}"


def _signed(value: float | None) -> str:
    return _number(value, "+.4f")


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else f"{value:{form}}"
