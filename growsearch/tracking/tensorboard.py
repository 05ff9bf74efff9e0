"""TensorBoard: event files with the curve of each trial and its hyperparameters; no server."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from growsearch.checks import expanded
from growsearch.tracking.logs import Point, TrialLog, Value
from growsearch.tracking.tracker import Tracker
from growsearch.trials.arms import CANDIDATE

RUN = "run"  # the folder of the figures of the run itself
_FOLDER = "tensorboard"


class TensorBoard(Tracker):
    """Writes event files, which ``tensorboard --logdir FOLDER`` shows.

    Each trial is a run of its own, ``trial-0003``, with its learning curve, its figures, and its
    hyperparameters for the tab HPARAMS; so is each of its controls, ``trial-0003-random``.

    Parameters
    ----------
    folder : path, optional
        Of this run alone; ``tensorboard`` in the run folder by default.
    """

    name: ClassVar[str] = "tensorboard"
    package: ClassVar[str] = "tensorboardX"

    def __init__(self, folder: str | os.PathLike[str] | None = None) -> None:
        super().__init__()
        self._asked = None if folder is None else expanded(folder)
        self._writer: Any = None

    @property
    def folder(self) -> Path:
        """The folder of the event files."""
        return self._folder / _FOLDER if self._asked is None else self._asked

    @property
    def place(self) -> str:
        """The place that is logged to."""
        return f"tensorboard {self.folder.resolve()}"

    def _connect(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        if not os.access(self.folder, os.W_OK):
            raise PermissionError(f"{self.folder}: expected a folder that can be written to")

    def _open(self, name: str, identity: str, params: dict[str, Value]) -> str:
        from tensorboardX import SummaryWriter

        if not identity and any(self.folder.glob("trial-*")):
            raise FileExistsError(
                f"{self.folder}: expected no trials of another run: name a folder of its own for "
                "each, as runs/tensorboard/mnist"
            )
        # A file of its own for each session, those that begin in the same second too.
        suffix = f".{os.getpid()}.{time.monotonic_ns()}"
        self._writer = SummaryWriter(str(self.folder / RUN), filename_suffix=suffix)
        if not identity:
            rows = "\n".join(f"| {key} | {value} |" for key, value in params.items())
            self._writer.add_text("search", f"| key | value |\n|---|---|\n{rows}")
        return name

    def _write_trial(self, log: TrialLog) -> None:
        from tensorboardX.summary import hparams

        for arm in {CANDIDATE: (), **log.curves}:  # one that failed before its training has none
            with self._fresh(log.number, arm) as writer:
                for step, accuracy, loss in log.curves.get(arm, ()):
                    writer.add_scalar("curve/accuracy", accuracy, step)
                    writer.add_scalar("curve/loss", loss, step)
                if arm != CANDIDATE:
                    continue
                for each in hparams(dict(log.params), dict(log.figures)):
                    writer.file_writer.add_summary(each)
                for name, value in log.figures.items():
                    writer.add_scalar(name, value, log.number)
                for name, text in log.tags.items():
                    writer.add_text(name, text, log.number)

    def _write_points(self, points: list[Point]) -> None:
        for point in points:
            self._writer.add_scalar(point.figure, point.value, point.step)
        self._writer.flush()

    def _write_result(self, figures: dict[str, float], architecture: str) -> None:
        for name, value in figures.items():
            self._writer.add_scalar(f"result/{name}", value, 0)
        self._writer.add_text("architecture", architecture)

    def _close(self, *, is_whole: bool) -> None:
        del is_whole
        if self._writer is not None:
            self._writer.close()

    @contextmanager
    def _fresh(self, number: int, arm: str) -> Iterator[Any]:
        """Yield the writer of an arm of a trial, without what a killed session began."""
        from tensorboardX import SummaryWriter

        folder = self._folder_of(number, arm)
        shutil.rmtree(folder, ignore_errors=True)
        # One writer only: the name of its file is that of the second.
        with SummaryWriter(str(folder)) as writer:
            yield writer

    def _folder_of(self, number: int, arm: str) -> Path:
        return self.folder / f"trial-{number:04}{'' if arm == CANDIDATE else f'-{arm}'}"
