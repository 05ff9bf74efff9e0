"""The space with batch norm, skips and every growth, searched end to end with TensorFlow."""

from __future__ import annotations

import pytest

import growsearch as gs
from growsearch.growth import GROWTHS
from growsearch.study.result import SearchResult

SMALL = [
    "teacher.steps=6",
    "training.steps=4",
    "training.evaluate_every=4",
    "teacher.batch_size=20",
    "training.batch_size=20",
    "search.sampler=random",
    "judge.margin=0.0",
    "limits.width=64",
]
TRIALS = 13


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> SearchResult:
    """A short search of MNIST's space on handwritten digits."""
    space = gs.SearchSpace.load("mnist_residual", SMALL)
    out = tmp_path_factory.mktemp("residual") / "run"
    return gs.search(space, data=gs.load_data("digits"), trials=TRIALS, out=out, seed=0)


def test_every_growth_is_tried_and_trained(result: SearchResult) -> None:
    """All operations of the table come up, and each candidate and its control is trained."""
    assert {record.operation for record in result.trials} == set(GROWTHS)
    for record in result.trials:
        assert record.state == "COMPLETE", record.reason
        assert set(record.arms) == {"net2net", "random"}
        assert all(arm.accuracy is not None for arm in record.arms.values())


def test_every_candidate_starts_as_its_parent(result: SearchResult) -> None:
    """Its accuracy before the first update is its parent's: to one image that float32 tips over."""
    accuracies = {None: result.teacher_accuracy}
    for record in result.trials:
        accuracies[record.number] = record.validation_accuracy
        start = record.arms["net2net"].curve[0][1]
        assert start == pytest.approx(accuracies[record.parent], abs=1 / 75 + 1e-9)


def test_the_best_network_loads_and_computes(result: SearchResult) -> None:
    """Whatever graph it has become, its file is the network, and Keras agrees."""
    network = gs.Network.load(result.best.path)
    images = gs.load_data("digits").test.images[:4]
    outputs = network.forward(images)
    theirs = network.to_keras()(images, training=False).numpy()
    assert abs(outputs - theirs).max() <= 1e-4 * max(1.0, abs(outputs).max())
