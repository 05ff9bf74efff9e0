"""Slots at array level: what an optimizer knows after a widening is what it would have learnt."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from growsearch.net2net import Units, wider, wider_slots
from tests.strategies import layers, seeds, splits


@given(layers(), seeds, splits, st.integers(1, 6), st.sampled_from([1, 2]))
def test_slots_have_the_shapes_of_the_wider_weights(pair, seed, split, extra, degree):
    units = Units.replicate(
        pair.width, pair.width + extra, rng=np.random.default_rng(seed), split=split
    )
    weights = wider(*pair.teacher, units, rng=0, layout=pair.layout)
    slots = wider_slots(*pair.teacher, units, degree=degree, layout=pair.layout)
    for weight, slot in zip(weights, slots, strict=True):
        assert (weight is None) == (slot is None)
        if weight is not None:
            assert slot.shape == weight.shape
            assert slot.dtype == weight.dtype


@given(seeds, splits)
def test_carried_slots_are_the_gradients_of_the_wider_layers(seed, split):
    """Momentum of one step from zero is the gradient: carried, it is the student's gradient."""
    rng = np.random.default_rng(seed)
    w1, b1, w2 = rng.normal(size=(3, 4)), rng.normal(size=4), rng.normal(size=(4, 2))
    x, target = rng.normal(size=(6, 3)), rng.normal(size=(6, 2))

    def gradients(w1, b1, w2):
        before = x @ w1 + b1
        hidden = np.maximum(before, 0.0)
        error = hidden @ w2 - target
        back = (error @ w2.T) * (before > 0.0)
        return x.T @ back, back.sum(axis=0), hidden.T @ error

    units = Units.replicate(4, 9, rng=rng, split=split)
    student = gradients(*wider(w1, b1, w2, units, rng=0))
    teacher = gradients(w1, b1, w2)
    for degree in (1, 2):
        powers = [each**degree for each in teacher]
        carried = wider_slots(*powers, units, degree=degree)
        for slot, gradient in zip(carried, student, strict=True):
            np.testing.assert_allclose(slot, gradient**degree, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("adaptive", [True, False])
def test_rescaled_copies_move_their_sum_by_the_old_step(adaptive):
    """Adam's m / sqrt(v), and SGD's momentum: summed over a unit's copies, the old step."""
    m, v = np.array([[0.6], [0.2]]), np.array([[0.09], [0.04]])
    units = Units.replicate(2, 7, rng=np.random.default_rng(0))
    options = {"treatment": "carry-rescaled", "adaptive": adaptive}
    _, _, wide_m = wider_slots(np.zeros((1, 2)), None, m, units, degree=1, **options)
    _, _, wide_v = wider_slots(np.zeros((1, 2)), None, v, units, degree=2, **options)
    steps = wide_m / np.sqrt(wide_v) if adaptive else wide_m
    summed = np.bincount(units.source, weights=steps.ravel())
    np.testing.assert_allclose(summed, (m / np.sqrt(v) if adaptive else m).ravel())


@pytest.mark.parametrize("degree", [1, 2])
@given(layers(), seeds, splits, st.integers(1, 6))
def test_slots_of_old_units_stay_and_those_of_new_ones_have_no_direction(
    degree, pair, seed, split, extra
):
    """carry-old: old places bit by bit; new units are 0 in degree 1, their unit's in degree 2."""
    units = Units.replicate(
        pair.width, pair.width + extra, rng=np.random.default_rng(seed), split=split
    )
    options = {"degree": degree, "treatment": "carry-old", "layout": pair.layout}
    s1, t1, _ = wider_slots(*pair.teacher, units, **options)
    axis = 0 if pair.layout == "OIHW" else -1
    expected = np.take(pair.w1, units.source, axis=axis)
    if degree == 1:
        np.moveaxis(expected, axis, 0)[units.is_new] = 0.0
    assert np.array_equal(s1, expected)
    if t1 is not None:
        new = np.zeros(extra) if degree == 1 else pair.b1[units.source[pair.width :]]
        assert np.array_equal(t1, np.append(pair.b1, new).astype(t1.dtype))


@pytest.mark.parametrize(
    ("options", "message"),
    [({"degree": 3}, "degree"), ({"degree": 1, "treatment": "reset"}, "treatment")],
)
def test_other_degrees_and_treatments_are_refused(options, message):
    units = Units.replicate(1, 2, rng=np.random.default_rng(0))
    with pytest.raises(ValueError, match=message):
        wider_slots([[1.0]], None, [[1.0]], units, **options)


def test_units_of_another_layer_are_refused():
    units = Units.replicate(3, 5, rng=np.random.default_rng(0))
    with pytest.raises(ValueError, match="units of the 2 old ones"):
        wider(np.ones((1, 2)), None, np.ones((2, 1)), units, rng=0)
