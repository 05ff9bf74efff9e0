"""Images of a user's own in any shape: a data set without a name, for a network that is given."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from growsearch.checks import expanded
from growsearch.datasets.dataset import Dataset, Split, split_from
from growsearch.datasets.forms import Data, first_and_rest, read_idx_folder
from growsearch.datasets.npz import read_npz
from growsearch.errors import DataError, DataNotFoundError

NAME = "own"


def load_own(
    data: Data | None = None, *, stand_in: str | None, validation: int, seed: int
) -> Dataset:
    """Load what the user names, of any shape and number of classes; nothing is downloaded.

    Raises
    ------
    DataNotFoundError
        When no data are named, or there is nothing at the path.
    DataError
        When they cannot be used.
    """
    del stand_in, seed
    if data is None:
        raise DataNotFoundError(
            "data: expected your images, by --data PATH or data=, got none: the network that you "
            "give has no images of its own"
        )
    if isinstance(data, Dataset):
        return data
    arrays, source = _read(data)
    parts = {
        part: split_from(arrays[f"x_{part}"], arrays[f"y_{part}"], where=f"{source}: {part}")
        for part in ("train", "validation", "test")
        if f"x_{part}" in arrays
    }
    if "validation" not in parts:
        parts["validation"], parts["train"] = first_and_rest(parts["train"], validation)
    classes = 1 + max(int(split.labels.max()) for split in parts.values())
    return Dataset(
        "images",
        parts["train"],
        parts["validation"],
        parts["test"],
        source=source,
        classes=classes,
    )


def joined(datasets: Sequence[Dataset]) -> Dataset:
    """Return several data sets as one: training images to training images, and so on.

    Raises
    ------
    DataError
        When their images differ in shape.
    """
    first, *others = datasets
    if not others:
        return first
    for each in others:
        if each.image_shape != first.image_shape:
            raise DataError(
                f"{each.source}: expected images of shape {first.image_shape}, as in "
                f"{first.source}, got {each.image_shape}"
            )
    return replace(
        first,
        train=_joined([each.train for each in datasets]),
        validation=_joined([each.validation for each in datasets]),
        test=_joined([each.test for each in datasets]),
        source=" and ".join(each.source for each in datasets),
        classes=max(each.classes for each in datasets),
    )


def _joined(splits: Sequence[Split]) -> Split:
    return Split(
        np.concatenate([split.images for split in splits]),
        np.concatenate([split.labels for split in splits]),
    )


def _read(data: Any) -> tuple[dict[str, Any], str]:
    """Return the arrays of a folder, a file, or pairs in memory, and their source."""
    if not isinstance(data, str | os.PathLike):
        try:
            (x_train, y_train), (x_test, y_test) = data
        except (TypeError, ValueError) as error:
            raise DataError(
                "data: expected a path, ((x_train, y_train), (x_test, y_test)) or a Dataset, got "
                f"{type(data).__name__}"
            ) from error
        arrays = {"x_train": x_train, "y_train": y_train, "x_test": x_test, "y_test": y_test}
        return arrays, "arrays in memory"
    path: Path = expanded(data, error=DataError)
    if path.is_dir():
        return read_idx_folder(path), str(path)
    if not path.is_file():
        raise DataNotFoundError(f"{path}: nothing there: name a folder, or an .npz file")
    return read_npz(path), str(path)
