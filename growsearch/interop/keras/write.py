"""Keras models out: a model of a network, with its names and weights."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from growsearch.errors import ArchitectureError, InvalidInputError
from growsearch.interop.keras import attributes, opaque
from growsearch.interop.keras.activations import keras_activation
from growsearch.interop.keras.conversions import WRITERS, arrays_of, class_of
from growsearch.networks import INPUT, Architecture, Network, Node
from growsearch.networks.layer import Layer, Shape
from growsearch.networks.layers import KerasEnds, KerasInput, KerasLayer, KerasOutput
from growsearch.quiet import quiet

_BATCH = 32


def to_keras(
    network: Network,
    *,
    dtype: str | None = None,
    custom_objects: Mapping[str, Any] | None = None,
) -> Any:
    """Return a functional Keras model, not compiled, with the network's names and weights.

    Parameters
    ----------
    network : Network
    dtype : str, optional
        Precision of every layer; by default the one that it was read with, else float32.
    custom_objects : mapping, optional
        Own classes and functions, by name, that the network's layers are made of.

    Raises
    ------
    ArchitectureError
        Names the layer that Keras cannot make, and why.
    """
    with quiet():
        import keras

    architecture = network.architecture
    written = tensors_of(network, dtype, custom_objects)
    ends = architecture.output
    inputs = [written[INPUT][0], *(written[node.name][0] for node in further_inputs(architecture))]
    if not isinstance(ends.layer, KerasEnds):
        given = inputs[0] if len(inputs) == 1 else inputs
        return keras.Model(given, written[ends.name][0])
    outputs = [written[name][0] for name in ends.inputs]
    return keras.Model(
        opaque.filled(ends.layer.taken["structure"], inputs),
        opaque.filled(ends.layer.given, outputs),
    )


def forward(network: Network, images: Any, *, at: str | None = None) -> NDArray[np.float64]:
    """Return the output of a network, or of the layer ``at``, computed by Keras in float64.

    Parameters
    ----------
    network : Network
    images : array, shape (n, *input_shape), or a list of one for each input
    at : str, optional
    """
    with quiet():
        import keras

    architecture = network.architecture
    every = [INPUT, *(node.name for node in further_inputs(architecture))]
    given = list(images) if len(every) > 1 and isinstance(images, list | tuple) else [images]
    if len(given) != len(every):
        raise InvalidInputError(f"images: expected a list of {len(every)} arrays, one an input")
    given = [np.asarray(each) for each in given]
    if given[0].shape[1:] != architecture.input_shape:
        raise InvalidInputError(
            f"images: expected shape (n, {', '.join(map(str, architecture.input_shape))}), "
            f"got {given[0].shape}"
        )
    output = architecture.output
    if at is None and isinstance(output.layer, KerasEnds):
        if len(output.inputs) > 1:
            raise InvalidInputError(
                f"forward: expected a network with one output, got {len(output.inputs)}: call the "
                "model that to_keras() gives"
            )
        at = output.inputs[0]
    written = tensors_of(network, "float64", None)
    model = keras.Model([written[name][0] for name in every], written[at or output.name][0])
    parts = [
        np.asarray(model([each[i : i + _BATCH] for each in given], training=False), np.float64)
        for i in range(0, max(len(given[0]), 1), _BATCH)
    ]
    return np.concatenate(parts)


def further_inputs(architecture: Architecture) -> list[Node]:
    """Return the nodes that are inputs beside "input"."""
    return [node for node in architecture.nodes if isinstance(node.layer, KerasInput)]


def tensors_of(
    network: Network, dtype: str | None, custom_objects: Mapping[str, Any] | None
) -> dict[str, list[Any]]:
    """Return Keras' symbolic tensors of each node, by its name."""
    import keras

    architecture = network.architecture
    ends = architecture.output.layer
    named = ends.taken["tensors"] if isinstance(ends, KerasEnds) else []
    names = [INPUT, *(node.name for node in further_inputs(architecture))]
    about = dict(zip(names, named, strict=False))

    def entrance(name: str, shape: Sequence[int]) -> Any:
        told = about.get(name, {})
        kind = str(told.get("dtype", "float32"))
        if dtype is not None and "float" in kind:
            kind = dtype
        sizes = tuple(size or None for size in shape)
        return keras.Input(sizes, name=str(told.get("name", name)), dtype=kind)

    written: dict[str, list[Any]] = {INPUT: [entrance(INPUT, architecture.input_shape)]}
    made: dict[str, Any] = {}
    policies, titles = _policies(architecture), _titles(architecture)
    for node in architecture.nodes:
        inputs = [written[name][0] for name in node.inputs]
        layer = node.layer
        if isinstance(layer, KerasInput):
            written[node.name] = [entrance(node.name, layer.known_shape)]
        elif isinstance(layer, KerasOutput):
            several = written[node.inputs[0]]
            if layer.number >= len(several):
                raise ArchitectureError(
                    f"{node.name}: expected a number below {len(several)}, got {layer.number}"
                )
            written[node.name] = [several[layer.number]]
        elif isinstance(layer, KerasEnds):
            written[node.name] = inputs
        elif isinstance(layer, KerasLayer):
            written[node.name] = _opaque(
                *(network, node, layer, titles[node.name], inputs, made, custom_objects, dtype)
            )
        else:
            policy = dtype or policies[node.name]
            written[node.name] = [
                _native(network, node, titles[node.name], inputs, custom_objects, policy)
            ]
    return written


