"""Reproductions without a training: a trainer that remembers its calls, and made-up curves."""

from __future__ import annotations

import dataclasses
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from growsearch.datasets import Dataset, Split
from growsearch.networks import Network, Slots
from growsearch.reproduction.experiments import EXPERIMENTS
from growsearch.reproduction.result import AccuracyCurve, Repeat, Reproduction
from growsearch.training import Evaluation, Point, TrainingPlan, TrainingResult

STUDENTS = [experiment for experiment in EXPERIMENTS if experiment.continues]
PUBLISHED = [experiment for experiment in EXPERIMENTS if experiment.published]
TRAININGS_A_SEED = 1 + 2 * len(STUDENTS)
STEPS = tuple(range(0, 1000, 100))


@dataclasses.dataclass(frozen=True)
class Call:
    """The arguments of one training."""

    network: Network
    plan: TrainingPlan
    seed: int
    train: Split
    evaluated_on: Split


class Recorder:
    """A trainer that trains nothing, gives made-up accuracies, and remembers its calls.

    Its accuracies follow from network and seed, in every process.
    """

    def __init__(self, *, dies_at: int | None = None) -> None:
        self.calls: list[Call] = []
        self._dies_at = dies_at

    def train(
        self,
        network: Network,
        data: Split,
        plan: TrainingPlan,
        *,
        evaluate_on: Split,
        seed: int,
        on_evaluation: Callable[[Point], bool | None] | None = None,
    ) -> TrainingResult:
        if len(self.calls) == self._dies_at:
            raise KeyboardInterrupt
        self.calls.append(Call(network, plan, seed, data, evaluate_on))
        rng = np.random.default_rng([seed, int(network.sha256[:8], 16)])
        steps = range(0, plan.steps + 1, plan.evaluate_every)
        curve = tuple(Point(step, float(rng.uniform(0.8, 1.0)), 0.1) for step in steps)
        for point in curve:
            if on_evaluation is not None:
                on_evaluation(point)
        values = dict.fromkeys(("m", "v"), network.weights)
        slots = Slots("adam", plan.steps, values)
        return TrainingResult(dataclasses.replace(network, slots=slots), curve, 1.0, 1.0)

    def evaluate(self, network: Network, data: Split) -> Evaluation:  # noqa: ARG002
        raise AssertionError("the curve has all evaluations")

    def logits(self, network: Network, images: Any) -> Any:  # noqa: ARG002
        raise AssertionError("no logits are asked for")


class Pausing(Recorder):
    """Rests at each evaluation, so that a test can interrupt it there.

    Parameters
    ----------
    seconds : float
    """

    def __init__(self, seconds: float = 0.05) -> None:
        super().__init__()
        self._seconds = seconds

    def train(self, *args: Any, **options: Any) -> TrainingResult:
        tell = options.pop("on_evaluation")

        def on_evaluation(point: Point) -> None:
            time.sleep(self._seconds)
            tell(point)

        return super().train(*args, **options, on_evaluation=on_evaluation)


class DiesOnce(Recorder):
    """Kills its process in one training, unless a file says that it has done so before.

    Parameters
    ----------
    file : Path
    """

    def __init__(self, file: Path) -> None:
        super().__init__()
        self._file = file

    def train(self, network: Network, *args: Any, **options: Any) -> TrainingResult:
        if "x128(conv1)" in str(network.architecture) and not self._file.exists():
            self._file.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().train(network, *args, **options)


def noise() -> Dataset:
    """A few small images, with which a reproduction takes no time."""
    rng = np.random.default_rng(0)
    splits = (
        Split(rng.random((count, 8, 8, 1), np.float32), np.arange(count) % 10)
        for count in (60, 20, 20)
    )
    return Dataset("noise", *splits, source="a test", classes=10)


def synthetic(
    shift: float | Callable[[str, int], float] = 0.0, *, seeds: int = 2, **changes: Any
) -> Reproduction:
    """A reproduction whose mean is the published figure plus ``shift``; seeds differ by .002."""

    def accuracy(name: str, step: int, published: float, place: int) -> float:
        by = shift(name, step) if callable(shift) else shift
        return published + by + 0.001 * (2 * place - (seeds - 1))

    repeats = tuple(
        Repeat(
            seed,
            tuple(
                AccuracyCurve(
                    e.name,
                    slots,
                    (
                        0.5,
                        *(accuracy(e.name, s, e.published.get(s, 0.96), seed) for s in STEPS[1:]),
                    ),
                )
                for e in EXPERIMENTS
                for slots in e.treatments
            ),
            60.0,
            "a machine",
        )
        for seed in range(seeds)
    )
    values: dict[str, Any] = {
        "iterations": 1000,
        "steps": STEPS,
        "source": "made up",
        "stand_in": False,
        "fingerprint": "0" * 64,
        "test_images": 10_000,
        "repeats": repeats,
    }
    return Reproduction(**values | changes)
