"""The pairs of a trial: its candidate and one control, trained with the same seed."""

from __future__ import annotations

from collections.abc import Sequence

from growsearch.trials.arms import CANDIDATE
from growsearch.trials.records import ArmResult, TrialRecord


def pairs(trial: TrialRecord, arm: str) -> list[tuple[ArmResult, ArmResult]]:
    """Return candidate and control by seed: the trial's own seed first, then its repeats.

    A seed that only one of the two has gives no pair.
    """
    candidates, controls = trial.seeds_of(CANDIDATE), trial.seeds_of(arm)
    return [(candidates[seed], controls[seed]) for seed in sorted(candidates.keys() & controls)]


def differences(trial: TrialRecord, arm: str) -> list[float]:
    """Return candidate less control in validation accuracy, for each seed that both finished."""
    return [
        candidate.accuracy - control.accuracy
        for candidate, control in pairs(trial, arm)
        if candidate.accuracy is not None and control.accuracy is not None
    ]


def controls_of(trials: Sequence[TrialRecord]) -> tuple[str, ...]:
    """Return the control arms that ran in some trials, in the order of their first appearance."""
    return tuple(dict.fromkeys(arm for trial in trials for arm in trial.arms if arm != CANDIDATE))
