"""Images without a published name; several data sets joined, and in an order of classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from growsearch.datasets.dataset import Dataset, Split
from growsearch.datasets.files import ImageFiles, repeated, some
from growsearch.datasets.forms import Data, dataset_from
from growsearch.datasets.pixels import Pixels
from growsearch.errors import DataError, DataNotFoundError

NAME = "own"


def load_own(
    data: Data | None = None, *, stand_in: str | None, validation: int, seed: int
) -> Dataset:
    """Load images of any shape and number of classes, which must be named; nothing is downloaded.

    Raises
    ------
    DataNotFoundError
        When no data are named, or there is nothing at the path.
    DataError
        When they cannot be used.
    """
    del stand_in, seed
    if data is None:
        raise DataNotFoundError(
            "data: expected your images, by --data PATH or data=, got none: the network that you "
            "give has no images of its own"
        )
    return dataset_from(data, name="images", validation=validation)


def joined(datasets: Sequence[Dataset]) -> Dataset:
    """Return several data sets as one: training images to training images, and so on.

    Classes of the same name are one class. Those of the first data set keep their numbers, and
    further ones follow in their order.

    Raises
    ------
    DataError
        When their images differ in shape, or some have names of classes and others have not.
    """
    first, *others = datasets
    if not others:
        return first
    for each in others:
        if each.image_shape != first.image_shape:
            raise DataError(
                f"{each.source}: expected images of shape {first.image_shape}, as in "
                f"{first.source}, got {each.image_shape}"
            )
        if (each.class_names is None) != (first.class_names is None):
            named, other = (first, each) if first.class_names else (each, first)
            raise DataError(
                f"{other.source}: expected names of the classes, as in {named.source}, got numbers "
                "alone: name them"
            )
    names = None
    if first.class_names is not None:
        every = dict.fromkeys(name for each in datasets for name in each.class_names or ())
        names = tuple(every)
        datasets = [in_order(each, names) for each in datasets]
    files = ImageFiles(file for each in datasets for file in each.files or ())
    notes = [note for each in datasets for note in each.notes]
    notes += [note for note in repeated(files) if note not in notes]
    return replace(
        first,
        train=_joined([each.train for each in datasets]),
        validation=_joined([each.validation for each in datasets]),
        test=_joined([each.test for each in datasets]),
        source=" and ".join(each.source for each in datasets),
        classes=max(each.classes for each in datasets),
        class_names=names,
        notes=tuple(notes),
        files=files or None,
        paths=tuple(path for each in datasets for path in each.paths),
    )


def in_order(dataset: Dataset, class_names: Sequence[str] | None) -> Dataset:
    """Return a data set whose classes have the numbers of an order of names.

    Parameters
    ----------
    dataset : Dataset
        With names of its classes.
    class_names : sequence of str or None
        These, in the order asked for, and others, of which there are then no images. None is the
        order as it is. Names that
        are the numbers of their places, as :class:`growsearch.AddClasses` gives old classes, stand
        for the classes that are not named, if there are as many.

    Raises
    ------
    DataError
        Names the classes that are not in the order.

    Examples
    --------
    >>> split = Split(np.zeros((2, 4, 4, 1), np.float32), np.array([0, 1]))
    >>> found = Dataset("pets", split, split, split, source="made", class_names=("cat", "dog"))
    >>> in_order(found, ("dog", "bird", "cat")).train.labels.tolist()
    [2, 0]
    """
    before = dataset.class_names
    if before is None or class_names is None:
        return dataset
    order = tuple(class_names)
    if before == order:
        return dataset
    missing = [name for name in before if name not in order]
    numbered = [n for n, name in enumerate(order) if name == str(n) and name not in before]
    notes = dataset.notes
    if missing and len(numbered) == len(missing):
        named = dict(zip(numbered, missing, strict=True))
        order = tuple(named.get(number, name) for number, name in enumerate(order))
        meant = [f"{number} = {name}" for number, name in named.items()]
        notes += (f"classes of the network that have numbers only: {some(meant, 12)}",)
    elif missing:
        raise DataError(
            f"{dataset.source}: expected images of the classes {some(order, 12)}, got also "
            f"{some(missing)}: leave them out, or give the network more classes with growsearch "
            "grow MODEL --add-classes"
        )
    numbers = np.array([order.index(name) for name in before], np.int64)
    train, validation, test = (
        Split(split.images, numbers[split.labels])
        for split in (dataset.train, dataset.validation, dataset.test)
    )
    return replace(
        dataset,
        train=train,
        validation=validation,
        test=test,
        classes=len(order),
        class_names=order,
        notes=notes,
    )


def _joined(splits: Sequence[Split]) -> Split:
    """Return the images of several splits; bytes stay bytes."""
    labels = np.concatenate([split.labels for split in splits])
    images = [split.images for split in splits]
    if all(isinstance(each, Pixels) for each in images):
        chunks = [chunk for each in images for chunk in each.chunks()]  # type: ignore[attr-defined]
        return Split(Pixels(np.concatenate(chunks)), labels)  # type: ignore[arg-type]
    return Split(np.concatenate(images), labels)
