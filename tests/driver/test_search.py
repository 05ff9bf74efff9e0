"""A whole search: what it keeps, what its trials report, what its result holds."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import growsearch as gs
from growsearch.datasets import Split
from growsearch.driver.events import TrialFinished
from growsearch.driver.holdout import hold_out
from growsearch.networks import Network
from growsearch.study.attributes import Candidate
from growsearch.study.result import SearchResult
from growsearch.training import Evaluation, TrainingPlan
from tests.fake_trainer import FakeTrainer, images, outcome
from tests.small_search import TRIALS, search

pytestmark = pytest.mark.usefixtures("quick_sqlite")


class Silent(FakeTrainer):
    """Gives no losses, as a trainer may: accuracy decides alone."""

    def evaluate(self, network: Network, data: Split) -> Evaluation:
        return replace(super().evaluate(network, data), losses=None)


def test_values_are_validation_accuracies(tmp_path: Path) -> None:
    """Optuna's best trial is the best network, where the trainer gives no losses."""
    result = search(tmp_path, trainer=Silent())
    assert result.study.best_trial.number == result.best.trial_number
    assert result.study.best_value == result.best.validation_accuracy
    assert result.study.metric_names == ["validation accuracy"]
    best = result.teacher_accuracy
    for record in result.trials:
        assert record.kept == (record.validation_accuracy > best)
        best = max(best, record.validation_accuracy)


class Remembers(FakeTrainer):
    """Remembers the accuracy and the losses of each training."""

    def __init__(self) -> None:
        super().__init__()
        self.trained: list[tuple[float, Any]] = []

    def train(self, *args: Any, **options: Any) -> Any:
        result = super().train(*args, **options)
        self.trained.append((result.final.accuracy, result.losses))
        return result


def test_two_witnesses_decide(tmp_path: Path) -> None:
    """Kept is what has a higher accuracy and a loss lower by more than a standard error.

    The loss refuses some candidates that accuracy would keep; the reason says which one did.
    """
    trainer = Remembers()
    result = search(tmp_path, "controls.arms=[]", trials=12, trainer=trainer)
    (accuracy, losses), *candidates = trainer.trained
    seen = set()
    for record, (found, its_losses) in zip(result.trials, candidates, strict=True):
        gains = losses.astype(float) - its_losses
        lower = gains.mean() > gains.std(ddof=1) / np.sqrt(len(gains))
        higher = found > accuracy
        assert record.kept == (higher and lower)
        assert ("does not beat" in record.reason) == (not higher)
        assert ("loss is not surely lower" in record.reason) == (higher and not lower)
        seen.add((bool(higher), bool(lower)))
        if record.kept:
            accuracy, losses = found, its_losses
    assert seen == {(False, False), (True, False), (True, True)}


def test_some_candidates_are_kept_and_some_are_not(finished: SearchResult) -> None:
    """Of what is kept the bytes are stored, others' are not; gains are over the best before."""
    best = finished.teacher_accuracy
    stored = {path.stem for path in (finished.folder / "weights").glob("*.safetensors")}
    names = {finished.study.user_attrs["teacher"]["sha256"]}
    for record in finished.trials:
        assert record.gain == pytest.approx(record.validation_accuracy - best)
        if record.kept:
            best = record.validation_accuracy
            names.add(Candidate.read(finished.study.trials[record.number]).sha256)
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
    rule = "judge={rule = 'not_inferior', held_out = 0.0}"
    result = search(tmp_path, rule, trainer=Fair())
    parents = [record.parent for record in result.trials]
    assert parents == [None, *(record.number for record in result.trials[:-1])]
    assert result.best.trial_number == result.trials[-1].number
    assert min(record.gain or 0.0 for record in result.trials) < 0.0
    assert search(tmp_path, rule, trainer=Fair()).best.path == result.best.path


def test_candidates_report_the_difference_to_their_parent(finished: SearchResult) -> None:
    """The values that a pruner reads compare across generations."""
    for record in finished.trials:
        reported = finished.study.trials[record.number].intermediate_values
        parent = record.validation_accuracy - record.gain
        for step, accuracy, _ in record.arms["net2net"].curve:
            assert reported[step] == pytest.approx(accuracy - parent)


def test_the_test_set_is_opened_once_at_the_end(tmp_path: Path) -> None:
    """No candidate is ever measured on it, and no number can be read before the end."""
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
    _, held_out = hold_out(dataset.validation, 0.5)
    held = hashlib.sha256(held_out.images).hexdigest()
    last = [(name, split) for split in (images_of_test, held) for name in on_test]
    assert trainer.evaluated[-4:] == last


def test_a_run_can_be_read_without_running(copy: Path, finished: SearchResult) -> None:
    """The result read from the folder is the one that the search returned."""
    assert outcome(gs.load_result(copy)) == outcome(finished)


def test_the_result_is_json(finished: SearchResult) -> None:
    """The whole result is plain JSON values."""
    text = json.dumps(finished.to_json(), allow_nan=False)
    assert json.loads(text)["best"]["sha256"] == finished.best.path.stem
