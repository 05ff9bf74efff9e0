"""A network's arrays through a flow of units: weights, and the optimizer's slots with them.

Slots are tagged by their degree in the gradient; ``growsearch.net2net.slots`` defines those of old
weights. New weights have never had a gradient. Their slots of degree 1, the direction of the step,
start at zero. Those of degree 2, by which Adam divides, start at the mean of the slots around
them. From zero, with the step count carried and no bias correction left, Adam's first steps for
them would be six times too long (the measured dip is in benchmarks/README.md).

Such a step is still too long for the new weights of one unit together. The gradients of trained
weights cancel. Those of new weights agree for some updates, so the steps of an identity layer's 288
inputs a unit add up. ``carry-rescaled`` multiplies the v of new weights by the number of inputs of
their unit: the root of the sum of squares of their steps is then the step of one weight. As this v
decays, their own gradients decide.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from growsearch.checks import check_memory
from growsearch.growth.flow import Flow
from growsearch.growth.growth import RANDOM_BIAS, RANDOM_STD, Setting
from growsearch.net2net import Units
from growsearch.net2net.arrays import (
    add_noise,
    copy_axis,
    incoming_axis,
    normal,
    redrawn,
    split_axis,
    split_axis_unevenly,
)
from growsearch.net2net.slots import incoming_slot, old_slot, outgoing_slot
from growsearch.net2net.units import Extra
from growsearch.networks import Architecture, Network, Slots
from growsearch.networks.arrays import handed_over
from growsearch.networks.layer import Axis, Weight
from growsearch.networks.optimizers import OPTIMIZERS

Array = NDArray[Any]
Change = Callable[[str, str, Array], Array]  # (layer, weight, old array) -> new array


def replicate(
    network: Network,
    flow: Flow,
    setting: Setting,
    *,
    noise: float = 0.0,
    zero_sum: float = 0.0,
    is_new: bool = False,
    new: Mapping[str, Mapping[str, Array]] | None = None,
    beside: str = "",
) -> Network:
    """Return the network on the flow's wider architecture.

    ``noise`` is added to new copies' kernels, and ``zero_sum`` is that of the weights that consume
    the copies; with ``is_new`` the extra units are no copies, and their kernels are random;
    ``new`` are the weights of new layers, which stand ``beside`` an old one.
    """
    old = network.architecture

    def through(layer: str, name: str) -> tuple[Weight, dict[int, tuple[Axis, Units]]]:
        weight = old.weights[layer][name]
        touched = {}
        for axis, rule in weight.axes.items():
            if rule.of == "out" and layer == flow.appended:
                continue  # only its consumers see the units appended to it
            source = layer if rule.of == "out" else old[layer].inputs[0]
            if (units := flow.units.get(source)) is not None:
                touched[axis] = (rule, _on_axis(units, rule))
        return weight, touched

    def grow_weight(layer: str, name: str, array: Array) -> Array:
        weight, touched = through(layer, name)
        if not touched:
            return array
        if setting.fill == "random":
            shape = flow.architecture.weights[layer][name].shape
            return _embed(array, fresh(weight, shape, array.dtype, setting.rng), touched)
        for axis, (rule, units) in touched.items():
            if rule.role == "copy" and rule.of == "out":
                array = incoming_axis(array, units, axis)
            elif rule.role == "copy":
                array = _beside(array, units, axis, weight, old[layer].layer.factor(name, units))
            elif zero_sum > 0.0 and units.extra == "copies":
                array = split_axis_unevenly(array, units, axis, noise=zero_sum, rng=setting.rng)
            else:
                array = split_axis(array, units, axis)
                if units.extra == "zero":  # whatever consumes zeros changes nothing, and can learn
                    array = redrawn(array, units, axis, rng=setting.rng)
            if weight.fill == "kernel" and rule == Axis("copy", "out"):
                if is_new:
                    array = redrawn(array, units, axis, rng=setting.rng)
                array = add_noise(array, units, axis, noise=noise, rng=setting.rng)
        return array

    def grow_slot(layer: str, name: str, array: Array, degree: int, optimizer: str) -> Array:
        _, touched = through(layer, name)
        if not touched:
            return array
        spec = flow.architecture.weights[layer][name]
        if setting.fill == "random":
            usual = unlearnt(array, degree, spec, setting)
            return _embed(array, np.full(spec.shape, usual, array.dtype), touched)
        for axis, (rule, units) in touched.items():
            if setting.slots == "carry-old":
                array = old_slot(array, units, axis, degree=degree)
            elif rule.role == "copy":
                array = incoming_slot(array, units, axis, degree=degree)
            else:
                array = outgoing_slot(
                    array,
                    units,
                    axis,
                    degree=degree,
                    treatment="carry-rescaled" if setting.slots == "carry-rescaled" else "carry",
                    adaptive=OPTIMIZERS[optimizer].adaptive,
                    inputs=max(spec.fan_in, 1),
                )
            if (factor := old[layer].layer.factor(name, units)) != 1.0 and rule.of == "in":
                array = (array / factor**degree).astype(array.dtype)
        return array

    return rebuild(network, flow.architecture, grow_weight, grow_slot, setting, new, beside)


def rebuild(
    network: Network,
    architecture: Architecture,
    change: Change,
    change_slot: Callable[[str, str, Array, int, str], Array],
    setting: Setting,
    new: Mapping[str, Mapping[str, Array]] | None = None,
    beside: str = "",
) -> Network:
    """Return a network with old arrays changed, new layers' arrays added, and its slots likewise.

    Parameters
    ----------
    change, change_slot : callable
        Old array -> new array, for the weights and slots of the old network's layers.
    new : mapping
        Weights of the layers that the old network does not have.
    beside : str
        The old layer from whose slots those of new layers start.
    """
    new = new or {}
    old = None if setting.slots == "reset" else network.slots
    carried = 0 if old is None else len(old.values)
    every = (array for arrays in network.weights.values() for array in arrays.values())
    size = max((array.itemsize for array in every), default=0)
    check_memory(
        f"a network of {architecture.parameters:,} parameters",
        architecture.parameters * size * (1 + carried),
    )
    weights = {
        layer: {name: handed_over(change(layer, name, array)) for name, array in arrays.items()}
        for layer, arrays in network.weights.items()
    }
    weights.update({layer: dict(arrays) for layer, arrays in new.items()})
    if old is None:
        return Network(architecture, weights, class_names=network.class_names)
    values = {}
    for slot, layers in old.values.items():
        degree = old.degrees[slot]
        values[slot] = {
            layer: {
                n: handed_over(change_slot(layer, n, a, degree, old.optimizer))
                for n, a in arrays.items()
            }
            for layer, arrays in layers.items()
        }
        for layer, arrays in new.items():
            specs = architecture.weights[layer]
            values[slot][layer] = {
                n: np.full_like(a, unlearnt(_usual(layers, beside, n), degree, specs[n], setting))
                for n, a in arrays.items()
                if specs[n].trainable
            }
    slots = Slots(old.optimizer, old.step, values)
    return Network(architecture, weights, slots, network.class_names)


def insert(
    network: Network,
    architecture: Architecture,
    new: Mapping[str, Mapping[str, Array]],
    setting: Setting,
    *,
    beside: str,
) -> Network:
    """Return the network with ``new`` layers' weights added and all others as they are."""
    return rebuild(
        network,
        architecture,
        lambda _layer, _name, array: array,
        lambda _layer, _name, array, _degree, _optimizer: array,
        setting,
        new,
        beside,
    )


