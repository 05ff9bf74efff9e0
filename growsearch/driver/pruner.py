"""The pruner: it ends the training of a candidate whose gain over its parent is too small."""

from __future__ import annotations

from collections.abc import Iterator

from optuna.pruners import BasePruner, NopPruner, ThresholdPruner
from optuna.study import Study
from optuna.trial import FrozenTrial

from growsearch.space import SearchSpace
from growsearch.study.trials import is_interrupted


def pruner_of(space: SearchSpace) -> BasePruner:
    """Return the pruner that a search space asks for."""
    pruning = space.pruning
    if pruning is None:
        return NopPruner()
    return GainPruner(pruning.tolerance, pruning.warmup_steps, pruning.reduction)


class GainPruner(BasePruner):
    """Prunes a candidate that lies far below its parent, or behind the other candidates.

    Trials report their gain over the parent, which compares across generations.

    Optuna's own pruner by successive halving stores the rungs that each trial reached. A trial that
    is interrupted and repeated would then compete with itself. This pruner reads the reports of the
    trials that count, so that a resumed run prunes the same candidates as an uninterrupted one.

    Parameters
    ----------
    tolerance : float
        Accuracy, a fraction, by which a candidate may lie below its parent.
    warmup_steps : int
        Updates before which nothing is pruned.
    reduction : int
        Of successive halving (Li et al., arXiv:1810.05934): the best 1/reduction go on, at
        ``warmup_steps`` and each multiple of it by ``reduction``. 1 is no halving.
    """

    def __init__(self, tolerance: float, warmup_steps: int, reduction: int) -> None:
        self._threshold = ThresholdPruner(lower=-tolerance, n_warmup_steps=warmup_steps)
        self._first = max(warmup_steps, 1)
        self._reduction = reduction

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        """Return whether the trial is to be pruned."""
        if self._threshold.prune(study, trial):
            return True
        rungs = list(self._reached(trial))
        if not rungs:
            return False
        others = [
            other
            for other in study.get_trials(deepcopy=False)
            if other.state.is_finished() and not is_interrupted(other)
        ]
        return any(self._is_behind(trial, others, rung) for rung in rungs)

    def _reached(self, trial: FrozenTrial) -> Iterator[int]:
        """Yield the rungs that the last report reached, and no report before it."""
        if self._reduction == 1 or (last := trial.last_step) is None:
            return
        before = max((step for step in trial.intermediate_values if step < last), default=-1)
        rung = self._first
        while rung <= last:
            if rung > before:
                yield rung
            rung *= self._reduction

    def _is_behind(self, trial: FrozenTrial, others: list[FrozenTrial], rung: int) -> bool:
        """Return whether the trial is not among the best 1/reduction at a rung.

        While fewer than ``reduction`` trials have reached the rung, the best of them goes on.
        """
        own = trial.intermediate_values[trial.last_step or 0]
        steps = [(other, _first_step(other, rung)) for other in others]
        gains = [other.intermediate_values[step] for other, step in steps if step is not None]
        places = max(1, (len(gains) + 1) // self._reduction)
        return sum(gain > own for gain in gains) >= places


def _first_step(trial: FrozenTrial, rung: int) -> int | None:
    """Return the step of the first report at or after a rung; None if the trial ended before it."""
    return min((step for step in trial.intermediate_values if step >= rung), default=None)
