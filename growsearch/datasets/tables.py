"""Tables of images: CSV files with a path and a label in each row; lists of paths in Python."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from growsearch.datasets.files import printable
from growsearch.datasets.listing import PARTS, Listing, Picture, class_names_of
from growsearch.errors import DataError

ENDINGS = frozenset({".csv", ".tsv"})
_COLUMNS = {
    "path": ("path", "file", "filename", "file_name", "filepath", "image", "image_path"),
    "label": ("label", "class", "class_name", "category", "target"),
    "split": ("split", "part", "set", "subset"),
}
EXAMPLE = "a column path, a column label, and if need be a column split"


def list_table(path: Path) -> Listing:
    """List the images of a CSV file, whose paths begin at its folder.

    The first row may name the columns, in any order; without names they are path, label and, if
    there are three, split. Labels that are all whole numbers are sorted as such.

    Raises
    ------
    DataError
        Names the file and the line.
    """
    name = printable(str(path))
    try:
        with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            start = file.read(1 << 16)
            file.seek(0)
            line = start.partition("\n")[0]
            delimiter = max(",;\t", key=line.count)
            reader = csv.reader(file, delimiter=delimiter)
            pictures = list(_rows(reader, path.parent, name))
    except OSError as error:
        raise DataError(f"{name}: cannot be opened ({error.strerror}): name another") from None
    except (csv.Error, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{name}: expected a CSV table, got: {error}") from None
    if not pictures:
        raise DataError(f"{name}: expected {EXAMPLE}, got no row: add one for each image")
    return _listing(printable(path.stem), name, pictures)


def _rows(reader: Iterator[list[str]], folder: Path, name: str) -> Iterator[Picture]:
    places: dict[str, int] | None = None
    for number, row in enumerate(reader, 1):
        if not any(cell.strip() for cell in row):
            continue
        if places is None:
            named = _named(row)
            places = named or dict(zip(_COLUMNS, range(len(row)), strict=False))
            if len(places) < 2 or not {"path", "label"} <= places.keys():
                raise DataError(
                    f"{name}: line {number}: expected {EXAMPLE}, "
                    f"got {printable(str(row)[:80])}: name the columns in the first line"
                )
            if named:
                continue
            first = folder / os.path.expanduser(row[places["path"]].strip())  # noqa: PTH111
            if not first.suffix and not first.exists():
                raise DataError(
                    f"{name}: line {number}: expected {EXAMPLE}, got "
                    f"{printable(','.join(row)[:80])}: name the columns so"
                )
        if len(row) <= max(places.values()):
            raise DataError(
                f"{name}: line {number}: expected {max(places.values()) + 1} values, "
                f"got {len(row)}: complete the line"
            )
        cells = {column: row[place].strip() for column, place in places.items()}
        if not cells["path"] or not cells["label"] or "\0" in cells["path"]:
            raise DataError(
                f"{name}: line {number}: expected a path and a label: complete the line"
            )
        part = cells.get("split")
        if part is not None and part.lower() not in PARTS:
            raise DataError(
                f"{name}: line {number}: expected a split out of train, validation, test, "
                f"got {printable(part)!r}: name one of them"
            )
        yield Picture(
            folder / os.path.expanduser(cells["path"]),  # noqa: PTH111 - Path's may raise
            printable(cells["path"]),
            printable(cells["label"]),
            None if part is None else PARTS[part.lower()],
        )


def _named(row: list[str]) -> dict[str, int]:
    """Return the place of each column that a first row names; none where it names no path."""
    lowered = [cell.strip().lower() for cell in row]
    found = {
        name: lowered.index(known)
        for name, every in _COLUMNS.items()
        for known in reversed(every)
        if known in lowered
    }
    return found if {"path", "label"} <= found.keys() else {}


def list_paths(paths: Sequence[Any], labels: Sequence[Any] | None) -> Listing:
    """List the images of a list of paths; without labels each belongs to its folder's class.

    Raises
    ------
    DataError
        If there is not one label a path.
    """
    every = [Path(each) for each in paths]
    names = [each.parent.name for each in every] if labels is None else list(map(str, labels))
    if len(names) != len(every):
        raise DataError(
            f"a list of paths: expected one label a path, got {len(every)} paths and "
            f"{len(names)} labels: check that both belong together"
        )
    pictures = [
        Picture(path, printable(str(path)), printable(name) or ".")
        for path, name in zip(every, names, strict=True)
    ]
    return _listing("images", f"a list of {len(every):,} paths", pictures)


def _listing(name: str, source: str, pictures: Iterable[Picture]) -> Listing:
    """Return a listing whose classes are in the order of their numbers, where they are numbers."""
    found = tuple(pictures)
    names = class_names_of(found)
    if all(each.isascii() and each.isdecimal() for each in names):
        names = tuple(sorted(names, key=lambda each: (int(each), each)))
    return Listing(name or "images", source, found, names)
