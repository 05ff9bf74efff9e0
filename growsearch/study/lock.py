"""The lock of a run folder: one process at a time works on a run."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from growsearch.errors import RunError

FILE = ".lock"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the run folder alone: then no other process is running its trials.

    Raises
    ------
    RunError
        When another process holds it, or the folder cannot be written to.
    """
    lock = FileLock(folder / FILE, timeout=0)
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


def is_locked(folder: Path) -> bool:
    """Return whether a process works on the run; change nothing, not even the lock's file."""
    try:
        handle = os.open(folder / FILE, os.O_RDONLY)
    except OSError:
        return False
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
            msvcrt.locking(handle, msvcrt.LK_UNLCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)  # given back by the close
    except OSError:
        return True
    finally:
        os.close(handle)
    return False
