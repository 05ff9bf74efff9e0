"""One open run: what every step of a search works with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from optuna.study import Study

from growsearch.datasets import Split
from growsearch.driver.budget import Clock
from growsearch.driver.events import OnEvent
from growsearch.driver.watch import Watch
from growsearch.execution import Executor
from growsearch.networks.store import NetworkStore
from growsearch.space import SearchSpace
from growsearch.study.attributes import SpentAttribute
from growsearch.trials.bench import Job
from growsearch.trials.measurements import EvaluationJob
from growsearch.trials.seeds import seed_of

T = TypeVar("T")


@dataclass(frozen=True)
class Run:
    """The parts of an open run; the steps of a search change the study and nothing else.

    Parameters
    ----------
    space : SearchSpace
    folder : Path
    seed : int
    data : str
        The fingerprint of the images.
    images : mapping
        The splits by part; see ``growsearch.trials.bench.Bench``.
    study, control_study : optuna.Study
    store : NetworkStore
    executor : Executor
    watch : Watch
        What the executor calls with each point of a training's curve.
    clock : Clock
    on_event : callable
    """

    space: SearchSpace
    folder: Path
    seed: int
    data: str
    images: Mapping[str, Split]
    study: Study
    control_study: Study
    store: NetworkStore
    executor: Executor
    watch: Watch
    clock: Clock
    on_event: OnEvent
    _losses: dict[str, NDArray[np.float32] | None] = field(init=False, default_factory=dict)

    def execute(self, job: Job[T]) -> T:
        """Carry out one job and wait for its outcome."""
        return self.executor.submit(job).result()

    def losses_of(self, sha256: str) -> NDArray[np.float32] | None:
        """Return a stored network's losses on the images of the choice.

        The last answer is kept: the incumbent is asked about in every round.
        """
        if sha256 not in self._losses:
            job = EvaluationJob("the incumbent's losses", sha256, "choice", self.data)
            losses = self.execute(job).losses
            self._losses.clear()
            self._losses[sha256] = losses
        return self._losses[sha256]

    def seed_of(self, index: int, purpose: str) -> int:
        """Return the seed of one purpose of one trial."""
        return seed_of(self.seed, index, purpose)

    def write_spent(self) -> None:
        """Store the time that the run has taken, by phase."""
        SpentAttribute(value=self.clock.spent()).write(self.study)

    @contextmanager
    def on(self, phase: str) -> Iterator[None]:
        """Count the block's time into a phase."""
        with self.clock.on(phase):
            yield
