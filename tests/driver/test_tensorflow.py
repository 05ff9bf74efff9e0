"""A search with TensorFlow: real trials, the same again, interrupted, diverged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import growsearch as gs
from growsearch.study.result import SearchResult
from growsearch.training.slim import SlimTrainer
from tests.fake_trainer import outcome
from tests.small_search import interrupt

pytestmark = pytest.mark.usefixtures("quick_sqlite")

SMALL = [
    "teacher.steps=5",
    "training.steps=4",
    "training.evaluate_every=2",
    "teacher.architecture=3x3x4(conv1)-pool1-8(fc1)-10(fc2)",
]


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
        assert f"{record.validation_accuracy:.4f}" in record.reason
        # A higher accuracy is not enough: the judge may find the loss not surely lower.
        refused = "does not beat" if record.gain <= 0 else "its loss is not surely lower"
        assert ("beats the best so far" if record.kept else refused) in record.reason
        assert record.gain > 0 or not record.kept
    kept = [record.validation_accuracy for record in real.trials if record.kept]
    assert real.best.validation_accuracy == max([real.teacher_accuracy, *kept])


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
