"""Net2Wider: more units in a layer, and in every layer that is tied to it."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import ClassVar, Self

from growsearch.checks import check_choice, number, whole_number
from growsearch.errors import InvalidInputError, NotExactError
from growsearch.growth.flow import flow, patterns_of, widening
from growsearch.growth.growth import Growth, Limits, Setting
from growsearch.growth.pattern import Pattern
from growsearch.growth.replicate import replicate
from growsearch.net2net.units import SHARES, Shares
from growsearch.networks import Architecture, Network


@dataclass(frozen=True)
class Widen(Growth):
    """Give ``layer`` ``width`` units: copies of its old ones, whose consumers share them.

    Source: Chen et al., arXiv:1511.05641, section 2.2. Exact behind any layers; see flow.py for
    the layers that widen together.

    Parameters
    ----------
    layer : str
        A layer with a width of its own (dense, convolution), not the output.
    width : int
        Its units after widening.
    split : "equal", "random", "new" or None
        Shares of a unit's k copies: 1/k each, or drawn at random, which breaks the symmetry of
        the copies and is exact too. None is "random"; behind a layer norm or RMS norm, which need
        equal shares, it is "equal". With "new" the extra units are no copies: random weights lie in
        front of them, as long as those of the old units, and zeros behind them. To widths that are
        no multiple of the old one, a layer norm gets units that it normalises to 0 (the mean of all
        units; zeros for an RMS norm), and whatever reads them has random weights.
    noise : float
        Relative noise on the kernels of new copies; above 0 the growth is not exact.
    zero_sum : float
        Noise on the weights that consume the copies of a unit, relative to the standard deviation
        of those weights; it sums to exactly 0 over the copies. Above 0 it gives the copies
        gradients of different directions, which unequal shares do not, and is exact. No weight
        changes by more than the old weight that is shared.
    """

    layer: str
    width: int
    split: Shares | None = None
    noise: float = 0.0
    zero_sum: float = 0.0

    operation: ClassVar[str] = "widen"

    def __post_init__(self) -> None:
        object.__setattr__(self, "width", whole_number("width", self.width, 1))
        for name in ("noise", "zero_sum"):
            object.__setattr__(self, name, number(name, getattr(self, name), 0.0))
        check_split(self.split, self.zero_sum)

    @classmethod
    def sites(cls, architecture: Architecture, limits: Limits) -> tuple[Self, ...]:
        smallest = (
            _smallest(architecture, layer, patterns, limits)
            for layer, patterns in patterns_in(architecture).items()
        )
        return tuple(cls(*site) for site in smallest if site is not None)

    def sized(self, log2_factor: float, architecture: Architecture, limits: Limits) -> Self:
        wanted = architecture[self.layer].layer.width * 2.0**log2_factor
        patterns = patterns_of(architecture, self.layer)
        step = step_of(architecture, self.layer, patterns, limits)

        def is_beyond(width: int) -> bool:
            edit = widening(architecture, self.layer, width, patterns)
            return not limits.allow_edit(edit)

        # All these widths are exact, and above an illegal width none is legal: bisect.
        widths = range(self.width, round(wanted / step) * step + 1, step)
        fits = bisect_left(widths, True, key=is_beyond)
        return replace(self, width=widths[fits - 1]) if fits else self

    def grown(self, architecture: Architecture) -> Architecture:
        return widening(architecture, self.layer, self.width, split=self.split).after

    def apply(self, network: Network, setting: Setting) -> Network:
        units = flow(
            network.architecture, self.layer, self.width, rng=setting.rng, split=self.split
        )
        noise, zero_sum, is_new = self.noise, self.zero_sum, self.split == "new"
        return replicate(network, units, setting, noise=noise, zero_sum=zero_sum, is_new=is_new)

    @property
    def place(self) -> str:
        return self.layer

    def sizes(self, architecture: Architecture) -> tuple[str, str]:
        return str(architecture[self.layer].layer.width), str(self.width)


def check_split(split: Shares | None, zero_sum: float = 0.0) -> None:
    """Refuse a split that does not exist, or one that does not go with zero-sum noise."""
    if split is None:
        return
    check_choice("split", split, SHARES)
    if split == "new" and zero_sum > 0.0:
        raise InvalidInputError(
            f"zero_sum: expected 0 as split new makes no copies, got {zero_sum}"
        )


@lru_cache(maxsize=8)
def patterns_in(architecture: Architecture) -> Mapping[str, tuple[Pattern, ...]]:
    """Return the patterns of every layer of a graph that may widen, in the graph's order."""
    found = {}
    for node in architecture.nodes:
        if node.layer.is_producer and node is not architecture.output:
            with suppress(NotExactError):
                found[node.name] = patterns_of(architecture, node.name)
    return found


def _smallest(
    architecture: Architecture, layer: str, patterns: Sequence[Pattern], limits: Limits
) -> tuple[str, int] | None:
    """Return the smallest legal widening of a layer, or None."""
    step = step_of(architecture, layer, patterns, limits)
    width = (architecture[layer].layer.width // step + 1) * step
    is_legal = limits.allow_edit(widening(architecture, layer, width, patterns))
    return (layer, width) if is_legal else None


def step_of(
    architecture: Architecture, layer: str, patterns: Sequence[Pattern], limits: Limits
) -> int:
    """Return the least number whose multiples are exact widths of the layer that limits allow.

    Each layer that widens with this one then has a multiple of ``limits.width_multiple`` units too.
    """
    return min(_step(architecture, layer, pattern, limits) for pattern in patterns)


def _step(architecture: Architecture, layer: str, pattern: Pattern, limits: Limits) -> int:
    multiple = limits.width_multiple
    if not pattern.cuts:
        return math.lcm(pattern.step, multiple)
    # Branches of a concatenation have widths of their own, which grow in proportion.
    doubled = widening(architecture, layer, 2 * pattern.old, (pattern,)).layers.values()
    tied = (wider.width for wider in doubled if wider.is_producer)
    return pattern.step * math.lcm(*(multiple // math.gcd(multiple, width) for width in tied))
