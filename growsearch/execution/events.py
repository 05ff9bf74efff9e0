"""The events of jobs: small frozen values, for progress displays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


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


JobEvent = Training | JobEnded | JobLost | NoWorker
OnJobEvent = Callable[[JobEvent], None]
