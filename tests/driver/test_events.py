"""The reports of a search in progress: events, Optuna's callbacks, notes for the dashboard."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import optuna
import pytest

import growsearch as gs
from growsearch.driver.events import JobEnded, Started, TeacherReady, Training, TrialFinished
from growsearch.study.result import SearchResult
from tests.fake_trainer import outcome
from tests.small_search import TRIALS, search, what

pytestmark = pytest.mark.usefixtures("quick_sqlite")


def test_events_tell_the_story_in_order(tmp_path: Path) -> None:
    """Started, teacher, then each trial with its trainings."""
    heard: list[Any] = []
    search(tmp_path, trials=2, on_event=heard.append)
    kinds = [type(event) for event in heard if not isinstance(event, Training | JobEnded)]
    assert kinds == [Started, TeacherReady, TrialFinished, TrialFinished]
    trained = list(dict.fromkeys(filter(None, map(what, heard))))
    assert trained == ["teacher", "trial 0", "trial 0 random", "trial 1", "trial 1 random"]
    assert [e.done for e in heard if isinstance(e, TrialFinished)] == [1, 2]


def test_trials_have_notes_for_the_dashboard(finished: SearchResult) -> None:
    """The dashboard shows for each trial what it tried and what its arms gave."""
    from optuna_dashboard._note import get_note_from_system_attrs

    attributes = finished.study._storage.get_study_system_attrs(finished.study._study_id)
    for record, trial in zip(finished.trials, finished.study.trials, strict=True):
        note = get_note_from_system_attrs(attributes, trial._trial_id)["body"]
        assert record.growth in note
        assert "| random |" in note
        assert f"{record.parameters:,} parameters" in note
        assert " ms an update" in note


def test_callbacks_are_called_as_in_optuna(tmp_path: Path) -> None:
    """With the study and the frozen trial, once after each trial."""
    calls: list[tuple[Any, Any]] = []
    search(tmp_path, trials=3, callbacks=[lambda *given: calls.append(given)])
    assert [trial.number for _, trial in calls] == [0, 1, 2]
    for study, trial in calls:
        assert isinstance(study, optuna.Study)
        assert isinstance(trial, optuna.trial.FrozenTrial)
        assert trial.state.is_finished()


def test_optunas_own_callbacks_stop_a_search(finished: SearchResult, tmp_path: Path) -> None:
    """``study.stop()`` ends the search after the trial, and the next call goes on."""
    result = search(tmp_path, callbacks=[optuna.study.MaxTrialsCallback(2)])
    assert len(result.trials) == 2
    assert "callback" in result.ended
    with pytest.raises(RuntimeError):  # nothing runs any more that it could stop
        result.study.stop()
    assert outcome(search(tmp_path)) == outcome(finished)


def test_an_error_in_a_callback_leaves_a_run_to_go_on_with(
    finished: SearchResult, tmp_path: Path
) -> None:
    """It arrives as it is; its trial is stored and not repeated."""

    def fail(study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
        del study
        if trial.number == 1:
            raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        search(tmp_path, callbacks=[fail])
    assert len(gs.load_result(tmp_path).trials) == 2
    result = search(tmp_path)
    assert outcome(result) == outcome(finished)
    assert len(result.study.trials) == TRIALS


def test_an_error_of_a_listener_is_no_trials_fault(finished: SearchResult, tmp_path: Path) -> None:
    """It ends the session as it is; the trial stays pending, and is made by the next call."""

    def fail(event: Any) -> None:
        if what(event) == "trial 1" and event.step == 2:
            raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        search(tmp_path, on_event=fail)
    result = search(tmp_path)
    assert outcome(result) == outcome(finished)
    assert len(result.study.trials) == TRIALS
