"""Compound growths: several growths, one after the other, as one candidate."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from growsearch.errors import InvalidInputError
from growsearch.growth.growth import Growth, Setting
from growsearch.networks import Architecture, Network


@dataclass(frozen=True)
class Compound(Growth):
    """A growth in steps, each a growth of what the one before it gave; exact where each step is.

    Limits hold for the network after the last step, and a search judges the steps together.
    """

    @property
    @abstractmethod
    def steps(self) -> tuple[Growth, ...]:
        """The growths, in the order in which they are applied."""

    def grown(self, architecture: Architecture) -> Architecture:
        for step in self.steps:
            architecture = step.grown(architecture)
        return architecture

    def apply(self, network: Network, setting: Setting) -> Network:
        for step in self.steps:
            network = step.apply(network, setting)
        return network


@dataclass(frozen=True)
class Resized(Compound):
    """Other widths for several layers, one after the other.

    Parameters
    ----------
    layers : sequence of str
    widths : sequence of int
        Units of each layer afterwards.
    """

    layers: tuple[str, ...]
    widths: tuple[int, ...]

    @property
    def place(self) -> str:
        """The first of the layers."""
        return self.layers[0]

    def sizes(self, architecture: Architecture) -> tuple[str, str]:
        before = (architecture[layer].layer.width for layer in self.layers)
        return "-".join(map(str, before)), "-".join(map(str, self.widths))


def names_of(field: str, value: Any) -> tuple[str, ...]:
    """Return a field's names of layers, each once, as JSON or a caller gave them."""
    if not isinstance(value, Sequence) or isinstance(value, str) or not value:
        raise InvalidInputError(f"{field}: expected a list of names of layers, got {value!r}")
    if not all(isinstance(name, str) for name in value):
        raise InvalidInputError(f"{field}: expected names of layers, got {value!r}")
    if len(set(value)) != len(value):
        raise InvalidInputError(f"{field}: expected each layer once, got {value!r}")
    return tuple(value)
