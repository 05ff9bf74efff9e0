"""One axis of one array through Units: copies are copies, shares sum to the whole."""

import multiprocessing
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from growsearch.net2net import Units
from growsearch.net2net.arrays import (
    add_noise,
    copy_axis,
    normal,
    redrawn,
    split_axis,
    split_axis_unevenly,
)
from tests.strategies import DTYPES, any_weights, dtypes, seeds, units

AXES = (0, 1, 2, -1)


@st.composite
def arrays_with_units(draw):
    """An array of 1 to 3 axes, and units for one of its axes."""
    made = draw(units())
    shape = [draw(st.integers(1, 3)) for _ in range(draw(st.integers(0, 2)))]
    axis = draw(st.integers(0, len(shape)))
    shape.insert(axis, made.old)
    return draw(any_weights(tuple(shape))), made, axis


def exactly(array):
    """The values of an array as fractions, which no sum rounds."""
    return np.vectorize(lambda value: Fraction(float(value)), otypes=[object])(array)


@given(arrays_with_units())
def test_copies_are_bitwise_equal(case):
    """Slice j of the result is slice source[j] of the array, bit by bit, in the same dtype."""
    array, made, axis = case
    copied = copy_axis(array, made, axis)
    assert copied.dtype == array.dtype
    assert copied.tobytes() == np.take(array, made.source, axis=axis).tobytes()


@settings(max_examples=300)
@given(arrays_with_units())
def test_shares_of_any_weight_sum_to_it_exactly(case):
    """In exact arithmetic, the copies of any finite weight sum to it, whatever their shares."""
    array, made, axis = case
    parts = split_axis(array, made, axis)
    assert parts.dtype == array.dtype
    parts, whole = np.moveaxis(parts, axis, 0), np.moveaxis(array, axis, 0)
    sums = np.zeros(whole.shape, dtype=object)
    np.add.at(sums, made.source, exactly(parts))
    assert np.array_equal(sums, exactly(whole))


@settings(max_examples=300)
@given(arrays_with_units(), st.sampled_from([1e-3, 0.5, 1e3]), seeds)
def test_noise_between_copies_sums_to_zero_exactly(case, noise, seed):
    """In exact arithmetic, the noisy copies of any finite weight sum to it; none is larger."""
    array, made, axis = case
    rng = np.random.default_rng(seed)
    parts = split_axis_unevenly(array, made, axis, noise=noise, rng=rng)
    assert parts.dtype == array.dtype
    assert (np.abs(parts) <= np.abs(np.take(array, made.source, axis=axis))).all()
    parts, whole = np.moveaxis(parts, axis, 0), np.moveaxis(array, axis, 0)
    sums = np.zeros(whole.shape, dtype=object)
    np.add.at(sums, made.source, exactly(parts))
    assert np.array_equal(sums, exactly(whole))


@pytest.mark.parametrize("dtype", DTYPES)
def test_noise_between_copies_turns_them_apart(dtype):
    """Each pair of copies moves by about the deviation asked for, where weights leave it room.

    Copies are no multiples of one another any more: their gradients have other directions.
    """
    rng = np.random.default_rng(0)
    array = (3.0 + rng.normal(size=(4, 2000))).astype(dtype)
    made = Units.replicate(4, 8, rng=rng, balanced=True)
    even, uneven = (
        split_axis(array, made, 0).astype(float),
        split_axis_unevenly(array, made, 0, noise=0.1, rng=rng).astype(float),
    )
    assert 0.09 < (uneven - even).std() / array.astype(float).std() < 0.11
    assert np.corrcoef(uneven[0], uneven[4])[0, 1] < 0.99
    assert np.corrcoef(even[0], even[4])[0, 1] > 0.999


@given(arrays_with_units())
def test_each_copy_has_its_share_and_no_copy_flips_sign(case):
    """A copy is its share of the weight, to 3 spacings of the weight, never of another sign."""
    array, made, axis = case
    parts = np.moveaxis(split_axis(array, made, axis), axis, 0).astype(np.longdouble)
    whole = np.moveaxis(array, axis, 0)[made.source].astype(np.longdouble)
    trailing = (slice(None), *(None,) * (array.ndim - 1))
    error = np.abs(parts - made.share[trailing] * whole)
    # At both ends c of an interval, c*w and w - c*w round; k shares sum to 1 to k roundings.
    info = np.finfo(array.dtype)
    spacing = np.maximum(info.eps * np.abs(whole), info.smallest_subnormal)
    assert np.all(error <= 3 * spacing + made.copies[trailing] * 2.0**-53 * np.abs(whole))
    assert np.all(parts * np.sign(whole) >= 0)


@pytest.mark.parametrize("dtype", DTYPES)
def test_two_equal_copies_are_equal_halves(dtype):
    """Of two equal copies each is w/2, bit by bit."""
    array = np.random.default_rng(0).normal(size=(5, 7)).astype(dtype)
    made = Units.replicate(7, 14, rng=np.random.default_rng(0), balanced=True)
    assert np.array_equal(split_axis(array, made, 1), np.tile(array / dtype(2), 2))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("sign", [1, -1])
