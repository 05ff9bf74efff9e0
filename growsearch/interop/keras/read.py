"""Keras models in: a network from a model that was built and trained elsewhere."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from growsearch.errors import ArchitectureError
from growsearch.interop.keras import attributes, opaque
from growsearch.interop.keras.files import load
from growsearch.interop.keras.graph import Graph, Step, graph_of
from growsearch.interop.keras.native import arrays_in, native
from growsearch.interop.keras.verify import verify
from growsearch.networks import INPUT, Architecture, Network, Node
from growsearch.networks.layers import KerasEnds, KerasInput, KerasLayer, KerasOutput
from growsearch.networks.node import is_name


def from_keras(model: Any, *, custom_objects: Mapping[str, Any] | None = None) -> Network:
    """Return a network with the architecture and weights of a Keras 3 model, which stays as it is.

    Layers that are not ours, shared layers and those with several inputs or outputs are kept as
    they are: growths pass by them, and ``to_keras`` gives them back (docs/keras.md).

    Parameters
    ----------
    model : keras.Model, str or Path
        Sequential or functional, also with models in it; or the file of one: ``.keras``, ``.h5``.
        A file is untrusted: no code of it is run.
    custom_objects : mapping, optional
        The classes and functions of your own, by name, that a file's model is made of.

    Returns
    -------
    Network
        With the model's layer names; the input's is always "input". Outputs of the network and of
        the model have been compared on random inputs. A softmax at its end stays in the
        architecture; training and logits are computed without it. Regularizers, constraints,
        precision and frozen layers, which concern Keras alone, come back with ``to_keras``.

    Raises
    ------
    ArchitectureError
        Names every layer that cannot be kept, and why.

    Examples
    --------
    >>> grown = grow(from_keras(model), Widen("conv1", 64), rng=0)      # doctest: +SKIP
    >>> grown.to_keras().compile("adam", "sparse_categorical_crossentropy")  # doctest: +SKIP
    """
    if not isinstance(model, str | Path):
        return _read(model, custom_objects)
    loaded = load(Path(model), custom_objects)
    try:
        return _read(loaded, custom_objects)
    except ArchitectureError as error:
        raise ArchitectureError(f"{model}: {str(error).removeprefix('model: ')}") from None


def _read(model: Any, custom_objects: Mapping[str, Any] | None) -> Network:
    graph = graph_of(model)
    network = _network(graph)
    verify(model, graph, network, custom_objects)
    return network


def _network(graph: Graph) -> Network:
    shapes = {name: tuple(tensor.shape[1:]) for name, tensor in graph.inputs}
    for name, shape in shapes.items():
        if None in shape:
            raise ArchitectureError(
                f"model: expected inputs of known size, got {shape} for {name}: give it "
                "keras.Input of the size that your images have"
            )
    (first, _), *further = graph.inputs
    nodes = [
        Node(name, KerasInput(json.dumps(opaque.known(tensor.shape[1:]))), ())
        for name, tensor in further
    ]
    refused: list[str] = []
    has_policies = any(attributes.dtype_of(s.operation) != "float32" for s in graph.steps)
    for step in graph.steps:
        try:
            nodes.append(_node(step, with_dtype=has_policies))
        except ValueError as error:
            refused.append(f"{step.operation.name}: {error}")
        nodes += [
            Node(item, KerasOutput(json.dumps(opaque.known(step.outputs[n].shape[1:])), n), (of,))
            for item, (of, n) in graph.items.items()
            if of == step.name
        ]
    if refused:
        raise ArchitectureError(
            f"model: {len(refused)} layer{'s' * (len(refused) > 1)} cannot be kept: "
            f"{'; '.join(refused)}"
        )
    used = {name for node in nodes for name in node.inputs} | set(graph.outputs)
    nodes = [node for node in nodes if node.name in used]
    ends = _ends(graph)
    if ends is not None:
        nodes.append(Node(_ends_name(nodes), ends, graph.outputs))
    elif nodes and nodes[-1].name != graph.outputs[0]:
        nodes.sort(key=lambda node: node.name == graph.outputs[0])  # the rest in order
    architecture = Architecture(shapes[first], tuple(nodes))
    weights = {}
    for step in graph.steps:
        if step.name in architecture.weights:
            is_opaque = isinstance(architecture[step.name].layer, KerasLayer)
            arrays = (opaque.arrays_of if is_opaque else arrays_in)(step.operation)
            weights[step.name] = dict(zip(architecture.weights[step.name], arrays, strict=True))
    return Network(architecture, weights)


def _node(step: Step, *, with_dtype: bool) -> Node:
    """Return a call's node: one of ours, else Keras' own as it is.

    Raises
    ------
    ValueError
        When Keras could not make the layer again.
    """
    try:
        layer = native(step)
        about = attributes.attributes_of(step, with_dtype=with_dtype)
        return Node(step.name, layer, step.inputs, about)
    except (ValueError, TypeError):
        name = step.operation.name
        about = "" if is_name(name) else json.dumps({"name": name})
        return Node(step.name, opaque.keep(step), step.inputs, about)


def _ends(graph: Graph) -> KerasEnds | None:
    """Return the node of the ends; None where they are one float32 tensor each, without a name."""
    dtypes = {tensor.dtype for _, tensor in graph.inputs}
    if dtypes == {"float32"} and _is_one(graph.takes) and _is_one(graph.gives):
        return None
    tensors = [{"name": tensor.name, "dtype": str(tensor.dtype)} for _, tensor in graph.inputs]
    takes = {"structure": opaque.numbered(graph.takes), "tensors": tensors}
    return KerasEnds(json.dumps(takes), json.dumps(opaque.numbered(graph.gives)))


def _is_one(structure: Any) -> bool:
    """Return whether a structure is a tensor, or a list of one."""
    if isinstance(structure, list | tuple):
        return len(structure) == 1 and _is_one(structure[0])
    return not isinstance(structure, dict)


def _ends_name(nodes: list[Node]) -> str:
    taken, name = {INPUT, *(node.name for node in nodes)}, "outputs"
    while name in taken:
        name += "_"
    return name
