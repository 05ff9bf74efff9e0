"""Laws of augmentation: training images change, evaluations do not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from growsearch.datasets import Split
from growsearch.errors import InvalidInputError
from growsearch.networks import INPUT, Architecture, Node
from growsearch.networks.layers import Dense
from growsearch.testing.trainer_contract.cases import CLASSES, rich, split, trained
from growsearch.testing.trainer_contract.laws import Laws
from growsearch.training import Augmentation, Trainer, TrainingPlan


class AugmentationLaws(Laws):
    """Laws of augmentation: training images change, evaluations do not."""

    @pytest.mark.parametrize(
        "option", [{"shift": 2}, {"rotate": 20.0}, {"zoom": 0.2}, {"erase": 3}]
    )
    def test_augmentation_is_of_training_only(
        self, trainer: Trainer, option: dict[str, Any]
    ) -> None:
        """It changes what is learnt, not what is measured, and arms see it alike."""
        data = split(64)
        plan = TrainingPlan(3, 16, 0.05, "sgd", augmentation=Augmentation(**option))
        plain = replace(plan, augmentation=Augmentation())
        results = [
            trainer.train(rich(), data, each, evaluate_on=data, seed=0) for each in (plan, plain)
        ]
        assert results[0].curve[0] == results[1].curve[0]
        assert results[0].network.sha256 != results[1].network.sha256
        found = trainer.evaluate(results[0].network, data)
        assert (found.accuracy, found.loss) == (
            results[0].final.accuracy,
            results[0].final.loss,
        )

    @pytest.mark.parametrize("option", ["shift", "rotate", "zoom", "erase"])
    def test_augmentation_wants_images_large_enough(self, trainer: Trainer, option: str) -> None:
        """Features cannot be shifted, nor more pixels erased than there are."""
        flat = trained(Architecture((8,), (Node("fc", Dense(CLASSES, "linear"), (INPUT,)),)))
        data = Split.__new__(Split)  # a split's images have three axes: only a trainer's own check
        object.__setattr__(data, "images", np.zeros((4, 8), np.float32))
        object.__setattr__(data, "labels", np.zeros(4, np.int64))
        with pytest.raises(InvalidInputError, match=f"{option}: expected images"):
            trainer.train(
                flat,
                data,
                TrainingPlan(1, augmentation=Augmentation(**{option: 1})),
                evaluate_on=data,
                seed=0,
            )
        if option in ("shift", "erase"):
            images, plan = split(8), TrainingPlan(1, augmentation=Augmentation(**{option: 7}))
            with pytest.raises(InvalidInputError, match=f"{option}: expected at most"):
                trainer.train(rich(), images, plan, evaluate_on=images, seed=0)
