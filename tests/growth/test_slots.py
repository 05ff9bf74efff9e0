"""Slots of the optimizer that grow along: held against TensorFlow's own gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from growsearch.growth import (
    GROWTHS,
    TREATMENTS,
    AddBranch,
    AddSkip,
    Deepen,
    EnlargeKernel,
    Growth,
    Limits,
    Widen,
    WidenAll,
    WidenDeepen,
    grow,
)
from growsearch.growth.flow import flow
from growsearch.net2net import Units
from growsearch.net2net.units import SHARES
from growsearch.networks import Architecture, Network, Slots
from growsearch.networks.layers import Dropout
from growsearch.networks.optimizers import OPTIMIZERS
from growsearch.training.slim.backend import tf, v1
from growsearch.training.slim.builders import Mode
from growsearch.training.slim.graph import build_logits
from growsearch.training.slim.variables import model_variables
from tests.growth_cases import (
    CASES,
    CLASSES,
    difference,
    every_growth,
    images_for,
    slots_of,
    trained,
)

Array = NDArray[Any]
Gradients = dict[str, dict[str, Array]]
TOLERANCE = 1e-5  # float32, relative to the largest value

NAMES = (
    "conv-flatten-dense",
    "batch norm",
    "residual",
    "concatenation",
    "sum with concatenation",
    "depthwise",
    "separable",
    "grouped",
    "layer norm",
    "group norm",
    "smooth",
)


_FOUND: dict[str, Gradients] = {}


def gradients(network: Network) -> Gradients:
    """The cross-entropy's gradient at every trained weight, on a fixed batch, by TensorFlow.

    In training mode, with the batch's own statistics; but for dropout, whose masks differ. A graph
    is built once for all laws about a network.
    """
    name = Network(network.architecture, network.weights).sha256
    if name not in _FOUND:
        _FOUND[name] = _gradients(network)
    return _FOUND[name]


def _gradients(network: Network) -> Gradients:
    architecture = network.architecture
    training = not any(isinstance(node.layer, Dropout) for node in architecture.nodes)
    with tf.Graph().as_default():
        batch = tf.constant(images_for(architecture, seed=5, count=8))
        labels = tf.constant(np.arange(8) % CLASSES)
        seed = tf.constant([1, 2], tf.int64)
        logits = build_logits(architecture, batch, Mode(training=training, seed=seed))
        loss = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
        variables = model_variables(architecture)
        wanted = {
            layer: {name: variables[layer][name] for name, w in weights.items() if w.trainable}
            for layer, weights in architecture.weights.items()
        }
        every = [(layer, name) for layer, names in wanted.items() for name in names]
        found = tf.gradients(tf.reduce_mean(loss), [wanted[a][b] for a, b in every])
        loads = [
            v1.assign(variable, network.weights[layer][name])
            for layer, names in variables.items()
            for name, variable in names.items()
        ]
        with v1.Session() as session:
            session.run(v1.global_variables_initializer())
            session.run(loads)
            values = session.run(found)
    result: Gradients = {}
    for (layer, name), value in zip(every, values, strict=True):
        result.setdefault(layer, {})[name] = value
    return result


def as_slots(found: Gradients) -> Slots:
    """Adam's slots after gradients of one size: m the gradient, v its square."""
    squares = {a: {n: g * g for n, g in each.items()} for a, each in found.items()}
    return Slots("adam", 7, {"m": found, "v": squares})


# Layer norm mixes the gradients of the copies: it takes equal shares only.
SPLIT_NAMES = [
    (s, n) for s in SHARES for n in NAMES if s == "equal" or n not in ("layer norm", "group norm")
]
COPIED_NAMES = [(s, n) for s, n in SPLIT_NAMES if s != "new"]


