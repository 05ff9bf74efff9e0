"""The lock of a run folder: one process at a time works in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from growsearch.errors import RunError


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the run folder alone: then no other process is running its trials.

    Raises
    ------
    RunError
        When another process holds it, or it cannot be written to.
    """
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
