"""Opening a run: its folder locked, its study opened and compared, its workers started."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from optuna.study import Study

from growsearch.datasets import Dataset, Split
from growsearch.driver.budget import Clock
from growsearch.driver.compatibility import check_demand, check_fits, check_metric
from growsearch.driver.events import OnEvent, Started
from growsearch.driver.guard import Guard
from growsearch.driver.holdout import hold_out
from growsearch.driver.pending import window_of
from growsearch.driver.run import Run
from growsearch.driver.sampler import sampler_of
from growsearch.driver.use import Use
from growsearch.driver.width_probe import with_measured_widths
from growsearch.errors import NetworkFileError, RunError, disk_errors
from growsearch.execution import Executor
from growsearch.execution.dispatch import Dispatcher
from growsearch.execution.time_limit import TimeLimit
from growsearch.execution.workers import context_for, executor_of, workers_of
from growsearch.interop.models import StartingNetwork
from growsearch.networks.store import NetworkStore
from growsearch.space import SearchSpace
from growsearch.study import open as studies
from growsearch.study.attributes import (
    MachineAttribute,
    SpaceAttribute,
    SpentAttribute,
    StartAttribute,
    WorkersAttribute,
)
from growsearch.study.database import database_url, open_storage, storage_errors
from growsearch.study.lock import locked
from growsearch.study.networks import freed_of
from growsearch.study.optuna_private import roll_back_interrupted
from growsearch.study.read import trained
from growsearch.study.run_id import claim
from growsearch.study.same_run import record_or_compare
from growsearch.study.standing import standing_of
from growsearch.training import Trainer
from growsearch.trials.demands import DEMANDS

FILES = "images.csv"  # in the run folder: name, class, split and hash of each file of images


@dataclass(frozen=True)
class Session:
    """One session of a run: what the command or the call asked for.

    Parameters
    ----------
    space : SearchSpace
    dataset : Dataset
    trainer : Trainer
    out : Path
        The run folder.
    trials : int
        Trials in all, those of earlier sessions included.
    seed : int
    executor : Executor or None
        A caller's own; it is not shut down. None is processes of this machine.
    workers : int
        Jobs at once. Without an executor, 0 is this process.
    pending_trials : int or None
        Candidates that are asked for before the oldest of them is judged. None is what the run was
        begun with; of a new run, as many as keep the workers busy beside the controls.
    time_limit : float or None
        Seconds that one training may take; None is ten times the longest, at least 5 minutes.
    memory_per_worker : int or None
        Bytes that a worker process may take; None is its share of this machine's memory.
    time_budget : float or None
        Seconds of the whole run, those of earlier sessions included.
    storage : str or None
        An Optuna storage URL; None is SQLite in the run folder.
    on_event : callable
        Called with each of the values of ``growsearch.driver.events``.
    began : float
        When the session began, by ``time.monotonic``.
    notes : tuple of str
        What was done to images and space to fit them together, a line each.
    start : StartingNetwork or None
        The network that the search starts from; None where the run trains its own.
    """

    space: SearchSpace
    dataset: Dataset
    trainer: Trainer
    out: Path
    trials: int
    seed: int = 0
    executor: Executor | None = None
    workers: int = 0
    pending_trials: int | None = None
    time_limit: float | None = None
    memory_per_worker: int | None = None
    time_budget: float | None = None
    storage: str | None = None
    on_event: OnEvent = lambda _: None
    began: float = field(default_factory=time.monotonic)
    notes: tuple[str, ...] = ()
    start: StartingNetwork | None = None


@contextmanager
def opened(session: Session) -> Iterator[Run]:
    """Open a run, new or interrupted, for the block; errors of disk and database are one line."""
    space, dataset, out = session.space, session.dataset, session.out
    check_fits(space, dataset, session.start)
    images = images_by_part(dataset, space.judge.held_out)
    check_metric(space, images)
    check_demand(space, session.trainer)
    with locked(out), storage_errors(session.storage or str(out)), disk_errors(out):
        study, control_study = _studies(session)
        if dataset.files is not None:
            dataset.files.write(out / FILES)
        guard = Guard(study)
        own = session.executor
        workers = session.workers if own is None else workers_of(own, session.workers)
        window = window_of(study, out, asked=session.pending_trials, workers=workers, space=space)
        spent = SpentAttribute.read(study)
        clock = Clock(session.time_budget, session.began, spent.value if spent else {})
        session.on_event(_started(session, study, workers, window, clock))
        store = NetworkStore(out / studies.WEIGHTS)
        with _dispatching(session, images, store, clock, guard, study) as dispatcher:
            processes = 0 if dispatcher.is_in_process else dispatcher.workers
            use = Use(WorkersAttribute.read(study), dispatcher, processes)
            with clock.on("teacher"):
                space = with_measured_widths(study, space, dispatcher)
            # A campaign knows all trials before it, which are told.
            sampler = sampler_of(space, session.seed, window if space.trunk is None else 1)
            study.sampler = sampler
            run = Run(
                space=space,
                seed=session.seed,
                data=dataset.fingerprint,
                images=images,
                study=study,
                control_study=control_study,
                guard=guard,
                sampler=sampler,
                window=window,
                store=store,
                dispatcher=dispatcher,
                clock=clock,
                use=use,
                on_event=session.on_event,
                start=session.start,
            )
            with _kept(run):
                yield run


@contextmanager
def _dispatching(
    session: Session,
    images: dict[str, Split],
    store: NetworkStore,
    clock: Clock,
    guard: Guard,
    study: Study,
) -> Iterator[Dispatcher]:
    """Start the workers for the block; an error does not wait for the jobs that run."""
    executor = executor_of(session.executor, session.workers)
    context = context_for(
        executor,
        session.out,
        trainer=session.trainer,
        images=images,
        store=store,
        data=session.dataset.fingerprint,
        memory=session.memory_per_worker,
        metric=session.space.judge.metric,
    )
    dispatcher = Dispatcher(
        executor,
        context,
        workers=workers_of(executor, session.workers),
        counted=clock.on,
        time_limit=TimeLimit(session.time_limit, trained(study)),
        on_event=session.on_event,
        on_work=guard.take,
    )
    with dispatcher.working(shuts_down=session.executor is None):
        yield dispatcher


def _studies(session: Session) -> tuple[Study, Study]:
    """Open the two studies of a run, and compare them with what is asked now."""
    out, storage = session.out, session.storage
    database = open_storage(storage or database_url(out))
    name = out.resolve().name if storage else (studies.runs(database) or [_name(session.space)])[0]
    demand, metric = session.space.search.demand, session.space.judge.metric
    study, control_study = studies.create_or_load(
        database, name, metric, None if demand is None else DEMANDS[demand].words
    )
    if storage:
        claim(study, out, storage)
    start = None if session.start is None else _stored_start(session.start, study, out)
    record_or_compare(study, session.space, session.dataset, session.seed, out, start)
    if len(study.directions) != 1 + (demand is not None):  # of a session killed at its begin
        raise RunError(f"{out}: this run was started with other objectives: use another --out")
    MachineAttribute.now().write(study)
    return study, control_study


def _name(space: SearchSpace) -> str:
    """Return the name of a new run's study, which is never that of some run's controls."""
    is_taken = space.name.endswith(studies.CONTROL_SUFFIX)
    return f"{space.name}-run" if is_taken else space.name


def _stored_start(start: StartingNetwork, study: Study, out: Path) -> StartAttribute:
    """Return what the study holds of a network that was given, which the run folder has.

    A file that is missing or damaged is written again.
    """
    store, sha256 = NetworkStore(out / studies.WEIGHTS), start.network.sha256
    before, space = StartAttribute.read(study), SpaceAttribute.read(study)
    if space is None or (before is not None and before.sha256 == sha256):
        try:
            store.get(freed_of(study).stored(sha256))
        except NetworkFileError:
            store.put(start.network)
    return StartAttribute(
        source=start.source,
        file_sha256=start.file_sha256,
        sha256=sha256,
        training_flops=start.training_flops,
    )


def _started(session: Session, study: Study, workers: int, window: int, clock: Clock) -> Started:
    """Return the event of an opened run."""
    dataset, trunk = session.dataset, session.space.trunk
    standing = standing_of(study)
    return Started(
        folder=session.out,
        name=study.study_name,
        trials=session.trials,
        done=standing.trials,
        data_source=dataset.source,
        stand_in=dataset.stand_in,
        seed=session.seed,
        workers=workers,
        pending_trials=window,
        time_budget=clock.budget,
        passed=clock.passed,
        length=None if trunk is None else clock.budget or float(trunk.steps),
        metric=session.space.judge.metric,
        notes=session.notes,
        best_accuracy=standing.validation_accuracy,
        best_parameters=standing.parameters,
    )


def images_by_part(dataset: Dataset, held_out: float) -> dict[str, Split]:
    """Return the splits that jobs name: train, selection, held_out where there is one, and test."""
    selection, rest = hold_out(dataset.validation, held_out)
    parts = {"train": dataset.train, "selection": selection, "test": dataset.test}
    if rest is not None:
        parts["held_out"] = rest
    return {part: split.named(dataset.class_names) for part, split in parts.items()}


@contextmanager
def _kept(run: Run) -> Iterator[None]:
    """Store the time of an interrupted session: the budget is that of the whole run."""
    try:
        yield
    except BaseException as error:
        run.dispatcher.cancel()  # first: the database may not answer for a time
        if not isinstance(error, Exception):
            roll_back_interrupted(run.study, error)
        with suppress(Exception):  # an error of the storage is on its way already
            run.write_spent()
            run.use.write(run.study)
        raise
