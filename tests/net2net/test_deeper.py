"""The identity layer keeps the function; a random layer does not."""

import numpy as np
import pytest
from hypothesis import given, settings

from growsearch.net2net import deeper, random_init, verify_deeper
from tests.strategies import DTYPES, layers, seeds, to_pytorch


@settings(max_examples=150)
@given(layers())
def test_deepening_keeps_every_output_exactly(pair):
    """Behind a ReLU layer of any kind, layout and dtype the identity layer changes no bit."""
    new = deeper(pair.w1, layout=pair.layout)
    assert verify_deeper((pair.w1, pair.b1), new, layout=pair.layout) == 0.0


@given(layers())
def test_the_identity_layer_has_the_layers_width_and_dtype(pair):
    """The new kernel is n to n in the same layout, size and dtype; its bias is n zeros."""
    kernel, bias = deeper(pair.w1, layout=pair.layout)
    n = pair.width
    assert kernel.dtype == bias.dtype == pair.w1.dtype
    assert np.array_equal(bias, np.zeros(n))
    spatial = pair.w1.shape[2:] if pair.layout == "OIHW" else pair.w1.shape[:-2]
    assert kernel.shape == ((n, n, *spatial) if pair.layout == "OIHW" else (*spatial, n, n))
    assert kernel.sum() == n
    assert np.count_nonzero(kernel) == n


@given(layers(layouts=("HWIO",)), seeds)
def test_pytorchs_layouts_are_tensorflows_transposed(pair, seed):
    """Deepening and transposing commute, for kernels of any size."""
    transposed = deeper(to_pytorch(pair.w1), layout="OIHW")[0]
    assert np.array_equal(transposed, to_pytorch(deeper(pair.w1)[0]))
    shape = random_init(to_pytorch(pair.w1), rng=seed, layout="OI")[0].shape
    assert shape == transposed.shape


def test_the_identity_stands_at_the_centre():
    """A 3x5 kernel's ones are at (1, 2), from each channel to itself."""
    kernel, _ = deeper(np.ones((3, 5, 2, 4)))
    assert np.array_equal(kernel[1, 2], np.eye(4))
    kernel[1, 2] = 0
    assert not kernel.any()


def test_the_parent_stays_as_it_was():
    """Neither function writes to the layer it follows."""
    w = np.random.default_rng(0).normal(size=(3, 3, 2, 4))
    before = w.copy()
    w.setflags(write=False)
    deeper(w)
    random_init(w, rng=0)
    assert np.array_equal(w, before)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_random_layer_is_normal_and_moves_the_outputs(dtype):
    """Weights are N(0, 0.1²), biases 0.1; mean and deviation to 5 standard errors."""
    w = np.random.default_rng(0).normal(size=(3, 5, 2, 64)).astype(dtype)
    kernel, bias = random_init(w, rng=0)
    assert kernel.dtype == bias.dtype == dtype
    assert np.array_equal(bias, np.full(64, 0.1, dtype))
    drawn = kernel.astype(np.float64)
    assert abs(drawn.mean()) <= 5 * 0.1 / np.sqrt(drawn.size)
    assert abs(drawn.std() - 0.1) <= 5 * 0.1 / np.sqrt(2 * drawn.size)
    small = w[..., :3]
    assert verify_deeper((small, None), random_init(small, rng=0)) > 0.1


def test_a_random_layers_spread_and_bias_can_be_chosen():
    """The std and bias are what they are asked to be."""
    kernel, bias = random_init(np.ones((3, 200)), rng=0, std=2.0, bias=-1.0)
    assert abs(kernel.std() - 2.0) <= 5 * 2.0 / np.sqrt(2 * kernel.size)
    assert np.all(bias == -1.0)


@given(layers(), seeds)
def test_one_seed_gives_one_random_layer(pair, seed):
    """Calls with one seed, as an int or as a generator, agree bit by bit."""
    one, two = (
        random_init(pair.w1, rng=rng, layout=pair.layout)
        for rng in (seed, np.random.default_rng(seed))
    )
    assert one[0].tobytes() == two[0].tobytes()
    assert one[1].tobytes() == two[1].tobytes()


@pytest.mark.parametrize("shape", [(2, 3, 2, 4), (3, 4, 2, 4), (2, 2, 2, 4)])
def test_an_even_kernel_is_refused(shape):
    """An even kernel has no centre: the error names the kernel's size."""
    message = f"w: expected an odd kernel, which has a centre, got {shape[0]}x{shape[1]}"
    with pytest.raises(ValueError, match=message):
        deeper(np.ones(shape))
    with pytest.raises(ValueError, match=message):
        deeper(to_pytorch(np.ones(shape)), layout="OIHW")


@pytest.mark.parametrize(
    ("w", "layout", "message"),
    [
        (np.ones((3, 4)), "HW", "layout: expected one of HWIO, IO, OIHW, OI, got 'HW'"),
        (np.ones((3, 3, 4)), "HWIO", r"w: expected .*2 axes.*4 axes.* got shape \(3, 3, 4\)"),
        (np.ones((3, 4), int), "HWIO", "w: expected floating-point values, got dtype int64"),
        (np.full((3, 4), np.nan), "HWIO", "w: expected finite values, got NaN .* 12 places"),
    ],
)
def test_what_is_no_kernel_is_refused(w, layout, message):
    """A ValueError names the role, what was expected and what came."""
    with pytest.raises(ValueError, match=message):
        deeper(w, layout=layout)
    with pytest.raises(ValueError, match=message):
        random_init(w, rng=0, layout=layout)


@pytest.mark.parametrize(
    "wrong", [{"std": -0.1}, {"std": float("nan")}, {"bias": float("nan")}, {"bias": -np.inf}]
)
def test_a_random_layer_of_no_finite_numbers_is_refused(wrong):
    """The argument is named, before its numbers are in a network."""
    with pytest.raises(ValueError, match=f"{next(iter(wrong))}: expected a finite number"):
        random_init(np.ones((2, 3)), rng=0, **wrong)
