"""Savings of compute: what one contender needs to reach what another one reaches."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Bound = Literal["", "at most", "at least"]
Values = NDArray[np.float64]
FEWEST_SEEDS = 3  # for an interval
_RESAMPLES = 2000
_TAIL = 0.025


@dataclass(frozen=True)
class Saving:
    """A saving of compute as a fraction: 1 less the ratio of what both contenders need.

    Parameters
    ----------
    mean : float
        Of the mean curves over the seeds.
    interval : (float, float) or None
        95 % bootstrap interval over the seeds; None with fewer than three.
    bound : "", "at least" or "at most"
        "at least" where the smallest budget already reaches the target, "at most" where none does:
        then the compute of that budget counts.
    """

    mean: float
    interval: tuple[float, float] | None
    bound: Bound

    def __str__(self) -> str:
        signs = {"": "", "at least": "≥ ", "at most": "≤ "}
        text = f"{signs[self.bound]}{100.0 * self.mean:+.0f} %"
        if self.interval is None:
            return text
        low, high = self.interval
        return f"{text} ({100.0 * low:+.0f} to {100.0 * high:+.0f})"


def to_reach(
    compute: Sequence[float], values: Sequence[float], target: float
) -> tuple[float, Bound]:
    """Return the compute at which a curve first reaches a value, and what bound it is.

    Between two budgets the value is linear in the logarithm of the compute. A budget counts with
    the best value up to it. A target below the curve needs "at most" the smallest budget, one above
    it "at least" the largest.

    Parameters
    ----------
    compute, values : sequence of float
        One a budget; higher values are better.
    target : float

    Examples
    --------
    >>> to_reach([1.0, 100.0], [0.5, 0.7], 0.7)
    (100.0, '')
    >>> to_reach([1.0, 100.0], [0.5, 0.7], 0.8)
    (100.0, 'at least')
    """
    order = np.argsort(compute, kind="stable")  # measured seconds need not rise with the budget
    compute, values = [compute[place] for place in order], [values[place] for place in order]
    if target <= values[0]:
        return float(compute[0]), "at most" if target < values[0] else ""
    best = np.maximum.accumulate(np.asarray(values, np.float64))
    after = int(np.argmax(best >= target))
    if best[after] < target:
        return float(compute[-1]), "at least"
    low, high = float(best[after - 1]), float(best[after])
    part = (target - low) / (high - low)
    return float(compute[after - 1] ** (1.0 - part) * compute[after] ** part), ""


def saving(
    compute: Sequence[float], values: Values, target_compute: float, targets: Values
) -> Saving:
    """Return the saving of a contender on the way to another one's mean value.

    The bootstrap draws the seeds of both contenders apart. Its interval is stretched about the mean
    by the ratio of Student's interval to the normal one, since percentiles of few seeds are too
    narrow (Hesterberg 2015, arXiv:1411.5279, section 5.3).

    Parameters
    ----------
    compute : sequence of float, one a budget
    values : array, shape (budgets, seeds)
        Higher is better.
    target_compute : float
        The compute of the other contender.
    targets : array, shape (seeds,)
        Its values.
    """

    def of(means: Values, target: float) -> tuple[float, Bound]:
        needed, bound = to_reach(compute, means.tolist(), target)
        return 1.0 - needed / target_compute, bound

    mean, bound = of(values.mean(axis=1), float(targets.mean()))
    turned: dict[Bound, Bound] = {"": "", "at least": "at most", "at most": "at least"}
    n = min(values.shape[1], len(targets))
    if n < FEWEST_SEEDS:
        return Saving(mean, None, turned[bound])
    rng = np.random.default_rng(0)
    ours = rng.integers(0, values.shape[1], (_RESAMPLES, values.shape[1]))
    theirs = rng.integers(0, len(targets), (_RESAMPLES, len(targets)))
    drawn = [
        of(values[:, our].mean(axis=1), float(targets[their].mean()))[0]
        for our, their in zip(ours, theirs, strict=True)
    ]
    wider = stats.t.ppf(1.0 - _TAIL, n - 1) / stats.norm.ppf(1.0 - _TAIL) * math.sqrt(n / (n - 1))
    low, high = mean + wider * (np.quantile(drawn, (_TAIL, 1.0 - _TAIL)) - mean)
    return Saving(mean, (float(low), float(min(high, 1.0))), turned[bound])


def where_it_ends(savings: Mapping[float, Saving]) -> str:
    """Return in words at which budgets a saving is shown, and at which it is none.

    A saving is shown where its whole interval is above 0; it is negative where its mean is below 0;
    an upper bound is neither.

    Examples
    --------
    >>> shown, lost = Saving(0.4, (0.3, 0.5), ""), Saving(-0.1, (-0.3, 0.1), "")
    >>> where_it_ends({1.0: shown, 3.0: lost})
    'shown at 1; negative at 3'
    """
    budgets: dict[str, list[float]] = {"shown": [], "negative": [], "never reached": []}
    for budget, each in sorted(savings.items()):
        if each.bound == "at most":
            budgets["never reached"].append(budget)
        elif each.mean < 0.0:
            budgets["negative"].append(budget)
        elif each.interval is not None and each.interval[0] > 0.0:
            budgets["shown"].append(budget)
    parts = [
        f"{word} at {', '.join(f'{budget:g}' for budget in found)}"
        for word, found in budgets.items()
        if found
    ]
    return "; ".join(parts) or "neither shown nor negative"


def best_configuration(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the configuration with the lowest mean validation loss over its seeds.

    Examples
    --------
    >>> best_configuration([{"configuration": "a", "validation_loss": 0.3},
    ...                     {"configuration": "b", "validation_loss": 0.2}])
    'b'
    """
    losses: dict[str, list[float]] = {}
    for row in rows:
        losses.setdefault(row["configuration"], []).append(row["validation_loss"])
    return min(losses, key=lambda name: float(np.mean(losses[name])))
