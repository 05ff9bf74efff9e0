"""Folders of one name whose studies lie in one storage: each is its own run."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest

import growsearch as gs
from growsearch.errors import RunError
from growsearch.study.result import SearchResult
from growsearch.study.run_id import FILE
from tests.fake_trainer import FakeTrainer, images, outcome, space

pytestmark = pytest.mark.usefixtures("quick_sqlite")


def search(out: Path, storage: str, trials: int = 2) -> SearchResult:
    options = {"data": images(), "trainer": FakeTrainer(), "seed": 0}
    return gs.search(space(), trials=trials, out=out, storage=storage, **options)


@pytest.fixture
def storage(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'all.db'}"


def test_two_folders_of_one_name_are_two_runs(tmp_path: Path, storage: str) -> None:
    """The second is refused before it touches anything, and the first goes on."""
    first = search(tmp_path / "a" / "mn", storage)
    for call in (
        lambda: search(tmp_path / "b" / "mn", storage),
        lambda: gs.load_result(tmp_path / "b" / "mn", storage=storage),
    ):
        with pytest.raises(RunError, match="another run named mn is in this storage") as caught:
            call()
        assert "\n" not in str(caught.value)
    assert outcome(search(tmp_path / "a" / "mn", storage)) == outcome(first)
    assert len(gs.load_result(tmp_path / "a" / "mn", storage=storage).trials) == 2


def test_folders_of_two_names_share_a_storage(tmp_path: Path, storage: str) -> None:
    """As ever."""
    assert outcome(search(tmp_path / "a", storage)) == outcome(search(tmp_path / "b", storage))


def test_a_moved_folder_stays_its_run(tmp_path: Path, storage: str) -> None:
    """Its name finds the study, and its identity comes along."""
    first = search(tmp_path / "a" / "mn", storage)
    shutil.move(tmp_path / "a", tmp_path / "b")
    assert len(search(tmp_path / "b" / "mn", storage, trials=3).trials) == 3
    assert len(first.trials) == 2


def _forget(tmp_path: Path, folder: Path) -> None:
    connection = sqlite3.connect(tmp_path / "all.db")
    with connection:
        connection.execute("DELETE FROM study_user_attributes WHERE key = ?", (FILE,))
    connection.close()
    (folder / FILE).unlink()


def test_a_run_from_before_identities_goes_on(tmp_path: Path, storage: str) -> None:
    """It is given one; a folder of its name that has no weights is still another."""
    folder = tmp_path / "a" / "mn"
    first = search(folder, storage)
    _forget(tmp_path, folder)
    with pytest.raises(RunError, match="another run named mn"):
        search(tmp_path / "b" / "mn", storage)
    assert outcome(gs.load_result(folder, storage=storage)) == outcome(first)
    assert not (folder / FILE).exists()
    assert outcome(search(folder, storage)) == outcome(first)
    assert (folder / FILE).read_text() == first.study.user_attrs[FILE]


def test_whoever_was_killed_while_claiming_claims_again(tmp_path: Path, storage: str) -> None:
    """The folder is marked first, its study then."""
    folder = tmp_path / "mn"
    search(folder, storage, trials=0)
    identity = (folder / FILE).read_text()
    _forget(tmp_path, folder)
    (folder / FILE).write_text(identity)
    assert search(folder, storage).study.user_attrs[FILE] == identity


def test_a_damaged_identity_is_refused(tmp_path: Path, storage: str) -> None:
    """Whatever bytes it has."""
    folder = tmp_path / "mn"
    search(folder, storage, trials=0)
    for damage in (b"", b"\xff" * 1000, b"../../etc/passwd\n"):
        (folder / FILE).write_bytes(damage)
        with pytest.raises(RunError, match="another run named mn"):
            search(folder, storage)


def test_a_run_with_a_database_of_its_own_needs_no_identity(tmp_path: Path) -> None:
    """Study and folder cannot be parted."""
    gs.search(space(), trials=0, out=tmp_path, data=images(), trainer=FakeTrainer())
    assert not (tmp_path / FILE).exists()
