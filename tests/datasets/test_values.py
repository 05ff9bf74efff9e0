"""Split and Dataset are values: read-only, in range, told by every byte, light to import."""

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from growsearch.datasets import Dataset, Split
from growsearch.errors import DataError
from tests.messages import one_line
from tests.mnist_files import split
from tests.strategies import quick


def test_split_is_read_only_and_its_own() -> None:
    """A split never changes: its arrays refuse writes, and the caller's array is not in it."""
    images, labels = np.zeros((2, 28, 28, 1), np.float32), np.array([0, 1])
    made = Split(images, labels)
    images[:], labels[:] = 1, 5
    assert made.images.max() == 0
    assert made.labels.tolist() == [0, 1]
    with pytest.raises(ValueError, match="read-only"):
        made.images[0] = 1
    with pytest.raises(ValueError, match="read-only"):
        made.labels[0] = 1
    with pytest.raises(AttributeError):
        made.images = images  # type: ignore[misc]


def test_split_does_not_copy_what_is_read_only() -> None:
    """A read-only float32 array is shared: cutting MNIST in two costs no second copy."""
    whole = split(6)
    assert np.shares_memory(Split(whole.images[:3], whole.labels[:3]).images, whole.images)


@given(hnp.arrays(np.uint8, (3, 5, 4, 2)))
@quick
def test_uint8_pixels_are_divided_by_255(images: np.ndarray) -> None:
    """Pixel p of 0..255 becomes float32 p/255, to 1e-7."""
    made = Split(images, np.arange(3))  # type: ignore[arg-type]
    assert made.images.dtype == np.float32
    assert np.abs(made.images - images / 255.0).max() <= 1e-7


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, ">f4"])
def test_floats_become_float32(dtype: Any) -> None:
    """Floats from 0 to 1 of any width and byte order are taken as they are."""
    made = split(2, images=np.full((2, 28, 28, 1), 0.25, dtype))
    assert made.images.dtype == np.float32
    assert made.images.dtype.isnative
    assert (made.images == 0.25).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int32, np.uint64])
def test_integer_labels_become_int64(dtype: Any) -> None:
    """Labels of any integer type become int64 of the same value."""
    made = split(2, labels=np.array([3, 9], dtype))
    assert made.labels.dtype == np.int64
    assert made.labels.tolist() == [3, 9]


@pytest.mark.parametrize(
    "labels",
    [
        np.array([[3], [0], [2], [3]], np.uint8),
        np.eye(4)[[3, 0, 2, 3]],
        np.eye(4, dtype=np.int64)[[3, 0, 2, 3]],
        np.eye(4, dtype=bool)[[3, 0, 2, 3]],
        np.array([3.0, 0.0, 2.0, 3.0], np.float32),
        np.array([[3.0], [0.0], [2.0], [3.0]]),
        np.array([3, 0, 2, 3], object),
        [3, 0, 2, 3],
    ],
)
def test_labels_come_in_many_forms(labels: Any) -> None:
    """A column, one-hot rows, floats that are whole numbers, lists: the same class numbers."""
    made = split(4, labels=labels)
    assert made.labels.dtype == np.int64
    assert made.labels.tolist() == [3, 0, 2, 3]
    assert not made.labels.flags.writeable


def test_booleans_are_two_classes() -> None:
    """False is class 0, True is class 1; as a column too."""
    for labels in ([True, False, True, True], [[True], [False], [True], [True]]):
        assert split(4, labels=np.array(labels)).labels.tolist() == [1, 0, 1, 1]


@given(hnp.arrays(np.int64, (3, 5, 4), elements=st.integers(0, 255)))
@quick
def test_integers_of_any_width_are_bytes(images: np.ndarray) -> None:
    """Pixels from 0 to 255 in any integer type are those of uint8; grey images need no channel."""
    images[0, 0, 0] = 2  # of zeros and ones the scale is not known
    as_bytes = Split(images.astype(np.uint8), np.arange(3))  # type: ignore[arg-type]
    assert as_bytes.images.shape == (3, 5, 4, 1)
    for dtype in (np.int16, np.int32, np.int64, np.uint16, np.uint32, np.uint64):
        made = Split(images.astype(dtype), np.arange(3))  # type: ignore[arg-type]
        assert made.images.dtype == np.float32
        assert np.array_equal(made.images, as_bytes.images)


