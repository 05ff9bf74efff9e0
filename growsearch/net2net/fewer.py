"""Fewer units: the way back from Net2Wider. Units are kept, merged into others, or dropped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from growsearch.net2net.arrays import Array
from growsearch.net2net.layout import checked
from growsearch.net2net.slots import Carry
from growsearch.net2net.units import Units
from growsearch.net2net.wider import layers_of


@dataclass(frozen=True, eq=False)
class Fewer:
    """Old units as parts of fewer new ones.

    Of the old units that go into one new unit the first is kept, with its incoming weights. The
    others are copies of it: whatever consumes them gets the sum of their weights. A unit that goes
    nowhere is dropped.

    Parameters
    ----------
    into : int array, shape (old,)
        The new unit that each old one goes into; -1 for one that is dropped.

    Examples
    --------
    >>> Fewer(np.array([0, 1, 0, -1])).kept
    array([0, 1])
    """

    into: NDArray[np.intp]

    def __post_init__(self) -> None:
        into = np.asarray(self.into)
        named = np.unique(into[into >= 0])
        if into.ndim != 1 or not len(named) or not np.array_equal(named, np.arange(len(named))):
            raise ValueError(
                f"into: expected new units 0, 1, … for the old ones, or -1, got {into}"
            )
        object.__setattr__(self, "into", into)

    def __len__(self) -> int:
        return len(self.kept)

    @property
    def old(self) -> int:
        """Number of old units."""
        return len(self.into)

    @property
    def kept(self) -> NDArray[np.intp]:
        """The old unit that is kept as each new one; shape (new,)."""
        new, first = np.unique(self.into, return_index=True)
        kept: NDArray[np.intp] = first[new >= 0]
        return kept

    @property
    def merged(self) -> NDArray[np.intp]:
        """The old units that are merged into others, in their order."""
        is_kept = np.zeros(self.old, bool)
        is_kept[self.kept] = True
        return np.flatnonzero((self.into >= 0) & ~is_kept)

    @property
    def parts(self) -> NDArray[np.intp]:
        """Number of old units that go into each new one; shape (new,)."""
        return np.bincount(self.into[self.into >= 0])

    @classmethod
    def undoing(cls, units: Units) -> Self:
        """Return the way back from a widening: copies go into their unit, new units are dropped."""
        first = ~units.is_new
        return cls(np.where(first | (units.share > 0.0), units.source, -1))


def keep_axis(array: Array, fewer: Fewer, axis: int) -> Array:
    """Keep the slices of the kept units along an axis: incoming weights, biases, gamma."""
    kept: Array = np.take(_fits(array, fewer, axis), fewer.kept, axis)
    return kept


def merge_axis(array: Array, fewer: Fewer, axis: int) -> Array:
    """Sum the slices of the units that go into one, along an axis: outgoing weights.

    They are added one by one, in their order, in the array's own dtype. The shares that
    :func:`~growsearch.net2net.split_axis` made thus sum to exactly the weight that was shared.
    """
    moved = np.moveaxis(_fits(array, fewer, axis), axis, 0)
    result = moved[fewer.kept]
    merged = fewer.merged
    place = fewer.into[merged]
    while len(merged):
        # One of each new unit's at a time.
        _, first = np.unique(place, return_index=True)
        result[place[first]] += moved[merged[first]]
        merged, place = np.delete(merged, first), np.delete(place, first)
    return np.ascontiguousarray(np.moveaxis(result, 0, axis))


def kept_slot(
    slot: Array, fewer: Fewer, axis: int, *, degree: int, treatment: Carry = "carry"
) -> Array:
    """Carry the slot of incoming weights: the gradient of a merged unit is the sum of its parts'.

    A slot of degree 2 is the square of the sum of roots. With "carry-old" it is that of the kept
    unit.
    """
    slot = checked(slot, "slot")
    if treatment == "carry-old" or not len(fewer.merged):
        return keep_axis(slot, fewer, axis)
    if degree == 1:
        return merge_axis(slot, fewer, axis)
    sums = merge_axis(np.sqrt(slot), fewer, axis) ** 2
    has_parts = _along(fewer.parts > 1, axis, slot.ndim)
    return np.where(has_parts, sums, keep_axis(slot, fewer, axis))


def merged_slot(
    slot: Array,
    fewer: Fewer,
    axis: int,
    *,
    degree: int,
    treatment: Carry = "carry",
    adaptive: bool = True,
) -> Array:
    """Carry the slot of outgoing weights, which have one gradient: that of the kept unit.

    With "carry-rescaled" the merged weight's step is that of the sum of its parts: Adam's v is
    divided by the square of their number, and the momentum of SGD multiplied by their number.
    """
    kept = keep_axis(checked(slot, "slot"), fewer, axis)
    if treatment != "carry-rescaled":
        return kept
    parts = fewer.parts.astype(slot.dtype)
    if not adaptive:
        scale = parts
    elif degree == 2:
        scale = 1 / parts**2
    else:
        return kept
    return kept * _along(scale, axis, slot.ndim)


def narrower(
    w1: Any, b1: Any, w2: Any, fewer: Fewer, *, layout: str = "HWIO"
) -> tuple[Array, Array | None, Array]:
    """Narrow the layer ``(w1, b1)``: the way back from :func:`~growsearch.net2net.wider`.

    Exact where each merged unit is a copy of the one it goes into, and each dropped one has zeros
    behind it. After ``wider`` with given units, ``Fewer.undoing(units)`` gives the old arrays bit
    for bit.

    Parameters
    ----------
    w1, b1, w2, layout
        As of :func:`~growsearch.net2net.wider`.
    fewer : Fewer
        Of the units of w1.

    Returns
    -------
    (w1, b1, w2)
        New arrays in the dtypes of the old ones.

    Raises
    ------
    ValueError
        Names the layer role (w1, b1, w2), what was expected and what came.

    Examples
    --------
    >>> from growsearch.net2net import wider
    >>> w1, w2 = np.eye(2), np.array([[1.0], [3.0]])
    >>> units = Units.replicate(2, 5, rng=np.random.default_rng(0))
    >>> v1, _, v2 = narrower(*wider(w1, None, w2, units, rng=0), Fewer.undoing(units))
    >>> np.array_equal(v1, w1), np.array_equal(v2, w2)
    (True, True)
    """
    pair = layers_of(w1, b1, w2, Units.unchanged(fewer.old), layout)
    unfolded, axis = pair.unfolded
    bias = None if pair.b1 is None else keep_axis(pair.b1, fewer, 0)
    kernel = keep_axis(pair.w1, fewer, pair.outputs)
    return kernel, bias, pair.folded(merge_axis(unfolded, fewer, axis))


def _along(values: Array, axis: int, ndim: int) -> Array:
    """Shape one value a unit so that it meets the units on an axis."""
    return values.reshape((-1, *(1,) * (ndim - 1 - axis)))


def _fits(array: Array, fewer: Fewer, axis: int) -> Array:
    if array.shape[axis] != fewer.old:
        raise ValueError(
            f"axis {axis} of an array of shape {array.shape}: expected {fewer.old} units, "
            f"got {array.shape[axis]}"
        )
    return array
