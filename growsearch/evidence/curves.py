"""The arms' accuracy curves over the same parents, with bands of their paired differences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from growsearch.evidence.pairs import controls_of, pairs
from growsearch.evidence.statistics import mean_interval
from growsearch.trials.arms import CANDIDATE
from growsearch.trials.records import ArmResult, TrialRecord


@dataclass(frozen=True)
class ArmCurve:
    """An arm's accuracy above the parents', over all trials that have a control.

    The candidates' curve is their mean gain with its interval. A control's curve is the candidates'
    less the mean of the paired differences, with the interval of these. So an arm that ran in some
    of the trials is drawn over the same parents as the others, and a band that excludes the
    candidates' curve is a difference. Each trial counts once, with the mean over its seeds.

    Parameters
    ----------
    n : int
        Trials that have both arms.
    steps, means, low, high : tuple
        Updates; at each of them the mean accuracy above the parents', and the ends of its 95 %
        interval.
    end : float or None
        The mean at the end of the arm's own training, where that is longer than the candidates'.
    """

    n: int
    steps: tuple[int, ...]
    means: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    end: float | None = None


def arm_curves(trials: Sequence[TrialRecord]) -> dict[str, ArmCurve]:
    """Return the curve of every arm that has one, the candidates' first; empty without controls."""
    by_arm = {
        arm: [each for trial in trials if (each := _with_curves(trial, arm))]
        for arm in controls_of(trials)
    }
    compared = [t for t in trials if any(_with_curves(t, arm) for arm in by_arm)]
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
    for arm, paired in by_arm.items():
        behind = [[_differences(*pair) for pair in trial] for trial in paired]
        common = {step: each for step, each in _means(behind).items() if step in base}
        if common:
            ends = [float(np.mean([_end(*pair) for pair in trial])) for trial in paired]
            longer = any(control.curve[-1][0] > last for trial in paired for _, control in trial)
            end = base[last] - float(np.mean(ends)) if longer else None
            found[arm] = _curve(common, base, sign=-1.0, end=end)
    return found


def _with_curves(trial: TrialRecord, arm: str) -> list[tuple[ArmResult, ArmResult]]:
    return [pair for pair in pairs(trial, arm) if all(each.curve for each in pair)]


def _differences(candidate: ArmResult, control: ArmResult) -> dict[int, float]:
    """Return candidate less control at every step that both have."""
    other = {step: accuracy for step, accuracy, _ in control.curve}
    return {step: each - other[step] for step, each, _ in candidate.curve if step in other}


def _end(candidate: ArmResult, control: ArmResult) -> float:
    """Return candidate less control at the ends of their trainings."""
    return candidate.curve[-1][1] - control.curve[-1][1]


def _means(trials: Sequence[Sequence[dict[int, float]]]) -> dict[int, list[float]]:
    """Return, for the steps that all trials have, one value a trial: the mean over its seeds."""
    every = [seed for trial in trials for seed in trial]
    steps = sorted(set.intersection(*(set(each) for each in every))) if every else []
    return {s: [float(np.mean([seed[s] for seed in trial])) for trial in trials] for s in steps}


def _curve(
    values: dict[int, list[float]], base: dict[int, float], *, sign: float, end: float | None = None
) -> ArmCurve:
    """Add the values to the base where ``sign`` is 1, take them from it where it is -1."""
    means, bands = [], []
    for step, each in values.items():
        mean = float(np.mean(each))
        means.append(base[step] + sign * mean)
        interval = mean_interval(each) or (mean, mean)
        bands.append(sorted(base[step] + sign * side for side in interval))
    low, high = zip(*bands, strict=True)
    n = len(next(iter(values.values())))
    return ArmCurve(n, tuple(values), tuple(means), low, high, end)
