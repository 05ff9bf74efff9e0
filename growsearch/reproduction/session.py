"""A session of a reproduction: jobs that are sent when their teacher is there, outcomes stored."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from growsearch.datasets import Dataset
from growsearch.errors import NetworkFileError
from growsearch.execution import Executor
from growsearch.execution.dispatch import Dispatcher
from growsearch.execution.time_limit import TimeLimit
from growsearch.execution.workers import context_for, executor_of, workers_of
from growsearch.growth import Treatment
from growsearch.networks import Architecture
from growsearch.networks.store import NetworkStore
from growsearch.reproduction.experiments import BATCH_SIZE, LEARNING_RATE, Experiment
from growsearch.reproduction.finished import FILE, Finished
from growsearch.reproduction.job import ExperimentJob, Trained
from growsearch.reproduction.progress import FlopsProgress, OnProgress
from growsearch.training import Trainer, TrainingPlan
from growsearch.trials.job import First
from growsearch.trials.worker import Crash

UNFINISHED = "unfinished"  # in the folder, until all seeds are whole: networks, images, progress
WEIGHTS = "weights"  # in that one


@dataclass(frozen=True)
class Session:
    """One session of a reproduction: what the command or the call asked for.

    Parameters
    ----------
    seeds : range
    data : Dataset
    teacher : Architecture
    steps : tuple of int
        Updates after which every network is evaluated.
    trainer : Trainer
    workers : int
        Trainings at once. Without an executor, 0 is this process.
    executor : Executor or None
        A caller's own; it is not shut down. None is processes of this machine.
    on_progress : callable or None
    """

    seeds: range
    data: Dataset
    teacher: Architecture
    steps: tuple[int, ...]
    trainer: Trainer
    workers: int
    executor: Executor | None
    on_progress: OnProgress | None

    def missing(self, finished: Finished) -> list[tuple[int, Experiment, Treatment]]:
        """Return the trainings that are still to be made, those of the first seed first."""
        return [(seed, *each) for seed in self.seeds for each in finished.missing(seed)]

    def progress(self, finished: Finished) -> FlopsProgress:
        """Report the images; return the progress of what is missing."""
        progress = FlopsProgress(self.missing(finished), self.teacher, self.steps, self.on_progress)
        progress.images(self.data.source)
        return progress

    def train(self, finished: Finished, folder: Path) -> Finished:
        """Make the missing trainings, and write each into the folder's file when it ends.

        Raises
        ------
        UnavailableError
            When the worker of a training is lost three times, or the executor is broken.
        Exception
            A trainer's own.
        """
        working = folder / UNFINISHED
        store = NetworkStore(working / WEIGHTS)
        finished = _with_networks(finished, store)
        progress = self.progress(finished)
        with self._dispatcher(working, store, progress) as dispatcher:
            sent: set[str] = set()
            while True:
                for job in self._ready(finished):
                    if dispatcher.free > 0 and job.name not in sent:
                        sent.add(job.name)
                        dispatcher.send(job, job)
                if dispatcher.is_idle:
                    break
                outcomes = [outcome for _, outcome in dispatcher.finished()]
                for trained in _trained(outcomes):
                    finished = finished.adding(trained)
                    finished.write(folder / FILE)
                    if trained.teacher not in finished.teachers.values():  # its seed is whole
                        store.remove(trained.teacher)
                    progress.stored(trained)
        if not finished.trainings:
            shutil.rmtree(working, ignore_errors=True)
        return finished

    def _dispatcher(
        self, working: Path, store: NetworkStore, progress: FlopsProgress
    ) -> AbstractContextManager[Dispatcher]:
        """Start the workers for a block."""
        executor = executor_of(self.executor, self.workers)
        context = context_for(
            executor,
            working,
            trainer=self.trainer,
            images={"train": self.data.train, "test": self.data.test},
            store=store,
            data=self.data.fingerprint,
            memory=None,
        )
        return Dispatcher(
            executor,
            context,
            workers=workers_of(executor, self.workers),
            time_limit=TimeLimit(None),
            on_event=progress.heard,
        ).working(shuts_down=self.executor is None)

    def _ready(self, finished: Finished) -> Iterator[ExperimentJob]:
        """Yield the missing trainings that can begin: teachers, and students of trained ones."""
        every = self.steps[1] - self.steps[0]
        plan = TrainingPlan(self.steps[-1], BATCH_SIZE, LEARNING_RATE, "adam", evaluate_every=every)
        for seed, experiment, slots in self.missing(finished):
            parent: str | First | None = finished.teachers.get(seed)
            if not experiment.continues:
                parent = First(self.teacher, "truncated_normal")
            if parent is not None:
                data = self.data.fingerprint
                yield ExperimentJob(seed, experiment.name, slots, parent, plan, data)


def _with_networks(finished: Finished, store: NetworkStore) -> Finished:
    """Return what is finished without the teachers whose network is lost."""
    for seed, teacher in finished.teachers.items():
        try:
            store.get(teacher)
        except NetworkFileError:
            finished = finished.without_teacher(seed)
    return finished


def _trained(outcomes: list[Trained | Crash]) -> Iterator[Trained]:
    """Yield the outcomes; then raise the first error among them."""
    yield from (outcome for outcome in outcomes if isinstance(outcome, Trained))
    for outcome in outcomes:
        if isinstance(outcome, Crash):
            raise outcome.raised()
