"""The executor of this machine: a number of processes, each of which fails alone.

Each worker is a ``ProcessPoolExecutor`` of one process: a process that dies breaks its own pool
only, and the call beside it goes on.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from functools import cached_property
from multiprocessing import connection, process
from pathlib import Path
from typing import Any

from growsearch.checks import whole_number
from growsearch.errors import InvalidInputError
from growsearch.execution.calls import Call, QueueingExecutor
from growsearch.execution.executor import WorkerLostError
from growsearch.machine import (
    GPU_MEMORY,
    SHARED_GPU_MEMORY,
    THREADS,
    VISIBLE_GPUS,
    gpus,
    processors,
)

WORKER = "GROWSEARCH_WORKER"  # set in the processes of a LocalExecutor
UNGUARDED = 87  # exit status of a worker whose script starts a search when it is imported

_EXIT_SECONDS = 5.0  # for the system to tell how a dead process ended
_starting = threading.Lock()  # what a new process inherits is set for one process at a time


class MissingGuardError(InvalidInputError):
    """The script has no ``if __name__ == "__main__":`` around its search."""


class Slot:
    """The seat of one worker: its environment, and its process once there is a call.

    Parameters
    ----------
    environment : mapping
        Variables that are set before the process imports anything.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._pool: ProcessPoolExecutor | None = None
        self._process: process.BaseProcess | None = None

    def submit(self, call: bytes) -> Future[bytes]:
        """Start a pickled call, in a new process if there is none or it has died since."""
        if self.is_dead:
            self.leave()
        if self._pool is not None:
            try:
                return self._pool.submit(carried_out, call)
            except BrokenProcessPool:  # it has died in this moment
                self.leave()
        pool = self._pool = ProcessPoolExecutor(
            1, mp_context=multiprocessing.get_context("spawn"), initializer=prepare
        )
        try:
            with _inherited(self._environment):
                future = pool.submit(carried_out, call)
            (self._process,) = pool._processes.values()
            # The parent holds the writing end too. With it open, a result that is cut off by the
            # death of its worker would be waited for without end; closed, its end is seen.
            pool._result_queue._writer.close()  # type: ignore[attr-defined]
        except BaseException:
            # Ctrl-C or SIGTERM at this moment: Python would wait at its exit for a process that
            # nothing here knows, until its call is over.
            self._process = next(iter(pool._processes.values()), None)
            self.kill()
            self.leave()
            raise
        return future

    def kill(self) -> None:
        """Kill the process, if there is one."""
        if self._process is not None:
            self._process.kill()

    def leave(self) -> None:
        """Forget a process that has died, or was killed; the next call gets a new one."""
        if self._process is not None:
            self._process.join(_EXIT_SECONDS)
        # The broken pool ends by itself, and must not be touched from its own thread.
        self._pool = self._process = None

    def end(self, wait: bool) -> None:
        """End the process, which carries out no call."""
        if self._pool is not None and self._process is not None:
            if not wait:
                self._process.kill()
            self._pool.shutdown(wait=True)

    def cause_of_death(self) -> str:
        """Return how the process ended, in words."""
        if self._process is None:
            return "its worker died"
        self._process.join(_EXIT_SECONDS)
        return f"its worker died ({_how(self._process.exitcode)})"

    @property
    def is_dead(self) -> bool:
        """True if the process has ended, maybe a moment before its exit status is known."""
        return self._process is not None and bool(connection.wait([self._process.sentinel], 0))

    @property
    def is_unguarded(self) -> bool:
        """True if the process ended since its script starts a search when it is imported."""
        return self._process is not None and self._process.exitcode == UNGUARDED


class LocalExecutor(QueueingExecutor[Slot]):
    """Carries out calls in processes of this machine; satisfies ``Executor`` and ``Stops``.

    A process starts with the first call that needs it. One that dies costs its own call only,
    whose future ends with ``WorkerLostError``; the next call gets a new process. Workers end when
    their parent does, however it ends.

    New processes are spawned, so they import the script again: its search must stand under
    ``if __name__ == "__main__":``.

    Parameters
    ----------
    workers : int
        The number of processes, each of which carries out one call at a time.
    threads : int, optional
        Threads of each worker; by default twice its share of this process's processors. The GPUs of
        this machine are shared out too: worker i gets GPU i modulo their number, and a fraction of
        its memory if other workers have the same GPU.

    Examples
    --------
    >>> import os
    >>> executor = LocalExecutor(2)
    >>> executor.submit(os.getpid).result() != os.getpid()
    True
    >>> executor.shutdown()
    """

    is_local = True  # its workers share the memory of this machine

    def __init__(self, workers: int, *, threads: int | None = None) -> None:
        super().__init__(workers)
        self.threads = (
            threads_of(self.workers, processors())
            if threads is None
            else whole_number("threads", threads, 1)
        )

    @cached_property
    def _slots(self) -> list[Slot]:
        environments = worker_environments(self.workers, self.threads, gpus())
        return [Slot(environment) for environment in environments]

    @cached_property
    def _free(self) -> list[Slot]:
        # The last that was freed is taken first: it has the graph of the candidate whose control
        # comes next.
        return self._slots[::-1]

    def begin(self, function: Callable[..., object], /, *args: Any) -> None:
        """Start the first worker before there is a call for it, with a function.

        It may load libraries meanwhile. Its result is dropped, and an error too: what is wrong here
        is wrong in the first call as well, and is told there.
        """
        with suppress(Exception):
            self._free[-1].submit(pickle.dumps((function, args)))

    def _start(self, call: Call) -> tuple[Slot, Future[Any]]:
        check_main_guard()
        pickled = pickle.dumps((call.function, call.arguments))
        slot = self._free[-1]
        future = slot.submit(pickled)
        self._free.pop()
        return slot, future

    def _kill(self, worker: Slot) -> None:
        worker.kill()

    def _freed(self, worker: Slot, *, lost: bool) -> None:
        if lost or worker.is_dead:
            worker.leave()
        self._free.append(worker)

    def _result(self, inner: Future[Any]) -> Any:
        return pickle.loads(inner.result())

    def _error(self, worker: Slot, error: BaseException) -> BaseException:
        if not isinstance(error, BrokenProcessPool):
            return error
        cause = worker.cause_of_death()
        if worker.is_unguarded:
            return MissingGuardError(
                'workers: expected a search under `if __name__ == "__main__":`, since each worker '
                "imports the script; got a script that searches when it is imported"
            )
        return WorkerLostError(cause)

    def _close(self, wait: bool) -> None:
        for slot in self.__dict__.get("_slots", ()):
            slot.end(wait)


