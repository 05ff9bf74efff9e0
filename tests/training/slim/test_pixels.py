"""Images in bytes: trained and evaluated as the floats that they stand for."""

from __future__ import annotations

import numpy as np

from growsearch.datasets import Pixels, Split
from growsearch.networks import Architecture, Network
from growsearch.training import TrainingPlan
from growsearch.training.slim import SlimTrainer
from growsearch.training.slim.aligned import AlignedSplit

RNG = np.random.default_rng(0)
STORED = RNG.integers(0, 256, (50, 6, 5, 3), np.uint8)
STORED.flags.writeable = False
ROWS = RNG.permutation(50)[:40]
LABELS = np.arange(40) % 3
BYTES = Split(Pixels(STORED, ROWS), LABELS)  # type: ignore[arg-type]
FLOATS = Split(STORED[ROWS], LABELS)  # type: ignore[arg-type]


def test_bytes_train_as_floats() -> None:
    """The same curve and the same weights, to the last bit, with augmentation too."""
    architecture = Architecture.parse("3x3x4(conv1)-pool1-3(fc1)", (6, 5, 3))
    network = Network.initial(architecture, rng=0)
    trainer = SlimTrainer()
    for plan in (
        TrainingPlan(6, batch_size=8, learning_rate=0.1, optimizer="momentum", evaluate_every=3),
        TrainingPlan(3, batch_size=8, learning_rate=0.1, optimizer="momentum").with_keys(
            {"shift": 1}
        ),
    ):
        found = [
            trainer.train(network, data, plan, evaluate_on=data, seed=1) for data in (BYTES, FLOATS)
        ]
        assert found[0].curve == found[1].curve
        for one, other in zip(*(each.network.flat().values() for each in found), strict=True):
            np.testing.assert_array_equal(one, other)
    network = found[0].network
    assert trainer.evaluate(network, BYTES).loss == trainer.evaluate(network, FLOATS).loss
    np.testing.assert_array_equal(
        trainer.logits(network, BYTES.images), trainer.logits(network, FLOATS.images)
    )


def test_bytes_are_fed_in_place() -> None:
    """No copy of aligned bytes is made, however few of them are trained on."""
    memory = np.empty(STORED.size + 64, np.uint8)
    first = -memory.ctypes.data % 64
    stored = memory[first : first + STORED.size].reshape(STORED.shape)
    stored[...] = STORED
    split = Split(Pixels(stored, ROWS), LABELS)  # type: ignore[arg-type]
    images, labels = AlignedSplit().arrays(split)
    assert images.dtype == np.uint8
    assert np.shares_memory(images, stored)
    np.testing.assert_array_equal(labels[ROWS], LABELS)
