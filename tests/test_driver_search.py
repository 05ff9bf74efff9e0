"""A whole search: the same again, resumed, interrupted, refused, damaged."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import sqlite3
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest

import growsearch as gs
from growsearch import cli
from growsearch.datasets import Dataset, Split
from growsearch.driver import kept
from growsearch.driver.choice import split_choice
from growsearch.driver.events import Started, TeacherReady, Training, TrialFinished
from growsearch.driver.records import DamagedNetworkWarning, SearchResult
from growsearch.errors import (
    DivergedError,
    GrowsearchError,
    InvalidInputError,
    RunError,
)
from growsearch.networks import Network
from growsearch.trainers import Evaluation, Speed, TrainingPlan, TrainingResult
from growsearch.training import SlimTrainer
from tests.fake_trainer import FakeTrainer, images, outcome, space

pytestmark = pytest.mark.usefixtures("quick_sqlite")

TRIALS = 5
SMALL = [
    "teacher.steps=5",
    "training.steps=4",
    "training.evaluate_every=2",
    "teacher.architecture=3x3x4(conv1)-pool1-8(fc1)-10(fc2)",
]


def search(out: Path, *overrides: str, trials: int = TRIALS, **options: Any) -> SearchResult:
    options = {"data": images(), "trainer": FakeTrainer(), "seed": 0, **options}
    return gs.search(space(*overrides), trials=trials, out=out, **options)


def one_line(caught: pytest.ExceptionInfo[BaseException]) -> str:
    text = str(caught.value)
    assert text
    assert "\n" not in text
    return text


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, quick_sqlite: None) -> SearchResult:
    """A run that nothing interrupted; to be copied, not changed."""
    del quick_sqlite
    return search(tmp_path_factory.mktemp("finished") / "run")


@pytest.fixture
def copy(finished: SearchResult, tmp_path: Path) -> Path:
    """A folder of its own with the finished run."""
    return Path(shutil.copytree(finished.folder, tmp_path / "run"))


# --- with TensorFlow ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trainer() -> SlimTrainer:
    return SlimTrainer(cached_graphs=12)


@pytest.fixture(scope="module")
def real(
    trainer: SlimTrainer, tmp_path_factory: pytest.TempPathFactory, quick_sqlite: None
) -> SearchResult:
    """A real, uninterrupted run."""
    del quick_sqlite
    return search_digits(tmp_path_factory.mktemp("real") / "run", trainer)


def search_digits(out: Path, trainer: SlimTrainer, **options: Any) -> SearchResult:
    digits = gs.SearchSpace.load("digits", SMALL)
    return gs.search(digits, out=out, trainer=trainer, seed=0, **{"trials": 3, **options})


def test_real_trials_have_candidates_controls_and_gains(real: SearchResult) -> None:
    """Every trial says what it tried, what each arm reached, and what became of it."""
    assert [record.number for record in real.trials] == [0, 1, 2]
    for record in real.trials:
        assert record.state == "COMPLETE"
        assert set(record.arms) == {"net2net", "random"}
        for arm in record.arms.values():
            assert [step for step, _, _ in arm.curve] == [0, 2, 4]
            assert arm.accuracy == arm.curve[-1][1]
        assert record.kept == (record.gain > 0)
        assert f"{record.validation_accuracy:.4f}" in record.reason
    assert real.best.validation_accuracy == max(
        [real.teacher_accuracy, *(record.validation_accuracy for record in real.trials)]
    )


def test_net2net_starts_where_its_parent_ended(real: SearchResult) -> None:
    """The candidate's first point is its parent's last; the random arm's is not."""
    accuracies = {None: real.teacher_accuracy}
    for record in real.trials:
        accuracies[record.number] = record.validation_accuracy
        start = record.arms["net2net"].curve[0][1]
        assert start == pytest.approx(accuracies[record.parent], abs=1 / 300 + 1e-9)


def test_the_same_seed_gives_the_same_real_run(
    real: SearchResult, trainer: SlimTrainer, tmp_path: Path
) -> None:
    """Two folders, one process: the same trials and the same bytes."""
    assert outcome(search_digits(tmp_path / "other", trainer)) == outcome(real)


def test_a_real_run_goes_on_after_an_interruption(
    real: SearchResult, trainer: SlimTrainer, tmp_path: Path
) -> None:
    """Fewer trials, then Ctrl-C in the middle of a training: then the same as without."""
    search_digits(tmp_path / "run", trainer, trials=1)
    with pytest.raises(KeyboardInterrupt):
        search_digits(tmp_path / "run", trainer, on_event=interrupt("trial 1", step=2))
    assert outcome(search_digits(tmp_path / "run", trainer)) == outcome(real)


