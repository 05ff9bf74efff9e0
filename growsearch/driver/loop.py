"""The search: ask, grow, train, judge, tell."""

from __future__ import annotations

import errno
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout
from optuna.study import Study
from optuna.trial import FrozenTrial

from growsearch.datasets import Dataset
from growsearch.driver import study as state
from growsearch.driver.choice import split_choice
from growsearch.driver.events import OnEvent, Started, TrialFinished
from growsearch.driver.notes import write_note
from growsearch.driver.proposals import distributions, may_grow
from growsearch.driver.records import SearchResult
from growsearch.driver.run import Run, agree
from growsearch.driver.space import SearchSpace
from growsearch.driver.storage import database_url, open_storage, storage_errors
from growsearch.errors import InvalidInputError, RunError
from growsearch.trainers import Trainer

Callback = Callable[[Study, FrozenTrial], None]


def search(
    space: SearchSpace,
    dataset: Dataset,
    trainer: Trainer,
    *,
    trials: int,
    time_budget: float | None,
    out: Path,
    storage: str | None,
    seed: int,
    callbacks: Sequence[Callback] = (),
    on_event: OnEvent = lambda _: None,
) -> SearchResult:
    """Run a search, or go on with an interrupted one; see :func:`growsearch.search`."""
    began = time.monotonic()
    _check_fits(space, dataset)
    halves = split_choice(dataset.validation, space.judge.held_out)
    with _locked(out), storage_errors(storage or str(out)), _disk_errors(out):
        opened = open_storage(storage or database_url(out))
        name = out.resolve().name if storage else (state.runs(opened) or [space.name])[0]
        study, control_study = state.create_or_load(opened, name)
        agree(study, space, dataset, seed, out)
        done = len(state.trials_that_count(study))
        on_event(Started(out, name, trials, done, dataset.source, dataset.stand_in, seed))
        run = Run(space, dataset, trainer, out, seed, study, control_study, on_event, *halves)
        study._thread_local.in_optimize_loop = True  # callbacks may call study.stop()
        run.teach()
        state.fail_interrupted(study)

        def finish(number: int) -> None:
            run.controls(number)
            trial = study.get_trials(deepcopy=False)[number]
            controls = state.controls_by_number(control_study).get(number, {})
            record = state.record(trial, controls)
            write_note(study, trial, record)
            on_event(TrialFinished(record, len(state.trials_that_count(study)), trials))
            for callback in callbacks:
                callback(study, trial)

        for number in run.lacking_controls():
            finish(number)
        longest = 0.0
        all_of = f"all {trials} trials are" if trials != 1 else "the one trial is"
        ended = f"{all_of} done" + (" since an earlier session" if done >= trials > 0 else "")
        while len(state.trials_that_count(study)) < trials:
            if study._stop_flag:
                ended = "a callback stopped it"
                break
            best = state.best_of(study, out)
            if not may_grow(best.network.architecture, space):
                ended = "nothing is left to grow within the limits of the space"
                break
            spent = time.monotonic() - began
            if time_budget is not None and spent + longest > time_budget:
                ended = f"the time budget of {time_budget:g} s leaves no room for another trial"
                break
            trial = study.ask(distributions(space))
            run.candidate(trial, best)
            finish(trial.number)
            longest = max(longest, time.monotonic() - began - spent)
        study._thread_local.in_optimize_loop = False
        run.test()
        return result_of(study, control_study, out, ended=ended)


def result_of(study: Study, control_study: Study, folder: Path, *, ended: str = "") -> SearchResult:
    """What a run has found so far, read from its study.

    Raises
    ------
    RunError
        When the run has not even a teacher yet.
    """
    best, teacher = state.best_of(study, folder), state.teacher_of(study, folder)
    data = state.attribute(study, state.DATA) or {}
    test = state.attribute(study, state.TEST)
    tested = isinstance(test, dict) and test.get("sha256") == best.path.stem
    return SearchResult(
        best=best,
        test_accuracy=test.get("accuracy") if tested else None,
        held_out_accuracy=test.get("held_out_accuracy") if tested else None,
        teacher_accuracy=teacher.validation_accuracy,
        teacher_test_accuracy=test.get("teacher_accuracy") if tested else None,
        trials=state.records(study, control_study),
        study=study,
        control_study=control_study,
        folder=folder,
        ended=ended,
        data_source=str(data.get("source", "")),
        stand_in=bool(data.get("stand_in")),
    )


def load_result(folder: str | Path, *, storage: str | None = None) -> SearchResult:
    """Read a run, finished or not, without changing it.

    Parameters
    ----------
    folder : path
        What was ``out`` when it ran.
    storage : str, optional
        The storage URL of the run, if it was not its folder's.

    Raises
    ------
    RunError
        When there is no run, or none that can be read.
    """
    folder = Path(folder)
    with storage_errors(storage or str(folder)):
        study, control_study = state.find(folder, storage)
        return result_of(study, control_study, folder)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the run folder alone; whatever is running in its study then runs no more."""
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
        free = shutil.disk_usage(folder).free
        raise RunError(
            f"{error.filename or folder}: cannot be written: {error.strerror} "
            f"({free / 1e6:,.0f} MB free); everything finished is stored: make room and run the "
            "same command again"
        ) from None


def _check_fits(space: SearchSpace, dataset: Dataset) -> None:
    architecture = space.architecture
    if dataset.image_shape != architecture.input_shape:
        raise InvalidInputError(
            f"data: expected images of shape {architecture.input_shape}, as the space {space.name} "
            f"has it, got {dataset.image_shape}"
        )
    outputs = architecture.shapes[architecture.output.name]
    if outputs != (dataset.classes,):
        raise InvalidInputError(
            f"teacher.architecture: expected {dataset.classes} outputs, one a class of the data, "
            f"got {outputs}"
        )
