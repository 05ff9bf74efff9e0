"""The split of the validation images: those that select candidates, those held out."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from growsearch.datasets import Split
from growsearch.errors import InvalidInputError


def hold_out(validation: Split, held_out: float) -> tuple[Split, Split | None]:
    """Split the validation images at random, always in the same way, so that both parts are alike.

    Where that leaves a class out of a part, as of a few images, each class is split on its own.

    Every second image would not do: MNIST's training images alternate between two sources, one
    easier than the other (accuracies of one network: .993 and .962).

    Parameters
    ----------
    validation : Split
    held_out : float
        The fraction that is held out.

    Returns
    -------
    (selection, held out) : Split, Split or None
        None where ``held_out`` is 0.

    Raises
    ------
    InvalidInputError
        When a part would be empty.

    Examples
    --------
    >>> split = Split(np.zeros((4, 1, 1, 1), np.float32), np.arange(4))
    >>> selection, rest = hold_out(split, 0.5)
    >>> len(selection), len(rest), sorted([*selection.labels.tolist(), *rest.labels.tolist()])
    (2, 2, [0, 1, 2, 3])
    """
    if held_out == 0.0:
        return validation, None
    order = np.random.default_rng(0).permutation(len(validation))
    held = order < round(len(validation) * held_out)
    if _leaves_out(validation.labels, held):
        held = _by_class(validation.labels, order, held_out)
    if held.all() or not held.any():
        raise InvalidInputError(
            f"judge.held_out: expected images in both parts, got {len(validation)} validation "
            f"images with {held_out:g} held out: at least {math.ceil(1 / held_out)} are needed, "
            "or judge.held_out=0"
        )
    return validation.take(~held), validation.take(held)


def _leaves_out(labels: NDArray[np.int64], held: NDArray[np.bool_]) -> bool:
    """Return True if a class of at least two images has none in a part."""
    every, there = np.bincount(labels), np.bincount(labels[held], minlength=labels.max() + 1)
    return bool(np.any((every >= 2) & ((there == 0) | (there == every))))


def _by_class(
    labels: NDArray[np.int64], order: NDArray[np.int64], held_out: float
) -> NDArray[np.bool_]:
    """Choose a fraction of each class, in an order; of two images one, and none of one."""
    held = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        count = min(max(1, round(len(members) * held_out)), len(members) - 1)
        held[members[np.argsort(order[members])[:count]]] = True
    return held
