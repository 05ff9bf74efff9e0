"""Net2Deeper: a new layer behind a layer, which at first changes no output."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from growsearch.errors import InvalidInputError, NotExactError
from growsearch.growth.blocks import block_end, block_of
from growsearch.growth.edit import Edit
from growsearch.growth.growth import Growth, Limits, Setting
from growsearch.growth.replicate import dtype_of, fresh, insert
from growsearch.net2net import deeper
from growsearch.net2net.norm import LARGEST_DEVIATION
from growsearch.networks import Architecture, Network, Node
from growsearch.networks.layer import Layer
from growsearch.networks.layers.fitting import JOINS, NORM
from growsearch.networks.reference import forward

Array = NDArray[Any]

# Of 1, 2, 4, 8 and 16 the least at which a trained network does not fall at a rate of .4 with
# Nesterov momentum.
_SCALE = 4.0


@dataclass(frozen=True)
class Deepen(Growth):
    """Put a new layer of the same type and width behind the block of ``layer``.

    The block is the layer with its norm and activation. Behind ReLU, or no activation, the new
    layer is an identity (Chen et al., arXiv:1511.05641, section 2.3). Behind any other activation
    an identity is not exact: there it is a residual branch ``x + g(f(x))`` whose last layer g
    starts at zero, exact for every activation.

    Where the block is normalised, so is the new layer. A batch norm undoes its own statistics:
    ``gamma = sqrt(variance + epsilon)`` and ``beta = mean``, measured on a batch, are exact in
    evaluation mode. Its layer is 4 times the identity, since its scale changes no output but the
    pace: an update turns a kernel with entries of 1 further than a trained one, and at a high rate
    the accuracy falls (benchmarks/README.md).

    A layer norm takes its statistics from each image and is never the identity, so there too f,
    its norm and its activation stand in a residual branch.

    Parameters
    ----------
    layer : str
        A dense layer or convolution, not the output.
    batch_norm : bool or None
        True: a batch norm normalises the new layer. False: no norm does. None: a norm like the
        block's does, or none if the block has none.
    """

    layer: str
    batch_norm: bool | None = None

    operation: ClassVar[str] = "deepen"

    def __post_init__(self) -> None:
        if not isinstance(self.batch_norm, bool | None):
            raise InvalidInputError(
                f"batch_norm: expected true, false or none, got {self.batch_norm!r}"
            )

    @classmethod
    def sites(cls, architecture: Architecture, limits: Limits) -> tuple[Self, ...]:
        every = (cls(node.name) for node in architecture.nodes if _can_deepen(node, architecture))
        return tuple(site for site in every if limits.allow_edit(site.edit(architecture)))

    def grown(self, architecture: Architecture) -> Architecture:
        return self.edit(architecture).after

    def edit(self, architecture: Architecture) -> Edit:
        """Return the edit of the graph; raise what :meth:`grown` raises."""
        node = architecture[self.layer]
        if not _can_deepen(node, architecture):
            is_output = block_end(architecture, self.layer) is architecture.output
            what = "the output layer" if is_output else node.layer.kind
            raise NotExactError(
                f"{self.layer}: expected a dense layer or convolution before the output "
                f"to deepen, got {what}"
            )
        end = block_end(architecture, self.layer).name
        first, last = self._nodes(architecture)
        return Edit(architecture, nodes=(*first, *last), behind=end)

    def apply(self, network: Network, setting: Setting) -> Network:
        architecture = self.grown(network.architecture)
        first, last = self._nodes(network.architecture)
        dtype = dtype_of(network, self.layer)
        new: dict[str, Mapping[str, Array]] = {}
        for node in (*first, *last):
            new[node.name] = {
                name: fresh(weight, weight.shape, dtype, setting.rng)
                for name, weight in architecture.weights.get(node.name, {}).items()
            }
        if setting.fill == "net2net" and last:
            zeroed = last[0].name
            new[zeroed] = {name: np.zeros_like(array) for name, array in new[zeroed].items()}
        elif setting.fill == "net2net":
            new.update(self._identity(network, first, new, setting))
        new = {name: arrays for name, arrays in new.items() if arrays}
        return insert(network, architecture, new, setting, beside=self.layer)

    @property
    def place(self) -> str:
        return self.layer

    def sizes(self, architecture: Architecture) -> tuple[str, str]:
        after = self.edit(architecture).producers
        return f"{architecture.producers} layers", f"{after} layers"

    def _nodes(self, architecture: Architecture) -> tuple[list[Node], list[Node]]:
        """Return the new nodes: an identity and nothing else, or a branch and what closes it."""
        block, layer = block_of(architecture, self.layer), architecture[self.layer].layer
        norm = block.norm
        if self.batch_norm is False:
            norm = None
        elif self.batch_norm and (norm is None or not norm.has_identity):
            norm = NORM
        name = architecture.new_name(f"{self.layer}_deep")
        if norm is None:
            first = [Node(name, _follower(layer, block.activation), (block.end.name,))]
        else:
            first = [Node(name, _follower(layer, "linear", use_bias=False), (block.end.name,))]
            for ending, behind in norm.norm_like(layer.width, block.activation).items():
                normalized = architecture.new_name(f"{name}_{ending}")
                first.append(Node(normalized, behind, (first[-1].name,)))
        can_be_identity = norm is None or norm.has_identity
        if can_be_identity and block.is_kept_by(block.activation):
            return first, []
        zeroed, closed = (architecture.new_name(f"{name}_{role}") for role in ("out", "add"))
        zero = Node(zeroed, _follower(layer, "linear"), (first[-1].name,))
        return first, [zero, Node(closed, JOINS["sum"], (block.end.name, zeroed))]

    def _identity(
        self,
        network: Network,
        first: list[Node],
        random: Mapping[str, Mapping[str, Array]],
        setting: Setting,
    ) -> dict[str, Mapping[str, Array]]:
        """Return weights with which the new layer, and its batch norm, are the identity."""
        new, *norms = first
        kernel, bias = deeper(random[new.name]["kernel"])
        weights: dict[str, Mapping[str, Array]] = {}
        if norms:
            mean, variance = _statistics(network, self.layer, len(bias), setting)
            scale = _scale(variance)
            kernel = (kernel * scale).astype(kernel.dtype)
            (norm,) = norms
            mean = mean.astype(kernel.dtype)
            weights[norm.name] = norm.layer.identity(mean, variance, scale)
        identity = {"kernel": kernel, "bias": bias}
        weights[new.name] = {name: identity[name] for name in random[new.name]}
        return weights


def _can_deepen(node: Node, architecture: Architecture) -> bool:
    """Return whether the node can be followed by its like, and is no part of the output's block."""
    return (
        node.layer.follower("linear", use_bias=True) is not None
        and block_end(architecture, node.name) is not architecture.output
    )


def _follower(layer: Layer, activation: str, *, use_bias: bool = True) -> Layer:
    follower = layer.follower(activation, use_bias=use_bias)
    if follower is None:  # _can_deepen has asked
        raise AssertionError(f"{layer.kind} has no follower")
    return follower


def _scale(variance: NDArray[np.float64]) -> float:
    """Return the entries of a new kernel before a batch norm that can undo them.

    They are 4, unless deviations are too large for the norm: its training mode would be off.
    """
    return _SCALE if _SCALE * np.sqrt(variance.max()) <= LARGEST_DEVIATION else 1.0


def _statistics(
    network: Network, layer: str, width: int, setting: Setting
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Measure mean and variance behind a layer's block on the images; 0 and 1 without images."""
    if setting.images is None:
        return np.zeros(width), np.ones(width)
    end = block_end(network.architecture, layer).name
    x = forward(network, setting.images, at=end).reshape(-1, width)
    return x.mean(axis=0), x.var(axis=0)
