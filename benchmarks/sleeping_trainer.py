"""A trainer that sleeps: its jobs take seconds and hardly any processor."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from growsearch.datasets import Split
from growsearch.networks import Network
from growsearch.networks.reference import forward
from growsearch.training import Evaluation, OnEvaluation, Point, TrainingPlan, TrainingResult


class SleepingTrainer:
    """Sleeps for drawn seconds and moves every weight a little; satisfies ``Trainer``'s protocol.

    Every outcome, the seconds too, is a function of weights, plan and seed.

    Parameters
    ----------
    seconds : float
        The mean of a training.
    spread : float
        The standard deviation of a training's seconds, as a share of the mean; they are uniform.
    """

    def __init__(self, seconds: float, spread: float = 0.1) -> None:
        self.seconds = seconds
        self.spread = spread

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
        """Sleep between the evaluations, and return the moved network."""
        del data
        began = time.monotonic()
        rng = np.random.default_rng([seed, *bytes.fromhex(network.sha256)])
        half = 3**0.5 * self.spread
        seconds = self.seconds * float(rng.uniform(1.0 - half, 1.0 + half))
        weights = {
            layer: {name: each + np.float32(1e-3 * rng.random()) for name, each in named.items()}
            for layer, named in network.weights.items()
        }
        trained = Network(network.architecture, weights, network.slots)
        found = self.evaluate(trained, evaluate_on)
        steps = [*range(0, plan.steps, plan.evaluate_every), plan.steps]
        curve: list[Point] = []
        for step in steps:
            due = began + seconds * step / plan.steps
            time.sleep(max(0.0, due - time.monotonic()))
            curve.append(Point(step, found.accuracy, found.loss))
            if on_evaluation and on_evaluation(curve[-1]):
                break
        rate = plan.steps * plan.batch_size / seconds
        return TrainingResult(trained, tuple(curve), seconds, rate, found.losses)

    def evaluate(self, network: Network, data: Split) -> Evaluation:
        """Draw an accuracy and the images' losses from the network's bytes."""
        rng = np.random.default_rng([*bytes.fromhex(network.sha256)])
        accuracy = round(float(rng.uniform(0.90, 0.95)), 6)
        losses = rng.uniform(0.9, 1.1, len(data)).astype(np.float32) * np.float32(1.0 - accuracy)
        return Evaluation(accuracy, float(losses.mean(dtype=np.float64)), losses)

    def logits(self, network: Network, images: Any) -> Any:
        """Return the reference's outputs."""
        return forward(network, images)
