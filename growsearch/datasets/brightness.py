"""Images that are nearly black, as of 12 bits in 16: what is trained on them is worth little."""

from __future__ import annotations

from dataclasses import replace

from growsearch.datasets.dataset import Dataset, Split
from growsearch.datasets.pixels import Pixels
from growsearch.errors import DataError

DARK = 0.125
"""Of white; images none of whose pixels is brighter are dark."""

_LOOKED_AT = 256  # images, before all are
_CHUNK = 1024  # images


def with_darkness_told(data: Dataset) -> Dataset:
    """Return a data set, with a note where all its training images are dark.

    Raises
    ------
    DataError
        If its pixels are bytes of 0 and 1 alone.

    Examples
    --------
    >>> import numpy as np
    >>> split = Split(np.full((2, 4, 4, 1), 0.05, np.float32), np.array([0, 1]))
    >>> with_darkness_told(Dataset("dim", split, split, split, source="made")).notes
    ('the brightest pixel of the training images is .05 of white: ...',)
    """
    if (top := _brightest(data.train)) >= DARK or not top:
        return data
    if isinstance(data.train.images, Pixels) and round(255.0 * top) == 1:
        raise DataError(
            f"{data.name} from {data.source}: expected pixels from 0 to 255, got 0 to 1: multiply "
            "them by 255, or convert them to floats"
        )
    note = (
        f"the brightest pixel of the training images is {top:.2g} of white: scale them, unless "
        "they are so dark"
    ).replace(" 0.", " .")
    return replace(data, notes=(*data.notes, note))


def _brightest(split: Split) -> float:
    """Return the largest pixel of a split; once one is not dark, no further images are read."""
    images, count = split.images, len(split)
    top = float(images[:: max(1, count // _LOOKED_AT)].max())
    for first in range(0, count, _CHUNK):
        if top >= DARK:
            break
        top = max(top, float(images[first : first + _CHUNK].max()))
    return top
