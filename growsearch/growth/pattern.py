"""The pattern in which the units of a layer must be drawn, for all the layers that they meet."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import lcm
from typing import Any

import numpy as np

from growsearch.net2net import Units
from growsearch.net2net.units import Extra, Shares


@dataclass(frozen=True)
class Pattern:
    """The structure that drawn units must have, learnt from the layers that they meet.

    Parameters
    ----------
    old : int
        Units before.
    cuts : frozenset of int
        Where the branches of a concatenation meet: no unit moves across.
    groups : int
        Equal blocks of units, each widened alike.
    balanced : str or None
        The kind of layer for which every unit is copied equally often, if any.
    extras : frozenset of "mean" or "zero"
        What some norm needs the extra units to be, instead of copies.
    blocks : int
        Neighbouring units that are copied together, the groups of a group norm; 0 for none.
    tied : tuple of str
        The layers that widen, once they are known: the layer itself, and those tied to it.
    """

    old: int
    cuts: frozenset[int] = frozenset()
    groups: int = 1
    balanced: str | None = None
    extras: frozenset[Extra] = frozenset()
    blocks: int = 0
    tied: tuple[str, ...] = ()

    def joined(self, need: Mapping[str, Any]) -> Pattern:
        """Return the pattern that satisfies one more need, in the terms of TiedUnitsError."""
        blocks = [each for each in (self.blocks, need.get("blocks", 0)) if each]
        return Pattern(
            self.old,
            self.cuts | {cut for cut in need.get("cuts", ()) if 0 < cut < self.old},
            lcm(self.groups, need.get("groups", 1)),
            self.balanced or need.get("balanced"),
            self.extras | ({need["extra"]} if "extra" in need else set()),
            lcm(*blocks) if blocks else 0,
        )

    @property
    def contradiction(self) -> str | None:
        """The reason why no width at all is exact, or None."""
        if self.old % self.groups:
            return f"its units are tied to {self.groups} equal groups, got {self.old} units"
        if self.groups > 1 and self.cuts:
            return "its units are tied to groups and to the branches of a concatenation"
        ways = [*self.extras, *["blocks"] * bool(self.blocks), *["balanced"] * bool(self.balanced)]
        is_placed = bool(self.cuts) or self.groups > 1  # in which zeros may stand anywhere
        is_odd = is_placed and ways in (["mean"], ["blocks"])
        if len(ways) > 1 or is_odd or (self.blocks and self.old % self.blocks):
            return "no one way of widening suits all the layers that its units meet"
        return None

    @property
    def usual_split(self) -> Shares:
        """The shares that are drawn where none are asked for."""
        return "equal" if self.balanced or self.extras else "random"

    @property
    def is_plain(self) -> bool:
        """True if extra units are copies of single units, and no norm changes with them."""
        return not self.extras and not self.blocks

    @property
    def is_free(self) -> bool:
        """True if the layer widens alone, to any width, however wide the layers around it are."""
        is_tied = len(self.tied) > 1 or self.groups > 1 or self.cuts or self.balanced
        return self.is_plain and not is_tied

    def obstacle(self, width: int, split: Shares) -> str | None:
        """Return the reason why this width is not exact, or None."""
        if width <= self.old:
            return f"expected more than its {self.old} units, got {width}"
        if self.balanced and width % self.old:
            return f"{self.balanced} needs every unit copied equally often: {self.old} -> {width}"
        if self.balanced and split != "equal":
            return f"{self.balanced} needs equal shares of a unit's copies, got split {split}"
        if self.extras and split != "equal":
            return f"its extra units are no copies, which have shares, got split {split}"
        if width % self.groups:
            return f"its units stand in {self.groups} equal groups: {self.old} -> {width}"
        if self.blocks and width % self.blocks:
            return f"its units stand in groups of {self.blocks}: {self.old} -> {width}"
        return None

    @property
    def step(self) -> int:
        """The step between exact widths; at its multiples every tied layer grows in proportion."""
        return self.old if self.balanced or self.cuts else self.blocks or self.groups

    def draw(self, width: int, rng: np.random.Generator, split: Shares) -> Units:
        """Draw units of this pattern."""
        if self.blocks:
            old, new = self.old // self.blocks, width // self.blocks
            return Units.replicate(old, new, rng=rng, split=split).expand(after=self.blocks)

        def segment(old: int, new: int) -> Units:
            for extra in self.extras:
                return Units.extended(old, new, extra)
            return Units.replicate(
                old, new, rng=rng, split=split, balanced=self.balanced is not None
            )

        return self._segments(width, segment)

    def probe(self) -> Units:
        """Return units of this pattern that satisfy no stricter pattern by chance.

        All extra units copy a segment's first, so that they stand apart from the last segment;
        and no two shares are equal, so that no two segments are alike.
        """
        rng = np.random.default_rng(0)
        if self.balanced or self.extras:
            return self.draw(2 * self.old, rng, "equal")

        def segment(old: int, new: int) -> Units:
            source = np.concatenate([np.arange(old), np.zeros(new - old, np.intp)])
            share = rng.exponential(size=new)
            return Units(source, share / np.bincount(source, weights=share)[source], old)

        if self.blocks:
            blocks = self.old // self.blocks
            return segment(blocks, 2 * blocks).expand(after=self.blocks)
        return self._segments(2 * self.old, segment)

    def _segments(self, width: int, segment: Callable[[int, int], Units]) -> Units:
        edges = [0, *sorted(self.cuts), self.old]
        # The extra units spread over the segments in proportion, the rest to the last.
        ends = [edge * (width - self.old) // self.old for edge in edges]
        segments = []
        for low, high, a, b in zip(edges, edges[1:], ends, ends[1:], strict=False):
            old, new = (high - low) // self.groups, (high - low + b - a) // self.groups
            segments.append(Units.unchanged(old) if new == old else segment(old, new))
        return Units.concatenate(segments).tile(self.groups)
