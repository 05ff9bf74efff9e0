"""A network on disk: safetensors with its architecture as JSON, read as untrusted input."""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
import re
import stat
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as parse_tensors
from safetensors.numpy import save as serialize_tensors

from growsearch.errors import ArchitectureError, InvalidInputError, NetworkFileError, RunError
from growsearch.networks.architecture import Architecture
from growsearch.networks.network import Network, Slots
from growsearch.networks.optimizers import OPTIMIZERS

Array = NDArray[Any]

FORMAT = 1
_KEY = "growsearch"  # one metadata key only: safetensors does not order several
_HEADER = 1 << 20
_SLACK = 1 << 20
_LARGEST = 1 << 36  # parameters of an architecture that a file may claim
_DIGEST = re.compile(r"[0-9a-f]{64}")
_DTYPES = {"F16": np.float16, "F32": np.float32, "F64": np.float64}
SUFFIX = ".safetensors"
_PARTIAL = ".partial-"
_ABANDONED = 48 * 3600  # seconds: more than a write takes, and more than clocks differ
# A link is not followed, and a named pipe not waited for.
_FLAGS = sum({getattr(os, name, 0) for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY")})


def serialize(network: Network) -> bytes:
    """The network as the bytes of its file: a function of its content alone.

    Raises
    ------
    InvalidInputError
        When it could not be read again: values that are not finite, a graph of too many layers.
    """
    tensors = {
        f"weights/{layer}/{name}": array
        for layer, arrays in network.weights.items()
        for name, array in arrays.items()
    }
    header: dict[str, Any] = {
        "format": FORMAT,
        "architecture": network.architecture.to_json(),
        "slots": None,
    }
    if network.slots is not None:
        header["slots"] = {"optimizer": network.slots.optimizer, "step": network.slots.step}
        for slot, values in network.slots.values.items():
            for layer, arrays in values.items():
                for name, array in arrays.items():
                    tensors[f"slots/{slot}/{layer}/{name}"] = array
    text = json.dumps(header, sort_keys=True, separators=(",", ":"))
    plain = {name: np.array(array, order="C") for name, array in tensors.items()}
    for name, array in plain.items():
        if not np.isfinite(array).all():
            raise InvalidInputError(f"{name}: expected finite values, got NaN or infinity")
    data = serialize_tensors(plain, {_KEY: text})
    if (size := _header_size(data)) > _HEADER:
        raise InvalidInputError(
            f"a network of {len(network.architecture)} layers: expected at most {_HEADER:,} bytes "
            f"to describe it, got {size:,}"
        )
    return data


def digest(network: Network) -> str:
    """SHA-256 of the network's file, as 64 hexadecimal digits."""
    return hashlib.sha256(serialize(network)).hexdigest()


def save(network: Network, path: Path) -> Path:
    """Write a network's file atomically; see :func:`write_atomically` for its errors."""
    if path.is_dir():
        raise InvalidInputError(f"{path}: expected the path of a file to write, got a folder")
    write_atomically(path, serialize(network))
    return path


def store(network: Network, folder: Path) -> str:
    """Write a network into ``folder`` under the SHA-256 of its bytes; returns that name.

    A file of that name already there has the same bytes, unless it was damaged: it is replaced.
    """
    data = serialize(network)
    name = hashlib.sha256(data).hexdigest()
    write_atomically(folder / (name + SUFFIX), data)
    return name


def stored_path(folder: Path, name: str) -> Path:
    """The path of a stored network, given its SHA-256.

    Raises
    ------
    NetworkFileError
        When ``name`` is no SHA-256, so that no name can lead out of the folder.
    """
    if not isinstance(name, str) or not _DIGEST.fullmatch(name):
        raise NetworkFileError(
            f"a stored network: expected a SHA-256 of 64 hexadecimal digits, got {name!r}"
        )
    return folder / (name + SUFFIX)


def fetch(name: str, folder: Path) -> Network:
    """Read a stored network and hold its bytes against its name.

    Raises
    ------
    NetworkFileError
        When the file is missing, damaged, or no network.
    """
    path = stored_path(folder, name)
    data = _read(path)
    found = hashlib.sha256(data).hexdigest()
    if found != name:
        raise NetworkFileError(f"{path}: damaged: its bytes have the SHA-256 {found}")
    return parse(data, str(path))


def load(path: Path) -> Network:
    """Read a network's file, whatever its name."""
    return parse(_read(path), str(path))


def write_atomically(path: Path, data: bytes) -> None:
    """Write ``data`` so that ``path`` never holds a part of it, not even after a power failure.

    Temporary file, fsync, rename, fsync of the folder.

    Raises
    ------
    OSError
        As the operating system says it, with nothing left behind.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=_PARTIAL)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            written = os.fstat(file.fileno()).st_mtime
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    _remove_abandoned(path.parent, written)
    if hasattr(os, "O_DIRECTORY"):  # not on Windows, which has no handle for folders
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def make_writable(folder: Path) -> None:
    """Make a folder and write into it, for whoever will need it after hours of work.

    Raises
    ------
    RunError
        When that is not possible.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=_PARTIAL) as file:
            file.write(b"?")
    except OSError as error:
        raise RunError(
            f"{folder}: expected a folder that can be written to: {error.strerror}"
        ) from None


def _remove_abandoned(folder: Path, now: float) -> None:
    """Remove what killed writers have left; ``now`` by the clock that dates the folder's files."""
    with suppress(OSError):  # another process was faster
        for partial in folder.glob(_PARTIAL + "*"):
            if now - partial.stat().st_mtime > _ABANDONED:
                partial.unlink()


@dataclass(frozen=True)
class _Claim:
    """What the header of a file says is in it."""

    architecture: Architecture
    optimizer: str | None
    step: int

    @property
    def slots(self) -> tuple[str, ...]:
        return tuple(OPTIMIZERS[self.optimizer].slots) if self.optimizer else ()


def parse(data: bytes, source: str = "a network") -> Network:
    """A network from the bytes of its file; nothing is allocated before the claims are checked.

    Raises
    ------
    NetworkFileError
        Names ``source`` and says what is wrong.
    """
    claim = _claim(data, len(data), source)
    try:
        arrays = parse_tensors(data)
    except (SafetensorError, ValueError, KeyError) as error:
        raise NetworkFileError(f"{source}: {error}") from None
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise NetworkFileError(f"{source}: {name}: expected finite values, got NaN or infinity")
    weights = _nested(arrays, "weights")
    try:
        slots = None
        if claim.optimizer is not None:
            values = {slot: _nested(arrays, f"slots/{slot}") for slot in claim.slots}
            slots = Slots(claim.optimizer, claim.step, values)
        return Network(claim.architecture, weights, slots)
    except (ArchitectureError, InvalidInputError) as error:
        raise NetworkFileError(f"{source}: {error}") from None


def _read(path: Path) -> bytes:
    """The bytes of a network's file; all of them only if that many are what its header claims."""
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
            _claim(start, about.st_size, str(path))
            return start + file.read(about.st_size - len(start))
        except OSError as error:
            raise NetworkFileError(f"{path}: cannot be read: {error.strerror}") from None


def _claim(start: bytes, size: int, source: str) -> _Claim:
    """What a file claims, held against its size; ``start`` may end where its header does."""
    metadata, tensors = _header(start, source)
    try:
        claim = json.loads(metadata[_KEY])
        if claim["format"] != FORMAT:
            raise NetworkFileError(
                f"{source}: expected format {FORMAT}, got {repr(claim['format'])[:200]}: "
                "written by another version of growsearch"
            )
        about_slots = claim["slots"]
        checked = _Claim(
            Architecture.from_json(claim["architecture"]),
            None if about_slots is None else about_slots["optimizer"],
            0 if about_slots is None else about_slots["step"],
        )
        expected = _expected_shapes(checked.architecture, checked.slots)
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        if isinstance(error, NetworkFileError):
            raise
        raise NetworkFileError(f"{source}: expected a growsearch network: {error}") from None
    if checked.architecture.parameters > _LARGEST:
        raise NetworkFileError(f"{source}: claims {checked.architecture.parameters:,} parameters")
    _check_tensors(tensors, expected, size, source)
    return checked


def _header_size(data: bytes) -> int:
    return int.from_bytes(data[:8], "little")


def _header(data: bytes, source: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The metadata of a safetensors file and its other entries, without reading a tensor."""
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


def _expected_shapes(
    architecture: Architecture, slots: tuple[str, ...]
) -> dict[str, tuple[int, ...]]:
    shapes = {}
    for layer, weights in architecture.weights.items():
        for name, weight in weights.items():
            shapes[f"weights/{layer}/{name}"] = weight.shape
            if weight.trainable:
                shapes.update({f"slots/{slot}/{layer}/{name}": weight.shape for slot in slots})
    return shapes


def _check_tensors(
    tensors: dict[str, Any], expected: dict[str, tuple[int, ...]], size: int, source: str
) -> None:
    if set(tensors) != set(expected):
        wrong = sorted(set(tensors) ^ set(expected))[0]
        verb = "misses" if wrong in expected else "has, against its architecture,"
        raise NetworkFileError(f"{source}: {verb} the array {wrong[:200]!r}")
    total = 0
    for name, shape in expected.items():
        entry = tensors[name]
        dtype = entry.get("dtype") if isinstance(entry, dict) else None
        if not isinstance(dtype, str) or dtype not in _DTYPES or entry.get("shape") != list(shape):
            raise NetworkFileError(
                f"{source}: {name}: expected floating-point values of shape {shape}, "
                f"got {str(entry)[:200]}"
            )
        total += math.prod(shape) * np.dtype(_DTYPES[dtype]).itemsize
    if not total <= size <= total + _SLACK:
        raise NetworkFileError(f"{source}: expected {total} bytes of arrays, got {size} in all")


def _nested(arrays: dict[str, Array], prefix: str) -> dict[str, dict[str, Array]]:
    nested: dict[str, dict[str, Array]] = {}
    for name, array in arrays.items():
        if name.startswith(prefix + "/"):
            layer, weight = name[len(prefix) + 1 :].rsplit("/", 1)
            nested.setdefault(layer, {})[weight] = array
    return nested
