"""The order of the training images: batches, epoch after epoch."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray


def batches_of(images: int, size: int, seed: int) -> Iterator[NDArray[np.intp]]:
    """Yield indices of batches without end: every epoch a new order, each image once an epoch."""
    rng = np.random.default_rng(seed)
    pool = np.empty(0, np.intp)
    while True:
        epochs = -(-(size - len(pool)) // images)  # more than one where a batch is larger than all
        pool = np.concatenate([pool, *(rng.permutation(images) for _ in range(epochs))])
        batch, pool = pool[:size], pool[size:]
        yield batch