def _opaque(
    network: Network,
    node: Node,
    layer: KerasLayer,
    name: str,
    inputs: list[Any],
    made: dict[str, Any],
    custom_objects: Mapping[str, Any] | None,
    dtype: str | None,
) -> list[Any]:
    if layer.of:
        if layer.of not in made:
            raise ArchitectureError(f"{node.name}: expected the layer {layer.of!r} before it")
        return opaque.called(made[layer.of], layer, inputs)
    made[node.name] = opaque.made(layer.configuration, name, custom_objects, dtype)
    outputs = opaque.called(made[node.name], layer, inputs)
    arrays = network.weights.get(node.name, {})
    if arrays:
        opaque.set_arrays(made[node.name], list(arrays.values()))
    return outputs


def _native(
    network: Network,
    node: Node,
    name: str,
    inputs: list[Any],
    custom_objects: Mapping[str, Any] | None,
    dtype: str,
) -> Any:
    import keras

    about = attributes.parsed(node.attributes, node.name)
    options = attributes.options_of(about, node.name, custom_objects)
    shapes = network.architecture.input_shapes(node)
    layer, behind = write_layer(node.layer, name, *shapes[:1], dtype=dtype, **options)
    context = {"training": about["training"]} if "training" in about else {}
    if not isinstance(layer, keras.layers.Rescaling):  # which casts whole numbers itself
        inputs = [
            each if "float" in each.dtype else keras.ops.cast(each, layer.compute_dtype)
            for each in inputs
        ]
    output = layer(inputs[0] if len(inputs) == 1 else inputs, **context)
    if behind != "linear":
        name = network.architecture.new_name(f"{node.name}_activation").replace("/", ".")
        function = keras_activation(behind)
        output = keras.layers.Activation(function, name=name, dtype=dtype)(output)
    if node.name in network.weights:
        arrays = {name: np.asarray(array) for name, array in network.weights[node.name].items()}
        own = arrays_of(layer)
        if own is None:
            layer.set_weights(list(arrays.values()))
        else:
            own[1](layer, arrays)
    if not about.get("trainable", True):
        layer.trainable = False
    return output


def write_layer(layer: Layer, name: str, shape: Shape = (), **options: Any) -> tuple[Any, str]:
    """Return the Keras layer of one of ours, and the activation that is a layer behind it.

    ``shape`` is that of its first input.
    """
    writer = WRITERS.get(type(layer))
    if writer is None:
        raise ArchitectureError(f"{name}: Keras has no layer for {type(layer).__name__}")
    written = writer(layer)
    fitted = written.fitted(shape) if written.fitted is not None else {}
    arguments = {**written.options, **fitted, **options}
    behind = getattr(layer, "activation", "linear")
    if "activation" in arguments or written.has_activation:
        behind = "linear"
    if "activation" in arguments:
        arguments["activation"] = keras_activation(arguments["activation"])
    kind = written.of if isinstance(written.of, str) else written.of(shape)
    make = class_of(kind)
    if make is None:
        raise ArchitectureError(f"{name}: this version of Keras has no {kind}")
    if _takes_data_format(make):
        arguments["data_format"] = "channels_last"  # whatever the user's configuration says
    return make(name=name, **arguments), behind


@cache
def _takes_data_format(make: Any) -> bool:
    return "data_format" in inspect.signature(make.__init__).parameters


def _policies(architecture: Architecture) -> dict[str, str]:
    """Return the precision of each node: its own, else that of the layer in front of it."""
    policies = {INPUT: "float32"}
    every = [attributes.parsed(node.attributes, node.name) for node in architecture.nodes]
    has_policies = any("dtype" in about for about in every)
    for node, about in zip(architecture.nodes, every, strict=True):
        before = policies[node.inputs[0]] if node.inputs and has_policies else "float32"
        policies[node.name] = about.get("dtype", before)
    return policies


def _titles(architecture: Architecture) -> dict[str, str]:
    """Return the name that Keras has for each node's layer: the node's, unless it had another."""
    titles: dict[str, str] = {}
    taken = set(architecture.shapes)
    for node in architecture.nodes:
        name = attributes.parsed(node.attributes, node.name).get("name", node.name)
        titles[node.name] = node.name if name in taken or "/" in name else name
        taken.add(titles[node.name])
    return {name: title.replace("/", ".") for name, title in titles.items()}
