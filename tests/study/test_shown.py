"""A run's figures, notes and pictures for the Optuna dashboard; nothing else changes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from optuna_dashboard import get_note
from optuna_dashboard._custom_plot_data import get_plotly_graph_objects
from optuna_dashboard.artifact._backend import list_trial_artifacts
from plotly.io import from_json

import growsearch as gs
from growsearch.study import dashboard, shown
from growsearch.study.database import database_url, open_storage
from growsearch.study.lock import locked
from growsearch.study.open import create_or_load
from growsearch.study.optuna_private import dashboard_values
from growsearch.study.result import SearchResult
from growsearch.study.shown import ARTIFACTS, Showing, show
from growsearch.upkeep.gc import collect
from growsearch.upkeep.verify import verify
from tests.fake_trainer import outcome
from tests.small_search import TRIALS, search

pytestmark = pytest.mark.usefixtures("quick_sqlite")


@pytest.fixture(scope="module")
def shown_run(finished: SearchResult, tmp_path_factory: pytest.TempPathFactory) -> SearchResult:
    """A finished run that has shown itself; to be read, not changed."""
    folder = tmp_path_factory.mktemp("shown") / "run"
    result = gs.load_result(shutil.copytree(finished.folder, folder))
    show(result, seconds=60.0)
    return result


def values(result: SearchResult) -> dict[str, Any]:
    return dashboard_values(result.study)


def test_both_studies_have_figures(shown_run: SearchResult) -> None:
    """Lineage and accuracy against parameters of the candidates, evidence beside the controls."""
    found = get_plotly_graph_objects(values(shown_run))
    assert found.keys() == {"lineage", "accuracy-parameters"}
    numbers = {
        number
        for trace in from_json(found["lineage"]).data
        if trace.mode == "markers"
        for number in trace.customdata
    }
    assert numbers == {None, *(trial.number for trial in shown_run.trials)}
    beside = get_plotly_graph_objects(dashboard_values(shown_run.control_study))
    assert beside.keys() == {"evidence"}
    for text in (*found.values(), *beside.values()):
        assert json.loads(text)["layout"].get("height") is None  # the dashboard has a height


def test_both_studies_have_notes_that_lead_to_each_other(shown_run: SearchResult) -> None:
    """The best network and the trials kept; the other study, and how to compare them."""
    note = get_note(shown_run.study)
    assert f"{shown_run.best.validation_accuracy:.4f}" in note
    for trial in shown_run.trials:
        assert (f"| {trial.number} | {trial.growth} |" in note) == trial.kept
    assert shown_run.control_study.study_name in note
    other = get_note(shown_run.control_study)
    assert f"**{shown_run.study.study_name}**" in other
    for text in (note, other):
        assert "(/dashboard/compare-studies?ids=1,2)" in text
        assert str(shown_run.evidence().overall[0]) in text


def test_every_trial_worth_it_has_a_picture(shown_run: SearchResult) -> None:
    """The dashboard finds it as an artifact of the trial; it is a PNG in the run folder."""
    known = values(shown_run)
    for trial, record in zip(shown_run.study.trials, shown_run.trials, strict=True):
        (about,) = list_trial_artifacts(known, {}, trial)
        assert about["mimetype"] == "image/png"
        png = (shown_run.folder / ARTIFACTS / about["artifact_id"]).read_bytes()
        assert png.startswith(b"\x89PNG")
        assert str(record.number) in about["filename"]


def test_showing_twice_writes_the_same(shown_run: SearchResult) -> None:
    """Each thing is written in its own place: nothing piles up."""
    before, files = values(shown_run), sorted((shown_run.folder / ARTIFACTS).iterdir())
    show(shown_run, seconds=60.0)
    after = values(shown_run)
    versions = {name for name in before if name.endswith("note_ver")}
    assert {n: v for n, v in after.items() if n not in versions} == {
        n: v for n, v in before.items() if n not in versions
    }
    assert sorted((shown_run.folder / ARTIFACTS).iterdir()) == files


def test_a_run_is_the_same_with_and_without(shown_run: SearchResult, tmp_path: Path) -> None:
    """Results, resume, verify and gc neither see nor free what the dashboard shows."""
    folder = Path(shutil.copytree(shown_run.folder, tmp_path / "run"))
    assert verify(folder).is_good
    assert not any("artifact" in str(each) for each in verify(folder).promises)
    collect(folder)
    assert len(list((folder / ARTIFACTS).iterdir())) == len(shown_run.trials)
    again = search(folder, trials=TRIALS + 2)
    assert outcome(again) == outcome(search(tmp_path / "other", trials=TRIALS + 2))


def test_a_picture_left_half_written_is_found(shown_run: SearchResult, tmp_path: Path) -> None:
    """By verify as a fault, and freed by gc."""
    folder = Path(shutil.copytree(shown_run.folder, tmp_path / "run"))
    partial = folder / ARTIFACTS / ".partial-1"
    partial.write_bytes(b"half")
    assert not verify(folder).is_good
    collect(folder)
    assert not partial.exists()
    assert verify(folder).is_good


def test_pictures_wait_for_the_next_time(shown_run: SearchResult, tmp_path: Path) -> None:
    """Without time there are none, and the figures are there all the same."""
    run = gs.load_result(shutil.copytree(shown_run.folder, tmp_path / "run"))
    shutil.rmtree(run.folder / ARTIFACTS)
    more = search(run.folder, trials=TRIALS + 1)
    show(more, seconds=0.0)
    assert not (run.folder / ARTIFACTS).exists()
    assert f"{TRIALS + 1} candidates" in get_note(more.study)


def test_a_full_disk_is_a_lack_of_pictures_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run does not end because of them."""
    run = search(tmp_path / "run", trials=1)

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shown, "write_atomically", full)
    show(run, seconds=60.0)
    assert get_plotly_graph_objects(values(run)).keys() == {"lineage", "accuracy-parameters"}
    assert not list_trial_artifacts(values(run), {}, run.study.trials[0])


