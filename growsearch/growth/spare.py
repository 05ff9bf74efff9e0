"""Spare units: those that can go without a change of the outputs, and the worth of the others.

Three kinds of units can go. Nothing uses a unit with zeros behind it. A constant unit, with zeros
in front of it, adds a constant to its readers, which their biases can add instead. And of units
with the same weights in front of them one is enough, if the readers get the sum of what they had.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from growsearch.growth.change import normal_inputs
from growsearch.growth.ties import Cells, Ties
from growsearch.networks import Network
from growsearch.networks.compute import compute
from growsearch.networks.reference import forward_at

Array = NDArray[Any]
Float = NDArray[np.float64]
Mask = NDArray[np.bool_]

_PROBES = 2  # random images, on which a constant unit shows its value
_CONSTANT = 1e-12  # relative spread of a constant in float64


@dataclass(frozen=True)
class Reader:
    """A layer that absorbs a layer's units: it reads the output ``source``."""

    layer: str
    source: str


def readers_of(network: Network, ties: Ties) -> tuple[Reader, ...]:
    """Return the layers that absorb the units, in the graph's order."""
    architecture = network.architecture
    return tuple(
        Reader(layer, architecture[layer].inputs[0])
        for layer, weights in architecture.weights.items()
        if any(
            rule.role == "split"
            for weight in weights.values()
            for _, rule, _ in ties.axes(architecture, layer, weight)
        )
    )


def twins(network: Network, ties: Ties) -> Cells:
    """Return the lowest cell of a segment with the same weights in front, for each cell."""
    digests = [hashlib.sha256() for segment in ties.segments for _ in segment]
    for layer in network.weights:
        for array, cells, role, _ in _slices(network, ties, layer):
            if role == "copy":
                for entry in np.argsort(cells, kind="stable"):
                    if cells[entry] >= 0:
                        digests[cells[entry]].update(array[entry].tobytes())
    found = np.arange(len(digests))
    for segment in ties.segments:
        lowest: dict[bytes, int] = {}
        for cell in segment:
            found[cell] = lowest.setdefault(digests[cell].digest(), cell)
    return found


@dataclass(frozen=True, eq=False)
class Droppable:
    """The cells that can be dropped exactly: unused, or a constant that biases can add.

    Parameters
    ----------
    may_go : bool array, one a cell
        True for those that can all go together.
    uses : bool array, shape (cells, cells)
        True where the second is computed from the first: without the second, the first may go.
    """

    may_go: Mask
    uses: Mask

    def held_back(self, goes: Mask) -> Mask:
        """Return those of the cells that go which a cell needs that stays."""
        return goes & self.uses[:, ~goes].any(axis=1)


def droppable(network: Network, ties: Ties) -> Droppable:
    """Find the cells that can be dropped exactly, from the weights alone."""
    number = ties.segments[-1].stop
    found, uses = np.ones(number, bool), np.zeros((number, number), bool)
    constant = _constant(network, ties)
    values: Mapping[str, Float] | None = None
    for reader in readers_of(network, ties):
        to_cells, elsewhere = _uses(network, ties, reader)
        may_go = ~elsewhere
        is_used = elsewhere | to_cells.any(axis=1)
        for cell in np.flatnonzero(is_used & constant[reader.source]).tolist():
            values = probes(network, ties) if values is None else values
            if _is_foldable(network, ties, reader, cell, values[reader.source]):
                may_go[cell], to_cells[cell] = True, False
        found &= may_go
        uses |= to_cells
    result = Droppable(found, uses)
    while (held := result.held_back(result.may_go)).any():
        result = Droppable(result.may_go & ~held, uses)
    return result


def probes(network: Network, ties: Ties) -> dict[str, Float]:
    """Return the readers' inputs on random images, by source."""
    return inputs_on(network, ties, normal_inputs(network, _PROBES))


def inputs_on(network: Network, ties: Ties, images: Any) -> dict[str, Float]:
    """Return the readers' inputs on images, by source."""
    sources = {reader.source for reader in readers_of(network, ties)}
    return forward_at(network, images, sources)