def test_uint16_pixels_are_divided_by_65535() -> None:
    """Beyond 255 a pixel has 16 bits."""
    made = split(2, images=np.full((2, 3, 4, 1), 65535, np.uint16))
    assert (made.images == 1.0).all()
    images = np.array([[[[300]], [[0]]]], np.uint16)
    assert np.allclose(split(1, images=images).images.ravel(), [300 / 65535, 0.0], atol=1e-7)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_a_rounding_beyond_the_range_is_cut_off(dtype: Any) -> None:
    """The next float above 1, and the next below 0: pixels stay from 0 to 1."""
    for value in (np.nextafter(dtype(1), dtype(2)), -np.nextafter(dtype(0), dtype(1))):
        made = split(4, images=pixel(value, dtype))
        assert made.images.min() >= 0.0
        assert made.images.max() <= 1.0
    assert split(4, images=np.ones((4, 2, 2, 1), bool)).images.max() == 1.0


def pixel(value: float, dtype: Any = np.float32) -> np.ndarray:
    usual = 0.5 if np.issubdtype(dtype, np.floating) else 0
    images = np.full((4, 28, 28, 1), usual, dtype)
    images[2, 3, 4, 0] = value
    return images


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"images": np.zeros((4, 28), np.float32)}, "(n, height, width, channels)"),
        ({"images": np.zeros((4, 784), np.float32)}, "(4, 784)"),
        ({"images": np.zeros((0, 28, 28, 1), np.float32), "labels": np.arange(0)}, "empty"),
        ({"images": np.zeros((4, 0, 28, 1), np.float32)}, "at least one image"),
        ({"images": np.zeros((3, 28, 28, 1), np.float32)}, "3 images and 4 labels"),
        ({"images": pixel(256, np.int32)}, "expected int32 pixels from 0 to 255, got 0 to 256"),
        ({"images": pixel(-1, np.int16)}, "got -1 to 0: scale them"),
        ({"images": pixel(1, np.int64)}, "from 0 to 255, got 0 to 1: convert them to floats"),
        ({"images": (x for x in np.zeros((4, 28, 28, 1)))}, "got a generator"),
        ({"images": np.zeros((4, 28, 28, 1), np.complex64)}, "complex64"),
        ({"images": np.full((4, 28, 28, 1), "a")}, "uint8"),
        ({"images": [[1], [2, 3]]}, "ragged"),
        ({"images": pixel(np.nan)}, "NaN"),
        ({"images": pixel(np.inf)}, "infinity"),
        ({"images": pixel(-np.inf)}, "infinity"),
        ({"images": pixel(255.0)}, "from 0 to 1, got 0.5 to 255: divide them by 255"),
        ({"images": pixel(1.0001)}, "from 0 to 1, got 0.5 to 1.0001: scale them"),
        ({"images": pixel(-0.0001)}, "from 0 to 1, got -0.0001 to 0.5"),
        ({"images": pixel(-0.1)}, "got -0.1 to 0.5"),
        ({"labels": np.array([0.0, 1.0, 1.5, 2.0])}, "got 1.5: number the classes"),
        ({"labels": np.array([0.0, 1.0, np.nan, 2.0])}, "expected class numbers, got nan"),
        ({"labels": np.array([0, 1, 2, 3j])}, "got complex128"),
        ({"labels": np.array(["a", "b", "c", "d"])}, "class numbers, got the name 'a'"),
        ({"labels": np.array([0, "b", 1, None], object)}, "class numbers or names, got 0"),
        ({"labels": np.eye(4, dtype=np.int64)[:, ::-1] * 2}, "row 0 is not one-hot"),
        ({"labels": np.full((4, 4), 0.25)}, "(4, 4) whose row 0 is not one-hot"),
        ({"labels": np.array([[1, 0], [0, 1], [1, 1], [1, 0]])}, "row 2 is not one-hot"),
        ({"labels": np.zeros((4, 2, 2), np.int64)}, "labels of shape (n,), got (4, 2, 2)"),
        ({"labels": np.array([0, 1, -1, 2])}, "got -1 to 2: number the classes"),
        ({"labels": np.array([0, 1, 2, 2**63], np.uint64)}, "labels from 0"),
    ],
)
def test_unusable_split_is_refused(changes: dict[str, Any], words: str) -> None:
    """Images or labels of a wrong rank, count, type or value raise a DataError of one line."""
    with pytest.raises(DataError) as raised:
        split(**changes)
    assert words in one_line(raised)


def test_dataset_knows_shape_and_classes() -> None:
    """Shape and number of classes are those of the training split, unless classes are given."""
    data = Dataset("d", split(4), split(3), split(2), source="s")
    assert data.image_shape == (28, 28, 1)
    assert data.classes == 4
    assert not data.stand_in
    assert Dataset("d", split(4), split(3), split(2), source="s", classes=10).classes == 10


