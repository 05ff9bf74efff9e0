"""Learning rates over the steps of a plan."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from growsearch.training.plan import TrainingPlan

# Of one_cycle, as in PyTorch and fastai: share of the steps in which the rate rises; first and last
# rate as shares of the highest.
RISE = 0.3
START, END = 1 / 25, 1 / (25 * 1e4)


def learning_rates(plan: TrainingPlan, positions: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the learning rates at positions in a plan's schedule.

    "cosine" falls from the plan's rate to 0 by half a cosine (Loshchilov and Hutter,
    arXiv:1608.03983, equation 5, without restarts). "one_cycle" rises from 1/25 of it and falls to
    1/250,000 by half a cosine each (Smith and Topin, arXiv:1708.07120, in the form of PyTorch's
    ``OneCycleLR``).

    Parameters
    ----------
    plan : TrainingPlan
    positions : float64 array, shape (n,)
        In steps of the whole schedule; fractions in a plan with ``seconds``.

    Returns
    -------
    float32 array, shape (n,)

    Examples
    --------
    >>> plan = TrainingPlan(4, learning_rate=0.5, schedule="cosine")
    >>> learning_rates(plan, np.arange(4.0)).round(3)
    array([0.5  , 0.427, 0.25 , 0.073], dtype=float32)
    """
    total = plan.schedule_steps or plan.schedule_start + plan.steps
    if plan.schedule == "cosine":
        share = _fall(positions / total, 1.0, 0.0)
    elif plan.schedule == "one_cycle":
        share = _one_cycle(np.minimum(positions, total - 1.0), total)
    else:
        share = np.ones(len(positions))
    return np.asarray(plan.learning_rate * share, np.float32)


def _one_cycle(position: NDArray[Any], total: int) -> NDArray[Any]:
    top, last = RISE * total - 1.0, total - 1.0
    rising = _fall(position / max(top, 1.0), START, 1.0)  # a top before 0 is never risen to
    falling = _fall((position - top) / (last - top), 1.0, END)
    return np.where(position < top, rising, falling)


def _fall(share: NDArray[Any], start: float, end: float) -> NDArray[Any]:
    """Return half a cosine from ``start`` at share 0 to ``end`` at share 1."""
    return np.asarray(end + (start - end) * 0.5 * (1.0 + np.cos(np.pi * share)))
