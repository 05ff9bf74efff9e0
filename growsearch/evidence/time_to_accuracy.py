"""Time to accuracy: how soon candidates and controls first reach a given accuracy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from growsearch.evidence.pairs import pairs
from growsearch.trials.records import ArmResult, TrialRecord


@dataclass(frozen=True)
class TimeToAccuracy:
    """Costs of candidates and controls until an accuracy is first reached, from the growth on.

    Medians are over the pairs in which both arms reach the accuracy. A control whose training ended
    too early counts in ``candidate_only``: no cost is made up for it.

    Parameters
    ----------
    target : str
        "parent": the parent's accuracy, which a function-preserving candidate has at step 0.
        "candidate": the candidate's accuracy at the end of its training.
    both, candidate_only, control_only, neither : int
        Pairs by which of their arms reach the accuracy; a trial has one pair for each seed.
    steps, seconds, flops : (float, float) or None
        Medians of candidate and control: updates, seconds of training, FLOPs of forward and
        backward passes; None without a pair in which both reach the accuracy.
    """

    target: str
    both: int
    candidate_only: int
    control_only: int
    steps: tuple[float, float] | None
    seconds: tuple[float, float] | None
    flops: tuple[float, float] | None
    neither: int = 0

    @property
    def pairs(self) -> int:
        """The number of pairs whose accuracy to reach is known."""
        return self.both + self.candidate_only + self.control_only + self.neither


# Target -> the accuracy to reach, from a trial and its candidate of one seed.
_TARGETS: dict[str, Callable[[TrialRecord, ArmResult], float | None]] = {
    "parent": lambda trial, _: trial.parent_accuracy,
    "candidate": lambda _, candidate: candidate.accuracy,
}


def times_to_accuracy(trials: Sequence[TrialRecord], arm: str) -> tuple[TimeToAccuracy, ...]:
    """Compare the candidates' time to accuracy with one control's, for every target."""
    return tuple(_time_to(target, trials, arm) for target in _TARGETS)


def _time_to(target: str, trials: Sequence[TrialRecord], arm: str) -> TimeToAccuracy:
    both: list[tuple[tuple[float, ...], tuple[float, ...]]] = []
    candidate_only = control_only = neither = 0
    for trial in trials:
        for candidate, control in pairs(trial, arm):
            accuracy = _TARGETS[target](trial, candidate)
            if accuracy is None:
                continue
            costs = candidate.cost_of(accuracy), control.cost_of(accuracy)
            if costs[0] is not None and costs[1] is not None:
                both.append((costs[0], costs[1]))
            elif costs[0] is not None:
                candidate_only += 1
            elif costs[1] is not None:
                control_only += 1
            else:
                neither += 1
    steps = seconds = flops = None
    if both:
        medians = np.median(np.array(both), axis=0)  # shape (arm, kind of cost)
        steps, seconds, flops = ((float(a), float(b)) for a, b in medians.T)
    return TimeToAccuracy(
        target, len(both), candidate_only, control_only, steps, seconds, flops, neither
    )
