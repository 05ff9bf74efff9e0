"""The laws of the zoo: there and back, and grown by every kind of growth."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

import growsearch as gs
from growsearch.growth import GROWTHS, Limits
from growsearch.networks import Network
from growsearch.training.slim.backend import tf

keras = tf.keras
WHOLE = ("widen_all", "deepen_all")  # of a whole network: it is large enough after one
EACH = 3  # growths of every other kind
LIMITS = Limits(width=4096, kernel=7)
# Of the growth that widens all layers at once: behind layer norms it doubles them, and three
# doublings of ConvNeXt up to the width above have a billion parameters.
DOUBLED = replace(LIMITS, width=1536)


def at_work(model: Any) -> Any:
    """Return the model with weights as after training: no bias zero, no statistics at their start.

    Kernels keep the variance of what passes, so that no output is rounding alone.
    """
    rng = np.random.default_rng(0)
    for variable in model.weights:
        value = np.asarray(variable.numpy())
        if not np.issubdtype(value.dtype, np.floating):
            continue
        name = variable.name
        if "variance" in name:
            value = rng.uniform(0.5, 1.5, value.shape)
        elif value.ndim == 1:
            value = value + 0.1 * rng.normal(size=value.shape)
        variable.assign(value.astype(variable.dtype))
    for layer in model._flatten_layers():
        if hasattr(layer, "finalize_state"):
            layer.finalize_state()  # a Normalization's statistics follow its weights
    return model


def inputs_of(model: Any, count: int = 2) -> list[Any]:
    """Return random inputs, one for each of the model's."""
    rng = np.random.default_rng(1)
    return [rng.random((count, *each.shape[1:])).astype("f4") for each in model.inputs]


def outputs_of(model: Any) -> list[Any]:
    """Return the model's outputs in evaluation mode on its random inputs."""
    given = inputs_of(model)
    found = model(given[0] if len(given) == 1 else given, training=False)
    return [np.asarray(each, np.float64) for each in keras.tree.flatten(found)]


def difference(one: list[Any], other: list[Any]) -> float:
    """Return max |Δ| over all outputs, relative to the largest of each."""
    return max(
        float(np.max(np.abs(a - b)) / np.max(np.abs(a))) for a, b in zip(one, other, strict=True)
    )


def grown_by_sites(network: Network, each: int) -> tuple[Network, dict[str, int]]:
    """Return the network after ``each`` growths of every kind with sites, and their numbers."""
    rng = np.random.default_rng(2)
    done = {}
    for operation in [name for name in GROWTHS if name not in WHOLE]:
        done[operation] = 0
        for _ in range(each):
            limits = DOUBLED if operation == "widen_deepen" else LIMITS
            legal = GROWTHS[operation].sites(network.architecture, limits)
            if not legal:
                break
            network = gs.grow(network, legal[rng.integers(len(legal))], rng=rng)
            done[operation] += 1
    return network, done


def grown_whole(network: Network) -> list[Network]:
    """Return the networks of the growths that change every layer."""
    every = [GROWTHS[name].sites(network.architecture, LIMITS) for name in WHOLE]
    return [gs.grow(network, sites[0], rng=3) for sites in every if sites]
