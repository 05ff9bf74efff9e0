"""The forms of published images and of arrays: folder, .npz file, arrays, `Dataset`."""

import math
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from growsearch.datasets.cifar import is_cifar, read_cifar
from growsearch.datasets.dataset import Dataset, Images, Split, split_from
from growsearch.datasets.files import path_to_store, printable
from growsearch.datasets.idx import idx_hash, read_idx
from growsearch.datasets.intensities import check_axes
from growsearch.datasets.labels import class_numbers, with_numbers
from growsearch.datasets.npz import CLASS_NAMES, read_npz
from growsearch.datasets.pixels import Pixels
from growsearch.errors import DataError, DataNotFoundError

Pair: TypeAlias = tuple[ArrayLike, ArrayLike]
Data: TypeAlias = Any
"""A path, a `Dataset`, or what else `growsearch.datasets.load` takes."""

_FORMS = (
    "a folder with a folder a class, an archive of one, a CSV of path,label, a folder with the "
    "four IDX files, an .npz file, ((x_train, y_train), (x_test, y_test)) or a Dataset"
)
IN_MEMORY = "arrays in memory"
_CHUNK = 4096  # images
_IDX_FILES = {
    "x_train": ("train-images", "idx3-ubyte"),
    "y_train": ("train-labels", "idx1-ubyte"),
    "x_test": ("t10k-images", "idx3-ubyte"),
    "y_test": ("t10k-labels", "idx1-ubyte"),
}


def dataset_from(
    data: Data,
    *,
    name: str,
    validation: int,
    image_shape: tuple[int, int, int] | None = None,
    class_names: tuple[str, ...] = (),
    others: Mapping[str, str] | None = None,
) -> Dataset:
    """Make a data set of published images, or of a user's own arrays.

    Arrays of another shape, or of another number of classes, are a data set of their own; it is
    called as the file, and has as many classes as its labels say.

    Parameters
    ----------
    data : path, arrays or Dataset
        A folder with the four IDX files (gzipped or not), an ``.npz`` file in the layout of Keras,
        ``((x_train, y_train), (x_test, y_test))``, or a `Dataset`, which is returned as it is.
    name : str
        The name that the data set gets.
    validation : int
        At most this many of the first training images become the validation split, never more
        than a sixth of them; of a data set of their own about so many, the first of each class.
        An ``.npz`` file may bring its own.
    image_shape : (height, width, channels), optional
        That of the data set called `name`; grey images may lack the channel axis. Without one all
        images are a data set of their own.
    class_names : tuple of str
        Name of each class of the data set called `name`, in the order of the labels.
    others : mapping, optional
        Names of other data sets, whose images are refused, under the `idx_hash` of their images
        as bytes (n, height, width).

    Returns
    -------
    Dataset
        Checked and read-only.

    Raises
    ------
    DataNotFoundError
        If there is nothing at the path.
    DataError
        If the images there cannot be used, or are those of another data set.
    """
    if isinstance(data, Dataset):
        return data
    own, may_be_own = "images", True
    if isinstance(data, str | os.PathLike):
        path = Path(os.path.expanduser(data))  # noqa: PTH111 - Path's raises for an unknown user
        arrays, source, paths = _read(path), str(path), path_to_store(path)
        own, may_be_own = printable(path.stem) or own, path.is_file()
    else:
        arrays, source, paths = _pairs(data), IN_MEMORY, ()
    named = _names(arrays.pop(CLASS_NAMES, None), source)
    arrays, in_labels = _numbered(arrays, source)
    parts = {
        part: (arrays[f"x_{part}"], arrays[f"y_{part}"])
        for part in ("train", "validation", "test")
        if f"x_{part}" in arrays
    }
    is_named_otherwise = (in_labels is not None and len(in_labels) != len(class_names)) or (
        named is not None and named != tuple(class_names)
    )
    if image_shape is None or (
        may_be_own and (is_named_otherwise or not _may_be(parts, image_shape, len(class_names)))
    ):
        splits = {part: _in_bytes(*pair, where=f"{source}: {part}") for part, pair in parts.items()}
        name, class_names = own, in_labels or named or ()
        cut = first_of_each_and_rest
    else:
        cut = first_and_rest
        make = split_from if image_shape[-1] == 1 else _in_bytes
        splits = {}
        for part, pair in parts.items():
            splits[part] = make(*pair, where=f"{source}: {part}")
            _check_published(splits[part], f"{source}: {part}", name, image_shape, others or {})
        if in_labels and len(in_labels) == len(class_names):
            class_names = in_labels
    if "validation" not in splits:
        splits["validation"], splits["train"] = cut(splits["train"], validation)
    return Dataset(
        name,
        splits["train"],
        splits["validation"],
        splits["test"],
        source=source,
        class_names=class_names or None,
        paths=paths,
    )


def _names(array: Any, source: str) -> tuple[str, ...] | None:
    """Return the names of classes that an archive holds, as text or as its bytes in UTF-8."""
    if array is None:
        return None
    names = np.asarray(array)
    if names.ndim == 1 and names.dtype.kind in "US":
        with suppress(UnicodeDecodeError):
            return tuple(each.decode() if isinstance(each, bytes) else str(each) for each in names)
    raise DataError(
        f"{source}: {CLASS_NAMES} expected one axis of text, a name for each class, got "
        f"{names.dtype} {names.shape}: write it again, as np.array(['cat', 'dog'])"
    )


