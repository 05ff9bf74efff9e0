"""Laws of refusals: divergence and unusable arguments are named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from growsearch.datasets import Split
from growsearch.errors import DivergedError, InvalidInputError
from growsearch.networks import INPUT, Architecture, Network, Node
from growsearch.networks.layers import Conv, Dense, GlobalAvgPool
from growsearch.networks.optimizers import OPTIMIZERS
from growsearch.testing.trainer_contract.cases import (
    CLASSES,
    FLOAT32,
    assert_close,
    assert_same,
    regression,
    rich,
    split,
    trained,
    with_slots,
)
from growsearch.testing.trainer_contract.laws import Laws
from growsearch.training import Trainer, TrainingPlan


class RefusalLaws(Laws):
    """Laws of refusals: divergence and unusable arguments are named."""

    @pytest.mark.parametrize("optimizer", OPTIMIZERS)
    @pytest.mark.parametrize("steps", [1, 20])
    def test_divergence_is_an_error_with_its_reason(
        self, trainer: Trainer, optimizer: str, steps: int
    ) -> None:
        """NaN or Inf ends a training, also after the last update; the trainer goes on."""
        network, data = regression(Node("fc1", Dense(6, "linear"), ("flat",))), split(64, (2, 2, 1))
        good = TrainingPlan(3, 8, 0.01, optimizer)
        bad = TrainingPlan(steps, 8, 1e30, optimizer)
        expected = trainer.train(network, data, good, evaluate_on=data, seed=0).network
        with pytest.raises(DivergedError, match=r"step \d+ .*learning rate 1e\+30"):
            trainer.train(network, data, bad, evaluate_on=data, seed=0)
        again = trainer.train(network, data, good, evaluate_on=data, seed=0).network
        assert_same(again, expected)

    def test_an_infinite_slot_is_divergence(self, trainer: Trainer) -> None:
        """A slot that is no longer finite ends a training, like a weight."""
        network = with_slots(regression(), "adam", 5)
        assert network.slots
        infinite = {n: np.full_like(a, np.inf) for n, a in network.slots.values["v"]["fc"].items()}
        slots = replace(network.slots, values={**network.slots.values, "v": {"fc": infinite}})
        data = split(8, (2, 2, 1))
        with pytest.raises(DivergedError, match=r"became (nan|inf)"):
            trainer.train(
                replace(network, slots=slots), data, TrainingPlan(1, 8), evaluate_on=data, seed=0
            )

    @pytest.mark.parametrize("call", ["train", "validate", "evaluate", "logits"])
    def test_images_of_another_shape_are_named(self, trainer: Trainer, call: str) -> None:
        """Wrong images are an InvalidInputError that says what was expected and what came."""
        right, wrong = split(8), split(8, (6, 7, 4))
        calls: dict[str, Callable[[], Any]] = self._calls(trainer, right, wrong)
        calls["logits"] = lambda: trainer.logits(rich(), wrong.images)
        with pytest.raises(InvalidInputError, match=r"\(7, 6, 4\).*\(6, 7, 4\)"):
            calls[call]()

    @pytest.mark.parametrize("call", ["train", "validate", "evaluate"])
    def test_labels_out_of_range_are_named(self, trainer: Trainer, call: str) -> None:
        """A label without an output is an InvalidInputError, never a NaN or a loss of zero."""
        right = split(8)
        wrong = Split(right.images, np.arange(8) % (CLASSES + 1))
        with pytest.raises(InvalidInputError, match=f"labels: expected 0 to {CLASSES - 1}.*got 3"):
            self._calls(trainer, right, wrong)[call]()

    def _calls(self, trainer: Trainer, right: Split, wrong: Split) -> dict[str, Callable[[], Any]]:
        plan, network = TrainingPlan(1, 8), rich()
        return {
            "train": lambda: trainer.train(network, wrong, plan, evaluate_on=right, seed=0),
            "validate": lambda: trainer.train(network, right, plan, evaluate_on=wrong, seed=0),
            "evaluate": lambda: trainer.evaluate(network, wrong),
        }

    def test_networks_that_cannot_be_trained_are_named(self, trainer: Trainer) -> None:
        """Without weights there is nothing to train, without classes nothing to learn."""
        data = split(8, (2, 2, 3))
        pool = Network(Architecture((2, 2, 3), (Node("p", GlobalAvgPool(), (INPUT,)),)), {})
        assert_close(trainer.logits(pool, data.images), data.images.mean(axis=(1, 2)), FLOAT32)
        assert 0.0 <= trainer.evaluate(pool, data).accuracy <= 1.0
        image = trained(Architecture((2, 2, 3), (Node("c", Conv((1, 1), 4), (INPUT,)),)))
        for network in (pool, image):
            with pytest.raises(InvalidInputError, match="expected"):
                trainer.train(network, data, TrainingPlan(1), evaluate_on=data, seed=0)
