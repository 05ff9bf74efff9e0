"""What the controls say: candidate against each arm, in pairs, overall and by operation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from growsearch.evidence.statistics import (
    FEWEST_PAIRS,
    Components,
    Paired,
    components,
    holm,
    paired,
)
from growsearch.trials.arms import CANDIDATE
from growsearch.trials.records import ArmResult, TrialRecord

ALL = "all"


@dataclass(frozen=True)
class Reached:
    """How soon an accuracy is first reached, by the candidates and by the controls.

    Medians are over the pairs in which both reach it; a control whose training ended before it did
    counts in ``candidate_only``, so that no median is made up for it.

    Parameters
    ----------
    target : str
        "parent": the parent's accuracy, which a function-preserving candidate has at step 0.
        "candidate": the candidate's accuracy at the end of its training.
    both, candidate_only, control_only : int
        Pairs, one for each seed of a trial.
    steps, seconds, flops : (float, float) or None
        Medians, candidate and control: updates, seconds of training, FLOPs of forward and backward
        passes.
    """

    target: str
    both: int
    candidate_only: int
    control_only: int
    steps: tuple[float, float] | None
    seconds: tuple[float, float] | None
    flops: tuple[float, float] | None


@dataclass(frozen=True)
class Comparison:
    """Candidates against one control arm, over the trials of one group.

    Parameters
    ----------
    arm : str
        The control.
    group : str
        "all", or an operation and what it grows: "widen conv".
    accuracy : Paired
        Differences in validation accuracy at the end of the training, candidate less control, one
        a trial: the mean over its seeds.
    failed : int
        Controls that failed, where their candidate did not: they diverged, and are in no pair,
        which flatters the arm.
    adjusted_p : float or None
        The test's p-value, corrected by Holm for the number of arms in the group.
    variance : Components or None
        Where differences were repeated with other seeds: between trials, and between seeds.
    reached : tuple of Reached
    """

    arm: str
    group: str
    accuracy: Paired
    adjusted_p: float | None
    variance: Components | None
    reached: tuple[Reached, ...]
    failed: int = 0

    def __str__(self) -> str:
        found = self.accuracy
        if found.mean is None:
            return f"{CANDIDATE} − {self.arm}: no trial in which both have a result"
        failed = f", {self.failed} controls failed" if self.failed else ""
        text = (
            f"{CANDIDATE} − {self.arm}: {found.mean:+.4f} mean paired difference, n = {found.n} "
            f"({found.ahead} ahead, {found.behind} behind{failed})"
        )
        if found.interval is None or self.adjusted_p is None:
            why = "too few pairs" if found.n < FEWEST_PAIRS else "differences too alike"
            return f"{text}; {why} for an interval or a test"
        low, high = found.interval
        return (
            f"{text}, 95 % interval {low:+.4f} to {high:+.4f}, "
            f"Wilcoxon p = {self.adjusted_p:.2g} (Holm)"
        )


@dataclass(frozen=True)
class HeldOut:
    """The winner's curse: the best network's accuracy where it was chosen, and where it was not.

    Of many candidates the luckiest on the images of the choice is kept, so its accuracy there is
    too high. On the held-out half of the validation images nothing was chosen. One half may be
    harder than the other: how much, the teacher tells, which was not chosen among others.
    """

    chosen_on: float
    held_out: float
    teacher_chosen_on: float
    teacher_held_out: float

    @property
    def optimism(self) -> float:
        """How much too high the accuracy of the choice is, a fraction.

        What the network kept gained over the teacher where it was chosen, less what it gained
        where nothing was chosen.
        """
        there = self.chosen_on - self.teacher_chosen_on
        return there - (self.held_out - self.teacher_held_out)


@dataclass(frozen=True)
class Evidence:
    """What a run says of growth: comparisons over all trials and by operation.

    Candidates that were ``given_up`` early or ``failed`` have no controls. They are counted,
    because the comparisons are of growths that did neither. Controls were ``tuned`` over so many
    learning rates.
    """

    overall: tuple[Comparison, ...]
    by_operation: tuple[Comparison, ...]
    held_out: HeldOut | None = None
    given_up: int = 0
    failed: int = 0
    tuned: int = 1

    def __str__(self) -> str:
        if not self.overall:
            return "no control arm has run"
        return str(self.overall[0])

    def arm(self, name: str) -> Comparison:
        """The comparison with one control over all trials.

        Raises
        ------
        KeyError
            When that arm has not run.
        """
        for each in self.overall:
            if each.arm == name:
                return each
        raise KeyError(name)

    def to_json(self) -> dict[str, Any]:
        """The evidence as plain JSON values."""
        held_out = None
        if self.held_out is not None:
            held_out = asdict(self.held_out) | {"optimism": self.held_out.optimism}
        return {
            "fewest_pairs": FEWEST_PAIRS,
            "overall": [asdict(each) for each in self.overall],
            "by_operation": [asdict(each) for each in self.by_operation],
            "held_out": held_out,
            "given_up": self.given_up,
            "failed": self.failed,
            "tuned": self.tuned,
        }


def weigh(records: Iterable[TrialRecord], held_out: HeldOut | None = None) -> Evidence:
    """Compare the candidates with every control that ran.

    Arms stand in the order of their first appearance; operations in that of their name.
    """
    trials = list(records)
    groups = sorted({group_of(trial) for trial in trials})
    by_operation = [
        each
        for group in groups
        for each in _compare([t for t in trials if group_of(t) == group], group)
        if each.accuracy.n
    ]
    states = [trial.state for trial in trials]
    return Evidence(
        tuple(_compare(trials, ALL)),
        tuple(by_operation),
        held_out,
        given_up=states.count("PRUNED"),
        failed=states.count("FAIL"),
        tuned=max((len(arm.tried) for t in trials for arm in t.arms.values()), default=0) or 1,
    )


def group_of(trial: TrialRecord) -> str:
    """The operation and the kind of layer it was applied to: "widen conv"."""
    return f"{trial.operation} {trial.layer_kind}".strip()


def differences(trial: TrialRecord, arm: str) -> list[float]:
    """Candidate less control in validation accuracy, one for each seed that both finished."""
    return [
        candidate.accuracy - control.accuracy
        for candidate, control in pairs(trial, arm)
        if candidate.accuracy is not None and control.accuracy is not None
    ]


def pairs(trial: TrialRecord, arm: str) -> list[tuple[ArmResult, ArmResult]]:
    """Candidate and control with the same seed: of the trial itself, then of its repeats."""
    candidates, controls = trial.seeds_of(CANDIDATE), trial.seeds_of(arm)
    return [(candidates[seed], controls[seed]) for seed in sorted(candidates.keys() & controls)]


def _compare(trials: Sequence[TrialRecord], group: str) -> list[Comparison]:
    arms = dict.fromkeys(arm for trial in trials for arm in trial.arms if arm != CANDIDATE)
    found = {}
    for arm in arms:
        repeated = [each for trial in trials if (each := differences(trial, arm))]
        found[arm] = paired([float(np.mean(each)) for each in repeated]), components(repeated)
    adjusted = holm({arm: each.p_value for arm, (each, _) in found.items()})
    return [
        Comparison(
            arm,
            group,
            accuracy,
            adjusted[arm],
            variance,
            tuple(_reached(trials, arm, target) for target in _TARGETS),
            sum(_failed(trial, arm) for trial in trials),
        )
        for arm, (accuracy, variance) in found.items()
    ]


def _failed(trial: TrialRecord, arm: str) -> int:
    """How many of a trial's controls failed beside a candidate that did not."""
    return sum(
        control.accuracy is None and candidate.accuracy is not None
        for candidate, control in pairs(trial, arm)
    )


# What is to be reached: name -> the accuracy, from the trial and its candidate of one seed.
_TARGETS: dict[str, Callable[[TrialRecord, ArmResult], float | None]] = {
    "parent": lambda trial, _: trial.parent_accuracy,
    "candidate": lambda _, candidate: candidate.accuracy,
}


def _reached(trials: Sequence[TrialRecord], arm: str, target: str) -> Reached:
    both: list[tuple[tuple[float, ...], tuple[float, ...]]] = []
    candidate_only = control_only = 0
    for trial in trials:
        for candidate, control in pairs(trial, arm):
            accuracy = _TARGETS[target](trial, candidate)
            if accuracy is None:
                continue
            one, other = candidate.cost_of(accuracy), control.cost_of(accuracy)
            if one is not None and other is not None:
                both.append((one, other))
            else:
                candidate_only += one is not None
                control_only += other is not None
    medians = np.median(np.array(both), axis=0).T if both else None

    def measured(place: int) -> tuple[float, float] | None:
        if medians is None:
            return None
        return float(medians[place][0]), float(medians[place][1])

    return Reached(
        target, len(both), candidate_only, control_only, measured(0), measured(1), measured(2)
    )
