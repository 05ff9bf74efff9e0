"""Laws of updates: weights and slots follow the published formulas."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from growsearch.networks import Network, Node
from growsearch.networks.layers import Dense
from growsearch.networks.optimizers import OPTIMIZERS
from growsearch.testing.trainer_contract.cases import (
    FLOAT32,
    arrays,
    assert_close,
    assert_same,
    regression,
    rich,
    split,
    with_slots,
)
from growsearch.testing.trainer_contract.formulas import updated
from growsearch.testing.trainer_contract.laws import Laws
from growsearch.training import Trainer, TrainingPlan


class UpdateLaws(Laws):
    """Laws of updates: weights and slots follow the published formulas."""

    @pytest.mark.parametrize("start", [None, 0, 7, 5000])
    @pytest.mark.parametrize("optimizer", OPTIMIZERS)
    def test_updates_are_the_published_formula(
        self, trainer: Trainer, optimizer: str, start: int | None
    ) -> None:
        """Weights and slots after three updates are those of a float64 implementation."""
        data = split(40, (2, 2, 1))
        network = regression()
        if start is not None:
            network = with_slots(network, optimizer, start)
        decay = 0.5 if OPTIMIZERS[optimizer].decay is not None else None
        plan = TrainingPlan(3, 40, 0.1, optimizer, momentum=0.8, weight_decay=decay)
        result = trainer.train(network, data, plan, evaluate_on=data, seed=0).network
        weights, states = updated(network, data, plan)
        # At step 0 epsilon counts: some add it before the bias correction, as the paper allows.
        tolerance = 1e-4 if start is None and optimizer.startswith("adam") else FLOAT32
        slots = result.slots
        assert slots is not None
        assert (slots.optimizer, slots.step) == (optimizer, (start or 0) + 3)
        for name, expected in weights.items():
            assert_close(result.weights["fc"][name], expected, tolerance, name)
            for slot, value in states[name].items():
                assert_close(slots.values[slot]["fc"][name], value, tolerance, f"{slot} of {name}")

    @pytest.mark.parametrize("optimizer", OPTIMIZERS)
    def test_two_trainings_are_one_when_slots_are_carried(
        self, trainer: Trainer, optimizer: str
    ) -> None:
        """Two trainings of n updates are one of 2n; without the slots they are not."""
        data = split(30, (2, 2, 1))  # every batch is all of the data
        plan = TrainingPlan(20, 30, 0.05, optimizer)
        start = regression(Node("fc1", Dense(6, "tanh"), ("flat",)))

        def train(network: Network, plan: TrainingPlan) -> Network:
            return trainer.train(network, data, plan, evaluate_on=data, seed=0).network

        once = train(start, replace(plan, steps=40))
        half = train(start, plan)
        twice = train(half, plan)
        assert once.slots
        assert half.slots
        assert twice.slots
        assert (half.slots.step, twice.slots.step, once.slots.step) == (20, 40, 40)
        for name, expected in arrays(once.weights).items():
            assert_close(arrays(twice.weights)[name], expected, 1e-4, name)
        for slot, values in once.slots.values.items():
            for name, expected in arrays(values).items():
                assert_close(arrays(twice.slots.values[slot])[name], expected, 1e-3, name)
        if optimizer != "sgd":
            cold = arrays(train(replace(half, slots=None), plan).weights)
            worst = max(np.abs(cold[n] - array).max() for n, array in arrays(once.weights).items())
            assert worst > 1e-2

    def test_slots_of_another_optimizer_are_not_used(self, trainer: Trainer) -> None:
        """Momentum means nothing to Adam: it starts at step 0."""
        data, plan = split(30), TrainingPlan(4, 10)
        foreign = with_slots(rich(), "momentum", 7)
        results = [
            trainer.train(network, data, plan, evaluate_on=data, seed=0).network
            for network in (rich(), foreign)
        ]
        assert_same(*results)
        assert results[0].slots
        assert results[0].slots.step == 4

    def test_adam_and_adamw_share_their_slots(self, trainer: Trainer) -> None:
        """Adam and AdamW have the same slots, so that each continues from those of the other."""
        data = split(30, (2, 2, 1))
        network = with_slots(regression(), "adam", 7)
        plan = TrainingPlan(1, 30, optimizer="adamw")
        result = trainer.train(network, data, plan, evaluate_on=data, seed=0).network
        assert result.slots
        assert (result.slots.optimizer, result.slots.step) == ("adamw", 8)
        assert_close(
            result.weights["fc"]["kernel"], updated(network, data, plan)[0]["kernel"], 1e-6
        )

    def test_a_batch_may_be_larger_than_the_data(self, trainer: Trainer) -> None:
        """A batch three times as large as the data has each image three times."""
        data = split(5, (2, 2, 1))
        network = regression()
        result = trainer.train(
            network, data, TrainingPlan(2, 15, 0.1, "sgd"), evaluate_on=data, seed=0
        ).network
        expected, _ = updated(network, data, TrainingPlan(2, 5, 0.1, "sgd"))
        assert_close(result.weights["fc"]["kernel"], expected["kernel"], FLOAT32)
