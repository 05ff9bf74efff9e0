"""The digits: every image, the splits, the seed."""

import numpy as np
import pytest

from growsearch.datasets import load

pytestmark = pytest.mark.usefixtures("own_cache")


def test_digits_look_like_mnist() -> None:
    """1,797 digits in three stratified splits, 28x28x1, bright within 20x20 and blank around."""
    data = load("digits")
    assert [len(data.train), len(data.validation), len(data.test)] == [1197, 300, 300]
    assert data.image_shape == (28, 28, 1)
    assert data.classes == 10
    assert not data.stand_in
    for part in (data.train, data.validation, data.test):
        shares = np.bincount(part.labels, minlength=10) / len(part)
        assert np.abs(shares - 0.1).max() < 0.01
        assert part.images.max() > 0.9
        assert part.images[:, 4:24, 4:24].sum() == pytest.approx(part.images.sum())


def test_digits_keep_every_image() -> None:
    """No digit is lost or in two splits: means of 20x20 boxes equal those of scikit-learn's 8x8."""
    from sklearn.datasets import load_digits

    small = load_digits()
    data = load("digits")
    parts = (data.train, data.validation, data.test)
    means = np.concatenate([p.images.mean((1, 2, 3)) for p in parts]) * 28**2 / 20**2
    expected = small.images.mean((1, 2)) / 16
    assert np.abs(np.sort(means) - np.sort(expected)).max() < 0.05
    labels = np.concatenate([p.labels for p in parts])
    assert np.array_equal(np.bincount(labels), np.bincount(small.target))
    known = {image.tobytes() for image in data.train.images}
    assert not known & {image.tobytes() for image in data.test.images}
    assert not known & {image.tobytes() for image in data.validation.images}


def test_digits_follow_their_seed() -> None:
    """One seed gives one split, another seed another; what validation leaves goes to train."""
    assert load("digits", seed=3).fingerprint == load("digits", seed=3).fingerprint
    three, four = load("digits", seed=3), load("digits", seed=4)
    for part in ("train", "validation", "test"):
        labels = [getattr(data, part).labels.tolist() for data in (three, four)]
        assert labels[0] != labels[1]
    fewer = load("digits", validation=100)
    assert [len(fewer.train), len(fewer.validation), len(fewer.test)] == [1397, 100, 300]
