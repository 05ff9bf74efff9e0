"""Pipelines of batches: read once, in an order of their content."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from growsearch.datasets import Dataset, load
from growsearch.errors import DataError
from tests.messages import one_line

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (36, 4, 5, 3), np.uint8)
LABELS = np.arange(36) % 3


class Pipeline:
    """A stand-in with what growsearch calls of a `tf.data.Dataset`, in batches of five."""

    def __init__(
        self, x: Any = IMAGES, y: Any = LABELS, *, order: Any = None, batch: int = 5
    ) -> None:
        order = np.arange(len(x)) if order is None else order
        self._x, self._y, self._batch = x[order], y[order], batch

    def cardinality(self) -> int:
        return -(-len(self._x) // self._batch)

    def as_numpy_iterator(self) -> Iterator[Any]:
        for first in range(0, len(self._x), self._batch):
            some = slice(first, first + self._batch)
            yield self._x[some], self._y[some]


class PyDataset:
    """A stand-in with what growsearch calls of Keras' class of that name."""

    def __init__(self, batches: list[Any]) -> None:
        self._batches = batches
        self.class_indices = {"b": 1, "a": 0, "c": 2}

    def __len__(self) -> int:
        return len(self._batches)

    def __getitem__(self, place: int) -> Any:
        return self._batches[place]


def everything(data: Dataset) -> set[tuple[bytes, int]]:
    return {
        (image.tobytes(), int(label))
        for split in (data.train, data.validation, data.test)
        for image, label in zip(np.asarray(split.images), split.labels, strict=True)
    }


EXPECTED = {
    ((image / np.float32(255)).astype(np.float32).tobytes(), int(label))
    for image, label in zip(IMAGES, LABELS, strict=True)
}


def test_a_pipeline_is_split() -> None:
    """Every image is in one split with its label, each class alike; again in any order."""
    data = load("mnist", Pipeline())
    assert everything(data) == EXPECTED
    assert [len(data.train), len(data.validation), len(data.test)] == [24, 6, 6]
    assert np.bincount(data.test.labels).tolist() == [2, 2, 2]
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(36)
        assert load("mnist", Pipeline(order=order)).fingerprint == data.fingerprint


@pytest.mark.parametrize(
    ("x", "y"),
    [
        (IMAGES.astype(np.float32), LABELS),
        ((IMAGES / np.float32(255)).astype(np.float32), LABELS),
        (IMAGES, np.eye(3, dtype=np.float32)[LABELS]),
        (IMAGES, LABELS[:, np.newaxis]),
    ],
)
def test_pixels_and_labels_in_any_form(x: Any, y: Any) -> None:
    """Floats to 255 or to 1, one-hot, a column: the same data set."""
    assert everything(load("mnist", Pipeline(x, y))) == EXPECTED


def test_images_one_by_one() -> None:
    """A pipeline that is not batched, with labels or one-hot rows."""
    for y in (LABELS, np.eye(3)[LABELS]):
        single = PyDataset(list(zip(IMAGES, y, strict=True)))
        assert everything(load("mnist", single)) == EXPECTED


def test_pipelines_of_splits() -> None:
    """A pair, a triple or a mapping; class names come along."""
    parts = [
        PyDataset([(IMAGES[some], LABELS[some], np.ones(12))])
        for some in (slice(12), slice(12, 24), slice(24, 36))
    ]
    data = load("mnist", tuple(parts))
    assert data.class_names == ("a", "b", "c")
    assert [len(data.train), len(data.validation), len(data.test)] == [12, 12, 12]
    named = {"train": parts[0], "validation": parts[1], "test": parts[2]}
    assert load("mnist", named).fingerprint == data.fingerprint
    pair = load("mnist", parts[:2])
    assert [len(pair.train), len(pair.validation), len(pair.test)] == [9, 3, 12]


class Endless(Pipeline):
    """A pipeline that repeats."""

    def cardinality(self) -> int:
        return -1


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (Endless(), "expected a pipeline that ends, got one that repeats"),
        (PyDataset([]), "got an empty pipeline"),
        (PyDataset([IMAGES]), "expected pairs of images and labels, got ndarray"),
        (PyDataset([(IMAGES, LABELS[1:])]), r"n labels, got \(36, 4, 5, 3\) and \(35,\)"),
        (PyDataset([(IMAGES, LABELS), (IMAGES[:, :2], LABELS)]), "images of one shape"),
        (PyDataset([(IMAGES, np.full((36, 2), 0.5))]), "whose row 0 is not one-hot"),
        ({"test": Pipeline()}, "expected train, and if need be validation and test, got test"),
        (Pipeline(IMAGES[:2], LABELS[:2]), "got 2 in all and none for validation"),
    ],
)
def test_a_pipeline_that_cannot_be_used_is_one_line(data: Any, words: str) -> None:
    """That says what it should give."""
    with pytest.raises(DataError, match=words) as raised:
        load("mnist", data)
    one_line(raised)


def test_tensorflow_and_keras_pipelines() -> None:
    """The real classes: a shuffled `tf.data.Dataset`, and a `keras.utils.PyDataset`."""
    import keras
    import tensorflow as tf

    class Batches(keras.utils.PyDataset):  # type: ignore[misc,name-defined]
        def __len__(self) -> int:
            return 3

        def __getitem__(self, place: int) -> Any:
            some = slice(12 * place, 12 * place + 12)
            return IMAGES[some], LABELS[some]

    stream = tf.data.Dataset.from_tensor_slices((IMAGES, LABELS)).shuffle(36).batch(7)
    for data in (stream, stream.unbatch(), Batches()):
        loaded = load("mnist", data)
        assert everything(loaded) == EXPECTED
    with pytest.raises(DataError, match="got one that repeats"):
        load("mnist", stream.repeat())


def test_a_pixel_just_above_one_is_no_byte() -> None:
    """A rounding error, as of a resizing, does not turn a split black; splits are scaled alike."""
    floats = np.float32(IMAGES / 255)
    floats[3, 0, 0, 0] = np.nextafter(np.float32(1), np.float32(2))
    found = load("mnist", (Pipeline(floats), Pipeline(floats[:6], LABELS[:6])))
    assert found.train.images.mean() == pytest.approx(floats.mean(), abs=0.05)
    assert found.test.images.mean() == pytest.approx(floats[:6].mean(), abs=1e-6)
    dark = np.float32(IMAGES // 200)  # 0 and 1 of 255
    found = load("mnist", (Pipeline(np.float32(IMAGES)), Pipeline(dark[:6], LABELS[:6])))
    assert found.test.images.max() == np.float32(1 / 255)


def test_one_image_as_high_as_there_are_classes_is_no_batch() -> None:
    """Colour images one by one, whose one-hot row is as long as they are high."""
    images, hot = np.uint8(RNG.integers(0, 256, (36, 4, 4, 3))), np.eye(4)[np.arange(36) % 4]

    class OneByOne(Pipeline):
        def as_numpy_iterator(self) -> Iterator[Any]:
            yield from zip(self._x, self._y, strict=True)

    found = load("mnist", OneByOne(images, hot))
    assert (found.image_shape, found.classes) == ((4, 4, 3), 4)
    assert sum(map(len, (found.train, found.validation, found.test))) == 36
    grey = load("mnist", Pipeline(images[..., 0], np.arange(36) % 4, batch=4))
    assert grey.image_shape == (4, 4, 1)
