"""Comparison of the candidates with each control arm: in pairs, overall and by operation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from growsearch.evidence.acceleration import Acceleration, accelerations
from growsearch.evidence.pairs import controls_of, differences, pairs
from growsearch.evidence.statistics import FEWEST_PAIRS, Paired, holm, paired
from growsearch.evidence.time_to_accuracy import TimeToAccuracy, times_to_accuracy
from growsearch.evidence.variance import Components, components
from growsearch.trials.arms import CANDIDATE
from growsearch.trials.metrics import by_its_name
from growsearch.trials.records import TrialRecord

ALL = "all"


@dataclass(frozen=True)
class Comparison:
    """Candidates against one control arm, over the trials of one group.

    Parameters
    ----------
    arm : str
        The control.
    group : str
        "all", or an operation and the kind of layer that it grew: "widen conv".
    accuracy : Paired
        Differences in validation accuracy at the end of the training, candidate less control: one
        value a trial, the mean over its seeds.
    adjusted_p : float or None
        The p-value of ``accuracy``, corrected by Holm for the number of arms in the group.
    variance : Components or None
        The variance of the differences, between trials and between seeds; None unless at least
        two trials were repeated with other seeds.
    reached : tuple of TimeToAccuracy
        How soon the parent's accuracy is reached, and the candidate's final one.
    failed : int
        Controls that failed beside a candidate that did not. They are in no pair, which flatters
        the arm.
    """

    arm: str
    group: str
    accuracy: Paired
    adjusted_p: float | None
    variance: Components | None
    reached: tuple[TimeToAccuracy, ...]
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
    """The winner's curse: accuracies on the selection images, and on the held-out images.

    The best network is selected among many on the selection images, so its accuracy there is too
    high. On the held-out images no network was selected. One half of the validation images may be
    harder than the other; the teacher, which was not selected, shows how much.
    """

    chosen_on: float
    held_out: float
    teacher_chosen_on: float
    teacher_held_out: float

    @property
    def optimism(self) -> float:
        """The excess of the accuracy on the images of the choice, a fraction.

        It is the gain over the teacher on those images, less the gain on the held-out ones.
        """
        gain = self.chosen_on - self.teacher_chosen_on
        return gain - (self.held_out - self.teacher_held_out)


@dataclass(frozen=True)
class Evidence:
    """All comparisons of a run, over all trials and by operation.

    Parameters
    ----------
    overall, by_operation : tuple of Comparison
    held_out : HeldOut or None
        None before the run has ended, or where no validation images are held out.
    pruned, failed : int
        Candidates that were pruned, and that failed. They have no controls, so no comparison
        includes them.
    tuned : int
        Learning rates that each control was trained with, of which the best counts.
    acceleration : tuple of Acceleration
        The saving of compute against each control that has the compute of the whole lineage, over
        all trials.
    metric : str
        The run's metric: where it is not accuracy, all accuracies are values of this metric.
    """

    overall: tuple[Comparison, ...]
    by_operation: tuple[Comparison, ...]
    held_out: HeldOut | None = None
    pruned: int = 0
    failed: int = 0
    tuned: int = 1
    acceleration: tuple[Acceleration, ...] = ()
    metric: str = "accuracy"

    def __str__(self) -> str:
        if not self.overall:
            return "no control arm has run"
        return str(self.overall[0])

    def arm(self, name: str) -> Comparison:
        """Return the comparison with one control over all trials.

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
        """Return the evidence as plain JSON values.

        Values of a metric other than accuracy have its name in the place of "accuracy".
        """
        held_out = None
        if self.held_out is not None:
            held_out = asdict(self.held_out) | {"optimism": self.held_out.optimism}
        values: dict[str, Any] = {
            "fewest_pairs": FEWEST_PAIRS,
            "overall": [asdict(each) for each in self.overall],
            "by_operation": [asdict(each) for each in self.by_operation],
            "held_out": held_out,
            "given_up": self.pruned,
            "failed": self.failed,
            "tuned": self.tuned,
            "acceleration": [asdict(each) for each in self.acceleration],
            "metric": self.metric,
        }
        named: dict[str, Any] = by_its_name(values, self.metric)
        return named


def compare(
    records: Iterable[TrialRecord], held_out: HeldOut | None = None, *, metric: str = "accuracy"
) -> Evidence:
    """Compare the candidates with every control arm that ran, whatever its name.

    Arms stand in the order of their first appearance, operations in alphabetical order.
    """
    trials = list(records)
    groups = sorted({group_of(trial) for trial in trials})
    by_operation = [
        each
        for group in groups
        for each in _comparisons([t for t in trials if group_of(t) == group], group)
        if each.accuracy.n
    ]
    states = [trial.state for trial in trials]
    return Evidence(
        tuple(_comparisons(trials, ALL)),
        tuple(by_operation),
        held_out,
        pruned=states.count("PRUNED"),
        failed=states.count("FAIL"),
        tuned=max((len(arm.tried) for t in trials for arm in t.arms.values()), default=0) or 1,
        acceleration=accelerations(trials),
        metric=metric,
    )


def group_of(trial: TrialRecord) -> str:
    """Return the operation and the kind of layer that it grew: "widen conv"."""
    return f"{trial.operation} {trial.layer_kind}".strip()


def _comparisons(trials: Sequence[TrialRecord], group: str) -> list[Comparison]:
    found = {}
    for arm in controls_of(trials):
        by_trial = [each for trial in trials if (each := differences(trial, arm))]
        found[arm] = paired([float(np.mean(each)) for each in by_trial]), components(by_trial)
    adjusted = holm({arm: accuracy.p_value for arm, (accuracy, _) in found.items()})
    return [
        Comparison(
            arm,
            group,
            accuracy,
            adjusted[arm],
            variance,
            times_to_accuracy(trials, arm),
            sum(_failed(trial, arm) for trial in trials),
        )
        for arm, (accuracy, variance) in found.items()
    ]


def _failed(trial: TrialRecord, arm: str) -> int:
    """Count a trial's controls that failed beside a candidate that did not."""
    return sum(
        control.accuracy is None and candidate.accuracy is not None
        for candidate, control in pairs(trial, arm)
    )
