"""Net2Wider: more units in a layer, the same function; and random padding, its baseline.

Source: Chen, Goodfellow, Shlens, *Net2Net: Accelerating Learning via Knowledge Transfer*
(arXiv:1511.05641), section 2.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from growsearch.net2net.arrays import (
    Array,
    add_noise,
    constant,
    incoming_axis,
    normal,
    redrawn,
    split_axis,
    split_axis_unevenly,
)
from growsearch.net2net.layout import axes, channels_first, checked
from growsearch.net2net.units import Shares, Units

Rng = np.random.Generator | int


def wider(
    w1: Any,
    b1: Any,
    w2: Any,
    new_width: int | Units,
    *,
    rng: Rng,
    split: Shares = "equal",
    noise: float = 0.0,
    zero_sum: float = 0.0,
    layout: str = "HWIO",
) -> tuple[Array, Array | None, Array]:
    """Widen the layer ``(w1, b1)`` to ``new_width`` units without changing the outputs of ``w2``.

    Dense to dense, convolution to convolution, and convolution to dense across a flatten (the
    number of positions follows from the shapes). Between the two layers any function may stand
    that treats each unit alone: ReLU and other activations, pooling, dropout.

    Parameters
    ----------
    w1 : array, (in, n) or (kh, kw, in, n); (n, in) or (n, in, kh, kw) in PyTorch's layouts
        Kernel of the layer to widen.
    b1 : array, shape (n,), or None
        Its bias; None for a layer without one.
    w2 : array
        Kernel of the layer that consumes the n units: dense with n or positions·n inputs, or a
        convolution with n input channels.
    new_width : int or Units
        Number of units after widening, more than n. Or the units, as :meth:`Units.replicate`
        draws them, to widen other arrays with the same ones: a batch norm between the two layers
        (:func:`~growsearch.net2net.wider_norm`), a depthwise convolution, an optimizer's slots.
    rng : numpy.random.Generator or int
        Draws which units are copied, unless they are given, and the noise; an int is a seed.
    split : "equal", "random" or "new"
        How the copies of one unit share its outgoing weights. With "new" the extra units are no
        copies: their incoming weights are random, as long as those of w1, and their outgoing
        weights are zero. All three are exact.
    noise : float
        Standard deviation of noise on the new copies' incoming weights, relative to that of all
        widened ones. Above 0 it breaks the copies' symmetry, and exactness.
    zero_sum : float
        Standard deviation of noise on the copies' outgoing weights, relative to that of w2, which
        sums to 0 over the copies of each unit. Above 0 it breaks their symmetry, and is exact.
    layout : "HWIO", "IO", "OIHW" or "OI"
        TensorFlow's axis order, or PyTorch's (flattened channels first).

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
    >>> import numpy as np
    >>> w1, b1, w2 = np.eye(2), np.zeros(2), np.array([[1.0], [3.0]])
    >>> v1, c1, v2 = wider(w1, b1, w2, 3, rng=0)
    >>> np.ones(2) @ w1 @ w2, np.ones(2) @ v1 @ v2
    (array([4.]), array([4.]))
    """
    for name, value in (("noise", noise), ("zero_sum", zero_sum)):
        if not 0.0 <= value < np.inf:
            raise ValueError(f"{name}: expected a finite number, 0 or more, got {value!r}")
    if split == "new" and zero_sum > 0.0:
        raise ValueError(f"zero_sum: expected 0 as split new makes no copies, got {zero_sum!r}")
    pair = layers_of(w1, b1, w2, new_width, layout)
    generator = np.random.default_rng(rng)
    units, is_new = new_width, False
    if not isinstance(units, Units):
        units = Units.replicate(pair.width, units, rng=generator, split=split)
        is_new = split == "new"
    copied = incoming_axis(pair.w1, units, pair.outputs)
    if is_new:
        copied = redrawn(copied, units, pair.outputs, rng=generator)
    new_w1 = add_noise(copied, units, pair.outputs, noise=noise, rng=generator)
    new_b1 = None if pair.b1 is None else incoming_axis(pair.b1, units, 0)
    unfolded, axis = pair.unfolded
    if zero_sum > 0.0 and units.extra == "copies":
        outgoing = split_axis_unevenly(unfolded, units, axis, noise=zero_sum, rng=generator)
    else:
        outgoing = split_axis(unfolded, units, axis)
    return new_w1, new_b1, pair.folded(outgoing)


def random_pad(
    w1: Any,
    b1: Any,
    w2: Any,
    new_width: int,
    *,
    rng: Rng,
    std: float = 0.1,
    bias: float = 0.1,
    layout: str = "HWIO",
) -> tuple[Array, Array | None, Array]:
    """Widen with new random units beside the old ones: the baseline, not function-preserving.

    New weights, incoming and outgoing, are N(0, std²), new biases ``bias``. Parameters, returned
    arrays and errors are those of :func:`wider`; a ``std`` or ``bias`` that is no finite number, or
    a negative ``std``, is a ValueError too.
    """
    if isinstance(new_width, Units):
        raise ValueError("new_width: expected a whole number, got units: random ones are no copies")
    pair = layers_of(w1, b1, w2, new_width, layout)
    generator = np.random.default_rng(rng)
    extra = new_width - pair.width

    def padded(kernel: Array, axis: int) -> Array:
        shape = (*kernel.shape[:axis], extra, *kernel.shape[axis + 1 :])
        fresh = normal(shape, kernel.dtype, std=std, rng=generator)
        return np.concatenate([kernel, fresh], axis=axis)

    new_w1 = padded(pair.w1, pair.outputs)
    new_b1 = None
    if pair.b1 is not None:
        new_b1 = np.append(pair.b1, constant(extra, pair.b1.dtype, bias=bias))
    return new_w1, new_b1, pair.folded(padded(*pair.unfolded))


@dataclass(frozen=True)
class Layers:
    """Two layers that fit: the first one's width, and the axes of its units.

    ``outputs`` is the axis of w1 that holds the units, ``inputs`` the axis of w2.
    """

    w1: Array
    b1: Array | None
    w2: Array
    outputs: int
    inputs: int
    layout: str

    @property
    def width(self) -> int:
        """The units of the first layer."""
        return int(self.w1.shape[self.outputs])

    @property
    def unfolded(self) -> tuple[Array, int]:
        """The array w2 with its input axis as two, positions and units; and the axis of units.

        The two stand in the order of the layout. Widening the axis of units then widens every
        position of a flatten.
        """
        w2, axis = self.w2, self.inputs
        positions = w2.shape[axis] // self.width
        first = channels_first(self.layout)
        folded = (self.width, positions) if first else (positions, self.width)
        return w2.reshape(*w2.shape[:axis], *folded, *w2.shape[axis + 1 :]), axis + (not first)

    def folded(self, w2: Array) -> Array:
        """Flatten the inputs of the array of ``unfolded``, after it was widened."""
        axis = self.inputs
        flat = w2.shape[axis] * w2.shape[axis + 1]
        return w2.reshape(*w2.shape[:axis], flat, *w2.shape[axis + 2 :])


def layers_of(w1: Any, b1: Any, w2: Any, new_width: int | Units, layout: str) -> Layers:
    """Check that two layers fit, and that the first can take ``new_width`` units.

    A width that is not larger is refused. Given units need only be made for the old width.
    """
    w1, w2 = checked(w1, "w1"), checked(w2, "w2")
    a1, a2 = axes(w1, layout, "w1"), axes(w2, layout, "w2")
    old = w1.shape[a1.outputs]
    if old == 0:
        raise ValueError(f"w1: expected at least one unit, got shape {w1.shape}")
    if b1 is not None:
        b1 = checked(b1, "b1")
        if b1.shape != (old,):
            raise ValueError(f"b1: expected shape ({old},) as w1 has {old} units, got {b1.shape}")
    inputs = w2.shape[a2.inputs]
    flattens = bool(a1.spatial) and not a2.spatial
    if not a1.spatial and a2.spatial:
        raise ValueError(
            f"w2: expected a dense kernel after the dense w1, got a convolution {w2.shape}"
        )
    if inputs != old and not (flattens and inputs > 0 and inputs % old == 0):
        many = f"a multiple of {old}" if flattens else f"{old}"
        raise ValueError(f"w2: expected {many} inputs as w1 has {old} units, got {inputs}")
    if isinstance(new_width, Units):
        if new_width.old != old:
            raise ValueError(
                f"new_width: expected units of the {old} old ones of w1, got units of "
                f"{new_width.old}"
            )
        new_width.check()
    elif isinstance(new_width, bool) or not isinstance(new_width, int | np.integer):
        raise ValueError(f"new_width: expected a whole number, got {new_width!r}")
    elif new_width <= old:
        raise ValueError(f"new_width: expected more than the {old} units of w1, got {new_width}")
    return Layers(w1, b1, w2, a1.outputs, a2.inputs, layout)
