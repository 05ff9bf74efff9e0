"""Laws of growsearch.datasets: images and labels arrive whole, in range, or not at all."""

import gzip
import hashlib
import http.server
import io
import os
import pickle
import struct
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from growsearch.datasets import LOADERS, Dataset, Split, load, mnist
from growsearch.datasets.idx import read_idx
from growsearch.errors import DataError, DataNotFoundError

IDX_CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}
PARTS = {
    "train-images-idx3-ubyte": 0,
    "train-labels-idx1-ubyte": 1,
    "t10k-images-idx3-ubyte": 2,
    "t10k-labels-idx1-ubyte": 3,
}
# SHA-256 of MNIST's files before compression, which does not depend on who compressed them.
MNIST_BYTES = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}

quick = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def idx_bytes(array: np.ndarray) -> bytes:
    kind = array.dtype.str[1:]
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, IDX_CODES[kind], array.ndim, *array.shape)
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


def small_mnist(n: int = 60, n_test: int = 12) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(7)
    images = rng.integers(0, 256, (n + n_test, 28, 28), np.uint8)
    labels = (np.arange(n + n_test) % 10).astype(np.uint8)
    return images[:n], labels[:n], images[n:], labels[n:]


def pairs(arrays: tuple[np.ndarray, ...]) -> Any:
    return (arrays[0], arrays[1]), (arrays[2], arrays[3])


def write_folder(folder: Path, arrays: tuple[np.ndarray, ...], name: str = "{}") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for part, index in PARTS.items():
        data = idx_bytes(arrays[index])
        path = folder / name.format(part)
        path.write_bytes(gzip.compress(data, 1) if path.suffix == ".gz" else data)
    return folder


def split(n: int = 4, **changes: Any) -> Split:
    values = {"images": np.full((n, 28, 28, 1), 0.5, np.float32), "labels": np.arange(n)}
    return Split(**(values | changes))


def one_line(raised: pytest.ExceptionInfo[BaseException]) -> str:
    text = str(raised.value)
    assert text
    assert "\n" not in text
    return text


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No test sees the user's data, cache or proxy, or reaches out of this machine."""
    monkeypatch.delenv("GROWSEARCH_DATA", raising=False)
    monkeypatch.delenv("GROWSEARCH_OFFLINE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(mnist, "MIRRORS", ())
    monkeypatch.setattr(mnist, "cache_folder", lambda: tmp_path / "cache" / "mnist")


@pytest.fixture(scope="session")
def real(mnist_folder: Path) -> Dataset:
    return load("mnist", mnist_folder)


# --- values ---------------------------------------------------------------------------------


def test_split_is_read_only_and_its_own() -> None:
    """Nobody changes a split: its arrays refuse writes, and the caller's array is not in it."""
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


def pixel(value: float, dtype: Any = np.float32) -> np.ndarray:
    images = np.full((4, 28, 28, 1), 0.5, dtype)
    images[2, 3, 4, 0] = value
    return images


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"images": np.zeros((4, 28, 28), np.float32)}, "(n, height, width, channels)"),
        ({"images": np.zeros((4, 784), np.float32)}, "(4, 784)"),
        ({"images": np.zeros((0, 28, 28, 1), np.float32), "labels": np.arange(0)}, "empty"),
        ({"images": np.zeros((4, 0, 28, 1), np.float32)}, "at least one image"),
        ({"images": np.zeros((3, 28, 28, 1), np.float32)}, "3 images and 4 labels"),
        ({"images": np.zeros((4, 28, 28, 1), np.int32)}, "int32"),
        ({"images": np.zeros((4, 28, 28, 1), np.complex64)}, "complex64"),
        ({"images": np.full((4, 28, 28, 1), "a")}, "uint8"),
        ({"images": [[1], [2, 3]]}, "ragged"),
        ({"images": pixel(np.nan)}, "NaN"),
        ({"images": pixel(np.inf)}, "infinity"),
        ({"images": pixel(-np.inf)}, "infinity"),
        ({"images": pixel(255.0)}, "from 0 to 1, got 0.5 to 255"),
        ({"images": pixel(-0.1)}, "got -0.1 to 0.5"),
        ({"labels": np.arange(4.0)}, "integer labels, got float64"),
        ({"labels": np.array([True, False, True, False])}, "bool"),
        ({"labels": np.array(["a", "b", "c", "d"])}, "integer"),
        ({"labels": np.eye(4, dtype=np.int64)}, "one-hot"),
        ({"labels": np.array([0, 1, -1, 2])}, "got -1 to 2"),
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
    with pytest.raises(DataError, match="from 0 to 2, got 3"):
        Dataset("d", split(3), split(4), split(2), source="s")


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


