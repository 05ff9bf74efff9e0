"""Images in a folder, memory-mapped: all processes of a machine share one copy of them."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.lib import format as npy

from growsearch.datasets.dataset import Split
from growsearch.datasets.pixels import Pixels
from growsearch.errors import DataError

CLASSES = "classes.json"  # the names of the classes, where they have some
_SUFFIXES = {"images": ".x.npy", "labels": ".y.npy"}


class StoredImages(Mapping[str, Split]):
    """The splits in a folder, each memory-mapped when it is first asked for.

    A pickled value is its folder. A trainer reads the images in place, since the data of an
    ``.npy`` file begin at a multiple of 64 bytes.

    Parameters
    ----------
    folder : Path
        As :meth:`write` leaves it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._opened: dict[str, Split] = {}

    def __reduce__(self) -> tuple[type[StoredImages], tuple[Path]]:
        return StoredImages, (self._folder.absolute(),)  # a worker may have another directory

    @classmethod
    def write(cls, folder: Path, splits: Mapping[str, Split]) -> StoredImages:
        """Write the splits, unless the folder is there; it is whole or not there.

        Raises
        ------
        OSError
            When the disk is full or fails; it names the folder.
        """
        if not folder.is_dir():
            folder.parent.mkdir(parents=True, exist_ok=True)
            partial = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".partial-"))
            try:
                names = next((split.class_names for split in splits.values()), None)
                if names is not None:
                    (partial / CLASSES).write_text(json.dumps(names), encoding="ascii")
                for part, split in splits.items():
                    for name, suffix in _SUFFIXES.items():
                        _write(partial / f"{part}{suffix}", getattr(split, name))
                partial.chmod(0o755)
                partial.replace(folder)
            except BaseException as error:
                shutil.rmtree(partial, ignore_errors=True)
                if isinstance(error, OSError) and error.filename is None:
                    error.filename = str(folder)
                raise
        return cls(folder)

    def __getitem__(self, part: str) -> Split:
        if part not in self._opened:
            paths = [self._folder / f"{part}{suffix}" for suffix in _SUFFIXES.values()]
            if self._folder.is_dir() and not any(path.exists() for path in paths):
                raise KeyError(part)
            try:
                images, labels = (np.asarray(np.load(p, mmap_mode="r")) for p in paths)
                stored: Any = Pixels(images) if images.dtype == np.uint8 else images
                self._opened[part] = Split(stored, labels, self._class_names())
            except Exception as error:  # numpy raises any, whatever bytes are damaged
                reason = " ".join(f"{type(error).__name__}: {error}".split())
                raise DataError(
                    f"{self._folder}: expected the images that a run stores, cannot read them "
                    f"({reason}): delete the folder, and the run writes it again"
                ) from None
        return self._opened[part]

    def _class_names(self) -> tuple[str, ...] | None:
        path = self._folder / CLASSES
        return tuple(map(str, json.loads(path.read_bytes()))) if path.exists() else None

    def __iter__(self) -> Iterator[str]:
        suffix = _SUFFIXES["images"]
        return (path.name.removesuffix(suffix) for path in self._folder.glob(f"*{suffix}"))

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _write(path: Path, array: Any) -> None:
    with path.open("wb") as file:
        if isinstance(array, Pixels):
            header = {"descr": "|u1", "fortran_order": False, "shape": array.shape}
            npy.write_array_header_1_0(file, header)
            for chunk in array.chunks():
                file.write(np.ascontiguousarray(chunk).data)
            file.flush()
            os.fsync(file.fileno())
            return
        # Not into the file itself: there numpy's error would not say that the disk is full.
        np.save(SimpleNamespace(write=file.write), array, allow_pickle=False)
        file.flush()
        os.fsync(file.fileno())
