"""The driver's loop with simulated workers: their use, up to a thousand of them.

One driver asks, judges and stores, and each of these takes it some milliseconds. Jobs take seconds.
The order of events is that of ``growsearch.driver.loop``.
"""

from __future__ import annotations

import heapq
from collections import deque
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Cost:
    """Seconds of the driver.

    Parameters
    ----------
    ask, judge, control : float
        For a candidate's proposal, for its judgement, and for a control that is stored.
    running : float
        For each job that runs, whenever one ends: the driver looks at the progress of all.
    """

    ask: float
    judge: float
    control: float
    running: float = 0.0

    @classmethod
    def of_trial(cls, seconds: float, controls: int = 1, running: float = 0.0) -> Cost:
        """Divide the seconds of a trial: two shares to ask, two to judge, one a control."""
        share = seconds / (4 + controls)
        return cls(2 * share, 2 * share, share, running)


def use_of(
    workers: int,
    seconds: float,
    *,
    cost: Cost,
    window: int,
    controls: int = 1,
    jobs: int = 30,
    spread: float = 0.1,
    seed: int = 0,
) -> float:
    """Return the share of the workers' time that is spent in jobs, from the first to the last.

    Parameters
    ----------
    workers : int
    seconds : float
        The mean of a job; ``spread`` is its standard deviation, as a share of it.
    cost : Cost
    window : int
        Candidates that may be pending.
    controls : int
        Controls of each candidate.
    jobs : int
        Jobs for each worker.

    Examples
    --------
    >>> use_of(1, 1.0, cost=Cost(0.25, 0.0, 0.0), window=1, controls=0, spread=0.0)
    0.8
    """
    rng = np.random.default_rng(seed)
    half = 3**0.5 * spread
    trials = max(1, round(workers * jobs / (1 + controls)))
    now, busy, asked = 0.0, 0.0, 0
    pending: deque[int] = deque()  # candidates in the order of their proposals
    outcomes: set[int] = set()
    unsent: deque[int] = deque()  # candidates of the controls that wait for a worker
    running: list[tuple[float, int, bool]] = []  # end, candidate, is a control

    def free() -> int:
        return workers - len(running)

    def send(candidate: int, is_control: bool) -> None:
        nonlocal busy
        took = seconds * rng.uniform(1.0 - half, 1.0 + half)
        busy += took
        heapq.heappush(running, (now + took, candidate, is_control))

    while True:
        new: list[int] = []
        while asked < trials and len(pending) < window and free() > len(unsent) + len(new):
            now += cost.ask
            pending.append(asked)
            new.append(asked)
            asked += 1
        while unsent and free():
            send(unsent.popleft(), True)
        for candidate in new:
            send(candidate, False)
        if not running:
            return busy / (workers * now)
        now = max(now, running[0][0]) + cost.running * len(running)
        while running and running[0][0] <= now:
            _, candidate, is_control = heapq.heappop(running)
            if is_control:
                now += cost.control
            else:
                outcomes.add(candidate)
        while pending and pending[0] in outcomes:
            now += cost.judge
            unsent.extend([pending.popleft()] * controls)
