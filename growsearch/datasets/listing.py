"""A listing: the files of a data set with their classes, before any of them is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from growsearch.errors import DataError

Part = str  # "train", "validation" or "test"
PARTS: dict[str, Part] = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("validation", "valid", "val", "dev"), "validation"),
    **dict.fromkeys(("test", "testing"), "test"),
}
"""The splits, by the names that folders and columns give them."""


@dataclass(frozen=True)
class Picture:
    """A file of a data set.

    Parameters
    ----------
    path : Path
    name : str
        Its path in the data set, as text that can be printed.
    class_name : str
    part : str or None
        Its split, where the data set says one.
    """

    path: Path
    name: str
    class_name: str
    part: Part | None = None


@dataclass(frozen=True)
class Listing:
    """The files of a data set.

    Parameters
    ----------
    name : str
        That of the data set.
    source : str
        Where it lies, for people to read.
    pictures : tuple of Picture
        In the order of their names.
    class_names : tuple of str
        In the order of the labels.
    notes : tuple of str
        What was left out, a line each.

    Raises
    ------
    DataError
        If there are fewer than two classes, or a split has a class that training lacks.
    """

    name: str
    source: str
    pictures: tuple[Picture, ...]
    class_names: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.class_names) < 2:
            raise DataError(
                f"{self.source}: expected at least 2 classes, got "
                f"{', '.join(map(repr, self.class_names)) or 'none'}: put the images of each class "
                "into a folder of its own"
            )
        parts = {each.part for each in self.pictures}
        if parts != {None}:
            self._check_parts(parts)

    def _check_parts(self, parts: set[Part | None]) -> None:
        """Refuse splits of which training lacks a class, or that only some images have."""
        if None in parts:
            unsplit = next(each for each in self.pictures if each.part is None)
            raise DataError(
                f"{self.source}: expected a split for every image or for none, got none for "
                f"{unsplit.name}: name one of train, validation, test"
            )
        trained = {each.class_name for each in self.pictures if each.part == "train"}
        for each in self.pictures:
            if each.class_name not in trained:
                raise DataError(
                    f"{self.source}: expected images of every class in train, got none of "
                    f"{each.class_name!r}, which {each.part} has ({each.name}): add some, or "
                    "remove the class"
                )


def class_names_of(pictures: Sequence[Picture]) -> tuple[str, ...]:
    """Return the names of all classes, sorted as Keras and torchvision sort them."""
    return tuple(sorted({each.class_name for each in pictures}))
