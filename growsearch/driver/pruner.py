"""Which candidates are given up in the middle of their training, by their gains."""

from __future__ import annotations

from optuna.pruners import BasePruner, NopPruner, SuccessiveHalvingPruner, ThresholdPruner
from optuna.study import Study
from optuna.trial import FrozenTrial


class GainPruner(BasePruner):
    """Gives up what lies far below its parent, and what lies behind the other candidates.

    Trials report the difference to their parent, which compares across generations.

    Parameters
    ----------
    tolerance : float
        How far below its parent a candidate may lie.
    warmup_steps : int
        Updates before which nothing is given up.
    reduction : int
        Of successive halving (Li et al., arXiv:1810.05934): the best 1/reduction go on, at
        ``warmup_steps`` and each multiple of it by ``reduction``. 1 is no halving.
    """

    def __init__(self, tolerance: float, warmup_steps: int, reduction: int) -> None:
        self._threshold = ThresholdPruner(lower=-tolerance, n_warmup_steps=warmup_steps)
        self._halving: BasePruner = NopPruner()
        if reduction > 1:
            self._halving = SuccessiveHalvingPruner(
                min_resource=max(warmup_steps, 1), reduction_factor=reduction
            )

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        """Whether the trial is to be given up."""
        return self._threshold.prune(study, trial) or self._halving.prune(study, trial)
