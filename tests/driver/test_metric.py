"""A search by another metric than accuracy: it decides, and it is told by its own name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import growsearch as gs
from growsearch.cli import main
from growsearch.datasets import Dataset, Split
from growsearch.driver.holdout import hold_out
from growsearch.errors import DamagedRunError, InvalidInputError
from growsearch.study.attributes import Candidate, TeacherAttribute
from growsearch.study.result import SearchResult
from growsearch.training.class_weights import class_weights
from growsearch.trials.metrics import METRICS, measured
from tests.fake_trainer import FakeTrainer
from tests.scoring_trainer import ScoringTrainer, unequal
from tests.small_search import search, studies
from tests.trunk_search import search as trunk_search

pytestmark = pytest.mark.usefixtures("quick_sqlite")

OTHERS = sorted(set(METRICS) - {"accuracy"})


def searched(out: Path, *overrides: str, **options: Any) -> SearchResult:
    options = {"data": unequal(), "trainer": ScoringTrainer(), **options}
    return search(out, *overrides, **options)


def by(metric: str, network: gs.Network, split: Split) -> float:
    """The value of a metric, from the network's outputs."""
    return measured(metric, ScoringTrainer().logits(network, split.images), split.labels)[0]


@pytest.mark.parametrize("metric", OTHERS)
def test_the_metric_takes_the_place_of_accuracy(tmp_path: Path, metric: str) -> None:
    """In the study's values and curves, of the best network and the teacher, and at the end.

    The accuracies of the test images stay accuracies.
    """
    data = unequal()
    result = searched(tmp_path, f"judge.metric={metric}")
    selection, held_out = hold_out(data.validation, 0.5)
    best, teacher = result.best.network, TeacherAttribute.read(result.study)
    assert result.metric == metric
    assert result.best.validation_accuracy == pytest.approx(by(metric, best, selection))
    assert teacher is not None
    assert result.teacher_accuracy == teacher.curve[-1][1]
    for trial in result.study.trials:
        about = Candidate.read(trial)
        if trial.value is not None and about.kept:
            stored = gs.Network.load(tmp_path / "weights" / f"{about.sha256}.safetensors")
            assert trial.value == pytest.approx(by(metric, stored, selection))
            assert about.curve[-1][1] == trial.value
    assert held_out is not None
    assert result.held_out_score == pytest.approx(by(metric, best, held_out))
    assert result.test_score == pytest.approx(by(metric, best, data.test))
    assert result.test_accuracy == pytest.approx(by("accuracy", best, data.test))
    evidence = result.evidence()
    assert evidence.held_out is not None
    assert evidence.held_out.held_out == result.held_out_score
    assert gs.load_result(tmp_path).scores == result.scores


def test_candidates_are_kept_by_the_metric_alone(tmp_path: Path) -> None:
    """The reasons have its difference and error, and none speaks of a loss."""
    result = searched(tmp_path, "judge.metric=auc", "judge.rule=not_inferior", trials=8)
    reasons = [trial.reason for trial in result.trials if trial.state == "COMPLETE"]
    assert len(reasons) == 8
    for reason in reasons:
        assert "than the best so far" in reason
        assert "loss" not in reason
    assert any(" ± " in reason for reason in reasons)


