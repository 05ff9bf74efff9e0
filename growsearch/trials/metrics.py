"""Metrics: the figures of merit that a search may optimise, by scikit-learn's definitions.

Each metric is given image by image: as shares whose mean is the metric's value. A share is the
value itself plus the effect of its image on it: the derivative by the image's weight, which is the
infinitesimal jackknife (Efron, 1982, chapter 6). So the standard error of the difference between
two networks is that of the differences between their shares, as with losses. It is what a paired
bootstrap over the images estimates, without its random numbers; for the area under the curve it is
the formula of DeLong, DeLong and Clarke-Pearson (1988).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from growsearch.errors import InvalidInputError

MetricName = Literal["accuracy", "balanced_accuracy", "f1_macro", "auc"]
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Metric:
    """One row of the table of metrics.

    Parameters
    ----------
    words : str
        The name in reports.
    column : str
        The heading of a column, of at most 8 characters.
    shares : callable
        Return the share of each image, float64 (n,), from logits (n, classes) and labels (n,).
    """

    words: str
    column: str
    shares: Callable[[NDArray[Any], NDArray[Any]], Array]


def _accuracy(logits: NDArray[Any], labels: NDArray[Any]) -> Array:
    """Return 1 for each image that is right, whose mean is the accuracy."""
    return np.asarray(logits.argmax(axis=1) == labels, np.float64)


def _balanced_accuracy(logits: NDArray[Any], labels: NDArray[Any]) -> Array:
    """Return the shares of the mean accuracy of the classes that have images."""
    classes, hits = logits.shape[1], _accuracy(logits, labels)
    images = np.bincount(labels, minlength=classes)
    accuracies = np.bincount(labels, hits, classes) / np.maximum(images, 1)
    present = np.count_nonzero(images)
    effects = (hits - accuracies[labels]) / images[labels]
    return np.asarray((accuracies.sum() + len(labels) * effects) / present)


def _f1_macro(logits: NDArray[Any], labels: NDArray[Any]) -> Array:
    """Return the shares of the mean F1 score of the classes that are a label or a prediction."""
    classes, hits = logits.shape[1], _accuracy(logits, labels)
    predicted = logits.argmax(axis=1)
    # Of each class: its images, and those that are taken for it.
    both = np.bincount(labels, minlength=classes) + np.bincount(predicted, minlength=classes)
    scores = 2.0 * np.bincount(labels, hits, classes) / np.maximum(both, 1)
    slopes = scores / np.maximum(both, 1)
    effects = 2.0 * hits / both[labels] - slopes[labels] - slopes[predicted]
    return np.asarray((scores.sum() + len(labels) * effects) / np.count_nonzero(both))


def _auc(logits: NDArray[Any], labels: NDArray[Any]) -> Array:
    """Return the shares of the mean area under the curves of the classes, each against the rest.

    Of two classes there is the curve of the second. Classes without images have no curve.
    """
    from scipy.special import log_softmax
    from scipy.stats import rankdata

    scores = log_softmax(np.asarray(logits, np.float64), axis=1)  # ranked as the probabilities
    images, found = len(labels), []
    for number in (1,) if scores.shape[1] == 2 else range(scores.shape[1]):
        is_of, score = labels == number, scores[:, number]
        count = int(is_of.sum())
        if not 0 < count < images:
            continue
        ranks, placed = rankdata(score), np.empty(images)
        # The fraction of the other images that an image stands above; of two equals, a half.
        placed[is_of] = (ranks[is_of] - rankdata(score[is_of])) / (images - count)
        placed[~is_of] = 1.0 - (ranks[~is_of] - rankdata(score[~is_of])) / count
        area = float(placed[is_of].mean())
        found.append(area + (placed - area) * images / np.where(is_of, count, images - count))
    if not found:
        raise InvalidInputError(f"auc: {one_class(labels)}")
    return np.asarray(np.mean(found, axis=0))


METRICS: dict[str, Metric] = {
    "accuracy": Metric("accuracy", "accuracy", _accuracy),
    "balanced_accuracy": Metric("balanced accuracy", "balanced", _balanced_accuracy),
    "f1_macro": Metric("macro F1", "macro F1", _f1_macro),
    "auc": Metric("AUC", "AUC", _auc),
}


def one_class(labels: NDArray[Any]) -> str:
    """Return why images have no area under a curve."""
    return f"expected images of two classes at least, got those of class {int(labels[0])} alone"


def measured(
    metric: str, logits: NDArray[Any], labels: NDArray[Any]
) -> tuple[float, NDArray[np.float32]]:
    """Return the value of a metric, and each image's share of it.

    Parameters
    ----------
    metric : str
        A row of ``METRICS``.
    logits : float array, shape (n, classes)
    labels : integer array, shape (n,)

    Examples
    --------
    >>> logits = np.array([[2.0, 0.0], [1.0, 0.0], [0.0, 1.0], [3.0, 0.0]])
    >>> labels = np.array([0, 0, 1, 1])
    >>> [measured(name, logits, labels)[0] for name in ("accuracy", "auc")]
    [0.75, 0.5]
    """
    shares = METRICS[metric].shares(logits, labels)
    return float(shares.mean()), shares.astype(np.float32)


def by_its_name(values: Any, metric: str) -> Any:
    """Return JSON values with the name of the metric in keys that say "accuracy".

    Examples
    --------
    >>> by_its_name({"validation_accuracy": 0.5, "curve": [{"accuracy": 0.4}]}, "auc")
    {'validation_auc': 0.5, 'curve': [{'auc': 0.4}]}
    """
    if metric == "accuracy":
        return values
    if isinstance(values, dict):
        named = {str(key).replace("accuracy", metric): each for key, each in values.items()}
        return {key: by_its_name(each, metric) for key, each in named.items()}
    if isinstance(values, list | tuple):
        return [by_its_name(each, metric) for each in values]
    return values
