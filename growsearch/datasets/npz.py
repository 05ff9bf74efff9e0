"""The .npz layout of Keras' MNIST (x_train, y_train, x_test, y_test), read as untrusted input."""

import math
import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from growsearch.datasets.listing import PARTS
from growsearch.errors import DataError

MOST_BYTES = 1 << 30
"""No array may hold more than this."""

CLASS_NAMES = "class_names"
_REQUIRED = ("x_train", "y_train", "x_test", "y_test")
_OPTIONAL = ("x_validation", "y_validation")
_OTHER_NAMES = {
    name: f"{axis}_{ours}"
    for part, ours in PARTS.items()
    for axis, medmnist in {"x": "images", "y": "labels"}.items()
    for name in (f"{axis}_{part}", f"{part}_{medmnist}")
}


def read_npz(path: Path) -> dict[str, NDArray[Any]]:
    """Read the arrays of a data set; other arrays in the file are left alone.

    Parameters
    ----------
    path : Path
        A file as `numpy.savez` or `numpy.savez_compressed` writes it.

    Returns
    -------
    dict
        ``x_train``, ``y_train``, ``x_test``, ``y_test``, and both or none of ``x_validation``,
        ``y_validation``, each with the array under that name, under another of the split
        (``x_val``, ``y_dev``, …), or under that of MedMNIST's files (``train_images``,
        ``val_labels``, …); ``class_names`` where the file has texts so called.

    Raises
    ------
    DataError
        If the file is damaged, lacks an array, or holds pickled objects (never opened).
    """
    try:
        with zipfile.ZipFile(path) as archive:
            inside = {name.removesuffix(".npy"): name for name in archive.namelist()}
            members = {_OTHER_NAMES.get(name, name): member for name, member in inside.items()}
            if len(members) < len(inside):
                twice = [name for name in inside if name not in members]
                raise DataError(
                    f"{path}: expected the arrays of each split once, got {', '.join(inside)}: "
                    f"leave out some of {', '.join(twice)}"
                )
            names = [name for name in _REQUIRED + _OPTIONAL if name in members]
            wanted = _REQUIRED + (_OPTIONAL if set(_OPTIONAL) & set(names) else ())
            missing = [name for name in wanted if name not in names]
            if missing:
                raise DataError(
                    f"{path}: {', '.join(missing)} missing: expected the arrays "
                    f"{', '.join(wanted)}, as np.savez(path, x_train=..., y_train=..., ...) "
                    "writes them"
                )
            if CLASS_NAMES in members:
                names.append(CLASS_NAMES)
            return {name: _member(archive, members[name]) for name in names}
    except DataError:
        raise
    except Exception as error:  # foreign bytes: whatever a parser trips over, the file is unusable
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise DataError(
            f"{path}: cannot be read as .npz ({reason}): write it again, or name a folder"
        ) from error


def _member(archive: zipfile.ZipFile, name: str) -> NDArray[Any]:
    size = archive.getinfo(name).file_size
    with archive.open(name) as stream:
        # numpy allocates what a header claims; ask first whether the member holds that much.
        shape, dtype = _header(stream)
        expected = math.prod(shape) * dtype.itemsize
        if size > MOST_BYTES:
            raise DataError(
                f"{archive.filename}: {name} expected at most {MOST_BYTES:,} bytes, got {size:,}: "
                "name a folder with a folder of pictures for each class, or pass the arrays to "
                "growsearch.search"
            )
        if dtype.hasobject or stream.tell() + expected != size:
            raise DataError(
                f"{archive.filename}: {name} expected plain numbers that fill the file exactly, "
                f"got {dtype} {shape} in {size} bytes: write it again"
            )
    with archive.open(name) as stream:
        array: NDArray[Any] = npy.read_array(stream, allow_pickle=False)
    return array


def _header(stream: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    version = npy.read_magic(stream)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, _, dtype = read(stream)
    return shape, dtype