def threads_of(workers: int, processors: int) -> int:
    """Return the threads of each of some workers: twice its share of the processors.

    One network after the other is trained at a run's beginning and at its end, by one worker while
    the others wait. With its bare share it would be half as fast there; beside others, twice the
    share costs at most a few percent (benchmarks/README.md).

    Examples
    --------
    >>> [threads_of(workers, 16) for workers in (1, 2, 4, 16, 64)]
    [16, 16, 8, 2, 1]
    """
    return max(1, min(processors, 2 * processors // workers))


def worker_environments(workers: int, threads: int, gpus: tuple[str, ...]) -> list[dict[str, str]]:
    """Return the variables of each worker: its threads, and its share of the GPUs.

    Examples
    --------
    >>> [one["CUDA_VISIBLE_DEVICES"] for one in worker_environments(3, 1, ("0", "1"))]
    ['0', '1', '0']
    """
    common = {WORKER: "1", THREADS: str(threads)}
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        common[name] = os.environ.get(name, str(threads))
    # Of TensorFlow: errors only.
    common["TF_CPP_MIN_LOG_LEVEL"] = os.environ.get("TF_CPP_MIN_LOG_LEVEL", "2")
    found = []
    for number in range(workers):
        own = dict(common)
        if gpus:
            share = number % len(gpus)
            own[VISIBLE_GPUS] = gpus[share]
            sharing = len(range(share, workers, len(gpus)))
            if sharing > 1:
                own[GPU_MEMORY] = f"{SHARED_GPU_MEMORY / sharing:.4f}"
        found.append(own)
    return found


def check_main_guard() -> None:
    """End this process if it is a worker that imports its script, which starts a search.

    The worker's parent tells the user, in one line. To be called before a search touches anything.
    """
    is_importing = getattr(multiprocessing.current_process(), "_inheriting", False)
    if is_importing and os.environ.get(WORKER):
        os._exit(UNGUARDED)


def prepare() -> None:
    """Prepare a new worker: it ends with its parent, and leaves Ctrl-C to it."""
    threading.Thread(target=_watch_parent, name="growsearch parent", daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to the whole group
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def carried_out(call: bytes) -> bytes:
    """Carry out a pickled call in a worker; return the pickled result.

    What cannot be unpickled here is an error of the call, and not the end of the worker.
    """
    function, arguments = pickle.loads(call)
    try:
        return pickle.dumps(function(*arguments))
    except Exception as error:
        try:
            pickle.loads(pickle.dumps(error))
        except Exception:
            raise RuntimeError(f"{type(error).__name__}: {error}") from None
        raise


def _watch_parent() -> None:
    """End this process at once when its parent has ended, also in the middle of a call."""
    parent = process.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


@contextmanager
def _inherited(environment: Mapping[str, str]) -> Iterator[None]:
    """Set what a process inherits that starts in the block.

    It is the environment, since what the process imports reads it; SIGINT, blocked until the
    worker ignores it; and no name of a script where the script came from standard input.
    """
    main = sys.modules["__main__"]
    script = getattr(main, "__file__", None)
    hidden = script is not None and not Path(script).is_file()
    with _starting:
        before = {name: os.environ.get(name) for name in environment}
        os.environ.update(environment)
        if hidden:
            del main.__file__
        mask = getattr(signal, "pthread_sigmask", None)  # not on Windows
        blocked = mask(signal.SIG_BLOCK, {signal.SIGINT}) if mask else None
        try:
            yield
        finally:
            if hidden:
                main.__file__ = script
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value
            if mask and blocked is not None:  # last: a SIGINT that waited is raised here
                mask(signal.SIG_SETMASK, blocked)


def _how(status: int | None) -> str:
    """Return the end of a process in words."""
    if status is None:
        return "unknown"
    if status >= 0:
        return f"exit status {status}"
    known = {
        signal.SIGSEGV: ", a segmentation fault",
        getattr(signal, "SIGKILL", None): ", as the kernel does when memory runs out",
    }
    number = -status
    if number in known:
        return f"signal {number}{known[number]}"
    try:
        return f"signal {number}, {signal.Signals(number).name}"
    except ValueError:
        return f"signal {number}"
