"""A user's own images: folders, archives, tables and lists of files become a data set."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np

from growsearch.checks import LARGEST_SEED, whole_number
from growsearch.datasets import tables
from growsearch.datasets.archives import is_archive, list_archive
from growsearch.datasets.cifar import is_cifar
from growsearch.datasets.dataset import Dataset, Split
from growsearch.datasets.decoded import Decoded, decoded
from growsearch.datasets.files import ImageFile, ImageFiles, path_to_store, repeated, some
from growsearch.datasets.folders import list_folder
from growsearch.datasets.listing import Listing
from growsearch.datasets.pictures import Outline, Shape, outline_of
from growsearch.datasets.pixels import Pixels
from growsearch.datasets.splits import Parts, parts_of
from growsearch.errors import DataError

LARGEST_SIDE = 128
"""Longer sides are scaled down to this many pixels where no size is asked for."""

_MOST_SIDE = 4096
_SAMPLE = 5000  # headers that are read for the median size
_IDX = "-ubyte"

ImageSize = int | tuple[int, int]


def is_images(data: Any) -> bool:
    """Return True for what `load_images` takes: no IDX files, no ``.npz``, no arrays."""
    if is_paths(data) or (isinstance(data, tuple) and len(data) == 2 and is_paths(data[0])):
        return True
    if not isinstance(data, str | os.PathLike) or not os.fspath(data):
        return False
    path = _path(data)
    try:
        if is_cifar(path):
            return False
        if path.is_dir():
            return not any(_IDX in name for name in os.listdir(path))  # noqa: PTH208 - bytes stay
        return path.is_file() and (is_archive(path) or path.suffix.lower() in tables.ENDINGS)
    except (OSError, ValueError):
        return False


def is_paths(data: Any) -> TypeGuard[Sequence[str | os.PathLike[str]]]:
    """Return True for a list of paths."""
    is_sequence = isinstance(data, list | tuple) or (
        isinstance(data, np.ndarray) and data.dtype.kind in "UO"
    )
    return is_sequence and len(data) > 0 and all(isinstance(e, str | os.PathLike) for e in data)


def load_images(
    data: Any,
    *,
    image_size: ImageSize | None = None,
    channels: int | None = None,
    validation: int = 5000,
    seed: int = 0,
    skip_unreadable: bool = False,
) -> Dataset:
    """Load a folder of images with a folder for each class; or an archive, a table, a list of them.

    The files are read once, in threads, and kept as bytes in the user's cache, which is
    memory-mapped: so they may be more than the memory holds.

    Parameters
    ----------
    data : path, list of paths, or (paths, labels)
        A folder with a folder a class; or with ``train`` and, if need be, ``validation`` and
        ``test``, each with a folder a class; a tar or zip archive of one; a CSV file with columns
        ``path``, ``label`` and, if need be, ``split``. A list of paths without labels takes the
        folder of each as its class.
    image_size : int or (height, width), optional
        The size that images are resized to; by default the median of theirs, scaled down to at
        most 128 pixels along a side.
    channels : 1 or 3, optional
        Grey or colour; by default colour if any image has it.
    validation : int
        At most about this many validation images, and a sixth at most, where there is no folder of
        them. The test images are cut off likewise, at most 10,000.
    seed : int
        Splits the images, together with their content; each class is split alike.
    skip_unreadable : bool
        Leave out files that cannot be read. Otherwise they are an error.

    Returns
    -------
    Dataset
        With ``class_names``, ``notes`` and ``files``.

    Raises
    ------
    DataError
        Says in one line which file cannot be used, what was expected, and what to do.
    """
    asked = _checked_size(image_size)
    if channels is not None and channels not in (1, 3):
        raise DataError(
            f"channels: expected 1 for grey or 3 for colour, got {channels!r}: "
            "images with other channels are arrays, as in an .npz"
        )
    validation = whole_number("validation", validation, 1, error=DataError)
    seed = whole_number("seed", seed, 0, LARGEST_SEED, error=DataError)
    listing = _listing(data)
    shape, notes = _shape_of(listing, asked, channels)
    read = decoded([each.path for each in listing.pictures], shape)
    notes = [*listing.notes, *notes, *_skipped(listing, read, skip_unreadable)]
    kept = [place for place in range(len(listing.pictures)) if place not in read.unreadable]
    pictures = [listing.pictures[place] for place in kept]
    numbers = {name: number for number, name in enumerate(listing.class_names)}
    labels = np.array([numbers[each.class_name] for each in pictures], np.int64)
    parts = parts_of(
        labels,
        [read.files[place] for place in kept],
        [each.part for each in pictures],
        validation=validation,
        seed=seed,
        source=listing.source,
    )
    counts = {part: np.bincount(labels[p], minlength=len(numbers)) for part, p in parts.items()}
    notes += _missing(listing, counts)
    places = np.array(kept, np.intp)
    pixels = Pixels(read.pixels, places, sha256=read.sha256)
    splits = {
        part: Split(pixels.take(chosen), labels[chosen])  # type: ignore[arg-type]
        for part, chosen in parts.items()
    }
    files = _files(listing, read, {part: places[found] for part, found in parts.items()})
    notes += repeated(files)
    return Dataset(
        listing.name,
        train=splits["train"],
        validation=splits["validation"],
        test=splits["test"],
        source=f"{len(labels):,} images in {listing.source}, {len(numbers)} classes, "
        f"as {'x'.join(map(str, shape))}",
        class_names=listing.class_names,
        notes=tuple(notes),
        files=files,
        paths=path_to_store(_path(data)) if isinstance(data, str | os.PathLike) else (),
    )


def pictures_for(input_shape: tuple[int, ...]) -> dict[str, Any]:
    """Return the arguments of `load_images` that give pictures of a network's input shape.

    Examples
    --------
    >>> pictures_for((48, 64, 3)), pictures_for((17,))
    ({'image_size': (48, 64), 'channels': 3}, {})
    """
    if len(input_shape) != 3:
        return {}
    *size, channels = input_shape
    return {"image_size": tuple(size), "channels": channels}


def _path(data: Any) -> Path:
    return Path(os.path.expanduser(data))  # noqa: PTH111 - Path's raises for an unknown user


def _listing(data: Any) -> Listing:
    if is_paths(data):
        return tables.list_paths(data, None)
    if isinstance(data, tuple):
        paths, labels = data
        return tables.list_paths(paths, [str(each) for each in np.asarray(labels).ravel()])
    if not isinstance(data, str | os.PathLike):
        raise DataError(
            f"images: expected a path, a list of paths, or (paths, labels), got {data!r:.80}"
        )
    path = _path(data)
    if path.is_dir():
        return list_folder(path)
    if is_archive(path):
        return list_archive(path)
    if path.suffix.lower() == ".npz":
        raise DataError(
            f"{path}: expected a folder, an archive, or a .csv or .tsv table: give the .npz as "
            "data= of gs.search"
        )
    return tables.list_table(path)


def _checked_size(asked: Any) -> tuple[int, int] | None:
    if asked is None:
        return None
    pair = (asked, asked) if not isinstance(asked, tuple | list) else tuple(asked)
    if len(pair) != 2:
        raise DataError(f"image_size: expected a number or (height, width), got {asked!r}")
    height, width = (whole_number("image_size", n, 1, _MOST_SIDE, error=DataError) for n in pair)
    return height, width


def _shape_of(
    listing: Listing, asked: tuple[int, int] | None, channels: int | None
) -> tuple[Shape, list[str]]:
    """Return the shape that all images get, and what there is to say about it."""
    if asked is not None and channels is not None:
        return (*asked, channels), []
    pictures = listing.pictures
    step = max(1, -(-len(pictures) // _SAMPLE))
    outlines: list[Outline] = []
    first_reason = ""
    for each in pictures[::step]:
        try:
            outlines.append(outline_of(each.path))
        except DataError as error:  # decoding tells, and tells them all
            first_reason = first_reason or f"{each.name}: {error}"
    if not outlines:
        raise DataError(
            f"{listing.source}: expected images, none of {len(pictures):,} can be read "
            f"({first_reason}): name another"
        )
    greys = sum(each.is_grey for each in outlines)
    channels = channels or (1 if greys == len(outlines) else 3)
    notes = []
    if channels == 3 and greys:
        notes.append(f"{greys:,} of {len(outlines):,} images looked at are grey: read as colour")
    heights, widths = sorted(e.height for e in outlines), sorted(e.width for e in outlines)
    median = heights[len(heights) // 2], widths[len(widths) // 2]
    if asked is None:
        scale = min(1.0, LARGEST_SIDE / max(median))
        asked = max(1, round(median[0] * scale)), max(1, round(median[1] * scale))
        if scale < 1.0:
            notes.append(
                f"their median size is {median[0]}x{median[1]}, scaled down to a longer side of "
                f"{LARGEST_SIDE}: --image-size asks for another"
            )
    if (heights[0], widths[0], heights[-1], widths[-1]) != (*asked, *asked):
        notes.append(
            f"images of {heights[0]}x{widths[0]} to {heights[-1]}x{widths[-1]} pixels are resized "
            f"to {asked[0]}x{asked[1]}"
        )
    return (*asked, channels), notes


def _skipped(listing: Listing, read: Decoded, skip: bool) -> list[str]:
    """Say which files cannot be read; refuse them unless they are to be skipped."""
    if not read.unreadable:
        return []
    names = [f"{listing.pictures[p].name} ({reason})" for p, reason in read.unreadable.items()]
    if not skip:
        more = f", and {len(names) - 1:,} more like it" if len(names) > 1 else ""
        raise DataError(
            f"{listing.source}: {listing.pictures[min(read.unreadable)].name}: expected a readable "
            f"image, got: {next(iter(read.unreadable.values()))}{more}: repair or remove it, or "
            "leave out what cannot be read with --skip-unreadable"
        )
    before = Counter(each.class_name for each in listing.pictures)
    before.subtract(listing.pictures[place].class_name for place in read.unreadable)
    if gone := [name for name, count in before.items() if not count]:
        raise DataError(
            f"{listing.source}: expected readable images of every class, got none of "
            f"{gone[0]!r}: add some, or remove the class"
        )
    return [f"skipped {len(names):,} files that cannot be read: {some(names)}"]


def _missing(listing: Listing, counts: dict[str, Any]) -> list[str]:
    """Say which classes lack images in a split; refuse one that training lacks."""
    notes = []
    for part, found in counts.items():
        missing = [name for name, n in zip(listing.class_names, found, strict=True) if not n]
        if missing and part == "train":
            raise DataError(
                f"{listing.source}: expected images of every class in train, got none of "
                f"{missing[0]!r}: add some, or remove the class"
            )
        if missing:
            notes.append(f"no image of {len(missing)} classes in {part}: {some(missing)}")
    return notes


def _files(listing: Listing, read: Decoded, parts: Parts) -> ImageFiles:
    splits = dict.fromkeys(range(len(listing.pictures)), "skipped")
    for part, places in parts.items():
        splits.update(dict.fromkeys(places.tolist(), part))
    return ImageFiles(
        ImageFile(splits[place], each.class_name, each.name, read.files[place])
        for place, each in enumerate(listing.pictures)
    )
