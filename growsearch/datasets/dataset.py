"""The data set: three splits of images and labels, checked when they are made."""

import hashlib
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, Self, TypeVar, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from growsearch.datasets.files import ImageFiles
from growsearch.datasets.intensities import intensities
from growsearch.datasets.labels import class_numbers
from growsearch.datasets.pixels import Pixels
from growsearch.errors import DataError

LONGEST_NAME = 255
"""Characters of a class name, as of a folder's."""

Images = NDArray[np.float32]
Labels = NDArray[np.int64]
Scalar = TypeVar("Scalar", bound=np.generic)


@dataclass(frozen=True, eq=False)
class Split:
    """Images and their labels, both read-only.

    A writable array is copied: later changes to it do not change the split.

    Parameters
    ----------
    images : float32 (n, height, width, channels)
        Pixels from 0 to 1. Other floats are converted; integers from 0 to 255 are divided by 255,
        and uint16 beyond that by 65,535. Grey images may lack the channel axis. A
        `growsearch.datasets.Pixels` is kept as it is: bytes, of which each batch is converted by
        itself. It has shape, dtype and length of an array, and what an index takes is one.
    labels : int64 (n,)
        Class of each image, from 0. Other integers are converted, and so are a column (n, 1),
        one-hot rows, booleans, and floats that are whole numbers.
    class_names : tuple of str, optional
        Name of each class, as of the `Dataset` that the split is part of.

    Raises
    ------
    DataError
        If a shape, a type or a value is not as above, or if there are no images.

    Examples
    --------
    >>> split = Split(np.full((2, 28, 28, 1), 255, np.uint8), np.array([3, 7]))
    >>> len(split), split.images.dtype, float(split.images.max())
    (2, dtype('float32'), 1.0)
    """

    images: Images
    labels: Labels
    class_names: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        images, labels = _checked_images(self.images), _checked_labels(self.labels)
        if len(images) != len(labels):
            raise DataError(
                f"expected one label an image, got {len(images)} images and {len(labels)} labels: "
                "check that both come from the same split"
            )
        object.__setattr__(self, "images", images)
        object.__setattr__(self, "labels", labels)

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, index: Any) -> Self:
        """Return some of the images with their labels, by a slice, places or a mask.

        Raises
        ------
        DataError
            If there are none.
        """
        images = self.images
        some = images.take(index) if isinstance(images, Pixels) else images[index]
        return type(self)(cast(Images, some), self.labels[index], self.class_names)

    def named(self, class_names: tuple[str, ...] | None) -> Self:
        """Return the same images and labels under other names of the classes."""
        other = copy(self)
        object.__setattr__(other, "class_names", class_names)
        return other


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set in three splits that fit together.

    Parameters
    ----------
    name : str
        What the images are, such as ``mnist``.
    train, validation, test : Split
        Images to learn from, to choose on, and to report on once.
    source : str
        Where the images came from, for people to read.
    stand_in : bool
        True if these images replace the ones that were asked for.
    classes : int
        Number of classes; 0 means that of `class_names`, or else one more than the largest label in
        `train`.
    class_names : tuple of str, optional
        Name of each class, in the order of the labels; no two alike.
    notes : tuple of str
        What was done to the images on the way here, a line each, for people to read.
    files : ImageFiles, optional
        The files that the images came from.
    paths : tuple of str
        The absolute paths that the images were loaded from; none for a download, a stand-in, or
        what was in memory.

    Raises
    ------
    DataError
        If the splits differ in image shape, a label is not below `classes`, or the names are not
        one for each class.

    Examples
    --------
    >>> split = Split(np.zeros((3, 28, 28, 1), np.float32), np.array([0, 1, 2]))
    >>> data = Dataset("blank", split, split, split, source="made up")
    >>> data.image_shape, data.classes, data.fingerprint[:8]
    ((28, 28, 1), 3, '...')
    """

    name: str
    train: Split
    validation: Split
    test: Split
    source: str
    stand_in: bool = False
    classes: int = 0
    class_names: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()
    files: ImageFiles | None = None
    paths: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.classes < 0:
            raise DataError(f"{self.name}: expected at least 1 class, got {self.classes}")
        if self.class_names is not None:
            object.__setattr__(self, "class_names", _checked_names(self.class_names, self.name))
        is_given = self.classes > 0 or self.class_names is not None
        if self.classes == 0:
            named = len(self.class_names or ())
            object.__setattr__(self, "classes", named or int(self.train.labels.max()) + 1)
        if self.class_names is not None and len(self.class_names) != self.classes:
            raise DataError(
                f"{self.name}: expected {self.classes} class names, one a class, "
                f"got {len(self.class_names)}: name each class"
            )
        if not is_given and (least := self._least) > 0:
            raise DataError(
                f"{self.name} from {self.source}: expected labels from 0, got {least} to "
                f"{self.classes - 1}: class 0 is empty: subtract {least} from all labels, or "
                "give the number of classes"
            )
        for part, split in self._splits():
            where = f"{self.name} {part} from {self.source}"
            shape = _image_shape(split)
            if shape != self.image_shape:
                raise DataError(
                    f"{where}: expected {_times(self.image_shape)} images as in train, "
                    f"got {_times(shape)}: bring all splits to one shape"
                )
            largest = int(split.labels.max())
            if largest >= self.classes:
                raise DataError(
                    f"{where}: expected labels from 0 to {self.classes - 1}, "
                    f"got {largest}: {self._way_on(largest, is_given)}"
                )

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of one image."""
        return _image_shape(self.train)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 (64 hex digits) of the shapes, types and bytes of all three splits."""
        digest = hashlib.sha256()
        for part, split in self._splits():
            images = split.images
            if isinstance(images, Pixels):
                digest.update(f"{part} pixels {images.shape} {images.sha256}\n".encode())
            for array in (split.labels,) if isinstance(images, Pixels) else (images, split.labels):
                digest.update(f"{part} {array.dtype.str} {array.shape}\n".encode())
                digest.update(array.data)
        return digest.hexdigest()

    @property
    def _least(self) -> int:
        return min(int(split.labels.min()) for _, split in self._splits())

    def _way_on(self, largest: int, is_given: bool) -> str:
        """Return advice on labels that are too large."""
        if not is_given:
            return f"train has no image of class {largest}: add some, or give the number of classes"
        if largest == self.classes and self._least == 1:
            return "class 0 is empty: subtract 1 from all labels"
        every = np.unique(np.concatenate([split.labels for _, split in self._splits()]))
        if len(every) <= self.classes:
            return "check the labels"
        return f"these images have {len(every)} classes: pass a Dataset of your own name"

    def _splits(self) -> tuple[tuple[str, Split], ...]:
        return ("train", self.train), ("validation", self.validation), ("test", self.test)


def split_from(images: ArrayLike, labels: ArrayLike, *, where: str) -> Split:
    """Make a split of a user's images and labels.

    Parameters
    ----------
    images : array (n, height, width) or (n, height, width, channels)
        As in `Split`; without channels, one is added.
    labels : array (n,)
        As in `Split`.
    where : str
        Begins each error line, such as ``train``.

    Returns
    -------
    Split
        The checked split.

    Raises
    ------
    DataError
        As in `Split`, with `where` in front.
    """
    try:
        return Split(_as_array(images, "images"), _as_array(labels, "labels"))
    except DataError as error:
        raise DataError(f"{where}: {error}") from error


def _checked_images(given: ArrayLike | Pixels) -> Images:
    if isinstance(given, Pixels) and len(given):
        return cast(Images, given)
    images = _as_array(given, "images")
    return _frozen(intensities(images))


def _checked_labels(given: ArrayLike) -> Labels:
    labels = _as_array(given, "labels")
    return _frozen(class_numbers(labels))


def _checked_names(given: Any, name: str) -> tuple[str, ...]:
    names = (given,) if isinstance(given, str) else tuple(given)
    for each in names:
        if not isinstance(each, str) or not each:
            raise DataError(f"{name}: expected class names as texts, got {each!r}: name each class")
        if not each.strip() or not each.isprintable() or len(each) > LONGEST_NAME:
            raise DataError(
                f"{name}: expected class names that can be printed, of at most {LONGEST_NAME} "
                f"characters, got {each[:80]!r}: rename it"
            )
    for one, other in pairwise(sorted(names)):
        if one == other:
            raise DataError(f"{name}: expected each class name once, got {one!r} twice: rename one")
    return tuple(map(str, names))  # numpy's texts are no JSON


def _as_array(given: ArrayLike, what: str) -> NDArray[Any]:
    try:
        array = np.asarray(given)
    except (ValueError, TypeError) as error:
        raise DataError(f"expected {what} as one array, got a ragged or foreign value") from error
    if array.dtype == object and array.ndim == 0:
        raise DataError(
            f"expected {what} as one array, got a {type(given).__name__}: make an array of it, as "
            "np.stack(list(...)) does"
        )
    return array


def _frozen(array: NDArray[Scalar]) -> NDArray[Scalar]:
    array.flags.writeable = False
    return array


def _image_shape(split: Split) -> tuple[int, int, int]:
    _, height, width, channels = split.images.shape
    return height, width, channels


def _times(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))
