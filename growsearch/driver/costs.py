"""The cost of updates: seconds in a run with a time budget, else updates of the first network.

In the first case costs are measured, in the second they follow from FLOPs alone.
"""

from __future__ import annotations

from dataclasses import dataclass

from growsearch.space import SearchSpace
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


def within_price(space: SearchSpace, flops: int, costs: Costs) -> SearchSpace:
    """Return the space without growths whose updates cost too much: ``trunk.dearest``.

    Parameters
    ----------
    space : SearchSpace
    flops : int
        FLOPs of one image's forward pass through the trunk.
    costs : Costs
    """
    most = costs.flops_within(space.trunk_section.dearest, flops)
    bound = space.limits.flops
    limits = {"flops": most if bound is None else min(bound, most)}
    return space.model_copy(update={"limits": space.limits.model_copy(update=limits)})
