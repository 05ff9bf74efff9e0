"""What becomes of training images inside the graph: moved, turned, scaled, partly erased."""

from __future__ import annotations

import math
import zlib
from typing import Any

from growsearch.training.slim.backend import tf


def moved(images: Any, seed: Any, shift: Any, rotate: Any, zoom: Any) -> Any:
    """Images scaled and turned about their centres and moved by whole pixels, zeros around them.

    One interpolation does it all; where images are only moved it gives the pixels themselves.

    Parameters
    ----------
    images : float32 tensor, shape (n, height, width, channels)
    seed : int64 tensor, shape (2,)
        The same seed does the same; each image has a shift, an angle and a scale of its own.
    shift : int32 tensor, shape ()
        Largest shift along each axis, in pixels.
    rotate : float32 tensor, shape ()
        Largest angle, in degrees.
    zoom : float32 tensor, shape ()
        Along each axis by itself, from 1 / (1 + zoom) to 1 + zoom times as large.
    """
    count = tf.shape(images)[0]
    _, height, width, _ = images.shape
    by = tf.random.stateless_uniform(
        (2, count), _of(seed, "shift"), -shift, shift + 1, dtype=tf.int32
    )
    dx, dy = tf.unstack(tf.cast(by, tf.float32))
    angle = rotate * (math.pi / 180.0)
    angle *= tf.random.stateless_uniform((count,), _of(seed, "rotate"), -1.0, 1.0)
    cos, sin = tf.cos(angle), tf.sin(angle)
    scale = tf.random.stateless_uniform((2, count), _of(seed, "zoom"), -1.0, 1.0)
    sx, sy = tf.unstack(tf.pow(1.0 + zoom, scale))
    x, y = (width - 1) / 2.0, (height - 1) / 2.0  # pixel centres
    zero = tf.zeros_like(cos)
    # From an output pixel to the input pixel that it shows.
    rows = (
        *(sx * cos, -sx * sin, x - sx * (cos * x - sin * y) + dx),
        *(sy * sin, sy * cos, y - sy * (sin * x + cos * y) + dy),
        *(zero, zero),
    )
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=tf.stack(rows, axis=1),
        output_shape=(height, width),
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
    )


def erased(images: Any, seed: Any, size: Any) -> Any:
    """Images with a square set to 0, at a place of each image's own, inside it.

    DeVries and Taylor's cutout, arXiv:1708.04552, except that theirs may reach over the edge.

    Parameters
    ----------
    images : float32 tensor, shape (n, height, width, channels)
    seed : int64 tensor, shape (2,)
    size : int32 tensor, shape ()
        Pixels along a side, at most the image's.
    """
    count = tf.shape(images)[0]
    inside = []
    for axis, name in ((1, "erase y"), (2, "erase x")):
        length = images.shape[axis]
        first = tf.random.stateless_uniform(
            (count, 1), _of(seed, name), 0, length - size + 1, dtype=tf.int32
        )
        along = tf.range(length)[None]
        inside.append((along >= first) & (along < first + size))
    square = inside[0][:, :, None, None] & inside[1][:, None, :, None]
    return tf.where(square, tf.zeros_like(images), images)


def _of(seed: Any, name: str) -> Any:
    """A seed of its own for each use; layers' names have no spaces, so that dropout's differ."""
    return tf.random.experimental.stateless_fold_in(seed, zlib.crc32(f"augment {name}".encode()))
