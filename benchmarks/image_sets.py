"""Data sets of the benchmarks, as NAME=PATH: MNIST, Fashion-MNIST, folders of JPEG files.

A folder of JPEG files, or a tar archive of one, holds ``train/CLASS/*.jpg`` and
``test/CLASS/*.jpg``. It is decoded once, into an ``.npz`` file that the processes of a benchmark
read: decoding is no part of anybody's time.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from growsearch.datasets import LOADERS, Dataset, Split, load
from growsearch.datasets.forms import first_and_rest
from growsearch.space import SearchSpace

VALIDATION = 5000  # images, as of the published data sets
SHUFFLED_BY = 0  # files lie in the order of their classes
_PARTS = ("train", "test")


def parse(text: str) -> tuple[str, str]:
    """Return name and path of ``NAME=PATH``; a path alone is MNIST's.

    Examples
    --------
    >>> parse("fashion_mnist=/data/fashion"), parse("/data/mnist")
    (('fashion_mnist', '/data/fashion'), ('mnist', '/data/mnist'))
    """
    name, equals, path = text.partition("=")
    return (name, path) if equals else ("mnist", text)


def prepared(text: str, folder: Path) -> str:
    """Return ``NAME=PATH`` with a path that `dataset` opens in a moment.

    Parameters
    ----------
    text : str
        ``NAME=PATH``.
    folder : Path
        For the decoded images of a folder of JPEG files.
    """
    name, path = parse(text)
    if name in LOADERS or path.endswith(".npz"):
        return text
    decoded = folder / f"{name}.npz"
    if not decoded.exists():
        folder.mkdir(parents=True, exist_ok=True)
        arrays = decode(Path(path))
        partial = decoded.with_suffix(".partial.npz")
        np.savez(partial, **arrays)
        partial.replace(decoded)
    return f"{name}={decoded}"


def dataset(text: str) -> Dataset:
    """Open a data set named by ``NAME=PATH``.

    Images of a name that growsearch does not know come from an ``.npz`` file; their first
    `VALIDATION` training images are never trained on.
    """
    name, path = parse(text)
    if name in LOADERS:
        return load(name, path or None)
    with np.load(path) as arrays:
        splits = {part: Split(arrays[f"x_{part}"], arrays[f"y_{part}"]) for part in _PARTS}
    validation, train = first_and_rest(splits["train"], VALIDATION)
    return Dataset(name, train, validation, splits["test"], source=path)


def decode(source: Path) -> dict[str, Any]:
    """Return uint8 images (n, height, width, 3) and their labels, of a folder or a tar archive.

    Classes are numbered in the order of their names. Training images are shuffled.
    """
    from PIL import Image

    images: dict[str, list[Any]] = {part: [] for part in _PARTS}
    classes: dict[str, list[str]] = {part: [] for part in _PARTS}
    for path, content in _files(source):
        if path.suffix.lower() not in (".jpg", ".jpeg") or len(path.parts) < 3:
            continue
        part, of_class = path.parts[-3:-1]
        if part in images:
            with Image.open(io.BytesIO(content)) as image:
                images[part].append(np.asarray(image.convert("RGB")))
            classes[part].append(of_class)
    if not all(images.values()):
        raise SystemExit(f"{source}: expected train/CLASS/*.jpg and test/CLASS/*.jpg, got none")
    names = sorted(set(classes["train"]))
    found: dict[str, Any] = {}
    for part in _PARTS:
        order = np.arange(len(images[part]))
        if part == "train":
            order = np.random.default_rng(SHUFFLED_BY).permutation(order)
        found[f"x_{part}"] = np.stack(images[part])[order]
        found[f"y_{part}"] = np.asarray([names.index(each) for each in classes[part]])[order]
    return found


def _files(source: Path) -> Iterator[tuple[PurePosixPath, bytes]]:
    """Yield the paths of all files, relative and in order, each with its content."""
    if source.is_dir():
        for path in sorted(source.rglob("*")):
            if path.is_file():
                yield PurePosixPath(path.relative_to(source).as_posix()), path.read_bytes()
        return
    with tarfile.open(source) as archive:
        found = [
            (PurePosixPath(member.name), file.read())
            for member in archive
            if member.isfile() and (file := archive.extractfile(member)) is not None
        ]
    yield from sorted(found)


# -- the spaces of a data set ----------------------------------------------------------------------


def flagship_overrides(name: str, shape: tuple[int, int, int] | None) -> tuple[str, list[str]]:
    """Return the flagship space of a data set, by name, and its overrides.

    Parameters
    ----------
    name : str
        Of the data set.
    shape : (height, width, channels) or None
        Of the images of a data set that growsearch does not know.
    """
    if name in SearchSpace.shipped():
        return name, []
    return "fashion_mnist", [f"teacher.input_shape={list(shape)}"] if shape else []


def flagship(name: str, shape: tuple[int, int, int] | None = None) -> SearchSpace:
    """Return the flagship space of a data set; see `flagship_overrides`."""
    space, overrides = flagship_overrides(name, shape)
    return SearchSpace.load(space, overrides)


def before_trunks(name: str, shape: tuple[int, int, int]) -> SearchSpace:
    """Return the space that was the fast one before there were trunks, for a data set.

    Images other than MNIST's are mirrored and not turned, as in their flagship space.
    """
    overrides = []
    if name != "mnist":
        sections = ("teacher", "training", "polish")
        overrides = [f"{section}.flip=true" for section in sections]
        overrides += ["polish.rotate=0.0", f"teacher.input_shape={list(shape)}"]
    if name in LOADERS:
        overrides.append(f"data={name}")
    return SearchSpace.load(Path(__file__).parent / "spaces" / "mnist_fast.toml", overrides)
