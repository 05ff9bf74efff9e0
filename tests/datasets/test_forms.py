"""Data in whatever form they are handed over: the same data set, or one line, never a stand-in."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from growsearch.datasets import LOADERS, Dataset, load
from growsearch.errors import DataError, DataNotFoundError
from tests.messages import one_line
from tests.mnist_files import PARTS, pairs, small_mnist, split, write_folder
from tests.strategies import quick

pytestmark = pytest.mark.usefixtures("own_cache")


def every_form(tmp_path: Path) -> Iterator[tuple[str, Any]]:
    arrays = small_mnist()
    names = ["{}", "{}.gz"]
    for number, name in enumerate(names):
        yield name, write_folder(tmp_path / f"folder{number}", arrays, name)
    dotted = write_folder(tmp_path / "dotted", arrays)
    for path in list(dotted.iterdir()):
        path.rename(path.with_name(path.name.replace("-idx", ".idx")))
    yield "dotted", str(dotted)
    keys = ("x_train", "y_train", "x_test", "y_test")
    np.savez(tmp_path / "plain.npz", **dict(zip(keys, arrays, strict=True)))
    yield "npz", tmp_path / "plain.npz"
    np.savez_compressed(tmp_path / "small.npz", **dict(zip(keys, arrays, strict=True)))
    yield "compressed npz", str(tmp_path / "small.npz")
    yield "arrays", pairs(arrays)
    channels = (arrays[0][..., None], arrays[1], arrays[2][..., None], arrays[3].astype(np.int32))
    yield "arrays with channels", pairs(channels)
    floats = (arrays[0] / np.float32(255), arrays[1], arrays[2] / np.float32(255), arrays[3])
    yield "float arrays", pairs(floats)
    yield "lists", [[arrays[0], arrays[1].tolist()], [arrays[2], arrays[3].tolist()]]


def test_every_form_gives_the_same_data(tmp_path: Path) -> None:
    """Folder, gzip, either spelling, npz and arrays of the same images are the same data set."""
    marks = {}
    for form, data in every_form(tmp_path):
        loaded = load("mnist", data)
        assert loaded.name == "mnist"
        assert loaded.classes == 10
        assert loaded.image_shape == (28, 28, 1)
        assert not loaded.stand_in
        marks[form] = loaded.fingerprint
    assert len(marks) == 9
    assert len(set(marks.values())) == 1, marks


def test_dataset_is_returned_as_it_is() -> None:
    """A Dataset handed over is the data set, under each name."""
    data = Dataset("own", split(), split(), split(), source="s")
    assert all(load(name, data) is data for name in LOADERS)


@given(st.integers(2, 80), st.integers(1, 100))
@quick
def test_validation_is_the_first_part(n: int, validation: int) -> None:
    """The first min(validation, n // 6) training images, at least one, are the validation split."""
    images, labels, x_test, y_test = small_mnist(n)
    data = load("mnist", ((images, labels), (x_test, y_test)), validation=validation)
    count = len(data.validation)
    assert count == max(1, min(validation, n // 6))
    joined = np.concatenate([data.validation.images, data.train.images])[..., 0]
    assert np.array_equal(joined, images / np.float32(255))
    assert np.array_equal(np.concatenate([data.validation.labels, data.train.labels]), labels)
    assert len(data.test) == len(y_test)


@pytest.mark.parametrize("name", list(LOADERS))
def test_no_path_is_not_the_working_directory(name: str) -> None:
    """An empty text, as an unset variable of a shell leaves it."""
    with pytest.raises(DataError, match="data: expected a path, got ''"):
        load(name, "")


def test_missing_files_are_named(tmp_path: Path) -> None:
    """A path without data is a DataNotFoundError that names the path and what is missing."""
    folder = write_folder(tmp_path / "data", small_mnist())
    for part in PARTS:
        moved = (folder / part).rename(tmp_path / "aside")
        with pytest.raises(DataNotFoundError) as raised:
            load("mnist", folder, stand_in="digits")
        assert part in one_line(raised)
        assert str(folder) in one_line(raised)
        moved.rename(folder / part)
    for nothing in (tmp_path / "nothing", "~nobody-of-that-name/data", "nul\0byte"):
        with pytest.raises(DataNotFoundError, match="nothing there") as raised:
            load("mnist", nothing, stand_in="digits")
        one_line(raised)
    with pytest.raises(DataError, match="cannot be opened"):
        load("mnist", "x" * 5000, stand_in="digits")


def test_names_of_classes_are_known() -> None:
    """Labels that are texts become numbers in the order of the names, in all splits alike."""
    images, labels, x_test, y_test = small_mnist()
    names = np.array([*"jihgfedcba"])
    data = load("mnist", ((images, names[labels]), (x_test, names[y_test].tolist())))
    assert data.class_names == tuple("abcdefghij")
    assert np.array_equal(data.test.labels, 9 - y_test)
    plain = load("mnist", ((images, 9 - labels), (x_test, 9 - y_test)))
    assert plain.fingerprint == data.fingerprint


def replaced(index: int, array: Any) -> Any:
    arrays: list[Any] = list(small_mnist())
    arrays[index] = array
    return pairs(tuple(arrays))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (42, "a folder with the four IDX files"),
        ((np.zeros(3),), "a folder with the four IDX files"),
        (replaced(0, np.zeros((60, 27, 28), np.uint8)), "bring all splits to one shape"),
        (replaced(2, np.zeros((12, 28, 28, 3), np.uint8)), "bring all splits to one shape"),
        (replaced(0, np.zeros((60, 784), np.uint8)), "(60, 784)"),
        (replaced(0, np.full((60, 28, 28), 255.0)), "from 0 to 1"),
        (replaced(0, np.full((60, 28, 28), np.nan)), "NaN"),
        (replaced(0, np.zeros((59, 28, 28), np.uint8)), "59 images and 60 labels"),
        (replaced(3, np.full(12, 255)), "labels from 0 to 9, got 255"),
        (replaced(1, np.zeros((60, 10), np.int64)), "one-hot"),
        (replaced(1, np.full(60, 0.5)), "expected class numbers, got 0.5"),
        (replaced(1, np.full(60, "a")), "memory: test: expected names of classes as in train"),
        (replaced(1, [None] * 60), "memory: train: expected labels as class numbers or names"),
        (replaced(2, np.zeros((0, 28, 28), np.uint8)), "empty"),
        (pairs(small_mnist(1)), "at least 2 training images"),
    ],
)
def test_bad_data_is_an_error_and_never_the_stand_in(data: Any, words: str) -> None:
    """Data that were named and cannot be used raise one line, even if a stand-in is allowed."""
    with pytest.raises(DataError) as raised:
        load("mnist", data, stand_in="digits")
    assert words in one_line(raised)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"name": "cifar"}, "mnist, fashion_mnist, kmnist, cifar10, digits"),
        ({"name": "mnist", "stand_in": "noise"}, "stand-in out of digits"),
        (
            {"name": "mnist", "validation": 0},
            "validation: expected a whole number of at least 1, got 0",
        ),
        ({"name": "mnist", "validation": 2.5}, "validation: expected a whole number"),
        ({"name": "mnist", "validation": "many"}, "validation: expected a whole number"),
        ({"name": "digits", "seed": "a"}, "seed: expected a whole number from 0 to 4294967295"),
        ({"name": "digits", "seed": -1}, "seed"),
        ({"name": "digits", "data": "somewhere"}, "somewhere: nothing there"),
    ],
)
def test_bad_arguments_are_refused(arguments: dict[str, Any], words: str) -> None:
    """An unknown name, stand-in or number raises a DataError that says what is possible."""
    with pytest.raises(DataError) as raised:
        load(**arguments)
    assert words in one_line(raised)


