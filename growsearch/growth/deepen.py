"""Net2Deeper: a new layer behind a layer, which at first changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from growsearch.errors import InvalidInputError, NotExactError
from growsearch.growth.blocks import block_activation, block_end, block_norm
from growsearch.growth.growth import Growth, Limits, Setting
from growsearch.growth.replicate import fresh, insert
from growsearch.net2net import deeper, deeper_norm
from growsearch.networks import Architecture, Network, Node
from growsearch.networks.activations import ACTIVATIONS
from growsearch.networks.layer import Layer
from growsearch.networks.layers import EPSILON, Add, BatchNorm, Conv, Dense
from growsearch.networks.reference import forward

Array = NDArray[Any]


@dataclass(frozen=True)
class Deepen(Growth):
    """Put a new layer of the same type and width behind ``layer`` and its activation.

    Behind ReLU, or no activation, it is an identity layer (Chen et al., arXiv:1511.05641, section
    2.3). Behind any other activation an identity is not exact: there it is a residual branch
    ``x + g(f(x))`` whose last layer g starts at zero, exact for every activation.

    Where the block is batch-normalised, so is the new layer, with ``gamma = sqrt(variance +
    epsilon)`` and ``beta = mean`` of its input, measured on a batch: exact in evaluation mode.

    Parameters
    ----------
    layer : str
        A dense layer or convolution, not the output.
    batch_norm : bool or None
        Normalise the new layer; None does as the layer's block does.
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
        return tuple(s for s in every if limits.allow_growth(architecture, s.grown(architecture)))

    def grown(self, architecture: Architecture) -> Architecture:
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
        return architecture.insert(end, [*first, *last], output=(last or first)[-1].name)

    def apply(self, network: Network, setting: Setting) -> Network:
        architecture = self.grown(network.architecture)
        first, last = self._nodes(network.architecture)
        parent = network.weights[self.layer]
        new: dict[str, Mapping[str, Array]] = {}
        for node in (*first, *last):
            new[node.name] = {
                name: fresh(weight, weight.shape, parent["kernel"].dtype, setting.rng)
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
        producers = sum(node.layer.is_producer for node in architecture.nodes)
        after = sum(node.layer.is_producer for node in self.grown(architecture).nodes)
        return f"{producers} layers", f"{after} layers"

    def _nodes(self, architecture: Architecture) -> tuple[list[Node], list[Node]]:
        """The new nodes: an identity layer and nothing else, or a branch and what closes it."""
        activation = block_activation(architecture, self.layer)
        end = block_end(architecture, self.layer).name
        name = architecture.new_name(f"{self.layer}_deep")
        plain = _follower(architecture[self.layer].layer)
        norm = block_norm(architecture, self.layer)
        normalize = norm is not None if self.batch_norm is None else self.batch_norm
        if not normalize:
            first = [Node(name, replace(plain, activation=activation), (end,))]
        else:
            linear = replace(plain, activation="linear", use_bias=False)
            momentum = (norm or BatchNorm()).momentum  # it follows the batches as its block does
            norm = BatchNorm(epsilon=EPSILON, momentum=momentum, activation=activation)
            normalized = architecture.new_name(f"{name}_bn")
            first = [Node(name, linear, (end,)), Node(normalized, norm, (name,))]
        if ACTIVATIONS[activation].idempotent:
            return first, []
        zeroed, closed = (architecture.new_name(f"{name}_{role}") for role in ("out", "add"))
        zero = Node(zeroed, replace(plain, activation="linear"), (first[-1].name,))
        return first, [zero, Node(closed, Add(), (end, zeroed))]

    def _identity(
        self,
        network: Network,
        first: list[Node],
        random: Mapping[str, Mapping[str, Array]],
        setting: Setting,
    ) -> dict[str, Mapping[str, Array]]:
        """Weights with which the new layer, and its batch norm, are the identity."""
        kernel, bias = deeper(random[first[0].name]["kernel"])
        identity = {"kernel": kernel}
        if "bias" in random[first[0].name]:
            identity["bias"] = bias
        weights: dict[str, Mapping[str, Array]] = {first[0].name: identity}
        if len(first) == 2:
            end = block_end(network.architecture, self.layer).name
            weights[first[1].name] = _identity_norm(network, end, len(bias), setting, kernel.dtype)
        return weights


def _can_deepen(node: Node, architecture: Architecture) -> bool:
    """Whether the node has an identity of its own type, and is no part of the output's block."""
    return (
        isinstance(node.layer, Dense | Conv)
        and block_end(architecture, node.name) is not architecture.output
    )


def _follower(layer: Layer) -> Dense | Conv:
    """A layer of the same type and width, with an odd kernel: without a centre is no identity."""
    if isinstance(layer, Conv):
        return Conv((layer.kernel[0] | 1, layer.kernel[1] | 1), layer.filters)
    return Dense(layer.width)


def _identity_norm(
    network: Network, end: str, width: int, setting: Setting, dtype: np.dtype[Any]
) -> dict[str, Array]:
    """Batch norm that is the identity in evaluation mode, with statistics of the images if any.

    EPSILON is a power of two, so that nothing is rounded.
    """
    mean, variance = np.zeros(width), np.ones(width)
    if setting.images is not None:
        x = forward(network, setting.images, at=end).reshape(-1, width)
        mean, variance = x.mean(axis=0), x.var(axis=0)
    identity = deeper_norm(mean.astype(dtype), variance, epsilon=EPSILON)
    return dict(zip(("gamma", "beta", "mean", "variance"), identity, strict=True))
