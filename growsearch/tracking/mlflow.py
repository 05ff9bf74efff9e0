"""MLflow: a run for the search, and below it one for each trial, on a server or in a file."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from growsearch.tracking.logs import Curve, Point, TrialLog, Value
from growsearch.tracking.tracker import Tracker, milliseconds
from growsearch.trials.arms import CANDIDATE

_PARENT = "mlflow.parentRunId"  # MLflow's own tag: shows a run below another
_OF, _TRIAL = "growsearch.run", "growsearch.trial"
_LONGEST = 500  # characters of a parameter, as old servers have them
_BATCH = 90  # parameters or metrics of one call; a server takes 100


class MLflow(Tracker):
    """Logs to MLflow: parameters, metrics and tags of each trial, curves as metrics by step.

    It keeps away from MLflow's active run: your own logging goes on beside it.

    Parameters
    ----------
    tracking_uri : str, optional
        Such as ``http://host:5000`` or ``sqlite:///mlflow.db``; by default MLflow's own, the
        environment variable ``MLFLOW_TRACKING_URI``.
    experiment : str
        Made if there is none of this name.
    """

    name: ClassVar[str] = "mlflow"
    package: ClassVar[str] = "mlflow"

    def __init__(self, tracking_uri: str | None = None, experiment: str = "growsearch") -> None:
        super().__init__()
        from mlflow import MlflowClient

        self._client = MlflowClient(tracking_uri)
        self._experiment, self._experiment_id, self._run = experiment, "", ""

    @property
    def place(self) -> str:
        """The place that is logged to."""
        from growsearch.errors import without_password

        return f"mlflow {without_password(self._client.tracking_uri)} {self._experiment}"

    def _connect(self) -> None:
        found = self._client.get_experiment_by_name(self._experiment)
        if found is None:
            self._experiment_id = self._client.create_experiment(self._experiment)
        else:
            self._experiment_id = found.experiment_id

    def _open(self, name: str, identity: str, params: dict[str, Value]) -> str:
        if identity and self._is_there(identity):
            self._run = identity
            self._client.update_run(identity, status="RUNNING")
            return identity
        tags = {"growsearch.folder": str(self._folder.resolve())}
        made = self._client.create_run(self._experiment_id, run_name=name, tags=tags)
        self._run = str(made.info.run_id)
        self._log(self._run, params=params)
        return self._run

    def _is_there(self, identity: str) -> bool:
        from mlflow.exceptions import MlflowException

        try:
            return bool(self._client.get_run(identity).info.lifecycle_stage == "active")
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return False

    def _write_trial(self, log: TrialLog) -> None:
        which = f"tags.`{_OF}` = '{self._run}' and tags.`{_TRIAL}` = '{log.number}'"
        for begun in self._client.search_runs([self._experiment_id], which):
            self._client.delete_run(begun.info.run_id)  # a killed session did not end it
        tags = {_PARENT: self._run, _OF: self._run, _TRIAL: str(log.number), **log.tags}
        made = self._client.create_run(
            self._experiment_id,
            start_time=milliseconds(log.began),
            run_name=f"trial {log.number}",
            tags={name: text[:_LONGEST] for name, text in tags.items()},
        )
        identity = made.info.run_id
        self._log(identity, params=log.params, metrics=_metrics(log))
        status = "FAILED" if log.tags.get("state") == "FAIL" else "FINISHED"
        self._client.set_terminated(identity, status, milliseconds(log.ended))

    def _write_points(self, points: list[Point]) -> None:
        self._log(self._run, metrics=[(each.figure, each.value, each.step) for each in points])

    def _write_result(self, figures: dict[str, float], architecture: str) -> None:
        self._log(self._run, metrics=[(name, value, 0) for name, value in figures.items()])
        self._client.set_tag(self._run, "architecture", architecture[:_LONGEST])

    def _close(self, *, is_whole: bool) -> None:
        if self._run:
            self._client.set_terminated(self._run, "FINISHED" if is_whole else "KILLED")

    def _log(
        self,
        identity: str,
        params: Mapping[str, Value] | None = None,
        metrics: list[tuple[str, float, int]] | None = None,
    ) -> None:
        """Log parameters and metrics, as many in a call as a server takes."""
        from mlflow.entities import Metric, Param

        named = [Param(name, str(each)[:_LONGEST]) for name, each in (params or {}).items()]
        now = round(1000 * time.time())
        points = [Metric(name, value, now, step) for name, value, step in metrics or ()]
        for batch in _batches(named):
            self._client.log_batch(identity, params=batch)
        for batch in _batches(points):
            self._client.log_batch(identity, metrics=batch)


def _metrics(log: TrialLog) -> list[tuple[str, float, int]]:
    """Return the metrics of a trial as (name, value, step): its curves, and figures at the end."""
    found = [(name, value, 0) for name, value in log.figures.items()]
    for arm, curve in log.curves.items():
        before = "" if arm == CANDIDATE else f"{arm}_"
        found += _points(before, curve)
    return found


def _points(before: str, curve: Curve) -> Iterator[tuple[str, float, int]]:
    for step, accuracy, loss in curve:
        yield f"{before}curve_accuracy", accuracy, step
        yield f"{before}curve_loss", loss, step


def _batches(values: list[Any]) -> Iterator[list[Any]]:
    for start in range(0, len(values), _BATCH):
        yield values[start : start + _BATCH]
