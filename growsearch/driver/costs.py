"""The cost of updates: seconds in a run with a time budget, else updates of the first network.

In the first case costs are measured, in the second they follow from FLOPs alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from growsearch.space import SearchSpace
from growsearch.study.attributes import TeacherAttribute
from growsearch.trials.outcome import TrialOutcome

# The time of an update grows with the FLOPs to this power, before it is measured: on two processors
# with bfloat16, from 4 to 45 million FLOPs an image (benchmarks/README.md).
_POWER = 0.65


@dataclass(frozen=True)
class Costs:
    """The unit of a run's costs.

    Parameters
    ----------
    first_flops : int
        FLOPs of one image's forward pass through the first network.
    measured : bool
        True if costs are seconds.
    """

    first_flops: int
    measured: bool

    def of_update(self, flops: int, outcome: TrialOutcome) -> float:
        """Return the cost of an update of a network that was trained."""
        steps = outcome.final.step
        if self.measured and steps and outcome.seconds > 0.0:
            return outcome.seconds / steps
        return flops / self.first_flops

    def of_first_update(self, teacher: TeacherAttribute) -> float:
        """Return the cost of an update of the first network, which was trained, or measured."""
        steps = teacher.curve[-1][0]
        if self.measured and steps and teacher.seconds > 0.0:
            return teacher.seconds / steps
        return (teacher.step_seconds or 1.0) if self.measured else 1.0

    def expected(self, step_cost: float, flops: int, before: int) -> float:
        """Return the cost to expect of an update of a network that was not trained yet.

        Parameters
        ----------
        step_cost : float
            Of an update of the network that it grows from.
        flops, before : int
            FLOPs of both.
        """
        ratio = flops / before
        return step_cost * (ratio**_POWER if self.measured else ratio)

    def flops_within(self, ratio: float, flops: int) -> int:
        """Return the FLOPs of a network whose update costs at most ``ratio`` times as much.

        Parameters
        ----------
        ratio : float
        flops : int
            Of the network that it grows from.
        """
        return int(flops * (ratio ** (1.0 / _POWER) if self.measured else ratio))

    def updates(self, cost: float, step_cost: float, least: int = 1) -> int:
        """Return the number of updates for a cost."""
        return max(least, round(cost / step_cost))


def within_price(
    space: SearchSpace, flops: int, costs: Costs, *, left: float, epoch: float
) -> SearchSpace:
    """Return the space without growths whose updates cost too much, or that come too late.

    An update may cost ``trunk.dearest`` times the trunk's. And where it costs r times as much as
    one of the first network, the time that is left is to hold r times ``trunk.passes`` passes over
    the training images: so r grows with the root of that time, as size does with compute in
    Hoffmann et al., arXiv:2203.15556.

    Parameters
    ----------
    space : SearchSpace
    flops : int
        FLOPs of one image's forward pass through the trunk.
    costs : Costs
    left : float
        The time until the end of the run, in updates of the first network.
    epoch : float
        Updates of one pass over the training images.
    """
    section = space.trunk_section
    largest = math.sqrt(max(left, 0.0) / (section.passes * epoch))
    most = min(
        costs.flops_within(section.dearest, flops), costs.flops_within(largest, costs.first_flops)
    )
    bound = space.limits.flops
    limits = {"flops": max(most if bound is None else min(bound, most), 1)}
    return space.model_copy(update={"limits": space.limits.model_copy(update=limits)})
