"""The arms: the grown candidate and its controls, one code path that differs in two functions."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from growsearch.growth import Growth, Treatment
    from growsearch.networks import Network
    from growsearch.training import TrainingPlan

# The command line's help names the arms: what takes time to import is imported where an arm
# starts.
CANDIDATE = "net2net"
_PASSES = 3  # a backward pass costs about two forward passes


@dataclass(frozen=True)
class Start:
    """All that the arms of one trial have in common: parent, growth, how slots travel.

    ``spent`` are the FLOPs that training the parent took, with all its ancestors.
    """

    parent: Network
    growth: Growth
    slots: Treatment
    images: Any
    spent: float = 0.0

    def network(self, arm: str, *, rng: np.random.Generator) -> Network:
        """Where the training of an arm starts."""
        return ARMS[arm].start(self, rng)

    def steps(self, arm: str, network: Network, plan: TrainingPlan) -> int:
        """How many updates an arm gets, where the candidate gets the plan's."""
        return ARMS[arm].steps(self, network, plan)


def training_flops(flops: int, steps: int, batch_size: int) -> float:
    """FLOPs of forward and backward passes of a training, from those of one image's forward."""
    return float(_PASSES * flops * steps * batch_size)


def _net2net(start: Start, rng: np.random.Generator) -> Network:
    from growsearch.growth import grow

    return grow(start.parent, start.growth, rng=rng, slots=start.slots, images=start.images)


def _random(start: Start, rng: np.random.Generator) -> Network:
    from growsearch.growth import grow

    return grow(
        start.parent,
        start.growth,
        rng=rng,
        fill="random",
        slots=start.slots,
        images=start.images,
    )


def _scratch(start: Start, rng: np.random.Generator) -> Network:
    from growsearch.networks import Network

    # By He, whatever the teacher began with: a control is to be as strong as it can be, and from
    # truncated_normal it is .10 behind after 60 updates (benchmarks/README.md).
    return Network.initial(start.growth.grown(start.parent.architecture), rng=rng)


def _continued(start: Start, rng: np.random.Generator) -> Network:
    del rng
    return start.parent


def _equal_steps(start: Start, network: Network, plan: TrainingPlan) -> int:
    del start, network
    return plan.steps


def _equal_compute(start: Start, network: Network, plan: TrainingPlan) -> int:
    """The candidate's updates, and as many as its whole ancestry's compute buys."""
    one = training_flops(network.architecture.flops, 1, plan.batch_size)
    return plan.steps + math.ceil(start.spent / one)


@dataclass(frozen=True)
class Arm:
    """What an arm starts from, and how long it trains."""

    start: Callable[[Start, np.random.Generator], Network]
    steps: Callable[[Start, Network, TrainingPlan], int] = _equal_steps


# Only the candidate can become best; the others answer a question.
ARMS: dict[str, Arm] = {
    CANDIDATE: Arm(_net2net),  # grown, function-preserving
    "random": Arm(_random),  # grown, old weights inherited, new random: does Net2Net help?
    "scratch": Arm(_scratch),  # grown architecture, all weights random: does warm-starting pay?
    "scratch_compute": Arm(_scratch, _equal_compute),  # … also if it gets the ancestry's compute?
    "continued": Arm(_continued),  # not grown: is it the growth, or just more training?
}
CONTROLS: tuple[str, ...] = tuple(arm for arm in ARMS if arm != CANDIDATE)
