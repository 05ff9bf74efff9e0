"""The places of a kernel's axes: TensorFlow's layouts and PyTorch's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Layout = Literal["HWIO", "IO", "OIHW", "OI"]
LAYOUTS: tuple[Layout, ...] = ("HWIO", "IO", "OIHW", "OI")

Array = NDArray[Any]


@dataclass(frozen=True)
class Axes:
    """The input and output axis of one kernel, and its spatial axes."""

    inputs: int
    outputs: int
    spatial: tuple[int, ...]


def channels_first(layout: str) -> bool:
    """Return whether ``layout`` is one of PyTorch's.

    A layout stands for its family: ``"HWIO"`` and ``"IO"`` both say convolution kernels (kh, kw,
    in, out), dense kernels (in, out), flattened as (h, w, c); ``"OIHW"`` and ``"OI"`` both say
    (out, in, kh, kw), (out, in), flattened as (c, h, w).
    """
    if layout not in LAYOUTS:
        raise ValueError(f"layout: expected one of {', '.join(LAYOUTS)}, got {layout!r}")
    return layout in ("OIHW", "OI")


def axes(kernel: Array, layout: str, role: str) -> Axes:
    """Find the axes of a dense (2-d) or convolution (4-d) kernel.

    Raises
    ------
    ValueError
        For any other rank, a non-floating dtype, or an unknown layout; names ``role``.
    """
    first = channels_first(layout)
    if kernel.ndim == 2:
        return Axes(1, 0, ()) if first else Axes(0, 1, ())
    if kernel.ndim == 4:
        return Axes(1, 0, (2, 3)) if first else Axes(2, 3, (0, 1))
    raise ValueError(
        f"{role}: expected a dense kernel (2 axes) or a convolution kernel (4 axes), "
        f"got shape {kernel.shape}"
    )


def checked(array: Any, role: str) -> Array:
    """Return ``array`` as a floating array of finite values; errors name its ``role``."""
    result = np.asarray(array)
    if not np.issubdtype(result.dtype, np.floating):
        raise ValueError(
            f"{role}: expected floating-point values, got dtype {result.dtype}: convert them"
        )
    # One pass at the speed of memory: the sum of squares is finite only if each value is. It may
    # overflow by itself, so a suspicion is checked value by value.
    flat = result.ravel(order="K")
    with np.errstate(over="ignore", invalid="ignore"):
        suspicious = not np.isfinite(np.vdot(flat, flat))
    if suspicious and not np.isfinite(result).all():
        bad = int(np.size(result) - np.isfinite(result).sum())
        raise ValueError(f"{role}: expected finite values, got NaN or infinity at {bad} places")
    return result
