"""The promises about trials and controls: values, growths, parents, indices, one result each."""

from __future__ import annotations

import math
from collections import Counter

from optuna.trial import FrozenTrial, TrialState

from growsearch.networks import Architecture
from growsearch.study.attributes import Candidate, Control
from growsearch.study.trials import index_of
from growsearch.trials.arms import ARMS
from growsearch.trials.demands import DEMANDS
from growsearch.upkeep.findings import Promise
from growsearch.upkeep.snapshot import Snapshot

_ROUNDING = 1e-9  # of a fraction, through a database and a subtraction


def values(run: Snapshot) -> Promise:
    """Check that values are finite, end their curves, and give the gains over the parents.

    The growths of one trunk, which no trial made, have gains over one value.
    """
    faults, counted = [], run.counted()
    trunks: dict[str, float] = {}  # SHA-256 of a trunk that grew -> the value of its averages
    for number, (trial, candidate) in counted.items():
        where = f"trial {number}"
        faults += _value_faults(where, trial, candidate)
        if trial.state == TrialState.FAIL:
            if not candidate.failure:
                faults.append(f"{where}: failed without a reason")
            continue
        end = candidate.curve[-1][1] if candidate.curve else None
        parent = _value_of_parent(run, candidate)
        if candidate.start and end is not None and candidate.gain is not None:
            parent = trunks.setdefault(candidate.start, end - candidate.gain)
        if parent is None or end is None:
            continue  # a fault of its own
        if candidate.gain is None or not _equal(candidate.gain, end - parent):
            faults.append(
                f"{where}: expected a gain of {end - parent:+.6f}, {end:.6f} less its parent's "
                f"{parent:.6f}, got {candidate.gain}"
            )
        if candidate.kept and trial.state != TrialState.COMPLETE:
            faults.append(f"{where}: kept, though its training ended early")
    return Promise("values, curves and gains agree", len(counted), tuple(faults))


def _value_faults(where: str, trial: FrozenTrial, stored: Candidate | Control) -> list[str]:
    """Return what is wrong with the value and the curve of a finished training."""
    if trial.state == TrialState.FAIL:
        return []
    if not stored.curve:
        return [f"{where}: finished without a curve"]
    steps = [step for step, _, _ in stored.curve]
    if sorted(set(steps)) != steps:
        return [f"{where}: the steps of its curve do not ascend"]
    value, end = trial.values and trial.values[0], stored.curve[-1][1]
    # The value of a pruned trial in the study is its last report, a gain.
    if trial.state == TrialState.COMPLETE and not (value is not None and _equal(value, end)):
        return [f"{where}: expected the value at the end of its curve, {end}, got {value}"]
    return []


def _value_of_parent(run: Snapshot, candidate: Candidate) -> float | None:
    if candidate.parent is None:
        return None if run.teacher is None else run.teacher.validation_accuracy
    if candidate.parent >= len(run.trials):
        return None
    parent = run.trials[candidate.parent]
    return parent.values[0] if parent.state == TrialState.COMPLETE and parent.values else None


def _equal(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=0.0, abs_tol=_ROUNDING)


def growths(run: Snapshot) -> Promise:
    """Check that each growth, on its parent's architecture, gives the trial's."""
    architectures, faults = run.architectures()
    for number, architecture in architectures.items():
        if number is None:
            stored = run.teacher.architecture if run.teacher else ""
            if stored and stored != str(architecture):
                faults.append(f"the teacher: expected {architecture}, the space's, got {stored}")
            continue
        about = run.candidates[number]
        for name in ("parameters", "flops"):
            expected, got = getattr(architecture, name), getattr(about, name)
            if got != expected:
                faults.append(f"trial {number}: expected {expected:,} {name}, got {got:,}")
        faults += _demand_faults(run, number, architecture)
    checked = max(len(architectures) - 1, 0) + len(faults)
    name = "each growth gives its architecture from its parent's"
    return Promise(name, checked, tuple(faults))


def _demand_faults(run: Snapshot, number: int, architecture: Architecture) -> list[str]:
    """Return in what the second objective of a trial is not that of its architecture."""
    trial = run.trials[number]
    name = None if run.space is None else run.space.search.demand
    if name is None or trial.state != TrialState.COMPLETE:
        return []
    values = trial.values or []
    if len(values) != 2:
        return [f"trial {number}: expected two values, got {values}"]
    of = DEMANDS[name].of
    if of is None or of(architecture) == values[1]:
        return []
    return [f"trial {number}: expected {of(architecture):,} {name}, got {values[1]:,}"]


def parents(run: Snapshot) -> Promise:
    """Check that each candidate grew from an earlier network that was kept."""
    kept, faults, checked = run.kept(), [], 0
    for number, candidate in run.candidates.items():
        if not candidate.growth_json:
            continue
        checked += 1
        if candidate.parent is not None and candidate.parent not in kept:
            faults.append(f"trial {number}: its parent, trial {candidate.parent}, was not kept")
    name = "each parent is an earlier trial that was kept, or the teacher"
    return Promise(name, checked, tuple(faults))


def indices(run: Snapshot) -> Promise:
    """Check that the trials that count have the indices 0 to n - 1, each once."""
    counted, faults = run.counted(), []
    for number, (_, candidate) in counted.items():
        expected = index_of(run.trials, number)
        # A trial that failed before its description has none.
        if candidate.growth_json and candidate.index != expected:
            faults.append(f"trial {number}: expected the index {expected}, got {candidate.index}")
    repeated = len([t for t in run.trials if t.state.is_finished()]) - len(counted)
    notes = (f"{repeated} interrupted",) if repeated else ()
    return Promise("each index has one result", len(counted), tuple(faults), notes)


def controls(run: Snapshot) -> Promise:
    """Check that each control is one of a complete candidate, the only one of its arm and seed."""
    counted, faults = run.counted(), []
    made = Counter((c.candidate, c.arm, c.repeat) for _, c in run.controls)
    for (number, arm, repeat), count in made.items():
        if count > 1:
            faults.append(f"trial {number}: {count} results of {arm}, seed {repeat}")
    for trial, control in run.controls:
        where = f"control {trial.number}"
        if not trial.state.is_finished():
            faults.append(f"{where}: expected a finished trial, got {trial.state.name}")
            continue
        if control.arm not in ARMS:
            faults.append(f"{where}: no arm is called {control.arm[:80]!r}")
            continue
        candidate = None if control.candidate is None else counted.get(control.candidate)
        if candidate is None or candidate[0].state != TrialState.COMPLETE:
            faults.append(f"{where}: its candidate, trial {control.candidate}, is not complete")
            continue
        faults += _control_faults(run, where, control, candidate[1])
        faults += _value_faults(where, trial, control)
    missing = sum(map(len, run.lacking().values()))
    return Promise(
        "one control for each candidate, arm and seed",
        len(run.controls),
        tuple(faults),
        (f"{missing} still to come",) if missing else (),
    )


def _control_faults(run: Snapshot, where: str, control: Control, candidate: Candidate) -> list[str]:
    """Return in what a control differs from its candidate."""
    if control.index != candidate.index or control.growth != candidate.growth:
        return [f"{where}: expected index and growth of trial {control.candidate}, got others"]
    grown, parent = candidate.architecture, candidate.parent
    if not ARMS[control.arm].grows:
        before = run.teacher if parent is None else run.candidates.get(parent)
        grown = before.architecture if before else ""
    if grown and control.architecture != grown:
        return [f"{where}: expected the architecture {grown}, got {control.architecture[:200]}"]
    return []
