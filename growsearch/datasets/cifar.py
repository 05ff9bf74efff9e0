"""CIFAR-10's binary format: records of a label and three planes of 32x32, read as untrusted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from growsearch.datasets.tars import files_of
from growsearch.errors import DataError, DataNotFoundError

ARCHIVE = "cifar-10-binary.tar.gz"

_TRAIN = tuple(f"data_batch_{number}.bin" for number in range(1, 6))
_TEST = "test_batch.bin"
_SIDE, _CHANNELS = 32, 3
_RECORD = 1 + _SIDE * _SIDE * _CHANNELS
_MOST = 100_000  # records in a file; the published ones have 10,000


def is_cifar(path: Path) -> bool:
    """Return True for the published archive, and for a folder that has it or its files."""
    if path.name == ARCHIVE:
        return path.is_file()
    return path.is_dir() and any(_place(path, name) for name in (ARCHIVE, _TEST))


def read_cifar(path: Path) -> dict[str, NDArray[Any]]:
    """Read ``x_train``, ``y_train``, ``x_test``, ``y_test`` from the archive or from a folder.

    Raises
    ------
    DataNotFoundError
        If one of the six files is not there.
    DataError
        If one is damaged.

    References
    ----------
    "Binary version", https://www.cs.toronto.edu/~kriz/cifar.html
    """
    archive = path if path.is_file() else _place(path, ARCHIVE)
    found: dict[str, NDArray[np.uint8]] = {}
    try:
        for name, stream in _packed(archive) if archive else _unpacked(path):
            found[name] = _records(stream, f"{path}: {name}")
    except DataError:
        raise
    except Exception as error:  # foreign bytes: whatever a decompressor trips over
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        raise DataError(f"{path}: cannot be unpacked ({reason}): get it again") from None
    for name in (*_TRAIN, _TEST):
        if name not in found:
            raise DataNotFoundError(
                f"{path}: expected CIFAR-10's six files, {name} is missing: get the archive again"
            )
    train, test = np.concatenate([found[name] for name in _TRAIN]), found[_TEST]
    return {
        **dict(zip(("x_train", "y_train"), _pair(train), strict=True)),
        **dict(zip(("x_test", "y_test"), _pair(test), strict=True)),
    }


def _place(folder: Path, name: str) -> Path | None:
    for place in (folder / name, folder / "cifar-10-batches-bin" / name):
        if place.is_file():
            return place
    return None


def _packed(archive: Path) -> Iterator[tuple[str, IO[bytes]]]:
    for path, stream in files_of(archive):
        name = path.rpartition("/")[2]
        if stream is not None and name in (*_TRAIN, _TEST):
            yield name, stream


def _unpacked(folder: Path) -> Iterator[tuple[str, IO[bytes]]]:
    for name in (*_TRAIN, _TEST):
        if place := _place(folder, name):
            with place.open("rb") as stream:
                yield name, stream


def _records(stream: IO[bytes], source: str) -> NDArray[np.uint8]:
    data = stream.read(_MOST * _RECORD + 1)
    if not data or len(data) % _RECORD or len(data) > _MOST * _RECORD:
        raise DataError(
            f"{source}: expected records of {_RECORD} bytes, got {len(data):,} bytes in all: get "
            "the file again"
        )
    return np.frombuffer(data, np.uint8).reshape(-1, _RECORD)


def _pair(records: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return images (n, height, width, channels) and labels of records."""
    planes = records[:, 1:].reshape(-1, _CHANNELS, _SIDE, _SIDE)
    return np.ascontiguousarray(planes.transpose(0, 2, 3, 1)), records[:, 0].astype(np.int64)
