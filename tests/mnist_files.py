"""A stand-in for MNIST in tests: a small split, arrays, IDX bytes, a folder."""

import gzip
import struct
from pathlib import Path
from typing import Any

import numpy as np

from growsearch.datasets import Split

IDX_CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}
PARTS = {
    "train-images-idx3-ubyte": 0,
    "train-labels-idx1-ubyte": 1,
    "t10k-images-idx3-ubyte": 2,
    "t10k-labels-idx1-ubyte": 3,
}


def idx_bytes(array: np.ndarray) -> bytes:
    """An array as an IDX file holds it."""
    kind = array.dtype.str[1:]
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, IDX_CODES[kind], array.ndim, *array.shape)
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


def small_mnist(n: int = 60, n_test: int = 12) -> tuple[np.ndarray, ...]:
    """Random images and labels: of training, then of the test."""
    rng = np.random.default_rng(7)
    images = rng.integers(0, 256, (n + n_test, 28, 28), np.uint8)
    labels = (np.arange(n + n_test) % 10).astype(np.uint8)
    return images[:n], labels[:n], images[n:], labels[n:]


def pairs(arrays: tuple[np.ndarray, ...]) -> Any:
    """The four arrays as a user hands them over."""
    return (arrays[0], arrays[1]), (arrays[2], arrays[3])


def write_folder(folder: Path, arrays: tuple[np.ndarray, ...], name: str = "{}") -> Path:
    """The four arrays as MNIST's files, gzipped where ``name`` says so."""
    folder.mkdir(parents=True, exist_ok=True)
    for part, index in PARTS.items():
        data = idx_bytes(arrays[index])
        path = folder / name.format(part)
        path.write_bytes(gzip.compress(data, 1) if path.suffix == ".gz" else data)
    return folder


def split(n: int = 4, **changes: Any) -> Split:
    """Grey images, each of another class, with some values changed."""
    values = {"images": np.full((n, 28, 28, 1), 0.5, np.float32), "labels": np.arange(n)}
    return Split(**(values | changes))
