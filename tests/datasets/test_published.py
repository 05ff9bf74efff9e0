"""The published data sets themselves: their rows, the published bytes, the splits, mix-ups."""

import gzip
import hashlib
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from growsearch import SearchSpace
from growsearch.datasets import Dataset, cifar, load
from growsearch.datasets.idx import idx_hash
from growsearch.datasets.published import PUBLISHED, Hashes
from growsearch.errors import DataError
from tests.messages import one_line
from tests.mnist_files import PARTS, pairs, small_mnist, write_folder

pytestmark = pytest.mark.usefixtures("own_cache")

# Bytes of each archive at the mirrors, which tell it from the same bytes packed again.
SIZES = {
    "mnist": {
        "train-images-idx3-ubyte.gz": 9_912_422,
        "train-labels-idx1-ubyte.gz": 28_881,
        "t10k-images-idx3-ubyte.gz": 1_648_877,
        "t10k-labels-idx1-ubyte.gz": 4_542,
    },
    "fashion_mnist": {
        "train-images-idx3-ubyte.gz": 26_421_880,
        "train-labels-idx1-ubyte.gz": 29_515,
        "t10k-images-idx3-ubyte.gz": 4_422_102,
        "t10k-labels-idx1-ubyte.gz": 5_148,
    },
}
# The first labels of training and of the test, and how often each class is in training.
LABELS = {
    "mnist": (
        [5, 0, 4, 1, 9],
        [7, 2, 1, 0, 4],
        [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949],
    ),
    "fashion_mnist": ([9, 0, 0, 3, 0], [9, 2, 1, 1, 6], [6000] * 10),
}
# The MD5 that Fashion-MNIST's images are known by when they are unpacked.
FASHION_MD5 = {
    "train-images-idx3-ubyte": "f4a8712d7a061bf5bd6d2ca38dc4d50a",
    "t10k-images-idx3-ubyte": "8181f5470baa50b63fa0f6fddb340f0a",
}


def folder_of(name: str, request: pytest.FixtureRequest) -> Path:
    """The real files of a data set; skips where this machine has none."""
    folder: Path = request.getfixturevalue(f"{name}_folder")
    return folder


@pytest.fixture(scope="session", params=list(LABELS))
def real(request: pytest.FixtureRequest) -> tuple[Dataset, Path]:
    """Each data set, loaded from its real files, and their folder."""
    folder = folder_of(request.param, request)
    return load(request.param, folder), folder


def content(folder: Path, part: str) -> bytes:
    plain = folder / part
    if plain.is_file():
        return plain.read_bytes()
    return gzip.decompress((folder / f"{part}.gz").read_bytes())


@pytest.mark.parametrize("name", list(PUBLISHED))
def test_a_row_is_whole(name: str) -> None:
    """A row has its files with hashes of a known kind, and a name for each class."""
    row = PUBLISHED[name]
    assert row.name == name
    is_idx = name != "cifar10"
    assert set(row.files) == ({f"{part}.gz" for part in PARTS} if is_idx else {cifar.ARCHIVE})
    for hashes in row.files.values():
        assert re.fullmatch("md5:[0-9a-f]{32}|[0-9a-f]{64}", hashes.archive)
        assert re.fullmatch("[0-9a-f]{64}" if name in LABELS else "", hashes.content)
    assert len(row.image_hashes) == (2 if name in LABELS else 0)
    assert len(set(row.classes)) == 10


def test_no_file_is_in_two_rows() -> None:
    """The hash of a file names its data set."""
    pairs = [pair for row in PUBLISHED.values() for pair in row.files.values()]
    hashes = [each for pair in pairs for each in pair if each]
    assert len(set(hashes)) == len(hashes)


def test_mirrors_are_encrypted_first() -> None:
    """Every data set has a mirror with https, which is asked first, and all but one have two."""
    from growsearch.datasets import published

    for row in (published.MNIST, published.FASHION_MNIST, published.KMNIST, published.CIFAR10):
        assert row.mirrors[0].startswith("https://")
        assert len(row.mirrors) == (1 if row.name == "cifar10" else 2)
        assert all(mirror.endswith("/") for mirror in row.mirrors)


def test_a_search_space_may_name_each() -> None:
    """The key `data` takes the name of every row, with digits as the stand-in."""
    for name in PUBLISHED:
        space = SearchSpace.load("mnist").replace(data=name, stand_in="digits")
        assert (space.data, space.stand_in) == (name, "digits")


def test_real_files_are_split_as_in_tensorflow(real: tuple[Dataset, Path]) -> None:
    """Validation is the first 5,000 of the 60,000 training images, train the rest, test 10,000."""
    data, folder = real
    first, first_of_test, counts = LABELS[data.name]
    assert [len(data.train), len(data.validation), len(data.test)] == [55_000, 5_000, 10_000]
    assert data.validation.labels[:5].tolist() == first
    assert data.test.labels[:5].tolist() == first_of_test
    assert data.image_shape == (28, 28, 1)
    assert data.classes == 10
    assert not data.stand_in
    assert data.train.images.min() == 0
    assert data.train.images.max() == 1
    whole = np.concatenate([data.validation.labels, data.train.labels])
    assert np.bincount(whole).tolist() == counts
    assert data.source == str(folder)


