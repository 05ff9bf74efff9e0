"""Net2Deeper: an identity layer behind a layer; and random initialisation, its baseline.

Source: Chen, Goodfellow, Shlens, *Net2Net: Accelerating Learning via Knowledge Transfer*
(arXiv:1511.05641), section 2.3.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from growsearch.net2net.arrays import Array, constant, normal
from growsearch.net2net.layout import Axes, axes, checked
from growsearch.net2net.wider import Rng


def deeper(w: Any, *, layout: str = "HWIO") -> tuple[Array, Array]:
    """Return kernel and bias of the identity layer that follows ``w``.

    Exact behind any idempotent activation, such as ReLU: ``relu(I·relu(x)) = relu(x)``. A
    convolution's identity has a one at the centre of ``w``'s odd kernel and same padding.

    Parameters
    ----------
    w : array, (in, n) or (kh, kw, in, n); (n, in) or (n, in, kh, kw) in PyTorch's layouts
    layout : "HWIO", "IO", "OIHW" or "OI"

    Returns
    -------
    (w, b)
        Kernel, (n, n) or (kh, kw, n, n) in the same layout, and bias (n,), in the dtype of ``w``.

    Raises
    ------
    ValueError
        For an even kernel, which has no centre, or an array that is no kernel.

    Examples
    --------
    >>> import numpy as np
    >>> deeper(np.ones((3, 2)))[0]
    array([[1., 0.],
           [0., 1.]])
    """
    w = checked(w, "w")
    where = axes(w, layout, "w")
    shape, bias = _follower(w, where)
    kernel = np.zeros(shape, w.dtype)
    centre: list[Any] = [0] * w.ndim
    for axis in where.spatial:
        if shape[axis] % 2 == 0:
            raise ValueError(
                f"w: expected an odd kernel, which has a centre, got {shape[where.spatial[0]]}x"
                f"{shape[where.spatial[1]]}"
            )
        centre[axis] = shape[axis] // 2
    centre[where.inputs] = centre[where.outputs] = np.arange(len(bias))
    kernel[tuple(centre)] = 1
    return kernel, bias


def random_init(
    w: Any, *, rng: Rng, std: float = 0.1, bias: float = 0.1, layout: str = "HWIO"
) -> tuple[Array, Array]:
    """Return kernel and bias of a random layer in the place of :func:`deeper`'s: the baseline.

    Weights are N(0, std²), biases ``bias``; shapes and dtype are those of :func:`deeper`.

    Raises
    ------
    ValueError
        For a ``std`` or ``bias`` that is no finite number, or a negative ``std``.
    """
    w = checked(w, "w")
    shape, zeros = _follower(w, axes(w, layout, "w"))
    kernel = normal(shape, w.dtype, std=std, rng=np.random.default_rng(rng))
    return kernel, constant(len(zeros), w.dtype, bias=bias)


def _follower(w: Array, where: Axes) -> tuple[tuple[int, ...], Array]:
    """Return the shape of the kernel of a layer of w's width behind ``w``; and its zero bias."""
    shape = list(w.shape)
    width = shape[where.inputs] = shape[where.outputs]
    return tuple(shape), np.zeros(width, w.dtype)