def test_a_real_divergence_is_a_failed_trial(trainer: SlimTrainer, tmp_path: Path) -> None:
    """NaN ends the trial with its reason; it counts, and the search goes on."""
    linear = "3x3x4(conv1,activation=linear)-pool1-8(fc1,activation=linear)-10(fc2)"
    wild = gs.SearchSpace.load(
        "digits",
        [
            *(*SMALL, f"teacher.architecture={linear}", "choices.learning_rate=[99.0, 100.0]"),
            *("training.optimizer=sgd", "training.steps=40"),
        ],
    )
    result = gs.search(wild, trials=2, out=tmp_path / "run", trainer=trainer, seed=0)
    assert [record.state for record in result.trials] == ["FAIL", "FAIL"]
    assert all("learning rate" in record.reason for record in result.trials)
    assert result.best.trial_number is None


# --- the same again -----------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_run(finished: SearchResult, tmp_path: Path) -> None:
    """Trials, values and bytes are a function of space, data and seed."""
    assert outcome(search(tmp_path / "other")) == outcome(finished)


def test_another_seed_gives_another_run(finished: SearchResult, tmp_path: Path) -> None:
    """The seed decides over everything random."""
    other = search(tmp_path / "other", seed=1)
    assert other.study.trials[0].params != finished.study.trials[0].params
    assert other.teacher_accuracy != finished.teacher_accuracy


@pytest.mark.parametrize("first", [0, 1, 3, TRIALS])
def test_a_resumed_run_is_an_uninterrupted_one(
    finished: SearchResult, tmp_path: Path, first: int
) -> None:
    """Trials in two sessions are the trials of one."""
    assert len(search(tmp_path / "run", trials=first).trials) == first
    assert outcome(search(tmp_path / "run")) == outcome(finished)


