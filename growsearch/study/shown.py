"""The figures, notes and pictures by which the Optuna dashboard shows a run.

They are values of the studies that only the dashboard reads, and files in the folder ``artifacts``.
Each has one name, so that it is written again in its own place. A process that dies between two of
these steps leaves a run that lacks a figure or a picture until the next time.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from optuna.study import Study

from growsearch.atomic import write_atomically
from growsearch.study.attributes import LapsAttribute
from growsearch.study.notes import write_study_notes
from growsearch.study.optuna_private import dashboard_values, identity_of, set_dashboard_value
from growsearch.trials.records import TrialRecord

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from growsearch.study.result import SearchResult

ARTIFACTS = "artifacts"  # the folder of pictures in a run folder
_ROWS = 16  # of a lineage: as many as the dashboard has room for
_SHARE = 0.01  # of a session: the most that it may take to show itself
_FIRST = 1.5  # seconds: a guess of the first time, which loads plotly and matplotlib
_PICTURES = 1.0  # seconds for pictures at a time


@dataclass
class Showing:
    """The time that a session takes to show itself: at most a hundredth of the session.

    A session of seconds shows nothing; ``growsearch dashboard`` then does it.
    """

    began: float = field(default_factory=time.monotonic)
    took: float = 0.0
    last: float = _FIRST

    @property
    def is_due(self) -> bool:
        """True if there is time to show the run again."""
        return self.took + self.last <= _SHARE * (time.monotonic() - self.began)

    def show(self, result: SearchResult) -> None:
        """Write what the dashboard shows, and count the time."""
        begun = time.monotonic()
        try:
            show(result, seconds=_PICTURES)
        finally:
            self.last = time.monotonic() - begun
            self.took += self.last


def show(result: SearchResult, *, seconds: float) -> None:
    """Write figures and notes of both studies, and pictures of trials that have none yet.

    Parameters
    ----------
    result : SearchResult
    seconds : float
        The processor's time for pictures; the rest of them is drawn the next time.
    """
    from growsearch import figures

    write_study_notes(result)
    _write_figure(result.study, "lineage", figures.lineage(result, most_rows=_ROWS))
    _write_figure(result.study, "accuracy-parameters", figures.accuracy_parameters(result))
    _write_figure(result.control_study, "evidence", figures.evidence(result))
    with suppress(OSError):  # a disk that is full: the run itself does not need the picture
        _write_pictures(result, time.process_time() + seconds)


def _write_figure(study: Study, name: str, figure: Figure) -> None:
    """Store a figure for the dashboard, which gives each the same height."""
    from optuna_dashboard import save_plotly_graph_object

    figure.update_layout(height=None, autosize=True)
    save_plotly_graph_object(study, figure, graph_object_id=name)


def _write_pictures(result: SearchResult, until: float) -> None:
    from growsearch.figures.picture import picture_of

    trials = result.study.get_trials(deepcopy=False)
    known = dashboard_values(result.study)
    for record in _worth_a_picture(result):
        if time.process_time() >= until:
            return
        artifact = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{result.study.study_name}/{record.number}"))
        # Under this name the dashboard looks for the artifacts of trials that have ended, to which
        # Optuna itself adds nothing.
        name = f"dashboard:artifacts:{identity_of(trials[record.number])}:{artifact}"
        if name not in known:
            write_atomically(
                result.folder / ARTIFACTS / artifact, picture_of(record, result.metric)
            )
            about = {
                "artifact_id": artifact,
                "filename": f"trial-{record.number}-learning-curves.png",
                "mimetype": "image/png",
                "encoding": None,
            }
            set_dashboard_value(result.study, name, json.dumps(about))


def _worth_a_picture(result: SearchResult) -> Iterator[TrialRecord]:
    """Yield the finished trials with a curve, the last first, those kept or with controls alone."""
    laps = LapsAttribute.read(result.study) or LapsAttribute()
    for record in reversed(result.trials):
        has_curve = any(arm.curve for arm in record.arms.values())
        if record.number <= laps.last and has_curve and (record.kept or len(record.arms) > 1):
            yield record
