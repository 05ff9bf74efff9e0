"""The search as one call: data, trainer and driver put together."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from growsearch import datasets
from growsearch.checks import LARGEST_SEED, expanded, number, whole_number
from growsearch.driver import loop
from growsearch.driver.listeners import Listeners
from growsearch.driver.opening import Session
from growsearch.errors import InvalidInputError
from growsearch.execution.local import check_main_guard
from growsearch.execution.workers import begun, checked_workers, shares_memory
from growsearch.interop.models import StartingNetwork, network_to_search_from
from growsearch.space import AUTO, SearchSpace
from growsearch.space.auto import teacher_of
from growsearch.space.ends import fitted, has_shipped_ends
from growsearch.training.registry import trainer_named

if TYPE_CHECKING:
    from growsearch.driver.events import OnEvent
    from growsearch.driver.finish import Callback
    from growsearch.execution import Executor
    from growsearch.study.result import SearchResult
    from growsearch.training import Trainer


def search(
    space: SearchSpace | str | Path | None = None,
    *,
    network: Any = None,
    trials: int | None = None,
    time_budget: float | None = None,
    out: str | Path | None = None,
    storage: str | None = None,
    data: datasets.Data | None = None,
    seed: int | None = None,
    callbacks: Callback | Sequence[Callback] = (),
    trainer: Trainer | str = "slim",
    workers: int | None = None,
    executor: Executor | None = None,
    pending_trials: int | None = None,
    trial_time_limit: float | None = None,
    memory_per_worker: int | None = None,
    on_event: OnEvent | None = None,
    began: float | None = None,
    image_size: datasets.ImageSize | None = None,
    skip_unreadable: bool = False,
) -> SearchResult:
    """Grow the best network of a search space; the same call continues an interrupted run.

    Parameters
    ----------
    space : SearchSpace, str or Path, optional
        A search space, a shipped name, or the path of a TOML file. By default "mnist", or "auto"
        where a network is given.
    network : Network, Keras model, path or StartingNetwork, optional
        The network to start from, in place of the space's first one; a path ends in ``.keras``,
        ``.h5`` or ``.safetensors``, and no code of a file runs. Its accuracy on the validation
        images is what candidates must beat. It is trained on for ``teacher.steps`` updates
        before, none in the space "auto".
    trials : int, optional
        Trials in all, those of earlier sessions included; the space's number by default.
    time_budget : float, optional
        Seconds of the whole run, those of earlier sessions included: teacher, trials, controls
        and the last training of the best network, which takes what the trials leave. The space's
        by default; infinity is none.
    out : path, optional
        The run folder, for study and weights; by default ``runs/<name of the space>``, or
        ``runs/<name of the file>`` where a network is given, or ``runs/<name of the images>`` for
        images of your own in a shipped space.
    storage : str, optional
        An Optuna storage URL; SQLite in the run folder by default.
    data : path, arrays, pipelines or Dataset, optional
        See :func:`growsearch.datasets.load`; the space's data set by default. A shipped space takes
        images of any size and number of classes: the ends of its first network follow them.
    seed : int, optional
        Seed of everything random; the space's by default.
    callbacks : callable or sequence of callables
        Called as in Optuna, ``callback(study, frozen_trial)``, after each trial and its controls.
        Those with the methods of ``growsearch.driver.listeners.Listener``, as the trackers of
        ``growsearch.tracking``, also hear the events and the result.
    trainer : Trainer or str
        A trainer, or a name of ``growsearch.training.TRAINERS``.
    workers : int, optional
        Trainings at once, each in a process of this machine; 0, the default, is this process. A
        script needs ``if __name__ == "__main__":`` around the call, since new processes import it.
    executor : concurrent.futures.Executor, optional
        Where trainings run instead: a ``growsearch.RayExecutor``, or any other executor, such as
        Dask's ``client.get_executor(pure=False)``. ``workers`` are then the trainings at once, by
        default the executor's own number. ``out`` must be a folder that its workers share.
    pending_trials : int, optional
        Candidates that are asked for before the oldest of them is judged; fixed when the run is
        created. A run is the same with any number of workers. By default as many as keep the
        workers busy beside the controls, at most 8.
    trial_time_limit : float, optional
        Seconds after which a training is stopped and its trial fails; by default ten times the
        longest so far, at least 5 minutes.
    memory_per_worker : int, optional
        Bytes that a worker process may take; its training fails beyond. By default each has its
        share of this machine's memory.
    on_event : callable, optional
        Called with each of the values of ``growsearch.driver.events``, for progress displays.
    began : float, optional
        When the time of this session began, by ``time.monotonic``; at this call by default.
    image_size : int or (height, width), optional
        The size that pictures are resized to; by default that of the space's first network, or in
        a shipped space the median of the pictures, at most 128 pixels along a side.
    skip_unreadable : bool
        Leave out pictures that cannot be read. Otherwise they are an error.

    Returns
    -------
    SearchResult

    Raises
    ------
    GrowsearchError
        For unusable input, before the first trial; or RunError when the run folder or the
        database cannot be used. Whatever is finished is stored.
    """
    check_main_guard()
    began = time.monotonic() if began is None else began
    start = None if network is None else network_to_search_from(network)
    if space is None:
        space = "mnist" if start is None else AUTO
    if not isinstance(space, SearchSpace | str | os.PathLike):
        raise InvalidInputError(
            f"space: expected a SearchSpace, a shipped name or a path, got {space!r}"
        )
    if out is not None and (not isinstance(out, str | os.PathLike) or out == ""):
        raise InvalidInputError(f"out: expected the path of a folder, got {out!r}")
    if storage is not None and not isinstance(storage, str):
        raise InvalidInputError(f"storage: expected the URL of a database, got {storage!r}")
    first = None if start is None else start.network.architecture
    if not isinstance(space, SearchSpace):
        space = SearchSpace.load(space, first=first)
    elif first is not None and space.architecture != first:
        space = space.replace(teacher=teacher_of(first))
    trials = space.search.trials if trials is None else trials
    seed = space.search.seed if seed is None else seed
    trials, seed = whole_number("trials", trials, 0), whole_number("seed", seed, 0, LARGEST_SEED)
    callbacks = tuple(callbacks) if isinstance(callbacks, Iterable) else (callbacks,)
    if not all(callable(callback) for callback in callbacks):
        raise InvalidInputError(f"callbacks: expected callables, got {callbacks!r}")
    time_budget = space.search.time_budget if time_budget is None else time_budget
    if isinstance(time_budget, float) and time_budget == math.inf:
        time_budget = None
    if time_budget is not None:
        time_budget = number("time_budget", time_budget, 0.0, above=True, unit="seconds")
    workers = checked_workers(executor, workers)
    if pending_trials is not None:
        pending_trials = whole_number("pending_trials", pending_trials, 1)
    if trial_time_limit is not None:
        trial_time_limit = number("trial_time_limit", trial_time_limit, 0.0, above=True)
    if memory_per_worker is not None:
        memory_per_worker = whole_number("memory_per_worker", memory_per_worker, 1)
    if shares_memory(executor, workers):
        limits = {"trial_time_limit": trial_time_limit, "memory_per_worker": memory_per_worker}
        for name, limit in limits.items():
            if limit is not None:
                raise InvalidInputError(
                    f"{name}: expected none with workers=0 or threads, since a training in this "
                    "process cannot be ended from outside: use workers=1 or more"
                )
    trainer = trainer_named(trainer) if isinstance(trainer, str) else trainer
    listeners = Listeners(callbacks, on_event)
    keeps_ends = start is not None or not has_shipped_ends(space)
    with begun(executor, workers, trainer) as there:
        dataset = _images(space, data, image_size, keeps_ends, skip_unreadable=skip_unreadable)
        if start is not None:
            dataset = datasets.in_order(dataset, start.network.class_names)
            start = start.named(dataset.class_names)
        space, fitting = fitted(space, dataset, is_given=start is not None)
        session = Session(
            space,
            dataset,
            trainer,
            out=expanded(out) if out is not None else Path("runs") / _name(space, start),
            trials=trials,
            seed=seed,
            executor=there,
            workers=workers,
            pending_trials=pending_trials,
            time_limit=trial_time_limit,
            memory_per_worker=memory_per_worker,
            time_budget=time_budget,
            storage=storage,
            on_event=listeners.tell,
            began=began,
            notes=(*(() if start is None else start.notes), *dataset.notes, *fitting),
            start=start,
        )
        with listeners.informed():
            result = loop.search(session, callbacks)
    listeners.finish(result)
    return result


def _images(
    space: SearchSpace,
    data: datasets.Data | None,
    image_size: datasets.ImageSize | None,
    keeps_ends: bool,
    *,
    skip_unreadable: bool,
) -> datasets.Dataset:
    """Load the images of a space; pictures get the shape that its first network takes."""
    pictures = datasets.pictures_for(space.architecture.input_shape) if keeps_ends else {}
    if image_size is not None:
        pictures["image_size"] = image_size
    dataset = datasets.load(
        space.data,
        data,
        stand_in=space.stand_in,
        skip_unreadable=skip_unreadable,
        **pictures,
    )
    if image_size is not None and not datasets.are_pictures(space.data, data):
        raise InvalidInputError(
            "image_size: expected images that are files in folders or in an archive, got "
            f"{dataset.source}, whose images keep their size: leave it out"
        )
    return dataset


def _name(space: SearchSpace, start: StartingNetwork | None) -> str:
    """Return the name of a run folder."""
    if start is None or not start.file_sha256:
        return space.name
    return Path(start.source).stem or space.name