@pytest.mark.parametrize(("split", "name"), COPIED_NAMES)
def test_carried_slots_are_the_gradients_of_the_grown_network(name, split):
    """Slots m = g and v = g², widened, are the new network's g and g²: <= 1e-5 of the layer's."""
    parent = trained(CASES[name])
    parent = Network(parent.architecture, parent.weights, as_slots(gradients(parent)))
    for site in Widen.sites(parent.architecture, Limits()):
        width = 3 * parent.architecture[site.layer].layer.width
        child = grow(parent, Widen(site.layer, width, split), rng=2, slots="carry")
        right = as_slots(gradients(child))
        for slot, layers in child.slots.values.items():
            for layer, arrays in layers.items():
                expected = right.values[slot][layer]
                # Of the layer: the gradient of a bias before batch norm is 0 but for rounding.
                scale = max(np.abs(each).max() for each in expected.values())
                for weight, array in arrays.items():
                    error = np.abs(array - expected[weight]).max()
                    assert error <= TOLERANCE * scale, (site, slot, layer, weight)


@pytest.mark.parametrize("split", ["equal", "random"])
def test_gradients_of_copies_are_shares_of_the_old(split):
    """Incoming weights of copy j: share[j] times the old gradient; outgoing: the old: <= 1e-5."""
    parent = trained(CASES["conv-flatten-dense"])
    growth = Widen("conv0", 8, split)
    child = grow(parent, growth, rng=4)
    units = flow(parent.architecture, "conv0", 8, rng=np.random.default_rng(4), split=split)
    source, share = units.units["conv0"].source, units.units["conv0"].share
    assert len(set(np.round(share, 6))) == (8 if split == "random" else len(set(share)))
    old, new = gradients(parent), gradients(child)
    for weight in ("kernel", "bias"):
        expected = old["conv0"][weight][..., source] * share
        assert difference(expected, new["conv0"][weight]) <= TOLERANCE
    assert difference(old["conv2"]["kernel"][:, :, source], new["conv2"]["kernel"]) <= TOLERANCE
    for layer, weight in (("conv2", "bias"), ("dense4", "kernel"), ("dense5", "bias")):
        assert difference(old[layer][weight], new[layer][weight]) <= TOLERANCE


@pytest.mark.parametrize(("split", "name"), SPLIT_NAMES)
def test_gradients_summed_over_copies_are_the_old(split, name):
    """Pulled back to the parent's weights, the grown network's gradients are its own: <= 1e-5.

    In training mode, through batch norm: a copied weight's gradient is the sum over its copies, a
    split one's the sum of its shares of them. Of each layer's largest gradient.
    """
    parent = trained(CASES[name])
    old = gradients(parent)
    for site in Widen.sites(parent.architecture, Limits()):
        width = 3 * parent.architecture[site.layer].layer.width
        child = grow(parent, Widen(site.layer, width, split), rng=2)
        rng = np.random.default_rng(2)
        units = flow(parent.architecture, site.layer, width, rng=rng, split=split).units
        for layer, arrays in gradients(child).items():
            scale = max(np.abs(each).max() for each in old[layer].values())
            for weight, gradient in arrays.items():
                back = pulled_back(parent.architecture, layer, weight, gradient, units)
                error = np.abs(back - old[layer][weight]).max()
                assert error <= TOLERANCE * scale, (site, layer, weight)


