"""The search: ask, grow, train, judge, tell."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout
from optuna.study import Study
from optuna.trial import FrozenTrial

from growsearch.datasets import Dataset
from growsearch.driver.budget import Clock
from growsearch.driver.controls import lacking, run_controls
from growsearch.driver.events import OnEvent, Started, TrialFinished
from growsearch.driver.holdout import split_choice
from growsearch.driver.polish import polish
from growsearch.driver.proposals import may_grow
from growsearch.driver.run import Run, width_multiple
from growsearch.errors import InvalidInputError, RunError, disk_error
from growsearch.space import SearchSpace
from growsearch.study import networks as kept
from growsearch.study import read as reading
from growsearch.study import study as state
from growsearch.study.database import database_url, open_storage, storage_errors
from growsearch.study.notes import write_note
from growsearch.study.result import SearchResult
from growsearch.study.run_id import check, claim
from growsearch.study.same_run import record_or_compare
from growsearch.training import Trainer

Callback = Callable[[Study, FrozenTrial], None]

_LAST_EVALUATIONS = 0.02  # of the time budget: for the test images


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
    callbacks: Sequence[Callback],
    on_event: OnEvent,
    began: float,
) -> SearchResult:
    """Run a search, or go on with an interrupted one; see :func:`growsearch.search`."""
    _check_fits(space, dataset)
    halves = split_choice(dataset.validation, space.judge.held_out)
    with _locked(out), storage_errors(storage or str(out)), _disk_errors(out):
        opened = open_storage(storage or database_url(out))
        name = out.resolve().name if storage else (state.runs(opened) or [space.name])[0]
        study, control_study = state.create_or_load(opened, name)
        if storage:
            claim(study, out, storage)
        record_or_compare(study, space, dataset, seed, out)
        clock = Clock(time_budget, began, reading.spent_of(study))
        done = len(state.trials_that_count(study))
        on_event(Started(out, name, trials, done, dataset.source, dataset.stand_in, seed))
        with _time_kept(study, clock):
            with clock.on("teacher"):
                space = space.with_width_multiple(width_multiple(study, space, trainer))
                run = Run(
                    space, dataset, trainer, out, seed, study, control_study, on_event, *halves
                )
                is_new = run.teach()
            if is_new:
                study.set_user_attr(state.SPENT, clock.spent())
            ended = _run_trials(run, clock, trials, callbacks)
            with clock.on("polish"):
                polish(run, clock)
            with clock.on("test"):
                is_new = run.test()
            if is_new:
                study.set_user_attr(state.SPENT, clock.spent())
        return result_of(study, control_study, out, ended=ended)


def _run_trials(run: Run, clock: Clock, trials: int, callbacks: Sequence[Callback]) -> str:
    """Make the trials that are left to make, and say why there are no more."""
    space, study, control_study = run.space, run.study, run.control_study
    ended = _until(trials, len(state.trials_that_count(study)))
    study._thread_local.in_optimize_loop = True  # callbacks may call study.stop()
    state.fail_interrupted(study)

    last, longest = reading.laps_of(study)

    def finish(number: int, began: float) -> None:
        nonlocal last, longest
        with clock.on("controls"):
            run_controls(run, number)
        trial = study.get_trials(deepcopy=False)[number]
        record = reading.record(trial, reading.controls_of(control_study, number))
        write_note(study, trial, record)
        study.set_user_attr(state.SPENT, clock.spent())
        run.on_event(TrialFinished(record, len(state.trials_that_count(study)), trials))
        for callback in callbacks:
            callback(study, trial)
        last, longest = max(last, number), max(longest, clock.passed - began)
        study.set_user_attr(state.LAPS, {"last": last, "longest": longest})

    unfinished = {trial.number for trial in state.trials_that_count(study) if trial.number > last}
    for number in sorted(unfinished.union(lacking(run))):
        finish(number, clock.passed)
    while len(state.trials_that_count(study)) < trials:
        if study._stop_flag:
            ended = "a callback stopped it"
            break
        best = kept.best_of(study, run.folder)
        if not may_grow(best.network.architecture, space):
            ended = "nothing is left to grow within the limits of the space"
            break
        began = clock.passed
        budget = clock.budget
        if budget is not None and clock.left - longest < _kept_for_later(space, budget):
            ended = f"the time budget of {budget:g} s leaves no room for another trial"
            break
        with clock.on("candidates"):
            number = run.next_trial(best)
        finish(number, began)
    study._thread_local.in_optimize_loop = False
    return ended


def _until(trials: int, done: int) -> str:
    """How a search ends that makes all its trials."""
    if done > trials:
        return f"{done} trials are done since an earlier session, more than the {trials} asked for"
    if trials == 0:
        return "no trials were asked for"
    all_of = f"all {trials} trials are" if trials != 1 else "the one trial is"
    return f"{all_of} done" + (" since an earlier session" if done >= trials else "")


def _kept_for_later(space: SearchSpace, budget: float) -> float:
    """Seconds that no trial may use: the polish's, and what the last evaluations take."""
    share = space.polish.share if space.polish else 0.0
    return max(share, _LAST_EVALUATIONS) * budget


def result_of(study: Study, control_study: Study, folder: Path, *, ended: str = "") -> SearchResult:
    """What a run has found so far, read from its study.

    Raises
    ------
    RunError
        When the run has not even a teacher yet.
    """
    best, teacher = kept.final_of(study, folder), kept.teacher_of(study, folder)
    data = state.attribute(study, state.DATA) or {}
    test = kept.test_of(study, best)
    return SearchResult(
        best=best,
        test_accuracy=test.get("accuracy"),
        held_out_accuracy=test.get("held_out_accuracy"),
        teacher_held_out_accuracy=test.get("teacher_held_out_accuracy"),
        teacher_accuracy=teacher.validation_accuracy,
        teacher_test_accuracy=test.get("teacher_accuracy"),
        trials=reading.records(study, control_study),
        study=study,
        control_study=control_study,
        folder=folder,
        ended=ended,
        data_source=str(data.get("source", "")),
        stand_in=bool(data.get("stand_in")),
        spent=reading.spent_of(study),
        control_arms=reading.control_arms_of(study),
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
        if storage:
            check(study, folder, storage)
        return result_of(study, control_study, folder)


@contextmanager
def _time_kept(study: Study, clock: Clock) -> Iterator[None]:
    """Store the time that an interrupted session took: the budget is the whole run's."""
    try:
        yield
    except BaseException:
        with suppress(Exception):  # what is wrong with the storage is said already
            study.set_user_attr(state.SPENT, clock.spent())
        raise


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
        raise disk_error(error, folder) from None


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
    plans = {
        "teacher": space.teacher.plan,
        "training": space.training.plan_at(space.choices.learning_rate[0]),
    }
    if space.polish is not None:
        plans |= {"polish": space.polish.plan, "polish.last": space.polish.last_plan}
    for section, plan in plans.items():
        if plan.batch_size > len(dataset.train):
            raise InvalidInputError(
                f"{section}.batch_size: expected at most {len(dataset.train):,}, as many as there "
                f"are training images, got {plan.batch_size:,}"
            )
        try:
            plan.augmentation.check_images(dataset.image_shape)
        except InvalidInputError as error:
            raise InvalidInputError(f"{section}.{error}") from None
