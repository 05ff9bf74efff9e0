"""Parallel branches, as in Inception: new units of another kernel, at first with zero weights."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, replace
from itertools import islice
from typing import ClassVar, Self

from growsearch.checks import whole_number
from growsearch.errors import InvalidInputError, NotExactError
from growsearch.growth.blocks import block_end, block_of
from growsearch.growth.edit import Edit
from growsearch.growth.flow import append_units, appended_to
from growsearch.growth.growth import Growth, Limits, Setting
from growsearch.growth.replicate import dtype_of, replicate
from growsearch.networks import Architecture, Network, Node
from growsearch.networks.layers.fitting import JOINS


@dataclass(frozen=True)
class AddBranch(Growth):
    """Put a second layer beside ``layer``, on the same input, and concatenate their outputs.

    The branch starts with random weights (He et al.), normalised and activated as the layer's
    block is; whatever consumes the concatenation starts with zero weights for it. Exact behind any
    layers (Szegedy et al., *Going Deeper with Convolutions*, arXiv:1409.4842, for the shape).

    Parameters
    ----------
    layer : str
        A dense layer or convolution, not the output.
    units : int
        Units of the branch.
    kernel : int or None
        Height and width of the branch's kernel, odd, with padding ``same``; of no meaning beside a
        dense layer. None is the layer's own kernel, padding and dilation.
    """

    layer: str
    units: int
    kernel: int | None = 3

    operation: ClassVar[str] = "add_branch"

    def __post_init__(self) -> None:
        object.__setattr__(self, "units", whole_number("units", self.units, 1))
        if self.kernel is not None:
            object.__setattr__(self, "kernel", whole_number("kernel", self.kernel, 1))
            if self.kernel % 2 == 0:
                raise InvalidInputError(f"kernel: expected an odd number, got {self.kernel}")

    @classmethod
    def sites(cls, architecture: Architecture, limits: Limits) -> tuple[Self, ...]:
        found: list[Self] = []
        for node in architecture.nodes:
            if node is not architecture.output:
                kernels = node.layer.branch_kernels
                every = (cls(node.name, limits.width_multiple, kernel) for kernel in kernels)
                legal = (site for site in every if site._is_legal(architecture, limits))
                found.extend(islice(legal, 1))
        return tuple(found)

    def sized(self, log2_factor: float, architecture: Architecture, limits: Limits) -> Self:
        step = limits.width_multiple
        width = architecture[self.layer].layer.width
        wanted = max(step, round(width * (2.0**log2_factor - 1.0) / step) * step)
        every = range(self.units, wanted + 1, step)

        def is_beyond(units: int) -> bool:
            return not replace(self, units=units)._is_legal(architecture, limits)

        # Exactness does not depend on the number of units, and legality falls off with it: bisect.
        fits = bisect_left(every, True, key=is_beyond)
        return replace(self, units=every[fits - 1]) if fits else self

    def grown(self, architecture: Architecture) -> Architecture:
        return self._edit(architecture).after

    def _edit(self, architecture: Architecture) -> Edit:
        node = architecture[self.layer]
        if not node.layer.branch_kernels or node is architecture.output:
            what = "the output layer" if node is architecture.output else node.layer.kind
            raise NotExactError(
                f"{self.layer}: expected a dense layer or convolution before the output, got {what}"
            )
        end = block_end(architecture, self.layer)
        if end is architecture.output:
            raise NotExactError(f"{self.layer}: expected a layer before the output")
        nodes = self._nodes(architecture)
        appended = appended_to(architecture, end.name)
        appended.check(nodes)
        return appended.edit(nodes, self.units)

    def apply(self, network: Network, setting: Setting) -> Network:
        self._edit(network.architecture)  # raises, with the reason, where it is not exact
        end = block_end(network.architecture, self.layer).name
        nodes = self._nodes(network.architecture)
        flow = append_units(network.architecture, end, nodes)
        dtype = dtype_of(network, self.layer)
        start = Network.initial(flow.architecture, rng=setting.rng, dtype=dtype)
        names = [node.name for node in nodes if node.name in start.weights]
        new = {name: start.weights[name] for name in names}
        return replicate(network, flow, setting, new=new, beside=self.layer)

    @property
    def place(self) -> str:
        return self.layer

    def sizes(self, architecture: Architecture) -> tuple[str, str]:
        width = architecture[self.layer].layer.width
        return str(width), f"{width}+{self.units}"

    def _is_legal(self, architecture: Architecture, limits: Limits) -> bool:
        width = architecture[self.layer].layer.width + self.units
        try:
            return limits.allow_width(width) and limits.allow_edit(self._edit(architecture))
        except NotExactError:
            return False

    def _nodes(self, architecture: Architecture) -> list[Node]:
        node, block = architecture[self.layer], block_of(architecture, self.layer)
        first = "linear" if block.norm else block.activation
        layer = node.layer.beside(self.units, self.kernel, first, use_bias=block.norm is None)
        (shape,) = architecture.input_shapes(node)
        got, expected = (each.output_shape(shape)[:-1] for each in (layer, node.layer))
        if got != expected:
            raise NotExactError(
                f"{self.layer}: expected a branch whose images are {expected[0]} x {expected[1]}, "
                f"got {got[0]} x {got[1]} with kernel {self.kernel}: use kernel None"
            )
        name = architecture.new_name(f"{self.layer}_branch")
        nodes = [Node(name, layer, node.inputs)]
        if block.norm is not None:
            for ending, behind in block.norm.norm_like(self.units, block.activation).items():
                nodes.append(Node(f"{name}_{ending}", behind, (nodes[-1].name,)))
        nodes.append(Node(f"{name}_concat", JOINS["concat"], (block.end.name, nodes[-1].name)))
        return nodes
