"""Data sets of the benchmarks: names, JPEG files, and the search spaces that they get."""

from __future__ import annotations

import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.image_sets import before_trunks, dataset, decode, flagship, parse, prepared

SHADES = {"cat": 40, "dog": 200}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes of grey images, 12 to train on and 2 to test on."""
    for part, count in (("train", 6), ("test", 1)):
        for name, shade in SHADES.items():
            of_class = tmp_path / "pictures" / part / name
            of_class.mkdir(parents=True)
            for number in range(count):
                image = Image.fromarray(np.full((8, 8, 3), shade + number, np.uint8))
                image.save(of_class / f"{number:04d}.jpg", quality=95)
    (tmp_path / "pictures" / "README.md").write_text("no picture")
    return tmp_path / "pictures"


def test_classes_are_numbered_by_name_and_mixed(folder: Path) -> None:
    """An image keeps its label, and the first images are not all of one class."""
    found = decode(folder)
    assert found["x_train"].shape == (12, 8, 8, 3)
    assert found["x_train"].dtype == np.uint8
    shades = np.where(found["y_train"] == 0, SHADES["cat"], SHADES["dog"])
    assert np.all(np.abs(found["x_train"].mean((1, 2, 3)) - shades - 2.5) < 5.0)
    assert set(found["y_train"][:6]) == {0, 1}
    assert found["y_test"].tolist() == [0, 1]


def test_an_archive_is_its_folder(folder: Path, tmp_path: Path) -> None:
    """Decoding a tar archive gives the same arrays in the same order."""
    archive = tmp_path / "pictures.tar.xz"
    with tarfile.open(archive, "w:xz") as file:
        file.add(folder, ".")
    one, other = decode(folder), decode(archive)
    assert all(np.array_equal(one[key], other[key]) for key in one)


def test_pictures_are_decoded_once(folder: Path, tmp_path: Path) -> None:
    """Every process opens the same decoded file, with a validation split of a sixth."""
    text = prepared(f"pets={folder}", tmp_path / "out")
    assert text == f"pets={tmp_path / 'out' / 'pets.npz'}"
    data = dataset(text)
    assert (data.name, data.classes, data.image_shape) == ("pets", 2, (8, 8, 3))
    assert [len(each) for each in (data.train, data.validation, data.test)] == [10, 2, 2]
    (tmp_path / "out" / "pets.npz").touch()
    before = (tmp_path / "out" / "pets.npz").stat().st_mtime_ns
    assert prepared(f"pets={folder}", tmp_path / "out") == text
    assert (tmp_path / "out" / "pets.npz").stat().st_mtime_ns == before


def test_a_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    """One line names the layout that was expected."""
    with pytest.raises(SystemExit, match=r"expected train/CLASS/\*\.jpg"):
        decode(tmp_path)


def test_a_path_alone_is_mnist() -> None:
    """The command for MNIST is as short as before."""
    assert parse("/data/mnist") == ("mnist", "/data/mnist")
    assert parse("mnist=") == ("mnist", "")


def test_spaces_fit_their_images() -> None:
    """Each data set gets its flagship, others that of Fashion-MNIST with their own shape."""
    assert flagship("mnist").name == "mnist"
    coloured = flagship("pets", (32, 32, 3))
    assert coloured.name == "fashion_mnist"
    assert coloured.architecture.input_shape == (32, 32, 3)
    assert coloured.trunk is not None


@pytest.mark.parametrize(
    ("name", "shape", "flip"),
    [("mnist", (28, 28, 1), False), ("fashion_mnist", (28, 28, 1), True), ("c", (32, 32, 3), True)],
)
def test_the_space_before_trunks(name: str, shape: tuple[int, int, int], flip: bool) -> None:
    """It has a polish and no trunk; images other than digits are mirrored, and not turned."""
    space = before_trunks(name, shape)
    assert space.trunk is None
    assert space.polish is not None
    assert space.architecture.input_shape == shape
    changes = space.polish.plan.augmentation
    assert (changes.flip, changes.rotate) == ((True, 0.0) if flip else (False, 10.0))
    assert space.teacher.plan.augmentation.flip is flip
    assert space.data == (name if name != "c" else "mnist")
