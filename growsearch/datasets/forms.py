"""The forms of a user's images: folder, .npz file, arrays, `Dataset`."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from growsearch.datasets.dataset import Dataset, Images, Split, split_from
from growsearch.datasets.idx import idx_hash, read_idx
from growsearch.datasets.labels import with_numbers
from growsearch.datasets.npz import read_npz
from growsearch.errors import DataError, DataNotFoundError

Pair: TypeAlias = tuple[ArrayLike, ArrayLike]
Data: TypeAlias = str | os.PathLike[str] | Dataset | tuple[Pair, Pair]

_FORMS = (
    "a folder with the four IDX files, an .npz file, ((x_train, y_train), (x_test, y_test)) "
    "or a Dataset"
)
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
    image_shape: tuple[int, int, int],
    classes: int,
    others: Mapping[str, str],
) -> Dataset:
    """Make a data set of a user's images.

    Parameters
    ----------
    data : path, arrays or Dataset
        A folder with the four IDX files (gzipped or not), an ``.npz`` file in the layout of Keras,
        ``((x_train, y_train), (x_test, y_test))``, or a `Dataset`, which is returned as it is.
    name : str
        The name that the data set gets.
    validation : int
        At most this many of the first training images become the validation split; never more
        than a sixth of them. An ``.npz`` file may bring its own.
    image_shape : (height, width, channels)
        What every image must be; grey images may lack the channel axis.
    classes : int
        Labels must be below this.
    others : mapping
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
    if isinstance(data, str | os.PathLike):
        path = Path(os.path.expanduser(data))  # noqa: PTH111 - Path's raises for an unknown user
        arrays, source = _read(path), str(path)
    else:
        arrays, source = _pairs(data), "arrays in memory"
    arrays, class_names = _numbered(arrays, source)
    parts = {
        part: split_from(arrays[f"x_{part}"], arrays[f"y_{part}"], where=f"{source}: {part}")
        for part in ("train", "validation", "test")
        if f"x_{part}" in arrays
    }
    for part, split in parts.items():
        if split.images.shape[1:] != image_shape:
            raise DataError(
                f"{source}: {part}: expected {name} images of shape {image_shape}, "
                f"got {split.images.shape[1:]}: resize them, or pass a Dataset of your own name"
            )
        if other := others.get(idx_hash(_pixels(split.images))):
            raise DataError(
                f"{source}: {part}: expected images of {name}, got those of {other}: "
                f"name another path, or the data set {other}"
            )
    if "validation" not in parts:
        parts["validation"], parts["train"] = first_and_rest(parts["train"], validation)
    return Dataset(
        name,
        parts["train"],
        parts["validation"],
        parts["test"],
        source=source,
        classes=classes,
        class_names=class_names if class_names and len(class_names) == classes else None,
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
    return (
        Split(split.images[:count], split.labels[:count]),
        Split(split.images[count:], split.labels[count:]),
    )


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
