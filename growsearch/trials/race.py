"""The race of a growth against the network that it grew from, at equal cost: pure functions.

A grown network falls behind at first: its new weights have to learn, and an update costs more. A
few seconds show which growths are too dear or broken, and order the others; they do not show
whether the best of them will overtake. So candidates are screened, and the best is raced on. It is
kept if it is level at equal cost, since a larger network that has caught up stays ahead, or if its
gap closes so fast that it will be level in a small part of the time that is left. The tests
simulate how often a growth that is no better is kept (benchmarks/README.md has the measurements).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from growsearch.trials.judge import Decision

Reading = tuple[float, float]  # cost since the growth, loss
PATIENCE = 0.2  # of the cost that is left: by then a growth is to be level


@dataclass(frozen=True)
class Gap:
    """The loss of a growth, less that of the network it grew from, at equal cost.

    Parameters
    ----------
    cost : float
        Since the growth.
    loss : float
        Nats; negative where the growth is ahead.
    """

    cost: float
    loss: float


def loss_at(readings: Sequence[Reading], cost: float) -> float:
    """Return a loss by its readings, on straight lines between them; the last one beyond.

    Parameters
    ----------
    readings : sequence of (cost, loss)
        By rising cost.
    cost : float

    Examples
    --------
    >>> loss_at([(0.0, 0.5), (10.0, 0.3)], 5.0), loss_at([(0.0, 0.5), (10.0, 0.3)], 20.0)
    (0.4, 0.3)
    """
    for (before, high), (after, low) in pairwise(readings):
        if cost <= after:
            share = (cost - before) / (after - before) if after > before else 1.0
            return high + max(share, 0.0) * (low - high)
    return readings[-1][1]


def gaps(growth: Sequence[Reading], trunk: Sequence[Reading]) -> tuple[Gap, ...]:
    """Return the gap at each reading of a growth.

    Examples
    --------
    >>> gaps([(4.0, 0.30), (8.0, 0.24)], [(0.0, 0.27), (8.0, 0.25)])[-1].loss < 0.0
    True
    """
    return tuple(Gap(cost, loss - loss_at(trunk, cost)) for cost, loss in growth)


def screen(gap: Gap, trunk_loss: float, tolerance: float) -> Decision:
    """Decide whether a candidate is refused after its first training.

    Parameters
    ----------
    gap : Gap
    trunk_loss : float
        Of the trunk, at the same cost.
    tolerance : float
        The fraction of the trunk's loss by which a candidate may be behind.

    Examples
    --------
    >>> screen(Gap(4.0, 0.1), 0.25, 0.2)
    Decision(kept=False, reason='loss +0.1000 at equal cost: too far behind the trunk, 0.2500')
    """
    found = f"loss {gap.loss:+.4f} at equal cost"
    if not gap.loss <= tolerance * trunk_loss:
        return Decision(False, f"{found}: too far behind the trunk, {trunk_loss:.4f}")
    return Decision(True, found)


def contest(found: Sequence[Gap], left: float, unit: str = "s") -> Decision:
    """Decide on the best candidate of a campaign, after it was trained on.

    Parameters
    ----------
    found : sequence of Gap
        By rising cost, the end of the screening first; at least one.
    left : float
        Cost until the decay of the trunk.
    unit : str
        Of costs, in the reason.

    Examples
    --------
    >>> contest([Gap(4.0, 0.008), Gap(8.0, -0.002)], 300.0).reason
    'now: ahead of the trunk at equal cost, 8 s after the growth (loss -0.0020)'
    >>> contest([Gap(4.0, 0.03), Gap(8.0, 0.01)], 300.0).reason
    'now: loss +0.0100 at equal cost, level in 3 s at this pace, of 300 s that are left'
    >>> contest([Gap(4.0, 0.03), Gap(8.0, 0.028)], 300.0).kept
    False
    """
    last = found[-1]
    if last.loss <= 0.0:
        where = f"{last.cost:.0f} {unit} after the growth (loss {last.loss:+.4f})"
        return Decision(True, f"now: ahead of the trunk at equal cost, {where}")
    wait = time_to_level(found)
    behind = f"loss {last.loss:+.4f} at equal cost"
    if wait is None:
        return Decision(False, f"not yet: {behind}, and no closer than before")
    pace = f"{behind}, level in {wait:.0f} {unit} at this pace, of {left:.0f} {unit} that are left"
    kept = wait <= PATIENCE * left
    return Decision(kept, f"{'now' if kept else 'not yet'}: {pace}")


def time_to_level(found: Sequence[Gap]) -> float | None:
    """Return the further cost until a gap is closed, at its pace between the last two readings.

    The gap is taken as linear in the logarithm of the cost since the growth. None where it does
    not close.

    Examples
    --------
    >>> time_to_level([Gap(4.0, 0.02), Gap(8.0, 0.01)])
    8.0
    """
    if len(found) < 2:
        return None
    before, last = found[-2], found[-1]
    if not (last.loss < before.loss and last.cost > before.cost > 0.0):
        return None
    slope = (last.loss - before.loss) / math.log(last.cost / before.cost)
    wait = last.cost * math.expm1(min(-last.loss / slope, 50.0))
    return round(wait, 9)
