"""Convolution kernels on plain arrays: larger ones, and depthwise ones."""

from __future__ import annotations

from typing import Any

import numpy as np

from growsearch.net2net.arrays import Array, copy_axis
from growsearch.net2net.layout import axes, channels_first, checked
from growsearch.net2net.units import Units


def enlarge_kernel(
    w: Any,
    size: tuple[int, int],
    *,
    offset: tuple[int, int] | None = None,
    frame: Any = None,
    layout: str = "HWIO",
) -> Array:
    """Enlarge the kernel of a convolution: the old one stands in a frame of zeros.

    Exact with stride 1 and the padding grown on each side by as many pixels as the frame is wide
    there: ``same`` padding in TensorFlow, ``padding=kernel // 2`` in PyTorch, for odd sizes.

    Parameters
    ----------
    w : array, (kh, kw, in, out); (out, in, kh, kw) in PyTorch's layout
        A depthwise kernel too: its spatial axes stand at the same places.
    size : (int, int)
        Height and width of the new kernel, neither smaller than before.
    offset : (int, int), optional
        The old kernel's place in it, from the top and the left; by default the centre.
    frame : array, optional
        The new kernel's values around the old one, zeros by default; is not changed.
    layout : "HWIO" or "OIHW"

    Raises
    ------
    ValueError
        Names what was expected and what came: a smaller size, an odd difference without
        ``offset`` (there is no centre), an offset that does not fit.

    Examples
    --------
    >>> import numpy as np
    >>> enlarge_kernel(np.full((1, 1, 1, 1), 2.0), (3, 3))[..., 0, 0]
    array([[0., 0., 0.],
           [0., 2., 0.],
           [0., 0., 0.]])
    """
    w = checked(w, "w")
    where = axes(w, layout, "w").spatial
    if not where:
        raise ValueError(f"w: expected a convolution kernel, got shape {w.shape}")
    old = tuple(w.shape[axis] for axis in where)
    more = tuple(new - size_before for new, size_before in zip(size, old, strict=True))
    if min(more) < 0 or more == (0, 0):
        raise ValueError(f"size: expected a larger kernel than {old}, got {size}")
    if offset is None:
        if any(each % 2 for each in more):
            raise ValueError(
                f"size: expected {old} plus even numbers, or an offset: in {size} the old kernel "
                "has no centre to stand at"
            )
        offset = (more[0] // 2, more[1] // 2)
    if any(not 0 <= start <= room for start, room in zip(offset, more, strict=True)):
        raise ValueError(f"offset: expected (0, 0) to {more}, got {offset}")
    shape, inside = list(w.shape), [slice(None)] * w.ndim
    for axis, start, length, new in zip(where, offset, old, size, strict=True):
        shape[axis] = new
        inside[axis] = slice(start, start + length)
    result = np.zeros(shape, w.dtype) if frame is None else np.array(frame, w.dtype)
    if result.shape != tuple(shape):
        raise ValueError(f"frame: expected shape {tuple(shape)}, got {result.shape}")
    result[tuple(inside)] = w
    return result


def wider_depthwise(
    units: Units, w: Any, b: Any = None, *, layout: str = "HWIO"
) -> tuple[Array, Array | None, Units]:
    """Widen a depthwise convolution behind a layer that widens; it passes the units on.

    Parameters
    ----------
    units : Units
        The units with which the layer before it was widened.
    w : array, (kh, kw, n, multiplier); (n·multiplier, 1, kh, kw) in PyTorch's layout
    b : array, shape (n·multiplier,), or None
    layout : "HWIO" or "OIHW"

    Returns
    -------
    (w, b, units)
        The wider kernel and bias; and the units that the layer behind it must be widened for,
        n·multiplier of them (:func:`~growsearch.net2net.split_axis` on its input axis).

    Raises
    ------
    ValueError
        When the kernel is not one of n channels.
    """
    w = checked(w, "w")
    first = channels_first(layout)
    channel = 0 if first else 2
    fits = w.ndim == 4 and (
        (w.shape[1] == 1 and w.shape[0] > 0 and w.shape[0] % units.old == 0)
        if first
        else w.shape[2] == units.old
    )
    if not fits:
        expected = f"(k·{units.old}, 1, kh, kw)" if first else f"(kh, kw, {units.old}, k)"
        raise ValueError(f"w: expected a depthwise kernel {expected}, got shape {w.shape}")
    multiplier = w.shape[0] // units.old if first else w.shape[3]
    behind = units.expand(after=multiplier)
    if b is not None and np.shape(b) != (behind.old,):
        raise ValueError(f"b: expected shape ({behind.old},), got {np.shape(b)}")
    kernel = copy_axis(w, behind if first else units, channel)
    return kernel, None if b is None else copy_axis(checked(b, "b"), behind, 0), behind