def test_a_session_shows_itself_for_a_hundredth_of_its_time(
    shown_run: SearchResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over a long session, however long each time takes; a session of seconds does not at all."""
    now = 1000.0
    monkeypatch.setattr(shown.time, "monotonic", lambda: now)

    def slow(*_: Any, **__: Any) -> None:
        nonlocal now
        now += 2.5

    monkeypatch.setattr(shown, "show", slow)
    showing, times = Showing(began=now), 0
    for _ in range(5000):  # trials of a second
        now += 1.0
        if showing.is_due:
            showing.show(shown_run)
            times += 1
            assert now - showing.began > 100.0
    assert 10 <= times <= 20
    assert showing.took <= 0.011 * (now - showing.began)


def test_a_long_session_shows_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the end of a trial, and at the end of the session; one without work does not."""
    monkeypatch.setattr(shown, "_SHARE", 1e9)
    seen: list[int] = []
    real = shown.show

    def counting(result: SearchResult, **options: Any) -> None:
        seen.append(len(result.trials))
        real(result, **options)

    monkeypatch.setattr(shown, "show", counting)
    run = search(tmp_path / "run", trials=2)
    assert seen == [1, 2, 2]
    assert get_plotly_graph_objects(values(run)).keys() == {"lineage", "accuracy-parameters"}
    search(tmp_path / "run", trials=2)
    assert seen == [1, 2, 2]


def test_the_value_has_the_name_of_the_metric(tmp_path: Path) -> None:
    """In both studies, so that the dashboard compares like with like."""
    storage = open_storage(database_url(tmp_path))
    for study in create_or_load(storage, "run", "f1_macro"):
        assert study.metric_names == ["validation macro F1"]
    for study in create_or_load(storage, "other"):
        assert study.metric_names == ["validation accuracy"]


def test_a_run_that_is_worked_on_is_left_alone(shown_run: SearchResult, tmp_path: Path) -> None:
    """A dashboard opened meanwhile writes nothing; nor does one whose folder is elsewhere."""
    folder = Path(shutil.copytree(shown_run.folder, tmp_path / "run"))
    shutil.rmtree(folder / ARTIFACTS)
    run = search(folder, trials=TRIALS + 1)  # whose last trial has no picture yet
    with locked(folder):
        dashboard._show(run.study, run.control_study, folder)
        assert not (folder / ARTIFACTS).exists()
    dashboard._show(run.study, run.control_study, tmp_path / "elsewhere")
    assert not (tmp_path / "elsewhere").exists()
    dashboard._show(run.study, run.control_study, folder)
    assert len(list((folder / ARTIFACTS).iterdir())) == 1


def test_an_outcome_begins_with_the_decision(shown_run: SearchResult) -> None:
    """So the dashboard's table of trials, sorted by it, tells kept candidates from the others."""
    texts = [json.dumps(trial.user_attrs["outcome"]) for trial in shown_run.study.trials]
    for text, record in zip(texts, shown_run.trials, strict=True):
        assert text.startswith(f'{{"kept": {str(record.kept).lower()}, "reason": ')
    assert {record.kept for record in shown_run.trials} == {True, False}
