"""Laws of determinism: a training is a function of its arguments."""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from growsearch.networks import Network, Node
from growsearch.networks.layers import Activation
from growsearch.testing.trainer_contract.cases import (
    arrays,
    assert_close,
    assert_same,
    regression,
    rich,
    split,
    with_slots,
)
from growsearch.testing.trainer_contract.laws import Laws
from growsearch.training import Augmentation, Trainer, TrainingPlan


class DeterminismLaws(Laws):
    """Laws of determinism: a training is a function of its arguments."""

    def test_the_same_seed_gives_the_same_bytes(self, trainer: Trainer) -> None:
        """Training is a function of its arguments: also after others, also in a new trainer."""
        data, plan = split(64), TrainingPlan(12, 8, 0.01)

        def train(trainer: Trainer, seed: int) -> Network:
            return trainer.train(rich(), data, plan, evaluate_on=data, seed=seed).network

        first = train(trainer, 3)
        other = train(trainer, 4)
        assert first.sha256 != other.sha256
        assert_same(train(trainer, 3), first)
        assert_same(train(self.make_trainer(), 3), first)

    def test_arms_see_the_same_images(self, trainer: Trainer) -> None:
        """The order of the images depends on the seed, not on the network or what came before."""
        data = split(64, (2, 2, 1))
        plan = TrainingPlan(12, 8, 0.01, "sgd")
        small = regression()
        relu_twin = regression(Node("same", Activation("relu"), ("flat",)))  # pixels are >= 0
        results = [
            trainer.train(network, data, plan, evaluate_on=data, seed=3).network
            for network in (small, relu_twin)
        ]
        assert_close(results[1].weights["fc"]["kernel"], results[0].weights["fc"]["kernel"], 1e-6)

    def test_a_trainer_can_be_pickled_and_copied(self, trainer: Trainer) -> None:
        """The copy trains as the original does; so other processes can train."""
        data, plan = split(64), TrainingPlan(3, 8, 0.01)
        first = trainer.train(rich(), data, plan, evaluate_on=data, seed=3).network
        for other in (pickle.loads(pickle.dumps(trainer)), copy.deepcopy(trainer)):
            assert_same(other.train(rich(), data, plan, evaluate_on=data, seed=3).network, first)

    def test_networks_stay_as_they_are(self, trainer: Trainer) -> None:
        """Neither the parent nor an earlier result changes when something is trained later."""
        data, plan = split(64), TrainingPlan(3, 8, 0.1)
        parent = with_slots(rich(), "adam", 3)
        before = arrays(parent.weights)
        first = trainer.train(parent, data, plan, evaluate_on=data, seed=0).network
        result = arrays(first.weights)
        trainer.train(first, data, plan, evaluate_on=data, seed=1)
        for name, array in arrays(parent.weights).items():
            assert np.array_equal(array, before[name]), name
        for name, array in arrays(first.weights).items():
            assert np.array_equal(array, result[name]), name
            assert not np.array_equal(array, before[name]), name

    @pytest.mark.parametrize(
        "options",
        [
            {"precision": "bfloat16"},
            {"precision": "bfloat16", "optimizer": "momentum", "weight_decay": 0.1, "ema": 0.9},
            {"schedule": "one_cycle", "augmentation": Augmentation(1, 10.0, 0.1, 2, flip=True)},
            {"label_smoothing": 0.1, "schedule": "cosine", "ema": 0.5, "optimizer": "adamw"},
        ],
        ids=["bfloat16", "bfloat16 averages", "augmented", "smoothed averages"],
    )
    def test_every_option_repeats_to_the_last_bit(
        self, trainer: Trainer, options: dict[str, Any]
    ) -> None:
        """Precision, schedules, averages and augmentation are functions of the seed as well."""
        data, plan = split(64), TrainingPlan(12, 8, 0.01, **options)

        def train(trainer: Trainer, seed: int) -> Network:
            return trainer.train(rich(), data, plan, evaluate_on=data, seed=seed).network

        first = train(trainer, 3)
        assert first.sha256 != train(trainer, 4).sha256
        assert_same(train(trainer, 3), first)
        assert_same(train(self.make_trainer(), 3), first)
        plain = replace(plan, **{name: getattr(TrainingPlan(1), name) for name in options})
        other = trainer.train(rich(), data, plain, evaluate_on=data, seed=3).network
        assert other.sha256 != first.sha256
