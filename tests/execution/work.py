"""Functions for workers, and what can be seen of processes from outside."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any, NoReturn

import psutil


def nap(seconds: float, begun: Path | None = None) -> int:
    """Sleep, having written the process's id into a file."""
    if begun is not None:
        begin(begun)
    time.sleep(seconds)
    return os.getpid()


def begin(begun: Path) -> None:
    """Write the process's id into a file, whole."""
    part = begun.with_suffix(".part")
    part.write_text(str(os.getpid()))
    part.rename(begun)


def hang(begun: Path) -> NoReturn:
    """Never return to Python, in C."""
    begin(begun)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    ctypes.CDLL(None).sleep(10_000)
    raise AssertionError


def segfault() -> None:
    """Read memory that is not there."""
    ctypes.string_at(0)


def end(status: int) -> None:
    """End the process as a library in C does."""
    os._exit(status)


def variable(name: str) -> str | None:
    """Read a variable of the environment."""
    return os.environ.get(name)


def loaded(name: str) -> bool:
    """Tell whether the process has loaded a module."""
    return name in sys.modules


def cut_off(size: int) -> bytes:
    """Return many bytes, and die by SIGKILL when the parent has read a part of them."""
    parent = Path(f"/proc/{os.getppid()}/io")

    def read() -> int:
        return int(parent.read_text().split()[1])

    before = read()

    def kill() -> None:
        while read() < before + size // 10:
            pass
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=kill).start()
    return bytes(size)


class UnreadableError(Exception):
    """An error that can be pickled, and not unpickled."""

    def __init__(self, number: int, text: str) -> None:
        super().__init__(f"{number}: {text}")


def raise_unreadable() -> None:
    """Raise an error that cannot be unpickled."""
    raise UnreadableError(1, "text")


def pid_in(path: Path, seconds: float = 30.0) -> int:
    """Wait for a process's id in a file."""
    until = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < until, f"{path.name}: nothing has begun"
        time.sleep(0.01)
    return int(path.read_text())


def is_alive(pid: int) -> bool:
    """Tell whether a process runs; a zombie does not."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def children(*, of: int | None = None) -> set[int]:
    """The processes below one, without multiprocessing's own, which counts semaphores."""
    found = set()
    for child in psutil.Process(of).children(recursive=True):
        try:
            if "resource_tracker" not in " ".join(child.cmdline()) and is_alive(child.pid):
                found.add(child.pid)
        except psutil.NoSuchProcess:
            pass
    return found


def all_end(pids: set[int], seconds: float) -> bool:
    """Wait for processes to end; False when one has not."""
    until = time.monotonic() + seconds
    while any(map(is_alive, pids)):
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


def unpicklable() -> Any:
    """Return what cannot be pickled."""
    return lambda: None
