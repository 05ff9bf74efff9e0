"""A trainer in numpy that is read by averages, for tests of a trunk."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from growsearch.datasets import Split
from growsearch.networks import Network
from growsearch.training import OnEvaluation, Point, TrainingPlan, TrainingResult
from tests.slotted_trainer import SlottedTrainer


class AveragingTrainer(SlottedTrainer):
    """The trainer with slots, which also averages: the mean of a training's begin and end."""

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
        """Train on, and return averages, with their curve, and the weights of the last update."""
        found = super().train(
            network, data, plan, evaluate_on=evaluate_on, seed=seed, on_evaluation=on_evaluation
        )
        average = Network(network.architecture, _mean(network, found.network))
        read = self.evaluate(average, evaluate_on)
        last = Point(found.final.step, read.accuracy, read.loss)
        curve = (*found.curve[:-1], last)
        return replace(found, network=average, curve=curve, losses=read.losses, last=found.network)


def _mean(one: Network, other: Network) -> dict[str, dict[str, Any]]:
    return {
        layer: {
            name: np.asarray((array + other.weights[layer][name]) / 2, np.float32)
            for name, array in arrays.items()
        }
        for layer, arrays in one.weights.items()
    }
