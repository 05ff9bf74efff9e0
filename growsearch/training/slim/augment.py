"""Augmentation of training images inside the graph: one row of STEPS each."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from growsearch.training import Augmentation
from growsearch.training.augmentation import NO_AUGMENTATION
from growsearch.training.slim.backend import tf, v1


def moved(images: Any, seed: Any, shift: Any, rotate: Any, zoom: Any) -> Any:
    """Return images scaled and turned about their centres, and moved by whole pixels.

    Zeros follow from outside. One interpolation makes all three changes; an image that is only
    moved keeps its pixels to the last bit.

    Parameters
    ----------
    images : float32 tensor, shape (n, height, width, channels)
    seed : int64 tensor, shape (2,)
        The same seed gives the same images; each has a shift, an angle and scales of its own.
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
    """Return images with a square set to 0, at a place of each image's own, inside it.

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


def flipped(images: Any, seed: Any, flip: Any) -> Any:
    """Return images, each mirrored left to right with probability 1/2.

    Parameters
    ----------
    images : float32 tensor, shape (n, height, width, channels)
    seed : int64 tensor, shape (2,)
    flip : bool tensor, shape ()
        False mirrors none.
    """
    draw = tf.random.stateless_uniform((tf.shape(images)[0], 1, 1, 1), _of(seed, "flip"))
    return tf.where((draw < 0.5) & flip, tf.reverse(images, axis=[2]), images)


@dataclass(frozen=True)
class AugmentationStep:
    """One change of training images.

    Parameters
    ----------
    function : callable
        (images, seed, one tensor for each field) -> images.
    fields : tuple of str
        Of :class:`growsearch.Augmentation`, in the order of the function's arguments. The step is
        part of a graph where one of them is not 0.
    """

    function: Callable[..., Any]
    fields: tuple[str, ...]


# In the order in which images go through them.
STEPS = {
    "move": AugmentationStep(moved, ("shift", "rotate", "zoom")),
    "erase": AugmentationStep(erased, ("erase",)),
    "flip": AugmentationStep(flipped, ("flip",)),
}
_DTYPES = {int: tf.int32, float: tf.float32, bool: tf.bool}


def active_steps(augmentation: Augmentation) -> tuple[str, ...]:
    """Return the names of the steps that an augmentation needs.

    Examples
    --------
    >>> active_steps(Augmentation(zoom=0.1))
    ('move',)
    """
    return tuple(
        name
        for name, step in STEPS.items()
        if any(getattr(augmentation, field) for field in step.fields)
    )


class Augmenter:
    """Some steps in the current graph, with a placeholder for each of their amounts."""

    def __init__(self, names: Sequence[str]) -> None:
        plain = NO_AUGMENTATION
        self._steps = tuple(STEPS[name] for name in names)
        self._amounts = {
            field: v1.placeholder(_DTYPES[type(getattr(plain, field))], ())
            for step in self._steps
            for field in step.fields
        }

    def apply(self, images: Any, seed: Any) -> Any:
        """Return the images after all steps; one seed gives the same images."""
        for step in self._steps:
            images = step.function(images, seed, *(self._amounts[name] for name in step.fields))
        return images

    def feed(self, augmentation: Augmentation) -> dict[Any, Any]:
        """Return the values of the placeholders."""
        return {fed: getattr(augmentation, name) for name, fed in self._amounts.items()}


def _of(seed: Any, name: str) -> Any:
    """Return a seed for one use; dropout's differ, since no layer's name has a space."""
    return tf.random.experimental.stateless_fold_in(seed, zlib.crc32(f"augment {name}".encode()))
