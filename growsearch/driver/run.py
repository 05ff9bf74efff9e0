"""One open run: what every step of a search works with."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

from optuna.study import Study, load_study

from growsearch.datasets import Split
from growsearch.driver.budget import Clock
from growsearch.driver.costs import Costs
from growsearch.driver.events import OnEvent
from growsearch.driver.guard import Guard
from growsearch.driver.plans import paced
from growsearch.driver.sampler import GainSampler
from growsearch.driver.use import Use
from growsearch.execution.dispatch import Dispatcher
from growsearch.interop.models import StartingNetwork
from growsearch.networks.store import NetworkStore
from growsearch.space import SearchSpace
from growsearch.study.attributes import TeacherAttribute
from growsearch.study.named import is_referred_to
from growsearch.study.optuna_private import storage_of
from growsearch.study.shown import Showing
from growsearch.trials.measurements import Evaluated, EvaluationJob
from growsearch.trials.seeds import seed_of
from growsearch.trials.worker import Job

T = TypeVar("T")
_CACHED = 32  # networks whose losses are kept


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
    guard : Guard
    sampler : GainSampler
    window : int
        Candidates that may be pending.
    store : NetworkStore
    dispatcher : Dispatcher
    clock : Clock
    use : Use
    on_event : callable
    showing : Showing
        The time that the session takes for the dashboard.
    start : StartingNetwork or None
        The network that was given; None where the run trains its own.
    """

    space: SearchSpace
    seed: int
    data: str
    images: Mapping[str, Split]
    study: Study
    control_study: Study
    guard: Guard
    sampler: GainSampler
    window: int
    store: NetworkStore
    dispatcher: Dispatcher
    clock: Clock
    use: Use
    on_event: OnEvent
    start: StartingNetwork | None = None
    showing: Showing = field(init=False, default_factory=Showing)
    _evaluated: dict[str, Evaluated] = field(init=False, default_factory=dict)

    @cached_property
    def costs(self) -> Costs:
        """The unit of the run's costs."""
        return Costs(self.space.architecture.flops, measured=self.clock.budget is not None)

    @property
    def first_update(self) -> float:
        """The cost of an update of the first network, which is trained."""
        teacher = TeacherAttribute.read(self.study)
        assert teacher is not None
        return self.costs.of_first_update(teacher)

    @property
    def paced_space(self) -> SearchSpace:
        """The space, paced for the length of the run; where nothing is a trunk, as it is."""
        if self.space.trunk is None:
            return self.space
        budget = self.clock.budget
        steps = self.space.trunk.steps if budget is None else budget / self.first_update
        return paced(self.space, steps)

    def execute(self, job: Job[T], phase: str) -> T:
        """Carry out one job and wait for its outcome."""
        return self.dispatcher.execute(job, phase)

    def evaluated(self, sha256: str, phase: str = "candidates") -> Evaluated:
        """Return a stored network's figures on the selection images, as candidates have them.

        The last ones are cached, since every round compares with the incumbent, or with the
        members of a front. The time of the others is counted in ``phase``.
        """
        if sha256 not in self._evaluated:
            weights = self.space.training.class_weight
            job = EvaluationJob(
                "the incumbent's losses", sha256, "selection", self.data, class_weight=weights
            )
            found = self.execute(job, phase)
            while len(self._evaluated) >= _CACHED:
                self._evaluated.pop(next(iter(self._evaluated)))
            self._evaluated[sha256] = found
        return self._evaluated[sha256]

    def seed_of(self, index: int, purpose: str) -> int:
        """Return the seed of one purpose of one trial."""
        return seed_of(self.seed, index, purpose)

    def reopened(self) -> tuple[Study, Study]:
        """Return the two studies anew: they hold nothing of this session, and can be pickled."""
        storage = storage_of(self.study)
        study, control_study = (
            load_study(study_name=each.study_name, storage=storage)
            for each in (self.study, self.control_study)
        )
        return study, control_study

    def forget(self, *networks: str | None) -> None:
        """Remove the networks that nothing names any more."""
        for sha256 in sorted({each for each in networks if each}):
            if not is_referred_to(self.study, sha256):
                with suppress(OSError):  # a file that nothing names does no harm
                    self.store.remove(sha256)

    def write_spent(self) -> None:
        """Store the time that the run has taken, by phase."""
        self.clock.write_spent(self.study)
