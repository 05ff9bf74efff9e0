"""The search as one call: data, trainer and driver put together."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from growsearch import datasets
from growsearch.checks import LARGEST_SEED, check_choice, expanded, number, whole_number
from growsearch.driver import loop
from growsearch.driver.opening import Session
from growsearch.errors import InvalidInputError
from growsearch.execution import EXECUTORS
from growsearch.space import SearchSpace
from growsearch.training.registry import trainer_named

if TYPE_CHECKING:
    from growsearch.driver.events import OnEvent
    from growsearch.driver.loop import Callback
    from growsearch.execution import ExecutorFactory
    from growsearch.study.result import SearchResult
    from growsearch.training import Trainer


def search(
    space: SearchSpace | str | Path = "mnist",
    *,
    trials: int | None = None,
    time_budget: float | None = None,
    out: str | Path | None = None,
    storage: str | None = None,
    data: datasets.Data | None = None,
    seed: int | None = None,
    callbacks: Callback | Sequence[Callback] = (),
    trainer: Trainer | str = "slim",
    executor: ExecutorFactory | str = "in_process",
    on_event: OnEvent | None = None,
    began: float | None = None,
) -> SearchResult:
    """Grow the best network of a search space; the same call continues an interrupted run.

    Parameters
    ----------
    space : SearchSpace, str or Path
        A search space, a shipped name, or the path of a TOML file.
    trials : int, optional
        Trials in all, those of earlier sessions included; the space's number by default.
    time_budget : float, optional
        Seconds of the whole run, those of earlier sessions included: teacher, trials, controls
        and the last training of the best network, which takes what the trials leave.
    out : path, optional
        The run folder, for study and weights; ``runs/<name of the space>`` by default.
    storage : str, optional
        An Optuna storage URL; SQLite in the run folder by default.
    data : path, arrays or Dataset, optional
        See :func:`growsearch.datasets.load`; the space's data set by default.
    seed : int, optional
        Seed of everything random; the space's by default.
    callbacks : callable or sequence of callables
        Called as in Optuna, ``callback(study, frozen_trial)``, after each trial and its controls.
    trainer : Trainer or str
        A trainer, or a name of ``growsearch.training.TRAINERS``.
    executor : callable or str
        Makes the executor of the run's jobs from a worker's context and a callback; or a name of
        ``growsearch.execution.EXECUTORS``.
    on_event : callable, optional
        Called with each of the values of ``growsearch.driver.events``, for progress displays.
    began : float, optional
        When the time of this session began, by ``time.monotonic``; at this call by default.

    Returns
    -------
    SearchResult

    Raises
    ------
    GrowsearchError
        For unusable input, before the first trial; or RunError when the run folder or the
        database cannot be used. Whatever is finished is stored.
    """
    began = time.monotonic() if began is None else began
    if not isinstance(space, SearchSpace | str | os.PathLike):
        raise InvalidInputError(
            f"space: expected a SearchSpace, a shipped name or a path, got {space!r}"
        )
    if out is not None and (not isinstance(out, str | os.PathLike) or out == ""):
        raise InvalidInputError(f"out: expected the path of a folder, got {out!r}")
    if storage is not None and not isinstance(storage, str):
        raise InvalidInputError(f"storage: expected the URL of a database, got {storage!r}")
    if not isinstance(space, SearchSpace):
        space = SearchSpace.load(space)
    trials = space.search.trials if trials is None else trials
    seed = space.search.seed if seed is None else seed
    trials, seed = whole_number("trials", trials, 0), whole_number("seed", seed, 0, LARGEST_SEED)
    callbacks = tuple(callbacks) if isinstance(callbacks, Iterable) else (callbacks,)
    if not all(callable(callback) for callback in callbacks):
        raise InvalidInputError(f"callbacks: expected callables, got {callbacks!r}")
    if time_budget is not None:
        time_budget = number("time_budget", time_budget, 0.0, above=True, unit="seconds")
    dataset = datasets.load(space.data, data, stand_in=space.stand_in)
    if isinstance(executor, str):
        check_choice("executor", executor, EXECUTORS)
        executor = EXECUTORS[executor]
    session = Session(
        space,
        dataset,
        trainer_named(trainer) if isinstance(trainer, str) else trainer,
        out=expanded(out) if out is not None else Path("runs") / space.name,
        trials=trials,
        seed=seed,
        executor=executor,
        time_budget=time_budget,
        storage=storage,
        on_event=on_event or (lambda _: None),
        began=began,
    )
    return loop.search(session, callbacks)
