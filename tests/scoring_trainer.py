"""A trainer in numpy whose figures follow from its outputs, for tests of metrics and weights."""

from __future__ import annotations

import numpy as np
from scipy.special import log_softmax

from growsearch.datasets import Dataset, Split
from growsearch.networks import Network
from growsearch.training import Evaluation
from tests.fake_trainer import FakeTrainer


class ScoringTrainer(FakeTrainer):
    """The fake trainer, which evaluates networks by their outputs, and gives these."""

    def evaluate(self, network: Network, data: Split) -> Evaluation:
        """Return accuracy, losses and logits by the reference."""
        self.evaluated.append((network.sha256, str(len(data))))
        logits = np.asarray(self.logits(network, data.images), np.float32)
        losses = -log_softmax(logits, axis=1)[np.arange(len(data)), data.labels]
        accuracy = float(np.mean(logits.argmax(axis=1) == data.labels))
        return Evaluation(accuracy, float(losses.mean(dtype=np.float64)), losses, logits)


def unequal(seed: int = 0) -> Dataset:
    """Small random images, most of them of one of the three classes."""
    rng = np.random.default_rng(seed)
    splits = (
        Split(rng.random((count, 4, 4, 1), np.float32), rng.permutation(np.arange(count) % 7 // 3))
        for count in (70, 56, 49)
    )
    return Dataset("noise", *splits, source="a test", classes=3)
