"""The same again: by its seed, in several sessions, after interruptions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from growsearch.study.result import SearchResult
from tests.fake_trainer import FakeTrainer, outcome
from tests.small_search import TRIALS, interrupt, search, studies

pytestmark = pytest.mark.usefixtures("quick_sqlite")


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
    assert result.ended == f"all {TRIALS} trials are done, by earlier sessions"
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
        f"earlier sessions finished {TRIALS} trials, more than the {trials} asked for"
    )


def test_the_number_of_trials_is_no_part_of_the_run(copy: Path) -> None:
    """More trials later is how a run is extended."""
    assert len(search(copy, trials=TRIALS + 1).trials) == TRIALS + 1


def test_numbers_may_be_numpys(copy: Path, finished: SearchResult) -> None:
    """A seed out of an array is the number that it is, in a new run and in an old one."""
    options = {"seed": np.int64(0), "trials": np.int32(TRIALS), "time_budget": np.float32(1e6)}
    assert outcome(search(copy, **options)) == outcome(finished)


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
    assert states.count("RUNNING") == (training in ("trial 0", "trial 1"))  # pending: sent again
    result = search(tmp_path)
    assert outcome(result) == outcome(finished)
    assert {trial.state.name for trial in result.study.trials} == {"COMPLETE"}


def test_a_trial_interrupted_twice_is_still_the_same(
    finished: SearchResult, tmp_path: Path
) -> None:
    """A pending trial is sent again as it is."""
    for step in (2, 4):
        with pytest.raises(KeyboardInterrupt):
            search(tmp_path, on_event=interrupt("trial 1", step))
    result = search(tmp_path)
    assert [record.number for record in result.trials] == [0, 1, 2, 3, 4]
    assert outcome(result) == outcome(finished)
