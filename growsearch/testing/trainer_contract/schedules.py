"""Laws of schedules, label smoothing and averages."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.special import softmax

from growsearch.networks import Network, Node
from growsearch.networks.layers import BatchNorm, Dense
from growsearch.testing.trainer_contract.cases import (
    CLASSES,
    FLOAT32,
    around,
    arrays,
    assert_close,
    regression,
    split,
    trained,
)
from growsearch.testing.trainer_contract.formulas import scheduled, updated
from growsearch.testing.trainer_contract.laws import Laws
from growsearch.training import Trainer, TrainingPlan


class ScheduleLaws(Laws):
    """Laws of schedules, label smoothing and averages."""

    @pytest.mark.parametrize("schedule", ["constant", "cosine", "one_cycle"])
    def test_rates_follow_the_schedule(self, trainer: Trainer, schedule: str) -> None:
        """Each step of gradient descent is taken with its own rate of the published formula."""
        data, network = split(30, (2, 2, 1)), regression()
        plan = TrainingPlan(7, 30, 0.5, "sgd", schedule=schedule, schedule_start=2)
        plan = replace(plan, schedule_steps=11)
        result = trainer.train(network, data, plan, evaluate_on=data, seed=0).network
        expected = network
        for step in range(2, 9):
            one = TrainingPlan(1, 30, 0.5 * scheduled(schedule, step, 11), "sgd")
            weights, _ = updated(expected, data, one)
            expected = replace(
                expected, weights={"fc": {n: np.asarray(a, np.float32) for n, a in weights.items()}}
            )
        for name, array in expected.weights["fc"].items():
            assert_close(result.weights["fc"][name], array, FLOAT32, name)

    @pytest.mark.parametrize("optimizer", ["adam", "momentum"])
    def test_a_schedule_runs_through_two_trainings(self, trainer: Trainer, optimizer: str) -> None:
        """Two plans that share a schedule, with slots carried, are one plan."""
        data = split(30, (2, 2, 1))
        start = regression(Node("fc1", Dense(6, "tanh"), ("flat",)))
        plan = TrainingPlan(40, 30, 0.05, optimizer, schedule="one_cycle")
        first = replace(plan, steps=15, schedule_steps=40)
        second = replace(plan, steps=25, schedule_start=15)

        def train(network: Network, plan: TrainingPlan) -> Network:
            return trainer.train(network, data, plan, evaluate_on=data, seed=0).network

        once, twice = train(start, plan), train(train(start, first), second)
        for name, expected in arrays(once.weights).items():
            assert_close(arrays(twice.weights)[name], expected, 1e-4, name)
        anew = arrays(train(train(start, first), replace(second, schedule_start=0)).weights)
        assert any(
            np.abs(anew[name] - array).max() > 1e-2 for name, array in arrays(once.weights).items()
        )

    def test_label_smoothing_is_its_formula(self, trainer: Trainer) -> None:
        """Labels are (1 - s) · one-hot + s / classes, as Keras has it; evaluations know none."""
        data, network = split(30, (2, 2, 1)), regression()
        plan = TrainingPlan(1, 30, 0.5, "sgd", label_smoothing=0.3)
        result = trainer.train(network, data, plan, evaluate_on=data, seed=0)
        x = data.images.reshape(30, -1).astype(np.float64)
        start = {n: np.array(a, np.float64) for n, a in network.weights["fc"].items()}
        labels = 0.7 * np.eye(CLASSES)[data.labels] + 0.3 / CLASSES
        error = softmax(x @ start["kernel"] + start["bias"], axis=1) - labels
        weights = result.network.weights["fc"]
        assert_close(weights["kernel"], start["kernel"] - 0.5 * x.T @ error / 30, FLOAT32)
        assert_close(weights["bias"], start["bias"] - 0.5 * error.mean(axis=0), FLOAT32)
        assert result.final.loss == trainer.evaluate(result.network, data).loss

    def test_averages_are_their_formula(self, trainer: Trainer) -> None:
        """The result is ema · average + (1 - ema) · weight over the steps, statistics included."""
        data, steps = split(40), 4
        network = trained(around(BatchNorm(momentum=0.5)))
        plan = TrainingPlan(1, 40, 0.1, "momentum")

        def train(plan: TrainingPlan, network: Network) -> Any:
            return trainer.train(network, data, plan, evaluate_on=data, seed=0)

        expected = arrays(network.weights)
        for step in range(1, steps + 1):
            raw = train(replace(plan, steps=step), network).network
            for name, array in arrays(raw.weights).items():
                expected[name] = 0.8 * expected[name] + 0.2 * array
        result = train(replace(plan, steps=steps, ema=0.8), network)
        for name, array in expected.items():
            assert_close(arrays(result.network.weights)[name], array, 1e-4, name)
        for slot, values in raw.slots.values.items():
            for name, array in arrays(values).items():
                assert_close(arrays(result.network.slots.values[slot])[name], array, 1e-4, name)
        found = trainer.evaluate(result.network, data)
        assert (found.accuracy, found.loss) == (result.final.accuracy, result.final.loss)