def test_a_finished_run_says_so_and_changes_nothing(copy: Path, finished: SearchResult) -> None:
    """The same command on a finished run trains nothing and writes nothing."""
    before = {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()}
    trainer = FakeTrainer()
    result = search(copy, trainer=trainer)
    assert result.ended == f"all {TRIALS} trials are done since an earlier session"
    assert finished.ended == f"all {TRIALS} trials are done"
    assert not trainer.evaluated
    assert outcome(result) == outcome(finished)
    assert {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("trials", [0, 1])
def test_fewer_trials_than_are_done_change_nothing(
    copy: Path, finished: SearchResult, trials: int
) -> None:
    """And the end says what is there, and what was asked for."""
    result = search(copy, trials=trials)
    assert outcome(result) == outcome(finished)
    assert result.ended == (
        f"{TRIALS} trials are done since an earlier session, more than the {trials} asked for"
    )


def test_numbers_may_be_numpys(copy: Path, finished: SearchResult) -> None:
    """A seed out of an array is the number that it is, in a new run and in an old one."""
    options = {"seed": np.int64(0), "trials": np.int32(TRIALS), "time_budget": np.float32(1e6)}
    assert outcome(search(copy, **options)) == outcome(finished)


def test_a_run_can_be_read_without_running(copy: Path, finished: SearchResult) -> None:
    """What is read from the folder is what the search returned."""
    assert outcome(gs.load_result(copy)) == outcome(finished)


def test_the_result_is_json(finished: SearchResult) -> None:
    """The whole result is plain JSON values."""
    text = json.dumps(finished.to_json(), allow_nan=False)
    assert json.loads(text)["best"]["sha256"] == finished.best.path.stem


# --- trials, controls, test ---------------------------------------------------------------------


def test_values_are_validation_accuracies(finished: SearchResult) -> None:
    """Optuna's best trial is the best network."""
    assert finished.study.best_trial.number == finished.best.trial_number
    assert finished.study.best_value == finished.best.validation_accuracy
    assert finished.study.metric_names == ["validation accuracy"]


def test_some_candidates_are_kept_and_some_are_not(finished: SearchResult) -> None:
    """Kept is what beats the best so far; its bytes are stored, others' are not."""
    best = finished.teacher_accuracy
    stored = {path.stem for path in (finished.folder / "weights").glob("*.safetensors")}
    names = {finished.study.user_attrs["teacher"]["sha256"]}
    for record in finished.trials:
        assert record.kept == (record.validation_accuracy > best)
        assert record.gain == pytest.approx(record.validation_accuracy - best)
        if record.kept:
            best = record.validation_accuracy
            names.add(finished.study.trials[record.number].user_attrs["sha256"])
    assert {record.kept for record in finished.trials} == {True, False}
    assert stored == names


class Fair(FakeTrainer):
    """Gives all networks the same losses, image by image, whatever their accuracy."""

    def evaluate(self, network: Network, data: Split) -> Evaluation:
        losses = np.linspace(0.1, 1.0, len(data), dtype=np.float32)
        return replace(super().evaluate(network, data), losses=losses)

    def train(self, network: Network, data: Split, plan: TrainingPlan, **options: Any) -> Any:
        result = super().train(network, data, plan, **options)
        losses = self.evaluate(result.network, options["evaluate_on"]).losses
        return replace(result, losses=losses)


def test_what_is_not_worse_may_be_the_next_parent(tmp_path: Path) -> None:
    """By the rule "not_inferior" the network of the run is the last kept, lower accuracy or not."""
    rule = "judge={'rule': 'not_inferior', 'held_out': 0.0}"
    result = search(tmp_path, rule, trainer=Fair())
    parents = [record.parent for record in result.trials]
    assert parents == [None, *(record.number for record in result.trials[:-1])]
    assert result.best.trial_number == result.trials[-1].number
    assert min(record.gain or 0.0 for record in result.trials) < 0.0
    assert search(tmp_path, rule, trainer=Fair()).best.path == result.best.path


def test_candidates_report_the_difference_to_their_parent(finished: SearchResult) -> None:
    """What a pruner sees compares across generations."""
    for record in finished.trials:
        reported = finished.study.trials[record.number].intermediate_values
        parent = record.validation_accuracy - record.gain
        for step, accuracy, _ in record.arms["net2net"].curve:
            assert reported[step] == pytest.approx(accuracy - parent)


def test_controls_are_a_sibling_study_paired_by_number(finished: SearchResult) -> None:
    """One control a candidate and arm, of the same growth, in a study of its own."""
    assert finished.control_study.study_name == "digits-control"
    controls = finished.control_study.trials
    assert [c.user_attrs["candidate"] for c in controls] == list(range(TRIALS))
    for control in controls:
        candidate = finished.study.trials[control.user_attrs["candidate"]]
        assert control.user_attrs["arm"] == "random"
        assert control.params == candidate.params
        for name in ("growth", "architecture", "parameters"):
            assert control.user_attrs[name] == candidate.user_attrs[name]
        assert control.value == finished.trials[candidate.number].arms["random"].accuracy


def test_every_arm_runs_where_the_space_asks_for_it(tmp_path: Path) -> None:
    """The space decides over the arms."""
    result = search(tmp_path, 'controls.arms=["random", "scratch", "continued"]', trials=2)
    for record in result.trials:
        assert list(record.arms) == ["net2net", "random", "scratch", "continued"]
    architectures = {
        control.user_attrs["arm"]: control.user_attrs["architecture"]
        for control in result.control_study.trials[:3]
    }
    teacher = result.study.user_attrs["teacher"]["architecture"]
    assert architectures["continued"] == teacher
    assert architectures["scratch"] == architectures["random"] != teacher


def test_controls_run_on_a_fraction_of_the_trials(tmp_path: Path) -> None:
    """The lot is drawn from the seed: none at 0, some between."""
    none = search(tmp_path / "none", "controls.arms={'random': 0.0}")
    assert not none.control_study.trials
    some = search(tmp_path / "some", "controls.arms={'random': 0.5}", trials=8)
    assert 0 < len(some.control_study.trials) < 8
    # The sampler never learns from controls.
    assert [t.params for t in none.study.trials] == [t.params for t in some.study.trials][:TRIALS]


def test_a_finished_control_is_not_run_again(finished: SearchResult, tmp_path: Path) -> None:
    """After an interruption between two arms only the arm that lacks is run."""
    arms = 'controls.arms=["random", "scratch"]'
    with pytest.raises(KeyboardInterrupt):
        search(tmp_path, arms, trials=1, on_event=interrupt("trial 0 scratch", step=2))
    heard: list[str] = []
    result = search(tmp_path, arms, trials=1, on_event=lambda e: heard.append(what(e)))
    assert set(filter(None, heard)) == {"trial 0 scratch"}
    assert [c.user_attrs["arm"] for c in result.control_study.trials] == ["random", "scratch"]
    assert result.trials[0].arms["random"] == finished.trials[0].arms["random"]


def test_the_test_set_is_opened_once_at_the_end(tmp_path: Path) -> None:
    """No candidate is ever measured on it, and nobody reads a number before the end."""
    trainer, dataset, heard = FakeTrainer(), images(), []

    def check(event: Any) -> None:
        if isinstance(event, TrialFinished):
            heard.append(gs.load_result(tmp_path).test_accuracy)

    result = search(tmp_path, trainer=trainer, on_event=check)
    assert heard == [None] * TRIALS
    assert result.test_accuracy is not None
    images_of_test = hashlib.sha256(dataset.test.images).hexdigest()
    on_test = [name for name, split in trainer.evaluated if split == images_of_test]
    teacher = result.study.user_attrs["teacher"]["sha256"]
    assert on_test == [result.best.path.stem, teacher]
    _, held_out = split_choice(dataset.validation, 0.5)
    held = hashlib.sha256(held_out.images).hexdigest()
    last = [(name, split) for split in (images_of_test, held) for name in on_test]
    assert trainer.evaluated[-4:] == last


def test_events_tell_the_story_in_order(tmp_path: Path) -> None:
    """Started, teacher, then each trial with its trainings."""
    heard: list[Any] = []
    search(tmp_path, trials=2, on_event=heard.append)
    kinds = [type(event) for event in heard if not isinstance(event, Training)]
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


# --- what ends a search -------------------------------------------------------------------------


def test_a_time_budget_stops_before_the_next_trial(finished: SearchResult, tmp_path: Path) -> None:
    """It says so, and the same call without it goes on."""
    result = search(tmp_path, time_budget=1e-6)
    assert not result.trials
    assert "time budget" in result.ended
    assert result.test_accuracy is not None
    assert outcome(search(tmp_path, time_budget=1e6)) == outcome(finished)


@pytest.mark.parametrize("limit", ["limits.layers=3", "limits.width=4"])
def test_a_search_ends_where_nothing_is_left_to_grow(tmp_path: Path, limit: str) -> None:
    """Within tight limits there are few growths, whatever the number of trials."""
    overrides = (limit, "limits.parameters=140", "choices.operations=['widen', 'deepen']")
    result = search(tmp_path, *overrides, trials=50)
    assert len(result.trials) < 50
    assert "nothing is left to grow" in result.ended
    assert result.best.network.parameters <= 140


def test_a_diverged_trial_fails_with_its_reason_and_counts(tmp_path: Path) -> None:
    """The search goes on, never keeps it, never repeats it, and gives it no controls."""
    result = search(tmp_path, "choices.learning_rate=[0.01, 50.0]", trials=10)
    failed = [record for record in result.trials if record.state == "FAIL"]
    assert 0 < len(failed) < 10
    assert len(result.trials) == 10
    for record in failed:
        assert "nan" in record.reason
        assert not record.kept
        assert list(record.arms) == ["net2net"]
    again = search(tmp_path, "choices.learning_rate=[0.01, 50.0]", trials=10)
    assert outcome(again) == outcome(result)


def test_a_diverged_control_is_stored_as_failed(tmp_path: Path) -> None:
    """Its candidate stays what it is, and the control is not run again."""

    class Fails(FakeTrainer):
        def train(self, network: Network, *args: Any, seed: int, **options: Any) -> Any:
            if calls["controls"]:
                raise DivergedError("the loss became nan")
            return super().train(network, *args, seed=seed, **options)

    calls = {"controls": False}

    def listen(event: Any) -> None:
        calls["controls"] = what(event) == "trial 0" and event.step == event.steps

    result = search(tmp_path, trials=1, trainer=Fails(), on_event=listen)
    (record,) = result.trials
    assert record.state == "COMPLETE"
    assert record.arms["random"].failure == "the loss became nan"
    assert record.arms["random"].accuracy is None
    assert len(search(tmp_path, trials=1).control_study.trials) == 1


def test_a_diverged_teacher_is_one_line(tmp_path: Path) -> None:
    """Before the first trial there is nothing to go on with."""
    with pytest.raises(DivergedError) as caught:
        search(tmp_path, "teacher.learning_rate=50.0")
    one_line(caught)
    assert search(tmp_path / "other").trials


def test_pruned_trials_are_given_up_and_count(tmp_path: Path) -> None:
    """A candidate far below its parent ends early; the gain is what the sampler sees."""
    overrides = ("pruning.tolerance=0.0", "pruning.warmup_steps=1", "search.sampler='random'")
    result = search(tmp_path, *overrides, trials=12)
    pruned = [record for record in result.trials if record.state == "PRUNED"]
    assert len(pruned) > 0
    assert len(result.trials) == 12
    for record in pruned:
        assert record.arms["net2net"].curve[-1][0] < 4
        assert record.gain < 0
        assert not record.kept
        assert "given up" in record.reason
        assert list(record.arms) == ["net2net"]


# --- callbacks and interruptions ----------------------------------------------------------------


def what(event: Any) -> str | None:
    return event.what if isinstance(event, Training) else None


def interrupt(training: str, step: int) -> Callable[[Any], None]:
    """Ctrl-C at a step of a training."""

    def on_event(event: Any) -> None:
        if what(event) == training and event.step == step:
            raise KeyboardInterrupt

    return on_event


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


@pytest.mark.parametrize(
    ("training", "step"),
    [("teacher", 2), ("trial 0", 0), ("trial 1", 2), ("trial 1", 4), ("trial 1 random", 2)],
)
def test_an_interrupted_run_goes_on_as_if_nothing_had_been(
    finished: SearchResult, tmp_path: Path, training: str, step: int
) -> None:
    """Ctrl-C in the middle of any training costs that training only."""
    with pytest.raises(KeyboardInterrupt):
        search(tmp_path, on_event=interrupt(training, step))
    states = [trial.state.name for trial in studies(tmp_path)[0].trials]
    assert "RUNNING" not in states
    assert outcome(search(tmp_path)) == outcome(finished)


def test_a_trial_interrupted_twice_is_still_the_same(
    finished: SearchResult, tmp_path: Path
) -> None:
    """Each repetition has another number and the same place."""
    for number in (1, 2):
        with pytest.raises(KeyboardInterrupt):
            search(tmp_path, on_event=interrupt(f"trial {number}", step=2))
    result = search(tmp_path)
    assert [record.number for record in result.trials] == [0, 3, 4, 5, 6]
    assert outcome(result) == outcome(finished)


# --- what cannot go on --------------------------------------------------------------------------


def studies(folder: Path) -> tuple[optuna.Study, optuna.Study]:
    url = f"sqlite:///{folder / 'study.db'}"
    study, control = (
        optuna.load_study(study_name=name, storage=url) for name in ("digits", "digits-control")
    )
    return study, control


@pytest.mark.parametrize(
    ("overrides", "options", "named"),
    [
        ((), {"seed": 1}, "seed = 0, not 1"),
        (("training.steps=6",), {}, "space.training.steps = 4, not 6"),
        (('choices.operations=["widen"]',), {}, "space.choices.operations"),
        (('name="other"',), {}, "space.name = 'digits', not 'other'"),
        ((), {"data": images(seed=1)}, "other images"),
    ],
)
def test_a_run_goes_on_with_what_it_was_started_with_only(
    copy: Path, finished: SearchResult, overrides: tuple[str, ...], options: Any, named: str
) -> None:
    """Another seed, space or data is one line that names it; the run is still whole."""
    with pytest.raises(RunError) as caught:
        search(copy, *overrides, **options)
    line = one_line(caught)
    assert named in line
    assert str(copy) in line
    assert outcome(search(copy)) == outcome(finished)


def test_the_first_difference_in_the_order_of_the_space_is_named(copy: Path) -> None:
    """Of several always the same, whatever the hash seed."""
    others = ("training.slots='reset'", "judge.margin=2.0", "training.ema=0.5", "teacher.steps=3")
    with pytest.raises(RunError, match=r"space\.teacher\.steps = 2, not 3"):
        search(copy, *others)
    with pytest.raises(RunError, match=r"space\.training\.ema = 0\.0, not 0\.5"):
        search(copy, *others[:3])


def test_a_run_from_before_a_key_goes_on_with_its_default(
    copy: Path, finished: SearchResult
) -> None:
    """A space that was stored by an older version lacks what came later."""
    study, _ = studies(copy)
    stored = study.user_attrs["space"]
    del stored["judge"], stored["training"]["ema"], stored["polish"]
    study.set_user_attr("space", stored)
    assert outcome(search(copy)) == outcome(finished)
    with pytest.raises(RunError, match=r"space\.training\.ema = 0\.0, not 0\.5"):
        search(copy, "training.ema=0.5")


def test_the_number_of_trials_is_no_part_of_the_run(copy: Path) -> None:
    """More trials later is how a run is extended."""
    assert len(search(copy, trials=TRIALS + 1).trials) == TRIALS + 1


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"trials": -1}, "trials: expected a whole number of at least 0, got -1"),
        ({"trials": 1.5}, "trials"),
        ({"trials": True}, "trials"),
        ({"seed": -1}, "seed"),
        ({"time_budget": 0.0}, "time_budget"),
        ({"time_budget": float("nan")}, "time_budget"),
        ({"time_budget": float("inf")}, "time_budget"),
        ({"storage": 5}, "storage: expected the URL of a database, got 5"),
        ({"out": 5}, "out: expected the path of a folder, got 5"),
        ({"out": ""}, "out: expected the path of a folder, got ''"),
        ({"data": ""}, "data: expected a path, got ''"),
    ],
)
def test_unusable_options_are_one_line(tmp_path: Path, options: Any, named: str) -> None:
    """Named, before anything is written."""
    with pytest.raises(InvalidInputError) as caught:
        gs.search(space(), **{"out": tmp_path / "run", "data": images(), **options})
    assert named in one_line(caught)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("what", [5, None, ["mnist"]])
