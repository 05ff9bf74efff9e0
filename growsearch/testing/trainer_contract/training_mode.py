"""Laws of training mode: batch statistics and dropout."""

from __future__ import annotations

import numpy as np
import pytest

from growsearch.datasets import Split
from growsearch.networks import INPUT, Architecture, Network, Node
from growsearch.networks.layers import BatchNorm, Dense, Dropout, Flatten
from growsearch.testing.trainer_contract.cases import (
    CLASSES,
    FLOAT32,
    IMAGE,
    Array,
    assert_close,
    regression,
    split,
    trained,
)
from growsearch.testing.trainer_contract.formulas import gradients
from growsearch.testing.trainer_contract.laws import Laws
from growsearch.training import Trainer, TrainingPlan


class TrainingModeLaws(Laws):
    """Laws of training mode: batch statistics and dropout."""

    @pytest.mark.parametrize("features", [False, True])
    def test_moving_statistics_follow_the_batch(self, trainer: Trainer, features: bool) -> None:
        """One update moves mean and variance by 1 - momentum towards the batch's."""
        flat, norm = Flatten(), BatchNorm(momentum=0.75)
        nodes = (
            (Node("flat", flat, (INPUT,)), Node("norm", norm, ("flat",)))
            if features
            else (Node("norm", norm, (INPUT,)), Node("flat", flat, ("norm",)))
        )
        architecture = Architecture(
            IMAGE, (*nodes, Node("fc", Dense(CLASSES, "linear"), (nodes[-1].name,)))
        )
        network, data = trained(architecture), split(30)
        result = trainer.train(network, data, TrainingPlan(1, 30), evaluate_on=data, seed=0).network
        x = data.images.reshape(30, -1) if features else data.images.reshape(-1, IMAGE[-1])
        old, new = network.weights["norm"], result.weights["norm"]
        assert_close(new["mean"], 0.75 * old["mean"] + 0.25 * x.mean(axis=0), FLOAT32, "mean")
        expected = [0.75 * old["variance"] + 0.25 * x.var(axis=0, ddof=ddof) for ddof in (0, 1)]
        errors = [np.abs(new["variance"] - each).max() for each in expected]
        assert min(errors) <= FLOAT32, "variance: neither the batch's nor its unbiased estimate"

    def test_training_normalises_by_the_batch(self, trainer: Trainer) -> None:
        """The gradient behind a batch norm is that of the batch's statistics, not the moving."""
        data = split(30, (2, 2, 1))
        network = regression(Node("norm", BatchNorm(scale=False, center=False), ("flat",)))
        plan = TrainingPlan(1, 30, 0.1, "sgd")
        result = trainer.train(network, data, plan, evaluate_on=data, seed=0).network
        x = data.images.reshape(30, -1).astype(np.float64)
        normal = (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + BatchNorm().epsilon)
        weights = {n: np.array(a, np.float64) for n, a in network.weights["fc"].items()}
        slope = gradients(normal, data.labels, weights)["kernel"]
        assert_close(result.weights["fc"]["kernel"], weights["kernel"] - 0.1 * slope, FLOAT32)

    def _masks(self, trainer: Trainer, *, steps: int, seed: int, layers: int = 1) -> Array:
        """Return which of 1,200 features passed dropout in each update, by the gradients' size."""
        shape = (40, 30, 1)
        drops = [
            Node(f"drop{n}", Dropout(0.4), (f"drop{n - 1}" if n else "flat",))
            for n in range(layers)
        ]
        nodes = (
            Node("flat", Flatten(), (INPUT,)),
            *drops,
            Node("fc", Dense(2, "linear", use_bias=False), (drops[-1].name,)),
        )
        architecture = Architecture(shape, nodes)
        data = Split(np.ones((1, *shape), np.float32), np.zeros(1, np.int64))
        network = Network(architecture, {"fc": {"kernel": np.zeros((1200, 2), np.float32)}})
        masks = []
        for step in range(1, steps + 1):  # from the same start, so that differences are one step's
            plan = TrainingPlan(step, 1, 1e-6, "sgd")
            result = trainer.train(network, data, plan, evaluate_on=data, seed=seed).network
            masks.append(result.weights["fc"]["kernel"][:, 0].astype(np.float64) / 0.5e-6)
        return np.diff(np.asarray(masks), axis=0, prepend=0.0)

    def test_dropout_drops_its_rate_and_scales_the_rest(self, trainer: Trainer) -> None:
        """A unit is 0 or 1 / (1 - rate), the first in a fraction ``rate`` of all cases."""
        (mask,) = self._masks(trainer, steps=1, seed=0)
        kept = mask > 0.5
        assert_close(mask[kept], np.full(kept.sum(), 1 / 0.6), 1e-3)
        assert not mask[~kept].any()
        assert abs(kept.mean() - 0.6) < 0.06  # four standard deviations

    def test_two_dropouts_are_independent(self, trainer: Trainer) -> None:
        """A unit passes two layers of dropout with probability (1 - rate)² = 0.36."""
        (mask,) = self._masks(trainer, steps=1, seed=0, layers=2)
        assert abs((mask > 0.5).mean() - 0.36) < 0.06

    def test_dropout_depends_on_seed_and_step_only(self, trainer: Trainer) -> None:
        """The same seed drops the same, in any trainer; another seed or step drops others."""
        masks = self._masks(trainer, steps=2, seed=0) > 0.5
        for other in (trainer, self.make_trainer()):
            assert np.array_equal(self._masks(other, steps=2, seed=0) > 0.5, masks)
        assert np.any(masks[0] != masks[1])
        for seed in (1, 2**31, 2**32):
            assert np.any((self._masks(trainer, steps=1, seed=seed) > 0.5)[0] != masks[0])
