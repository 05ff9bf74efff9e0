"""A trainer in numpy that needs no time: for tests of everything but training itself."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from growsearch.datasets import Dataset, Split
from growsearch.errors import DivergedError
from growsearch.networks import Network
from growsearch.networks.reference import forward
from growsearch.space import SearchSpace
from growsearch.study.result import SearchResult
from growsearch.training import Evaluation, OnEvaluation, Point, TrainingPlan, TrainingResult

SMALL = (
    "teacher.architecture=3x3x2(conv1)-pool1-4(fc1)-3(fc2)",
    "teacher.input_shape=[4, 4, 1]",
    "teacher.steps=2",
    "training.steps=4",
    "training.evaluate_every=2",
    "limits.width_multiple=2",
    "search.startup_trials=2",
)
# A learning rate above this diverges.
TOO_FAST = 1.0
# The images' losses as multiples of their mean: of two networks, accuracy and loss may disagree.
SPREAD = (0.6, 1.4)


def space(*overrides: str, **changes: Any) -> SearchSpace:
    """Return the small space, changed by texts as of ``--set`` and by values of sections."""
    return SearchSpace.load("digits", [*SMALL, *overrides]).replace(**changes)


def images(seed: int = 0) -> Dataset:
    """Three splits of small random images in three classes."""
    rng = np.random.default_rng(seed)
    splits = (
        Split(rng.random((count, 4, 4, 1), np.float32), np.arange(count) % 3)
        for count in (60, 12, 12)
    )
    return Dataset("noise", *splits, source="a test", classes=3)


def outcome(result: SearchResult) -> Any:
    """All that must be the same in two runs of one command, however often one was interrupted.

    A trial that was repeated has another number, so that trials are named by their place.
    """
    place = {record.number: place for place, record in enumerate(result.trials)}
    place |= {None: None}
    stored = result.study.get_trials(deepcopy=False)
    trials = [
        (
            record.state,
            stored[record.number].params,
            stored[record.number].intermediate_values,
            stored[record.number].user_attrs.get("sha256"),
            place[record.parent],
            record.growth,
            record.gain,
            record.reason,
            {name: (arm.curve, arm.accuracy, arm.failure) for name, arm in record.arms.items()},
        )
        for record in result.trials
    ]
    return (
        trials,
        place[result.best.trial_number],
        result.best.path.name,
        result.best.validation_accuracy,
        result.test_accuracy,
        result.teacher_accuracy,
        result.teacher_test_accuracy,
    )


def without_fsync(connection: Any, _record: Any) -> None:
    """Let SQLite leave the writing to the operating system."""
    if type(connection).__module__.startswith("sqlite3"):
        connection.execute("PRAGMA synchronous=OFF")


class FakeTrainer:
    """Satisfies ``Trainer``: every outcome is a function of weights, plan and seed alone.

    Larger networks tend to be better, so that a search keeps some candidates and not others.
    """

    def __init__(self) -> None:
        self.evaluated: list[tuple[str, str]] = []

    def train(
        self,
        network: Network,
        data: Split,
        plan: TrainingPlan,
        *,
        evaluate_on: Split,
        seed: int,
        on_evaluation: OnEvaluation | None = None,
    ) -> TrainingResult:
        """Move every weight by a drawn amount; a fast learning rate diverges."""
        del data
        steps = [*range(0, plan.steps, plan.evaluate_every), plan.steps]
        curve: list[Point] = []
        for step in steps:
            if step and plan.learning_rate > TOO_FAST:
                raise DivergedError(f"the loss became nan with {plan.learning_rate:g}")
            if step:
                network = _moved(network, plan.learning_rate, seed + step)
            found = self.evaluate(network, evaluate_on)
            curve.append(Point(step, found.accuracy, found.loss))
            if on_evaluation and on_evaluation(curve[-1]):
                break
        return TrainingResult(network, tuple(curve), 0.25, 100.0, found.losses)

    def evaluate(self, network: Network, data: Split) -> Evaluation:
        """Draw an accuracy from the bytes of network and data, higher for larger networks.

        The images' losses lie around 1 - accuracy, which is their mean.
        """
        digest = hashlib.sha256(network.sha256.encode() + data.images.tobytes()).digest()
        self.evaluated.append((network.sha256, hashlib.sha256(data.images).hexdigest()))
        luck = int.from_bytes(digest[:4], "little") / 2**32
        accuracy = round(float(1 - 1 / np.log(network.parameters + 3) + 0.05 * luck), 6)
        spread = np.random.default_rng([*digest]).uniform(*SPREAD, len(data))
        losses = np.float32((1 - accuracy) * spread / spread.mean())
        return Evaluation(accuracy, float(losses.mean(dtype=np.float64)), losses)

    def logits(self, network: Network, images: Any) -> Any:
        """The reference's."""
        return forward(network, images)


def _moved(network: Network, rate: float, seed: int) -> Network:
    rng = np.random.default_rng(seed)
    weights = {
        layer: {
            name: network.weights[layer][name]
            + np.float32(rate) * rng.standard_normal(weight.shape, np.float32)
            for name, weight in weights.items()
        }
        for layer, weights in network.architecture.weights.items()  # a file's have any order
    }
    return Network(network.architecture, weights, network.slots)
