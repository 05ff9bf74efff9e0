"""The format of a network's file: safetensors with its architecture as JSON, never trusted."""

from __future__ import annotations

import errno
import json
import math
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as parse_tensors
from safetensors.numpy import save as serialize_tensors

from growsearch.errors import InvalidInputError, NetworkFileError
from growsearch.networks.architecture import Architecture
from growsearch.networks.arrays import Array, flatten
from growsearch.networks.class_names import checked_names
from growsearch.networks.optimizers import OPTIMIZERS

FORMAT = 1
_KEY = "growsearch"  # one metadata key only: safetensors does not order several
_HEADER = 1 << 20
_SLACK = 1 << 20
_LARGEST = 1 << 36  # parameters of an architecture that a file may claim
_DTYPES = {"F16": np.float16, "F32": np.float32, "F64": np.float64}
# A link is not followed, and a named pipe not waited for.
_FLAGS = sum({getattr(os, name, 0) for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY")})


@dataclass(frozen=True)
class Header:
    """The part of a file that describes its arrays; without an optimizer there are no slots."""

    architecture: Architecture
    optimizer: str | None = None
    step: int = 0
    class_names: tuple[str, ...] | None = None


def serialize(header: Header, arrays: Mapping[str, Array]) -> bytes:
    """Return the bytes of a network's file: a function of its content alone.

    Parameters
    ----------
    header : Header
    arrays : mapping
        Path -> array, as ``Network.flat`` gives them.

    Raises
    ------
    InvalidInputError
        When the file could not be read again: values that are not finite, too many layers.
    """
    slots = {"optimizer": header.optimizer, "step": header.step} if header.optimizer else None
    described = {"format": FORMAT, "architecture": header.architecture.to_json(), "slots": slots}
    if header.class_names is not None:  # the bytes of a network without names are those of before
        described["class_names"] = list(header.class_names)
    text = json.dumps(described, sort_keys=True, separators=(",", ":"))
    plain = {path: np.array(array, order="C") for path, array in arrays.items()}
    for path, array in plain.items():
        if not np.isfinite(array).all():
            raise InvalidInputError(f"{path}: expected finite values, got NaN or infinity")
    data = serialize_tensors(plain, {_KEY: text})
    if (size := _header_size(data)) > _HEADER:
        raise InvalidInputError(
            f"a network of {len(header.architecture)} layers: expected at most {_HEADER:,} bytes "
            f"to describe it, got {size:,}"
        )
    return data


def parse(data: bytes, source: str) -> tuple[Header, dict[str, Array]]:
    """Return the header and the arrays, by path, of a file's bytes.

    No array is allocated before the header is checked.

    Raises
    ------
    NetworkFileError
        Names ``source`` and says what is wrong.
    """
    header = _checked_header(data, len(data), source)
    try:
        arrays = parse_tensors(data)
    except (SafetensorError, ValueError, KeyError) as error:
        raise NetworkFileError(f"{source}: {error}") from None
    for path, array in arrays.items():
        if not np.isfinite(array).all():
            raise NetworkFileError(f"{source}: {path}: expected finite values, got NaN or infinity")
    return header, arrays


def read(path: Path) -> bytes:
    """Return the bytes of a network's file; of a larger file than its header claims, none.

    Raises
    ------
    NetworkFileError
        Names the path: no regular file, a wrong header, a wrong size.
    """
    try:
        handle = os.open(path, os.O_RDONLY | _FLAGS)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise NetworkFileError(f"{path}: expected a regular file, got a link") from None
        raise NetworkFileError(f"{path}: cannot be read: {error.strerror}") from None
    except ValueError as error:  # no path can have such a name
        raise NetworkFileError(f"{str(path)!r}: cannot be read: {error}") from None
    about = os.fstat(handle)
    if not stat.S_ISREG(about.st_mode):
        os.close(handle)
        raise NetworkFileError(f"{path}: expected a regular file")
    with os.fdopen(handle, "rb") as file:
        try:
            start = file.read(8 + _HEADER)
            _checked_header(start, about.st_size, str(path))
            return start + file.read(about.st_size - len(start))
        except OSError as error:
            raise NetworkFileError(f"{path}: cannot be read: {error.strerror}") from None


def _checked_header(start: bytes, size: int, source: str) -> Header:
    """Return the header, held against the file's size; ``start`` may end where the header does."""
    metadata, tensors = _entries(start, source)
    try:
        described = json.loads(metadata[_KEY])
        if described["format"] != FORMAT:
            raise NetworkFileError(
                f"{source}: expected format {FORMAT}, got {repr(described['format'])[:200]}: "
                "written by another version of growsearch"
            )
        slots, names = described["slots"], described.get("class_names")
        header = Header(
            Architecture.from_json(described["architecture"]),
            None if slots is None else slots["optimizer"],
            0 if slots is None else slots["step"],
            None if names is None else checked_names("class_names", names),
        )
        expected = _expected_shapes(header)
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        if isinstance(error, NetworkFileError):
            raise
        raise NetworkFileError(f"{source}: expected a growsearch network: {error}") from None
    if header.architecture.parameters > _LARGEST:
        raise NetworkFileError(f"{source}: claims {header.architecture.parameters:,} parameters")
    _check_tensors(tensors, expected, size, source)
    return header


def _header_size(data: bytes) -> int:
    return int.from_bytes(data[:8], "little")


def _entries(data: bytes, source: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the metadata of a safetensors file and its other entries, without reading a tensor."""
    size = _header_size(data)
    if len(data) < 8 or size > min(_HEADER, len(data) - 8):
        raise NetworkFileError(f"{source}: expected a safetensors file, got something else")
    try:
        entries = json.loads(data[8 : 8 + size])
        metadata = entries.pop("__metadata__")
        if not isinstance(metadata[_KEY], str):
            raise TypeError(_KEY)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise NetworkFileError(
            f"{source}: expected a network that growsearch saved, got another safetensors file"
        ) from None
    return metadata, entries


def _expected_shapes(header: Header) -> dict[str, tuple[int, ...]]:
    every = header.architecture.weights
    shapes = {path: weight.shape for path, weight in flatten("weights", every).items()}
    for slot in OPTIMIZERS[header.optimizer].degrees if header.optimizer else ():
        slots = flatten(f"slots/{slot}", every)
        shapes |= {path: weight.shape for path, weight in slots.items() if weight.trainable}
    return shapes


def _check_tensors(
    tensors: dict[str, Any], expected: dict[str, tuple[int, ...]], size: int, source: str
) -> None:
    if set(tensors) != set(expected):
        wrong = sorted(set(tensors) ^ set(expected))[0]
        verb = "expected" if wrong in expected else "did not expect"
        raise NetworkFileError(f"{source}: {verb} the array {wrong[:200]!r}")
    total = 0
    for path, shape in expected.items():
        entry = tensors[path]
        dtype = entry.get("dtype") if isinstance(entry, dict) else None
        if not isinstance(dtype, str) or dtype not in _DTYPES or entry.get("shape") != list(shape):
            raise NetworkFileError(
                f"{source}: {path}: expected floating-point values of shape {shape}, "
                f"got {str(entry)[:200]}"
            )
        total += math.prod(shape) * np.dtype(_DTYPES[dtype]).itemsize
    if not total <= size <= total + _SLACK:
        raise NetworkFileError(f"{source}: expected {total} bytes of arrays, got {size} in all")