def test_what_is_no_space_is_one_line(what: Any) -> None:
    """Neither a space nor the name or path of one."""
    with pytest.raises(InvalidInputError, match="space: expected a SearchSpace"):
        gs.search(what)


def _with(dataset: Dataset, shape: tuple[int, int], classes: int) -> Dataset:
    split = Split(np.zeros((6, *shape, 1), np.float32), np.arange(6) % classes)
    return replace(dataset, train=split, validation=split, test=split, classes=classes)


@pytest.mark.parametrize(
    ("dataset", "named"),
    [
        (_with(images(), (5, 4), 3), "(5, 4, 1)"),
        (_with(images(), (4, 4), 2), "expected 2 outputs"),
    ],
)
def test_data_that_do_not_fit_are_one_line(tmp_path: Path, dataset: Dataset, named: str) -> None:
    """Wrong images or classes are refused before the run folder exists."""
    with pytest.raises(InvalidInputError) as caught:
        search(tmp_path / "run", data=dataset)
    assert named in one_line(caught)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("section", ["teacher", "training", "polish"])
def test_a_batch_larger_than_the_training_images_is_one_line(tmp_path: Path, section: str) -> None:
    """It names the section; as many as there are images are enough."""
    sections = {"polish": {"steps": 2}} if section == "polish" else {}
    values = space().model_dump(mode="json") | sections
    for size in (61, 10**9):
        values[section] |= {"batch_size": size}
        with pytest.raises(InvalidInputError) as caught:
            gs.search(
                gs.SearchSpace.parse(values),
                out=tmp_path / "run",
                data=images(),
                trainer=FakeTrainer(),
                trials=0,
            )
        assert f"{section}.batch_size: expected at most 60" in one_line(caught)
    assert not (tmp_path / "run").exists()
    search(tmp_path / "run", "training.batch_size=60", trials=0)


