"""The events of a running search: small frozen values, for progress displays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from growsearch.trials.records import TrialRecord


@dataclass(frozen=True)
class Started:
    """The run is open: ``done`` of its ``trials`` are finished already."""

    folder: Path
    name: str
    trials: int
    done: int
    data_source: str
    stand_in: bool
    seed: int


@dataclass(frozen=True)
class TeacherReady:
    """The first network is trained, now or in an earlier session."""

    architecture: str
    parameters: int
    validation_accuracy: float
    seconds: float


@dataclass(frozen=True)
class Training:
    """A network is being trained: the name of the job, its step of ``steps``, its accuracy."""

    what: str
    step: int
    steps: int
    accuracy: float


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


Event = Started | TeacherReady | Training | TrialFinished | Polished
OnEvent = Callable[[Event], None]
