"""The weights of classes: how much the loss of an image of each class counts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from growsearch.training.trainer import Evaluation


def class_weights(kind: str, labels: NDArray[Any], classes: int) -> NDArray[np.float32] | None:
    """Return the weight of each class, shape (classes,); None where all count alike.

    "balanced" is scikit-learn's formula: the number of all images, divided by the number of classes
    that have images and by that of the class's own. The mean weight of the images is 1. A class
    without images has the weight 1.

    Parameters
    ----------
    kind : "none" or "balanced"
    labels : integer array, shape (n,)
        Of the training images.
    classes : int

    Examples
    --------
    >>> class_weights("balanced", np.array([0, 0, 0, 2]), 3).tolist()
    [0.6666666865348816, 1.0, 2.0]
    >>> class_weights("none", np.array([0, 0, 0, 2]), 3)
    """
    if kind == "none":
        return None
    images = np.bincount(labels, minlength=classes)
    present = images > 0
    weights = np.ones(classes)
    weights[present] = len(labels) / (present.sum() * images[present])
    return weights.astype(np.float32)


def weighted(
    found: Evaluation, labels: NDArray[Any], weights: NDArray[np.float32] | None
) -> Evaluation:
    """Return an evaluation whose losses are multiplied by the weights of their classes.

    Parameters
    ----------
    found : Evaluation
        With the losses of the single images.
    labels : integer array, shape (n,)
        Of the images that were evaluated.
    weights : float32 array, shape (classes,), or None
        None leaves the evaluation as it is.
    """
    if weights is None or found.losses is None:
        return found
    losses = found.losses * weights[labels]
    return replace(found, loss=float(losses.mean(dtype=np.float64)), losses=losses)
