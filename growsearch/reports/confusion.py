"""The confusion matrix of a run as lines: accuracy by class, and the classes that are mixed up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from growsearch.trials.confusion import Confusion

_WIDTH = 80  # characters of a line that has the whole matrix
_MOST = 10  # classes and pairs of a matrix that is too wide
_NAME = 24  # characters of a class
_OTHERS = 3  # classes that one class is taken for


def lines(found: Confusion, on: str) -> list[str]:
    """Return accuracy by class and the matrix; of a wide matrix its worst classes and pairs.

    Parameters
    ----------
    found : Confusion
    on : str
        The images in words, such as "the test images".
    """
    matrix = _matrix(found) if 3 * found.classes < _WIDTH else []
    if not matrix or max(map(len, matrix)) > _WIDTH:
        return _worst(found, on)
    return [f"Accuracy by class on {on}, and the classes that they are taken for:", *matrix]


def _matrix(found: Confusion) -> list[str]:
    classes = range(found.classes)
    rows = [("class", "images", "accuracy", *map(str, classes))]
    rows += [(*_class(found, each), *map(str, found.counts[each])) for each in classes]
    return _aligned(rows)


def _worst(found: Confusion, on: str) -> list[str]:
    classes = found.worst(_MOST)
    rows = [("class", "images", "accuracy", "taken for")]
    rows += [(*_class(found, each), _taken_for(found, each)) for each in classes]
    shown = [
        f"The {len(classes)} of {found.classes} classes with the lowest accuracy on {on}:",
        *_aligned(rows, left=(0, 3)),
    ]
    pairs = found.confused(_MOST)
    if not pairs:
        return shown
    rows = [("class", "taken for", "images", "of the class")]
    rows += [
        (_label(found, true), _label(found, other), str(n), f"{n / found.images[true]:.1%}")
        for true, other, n in pairs
    ]
    return [*shown, "The classes that are most often mixed up:", *_aligned(rows, left=(0, 1))]


def _class(found: Confusion, number: int) -> tuple[str, str, str]:
    """Return a class, the number of its images, and its accuracy."""
    images, accuracy = found.images[number], found.by_class[number]
    return _label(found, number), f"{images:,}", f"{accuracy:.4f}" if images else "-"


def _label(found: Confusion, number: int) -> str:
    """Return number and name of a class, a long name with its end left out."""
    if found.class_names is None:
        return str(number)
    text = f"{number} {found.name(number)}"
    return text if len(text) <= _NAME else f"{text[: _NAME - 1]}…"


def _taken_for(found: Confusion, number: int) -> str:
    """Return the classes that the images of a class are most often taken for."""
    others = [cell for cell in found.confused(found.classes**2) if cell[0] == number]
    return ", ".join(f"{_label(found, other)}: {n}" for _, other, n in others[:_OTHERS])


def _aligned(rows: Sequence[Sequence[str]], left: Sequence[int] = (0,)) -> list[str]:
    """Return rows as lines, with some columns on the left and the others on the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]

    def cells(row: Sequence[str]) -> Iterator[str]:
        for place, (cell, width) in enumerate(zip(row, widths, strict=True)):
            yield cell.ljust(width) if place in left else cell.rjust(width)

    return ["  ".join(cells(row)).rstrip() for row in rows]
