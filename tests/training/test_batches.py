"""The order of the images: every epoch a new one, each image once an epoch."""

from __future__ import annotations

import numpy as np
import pytest

from growsearch.training.batches import batches_of


@pytest.mark.parametrize("size", [1, 3, 7, 10, 23])
def test_every_image_comes_once_an_epoch(size: int) -> None:
    """Batches may divide the images or not, or be larger than all of them."""
    batches = batches_of(10, size, 0)
    order = np.concatenate([next(batches) for _ in range(30)])
    for start in range(0, len(order) - 9, 10):
        assert sorted(order[start : start + 10]) == list(range(10))


def test_the_order_is_the_same_in_every_version() -> None:
    """A stored run goes on with the batches that it began with."""
    batches = batches_of(5, 4, 3)
    rng = np.random.default_rng(3)
    expected = np.concatenate([rng.permutation(5) for _ in range(4)])
    assert np.concatenate([next(batches) for _ in range(5)]).tolist() == expected.tolist()


def test_a_batch_of_many_epochs_takes_no_quadratic_time() -> None:
    """Seconds, not hours."""
    batch = next(batches_of(2, 1_000_000, 0))
    assert np.bincount(batch).tolist() == [500_000, 500_000]
