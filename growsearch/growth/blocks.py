"""The block of a layer: the layer with the normalisation, activation and dropout behind it."""

from __future__ import annotations

from dataclasses import dataclass

from growsearch.networks import Architecture, Node
from growsearch.networks.activations import ACTIVATIONS
from growsearch.networks.layer import Layer


@dataclass(frozen=True)
class Block:
    """A layer with the norm, activation and dropout behind it, up to an output with two readers.

    Parameters
    ----------
    nodes : tuple of Node
        The layer first. A convolution without activation, its norm and its ReLU are one block.
    activation : str
        The activation that the block's output has passed last; dropout passes it on.
    is_activated : bool
        Whether the activation is the last step; a layer norm behind it moves its values again.
    norm : Layer or None
        The block's last norm.
    """

    nodes: tuple[Node, ...]
    activation: str
    is_activated: bool
    norm: Layer | None

    @property
    def end(self) -> Node:
        """The last node, behind which a new layer belongs."""
        return self.nodes[-1]

    def is_kept_by(self, activation: str) -> bool:
        """Return whether the activation, applied to the block's output, changes nothing."""
        if activation == "linear":
            return True
        is_last = self.is_activated and activation == self.activation
        return is_last and ACTIVATIONS[activation].idempotent


def block_of(architecture: Architecture, layer: str) -> Block:
    """Return the block of a layer."""
    nodes = [architecture[layer]]
    passed = nodes[0].layer.activation_behind("linear")
    activation, norm = passed or "linear", None
    while True:
        consumers = architecture.consumers[nodes[-1].name]
        if len(consumers) != 1 or not consumers[0].layer.in_block:
            return Block(tuple(nodes), activation, passed is not None, norm)
        nodes.append(consumers[0])
        behind = consumers[0].layer
        passed = behind.activation_behind(passed)
        activation = passed or activation
        norm = behind if behind.is_norm else norm


def block_end(architecture: Architecture, layer: str) -> Node:
    """Return the last node of the layer's block, behind which a new layer belongs."""
    return block_of(architecture, layer).end
