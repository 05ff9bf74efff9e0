"""The executor of a Ray cluster: each call is a task of its own."""

from __future__ import annotations

import os
import socket
import threading
import time
from concurrent.futures import Future
from importlib import import_module
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from growsearch.checks import number, whole_number
from growsearch.errors import InvalidInputError, UnavailableError
from growsearch.execution.calls import Call, QueueingExecutor
from growsearch.execution.executor import WorkerLostError
from growsearch.machine import GPU_MEMORY, SHARED_GPU_MEMORY, THREADS, VISIBLE_GPUS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ray import ObjectRef

_CONNECT_SECONDS = 5.0  # for the cluster's port to answer
_LOOK_SECONDS = 5.0  # between two looks at the cluster
_GONE_SECONDS = 40.0  # without an answer; after 60 s Ray ends the whole process
_START_SECONDS = 60.0  # for Ray, which sometimes hangs at its start

# Ray's errors -> what happened to the worker, in words.
_LOSSES = {
    "WorkerCrashedError": "its worker died",
    "OutOfMemoryError": "its worker was killed by Ray, since its node had no memory left",
    "NodeDiedError": "its node was lost",
    "LocalRayletDiedError": "Ray's process on its node died",
    "ObjectLostError": "its outcome was lost with its node",
    "OwnerDiedError": "its outcome was lost with its node",
    "ObjectStoreFullError": "its node had no room for its outcome",
    "OutOfDiskError": "its node's disk is full",
    "TaskCancelledError": "its worker was stopped",
}


class RayExecutor(QueueingExecutor["ObjectRef[Any]"]):
    """Carries out calls as tasks of a Ray cluster; satisfies ``Executor`` and ``Stops``.

    Ray repeats nothing: a call whose worker or node is lost ends with ``WorkerLostError``. Every
    node needs growsearch and the run folder, at the same path.

    Parameters
    ----------
    address : str, optional
        ``host:port`` of a cluster, or "auto" for the one that runs on this machine, or "local" for
        one that starts here and ends with this executor. By default the environment variable
        ``RAY_ADDRESS``, or else "local".
    workers : int, optional
        The number of calls that run at once; by default as many as the cluster has room for.
    cpus, gpus : float
        Processors and GPUs of each worker; a fraction shares a GPU.

    Raises
    ------
    InvalidInputError
        Where Ray is not installed, or the address is none.
    UnavailableError
        When the cluster does not answer, or runs another version of Ray or Python.
    """

    def __init__(
        self,
        address: str | None = None,
        *,
        workers: int | None = None,
        cpus: float = 1,
        gpus: float = 0,
    ) -> None:
        self.cpus = number("cpus", cpus, 0.0, above=True)
        self.gpus = number("gpus", gpus, 0.0)
        for name, value in (("cpus", self.cpus), ("gpus", self.gpus)):
            if value > 1 and value != int(value):
                raise InvalidInputError(
                    f"{name}: expected a whole number, or a fraction below 1, got {value}"
                )
        if workers is not None:
            workers = whole_number("workers", workers, 1)
        self._environment = environment_of(self.cpus, self.gpus)
        self._ray = _imported()
        self._done = threading.Event()
        self._is_own = not self._ray.is_initialized()
        if self._is_own:
            self._connect(address or os.environ.get("RAY_ADDRESS") or "local")
        super().__init__(workers or max(1, self._room()))
        self._task = self._ray.remote(
            num_cpus=self.cpus,
            num_gpus=self.gpus,
            max_retries=0,  # the driver repeats
            max_calls=0,  # else a worker with a GPU ends after each call, with its graphs
            scheduling_strategy="SPREAD",
        )(carried_out)

    def lacks(self) -> str | None:
        """Return what the cluster has against what a worker asks for; None if all is there."""
        asked = self._asked()
        nodes = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
        if not any(all(node.get(key, 0) >= asked[key] for key in asked) for node in nodes):
            each = "; ".join(_in_words(node) for node in nodes) or "none"
            return f"each worker asks for {_in_words(asked)}, and no node has that: {each}"
        free = self._ray.available_resources()
        if any(free.get(key, 0) < asked[key] for key in asked):
            total = self._ray.cluster_resources()
            return (
                f"each worker asks for {_in_words(asked)}, and of the cluster's {_in_words(total)} "
                f"only {_in_words(free)} are free"
            )
        return None

    def _connect(self, address: str) -> None:
        """Connect to the cluster, or start it, in the time that this may take."""
        _check_reachable(address)
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # else Ray reports its users
        connected, errors = threading.Event(), list[BaseException]()

        def connect() -> None:
            try:
                self._ray.init(
                    address=address,
                    log_to_driver=False,
                    logging_level="ERROR",
                    **({"include_dashboard": False} if address == "local" else {}),
                )
            except BaseException as error:
                errors.append(error)
            connected.set()
            # What Ray starts ends with the thread that started it.
            if not errors:
                self._watch()
            self._done.wait()

        self._silence()
        # Not in the main thread: Ray would replace its handler of SIGTERM.
        threading.Thread(target=connect, name="growsearch ray", daemon=True).start()
        if not connected.wait(_START_SECONDS):
            raise UnavailableError(
                f"Ray: no answer from {address} within {_START_SECONDS:.0f} s: see `ray status`"
            )
        if errors:
            self._done.set()
            text = " ".join(str(errors[0]).split())[:300] or type(errors[0]).__name__
            if isinstance(errors[0], ValueError):
                raise InvalidInputError(f"Ray: {address}: {text}")
            raise UnavailableError(f"Ray: cannot connect to {address}: {text}")

    def _watch(self) -> None:
        """Break off all calls when the head of the cluster is gone."""
        address = self._ray.get_runtime_context().gcs_address
        host, _, port = address.rpartition(":")
        answered = time.monotonic()
        while not self._done.wait(_LOOK_SECONDS):
            try:
                socket.create_connection((host, int(port)), _CONNECT_SECONDS).close()
                answered = time.monotonic()
            except OSError as error:
                if time.monotonic() - answered > _GONE_SECONDS:
                    reason = f"{error.strerror or error}"
                    self._break_off(
                        UnavailableError(
                            f"Ray: the cluster at {address} does not answer any more ({reason}); "
                            "everything finished is stored: run the same command again to continue"
                        )
                    )
                    return

    def _silence(self) -> None:
        """Keep Ray from printing half a page on stdout for each worker that dies.

        There is no option for it. The driver tells of lost workers in its own words.
        """
        worker = import_module("ray._private.worker")
        self._loud = getattr(worker, "print_to_stdstream", None)
        if self._loud is not None:
            worker.print_to_stdstream = lambda *_, **__: None  # type: ignore[attr-defined]

    def _asked(self) -> dict[str, float]:
        """Return what a worker asks for, by Ray's names of it."""
        return {key: n for key, n in (("CPU", self.cpus), ("GPU", self.gpus)) if n}

    def _room(self) -> int:
        """Return how many workers the cluster has room for."""
        asked = self._asked()
        nodes = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
        return sum(
            int(min(node.get(key, 0) / asked[key] + 1e-9 for key in asked)) for node in nodes
        )

    def _start(self, call: Call) -> tuple[ObjectRef[Any], Future[Any]]:
        reference = self._task.remote(self._environment, call.function, call.arguments)
        return reference, reference.future()

    def _kill(self, worker: ObjectRef[Any]) -> None:
        self._ray.cancel(worker, force=True)

    def _freed(self, worker: ObjectRef[Any], *, lost: bool) -> None:
        pass

    def _result(self, inner: Future[Any]) -> Any:
        return inner.result()

    def _error(self, worker: ObjectRef[Any], error: BaseException) -> BaseException:
        del worker
        exceptions = self._ray.exceptions
        if isinstance(error, exceptions.RayTaskError):  # the function's own
            cause = getattr(error, "cause", None)
            return cause if isinstance(cause, Exception) else error
        if isinstance(error, exceptions.UnserializableException):  # the function's, in text
            return RuntimeError(str(error))
        if isinstance(error, exceptions.RayError):
            names = (kind.__name__ for kind in type(error).__mro__)
            known = next((_LOSSES[name] for name in names if name in _LOSSES), None)
            return WorkerLostError(known or " ".join(str(error).split())[:300])
        return error

    def _close(self, wait: bool) -> None:
        del wait
        if self._is_own and not self._done.is_set():
            self._ray.shutdown()
            if self._loud is not None:
                import_module("ray._private.worker").print_to_stdstream = self._loud  # type: ignore[attr-defined]
        self._done.set()


