"""Weights & Biases: one run for the search, with the curves and figures of its trials."""

from __future__ import annotations

import os
from typing import Any, ClassVar, Literal

from growsearch.tracking.logs import Point, TrialLog, Value
from growsearch.tracking.tracker import Tracker
from growsearch.trials.arms import CANDIDATE

Mode = Literal["online", "offline", "disabled", "shared"]


class WandB(Tracker):
    """Logs to Weights & Biases: figures by trial, curves by update, the result as the summary.

    Offline logging, by ``mode="offline"`` or the environment variable ``WANDB_MODE=offline``, needs
    no account; ``wandb sync`` sends it later.

    Parameters
    ----------
    project : str
    entity : str, optional
        The user or team that the project is of; the account's own by default.
    mode : "online", "offline", "disabled" or "shared", optional
        By default that of ``WANDB_MODE``, else online.
    folder : path, optional
        The parent of the folder ``wandb`` with local files; ``WANDB_DIR`` or the run folder.
    """

    name: ClassVar[str] = "wandb"
    package: ClassVar[str] = "wandb"

    def __init__(
        self,
        project: str = "growsearch",
        entity: str | None = None,
        mode: Mode | None = None,
        folder: str | None = None,
    ) -> None:
        super().__init__()
        self._project, self._entity, self._mode, self._asked = project, entity, mode, folder
        self._run: Any = None

    @property
    def place(self) -> str:
        """The place that is logged to."""
        return f"wandb {self._entity or ''}/{self._project}"

    def _connect(self) -> None:
        import wandb

        mode = self._mode or wandb.setup().settings.mode
        # Asking for a key would wait for an answer.
        if mode in ("online", "shared") and not wandb.setup().settings.api_key:
            raise ValueError(
                "expected an account: run wandb login, or set WANDB_API_KEY, or WANDB_MODE=offline"
            )

    def _open(self, name: str, identity: str, params: dict[str, Value]) -> str:
        import wandb

        # The terminal is the search's, and its folder is no repository.
        settings = wandb.Settings(console="off", silent=True, disable_git=True)
        self._run = wandb.init(
            project=self._project,
            entity=self._entity,
            name=name,
            id=identity or None,
            resume="allow" if identity else None,
            mode=self._mode,
            dir=self._asked or os.environ.get("WANDB_DIR") or str(self._folder),
            config=params,
            settings=settings,
        )
        self._run.define_metric("trial")
        self._run.define_metric("update")
        self._run.define_metric("trials/*", step_metric="trial")
        self._run.define_metric("curves/*", step_metric="update")
        return str(self._run.id)

    def _write_trial(self, log: TrialLog) -> None:
        for arm, curve in log.curves.items():
            name = f"trial {log.number}" + ("" if arm == CANDIDATE else f" {arm}")
            for step, accuracy, loss in curve:
                named = {f"curves/accuracy/{name}": accuracy, f"curves/loss/{name}": loss}
                self._run.log({"update": step, **named})
        figures: dict[str, Value] = {**log.params, **log.figures}
        figures["decision"] = log.tags.get("decision", "")
        self._run.log(
            {"trial": log.number, **{f"trials/{name}": each for name, each in figures.items()}}
        )

    def _write_points(self, points: list[Point]) -> None:
        for point in points:
            by = f"{point.figure}_at"
            self._run.define_metric(point.figure, step_metric=by)
            self._run.log({point.figure: point.value, by: point.step})

    def _write_result(self, figures: dict[str, float], architecture: str) -> None:
        self._run.summary.update({**figures, "architecture": architecture})

    def _close(self, *, is_whole: bool) -> None:
        if self._run is not None:
            self._run.finish(exit_code=0 if is_whole else 1)
