"""Slots of an optimizer, such as Adam's moments, carried through a widening.

A slot has a degree d in the gradient: 1 for momentum and Adam's m, 2 for Adam's v. The gradient of
a copy's *incoming* weights is ``share`` times the old one, so their slots are scaled by
``share**d``. The gradient of its *outgoing* weights is the old one, so their slots are copied. But
k copies that each move by the old step move their sum k times as fast. ``carry-rescaled`` makes the
summed step the old one again: it multiplies Adam's v by k², and divides the momentum of SGD by k.

``carry-old`` treats the first copy of a unit as the old unit, and every other copy as new. Old
slots are carried as they are. Those of new units are reset: slots of degree 1, the direction of
the step, to zero; slots of degree 2 to those of the unit that was copied. At zero these would make
Adam's first steps several times too long, as the step count goes on (Asymmetric optimizer state
resetting, SPARKLING, arXiv:2602.02472).

A unit of share 0 is new, not a copy. Its outgoing weights have no direction yet: slots of degree 1
start at zero. Their steps are as long as those of the unit named as their source: slots of degree 2
are copied. With ``carry-rescaled`` these are multiplied by the number of inputs of a consumer, so
that the new weights together step as far as one weight.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from growsearch.net2net.arrays import Array, copy_axis
from growsearch.net2net.layout import checked
from growsearch.net2net.units import Units
from growsearch.net2net.wider import layers_of

Carry = Literal["carry", "carry-rescaled", "carry-old"]
CARRIES: tuple[Carry, ...] = get_args(Carry)


def incoming_slot(slot: Array, units: Units, axis: int, *, degree: int) -> Array:
    """Carry the slot of weights whose ``axis`` are the units: biases, incoming weights, gamma."""
    return _scaled(slot, units, axis, units.share**degree, degree)


def outgoing_slot(
    slot: Array,
    units: Units,
    axis: int,
    *,
    degree: int,
    treatment: Carry = "carry",
    adaptive: bool = True,
    inputs: int = 1,
) -> Array:
    """Carry the slot of weights that consume the units along ``axis``.

    ``adaptive`` is True for Adam and AdamW, which divide by the root of v, and False for SGD with
    momentum. ``inputs`` is the number of inputs of each consumer.
    """
    scale, unshared = np.ones(len(units)), 1
    if treatment == "carry-rescaled":
        used = units.source[units.share > 0.0]
        copies = np.bincount(used, minlength=units.old)[units.source].astype(np.float64)
        if not adaptive:
            scale = 1.0 / np.maximum(copies, 1.0)
        elif degree == 2:
            scale, unshared = copies**2, inputs
    return _scaled(slot, units, axis, scale, degree, unshared)


def old_slot(slot: Array, units: Units, axis: int, *, degree: int) -> Array:
    """Carry the slot of old units as it is, and reset that of new ones, along any axis of units."""
    scale = np.where(units.is_new & (degree == 1), 0.0, 1.0)
    return copy_axis(checked(slot, "slot"), units, axis, scale)


def wider_slots(
    s1: Any,
    t1: Any,
    s2: Any,
    units: Units,
    *,
    degree: int,
    treatment: Carry = "carry",
    adaptive: bool = True,
    layout: str = "HWIO",
) -> tuple[Array, Array | None, Array]:
    """Carry one slot of ``(w1, b1, w2)`` through the widening that ``wider`` did with ``units``.

    Parameters
    ----------
    s1, t1, s2 : array
        The slot's values for w1, b1 and w2, in their shapes; t1 None where there is no bias.
    units : Units
        The units given to :func:`~growsearch.net2net.wider`.
    degree : int
        1 for momentum and Adam's first moment, 2 for Adam's second.
    treatment : "carry", "carry-rescaled" or "carry-old"
    adaptive : bool
        True for Adam and AdamW, False for SGD with momentum.
    layout : "HWIO", "IO", "OIHW" or "OI"

    Returns
    -------
    (s1, t1, s2)
        In the shapes of the wider weights. The step count, of Adam's bias correction, goes along
        as it is.

    Raises
    ------
    ValueError
        As :func:`~growsearch.net2net.wider` does; or for another degree or treatment.

    Examples
    --------
    >>> import numpy as np
    >>> units = Units.replicate(1, 2, rng=np.random.default_rng(0))
    >>> m, _, _ = wider_slots([[6.0]], None, [[1.0]], units, degree=1)
    >>> v, _, _ = wider_slots([[6.0]], None, [[1.0]], units, degree=2)
    >>> m, v
    (array([[3., 3.]]), array([[1.5, 1.5]]))
    """
    if degree not in (1, 2):
        raise ValueError(f"degree: expected 1 or 2, got {degree!r}")
    if treatment not in CARRIES:
        raise ValueError(f"treatment: expected one of {', '.join(CARRIES)}, got {treatment!r}")
    pair = layers_of(s1, t1, s2, units, layout)
    unfolded, axis = pair.unfolded
    incoming = old_slot if treatment == "carry-old" else incoming_slot
    if treatment == "carry-old":
        outgoing = old_slot(unfolded, units, axis, degree=degree)
    else:
        outgoing = outgoing_slot(
            unfolded, units, axis, degree=degree, treatment=treatment, adaptive=adaptive
        )
    bias = None if pair.b1 is None else incoming(pair.b1, units, 0, degree=degree)
    return incoming(pair.w1, units, pair.outputs, degree=degree), bias, pair.folded(outgoing)


def _scaled(
    slot: Array,
    units: Units,
    axis: int,
    scale: NDArray[np.float64],
    degree: int,
    unshared: int = 1,
) -> Array:
    scale = np.where(units.share > 0.0, scale, unshared if degree == 2 else 0.0)
    return copy_axis(checked(slot, "slot"), units, axis, scale)
