"""Training images at addresses where TensorFlow reads them without a copy."""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np
from numpy.typing import NDArray

from growsearch.datasets import Pixels, Split

# Bytes. TensorFlow reads a fed array in place if its address is a multiple, and copies it if not.
ALIGNMENT = 64


class AlignedSplit:
    """The training split, aligned, so that feeding it whole with every call costs nothing.

    All graphs read the same memory; variables would hold a copy in each graph. One split is held,
    until another replaces it or its last other reference goes.
    """

    def __init__(self) -> None:
        self._of: weakref.ref[Split] | None = None
        self._arrays: tuple[NDArray[Any], NDArray[np.int32]] | None = None

    def arrays(self, data: Split) -> tuple[NDArray[Any], NDArray[np.int32]]:
        """Return images (m, *shape) and labels (m,), aligned and read-only.

        They are those of the split; or, where its images are ``Pixels``, all bytes that these are
        some of, at the places that :func:`places` gives.
        """
        if self._arrays is None or self._of is None or self._of() is not data:
            self._arrays = None  # first: two copies at once may not fit
            self._of = weakref.ref(data, self._forget)
            images: Any = data.images
            if isinstance(images, Pixels):
                labels = np.zeros(len(images.stored), np.int32)
                labels[images.rows] = data.labels
                self._arrays = aligned(images.stored, np.uint8), aligned(labels, np.int32)
            else:
                self._arrays = aligned(images, np.float32), aligned(data.labels, np.int32)
        return self._arrays

    @property
    def is_filled(self) -> bool:
        """True while the arrays of a split are held."""
        return self._arrays is not None

    def _forget(self, gone: Any) -> None:
        if gone is self._of:
            self._arrays = None


def pixels_of(data: Split) -> str:
    """Return the type of the images that a graph is fed: "float32" or "uint8"."""
    return "uint8" if isinstance(data.images, Pixels) else "float32"


def places(data: Split, indices: NDArray[Any]) -> NDArray[Any]:
    """Return where images of a split lie in the arrays of :class:`AlignedSplit`."""
    images: Any = data.images
    return images.rows[indices] if isinstance(images, Pixels) else indices


def aligned(array: NDArray[Any], dtype: Any) -> NDArray[Any]:
    """Return the array, or a copy of it, as ``dtype`` at an aligned address.

    Examples
    --------
    >>> aligned(np.arange(9)[1:], np.float32).ctypes.data % ALIGNMENT
    0
    """
    if array.dtype == dtype and array.flags.c_contiguous and array.ctypes.data % ALIGNMENT == 0:
        return array
    size = array.size * np.dtype(dtype).itemsize
    memory = np.empty(size + ALIGNMENT, np.uint8)
    first = -memory.ctypes.data % ALIGNMENT
    copy: NDArray[Any] = memory[first : first + size].view(dtype).reshape(array.shape)
    copy[...] = array
    copy.flags.writeable = False
    return copy