def test_gradients_reach_new_units_from_behind():
    """Zeros behind a new unit get a gradient at once; the random weights in front get none yet."""
    parent = trained(CASES["batch norm"])
    child = grow(parent, Widen("conv0", 7, "new"), rng=4)
    found = gradients(child)
    behind = found["dense5"]["kernel"].reshape(-1, 7, 5)
    for unit in range(3, 7):
        assert np.abs(behind[:, unit]).max() > 1e-3 * np.abs(behind[:, :3]).max()
        # No copy of another unit: no other one has its gradient.
        others = np.delete(behind, unit, axis=1)
        assert np.abs(others - behind[:, [unit]]).max(axis=(0, 2)).min() > 1e-4
    assert not found["conv0"]["kernel"][..., 3:].any()
    assert found["conv0"]["kernel"][..., :3].all()


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "momentum"])
@pytest.mark.parametrize("slots", ["carry", "carry-rescaled", "carry-old"])
def test_slots_of_new_units_have_no_direction(optimizer, slots):
    """Of degree 1 they are zero, in front and behind; of degree 2 positive; old ones are carried.

    Behind, ``carry-rescaled`` multiplies those of degree 2 by the inputs of a consumer.
    """
    parent, _ = parent_with(optimizer)
    child = grow(parent, Widen("conv0", 8, "new"), rng=4, slots=slots)
    units = flow(parent.architecture, "conv0", 8, rng=np.random.default_rng(4), split="new")
    source = units.units["conv0"].source[3:]
    inputs = child.architecture.weights["conv2"]["kernel"].fan_in
    for slot, degree in OPTIMIZERS[optimizer].degrees.items():
        old, new = parent.slots.values[slot], child.slots.values[slot]
        for layer, weight, axis, times in (
            ("conv0", "kernel", 3, 1),
            ("conv0", "bias", 0, 1),
            ("conv2", "kernel", 2, inputs if slots == "carry-rescaled" else 1),
        ):
            before = np.moveaxis(old[layer][weight], axis, 0)
            after = np.moveaxis(new[layer][weight], axis, 0)
            assert np.array_equal(after[:3], before)
            expected = before[source] * times if degree == 2 else 0.0 * before[source]
            assert np.array_equal(after[3:], expected.astype(before.dtype)), (slot, layer, weight)


def pulled_back(
    architecture: Architecture, layer: str, weight: str, gradient: Array, units: dict[str, Units]
) -> Array:
    """The chain rule through the widening, backwards along every axis of one weight."""
    for axis, rule in architecture.weights[layer][weight].axes.items():
        source = layer if rule.of == "out" else architecture[layer].inputs[0]
        if source not in units:
            continue
        block = units[source].block(rule.groups).expand(after=rule.repeat)
        along = np.moveaxis(gradient.astype(float), axis, 0)
        if rule.role == "split":
            along = along * np.expand_dims(block.share, tuple(range(1, along.ndim)))
        total = np.zeros((block.old, *along.shape[1:]))
        np.add.at(total, block.source, along)
        gradient = np.moveaxis(total, 0, axis)
    return gradient


def is_wider(growth: Growth) -> bool:
    """True if the growth copies units, alone or beside others."""
    return isinstance(growth, Widen | WidenAll | WidenDeepen)


