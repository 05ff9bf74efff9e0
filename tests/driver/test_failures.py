"""Trainings that fail: what fails a trial, what ends a session, what the next one does."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from optuna_dashboard import get_note

import growsearch as gs
from growsearch.errors import InvalidInputError, OutOfMemoryError, RunError
from growsearch.networks import Network
from growsearch.networks.store import NetworkStore
from growsearch.study.networks import DamagedNetworkWarning
from tests import small_search
from tests.fake_trainer import FakeTrainer, outcome

pytestmark = pytest.mark.usefixtures("quick_sqlite")

POLISH = "polish={steps = 9, parts = 3, learning_rate = 0.01}"


class Raises(FakeTrainer):
    """Raises an error in the middle of one training."""

    def __init__(self, error: BaseException, training: int) -> None:
        super().__init__()
        self.error, self.training = error, training
        self.begun = -1

    def train(self, network: Network, *args: Any, **options: Any) -> Any:
        self.begun += 1
        if self.begun == self.training:
            raise self.error
        return super().train(network, *args, **options)


search = partial(small_search.search, trials=3)

# Trainings: 0 is the teacher's, then a candidate's and its control's in turn.
TEACHER, CANDIDATE, CONTROL = range(3)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OutOfMemoryError("no room for a tensor\nof this shape"), "no room for a tensor of this"),
        (MemoryError(), "out of memory"),
        (MemoryError("Unable to allocate 9 TiB"), "Unable to allocate 9 TiB"),
    ],
)
def test_a_candidate_without_memory_fails_and_the_search_goes_on(
    tmp_path: Path, error: Exception, reason: str
) -> None:
    """In one session, as a candidate that diverges does."""
    result = search(tmp_path, trainer=Raises(error, CANDIDATE))
    assert [record.state for record in result.trials] == ["FAIL", "COMPLETE", "COMPLETE"]
    assert result.trials[0].reason.startswith(reason)
    assert "\n" not in result.trials[0].reason
    assert outcome(search(tmp_path)) == outcome(result)


def test_a_control_without_memory_fails_alone(tmp_path: Path) -> None:
    """Its candidate stays what it is."""
    result = search(tmp_path, trainer=Raises(MemoryError(), CONTROL))
    assert {record.state for record in result.trials} == {"COMPLETE"}
    assert result.trials[0].arms["random"].failure == "out of memory"


def test_a_candidate_that_cannot_be_stored_for_memory_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its file's bytes are a copy of all its arrays; the search goes on."""
    original, stored = NetworkStore.put, list[Network]()

    def put(store: NetworkStore, network: Network) -> str:
        stored.append(network)
        if len(stored) == 2:  # the first is the teacher's
            raise MemoryError
        return original(store, network)

    with monkeypatch.context() as patch:
        patch.setattr(NetworkStore, "put", put)
        result = search(tmp_path, "judge.rule=not_inferior")
    assert [record.state for record in result.trials] == ["FAIL", "COMPLETE", "COMPLETE"]
    assert result.trials[0].reason == "out of memory"


def test_an_incumbent_that_cannot_be_evaluated_fails_the_candidate(tmp_path: Path) -> None:
    """Out of memory while the judge asks for its losses: the search goes on."""

    class Small(FakeTrainer):
        outside, failed = True, False

        def train(self, *args: Any, **options: Any) -> Any:
            self.outside = False
            try:
                return super().train(*args, **options)
            finally:
                self.outside = True

        def evaluate(self, *args: Any) -> Any:
            if self.outside and not self.failed:
                self.failed = True
                raise OutOfMemoryError("no room")
            return super().evaluate(*args)

    result = search(tmp_path, "judge.rule=not_inferior", trainer=Small())
    assert [record.state for record in result.trials] == ["FAIL", "COMPLETE", "COMPLETE"]
    assert result.trials[0].reason == "no room"


@pytest.mark.parametrize("training", [CANDIDATE, CONTROL])
def test_a_trainer_that_returns_nan_fails_its_trial(tmp_path: Path, training: int) -> None:
    """The search goes on, and the run can be read: no database holds NaN for it."""

    class Careless(FakeTrainer):
        begun = -1

        def train(self, *args: Any, **options: Any) -> Any:
            result = super().train(*args, **options)
            self.begun += 1
            if self.begun != training:
                return result
            last = replace(result.final, loss=float("nan"))
            return replace(result, curve=(*result.curve[:-1], last))

    result = search(tmp_path, trainer=Careless())
    arm = "net2net" if training == CANDIDATE else "random"
    failure = result.trials[0].arms[arm].failure
    assert failure is not None
    assert "expected a finite accuracy and loss" in failure
    assert result.trials[1].state == result.trials[2].state == "COMPLETE"
    assert outcome(gs.load_result(tmp_path)) == outcome(result)


