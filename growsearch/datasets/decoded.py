"""The cache of decoded images: each file is read once, into one memory-mapped array of bytes."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import warnings
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from growsearch.datasets.pictures import Shape, read_picture
from growsearch.datasets.pixels import sha256_of
from growsearch.datasets.sources import cache_folder
from growsearch.errors import DataError
from growsearch.machine import processors

FORMAT = 1
"""Changes with what `read_picture` makes of a file, so that older entries are not used."""

_PIXELS, _INDEX = "pixels.u8", "index.json"
_TOGETHER = 32  # files in a task of a thread


@dataclass(frozen=True)
class Decoded:
    """The pixels of some files.

    Parameters
    ----------
    pixels : uint8 array (n, height, width, channels)
        Memory-mapped, in the order of the files; zeros where a file could not be read.
    sha256 : str
        Of all pixels.
    files : tuple of str
        SHA-256 of each file; empty where it could not be read.
    unreadable : mapping
        Reason in a few words, by the place of a file that could not be read.
    """

    pixels: NDArray[np.uint8]
    sha256: str
    files: tuple[str, ...]
    unreadable: Mapping[int, str]


def decoded(paths: Sequence[Path], shape: Shape) -> Decoded:
    """Return the pixels of files in a shape, from the user's cache if they were decoded before.

    The entry of the cache is named by the path, size and time of change of every file.

    Raises
    ------
    DataError
        If the cache cannot be written, or lacks room; one line says where.
    """
    folder = cache_folder("images") / _key(paths, shape)
    if (known := _read(folder, len(paths), shape)) is not None:
        return known
    needed = len(paths) * int(np.prod(shape, dtype=np.int64))
    remedy = "free some, choose a smaller --image-size, or name another cache by XDG_CACHE_HOME"
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        if (free := shutil.disk_usage(folder.parent).free) < needed:
            raise DataError(
                f"{folder.parent}: expected {needed / 1e6:,.0f} MB for {len(paths):,} decoded "
                f"images, {free / 1e6:,.0f} MB are free: {remedy}"
            )
        _write(folder, paths, shape)
    except OSError as error:
        raise DataError(
            f"{error.filename or folder.parent}: decoded images cannot be written "
            f"({error.strerror or error}): {remedy}"
        ) from None
    written = _read(folder, len(paths), shape)
    if written is None:
        raise DataError(f"{folder}: expected the images just decoded, cannot read them: try again")
    return written


def _key(paths: Sequence[Path], shape: Shape) -> str:
    digest = hashlib.sha256(repr((FORMAT, shape)).encode())
    for path in paths:
        try:
            found = path.stat()
            state = (found.st_size, found.st_mtime_ns)
        except (OSError, ValueError):
            state = (-1, -1)
        digest.update(os.fsencode(path.absolute()) + f"\0{state}\n".encode())
    return digest.hexdigest()[:40]


def _read(folder: Path, count: int, shape: Shape) -> Decoded | None:
    """Return a whole entry of the cache; None where there is none, or a damaged one."""
    try:
        index: Any = json.loads((folder / _INDEX).read_bytes())
        files, unreadable = index["files"], index["unreadable"]
        if len(files) != count or not all(isinstance(each, str) for each in files):
            return None
        pixels = np.memmap(folder / _PIXELS, np.uint8, "r", shape=(count, *shape))
        if pixels.nbytes != (folder / _PIXELS).stat().st_size:
            return None
        reasons = {int(place): str(reason) for place, reason in unreadable.items()}
        return Decoded(np.asarray(pixels), str(index["sha256"]), tuple(files), reasons)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _write(folder: Path, paths: Sequence[Path], shape: Shape) -> None:
    """Decode all files into an entry of the cache, which is whole or not there."""
    shutil.rmtree(folder, ignore_errors=True)  # one that is damaged
    from growsearch.atomic import whole_folder

    with whole_folder(folder) as partial:
        files, unreadable = _decode(partial / _PIXELS, paths, shape)
        pixels = np.asarray(np.memmap(partial / _PIXELS, np.uint8, "r", shape=(len(paths), *shape)))
        index = {"files": files, "unreadable": unreadable, "sha256": sha256_of(pixels)}
        (partial / _INDEX).write_text(json.dumps(index), encoding="ascii")


def _decode(target: Path, paths: Sequence[Path], shape: Shape) -> tuple[list[str], dict[int, str]]:
    """Decode files in threads into one file of bytes; return their hashes, and what failed."""
    files, unreadable = [""] * len(paths), dict[int, str]()
    size = int(np.prod(shape, dtype=np.int64))
    lock = Lock()
    with target.open("wb") as file, _progress(len(paths)) as progress:
        file.truncate(len(paths) * size)

        def some(first: int) -> int:
            places = range(first, min(first + _TOGETHER, len(paths)))
            for place in places:
                try:
                    pixels, files[place] = read_picture(paths[place], shape)
                except DataError as error:
                    unreadable[place] = str(error)
                else:
                    with lock:
                        file.seek(place * size)
                        file.write(pixels.data)
            return len(places)

        threads = ThreadPoolExecutor(processors())
        try:
            for count in threads.map(some, range(0, len(paths), _TOGETHER)):
                progress.update(count)
        finally:
            threads.shutdown(cancel_futures=True)
        file.flush()
        os.fsync(file.fileno())
    return files, dict(sorted(unreadable.items()))


@contextmanager
def _progress(count: int) -> Iterator[Any]:
    """Show a bar on a terminal; hide the warnings that damaged files give rise to."""
    from PIL import Image
    from tqdm import tqdm

    with (
        warnings.catch_warnings(),
        tqdm(
            total=count, desc="Reading images", unit="", leave=False, disable=None, delay=1.0
        ) as bar,
    ):
        warnings.simplefilter("ignore")
        Image.init()  # threads would each load the decoders
        yield bar
