"""Pixels from 0 to 1, of images in the forms that people have: bytes, wider integers, floats."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from growsearch.errors import DataError

Intensities = NDArray[np.float32]
_SLACK = 1e-5  # by which a float may miss 0 or 1, as after a resizing
CHANNELS = (1, 3, 4)
"""Channels of images as files and libraries have them: grey, colour, colour with transparency."""

_LARGEST = 255
_LARGEST_OF_16_BITS = 65535


def intensities(images: NDArray[Any]) -> Intensities:
    """Return images as float32 from 0 to 1, in C order; what is that already is not copied.

    Parameters
    ----------
    images : array (n, height, width, channels), or (n, height, width) for grey images
        Booleans; integers from 0 to 255, and uint16 up to 65535; or floats from 0 to 1, of which a
        rounding error beyond is cut off. A writable array is copied.

    Raises
    ------
    DataError
        For another shape, type or range, or without any image.
    """
    if images.ndim == 3:
        images = images[..., np.newaxis]
    if images.ndim != 4:
        raise DataError(
            "expected images of shape (n, height, width, channels), "
            f"got {images.shape}: reshape them"
        )
    if images.size == 0:
        raise DataError(
            f"expected at least one image, got shape {images.shape}: the split is empty"
        )
    check_axes(images.shape)
    if images.dtype == np.bool_:
        return np.asarray(images, np.float32, order="C")
    if np.issubdtype(images.dtype, np.integer):
        scaled: Intensities = np.divide(images, _top(images), dtype=np.float32, order="C")
        return scaled
    if np.issubdtype(images.dtype, np.floating):
        return _within(images)
    raise DataError(
        f"expected images as uint8, or as floats from 0 to 1, got {images.dtype}: convert them"
    )


def check_axes(shape: tuple[int, ...]) -> None:
    """Refuse square images (n, channels, height, width), as PyTorch has them.

    Raises
    ------
    DataError
        Says how to move the axis.
    """
    _, channels, height, width = shape
    if channels in CHANNELS and height == width > max(CHANNELS):
        raise DataError(
            f"expected images of shape (n, height, width, channels), got {shape}, channels first: "
            "move the axis, as np.moveaxis(images, 1, -1) does"
        )


def _top(images: NDArray[Any]) -> int:
    """Return the integer that is white."""
    if images.dtype == np.uint8:
        return _LARGEST
    low, high = int(images.min()), int(images.max())
    is_wide = images.dtype == np.uint16 and high > _LARGEST
    top = _LARGEST_OF_16_BITS if is_wide else _LARGEST
    if low < 0 or high > top:
        raise DataError(
            f"expected {images.dtype} pixels from 0 to {top}, got {low} to {high}: scale them to "
            "floats from 0 to 1"
        )
    if high == 1:
        raise DataError(
            f"expected {images.dtype} pixels from 0 to {top}, got 0 to 1: convert them to floats"
        )
    return top


def _within(images: NDArray[Any]) -> Intensities:
    low, high = float(images.min()), float(images.max())  # both carry a NaN through
    if not (np.isfinite(low) and np.isfinite(high)):
        raise DataError("expected finite pixels, got NaN or infinity: repair or drop these images")
    slack = max(_SLACK, 2.0 * float(np.finfo(images.dtype).eps))
    if low < -slack or high > 1.0 + slack:
        what = "divide them by 255" if low >= 0.0 and 2.0 < high <= _LARGEST else "scale them"
        raise DataError(
            f"expected float pixels from 0 to 1, got {low:g} to {high:g}: "
            f"{what}, or pass uint8 pixels from 0 to 255"
        )
    if low < 0.0 or high > 1.0:
        images = np.clip(images, 0.0, 1.0)
    pixels: Intensities = images.astype(np.float32, order="C", copy=images.flags.writeable)
    return pixels
