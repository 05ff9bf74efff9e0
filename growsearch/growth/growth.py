"""The growth: a place and a size, its legal sites, and its application."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import Any, ClassVar, Literal, Self

import numpy as np

from growsearch.checks import check_choice, whole_number
from growsearch.errors import NotExactError
from growsearch.growth.edit import Edit
from growsearch.net2net.units import Shares
from growsearch.networks import Architecture, Network
from growsearch.networks.layer import Layer

Filling = Literal["net2net", "random"]
FILLINGS: tuple[Filling, ...] = ("net2net", "random")
Treatment = Literal["reset", "carry", "carry-rescaled", "carry-old"]
TREATMENTS: tuple[Treatment, ...] = ("reset", "carry", "carry-rescaled", "carry-old")

# New random weights, as in the original experiments: N(0, 0.1²), biases 0.1.
RANDOM_STD = 0.1
RANDOM_BIAS = 0.1


@dataclass(frozen=True)
class Limits:
    """The limits of a network's growth; None is no limit.

    Parameters
    ----------
    layers : int or None
        Layers with a width of their own: dense layers and convolutions.
    width : int or None
        Units of a layer.
    kernel : int or None
        Pixels of a kernel along each axis.
    parameters, flops : int or None
        Of the whole network; FLOPs of one image's forward pass.
    width_multiple : int
        New widths are multiples of it; processors compute some multiples much faster.
    """

    layers: int | None = None
    width: int | None = None
    kernel: int | None = None
    parameters: int | None = None
    flops: int | None = None
    width_multiple: int = 1

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if value is not None or field.default is not None:
                object.__setattr__(self, field.name, whole_number(field.name, value, 1))

    def allow(self, architecture: Architecture) -> bool:
        """Return whether ``architecture`` keeps the limits on layers, parameters and FLOPs."""
        return self._allow_sizes((Edit(architecture),))

    def _allow_sizes(self, edits: Sequence[Edit]) -> bool:
        before = edits[0].before

        def is_within(most: int | None, size: Callable[[Architecture | Edit], int]) -> bool:
            if most is None:
                return True
            return size(before) + sum(size(edit) - size(before) for edit in edits) <= most

        return (
            is_within(self.layers, lambda of: of.producers)
            and is_within(self.parameters, lambda of: of.parameters)
            and is_within(self.flops, lambda of: of.flops)
        )

    def allow_width(self, width: int) -> bool:
        """Return whether one layer may have ``width`` units."""
        return self.width is None or width <= self.width

    def allow_growth(self, before: Architecture, after: Architecture) -> bool:
        """Return whether ``after``, grown from ``before``, lies within all limits.

        A layer beyond a limit may stay as it is; a new or changed layer must keep to the limits.
        """
        layers = (
            (before[node.name].layer if node.name in before else None, node.layer)
            for node in after.nodes
        )
        return all(self._allow_layer(old, new) for old, new in layers) and self.allow(after)

    def allow_edit(self, *edits: Edit) -> bool:
        """Return whether an edited graph lies within all limits, as :meth:`allow_growth` does.

        Several edits of one graph add up: none changes what another one reaches.
        """
        replaced = ((e.before[name].layer, new) for e in edits for name, new in e.layers.items())
        added = ((None, node.layer) for edit in edits for node in edit.nodes)
        layers = (*replaced, *added)
        return all(self._allow_layer(old, new) for old, new in layers) and self._allow_sizes(edits)

    def _allow_layer(self, old: Layer | None, new: Layer) -> bool:
        if old == new:
            return True
        if new.is_producer and (old is None or old.width != new.width):
            # A new layer takes its width from those around it.
            multiple = self.width_multiple if old is not None else 1
            if not self.allow_width(new.width) or new.width % multiple:
                return False
        if self.kernel is None or new.window is None:
            return True
        before = None if old is None else old.window
        is_same = before is not None and before.kernel == new.window.kernel
        return is_same or max(new.window.kernel) <= self.kernel


@dataclass(frozen=True)
class Setting:
    """The setting of a growth's application: randomness, new weights, slots, images.

    Parameters
    ----------
    rng : numpy.random.Generator
    fill : "net2net" or "random"
        Function-preserving, or the baseline: old weights inherited, new ones random.
    slots : "reset", "carry", "carry-rescaled" or "carry-old"
        Treatment of the optimizer's slots; see growth/replicate.py.
    images : array or None
        A batch, on which new batch norms measure their statistics.
    """

    rng: np.random.Generator
    fill: Filling = "net2net"
    slots: Treatment = "carry-rescaled"
    images: Any = None

    def __post_init__(self) -> None:
        check_choice("fill", self.fill, FILLINGS)
        check_choice("slots", self.slots, TREATMENTS)


@dataclass(frozen=True)
class Growth(ABC):
    """An operation from one network to a larger one, with its place and size.

    A new operation is one subclass in one file, and one line in ``GROWTHS``.
    """

    operation: ClassVar[str]

    @classmethod
    @abstractmethod
    def sites(cls, architecture: Architecture, limits: Limits) -> tuple[Self, ...]:
        """Return the smallest legal growth at every place, in the graph's order.

        It is empty where nothing may grow within the limits.
        """

    def sized(self, log2_factor: float, architecture: Architecture, limits: Limits) -> Self:
        """Return the site's growth by a factor of ``2**log2_factor``, or the nearest legal one."""
        del log2_factor, architecture, limits
        return self

    def with_split(self, split: Shares | None, architecture: Architecture) -> Self:
        """Return the growth with another ``split`` of units, if it widens; see ``Widen``.

        It stays as it is where that would not be exact: some norms need equal shares.
        """
        if split is None or all(field.name != "split" for field in fields(self)):
            return self
        changed: dict[str, Any] = {"split": split}
        other = replace(self, **changed)
        try:
            other.grown(architecture)
        except NotExactError:
            return self
        return other

    @abstractmethod
    def grown(self, architecture: Architecture) -> Architecture:
        """Return the larger architecture.

        Raises
        ------
        NotExactError
            When the growth could not keep the function here; names the reason.
        """

    @abstractmethod
    def apply(self, network: Network, setting: Setting) -> Network:
        """Return the larger network; the parent stays as it is."""

    @property
    @abstractmethod
    def place(self) -> str:
        """The layer that grows, for tables and logs."""

    @abstractmethod
    def sizes(self, architecture: Architecture) -> tuple[str, str]:
        """Return the size that grows, before and after, as text for tables and logs."""

    def to_json(self) -> dict[str, Any]:
        """Return the growth as plain JSON values; ``growth_from_json`` reads them."""
        return {
            "operation": self.operation,
            **{f.name: getattr(self, f.name) for f in fields(self)},
        }

    def __str__(self) -> str:
        values = ", ".join(
            f"{getattr(self, f.name)}" for f in fields(self) if getattr(self, f.name) != f.default
        )
        return f"{self.operation}({values})"


@lru_cache(maxsize=64)
def sites_of(
    operation: type[Growth], architecture: Architecture, limits: Limits
) -> tuple[Growth, ...]:
    """Return the sites of an operation; those of the last graphs are remembered.

    A search asks for those of the incumbent again for every trial, and some operations build on the
    sites of others.
    """
    return operation.sites(architecture, limits)