def parent_with(optimizer: str) -> tuple[Network, np.random.Generator]:
    rng = np.random.default_rng(11)
    parent = trained(CASES["conv-flatten-dense"])
    slots = slots_of(parent.architecture, optimizer, rng)
    return Network(parent.architecture, parent.weights, slots), rng


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "momentum"])
@pytest.mark.parametrize("split", ["equal", "random"])
def test_slots_scale_by_share_to_their_degree(optimizer, split):
    """Incoming slots times share**d, outgoing ones copied, others as they were: <= 1e-6."""
    parent, _ = parent_with(optimizer)
    child = grow(parent, Widen("conv0", 8, split), rng=4, slots="carry")
    units = flow(parent.architecture, "conv0", 8, rng=np.random.default_rng(4), split=split)
    source, share = units.units["conv0"].source, units.units["conv0"].share
    for slot, degree in OPTIMIZERS[optimizer].degrees.items():
        old, new = parent.slots.values[slot], child.slots.values[slot]
        for weight in ("kernel", "bias"):
            scaled = old["conv0"][weight][..., source] * share**degree
            assert difference(scaled, new["conv0"][weight]) <= 1e-6
        assert np.array_equal(old["conv2"]["kernel"][:, :, source], new["conv2"]["kernel"])
        assert np.array_equal(old["conv2"]["bias"], new["conv2"]["bias"])
        assert np.array_equal(old["dense4"]["kernel"], new["dense4"]["kernel"])


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "momentum"])
def test_rescaled_copies_step_together_as_far_as_the_old_unit(optimizer):
    """Summed over a unit's copies, the outgoing step of the slots is the old one: <= 1e-6."""
    parent, _ = parent_with(optimizer)
    growth = Widen("conv0", 8, "random")
    carried, rescaled = (grow(parent, growth, rng=4, slots=s) for s in TREATMENTS[1:3])
    units = flow(parent.architecture, "conv0", 8, rng=np.random.default_rng(4)).units["conv0"]

    def step(network: Network) -> Array:
        values = {s: v["conv2"]["kernel"].astype(float) for s, v in network.slots.values.items()}
        return values["momentum"] if "momentum" in values else values["m"] / np.sqrt(values["v"])

    def summed(network: Network) -> Array:
        total = np.zeros((*step(network).shape[:2], units.old, step(network).shape[3]))
        np.add.at(total, np.s_[:, :, units.source], step(network))
        return total

    assert difference(step(parent), summed(rescaled)) <= 1e-6
    copies = np.bincount(units.source)[:, None]
    assert difference(step(parent) * copies, summed(carried)) <= 1e-6
    for slot, layers in rescaled.slots.values.items():
        for weight in ("kernel", "bias"):  # incoming slots are carried alike
            assert np.array_equal(
                layers["conv0"][weight], carried.slots.values[slot]["conv0"][weight]
            )


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "momentum"])
def test_old_units_keep_their_slots_and_new_ones_start_without_direction(optimizer):
    """carry-old: bit by bit at old places; else 0 in degree 1 and the copied unit's in degree 2.

    Weights that no new unit touches keep theirs.
    """
    parent, _ = parent_with(optimizer)
    child = grow(parent, Widen("conv0", 8), rng=4, slots="carry-old")
    units = flow(parent.architecture, "conv0", 8, rng=np.random.default_rng(4)).units["conv0"]
    axes = {("conv0", "kernel"): 3, ("conv0", "bias"): 0, ("conv2", "kernel"): 2}
    assert child.slots.step == parent.slots.step
    for slot, degree in OPTIMIZERS[optimizer].degrees.items():
        for layer, arrays in parent.slots.values[slot].items():
            for weight, old in arrays.items():
                expected = old
                if (axis := axes.get((layer, weight))) is not None:
                    expected = np.take(old, units.source, axis=axis)
                    if degree == 1:
                        np.moveaxis(expected, axis, 0)[units.is_new] = 0.0
                assert np.array_equal(child.slots.values[slot][layer][weight], expected)


@pytest.mark.parametrize("name", CASES)
def test_carry_old_is_carry_where_no_unit_is_copied(name):
    """New layers, frames of kernels and appended units start the same: without direction."""
    parent = trained(CASES[name])
    for growth in every_growth(parent.architecture):
        if not is_wider(growth):
            one, other = (
                grow(parent, growth, rng=1, slots=slots) for slots in ("carry", "carry-old")
            )
            if not isinstance(growth, AddSkip | AddBranch):
                assert one.sha256 == other.sha256, growth
            for layer, arrays in other.slots.values["m"].items():
                for weight, m in arrays.items():
                    assert np.array_equal(m, one.slots.values["m"][layer][weight]), growth


@pytest.mark.parametrize("fill", ["net2net", "random"])
@pytest.mark.parametrize("name", CASES)
def test_new_weights_have_nowhere_to_go_but_steps_of_usual_length(name, fill):
    """After any growth a new weight's m is 0 and its v within the old range; the steps go along."""
    parent = trained(CASES[name])
    old = parent.slots.values
    largest = max(array.max() for each in old["v"].values() for array in each.values())
    for growth in every_growth(parent.architecture):
        for treatment in TREATMENTS:
            child = grow(parent, growth, rng=1, fill=fill, slots=treatment)
            if treatment == "reset":
                assert child.slots is None
                continue
            assert child.slots.step == parent.slots.step
            assert child.slots.optimizer == parent.slots.optimizer
            for layer, arrays in child.slots.values["m"].items():
                for weight, m in arrays.items():
                    v = child.slots.values["v"][layer][weight]
                    before = old["m"].get(layer, {}).get(weight)
                    if before is None:
                        assert not m.any(), (growth, layer, weight)
                        assert (v > 0.0).all(), (growth, layer, weight)
                        inputs = max(child.architecture.weights[layer][weight].fan_in, 1)
                        assert v.max() <= largest * inputs
                    elif fill == "random":
                        assert np.count_nonzero(m) == np.count_nonzero(before)
                        assert np.isin(before, m).all()
                        assert (v > 0.0).all() or not (old["v"][layer][weight] > 0.0).all()
                    elif m.shape == before.shape and not is_wider(growth):
                        assert np.array_equal(m, before)


