"""Units: the laws of copies and shares."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from growsearch.net2net import Units, random_pad, wider
from tests.strategies import seeds, splits, units


@given(old=st.integers(1, 20), extra=st.integers(1, 40), seed=seeds, split=splits)
def test_old_units_keep_their_places_and_the_extra_ones_copy_them_in_order(old, extra, seed, split):
    """Old units stay where they are; behind them stand copies of old units, sorted."""
    made = Units.replicate(old, old + extra, rng=np.random.default_rng(seed), split=split)
    assert len(made) == old + extra
    assert np.array_equal(made.source[:old], np.arange(old))
    copied = made.source[old:]
    assert np.array_equal(copied, np.sort(copied))
    assert 0 <= copied.min() <= copied.max() < old


@given(units())
def test_shares_of_a_units_copies_sum_to_one(made):
    """The shares of one unit's copies sum to 1, to a rounding of 1e-14.

    Each is positive, or 0 where another copy has the whole share.
    """
    sums = np.bincount(made.source, weights=made.share, minlength=made.old)
    assert np.max(np.abs(sums - 1.0)) <= 1e-14
    assert np.all(made.share >= 0)
    whole = made.source[made.share == 1.0]
    assert np.isin(made.source[made.share == 0.0], whole).all()


def test_equal_shares_are_one_over_the_number_of_copies():
    """split="equal" gives each of k copies 1/k."""
    made = Units.replicate(3, 50, rng=np.random.default_rng(0))
    assert np.array_equal(made.share, 1.0 / made.copies)


def test_random_shares_differ():
    """split="random" breaks the symmetry: no two copies of one unit have the same share."""
    made = Units.replicate(3, 50, rng=np.random.default_rng(0), split="random")
    assert len(np.unique(made.share)) == 50


def test_new_units_have_no_share():
    """split="new" leaves each old unit its whole share, wherever the extra units come from."""
    made = Units.replicate(3, 50, rng=np.random.default_rng(0), split="new")
    assert np.array_equal(made.share, ~made.is_new)
    assert np.array_equal(made.source[:3], [0, 1, 2])


def test_which_unit_is_copied_is_drawn_uniformly():
    """Each old unit is copied equally often on average (5 standard errors)."""
    old, extra = 4, 40_000
    made = Units.replicate(old, old + extra, rng=np.random.default_rng(0))
    counts = np.bincount(made.source[old:], minlength=old)
    error = np.sqrt(extra * (1 / old) * (1 - 1 / old))
    assert np.max(np.abs(counts - extra / old)) <= 5 * error


@given(units())
def test_intervals_of_a_units_copies_lie_end_to_end(made):
    """The intervals of a unit's copies tile [0, 1], each as long as its share (to 1e-14)."""
    begin, end = made.intervals
    assert np.max(np.abs((end - begin) - made.share)) <= 1e-14
    for unit in range(made.old):
        mine = np.flatnonzero(made.source == unit)
        mine = mine[np.argsort(begin[mine], kind="stable")]
        assert begin[mine[0]] == 0.0
        assert end[mine[-1]] == 1.0
        assert np.array_equal(end[mine[:-1]], begin[mine[1:]])


def test_intervals_of_equal_copies_do_not_drift():
    """Intervals of shares 1/2 begin and end at exactly 1/2, however many units precede."""
    old = 100_001
    source = np.concatenate([np.arange(old), np.arange(old), np.arange(0, old, 2)])
    share = (1.0 / np.bincount(source))[source]
    begin, end = Units(source, share, old).intervals
    twice = np.flatnonzero(np.bincount(source) == 2)
    assert np.all(end[twice] == 0.5)
    assert np.all(begin[old + twice] == 0.5)


@given(units(), st.integers(1, 3), st.integers(1, 3))
def test_expanding_is_flattening(made, before, after):
    """Units expanded over a flattened axis index what units index before the flatten."""
    unflattened = np.arange(before * made.old * after).reshape(before, made.old, after)
    expanded = made.expand(before=before, after=after)
    assert np.array_equal(expanded.source, unflattened[:, made.source].ravel())
    shares = np.broadcast_to(made.share[None, :, None], (before, len(made), after))
    assert np.array_equal(expanded.share, shares.ravel())
    assert expanded.old == unflattened.size


@given(units(), st.integers(2, 4))
def test_one_block_of_tiled_units_is_the_units(made, groups):
    """``block`` undoes ``tile``, and finds no block where the blocks differ."""
    tiled = made.tile(groups)
    assert tiled.block(groups) == made
    share = tiled.share.copy()
    share[0] += 0.5
    assert Units(tiled.source.copy(), share, tiled.old).block(groups) is None


@given(units(), units())
def test_concatenation_keeps_parts_apart(one, two):
    """Units of a concatenation copy from their own part only."""
    joined = Units.concatenate([one, two])
    old = np.arange(one.old + two.old)
    parts = [old[: one.old][one.source], old[one.old :][two.source]]
    assert np.array_equal(joined.source, np.concatenate(parts))
    assert joined.old == one.old + two.old


@given(units())
def test_one_copy_of_each_unit_is_not_new(made):
    """Exactly one copy of each old unit is not new: the first."""
    assert sorted(made.source[~made.is_new]) == list(range(made.old))
    for j in np.flatnonzero(made.is_new):
        assert made.source[j] in made.source[:j]


