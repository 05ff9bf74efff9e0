"""The events of a running search: small frozen values, for progress displays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from growsearch.trials.records import TrialRecord


@dataclass(frozen=True)
class Started:
    """The run is open: ``done`` of its ``trials`` are finished already.

    ``workers`` is the number of processes that carry out jobs; 0 is this process.
    """

    folder: Path
    name: str
    trials: int
    done: int
    data_source: str
    stand_in: bool
    seed: int
    workers: int = 0
    pending_trials: int = 1


@dataclass(frozen=True)
class TeacherReady:
    """The first network is trained, now or in an earlier session."""

    architecture: str
    parameters: int
    validation_accuracy: float
    seconds: float


@dataclass(frozen=True)
class Training:
    """A network is being trained: the name of the job, its step of ``steps``, its accuracy.

    ``worker`` is the host and process of another process that trains it, ``seconds`` the time since
    the job began.
    """

    what: str
    step: int
    steps: int
    accuracy: float
    worker: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class JobEnded:
    """A job is over: there is no more progress of it to show."""

    what: str


@dataclass(frozen=True)
class JobLost:
    """The worker of a job was lost, for the ``time``-th time; the job is sent again."""

    what: str
    reason: str
    time: int


@dataclass(frozen=True)
class NoWorker:
    """No worker has taken up a job for ``seconds``; ``lacks`` says what the cluster lacks."""

    what: str
    seconds: float
    lacks: str


@dataclass(frozen=True)
class TrialFinished:
    """A trial and its controls are done."""

    record: TrialRecord
    done: int
    trials: int


@dataclass(frozen=True)
class Polished:
    """A part of the polish is done; ``better`` says that it improved the network of the run."""

    part: int
    parts: int
    validation_accuracy: float
    better: bool


Event = Started | TeacherReady | Training | JobEnded | JobLost | NoWorker | TrialFinished | Polished
OnEvent = Callable[[Event], None]
