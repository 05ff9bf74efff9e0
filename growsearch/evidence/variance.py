"""Variance components of repeated differences: between trials, and between seeds of a trial."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Components:
    """Variance components of differences that were repeated with other seeds, as deviations.

    Parameters
    ----------
    between_trials : float
        Deviation of the trials' true differences, whose growths and learning rates differ.
    between_seeds : float
        Deviation of one trial's difference over seeds, which is luck.
    trials, n : int
        Trials with at least two seeds, and differences in them.
    """

    between_trials: float
    between_seeds: float
    trials: int
    n: int


def components(groups: Sequence[Sequence[float]]) -> Components | None:
    """Split the variance of differences into that between groups and that within them.

    One-way random effects by the method of moments (Searle, Casella, McCulloch, *Variance
    Components*, 1992, chapter 3); a negative estimate is 0. None without two groups of two.

    Examples
    --------
    >>> components([[1.0, 1.0], [3.0, 3.0]])
    Components(between_trials=1.4142135623730951, between_seeds=0.0, trials=2, n=4)
    """
    arrays = [np.asarray(group, np.float64) for group in groups if len(group) > 1]
    if len(arrays) < 2:
        return None
    sizes = np.array([len(each) for each in arrays])
    n, k = int(sizes.sum()), len(arrays)
    means = np.array([each.mean() for each in arrays])
    grand = float((sizes * means).sum() / n)
    within = sum(float(((each - each.mean()) ** 2).sum()) for each in arrays) / (n - k)
    among = float((sizes * (means - grand) ** 2).sum()) / (k - 1)
    size = (n - float((sizes**2).sum()) / n) / (k - 1)
    between = max(0.0, (among - within) / size)
    return Components(math.sqrt(between), math.sqrt(within), k, n)