# --- IDX ------------------------------------------------------------------------------------


@given(
    st.sampled_from(sorted(IDX_CODES)).flatmap(
        lambda kind: hnp.arrays(np.dtype(kind), hnp.array_shapes(max_dims=4, min_side=0))
    ),
    st.booleans(),
)
@quick
def test_idx_round_trip(tmp_path: Path, array: np.ndarray, zipped: bool) -> None:
    """What is written as IDX, gzipped or not, is read back with shape, type and every bit."""
    data = idx_bytes(array)
    path = tmp_path / "file"
    path.write_bytes(gzip.compress(data, 1) if zipped else data)
    read = read_idx(path)
    assert read.dtype == array.dtype
    assert read.shape == array.shape
    assert read.tobytes() == array.tobytes()


@st.composite
def mutated(draw: st.DrawFn, data: bytes) -> bytes:
    """Bytes cut short, extended, or with some of them overwritten."""
    kind = draw(st.sampled_from(["cut", "extend", "overwrite", "replace"]))
    if kind == "cut":
        return data[: draw(st.integers(0, len(data) - 1))]
    if kind == "extend":
        return data + draw(st.binary(min_size=1, max_size=40))
    if kind == "replace":
        return draw(st.binary(max_size=64))
    changed = bytearray(data)
    for _ in range(draw(st.integers(1, 4))):
        changed[draw(st.integers(0, len(changed) - 1))] = draw(st.integers(0, 255))
    return bytes(changed)


IDX_SAMPLE = idx_bytes(np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4))


@given(st.data(), st.booleans())
@settings(quick, max_examples=1000)
def test_mutated_idx_is_read_or_refused(tmp_path: Path, data: st.DataObject, zipped: bool) -> None:
    """A mutated IDX file gives an array that fills its header's shape, or a one-line DataError."""
    good = gzip.compress(IDX_SAMPLE, mtime=0) if zipped else IDX_SAMPLE
    path = tmp_path / "mutated"
    path.write_bytes(data.draw(mutated(good)))
    refusal = str(path)
    try:
        assert read_idx(path).size <= 24
    except DataError as error:
        refusal = str(error)
    assert "\n" not in refusal
    assert str(path) in refusal


@pytest.mark.parametrize("zipped", [True, False])
def test_idx_cut_anywhere_is_refused(tmp_path: Path, zipped: bool) -> None:
    """An IDX file cut short at any byte is a DataError that names the file."""
    good = gzip.compress(IDX_SAMPLE) if zipped else IDX_SAMPLE
    path = tmp_path / "cut"
    for length in range(len(good)):
        path.write_bytes(good[:length])
        with pytest.raises(DataError) as raised:
            read_idx(path)
        assert str(path) in one_line(raised)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty file"),
        (b"\1\0\x08\1\0\0\0\0", "00 00, type, axes"),
        (b"\0\0\x0a\1\0\0\0\0", "00 00, type, axes"),
        (b"\0\0\x08\0", "1 to 4 axes, got 0"),
        (b"\0\0\x08\5" + b"\0\0\0\1" * 5 + b"x", "1 to 4 axes, got 5"),
        (b"\0\0\x08\2\0\0\0\1", "2 axis lengths"),
        (b"\0\0\x08\4" + b"\xff" * 16, "at most"),
        (b"\0\0\x08\1\0\0\0\2a", "expected 2 bytes of data for shape (2,), got only 1"),
        (b"\0\0\x08\1\0\0\0\2abc", "got more"),
        (gzip.compress(b"\0\0\x08\1\0\0\0\2ab", mtime=0)[:-3], "cannot be read"),
        (gzip.compress(b"\0\0\x08\1\0\0\0\2ab", mtime=0)[:-8] + b"\0" * 8, "CRC"),
        (b"\x1f\x8bnonsense", "cannot be read"),
    ],
    ids=lambda value: value if isinstance(value, str) else f"{len(value)} bytes",
)
def test_bad_idx_is_named(tmp_path: Path, content: bytes, words: str) -> None:
    """Each fault of an IDX file has its own words, in one line with the file's name."""
    path = tmp_path / "bad"
    path.write_bytes(content)
    with pytest.raises(DataError) as raised:
        read_idx(path)
    assert words in one_line(raised)
    assert str(path) in one_line(raised)


