"""The ends of a search and of its trainings: budget, limits, divergence, pruning."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from growsearch.errors import DivergedError
from growsearch.networks import Network
from growsearch.study.result import SearchResult
from tests.fake_trainer import FakeTrainer, outcome
from tests.messages import one_line
from tests.small_search import search, what

pytestmark = pytest.mark.usefixtures("quick_sqlite")


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
        if what(event) is not None:
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
        assert record.reason.startswith("pruned at ")
        assert list(record.arms) == ["net2net"]
