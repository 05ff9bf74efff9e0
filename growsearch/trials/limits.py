"""The memory limit of a job: a worker process that takes more ends, and its last words say why."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psutil

_EVERY = 0.2  # seconds between two looks
STATUS = 77  # of a worker process that took too much memory


@contextmanager
def within_memory(limit: int | None, last_words: Callable[[int, int], None]) -> Iterator[None]:
    """End this process if it takes more memory than a limit, inside the block.

    An allocation cannot be refused from outside, and the kernel's own choice of a victim may be
    the driver. Pages of files, such as the run's images, are not counted.

    Parameters
    ----------
    limit : int or None
        Bytes; None is no limit.
    last_words : callable
        Called before the end, with the bytes that were taken and the limit.
    """
    if limit is None:
        yield
        return
    over = threading.Event()
    watch = threading.Thread(target=_watch, args=(limit, last_words, over), daemon=True)
    watch.start()
    try:
        yield
    finally:
        over.set()
        watch.join()


def _watch(limit: int, last_words: Callable[[int, int], None], over: threading.Event) -> None:
    """Look at the memory of this process until the job is over."""
    process = psutil.Process()
    while not over.wait(_EVERY):
        taken = own_memory(process)
        if taken > limit:
            last_words(taken, limit)
            os._exit(STATUS)


def own_memory(process: psutil.Process) -> int:
    """Return the bytes of memory that a process holds for itself."""
    found = process.memory_info()
    return int(found.rss - getattr(found, "shared", 0))