def test_weights_at_the_ends_of_the_range_split_exactly(dtype, sign):
    """The largest and the smallest number split without overflow or loss, into 2 to 6 copies."""
    info = np.finfo(dtype)
    ends = sign * np.array([info.max, info.tiny, info.smallest_subnormal, 0.0], dtype)
    ends = np.append(ends, np.nextafter(sign * info.tiny, np.array(0, dtype)))
    for copies in range(2, 7):
        made = Units.unchanged(5).expand()
        made = Units(np.tile(made.source, copies), np.full(5 * copies, 1 / copies), 5)
        parts = split_axis(ends, made, 0)
        assert np.all(np.isfinite(parts))
        assert np.array_equal(exactly(parts).reshape(copies, 5).sum(axis=0), exactly(ends))


@pytest.mark.parametrize("split", ["equal", "random"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_thousands_of_copies_of_one_unit_sum_exactly(dtype, split):
    """The sum stays exact where a share is less than a rounding of the weight."""
    array = np.random.default_rng(0).normal(size=(2, 3)).astype(dtype)
    made = Units.replicate(2, 5_000, rng=np.random.default_rng(0), split=split)
    parts = exactly(split_axis(array, made, 0))
    for unit in range(2):
        assert np.array_equal(parts[made.source == unit].sum(axis=0), exactly(array[unit]))


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("shape", [(3, 4, 300_000), (300_000, 4, 3), (3, 100_000, 4), (700,) * 3])
def test_large_arrays_are_treated_like_small_ones(axis, shape):
    """Blocks and threads change nothing: large arrays are copied and split slice by slice."""
    if shape == (700,) * 3:
        shape = (70, 120, 130)
    array = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    old = shape[axis]
    made = Units.replicate(old, old + old // 2 + 1, rng=np.random.default_rng(1), split="random")
    whole = np.take(array, made.source, axis=axis)
    assert np.array_equal(copy_axis(array, made, axis), whole)
    trailing = (slice(None), *(None,) * (2 - axis))
    scaled = whole * made.share.astype(np.float32)[trailing]
    assert np.array_equal(copy_axis(array, made, axis, made.share), scaled)
    begin, end = (c.astype(np.float32) for c in made.intervals)
    expected = (whole - whole * begin[trailing]) - (whole - whole * end[trailing])
    assert np.array_equal(split_axis(array, made, axis), expected)


FORKED = """
import multiprocessing
import numpy as np
from growsearch.net2net import Units
from growsearch.net2net.arrays import copy_axis

array = np.ones((1024, 1024), np.float32)
units = Units.replicate(1024, 2048, rng=np.random.default_rng(0))

def copy(_):
    return copy_axis(array, units, 1).sum()

parent = copy(0)
with multiprocessing.get_context("fork").Pool(1) as pool:
    assert pool.map_async(copy, [0]).get(timeout=60) == [parent]
"""


@pytest.mark.skipif(
    "fork" not in multiprocessing.get_all_start_methods(), reason="this system does not fork"
)
def test_a_forked_process_copies_large_arrays_too():
    """A process forked from one that has used threads does not wait for threads it lacks."""
    command = [sys.executable, "-W", "ignore", "-c", FORKED]
    subprocess.run(command, check=True, timeout=120)


@given(arrays_with_units())
def test_parents_are_left_as_they_were(case):
    """No operation changes its array or returns a view of it; read-only and strided arrays do."""
    array, made, axis = case
    wide = np.repeat(array, 2, axis=axis)
    strided = np.moveaxis(np.moveaxis(wide, axis, 0)[::2], 0, axis)
    strided.setflags(write=False)
    for operation in (copy_axis, split_axis):
        result = operation(strided, made, axis)
        assert not np.shares_memory(result, wide)
        assert np.array_equal(result, operation(array, made, axis))
    assert np.array_equal(strided, array)


@pytest.mark.parametrize("operation", [copy_axis, split_axis])
@pytest.mark.parametrize("axis", AXES)
def test_an_axis_that_does_not_fit_is_refused(operation, axis):
    """An error names the axis, the shape, the units expected and got."""
    message = rf"axis {axis} of an array of shape \(4, 4, 4\): expected 3 units, got 4"
    with pytest.raises(ValueError, match=message):
        operation(np.ones((4, 4, 4)), Units.unchanged(3), axis)


@pytest.mark.parametrize("operation", [copy_axis, split_axis])
def test_an_empty_array_stays_empty(operation):
    """Its units are copied all the same."""
    made = Units.replicate(3, 5, rng=np.random.default_rng(0))
    assert operation(np.empty((0, 3)), made, 1).shape == (0, 5)
    assert operation(np.empty((3, 0)), made, 0).shape == (5, 0)


@pytest.mark.parametrize("operation", [copy_axis, split_axis])
def test_an_axis_may_be_counted_from_the_end(operation):
    """axis=-1 is the last axis, axis=-2 the one before."""
    array = np.random.default_rng(0).normal(size=(3, 3, 3))
    made = Units.replicate(3, 5, rng=np.random.default_rng(0))
    for axis in range(3):
        assert np.array_equal(operation(array, made, axis), operation(array, made, axis - 3))


@given(arrays_with_units(), seeds)
def test_no_noise_is_no_change(case, seed):
    """noise=0 leaves every bit."""
    array, made, axis = case
    copied = copy_axis(array, made, axis)
    rng = np.random.default_rng(seed)
    assert add_noise(copied, made, axis, noise=0.0, rng=rng).tobytes() == copied.tobytes()


@given(dtypes, st.integers(0, 1), seeds)
def test_noise_changes_new_copies_only(dtype, axis, seed):
    """noise>0 changes every new copy and no other unit, and not the array it is given."""
    rng = np.random.default_rng(seed)
    made = Units.replicate(6, 15, rng=rng)
    shape = (6, 20) if axis == 0 else (20, 6)
    copied = copy_axis(rng.normal(size=shape).astype(dtype), made, axis)
    before = copied.copy()
    noisy = add_noise(copied, made, axis, noise=0.5, rng=rng)
    assert noisy.dtype == dtype
    assert np.array_equal(copied, before)
    changed = (noisy != copied).any(axis=1 - axis)
    assert np.array_equal(changed, made.is_new)


def test_noise_is_relative_to_the_weights_standard_deviation():
    """The noise's standard deviation is ``noise`` times that of the array, to 5 standard errors."""
    rng = np.random.default_rng(0)
    made = Units.replicate(100, 300, rng=rng)
    copied = copy_axis(7.0 * rng.normal(size=(500, 100)), made, 1)
    noise = (add_noise(copied, made, 1, noise=0.01, rng=rng) - copied)[:, made.is_new]
    relative = noise.std() / copied.std()
    assert abs(relative - 0.01) <= 0.01 * 5 / np.sqrt(2 * noise.size)


@given(dtypes, st.integers(0, 1), seeds)
def test_redrawn_units_are_new_ones_only(dtype, axis, seed):
    """Old units stay bit by bit, each new one changes; the array given stays as it is."""
    rng = np.random.default_rng(seed)
    made = Units.replicate(6, 15, rng=rng, split="new")
    shape = (6, 20) if axis == 0 else (20, 6)
    copied = copy_axis(rng.normal(size=shape).astype(dtype), made, axis)
    before = copied.copy()
    drawn = redrawn(copied, made, axis, rng=rng)
    assert drawn.dtype == dtype
    assert drawn.flags.c_contiguous
    assert np.array_equal(copied, before)
    assert np.array_equal((drawn != copied).any(axis=1 - axis), made.is_new)


def test_redrawn_units_have_the_mean_square_of_the_old_ones():
    """To 5 standard errors; of zeros they are zeros, of no inputs they are empty."""
    rng = np.random.default_rng(0)
    made = Units.replicate(100, 300, rng=rng, split="new")
    copied = copy_axis(2.0 + 7.0 * rng.normal(size=(500, 100)), made, 1)
    drawn = redrawn(copied, made, 1, rng=rng)
    new, old = drawn[:, made.is_new], drawn[:, ~made.is_new]
    relative = np.sqrt(np.mean(new**2) / np.mean(old**2))
    assert abs(relative - 1.0) <= 5 / np.sqrt(2 * new.size)
    assert np.array_equal(redrawn(0.0 * copied, made, 1, rng=rng), 0.0 * copied)
    assert redrawn(copied[:0], made, 1, rng=rng).shape == (0, 300)


@pytest.mark.parametrize("dtype", DTYPES)
def test_new_weights_are_normal(dtype):
    """New weights are N(0, std²) in the dtype asked for: both moments to 5 standard errors."""
    drawn = normal((200, 500), np.dtype(dtype), std=0.1, rng=np.random.default_rng(0))
    assert drawn.dtype == dtype
    drawn = drawn.astype(np.float64)
    assert abs(drawn.mean()) <= 5 * 0.1 / np.sqrt(drawn.size)
    assert abs(drawn.std() - 0.1) <= 5 * 0.1 / np.sqrt(2 * drawn.size)


def test_a_unit_without_a_share_has_no_noise():
    """It need not be a copy of its source, as behind a norm that was extended."""
    rng = np.random.default_rng(0)
    array = rng.standard_normal((3, 4)).astype(np.float32)
    units = Units(np.array([0, 1, 2, 0, 1, 0]), np.array([0.5, 1.0, 1.0, 0.0, 0.0, 0.5]), 3)
    parts = split_axis_unevenly(array, units, 0, noise=0.5, rng=rng)
    assert not parts[3:5].any()
    assert np.array_equal(parts[1:3], array[1:])
    assert np.array_equal(parts[0] + parts[5], array[0])
