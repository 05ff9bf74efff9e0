"""Laws of class weights: a weight is worth as much as that many copies of an image."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from growsearch.datasets import Split
from growsearch.testing.trainer_contract.cases import (
    FLOAT32,
    arrays,
    assert_close,
    regression,
    split,
)
from growsearch.testing.trainer_contract.laws import Laws
from growsearch.training import Trainer, TrainingPlan, TrainingResult
from growsearch.training.class_weights import class_weights

_COPIES = {0: 6, 1: 3, 2: 2}  # of each image of a class, which make the classes equal
_COUNTS = {label: 12 // copies for label, copies in _COPIES.items()}  # 2, 4 and 6 images


def _unequal(seed: int = 0) -> Split:
    """Return images of classes of unequal size."""
    labels = np.repeat(list(_COUNTS), list(_COUNTS.values()))
    order = np.random.default_rng(seed).permutation(len(labels))
    return Split(split(len(labels), (2, 2, 1), seed).images, labels[order])


def _copied(data: Split) -> Split:
    """Return the images with copies, so that all classes have the same size."""
    copies = [_COPIES[label] for label in data.labels.tolist()]
    return Split(np.repeat(data.images, copies, axis=0), np.repeat(data.labels, copies))


class ClassWeightLaws(Laws):
    """Laws of class weights: a weight is worth as much as that many copies of an image."""

    @pytest.mark.parametrize("smoothing", [0.0, 0.2])
    @pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam"])
    def test_weights_are_worth_as_much_as_copies(
        self, trainer: Trainer, optimizer: str, smoothing: float
    ) -> None:
        """Updates on all images, with balanced weights, are those on copies of the rare ones."""
        data = _unequal()
        plan = TrainingPlan(3, len(data), 0.1, optimizer, label_smoothing=smoothing)
        found = self._trained(trainer, replace(plan, class_weight="balanced"), data)
        copied = _copied(data)
        expected = self._trained(trainer, replace(plan, batch_size=len(copied)), copied)
        others = arrays(expected.network.weights)
        for name, array in arrays(found.network.weights).items():
            assert_close(array, others[name], 10 * FLOAT32, name)
        for point, other in zip(found.curve, expected.curve, strict=True):
            assert_close(point.loss, other.loss, 10 * FLOAT32)

    def test_weights_of_equal_classes_change_nothing(self, trainer: Trainer) -> None:
        """Balanced weights of classes of one size are 1, and the training is that without."""
        labels = np.arange(36) % len(_COUNTS)
        data = Split(split(36, (2, 2, 1)).images, labels)
        plan = TrainingPlan(5, 8, 0.01, evaluate_every=2)
        found = self._trained(trainer, replace(plan, class_weight="balanced"), data)
        expected = self._trained(trainer, plan, data)
        others = arrays(expected.network.weights)
        for name, array in arrays(found.network.weights).items():
            assert_close(array, others[name], FLOAT32, name)
        for point, other in zip(found.curve, expected.curve, strict=True):
            assert point.accuracy == other.accuracy
            assert_close(point.loss, other.loss, FLOAT32)

    def test_the_losses_of_evaluations_are_weighted(self, trainer: Trainer) -> None:
        """By the weights of the training images' classes; accuracies are as without weights."""
        data, validation = _unequal(), split(30, (2, 2, 1), seed=3)
        plan = TrainingPlan(2, 6, 0.1, class_weight="balanced")
        result = self._trained(trainer, plan, data, evaluate_on=validation)
        plain = trainer.evaluate(result.network, validation)
        assert result.final.accuracy == plain.accuracy
        if plain.losses is not None:
            weights = class_weights("balanced", data.labels, len(_COUNTS))
            assert weights is not None
            expected = plain.losses * weights[validation.labels]
            assert result.losses is not None
            assert_close(result.losses, expected, FLOAT32)
            assert_close(result.final.loss, expected.mean(), FLOAT32)

    def _trained(
        self, trainer: Trainer, plan: TrainingPlan, data: Split, **options: Any
    ) -> TrainingResult:
        options = {"evaluate_on": data, "seed": 0, **options}
        return trainer.train(regression(), data, plan, **options)
