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
