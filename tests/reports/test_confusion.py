"""Confusion matrices as lines: whole where they fit 80 characters, else their worst parts."""

from __future__ import annotations

import numpy as np
import pytest

from growsearch.reports.confusion import lines
from growsearch.trials.confusion import Confusion

ON = "the test images"


def drawn(classes: int, names: bool = False, images: int = 4000) -> Confusion:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, classes, images)
    predicted = np.where(rng.random(images) < 0.9, labels, rng.integers(0, classes, images))
    named = tuple(f"kind of {each}" for each in range(classes)) if names else None
    found = Confusion.of(labels, predicted, classes)
    return Confusion(classes, found.cells, named)


def test_a_small_matrix_is_whole() -> None:
    """A row a class: its images, its accuracy, and what they are taken for."""
    found = Confusion(3, ((0, 0, 39), (0, 2, 1), (1, 1, 20)), ("circle", "line", "none of them"))
    assert lines(found, ON) == [
        "Accuracy by class on the test images, and the classes that they are taken for:",
        "class           images  accuracy   0   1  2",
        "0 circle            40    0.9750  39   0  1",
        "1 line              20    1.0000   0  20  0",
        "2 none of them       0         -   0   0  0",
    ]


@pytest.mark.parametrize(("classes", "names"), [(10, True), (10, False), (11, False)])
def test_ten_classes_fit(classes: int, names: bool) -> None:
    """With names as those of CIFAR-10 too."""
    told = lines(drawn(classes, names), ON)
    assert len(told) == classes + 2
    assert max(map(len, told)) <= 80


@pytest.mark.parametrize("classes", [47, 100, 1000])
@pytest.mark.parametrize("names", [True, False])
def test_many_classes_are_told_by_the_worst(classes: int, names: bool) -> None:
    """The classes with the lowest accuracy, and the pairs that are mixed up most often."""
    found = drawn(classes, names)
    told = lines(found, ON)
    assert told[0] == (f"The 10 of {classes} classes with the lowest accuracy on the test images:")
    assert told[12] == "The classes that are most often mixed up:"
    assert len(told) == 24
    assert told[2].startswith(f"{found.worst(1)[0]} ")
    true, other, images = found.confused(1)[0]
    assert told[14].split()[0] == str(true)
    assert f" {images} " in told[14]
    assert f" {other} " in told[14]


def test_a_perfect_network_mixes_nothing_up() -> None:
    """There are no pairs to tell."""
    found = Confusion(50, tuple((each, each, 3) for each in range(50)))
    told = lines(found, ON)
    assert len(told) == 12
    assert told[2].split() == ["0", "3", "1.0000"]


def test_a_long_name_is_cut() -> None:
    """With a sign that its end is left out."""
    found = Confusion(2, ((0, 0, 1), (1, 0, 1)), ("a" * 60, "b"))
    assert lines(found, ON)[2].startswith(f"0 {'a' * 21}… ")
