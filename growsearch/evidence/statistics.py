"""Statistics of paired differences: mean, interval, test, effect size, correction."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy  # which loads scipy.stats when it is used: it takes most of a second
from numpy.typing import NDArray

from growsearch.trials.records import DIGITS

FEWEST_PAIRS = 6  # with fewer, Wilcoxon's test cannot fall below p = .05
CONFIDENCE = 0.95
_RESAMPLES = 1999
_EXACT = 50  # pairs up to which scipy's test is exact by default


@dataclass(frozen=True)
class Paired:
    """Statistics of paired differences.

    Parameters
    ----------
    n : int
        Pairs.
    mean, std : float or None
        Mean and sample standard deviation of the differences; None with too few to have one.
    interval : (float, float) or None
        95 % bootstrap interval of the mean; None with too few pairs.
    p_value : float or None
        Of Wilcoxon's signed-rank test, two-sided; None with too few pairs.
    ahead, behind, ties : int
        Pairs whose difference is positive, negative, zero.
    effect_size : float or None
        Cohen's d_z: the mean in standard deviations of the differences; None without a spread.
    """

    n: int
    mean: float | None
    std: float | None
    interval: tuple[float, float] | None
    p_value: float | None
    ahead: int
    behind: int
    ties: int
    effect_size: float | None

    @property
    def enough(self) -> bool:
        """True with enough pairs for an interval and a test."""
        return self.interval is not None


def paired(differences: Sequence[float] | NDArray[Any]) -> Paired:
    """Compute the statistics of paired differences.

    See :func:`mean_intervals` for the interval and :func:`signed_rank_p` for the test.

    Examples
    --------
    >>> found = paired([0.01, 0.02, 0.03])
    >>> found.n, round(found.mean, 3), found.ahead, found.interval
    (3, 0.02, 3, None)
    """
    values = _rounded(differences)
    n = len(values)
    std = float(values.std(ddof=1)) if n > 1 else None
    mean = float(values.mean()) if n else None
    has_spread = n > 1 and float(np.ptp(values)) > 0.0
    interval = mean_interval(values)
    return Paired(
        n=n,
        mean=mean,
        std=std,
        interval=interval,
        p_value=None if interval is None else signed_rank_p(values),
        ahead=int((values > 0.0).sum()),
        behind=int((values < 0.0).sum()),
        ties=int((values == 0.0).sum()),
        effect_size=mean / std if mean is not None and std and has_spread else None,
    )


def _rounded(differences: Sequence[float] | NDArray[Any]) -> NDArray[np.float64]:
    """Round differences of fractions, so that ties are ties."""
    values: NDArray[np.float64] = np.asarray(differences, np.float64).round(DIGITS)
    return values


def mean_interval(differences: Sequence[float] | NDArray[Any]) -> tuple[float, float] | None:
    """Return the 95 % bootstrap interval of the mean; None with too few differences, or no spread.

    See :func:`mean_intervals`.

    Examples
    --------
    >>> low, high = mean_interval([0.01, 0.02, 0.03, 0.01, 0.02, 0.03])
    >>> low < 0.02 < high
    True
    """
    values = _rounded(differences)
    if len(values) < FEWEST_PAIRS or float(np.ptp(values)) == 0.0:
        return None
    low, high = mean_intervals(values[None])[0].tolist()
    return low, high


def mean_intervals(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the 95 % bootstrap interval of the mean of each row, shape (rows, 2).

    It is the percentile bootstrap, stretched about the mean by the ratio of Student's interval to
    the normal one with the resamples' variance. The plain one is too narrow for few values
    (Hesterberg 2015, arXiv:1411.5279, section 5.3); expanding its level, as is proposed there,
    leaves 92.5 % at six. All rows are resampled alike, with seed 0.

    Examples
    --------
    >>> mean_intervals(np.array([[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]])).shape
    (1, 2)
    """
    n = samples.shape[1]
    drawn = np.random.default_rng(0).integers(0, n, (_RESAMPLES, n))
    times_drawn = np.zeros((_RESAMPLES, n))
    np.add.at(times_drawn, (np.arange(_RESAMPLES)[:, None], drawn), 1.0)
    tail = (1.0 - CONFIDENCE) / 2.0
    resampled = samples @ times_drawn.T / n  # means, shape (rows, resamples)
    ends = np.quantile(resampled, (tail, 1.0 - tail), axis=1).T
    student, normal = scipy.stats.t.ppf(1.0 - tail, n - 1), scipy.stats.norm.ppf(1.0 - tail)
    wider = student / normal * math.sqrt(n / (n - 1))
    means = samples.mean(axis=1, keepdims=True)
    intervals: NDArray[np.float64] = means + wider * (ends - means)
    return intervals


def signed_rank_p(differences: Sequence[float] | NDArray[Any]) -> float:
    """Return the two-sided p-value of Wilcoxon's signed-rank test.

    It is exact up to 50 pairs, with ties and zeros too. For ties and zeros scipy tries all signs of
    up to 13 pairs, which takes seconds, and approximates beyond 13. Here the distribution of the
    sum of ranks is built up rank by rank.

    Examples
    --------
    >>> signed_rank_p([0.01, 0.02, 0.03, 0.04, 0.05, 0.06])
    0.03125
    """
    values = _rounded(differences)
    sizes = np.abs(values)
    untied = len(np.unique(sizes)) == len(values) and bool((sizes > 0.0).all())
    if untied or len(values) > _EXACT:
        return float(scipy.stats.wilcoxon(values, zero_method="zsplit").pvalue)
    ranks = scipy.stats.rankdata(sizes)
    doubled = np.rint(2.0 * ranks).astype(int)  # whole, where ranks are shared
    chances = np.ones(1)
    for rank in doubled[values != 0.0]:  # zeros, half on either side, change nothing
        chances = (np.pad(chances, (0, rank)) + np.pad(chances, (rank, 0))) / 2.0
    found = int(doubled[values > 0.0].sum())
    return min(1.0, 2.0 * float(min(chances[: found + 1].sum(), chances[found:].sum())))


def holm(p_values: Mapping[str, float | None]) -> dict[str, float | None]:
    """Correct the p-values of several tests by Holm; None stays None and does not count.

    Examples
    --------
    >>> holm({"a": 0.01, "b": 0.04, "c": None})
    {'a': 0.02, 'b': 0.04, 'c': None}
    """
    adjusted: dict[str, float | None] = dict.fromkeys(p_values)
    known = sorted((p, name) for name, p in p_values.items() if p is not None)
    largest = 0.0
    for rank, (p, name) in enumerate(known):
        largest = max(largest, min(1.0, (len(known) - rank) * p))
        adjusted[name] = largest
    return adjusted