def energy_of(network: Network, ties: Ties, reader: Reader) -> Float:
    """Return the size of what a reader makes of each cell: the sum of its absolute weights."""
    total = np.ones(ties.segments[-1].stop)
    for array, cells, _, of in _slices(network, ties, reader.layer):
        if of == "in":
            total *= _sums(np.abs(array, dtype=np.float64), cells, len(total))
    return total


def magnitudes(network: Network, ties: Ties) -> Float:
    """Return the product of the lengths of the weights in front of each cell and behind it.

    Where the units are normalised, the norms' gamma counts in the place of the weights in front.
    """
    number = ties.segments[-1].stop
    front, gamma, behind = np.zeros(number), np.zeros(number), np.zeros(number)
    for layer, weights in network.architecture.weights.items():
        reads = any(rule.role == "split" for w in weights.values() for rule in w.axes.values())
        for name, weight in weights.items():
            array = np.square(network.weights[layer][name], dtype=np.float64)
            for axis, rule, cells in ties.axes(network.architecture, layer, weight):
                sums = _sums(np.moveaxis(array, axis, 0), cells, number)
                if rule.role == "split":
                    behind += sums
                elif weight.fill == "ones" and weight.trainable:
                    gamma += sums
                elif weight.fill == "kernel" and (rule.of == "out" or not reads):
                    front += sums
    return np.sqrt(np.where(gamma.any(), gamma, front) * behind)


def activities(network: Network, ties: Ties, inputs: Mapping[str, Float]) -> Float:
    """Return how much each cell moves its readers on images: the deviation times the weights.

    In shares of what all cells of a reader do. A mean is no loss, since biases can add it.
    """
    total = np.zeros(ties.segments[-1].stop)
    for reader in readers_of(network, ties):
        x = inputs[reader.source].reshape(-1, inputs[reader.source].shape[-1])
        moved = _sums(x.std(axis=0), ties.cells[reader.source], len(total))
        moved *= energy_of(network, ties, reader)
        total += moved / max(moved.sum(), np.finfo(np.float64).tiny)
    return total


def shift_of(network: Network, ties: Ties, reader: Reader, dropped: Mask, inputs: Float) -> Float:
    """Return what the means of dropped cells add to a reader's output, before its activation.

    Parameters
    ----------
    dropped : bool array, one a cell
    inputs : array, shape (n, *shape of the source)

    Returns
    -------
    float64 array, shape of the reader's output
    """
    cells = ties.cells[reader.source]
    goes = (cells >= 0) & dropped[cells]
    mean = inputs.reshape(-1, inputs.shape[-1]).mean(axis=0)
    x = np.broadcast_to(np.where(goes, mean, 0.0), (1, *inputs.shape[1:]))
    arrays = network.weights[reader.layer]
    weights = {n: np.asarray(a, np.float64) for n, a in arrays.items() if n != "bias"}
    layer = network.architecture[reader.layer].layer.with_activation("linear")
    added: Float = compute(layer, [x], weights)[0]
    return added


def absorber_of(network: Network, reader: Reader) -> tuple[str, str, float] | None:
    """Return the array that can add a constant to a reader's output: layer, name, its sign.

    It is the reader's bias, or the mean that a batch norm behind it subtracts; None if it has
    neither.
    """
    architecture = network.architecture
    if "bias" in network.weights[reader.layer]:
        return reader.layer, "bias", 1.0
    behind = architecture.consumers[reader.layer]
    is_linear = architecture[reader.layer].layer.activation_behind("linear") == "linear"
    if len(behind) == 1 and behind[0].layer.centre and is_linear:
        return behind[0].name, behind[0].layer.centre, -1.0
    return None