@pytest.mark.parametrize("damage", ["flipped", "truncated", "deleted", "link"])
def test_a_damaged_best_network_gives_way_to_the_next(
    copy: Path, finished: SearchResult, damage: str
) -> None:
    """With a warning; "best" never names bytes that do not verify."""
    kept = [record for record in finished.trials if record.kept]
    best = copy / "weights" / finished.best.path.name
    harm(best, damage)
    with pytest.warns(DamagedNetworkWarning, match=f"trial {kept[-1].number}"):
        result = gs.load_result(copy)
    assert result.best.trial_number == kept[-2].number
    assert result.best.network.sha256 == result.best.path.stem
    assert result.test_accuracy is None  # it was another network's
    with pytest.warns(DamagedNetworkWarning):
        again = search(copy)
    assert again.best.trial_number == kept[-2].number
    assert again.test_accuracy is not None


def test_the_best_network_verifies(finished: SearchResult) -> None:
    """Its name is the hash of its bytes, and it is what its trial described."""
    network = finished.best.network
    assert network.sha256 == finished.best.path.stem
    about = finished.study.trials[finished.best.trial_number].user_attrs
    assert about["architecture"] == str(network.architecture)
    assert about["parameters"] == network.parameters
    assert about["flops"] == network.architecture.flops


