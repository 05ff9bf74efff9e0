"""The evidence of a run as tables: accuracy, costs until one is reached, savings of compute."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import RenderableType
from rich.text import Text

from growsearch.evidence.acceleration import Acceleration
from growsearch.evidence.comparison import Comparison, Evidence
from growsearch.evidence.statistics import FEWEST_PAIRS, Paired
from growsearch.reports.evidence_notes import notes
from growsearch.reports.tables import by_metric, notes_table, plain_table, spaced, titled
from growsearch.trials.arms import CANDIDATE

# Target of a time to accuracy -> the accuracy in words, as it stands in a title.
_TARGETS = {
    "parent": "the parent's accuracy",
    "candidate": f"{CANDIDATE}'s final accuracy",
}
_ABOUT_ACCURACY = (
    "One difference a trial, at the end of its training. Ahead, behind: trials in which "
    f"{CANDIDATE} is more, less accurate."
)
_ABOUT_TIME = (
    f"Costs after the growth, {CANDIDATE} vs control: medians over the pairs in which both arms "
    "reach the accuracy."
)
_ABOUT_SAVING = (
    f"Compute of {CANDIDATE} with all its ancestors until it first has the control's final "
    "accuracy, against the control's whole training. Saving: 1 less their ratio."
)
_UNITS = {"PFLOPs": 1e15, "TFLOPs": 1e12, "GFLOPs": 1e9, "MFLOPs": 1e6}


def report(evidence: Evidence) -> RenderableType:
    """Render for the terminal: tables over all trials, tables by operation, notes."""
    if not evidence.overall:
        return Text("No control arm has run: nothing can be compared (see controls.arms).")
    metric = evidence.metric
    parts = _tables(evidence.overall, metric, "All trials", _ABOUT_ACCURACY, _ABOUT_TIME)
    parts += [
        titled(
            f"All trials: compute saved against {each.arm}",
            savings(each),
            by_metric(_ABOUT_SAVING, metric),
        )
        for each in evidence.acceleration
    ]
    groups = list(dict.fromkeys(each.group for each in evidence.by_operation))
    for group in groups if len(groups) > 1 else []:
        compared = [each for each in evidence.by_operation if each.group == group]
        parts += _tables(compared, metric, group)
    repeated = [each for each in evidence.overall if each.variance is not None]
    if repeated:
        parts.append(variances(repeated))
    parts.append(notes_table((term, by_metric(text, metric)) for term, text in notes(evidence)))
    return spaced(parts)


def _tables(
    comparisons: Sequence[Comparison],
    metric: str,
    group: str,
    about_accuracy: str = "",
    about_time: str = "",
) -> list[RenderableType]:
    """Return the tables of a group of trials, with a line of explanation where there is one."""
    return [
        titled(
            by_metric(f"{group}: validation accuracy, {CANDIDATE} less control", metric),
            accuracies(comparisons),
            by_metric(about_accuracy, metric),
        ),
        *(
            titled(
                by_metric(f"{group}: training until {accuracy} is reached", metric),
                times_to_accuracy(comparisons, target),
                by_metric(about_time, metric),
            )
            for target, accuracy in _TARGETS.items()
        ),
    ]


def accuracies(comparisons: Sequence[Comparison]) -> RenderableType:
    """Return the paired differences in validation accuracy, a row a control; fits 80 columns."""
    made = plain_table(
        "control",
        *("trials", "mean\ndifference", "95 % interval", "ahead,\nbehind", "effect\nsize"),
        "p-value",
    )
    for each in comparisons:
        found = each.accuracy
        made.add_row(
            each.arm,
            str(found.n),
            _number(found.mean, "+.4f"),
            _interval(found),
            f"{found.ahead}, {found.behind}",
            _number(found.effect_size, "+.2f"),
            _number(each.adjusted_p, ".2g"),
        )
    return made


def times_to_accuracy(comparisons: Sequence[Comparison], target: str) -> RenderableType:
    """Return how soon an accuracy is reached, a row a control; fits 80 columns.

    FLOPs are in the largest unit in which one of the table's figures is at least 1.
    """
    rows = [
        (each.arm, found)
        for each in comparisons
        for found in each.reached
        if found.target == target
    ]
    most = max((value for _, found in rows for value in found.flops or ()), default=0.0)
    unit = next((name for name, size in _UNITS.items() if most >= size), "MFLOPs")
    made = plain_table(
        "control",
        "updates",
        "seconds of\ntraining",
        f"{unit} of\ntraining",
        "pairs that\nreach it",
    )
    for arm, found in rows:
        candidate, control = found.both + found.candidate_only, found.both + found.control_only
        made.add_row(
            arm,
            _versus(found.steps),
            _versus(found.seconds),
            _versus(found.flops, _UNITS[unit]),
            f"{candidate} vs {control} of {found.pairs}",
        )
    return made


def savings(found: Acceleration) -> RenderableType:
    """Return the saving of compute against one control, a row a measure; fits 80 columns."""
    made = plain_table(
        "of",
        *("trials", "mean\nsaving", "95 % interval", "ahead,\nbehind"),
        "pairs that\nreach it",
    )
    reached = f"{found.pairs - found.censored} of {found.pairs}"
    for measure, of_it in (("FLOPs", found.flops), ("seconds", found.seconds)):
        made.add_row(
            measure,
            str(of_it.n),
            _number(of_it.mean, "+.0%"),
            _interval(of_it, "+.0%"),
            f"{of_it.ahead}, {of_it.behind}",
            reached,
        )
    return made


def variances(comparisons: Sequence[Comparison]) -> RenderableType:
    """Return the variance components of repeated differences, a row a control."""
    made = plain_table(
        "control", "between\ntrials", "between seeds\nof a trial", "trials", "differences"
    )
    for each in comparisons:
        if each.variance is not None:
            found = each.variance
            sizes = f"{found.between_trials:.4f}", f"{found.between_seeds:.4f}"
            made.add_row(each.arm, *sizes, str(found.trials), str(found.n))
    return titled("Where the differences come from: standard deviations", made)


def _versus(values: tuple[float, float] | None, unit: float = 1.0) -> str:
    """Return candidate vs control in the same number of decimals, by the larger one's size."""
    if values is None:
        return "-"
    larger = max(values) / unit
    is_whole = all(value == int(value) for value in values) and unit == 1.0
    decimals = 0 if is_whole or larger >= 100.0 else 1 if larger >= 10.0 else 2
    candidate, control = (f"{each / unit:.{decimals}f}" if each else "0" for each in values)
    return f"{candidate} vs {control}"


def _interval(found: Paired, form: str = "+.4f") -> str:
    if found.interval is None:
        return "too few pairs" if found.n < FEWEST_PAIRS else "too alike"
    low, high = found.interval
    return f"{low:{form}} to {high:{form}}"


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else f"{value:{form}}"
