"""A worker: the context that it keeps between jobs, and the one function that it is called with."""

from __future__ import annotations

import pickle
import traceback
import uuid
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal, Protocol, TypeVar

from growsearch.datasets import Split
from growsearch.errors import GrowsearchError, RunError
from growsearch.networks.store import NetworkStore
from growsearch.training import Trainer, WarmsUp
from growsearch.trials.limits import within_memory
from growsearch.trials.progress import OnPoint, Reporter, Silent

Part = Literal["train", "selection", "held_out", "test"]
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

_SAMPLE = 256  # training images on which new batch normalisations measure their statistics
_KEPT = 2  # contexts in a worker that several runs use in turn


@dataclass(frozen=True)
class WorkerContext:
    """The trainer, the images and the stored networks that a worker keeps from job to job.

    It travels with every job. Pickled, it is a reference of a few hundred bytes: the trainer as its
    options, images and networks as their folders. A worker process opens it once.

    Parameters
    ----------
    trainer : Trainer
    images : mapping
        The splits by part: "train"; "selection", the validation images on which candidates are
        selected; "held_out", the other validation images, where there are some; "test".
    networks : NetworkStore
    data : str
        The fingerprint of the images, which jobs name too.
    reporter : Reporter
        Where the progress of jobs is told.
    memory : int or None
        Bytes that a job may take in its worker process; None is no limit.
    metric : str
        The run's metric: a row of ``growsearch.trials.metrics.METRICS``.
    key : str
        Names this context among those that a worker keeps.
    """

    trainer: Trainer
    images: Mapping[str, Split]
    networks: NetworkStore
    data: str
    reporter: Reporter = field(default_factory=Silent)
    memory: int | None = None
    metric: str = "accuracy"
    key: str = field(default_factory=lambda: uuid.uuid4().hex)

    def __reduce__(self) -> tuple[Any, ...]:
        names = ("trainer", "images", "networks", "data", "reporter", "memory", "metric", "key")
        return _opened, ({name: getattr(self, name) for name in names},)

    @property
    def sample(self) -> Any:
        """A batch of training images, for statistics."""
        return self.images["train"].images[:_SAMPLE]

    def check(self, data: str) -> None:
        """Refuse a job that is about other images.

        Raises
        ------
        RunError
            When the fingerprints differ.
        """
        if data != self.data:
            raise RunError(
                f"a job: expected the images with fingerprint {data[:12]}, got {self.data[:12]}: "
                "every worker must open the run's own data"
            )


_contexts: OrderedDict[str, WorkerContext] = OrderedDict()  # of this worker process, by key


def _opened(parts: dict[str, Any]) -> WorkerContext:
    """Return the context of a key, with the graphs and images of the jobs before."""
    key = parts["key"]
    context = _contexts.pop(key, None) or WorkerContext(**parts)
    _contexts[key] = context
    while len(_contexts) > _KEPT:
        _contexts.popitem(last=False)
    return context


class Job(Protocol[T_co]):
    """Work that a worker carries out: a small frozen value that can be pickled."""

    @property
    def name(self) -> str:
        """The job's name, for progress displays and errors; no two jobs of a run share one."""
        ...

    def carry_out(self, context: WorkerContext, on_point: OnPoint) -> T_co:
        """Do the work; the same job gives the same outcome in every worker of the run.

        Parameters
        ----------
        context : WorkerContext
        on_point : callable
            Called with each point of a training's curve, for displays.
        """
        ...


@dataclass(frozen=True)
class Crash:
    """An error of the program or of the machine, as a value that comes back from a worker.

    Parameters
    ----------
    error : Exception
    traceback : str
        The traceback in the worker.
    is_from_elsewhere : bool
        True of a value that was pickled: another process raised the error.
    """

    error: Exception
    traceback: str
    is_from_elsewhere: bool = False

    @classmethod
    def of(cls, error: Exception) -> Crash:
        """Return an error that was caught."""
        return cls(error, "".join(traceback.format_exception(error)))

    def __reduce__(self) -> tuple[Any, ...]:
        return Crash, (_picklable(self.error), self.traceback, True)

    @property
    def is_bug(self) -> bool:
        """False if the machine, the run folder or the data may be at fault, and no job."""
        return not isinstance(self.error, OSError | GrowsearchError)

    @property
    def reason(self) -> str:
        """The error in one line."""
        return " ".join(f"{type(self.error).__name__}: {self.error}".split())

    def raised(self) -> Exception:
        """Return the error to raise, with the worker's traceback as its cause."""
        if self.is_from_elsewhere:
            self.error.__cause__ = WorkerTracebackError(f"\n{self.traceback}")
        return self.error


class WorkerTracebackError(Exception):
    """The traceback of an error in a worker, as the cause of the error in the driver."""


def carry_out(context: WorkerContext, job: Job[T]) -> T | Crash:
    """Carry out a job in a worker: the only function that is ever submitted to an executor.

    A training that cannot end is a failure in its outcome, and every other error is a ``Crash``. So
    an exception of a future is the executor's: a worker that died, a node that was lost.
    """
    try:
        last_words = partial(context.reporter.out_of_memory, job.name)
        with (
            context.reporter.reporting(job.name) as on_point,
            within_memory(context.memory, last_words),
        ):
            return job.carry_out(context, on_point)
    except Exception as error:
        return Crash.of(error)


def warm_up(context: WorkerContext) -> None:
    """Open the context of a new worker, and load its trainer's libraries, before its first job."""
    _ = context.sample
    if isinstance(context.trainer, WarmsUp):
        context.trainer.warm_up()


def _picklable(error: Exception) -> Exception:
    """Return the error, or one with its text where it cannot be pickled and read again."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error
