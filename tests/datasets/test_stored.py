"""Images in a folder, memory-mapped: what was written, in place, whole or not there."""

from __future__ import annotations

import pickle
import subprocess
import sys
import textwrap
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from growsearch.datasets import Split, StoredImages
from growsearch.errors import DataError
from growsearch.upkeep.files import image_files
from tests.command_line import ROOT
from tests.messages import one_line
from tests.strategies import mutated, quick


def split(count: int, seed: int = 0) -> Split:
    rng = np.random.default_rng(seed)
    return Split(rng.random((count, 4, 5, 3), np.float32), np.arange(count) % 3)


PARTS = {"train": split(40), "selection": split(7, 1), "test": split(5, 2)}


@pytest.fixture
def stored(tmp_path: Path) -> StoredImages:
    return StoredImages.write(tmp_path / "data" / "f", PARTS)


def test_what_is_read_is_what_was_written(stored: StoredImages) -> None:
    """Each split by its part; a part that was not written is none."""
    assert set(stored) == set(PARTS)
    assert len(stored) == len(PARTS)
    for part, expected in PARTS.items():
        np.testing.assert_array_equal(stored[part].images, expected.images)
        np.testing.assert_array_equal(stored[part].labels, expected.labels)
        assert stored[part].images.dtype == np.float32
        assert stored[part].labels.dtype == np.int64
        assert stored[part] is stored[part]
    assert "held_out" not in stored
    with pytest.raises(KeyError, match="held_out"):
        stored["held_out"]


def test_images_are_read_in_place(stored: StoredImages) -> None:
    """Memory-mapped, read-only, and aligned as TensorFlow asks for: no copy is made."""
    for part in PARTS:
        for array in (stored[part].images, stored[part].labels):
            mapped = array
            while mapped.base is not None and not isinstance(mapped, np.memmap):
                mapped = mapped.base
            assert isinstance(mapped, np.memmap)
            assert np.shares_memory(array, mapped)
            assert not array.flags.writeable
            assert array.ctypes.data % 64 == 0
            with pytest.raises(ValueError, match="read-only"):
                array[0] = 0


def test_a_pickled_value_is_its_folder(
    stored: StoredImages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many images it has, and wherever the worker is started."""
    _ = stored["train"]
    monkeypatch.chdir(tmp_path)
    relative = StoredImages(Path("data/f"))
    sent = [pickle.dumps(each) for each in (stored, relative)]
    monkeypatch.chdir("/")
    for data in sent:
        assert len(data) < 400
        np.testing.assert_array_equal(pickle.loads(data)["test"].images, PARTS["test"].images)


def test_what_is_there_is_not_written_again(stored: StoredImages, tmp_path: Path) -> None:
    """The folder is named by the fingerprint of the images; a second session finds it."""
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "data/f").iterdir()}
    StoredImages.write(tmp_path / "data/f", PARTS)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "data/f").iterdir()} == before
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["f"]
    assert set(stored) == set(PARTS)


@pytest.mark.parametrize("files", [1, 5])
def test_a_kill_leaves_no_half_folder(tmp_path: Path, files: int) -> None:
    """Killed after any of its files, the next session writes the whole."""
    code = f"""
        import os, signal, sys
        from pathlib import Path
        from growsearch.datasets import StoredImages, stored
        from tests.datasets.test_stored import PARTS

        write, left = stored._write, [{files}]

        def dies(path, array):
            write(path, array)
            left[0] -= 1
            if not left[0]:
                os.kill(os.getpid(), signal.SIGKILL)

        stored._write = dies
        StoredImages.write(Path(sys.argv[1]), PARTS)
    """
    folder = tmp_path / "data" / "f"
    command = [sys.executable, "-c", textwrap.dedent(code), str(folder)]
    done = subprocess.run(command, check=False, cwd=ROOT, capture_output=True)
    assert done.returncode == -9, done.stderr
    assert not folder.exists()
    found = StoredImages.write(folder, PARTS)
    np.testing.assert_array_equal(found["test"].labels, PARTS["test"].labels)


def test_an_error_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As when the disk is full."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("growsearch.datasets.stored._write", full)
    with pytest.raises(OSError, match="No space left"):
        StoredImages.write(tmp_path / "data" / "f", PARTS)
    assert not any((tmp_path / "data").iterdir())


# --- damage ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["train.x.npy", "train.y.npy"])
@pytest.mark.parametrize("kept", [0, 1, 100, 150])
def test_a_file_that_is_cut_short_is_one_line(
    stored: StoredImages, tmp_path: Path, name: str, kept: int
) -> None:
    """It says what to do; also for an empty file, as a power failure may leave it."""
    path = tmp_path / "data/f" / name
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(DataError, match="delete the folder, and the run writes it again") as caught:
        stored["train"]
    assert str(tmp_path) in one_line(caught)
    assert len(stored["test"]) == 5


@pytest.mark.parametrize("missing", [["train.x.npy"], ["train.y.npy"], None])
def test_a_file_that_is_missing_is_one_line(
    stored: StoredImages, tmp_path: Path, missing: list[str] | None
) -> None:
    """It is damage, and no part that the run does not have."""
    folder = tmp_path / "data/f"
    for path in [folder / name for name in missing or ()] or folder.iterdir():
        path.unlink()
    if missing is None:
        folder.rmdir()
    with pytest.raises(DataError, match="delete the folder") as caught:
        stored["train"]
    one_line(caught)


@quick
@given(data=st.data())
def test_damage_is_a_data_error_or_other_pixels(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """No other error, whatever the bytes are."""
    folder = tmp_path_factory.mktemp("damaged") / "f"
    StoredImages.write(folder, {"test": PARTS["test"]})
    for suffix in ("x", "y"):
        path = folder / f"test.{suffix}.npy"
        path.write_bytes(data.draw(st.just(path.read_bytes()) | mutated(path.read_bytes())))
    with suppress(DataError):
        _ = StoredImages(folder)["test"].images.sum()


def test_what_is_written_can_be_freed(tmp_path: Path) -> None:
    """Every file of a stored data set is found, names of classes too: its folder can go."""
    named = {part: split.named(("a", "b", "c")) for part, split in PARTS.items()}
    folder = tmp_path / "data" / ("0" * 64)
    stored = StoredImages.write(folder, named)
    assert stored["train"].class_names == ("a", "b", "c")
    assert set(image_files(tmp_path)) == set(folder.iterdir())
