"""Trainers by name: SlimTrainer, and for measurements that count updates one in JAX, on a GPU.

Both train a group of networks of one architecture, one after the other or at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from growsearch import Network, Split
from growsearch.training import Evaluation, TrainingPlan, TrainingResult
from growsearch.training.slim import SlimTrainer

TRAINERS = ("slim", "jax")


class GroupTrainer(Protocol):
    """Trains and evaluates networks of one architecture, by plans that differ in their rates."""

    at_once: bool  # whether a group takes less time than its members

    def train_all(
        self,
        networks: Sequence[Network],
        data: Split,
        plans: Sequence[TrainingPlan],
        seeds: Sequence[int],
        *,
        evaluate_on: Split,
    ) -> list[TrainingResult]:
        """Train each network by its plan, with its seed; see ``growsearch.training.Trainer``."""
        ...

    def evaluate_all(self, networks: Sequence[Network], data: Split) -> list[Evaluation]:
        """Return accuracy and loss of each network."""
        ...


class OneByOne:
    """A SlimTrainer that trains the networks of a group one after the other."""

    at_once = False

    def __init__(self, trainer: SlimTrainer) -> None:
        self._trainer = trainer

    def train_all(
        self,
        networks: Sequence[Network],
        data: Split,
        plans: Sequence[TrainingPlan],
        seeds: Sequence[int],
        *,
        evaluate_on: Split,
    ) -> list[TrainingResult]:
        """Train each network; see `GroupTrainer`."""
        return [
            self._trainer.train(network, data, plan, evaluate_on=evaluate_on, seed=seed)
            for network, plan, seed in zip(networks, plans, seeds, strict=True)
        ]

    def evaluate_all(self, networks: Sequence[Network], data: Split) -> list[Evaluation]:
        """Evaluate each network; see `GroupTrainer`."""
        return [self._trainer.evaluate(network, data) for network in networks]


def group_trainer(name: str, slim: SlimTrainer) -> GroupTrainer:
    """Return a trainer by its name in `TRAINERS`; JAX is loaded where it is asked for."""
    if name == "slim":
        return OneByOne(slim)
    try:
        from jax_trainer import JaxTrainer
    except ModuleNotFoundError as error:
        raise SystemExit(
            f"--trainer jax: {error}: pip install 'jax[cuda13]', or jax without a GPU"
        ) from None
    return JaxTrainer()


def best_precision(name: str) -> str:
    """Return bfloat16 where the trainer's device computes it natively, else float32."""
    if name == "jax":
        return "bfloat16"
    from growsearch.training.slim.precision import has_native_bfloat16

    return "bfloat16" if has_native_bfloat16() else "float32"