def test_the_metric_is_told_by_its_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In the table of trials, the summary, the comparison with controls and in JSON."""
    result = searched(tmp_path, "judge.metric=balanced_accuracy")

    def told(*arguments: str) -> str:
        assert main([*arguments, str(tmp_path)]) == 0
        return capsys.readouterr().out

    shown = told("show")
    assert "By validation balanced accuracy. Parent: its trial." in shown
    assert " balanced " in shown.partition("\n")[2].partition("\n")[0]
    for row in ("validation balanced accuracy", "test balanced accuracy", "test accuracy"):
        assert f"\n{row} " in shown
    assert "All trials: validation balanced accuracy, net2net less control" in told("compare")
    found = json.loads(told("show", "--json"))
    assert found["metric"] == "balanced_accuracy"
    assert found["best"]["validation_balanced_accuracy"] == result.best.validation_accuracy
    assert found["scores"]["test_balanced_accuracy"] == result.test_score
    assert found["test_accuracy"] == result.test_accuracy
    assert "validation_accuracy" not in json.dumps(found)
    assert "balanced_accuracy" in json.loads(told("compare", "--json"))["overall"][0]


def test_the_run_ends_with_its_confusion_matrix(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """On the test images and on those held out, of the network that is kept."""
    result, data = searched(tmp_path), unequal()
    held_out = hold_out(data.validation, 0.5)[1]
    assert held_out is not None
    for on, split in (("test", data.test), ("held_out", held_out)):
        found = result.confusion(on)  # type: ignore[arg-type]
        assert found is not None
        predicted = ScoringTrainer().logits(result.best.network, split.images).argmax(axis=1)
        for true, other, images in found.cells:
            assert images == np.sum((split.labels == true) & (predicted == other))
        assert found.images.tolist() == np.bincount(split.labels).tolist()
    assert result.confusions["test"].accuracy == result.test_accuracy
    assert gs.load_result(tmp_path).confusions == result.confusions
    assert result.to_json()["confusion"]["test"] == result.confusions["test"].to_json()
    assert main(["show", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert "Accuracy by class on the test images" in shown
    assert "Accuracy by class on the held-out validation images" in shown


def test_classes_have_their_names(tmp_path: Path) -> None:
    """As the study has them, unless they are names of other classes."""
    searched(tmp_path, trials=1)
    study, _ = studies(tmp_path)
    data = study.user_attrs["data"]
    for names, found in ((["a", "b", "c"], ("a", "b", "c")), (["a"], None)):
        study.set_user_attr("data", data | {"class_names": names})
        confusion = gs.load_result(tmp_path).confusion("held_out")
        assert confusion is not None
        assert confusion.class_names == found


@pytest.mark.parametrize("cell", [[0, 3, 1], [0, -1, 1], [0, 0, 0], [0, 0], "x"])
def test_a_matrix_of_other_classes_is_refused(tmp_path: Path, cell: Any) -> None:
    """A study that another program changed gives one line."""
    searched(tmp_path, trials=0)
    study, _ = studies(tmp_path)
    test = study.user_attrs["test"]
    study.set_user_attr("test", test | {"confusion": [cell]})
    with pytest.raises(DamagedRunError, match="the study's attribute test: expected what growse"):
        gs.load_result(tmp_path)


def test_losses_are_weighted_on_both_sides_of_the_judge(tmp_path: Path) -> None:
    """The losses of incumbents, which are evaluated alone, have the weights of a training."""
    result = searched(
        tmp_path, "training.class_weight=balanced", "judge.rule=not_inferior", "judge.held_out=0"
    )
    data = unequal()
    weights = class_weights("balanced", data.train.labels, 3)
    assert weights is not None
    kept = [trial for trial in result.trials if trial.kept]
    assert kept
    for trial in kept[:1]:
        about = Candidate.read(result.study.trials[trial.number])
        stored = gs.Network.load(tmp_path / "weights" / f"{about.sha256}.safetensors")
        plain = ScoringTrainer().evaluate(stored, data.validation).losses
        assert plain is not None
        expected = (plain * weights[data.validation.labels]).mean()
        assert about.curve[-1][2] == pytest.approx(expected, rel=1e-5)
        attribute = TeacherAttribute.read(result.study)
        assert attribute is not None
        teacher = gs.Network.load(tmp_path / "weights" / f"{attribute.sha256}.safetensors")
        before = ScoringTrainer().evaluate(teacher, data.validation).losses
        assert before is not None
        change = expected - (before * weights[data.validation.labels]).mean()
        assert f"loss {change:+.4f} ± " in trial.reason


def test_a_trunk_is_read_by_the_metric(tmp_path: Path) -> None:
    """Losses decide; accuracies of its readings are values of the metric."""
    metric = "f1_macro"
    result = trunk_search(
        tmp_path,
        f"judge.metric={metric}",
        "training.class_weight=balanced",
        data=unequal(),
        trainer=ScoringTrainer(),
    )
    selection, _ = hold_out(unequal().validation, 0.5)
    network = result.best.network
    assert result.best.validation_accuracy == pytest.approx(by(metric, network, selection))
    weights = class_weights("balanced", unequal().train.labels, 3)
    plain = ScoringTrainer().evaluate(network, selection).losses
    assert weights is not None
    assert plain is not None
    expected = (plain * weights[selection.labels]).mean()
    assert result.best.validation_loss == pytest.approx(expected, rel=1e-5)
    assert f"validation_{metric}" in result.to_json()["readings"][0]


def test_a_trainer_without_outputs_is_refused(tmp_path: Path) -> None:
    """The metric needs them; the refusal says what to do."""
    with pytest.raises(InvalidInputError, match=r"^judge\.metric: expected a trainer that gives"):
        search(tmp_path, "judge.metric=auc", trainer=FakeTrainer())


def test_images_without_a_curve_are_refused_before_the_first_training(tmp_path: Path) -> None:
    """The refusal names the images."""
    data = unequal()
    one = Split(data.test.images, np.ones(len(data.test), np.int64))
    data = Dataset("noise", data.train, data.validation, one, source="a test", classes=3)
    trainer = ScoringTrainer()
    with pytest.raises(InvalidInputError, match=r"^judge\.metric: auc: test images: .* class 1"):
        search(tmp_path, "judge.metric=auc", data=data, trainer=trainer)
    assert not trainer.evaluated
