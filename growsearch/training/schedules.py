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


def learning_rates(
    plan: TrainingPlan, positions: NDArray[np.float64], step: int
) -> NDArray[np.float32]:
    """Return the learning rates of consecutive updates, at positions in a plan's schedule.

    All schedules but "one_cycle" first rise linearly over the steps of ``warmup``, to the plan's
    rate at its last step. Then

    - "constant" stays there.
    - "linear" falls to 0 in a line.
    - "cosine" falls to 0 by half a cosine (Loshchilov and Hutter, arXiv:1608.03983, equation 5,
      without restarts).
    - "wsd" (warm-up, stable, decay) stays there, and falls to 0 in a line over the last
      ``decay_share`` of the whole schedule (Hägele et al., arXiv:2405.18392). A network that grows
      in the stable phase loses no decay by it (arXiv:2511.04981).
    - "inverse_sqrt" is multiplied by sqrt(timescale / (timescale + steps since the warm-up)) (Zhai
      et al., arXiv:2106.04560, "reciprocal square-root"). It has no end that a plan must know.

    "one_cycle" rises from 1/25 of the plan's rate and falls to 1/250,000 by half a cosine each
    (Smith and Topin, arXiv:1708.07120, in the form of PyTorch's ``OneCycleLR``).

    Parameters
    ----------
    plan : TrainingPlan
    positions : float64 array, shape (n,)
        In steps of the whole schedule; fractions in a plan with ``seconds``.
    step : int
        Updates of this training before the first of these, for the plan's ``rewarm``.

    Returns
    -------
    float32 array, shape (n,)

    Examples
    --------
    >>> plan = TrainingPlan(4, learning_rate=0.5, schedule="cosine")
    >>> learning_rates(plan, np.arange(4.0), 0).round(3)
    array([0.5  , 0.427, 0.25 , 0.073], dtype=float32)
    >>> plan = TrainingPlan(8, learning_rate=0.5, schedule="wsd", warmup=2, decay_share=0.5)
    >>> learning_rates(plan, np.arange(8.0), 0).round(3)
    array([0.25 , 0.5  , 0.5  , 0.5  , 0.5  , 0.375, 0.25 , 0.125], dtype=float32)
    """
    share = _course(plan, positions)
    if plan.warmup:
        share = share * np.minimum((positions + 1.0) / plan.warmup, 1.0)
    if plan.rewarm:
        share = share * np.minimum((step + 1.0 + np.arange(len(positions))) / plan.rewarm, 1.0)
    return np.asarray(plan.learning_rate * share, np.float32)


def _course(plan: TrainingPlan, positions: NDArray[np.float64]) -> NDArray[Any]:
    """Return the rates without warm-up and re-warming, as shares of the highest."""
    total = plan.schedule_end
    warm = np.maximum(positions - plan.warmup, 0.0)
    if plan.schedule in ("linear", "wsd"):
        return np.asarray(np.clip((total - positions) / plan.fall, 0.0, 1.0))
    if plan.schedule == "cosine":
        return _fall(warm / (total - plan.warmup), 1.0, 0.0)
    if plan.schedule == "one_cycle":
        return _one_cycle(np.minimum(positions, total - 1.0), total)
    if plan.schedule == "inverse_sqrt":
        return np.asarray(np.sqrt(plan.timescale / (plan.timescale + warm)))
    return np.ones(len(positions))


def _one_cycle(position: NDArray[Any], total: int) -> NDArray[Any]:
    top, last = RISE * total - 1.0, total - 1.0
    rising = _fall(position / max(top, 1.0), START, 1.0)  # a top before 0 is never risen to
    falling = _fall((position - top) / (last - top), 1.0, END)
    return np.where(position < top, rising, falling)


def _fall(share: NDArray[Any], start: float, end: float) -> NDArray[Any]:
    """Return half a cosine from ``start`` at share 0 to ``end`` at share 1."""
    return np.asarray(end + (start - end) * 0.5 * (1.0 + np.cos(np.pi * share)))