@pytest.mark.parametrize("fill", ["net2net", "random"])
@pytest.mark.parametrize("name", CASES)
def test_rescaled_new_weights_step_together_as_far_as_one(name, fill):
    """Rescaled, a new weight's v is the usual one times the inputs of its unit; else as carried.

    So the steps of a unit's new inputs are together (root of the sum of squares) that of one weight
    beside them. Of the random baseline they are as carried: it has to learn first.
    """
    parent = trained(CASES[name])
    for growth in every_growth(parent.architecture):
        if is_wider(growth):
            continue  # its new weights are copies
        carried, rescaled = (
            grow(parent, growth, rng=1, fill=fill, slots=s).slots.values for s in TREATMENTS[1:3]
        )
        grown, old = growth.grown(parent.architecture), parent.architecture
        for layer, arrays in carried["v"].items():
            widened = grown[layer].layer.is_producer and layer in old
            if widened and grown[layer].layer.width != old[layer].layer.width:
                continue  # tied to what was appended: units that nobody uses, at their usual pace
            for weight, v in arrays.items():
                is_new = carried["m"][layer][weight] == 0.0
                spec = grown.weights[layer][weight]
                passes = all(axis.role == "copy" for axis in spec.axes.values())
                if isinstance(growth, AddSkip | AddBranch) and layer in old and passes:
                    continue  # depthwise, norm: what is appended goes through, to zero weights
                factor = max(spec.fan_in, 1) if fill == "net2net" else 1
                expected = np.where(is_new, v * np.float32(factor), v)
                found = rescaled["v"][layer][weight]
                assert difference(expected, found) <= 1e-6, (growth, layer, weight)


def test_first_steps_of_new_weights_are_no_longer_than_those_of_old_ones():
    """With v at zero and no bias correction left, Adam's first steps would be 6 times too long."""
    parent, _ = parent_with("adam")
    for growth in (Deepen("conv0"), EnlargeKernel("conv0", (5, 5)), AddSkip("conv0", "conv2")):
        slots = grow(parent, growth, rng=0).slots.values["v"]
        for layer, arrays in slots.items():
            for weight, v in arrays.items():
                usual = np.mean([each[weight].mean() for each in parent.slots.values["v"].values()])
                assert v.mean() > 0.1 * usual, (growth, layer, weight)


@pytest.mark.parametrize("operation", GROWTHS)
def test_without_slots_there_are_none(operation):
    """A network that was never trained grows without slots, whatever the treatment."""
    parent = Network(CASES["residual"], trained(CASES["residual"]).weights)
    for site in GROWTHS[operation].sites(parent.architecture, Limits()):
        for treatment in TREATMENTS:
            assert grow(parent, site, rng=0, slots=treatment).slots is None


def test_sgd_has_a_step_count_and_no_slots():
    """Plain SGD remembers nothing but its steps, and keeps them."""
    parent = trained(CASES["residual"])
    parent = Network(parent.architecture, parent.weights, Slots("sgd", 3, {}))
    for growth in every_growth(parent.architecture):
        child = grow(parent, growth, rng=0)
        assert (child.slots.optimizer, child.slots.step, dict(child.slots.values)) == ("sgd", 3, {})


@pytest.mark.parametrize("slot", ["m", "v"])
def test_a_slot_that_is_not_finite_is_refused(slot):
    """A growth does not carry on what a training broke."""
    parent, _ = parent_with("adam")
    values = {
        name: {
            layer: {n: np.full_like(a, np.nan if name == slot else 1.0) for n, a in arrays.items()}
            for layer, arrays in layers.items()
        }
        for name, layers in parent.slots.values.items()
    }
    broken = Network(parent.architecture, parent.weights, Slots("adam", 3, values))
    layer = Widen.sites(parent.architecture, Limits())[0]
    with pytest.raises(ValueError, match="slot: expected finite values"):
        grow(broken, layer, rng=0)
