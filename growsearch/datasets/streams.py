"""Pipelines of batches: `tf.data.Dataset`, Keras' `PyDataset` and `Sequence`, read into arrays."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from growsearch.datasets.dataset import Dataset, Split, split_from
from growsearch.datasets.intensities import CHANNELS
from growsearch.datasets.labels import are_hot, class_numbers
from growsearch.datasets.splits import parts_of
from growsearch.errors import DataError

_SPLITS = ("train", "validation", "test")


def is_stream(data: Any) -> bool:
    """Return True for a pipeline of batches; neither TensorFlow nor Keras is loaded for that."""
    if hasattr(data, "as_numpy_iterator"):
        return True
    kinds = {each.__name__ for each in type(data).__mro__}
    return bool(kinds & {"PyDataset", "Sequence"}) and hasattr(data, "__getitem__")


def are_streams(data: Any) -> bool:
    """Return True for a pipeline, for a tuple of two or three, and for a mapping of splits."""
    if isinstance(data, Mapping):
        return bool(data) and all(is_stream(each) for each in data.values())
    if isinstance(data, tuple | list):
        return len(data) in (2, 3) and all(is_stream(each) for each in data)
    return is_stream(data)


def load_streams(data: Any, *, validation: int, seed: int) -> Dataset:
    """Read pipelines once, whole, into a data set.

    The images of each are put into an order of their content, so that a pipeline that shuffles
    gives the same data set each time.

    Parameters
    ----------
    data : pipeline, (train, test), (train, validation, test), or mapping
        Each gives pairs of images and labels, in batches or one by one. Pixels are uint8, or floats
        from 0 to 1 or from 0 to 255. Labels are numbers, or one-hot.
    validation, seed : int
        As of `load_images`, for splits that are not given.

    Returns
    -------
    Dataset
        With the class names that Keras' loaders of folders put on their pipelines.

    Raises
    ------
    DataError
        If a pipeline does not end, or does not give images and labels.
    """
    if isinstance(data, Mapping):
        given = dict(data)
    elif isinstance(data, tuple | list):
        given = dict(zip(_SPLITS if len(data) == 3 else ("train", "test"), data, strict=True))
    else:
        given = {"train": data}
    if "train" not in given or not given.keys() <= set(_SPLITS):
        raise DataError(
            f"a mapping of pipelines: expected train, and if need be validation and test, got "
            f"{', '.join(map(str, given))}: name them so"
        )
    arrays = {part: _read(stream, part) for part, stream in given.items()}
    top = max(float(x.max()) if x.size else 0.0 for x, _ in arrays.values())
    are_up_to_255 = 2.0 < top <= 255.0  # as `intensities` tells them from a rounding beyond 1
    splits, contents, parts = [], list[str](), list[str]()
    for part, (pixels, every) in arrays.items():
        divided = are_up_to_255 and pixels.dtype != np.uint8
        scaled = np.divide(pixels, 255, dtype=np.float32) if divided else pixels
        split, hashes = _in_order(scaled, every, part)
        splits.append(split)
        contents += hashes
        parts += [part] * len(split)
    images = np.concatenate([each.images for each in splits])
    labels = np.concatenate([each.labels for each in splits])
    images.flags.writeable = labels.flags.writeable = False
    source = f"a {type(given['train']).__name__} in memory"
    places = parts_of(
        labels,
        contents,
        [None] * len(parts) if len(given) == 1 else parts,
        validation=validation,
        seed=seed,
        source=source,
    )
    whole = Split(images, labels)
    made = {part: whole.take(chosen) for part, chosen in places.items()}
    return Dataset(
        "images",
        train=made["train"],
        validation=made["validation"],
        test=made["test"],
        source=source,
        class_names=_names(given["train"]),
    )


def _read(stream: Any, part: str) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return all images of a pipeline and their labels."""
    images, labels = [], []
    for x, y in _pairs(stream, part):
        images.append(x)
        labels.append(y)
    if not images:
        raise DataError(f"{part}: expected images and labels, got an empty pipeline: fill it")
    try:
        return np.concatenate(images), np.concatenate(labels)
    except ValueError:
        raise DataError(
            f"{part}: expected images of one shape, got {images[0].shape[1:]} and others: resize "
            "them in the pipeline"
        ) from None


def _in_order(pixels: NDArray[Any], every: NDArray[np.int64], part: str) -> tuple[Split, list[str]]:
    """Return images in the order of their content, with a hash of each."""
    pixels = np.ascontiguousarray(pixels)
    hashes = [
        hashlib.sha256(pixel.tobytes() + str(label).encode()).hexdigest()
        for pixel, label in zip(pixels, every, strict=True)
    ]
    order = sorted(range(len(hashes)), key=hashes.__getitem__)
    split = split_from(pixels[order], every[order], where=part)
    return split, [hashes[place] for place in order]


def _pairs(stream: Any, part: str) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
    """Yield batches of images and labels."""
    for element in _elements(stream, part):
        if not isinstance(element, tuple | list) or len(element) not in (2, 3):
            raise DataError(
                f"{part}: expected pairs of images and labels, got {type(element).__name__}: let "
                "the pipeline give (images, labels)"
            )
        x, y = np.asarray(element[0]), np.asarray(element[1])
        if y.ndim == 0 or (x.ndim == 3 and y.ndim == 1 and _is_one(x, y)):
            x, y = x[np.newaxis], y[np.newaxis]
        if x.ndim not in (3, 4) or len(x) != len(y):
            raise DataError(
                f"{part}: expected images (n, height, width, channels) and n labels, got {x.shape} "
                f"and {y.shape}: let the pipeline give batches of both"
            )
        yield x, _column(y, part)


def _is_one(x: NDArray[Any], y: NDArray[Any]) -> bool:
    """Return whether x is one image (h, w, c) with its one-hot row, no batch of grey ones."""
    is_hot = y.dtype.kind in "fiub" and bool(are_hot(y[np.newaxis]).all())
    return len(x) != len(y) or (x.shape[-1] in CHANNELS and is_hot)


def _elements(stream: Any, part: str) -> Iterator[Any]:
    if hasattr(stream, "as_numpy_iterator"):
        if int(stream.cardinality()) == -1:
            raise DataError(f"{part}: expected a pipeline that ends, got one that repeats")
        yield from stream.as_numpy_iterator()
        return
    try:
        count = len(stream)
    except (TypeError, ValueError):
        raise DataError(
            f"{part}: expected a pipeline that ends, got one without a length"
        ) from None
    for place in range(count):
        yield stream[place]


def _column(labels: NDArray[Any], part: str) -> NDArray[np.int64]:
    """Return the labels of a batch as class numbers."""
    try:
        return class_numbers(labels)
    except DataError as error:
        raise DataError(f"{part}: {error}") from error


def _names(stream: Any) -> tuple[str, ...] | None:
    """Return the class names that Keras' loaders put on what they return."""
    names = getattr(stream, "class_names", None)
    numbers = getattr(stream, "class_indices", None)
    if names is None and isinstance(numbers, Mapping):
        names = sorted(numbers, key=numbers.__getitem__)
    return tuple(map(str, names)) if names else None
