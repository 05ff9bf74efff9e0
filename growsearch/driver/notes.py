"""Notes on trials, for the Optuna dashboard."""

from __future__ import annotations

from optuna.study import Study
from optuna.trial import FrozenTrial, Trial

from growsearch.driver.records import TrialRecord


def write_note(study: Study, trial: FrozenTrial, record: TrialRecord) -> None:
    """Say in the dashboard what the trial tried, what its arms gave, what became of it."""
    from optuna_dashboard import save_note

    parent = "the teacher" if record.parent is None else f"trial {record.parent}"
    lines = [
        f"**{record.growth}** on {parent}: {record.old_size} → {record.new_size}",
        "",
        f"`{record.architecture}`",
        "",
        "| arm | validation accuracy |",
        "|---|---|",
        *(
            f"| {name} | {'failed' if arm.accuracy is None else f'{arm.accuracy:.4f}'} |"
            for name, arm in record.arms.items()
        ),
        "",
        f"{'Kept' if record.kept else 'Not kept'}: {record.reason}.",
    ]
    save_note(Trial(study, trial._trial_id), "\n".join(lines))
