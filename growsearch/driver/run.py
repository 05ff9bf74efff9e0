"""One open run: what every step of a search works with."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from optuna.study import Study

from growsearch.datasets import Split
from growsearch.driver.budget import Clock
from growsearch.driver.events import OnEvent
from growsearch.driver.listener import PointListener
from growsearch.execution import Executor
from growsearch.networks.store import NetworkStore
from growsearch.space import SearchSpace
from growsearch.trials.measurements import EvaluationJob
from growsearch.trials.seeds import seed_of
from growsearch.trials.worker import Job

K = TypeVar("K")
T = TypeVar("T")


@dataclass(frozen=True)
class Run:
    """The parts of an open run; the steps of a search change the study and nothing else.

    Parameters
    ----------
    space : SearchSpace
    seed : int
    data : str
        The fingerprint of the images.
    images : mapping
        The splits by part; see ``growsearch.trials.worker.WorkerContext``.
    study, control_study : optuna.Study
    store : NetworkStore
    executor : Executor
    listener : PointListener
        What the executor calls with each point of a training's curve.
    clock : Clock
    on_event : callable
    """

    space: SearchSpace
    seed: int
    data: str
    images: Mapping[str, Split]
    study: Study
    control_study: Study
    store: NetworkStore
    executor: Executor
    listener: PointListener
    clock: Clock
    on_event: OnEvent
    _losses: dict[str, NDArray[np.float32] | None] = field(init=False, default_factory=dict)

    def execute(self, job: Job[T]) -> T:
        """Carry out one job and wait for its outcome."""
        return self.executor.submit(job).result()

    def execute_each(self, jobs: Iterable[tuple[K, Job[T]]]) -> Iterator[tuple[K, T]]:
        """Carry out jobs, one a worker at a time; yield their outcomes in the order of the jobs.

        Parameters
        ----------
        jobs : iterable of (key, job)
            Drawn when a worker is free. The key comes back beside the outcome.
        """
        running: deque[tuple[K, Future[T]]] = deque()
        for key, job in jobs:
            running.append((key, self.executor.submit(job)))
            if len(running) >= self.executor.workers:
                first, future = running.popleft()
                yield first, future.result()
        for key, future in running:
            yield key, future.result()

    def losses_of(self, sha256: str) -> NDArray[np.float32] | None:
        """Return a stored network's losses on the selection images.

        The last losses are cached, since every round compares with the incumbent.
        """
        if sha256 not in self._losses:
            job = EvaluationJob("the incumbent's losses", sha256, "selection", self.data)
            losses = self.execute(job).losses
            self._losses.clear()
            self._losses[sha256] = losses
        return self._losses[sha256]

    def seed_of(self, index: int, purpose: str) -> int:
        """Return the seed of one purpose of one trial."""
        return seed_of(self.seed, index, purpose)

    def write_spent(self) -> None:
        """Store the time that the run has taken, by phase."""
        self.clock.write_spent(self.study)
