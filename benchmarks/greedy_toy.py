"""A toy of the search: the time to a quality, by the number of candidates that train side by side.

A network has four widths, a depth and a time of training; its quality is concave in each, so that
the best next growth changes as it grows. A candidate keeps what its parent has learned, so that an
old parent is a handicap. The judge sees the quality with noise. Proposals are random.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from dataclasses import dataclass, replace

import numpy as np

NOISE = 0.003  # standard deviation of an accuracy
MARGIN = 0.5 * NOISE  # by which a candidate must be ahead
_WORTH, _SCALE = (0.04, 0.03, 0.05, 0.01), (3.0, 6.0, 4.0, 8.0)  # of the widths


@dataclass(frozen=True)
class Toy:
    """A network: its widths, its depth, the trainings that it has had, and a loss by its rate."""

    widths: tuple[float, ...] = (2.0, 2.0, 2.0, 2.0)
    depth: int = 1
    trained: int = 0
    loss: float = 0.0

    @property
    def quality(self) -> float:
        """The true quality."""
        wide = sum(
            worth * (1.0 - math.exp(-width / scale))
            for worth, width, scale in zip(_WORTH, self.widths, _SCALE, strict=True)
        )
        deep, learned = (1.0 - math.exp(-n / s) for n, s in ((self.depth, 3), (self.trained, 8)))
        return wide + 0.03 * (deep + learned) - self.loss

    @property
    def seconds(self) -> float:
        """The mean time of a training, in those of a network of the first size."""
        return float((sum(self.widths) / 8.0) ** 0.5 * (1.0 + 0.1 * self.depth))

    def grown(self, rng: np.random.Generator) -> Toy:
        """Return a network grown by a drawn operation, and trained once more."""
        operation, site = rng.integers(3), rng.integers(4)
        factor, rate = 2.0 ** rng.uniform(0.3, 1.0), rng.uniform(-4.0, -3.0)
        widths = list(self.widths)
        if operation == 0:
            widths[site] *= factor
        loss = 0.004 * (rate - math.log10(3e-4)) ** 2
        depth = self.depth + int(operation == 1)
        return replace(self, widths=tuple(widths), depth=depth, trained=self.trained + 1, loss=loss)


@dataclass(frozen=True)
class Found:
    """The end of a search: its time, and its trials."""

    seconds: float
    trials: int


def search(
    workers: int, window: int, goal: float, seed: int, *, spread: float, in_order: bool = True
) -> Found:
    """Search until the network that is kept has the quality of the goal.

    Parameters
    ----------
    workers : int
    window : int
        Candidates that may be pending.
    goal : float
    seed : int
    spread : float
        Standard deviation of the logarithm of a training's time.
    in_order : bool
        Judge in the order of the proposals; else as the trainings end.
    """
    rng = np.random.default_rng(seed)
    best, now, trials = Toy(), 0.0, 0
    seen = best.quality
    free = [0.0] * workers
    pending: deque[tuple[float, float, Toy]] = deque()  # end, what the judge sees, network
    while best.quality < goal:
        while len(pending) < window:
            candidate = best.grown(rng)
            end = max(now, heapq.heappop(free)) + candidate.seconds * rng.lognormal(0.0, spread)
            heapq.heappush(free, end)
            pending.append((end, candidate.quality + rng.normal(0.0, NOISE), candidate))
            trials += 1
        judged = pending[0] if in_order else min(pending, key=lambda each: each[0])
        pending.remove(judged)
        end, accuracy, candidate = judged
        now = max(now, end)
        if accuracy > seen + MARGIN:
            best, seen = candidate, accuracy
    return Found(now, trials)
