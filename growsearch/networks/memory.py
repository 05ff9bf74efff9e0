"""The memory that a network takes on a small device: of its weights, and of its values at work.

Both follow from the architecture alone, before anything is converted or measured.
"""

from __future__ import annotations

import math
from typing import Literal

from growsearch.checks import check_choice, whole_number
from growsearch.errors import ArchitectureError
from growsearch.networks.architecture import Architecture
from growsearch.networks.layer import Shape, Weight
from growsearch.networks.node import INPUT, Node

StoredType = Literal["float32", "int8"]
STORED_TYPES: tuple[StoredType, ...] = ("float32", "int8")
_BYTES: dict[StoredType, tuple[int, int]] = {  # of a weight; of a unit beside its weights
    "float32": (4, 4),  # its bias
    "int8": (1, 28),  # a bias of 32 bits; scale and zero point, 12 bytes, of weights and bias each
}


def peak_activation_bytes(architecture: Architecture, bytes_per_value: int = 1) -> int:
    """Return the most memory that the values of one image take at any moment of a forward pass.

    The layers are computed in the order of the nodes. Input and outputs of layers are held until
    the last layer that reads them is done. Flatten, reshape and dropout pass on the memory of their
    input. Activations and norms that are layers of their own write over it, unless another layer
    reads it too. A separable convolution holds the output of its first half too.

    Weights do not count, nor does what an implementation needs beside the values, such as unfolded
    images or the tables of an interpreter.

    Parameters
    ----------
    architecture : Architecture
    bytes_per_value : int
        1 for int8, 4 for float32.

    Raises
    ------
    ArchitectureError
        When the size of a layer's output is not known, as of some layers that only Keras computes.

    Examples
    --------
    >>> architecture = Architecture.parse("3x3x8(conv1)-pool1-10(fc1)", input_shape=(28, 28, 1))
    >>> peak_activation_bytes(architecture)  # of conv1 and of the pooled images, 14 x 14
    7840
    """
    whole_number("bytes_per_value", bytes_per_value, 1)
    sizes = {name: _size(name, shape) for name, shape in architecture.shapes.items()}
    consumers, last = architecture.consumers, architecture.output.name
    given = [INPUT, *(node.name for node in architecture.nodes if not node.inputs)]
    held = {name: sizes[name] for name in given}  # by the tensor that the memory was taken for
    readers = {name: len(consumers[name]) + (name == last) for name in given}
    owner = {name: name for name in given}  # of a tensor -> that whose memory it has
    peak = sum(held.values())
    for node in architecture.nodes:
        name, layer = node.name, node.layer
        if not node.inputs:
            continue
        shapes = architecture.input_shapes(node)
        between = math.prod(inner) if (inner := layer.between(*shapes)) else 0
        before = sum(held.values())
        for each in dict.fromkeys(node.inputs):
            readers[owner[each]] -= 1
        first = owner[node.inputs[0]]
        is_over = layer.memory == "in place" and not readers[first] and held[first] == sizes[name]
        if layer.memory == "shared" or is_over:
            owner[name] = first
        else:
            owner[name] = name
            held[name], readers[name] = sizes[name], 0
        readers[owner[name]] += len(consumers[name]) + (name == last)
        both = sum(held.values())
        held = {each: size for each, size in held.items() if readers[each]}
        after = sum(held.values())
        peak = max(peak, both if not between else max(before, after) + between)
    return peak * bytes_per_value


def _size(name: str, shape: Shape) -> int:
    """Return the number of values of a tensor."""
    if 0 in shape:
        raise ArchitectureError(
            f"{name}: expected a layer whose output has a known size, got shape {shape} (0 is not "
            "known): its memory cannot be counted"
        )
    return math.prod(shape)


def stored_bytes(architecture: Architecture, stored_as: StoredType = "int8") -> int:
    """Return the size of the weights in a file of LiteRT (.tflite), in bytes.

    float32: 4 bytes a weight, and 4 for the bias of each unit. int8: 1 byte a weight; for each
    unit a bias of 4 bytes, and the scales (4 bytes) and zero points (8 bytes) of its weights and of
    its bias. Each unit has a bias in the file, and a batch norm behind a layer with weights is
    folded into them. All other arrays count as weights. The graph in the file takes 3 kB to 4 kB
    more for five layers.

    Parameters
    ----------
    architecture : Architecture
    stored_as : "int8" or "float32"

    Examples
    --------
    >>> architecture = Architecture.parse("3x3x8(conv1)-pool1-10(fc1)", input_shape=(28, 28, 1))
    >>> architecture.parameters, stored_bytes(architecture), stored_bytes(architecture, "float32")
    (15770, 16256, 63080)
    """
    check_choice("stored_as", stored_as, STORED_TYPES)
    of_weight, of_unit = _BYTES[stored_as]
    total = 0
    for node in architecture.nodes:
        arrays = architecture.weights.get(node.name, {}).values()
        if not _is_folded(architecture, node):
            total += sum(_stored(each, of_weight, of_unit) for each in arrays)
    return total


def _stored(array: Weight, of_weight: int, of_unit: int) -> int:
    """Return the bytes of an array of weights, with the biases of its units if it is a kernel."""
    if array.fill == "bias":
        return 0  # counted with the kernel
    count = math.prod(array.shape)
    units = count // array.fan_in if array.fill == "kernel" else 0
    return of_weight * count + of_unit * units


def _is_folded(architecture: Architecture, node: Node) -> bool:
    """Return whether a node is a batch norm that vanishes in the weights in front of it."""
    if not node.layer.centre or node.inputs == (INPUT,):
        return False
    before = architecture[node.inputs[0]]
    kernels = architecture.weights.get(before.name, {}).values()
    is_alone = len(architecture.consumers[before.name]) == 1
    is_linear = getattr(before.layer, "activation", "linear") == "linear"
    return is_alone and is_linear and any(each.fill == "kernel" for each in kernels)
