"""The confusion matrix of a network: how many images of each class it takes for which class."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Cell = tuple[int, int, int]  # true class, predicted class, number of images


@dataclass(frozen=True)
class Confusion:
    """The predictions of a network on labelled images, counted by true and predicted class.

    Parameters
    ----------
    classes : int
        The number of classes.
    cells : tuple of (true class, predicted class, images)
        The pairs of classes that occur, in their order.
    class_names : tuple of str, optional
        Name of each class.

    Examples
    --------
    >>> found = Confusion.of(np.array([0, 0, 1, 2]), np.array([0, 1, 1, 1]), 3)
    >>> found.counts.tolist(), found.accuracy
    ([[1, 1, 0], [0, 1, 0], [0, 1, 0]], 0.5)
    >>> found.by_class.tolist(), found.worst(2), found.confused(1)
    ([0.5, 1.0, 0.0], (2, 0), ((0, 1, 1),))
    """

    classes: int
    cells: tuple[Cell, ...]
    class_names: tuple[str, ...] | None = None

    @classmethod
    def of(cls, labels: NDArray[Any], predicted: NDArray[Any], classes: int) -> Self:
        """Count the predictions for images of some labels, both integers of shape (n,)."""
        places, images = np.unique(labels * classes + predicted, return_counts=True)
        found = zip(*(divmod(places, classes)), images, strict=True)
        return cls(classes, tuple((int(true), int(other), int(n)) for true, other, n in found))

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """The matrix: images by true class (row) and predicted class (column)."""
        made = np.zeros((self.classes, self.classes), np.int64)
        for true, predicted, images in self.cells:
            made[true, predicted] = images
        return made

    @property
    def images(self) -> NDArray[np.int64]:
        """The number of images of each class, shape (classes,)."""
        return self._counted(self.cells)

    @property
    def accuracy(self) -> float:
        """The fraction of all images that are classified right."""
        return float(self._counted(self._right).sum() / self.images.sum())

    @property
    def by_class(self) -> NDArray[np.float64]:
        """The accuracy of each class, also called recall: NaN for a class without images."""
        right, images = self._counted(self._right), self.images
        unknown = np.full(self.classes, np.nan)
        return np.asarray(np.divide(right, images, out=unknown, where=images > 0))

    @property
    def _right(self) -> Iterator[Cell]:
        return (cell for cell in self.cells if cell[0] == cell[1])

    def _counted(self, cells: Iterable[Cell]) -> NDArray[np.int64]:
        """Return the number of images of each class in some cells."""
        made = np.zeros(self.classes, np.int64)
        for true, _, images in cells:
            made[true] += images
        return made

    def name(self, number: int) -> str:
        """Return the name of a class, or its number where the classes have no names."""
        return str(number) if self.class_names is None else self.class_names[number]

    def worst(self, most: int) -> tuple[int, ...]:
        """Return the classes of lowest accuracy, the worst first, of those that have images."""
        images, order = self.images, np.argsort(self.by_class, kind="stable")
        return tuple(int(each) for each in order if images[each] > 0)[:most]

    def confused(self, most: int) -> tuple[Cell, ...]:
        """Return the pairs of true and predicted class with the most wrong images, in order."""
        wrong = (cell for cell in self.cells if cell[0] != cell[1])
        return tuple(sorted(wrong, key=lambda cell: -cell[2])[:most])

    def to_json(self) -> dict[str, Any]:
        """Return the matrix and the accuracies by class as plain JSON values."""
        return {
            "accuracy": self.accuracy,
            "classes": [self.name(number) for number in range(self.classes)],
            "images": self.images.tolist(),
            "accuracy_by_class": [
                None if np.isnan(each) else float(each) for each in self.by_class
            ],
            "matrix": self.counts.tolist(),
        }
