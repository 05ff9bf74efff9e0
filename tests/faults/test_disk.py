"""A full disk, a real one that is small: under the weights, the database, the images."""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import growsearch as gs
from growsearch.datasets.stored import StoredImages
from growsearch.study.result import SearchResult
from tests.fake_trainer import images
from tests.faults.conftest import search
from tests.faults.law import lost_since, stored
from tests.faults.processes import Ended, Runs
from tests.faults.trainers import FaultyTrainer

full = pytest.mark.faults_full

Begin = Callable[..., Runs]
Check = Callable[..., None]
Mount = Callable[[Path, int], None]
Reference = Callable[..., SearchResult]


def fill(folder: Path) -> Path:
    """Take all room that is left; return the file that takes it."""
    ballast = folder / "ballast"
    size = os.statvfs(folder)
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(4096)):
            pass
    assert os.statvfs(folder).f_bavail == 0 < size.f_bavail
    return ballast


def is_one_line_with_path_and_room(ended: Ended, path: Path) -> bool:
    """True if a driver ended with status 2, and named the path that has no room, and the room."""
    assert ended.status == 2, ended.err
    assert ended.err.count("\n") == 1, ended.err
    assert str(path) in ended.err
    return bool(re.search(r"\(\d+ MB free\)", ended.err)) and "make room" in ended.err


@pytest.mark.parametrize("pending", [3, pytest.param(1, marks=full)])
def test_a_full_disk_under_the_weights(
    begin: Begin,
    check: Check,
    reference: Reference,
    small_disk: Mount,
    tmp_path: Path,
    pending: int,
) -> None:
    """A worker cannot store what it trained: pending trials stay pending, and are sent again."""
    weights, url = tmp_path / "run" / "weights", f"sqlite:///{tmp_path / 'run' / 'study.db'}"
    small_disk(weights, 2_000_000)
    runs = begin(trainer=FaultyTrainer(seconds=3.0, only=True, index=1), pending_trials=pending)
    driver = runs.start()
    driver.until(what="trial 1", step=0)
    ballast = fill(weights)
    assert is_one_line_with_path_and_room(driver.wait(), weights)
    assert driver.nothing_left(2.0)
    before = stored(url)
    ballast.unlink()
    result = search(tmp_path / "run", trainer=FaultyTrainer(), pending_trials=pending)
    lost = lost_since(before, stored(url))
    check("disk full, weights", result, reference(pending), besides=lost)
    # Unmounting takes them away.
    shutil.copytree(weights, tmp_path / "weights")


@pytest.mark.parametrize("pending", [3, pytest.param(1, marks=full)])
def test_a_full_disk_under_the_database(
    begin: Begin,
    check: Check,
    reference: Reference,
    small_disk: Mount,
    tmp_path: Path,
    pending: int,
) -> None:
    """SQLite writes a trial wholly or not at all; nothing that was told is touched."""
    disk = tmp_path / "disk"
    small_disk(disk, 2_000_000)
    url = f"sqlite:///{disk / 'study.db'}"
    runs = begin(
        trainer=FaultyTrainer(seconds=3.0, only=True, index=1), pending_trials=pending, storage=url
    )
    driver = runs.start()
    driver.until(what="trial 1", step=0)
    ballast = fill(disk)
    assert is_one_line_with_path_and_room(driver.wait(), disk)
    assert driver.nothing_left(2.0)
    again = runs.start().wait()
    assert is_one_line_with_path_and_room(again, disk)
    ballast.unlink()
    before = stored(url)
    result = search(tmp_path / "run", storage=url, trainer=FaultyTrainer(), pending_trials=pending)
    lost = lost_since(before, stored(url))
    check("disk full, database", result, reference(pending), besides=lost)


def test_a_full_disk_under_the_images(
    begin: Begin, check: Check, reference: Reference, small_disk: Mount, tmp_path: Path
) -> None:
    """A session that cannot store them for its workers ends before its first job."""
    data = tmp_path / "run" / "data"
    small_disk(data, 40_000)
    ballast = fill(data)
    runs = begin()
    ended = runs.start().wait()
    assert is_one_line_with_path_and_room(ended, data)
    assert [path.name for path in data.iterdir()] == ["ballast"]
    ballast.unlink()
    runs.finish()
    check("disk full, images", gs.load_result(tmp_path / "run"), reference())


def test_a_disk_without_room_for_a_run_at_all(
    begin: Begin, check: Check, reference: Reference, small_disk: Mount, tmp_path: Path
) -> None:
    """A run folder on a full disk: one line, and a run once there is room."""
    out = tmp_path / "run"
    small_disk(out, 3_000_000)
    ballast = fill(out)
    runs = begin()
    assert is_one_line_with_path_and_room(runs.start().wait(), out)
    ballast.unlink()
    runs.finish()
    check("disk full, from the beginning", gs.load_result(out), reference())


def test_images_beyond_the_room_that_is_left(small_disk: Mount, tmp_path: Path) -> None:
    """A disk that is full after the first part of an array is known as such, not by its number."""
    small_disk(tmp_path / "disk", 200_000)
    dataset = images()
    large = replace(dataset.train, images=np.zeros((60, 40, 40, 1), np.float32))
    with pytest.raises(OSError, match="No space left") as caught:
        StoredImages.write(tmp_path / "disk" / "data", {"train": large})
    assert (caught.value.errno, caught.value.filename) == (
        errno.ENOSPC,
        str(tmp_path / "disk" / "data"),
    )
    assert not [*(tmp_path / "disk").iterdir()]
