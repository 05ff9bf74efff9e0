"""Every growth keeps what the network computes; the oracle sees every way to break that."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings

from growsearch.errors import NotExactError
from growsearch.growth import (
    GROWTHS,
    AddBranch,
    AddSkip,
    Deepen,
    DeepenAll,
    EnlargeKernel,
    Limits,
    Widen,
    WidenAll,
    WidenDeepen,
    branch,
    deepen,
    grow,
    kernel,
    replicate,
    skip,
)
from growsearch.growth.flow import flow
from growsearch.net2net import Units
from growsearch.networks import Network
from growsearch.networks import layers as specs
from growsearch.networks.activations import ACTIVATIONS
from growsearch.networks.layer import TiedUnitsError
from growsearch.networks.layers import AvgPool, Conv
from growsearch.networks.reference import forward
from tests.growth_cases import (
    CASES,
    case,
    change,
    difference,
    every_growth,
    images_for,
    random_architecture,
    tolerance,
    trained,
)
from tests.strategies import seeds

TOLERANCE = 1e-9  # float64 reference, relative to the largest output
BROKEN = 1e-6
EQUAL_SHARES = ("layer norm", "group norm")  # cases whose norms need them


# -- single growths ------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", CASES)
def test_every_legal_growth_keeps_every_logit(name, dtype):
    """Each site of each operation on each named case: max |Δ logits| <= 1e-9 relative."""
    parent = trained(CASES[name], dtype=dtype)
    batch = images_for(parent.architecture, seed=1)
    for growth in every_growth(parent.architecture):
        child = grow(parent, growth, rng=5, images=batch)
        assert change(parent, child) <= tolerance(parent), growth


@settings(max_examples=60)
@given(seeds)
def test_every_legal_growth_of_a_random_graph_keeps_every_logit(seed):
    """Each site of each operation, of random size: max |Δ logits| <= 1e-9 relative."""
    parent = trained(random_architecture(seed), seed=seed)
    batch = images_for(parent.architecture, seed=1)
    for growth in every_growth(parent.architecture, seed=seed):
        child = grow(parent, growth, rng=seed, images=batch)
        assert change(parent, child) <= tolerance(parent), growth


@pytest.mark.parametrize("split", ["equal", "random"])
@pytest.mark.parametrize("factor", [3, 7])
def test_many_copies_of_one_unit_keep_every_logit(factor, split):
    """Layers of one to five units at 3 and 7 times their width: max |Δ logits| <= 1e-9 relative."""
    for name, architecture in CASES.items():
        parent = trained(architecture)
        for site in Widen.sites(architecture, Limits()):
            old = architecture[site.layer].layer.width
            growth = Widen(site.layer, factor * old, split=split)
            if split == "random" and name in EQUAL_SHARES:
                with suppress(NotExactError):  # a norm needs equal shares
                    assert change(parent, grow(parent, growth, rng=1)) <= TOLERANCE
                continue
            child = grow(parent, growth, rng=1)
            copies = flow(architecture, site.layer, factor * old, rng=np.random.default_rng(1))
            assert max(copies.units[site.layer].copies) >= 3
            assert change(parent, child) <= TOLERANCE, (name, growth)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", CASES)
def test_zero_sum_noise_keeps_every_logit(name, dtype):
    """Of a tenth of the weights' deviation and of three: <= 1e-9 relative; weights do move."""
    parent = trained(CASES[name], dtype=dtype)
    for site in Widen.sites(parent.architecture, Limits()):
        width = 3 * parent.architecture[site.layer].layer.width
        even = grow(parent, Widen(site.layer, width), rng=1)
        for noise in (0.1, 3.0):
            child = grow(parent, Widen(site.layer, width, zero_sum=noise), rng=1)
            assert change(parent, child) <= TOLERANCE, (site, noise)
            assert child.sha256 != even.sha256


def widened_by_new_units(architecture):
    """Every layer by itself, all layers at once, and all with a new layer."""
    one = Widen.sites(architecture, Limits())
    widths = {site.layer: 3 * architecture[site.layer].layer.width for site in one}
    several = (*WidenAll.sites(architecture, Limits()), *WidenDeepen.sites(architecture, Limits()))
    for growth in (*(Widen(*site) for site in widths.items()), *several):
        yield replace(growth, split="new")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", CASES)
