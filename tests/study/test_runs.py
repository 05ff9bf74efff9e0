"""The list of runs: what each row says, and that nothing in a folder breaks it."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from growsearch.cli import main
from growsearch.errors import InvalidInputError
from growsearch.reports import runs as report
from growsearch.study.lock import locked
from growsearch.study.result import SearchResult
from growsearch.study.runs import list_runs
from growsearch.study.standing import standing_of
from tests import small_search, trunk_search
from tests.command_line import contents, refused
from tests.messages import one_line
from tests.small_search import interrupt
from tests.upkeep.stored_values import change_study

FRONT = ("controls.arms={}", 'search.objective=["accuracy", "parameters"]')
POLISHED = (
    "controls.arms={}",
    "polish={steps = 6, parts = 2, cycles = 2, learning_rate = 0.01}",
)

pytestmark = pytest.mark.usefixtures("quick_sqlite")


@pytest.fixture
def folder(finished: SearchResult, tmp_path: Path) -> Path:
    """Runs, a run that is damaged, one whose study lies elsewhere, and folders of others."""
    found = tmp_path / "runs"
    for name in ("whole", "begun", "tampered"):
        shutil.copytree(finished.folder, found / name)
    change_study(found / "begun", "test", lambda _: None)
    change_study(found / "tampered", "teacher", lambda _: "mine")
    (found / "cut").mkdir()
    (found / "cut" / "study.db").write_bytes(b"no database")
    (found / "elsewhere").mkdir()
    (found / "elsewhere" / "run-id").write_text("0" * 32)
    (found / "mine").mkdir()
    (found / "notes.txt").write_text("mine")
    return found


def test_a_row_says_what_the_result_says(folder: Path, finished: SearchResult) -> None:
    """Read from the study alone; the network's file is not opened."""
    for weights in (folder / "whole" / "weights").iterdir():
        weights.write_bytes(b"")
    (row,) = [each for each in list_runs(folder).rows if Path(each.folder).name == "whole"]
    assert (row.space, row.data, row.state) == ("digits", "noise", "finished")
    assert row.trials == len(finished.trials)
    assert row.kept == sum(each.kept for each in finished.trials)
    assert row.validation_accuracy == finished.best.validation_accuracy
    assert row.parameters == finished.best.network.parameters
    assert row.bytes == sum(len(data) for data, _ in contents(folder / "whole").values())


def test_nothing_in_a_folder_breaks_the_list(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run that cannot be read, and a folder that holds none, are a line each; nothing changes."""
    before = contents(folder)
    found = list_runs(folder)
    assert [Path(row.folder).name for row in found.rows] == ["whole", "begun"]
    assert {row.state for row in found.rows} == {"finished", "unfinished"}
    assert {Path(each).name for each in found.broken} == {"cut", "elsewhere", "tampered"}
    assert [Path(each).name for each in found.others] == ["mine"]
    assert main(["runs", str(folder)]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.splitlines() == report.lines(found)
    assert "broken: elsewhere: its study lies in a database: add its --storage URL" in out
    assert "no run: mine" in out
    assert main(["runs", str(folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == found.to_json()
    assert contents(folder) == before


@pytest.mark.parametrize("last", ["whole", "begun"])
def test_the_run_that_was_changed_last_is_at_the_end(folder: Path, last: str) -> None:
    """By parts of a second too: two runs may be changed within one."""
    for name in ("whole", "begun"):
        nanoseconds = 10**15 + (name == last)
        os.utime(folder / name / "study.db", ns=(nanoseconds * 1000, nanoseconds * 1000))
    assert [Path(row.folder).name for row in list_runs(folder).rows][-1] == last


def test_a_run_itself_is_a_list_of_one(folder: Path) -> None:
    """And one that a process works on is running."""
    with locked(folder / "begun"):
        (row,) = list_runs(folder / "begun").rows
    assert row.state == "running"
    assert report.lines(list_runs(folder / "begun"))[1].startswith(str(folder / "begun"))


def test_a_folder_that_is_not_there_is_bad_input(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line; an empty folder is none."""
    with pytest.raises(InvalidInputError) as caught:
        list_runs(tmp_path / "nowhere")
    assert "growsearch run" in one_line(caught)
    assert report.lines(list_runs(tmp_path)) == [f"{tmp_path}: no run"]
    monkeypatch.chdir(tmp_path)
    assert "runs: expected a folder of runs" in refused(capsys, "runs")


def test_the_standing_is_that_of_the_result(tmp_path: Path) -> None:
    """Of a run that is interrupted anywhere, polished, or has a trunk."""
    with pytest.raises(KeyboardInterrupt):
        small_search.search(tmp_path / "a", on_event=interrupt("teacher", 0))
    study = small_search.studies(tmp_path / "a")[0]
    assert standing_of(study).validation_accuracy is None
    assert list_runs(tmp_path).rows[0].parameters is None
    results = [small_search.search(tmp_path / "b", *POLISHED, trials=1)]
    assert results[0].best.polished
    results.append(small_search.search(tmp_path / "c", *FRONT, trials=4))
    assert results[1].front
    with trunk_search.folder() as place:
        results.append(trunk_search.search(place, trials=3))
        for result in results:
            found = standing_of(result.study)
            assert found.sha256 == result.best.sha256
            assert found.validation_accuracy == result.best.validation_accuracy
            assert found.parameters == result.best.network.parameters
            assert found.trial == result.best.trial_number
            assert found.is_finished
