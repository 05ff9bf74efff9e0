"""The IDX format, in which MNIST is published, read as untrusted input."""

import gzip
import hashlib
import math
import struct
import zlib
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from growsearch.errors import DataError, DataNotFoundError

MOST_BYTES = 1 << 30
"""No file may announce more data than this (MNIST's largest holds 47 MB)."""

MOST_AXES = 4

_DTYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_CHUNK = 1 << 20


class _Stream(Protocol):
    def read(self, size: int, /) -> bytes: ...


def read_idx(path: Path) -> NDArray[Any]:
    """Read one IDX file, gzipped or not; its first bytes tell which.

    Never reads more than one byte past what the header announces, so a file that expands without
    end is refused early.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    array
        Of the shape and type in the header, in the machine's byte order.

    Raises
    ------
    DataNotFoundError
        If there is no such file.
    DataError
        If the file is not IDX, is cut short, is too long, or cannot be read.

    References
    ----------
    "The IDX file format", http://yann.lecun.com/exdb/mnist/
    """
    try:
        if not path.is_file():
            raise DataNotFoundError(f"{path}: expected an IDX file, found none: check the path")
        with path.open("rb") as raw:
            zipped = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            if zipped:
                with gzip.GzipFile(fileobj=raw) as unzipped:
                    return _read(unzipped, path)
            return _read(raw, path)
    except DataError:
        raise
    except (OSError, EOFError, zlib.error) as error:
        reason = " ".join(str(error).split())
        raise DataError(f"{path}: cannot be read ({reason}): get the file again") from error


def idx_hash(array: NDArray[Any]) -> str:
    """Return the SHA-256 of the unpacked IDX file that holds an array; it tells files apart.

    Parameters
    ----------
    array : array of 1 to 4 axes
        Of bytes, or of another type that an IDX file may have.

    Returns
    -------
    str
        64 hex digits.

    Examples
    --------
    >>> idx_hash(np.array([5, 0, 4], np.uint8))[:8]
    'd229e0bc'
    """
    codes = {dtype[1:]: code for code, dtype in _DTYPES.items()}
    header = bytes((0, 0, codes[array.dtype.str[1:]], array.ndim))
    digest = hashlib.sha256(header + struct.pack(f">{array.ndim}I", *array.shape))
    digest.update(np.ascontiguousarray(array, array.dtype.newbyteorder(">")).data)
    return digest.hexdigest()


def _read(stream: _Stream, path: Path) -> NDArray[Any]:
    magic = _at_most(stream, 4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in _DTYPES:
        raise DataError(
            f"{path}: expected an IDX file (00 00, type, axes), "
            f"got {magic.hex(' ') or 'an empty file'}: get the file again"
        )
    axes = magic[3]
    if not 1 <= axes <= MOST_AXES:
        raise DataError(f"{path}: expected 1 to {MOST_AXES} axes, got {axes}: get the file again")
    header = _at_most(stream, 4 * axes)
    if len(header) < 4 * axes:
        raise DataError(f"{path}: expected {axes} axis lengths, got {len(header)} bytes: cut short")
    shape = struct.unpack(f">{axes}I", header)
    dtype = np.dtype(_DTYPES[magic[2]])
    expected = math.prod(shape) * dtype.itemsize
    if expected > MOST_BYTES:
        raise DataError(
            f"{path}: expected at most {MOST_BYTES} bytes of data, the header announces {expected}"
        )
    data = _at_most(stream, expected + 1)
    if len(data) != expected:
        got = "more" if len(data) > expected else f"only {len(data)}"
        raise DataError(
            f"{path}: expected {expected} bytes of data for shape {shape}, got {got}: "
            "get the file again"
        )
    return np.frombuffer(data, dtype).reshape(shape).astype(dtype.newbyteorder("="))


def _at_most(stream: _Stream, count: int) -> bytes:
    # In pieces, so that memory follows what the file holds and not what its header claims.
    pieces, left = [], count
    while left > 0 and (piece := stream.read(min(left, _CHUNK))):
        pieces.append(piece)
        left -= len(piece)
    return b"".join(pieces)
