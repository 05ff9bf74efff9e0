"""Weights of classes are scikit-learn's."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_class_weight

from growsearch.training import Evaluation
from growsearch.training.class_weights import class_weights, weighted


@given(st.lists(st.integers(0, 5), min_size=1, max_size=50))
def test_balanced_weights_are_scikit_learns(drawn: list[int]) -> None:
    """The images' mean weight is 1, and so is the weight of a class without images."""
    labels = np.array(drawn)
    weights = class_weights("balanced", labels, 6)
    assert weights is not None
    present = np.unique(labels)
    expected = compute_class_weight("balanced", classes=present, y=labels)
    assert np.allclose(weights[present], expected)
    assert np.allclose(weights[labels].mean(), 1.0)
    assert (np.delete(weights, present) == 1.0).all()


@given(st.integers(1, 40), st.integers(1, 7))
def test_equal_classes_have_the_weight_1(images: int, classes: int) -> None:
    """To the last bit."""
    weights = class_weights("balanced", np.arange(images * classes) % classes, classes)
    assert np.array_equal(weights, np.ones(classes, np.float32))


def test_an_evaluation_without_losses_or_weights_is_left_as_it_is() -> None:
    """Losses are multiplied, and their mean is the loss."""
    labels, weights = np.array([0, 1, 1]), np.array([3.0, 0.5], np.float32)
    plain = Evaluation(0.5, 2.0, np.array([1.0, 2.0, 3.0], np.float32))
    assert weighted(plain, labels, None) is plain
    assert weighted(Evaluation(0.5, 2.0), labels, weights) == Evaluation(0.5, 2.0)
    found = weighted(plain, labels, weights)
    assert found.losses is not None
    assert found.losses.tolist() == [3.0, 1.0, 1.5]
    assert (found.accuracy, found.loss) == (0.5, 5.5 / 3.0)
