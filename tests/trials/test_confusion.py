"""Confusion matrices are scikit-learn's, and are told by their worst classes and pairs."""

from __future__ import annotations

import json

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as reference

from growsearch.trials.confusion import Confusion

pairs = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=60)


@given(pairs)
def test_a_matrix_is_scikit_learns(drawn: list[tuple[int, int]]) -> None:
    """Counts, accuracy, and the accuracy of each class that has images."""
    labels, predicted = np.array(drawn).T
    found = Confusion.of(labels, predicted, 5)
    expected = reference.confusion_matrix(labels, predicted, labels=range(5))
    assert np.array_equal(found.counts, expected)
    assert found.accuracy == reference.accuracy_score(labels, predicted)
    present = np.unique(labels)
    recalls = reference.recall_score(
        labels, predicted, labels=present, average=None, zero_division=0.0
    )
    assert np.allclose(found.by_class[present], recalls)
    assert np.isnan(np.delete(found.by_class, present)).all()
    assert found == Confusion(5, found.cells)


def test_the_worst_classes_and_pairs_come_first() -> None:
    """Of equals the one with the lower number; a class without images is none of the worst."""
    found = Confusion(4, ((0, 0, 3), (0, 1, 1), (1, 0, 2), (1, 1, 2), (2, 0, 2), (2, 2, 2)))
    assert found.worst(3) == (1, 2, 0)
    assert found.worst(9) == (1, 2, 0)
    assert found.confused(2) == ((1, 0, 2), (2, 0, 2))


def test_a_class_has_its_name() -> None:
    """And its number where the images have no names; JSON has no NaN."""
    cells = ((0, 0, 1), (1, 0, 1))
    assert [Confusion(3, cells).name(each) for each in range(3)] == ["0", "1", "2"]
    named = Confusion(3, cells, ("cat", "dog", "eel"))
    assert json.loads(json.dumps(named.to_json(), allow_nan=False)) == {
        "accuracy": 0.5,
        "classes": ["cat", "dog", "eel"],
        "images": [1, 1, 0],
        "accuracy_by_class": [1.0, 0.0, None],
        "matrix": [[1, 0, 0], [1, 0, 0], [0, 0, 0]],
    }