def test_idx_bomb_is_not_unpacked(tmp_path: Path) -> None:
    """A gzip that expands far past its header's shape is refused after one byte too many."""
    path = tmp_path / "bomb.gz"
    bomb = io.BytesIO()
    with gzip.GzipFile(fileobj=bomb, mode="wb", compresslevel=1) as stream:
        stream.write(b"\0\0\x08\1\0\0\0\2")
        for _ in range(256):
            stream.write(b"\0" * (1 << 20))
    path.write_bytes(bomb.getvalue())
    code = f"""
import resource
from pathlib import Path
from growsearch.datasets.idx import read_idx
from growsearch.errors import DataError
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    read_idx(Path({str(path)!r}))
except DataError as error:
    assert "got more" in str(error)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(run.stdout) < 20_000  # KiB; the bomb holds 262,144


def test_idx_that_is_not_a_file_is_refused(tmp_path: Path) -> None:
    """A missing file, a folder and a pipe are DataNotFoundErrors; a pipe is not waited for."""
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "none", tmp_path, tmp_path / "pipe"):
        with pytest.raises(DataNotFoundError) as raised:
            read_idx(path)
        assert str(path) in one_line(raised)


# --- forms of data --------------------------------------------------------------------------


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


def test_npz_may_bring_its_validation(tmp_path: Path) -> None:
    """An npz with x_validation and y_validation keeps all its training images for training."""
    x, y, x_test, y_test = small_mnist()
    arrays = {"x_train": x, "y_train": y, "x_test": x_test, "y_test": y_test}
    np.savez(tmp_path / "v.npz", **arrays, x_validation=x[:7], y_validation=y[:7], extra=y)
    data = load("mnist", tmp_path / "v.npz")
    assert [len(data.train), len(data.validation), len(data.test)] == [60, 7, 12]
    np.savez(tmp_path / "half.npz", **arrays, x_validation=x[:7])
    with pytest.raises(DataError, match=r"half\.npz: y_validation missing: expected the arrays"):
        load("mnist", tmp_path / "half.npz")


@pytest.mark.parametrize("name", ["mnist", "digits"])
def test_no_path_is_not_the_working_directory(name: str) -> None:
    """An empty text, as an unset variable of a shell leaves it."""
    with pytest.raises(DataError, match="data: expected a path, got ''"):
        load(name, "")


class Trap:
    """Pickled, it would leave a file behind when it is opened."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return os.mkdir, (str(self.path),)


def test_npz_never_runs_code(tmp_path: Path) -> None:
    """A pickled object in an npz is refused and not opened, whichever array it hides in."""
    x, y, x_test, y_test = small_mnist()
    for name in ("x_train", "y_test", "x_validation"):
        arrays = {"x_train": x, "y_train": y, "x_test": x_test, "y_test": y_test}
        arrays |= {"x_validation": x, "y_validation": y}
        arrays[name] = np.array([Trap(tmp_path / "sprung")], object)
        np.savez(tmp_path / "trap.npz", **arrays)
        with pytest.raises(DataError, match=f"{name}.npy expected plain numbers") as raised:
            load("mnist", tmp_path / "trap.npz")
        one_line(raised)
        assert not (tmp_path / "sprung").exists()