def test_loading_leaves_the_folder_alone(tmp_path: Path) -> None:
    """Reading data writes nothing: a read-only folder has the same files and times afterwards."""
    folder = write_folder(tmp_path / "data", small_mnist(), "{}.gz")
    folder.chmod(0o555)
    before = {path: path.stat().st_mtime_ns for path in [folder, *folder.iterdir()]}
    load("mnist", folder)
    assert {path: path.stat().st_mtime_ns for path in [folder, *folder.iterdir()]} == before
    folder.chmod(0o755)


@pytest.mark.parametrize("form", ["numbers", "column", "one-hot", "floats"])
@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_arrays_of_fewer_classes_are_a_data_set_of_their_own(
    tmp_path: Path, name: str, form: str
) -> None:
    """Grey images of 28x28 with two classes are no clothes, however the labels are written."""
    x, y = small_mnist()[0], np.arange(60) % 2
    written = {"column": y[:, None], "one-hot": np.eye(2)[y], "floats": y.astype(np.float64)}
    labels = written.get(form, y)
    path = tmp_path / "xrays.npz"
    np.savez(path, x_train=x, y_train=labels, x_test=x[:12], y_test=labels[:12])
    found = load(name, path)
    assert (found.name, found.classes, found.class_names) == ("xrays", 2, None)
    assert found.train.labels.max() == 1


def test_images_with_channels_first_are_told() -> None:
    """Square ones, as bytes and as floats; a picture of three rows is one."""
    y = np.arange(24) % 2
    for x in (np.full((24, 3, 8, 8), 200, np.uint8), np.full((24, 1, 28, 28), 0.5)):
        with pytest.raises(DataError, match=r"channels first: move the axis, as np.moveaxis"):
            load("mnist", ((x, y), (x, y)))
    flat = np.full((24, 3, 8, 3), 200, np.uint8)
    assert load("mnist", ((flat, y), (flat, y))).image_shape == (3, 8, 3)


def test_dark_images_are_told() -> None:
    """Bytes of 0 and 1 are refused; what is nearly black is noted; black and bright are not."""
    y = np.arange(24) % 2

    def loaded(x: np.ndarray) -> Dataset:
        return load("mnist", ((x, y), (x, y)))

    for kind in (np.uint8, np.int64):
        ones = np.zeros((24, 5, 6, 1), kind)
        ones[:, 2] = 1
        with pytest.raises(DataError, match="pixels from 0 to 255, got 0 to 1"):
            loaded(ones)
    deep = np.full((24, 5, 6, 1), 4095, np.uint16)  # 12 of 16 bits
    assert loaded(deep).notes == (
        "the brightest pixel of the training images is .062 of white: scale them, unless they are "
        "so dark",
    )
    assert not loaded(deep * 16).notes
    assert not loaded(np.zeros((24, 5, 6, 1), np.uint8)).notes
    one_bright = deep.copy()
    one_bright[17] = 65535
    assert not loaded(one_bright).notes
