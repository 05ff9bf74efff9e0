"""The base of trackers: what is logged when, what an earlier session has logged, and failures.

A tracker is a callback of a search. Trials are logged as they end, each once over all sessions of
a run; those that an earlier session did not log follow at the end. An error of the tracker's own
ends no search: what it could not log is tried again with the next trial.
"""

from __future__ import annotations

import importlib.util
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import ClassVar

from optuna.study import Study
from optuna.trial import FrozenTrial

from growsearch.driver.events import (
    Committed,
    Event,
    FrontRead,
    Started,
    TeacherReady,
    TrialFinished,
    TrunkRead,
)
from growsearch.errors import InvalidInputError, RunError
from growsearch.study.attributes import TrackingAttribute
from growsearch.study.attributes.of_study import Logged
from growsearch.study.result import SearchResult
from growsearch.tracking.logs import (
    Point,
    TrialLog,
    figure_of,
    finite,
    result_figures,
    run_params,
    trial_log,
)
from growsearch.trials.records import TrialRecord


class TrackingWarning(UserWarning):
    """A tracker failed: the search goes on without it."""


class Tracker(ABC):
    """Logs the trials of a search as they end, and its result.

    Pass it to ``growsearch.search(callbacks=...)``, which also tells it the events of the search
    and its result.
    """

    name: ClassVar[str]  # on the command line, and of the extra that installs it
    package: ClassVar[str]  # to import

    def __init__(self) -> None:
        if importlib.util.find_spec(self.package) is None:
            raise InvalidInputError(
                f"log {self.name}: expected the package {self.package}, found none: "
                f"pip install 'growsearch[{self.name}]'"
            )
        self._metric = "accuracy"
        self._folder = Path()
        self._records: dict[int, TrialRecord] = {}
        self._logs: list[TrialLog] = []
        self._points: list[Point] = []
        self._logged: Logged | None = None  # None before the run is open there
        self._done = 0  # trials
        self._has_warned = False

    # --- what a search calls ----------------------------------------------------------------------

    def on_event(self, event: Event) -> None:
        """Take an event; the first one opens the connection, so that a wrong place is told early.

        Raises
        ------
        RunError
            When the place cannot be logged to.
        """
        best = f"best_{figure_of(self._metric)}"
        match event:
            case Started():
                self._metric, self._folder = event.metric, event.folder
                try:
                    self._connect()
                except Exception as error:  # whatever the package raises
                    raise RunError(f"log {self.name}: {_in_words(error)}") from None
            case TeacherReady():
                self._at(best, 0, event.validation_accuracy)
                self._at("best_parameters", 0, event.parameters)
            case TrialFinished():
                record = event.record
                self._records[record.number] = record
                self._done = event.done
                if record.kept and record.elapsed is None and record.demand is None:
                    self._at(best, event.done, record.validation_accuracy)
                    self._at("best_parameters", event.done, record.parameters)
            case FrontRead():  # its last member is the most accurate
                _, accuracy, demand = event.members[-1]
                self._at(best, self._done, accuracy)
                self._at(f"best_{event.demand}", self._done, demand)
                self._at("front_members", self._done, len(event.members))
            case TrunkRead():
                figure = f"trunk_{figure_of(self._metric)}"
                self._at(figure, round(event.elapsed), event.validation_accuracy)
                self._at("trunk_parameters", round(event.elapsed), event.parameters)
            case Committed():
                figure = f"committed_{figure_of(self._metric)}"
                self._at(figure, round(event.elapsed), event.validation_accuracy)

    def __call__(self, study: Study, trial: FrozenTrial) -> None:
        """Log a trial that has ended, with its controls."""
        record = self._records.pop(trial.number, None)
        if record is not None:
            self._logs.append(trial_log(trial, record, self._metric))
        self._try(lambda: self._send(study))

    def finish(self, result: SearchResult | None) -> None:
        """Log the result, and the trials that no session has logged; end the connection."""
        self._try(lambda: self._end(result))
        if self._logs and result is not None:
            self._warn(f"{len(self._logs)} trials were not logged: the same command logs them")
        self._try(lambda: self._close(is_whole=result is not None))

    # --- what a tracker does ----------------------------------------------------------------------

    @property
    @abstractmethod
    def place(self) -> str:
        """The place that is logged to: one run has one log in each."""

    @abstractmethod
    def _connect(self) -> None:
        """Check that the place can be logged to."""

    @abstractmethod
    def _open(self, name: str, identity: str, params: dict[str, str | int | float | bool]) -> str:
        """Begin the log of a run, or go on with the one of an identity; return its identity."""

    @abstractmethod
    def _write_trial(self, log: TrialLog) -> None:
        """Write one trial."""

    @abstractmethod
    def _write_points(self, points: list[Point]) -> None:
        """Write figures of the run."""

    @abstractmethod
    def _write_result(self, figures: dict[str, float], architecture: str) -> None:
        """Write the figures at the end of the run."""

    @abstractmethod
    def _close(self, *, is_whole: bool) -> None:
        """End the connection, of a search that has ended, or was cut off."""

    # --- in between -------------------------------------------------------------------------------

    def _at(self, figure: str, step: int, value: float | None) -> None:
        self._points += [Point(figure, step, each) for each in finite({"": value}).values()]

    def _begun(self, study: Study) -> Logged:
        """Return what of the run is logged at this place; the first time, open it."""
        if self._logged is None:
            stored = TrackingAttribute.read(study) or TrackingAttribute()
            known = stored.value.get(self.place, Logged())
            name = self._folder.resolve().name or study.study_name
            self._logged = known.model_copy(
                update={"identity": self._open(name, known.identity, run_params(study))}
            )
            self._store(study)
        return self._logged

    def _store(self, study: Study) -> None:
        stored = TrackingAttribute.read(study) or TrackingAttribute()
        assert self._logged is not None
        TrackingAttribute(value=stored.value | {self.place: self._logged}).write(study)

    def _send(self, study: Study) -> None:
        """Write what waits to be written."""
        logged = self._begun(study)
        self._write_points(self._points)
        self._points.clear()
        while self._logs:
            log = self._logs[0]
            if log.number not in logged.trials:
                self._write_trial(log)
                trials = (*logged.trials, log.number)
                logged = self._logged = logged.model_copy(update={"trials": trials})
                self._store(study)
            del self._logs[0]

    def _end(self, result: SearchResult | None) -> None:
        """Write what still waits, all trials that were never logged, and the result."""
        if result is None:
            return
        logged = self._begun(result.study)
        waiting = {log.number for log in self._logs} | set(logged.trials)
        stored = result.study.get_trials(deepcopy=False)
        self._logs += [
            trial_log(stored[record.number], record, self._metric)
            for record in result.trials
            if record.number not in waiting
        ]
        self._send(result.study)
        self._write_result(result_figures(result), str(result.best.network.architecture))

    def _try(self, write: Callable[[], None]) -> None:
        """Write something; warn once where the tracker fails, whatever its package raises."""
        try:
            write()
        except Exception as error:
            self._warn(f"{_in_words(error)}: the search goes on, and logs the rest later")

    def _warn(self, text: str) -> None:
        if not self._has_warned:
            warnings.warn(f"log {self.name}: {text}", TrackingWarning, stacklevel=3)
        self._has_warned = True


def milliseconds(moment: datetime | None) -> int | None:
    """Return a time in milliseconds since 1970."""
    return None if moment is None else round(1000 * moment.timestamp())


def _in_words(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
