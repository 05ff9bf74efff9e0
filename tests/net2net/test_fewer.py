"""The way back from Net2Wider on plain arrays: the old arrays, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from growsearch.net2net import Fewer, Units, narrower, split_axis, wider
from growsearch.net2net.arrays import copy_axis, split_axis_unevenly
from growsearch.net2net.fewer import keep_axis, kept_slot, merge_axis, merged_slot
from growsearch.net2net.slots import CARRIES, incoming_slot, old_slot, outgoing_slot
from growsearch.net2net.units import SHARES
from tests.strategies import any_weights, layers, seeds
from tests.strategies import units as some_units


@settings(max_examples=60)
@given(layers(), seeds, st.integers(1, 9), st.sampled_from(SHARES), st.booleans())
def test_narrowing_undoes_widening(teacher, seed, more, split, is_noisy):
    """Of any layers, layouts, dtypes and shares, with zero-sum noise or without: bit for bit."""
    units = Units.replicate(
        teacher.width, teacher.width + more, rng=np.random.default_rng(seed), split=split
    )
    noise = 0.5 if is_noisy and split != "new" else 0.0
    wide = wider(*teacher.teacher, units, rng=seed, zero_sum=noise, layout=teacher.layout)
    back = narrower(*wide, Fewer.undoing(units), layout=teacher.layout)
    for old, new in zip(teacher.teacher, back, strict=True):
        assert (old is None) == (new is None)
        if old is not None:
            assert old.dtype == new.dtype
            np.testing.assert_array_equal(old, new)


@settings(max_examples=60)
@given(st.data(), some_units())
def test_shares_of_any_weight_sum_to_it(data, units):
    """Split and merged, every finite weight is itself again, also behind a flatten."""
    array = data.draw(any_weights((2, units.old)))
    fewer = Fewer.undoing(units)
    np.testing.assert_array_equal(merge_axis(split_axis(array, units, 1), fewer, 1), array)
    np.testing.assert_array_equal(keep_axis(copy_axis(array, units, 1), fewer, 1), array)


def test_noise_that_sums_to_zero_is_gone():
    units = Units.replicate(3, 11, rng=np.random.default_rng(0), split="random")
    array = np.random.default_rng(1).normal(size=(3, 4)).astype(np.float16)
    noisy = split_axis_unevenly(array, units, 0, noise=1.0, rng=np.random.default_rng(2))
    np.testing.assert_array_equal(merge_axis(noisy, Fewer.undoing(units), 0), array)


@pytest.mark.parametrize("adaptive", [True, False])
@pytest.mark.parametrize("degree", [1, 2])
@pytest.mark.parametrize("treatment", CARRIES)
def test_slots_come_back(treatment, degree, adaptive):
    """Widened and narrowed by one treatment, a slot is the old one to 1e-12."""
    rng = np.random.default_rng(0)
    units = Units.replicate(3, 8, rng=rng, split="random")
    fewer = Fewer.undoing(units)
    slot = rng.normal(size=(5, 3, 2)) ** degree
    options = {"degree": degree, "treatment": treatment, "adaptive": adaptive}
    if treatment == "carry-old":
        front = behind = old_slot(slot, units, 1, degree=degree)
    else:
        front = incoming_slot(slot, units, 1, degree=degree)
        behind = outgoing_slot(slot, units, 1, **options)
    back = kept_slot(front, fewer, 1, degree=degree, treatment=treatment)
    np.testing.assert_allclose(back, slot, rtol=1e-12)
    np.testing.assert_allclose(merged_slot(behind, fewer, 1, **options), slot, rtol=1e-12)


def test_units_are_kept_merged_or_dropped():
    """The first of those that go into one is kept; incoming weights are its own."""
    fewer = Fewer(np.array([-1, 0, 1, 0, -1, 1]))
    assert (len(fewer), fewer.old) == (2, 6)
    assert fewer.kept.tolist() == [1, 2]
    assert fewer.merged.tolist() == [3, 5]
    assert fewer.parts.tolist() == [2, 2]
    array = np.arange(6.0)
    assert keep_axis(array, fewer, 0).tolist() == [1.0, 2.0]
    assert merge_axis(array, fewer, 0).tolist() == [4.0, 7.0]


@pytest.mark.parametrize("into", [[], [-1, -1], [0, 2], [1, 1], [[0]]])
def test_what_goes_nowhere_is_refused(into):
    """New units are numbered from 0, and there is one at least."""
    with pytest.raises(ValueError, match="into: expected new units 0, 1"):
        Fewer(np.array(into, dtype=int))


def test_arrays_that_do_not_fit_are_refused():
    fewer = Fewer(np.array([0, 0]))
    for function in (keep_axis, merge_axis):
        with pytest.raises(ValueError, match=r"axis 0 .*: expected 2 units, got 3"):
            function(np.ones((3, 1)), fewer, 0)
    with pytest.raises(ValueError, match="units"):
        narrower(np.ones((2, 3)), None, np.ones((3, 1)), fewer)