def test_npz_never_runs_code_of_the_right_length(tmp_path: Path) -> None:
    """A pickle padded to the very length that its header claims is refused just the same."""
    _, y, x_test, y_test = small_mnist()
    np.savez(tmp_path / "trap.npz", y_train=y, x_test=x_test, y_test=y_test)
    code = pickle.dumps(Trap(tmp_path / "sprung"))
    code += b"\0" * (-len(code) % 8)
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "|O", "fortran_order": False, "shape": (len(code) // 8,)}
    )
    with zipfile.ZipFile(tmp_path / "trap.npz", "a") as archive:
        archive.writestr("x_train.npy", header.getvalue() + code)
    with pytest.raises(DataError, match=r"x_train.npy expected plain numbers") as raised:
        load("mnist", tmp_path / "trap.npz")
    one_line(raised)
    assert not (tmp_path / "sprung").exists()


def test_npz_that_claims_too_much_is_refused(tmp_path: Path) -> None:
    """An npz header that claims more numbers than the member holds is refused unallocated."""
    x, y, x_test, y_test = small_mnist()
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "|u1", "fortran_order": False, "shape": (1 << 40, 28, 28)}
    )
    np.savez(tmp_path / "claim.npz", y_train=y, x_test=x_test, y_test=y_test)
    with zipfile.ZipFile(tmp_path / "claim.npz", "a") as archive:
        archive.writestr("x_train.npy", header.getvalue() + x.tobytes())
    with pytest.raises(DataError, match="fill the file exactly") as raised:
        load("mnist", tmp_path / "claim.npz")
    one_line(raised)


@given(st.data())
@settings(quick, max_examples=400)
def test_mutated_npz_is_read_or_refused(tmp_path: Path, data: st.DataObject) -> None:
    """A mutated npz gives a data set or a DataError of one line, never another exception."""
    buffer = io.BytesIO()
    x = np.zeros((2, 28, 28), np.uint8)
    np.savez_compressed(buffer, x_train=x, y_train=[0, 1], x_test=x, y_test=[0, 1])
    path = tmp_path / "mutated.npz"
    path.write_bytes(data.draw(mutated(buffer.getvalue())))
    refusal = ""
    try:
        load("mnist", path)
    except DataError as error:
        refusal = str(error)
    assert "\n" not in refusal


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


def replaced(index: int, array: Any) -> Any:
    arrays: list[Any] = list(small_mnist())
    arrays[index] = array
    return pairs(tuple(arrays))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (42, "a folder with the four IDX files"),
        ((np.zeros(3),), "a folder with the four IDX files"),
        (replaced(0, np.zeros((60, 27, 28), np.uint8)), "train: expected mnist images of shape"),
        (replaced(2, np.zeros((12, 28, 28, 3), np.uint8)), "test: expected mnist images of shape"),
        (replaced(0, np.zeros((60, 784), np.uint8)), "(60, 784)"),
        (replaced(0, np.full((60, 28, 28), 255.0)), "from 0 to 1"),
        (replaced(0, np.full((60, 28, 28), np.nan)), "NaN"),
        (replaced(0, np.zeros((59, 28, 28), np.uint8)), "59 images and 60 labels"),
        (replaced(1, np.full(60, 10)), "labels from 0 to 9, got 10"),
        (replaced(3, np.full(12, 255)), "labels from 0 to 9, got 255"),
        (replaced(1, np.zeros((60, 10), np.int64)), "one-hot"),
        (replaced(1, np.zeros(60)), "integer"),
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
        ({"name": "cifar"}, "mnist, digits"),
        ({"name": "mnist", "stand_in": "noise"}, "stand-in out of digits"),
        ({"name": "mnist", "validation": 0}, "at least 1 validation image"),
        ({"name": "digits", "seed": -1}, "seed"),
        ({"name": "digits", "data": "somewhere"}, "takes no data"),
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


