"""Splits of a data set: stratified, by a seed and the content of each file, so that they repeat."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from growsearch.errors import DataError

TEST = 10_000
"""At most this many images are cut off for the test, and never more than a sixth."""

Parts = dict[str, NDArray[np.intp]]  # places of the images of each split


def split_off(
    labels: NDArray[np.int64],
    contents: Sequence[str],
    most: int,
    *,
    least: int,
    seed: int,
    purpose: str,
) -> NDArray[np.bool_]:
    """Choose images for a split: of every class the same fraction, and one at least.

    Parameters
    ----------
    labels : int array (n,)
    contents : sequence of str
        A hash of each image. Its order with the seed decides, so that adding images moves few of
        the others, and images of one class with the same content are never in two splits.
    most : int
        Choose at most about this many, and about a sixth at most.
    least : int
        A class of fewer images gives none.
    seed : int
    purpose : str
        Another purpose chooses others.

    Returns
    -------
    bool array (n,)
    """
    chosen = np.zeros(len(labels), bool)
    fraction = min(most / max(len(labels), 1), 1 / 6)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        if len(members) < least:
            continue
        keys = [_key(contents[place], seed, purpose) for place in members.tolist()]
        order = np.argsort(np.array(keys), kind="stable")
        count = max(1, math.floor(len(members) * fraction + 0.5))
        while count < len(members) and keys[order[count]] == keys[order[count - 1]]:
            count += 1
        if count < len(members):  # else all are one image
            chosen[members[order[:count]]] = True
    return chosen


def parts_of(
    labels: NDArray[np.int64],
    contents: Sequence[str],
    given: Sequence[str | None],
    *,
    validation: int,
    seed: int,
    source: str,
) -> Parts:
    """Return the places of the images of each split; those that are not given come from train.

    Parameters
    ----------
    labels : int array (n,)
    contents : sequence of str
        A hash of each image.
    given : sequence
        The split of each image: ``train``, ``validation`` or ``test``; None for all if there are
        none.
    validation : int
        At most about this many validation images.
    seed : int
    source : str
        Begins the error line.

    Raises
    ------
    DataError
        If a split would be empty.
    """
    parts = np.array([each or "train" for each in given], "U10")
    missing = [part for part in ("test", "validation") if part not in parts]
    for left, part in enumerate(missing, -len(missing)):
        train = np.flatnonzero(parts == "train")
        held = split_off(
            labels[train],
            [contents[place] for place in train.tolist()],
            TEST if part == "test" else validation,
            least=1 - left,  # one for train, and one for each split that is still missing
            seed=seed,
            purpose=part,
        )
        parts[train[held]] = part
    found = {part: np.flatnonzero(parts == part) for part in ("train", "validation", "test")}
    for part, places in found.items():
        if not len(places):
            raise DataError(
                f"{source}: expected images for train, validation and test, got {len(labels):,} "
                f"in all and none for {part}: give at least 3 different images of a class"
            )
    return found


def _key(content: str, seed: int, purpose: str) -> str:
    return hashlib.sha256(f"{seed} {purpose} {content}".encode()).hexdigest()
