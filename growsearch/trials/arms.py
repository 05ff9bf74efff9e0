"""The arms of a trial: the grown candidate and its controls, each one row of a table.

A new arm is a new row: jobs, the search space, the command line's help, statistics and plots
follow from the table.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:  # the command line's help reads the table: a start imports what it needs
    import numpy as np

    from growsearch.growth import Filling, Growth, Treatment
    from growsearch.networks import Network

# The length of an arm's training: as many updates as the candidate; the FLOPs of its training; or
# those of its lineage, which is its training and those of all its ancestors.
Length = Literal["updates", "flops", "lineage"]

CANDIDATE = "net2net"
_PASSES = 3  # a backward pass costs about two forward passes


@dataclass(frozen=True)
class Start:
    """The common origin of a trial's arms.

    Parameters
    ----------
    parent : Network
    growth : Growth or None
        None where nothing grows, as in a polish.
    slots : "reset", "carry", "carry-rescaled" or "carry-old"
        The treatment of the optimizer's slots.
    images : array or None
        A batch, on which new batch normalisations measure their statistics.
    """

    parent: Network
    growth: Growth | None
    slots: Treatment = "carry-rescaled"
    images: Any = None

    def grown(self, rng: np.random.Generator, fill: Filling) -> Network:
        """Return the parent, grown, its new weights filled by Net2Net or at random."""
        from growsearch.growth import grow

        if self.growth is None:
            return self.parent
        return grow(
            self.parent,
            self.growth,
            rng=rng,
            fill=fill,
            slots=self.slots,
            images=self.images,
        )


def _net2net(start: Start, rng: np.random.Generator) -> Network:
    return start.grown(rng, "net2net")


def _random(start: Start, rng: np.random.Generator) -> Network:
    return start.grown(rng, "random")


def _scratch(start: Start, rng: np.random.Generator) -> Network:
    from growsearch.networks import Network

    # By He, whatever the teacher began with: a control is to be as strong as it can be, and from
    # truncated_normal it is .10 behind after 60 updates (benchmarks/README.md).
    before = start.parent.architecture
    return Network.initial(before if start.growth is None else start.growth.grown(before), rng=rng)


def _continued(start: Start, rng: np.random.Generator) -> Network:
    del rng
    return start.parent


@dataclass(frozen=True)
class Arm:
    """One row of the table of arms.

    Parameters
    ----------
    question : str
        The question that the arm answers, for help and reports.
    start : callable
        Return the network from which the arm's training starts.
    grows : bool
        Whether the arm trains the grown architecture, or the parent's.
    length : "updates", "flops" or "lineage"
        The number of updates: the candidate's; those that take the FLOPs of the candidate's own
        training; or those that take these FLOPs and the ones of all its ancestors' trainings.
    inherits : bool
        True if the arm's training starts from the parent's weights; False from scratch.
    """

    question: str
    start: Callable[[Start, np.random.Generator], Network]
    grows: bool = True
    length: Length = "updates"
    inherits: bool = True


# Only the candidate can become the incumbent; every other arm answers a question.
ARMS: dict[str, Arm] = {
    CANDIDATE: Arm("the candidate; only it can become best", _net2net),
    "random": Arm("does preserving the function help?", _random),
    "scratch": Arm("does warm-starting pay at all?", _scratch, inherits=False),
    "scratch_compute": Arm(
        "does it pay at equal compute?", _scratch, length="lineage", inherits=False
    ),
    "continued": Arm("is it the growth, or just more training?", _continued, grows=False),
    "continued_compute": Arm(
        "and at equal additional compute?", _continued, grows=False, length="flops"
    ),
}


def controls() -> tuple[str, ...]:
    """Return the names of the control arms, in the order of the table."""
    return tuple(arm for arm in ARMS if arm != CANDIDATE)


def training_flops(flops: int, steps: int, batch_size: int) -> float:
    """Return the FLOPs of a training's forward and backward passes.

    Parameters
    ----------
    flops : int
        FLOPs of one image's forward pass.
    steps : int
        Updates.
    batch_size : int
        Images an update.
    """
    return float(_PASSES * flops * steps * batch_size)


def steps_of(
    arm: str, steps: int, *, flops: int, candidate: int, batch_size: int, ancestry: float
) -> int:
    """Return the updates that an arm gets beside a candidate that gets ``steps``.

    Parameters
    ----------
    arm : str
    steps : int
        Updates of the candidate.
    flops : int
        FLOPs of one image's forward pass through the arm's network.
    candidate : int
        The same of the candidate's network.
    batch_size : int
        Images an update.
    ancestry : float
        FLOPs of the training of the parent and all its ancestors.

    Examples
    --------
    >>> steps_of("scratch", 60, flops=900, candidate=900, batch_size=50, ancestry=2.7e6)
    60
    >>> steps_of("scratch_compute", 60, flops=900, candidate=900, batch_size=50, ancestry=2.7e6)
    80
    >>> steps_of("continued_compute", 60, flops=300, candidate=900, batch_size=50, ancestry=2.7e6)
    180
    """
    length = ARMS[arm].length
    if length == "updates":
        return steps
    own = -(-steps * candidate // flops)  # rounded up
    if length == "flops":
        return own
    return own + math.ceil(ancestry / training_flops(flops, 1, batch_size))
