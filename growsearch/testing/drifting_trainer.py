"""A trainer in numpy that learns nothing and needs no time, for tests of all but training."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import numpy as np

from growsearch.datasets import Split
from growsearch.errors import DivergedError
from growsearch.networks import Network
from growsearch.networks.reference import forward
from growsearch.training import Evaluation, OnEvaluation, Point, TrainingPlan, TrainingResult
from growsearch.training.class_weights import class_weights, weighted

# A learning rate above this diverges.
TOO_FAST = 1.0
# The images' losses as multiples of their mean: of two networks, accuracy and loss may disagree.
_SPREAD = (0.6, 1.4)


class DriftingTrainer:
    """Moves every weight at random; satisfies ``Trainer``'s protocol, but not its contract.

    Every outcome is a function of weights, plan and seed alone. Larger networks tend to be better,
    so that a search keeps some candidates and not others.
    """

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
        """Move every weight by a drawn amount; a learning rate above ``TOO_FAST`` diverges."""
        classes = network.architecture.shapes[network.architecture.output.name][-1]
        weights = class_weights(plan.class_weight, data.labels, classes)
        steps = [*range(0, plan.steps, plan.evaluate_every), plan.steps]
        curve: list[Point] = []
        for step in steps:
            if step and plan.learning_rate > TOO_FAST:
                raise DivergedError(f"the loss became nan with {plan.learning_rate:g}")
            if step:
                network = _moved(network, plan.learning_rate, seed + step)
            found = weighted(self.evaluate(network, evaluate_on), evaluate_on.labels, weights)
            curve.append(Point(step, found.accuracy, found.loss))
            if on_evaluation and on_evaluation(replace(curve[-1], logits=found.logits)):
                break
        return TrainingResult(network, tuple(curve), 0.25, 100.0, found.losses)

    def evaluate(self, network: Network, data: Split) -> Evaluation:
        """Draw an accuracy from the bytes of network and data, higher for larger networks.

        The images' losses lie around 1 - accuracy, which is their mean.
        """
        digest = hashlib.sha256(
            network.sha256.encode() + np.asarray(data.images).tobytes()
        ).digest()
        luck = int.from_bytes(digest[:4], "little") / 2**32
        accuracy = round(float(1 - 1 / np.log(network.parameters + 3) + 0.05 * luck), 6)
        spread = np.random.default_rng([*digest]).uniform(*_SPREAD, len(data))
        losses = ((1 - accuracy) * spread / spread.mean()).astype(np.float32)
        return Evaluation(accuracy, float(losses.mean(dtype=np.float64)), losses)

    def logits(self, network: Network, images: Any) -> Any:
        """Return the reference's outputs."""
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
