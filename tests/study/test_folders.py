"""The folder of a run: none there, any name, foreign, read-only, full."""

from __future__ import annotations

import errno
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import growsearch as gs
from growsearch.cli import app as cli
from growsearch.errors import RunError
from growsearch.networks import Network
from growsearch.networks.store import NetworkStore
from growsearch.study.result import SearchResult
from tests.fake_trainer import outcome
from tests.messages import one_line
from tests.small_search import TRIALS, search

pytestmark = pytest.mark.usefixtures("quick_sqlite")


@pytest.mark.parametrize("content", [b"", b"no database at all" * 100])
def test_a_foreign_database_is_one_line(tmp_path: Path, content: bytes) -> None:
    """Nothing that lies there is overwritten."""
    (tmp_path / "study.db").write_bytes(content)
    with pytest.raises(RunError) as caught:
        gs.load_result(tmp_path)
    one_line(caught)
    if content:
        with pytest.raises(RunError) as caught:
            search(tmp_path)
        one_line(caught)
        assert (tmp_path / "study.db").read_bytes() == content


@pytest.mark.parametrize("content", [None, b""])
@pytest.mark.parametrize("storage", [True, False])
def test_a_database_that_is_not_there_is_not_made_by_looking(
    tmp_path: Path, content: bytes | None, storage: bool
) -> None:
    """Neither in the run folder nor where a URL leads."""
    path = tmp_path / "study.db"
    if content is not None:
        path.write_bytes(content)
    url = f"sqlite:///{path}" if storage else None
    with pytest.raises(RunError) as caught:
        gs.load_result(tmp_path, storage=url)
    assert (url or str(tmp_path)) in one_line(caught)
    assert "found none" in str(caught.value)
    assert (path.read_bytes() if path.exists() else None) == content


@pytest.mark.parametrize("folder", ["nowhere", "."])
def test_a_folder_without_a_run_is_one_line(tmp_path: Path, folder: str) -> None:
    """And reading it creates nothing."""
    with pytest.raises(RunError) as caught:
        gs.load_result(tmp_path / folder)
    assert "expected the folder of a run" in one_line(caught)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["what?", "a?b=c", "50% off", "50%20off", "a#b", "@:é+ ü"])
def test_a_folder_of_any_name_holds_its_whole_run(tmp_path: Path, name: str) -> None:
    """Letters that mean something in a URL lead no file out of the folder."""
    folder = tmp_path / name
    search(folder, trials=1)
    assert (folder / "study.db").stat().st_size > 0
    assert list(tmp_path.iterdir()) == [folder]
    assert len(gs.load_result(folder).trials) == 1


def test_a_file_in_the_place_of_the_folder_is_one_line(tmp_path: Path) -> None:
    """The message names it."""
    (tmp_path / "run").write_text("mine")
    with pytest.raises(RunError) as caught:
        search(tmp_path / "run")
    assert str(tmp_path / "run") in one_line(caught)


@contextmanager
def as_nobody(folder: Path) -> Iterator[None]:
    """Without the rights of root, to whom nothing is read-only."""
    modes = {path: path.stat().st_mode for path in [folder, *folder.rglob("*")]}
    for path in modes:
        path.chmod(0o555 if path.is_dir() else 0o444)
    before = os.geteuid()
    try:
        if before == 0:
            os.seteuid(65534)
        yield
    finally:
        os.seteuid(before)
        for path, mode in modes.items():
            path.chmod(mode)


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that every user may look into."""
    folder = Path(tempfile.mkdtemp(prefix="growsearch-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def test_a_read_only_folder_is_one_line(public: Path, finished: SearchResult) -> None:
    """New or with a run in it; what is stored stays."""
    shutil.copytree(finished.folder, public / "run")
    for folder in (public / "new", public / "run"):
        with as_nobody(public), pytest.raises(RunError) as caught:
            search(folder, trials=TRIALS + 1)
        assert str(folder) in one_line(caught)
    assert outcome(search(public / "run")) == outcome(finished)


def test_a_picture_that_cannot_be_written_is_one_line_below_the_report(
    copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder that can only be read still tells all that it has."""
    (copy / "evidence.png").mkdir()
    assert cli.main(["compare", str(copy)]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert "All trials: validation accuracy" in out
    assert re.search(r"^no plot: .*evidence\.png.*cannot be written.*$", out, re.MULTILINE)


def test_a_full_disk_is_one_line(tmp_path: Path, finished: SearchResult) -> None:
    """A network that cannot be stored ends the run, with path and free space."""
    full = "its device is full"

    def no_room(store: NetworkStore, _: Network) -> str:
        raise OSError(errno.ENOSPC, full, str(store.folder / "x"))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("growsearch.networks.store.NetworkStore.put", no_room)
        with pytest.raises(RunError) as caught:
            search(tmp_path / "run", trials=30)
    assert full in one_line(caught)
    assert "MB free" in str(caught.value)
    assert outcome(search(tmp_path / "run")) == outcome(finished)