# --- where MNIST is looked for --------------------------------------------------------------


def test_environment_names_the_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """GROWSEARCH_DATA is used if no data are given, is an error if unusable, and yields to data."""
    folder = write_folder(tmp_path / "data", small_mnist())
    monkeypatch.setenv("GROWSEARCH_DATA", str(folder))
    assert load("mnist").source == str(folder)
    monkeypatch.setenv("GROWSEARCH_DATA", str(tmp_path / "nothing"))
    with pytest.raises(DataNotFoundError, match=r"^GROWSEARCH_DATA: ") as raised:
        load("mnist", stand_in="digits")
    one_line(raised)
    assert load("mnist", folder).source == str(folder)
    (folder / "train-images-idx3-ubyte").write_bytes(b"junk")
    monkeypatch.setenv("GROWSEARCH_DATA", str(folder))
    with pytest.raises(DataError, match=r"^GROWSEARCH_DATA: "):
        load("mnist", stand_in="digits")


class Mirror(http.server.ThreadingHTTPServer):
    """A web server on this machine that serves `files` and remembers what it was asked for."""

    daemon_threads = True

    def __init__(self, files: dict[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), MirrorHandler)
        self.files = files
        self.asked: list[str] = []
        self.drip_header = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/mnist/"


class MirrorHandler(http.server.BaseHTTPRequestHandler):
    server: Mirror

    def do_HEAD(self) -> None:
        self.send_response(200)
        if self.server.drip_header:
            self.flush_headers()
            for _ in range(100):  # each byte comes before any time limit of a socket
                self.wfile.write(b"X")
                time.sleep(0.05)
        self.end_headers()

    def do_GET(self) -> None:
        name = self.path.rpartition("/")[2]
        self.server.asked.append(name)
        body = self.server.files.get(name)
        if body is None:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """Small gzipped IDX files, whose hashes replace MNIST's."""
    arrays = small_mnist()
    files = {f"{p}.gz": gzip.compress(idx_bytes(arrays[i]), 1) for p, i in PARTS.items()}
    hashes = {name: hashlib.sha256(body).hexdigest() for name, body in files.items()}
    monkeypatch.setattr(mnist, "FILES", hashes)
    return files


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., list[Mirror]]]:
    """Start one mirror for each dictionary of files, in this order."""
    running: list[Mirror] = []

    def start_all(*each: dict[str, bytes]) -> list[Mirror]:
        for files in each:
            mirror = Mirror(files)
            threading.Thread(target=mirror.serve_forever, args=(0.05,), daemon=True).start()
            running.append(mirror)
        monkeypatch.setattr(mnist, "MIRRORS", tuple(mirror.url for mirror in running))
        return running

    yield start_all
    for mirror in running:
        mirror.shutdown()
        mirror.server_close()


def test_mnist_is_downloaded_once(served: dict[str, bytes], start: Any) -> None:
    """Each file is downloaded once; the next load takes it from the cache, even offline."""
    (mirror,) = start(served)
    data = load("mnist")
    assert data.fingerprint == load("mnist", pairs(small_mnist())).fingerprint
    assert data.source == str(mnist.cache_folder())
    assert sorted(mirror.asked) == sorted(served)
    assert {path.name for path in mnist.cache_folder().iterdir()} == set(served)
    assert load("mnist").fingerprint == data.fingerprint
    assert len(mirror.asked) == len(served)


