"""Metrics are scikit-learn's, and their standard errors are those of a paired bootstrap."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import softmax
from sklearn import metrics as reference

from growsearch.errors import InvalidInputError
from growsearch.trials.judge import loss_gain
from growsearch.trials.metrics import METRICS, measured


def drawn(
    seed: int, images: int, classes: int, skill: float = 1.0
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Logits and labels of unequal classes; ties are common."""
    rng = np.random.default_rng(seed)
    labels = rng.choice(classes, images, p=rng.dirichlet(np.full(classes, 2.0)))
    logits = rng.normal(size=(images, classes)) + skill * np.eye(classes)[labels]
    return np.round(logits, 1).astype(np.float32), labels


def by_scikit_learn(metric: str, logits: NDArray[Any], labels: NDArray[Any]) -> float:
    """The same figure; of a curve with absent classes, the mean over those that are there."""
    predicted, classes = logits.argmax(axis=1), logits.shape[1]
    scores = softmax(np.asarray(logits, np.float64), axis=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # classes that are predicted and are no label
        if metric == "accuracy":
            return float(reference.accuracy_score(labels, predicted))
        if metric == "balanced_accuracy":
            return float(reference.balanced_accuracy_score(labels, predicted))
        if metric == "f1_macro":
            return float(reference.f1_score(labels, predicted, average="macro"))
        if classes == 2:
            return float(reference.roc_auc_score(labels, scores[:, 1]))
        if len(np.unique(labels)) == classes:
            return float(reference.roc_auc_score(labels, scores, multi_class="ovr"))
        return float(
            np.mean([reference.roc_auc_score(labels == k, scores[:, k]) for k in np.unique(labels)])
        )


@pytest.mark.parametrize("metric", METRICS)
@settings(max_examples=40)
@given(st.integers(0, 10**6), st.integers(3, 60), st.integers(2, 6))
def test_a_metric_is_scikit_learns(metric: str, seed: int, images: int, classes: int) -> None:
    """Classes that are no label, no prediction, or neither, count as they do there."""
    logits, labels = drawn(seed, images, classes)
    if len(np.unique(labels)) < 2:
        labels[:2] = 0, 1
    value, shares = measured(metric, logits, labels)
    assert value == pytest.approx(by_scikit_learn(metric, logits, labels), abs=1e-9)
    assert shares.mean(dtype=np.float64) == pytest.approx(value, abs=1e-6)


def test_images_of_one_class_have_no_curve() -> None:
    """The refusal says which class they are of."""
    with pytest.raises(InvalidInputError, match=r"^auc: expected images of two .* class 2 alone$"):
        measured("auc", np.zeros((3, 4)), np.full(3, 2))


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("metric", METRICS)
def test_the_error_is_that_of_a_paired_bootstrap(metric: str, classes: int) -> None:
    """Of the difference between two networks that agree on most images, within a tenth.

    Without the pairs it is larger by half or more.
    """
    logits, labels = drawn(3, 600, classes)
    other = (logits + np.random.default_rng(4).normal(0.1, 0.4, logits.shape)).astype(np.float32)
    one, two = (measured(metric, each, labels)[1] for each in (logits, other))
    gain, error = loss_gain(one, two)
    rng, found = np.random.default_rng(5), []
    for _ in range(400):
        some = rng.integers(0, len(labels), len(labels))
        values = [measured(metric, each[some], labels[some])[0] for each in (logits, other)]
        found.append(values[0] - values[1])
    assert error == pytest.approx(float(np.std(found, ddof=1)), rel=0.12)
    alone = np.hypot(*(each.std(ddof=1) / np.sqrt(len(labels)) for each in (one, two)))
    assert alone > 1.4 * error
    assert abs(gain) < 5 * error + 0.05


def test_every_heading_fits_its_column() -> None:
    """Tables of trials have eight characters for it."""
    assert all(len(row.column) <= 8 for row in METRICS.values())
