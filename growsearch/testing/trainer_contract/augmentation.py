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
from growsearch.testing.trainer_contract.cases import CLASSES, IMAGE, rich, split, trained
from growsearch.testing.trainer_contract.laws import Laws
from growsearch.training import Augmentation, Trainer, TrainingPlan
from growsearch.training.fields import knobs_of

# Field -> an amount of it that changes images.
AMOUNTS: dict[str, Any] = {knob.name: type(knob.default)(1) for knob in knobs_of(Augmentation)}
PIXELS = [knob.name for knob in knobs_of(Augmentation) if knob.room is not None]


def _only(field: str) -> Augmentation:
    return Augmentation(**{field: AMOUNTS[field]})


class AugmentationLaws(Laws):
    """Laws of augmentation: training images change, evaluations do not."""

    @pytest.mark.parametrize("field", AMOUNTS)
    def test_augmentation_is_of_training_only(self, trainer: Trainer, field: str) -> None:
        """Augmentation changes the trained weights, and no evaluation."""
        data = split(64)
        plan = TrainingPlan(3, 16, 0.05, "sgd", augmentation=_only(field))
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

    def test_a_flip_mirrors_left_and_right(self, trainer: Trainer) -> None:
        """A flip changes nothing, to the last bit, if every image equals its mirror image."""
        half = split(64)
        images = np.maximum(half.images, half.images[:, :, ::-1])
        plan = TrainingPlan(3, 16, 0.05, "sgd")
        for data, is_same in ((Split(images, half.labels), True), (half, False)):
            plain, flipped = (
                trainer.train(rich(), data, each, evaluate_on=data, seed=0).network.sha256
                for each in (plan, replace(plan, augmentation=Augmentation(flip=True)))
            )
            assert (flipped == plain) is is_same

    @pytest.mark.parametrize("field", AMOUNTS)
    def test_augmentation_wants_images(self, trainer: Trainer, field: str) -> None:
        """Features cannot be shifted, turned or erased."""
        flat = trained(Architecture((8,), (Node("fc", Dense(CLASSES, "linear"), (INPUT,)),)))
        data = Split.__new__(Split)  # a split's images have three axes: only a trainer's own check
        object.__setattr__(data, "images", np.zeros((4, 8), np.float32))
        object.__setattr__(data, "labels", np.zeros(4, np.int64))
        with pytest.raises(InvalidInputError, match=f"{field}: expected images"):
            trainer.train(
                flat, data, TrainingPlan(1, augmentation=_only(field)), evaluate_on=data, seed=0
            )

    @pytest.mark.parametrize("field", PIXELS)
    def test_augmentation_wants_images_large_enough(self, trainer: Trainer, field: str) -> None:
        """No image is shifted out of sight, nor are more pixels erased than there are."""
        too_much: dict[str, Any] = {field: max(IMAGE)}
        plan = TrainingPlan(1, augmentation=Augmentation(**too_much))
        with pytest.raises(InvalidInputError, match=f"{field}: expected at most"):
            trainer.train(rich(), split(8), plan, evaluate_on=split(8), seed=0)
