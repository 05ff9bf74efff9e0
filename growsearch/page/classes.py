"""The classes of a run as rows of a table: images, accuracy, and what they are taken for."""

from __future__ import annotations

from dataclasses import dataclass

from growsearch.study.result import SearchResult

_MOST = 60  # classes of the table; of more, those of lowest accuracy
_OTHERS = 3  # classes that one class is taken for


@dataclass(frozen=True)
class ClassRow:
    """One class: its images, its accuracy, and the classes that it is most often taken for."""

    name: str
    images: int
    accuracy: float | None
    taken_for: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Classes:
    """The accuracy by class.

    Parameters
    ----------
    on : str
        The images in words.
    rows : tuple of ClassRow
    of : int
        The number of all classes.
    """

    on: str
    rows: tuple[ClassRow, ...]
    of: int


def class_rows(result: SearchResult) -> Classes | None:
    """Return the accuracy by class; None before the search has ended, and of earlier versions."""
    for on, words in (("test", "test images"), ("held_out", "held-out validation images")):
        found = result.confusions.get(on)
        if found is None:
            continue
        numbers = range(found.classes) if found.classes <= _MOST else found.worst(_MOST)
        images, accuracies = found.images, found.by_class
        taken: dict[int, list[tuple[str, int]]] = {}
        for true, other, count in found.confused(len(found.cells)):
            taken.setdefault(true, []).append((found.name(other), count))
        rows = tuple(
            ClassRow(
                found.name(number),
                int(images[number]),
                float(accuracies[number]) if images[number] else None,
                tuple(taken.get(number, ())[:_OTHERS]),
            )
            for number in numbers
        )
        return Classes(words, rows, found.classes)
    return None