def test_a_polish_without_memory_leaves_the_best(tmp_path: Path) -> None:
    result = search(tmp_path, POLISH, trainer=Raises(MemoryError(), 7))
    assert not result.best.polished
    assert result.study.user_attrs["polish"]["failure"] == "out of memory"


def test_a_teacher_without_memory_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(OutOfMemoryError, match=r"^teacher: no room$"):
        search(tmp_path, trainer=Raises(OutOfMemoryError("no room"), TEACHER))
    assert search(tmp_path).trials


def test_an_error_of_what_was_tried_is_not_tried_again(tmp_path: Path) -> None:
    """The session ends, as in Optuna; the next one goes on behind the trial."""
    with pytest.raises(ValueError, match=r"no such\nkernel"):
        search(tmp_path, trainer=Raises(ValueError("no such\nkernel"), CANDIDATE))
    result = search(tmp_path)
    assert [record.state for record in result.trials] == ["FAIL", "COMPLETE", "COMPLETE"]
    assert result.trials[0].reason == "ValueError: no such kernel"
    assert [trial.number for trial in result.study.trials] == [0, 1, 2]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ConnectionError("gone"), RunError("x")])
def test_an_error_from_outside_repeats_the_trial(tmp_path: Path, error: BaseException) -> None:
    """Whatever was tried is not the reason."""
    whole = search(tmp_path / "whole", POLISH)
    with pytest.raises(type(error)):
        search(tmp_path / "run", POLISH, trainer=Raises(error, CANDIDATE))
    result = search(tmp_path / "run", POLISH)
    assert outcome(result) == outcome(whole)
    assert len(result.study.trials) == 3


def test_a_trial_interrupted_before_its_note_gets_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And its callback: nothing but the training is done once only."""

    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("growsearch.driver.finish.write_note", interrupted)
        with pytest.raises(KeyboardInterrupt):
            search(tmp_path)
    seen: list[int] = []
    result = search(tmp_path, callbacks=[lambda _, trial: seen.append(trial.number)])
    assert seen == [0, 1, 2]
    for trial in result.study.get_trials():
        assert get_note(_Noted(result.study, trial._trial_id))  # type: ignore[arg-type]
    search(tmp_path, callbacks=[lambda _, trial: seen.append(trial.number)])
    assert seen == [0, 1, 2]


class _Noted:
    """A trial, as far as the dashboard reads it."""

    def __init__(self, study: Any, trial_id: int) -> None:
        self.study, self.storage, self._trial_id = study, study._storage, trial_id


def test_a_clock_that_was_set_ends_no_search(tmp_path: Path) -> None:
    """The times that Optuna stores follow the system's clock; the budget does not."""
    search(tmp_path, trials=1, time_budget=600.0)
    with sqlite3.connect(tmp_path / "study.db") as connection:
        connection.execute(
            "UPDATE trials SET datetime_complete = datetime(datetime_complete, '+1 day')"
        )
    connection.close()
    assert len(search(tmp_path, time_budget=600.0).trials) == 3


def test_a_lost_part_of_the_polish_begins_it_again(tmp_path: Path) -> None:
    """With a warning: the part's file was deleted while the run was interrupted."""
    with pytest.raises(KeyboardInterrupt):
        search(tmp_path, POLISH, trainer=Raises(KeyboardInterrupt(), 9))
    last = gs.load_result(tmp_path).study.user_attrs["polish"]["last"]
    (tmp_path / "weights" / f"{last}.safetensors").unlink()
    with pytest.warns(DamagedNetworkWarning) as caught:
        result = search(tmp_path, POLISH)
    assert any("the polish begins again" in str(warning.message) for warning in caught)
    assert result.study.user_attrs["polish"]["done"] == 3
    assert result.best.polished


def test_the_name_of_somebodys_controls_is_no_name(tmp_path: Path) -> None:
    """Two runs in one storage never share a study."""
    storage = f"sqlite:///{tmp_path / 'shared.db'}"
    with pytest.raises(RunError, match="mnist-control: expected a name that does not end in"):
        search(tmp_path / "mnist-control", storage=storage)
    assert len(search(tmp_path / "mnist", storage=storage).trials) == 3


