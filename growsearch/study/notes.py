"""Notes on trials, for the Optuna dashboard."""

from __future__ import annotations

from optuna.study import Study
from optuna.trial import FrozenTrial

from growsearch.study.optuna_private import reopened
from growsearch.trials.arms import CANDIDATE
from growsearch.trials.metrics import METRICS
from growsearch.trials.records import TrialRecord


def write_note(
    study: Study, trial: FrozenTrial, record: TrialRecord, metric: str = "accuracy"
) -> None:
    """Write growth, accuracies of all arms and decision of a trial as its note in the dashboard.

    In a run with another metric, the accuracies are values of it.
    """
    from optuna_dashboard import save_note

    parent = "the teacher" if record.parent is None else f"trial {record.parent}"
    step = record.arms[CANDIDATE].step_seconds
    speed = f", {step * 1000.0:.1f} ms an update" if step else ""
    lines = [
        f"**{record.growth}** on {parent}: {record.old_size} → {record.new_size}",
        "",
        f"`{record.architecture}`",
        "",
        f"{record.parameters:,} parameters, {record.flops:,} FLOPs an image{speed}",
        "",
        f"| arm | validation {METRICS[metric].words} |",
        "|---|---|",
        *(
            f"| {name} | {'failed' if arm.accuracy is None else f'{arm.accuracy:.4f}'} |"
            for name, arm in record.arms.items()
        ),
        "",
        f"{'Kept' if record.kept else 'Not kept'}: {record.reason}.",
    ]
    save_note(reopened(study, trial), "\n".join(lines))
