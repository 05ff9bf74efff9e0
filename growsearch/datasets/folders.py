"""Folders with a folder a class, with or without train, validation and test above them."""

from __future__ import annotations

import os
import unicodedata
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from growsearch.datasets.files import printable, some
from growsearch.datasets.listing import PARTS, Listing, Picture, class_names_of
from growsearch.datasets.pictures import ENDINGS
from growsearch.errors import DataError

LINKS = "links"  # what an archive leaves out, beside other endings
_DEEPEST = 32  # folders in folders

Names = tuple[str, ...]  # of a path below the data set's folder


def list_folder(folder: Path, source: str = "", others: Counter[str] | None = None) -> Listing:
    """List the images of a folder that has a folder for each class.

    Hidden files and files with other endings than those of images are left out; folders within a
    class belong to it. Links are followed, each folder once.

    Parameters
    ----------
    folder : Path
    source : str
        Named in errors; the folder by default.
    others : Counter, optional
        Files by ending, and `LINKS`, that an archive has beside what was unpacked of it.

    Returns
    -------
    Listing

    Raises
    ------
    DataError
        If the folder cannot be read, or does not have images in folders of at least two classes.
    """
    source = source or printable(str(folder))
    found = _Found(others=Counter[str](others or {}))
    try:
        _walk(folder, (), found, set())
    except OSError as error:
        place = printable(str(error.filename or folder))
        raise DataError(f"{place}: cannot be opened ({error.strerror}): name another") from None
    images = found.images
    if not images:
        there = ", ".join(f"{count:,} {ending}" for ending, count in found.others.most_common(3))
        raise DataError(
            f"{source}: expected a folder a class with JPEG, PNG, BMP, GIF or WebP images, or the "
            f"four IDX files, got {there or 'an empty folder'}: name another folder, or convert "
            "the files"
        )
    below = _below_wrappers(images)
    images, tops = [names[below:] for names in images], _tops(images, below)
    prefix = found.images[0][:below]
    folders = {names[below:] for names in found.folders if names[:below] == prefix}
    split = bool(tops) and _is_split(tops, source)
    depth = 1 if split else 0
    wanted = [names for names in images if len(names) > depth + 1]
    stray = ["/".join(names) for names in images if len(names) <= depth + 1]
    if not wanted:
        raise DataError(
            f"{source}: expected a folder a class, got {len(stray):,} images in none "
            f"({printable(stray[0])}): put the images of each class into a folder of its own, or "
            "name a CSV table of path,label"
        )
    root = folder.joinpath(*prefix)
    pictures = tuple(
        Picture(
            root.joinpath(*names),
            printable("/".join(names)),
            _class_name(names[depth]),
            PARTS[names[0].lower()] if split else None,
        )
        for names in sorted(wanted)
    )
    notes = _notes(found, stray, wanted, folders, depth)
    name = printable(prefix[-1] if prefix else folder.resolve().name) or "images"
    return Listing(name, source, pictures, class_names_of(pictures), notes)


@dataclass
class _Found:
    """The entries of a folder and of those in it, as names of the path to each."""

    images: list[Names] = field(default_factory=list)
    folders: list[Names] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)


def _walk(folder: Path, names: Names, found: _Found, seen: set[tuple[int, int]]) -> None:
    where = folder.stat()
    if (where.st_dev, where.st_ino) in seen or len(names) > _DEEPEST:
        return  # a link that leads back
    seen.add((where.st_dev, where.st_ino))
    with os.scandir(folder) as entries:
        visible = sorted((each.name, each.is_dir()) for each in entries if each.name[0] != ".")
    for name, is_folder in visible:
        here, ending = (*names, name), PurePath(name).suffix.lower()
        if is_folder:
            if name != "__MACOSX":  # what a Mac puts beside a folder that it packs
                found.folders.append(here)
                _walk(folder / name, here, found, seen)
        elif ending in ENDINGS:
            found.images.append(here)
        else:
            found.others[ending_of(name)] += 1


def ending_of(name: str) -> str:
    """Return the ending of a file that is no image, for people to read."""
    return printable(PurePath(name).suffix.lower()) or "files without an ending"


def _below_wrappers(images: list[Names]) -> int:
    """Return how many folders lie around all classes, as an archive's own does."""
    below = 0
    while (
        all(len(names) > below + 2 for names in images)
        and len({names[below] for names in images}) == 1
        and images[0][below].lower() not in PARTS
    ):
        below += 1
    return below


def _tops(images: list[Names], below: int) -> set[str]:
    return {names[below] for names in images if len(names) > below + 1}


def _is_split(tops: set[str], source: str) -> bool:
    """Return True where the folders are splits, False where they are classes."""
    known = {top for top in tops if top.lower() in PARTS}
    parts = Counter(PARTS[top.lower()] for top in known)
    if not known or (known != tops and len(parts) < 2):
        return False  # a class may be called "train"
    twice = [part for part, count in parts.items() if count > 1]
    if known != tops or "train" not in parts or twice:
        raise DataError(
            f"{source}: expected a folder a class, or train, validation and test with a folder a "
            f"class in each, got {printable(some(sorted(tops), 5))}: move what is neither"
        )
    return True


def _class_name(name: str) -> str:
    text = printable(unicodedata.normalize("NFC", name))  # a Mac decomposes accents
    return text if text.strip() else repr(text)


def _notes(
    found: _Found, stray: list[str], wanted: list[Names], folders: set[Names], depth: int
) -> tuple[str, ...]:
    """Say what was left out."""
    notes = []
    if stray:
        names = some([printable(each) for each in stray])
        notes.append(f"left out {len(stray):,} images that are in no class's folder: {names}")
    if links := found.others.pop(LINKS, 0):
        notes.append(f"left out {links:,} links, which are not followed in an archive")
    if found.others:
        count = found.others.total()
        kinds = some([f"{kind}" for kind, _ in found.others.most_common()])
        notes.append(f"left out {count:,} files with other endings than images have: {kinds}")
    full = {names[: depth + 1] for names in wanted}
    empty = [names for names in folders if len(names) == depth + 1 and names not in full]
    if empty:
        named = some(sorted(printable("/".join(names)) for names in empty))
        notes.append(f"left out {len(empty):,} folders without images: {named}")
    return tuple(notes)
