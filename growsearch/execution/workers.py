"""The workers of a session: where its jobs run, and what travels there with each job."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from growsearch.checks import whole_number
from growsearch.datasets import Split, StoredImages
from growsearch.errors import InvalidInputError
from growsearch.execution.executor import Executor
from growsearch.execution.in_process import InProcessExecutor
from growsearch.machine import physical_memory
from growsearch.networks.store import NetworkStore
from growsearch.training import Trainer, WarmsUp
from growsearch.trials.progress import FOLDER, Direct, ProgressFolder
from growsearch.trials.worker import WorkerContext

IMAGES = "data"  # in the run folder
_SHARE = 0.9  # of this machine's memory, for all its workers


def checked_workers(executor: Any, workers: int | None) -> int:
    """Return the number of workers that a caller asks for; 0 for this process, or for none.

    Raises
    ------
    InvalidInputError
        When the executor is none, or the number is impossible.
    """
    if executor is not None and not callable(getattr(executor, "submit", None)):
        raise InvalidInputError(
            f"executor: expected an executor as of concurrent.futures, got {executor!r}"
        )
    return 0 if workers is None else whole_number("workers", workers, 0 if executor is None else 1)


def executor_of(own: Executor | None, workers: int) -> Executor:
    """Return a caller's own executor; else this process for 0 workers, or as many processes."""
    if own is not None:
        return own
    if workers == 0:
        return InProcessExecutor()
    from growsearch.execution.local import LocalExecutor

    return LocalExecutor(workers)


@contextmanager
def begun(own: Executor | None, workers: int, trainer: Trainer) -> Iterator[Executor | None]:
    """Start the first of some processes for the block, where the trainer loads its libraries.

    Data and study are read meanwhile, and the first training begins some seconds earlier.

    Parameters
    ----------
    own : Executor or None
        A caller's own, which stays as it is.
    workers : int
        0 is this process.
    trainer : Trainer

    Returns
    -------
    the caller's executor, or that of the processes, or None where this process trains
    """
    if own is not None or workers == 0:
        yield own
        return
    from growsearch.execution.local import LocalExecutor

    executor = LocalExecutor(workers)
    try:
        if isinstance(trainer, WarmsUp):
            executor.begin(trainer.warm_up)
        yield executor
    finally:  # nothing runs any more, or an error does not wait for it
        executor.shutdown(wait=False, cancel_futures=True)


def workers_of(executor: Executor, asked: int) -> int:
    """Return how many jobs an executor gets at once: as many as asked, or as it has workers."""
    known = getattr(executor, "workers", None) or getattr(executor, "_max_workers", None)
    if isinstance(known, int) and known > 0:
        return min(asked, known) if asked else known
    return max(asked, 1)


def context_for(
    executor: Executor,
    folder: Path,
    *,
    trainer: Trainer,
    images: Mapping[str, Split],
    store: NetworkStore,
    data: str,
    memory: int | None,
    metric: str = "accuracy",
) -> WorkerContext:
    """Return what a worker of the executor needs beside its job.

    Workers in other processes read the images from the run folder, where all those of a machine
    share one copy in memory.

    Raises
    ------
    InvalidInputError
        When the trainer cannot be pickled, as other processes need it to be.
    OSError
        When the images cannot be written.
    """
    if shares_memory(executor):
        return WorkerContext(trainer, images, store, data, Direct(), metric=metric)
    try:
        pickle.dumps(trainer)
    except Exception as error:
        raise InvalidInputError(
            f"trainer: expected one that can be pickled, as its options, for workers in other "
            f"processes ({type(error).__name__}: {error}): give it a __reduce__, define its class "
            "in a module, or use workers=0"
        ) from None
    stored = StoredImages.write(folder.absolute() / IMAGES / data, images)
    progress = ProgressFolder(folder.absolute() / FOLDER)
    memory = memory or _share_of(executor)
    return WorkerContext(trainer, stored, store, data, progress, memory, metric)


def shares_memory(executor: Any, workers: int = 0) -> bool:
    """Return whether jobs run in this process; without an executor, 0 workers do."""
    if executor is None:
        return workers == 0
    is_thread_pool = isinstance(executor, ThreadPoolExecutor)
    return is_thread_pool or bool(getattr(executor, "shares_memory", False))


def _share_of(executor: Executor) -> int | None:
    """Return each worker's share of this machine's memory; None where workers are elsewhere."""
    workers = getattr(executor, "workers", None)
    if not getattr(executor, "is_local", False) or not workers:
        return None
    share = _SHARE * physical_memory() / workers
    return None if share == float("inf") else int(share)