def test_offline_uses_the_cache(
    served: dict[str, bytes], start: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GROWSEARCH_OFFLINE=1 asks no mirror: a full cache is used, an empty one is an error."""
    monkeypatch.setenv("GROWSEARCH_OFFLINE", "1")
    (mirror,) = start(served)
    with pytest.raises(DataNotFoundError, match="GROWSEARCH_OFFLINE") as raised:
        load("mnist")
    assert "--data PATH" in one_line(raised)
    assert mirror.asked == []
    monkeypatch.setenv("GROWSEARCH_OFFLINE", "0")
    load("mnist")
    monkeypatch.setenv("GROWSEARCH_OFFLINE", "1")
    assert load("mnist").source == str(mnist.cache_folder())


def test_damaged_cache_is_downloaded_again(served: dict[str, bytes], start: Any) -> None:
    """A cached file with one flipped bit is found by its hash and replaced, and only that one."""
    (mirror,) = start(served)
    before = load("mnist").fingerprint
    name = "train-images-idx3-ubyte.gz"
    damaged = bytearray(served[name])
    damaged[len(damaged) // 2] ^= 1
    (mnist.cache_folder() / name).write_bytes(damaged)
    mirror.asked.clear()
    assert load("mnist").fingerprint == before
    assert mirror.asked == [name]


def test_second_mirror_takes_over(served: dict[str, bytes], start: Any) -> None:
    """Files that the first mirror lacks (404) or serves with another hash come from the second."""
    name = "t10k-images-idx3-ubyte.gz"
    lacking = {key: body for key, body in served.items() if key != name}
    first, second = start(lacking, served)
    assert len(load("mnist").test) == 12
    assert name in first.asked
    assert name in second.asked
    (mnist.cache_folder() / name).unlink()
    first.files = served | {name: gzip.compress(b"an error page")}
    assert len(load("mnist").test) == 12


def test_wrong_bytes_are_never_used(served: dict[str, bytes], start: Any) -> None:
    """A mirror whose bytes have another hash is an error that says so, and leaves no file."""
    start({name: gzip.compress(body) for name, body in served.items()})
    with pytest.raises(DataNotFoundError, match="hash") as raised:
        load("mnist")
    assert "GROWSEARCH_DATA" in one_line(raised)
    assert list(mnist.cache_folder().iterdir()) == []


def test_stand_in_if_nobody_answers(start: Any, served: dict[str, bytes]) -> None:
    """With no mirror up, the stand-in says that it is one and why; without it, an error helps."""
    (mirror,) = start(served)
    mirror.shutdown()
    mirror.server_close()
    began = time.monotonic()
    data = load("mnist", stand_in="digits")
    assert time.monotonic() - began < 10
    assert data.stand_in
    assert data.name == "digits"
    assert "IN PLACE OF MNIST" in data.source
    assert "127.0.0.1" in data.source
    assert "\n" not in data.source
    assert data.fingerprint == load("digits").fingerprint
    with pytest.raises(DataNotFoundError, match="could not be downloaded") as raised:
        load("mnist")
    assert "--data PATH" in one_line(raised)


def test_slow_network_is_given_up(
    served: dict[str, bytes], start: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mirror that keeps its line alive without ever answering costs its time limit, no more."""
    for mirror in start(served, served):
        mirror.drip_header = True
    monkeypatch.setattr(mnist, "SECONDS_TO_REACH", 0.5)
    began = time.monotonic()
    with pytest.raises(DataNotFoundError, match=r"no answer.*no answer"):
        load("mnist")
    assert time.monotonic() - began < 4


def test_cache_that_cannot_be_written_is_explained(
    served: dict[str, bytes], start: Any, tmp_path: Path
) -> None:
    """A cache folder that cannot be made is a DataNotFoundError of one line, not a traceback."""
    start(served)
    (tmp_path / "cache").write_text("a file where the folder should be")
    with pytest.raises(DataNotFoundError) as raised:
        load("mnist")
    one_line(raised)


# --- digits and MNIST themselves ------------------------------------------------------------


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


# --- the folder -----------------------------------------------------------------------------


def test_import_is_light() -> None:
    """Importing growsearch.datasets loads none of the heavy modules it may need later."""
    code = "import sys, growsearch.datasets; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(run.stdout.split())
    assert "growsearch.datasets" in loaded
    assert not loaded & {"tensorflow", "optuna", "sklearn", "scipy", "pooch", "requests", "tqdm"}
    ours = {name for name in loaded if name.startswith("growsearch.")}
    assert all(name.startswith(("growsearch.datasets", "growsearch.errors")) for name in ours)