def _is_foldable(network: Network, ties: Ties, reader: Reader, cell: int, inputs: Float) -> bool:
    """Return whether a constant cell adds one constant everywhere, which an array can add too."""
    channels = inputs.reshape(-1, inputs.shape[-1])[:, ties.cells[reader.source] == cell]
    if np.ptp(channels, axis=0).max() > _CONSTANT * max(1.0, np.abs(channels).max()):
        return False
    if not channels.any():
        return True
    only = np.arange(ties.segments[-1].stop) == cell
    added = shift_of(network, ties, reader, only, inputs)
    added = added.reshape(-1, added.shape[-1])
    is_even = np.ptp(added, axis=0).max() <= _CONSTANT * np.abs(added).max()
    return bool(is_even) and absorber_of(network, reader) is not None


def _constant(network: Network, ties: Ties) -> dict[str, Mask]:
    """Return the cells that are constant at each output, since weights of theirs are zero."""
    architecture, number = network.architecture, ties.segments[-1].stop
    found: dict[str, Mask] = {}
    for node in architecture.nodes:
        if node.name not in ties.cells:
            continue
        constant = np.zeros(number, bool)
        is_producer = node.name in ties.producers
        for name, weight in architecture.weights.get(node.name, {}).items():
            if weight.fill != "kernel" and not (weight.fill == "ones" and weight.trainable):
                continue
            array = network.weights[node.name][name]
            for axis, rule, cells in ties.axes(architecture, node.name, weight):
                if rule.role == "copy" and (rule.of == "out" or not is_producer):
                    sums = _sums(np.moveaxis(np.abs(array), axis, 0), cells, number)
                    constant |= (sums == 0.0) & np.isin(np.arange(number), cells)
        if not is_producer:
            carried = np.ones(number, bool)
            for name in set(node.inputs) & ties.cells.keys():
                carried &= found[name] | ~np.isin(np.arange(number), ties.cells[name])
            constant |= carried
        found[node.name] = constant
    return found


def _uses(network: Network, ties: Ties, reader: Reader) -> tuple[Mask, Mask]:
    """Return the cells that each cell helps to compute in a reader; and those used elsewhere.

    A reader in a loop, such as ``x + f(x)``, makes units of the same cells.
    """
    number = ties.segments[-1].stop
    to_cells, elsewhere = np.zeros((number, number), bool), np.zeros(number, bool)
    for name, weight in network.architecture.weights[reader.layer].items():
        axes = {
            (rule.role, rule.of): (axis, cells)
            for axis, rule, cells in ties.axes(network.architecture, reader.layer, weight)
        }
        if ("split", "in") not in axes:
            continue
        axis, inward = axes["split", "in"]
        array = np.abs(network.weights[reader.layer][name])
        if ("copy", "out") not in axes:
            elsewhere |= _sums(np.moveaxis(array, axis, 0), inward, number) > 0.0
            continue
        behind, outward = axes["copy", "out"]
        pairs = np.moveaxis(array, (axis, behind), (0, 1))
        used: Mask = np.any(pairs.reshape(len(inward), len(outward), -1), axis=2)
        for entry in np.flatnonzero(inward >= 0):
            to_cells[inward[entry], outward[(outward >= 0) & used[entry]]] = True
            elsewhere[inward[entry]] |= bool(used[entry, outward < 0].any())
    return to_cells, elsewhere


def _slices(network: Network, ties: Ties, layer: str) -> Iterator[tuple[Array, Cells, str, str]]:
    """Yield a layer's weights with an axis of cells in front: array, cells, role, side."""
    for name, weight in network.architecture.weights[layer].items():
        for axis, rule, cells in ties.axes(network.architecture, layer, weight):
            array = np.moveaxis(network.weights[layer][name], axis, 0)
            yield array, cells, rule.role, rule.of


def _sums(array: Array, cells: Cells, number: int) -> Float:
    """Sum an array over all but its first axis, and over the entries of each cell."""
    each = array.reshape(len(array), -1).sum(axis=1, dtype=np.float64)
    weights = each[cells >= 0]
    return np.bincount(cells[cells >= 0], weights=weights, minlength=number).astype(np.float64)