def harm(path: Path, damage: str) -> None:
    data = bytearray(path.read_bytes())
    path.unlink()
    if damage == "flipped":
        data[-3] ^= 1
        path.write_bytes(data)
    elif damage == "truncated":
        path.write_bytes(data[:-7])
    elif damage == "link":
        path.with_suffix(".elsewhere").write_bytes(data)
        path.symlink_to(path.with_suffix(".elsewhere"))


@pytest.mark.parametrize("damage", ["flipped", "truncated", "deleted"])
@pytest.mark.parametrize("call", [search, gs.load_result])
def test_a_run_without_its_teacher_is_one_line(
    copy: Path, finished: SearchResult, damage: str, call: Callable[[Path], SearchResult]
) -> None:
    """Where everything began must verify."""
    name = finished.study.user_attrs["teacher"]["sha256"]
    harm(copy / "weights" / f"{name}.safetensors", damage)
    with pytest.raises(RunError) as caught:
        call(copy)
    assert "teacher cannot be used" in one_line(caught)


@pytest.mark.parametrize("value", ["../../etc/passwd", 7, {"sha256": 1}, {}])
@pytest.mark.parametrize("name", ["space", "seed", "data", "teacher", "test"])
def test_tampered_study_attributes_are_one_line(copy: Path, name: str, value: Any) -> None:
    """Whatever somebody writes into the study: an answer or one line, never a traceback."""
    studies(copy)[0].set_user_attr(name, value)
    for call in (search, gs.load_result):
        answered_or_refused(call, copy)


@pytest.mark.parametrize("value", ["../../etc/passwd", 10**9, [{}]])
@pytest.mark.parametrize(
    "name",
    [
        *("sha256", "parent", "growth_json", "growth", "kept", "gain", "curve"),
        *("seconds", "parameters"),
    ],
)
def test_tampered_trial_attributes_are_one_line(unpaired: Path, name: str, value: Any) -> None:
    """Also while a control is lacking, which reads parent and growth."""
    with database(unpaired) as sql:
        sql.execute(
            "UPDATE trial_user_attributes SET value_json = ? WHERE key = ?",
            (json.dumps(value), name),
        )
    for call in (gs.load_result, search):
        answered_or_refused(call, unpaired)


@pytest.mark.parametrize("name", ["growth_json", "parent", "index", "curve", "sha256", "seconds"])
def test_missing_trial_attributes_are_one_line(unpaired: Path, name: str) -> None:
    """What is not there is no traceback of a KeyError."""
    with database(unpaired) as sql:
        sql.execute("DELETE FROM trial_user_attributes WHERE key = ?", (name,))
    for call in (gs.load_result, search):
        answered_or_refused(call, unpaired)


def test_a_tampered_growth_is_not_carried_out(unpaired: Path) -> None:
    """A width of a billion in the study allocates nothing: the control is refused."""
    with database(unpaired) as sql:
        growth = {"operation": "widen", "layer": "fc1", "width": 10**9, "split": "equal"}
        sql.execute(
            "UPDATE trial_user_attributes SET value_json = ? WHERE key = 'growth_json'",
            (json.dumps(growth),),
        )
    with pytest.raises(RunError) as caught:
        search(unpaired)
    assert "somebody changed the study" in one_line(caught)


