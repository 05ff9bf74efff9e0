"""The cutoffs of a candidate: its training ends early if its gain over its parent is too small.

They follow from the space and from the trials that were judged when the candidate was asked for:
a resumed run, and one with other workers, ends the same trainings at the same steps.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from optuna.trial import FrozenTrial

from growsearch.space import SearchSpace
from growsearch.trials.cutoffs import Cutoffs


def cutoffs_of(
    space: SearchSpace, judged: Sequence[FrozenTrial], parent_accuracy: float, steps: int
) -> Cutoffs | None:
    """Return the cutoffs that a search space asks for; None where it asks for none.

    Successive halving (Li et al., arXiv:1810.05934): at ``warmup_steps`` and each multiple of it by
    ``reduction``, the best 1/reduction go on. While fewer than ``reduction`` trials have reached
    such a rung, the best of them goes on.

    Parameters
    ----------
    space : SearchSpace
    judged : sequence of FrozenTrial
        The trials that the candidate competes with.
    parent_accuracy : float
    steps : int
        Updates of the candidate's training.
    """
    pruning = space.pruning
    if pruning is None:
        return None
    rungs: list[tuple[int, float]] = []
    if pruning.reduction > 1:
        for rung in _rungs(max(pruning.warmup_steps, 1), pruning.reduction, steps):
            found = (_gain_at(trial, rung) for trial in judged)
            gains = sorted((gain for gain in found if gain is not None), reverse=True)
            places = max(1, (len(gains) + 1) // pruning.reduction)
            if len(gains) >= places:
                rungs.append((rung, gains[places - 1]))
    return Cutoffs(parent_accuracy, -pruning.tolerance, pruning.warmup_steps, tuple(rungs))


def _rungs(first: int, reduction: int, steps: int) -> Iterator[int]:
    """Yield the rungs of a training."""
    rung = first
    while rung <= steps:
        yield rung
        rung *= reduction


def _gain_at(trial: FrozenTrial, rung: int) -> float | None:
    """Return the gain at the first point at or after a rung; None if the trial ended before it."""
    step = min((step for step in trial.intermediate_values if step >= rung), default=None)
    return None if step is None else trial.intermediate_values[step]
