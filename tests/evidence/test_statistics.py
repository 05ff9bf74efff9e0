"""The statistics hold what they promise: coverage, error rates, known numbers."""

import itertools

import numpy as np
import pytest
from scipy import stats

from growsearch.evidence.statistics import (
    FEWEST_PAIRS,
    holm,
    mean_interval,
    mean_intervals,
    paired,
    signed_rank_p,
)
from growsearch.evidence.variance import components

SIMULATIONS = 2000


def skewed(rng, shape):
    """Differences as trials give them: most small, some large; mean 0, deviation 1."""
    return (rng.gamma(4.0, size=shape) - 4.0) / 2.0


NOISES = {"normal": lambda rng, shape: rng.normal(size=shape), "skewed": skewed}


@pytest.mark.parametrize(
    ("noise", "pairs"),
    [("normal", FEWEST_PAIRS), ("normal", 10), ("normal", 24), ("skewed", 24)],
)
def test_intervals_cover_a_known_effect(noise, pairs):
    """95 ± 2 % of 2,000 simulated sets of pairs, with an effect of half a deviation."""
    rng = np.random.default_rng([pairs, len(noise)])
    effect = 0.5
    low, high = mean_intervals(effect + NOISES[noise](rng, (SIMULATIONS, pairs))).T
    covered = np.mean((low <= effect) & (effect <= high))
    assert 0.93 <= covered <= 0.97


@pytest.mark.parametrize("pairs", [FEWEST_PAIRS, 10, 24])
def test_the_interval_is_scipys_bootstrap_stretched(pairs):
    """The stretch is Student's quantile over the normal one, times the root of n / (n - 1).

    One sample and rows of samples have the same intervals.
    """
    samples = np.random.default_rng(pairs).normal(size=(5, pairs)).round(9)
    stretch = stats.t.ppf(0.975, pairs - 1) / stats.norm.ppf(0.975) * np.sqrt(pairs / (pairs - 1))
    for sample, found in zip(samples, mean_intervals(samples), strict=True):
        plain = stats.bootstrap(
            (sample,),
            np.mean,
            n_resamples=1999,
            method="percentile",
            rng=np.random.default_rng(0),
        ).confidence_interval
        expected = sample.mean() + stretch * (np.array(plain) - sample.mean())
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)
        np.testing.assert_allclose(mean_interval(sample), expected, rtol=0, atol=1e-12)
        assert paired(sample).interval == mean_interval(sample)


@pytest.mark.parametrize(("images", "pairs"), [(None, 10), (2500, 10), (2500, 20)])
def test_no_effect_is_found_as_often_as_the_level_says(images, pairs):
    """Wilcoxon's p below .05 in 5 ± 1.5 % of 2,000 simulations without an effect.

    Also where differences are whole numbers of images, so that some are equal and some are zero.
    """
    values = np.random.default_rng(1).normal(0.0, 0.004, size=(SIMULATIONS, pairs))
    if images is not None:
        values = np.round(values * images) / images
    found = np.mean([signed_rank_p(each) < 0.05 for each in values])
    assert 0.035 <= found <= 0.065


def test_an_effect_is_found():
    """A mean of one deviation over 20 pairs: found in more than 95 % of 200 simulations."""
    values = 1.0 + np.random.default_rng(2).normal(size=(200, 20))
    assert np.mean([signed_rank_p(each) < 0.05 for each in values]) > 0.95


def test_several_comparisons_keep_the_level_together():
    """Three comparisons without effect: Holm finds any in at most 6 % of 2,000 simulations."""
    uniform = np.random.default_rng(3).uniform(size=(SIMULATIONS, 3))
    families = [holm({str(arm): p for arm, p in enumerate(arms)}) for arms in uniform.tolist()]
    assert 0.04 <= np.mean([min(family.values()) < 0.05 for family in families]) <= 0.06


def test_the_numbers_are_scipys():
    values = np.random.default_rng(4).normal(0.3, size=15)
    found = paired(values)
    assert found.p_value == signed_rank_p(values) == stats.wilcoxon(values).pvalue
    assert found.mean == pytest.approx(values.mean(), abs=1e-8)
    assert found.effect_size == pytest.approx(values.mean() / values.std(ddof=1))
    assert found.ahead + found.behind == found.n == 15


@pytest.mark.parametrize("pairs", [6, 7, 8, 9])
def test_ties_and_zeros_are_tested_exactly(pairs):
    """The p-value is that of scipy's enumeration of all signs, which takes seconds for 13 pairs."""
    rng = np.random.default_rng(pairs)
    for _ in range(4):
        values = rng.integers(-3, 6, pairs) / 100
        exact = stats.PermutationMethod(n_resamples=np.inf)
        expected = stats.wilcoxon(values, zero_method="zsplit", method=exact).pvalue
        assert paired(values).p_value == pytest.approx(expected, abs=1e-12)


def test_ties_beyond_scipys_enumeration_are_exact_too():
    """The p-value is the fraction of all 65,536 signs of 16 pairs that are as extreme."""
    values = np.random.default_rng(0).integers(-3, 6, 16) / 100
    ranks = stats.rankdata(np.abs(values))
    signs = np.array(list(itertools.product((-1.0, 1.0), repeat=16)))
    every = np.where(values == 0.0, 0.0, signs) @ ranks
    found = np.sign(values) @ ranks
    expected = min(1.0, 2.0 * min((every <= found).mean(), (every >= found).mean()))
    assert paired(values).p_value == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("values", [[], [0.1], [0.1] * (FEWEST_PAIRS - 1), [0.0] * 10, [0.1] * 10])
def test_too_few_pairs_or_no_spread_give_no_interval_and_no_test(values):
    found = paired(values)
    assert found.n == len(values)
    assert found.interval is None
    assert found.p_value is None
    assert not found.enough


def test_rounding_is_no_difference():
    """.97 - .96 and .98 - .97 differ in the last bit; ties are ties."""
    found = paired([0.97 - 0.96, 0.98 - 0.97, 0.95 - 0.94, 0.96 - 0.96, 1e-17, 0.0])
    assert (found.ahead, found.behind, found.ties) == (3, 0, 3)


def test_holm_is_as_published():
    """The correction multiplies by the number of hypotheses left, and never decreases."""
    assert holm({"a": 0.01, "b": 0.02, "c": 0.03}) == pytest.approx(
        {"a": 0.03, "b": 0.04, "c": 0.04}
    )
    assert holm({"a": 0.9, "b": None}) == {"a": 0.9, "b": None}
    assert holm({"a": 0.8, "b": 0.7}) == {"a": 1.0, "b": 1.0}
    assert holm({}) == {}


@pytest.mark.parametrize(("between", "within"), [(2.0, 0.5), (0.0, 1.0), (0.5, 2.0)])
def test_variance_is_split_as_it_was_made(between, within):
    """Known components come back, over 400 trials of 2 to 5 seeds."""
    rng = np.random.default_rng(5)
    groups = [
        rng.normal(0, between) + rng.normal(0, within, size=rng.integers(2, 6)) for _ in range(400)
    ]
    found = components(groups)
    assert found.between_trials == pytest.approx(between, abs=0.2)
    assert found.between_seeds == pytest.approx(within, rel=0.1)
    assert found.trials == 400


def test_single_seeds_cannot_be_split():
    assert components([[1.0], [2.0], [3.0, 4.0]]) is None
