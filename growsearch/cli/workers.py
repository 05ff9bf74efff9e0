"""The options that say where trainings run: in processes of this machine, or on a Ray cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from growsearch.cli import options
from growsearch.errors import InvalidInputError
from growsearch.machine import processors

if TYPE_CHECKING:
    from growsearch.execution import Executor

DEFAULT = 2  # workers, where there are as many processors

_OPTIONS = (
    click.option(
        "--workers",
        type=click.IntRange(min=0),
        metavar="N",
        help="Trainings at once, each in a process of its own; 0: in this process, one at a time. "
        f"By default {DEFAULT}, or 1 where there is one processor; with --ray as many as the "
        "cluster has room for.",
    ),
    click.option(
        "--pending-trials",
        type=click.IntRange(min=1),
        metavar="K",
        help="Candidates asked for before the oldest of them is judged, with a trunk those of a "
        "campaign; fixed when the run is created. The run is the same with any number of workers.",
    ),
    click.option(
        "--trial-time-limit",
        type=options.Duration(),
        metavar="SPAN",
        help="Stop a training that takes longer; its trial fails. By default ten times the longest "
        "so far, at least 5m.",
    ),
    click.option(
        "--memory-per-worker",
        type=options.Size(),
        metavar="SIZE",
        help="End a training that takes more memory, 8G or 512M; its trial fails. By default each "
        "worker has its share of this machine's memory.",
    ),
    click.option(
        "--ray",
        is_flag=False,
        flag_value="auto",
        metavar="[ADDRESS]",
        help="Train on a Ray cluster: HOST:PORT, or local for one on this machine; without ADDRESS "
        "$RAY_ADDRESS, or the cluster that this machine is part of. SPACE stands before it. Every "
        "node needs the run folder.",
    ),
    click.option(
        "--cpus-per-worker",
        type=options.Amount(above=True),
        metavar="X",
        help="Processors of each worker on the cluster; 1 by default.",
    ),
    click.option(
        "--gpus-per-worker",
        type=options.Amount(),
        metavar="X",
        help="GPUs of each worker on the cluster; .25 shares one among four. 0 by default.",
    ),
)


def where_to_train(command: Callable[..., object]) -> Callable[..., object]:
    """Give a command the options of this module; its function gets their values as ``workers``."""

    @wraps(command)
    def with_workers(
        *arguments: Any,
        workers: int | None,
        pending_trials: int | None,
        trial_time_limit: float | None,
        memory_per_worker: int | None,
        ray: str | None,
        cpus_per_worker: float | None,
        gpus_per_worker: float | None,
        **values: Any,
    ) -> object:
        asked = Workers(
            workers,
            ray=ray,
            cpus=cpus_per_worker,
            gpus=gpus_per_worker,
            time_limit=trial_time_limit,
            memory=memory_per_worker,
            pending=pending_trials,
        )
        return command(*arguments, workers=asked, **values)

    result: Callable[..., object] = with_workers
    for option in reversed(_OPTIONS):
        result = option(result)
    return result


@dataclass(frozen=True)
class Workers:
    """The workers that were asked for on the command line.

    Parameters
    ----------
    count : int or None
        None is the default.
    ray : str or None
        The address of a Ray cluster, if that is where they are.
    cpus, gpus : float or None
        Of each worker on the cluster.
    time_limit : float or None
        Seconds of one training.
    memory : int or None
        Bytes of each worker.
    pending : int or None
        Candidates that are asked for before the oldest of them is judged.

    Raises
    ------
    InvalidInputError
        When two options contradict each other.
    """

    count: int | None
    ray: str | None
    cpus: float | None
    gpus: float | None
    time_limit: float | None
    memory: int | None
    pending: int | None = None

    def __post_init__(self) -> None:
        for option, value in (("--cpus-per-worker", self.cpus), ("--gpus-per-worker", self.gpus)):
            if value is not None and self.ray is None:
                raise InvalidInputError(
                    f"{option}: expected --ray with it; the workers of this machine share out its "
                    "processors and GPUs"
                )
        if self.count != 0:
            return
        if self.ray is not None:
            raise InvalidInputError("--ray: expected --workers of at least 1 with it, got 0")
        limits = ("--trial-time-limit", self.time_limit), ("--memory-per-worker", self.memory)
        for option, limit in limits:
            if limit is not None:
                raise InvalidInputError(
                    f"{option}: expected --workers of at least 1 with it, got 0: only a training "
                    "in a process of its own can be stopped"
                )

    @property
    def are_processes(self) -> bool:
        """True if trainings run in other processes than this one."""
        return self.count != 0

    @property
    def limits(self) -> dict[str, Any]:
        """The arguments of a search that do not depend on where its workers are."""
        return {
            "pending_trials": self.pending,
            "trial_time_limit": self.time_limit,
            "memory_per_worker": self.memory,
        }

    @contextmanager
    def started(self) -> Iterator[tuple[Executor | None, int | None]]:
        """Connect to the cluster for the block; return its executor and the number of workers.

        Without a cluster there is no executor: the search starts processes itself.
        """
        if self.ray is None:
            yield None, min(DEFAULT, processors()) if self.count is None else self.count
            return
        from growsearch.execution.ray import RayExecutor

        asked = {"cpus": self.cpus, "gpus": self.gpus}
        given = {name: value for name, value in asked.items() if value is not None}
        executor = RayExecutor(self.ray, workers=self.count, **given)
        try:
            yield executor, executor.workers
        except BaseException:
            executor.shutdown(wait=False, cancel_futures=True)
            raise
        executor.shutdown()
