"""A trainer in numpy that needs no time: for tests of everything but training itself."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from growsearch.datasets import Dataset, Split
from growsearch.networks import Network
from growsearch.space import SearchSpace
from growsearch.study.attributes import Candidate
from growsearch.study.result import SearchResult
from growsearch.testing.drifting_trainer import DriftingTrainer
from growsearch.training import Evaluation, TrainingResult

SMALL = (
    "teacher.architecture=3x3x2(conv1)-pool1-4(fc1)-3(fc2)",
    "teacher.input_shape=[4, 4, 1]",
    "teacher.steps=2",
    "training.steps=4",
    "training.evaluate_every=2",
    "limits.width_multiple=2",
    "search.startup_trials=2",
)

# Loaded once, since some tests search as a user who cannot read the checkout.
SMALL_SPACE = SearchSpace.load("digits", SMALL)


def space(*overrides: str, **changes: Any) -> SearchSpace:
    """Return the small space, changed by texts as of ``--set`` and by values of sections."""
    if not overrides:
        return SMALL_SPACE.replace(**changes)
    return SearchSpace.load("digits", [*SMALL, *overrides]).replace(**changes)


def images(seed: int = 0) -> Dataset:
    """Three splits of small random images in three classes."""
    rng = np.random.default_rng(seed)
    splits = (
        Split(rng.random((count, 4, 4, 1), np.float32), np.arange(count) % 3)
        for count in (60, 12, 12)
    )
    return Dataset("noise", *splits, source="a test", classes=3)


def outcome(result: SearchResult) -> Any:
    """All that must be the same in two runs of one command, however often one was interrupted.

    A trial that was repeated has another number, so that trials are named by their place.
    """
    place = {record.number: place for place, record in enumerate(result.trials)}
    place |= {None: None}
    stored = result.study.get_trials(deepcopy=False)
    trials = [
        (
            record.state,
            stored[record.number].params,
            stored[record.number].intermediate_values,
            Candidate.read(stored[record.number]).sha256,
            place[record.parent],
            record.growth,
            record.gain,
            record.reason,
            {name: (arm.curve, arm.accuracy, arm.failure) for name, arm in record.arms.items()},
        )
        for record in result.trials
    ]
    return (
        trials,
        place[result.best.trial_number],
        result.best.path.name,
        result.best.validation_accuracy,
        result.test_accuracy,
        result.teacher_accuracy,
        result.teacher_test_accuracy,
    )


def without_fsync(connection: Any, _record: Any) -> None:
    """Let SQLite leave the writing to the operating system."""
    if type(connection).__module__.startswith("sqlite3"):
        connection.execute("PRAGMA synchronous=OFF")


class FakeTrainer(DriftingTrainer):
    """The trainer of ``growsearch.testing``, which also remembers what it evaluated."""

    def __init__(self) -> None:
        self.evaluated: list[tuple[str, str]] = []

    def evaluate(self, network: Network, data: Split) -> Evaluation:
        """Remember the hashes of network and images."""
        self.evaluated.append((network.sha256, hashlib.sha256(np.asarray(data.images)).hexdigest()))
        return super().evaluate(network, data)


class CountingTrainer(FakeTrainer):
    """The fake trainer, which also counts its trainings."""

    def __init__(self) -> None:
        super().__init__()
        self.trained = 0

    def train(self, *arguments: Any, **options: Any) -> TrainingResult:
        """Count a training."""
        self.trained += 1
        return super().train(*arguments, **options)
