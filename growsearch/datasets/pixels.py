"""Pixels: images kept as bytes, on disk or in memory, that are read as float32 from 0 to 1."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

_CHUNK = 1 << 24  # bytes hashed or written at a time


class Pixels:
    """Some of the images of an array of bytes, such as a memory map; they act as a float32 array.

    What an index takes is copied and divided by 255. Nothing else is converted, so that the images
    may be more than the memory holds.

    Parameters
    ----------
    stored : uint8 array (m, height, width, channels)
    rows : int array (n,), optional
        The places of the images in ``stored``, in their order; all of them by default.
    sha256 : str
        The SHA-256 of the bytes of ``stored``, where it is known.

    Examples
    --------
    >>> pixels = Pixels(np.full((3, 2, 2, 1), 255, np.uint8), np.array([2, 0]))
    >>> pixels.shape, pixels[:1].dtype, float(pixels[1].max())
    ((2, 2, 2, 1), dtype('float32'), 1.0)
    """

    dtype = np.dtype(np.float32)
    ndim = 4

    def __init__(
        self, stored: NDArray[np.uint8], rows: NDArray[Any] | None = None, *, sha256: str = ""
    ) -> None:
        self.stored = stored
        self.rows = np.arange(len(stored)) if rows is None else np.array(rows, np.intp)
        self.rows.flags.writeable = False
        self._sha256 = sha256

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Images, height, width, channels."""
        _, height, width, channels = self.stored.shape
        return len(self.rows), height, width, channels

    @property
    def size(self) -> int:
        """Number of values."""
        return int(np.prod(self.shape, dtype=np.int64))

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: Any) -> NDArray[np.float32]:
        if isinstance(index, tuple):
            if index and isinstance(index[0], slice):
                taken: NDArray[np.float32] = self[index[0]][slice(None), *index[1:]]
            else:
                taken = self[:][index]
            return taken
        part: NDArray[np.float32] = np.divide(self.stored[self.rows[index]], 255, dtype=np.float32)
        return part

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        if copy is False:
            raise ValueError("expected that a copy may be made: the pixels are bytes on disk")
        return self[:].astype(dtype or self.dtype, copy=False)

    def take(self, index: Any) -> Pixels:
        """Return some of the images, by a slice, places or a mask; reads none of them."""
        return Pixels(self.stored, self.rows[index], sha256=self._sha256)

    def chunks(self) -> Iterator[NDArray[np.uint8]]:
        """Yield the images as bytes, some at a time."""
        count = max(1, _CHUNK // max(1, self.size // max(1, len(self))))
        for first in range(0, len(self), count):
            yield self.stored[self.rows[first : first + count]]

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of all bytes of ``stored`` and of the places in it."""
        digest = hashlib.sha256((self._sha256 or sha256_of(self.stored)).encode())
        digest.update(self.rows.astype("<i8").data)
        return digest.hexdigest()


def sha256_of(stored: NDArray[np.uint8]) -> str:
    """Return the SHA-256 of an array's bytes, read some at a time.

    Examples
    --------
    >>> sha256_of(np.zeros((1, 1, 1, 1), np.uint8))[:8]
    '6e340b9c'
    """
    digest = hashlib.sha256()
    for part in Pixels(stored).chunks():
        digest.update(np.ascontiguousarray(part).data)
    return digest.hexdigest()
