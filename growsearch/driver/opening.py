"""Opening a run: its folder locked, its study opened and compared, its executor started."""

from __future__ import annotations

import errno
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from filelock import FileLock, Timeout
from optuna.study import Study

from growsearch.datasets import Dataset, Split
from growsearch.driver.budget import Clock
from growsearch.driver.compatibility import check_fits
from growsearch.driver.events import OnEvent, Started
from growsearch.driver.holdout import hold_out
from growsearch.driver.listener import PointListener
from growsearch.driver.pruner import pruner_of
from growsearch.driver.run import Run
from growsearch.driver.sampler import sampler_of
from growsearch.driver.width_probe import with_measured_widths
from growsearch.errors import RunError, disk_error
from growsearch.execution import Executor, ExecutorFactory, InProcessExecutor
from growsearch.networks.store import NetworkStore
from growsearch.space import SearchSpace
from growsearch.study import open as studies
from growsearch.study.attributes import SpentAttribute
from growsearch.study.database import database_url, open_storage, storage_errors
from growsearch.study.run_id import claim
from growsearch.study.same_run import record_or_compare
from growsearch.study.trials import trials_that_count
from growsearch.training import Trainer
from growsearch.trials.worker import WorkerContext


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
    executor : callable
        Makes the executor of the session's jobs.
    time_budget : float or None
        Seconds of the whole run, those of earlier sessions included.
    storage : str or None
        An Optuna storage URL; None is SQLite in the run folder.
    on_event : callable
        Called with each of the values of ``growsearch.driver.events``.
    began : float
        When the session began, by ``time.monotonic``.
    """

    space: SearchSpace
    dataset: Dataset
    trainer: Trainer
    out: Path
    trials: int
    seed: int = 0
    executor: ExecutorFactory = InProcessExecutor
    time_budget: float | None = None
    storage: str | None = None
    on_event: OnEvent = lambda _: None
    began: float = field(default_factory=time.monotonic)


@contextmanager
def opened(session: Session) -> Iterator[Run]:
    """Open a run, new or interrupted, for the block; errors of disk and database are one line."""
    space, dataset, out = session.space, session.dataset, session.out
    check_fits(space, dataset)
    images = images_by_part(dataset, space.judge.held_out)
    with _locked(out), storage_errors(session.storage or str(out)), _disk_errors(out):
        study, control_study = _studies(session)
        spent = SpentAttribute.read(study)
        clock = Clock(session.time_budget, session.began, spent.value if spent else {})
        session.on_event(_started(session, study))
        store, listener = NetworkStore(out / studies.WEIGHTS), PointListener(session.on_event)
        context = WorkerContext(session.trainer, images, store, dataset.fingerprint)
        executor = session.executor(context, listener)
        with _shut_down(executor), _time_kept(study, clock):
            with clock.on("teacher"):
                space = with_measured_widths(study, space, executor)
            study.sampler, study.pruner = sampler_of(space, session.seed), pruner_of(space)
            yield Run(
                space=space,
                seed=session.seed,
                data=dataset.fingerprint,
                images=images,
                study=study,
                control_study=control_study,
                store=store,
                executor=executor,
                listener=listener,
                clock=clock,
                on_event=session.on_event,
            )


def _studies(session: Session) -> tuple[Study, Study]:
    """Open the two studies of a run, and compare them with what is asked now."""
    out, storage = session.out, session.storage
    database = open_storage(storage or database_url(out))
    name = out.resolve().name if storage else (studies.runs(database) or [session.space.name])[0]
    study, control_study = studies.create_or_load(database, name)
    if storage:
        claim(study, out, storage)
    record_or_compare(study, session.space, session.dataset, session.seed, out)
    return study, control_study


def _started(session: Session, study: Study) -> Started:
    """Return the event of an opened run."""
    dataset = session.dataset
    return Started(
        folder=session.out,
        name=study.study_name,
        trials=session.trials,
        done=len(trials_that_count(study)),
        data_source=dataset.source,
        stand_in=dataset.stand_in,
        seed=session.seed,
    )


def images_by_part(dataset: Dataset, held_out: float) -> dict[str, Split]:
    """Return the splits that jobs name: train, selection, held_out where there is one, and test."""
    selection, rest = hold_out(dataset.validation, held_out)
    parts = {"train": dataset.train, "selection": selection, "test": dataset.test}
    return parts if rest is None else parts | {"held_out": rest}


@contextmanager
def _shut_down(executor: Executor) -> Iterator[None]:
    """Shut the executor down after the block; an error does not wait for jobs that run."""
    try:
        yield
    except BaseException:
        executor.shutdown(wait=False, cancel_futures=True)
        raise
    executor.shutdown()


@contextmanager
def _time_kept(study: Study, clock: Clock) -> Iterator[None]:
    """Store the time of an interrupted session: the budget is that of the whole run."""
    try:
        yield
    except BaseException:
        with suppress(Exception):  # an error of the storage is on its way already
            clock.write_spent(study)
        raise


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the run folder alone: then no other process is running its trials."""
    lock = FileLock(folder / ".lock", timeout=0)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise RunError(
            f"{folder}: expected to be alone in the run folder, but another growsearch process "
            "works in it: wait for it, or use another --out"
        ) from None
    except OSError as error:
        raise RunError(
            f"{folder}: expected a folder that can be written to: {error.strerror}"
        ) from None
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _disk_errors(folder: Path) -> Iterator[None]:
    """Turn a full or failing disk into one line that names path and free space."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EACCES):
            raise
        raise disk_error(error, folder) from None
