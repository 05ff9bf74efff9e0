"""Kernels at array level: framed by zeros, and depthwise ones widened, judged by scipy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import correlate2d

from growsearch.net2net import Units, enlarge_kernel, split_axis, wider, wider_depthwise
from tests.strategies import seeds, splits


def depthwise(x, w):
    """Same padding; (h, w, c) images, (kh, kw, c, m) kernels: channels c·m + i."""
    planes = [
        correlate2d(x[..., c], w[..., c, m], mode="same")
        for c in range(w.shape[2])
        for m in range(w.shape[3])
    ]
    return np.stack(planes, axis=-1)


def conv(x, w):
    return sum(
        np.stack([correlate2d(x[..., c], w[..., c, o], mode="same") for o in range(w.shape[3])], -1)
        for c in range(w.shape[2])
    )


@given(seeds, st.sampled_from([(3, 3), (1, 5)]), st.sampled_from([(2, 2), (0, 2), (4, 0)]))
def test_a_framed_kernel_computes_the_same(seed, old, more):
    rng = np.random.default_rng(seed)
    w, x = rng.normal(size=(*old, 2, 3)), rng.normal(size=(7, 6, 2))
    size = (old[0] + more[0], old[1] + more[1])
    np.testing.assert_allclose(conv(x, enlarge_kernel(w, size)), conv(x, w), atol=1e-12)


def test_pytorchs_layout_is_tensorflows_transposed():
    w = np.random.default_rng(0).normal(size=(3, 1, 2, 4)).astype(np.float32)
    theirs = enlarge_kernel(w.transpose(3, 2, 0, 1), (5, 3), layout="OIHW")
    np.testing.assert_array_equal(theirs.transpose(2, 3, 1, 0), enlarge_kernel(w, (5, 3)))
    assert theirs.dtype == np.float32


def test_an_even_kernel_needs_a_place():
    """2x2 in 3x3 has no centre; with an offset it stands where it is told."""
    w = np.ones((2, 2, 1, 1))
    with pytest.raises(ValueError, match="offset"):
        enlarge_kernel(w, (3, 3))
    framed = enlarge_kernel(w, (3, 3), offset=(1, 0))[..., 0, 0]
    np.testing.assert_array_equal(framed, [[0, 0, 0], [1, 1, 0], [1, 1, 0]])


def test_a_frame_of_other_values_is_left_as_it_was():
    frame = np.full((3, 3, 1, 1), 7.0)
    framed = enlarge_kernel(np.ones((1, 1, 1, 1)), (3, 3), frame=frame)
    assert framed[1, 1, 0, 0] == 1.0
    assert framed.sum() == 8 * 7.0 + 1.0
    assert frame[1, 1, 0, 0] == 7.0


@pytest.mark.parametrize(
    ("size", "options", "message"),
    [
        ((3, 3), {}, "larger"),
        ((1, 5), {}, "larger"),
        ((5, 5), {"offset": (3, 0)}, "offset"),
        ((5, 5), {"frame": np.zeros((5, 5, 1, 2))}, "frame"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(size, options, message):
    with pytest.raises(ValueError, match=message):
        enlarge_kernel(np.ones((3, 3, 1, 1)), size, **options)


def test_a_dense_kernel_has_no_size():
    with pytest.raises(ValueError, match="convolution"):
        enlarge_kernel(np.ones((3, 3)), (5, 5))


@given(seeds, splits, st.integers(1, 3))
def test_a_block_with_a_depthwise_convolution_widens(seed, split, multiplier):
    """Convolution, depthwise convolution, ReLU, pointwise convolution: the outputs stay."""
    rng = np.random.default_rng(seed)
    w1, wd = rng.normal(size=(3, 3, 2, 3)), rng.normal(size=(3, 3, 3, multiplier))
    bd, w2 = rng.normal(size=3 * multiplier), rng.normal(size=(1, 1, 3 * multiplier, 2))
    units = Units.replicate(3, 7, rng=rng, split=split)
    v1, _, _ = wider(w1, None, np.zeros((1, 1, 3, 1)), units, rng=0)
    vd, cd, behind = wider_depthwise(units, wd, bd)
    v2 = split_axis(w2, behind, 2)
    x = rng.normal(size=(6, 5, 2))
    before = conv(np.maximum(depthwise(conv(x, w1), wd) + bd, 0.0), w2)
    after = conv(np.maximum(depthwise(conv(x, v1), vd) + cd, 0.0), v2)
    assert np.abs(before - after).max() <= 1e-12 * np.abs(before).max()


def test_a_depthwise_kernel_of_pytorch_is_tensorflows_reordered():
    """(c·m, 1, kh, kw): the multiplier is the faster one."""
    rng = np.random.default_rng(0)
    w = rng.normal(size=(3, 2, 4, 2))
    units = Units.replicate(4, 6, rng=rng)
    ours, _, behind = wider_depthwise(units, w)
    theirs, _, same = wider_depthwise(
        units, w.reshape(3, 2, 8, 1).transpose(2, 3, 0, 1), layout="OIHW"
    )
    np.testing.assert_array_equal(theirs.transpose(2, 3, 0, 1).reshape(3, 2, 6, 2), ours)
    assert behind == same
    assert len(behind) == 12


@pytest.mark.parametrize(
    ("shape", "layout"), [((3, 3, 5, 1), "HWIO"), ((8, 2, 3, 3), "OIHW"), ((3, 3), "HWIO")]
)
def test_a_kernel_of_other_channels_is_refused(shape, layout):
    units = Units.replicate(4, 6, rng=np.random.default_rng(0))
    with pytest.raises(ValueError, match="depthwise"):
        wider_depthwise(units, np.ones(shape), layout=layout)
