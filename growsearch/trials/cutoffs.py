"""The cutoffs of a training: gains over the parent below which it ends early.

They are drawn from the trials that are judged before the training is asked for. So a worker needs
no other trial, and the same job ends at the same step wherever it runs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Cutoffs:
    """The least gains of a training, by step.

    Parameters
    ----------
    parent_accuracy : float
        Gains are over this accuracy: they compare across generations.
    least_gain : float
        Of every point from ``warmup_steps`` on.
    warmup_steps : int
        Updates before which ``least_gain`` ends nothing.
    rungs : tuple of (step, least gain)
        Of the first point at or after each step.
    """

    parent_accuracy: float
    least_gain: float = -math.inf
    warmup_steps: int = 0
    rungs: tuple[tuple[int, float], ...] = ()

    def end(self, accuracy: float, step: int, step_before: int) -> bool:
        """Return whether the training ends at a point.

        Parameters
        ----------
        accuracy : float
        step, step_before : int
            Of the point and of the point before it; -1 before the first.

        Examples
        --------
        >>> cutoffs = Cutoffs(0.9, least_gain=-0.05, warmup_steps=10, rungs=((20, 0.01),))
        >>> cutoffs.end(0.84, 5, 0), cutoffs.end(0.84, 10, 5), cutoffs.end(0.9, 25, 15)
        (False, True, True)
        """
        gain = accuracy - self.parent_accuracy
        if step >= self.warmup_steps and not gain >= self.least_gain:
            return True
        return any(step_before < rung <= step and not gain >= least for rung, least in self.rungs)