def test_new_units_keep_every_logit(name, dtype):
    """Widen, WidenAll, WidenDeepen with split new: <= 1e-9 relative; where not, refused in a line.

    Only a norm that needs equal shares refuses them.
    """
    parent = trained(CASES[name], dtype=dtype)
    batch, refused = images_for(parent.architecture, seed=1), []
    for growth in widened_by_new_units(parent.architecture):
        try:
            child = grow(parent, growth, rng=1, images=batch)
        except NotExactError as error:
            refused.append(str(error))
        else:
            assert change(parent, child) <= TOLERANCE, growth
    for line in refused:
        assert "shares" in line
        assert line.endswith(", got split new"), line
        assert "\n" not in line
    assert bool(refused) == (name in EQUAL_SHARES)


@pytest.mark.parametrize("batch_norm", [False, True, None])
@pytest.mark.parametrize("name", CASES)
def test_deepening_is_exact_with_and_without_batch_norm(name, batch_norm):
    """Identity or residual branch, normalised or not, with a batch or none: <= 1e-9 relative."""
    parent = trained(CASES[name])
    for site in Deepen.sites(parent.architecture, Limits()):
        growth = Deepen(site.layer, batch_norm)
        for batch in (None, images_for(parent.architecture, seed=1)):
            assert change(parent, grow(parent, growth, rng=0, images=batch)) <= TOLERANCE


@pytest.mark.parametrize("scale", [0.0, 1e-6, 1.0, 1e4])
def test_batch_norm_is_an_identity_at_every_scale_of_its_input(scale):
    """Silent, tiny, usual and huge channels, far from 0 or not: <= 1e-9 relative."""
    parent = trained(CASES["batch norm"])
    (first,) = (node.name for node in parent.architecture.nodes if node.layer.kind == "conv")
    norm = parent.architecture.consumers[first][0].name
    scaled = {name: scale * array for name, array in parent.weights[norm].items()}
    scaled |= {name: parent.weights[norm][name] for name in ("mean", "variance")}
    parent = Network(parent.architecture, {**parent.weights, norm: scaled})
    batch = images_for(parent.architecture, seed=1)
    assert change(parent, grow(parent, Deepen(first), rng=0, images=batch)) <= TOLERANCE


def test_batch_norm_of_a_deepened_layer_has_its_inputs_statistics():
    """Mean exact to float32, deviation to 10 bits, of the batch that was handed in."""
    parent = trained(CASES["batch norm"])
    batch = images_for(parent.architecture, seed=1, count=50)
    conv = parent.architecture.nodes[0].name
    child = grow(parent, Deepen(conv), rng=0, images=batch)
    norm, kernel = child.weights[f"{conv}_deep_bn"], child.weights[f"{conv}_deep"]["kernel"]
    end = deepen.block_end(parent.architecture, conv).name
    x = kernel.max() * forward(parent, batch, at=end).reshape(-1, len(norm["mean"]))
    assert difference(x.mean(axis=0), norm["mean"]) <= 1e-6
    assert np.all(np.abs(np.sqrt(norm["variance"] / x.var(axis=0)) - 1.0) <= 2e-3)


@pytest.mark.parametrize("merge", ["sum", "concat"])
def test_shortcuts_lead_over_pooling_and_all_that_they_tie_grows_on(merge):
    """Sum and concatenation over pooling are exact, and so is each growth of what they made.

    Of weights as after training: the first shortcut starts at zero, which would hide much.
    """
    parent = trained(CASES["conv-flatten-dense"])
    child = grow(parent, AddSkip("conv0", "conv2", merge), rng=0)
    (pool,) = (n for n in child.architecture.nodes if isinstance(n.layer, AvgPool))
    assert child.architecture.shapes[pool.name][:2] == child.architecture.shapes["conv2"][:2]
    assert change(parent, child) <= TOLERANCE
    again = trained(child.architecture)
    operations = set()
    for growth in every_growth(again.architecture):
        assert change(again, grow(again, growth, rng=5)) <= TOLERANCE, growth
        operations.add(growth.operation)
    assert operations == set(GROWTHS)


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("padding", ["same", "valid"])
def test_kernels_enlarge_exactly_wherever_they_may(padding, stride):
    """Every size and image that is not refused, even and odd: max |Δ logits| <= 1e-9 relative."""
    grown = 0
    for pixels in range(5, 9):
        architecture = case(
            Conv((2, 3), 2, stride=(stride, stride), padding=padding), shape=(pixels, pixels + 1, 1)
        )
        parent = trained(architecture)
        for size in ((2, 4), (3, 3), (3, 4), (4, 5), (5, 5)):
            growth = EnlargeKernel("conv0", size)
            try:
                child = grow(parent, growth, rng=0)
            except NotExactError:
                assert padding == "valid"
                continue
            assert change(parent, child) <= TOLERANCE, (pixels, growth)
            grown += 1
    # With stride 1 a larger valid window never fits as often as before.
    assert grown == 20 if padding == "same" else (grown > 0) == (stride > 1)


