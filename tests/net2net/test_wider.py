"""Widening keeps the function; random padding does not."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from growsearch.net2net import random_pad, verify_wider, wider
from growsearch.net2net.units import SHARES
from tests.strategies import (
    DTYPES,
    Array,
    Layers,
    channels_first,
    layers,
    seeds,
    splits,
    to_pytorch,
)

extra_units = st.integers(1, 12)
pairs = settings(max_examples=150)


def scale(pair: Layers) -> float:
    """The largest size of the outputs: weights are N(0, 1), tolerances are relative to this."""
    return 1.0 + float(np.abs(pair.w1).sum(dtype=float) * np.abs(pair.w2).sum(dtype=float))


@pairs
@given(layers(), extra_units, splits, seeds)
def test_widening_keeps_every_output(pair, extra, split, seed):
    """Any two layers, layout, dtype, split and width: max |Δ| <= 1e-13 of the weights' scale."""
    student = wider(*pair.teacher, pair.width + extra, rng=seed, split=split, layout=pair.layout)
    assert verify_wider(pair.teacher, student, layout=pair.layout) <= 1e-13 * scale(pair)


@pytest.mark.parametrize("layout", ["HWIO", "OIHW"])
@pytest.mark.parametrize("split", SHARES)
@pytest.mark.parametrize("kind", ["dense", "conv", "flatten"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_widening_keeps_every_output_of_an_ordinary_network(layout, split, kind, dtype):
    """Kernels not square, biases not zero, some unit with three copies and more: <= 1e-10."""
    rng = np.random.default_rng(7)
    size, after = ((3, 5), (5, 1)) if kind == "conv" else ((5, 3), ())
    w1 = rng.normal(size=((4, 6) if kind == "dense" else (*size, 4, 6)))
    w2 = rng.normal(size=((12 * 6, 5) if kind == "flatten" else (*after, 6, 5)))
    pair = Layers(w1.astype(dtype), rng.normal(size=6).astype(dtype), w2.astype(dtype), "HWIO")
    if layout == "OIHW":
        pair = pair.in_pytorch_layout()
    student = wider(*pair.teacher, 25, rng=0, split=split, layout=layout)
    assert verify_wider(pair.teacher, student, layout=layout) <= 1e-10
    units, copies = np.unique(student[1], return_counts=True)
    assert len(units) == 6
    assert copies.max() >= 3


def summed_over_units(w2: Array, width: int, layout: str) -> Array:
    """Sum the outgoing weights of all units, at each position of a flatten, in float64."""
    outputs, unit_axis = w2.shape[0 if layout == "OIHW" else -1], 1
    if w2.ndim == 4:
        unit_axis = 1 if layout == "OIHW" else 2
    elif layout == "OIHW":
        w2 = w2.reshape(outputs, width, -1)
    else:
        w2 = w2.reshape(-1, width, outputs)
    return w2.sum(axis=unit_axis, dtype=np.float64)


@pairs
@given(layers(), extra_units, splits, seeds)
def test_copies_are_copies_and_their_shares_sum_to_the_whole(pair, extra, split, seed):
    """Incoming weights and biases are copied bit by bit; outgoing ones sum exactly to the old.

    To 1e-15 of the weights' scale here; test_net2net_arrays sums in exact arithmetic.
    """
    old, new = pair.width, pair.width + extra
    v1, c1, v2 = wider(*pair.teacher, new, rng=seed, split=split, layout=pair.layout)
    out_axis = 0 if pair.layout == "OIHW" else -1
    before = np.moveaxis(pair.w1, out_axis, 0).reshape(old, -1)
    after = np.moveaxis(v1, out_axis, 0).reshape(new, -1)
    assert np.array_equal(after[:old], before)
    if pair.b1 is not None:
        before, after = np.c_[before, pair.b1], np.c_[after, c1]
    assert {row.tobytes() for row in after} == {row.tobytes() for row in before}

    whole, parts = (summed_over_units(w2, n, pair.layout) for w2, n in ((pair.w2, old), (v2, new)))
    assert np.max(np.abs(whole - parts)) <= 1e-15 * new * scale(pair)


@pairs
@given(layers(), extra_units, splits, seeds)
def test_dtypes_are_kept_shapes_grow_and_parents_stay_as_they_were(pair, extra, split, seed):
    """Results are new arrays in their parents' dtypes, wider along one axis; parents are intact."""
    parents = [None if a is None else a.copy() for a in pair.teacher]
    for a in pair.teacher:
        if a is not None:
            a.setflags(write=False)
    for student in (
        wider(*pair.teacher, pair.width + extra, rng=seed, split=split, layout=pair.layout),
        wider(*pair.teacher, pair.width + extra, rng=seed, noise=0.1, layout=pair.layout),
        random_pad(*pair.teacher, pair.width + extra, rng=seed, layout=pair.layout),
    ):
        for old, kept, new in zip(pair.teacher, parents, student, strict=True):
            if old is None:
                assert new is None
                continue
            assert np.array_equal(old, kept)
            assert new.dtype == old.dtype
            assert new.size * pair.width == old.size * (pair.width + extra)
            assert not np.shares_memory(old, new)


@pairs
@given(layers(layouts=("HWIO",)), extra_units, splits, seeds)
def test_pytorchs_layouts_are_tensorflows_transposed(pair, extra, split, seed):
    """Widening and transposing commute, bit by bit; across a flatten, channels come first."""
    new = pair.width + extra
    v1, c1, v2 = wider(*pair.teacher, new, rng=seed, split=split)
    torch = pair.in_pytorch_layout()
    t1, d1, t2 = wider(*torch.teacher, new, rng=seed, split=split, layout="OIHW")
    assert np.array_equal(t1, to_pytorch(v1))
    assert (c1 is None and d1 is None) or np.array_equal(c1, d1)
    flattened = v1.ndim == 4 and v2.ndim == 2
    assert np.array_equal(t2, to_pytorch(channels_first(v2, new) if flattened else v2))


@given(layers(), extra_units, seeds)
def test_a_layout_stands_for_its_family(pair, extra, seed):
    """Kernels of any rank obey "IO" as they obey "HWIO", and "OI" as they obey "OIHW"."""
    short = "OI" if pair.layout == "OIHW" else "IO"
    for widen in (wider, random_pad):
        one = widen(*pair.teacher, pair.width + extra, rng=seed, layout=pair.layout)
        two = widen(*pair.teacher, pair.width + extra, rng=seed, layout=short)
        for a, b in zip(one, two, strict=True):
            assert (a is None and b is None) or np.array_equal(a, b)


@given(layers(), extra_units, splits, seeds, st.sampled_from([0.0, 0.1]))
def test_one_seed_gives_one_result(pair, extra, split, seed, noise):
    """Calls with one seed, as an int or as a generator, agree bit by bit."""
    arguments = (*pair.teacher, pair.width + extra)
    options = {"layout": pair.layout}
    for widen, more in ((wider, {"split": split, "noise": noise}), (random_pad, {})):
        one, two, three = (
            widen(*arguments, rng=rng, **options, **more)
            for rng in (seed, seed, np.random.default_rng(seed))
        )
        for a, b, c in zip(one, two, three, strict=True):
            assert (a is None and b is None and c is None) or (
                a.tobytes() == b.tobytes() == c.tobytes()
            )


def ordinary(dtype=np.float64):
    """(3, 3, 2, 4), (4,), (6·4, 5): a convolution flattened into a dense layer."""
    rng = np.random.default_rng(1)
    shapes = (3, 3, 2, 4), (4,), (6 * 4, 5)
    return tuple(rng.normal(size=shape).astype(dtype) for shape in shapes)


def test_equal_shares_are_equal_and_random_shares_break_the_symmetry():
    """A unit copied once has equal halves with split="equal", and other parts with "random"."""
    teacher = np.ones((3, 1)), np.ones(1), np.ones((1, 5))
    assert np.all(wider(*teacher, 2, rng=0)[2] == 0.5)
    one, two = wider(*teacher, 2, rng=0, split="random")[2]
    assert np.all(one != two)


def test_two_seeds_copy_other_units():
    """Another seed draws other units."""
    one, two = (wider(*ordinary(), 12, rng=seed)[1] for seed in (0, 1))
    assert not np.array_equal(one, two)


def test_noise_breaks_exactness_and_only_noise_does():
    """noise>0 moves the outputs, by more the more noise there is; the old units stay."""
    teacher = ordinary()
    exact, little, much = (
        verify_wider(teacher, wider(*teacher, 9, rng=0, noise=noise)) for noise in (0, 1e-3, 0.1)
    )
    assert exact <= 1e-12
    assert 1e-4 < little < 0.1 * much
    noisy = wider(*teacher, 9, rng=0, noise=0.1)
    assert np.array_equal(noisy[0][..., :4], teacher[0])
    assert np.array_equal(noisy[1], wider(*teacher, 9, rng=0)[1])
    assert len(np.unique(noisy[0].reshape(-1, 9), axis=1).T) == 9


@pytest.mark.parametrize("layout", ["HWIO", "OIHW"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_random_padding_is_normal_and_moves_the_outputs(layout, dtype):
    """Old weights stay; new ones are N(0, 0.1²), new biases 0.1; the function changes.

    Mean and deviation to 5 standard errors, both for the incoming and the outgoing weights.
    """
    rng = np.random.default_rng(0)
    shapes = (3, 3, 8, 16), (16,), (6 * 16, 20)
    pair = Layers(*(rng.normal(size=shape).astype(dtype) for shape in shapes), "HWIO")
    if layout == "OIHW":
        pair = pair.in_pytorch_layout()
    v1, c1, v2 = random_pad(*pair.teacher, 48, rng=0, layout=layout)
    if layout == "OIHW":
        outgoing = v2.reshape(20, 48, 6)
        assert np.array_equal(v1[:16], pair.w1)
        assert np.array_equal(outgoing[:, :16].reshape(20, -1), pair.w2)
        new = v1[16:], outgoing[:, 16:]
    else:
        outgoing = v2.reshape(6, 48, 20)
        assert np.array_equal(v1[..., :16], pair.w1)
        assert np.array_equal(outgoing[:, :16].reshape(-1, 20), pair.w2)
        new = v1[..., 16:], outgoing[:, 16:]
    assert np.array_equal(c1, np.append(pair.b1, np.full(32, 0.1, dtype)))
    for drawn in (a.astype(np.float64) for a in new):
        assert abs(drawn.mean()) <= 5 * 0.1 / np.sqrt(drawn.size)
        assert abs(drawn.std() - 0.1) <= 5 * 0.1 / np.sqrt(2 * drawn.size)
    assert verify_wider(pair.teacher, (v1, c1, v2), layout=layout) > 0.1


def test_random_paddings_spread_and_bias_can_be_chosen():
    """The std and bias are what they are asked to be; std=0 pads with units that do nothing."""
    teacher = ordinary()
    v1, c1, _ = random_pad(*teacher, 2000, rng=0, std=3.0, bias=-2.0)
    assert abs(v1[..., 4:].std() - 3.0) <= 0.1
    assert np.all(c1[4:] == -2.0)
    assert verify_wider(teacher, random_pad(*teacher, 7, rng=0, std=0.0)) <= 1e-12


DENSE = np.ones((3, 4)), np.ones(4), np.ones((4, 5))
CONV = np.ones((3, 3, 2, 4)), np.ones(4), np.ones((3, 3, 4, 5))
FLATTEN = np.ones((3, 3, 2, 4)), np.ones(4), np.ones((8, 5))
WITH_NAN = np.array([[1.0, np.nan, 1.0, np.nan]] * 3)


@pytest.mark.parametrize("widen", [wider, random_pad])
@pytest.mark.parametrize(
    ("teacher", "change", "message"),
    [
        (DENSE, {"new_width": 4}, "new_width: expected more than the 4 units of w1, got 4"),
        (DENSE, {"new_width": 3}, "new_width: expected more than the 4 units of w1, got 3"),
        (DENSE, {"new_width": 6.0}, "new_width: expected a whole number, got 6.0"),
        (DENSE, {"new_width": True}, "new_width: expected a whole number, got True"),
        (DENSE, {"w2": np.ones((3, 5))}, "w2: expected 4 inputs as w1 has 4 units, got 3"),
        (DENSE, {"w2": np.ones((8, 5))}, "w2: expected 4 inputs as w1 has 4 units, got 8"),
        (CONV, {"w2": np.ones((3, 3, 8, 5))}, "w2: expected 4 inputs as w1 has 4 units, got 8"),
        (FLATTEN, {"w2": np.ones((9, 5))}, "w2: expected a multiple of 4 inputs .* got 9"),
        (
            DENSE,
            {"w2": CONV[2]},
            "w2: expected a dense kernel after the dense w1, got .*3, 3, 4, 5",
        ),
        (DENSE, {"b1": np.ones(5)}, r"b1: expected shape \(4,\) as w1 has 4 units, got \(5,\)"),
        (DENSE, {"b1": np.ones((1, 4))}, r"b1: expected shape \(4,\) .* got \(1, 4\)"),
        (DENSE, {"layout": "NHWC"}, "layout: expected one of HWIO, IO, OIHW, OI, got 'NHWC'"),
        (DENSE, {"layout": None}, "layout: expected one of HWIO, IO, OIHW, OI, got None"),
        (DENSE, {"w1": WITH_NAN}, "w1: expected finite values, got NaN or infinity at 6 places"),
        (DENSE, {"b1": DENSE[1] * np.nan}, "b1: expected finite values, got NaN .* 4 places"),
        (DENSE, {"w2": DENSE[2] * np.inf}, "w2: expected finite values, got NaN .* 20 places"),
        (DENSE, {"w1": np.ones((3, 4), int)}, "w1: expected floating-point .* got dtype int64"),
        (DENSE, {"w2": np.ones((4, 5), bool)}, "w2: expected floating-point .* got dtype bool"),
        (DENSE, {"w1": np.ones((2, 3, 4))}, r"w1: expected .*2 axes.*4 axes.* \(2, 3, 4\)"),
        (DENSE, {"w2": np.ones(4)}, r"w2: expected .*2 axes.*4 axes.* got shape \(4,\)"),
        (DENSE, {"w1": np.ones((3, 0))}, r"w1: expected at least one unit, got shape \(3, 0\)"),
        (FLATTEN, {"w2": np.ones((0, 5))}, "w2: expected a multiple of 4 inputs .* got 0"),
    ],
)
def test_what_cannot_be_widened_is_refused(widen, teacher, change, message):
    """A ValueError names the layer's role, what was expected and what came."""
    options = dict(zip(("w1", "b1", "w2"), teacher, strict=True)) | {"new_width": 6, "rng": 0}
    with pytest.raises(ValueError, match=message):
        widen(**(options | change))


@pytest.mark.parametrize("widen", [wider, random_pad])
def test_randomness_is_asked_for(widen):
    """A seed has no default: two calls are alike only by choice."""
    with pytest.raises(TypeError, match="rng"):
        widen(*DENSE, 6)


@pytest.mark.parametrize("std", [-0.1, float("nan"), float("inf")])
def test_a_pad_of_no_deviation_is_refused(std):
    """Named with what came."""
    with pytest.raises(ValueError, match="std: expected a finite number, 0 or more, got"):
        random_pad(*DENSE, 6, rng=0, std=std)


@pytest.mark.parametrize("bias", [-float("inf"), float("nan"), float("inf")])
def test_a_pad_of_no_finite_bias_is_refused(bias):
    """Named with what came."""
    with pytest.raises(ValueError, match="bias: expected a finite number, got"):
        random_pad(*DENSE, 6, rng=0, bias=bias)


@pairs
@given(layers(), extra_units, splits, seeds)
def test_noise_that_sums_to_zero_keeps_every_output(pair, extra, split, seed):
    """The sums of outgoing weights stay, to 1e-15 of their scale; incoming ones are copied."""
    old, new = pair.width, pair.width + extra
    options = {"rng": seed, "split": split, "layout": pair.layout}
    even = wider(*pair.teacher, new, **options)
    v1, _, v2 = wider(*pair.teacher, new, zero_sum=0.5, **options)
    assert np.array_equal(v1, even[0])
    whole, parts = (summed_over_units(w2, n, pair.layout) for w2, n in ((pair.w2, old), (v2, new)))
    assert np.max(np.abs(whole - parts)) <= 1e-15 * new * scale(pair)


@pairs
@given(layers(), extra_units, seeds)
def test_new_units_keep_every_output(pair, extra, seed):
    """Old weights stay bit by bit, new outgoing ones are 0: max |Δ| <= 1e-13 of the scale."""
    new = pair.width + extra
    v1, _, v2 = wider(*pair.teacher, new, rng=seed, split="new", layout=pair.layout)
    student = wider(*pair.teacher, new, rng=seed, split="new", layout=pair.layout)
    assert v1.dtype == pair.w1.dtype
    assert verify_wider(pair.teacher, student, layout=pair.layout) <= 1e-13 * scale(pair)
    axis = 0 if pair.layout == "OIHW" else -1
    old, drawn = np.split(v1, [pair.width], axis)
    assert np.array_equal(old, pair.w1)
    assert (drawn != 0.0).any()
    assert not np.isin(drawn, old).all()
    assert np.count_nonzero(v2) == np.count_nonzero(pair.w2)


@pytest.mark.parametrize("layout", ["IO", "OI"])
def test_new_units_are_as_long_as_the_old_ones(layout):
    """Of normal weights in front, of the old ones' mean square: to 5 standard errors."""
    w1, w2 = 3.0 * np.random.default_rng(0).normal(size=(200, 50)), np.ones((50, 2))
    teacher = (w1, None, w2) if layout == "IO" else (w1.T, None, w2.T)
    v1 = wider(*teacher, 250, rng=0, split="new", layout=layout)[0]
    drawn = (v1 if layout == "IO" else v1.T)[:, 50:]
    error = 1.0 / np.sqrt(2 * drawn.size)
    assert abs(np.sqrt(np.mean(drawn**2) / np.mean(w1**2)) - 1.0) <= 5 * error
    assert abs(drawn.mean()) <= 5 * 3.0 / np.sqrt(drawn.size)


def test_new_units_have_no_zero_sum_noise():
    """Nothing is copied: noise between copies has no place."""
    with pytest.raises(ValueError, match=r"zero_sum: expected 0 as split new makes no copies, got"):
        wider(*DENSE, 6, rng=0, split="new", zero_sum=0.5)


@pytest.mark.parametrize("noise", [-0.1, float("nan"), float("inf")])
def test_zero_sum_noise_that_is_no_deviation_is_refused(noise):
    with pytest.raises(ValueError, match="zero_sum: expected a finite number, 0 or more, got"):
        wider(*DENSE, 6, rng=0, zero_sum=noise)


@pytest.mark.parametrize("noise", [-0.1, float("nan"), float("inf")])
def test_noise_that_is_no_deviation_is_refused(noise):
    """Noise is a finite number, 0 or more."""
    with pytest.raises(ValueError, match="noise: expected a finite number, 0 or more, got"):
        wider(*DENSE, 6, rng=0, noise=noise)


def test_an_unknown_split_is_refused():
    """The error lists the splits there are."""
    with pytest.raises(ValueError, match="split: expected one of equal, random, new, got 'half'"):
        wider(*DENSE, 6, rng=0, split="half")


@pytest.mark.parametrize("dtype", DTYPES)
def test_finite_weights_are_accepted_however_large(dtype):
    """Weights whose sum overflows are finite all the same, and keep their sums exactly."""
    largest = np.finfo(dtype).max
    teacher = (np.full((3, 4), largest), np.full(4, -largest), np.full((4, 5), largest))
    _, _, v2 = wider(*teacher, 9, rng=0)
    assert np.all(np.isfinite(v2))


def test_strided_arrays_and_lists_are_arrays():
    """Values that numpy can view as floating-point arrays are accepted."""
    w1, b1, w2 = ordinary()
    expected = wider(w1, b1, w2, 7, rng=0)
    strided = np.repeat(w1, 2, axis=0)[::2], np.repeat(b1, 2)[::2], np.asfortranarray(w2)
    for student in (wider(*strided, 7, rng=0), wider(w1.tolist(), b1.tolist(), w2, 7, rng=0)):
        for one, two in zip(student, expected, strict=True):
            assert np.array_equal(one, two)


def test_a_layer_may_widen_again_and_again():
    """Ten widenings in a row keep every output: max |Δ| <= 1e-11."""
    pair = Layers(*ordinary(), "HWIO")
    student = pair
    for width in range(5, 35, 3):
        v1, c1, v2 = wider(*student.teacher, width, rng=width, split="random")
        student = replace(student, w1=v1, b1=c1, w2=v2)
    assert verify_wider(pair.teacher, student.teacher) <= 1e-11
