"""The progress of running jobs: told in the driver's own process, or through files.

No engine carries messages from a running call. So a worker appends the points of its curve to a
file in the run folder, which all workers share, and the driver reads it. The files are for displays
and for the reason of a death; no result depends on them.
"""

from __future__ import annotations

import json
import os
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from growsearch.training import Point

OnPoint = Callable[[Point], None]

FOLDER = "running"  # in the run folder

# What a line raises that no worker has written whole.
_STRANGE = (ValueError, TypeError, KeyError, OverflowError, RecursionError)


class Reporter(Protocol):
    """Takes the progress of jobs."""

    def reporting(self, name: str) -> AbstractContextManager[OnPoint]:
        """Tell that a job began; return what is called with each point of its curve."""
        ...

    def out_of_memory(self, name: str, taken: int, limit: int) -> None:
        """Tell that a job's process ends, since it took more bytes than the limit."""
        ...


class Silent:
    """A reporter for jobs that nothing displays."""

    @contextmanager
    def reporting(self, name: str) -> Iterator[OnPoint]:
        """Tell nothing."""
        del name
        yield lambda _: None

    def out_of_memory(self, name: str, taken: int, limit: int) -> None:
        """Tell nothing."""


class Direct:
    """A reporter in the driver's process.

    Parameters
    ----------
    on_point : callable
        Called with a job's name and each point of its curve; the driver puts its own here.
    """

    def __init__(self, on_point: Callable[[str, Point], None] = lambda *_: None) -> None:
        self.on_point = on_point

    @contextmanager
    def reporting(self, name: str) -> Iterator[OnPoint]:
        """Return what calls ``on_point`` with the job's name."""
        yield lambda point: self.on_point(name, point)

    def out_of_memory(self, name: str, taken: int, limit: int) -> None:
        """Tell nothing: a process that is the driver too has no limit."""


@dataclass(frozen=True)
class JobProgress:
    """The progress of a running job.

    Parameters
    ----------
    worker : str
        Host and process, such as "node7:4711".
    curve : tuple of Point
    out_of_memory : tuple of int or None
        The bytes that the job's process took, and its limit, if that ended it.
    """

    worker: str
    curve: tuple[Point, ...] = ()
    out_of_memory: tuple[int, int] | None = None


@dataclass(frozen=True)
class ProgressFolder:
    """A reporter that writes one file a job, for a driver in another process.

    Parameters
    ----------
    folder : Path
        Shared by the driver and all workers.
    """

    folder: Path

    @contextmanager
    def reporting(self, name: str) -> Iterator[OnPoint]:
        """Begin the file of a job; return what appends a point to it."""
        self._append(name, {"worker": f"{socket.gethostname()}:{os.getpid()}"}, begin=True)
        yield lambda point: self._append(name, {"point": [point.step, point.accuracy, point.loss]})

    def out_of_memory(self, name: str, taken: int, limit: int) -> None:
        """Write the last words of a job."""
        self._append(name, {"out_of_memory": [taken, limit]})

    def read(self, name: str) -> JobProgress | None:
        """Return the progress of a job; None if it did not begin."""
        try:
            lines = self._path(name).read_text().splitlines(keepends=True)
        except (OSError, UnicodeDecodeError):
            return None
        worker, curve, out_of_memory = None, [], None
        for line in lines:
            with suppress(*_STRANGE):  # a line that is half written
                found: dict[str, Any] = json.loads(line)
                if "worker" in found:
                    worker = str(found["worker"])
                elif "point" in found:
                    step, accuracy, loss = found["point"]
                    curve.append(Point(int(step), float(accuracy), float(loss)))
                elif "out_of_memory" in found:
                    taken, limit = found["out_of_memory"]
                    out_of_memory = int(taken), int(limit)
        return None if worker is None else JobProgress(worker, tuple(curve), out_of_memory)

    def forget(self, name: str) -> None:
        """Remove the file of a job."""
        with suppress(OSError):
            self._path(name).unlink(missing_ok=True)

    def _append(self, name: str, value: dict[str, Any], *, begin: bool = False) -> None:
        with suppress(OSError):  # a full disk is told where a result is lost by it
            self.folder.mkdir(parents=True, exist_ok=True)
            with self._path(name).open("w" if begin else "a") as file:
                file.write(json.dumps(value) + "\n")

    def _path(self, name: str) -> Path:
        return self.folder / f"{re.sub(r'[^A-Za-z0-9.]+', '-', name)}.jsonl"