def unlearnt(around: Array, degree: int, weight: Weight, setting: Setting) -> float:
    """Return the first value of a slot for new weights, from the slots around them."""
    if degree != 2 or not around.size:
        return 0.0
    # The random baseline has to learn first: its steps are not shortened.
    is_held = setting.slots == "carry-rescaled" and setting.fill == "net2net"
    return float(around.mean()) * (max(weight.fan_in, 1) if is_held else 1)


def _usual(slots: Mapping[str, Mapping[str, Array]], beside: str, name: str) -> Array:
    """Return the slots around a new weight: of the same weight of the layer beside, or of any."""
    here = slots.get(beside, {})
    if name in here:
        return here[name]
    same = [arrays[name].ravel() for arrays in slots.values() if name in arrays]
    return np.concatenate(same or [array.ravel() for array in here.values()] or [np.zeros(0)])


def fresh(
    weight: Weight, shape: tuple[int, ...], dtype: np.dtype[Any], rng: np.random.Generator
) -> Array:
    """Draw new values as the baselines of the original experiments do."""
    if weight.fill == "kernel":
        return normal(shape, dtype, std=RANDOM_STD, rng=rng)
    value = {"bias": RANDOM_BIAS, "ones": 1.0, "zeros": 0.0}[weight.fill]
    return np.full(shape, value, dtype)


def dtype_of(network: Network, layer: str) -> np.dtype[Any]:
    """Return the dtype of a layer's weights; of any layer's, where it has none."""
    arrays = network.weights.get(layer) or next(iter(network.weights.values()))
    return next(iter(arrays.values())).dtype


def _on_axis(units: Units, rule: Axis) -> Units:
    """Return the units of one axis of a weight."""
    block = units.block(rule.groups)
    if block is None:  # the flow has checked it
        raise AssertionError(f"units do not stand in {rule.groups} alike groups")
    return block.expand(after=rule.repeat)


def _beside(array: Array, units: Units, axis: int, weight: Weight, factor: float) -> Array:
    """Return the weights of the input's own units, as of norms: extra ones leave zeros at 0."""
    if units.extra == "copies":
        return copy_axis(array, units, axis)
    scaled = (array.astype(np.float64) * factor).astype(array.dtype)
    kept: Mapping[str, Extra] = {"zeros": "zero", "ones": "mean"}
    return incoming_axis(scaled, units.with_extra(kept.get(weight.fill, "copies")), axis)


def _embed(array: Array, into: Array, touched: Mapping[int, tuple[Axis, Units]]) -> Array:
    """Return ``into`` with ``array`` at the places of the old units."""
    places = [np.arange(size) for size in array.shape]
    for axis, (_, units) in touched.items():
        places[axis] = np.flatnonzero(~units.is_new)[np.argsort(units.source[~units.is_new])]
    into[np.ix_(*places)] = array
    return into
