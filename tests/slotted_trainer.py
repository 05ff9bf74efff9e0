"""A trainer in numpy whose networks have Adam's slots, on which every further training depends."""

from __future__ import annotations

from typing import Any

import numpy as np

from growsearch.datasets import Split
from growsearch.networks import Network
from growsearch.networks.network import Slots
from growsearch.training import Evaluation, TrainingPlan, TrainingResult
from tests.fake_trainer import FakeTrainer


class SlottedTrainer(FakeTrainer):
    """The fake trainer, with slots: a network that lost its slots trains to another one."""

    def train(
        self, network: Network, data: Split, plan: TrainingPlan, *, seed: int, **options: Any
    ) -> TrainingResult:
        """Add a part of the first moment to every weight, train on, and return new moments."""
        started = _nudged(network)
        found = super().train(started, data, plan, seed=seed, **options)
        trained = Network(network.architecture, found.network.weights, _slots(found.network, seed))
        return TrainingResult(trained, found.curve, found.seconds, 100.0, found.losses)

    def evaluate(self, network: Network, data: Split) -> Evaluation:
        """Evaluate the weights alone, as every trainer does."""
        return super().evaluate(Network(network.architecture, network.weights), data)


def _nudged(network: Network) -> Network:
    """Return the network moved by its first moments; without slots, as it is."""
    if network.slots is None:
        return network
    moments = network.slots.values["m"]
    weights = {
        layer: {
            name: array + moments[layer][name] if name in moments.get(layer, {}) else array
            for name, array in arrays.items()
        }
        for layer, arrays in network.weights.items()
    }
    return Network(network.architecture, weights)


def _slots(network: Network, seed: int) -> Slots:
    rng = np.random.default_rng(seed)
    values = {
        slot: {
            layer: {
                name: np.abs(rng.standard_normal(weight.shape, np.float32)) * np.float32(0.01)
                for name, weight in weights.items()
                if weight.trainable
            }
            for layer, weights in network.architecture.weights.items()
        }
        for slot in ("m", "v")
    }
    return Slots("adam", 4, values)