def test_balanced_units_are_copied_equally_often():
    """balanced=True copies every unit equally often, with equal shares if the split is equal."""
    made = Units.replicate(3, 12, rng=np.random.default_rng(0), balanced=True)
    assert made.is_balanced
    assert np.all(made.copies == 4)
    assert not Units.replicate(3, 5, rng=np.random.default_rng(0)).is_balanced


def test_units_are_equal_by_value_and_cannot_be_changed():
    """Units are values: equal if their arrays are, read-only, not hashable."""
    one, two = Units.unchanged(3), Units.unchanged(3)
    assert one == two
    assert one != Units.unchanged(4)
    assert one != "units"
    with pytest.raises(ValueError, match="read-only"):
        one.source[0] = 1
    with pytest.raises(TypeError, match="unhashable"):
        hash(one)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"new": 3}, "expected more than 3 units, got 3"),
        ({"new": 2}, "expected more than 3 units, got 2"),
        ({"new": 7, "balanced": True}, "every unit is to be copied equally often: 3 -> 7"),
        ({"split": "half"}, "split: expected one of equal, random, new, got 'half'"),
    ],
)
def test_what_cannot_be_replicated_is_refused(change, message):
    """A width that does not grow, cannot be balanced, or an unknown split: a ValueError says so."""
    arguments = {"old": 3, "new": 6, "rng": np.random.default_rng(0)} | change
    with pytest.raises(ValueError, match=message):
        Units.replicate(arguments.pop("old"), arguments.pop("new"), **arguments)


@pytest.mark.parametrize(
    ("source", "share", "message"),
    [
        ([0, 1, 2], [1.0, 1.0, 1.0], "each of the 2 old units as a source, none else"),
        ([0, 0], [0.5, 0.5], "each of the 2 old units as a source, none else"),
        ([0, -1], [1.0, 1.0], "each of the 2 old units as a source, none else"),
        ([0, 1, 1], [1.0, 1.0, 1.0], "shares that sum to 1 for each old unit, got sums from 1 to"),
        ([0, 1, 1], [1.0, 1.0], "one share a source"),
        ([0.0, 1.0, 1.0], [1.0, 0.5, 0.5], "whole sources, got float64"),
    ],
)
def test_units_that_are_no_copies_are_refused(source, share, message):
    """Units made by hand are checked: these would wrap around, or change the outputs."""
    units = Units(np.array(source), np.array(share), 2)
    with pytest.raises(ValueError, match=f"^units: expected {message}"):
        wider(np.eye(2), np.zeros(2), np.eye(2), units, rng=0)


def test_random_units_are_no_copies():
    """The baseline draws new units: it takes their number."""
    with pytest.raises(ValueError, match=r"^new_width: expected a whole number, got units"):
        random_pad(np.eye(2), np.zeros(2), np.eye(2), Units.unchanged(2), rng=0)


def test_units_leave_the_callers_arrays_writable():
    """They look at them read-only."""
    source, share = np.array([0, 1, 1]), np.array([1.0, 0.5, 0.5])
    made = Units(source, share, 2)
    assert source.flags.writeable
    assert share.flags.writeable
    assert not made.source.flags.writeable
    assert not made.share.flags.writeable


def made(units, x):
    """The new units' values, as their kind promises them."""
    value = {"mean": x.mean(), "zero": 0.0}
    return np.append(x, np.full(len(units) - units.old, value[units.extra]))


@given(seeds, st.integers(1, 5), st.integers(1, 4), st.sampled_from(["mean", "zero"]))
def test_extra_units_keep_their_promise_or_lose_it(seed, old, extra, kind):
    """Behind a flatten or a concatenation they are what they are called, or are called copies."""
    x, other = (np.random.default_rng(seed).normal(size=(2, old)) for _ in range(2))
    units = Units.extended(old, old + extra, kind)
    units.check()
    wide = [made(units, row) for row in x]
    cases = {
        "flatten": (units.expand(before=2), np.concatenate(wide), x.ravel()),
        "features": (units.expand(after=2), np.stack(wide, 1).ravel(), x.T.ravel()),
        "beside": (
            Units.concatenate([units, Units.unchanged(old)]),
            np.concatenate([wide[0], other[0]]),
            np.concatenate([x[0], other[0]]),
        ),
        "itself": (units.tile(1), wide[0], x[0]),
    }
    for name, (found, values, before) in cases.items():
        assert (found.extra == "copies") == (kind == "mean" and name != "itself")
        if found.extra != "copies":
            promised = {"mean": before.mean(), "zero": 0.0}[found.extra]
            assert np.allclose(values[found.is_new], promised)
    assert units != units.with_extra("copies")
    assert units.with_extra(kind) is units


@given(st.integers(1, 4), st.integers(1, 4), st.lists(st.integers(0, 3), max_size=4))
def test_blocks_that_repeat_are_found(size, blocks, copied):
    """Whole blocks of units behind the old ones; one unit in another order is no block."""
    sources = [np.arange(block * size, (block + 1) * size) for block in range(blocks)]
    source = np.concatenate([*sources, *(sources[block % blocks] for block in copied)])
    units = Units(source, np.ones(len(source)), size * blocks)
    assert units.repeats_blocks(size)
    if size > 1 and copied:
        swapped = source.copy()
        swapped[-2:] = swapped[-2:][::-1]
        assert not Units(swapped, units.share, units.old).repeats_blocks(size)
    assert not Units.extended(size, 2 * size, "zero").repeats_blocks(size)
