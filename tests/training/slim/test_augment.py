"""Images moved, turned, scaled and erased in the graph."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from growsearch.training import Augmentation
from growsearch.training.slim.augment import STEPS, active_steps, erased, flipped, moved
from growsearch.training.slim.backend import tf, v1

Array = NDArray[np.float32]

IMAGES = np.random.default_rng(0).random((200, 9, 7, 2), np.float32) + 0.1  # none is 0


def run(function: Callable[..., Any], seed: tuple[int, int], *amounts: float) -> Array:
    with tf.Graph().as_default(), v1.Session() as session:
        images = v1.placeholder(tf.float32, (None, *IMAGES.shape[1:]))
        key = v1.placeholder(tf.int64, (2,))
        kinds = {moved: (tf.int32, tf.float32, tf.float32), erased: (tf.int32,)}.get(
            function, (tf.bool,)
        )
        fed = [v1.placeholder(kind, ()) for kind in kinds]
        out = function(images, key, *fed)
        feed = {images: IMAGES, key: seed, **dict(zip(fed, amounts, strict=True))}
        result: Array = session.run(out, feed)
    assert result.dtype == np.float32
    assert result.shape == IMAGES.shape
    return result


def translated(image: Array, dy: int, dx: int) -> Array:
    """The image that shows at (y, x) what was at (y + dy, x + dx); zeros from outside."""
    height, width, _ = image.shape
    out = np.zeros_like(image)
    for y in range(height):
        for x in range(width):
            if 0 <= y + dy < height and 0 <= x + dx < width:
                out[y, x] = image[y + dy, x + dx]
    return out


def test_every_field_is_an_amount_of_one_step() -> None:
    """A field of the augmentation that no step takes would change nothing."""
    taken = [name for step in STEPS.values() for name in step.fields]
    assert sorted(taken) == sorted(field.name for field in fields(Augmentation))
    for name, step in STEPS.items():
        for field in step.fields:
            amount = type(getattr(Augmentation(), field))(1)
            assert active_steps(Augmentation(**{field: amount})) == (name,)
    assert active_steps(Augmentation()) == ()


def test_no_shift_is_the_identity() -> None:
    """Moved by up to 0 pixels, turned by 0 degrees, not scaled, every pixel keeps its bits."""
    assert np.array_equal(run(moved, (1, 2), 0, 0.0, 0.0), IMAGES)


def test_shifts_are_translations() -> None:
    """Each image is moved by whole pixels, bits kept; every shift occurs, about equally often."""
    shifts = [(dy, dx) for dy in range(-2, 3) for dx in range(-2, 3)]
    counts = dict.fromkeys(shifts, 0)
    for image, out in zip(IMAGES, run(moved, (1, 2), 2, 0.0, 0.0), strict=True):
        (shift,) = [s for s in shifts if np.array_equal(translated(image, *s), out)]
        counts[shift] += 1
    assert min(counts.values()) >= 1
    assert max(counts.values()) < 24  # 8 expected


def test_rotation_is_about_the_centre() -> None:
    """A turned image is scipy's bilinear rotation by some angle within the range."""
    y, x = np.mgrid[0:9, 0:7] - np.array([4.0, 3.0])[:, None, None]
    centred, angles = np.stack([y, x]), np.linspace(-30, 30, 1201)
    found = []
    for image, out in zip(IMAGES[:8], run(moved, (3, 4), 0, 30.0, 0.0), strict=False):
        errors = []
        for angle in np.deg2rad(angles):
            turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
            at = np.tensordot(turn, centred, 1) + np.array([4.0, 3.0])[:, None, None]
            inside = (at[0] >= 0) & (at[0] <= 8) & (at[1] >= 0) & (at[1] <= 6)
            turned = ndimage.map_coordinates(image[..., 0], at, order=1)
            errors.append(np.abs(turned - out[..., 0])[inside].max())
        assert min(errors) < 0.01
        found.append(angles[int(np.argmin(errors))])
    assert np.std(found) > 5.0  # an angle of its own for each image


def test_zoom_is_about_the_centre_and_of_each_axis() -> None:
    """A scaled image is scipy's bilinear one by some factors within the range."""
    y, x = np.mgrid[0:9, 0:7] - np.array([4.0, 3.0])[:, None, None]
    factors = np.geomspace(1 / 1.2, 1.2, 41)
    found = []
    for image, out in zip(IMAGES[:5], run(moved, (3, 4), 0, 0.0, 0.2), strict=False):
        errors = np.full((41, 41), np.inf)
        for i, j in np.ndindex(errors.shape):
            at = np.stack([y * factors[i] + 4.0, x * factors[j] + 3.0])
            inside = (at[0] >= 0) & (at[0] <= 8) & (at[1] >= 0) & (at[1] <= 6)
            scaled = ndimage.map_coordinates(image[..., 0], at, order=1)
            errors[i, j] = np.abs(scaled - out[..., 0])[inside].max()
        assert errors.min() < 0.02
        found.append(factors[list(np.unravel_index(errors.argmin(), errors.shape))])
    ys, xs = np.transpose(found)
    assert min(np.std(ys), np.std(xs)) > 0.03  # factors of its own for each image
    assert abs(np.corrcoef(ys, xs)[0, 1]) < 0.9


def test_a_flip_mirrors_about_half_of_the_images() -> None:
    """Each image is itself or its mirror image, bits kept; switched off, none is mirrored."""
    found = run(flipped, (1, 2), True)
    mirrored = [not np.array_equal(*pair) for pair in zip(IMAGES, found, strict=True)]
    expected = np.where(np.array(mirrored)[:, None, None, None], IMAGES[:, :, ::-1], IMAGES)
    assert np.array_equal(found, expected)
    assert 60 < sum(mirrored) < 140  # of 200: six standard deviations
    assert np.array_equal(run(flipped, (1, 2), False), IMAGES)


def test_an_erased_square_is_zero_and_inside() -> None:
    """In each image one square is 0 in all channels, the rest keeps its bits."""
    places = set()
    for image, out in zip(IMAGES, run(erased, (1, 2), 3), strict=True):
        gone = out == 0.0
        assert np.array_equal(gone[..., 0], gone[..., 1])
        assert gone.sum() == 2 * 9
        top, left = np.argwhere(gone[..., 0]).min(axis=0)
        assert gone[top : top + 3, left : left + 3].all()
        assert np.array_equal(out[~gone], image[~gone])
        places.add((int(top), int(left)))
    assert len(places) > 25  # of 35


def test_erasing_nothing_and_everything() -> None:
    """A square of 0 pixels is none; one as large as the image's shorter side still fits."""
    assert np.array_equal(run(erased, (1, 2), 0), IMAGES)
    assert ((run(erased, (1, 2), 7) == 0).sum(axis=(1, 2, 3)) == 7 * 7 * 2).all()


@pytest.mark.parametrize(
    ("function", "amounts"), [(moved, (2, 10.0, 0.1)), (erased, (3,)), (flipped, (True,))]
)
def test_the_seed_decides(function: Callable[..., Any], amounts: tuple[float, ...]) -> None:
    """The same seed does the same, another number or step does otherwise."""
    first = run(function, (1, 2), *amounts)
    assert np.array_equal(run(function, (1, 2), *amounts), first)
    for other in ((1, 3), (2, 2), (2**62, 2)):
        assert not np.array_equal(run(function, other, *amounts), first)
