"""An npz is data: its own validation images, no code, no claim beyond its bytes."""

import io
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from growsearch.datasets import load
from growsearch.errors import DataError
from tests.messages import one_line
from tests.mnist_files import small_mnist
from tests.strategies import mutated, quick

pytestmark = pytest.mark.usefixtures("own_cache")


class Trap:
    """Pickled, it would leave a file behind when it is opened."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return os.mkdir, (str(self.path),)


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


def _named(path: Path, names: Any, shape: tuple[int, ...] = (28, 28)) -> Path:
    x, y = np.zeros((24, *shape), np.uint8), np.arange(24) % 2
    np.savez(path, x_train=x, y_train=y, x_test=x[:6], y_test=y[:6], class_names=names)
    return path


@pytest.mark.parametrize("shape", [(28, 28), (6, 5, 3)])
def test_npz_may_name_its_classes(tmp_path: Path, shape: tuple[int, ...]) -> None:
    """As text or bytes; images in the shape of published ones are their own data set then."""
    for names in (["ill", "well"], [b"ill", b"well"], ["krank", "gesund ✓"]):
        data = load("mnist", _named(tmp_path / "lungs.npz", np.array(names), shape))
        assert (data.name, data.classes) == ("lungs", 2)
        wanted = tuple(each.decode() if isinstance(each, bytes) else each for each in names)
        assert data.class_names == wanted


@pytest.mark.parametrize("names", ["ill,well", [["ill", "well"]], [1, 2], [b"\xff", b"a"]])
def test_npz_whose_names_are_no_list_of_text_is_one_line(tmp_path: Path, names: Any) -> None:
    """It says what was expected."""
    for shape in ((28, 28), (6, 5, 3)):
        with pytest.raises(DataError, match="class_names expected one axis of text") as raised:
            load("mnist", _named(tmp_path / "lungs.npz", np.array(names), shape))
        one_line(raised)


def test_npz_that_is_too_large_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """To write it again would not help."""
    monkeypatch.setattr("growsearch.datasets.npz.MOST_BYTES", 10_000)
    with pytest.raises(
        DataError, match=r"x_train.npy expected at most 10,000 bytes, got"
    ) as raised:
        load("mnist", _named(tmp_path / "lungs.npz", np.array(["ill", "well"])))
    assert "name a folder" in one_line(raised)


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


@pytest.mark.parametrize("part", ["val", "valid", "dev", "validation"])
def test_a_split_may_have_its_other_names(tmp_path: Path, part: str) -> None:
    """As folders and tables have them; each split once."""
    x, y, x_test, y_test = small_mnist()
    arrays = {"x_train": x, "y_train": y, "x_testing": x_test, "y_testing": y_test}
    arrays |= {f"x_{part}": x[:7], f"y_{part}": y[:7]}
    np.savez(tmp_path / "v.npz", **arrays)
    data = load("mnist", tmp_path / "v.npz")
    assert [len(data.train), len(data.validation), len(data.test)] == [60, 7, 12]
    np.savez(tmp_path / "twice.npz", **arrays, val_images=x[:7])
    with pytest.raises(DataError, match="expected the arrays of each split once"):
        load("mnist", tmp_path / "twice.npz")
