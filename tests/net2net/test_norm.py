"""Batch norm at array level: widened with its layer, or an identity behind it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from growsearch.net2net import Units, deeper_norm, wider, wider_norm
from tests.strategies import seeds, splits


def normalized(x, gamma, beta, mean, variance, epsilon):
    return (x - mean) / np.sqrt(variance + epsilon) * gamma + beta


@given(seeds, splits, st.integers(1, 5), st.integers(1, 20))
def test_a_layer_and_its_batch_norm_widen_together(seed, split, old, extra):
    """Dense, batch norm with trained statistics, ReLU, dense: the outputs stay, to 1e-12."""
    rng = np.random.default_rng(seed)
    w1, b1, w2 = rng.normal(size=(3, old)), rng.normal(size=old), rng.normal(size=(old, 2))
    norm = (*rng.normal(size=(3, old)), rng.uniform(0.1, 2.0, old))
    units = Units.replicate(old, old + extra, rng=rng, split=split)
    v1, c1, v2 = wider(w1, b1, w2, units, rng=0)
    x = rng.normal(size=(5, 3))
    before = np.maximum(normalized(x @ w1 + b1, *norm, 1e-3), 0.0) @ w2
    wide = wider_norm(units, *norm)
    after = np.maximum(normalized(x @ v1 + c1, *wide, 1e-3), 0.0) @ v2
    assert np.abs(before - after).max() <= 1e-12 * max(1.0, np.abs(before).max())


def test_what_is_absent_stays_absent():
    """A batch norm without gamma has none afterwards."""
    units = Units.replicate(2, 3, rng=np.random.default_rng(0))
    gamma, beta = wider_norm(units, None, np.ones(2, np.float32))
    assert gamma is None
    assert beta.shape == (3,)
    assert beta.dtype == np.float32


@pytest.mark.parametrize(
    ("parameter", "message"),
    [(np.ones(3), r"expected shape \(2,\)"), (np.array([1.0, np.nan]), "finite")],
)
def test_parameters_that_do_not_fit_are_refused(parameter, message):
    units = Units.replicate(2, 3, rng=np.random.default_rng(0))
    with pytest.raises(ValueError, match=message):
        wider_norm(units, parameter)


@given(seeds, st.sampled_from([1e-3, 1e-5, 2.0**-10, 0.0]), st.sampled_from([0.5, 1.0, 4.0]))
def test_a_new_batch_norm_is_the_identity_in_evaluation_mode(seed, epsilon, scale):
    """For any statistics, silent channels among them, to the precision of float32.

    Behind a layer that multiplies by ``scale`` it divides by it.
    """
    rng = np.random.default_rng(seed)
    mean = rng.normal(size=6).astype(np.float32)
    variance = np.append(rng.uniform(0.0, 50.0, 5), 0.0)
    found = deeper_norm(mean, variance, epsilon=epsilon, scale=scale)
    assert {array.dtype for array in found} == {np.dtype(np.float32)}
    x = rng.normal(size=(9, 6))
    out = normalized(scale * x, *(array.astype(np.float64) for array in found), epsilon)
    tolerance = 1e-12 if epsilon == 2.0**-10 else 1e-6
    assert np.abs(out - x).max() <= tolerance * max(1.0, np.abs(x).max())


@pytest.mark.parametrize(
    ("mean", "variance", "epsilon"),
    [
        (np.zeros(2), np.zeros(3), 1e-3),
        (np.zeros(2), np.array([1.0, -1.0]), 1e-3),
        (np.zeros(2), np.ones(2), -1e-3),
        (np.zeros(2), np.ones(2), 1.0),
    ],
)
def test_statistics_that_cannot_be_are_refused(mean, variance, epsilon):
    with pytest.raises(ValueError, match="variance: expected"):
        deeper_norm(mean, variance, epsilon=epsilon)


@pytest.mark.parametrize("scale", [3.0, 0.0, -2.0])
def test_a_scale_that_would_round_is_refused(scale):
    """Only powers of two multiply without a rounding error."""
    with pytest.raises(ValueError, match="scale: expected a power of two"):
        deeper_norm(np.zeros(2), np.ones(2), scale=scale)