@pytest.fixture
def unpaired(copy: Path) -> Path:
    """A finished run whose last candidate lacks its control."""
    with database(copy) as sql:
        (last,) = sql.execute("SELECT MAX(trial_id) FROM trials WHERE study_id = 2").fetchone()
        for table in ("params", "values", "user_attributes", "intermediate_values"):
            sql.execute(f"DELETE FROM trial_{table} WHERE trial_id = ?", (last,))
        sql.execute("DELETE FROM trials WHERE trial_id = ?", (last,))
    return copy


@contextmanager
def database(folder: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(folder / "study.db")
    with connection:
        yield connection
    connection.close()


def test_a_lacking_control_is_run(unpaired: Path, finished: SearchResult) -> None:
    """The candidates stay, the pair is whole again."""
    assert outcome(gs.load_result(unpaired)) != outcome(finished)
    assert outcome(search(unpaired)) == outcome(finished)


# --- folders ------------------------------------------------------------------------------------


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

    def no_room(_: Network, folder: Path) -> str:
        raise OSError(errno.ENOSPC, full, str(folder / "x"))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("growsearch.driver.run.store", no_room)
        with pytest.raises(RunError) as caught:
            search(tmp_path / "run", trials=30)
    assert full in one_line(caught)
    assert "MB free" in str(caught.value)
    assert outcome(search(tmp_path / "run")) == outcome(finished)


def answered_or_refused(call: Callable[[Path], SearchResult], folder: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DamagedNetworkWarning)
        try:
            result = call(folder)
        except GrowsearchError as error:
            refused = str(error)
        else:
            refused = ""
            json.dumps(result.to_json())
            assert result.best.network.sha256 == result.best.path.stem
    assert "\n" not in refused
    assert len(refused) < 1000


# --- evidence -----------------------------------------------------------------------------------

EVERY_ARM = 'controls.arms=["random", "scratch", "scratch_compute", "continued"]'


def test_arms_have_fractions_of_their_own(tmp_path: Path) -> None:
    """One lot a trial: an arm of a smaller fraction runs on a part of another's trials."""
    arms = "controls.arms={'random': 0.6, 'scratch': 0.3}"
    result = search(tmp_path, arms, trials=10)
    ran = {
        arm: {record.number for record in result.trials if arm in record.arms}
        for arm in ("random", "scratch")
    }
    assert 0 < len(ran["scratch"]) < len(ran["random"]) < 10
    assert ran["scratch"] < ran["random"]


def test_repeats_pair_candidates_and_controls_with_other_seeds(tmp_path: Path) -> None:
    """Three seeds: two repeats of each arm, the candidate's among the controls, all different."""
    result = search(tmp_path, EVERY_ARM, "controls.seeds=3", trials=2)
    for record in result.trials:
        for arm in record.arms:
            every = record.seeds_of(arm)
            assert sorted(every) == [0, 1, 2]
            assert len({each.curve for each in every.values()}) == 3
    comparison = result.evidence().arm("random")
    assert comparison.accuracy.n == 2
    assert comparison.variance.n == 6
    kinds = [c.user_attrs["arm"] for c in result.control_study.trials]
    assert kinds.count("net2net") == 4
    # Repeats change nothing about the search itself.
    plain = search(tmp_path / "plain", trials=2)
    assert [t.gain for t in plain.trials] == [t.gain for t in result.trials]


def test_a_tuned_control_gets_the_best_of_its_learning_rates(tmp_path: Path) -> None:
    """The candidate's rate and its neighbours are tried; the best result counts, all are told."""
    result = search(tmp_path, "controls.tuned=3", trials=3)
    for record in result.trials:
        control = record.arms["random"]
        rates = [rate for rate, _ in control.tried]
        rate = record.learning_rate
        assert rates == pytest.approx([rate, rate * 10**0.5, rate / 10**0.5])
        best = max(control.tried, key=lambda each: each[1])
        assert (control.learning_rate, control.accuracy) == best
        assert record.arms["net2net"].tried == ()


def test_equal_compute_buys_the_ancestrys_updates(tmp_path: Path) -> None:
    """The scratch_compute arm's FLOPs are the candidate's and all its ancestors', one step off."""
    result = search(tmp_path, EVERY_ARM)
    teacher = result.study.user_attrs["teacher"]["training_flops"]
    own = {None: teacher}
    depth = 0
    for record in result.trials:
        candidate = record.arms["net2net"]
        ancestry = own[record.parent]
        own[record.number] = ancestry + candidate.flops
        for arm in ("random", "scratch"):
            assert record.arms[arm].curve[-1][0] == candidate.curve[-1][0]
        compute = record.arms["scratch_compute"]
        step = compute.flops / compute.curve[-1][0]
        assert 0.0 <= compute.flops - (ancestry + candidate.flops) < step * (1 + 1e-9)
        depth = max(depth, 0 if record.parent is None else 1)
    assert depth, "some candidate has a grandparent"
    assert (
        teacher
        == 3
        * gs.Architecture.parse(result.study.user_attrs["teacher"]["architecture"], (4, 4, 1)).flops
        * 2
        * 50
    )


def test_a_resumed_run_gives_the_same_evidence(tmp_path: Path) -> None:
    """Interrupted in a candidate, in a control and in a repeat: nothing differs, or runs twice."""
    options = (EVERY_ARM, "controls.seeds=2", "controls.tuned=2")
    whole = search(tmp_path / "whole", *options)
    for where in ("trial 1", "trial 2 scratch", "trial 2 net2net/1", "trial 3 continued/1"):
        with pytest.raises(KeyboardInterrupt):
            search(tmp_path / "run", *options, on_event=interrupt(where, step=2))
    resumed = search(tmp_path / "run", *options)
    assert resumed.evidence() == whole.evidence()
    keys = [
        (c.user_attrs["candidate"], c.user_attrs["arm"], c.user_attrs["repeat"])
        for c in resumed.control_study.trials
    ]
    assert len(keys) == len(set(keys)) == len(whole.control_study.trials)


def test_the_best_is_measured_where_nothing_was_chosen(finished: SearchResult) -> None:
    """Its accuracy on the held-out half is computed at the end; the choice never saw the half."""
    trainer, validation = FakeTrainer(), images().validation
    _, held_out = split_choice(validation, 0.5)
    found = trainer.evaluate(finished.best.network, held_out).accuracy
    assert finished.held_out_accuracy == found
    teacher = kept.teacher_of(finished.study, finished.folder)
    assert (
        finished.teacher_held_out_accuracy == trainer.evaluate(teacher.network, held_out).accuracy
    )
    evidence = finished.evidence()
    assert evidence.held_out.optimism == pytest.approx(
        (finished.best.validation_accuracy - finished.held_out_accuracy)
        - (finished.teacher_accuracy - finished.teacher_held_out_accuracy)
    )


@pytest.mark.parametrize("fraction", [0.0, 0.1, 0.5, 0.9])
def test_both_halves_are_alike_in_whatever_order_the_images_stand(fraction: float) -> None:
    """Every image in one part only; sorted labels, and labels by turns, are in both as often."""
    count = 4000
    for labels in (np.arange(count) // (count // 4), np.arange(count) % 2):
        pixels = np.arange(count, dtype=np.float32).reshape(-1, 1, 1, 1) / count
        choice, rest = split_choice(Split(pixels, labels), fraction)
        together = np.concatenate([part.images.ravel() for part in (choice, rest) if part])
        assert np.array_equal(np.sort(together), pixels.ravel())
        assert len(choice) == round(count * (1 - fraction))
        for part in filter(None, (choice, rest)):
            shares = np.bincount(part.labels) / len(part)
            assert np.abs(shares - shares.mean()).max() < 0.05


def test_too_few_images_to_hold_out_are_one_line(tmp_path: Path) -> None:
    dataset = images()
    one = Split(dataset.validation.images[:1], dataset.validation.labels[:1])
    with pytest.raises(gs.GrowsearchError) as caught:
        search(tmp_path, data=replace(dataset, validation=one))
    assert "judge.held_out" in one_line(caught)
    search(tmp_path, "judge.held_out=0.0", data=replace(dataset, validation=one), trials=1)


class Undecided(FakeTrainer):
    """Chooses bfloat16 for every second architecture it is asked about, and remembers plans."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.plans: list[TrainingPlan] = []

    def speed_of(self, architecture: gs.Architecture, plan: TrainingPlan) -> Speed:
        assert plan.precision == "auto"
        self.asked.append(str(architecture))
        return Speed(("float32", "bfloat16")[len(self.asked) % 2], 0.01)

    def train(self, network: Any, data: Any, plan: TrainingPlan, **options: Any) -> TrainingResult:
        self.plans.append(plan)
        return super().train(network, data, plan, **options)


def test_arms_are_compared_at_one_precision(tmp_path: Path) -> None:
    """Left to the trainer, precision is chosen once a trial, also after an interruption."""
    options = (EVERY_ARM, "training.precision='auto'")
    with pytest.raises(KeyboardInterrupt):
        search(tmp_path, *options, trainer=Undecided(), on_event=interrupt("trial 1 scratch", 2))
    trainer = Undecided()
    result = search(tmp_path, *options, trainer=trainer, trials=4)
    assert len(trainer.asked) == 2  # trials 2 and 3; the teacher's precision is not left open
    taken = [t.user_attrs["precision"] for t in result.study.trials]
    assert set(taken) == {"float32", "bfloat16"}
    after = iter(trainer.plans)
    expected = [taken[1]] * 3 + [taken[2]] * 5 + [taken[3]] * 5
    assert [plan.precision for plan in after] == expected