def _may_be(parts: Mapping[str, Pair], shape: tuple[int, int, int], classes: int) -> bool:
    """Return whether arrays have the shape of published images, and as many classes."""
    last = 0
    for images, labels in parts.values():
        try:
            found, every = np.shape(images), class_numbers(np.asarray(labels))
        except (ValueError, DataError):  # an error of its own, which a split tells
            return True
        if len(found) not in (3, 4) or (*found[1:], 1)[:3] != shape:
            return len(found) not in (3, 4)
        last = max(last, int(every.max(initial=0)))
    return last + 1 == classes


def _in_bytes(images: ArrayLike, labels: ArrayLike, *, where: str) -> Split:
    """Make a split that keeps bytes as bytes, which take a quarter of the memory."""
    array: Any = np.asarray(images)
    if array.dtype != np.uint8 or array.ndim not in (3, 4) or not array.size:
        return split_from(images, labels, where=where)
    array = array[..., np.newaxis] if array.ndim == 3 else array
    array = array.copy() if array.flags.writeable else array
    array.flags.writeable = False
    try:
        check_axes(array.shape)
        return Split(Pixels(array), labels)  # type: ignore[arg-type]
    except DataError as error:
        raise DataError(f"{where}: {error}") from error


def _check_published(
    split: Split, where: str, name: str, shape: tuple[int, int, int], others: Mapping[str, str]
) -> None:
    """Refuse images of another shape, and those of another data set."""
    is_grey = split.images.shape[-1] == 1
    if is_grey and (other := others.get(idx_hash(_pixels(split.images)))):
        raise DataError(
            f"{where}: expected images of {name}, got those of {other}: "
            f"name another path, or the data set {other}"
        )
    if split.images.shape[1:] != shape:
        raise DataError(
            f"{where}: expected {name} images of shape {shape}, "
            f"got {split.images.shape[1:]}: resize them, or pass a Dataset of your own name"
        )


def _numbered(arrays: dict[str, Any], source: str) -> tuple[dict[str, Any], tuple[str, ...] | None]:
    """Return arrays with class numbers as labels, and the classes' names if labels were names."""
    try:
        return with_numbers(arrays)
    except DataError as error:
        raise DataError(f"{source}: {error}") from error
    except ValueError:  # ragged labels, of which a split says what is wrong
        return arrays, None


def first_and_rest(split: Split, most: int) -> tuple[Split, Split]:
    """Cut the first images off: at most `most`, at most a sixth, at least one.

    Raises
    ------
    DataError
        If there are fewer than two images.

    Examples
    --------
    >>> import numpy as np
    >>> split = Split(np.zeros((60, 8, 8, 1), np.float32), np.arange(60))
    >>> [len(part) for part in first_and_rest(split, 5000)]
    [10, 50]
    """
    if len(split) < 2:
        raise DataError("expected at least 2 training images, one for validation, got 1: give more")
    count = max(1, min(most, len(split) // 6))
    return split.take(slice(count)), split.take(slice(count, None))


def first_of_each_and_rest(split: Split, most: int) -> tuple[Split, Split]:
    """Cut the first images of each class off: about `most` in all, about a sixth of the class.

    A class of one image gives none, others at least one.

    Raises
    ------
    DataError
        If there are fewer than two images.

    Examples
    --------
    >>> split = Split(np.zeros((18, 8, 8, 1), np.float32), np.arange(18) // 12)
    >>> first_of_each_and_rest(split, 5000)[0].labels.tolist()
    [0, 0, 1]
    """
    fraction = min(most / len(split), 1 / 6)
    cut = np.zeros(len(split), bool)
    for label in np.unique(split.labels):
        members = np.flatnonzero(split.labels == label)
        if len(members) > 1:
            cut[members[: max(1, math.floor(len(members) * fraction + 0.5))]] = True
    if not cut.any():
        return first_and_rest(split, most)
    return split.take(cut), split.take(~cut)


def read_idx_folder(folder: Path) -> dict[str, Any]:
    """Read ``x_train``, ``y_train``, ``x_test``, ``y_test`` from the four IDX files in a folder.

    Raises
    ------
    DataNotFoundError
        If one of the four is not there, under either spelling, gzipped or not.
    DataError
        If one is damaged.
    """
    return {key: read_idx(_idx_file(folder, *parts)) for key, parts in _IDX_FILES.items()}


def _idx_file(folder: Path, stem: str, kind: str) -> Path:
    for separator in "-.":
        for ending in ("", ".gz"):
            path = folder / f"{stem}{separator}{kind}{ending}"
            if path.is_file():
                return path
    raise DataNotFoundError(
        f"{folder}: expected the four IDX files, {stem}-{kind} or {stem}-{kind}.gz is "
        "missing: put it there, or name another folder"
    )


def _pixels(images: Images) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Return images (n, height, width, 1) as bytes (n, height, width)."""
    pixels = np.empty(images.shape[:-1], np.uint8)
    for first in range(0, len(images), _CHUNK):  # bounds the memory
        pixels[first : first + _CHUNK] = np.rint(images[first : first + _CHUNK, ..., 0] * 255)
    return pixels


def _read(path: Path) -> dict[str, Any]:
    try:
        if is_cifar(path):
            return read_cifar(path)
        if path.is_dir():
            return read_idx_folder(path)
        if path.is_file():
            return read_npz(path)
    except DataError:
        raise
    except OSError as error:
        raise DataError(f"{path}: cannot be opened ({error.strerror}): name {_FORMS}") from error
    raise DataNotFoundError(f"{path}: nothing there: name {_FORMS}")


def _pairs(data: Any) -> dict[str, Any]:
    try:
        (x_train, y_train), (x_test, y_test) = data
    except (TypeError, ValueError) as error:
        raise DataError(f"expected {_FORMS}, got {type(data).__name__}") from error
    return {"x_train": x_train, "y_train": y_train, "x_test": x_test, "y_test": y_test}