@pytest.mark.parametrize("seed", [-1, 2**32, 1.0, True])
def test_an_impossible_seed_is_refused(tmp_path: Path, seed: Any) -> None:
    with pytest.raises(InvalidInputError, match="seed: expected a whole number from 0 to 42949"):
        search(tmp_path, seed=seed)
    assert not list(tmp_path.iterdir())


def test_enqueued_trials_are_tried(tmp_path: Path) -> None:
    """In their order; whatever is not given is proposed."""
    first = search(tmp_path, trials=1)
    whole = {"op": "deepen", "position": 0.5, "log2_factor": 1.0, "learning_rate": 0.001}
    for params in (whole, {"op": "widen"}):
        first.study.enqueue_trial(params)
    result = search(tmp_path, trials=4)
    assert [record.state for record in result.trials] == ["COMPLETE"] * 4
    assert [record.operation for record in result.trials[1:3]] == ["deepen", "widen"]
    assert result.study.trials[1].params == whole


def test_an_enqueued_trial_whose_parent_is_damaged_is_tried_again(tmp_path: Path) -> None:
    """With its values, on another parent: it was the user's, and no proposal to be replaced."""
    first = search(tmp_path, trials=3)
    assert first.best.trial_number is not None
    whole = {"op": "deepen", "position": 0.5, "log2_factor": 1.0, "learning_rate": 0.001}
    first.study.enqueue_trial(whole)
    with pytest.raises(KeyboardInterrupt):
        search(tmp_path, trials=4, on_event=small_search.interrupt("trial 3", 2))
    NetworkStore(tmp_path / "weights").path(first.best.sha256).unlink()
    with pytest.warns(DamagedNetworkWarning):
        result = search(tmp_path, trials=4)
    assert [record.state for record in result.trials] == ["COMPLETE"] * 4
    assert result.study.trials[result.trials[-1].number].params == whole
    assert result.trials[-1].parent != first.best.trial_number


@pytest.mark.parametrize(
    "wrong", [{"op": "shrink"}, {"position": float("nan")}, {"learning_rate": "fast"}]
)
def test_an_enqueued_trial_of_another_space_fails(tmp_path: Path, wrong: dict[str, Any]) -> None:
    """With its reason; the search goes on."""
    first = search(tmp_path, trials=1)
    first.study.enqueue_trial(wrong)
    result = search(tmp_path)
    assert [record.state for record in result.trials] == ["COMPLETE", "FAIL", "COMPLETE"]
    assert result.trials[1].reason.startswith("enqueued with a value outside the space: ")
    assert outcome(search(tmp_path)) == outcome(result)


@pytest.mark.filterwarnings("ignore:Fixed parameter")
@pytest.mark.parametrize("rate", [float("inf"), 1e-9, 50.0])
def test_an_enqueued_rate_out_of_range_fails(tmp_path: Path, rate: float) -> None:
    """Optuna would use it, and neither store it beside a control nor learn from it."""
    first = search(tmp_path, trials=1)
    first.study.enqueue_trial({"learning_rate": rate})
    result = search(tmp_path)
    assert [record.state for record in result.trials] == ["COMPLETE", "FAIL", "COMPLETE"]
    assert f"learning_rate: expected 0.0003 to 0.003, got {rate:g}" in result.trials[1].reason
    json.dumps(gs.load_result(tmp_path).to_json(), allow_nan=False)


@pytest.mark.parametrize("callbacks", [5, ["x"], [None]])
def test_callbacks_that_cannot_be_called_are_refused(tmp_path: Path, callbacks: Any) -> None:
    """Before the first training."""
    with pytest.raises(InvalidInputError, match="callbacks: expected callables, got"):
        search(tmp_path, callbacks=callbacks)
    assert not list(tmp_path.iterdir())


def test_one_callback_needs_no_list(tmp_path: Path) -> None:
    seen: list[int] = []
    search(tmp_path, callbacks=lambda _, trial: seen.append(trial.number))
    assert seen == [0, 1, 2]


@pytest.mark.parametrize("storage", ["sqlite://", "sqlite:///:memory:"])
def test_a_database_in_memory_is_refused(tmp_path: Path, storage: str) -> None:
    """A run stored there would be gone with the process."""
    with pytest.raises(RunError, match="a database in memory ends with its process"):
        search(tmp_path, storage=storage)
