"""The block of a layer: the layer with the normalisation, activation and dropout behind it."""

from __future__ import annotations

from growsearch.networks import Architecture, Node
from growsearch.networks.layers import Activation, BatchNorm, Dropout


def block(architecture: Architecture, layer: str) -> tuple[Node, ...]:
    """The nodes of the layer's block, itself first.

    A convolution without activation, its batch norm and its ReLU are one block, as long as
    nothing else uses what is inside.
    """
    nodes = [architecture[layer]]
    while True:
        consumers = architecture.consumers[nodes[-1].name]
        if len(consumers) != 1 or not isinstance(
            consumers[0].layer, BatchNorm | Activation | Dropout
        ):
            return tuple(nodes)
        nodes.append(consumers[0])


def block_end(architecture: Architecture, layer: str) -> Node:
    """The last node of the layer's block, behind which a new layer belongs."""
    return block(architecture, layer)[-1]


def block_activation(architecture: Architecture, layer: str) -> str:
    """The name of the activation that the block's output has passed last; dropout passes on."""
    first, *behind = block(architecture, layer)
    activation = getattr(first.layer, "activation", "linear")
    for node in behind:
        if isinstance(node.layer, BatchNorm):
            activation = node.layer.activation
        elif isinstance(node.layer, Activation):
            activation = node.layer.function
    return str(activation)


def block_norm(architecture: Architecture, layer: str) -> BatchNorm | None:
    """The block's last batch norm, or None if the block is not normalised."""
    norms = [n.layer for n in block(architecture, layer) if isinstance(n.layer, BatchNorm)]
    return norms[-1] if norms else None