def test_real_files_are_the_published_ones(real: tuple[Dataset, Path]) -> None:
    """Files, however compressed, and splits hold the bytes that the authors published."""
    data, folder = real
    row = PUBLISHED[data.name]
    for part in PARTS:
        found = content(folder, part)
        assert hashlib.sha256(found).hexdigest() == row.files[f"{part}.gz"].content
        if row.name == "fashion_mnist" and part in FASHION_MD5:
            assert hashlib.md5(found, usedforsecurity=False).hexdigest() == FASHION_MD5[part]
    images = np.concatenate([data.validation.images, data.train.images])[..., 0]
    pixels = (images * 255).round().astype(np.uint8)
    assert idx_hash(pixels) == row.files["train-images-idx3-ubyte.gz"].content


def test_pinned_hashes_are_those_of_the_archives(real: tuple[Dataset, Path]) -> None:
    """Every archive here that is as long as the mirrors' has the hash that is pinned."""
    data, folder = real
    row = PUBLISHED[data.name]
    assert set(row.files) == set(SIZES[row.name])
    for name, size in SIZES[row.name].items():
        path = folder / name
        if path.is_file() and path.stat().st_size == size:
            algorithm, _, digest = row.files[name].archive.rpartition(":")
            found = hashlib.new(algorithm or "sha256", path.read_bytes(), usedforsecurity=False)
            assert found.hexdigest() == digest


def test_real_files_are_refused_under_another_name(real: tuple[Dataset, Path]) -> None:
    """The real folder of one data set cannot be loaded as any other."""
    data, folder = real
    for other in set(PUBLISHED) - {data.name}:
        with pytest.raises(
            DataError, match=f"expected images of {other}, got those of {data.name}"
        ):
            load(other, folder, stand_in="digits")


@pytest.fixture(params=[("mnist", "fashion_mnist"), ("fashion_mnist", "mnist")], ids=" as ".join)
def mixed_up(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """Small images are those of the first data set; they are given for the second."""
    theirs, asked = request.param
    arrays = small_mnist()
    files = {f"{part}.gz": Hashes("0" * 64, idx_hash(arrays[i])) for part, i in PARTS.items()}
    monkeypatch.setitem(PUBLISHED, theirs, replace(PUBLISHED[theirs], files=files))
    return theirs, asked


def forms(arrays: tuple[np.ndarray, ...], tmp_path: Path) -> Iterator[Any]:
    yield write_folder(tmp_path / "plain", arrays)
    yield write_folder(tmp_path / "zipped", arrays, "{}.gz")
    keys = ("x_train", "y_train", "x_test", "y_test")
    np.savez(tmp_path / "images.npz", **dict(zip(keys, arrays, strict=True)))
    yield tmp_path / "images.npz"
    yield pairs(arrays)
    floats = (arrays[0] / np.float32(255), arrays[1], arrays[2][..., None] / 255, arrays[3])
    yield pairs(floats)


def test_images_of_another_data_set_are_refused(mixed_up: tuple[str, str], tmp_path: Path) -> None:
    """In every form, in one line that names the place and both data sets; nothing stands in."""
    theirs, asked = mixed_up
    for data in forms(small_mnist(), tmp_path):
        with pytest.raises(DataError) as raised:
            load(asked, data, stand_in="digits")
        assert f"expected images of {asked}, got those of {theirs}" in one_line(raised)
        assert str(data if isinstance(data, Path) else "arrays in memory") in one_line(raised)
        assert load(theirs, data).name == theirs


@pytest.mark.parametrize(("part", "index"), [("train", 0), ("test", 2)])
def test_one_file_of_another_data_set_is_enough(
    mixed_up: tuple[str, str], part: str, index: int, tmp_path: Path
) -> None:
    """A folder in which only one split's images are another's is refused, with the split named."""
    theirs, asked = mixed_up
    arrays = [255 - array if array.ndim == 3 else array for array in small_mnist()]
    arrays[index] = small_mnist()[index]
    with pytest.raises(DataError, match=f"{part}: expected images of {asked}, got those"):
        load(asked, write_folder(tmp_path / "data", tuple(arrays)))
    assert load(theirs, tmp_path / "data").name == theirs


def test_environment_that_names_another_data_set_is_refused(
    mixed_up: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GROWSEARCH_DATA with the images of another data set is an error that names the variable."""
    theirs, asked = mixed_up
    monkeypatch.setenv("GROWSEARCH_DATA", str(write_folder(tmp_path / "data", small_mnist())))
    with pytest.raises(DataError, match=rf"^GROWSEARCH_DATA: .*got those of {theirs}") as raised:
        load(asked, stand_in="digits")
    one_line(raised)
    assert load(theirs).name == theirs


def test_images_of_ones_own_have_either_name(mixed_up: tuple[str, str], tmp_path: Path) -> None:
    """One pixel changed in both splits, and the images are a user's own; labels name nothing."""
    arrays = small_mnist()
    for index in (0, 2):
        arrays[index][0, 0, 0] ^= 1
    for data in forms(arrays, tmp_path):
        assert [load(name, data).name for name in mixed_up] == list(mixed_up)


def test_a_dataset_keeps_its_name(mixed_up: tuple[str, str]) -> None:
    """A Dataset is a user's own, whatever images it holds."""
    theirs, asked = mixed_up
    data = load(theirs, pairs(small_mnist()))
    assert load(asked, data) is data
