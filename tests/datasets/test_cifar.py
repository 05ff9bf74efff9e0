"""CIFAR-10's binary archive: its records, downloaded, unpacked or not; damaged in one line."""

from __future__ import annotations

import hashlib
import io
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from growsearch.datasets import Pixels, cifar, load, sources
from growsearch.datasets.published import PUBLISHED, Hashes
from growsearch.errors import DataError, DataNotFoundError
from tests.messages import one_line

pytestmark = pytest.mark.usefixtures("own_cache")

RNG = np.random.default_rng(0)
NAMES = [*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin"]
PIXELS = RNG.integers(0, 256, (6, 4, 32, 32, 3), np.uint8)
LABELS = RNG.integers(0, 10, (6, 4), np.uint8)


def files() -> dict[str, bytes]:
    """Six files of four records each."""
    return {
        name: b"".join(
            bytes([label]) + image.transpose(2, 0, 1).tobytes()
            for image, label in zip(PIXELS[place], LABELS[place], strict=True)
        )
        for place, name in enumerate(NAMES)
    }


def archive(path: Path, content: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as bundle:
        for name, data in content.items():
            info = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            info.size = len(data)
            bundle.addfile(info, io.BytesIO(data))
    return path


def test_records_are_images_and_labels(tmp_path: Path) -> None:
    """From the archive, its folder, the folder around, and the cache, verified by its hash."""
    packed = archive(tmp_path / cifar.ARCHIVE, files())
    folder = tmp_path / "around" / "cifar-10-batches-bin"
    folder.mkdir(parents=True)
    for name, data in files().items():
        (folder / name).write_bytes(data)
    for place in (packed, tmp_path, folder, tmp_path / "around"):
        data = load("cifar10", place)
        assert data.name == "cifar10"
        assert data.class_names == PUBLISHED["cifar10"].classes
        train = np.concatenate([data.validation.images[:], data.train.images[:]])
        np.testing.assert_array_equal(train, PIXELS[:5].reshape(-1, 32, 32, 3) / np.float32(255))
        assert data.test.labels.tolist() == LABELS[5].tolist()
    assert [len(data.train), len(data.validation), len(data.test)] == [17, 3, 4]
    digest = hashlib.md5(packed.read_bytes(), usedforsecurity=False).hexdigest()
    cache = sources.cache_folder("cifar10")
    cache.mkdir(parents=True)
    packed.rename(cache / cifar.ARCHIVE)
    with pytest.MonkeyPatch.context() as patch:
        row = replace(PUBLISHED["cifar10"], files={cifar.ARCHIVE: Hashes(f"md5:{digest}")})
        patch.setitem(PUBLISHED, "cifar10", row)
        patch.setenv("GROWSEARCH_OFFLINE", "1")
        assert load("cifar10").fingerprint == data.fingerprint
        (cache / cifar.ARCHIVE).write_bytes(b"?")
        with pytest.raises(DataNotFoundError, match=r"CIFAR-10 is not in .* forbids the download"):
            load("cifar10", stand_in="digits")


def test_images_of_the_archive_in_other_hands() -> None:
    """As arrays they keep the name; under another data set's name they are a user's own bytes."""
    train = PIXELS[:5].reshape(-1, 32, 32, 3), LABELS[:5].ravel()
    arrays = train, (PIXELS[5], LABELS[5])
    assert load("cifar10", arrays).name == "cifar10"
    own = load("mnist", arrays)
    assert own.name == "images"
    assert isinstance(own.train.images, Pixels)


def test_a_damaged_archive_is_one_line(tmp_path: Path) -> None:
    """Cut short, a file missing, a record cut, no archive."""
    whole = archive(tmp_path / cifar.ARCHIVE, files()).read_bytes()
    lacking = {name: data for name, data in files().items() if name != "data_batch_3.bin"}
    cut = files() | {"data_batch_2.bin": files()["data_batch_2.bin"][:-1]}
    for data, words in {
        whole[: len(whole) // 2]: "cannot be unpacked",
        b"no": "cannot be unpacked",
        archive(tmp_path / "b", lacking).read_bytes(): "data_batch_3.bin is missing",
        archive(tmp_path / "c", cut).read_bytes(): "data_batch_2.bin: expected records of 3073",
    }.items():
        (tmp_path / cifar.ARCHIVE).write_bytes(data)
        with pytest.raises(DataError, match=words) as raised:
            load("cifar10", tmp_path / cifar.ARCHIVE)
        assert str(tmp_path) in one_line(raised)
