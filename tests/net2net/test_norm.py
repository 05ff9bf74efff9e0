"""Batch norm at array level: widened with its layer, or an identity behind it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from growsearch.net2net import Units, deeper_norm, stretched_norm, wider, wider_norm
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


def layer_norm(x, gamma, beta, epsilon):
    centred = x - x.mean(axis=-1, keepdims=True)
    return centred / np.sqrt(np.mean(centred**2, axis=-1, keepdims=True) + epsilon) * gamma + beta


def rms_norm(x, gamma, epsilon):
    return x / np.sqrt(np.mean(x**2, axis=-1, keepdims=True) + epsilon) * gamma


@given(seeds, st.integers(2, 6), st.integers(1, 9), st.sampled_from([1e-6, 1e-3, 0.1]))
def test_a_layer_and_its_layer_norm_widen_to_any_width(seed, old, extra, epsilon):
    """Dense, layer norm, dense: the outputs stay to 1e-13; new units are normalised to 0."""
    rng = np.random.default_rng(seed)
    w1, b1, w2 = rng.normal(size=(3, old)), rng.normal(size=old), rng.normal(size=(old, 2))
    gamma, beta = rng.normal(size=(2, old))
    units = Units.extended(old, old + extra, "mean")
    v1, c1, v2 = wider(w1, b1, w2, units, rng=0)
    wide = stretched_norm(units, gamma, beta, epsilon=epsilon)
    x = rng.normal(size=(5, 3))
    before, after = layer_norm(x @ w1 + b1, gamma, beta, epsilon), layer_norm(x @ v1 + c1, *wide)
    assert np.abs(before - after[:, :old]).max() <= 1e-12 * np.abs(before).max()
    assert np.abs(after[:, old:]).max() <= 1e-12
    for behind in (v2, np.where(v2 == 0.0, 1.0, v2)):  # whatever reads zeros
        assert np.abs(before @ w2 - after @ behind).max() <= 1e-11 * np.abs(before).max()


@given(seeds, st.integers(1, 6), st.integers(1, 9), st.sampled_from([1e-6, 1e-3, 0.1]))
def test_a_layer_and_its_rms_norm_widen_to_any_width(seed, old, extra, epsilon):
    """Dense, ReLU, RMS norm: the old outputs stay to 1e-13, the new ones are exactly 0."""
    rng = np.random.default_rng(seed)
    w1, b1, w2 = rng.normal(size=(3, old)), rng.normal(size=old), rng.normal(size=(old, 2))
    gamma = rng.normal(size=old)
    units = Units.extended(old, old + extra, "zero")
    v1, c1, _ = wider(w1, b1, w2, units, rng=0)
    wide, beta, smaller = stretched_norm(units, gamma, epsilon=epsilon)
    assert beta is None
    x = rng.normal(size=(5, 3))
    before = rms_norm(np.maximum(x @ w1 + b1, 0.0), gamma, epsilon)
    after = rms_norm(np.maximum(x @ v1 + c1, 0.0), wide, smaller)
    assert np.abs(before - after[:, :old]).max() <= 1e-13 * max(1.0, np.abs(before).max())
    assert not after[:, old:].any()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_a_stretched_norm_keeps_its_dtype(dtype):
    """Parameters are rounded once, to the dtype that they had."""
    gamma, beta, epsilon = stretched_norm(
        Units.extended(3, 4, "mean"), np.ones(3, dtype), np.ones(3, dtype), epsilon=0.1
    )
    assert gamma.dtype == beta.dtype == dtype
    assert np.allclose(gamma, np.sqrt(0.75), rtol=float(np.finfo(dtype).eps))
    assert epsilon == pytest.approx(0.075)


def test_copies_are_no_stretch():
    """Copies of units leave a layer norm as it is, if all are copied equally often."""
    units = Units.replicate(2, 4, rng=np.random.default_rng(0), balanced=True)
    with pytest.raises(ValueError, match='expected extra units of "mean" or "zero", got copies'):
        stretched_norm(units, np.ones(2), epsilon=1e-3)
