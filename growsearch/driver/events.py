"""What a search says while it runs: small frozen values, for whoever shows them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from growsearch.trials.records import TrialRecord


@dataclass(frozen=True)
class Started:
    """The run is open: how much of it is done already, and on which images it works."""

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
    """A network is being trained: which, and how far it is."""

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
    """A part of the last training of the best network is done; whether it made it better."""

    part: int
    parts: int
    validation_accuracy: float
    better: bool


Event = Started | TeacherReady | Training | TrialFinished | Polished
OnEvent = Callable[[Event], None]
