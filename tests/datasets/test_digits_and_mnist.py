"""The digits and MNIST themselves: every image, the published bytes, the splits."""

import gzip
import hashlib
import struct
from pathlib import Path

import numpy as np
import pytest

from growsearch.datasets import Dataset, load, mnist

pytestmark = pytest.mark.usefixtures("own_cache")

# SHA-256 of MNIST's files before compression, which does not depend on who compressed them.
MNIST_BYTES = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}


@pytest.fixture(scope="session")
def real(mnist_folder: Path) -> Dataset:
    return load("mnist", mnist_folder)


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


def test_real_mnist_is_split_as_in_tensorflow(real: Dataset, mnist_folder: Path) -> None:
    """Validation is the first 5,000 of the 60,000 training images, train the rest, test 10,000."""
    assert [len(real.train), len(real.validation), len(real.test)] == [55_000, 5_000, 10_000]
    assert real.validation.labels[:5].tolist() == [5, 0, 4, 1, 9]
    assert real.train.labels[:5].tolist() == [7, 3, 4, 6, 1]
    assert real.test.labels[:5].tolist() == [7, 2, 1, 0, 4]
    assert real.image_shape == (28, 28, 1)
    assert real.classes == 10
    assert real.train.images.min() == 0
    assert real.train.images.max() == 1
    whole = np.concatenate([real.validation.labels, real.train.labels])
    published = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(whole).tolist() == published
    assert real.source == str(mnist_folder)


def test_real_mnist_is_the_published_one(real: Dataset, mnist_folder: Path) -> None:
    """Files, however compressed, and splits hold the bytes that MNIST's authors published."""
    for part, digest in MNIST_BYTES.items():
        plain, zipped = mnist_folder / part, mnist_folder / f"{part}.gz"
        data = plain.read_bytes() if plain.is_file() else gzip.decompress(zipped.read_bytes())
        assert hashlib.sha256(data).hexdigest() == digest
    pixels = np.concatenate([real.validation.images, real.train.images]) * 255
    digest = hashlib.sha256(struct.pack(">4I", 0x803, 60_000, 28, 28))
    digest.update(pixels.round().astype(np.uint8).data)
    assert digest.hexdigest() == MNIST_BYTES["train-images-idx3-ubyte"]


def test_pinned_hashes_are_those_of_the_small_files(mnist_folder: Path) -> None:
    """Every gzip file here that is as long as the mirrors' has the hash that is pinned."""
    sizes = {
        "train-images-idx3-ubyte.gz": 9_912_422,
        "train-labels-idx1-ubyte.gz": 28_881,
        "t10k-images-idx3-ubyte.gz": 1_648_877,
        "t10k-labels-idx1-ubyte.gz": 4_542,
    }
    assert set(mnist.FILES) == set(sizes)
    for name, size in sizes.items():
        path = mnist_folder / name
        if path.is_file() and path.stat().st_size == size:
            assert hashlib.sha256(path.read_bytes()).hexdigest() == mnist.FILES[name]
