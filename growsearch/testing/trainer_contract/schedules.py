"""Laws of schedules, label smoothing and averages."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.special import softmax

from growsearch.datasets import Split
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
from growsearch.training.plan import SCHEDULES


class ScheduleLaws(Laws):
    """Laws of schedules, label smoothing and averages."""

    @pytest.mark.parametrize(
        ("schedule", "warmup"),
        [(name, 0 if name == "one_cycle" else 4) for name in SCHEDULES] + [("cosine", 0)],
    )
    def test_rates_follow_the_schedule(self, trainer: Trainer, schedule: str, warmup: int) -> None:
        """Each step of gradient descent is taken with its own rate of the published formula."""
        data, network = split(30, (2, 2, 1)), regression()
        plan = TrainingPlan(7, 30, 0.5, "sgd", schedule=schedule, schedule_start=2, warmup=warmup)
        plan = replace(plan, schedule_steps=11, decay_share=0.5, timescale=3)
        rates = [0.5 * scheduled(plan, step, 11) for step in range(2, 9)]
        _assert_trained_at(rates, trainer, network, data, plan)

    @pytest.mark.parametrize("schedule", ["constant", "cosine"])
    def test_a_rewarmed_training_begins_slowly(self, trainer: Trainer, schedule: str) -> None:
        """The first updates of a training have rising shares of their rates, wherever it begins."""
        data, network = split(30, (2, 2, 1)), regression()
        plan = TrainingPlan(7, 30, 0.5, "sgd", schedule=schedule, schedule_start=2)
        plan = replace(plan, schedule_steps=11, rewarm=4)
        shares = [0.25, 0.5, 0.75, 1.0, 1.0, 1.0, 1.0]
        rates = [0.5 * scheduled(plan, step, 11) * s for step, s in enumerate(shares, 2)]
        _assert_trained_at(rates, trainer, network, data, plan)

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

    def test_without_averages_there_is_no_last_network(self, trainer: Trainer) -> None:
        """``last`` is None where ``network`` itself is that of the last update."""
        data = split(30, (2, 2, 1))
        plan = TrainingPlan(2, 10, 0.1, "sgd")
        assert trainer.train(regression(), data, plan, evaluate_on=data, seed=0).last is None

    @pytest.mark.parametrize("optimizer", ["adam", "momentum"])
    def test_beside_averages_the_last_network_is_that_without(
        self, trainer: Trainer, optimizer: str
    ) -> None:
        """Averages change no update: ``last`` has the weights and slots of a training without."""
        data, network = split(40), trained(around(BatchNorm(momentum=0.5)))
        plan = TrainingPlan(6, 20, 0.01, optimizer)
        plain, averaged = (
            trainer.train(network, data, replace(plan, ema=ema), evaluate_on=data, seed=0)
            for ema in (0.0, 0.9)
        )
        last, expected = averaged.last, plain.network
        assert last is not None
        assert last.slots
        assert expected.slots
        assert last.slots.step == 6
        for name, array in arrays(expected.weights).items():
            assert_close(arrays(last.weights)[name], array, 1e-4, name)
        for slot, values in expected.slots.values.items():
            for name, array in arrays(values).items():
                assert_close(arrays(last.slots.values[slot])[name], array, 1e-4, name)
        moved = arrays(averaged.network.weights)
        assert any(np.abs(moved[n] - a).max() > 1e-3 for n, a in arrays(last.weights).items())

    def test_a_training_goes_on_from_the_last_network(self, trainer: Trainer) -> None:
        """Two trainings of n updates, the second from ``last``, are one of 2n in all weights."""
        data = split(30, (2, 2, 1))  # every batch is all of the data
        start = regression(Node("fc1", Dense(6, "tanh"), ("flat",)))
        plan = TrainingPlan(20, 30, 0.05, "momentum", ema=0.9)

        def train(network: Network, plan: TrainingPlan) -> Any:
            return trainer.train(network, data, plan, evaluate_on=data, seed=0)

        once, half = train(start, replace(plan, steps=40)).last, train(start, plan)
        for first, is_same in ((half.last, True), (half.network, False)):
            twice = arrays(train(first, plan).last.weights)
            errors = [np.abs(twice[n] - a).max() for n, a in arrays(once.weights).items()]
            assert bool(max(errors) <= 1e-4) is is_same


def _assert_trained_at(
    rates: list[float], trainer: Trainer, network: Network, data: Split, plan: TrainingPlan
) -> None:
    """Assert that a plan of gradient descent on all of the data has a list of learning rates."""
    result = trainer.train(network, data, plan, evaluate_on=data, seed=0).network
    expected = network
    for rate in rates:
        weights, _ = updated(expected, data, TrainingPlan(1, 30, rate, "sgd"))
        expected = replace(
            expected, weights={"fc": {n: np.asarray(a, np.float32) for n, a in weights.items()}}
        )
    for name, array in expected.weights["fc"].items():
        assert_close(result.weights["fc"][name], array, FLOAT32, name)
