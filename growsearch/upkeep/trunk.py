"""The promise about a trunk: it descends from a growth that was kept, and its readings follow."""

from __future__ import annotations

from itertools import pairwise

from optuna.trial import TrialState

from growsearch.upkeep.findings import Promise
from growsearch.upkeep.snapshot import Snapshot


def trunk(run: Snapshot) -> Promise:
    """Check the trunk's last growth, those of its readings, and their order in time."""
    faults, kept = [], run.kept()
    if run.trunk is not None and run.trunk.trial is not None and run.trunk.trial not in kept:
        faults.append(f"the trunk: its last growth, trial {run.trunk.trial}, was not kept")
    for each in run.readings:
        if each.trial is not None and each.trial not in kept:
            faults.append(f"the reading at {each.elapsed:g}: trial {each.trial} was not kept")
        if not 0.0 <= each.validation_accuracy <= 1.0:
            got = each.validation_accuracy
            faults.append(f"the reading at {each.elapsed:g}: expected a fraction, got {got}")
    for before, after in pairwise(run.readings):
        if after.elapsed < before.elapsed:
            where = f"the reading at {after.elapsed:g}"
            faults.append(f"{where} comes after that at {before.elapsed:g}")
    counted = run.counted()
    complete = [n for n, (trial, _) in counted.items() if trial.state == TrialState.COMPLETE]
    for number in complete:
        candidate = counted[number][1]
        is_untested = candidate.kept and number == complete[0]  # compared with nothing
        if candidate.loss_gain is None and not is_untested:
            faults.append(f"trial {number}: expected a gain in loss over the trunk, got none")
    commits = sum(1 for each in run.readings if each.sha256)
    notes = (f"{len(run.readings)} readings, {commits} commits",)
    return Promise("the trunk grew, and was read in order", len(run.readings), tuple(faults), notes)