# -- the oracle ----------------------------------------------------------------------------------
# A check that cannot fail is worse than none: each core below is broken in one way.


def _share_off(monkeypatch):
    def split(array, units, axis):
        off = Units(units.source, units.share * (1.0 + 1e-3), units.old)
        return replicate.copy_axis(array, units, axis) * np.expand_dims(
            off.share, tuple(set(range(array.ndim)) - {axis})
        )

    monkeypatch.setattr(replicate, "split_axis", split)


def _new_units_used(monkeypatch):
    def split(array, units, axis):
        share = np.where(units.share == 0.0, 1e-3, units.share)
        return original(array, Units(units.source, share, units.old), axis)

    original = replicate.split_axis
    monkeypatch.setattr(replicate, "split_axis", split)


def _noise_that_sums_to_something(monkeypatch):
    def split(array, units, axis, *, noise, rng):
        even = replicate.split_axis(array, units, axis)
        return even + (noise * array.std() * rng.normal(size=even.shape)).astype(array.dtype)

    monkeypatch.setattr(replicate, "split_axis_unevenly", split)


def _scale_not_undone(monkeypatch):
    _break_identity(monkeypatch, lambda kernel: 2.0 * kernel)


def _split_axis_copied(monkeypatch):
    monkeypatch.setattr(replicate, "split_axis", replicate.copy_axis)


def _copies_of_other_units(monkeypatch):
    def copy(array, units, axis):
        return original(array, Units(units.source[::-1].copy(), units.share, units.old), axis)

    original = replicate.incoming_axis
    monkeypatch.setattr(replicate, "incoming_axis", copy)


def _bias_forgotten(monkeypatch):
    _break_weight(monkeypatch, "bias", lambda array, old: np.append(old, array[len(old) :] * 0))


def _variance_forgotten(monkeypatch):
    _break_weight(
        monkeypatch, "variance", lambda array, old: np.append(old, array[len(old) :] * 0 + 1)
    )


def _gamma_shared(monkeypatch):
    _break_weight(monkeypatch, "gamma", lambda array, old: array * len(old) / len(array))


def _second_consumer_forgotten(monkeypatch):
    def split(array, units, axis):
        calls.append(axis)
        return (original if len(calls) == 1 else replicate.copy_axis)(array, units, axis)

    calls: list[int] = []
    original = replicate.split_axis
    monkeypatch.setattr(replicate, "split_axis", split)


