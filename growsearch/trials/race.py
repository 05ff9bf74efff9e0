"""The race of a growth against the network that it grew from, at equal cost: pure functions.

A grown network falls behind at first: its new weights have to learn, and an update costs more. A
few seconds show which growths are too dear or broken, and order the others; they do not show
whether the best of them will overtake. So candidates are screened, and the best is raced on. It is
kept if it is ahead at equal cost, since a larger network that has caught up stays ahead, or if its
gap closes so fast that it will be level in a small part of the time that is left. Readings are
noisy, and a loss that is a little lower may be luck, as is the pace between two readings. So both
are asked to exceed the noise: the standard error of the difference between two networks on the
same images. The tests simulate how often a growth that is better, or worse, is kept.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from growsearch.trials.judge import Decision

Reading = tuple[float, float]  # cost since the growth, loss
PATIENCE = 0.2  # of the cost that is left: by then a growth is to be level
GAIN = 0.03  # of the loss, for a doubling of time and a doubling of price
MARGIN = 0.5  # of the noise, by which a growth is to be ahead
CAUTION = 1.5  # standard errors of a trend


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


def unraced(loss: float, before: float, tolerance: float) -> Decision:
    """Decide on a growth that was trained without a comparison: it is kept unless it broke.

    Parameters
    ----------
    loss : float
        After its training.
    before : float
        Of the network that it grew from, before it.
    tolerance : float
        The fraction of that loss by which it may be higher.

    Examples
    --------
    >>> unraced(0.29, 0.31, 0.2)
    Decision(kept=True, reason='now: loss -0.0200 since the growth; so early it has time to pay')
    >>> unraced(0.5, 0.31, 0.2)
    Decision(kept=False, reason='loss +0.1900 since the growth: too far above 0.3100')
    """
    found = f"loss {loss - before:+.4f} since the growth"
    if not loss <= (1.0 + tolerance) * before:
        return Decision(False, f"{found}: too far above {before:.4f}")
    return Decision(True, f"now: {found}; so early it has time to pay")


def expected_gain(loss: float, dearer: float, now: float, whole: float) -> float:
    """Return how much further a dearer network is expected to get by the end of the run, in nats.

    Of two fixed networks the dearer one is behind at first and ahead later. For each doubling of
    the time it gains about 3 % of the loss over one of half its price: measured on Fashion-MNIST,
    from 1 to 6 minutes (benchmarks/README.md).

    Parameters
    ----------
    loss : float
        Of the trunk.
    dearer : float
        The cost of an update of the growth, in those of the trunk.
    now, whole : float
        The time that has passed, and that of the whole run.

    Examples
    --------
    >>> round(expected_gain(0.2, 2.0, 150.0, 600.0), 4)
    0.012
    >>> expected_gain(0.2, 2.0, 600.0, 600.0), expected_gain(0.2, 0.9, 10.0, 600.0)
    (0.0, 0.0)
    """
    doublings = math.log2(max(whole / max(now, 1e-9), 1.0))
    return GAIN * loss * doublings * math.log2(max(dearer, 1.0))


def contest(
    found: Sequence[Gap],
    left: float,
    unit: str = "s",
    *,
    noise: float = 0.0,
    expected: float = 0.0,
) -> Decision:
    """Decide on the best candidate of a campaign, after it was trained on.

    It is kept in two cases. Its mean gap in the contest is smaller than what it is expected to gain
    by the end of the run, by more than half the noise. Or it will be level in a small part of the
    cost that is left, by the trend of all gaps, and surely so. The mean leaves out the end of the
    screening, which the best of several candidates owes in part to luck.

    Parameters
    ----------
    found : sequence of Gap
        By rising cost, the end of the screening first; at least one.
    left : float
        Cost until the decay of the trunk.
    unit : str
        Of costs, in the reason.
    noise : float
        The standard error of a gap, in nats.
    expected : float
        The gain to expect by the end of the run: ``expected_gain``.

    Examples
    --------
    >>> gaps = [Gap(4.0, 0.008), Gap(6.0, -0.003), Gap(8.0, -0.005)]
    >>> contest(gaps, 300.0, noise=0.002).reason
    'now: loss -0.0040 ± 0.0020 at equal cost, ahead of the trunk 8 s after the growth'
    >>> contest([Gap(8.0, 0.003)], 300.0, noise=0.002, expected=0.01).reason
    'now: loss +0.0030 ± 0.0020 at equal cost, and 0.0100 to be gained in the time that is left'
    >>> contest([Gap(4.0, 0.03), Gap(8.0, 0.01)], 300.0, noise=0.002).reason
    'now: loss +0.0100 ± 0.0020 at equal cost, level in 3 s at this pace, of 300 s that are left'
    >>> contest([Gap(4.0, 0.03), Gap(8.0, 0.028)], 300.0, noise=0.002).kept
    False
    """
    contested = found[1:] or found
    mean = sum(gap.loss for gap in contested) / len(contested)
    behind = f"loss {mean:+.4f} ± {noise:.4f} at equal cost"
    if mean <= expected - MARGIN * noise:
        why = f", ahead of the trunk {found[-1].cost:.0f} {unit} after the growth"
        if mean > -MARGIN * noise:
            why = f", and {expected:.4f} to be gained in the time that is left"
        return Decision(True, f"now: {behind}{why}")
    if mean < 0.0:
        behind = f"{behind}, not surely ahead"
    trend = Trend.of(found)
    if trend is None or not trend.slope < 0.0:
        return Decision(False, f"not yet: {behind}, and no closer than before")
    wait = max(trend.level_at() - found[-1].cost, 0.0)
    pace = f"level in {wait:.0f} {unit} at this pace, of {left:.0f} {unit} that are left"
    if wait > left:
        return Decision(False, f"not yet: {behind}, and not level in the {left:.0f} {unit} left")
    if wait > PATIENCE * left:
        return Decision(False, f"not yet: {behind}, {pace}")
    loss, errors = trend.at(found[-1].cost + PATIENCE * left)
    if not loss + CAUTION * errors * noise <= 0.0:
        return Decision(False, f"not yet: {behind}, {pace}, but that is not sure")
    return Decision(True, f"now: {behind}, {pace}")


@dataclass(frozen=True)
class Trend:
    """The straight line through gaps over the logarithm of their cost, by least squares.

    Parameters
    ----------
    loss : float
        The mean of the gaps, in nats.
    slope : float
        Nats by which the gap rises while the cost since the growth is multiplied by e.
    middle, spread : float
        The mean of the logarithms, and the sum of their squared distances from it.
    count : int
        Of the gaps.
    """

    loss: float
    slope: float
    middle: float
    spread: float
    count: int

    @classmethod
    def of(cls, found: Sequence[Gap]) -> Trend | None:
        """Return the trend of gaps; None of gaps at a single cost, or at none.

        Examples
        --------
        >>> Trend.of([Gap(4.0, 0.02), Gap(8.0, 0.01)]).level_at()
        16.0
        """
        if not all(gap.cost > 0.0 for gap in found):
            return None
        places = [math.log(gap.cost) for gap in found]
        count = len(found)
        middle, loss = sum(places) / count, sum(gap.loss for gap in found) / count
        spread = sum((place - middle) ** 2 for place in places)
        if not spread > 0.0:
            return None
        pairs = zip(places, found, strict=True)
        slope = sum((place - middle) * gap.loss for place, gap in pairs) / spread
        return cls(loss, slope, middle, spread, count)

    def at(self, cost: float) -> tuple[float, float]:
        """Return the gap at a cost, and its standard error in units of the noise of one gap."""
        away = math.log(cost) - self.middle
        return self.loss + self.slope * away, math.sqrt(1.0 / self.count + away**2 / self.spread)

    def level_at(self) -> float:
        """Return the cost since the growth at which a gap with a falling trend is closed."""
        return round(math.exp(min(self.middle - self.loss / self.slope, 50.0)), 9)