@pytest.mark.parametrize("part", ["train", "validation", "test"])
@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ({"labels": np.array([0, 1, 2, 10])}, "labels from 0 to 9, got 10"),
        ({"images": np.zeros((4, 32, 28, 1), np.float32)}, "32x28x1"),
        ({"images": np.zeros((4, 28, 28, 3), np.float32)}, "28x28x3"),
    ],
)
def test_splits_must_fit_together(part: str, bad: dict[str, Any], words: str) -> None:
    """One image shape and labels below `classes` hold in every split, or a DataError says where."""
    parts = dict.fromkeys(("train", "validation", "test"), split()) | {part: split(**bad)}
    with pytest.raises(DataError) as raised:
        Dataset("d", **parts, source="here", classes=10)
    assert words in one_line(raised)
    assert "here" in one_line(raised)


def test_label_that_training_lacks_is_refused() -> None:
    """Without `classes`, a label beyond those of the training split is out of range."""
    with pytest.raises(DataError, match="from 0 to 2, got 3: train has no image of class 3"):
        Dataset("d", split(3), split(4), split(2), source="s")


def test_labels_that_begin_with_1_are_told() -> None:
    """Class 0 would be empty: the message says so, with the number of classes or without it."""
    ones = split(4, labels=np.arange(1, 5))
    with pytest.raises(DataError, match="got 1 to 4: class 0 is empty: subtract 1") as raised:
        Dataset("d", ones, ones, ones, source="s")
    one_line(raised)
    with pytest.raises(DataError, match="to 3, got 4: class 0 is empty: subtract 1 from all"):
        Dataset("d", ones, ones, ones, source="s", classes=4)
    assert Dataset("d", ones, ones, ones, source="s", classes=5).classes == 5


def test_more_classes_than_the_data_set_has_are_counted() -> None:
    """47 classes under the name of a data set of 10, as EMNIST under MNIST's."""
    many = split(47)
    with pytest.raises(DataError, match="to 9, got 46: these images have 47 classes: pass a D"):
        Dataset("mnist", many, many, many, source="emnist.npz", classes=10)


def test_fingerprint_tells_every_byte() -> None:
    """Equal data have equal fingerprints; a pixel, label, shape or split changed changes it."""
    a, b = split(4), split(3)

    def mark(*parts: Split, name: str = "d") -> str:
        return Dataset(name, *parts, source=name, classes=10).fingerprint

    other = split(4, images=a.images * np.float32(0.999))
    flipped = split(4, labels=a.labels[::-1])
    flat = [Split(s.images.reshape(-1, 14, 56, 1), s.labels) for s in (a, b, b)]
    marks = [mark(a, b, b), mark(other, b, b), mark(flipped, b, b), mark(*flat), mark(b, a, b)]
    assert len(set(marks)) == len(marks)
    assert all(len(m) == 64 and set(m) <= set("0123456789abcdef") for m in marks)
    assert mark(split(4), split(3), split(3), name="renamed") == marks[0]


def test_import_is_light() -> None:
    """Importing growsearch.datasets loads none of the heavy modules it may need later."""
    code = "import sys, growsearch.datasets; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(run.stdout.split())
    assert "growsearch.datasets" in loaded
    assert not loaded & {"tensorflow", "optuna", "sklearn", "scipy", "pooch", "requests", "tqdm"}
    ours = {name for name in loaded if name.startswith("growsearch.")}
    light = ("growsearch.datasets", "growsearch.errors", "growsearch.checks", "growsearch.machine")
    assert all(name.startswith(light) for name in ours)


def test_class_names_follow_the_labels() -> None:
    """One text a class, no two alike; the number of classes follows from them."""
    three = split(3)
    names = np.array(["cat", "dog", "emu"])
    data = Dataset("own", three, three, three, source="s", class_names=names)  # type: ignore[arg-type]
    assert data.class_names == ("cat", "dog", "emu")
    assert all(type(name) is str for name in data.class_names)
    assert data.classes == 3
    assert Dataset("own", three, three, three, source="s").class_names is None
    for bad, words in {
        ("cat", "dog"): "expected 2 class names|expected labels from 0 to 1, got 2",
        ("cat", "cat", "emu"): "expected each class name once, got 'cat' twice",
        ("cat", "", "emu"): "expected class names as texts, got ''",
        ("cat", "d\no", "emu"): "that can be printed",
        ("cat", "d" * 256, "emu"): "at most 255 characters",
        "cat": "got 2|from 0 to 0",
    }.items():
        with pytest.raises(DataError, match=words) as raised:
            Dataset("own", three, three, three, source="s", class_names=bad)  # type: ignore[arg-type]
        one_line(raised)
    with pytest.raises(DataError, match="expected 3 class names, one a class, got 4"):
        Dataset("own", three, three, three, source="s", classes=3, class_names=tuple("abcd"))
