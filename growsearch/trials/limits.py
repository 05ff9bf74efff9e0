"""The memory limit of a job: a worker process that takes more ends, and its last words say why."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from growsearch.trials.worker import WorkerContext

_EVERY = 0.2  # seconds between two looks
STATUS = 77  # of a worker process that took too much memory


@contextmanager
def within_memory(context: WorkerContext, name: str) -> Iterator[None]:
    """End this process if it takes more memory than the context allows, inside the block.

    An allocation cannot be refused from outside, and the kernel's own choice of a victim may be
    the driver. Pages of files, such as the run's images, are not counted.
    """
    if context.memory is None:
        yield
        return
    over = threading.Event()
    watch = threading.Thread(target=_watch, args=(context, name, over), daemon=True)
    watch.start()
    try:
        yield
    finally:
        over.set()
        watch.join()


def _watch(context: WorkerContext, name: str, over: threading.Event) -> None:
    """Look at the memory of this process until the job is over."""
    process, limit = psutil.Process(), context.memory
    assert limit is not None
    while not over.wait(_EVERY):
        taken = own_memory(process)
        if taken > limit:
            context.reporter.out_of_memory(name, taken, limit)
            os._exit(STATUS)


def own_memory(process: psutil.Process) -> int:
    """Return the bytes of memory that a process holds for itself."""
    found = process.memory_info()
    return int(found.rss - getattr(found, "shared", 0))
