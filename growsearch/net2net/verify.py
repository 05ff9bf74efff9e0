"""The distance of a student from its teacher: a forward pass in float64 by scipy, max |Δ|."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from growsearch.net2net.arrays import Array
from growsearch.net2net.layout import axes, channels_first
from growsearch.net2net.wider import Rng

_HEIGHT, _WIDTH = 3, 2  # of the images beyond the kernel's size: not square, to tell the axes apart
_VECTORS = 16  # in the place of each image's positions, where the first layer is dense


def verify_wider(
    teacher: Sequence[Any],
    student: Sequence[Any],
    *,
    rng: Rng = 0,
    samples: int = 4,
    layout: str = "HWIO",
) -> float:
    """Return ``max |Δ|`` between the outputs of two layers, ReLU between, and their widened pair.

    Parameters
    ----------
    teacher, student : (w1, b1, w2)
        As :func:`~growsearch.net2net.wider` takes and returns them; b1 may be None.
    rng : numpy.random.Generator or int
        Draws the inputs, N(0, 1), in float64.
    samples : int
        Number of images; dense layers get 16 vectors for each.
    layout : "HWIO", "IO", "OIHW" or "OI"

    Returns
    -------
    float
        The largest absolute difference, never a sum of signed ones, in which errors cancel.

    Examples
    --------
    >>> import numpy as np
    >>> from growsearch.net2net import wider
    >>> rng = np.random.default_rng(0)
    >>> layers = rng.normal(size=(3, 3, 2, 4)), np.ones(4), rng.normal(size=(3, 3, 4, 5))
    >>> verify_wider(layers, wider(*layers, 7, rng=rng)) < 1e-12
    True
    """
    w1, b1, w2 = _layers(teacher, ("w1", "b1", "w2"), "teacher", layout)
    v1, c1, v2 = _layers(student, ("w1", "b1", "w2"), "student", layout)
    images = _images(w1, w2, samples, rng)
    old = _through(
        _relu(_through(images, w1, b1, layout, "teacher w1")), w2, None, layout, "teacher w2"
    )
    new = _relu(_through(images, v1, c1, layout, "student w1"))
    return _distance(old, _through(new, v2, None, layout, "student w2"))


def verify_deeper(
    teacher: Sequence[Any],
    student: Sequence[Any],
    *,
    rng: Rng = 0,
    samples: int = 4,
    layout: str = "HWIO",
) -> float:
    """Return ``max |Δ|`` between the outputs of a layer, and of that layer with one behind it.

    Parameters
    ----------
    teacher : (w, b)
        The layer, with ReLU; b may be None.
    student : (w, b)
        The new layer, also with ReLU, as :func:`~growsearch.net2net.deeper` returns it.
    rng, samples, layout
        As in :func:`verify_wider`.

    Examples
    --------
    >>> import numpy as np
    >>> from growsearch.net2net import deeper
    >>> w = np.random.default_rng(0).normal(size=(5, 3, 2, 4))
    >>> verify_deeper((w, None), deeper(w))
    0.0
    """
    w, b = _layers(teacher, ("w", "b"), "teacher", layout)
    v, c = _layers(student, ("w", "b"), "student", layout)
    old = _relu(_through(_images(w, None, samples, rng), w, b, layout, "teacher w"))
    return _distance(old, _relu(_through(old, v, c, layout, "student w")))


def _layers(
    arrays: Sequence[Any], names: tuple[str, ...], role: str, layout: str
) -> tuple[Any, ...]:
    """Return kernels in float64 with channels last, and the bias of the first, checked to fit."""
    if len(arrays) != len(names):
        raise ValueError(f"{role}: expected ({', '.join(names)}), got {len(arrays)} arrays")
    checked: list[Any] = []
    for name, array in zip(names, arrays, strict=True):
        if name.startswith("w"):
            kernel = np.asarray(array, np.float64)
            where = axes(kernel, layout, f"{role} {name}")
            checked.append(np.transpose(kernel, (*where.spatial, where.inputs, where.outputs)))
        elif array is None:
            checked.append(None)
        else:
            units = (checked[0].shape[-1],)
            if np.shape(array) != units:
                raise ValueError(
                    f"{role} {name}: expected shape {units}, one value a unit, "
                    f"got {np.shape(array)}"
                )
            checked.append(np.asarray(array, np.float64))
    return tuple(checked)


def _images(w1: Array, w2: Array | None, samples: int, rng: Rng) -> Array:
    """Draw inputs that fit w1; across a flatten, images with the number of positions of w2."""
    if samples < 1:
        raise ValueError(f"samples: expected at least 1, got {samples}")
    generator = np.random.default_rng(rng)
    if w1.ndim == 2:
        return generator.normal(size=(samples * _VECTORS, w1.shape[0]))
    height, width = w1.shape[0] + _HEIGHT, w1.shape[1] + _WIDTH
    if w2 is not None and w2.ndim == 2:
        positions = w2.shape[0] // w1.shape[3]
        height = max(h for h in range(1, int(positions**0.5) + 1) if positions % h == 0)
        width = positions // height
    return generator.normal(size=(samples, height, width, w1.shape[2]))


def _through(x: Array, w: Array, b: Array | None, layout: str, role: str) -> Array:
    """Apply one layer, same padding; flatten images in the order of ``layout`` where w is dense."""
    if w.ndim == 2:
        if x.ndim == 4 and channels_first(layout):
            x = np.moveaxis(x, 3, 1)
        x = x.reshape(len(x), -1)
    if x.shape[-1] != w.shape[-2]:
        raise ValueError(f"{role}: expected {x.shape[-1]} inputs, got {w.shape[-2]}")
    if w.ndim == 2:
        out = x @ w
    else:
        # Here, since only a check needs it: half of the time of importing growsearch.growth.
        from scipy.signal import correlate

        sizes = [((k - 1) // 2, k // 2) for k in w.shape[:2]]
        padded = np.pad(x, [(0, 0), *sizes, (0, 0)])
        out = np.concatenate(
            [
                correlate(padded, w[None, ..., unit], mode="valid", method="direct")
                for unit in range(w.shape[3])
            ],
            axis=3,
        )
    return out if b is None else out + b


def _relu(x: Array) -> Array:
    return np.maximum(x, 0.0)


def _distance(old: Array, new: Array) -> float:
    if old.shape != new.shape:
        raise ValueError(f"student: expected outputs of shape {old.shape}, got {new.shape}")
    return float(np.max(np.abs(new - old)))
