"""The checks can fail: each broken student here is detected."""

import numpy as np
import pytest

from growsearch.net2net import deeper, verify_deeper, verify_wider, wider
from tests.strategies import Layers, channels_first

OLD, NEW = 6, 9


def pair_of(kind: str, layout: str) -> Layers:
    """Two layers of 6 units with biases, kernels not square."""
    rng = np.random.default_rng(3)
    w1 = rng.normal(size=((4, OLD) if kind == "dense" else (3, 5, 2, OLD)))
    w2 = rng.normal(size={"dense": (OLD, 5), "conv": (5, 3, OLD, 5), "flatten": (6 * OLD, 5)}[kind])
    pair = Layers(w1, rng.normal(size=OLD), w2, "HWIO")
    return pair if layout == "HWIO" else pair.in_pytorch_layout()


everywhere = pytest.mark.parametrize(
    ("kind", "layout"),
    [(kind, layout) for kind in ("dense", "conv", "flatten") for layout in ("HWIO", "OIHW")],
)


def incoming(w1, layout):
    """View with the units first."""
    return np.moveaxis(w1, 0 if layout == "OIHW" else -1, 0)


def outgoing(w2, layout, units=NEW):
    """View (units, …) of a consumer's kernel, at the first position across a flatten."""
    view = np.moveaxis(w2, 1 if layout == "OIHW" else -2, 0)
    return view[:: len(view) // units] if layout == "OIHW" else view[:units]


def swap_two_units_of_w1(w1, _b1, _w2, layout):
    view = incoming(w1, layout)
    view[[0, 1]] = view[[1, 0]]


def swap_two_units_of_w2(_w1, _b1, w2, layout):
    view = outgoing(w2, layout)
    view[[0, 1]] = view[[1, 0]]


def swap_two_biases(_w1, b1, _w2, _layout):
    b1[[0, 1]] = b1[[1, 0]]


def share_off_by_one_in_a_thousand(_w1, _b1, w2, layout):
    outgoing(w2, layout)[0] *= 1.001


def errors_that_cancel_in_a_sum(_w1, _b1, w2, layout):
    view = np.moveaxis(outgoing(w2, layout)[0], 0 if layout == "OIHW" else -1, 0)
    view[0] += 0.001
    view[1] -= 0.001


def copy_of_another_unit(w1, b1, _w2, layout):
    view = incoming(w1, layout)
    other = next(unit for unit in range(OLD) if b1[unit] != b1[-1])
    view[-1] = view[other]


def bias_not_copied(_w1, b1, _w2, _layout):
    b1[-1] = 0.0


def outgoing_weights_not_shared(_w1, _b1, w2, layout):
    outgoing(w2, layout)[-1] *= 2.0


def kernel_flipped(w1, _b1, _w2, _layout):
    w1[:] = np.flip(w1)


@everywhere
@pytest.mark.parametrize("split", ["equal", "random"])
def test_an_intact_student_passes(kind, layout, split):
    """A student of ``wider`` is within 1e-12: the broken students below start from it."""
    pair = pair_of(kind, layout)
    student = wider(*pair.teacher, NEW, rng=0, split=split, layout=layout)
    assert verify_wider(pair.teacher, student, layout=layout) <= 1e-12


@everywhere
@pytest.mark.parametrize(
    "damage",
    [
        swap_two_units_of_w1,
        swap_two_units_of_w2,
        swap_two_biases,
        share_off_by_one_in_a_thousand,
        errors_that_cancel_in_a_sum,
        copy_of_another_unit,
        bias_not_copied,
        outgoing_weights_not_shared,
        kernel_flipped,
    ],
)
def test_a_broken_wider_student_is_detected(kind, layout, damage):
    """Each damage moves some output by more than 1e-5; exact students stay below 1e-12."""
    pair = pair_of(kind, layout)
    student = wider(*pair.teacher, NEW, rng=0, layout=layout)
    damage(*student, layout)
    assert verify_wider(pair.teacher, student, layout=layout) > 1e-5


@pytest.mark.parametrize("layout", ["HWIO", "OIHW"])
def test_a_wrong_order_of_the_flatten_is_detected(layout):
    """A student flattened in the other family's order is no student."""
    pair = pair_of("flatten", layout)
    v1, c1, v2 = wider(*pair.teacher, NEW, rng=0, layout=layout)
    wrong = channels_first(v2, NEW) if layout == "HWIO" else channels_first(v2.T, 6).T
    assert verify_wider(pair.teacher, (v1, c1, wrong), layout=layout) > 0.1


def test_a_students_nan_is_no_small_difference():
    """A NaN in the student is never within a tolerance."""
    pair = pair_of("dense", "HWIO")
    v1, c1, v2 = wider(*pair.teacher, NEW, rng=0)
    v2[0, 0] = np.nan
    assert not verify_wider(pair.teacher, (v1, c1, v2)) <= 1e300


def test_the_distance_is_the_largest_difference():
    """One output of one sample decides: moving one output by 0.25 gives 0.25."""
    teacher = np.zeros((1, 1)), np.ones(1), np.array([[1.0, 1.0]])
    student = np.zeros((1, 1)), np.ones(1), np.array([[1.0, 1.25]])
    assert verify_wider(teacher, student) == 0.25


def test_between_the_layers_is_a_relu():
    """Layers that agree only without the ReLU between them, x and -(-x), do not agree."""
    teacher = np.ones((1, 1)), None, np.ones((1, 1))
    student = -np.ones((1, 1)), None, -np.ones((1, 1))
    assert verify_wider(teacher, student) > 0.1


def permuted(w):
    """Two columns of the identity change places: signed sums over units do not see it."""
    w[..., [0, 1]] = w[..., [1, 0]]


def one_in_a_thousand(w):
    w *= 1.001


def off_centre(w):
    w[:] = np.roll(w, 1, axis=0)


def one_unit_missing(w):
    w[..., -1] = 0.0


def leaking(w):
    w[..., 0] += 1e-3


@pytest.mark.parametrize("shape", [(4, OLD), (3, 5, 2, OLD)])
@pytest.mark.parametrize(
    "damage", [permuted, one_in_a_thousand, off_centre, one_unit_missing, leaking]
)
def test_a_broken_identity_is_detected(shape, damage):
    """Each damage to the identity moves some output by more than 1e-4; the identity, by 0."""
    w = np.random.default_rng(0).normal(size=shape)
    kernel, bias = deeper(w)
    assert verify_deeper((w, None), (kernel, bias)) == 0.0
    damage(kernel)
    assert verify_deeper((w, None), (kernel, bias)) > 1e-4


def test_a_bias_behind_the_identity_is_detected():
    """A bias of 0.001 on one new unit moves an output by 0.001, to a rounding."""
    w = np.random.default_rng(0).normal(size=(4, OLD))
    kernel, bias = deeper(w)
    bias[2] = 1e-3
    assert verify_deeper((w, None), (kernel, bias)) == pytest.approx(1e-3, rel=1e-9)


def test_a_permuted_identity_has_signed_differences_that_cancel():
    """Signed differences of a permuted identity sum to zero: the reason for max |Δ|."""
    old = np.maximum(np.random.default_rng(0).normal(size=(50, OLD)), 0.0)
    new = old @ np.eye(OLD)[:, [1, 0, *range(2, OLD)]]
    assert abs((new - old).sum()) <= 1e-12
    assert np.abs(new - old).max() > 0.1


@pytest.mark.parametrize(
    ("student", "message"),
    [
        ((np.ones((4, 9)), None, np.ones((8, 5))), "student w2: expected 9 inputs, got 8"),
        ((np.ones((3, 9)), None, np.ones((9, 5))), "student w1: expected 4 inputs, got 3"),
        ((np.ones((4, 9)), None, np.ones((9, 1))), r"student: expected outputs .* 5\), got .* 1\)"),
        (
            (np.ones((4, 9, 1)), None, np.ones((9, 5))),
            r"student w1: expected .* got shape \(4, 9, 1\)",
        ),
    ],
)
def test_a_student_of_another_shape_is_refused(student, message):
    """A student that does not fit is an error, never broadcast."""
    teacher = np.ones((4, 6)), None, np.ones((6, 5))
    with pytest.raises(ValueError, match=message):
        verify_wider(teacher, student)


def test_checks_agree_with_themselves():
    """One seed draws one set of inputs; more samples see no less."""
    pair = pair_of("conv", "HWIO")
    student = wider(*pair.teacher, NEW, rng=0, noise=0.1)
    assert verify_wider(pair.teacher, student, rng=5) == verify_wider(pair.teacher, student, rng=5)
    assert verify_wider(pair.teacher, student, rng=5) != verify_wider(pair.teacher, student, rng=6)


@pytest.mark.parametrize("shape", [(1,), (2,), (9, 1)])
def test_a_bias_of_another_shape_is_refused(shape):
    """One that numpy would broadcast would be certified exact."""
    teacher = np.ones((4, 6)), np.zeros(6), np.ones((6, 5))
    with pytest.raises(ValueError, match=r"student b1: expected shape \(9,\), .* got"):
        verify_wider(teacher, (np.ones((4, 9)), np.zeros(shape), np.ones((9, 5))))
    with pytest.raises(ValueError, match=r"teacher b: expected shape \(6,\), .* got"):
        verify_deeper((np.ones((4, 6)), np.zeros(shape)), (np.eye(6), None))


def test_two_arrays_are_no_pair_of_layers():
    """A pair of layers has a bias between its kernels, or None."""
    with pytest.raises(ValueError, match=r"teacher: expected \(w1, b1, w2\), got 2 arrays"):
        verify_wider((np.ones((4, 6)), np.ones((6, 5))), (np.ones((4, 6)), None, np.ones((6, 5))))


def test_nothing_is_verified_without_samples():
    """At least one image."""
    with pytest.raises(ValueError, match="samples: expected at least 1, got 0"):
        verify_deeper((np.ones((4, 6)), None), (np.eye(6), None), samples=0)