def _flatten_channels_first(monkeypatch):
    def through(_layer, units, *shapes):
        return units[0].expand(after=int(np.prod(shapes[0][:-1])))

    def required(_layer, units, *shapes):
        positions = int(np.prod(shapes[0][:-1]))
        source, share = units.source[::positions] // positions, units.share[::positions].copy()
        return (Units(source, share, units.old // positions),)

    monkeypatch.setattr(specs.Flatten, "through", through)
    monkeypatch.setattr(specs.Flatten, "required", required)


def _layer_norm_unbalanced(monkeypatch):
    monkeypatch.setattr(Units, "is_balanced", True)


def _groups_mixed(monkeypatch):
    def through(_layer, units, *_shapes):
        if not units[0].is_balanced:
            raise TiedUnitsError("not balanced", balanced="group norm")
        return units[0]

    monkeypatch.setattr(specs.GroupNorm, "through", through)
    monkeypatch.setattr(specs.GroupNorm, "fitted", lambda layer, _units: layer)


def _groups_not_counted(monkeypatch):
    monkeypatch.setattr(specs.GroupNorm, "_adds_groups", lambda *_: True)


def _epsilon_kept(monkeypatch):
    monkeypatch.setattr(specs.LayerNorm, "fitted", lambda layer, _units: layer)


def _gamma_kept(monkeypatch):
    monkeypatch.setattr(specs.LayerNorm, "factor", lambda *_: 1.0)


def _means_not_made(monkeypatch):
    def copies(array, units, axis):
        return original(array, units.with_extra("copies"), axis)

    original = replicate.incoming_axis
    monkeypatch.setattr(replicate, "incoming_axis", copies)


def _beta_of_zeros(monkeypatch):
    _break_weight(monkeypatch, "beta", lambda array, old: np.append(old, array[len(old) :] + 1e-3))


def _depthwise_interleaved(monkeypatch):
    def through(layer, units, *_shapes):
        return units[0].expand(before=layer.multiplier)

    def required(layer, units, *_shapes):
        return (units.block(layer.multiplier),)

    monkeypatch.setattr(specs.DepthwiseConv, "through", through)
    monkeypatch.setattr(specs.DepthwiseConv, "required", required)


def _identity_permuted(monkeypatch):
    _break_identity(monkeypatch, lambda kernel: np.roll(kernel, 1, axis=-1))


def _identity_off_centre(monkeypatch):
    _break_identity(monkeypatch, lambda kernel: np.roll(kernel, 1, axis=0))


def _identity_behind_tanh(monkeypatch):
    tanh = ACTIVATIONS["tanh"]
    idempotent = type(tanh)(tanh.function, idempotent=True)
    monkeypatch.setitem(ACTIVATIONS, "tanh", idempotent)


def _identity_behind_layer_norm(monkeypatch):
    monkeypatch.setattr(specs.LayerNorm, "activation_behind", lambda _norm, before: before)


def _gamma_without_epsilon(monkeypatch):
    _break_norm(monkeypatch, lambda right: {**right, "gamma": np.sqrt(right["variance"])})


def _beta_forgotten(monkeypatch):
    _break_norm(monkeypatch, lambda right: {**right, "beta": np.zeros_like(right["beta"])})


def _break_norm(monkeypatch, spoil):
    def identity(*arguments):
        return spoil(original(*arguments))

    original = specs.BatchNorm.identity
    monkeypatch.setattr(specs.BatchNorm, "identity", identity)


def _break_weight(monkeypatch, weight, spoil):
    def rebuild(network, architecture, change, *rest):
        def broken(layer, name, array):
            right = change(layer, name, array)
            return spoil(right, array) if name == weight and len(right) > len(array) else right

        return original(network, architecture, broken, *rest)

    original = replicate.rebuild
    monkeypatch.setattr(replicate, "rebuild", rebuild)


def _break_identity(monkeypatch, spoil):
    def deeper(kernel):
        right, bias = original(kernel)
        return spoil(right), bias

    original = deepen.deeper
    monkeypatch.setattr(deepen, "deeper", deeper)


def _kernel_at_the_corner(monkeypatch):
    monkeypatch.setattr(kernel, "_offset", lambda *_: 0)


def _kernel_centred_whatever_the_stride(monkeypatch):
    def offset(_pixels, window, larger, axis):
        return (larger[axis] - window.kernel[axis]) // 2

    monkeypatch.setattr(kernel, "_offset", offset)


def _projection_not_zero(monkeypatch):
    def insert(network, architecture, new, *rest, **options):
        spoilt = {
            layer: {name: array + 1e-3 for name, array in arrays.items()}
            for layer, arrays in new.items()
        }
        return original(network, architecture, spoilt, *rest, **options)

    original = skip.insert
    monkeypatch.setattr(skip, "insert", insert)


def _appended_units_used(monkeypatch):
    def append_units(*arguments):
        right = original(*arguments)
        units = {
            name: Units(each.source, np.where(each.share == 0.0, 1e-3, each.share), each.old)
            for name, each in right.units.items()
        }
        return replace(right, units=units)

    original = skip.append_units
    for module in (skip, branch):
        monkeypatch.setattr(module, "append_units", append_units)


def _concatenated_in_front(monkeypatch):
    def append_units(architecture, name, nodes):
        *before, last = nodes
        return original(architecture, name, [*before, replace(last, inputs=last.inputs[::-1])])

    original = branch.append_units
    monkeypatch.setattr(branch, "append_units", append_units)


# How the core is broken, and a growth that must show it: case, class, number of the site, width.
FAULTS = [
    (_share_off, "conv-flatten-dense", Widen("conv0", 7)),
    (_noise_that_sums_to_something, "conv-flatten-dense", Widen("conv0", 7, zero_sum=0.1)),
    (_noise_that_sums_to_something, "batch norm", WidenAll(("conv0",), (7,), 0.1)),
    (_split_axis_copied, "conv-flatten-dense", Widen("conv0", 7)),
    (_split_axis_copied, "conv-flatten-dense", Widen("conv0", 7, split="new")),
    (_new_units_used, "batch norm", WidenAll(("conv0",), (7,), split="new")),
    (_copies_of_other_units, "conv-flatten-dense", Widen("conv0", 7)),
    (_bias_forgotten, "conv-flatten-dense", Widen("conv0", 7)),
    (_flatten_channels_first, "conv-flatten-dense", Widen("conv2", 7)),
    (_variance_forgotten, "batch norm", Widen("conv0", 7)),
    (_gamma_shared, "batch norm", Widen("conv0", 7)),
    (_second_consumer_forgotten, "concatenation", Widen("conv0", 7)),
    (_second_consumer_forgotten, "residual", Widen("conv0", 7)),
    (_layer_norm_unbalanced, "layer norm", Widen("conv0", 5)),
    (_groups_mixed, "group norm", Widen("conv0", 8)),
    (_groups_not_counted, "group norm", Widen("conv0", 6)),
    (_epsilon_kept, "layer norm", Widen("conv0", 5)),
    (_gamma_kept, "layer norm", Widen("conv0", 5)),
    (_means_not_made, "layer norm", Widen("conv0", 5)),
    (_beta_of_zeros, "layer norm", Widen("conv0", 5)),
    (_depthwise_interleaved, "depthwise", Widen("conv0", 7)),
    (_identity_permuted, "conv-flatten-dense", Deepen("conv0")),
    (_identity_off_centre, "conv-flatten-dense", Deepen("conv0")),
    (_identity_behind_tanh, "smooth", Deepen("conv0")),
    (_identity_behind_layer_norm, "layer norm", Deepen("dense4", batch_norm=False)),
    (_identity_permuted, "batch norm", DeepenAll(("conv0", "dense5"))),
    (_scale_not_undone, "batch norm", Deepen("conv0")),
    (_split_axis_copied, "batch norm", WidenDeepen(("conv0", "dense5"), (6, 10), "dense5")),
    (_gamma_without_epsilon, "batch norm", Deepen("conv0")),
    (_beta_forgotten, "batch norm", Deepen("conv0")),
    (_kernel_at_the_corner, "conv-flatten-dense", EnlargeKernel("conv0", 5)),
    (_kernel_centred_whatever_the_stride, "strided", EnlargeKernel("conv1", 3)),
    (_projection_not_zero, "conv-flatten-dense", AddSkip("conv0", "conv2")),
    (_appended_units_used, "conv-flatten-dense", AddSkip("conv0", "conv2", "concat")),
    (_appended_units_used, "conv-flatten-dense", AddBranch("conv0", 2)),
    (_concatenated_in_front, "conv-flatten-dense", AddBranch("conv0", 2)),
]
# Of an even number of pixels, a strided window has its odd padding at the end.
STRIDED = case(Conv((3, 3), 3), Conv((1, 1), 3, stride=(2, 2)), shape=(6, 4, 2))


@pytest.mark.parametrize(("fault", "name", "growth"), FAULTS)
def test_the_oracle_sees_a_broken_core(fault, name, growth, monkeypatch):
    """Each of these faults moves a logit by more than 1e-6 relative; without it none moves."""
    parent = trained(STRIDED if name == "strided" else CASES[name])
    batch = images_for(parent.architecture, seed=1)
    assert change(parent, grow(parent, growth, rng=3, images=batch)) <= tolerance(parent)
    fault(monkeypatch)
    assert change(parent, grow(parent, growth, rng=3, images=batch)) > BROKEN
