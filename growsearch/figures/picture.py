"""The learning curves of one trial as a PNG, where a page holds pictures alone."""

from __future__ import annotations

import io

from growsearch.figures.look import arm_look, metric_words
from growsearch.trials.arms import CANDIDATE
from growsearch.trials.records import TrialRecord

_INCHES = (6.4, 3.6)
_DOTS = 100  # an inch
# Plotly's names of dashes -> matplotlib's.
_STYLES = {"solid": "-", "dash": "--", "dot": ":", "dashdot": "-."}


def picture_of(trial: TrialRecord, metric: str = "accuracy") -> bytes:
    """Return the validation curves of a candidate and of its controls as a PNG of 640 x 360.

    Parameters
    ----------
    trial : TrialRecord
        At least one of its arms has a curve.
    metric : str
        The metric of the run.
    """
    from matplotlib.figure import Figure  # without pyplot: no window, no state
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=_INCHES, dpi=_DOTS, layout="constrained")
    axes = figure.subplots()
    look = arm_look(tuple(trial.arms))
    for arm, found in trial.arms.items():
        if found.curve:
            colour, dash = look[arm]
            axes.plot(
                [step for step, _, _ in found.curve],
                [value for _, value, _ in found.curve],
                color=colour,
                linestyle=_STYLES.get(dash, (0, (6, 2))),
                linewidth=3.0 if arm == CANDIDATE else 1.8,
                marker="o" if len(found.curve) < 12 else None,
                markersize=4,
                label=arm,
            )
    if trial.parent_accuracy is not None:
        axes.axhline(trial.parent_accuracy, color="#7a7a7a", linewidth=1, linestyle=":")
    axes.set_title(_title(trial), loc="left", fontsize=10)
    axes.set_xlabel("updates; dotted line: the parent")
    axes.set_ylabel(f"validation {metric_words(metric)}")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(color="#e3e6ea", linewidth=0.8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=9)
    made = io.BytesIO()
    figure.savefig(made, format="png")
    return made.getvalue()


def _title(trial: TrialRecord) -> str:
    growth = trial.growth if len(trial.growth) <= 70 else f"{trial.growth[:69]}…"
    return f"trial {trial.number}: {growth}".replace("$", r"\$")