def carried_out(
    environment: Mapping[str, str], function: Callable[..., Any], arguments: tuple[Any, ...]
) -> Any:
    """Carry out a call in a worker of Ray, which knows its share of the machine before."""
    os.environ.update(environment)
    return function(*arguments)


def environment_of(cpus: float, gpus: float) -> dict[str, str]:
    """Return the variables of a worker that tell it its share of a node."""
    environment = {THREADS: str(max(1, int(cpus)))}
    if gpus == 0:
        environment[VISIBLE_GPUS] = ""  # nor may Ray show all GPUs of the node
    elif gpus < 1:
        environment[GPU_MEMORY] = f"{gpus * SHARED_GPU_MEMORY:.4f}"
    return environment


def _imported() -> Any:
    """Import Ray, which only this executor needs."""
    try:
        import ray
    except ImportError:
        raise InvalidInputError(
            "RayExecutor: expected Ray to be installed: pip install 'growsearch[ray]'"
        ) from None
    return ray


def _check_reachable(address: str) -> None:
    """Fail early where no port answers: Ray itself tries for two minutes, and then exits."""
    if address in {"auto", "local"}:
        return
    try:
        url = urlsplit(address if "://" in address else f"ray://{address}")
        host, port = url.hostname, url.port
    except ValueError:
        host = port = None
    if not host or not port:
        raise InvalidInputError(
            f"Ray: expected the address of a cluster, host:port, auto or local, got {address!r}"
        )
    try:
        socket.create_connection((host, port), _CONNECT_SECONDS).close()
    except OSError as error:
        raise UnavailableError(
            f"Ray: no cluster answers at {address}: {error.strerror or error}"
        ) from None


def _in_words(resources: Mapping[str, float]) -> str:
    """Return processors and GPUs as Ray counts them, in words."""
    cpus, gpus = (resources.get(key, 0) for key in ("CPU", "GPU"))
    return f"{cpus:g} CPUs" + (f" and {gpus:g} GPUs" if gpus or "GPU" in resources else "")
