"""The events of a running search: small frozen values, for progress displays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from growsearch.execution.events import JobEnded, JobEvent, JobLost, NoWorker, Training
from growsearch.trials.records import TrialRecord

__all__ = [
    "Committed",
    "Event",
    "FrontRead",
    "JobEnded",
    "JobLost",
    "NoWorker",
    "OnEvent",
    "Polished",
    "Started",
    "TeacherReady",
    "Training",
    "TrialFinished",
    "TrunkRead",
]


@dataclass(frozen=True)
class Started:
    """The run is open: ``done`` of its ``trials`` are finished already.

    ``workers`` is the number of processes that carry out jobs; 0 is this process. ``time_budget``
    is in seconds of the whole run, of which ``passed`` have passed; None is no limit. ``length`` is
    that of a run with a trunk: its time budget, or without one its updates of the first network;
    None of any other run. ``metric`` is that of the run: the validation accuracies of all events
    are values of it. ``notes`` are lines about images and space. ``best_accuracy`` and
    ``best_parameters`` are of the best network of earlier sessions; None of a new run.
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
    time_budget: float | None = None
    passed: float = 0.0
    length: float | None = None
    metric: str = "accuracy"
    notes: tuple[str, ...] = ()
    best_accuracy: float | None = None
    best_parameters: int | None = None


@dataclass(frozen=True)
class TeacherReady:
    """The first network is trained, now or in an earlier session; or measured, if it was given.

    ``start`` is the source of a network that was given, "" of one that the run trained.
    """

    architecture: str
    parameters: int
    validation_accuracy: float
    seconds: float
    outline: str = ""
    start: str = ""


@dataclass(frozen=True)
class TrialFinished:
    """A trial and its controls are done."""

    record: TrialRecord
    done: int
    trials: int


@dataclass(frozen=True)
class FrontRead:
    """The front of a run with two objectives, whenever a network joined it.

    ``members`` are trial (None is the first network), validation accuracy and demand of each, by
    rising demand; ``demand`` is the second objective, such as "parameters".
    """

    demand: str
    members: tuple[tuple[int | None, float, float], ...]


@dataclass(frozen=True)
class Polished:
    """A part of the polish is done; ``better`` says that it improved the network of the run."""

    part: int
    parts: int
    validation_accuracy: float
    better: bool


@dataclass(frozen=True)
class TrunkRead:
    """The trunk was trained on, or a growth took its place; it was read by its averages.

    ``elapsed`` is in seconds; without a time budget, in updates of the first network.
    """

    elapsed: float
    validation_accuracy: float
    parameters: int


@dataclass(frozen=True)
class Committed:
    """The network that the run would give if it stopped now was stored.

    ``cooled`` is False where the trunk's averages are better than its cooled fork.
    """

    elapsed: float
    validation_accuracy: float
    parameters: int
    cooled: bool
    outline: str = ""


Event = (
    Started | TeacherReady | JobEvent | TrialFinished | TrunkRead | Committed | Polished | FrontRead
)
OnEvent = Callable[[Event], None]
